//! A desk: what the centre is for a station, one person with a token is here. The same keys, the
//! same sealing, the same authority; no store, no stock, no second person.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use api::{
    Actor, ApiError, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelRequest,
    ClaimRequest, ConfirmRequest, Hello, JournalKept, JournalPart, Lease, LeaseRequest,
    ProveRequest, PutKeyGrant, PutKeyRequest, Report, SealGrant, SealRequest, SignLdsGrant,
    SignLdsRequest, Standing, StationAct, Welcome,
};
use async_trait::async_trait;
use central::{CentralError, EnvelopeKeys, SealOrder, SealedStage, prove_possession};
use cert::Certificate;
use document::DocumentNumber;
use hsm::PinSet;
use jiff::Timestamp;
use profile::{DocumentLds, Plan};

use crate::cli::card::desk_keys::DeskKeys;
use crate::cli::card::pem;
use crate::cli::card::runs::{Runs, write_whole};

/// One document on one chip at a desk.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Inner>);

struct Inner {
    keys: DeskKeys,
    runs: Runs,
    plan: Plan,
    lease: Lease,
    chip: String,
    folder: PathBuf,
    sealed: Mutex<Option<(String, SealedStage)>>,
    issued: Mutex<BTreeMap<String, Issued>>,
    lds: Option<DocumentLds>,
    signed: Mutex<Option<SignedLds>>,
}

/// What was made of the chip's keys: the request, and its answer.
type SignedLds = (SignLdsRequest, SignLdsGrant);

/// A certificate that was issued for a key of the chip.
struct Issued {
    certificate: Certificate,
    challenge: Vec<u8>,
}

/// The length of a challenge that a chip signs.
const CHALLENGE: usize = 32;

/// How many documents each of the desk's document signers signed, in the desk's folder.
const SIGNED: &str = "document-signers.json";

/// What a desk calls a document's envelope while not all its PINs are on the chip.
const UNCONFIRMED: &str = "envelope.unconfirmed";

/// Returns to what a document's PIN envelope is bound when it is sealed.
pub(crate) fn envelope_context(number: DocumentNumber) -> String {
    format!("document {number}")
}

impl Desk {
    /// The sealed PIN envelope in the document's folder: an `hsm::PinSet`, see
    /// [`envelope_context`].
    pub(crate) const ENVELOPE: &str = "envelope.sealed";

    /// Makes a desk for one lease and one chip; `folder` is the document's.
    pub(crate) fn new(
        keys: DeskKeys,
        runs: Runs,
        (plan, lds): (Plan, Option<DocumentLds>),
        lease: Lease,
        chip: String,
        folder: PathBuf,
    ) -> Self {
        Self(Arc::new(Inner {
            keys,
            runs,
            plan,
            lease,
            chip,
            folder,
            sealed: Mutex::default(),
            issued: Mutex::default(),
            lds,
            signed: Mutex::default(),
        }))
    }

    /// Returns the file of the authority's certificate.
    pub(crate) fn authority_file(&self) -> &Path {
        &self.0.keys.authority_file
    }

    /// Returns the key check value of the master key of a chip's key set.
    pub(crate) fn kcv(&self, chip: &str, key_set: &str) -> Option<String> {
        self.0.keys.chips.kcv(chip, key_set)
    }

    /// Does what blocks, the token's and the disk's work, beside the async threads.
    async fn work<T: Send + 'static>(
        &self,
        lease: api::LeaseId,
        chip: &str,
        work: impl FnOnce(&Inner) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let inner = Arc::clone(&self.0);
        if lease != inner.lease.id {
            return Err(ApiError::NotFound {
                what: format!("lease {lease}"),
            });
        }
        if chip != inner.chip {
            return Err(ApiError::Refused {
                reason: format!(
                    "this document was begun for chip {}, not for {chip}",
                    inner.chip
                ),
            });
        }
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|_| {
            Err(ApiError::Unavailable {
                reason: "the program is ending".into(),
            })
        })
    }
}

impl Inner {
    fn sealed(&self) -> std::sync::MutexGuard<'_, Option<(String, SealedStage)>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issued(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn certify(&self, request: &CertifyRequest) -> Result<CertifyGrant, ApiError> {
        let refused = |reason: String| ApiError::Refused { reason };
        let wanted = (request.key.clone(), request.profile.clone());
        if !self.plan.keys.contains(&wanted) {
            return Err(refused(format!(
                "the document has no key \"{}\" with this certificate",
                request.key
            )));
        }
        let proved = prove_possession(&self.plan.chip, &request.key, &request.request);
        let proved = proved.map_err(told)?;
        if self.lease.subjects.get(&request.key).map(Vec::as_slice)
            != Some(proved.subject().as_der())
        {
            return Err(refused(
                "the certification request names another subject".into(),
            ));
        }
        let certificate = self
            .keys
            .authority
            .issue(
                &request.profile,
                &proved,
                &request.request,
                &self.lease.record,
                Timestamp::now(),
            )
            .map_err(told)?;
        // Kept before the chip gets it: a certificate that nobody knows of cannot be revoked.
        pem::save(
            &self.folder.join(format!("{}.der", request.key)),
            certificate.as_der(),
        )
        .map_err(|error| unwritten(&error))?;
        let mut challenge = vec![0; CHALLENGE];
        getrandom::fill(&mut challenge).map_err(|error| ApiError::Unavailable {
            reason: format!("the operating system gives no random bytes: {error}"),
        })?;
        let issued = Issued {
            certificate,
            challenge: challenge.clone(),
        };
        let der = issued.certificate.as_der().to_vec();
        self.issued().insert(request.key.clone(), issued);
        Ok(CertifyGrant::Issued {
            certificate: der,
            challenge,
        })
    }

    fn prove(&self, request: &ProveRequest) -> Result<(), ApiError> {
        let issued = self.issued();
        let issued = issued.get(&request.key);
        let rules = self.plan.chip.key_rules(&request.key);
        let is_proved = issued.zip(rules).is_some_and(|(issued, rules)| {
            let key = issued.certificate.public_key();
            rules.verifies(key, &issued.challenge, &request.signature)
        });
        match is_proved {
            true => Ok(()),
            false => Err(ApiError::Refused {
                reason: format!(
                    "the chip does not sign under the certificate of key \"{}\"",
                    request.key
                ),
            }),
        }
    }

    fn sign_lds(&self, request: &SignLdsRequest) -> Result<SignLdsGrant, ApiError> {
        let refused = |reason: String| ApiError::Refused { reason };
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*signed {
            Some((known, grant)) if known == request => return Ok(grant.clone()),
            Some(_) => {
                return Err(refused(
                    "other keys of this chip were signed already".into(),
                ));
            }
            None => {}
        }
        let lds = self.lds.as_ref();
        let lds = lds.ok_or_else(|| refused("the document has no travel chip".into()))?;
        let made = lds.with_keys(&self.plan.chip, &self.lease.record, &request.keys);
        let made = made.map_err(|error| refused(error.to_string()))?;
        let (now, path) = (Timestamp::now(), self.keys.out.join(SIGNED));
        let mut used = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| unwritten(&error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(unwritten(&error)),
        };
        let taken = self.keys.travel.take(&mut used, now, &made.document_type);
        let signer = taken.map_err(told)?;
        let text = serde_json::to_vec_pretty(&used).map_err(|error| unwritten(&error))?;
        write_whole(&path, &text).map_err(|error| unwritten(&error))?;
        let files = signer
            .sign(made, now)
            .map_err(|error| ApiError::Unavailable {
                reason: chain(&error),
            })?;
        for (name, file) in &files {
            let path = self.folder.join(format!("{name}.bin"));
            write_whole(&path, file).map_err(|error| unwritten(&error))?;
        }
        let grant = SignLdsGrant { files };
        *signed = Some((request.clone(), grant.clone()));
        Ok(grant)
    }

    fn seal(&self, request: &SealRequest) -> Result<SealGrant, ApiError> {
        let record = &self.lease.record;
        let context = envelope_context(record.number);
        let pins = self.pins_before(&context)?;
        let sealed = SealedStage::seal(
            &self.keys.chips.service,
            &EnvelopeKeys {
                printer: self.keys.envelope.clone(),
                own: self.keys.envelope.clone(),
            },
            &SealOrder {
                plan: &self.plan,
                stage: &request.stage,
                chip: &self.chip,
                opening: request.opening.as_ref(),
                carries: request.carries,
                known: &request.pins,
                pins: pins.as_ref(),
                holder: &record.holder,
                context: context.as_bytes(),
            },
        )
        .map_err(told)?;
        if let Some(envelope) = sealed.envelope() {
            // Before the chip has the PINs, so that none is ever lost; who finds only this one
            // finds a spoiled blank beside it.
            write_whole(&self.unconfirmed(), envelope).map_err(|error| unwritten(&error))?;
        }
        let grant = SealGrant {
            commands: sealed.commands().to_vec(),
            publics: sealed.publics().clone(),
        };
        *self.sealed() = Some((request.stage.clone(), sealed));
        Ok(grant)
    }

    /// Returns the holder's PINs where an earlier stage of this run set some of them.
    fn pins_before(&self, context: &str) -> Result<Option<PinSet>, ApiError> {
        let sealed = match fs::read(self.unconfirmed()) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unwritten(&error)),
        };
        let damaged = |_| ApiError::Unavailable {
            reason: "the document's envelope cannot be opened again".into(),
        };
        let content = self
            .keys
            .open_envelope(&sealed, context.as_bytes())
            .map_err(damaged)?;
        PinSet::decode(&content)
            .map(Some)
            .map_err(|_| ApiError::Unavailable {
                reason: "the document's envelope holds no PINs".into(),
            })
    }

    fn confirm(&self, request: &ConfirmRequest) -> Result<(), ApiError> {
        let mut sealed = match self.sealed().take() {
            Some((stage, sealed)) if stage == request.stage => sealed,
            _ => {
                return Err(ApiError::Conflict {
                    reason: format!("stage \"{}\" was not sealed", request.stage),
                });
            }
        };
        sealed.check(&request.answers).map_err(told)?;
        if central::completes_pins(&self.plan, &request.stage) {
            fs::rename(self.unconfirmed(), self.folder.join(Desk::ENVELOPE))
                .map_err(|error| unwritten(&error))?;
        }
        Ok(())
    }

    fn unconfirmed(&self) -> PathBuf {
        self.folder.join(UNCONFIRMED)
    }
}

fn told(error: CentralError) -> ApiError {
    match std::error::Error::source(&error) {
        // There is no other log: who sits here must see the cause.
        Some(_) => ApiError::Unavailable {
            reason: chain(&error),
        },
        None => error.into(),
    }
}

fn unwritten(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::Unavailable {
        reason: format!("the document's folder cannot be written: {error}"),
    }
}

/// Returns an error with all its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[async_trait]
impl Centre for Desk {
    async fn hello(&self, _: &Actor, hello: &Hello) -> Result<Welcome, ApiError> {
        // Nobody sets a desk's store back: it is this process.
        Ok(Welcome {
            epoch: None,
            reports: hello.last,
            standing: Standing::Known,
        })
    }

    async fn lease(&self, _: &Actor, _: &LeaseRequest) -> Result<Option<Lease>, ApiError> {
        Ok(Some(self.0.lease.clone()))
    }

    async fn claim(&self, _: &Actor, request: &ClaimRequest) -> Result<(), ApiError> {
        // The desk's books have it: one lease, one chip.
        self.work(request.lease, &request.chip, |_| Ok(())).await
    }

    async fn open_channel(
        &self,
        _: &Actor,
        request: &ChannelRequest,
    ) -> Result<ChannelGrant, ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| {
            let opened = desk
                .keys
                .chips
                .service
                .open(&desk.plan.chip, &desk.chip, &asked.opening);
            Ok(opened.map_err(told)?.into_grant())
        })
        .await
    }

    async fn put_keys(&self, _: &Actor, request: &PutKeyRequest) -> Result<PutKeyGrant, ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| {
            let put = desk.keys.chips.service.put_keys(
                &desk.plan.chip,
                &desk.chip,
                &asked.opening,
                &asked.new,
                asked.adds,
            );
            put.and_then(central::PutKeys::into_grant).map_err(told)
        })
        .await
    }

    async fn certify(&self, _: &Actor, request: &CertifyRequest) -> Result<CertifyGrant, ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| {
            desk.certify(&asked)
        })
        .await
    }

    async fn prove(&self, _: &Actor, request: &ProveRequest) -> Result<(), ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| desk.prove(&asked))
            .await
    }

    async fn sign_lds(
        &self,
        _: &Actor,
        request: &SignLdsRequest,
    ) -> Result<SignLdsGrant, ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| {
            desk.sign_lds(&asked)
        })
        .await
    }

    async fn seal(&self, _: &Actor, request: &SealRequest) -> Result<SealGrant, ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| desk.seal(&asked))
            .await
    }

    async fn confirm(&self, _: &Actor, request: &ConfirmRequest) -> Result<(), ApiError> {
        let asked = request.clone();
        self.work(request.lease, &request.chip, move |desk| {
            desk.confirm(&asked)
        })
        .await
    }

    async fn tell(&self, _: &Actor, part: &JournalPart) -> Result<JournalKept, ApiError> {
        // A desk's runs are in its own folder, and nobody else goes on with them.
        Ok(JournalKept {
            lines: (part.first + part.lines.len() as u64).saturating_sub(1),
        })
    }

    async fn report(&self, _: &Actor, report: &Report) -> Result<(), ApiError> {
        self.0
            .runs
            .end(report)
            .map_err(|error| ApiError::Unavailable {
                reason: chain(&error),
            })
    }

    async fn act(&self, _: &Actor, _: &StationAct) -> Result<(), ApiError> {
        // There is no station to do anything at.
        Ok(())
    }
}
