//! Packages of applications that registers send: judged, taken in, answered.
//!
//! ```text
//!   bytes ─► JWS, a key of the source ─► package ─► number, identity, environment
//!               │ not admitted                          │ not admitted
//!               ▼                                       ▼
//!            evidence ◄──────────────────── entries, one by one ─► applications
//!               └───────────────► answer, signed ◄──────┘
//! ```
//!
//! A package that is not admitted uses up neither its identity nor its number, so that it may be
//! mended. One that is admitted is judged once: sent again, it gets the same answer again.

use api::{Actor, EntryState, PACKAGE_TYPE, PackageAnswer, PackageState};
use audit::{Control, Outcome};
use cert::jws::{Jws, JwsError, JwsKey};
use document::{Fault, FaultCode, MAX_PACKAGE_BYTES, Package, SourceName};
use jiff::SignedDuration;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, stored};
use crate::error::{CentralError, Result};
use crate::refused_packages::reference;
use crate::scribe::Deed;
use crate::source_keys::valid_keys;
use crate::sources::Sender;
use crate::statements::sql;

/// How far a source's clock may be ahead.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// A package whose signature was verified.
struct Signed {
    package: Package,
    /// SHA-256 of the payload.
    digest: Vec<u8>,
    /// The thumbprint of the key.
    key: String,
}

/// What became of a package in the transaction.
enum Judged {
    /// It was judged, now or before.
    Admitted {
        sequence: i64,
        payload: Vec<u8>,
        answer: Option<Vec<u8>>,
    },
    /// It did not come in.
    NotAdmitted(PackageAnswer),
}

/// A package that was answered.
pub(crate) struct Answered {
    pub(crate) state: PackageState,
    /// Whether nothing is wrong with it but that one before it is missing.
    pub(crate) is_early: bool,
    /// The answer, signed.
    pub(crate) answer: Vec<u8>,
}

impl Central {
    /// Takes in a package that came from a source, and returns the answer to it, signed. The same
    /// package again gives the same answer. What is wrong with the package stands in the answer.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for an unknown source, [`CentralError::Refused`] for a removed
    /// one: they get no answer. The token's and the database's failures: send the same again.
    pub async fn take_package(&self, source: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        let answered = self.answer_package(source, bytes).await?;
        Ok(answered.answer)
    }

    /// Takes in a package as [`Central::take_package`] does, and says what became of it.
    pub(crate) async fn answer_package(&self, source: &str, bytes: &[u8]) -> Result<Answered> {
        let Ok(name) = SourceName::parse(source) else {
            return Err(CentralError::NotFound {
                what: "source of this name".to_owned(),
            });
        };
        let actor = Sender::actor(&name, &self.scribe().station);
        let whole = Sha256::digest(bytes);
        let deed = Deed::new(
            "package.taken",
            Control::PERSONAL_DATA,
            "package",
            reference(&name, &whole),
        );
        let result = retried!(self.try_take(&actor, &deed, &name, bytes, &whole));
        let judged = self.settle(&actor, &deed, result).await?;
        match judged {
            Judged::Admitted {
                payload,
                answer: Some(answer),
                ..
            } => Ok(Answered {
                state: state_of(&payload)?,
                is_early: false,
                answer,
            }),
            Judged::Admitted {
                sequence, payload, ..
            } => Ok(Answered {
                state: state_of(&payload)?,
                is_early: false,
                answer: self.answer(&name, sequence, payload).await?,
            }),
            Judged::NotAdmitted(answer) => Ok(Answered {
                state: answer.state,
                is_early: matches!(&answer.faults[..], [fault] if fault.code == FaultCode::SequenceGap),
                answer: self
                    .sign_for_register(api::ANSWER_TYPE, written(&answer)?)
                    .await?,
            }),
        }
    }

    async fn try_take(
        &self,
        actor: &Actor,
        deed: &Deed,
        name: &SourceName,
        bytes: &[u8],
        whole: &[u8],
    ) -> Result<Judged> {
        let keys = {
            let mut tx = self.read().await?;
            Sender::load(&mut tx, name).await?;
            valid_keys(&mut tx, name, self.now()).await?
        };
        let (copy, today) = (bytes.to_vec(), self.today());
        let read = self
            .blocking(move || read_signed(&copy, &keys, today))
            .await?;

        let mut tx = self.write().await?;
        let sender = Sender::load(&mut tx, name).await?;
        let mut answer = PackageAnswer {
            format: 1,
            source: name.clone(),
            environment: self.environment(),
            package: None,
            sequence: None,
            digest: hex::encode(whole),
            received: self.now(),
            state: PackageState::NotAdmitted,
            faults: Vec::new(),
            applications: Vec::new(),
        };
        let signed = match read {
            Ok(signed) => signed,
            Err(faults) => {
                answer.faults = faults;
                return self.not_admit(tx, actor, deed, answer, bytes).await;
            }
        };
        answer.package = Some(signed.package.id.clone());
        answer.sequence = Some(signed.package.sequence);
        if let Some(judged) = judged_before(&mut tx, name, &signed.digest).await? {
            return Ok(judged);
        }
        // Whether the key counts is judged as of the act.
        let still = valid_keys(&mut tx, name, self.now()).await?;
        if !still.iter().any(|key| key.thumbprint() == signed.key) {
            answer.faults = vec![not_admitted_key()];
            return self.not_admit(tx, actor, deed, answer, bytes).await;
        }
        answer.faults = self
            .envelope_faults(&mut tx, &sender, &signed.package)
            .await?;
        if !answer.faults.is_empty() {
            return self.not_admit(tx, actor, deed, answer, bytes).await;
        }
        self.admit(tx, actor, deed, &sender, signed, answer, bytes)
            .await
    }

    /// Returns what is wrong with a package of a source, beside its entries.
    async fn envelope_faults(
        &self,
        tx: &mut Connection,
        sender: &Sender,
        package: &Package,
    ) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        let mut add = |field, code, message: String| faults.push(fault(field, code, message));
        if package.source != sender.name {
            let message = format!("must be {}, whose key signed it", sender.name);
            add("source", FaultCode::SourceMismatch, message);
        }
        if package.environment != self.environment() {
            let message = format!("must be {}, as this installation is", self.environment());
            add("environment", FaultCode::EnvironmentMismatch, message);
        }
        if package.created > self.now() + CLOCK_SKEW {
            let message = "must not be in the future; set the source's clock".to_owned();
            add("created", FaultCode::InFuture, message);
        }
        let used: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM register_package WHERE source = $1 AND id = $2"
        ))
        .bind(sender.name.as_str())
        .bind(package.id.as_str())
        .fetch_one(tx)
        .await?;
        if used > 0 {
            let message =
                "is another package's of this source; identities are used once".to_owned();
            add("package", FaultCode::PackageUsed, message);
        }
        let next = sender.next_package;
        if package.sequence < next {
            let message = format!("is another package's of this source; the next is {next}");
            add("sequence", FaultCode::SequenceUsed, message);
        } else if package.sequence > next {
            let message = format!("must be {next}: send what is missing, then this one again");
            add("sequence", FaultCode::SequenceGap, message);
        }
        Ok(faults)
    }

    /// Keeps a package that did not come in, and says so in the log.
    async fn not_admit(
        &self,
        mut tx: Write,
        actor: &Actor,
        deed: &Deed,
        answer: PackageAnswer,
        bytes: &[u8],
    ) -> Result<Judged> {
        let codes = codes(&answer.faults);
        let about = reference(&answer.source, &Sha256::digest(bytes));
        self.keep_evidence(&mut tx, &answer.source, &about, bytes, &codes)
            .await?;
        let mut deed = deed.clone().named("package.not-admitted");
        if let Some(id) = &answer.package {
            deed = deed.with("package", id);
        }
        if let Some(sequence) = answer.sequence {
            deed = deed.with("sequence", sequence);
        }
        self.scribe()
            .write(&mut tx, Some(actor), &deed, Outcome::Refused, Some(&codes))
            .await?;
        tx.commit().await?;
        Ok(Judged::NotAdmitted(answer))
    }

    #[expect(clippy::too_many_arguments, reason = "one call, in one transaction")]
    async fn admit(
        &self,
        mut tx: Write,
        actor: &Actor,
        deed: &Deed,
        sender: &Sender,
        signed: Signed,
        mut answer: PackageAnswer,
        bytes: &[u8],
    ) -> Result<Judged> {
        let Signed {
            package,
            digest,
            key,
        } = signed;
        let sequence = i64::try_from(package.sequence)
            .map_err(|_| CentralError::invalid("a package's number"))?;
        for (position, entry) in package.entries.into_iter().enumerate() {
            let entry = self
                .take_entry(&mut tx, actor, sender, sequence, position, entry)
                .await?;
            answer.applications.push(entry);
        }
        let refused = answer
            .applications
            .iter()
            .filter(|entry| entry.state == EntryState::Refused);
        let refused: Vec<_> = refused.flat_map(|entry| &entry.faults).cloned().collect();
        let count = |state| {
            let entries = answer.applications.iter();
            entries.filter(|entry| entry.state == state).count()
        };
        let (good, bad) = (count(EntryState::Taken), count(EntryState::Refused));
        answer.state = match (good, bad) {
            (_, 0) => PackageState::Taken,
            (0, _) => PackageState::Refused,
            _ => PackageState::Partly,
        };
        answer.digest = hex::encode(&digest);
        let about = reference(&sender.name, &Sha256::digest(bytes));
        if good == 0 {
            let codes = codes(&refused);
            self.keep_evidence(&mut tx, &sender.name, &about, bytes, &codes)
                .await?;
        } else {
            self.drop_evidence(&mut tx, &about).await?;
        }
        let payload = written(&answer)?;
        sqlx::query(sql!("INSERT INTO register_package (source, sequence, id, digest, key, state, received, payload)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"))
        .bind(sender.name.as_str())
        .bind(sequence)
        .bind(package.id.as_str())
        .bind(digest)
        .bind(&key)
        .bind(answer.state.name())
        .bind(stored(answer.received))
        .bind(&payload)
        .execute(&mut *tx)
        .await?;
        sqlx::query(sql!("UPDATE source SET next_package = $1 WHERE name = $2"))
            .bind(sequence.saturating_add(1))
            .bind(sender.name.as_str())
            .execute(&mut *tx)
            .await?;
        let deed = deed
            .clone()
            .with("package", &package.id)
            .with("sequence", sequence)
            .with("key", &key)
            .with("taken", good)
            .with("refused", bad);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(Judged::Admitted {
            sequence,
            payload,
            answer: None,
        })
    }

    /// Signs an answer and keeps it: whoever comes second gets the first one's.
    async fn answer(
        &self,
        source: &SourceName,
        sequence: i64,
        payload: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let signed = self.sign_for_register(api::ANSWER_TYPE, payload).await?;
        retried!(self.keep_answer(source, sequence, &signed))
    }

    async fn keep_answer(
        &self,
        source: &SourceName,
        sequence: i64,
        signed: &[u8],
    ) -> Result<Vec<u8>> {
        let mut tx = self.write().await?;
        sqlx::query(sql!("UPDATE register_package SET answer = $1 WHERE source = $2 AND sequence = $3 AND answer IS NULL"))
        .bind(signed)
        .bind(source.as_str())
        .bind(sequence)
        .execute(&mut *tx)
        .await?;
        let kept: Option<Vec<u8>> = sqlx::query_scalar(sql!(
            "SELECT answer FROM register_package WHERE source = $1 AND sequence = $2"
        ))
        .bind(source.as_str())
        .bind(sequence)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        kept.ok_or_else(|| CentralError::damaged("an answer to a register"))
    }
}

/// Reads from an answer what became of its package.
fn state_of(payload: &[u8]) -> Result<PackageState> {
    let damaged = || CentralError::damaged("an answer to a register");
    let answer: serde_json::Value = serde_json::from_slice(payload).map_err(|_| damaged())?;
    match answer.get("state").and_then(serde_json::Value::as_str) {
        Some("taken") => Ok(PackageState::Taken),
        Some("partly") => Ok(PackageState::Partly),
        Some("refused") => Ok(PackageState::Refused),
        _ => Err(damaged()),
    }
}

/// Finds the answer to a package that was judged before.
async fn judged_before(
    tx: &mut Connection,
    source: &SourceName,
    digest: &[u8],
) -> Result<Option<Judged>> {
    let row = sqlx::query(sql!(
        "SELECT sequence, payload, answer FROM register_package WHERE source = $1 AND digest = $2"
    ))
    .bind(source.as_str())
    .bind(digest)
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Judged::Admitted {
        sequence: row.get("sequence"),
        payload: row.get("payload"),
        answer: row.get("answer"),
    }))
}

/// Reads a package that one of these keys must have signed.
fn read_signed(bytes: &[u8], keys: &[JwsKey], today: Date) -> Result<Signed, Vec<Fault>> {
    let refused = |error: JwsError| {
        let code = match error {
            JwsError::TooLarge { .. } => FaultCode::PackageTooLarge,
            JwsError::Signature => FaultCode::WrongSignature,
            _ => FaultCode::NotSigned,
        };
        vec![fault("", code, error.to_string())]
    };
    let jws = Jws::parse(bytes, MAX_PACKAGE_BYTES).map_err(refused)?;
    let named = |key: &&JwsKey| jws.key_id().is_none_or(|id| id == key.thumbprint());
    let mut candidates = keys.iter().filter(named);
    // Without a name, the one key that there is.
    let (Some(key), None) = (candidates.next(), candidates.next()) else {
        return Err(vec![not_admitted_key()]);
    };
    let payload = jws.verify(key, PACKAGE_TYPE).map_err(refused)?;
    let package = Package::parse(&payload, today)?;
    Ok(Signed {
        package,
        digest: Sha256::digest(&payload).to_vec(),
        key: key.thumbprint(),
    })
}

fn not_admitted_key() -> Fault {
    let message = "\"kid\" must be the thumbprint of a key that is admitted for this source now";
    fault("", FaultCode::KeyNotAdmitted, message.to_owned())
}

/// Makes a fault. Its message repeats nothing of what was sent.
pub(crate) fn fault(field: &str, code: FaultCode, message: String) -> Fault {
    Fault {
        field: field.to_owned(),
        code,
        message,
    }
}

/// Lists the codes of faults, each once: what logs may have.
pub(crate) fn codes(faults: &[Fault]) -> String {
    let mut codes: Vec<_> = faults.iter().map(|fault| fault.code.name()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.join(" ")
}

/// Writes what a register is told as JSON.
pub(crate) fn written(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|_| CentralError::invalid("what a register is told cannot be written down"))
}
