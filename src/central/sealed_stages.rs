//! Sealed stages, with the holder's PINs in one of them: sealed for a lease's chip, and confirmed
//! by it.
//!
//! What is kept between the two is the channel, in memory and for ten minutes. When it is lost,
//! the stage is sealed anew; the first that sets PINs then has other PINs and another envelope.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use api::{Actor, ConfirmRequest, ConfirmedStage, LeaseId, SealGrant, SealRequest};
use audit::Control;
use hsm::PinSet;
use jiff::{SignedDuration, Timestamp};
use profile::Plan;
use sha2::{Digest, Sha256};
use sqlx::Row;
use subtle::ConstantTimeEq;

use crate::blanks::{BookedChip, chip_serial};
use crate::central::Central;
use crate::channels::{Challenge, Purpose};
use crate::contention::retried;
use crate::database::{Connection, DbRow, Write, stored};
use crate::documents::Document;
use crate::envelopes::{self, context};
use crate::error::{CentralError, Result};
use crate::lds::note_imported;
use crate::lease::Held;
use crate::scribe::Deed;
use crate::sealable::{completes_pins, sets_pins, stages_before};
use crate::sealing::{SealOrder, SealedStage};
use crate::statements::sql;

/// How long the answers of a sealed stage are waited for.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// The channels of sealed stages whose answers are still to come: one a chip of a lease.
#[derive(Default)]
pub(crate) struct SealedSessions(Mutex<HashMap<Place, Session>>);

/// A lease and the serial number of one of its chips.
type Place = (LeaseId, String);

struct Session {
    request: SealRequest,
    since: Timestamp,
    stage: SealedStage,
    /// The digest of the answers that were found to be the chip's own.
    verified: Option<[u8; 32]>,
}

impl SealedSessions {
    fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut HashMap<Place, Session>) -> T) -> T {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is dropped wipes its keys.
        sessions.retain(|_, session| now.duration_since(session.since) < PATIENCE);
        act(&mut sessions)
    }

    /// Forgets the channels of a lease.
    pub(crate) fn forget(&self, now: Timestamp, lease: LeaseId) {
        self.with(now, |sessions| sessions.retain(|(of, _), _| *of != lease));
    }
}

impl Central {
    /// Gives the commands of a sealed stage.
    pub(crate) async fn seal_stage(
        &self,
        actor: &Actor,
        request: &SealRequest,
    ) -> Result<SealGrant> {
        let deed = Deed::new(
            "stage.sealed",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        );
        let result = retried!(self.try_seal(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_seal(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &SealRequest,
    ) -> Result<SealGrant> {
        let mut tx = self.write().await?;
        let challenge = match &request.opening {
            Some(opening) => {
                let asked = (request.lease, request.chip.as_str(), opening);
                self.challenge(&mut tx, actor, asked, Purpose::Sealed)
                    .await?
            }
            None => self.unchallenged(&mut tx, actor, request).await?,
        };
        let (held, chip) = (&challenge.held, &challenge.chip);
        let place = (held.id, chip.serial.clone());
        if challenge.repeated {
            let known = self.sealed().with(self.now(), |sessions| {
                sessions
                    .get(&place)
                    .filter(|session| session.request == *request)
                    .map(|session| session.grant())
            });
            match known {
                Some(grant) => {
                    let deed = deed
                        .clone()
                        .named("stage.given-again")
                        .with("document", &held.number)
                        .with("chip", &chip.serial)
                        .with("stage", &request.stage);
                    self.record(&mut tx, Some(actor), &deed).await?;
                    tx.commit().await?;
                    return Ok(grant);
                }
                // Whoever lost a channel begins again with a new challenge, if the chip gives any.
                None if challenge.is_fresh => return Err(lost()),
                None => {}
            }
        }
        if Sealed::find(&mut tx, held, chip, &request.stage)
            .await?
            .is_some_and(|sealed| sealed.answers.is_some())
        {
            return Err(CentralError::refused(
                "this stage was confirmed; it is not sealed again",
            ));
        }

        let document = Document::load(&mut tx, &held.document).await?;
        let record = self.open_record(&mut tx, &document).await?;
        let profile = self.document_profile(document.kind)?;
        let plan = self.plan_for(held.purpose, profile, &chip.product, &record)?;
        let stage = plan.stages.iter().find(|stage| stage.name == request.stage);
        if stage.is_some_and(sets_pins) {
            // From then on the chip is its holder's: nothing may be left to prove.
            self.check_proved(&mut tx, held, chip, &plan.keys).await?;
        }
        if let Some(opening) = request.opening.as_ref().filter(|_| !challenge.repeated) {
            self.note_challenge(&mut tx, &challenge, opening, Purpose::Sealed)
                .await?;
        }
        let before = self
            .pins_before(&mut tx, actor, (held, chip), &plan, &request.stage)
            .await?;
        let (keys, envelope_keys, holder, serial) = (
            self.keys().clone(),
            self.envelope_keys().clone(),
            record.holder.clone(),
            chip.serial.clone(),
        );
        let (label, wanted, context) = (
            self.labels().envelope.clone(),
            request.clone(),
            context(document.number()),
        );
        let stage = self
            .blocking(move || {
                let pins = before.map(|sealed| {
                    let content = keys.token().open_envelope(&label, &sealed, &context)?;
                    PinSet::decode(&content)
                        .map_err(|_| CentralError::damaged("an envelope's content"))
                });
                let pins = pins.transpose()?;
                let order = SealOrder {
                    plan: &plan,
                    stage: &wanted.stage,
                    chip: &serial,
                    opening: wanted.opening.as_ref(),
                    carries: wanted.carries,
                    known: &wanted.pins,
                    pins: pins.as_ref(),
                    holder: &holder,
                    context: &context,
                };
                SealedStage::seal(&keys, &envelope_keys, &order)
            })
            .await??;
        sqlx::query(sql!(
            "INSERT INTO sealed_stage (lease, chip, stage, changed) VALUES ($1, $2, $3, $4)
             ON CONFLICT (lease, chip, stage) DO UPDATE SET changed = excluded.changed"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(&request.stage)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("document", document.number())
            .with("chip", &chip.serial)
            .with("stage", &request.stage);
        self.record(&mut tx, Some(actor), &deed).await?;
        note_imported(&mut tx, (held, chip), stage.publics()).await?;
        if let Some(content) = stage.envelope().zip(stage.kept()) {
            self.keep_envelope(&mut tx, actor, &challenge, &request.stage, content)
                .await?;
        }
        tx.commit().await?;
        let session = Session {
            request: request.clone(),
            since: self.now(),
            stage,
            verified: None,
        };
        let grant = session.grant();
        self.sealed()
            .with(self.now(), |sessions| sessions.insert(place, session));
        Ok(grant)
    }

    /// Judges who seals a stage that opens no channel.
    async fn unchallenged(
        &self,
        tx: &mut Write,
        actor: &Actor,
        request: &SealRequest,
    ) -> Result<Challenge> {
        let held = self.held(tx, actor, request.lease).await?;
        let chip = held.chip(tx, &chip_serial(&request.chip)?).await?;
        let place = (held.id, chip.serial.clone());
        let repeated = self.sealed().with(self.now(), |sessions| {
            let session = sessions.get(&place);
            session.is_some_and(|session| session.request == *request)
        });
        Ok(Challenge::none(held, chip, repeated))
    }

    /// Returns the sealed envelope of the holder's PINs, where earlier stages of this lease's chip
    /// set some of them. Those must be done: a stage sealed before them would make other PINs.
    async fn pins_before(
        &self,
        tx: &mut Write,
        actor: &Actor,
        (held, chip): (&Held, &BookedChip),
        plan: &Plan,
        stage: &str,
    ) -> Result<Option<Vec<u8>>> {
        let sets_pins = plan
            .stages
            .iter()
            .any(|of| of.name == stage && sets_pins(of));
        let earlier = stages_before(plan, stage);
        let Some(first) = earlier.first().filter(|_| sets_pins) else {
            return Ok(None);
        };
        for earlier in &earlier {
            let sealed = Sealed::find(tx, held, chip, earlier).await?;
            if sealed.is_none_or(|sealed| sealed.answers.is_none()) {
                return Err(CentralError::conflict(format!(
                    "stage \"{earlier}\" sets PINs of the same envelope and comes first; it is not confirmed"
                )));
            }
        }
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(sql!(
            "SELECT kept FROM envelope WHERE lease = $1 AND chip = $2 AND stage = $3"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(first)
        .fetch_optional(&mut **tx)
        .await?
        .flatten();
        let sealed = sealed.ok_or_else(|| CentralError::damaged("an envelope without content"))?;
        // Nobody sees them, and yet the log says that they were taken out of their envelope.
        let deed = pins("pins.resumed", held, chip).with("stage", stage);
        self.record(tx, Some(actor), &deed).await?;
        Ok(Some(sealed))
    }

    /// Keeps the envelope of the stage that sets the PINs, in the place of the one before: what that
    /// one held was never confirmed, and its serial number stands on nothing.
    async fn keep_envelope(
        &self,
        tx: &mut Write,
        actor: &Actor,
        challenge: &Challenge,
        stage: &str,
        (sealed, kept): (&[u8], &[u8]),
    ) -> Result<()> {
        let held = &challenge.held;
        let replaced = sqlx::query(sql!("UPDATE envelope SET sealed = $1, kept = $2, changed = $3 WHERE lease = $4 AND chip = $5 AND stage = $6 AND state = 'sealed'"))
        .bind(sealed)
        .bind(kept)
        .bind(stored(self.now()))
        .bind(held.id.to_string())
        .bind(&challenge.chip.serial)
        .bind(stage)
        .execute(&mut **tx)
        .await?;
        if replaced.rows_affected() == 0 {
            let serial = envelopes::next_serial(tx).await?;
            sqlx::query(sql!("INSERT INTO envelope (serial, lease, chip, stage, document, number, state, sealed, kept, changed) VALUES ($1, $2, $3, $4, $5, $6, 'sealed', $7, $8, $9)"))
            .bind(serial)
            .bind(held.id.to_string())
            .bind(&challenge.chip.serial)
            .bind(stage)
            .bind(&held.document)
            .bind(&held.number)
            .bind(sealed)
            .bind(kept)
            .bind(stored(self.now()))
            .execute(&mut **tx)
            .await?;
        }
        let deed = pins("pins.sealed", held, &challenge.chip);
        self.record(tx, Some(actor), &deed).await
    }

    /// Judges the answers to a sealed stage.
    pub(crate) async fn confirm_stage(
        &self,
        actor: &Actor,
        request: &ConfirmRequest,
    ) -> Result<()> {
        let deed = Deed::new(
            "stage.confirmed",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        );
        let result = retried!(self.try_confirm(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_confirm(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &ConfirmRequest,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        let sealed = Sealed::find(&mut tx, &held, &chip, &request.stage).await?;
        let sealed = sealed.ok_or_else(|| CentralError::NotFound {
            what: "sealed stage of this name".to_owned(),
        })?;
        let digest = digest(&request.answers);
        if let Some(known) = sealed.answers {
            // Repeated after a lost answer, or something else after the fact.
            tx.commit().await?;
            return if known.ct_eq(&digest).into() {
                Ok(())
            } else {
                Err(CentralError::conflict(
                    "this stage was confirmed with other answers",
                ))
            };
        }
        let place = (held.id, chip.serial.clone());
        self.sealed().with(self.now(), |sessions| {
            let session = sessions
                .get_mut(&place)
                .filter(|session| session.request.stage == request.stage);
            let judged = session.ok_or_else(lost)?.judge(&request.answers, digest);
            if judged.is_err() {
                // A second guess at the answers is not allowed.
                sessions.remove(&place);
            }
            judged
        })?;
        sqlx::query(sql!("UPDATE sealed_stage SET answers = $1, changed = $2 WHERE lease = $3 AND chip = $4 AND stage = $5"))
            .bind(&digest[..])
            .bind(stored(self.now()))
            .bind(held.id.to_string())
            .bind(&chip.serial)
            .bind(&request.stage)
            .execute(&mut *tx)
            .await?;
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("chip", &chip.serial)
            .with("stage", &request.stage);
        self.record(&mut tx, Some(actor), &deed).await?;
        if self
            .completes_pins(&mut tx, &held, &chip, &request.stage)
            .await?
        {
            self.confirm_envelope(&mut tx, &held, &chip).await?;
            let deed = pins("pins.confirmed", &held, &chip);
            self.record(&mut tx, Some(actor), &deed).await?;
            if held.purpose == document::Purpose::NewPins {
                self.replace_envelopes(&mut tx, actor, &held).await?;
            }
        }
        tx.commit().await?;
        self.sealed()
            .with(self.now(), |sessions| sessions.remove(&place));
        Ok(())
    }
}

impl Central {
    /// Returns the stages of a lease that were confirmed: a station that went down behind one may not know
    /// that it was done, and it is not sealed again.
    pub(crate) async fn confirmed_stages(
        &self,
        tx: &mut Connection,
        held: &Held,
    ) -> Result<Vec<ConfirmedStage>> {
        let rows = sqlx::query(sql!(
            "SELECT chip, stage FROM sealed_stage WHERE lease = $1 AND answers IS NOT NULL ORDER BY chip, stage"
        ))
        .bind(held.id.to_string())
        .fetch_all(tx)
        .await?;
        let stage = |row: &DbRow| ConfirmedStage {
            chip: row.get("chip"),
            stage: row.get("stage"),
        };
        Ok(rows.iter().map(stage).collect())
    }

    /// Says whether the holder's PINs are all set with this stage.
    async fn completes_pins(
        &self,
        tx: &mut Write,
        held: &Held,
        chip: &BookedChip,
        stage: &str,
    ) -> Result<bool> {
        let document = Document::load(tx, &held.document).await?;
        let record = self.open_record(tx, &document).await?;
        let profile = self.document_profile(document.kind)?;
        let plan = self.plan_for(held.purpose, profile, &chip.product, &record)?;
        Ok(completes_pins(&plan, stage))
    }
}

/// A sealed stage as it is stored.
struct Sealed {
    /// The digest of the answers that confirmed it.
    answers: Option<Vec<u8>>,
}

impl Sealed {
    async fn find(
        tx: &mut Connection,
        held: &Held,
        chip: &BookedChip,
        stage: &str,
    ) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            "SELECT answers FROM sealed_stage WHERE lease = $1 AND chip = $2 AND stage = $3"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(stage)
        .fetch_optional(tx)
        .await?;
        Ok(row.map(|row| Self {
            answers: row.get("answers"),
        }))
    }
}

/// What the log says of the holder's PINs themselves.
fn pins(action: &'static str, held: &Held, chip: &BookedChip) -> Deed {
    let control = Control::AUTHENTICATION_INFORMATION;
    Deed::new(action, control, "document", &held.number)
        .with("lease", held.id)
        .with("chip", &chip.serial)
}

fn lost() -> CentralError {
    CentralError::conflict(
        "what this stage was sealed with is lost; ask for the stage again, with a new challenge if it opens a channel",
    )
}

impl Session {
    fn grant(&self) -> SealGrant {
        SealGrant {
            commands: self.stage.commands().to_vec(),
            publics: self.stage.publics().clone(),
        }
    }

    /// Judges that the answers are the chip's own, and what was expected. The same answers may be
    /// judged again: the transaction around this may have failed.
    fn judge(&mut self, answers: &[Vec<u8>], digest: [u8; 32]) -> Result<()> {
        if self.verified != Some(digest) {
            self.stage.check(answers)?;
            self.verified = Some(digest);
        }
        Ok(())
    }
}

fn digest(answers: &[Vec<u8>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for answer in answers {
        hash.update((answer.len() as u64).to_be_bytes());
        hash.update(answer);
    }
    hash.finalize().into()
}
