//! The certificate saga: from a key that was born on a chip to a certificate that the chip signs
//! under.
//!
//! ```text
//!   proof of possession ─► requested ─► issued on hold ─► judged, concluded ─► given to the station
//!                              │              │                                     │
//!                    given up: in doubt       └── misissued, spoiled ─► revoked   written, read back
//!                              │                                                    │
//!                       sweep: revoked or abandoned        active ◄─ handed over ─ ready ◄─ challenge signed
//! ```
//!
//! No authority is asked inside a transaction, and each is asked only for what was written down
//! before. Where the books have a certificate, and where its authority has it, are two columns:
//! what differs is work left (`standing.rs`).

use std::sync::Arc;
use std::time::Duration;

use api::{Actor, CertifyGrant, CertifyRequest};
use audit::Control;
use cert::Certificate;
use document::life_cycle::{CertificateEvent, CertificateState, LifeCycle, RevocationReason};
use document::{DataClass, Record};
use hsm::RandomSource;
use pki::{Answer, AuthorityError, CertificateAuthority, CertificateOrder, Exchange, Misissued};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::authorities::Authorities;
use crate::blanks::{BookedChip, chip_serial};
use crate::cells::DataKey;
use crate::central::Central;
use crate::certificate_rows::{Ordered, Standing};
use crate::contention::retried;
use crate::database::Write;
use crate::documents::Document;
use crate::error::{CentralError, Result, advance};
use crate::lease::Held;
use crate::possession::prove_possession;
use crate::scribe::Deed;

/// The length of the challenge that a chip signs under its certificate, in bytes.
const CHALLENGE: usize = 32;

/// When a station is to ask again for a certificate that somebody else is just asking for.
const SOON: Duration = Duration::from_millis(500);

/// When a station is to ask again after its authority did not answer.
const LATER: Duration = Duration::from_secs(2);

fn pending(after: Duration) -> CertifyGrant {
    CertifyGrant::Pending {
        after: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
    }
}

/// A certificate on order, and all that is needed to ask its authority.
struct Errand {
    ordered: Ordered,
    order: CertificateOrder,
    authority: Arc<dyn CertificateAuthority>,
    /// The key of what the order has of its holder.
    key: DataKey,
}

/// What a request is judged to be.
struct Judged {
    held: Held,
    chip: BookedChip,
    order: CertificateOrder,
    /// The digest of the public key.
    public_key: Vec<u8>,
    application: String,
    key: DataKey,
}

impl Central {
    /// Gets a certificate, on hold, or says that it takes a while.
    pub(crate) async fn certify_key(
        &self,
        actor: &Actor,
        request: &CertifyRequest,
    ) -> Result<CertifyGrant> {
        let deed = Deed::new(
            "certificate.issued",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        );
        let result = self.try_certify(actor, &deed, request).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_certify(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &CertifyRequest,
    ) -> Result<CertifyGrant> {
        let errand = self.errand(actor, request).await?;
        let Some(_turn) = self.turns().take(&errand.ordered.id) else {
            return Ok(pending(SOON));
        };
        // Whoever had the turn before may have gone on.
        let id = errand.ordered.id.clone();
        let ordered = Ordered::load(&mut *self.read().await?, &id).await?;
        let errand = Errand { ordered, ..errand };
        let ordered = match errand.ordered.state {
            CertificateState::Requested => match self.ask(actor, deed, errand).await? {
                Ok(errand) => errand,
                Err(later) => return Ok(later),
            },
            CertificateState::IssuedOnHold | CertificateState::Ready => errand,
            _ => return Err(given_up()),
        };
        self.hand_out(ordered).await
    }

    /// Finds the order that this request is about, or writes it down: judged by the lease, the
    /// plan and the chip's proof of possession.
    async fn errand(&self, actor: &Actor, request: &CertifyRequest) -> Result<Errand> {
        let (judged, known) = retried!(async {
            let mut tx = self.write().await?;
            let judged = self.judged(&mut tx, actor, request).await?;
            let known = judged.before(&mut tx, request).await?;
            tx.commit().await?;
            Ok((judged, known))
        })?;
        let Judged { order, key, .. } = judged;
        if let Some(ordered) = known {
            return Ok(Errand {
                authority: self.authorities().get(&ordered.authority)?,
                ordered,
                order,
                key,
            });
        }
        let name = Authorities::name_for(&order.profile);
        let exchange = self
            .authorities()
            .get(name)?
            .prepare(&order, self.now())
            .await;
        let exchange = exchange.map_err(|error| told(&error))?;
        let mut challenge = vec![0; CHALLENGE];
        self.token().fill(&mut challenge)?;
        retried!(self.enter_order(actor, request, name, &exchange, &challenge))
    }

    /// Writes an order down, if nobody did meanwhile.
    async fn enter_order(
        &self,
        actor: &Actor,
        request: &CertifyRequest,
        name: &str,
        exchange: &Exchange,
        challenge: &[u8],
    ) -> Result<Errand> {
        let authority = self.authorities().get(name)?;
        let mut tx = self.write().await?;
        // The lease may have ended meanwhile, and somebody else may have been quicker.
        let judged = self.judged(&mut tx, actor, request).await?;
        let known = judged.before(&mut tx, request).await?;
        let Judged {
            held,
            chip,
            order,
            public_key,
            application,
            key,
        } = judged;
        if let Some(ordered) = known {
            return Ok(Errand {
                ordered,
                order,
                authority,
                key,
            });
        }
        let mut ordered = Ordered {
            id: Uuid::now_v7().to_string(),
            document: held.document.clone(),
            application,
            number: held.number.clone(),
            lease: held.id.to_string(),
            chip: chip.serial.clone(),
            key: request.key.clone(),
            profile: request.profile.clone(),
            authority: name.to_owned(),
            exchange: Vec::new(),
            is_sent: false,
            challenge: challenge.to_vec(),
            state: CertificateState::INITIAL,
            standing: Standing::None,
            is_concluded: false,
            issued: None,
            tries: 0,
        };
        ordered.take_exchange(self.protection(), &key, exchange)?;
        let asked = ordered.sealed_request(self.protection(), &key, &request.request)?;
        ordered
            .enter(&mut tx, &public_key, &asked, self.now())
            .await?;
        let deed = Deed::new(
            "certificate.requested",
            Control::CRYPTOGRAPHY,
            "lease",
            held.id,
        )
        .with("document", &held.number)
        .with("chip", &chip.serial)
        .with("key", &request.key)
        .with("profile", &request.profile)
        .with("authority", &ordered.authority);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(Errand {
            ordered,
            order,
            authority,
            key,
        })
    }

    /// Judges a request by the lease, the plan and the proof of possession.
    async fn judged(
        &self,
        tx: &mut Write,
        actor: &Actor,
        request: &CertifyRequest,
    ) -> Result<Judged> {
        let held = self.held(tx, actor, request.lease).await?;
        held.check_personalizes()?;
        let chip = held.chip(tx, &chip_serial(&request.chip)?).await?;
        let document = Document::load(tx, &held.document).await?;
        let record = self.open_record(tx, &document).await?;
        self.check_key(&chip, &record, request)?;
        let proved = prove_possession(self.chip(&chip.product)?, &request.key, &request.request)?;
        let subjects = self.open_subjects(tx, &document).await?;
        if subjects.get(&request.key).map(Vec::as_slice) != Some(proved.subject().as_der()) {
            return Err(CentralError::refused(
                "the certification request names another subject than was prepared",
            ));
        }
        let public_key = proved.public_key().to_spki_der();
        let public_key = public_key.map_err(|error| {
            CentralError::refused(format!("the public key is not accepted: {error}"))
        })?;
        let order = self.certificate_profiles().order(
            &request.profile,
            &proved,
            &request.request,
            &record,
        )?;
        let application = document.application;
        let key = self
            .protection()
            .key(tx, &application, DataClass::Record)
            .await?;
        Ok(Judged {
            held,
            chip,
            order,
            public_key: Sha256::digest(&public_key).to_vec(),
            application,
            key,
        })
    }

    /// Demands that the document gets this key on this chip, by the holder's age, and under this
    /// profile.
    fn check_key(
        &self,
        chip: &BookedChip,
        record: &Record,
        request: &CertifyRequest,
    ) -> Result<()> {
        let profile = self.document_profile(record.kind)?;
        let plan = self.plan(profile, &chip.product, record)?;
        if plan
            .keys
            .iter()
            .any(|(key, profile)| *key == request.key && *profile == request.profile)
        {
            Ok(())
        } else {
            Err(CentralError::refused(
                "this document has no certificate of this profile for this key",
            ))
        }
    }

    /// Asks the authority, and records what it issued. Inside: the errand as it stands now, or when
    /// to ask again.
    async fn ask(
        &self,
        actor: &Actor,
        deed: &Deed,
        mut errand: Errand,
    ) -> Result<std::result::Result<Errand, CertifyGrant>> {
        errand.ordered.is_sent = true;
        if !retried!(self.keep_exchange(&errand.ordered))? {
            return Err(given_up());
        }
        let exchange = errand.ordered.exchange(&errand.key)?;
        let now = self.now();
        let answer = errand.authority.submit(&errand.order, &exchange, now).await;
        match answer {
            Ok(Answer::Issued(certificate)) => {
                self.take(actor, deed, errand, *certificate).await.map(Ok)
            }
            Ok(Answer::Waiting { exchange, after }) => {
                let protection = self.protection();
                errand
                    .ordered
                    .take_exchange(protection, &errand.key, &exchange)?;
                match retried!(self.keep_exchange(&errand.ordered))? {
                    true => Ok(Err(pending(after))),
                    // The sweep asks on with the exchange as it was.
                    false => Err(given_up()),
                }
            }
            Err(AuthorityError::Lost { .. }) => {
                // What it may have issued is withdrawn: it is asked anew.
                let exchange = errand.authority.prepare(&errand.order, now).await;
                let exchange = exchange.map_err(|error| told(&error))?;
                let protection = self.protection();
                errand
                    .ordered
                    .take_exchange(protection, &errand.key, &exchange)?;
                errand.ordered.is_sent = false;
                retried!(self.note_anew(actor, &errand.ordered))?;
                Ok(Err(pending(SOON)))
            }
            Err(error) if error.is_passing() => {
                self.note_trouble(&mut errand.ordered, &error).await?;
                Ok(Err(pending(LATER)))
            }
            Err(error) => {
                // Where it may have been issued and nobody can tell, this key is never certified
                // again.
                let event = match error.issued_nothing() {
                    true => CertificateEvent::Abandon,
                    false => CertificateEvent::Doubt,
                };
                let error = told(&error);
                retried!(self.give_up(&mut errand.ordered, event, &error))?;
                Err(error)
            }
        }
    }

    /// Writes down an exchange in the place of one that was lost.
    async fn note_anew(&self, actor: &Actor, ordered: &Ordered) -> Result<()> {
        let mut tx = self.write().await?;
        if !ordered.store_exchange(&mut tx).await? {
            return Err(given_up());
        }
        let deed = ordered.deed("certificate.requested-again");
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes down how an exchange stands, and whether it may have been sent. Returns whether the
    /// order still stands as it did.
    pub(crate) async fn keep_exchange(&self, ordered: &Ordered) -> Result<bool> {
        let mut tx = self.write().await?;
        let stands = ordered.store_exchange(&mut tx).await?;
        tx.commit().await?;
        Ok(stands)
    }

    /// Judges and records a certificate that came from an authority.
    async fn take(
        &self,
        actor: &Actor,
        deed: &Deed,
        mut errand: Errand,
        certificate: Certificate,
    ) -> Result<Errand> {
        let judged = pki::judge(
            &errand.order,
            &certificate,
            errand.authority.chain(),
            self.now(),
        );
        if let Err(Misissued::Key { serial }) = &judged {
            // Somebody else's, for all that is known: not ours to reject or revoke.
            let why = CentralError::refused(format!(
                "the authority gave certificate {serial}, of another key; report the blank as spoiled"
            ));
            let doubt = CertificateEvent::Doubt;
            retried!(self.give_up(&mut errand.ordered, doubt, &why))?;
            return Err(why);
        }
        let protection = self.protection();
        errand
            .ordered
            .take_certificate(protection, &errand.key, &certificate)?;
        retried!(self.store_taken(actor, deed, &mut errand, &judged))?;
        if matches!(errand.ordered.state, CertificateState::Revoked(_)) {
            self.move_at_authority(&mut errand.ordered, &errand.key)
                .await?;
            let why = judged.map_or_else(
                |fault| fault.to_string(),
                |()| "the blank was given up meanwhile".to_owned(),
            );
            return Err(CentralError::refused(format!(
                "the certificate is not used, and is being revoked: {why}"
            )));
        }
        Ok(errand)
    }

    /// Records a certificate that came from an authority, by what it was judged to be.
    async fn store_taken(
        &self,
        actor: &Actor,
        deed: &Deed,
        errand: &mut Errand,
        judged: &std::result::Result<(), Misissued>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let state = Ordered::load(&mut tx, &errand.ordered.id).await?.state;
        let standing = match errand.authority.promises().issues_on_hold {
            true => Standing::OnHold,
            false => Standing::Good,
        };
        errand.ordered.state = match state {
            CertificateState::Requested => advance(state, CertificateEvent::Issue)?,
            // Given up while the authority was at work.
            _ => state,
        };
        errand.ordered.standing = standing;
        let is_given_up = matches!(
            errand.ordered.state,
            CertificateState::InDoubt | CertificateState::Abandoned
        );
        if judged.is_err() || is_given_up {
            let revoke = CertificateEvent::Revoke(RevocationReason::Superseded);
            errand.ordered.state = advance(errand.ordered.state, revoke)?;
        }
        errand.ordered.store_issued(&mut tx, self.now()).await?;
        let profile_digest = self
            .certificate_profiles()
            .digest(&errand.ordered.profile)?;
        let ordered = &errand.ordered;
        let deed = deed
            .clone()
            .with("document", &ordered.number)
            .with("chip", &ordered.chip)
            .with("certificate", ordered.serial())
            .with("key", &ordered.key)
            .with("profile", &ordered.profile)
            .with("profile-digest", hex::encode(profile_digest))
            .with("authority", &ordered.authority);
        self.record(&mut tx, Some(actor), &deed).await?;
        if let Err(fault) = judged {
            let deed = ordered.deed("certificate.misissued").with("fault", fault);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Gives an issued certificate to the station, once its authority has it accepted and on hold:
    /// a card gets nothing that could be used before its hand-over.
    async fn hand_out(&self, mut errand: Errand) -> Result<CertifyGrant> {
        if !self
            .move_at_authority(&mut errand.ordered, &errand.key)
            .await?
        {
            return Ok(pending(LATER));
        }
        match errand.ordered.certificate(&errand.key)? {
            Some(certificate) => Ok(CertifyGrant::Issued {
                certificate: certificate.as_der().to_vec(),
                challenge: errand.ordered.challenge,
            }),
            None => Err(CentralError::damaged("an issued certificate")),
        }
    }

    /// Gives up an order.
    async fn give_up(
        &self,
        ordered: &mut Ordered,
        event: CertificateEvent,
        why: &CentralError,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        // A blank that was given up meanwhile has moved it already.
        let before = Ordered::load(&mut tx, &ordered.id).await?;
        ordered.state = before.state;
        if ordered.state == CertificateState::Requested {
            ordered.state = advance(ordered.state, event)?;
        }
        let trouble = match why {
            CentralError::Certification { said, .. } => said.clone(),
            other => other.chain(),
        };
        ordered.tries = before.tries.saturating_add(1);
        ordered.store_trouble(&mut tx, &trouble, self.now()).await?;
        ordered.store_state(&mut tx, self.now()).await?;
        let action = match ordered.state {
            CertificateState::InDoubt => "certificate.in-doubt",
            _ => "certificate.abandoned",
        };
        let deed = ordered.deed(action).with("cause", why.chain());
        self.record(&mut tx, None, &deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl Judged {
    /// Finds what was ordered for the same key before.
    async fn before(&self, tx: &mut Write, request: &CertifyRequest) -> Result<Option<Ordered>> {
        Ordered::before(tx, &self.held, &self.chip, request, &self.public_key).await
    }
}

/// Returns what is told of an authority's error.
fn told(error: &AuthorityError) -> CentralError {
    CentralError::Certification {
        what: error.kind(),
        said: error.to_string(),
    }
}

fn given_up() -> CentralError {
    CentralError::refused("the certificate of this key was given up; report the blank as spoiled")
}
