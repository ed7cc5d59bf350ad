//! Channels of stations: who gets session keys for which challenge of which chip, and PUT KEY
//! commands. No static key leaves the house.

use std::sync::Arc;

use api::{
    Actor, ChannelGrant, ChannelOpening, ChannelRequest, LeaseId, PutKeyGrant, PutKeyRequest,
};
use audit::Control;
use profile::{Plan, Stage, Verb};
use sqlx::Row;

use crate::blanks::{BookedChip, chip_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::key_grants;
use crate::lease::Held;
use crate::said::{Binding, Said};
use crate::scribe::Deed;
use crate::statements::sql;

/// The most channels of a kind that one chip opens under a lease. A plan needs three or four; more are
/// repetitions after faults, which must end somewhere.
const MAX_CHANNELS: i64 = 8;

/// Who holds the session keys of a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The station.
    Station,
    /// The centre alone.
    Sealed,
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Sealed => "sealed",
        }
    }
}

/// A challenge of a chip that may be answered.
pub(crate) struct Challenge {
    pub(crate) held: Held,
    pub(crate) chip: BookedChip,
    /// What the chip said, for the books.
    card_challenge: Vec<u8>,
    /// What the chip's own proof answers, for the books.
    answers_to: Option<Vec<u8>>,
    /// Whether there is something to answer: not where the proof is always the same.
    pub(crate) is_fresh: bool,
    /// Whether it was answered before, for the same purpose under the same lease.
    pub(crate) repeated: bool,
}

impl Challenge {
    /// Makes one for a stage that opens no channel.
    pub(crate) fn none(held: Held, chip: BookedChip, repeated: bool) -> Self {
        Self {
            held,
            chip,
            card_challenge: Vec::new(),
            answers_to: None,
            is_fresh: false,
            repeated,
        }
    }
}

impl Central {
    /// Gives what opens a channel.
    pub(crate) async fn give_channel(
        &self,
        actor: &Actor,
        request: &ChannelRequest,
    ) -> Result<ChannelGrant> {
        let deed = Deed::new(
            "channel.opened",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        )
        .with("purpose", "station");
        let result = retried!(self.try_channel(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_channel(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &ChannelRequest,
    ) -> Result<ChannelGrant> {
        let mut tx = self.write().await?;
        let challenge = self
            .challenge(
                &mut tx,
                actor,
                (request.lease, &request.chip, &request.opening),
                Purpose::Station,
            )
            .await?;
        let (keys, profile, serial, wanted) = (
            self.keys().clone(),
            Arc::clone(self.chip(&challenge.chip.product)?),
            challenge.chip.serial.clone(),
            request.opening.clone(),
        );
        let opened = self
            .blocking(move || keys.open(&profile, &serial, &wanted))
            .await??;
        let mut deed = deed
            .clone()
            .with("document", &challenge.held.number)
            .with("chip", &challenge.chip.serial)
            .with("key-set", &request.opening.key_set);
        if challenge.repeated {
            deed = deed.named("channel.given-again");
        } else {
            self.note_challenge(&mut tx, &challenge, &request.opening, Purpose::Station)
                .await?;
        }
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(opened.into_grant())
    }

    /// Judges a challenge: the right, the lease, the chip, the key set, and that it was not
    /// answered for another purpose.
    pub(crate) async fn challenge(
        &self,
        tx: &mut Write,
        actor: &Actor,
        (lease, chip, opening): (LeaseId, &str, &ChannelOpening),
        purpose: Purpose,
    ) -> Result<Challenge> {
        let held = self.held(tx, actor, lease).await?;
        let chip = held.chip(tx, &chip_serial(chip)?).await?;
        let profile = self.chip(&chip.product)?;
        let said = Said::read(profile, (held.id, &chip.serial), opening, purpose)?;
        if purpose == Purpose::Station {
            self.check_opened(tx, &held, &chip, &opening.key_set)
                .await?;
            refuse_once_sealed(tx, &held, &chip).await?;
        }

        let earlier = sqlx::query(sql!("SELECT lease, key_set, purpose, host_challenge, card_challenge, answers_to FROM channel WHERE chip = $1 AND (substr(card_challenge, 1, CAST($2 AS INTEGER)) = $3 OR answers_to = $4)"))
            .bind(&chip.serial)
            .bind(i64::try_from(said.bound().len()).unwrap_or(i64::MAX))
            .bind(said.bound())
            .bind(&said.answers_to)
            .fetch_all(&mut **tx)
            .await?;
        let mut repeated = false;
        for row in &earlier {
            let is_same = row.get::<&[u8], _>("host_challenge") == opening.host_challenge
                && row.get::<&[u8], _>("card_challenge") == said.books;
            let of_set = row.get::<&str, _>("key_set") == opening.key_set;
            let for_purpose = row.get::<&str, _>("purpose") == purpose.name();
            let of_lease = row.get::<&str, _>("lease") == held.id.to_string();
            let is_own = of_set && for_purpose && of_lease;
            // The chip's proof would be one that a station has, or gets.
            let is_proof = said.answers_to.is_some()
                && row.get::<Option<&[u8]>, _>("answers_to") == said.answers_to.as_deref();
            let is_proved = is_proof && of_set && (purpose == Purpose::Sealed || !for_purpose);
            let is_bound = row
                .get::<&[u8], _>("card_challenge")
                .starts_with(said.bound());
            let is_foreign = match said.binding {
                _ if is_same => !is_own,
                _ if is_proved => true,
                _ if !is_bound => false,
                Binding::Pair => false,
                Binding::Counter => of_set && !for_purpose,
                Binding::Challenge | Binding::Nothing => !is_own,
            };
            if is_foreign {
                return Err(CentralError::refused(
                    "these challenges were answered before, for another channel; begin again with a new one",
                ));
            }
            repeated |= is_same;
        }
        if !repeated {
            let opened: i64 = sqlx::query_scalar(sql!(
                "SELECT count(*) FROM channel WHERE lease = $1 AND chip = $2 AND purpose = $3"
            ))
            .bind(held.id.to_string())
            .bind(&chip.serial)
            .bind(purpose.name())
            .fetch_one(&mut **tx)
            .await?;
            if opened >= MAX_CHANNELS {
                return Err(CentralError::refused(format!(
                    "{MAX_CHANNELS} channels of this chip were opened under this lease; report how it ended"
                )));
            }
            self.rate().take(&actor.station, self.now())?;
        }
        Ok(Challenge {
            held,
            chip,
            is_fresh: said.binding != Binding::Nothing || said.answers_to.is_some(),
            card_challenge: said.books,
            answers_to: said.answers_to,
            repeated,
        })
    }

    /// Writes down for good that a challenge was answered, and for whom.
    pub(crate) async fn note_challenge(
        &self,
        tx: &mut Connection,
        challenge: &Challenge,
        opening: &ChannelOpening,
        purpose: Purpose,
    ) -> Result<()> {
        sqlx::query(sql!("INSERT INTO channel (chip, host_challenge, card_challenge, lease, key_set, purpose, opened, answers_to) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"))
        .bind(&challenge.chip.serial)
        .bind(&opening.host_challenge[..])
        .bind(&challenge.card_challenge[..])
        .bind(challenge.held.id.to_string())
        .bind(&opening.key_set)
        .bind(purpose.name())
        .bind(stored(self.now()))
        .bind(&challenge.answers_to)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Gives commands that put another key set.
    pub(crate) async fn give_put_keys(
        &self,
        actor: &Actor,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant> {
        let deed = Deed::new("keys.given", Control::CRYPTOGRAPHY, "lease", request.lease);
        let result = retried!(self.try_put_keys(actor, &deed, request));
        self.settle(actor, &deed, result).await
    }

    async fn try_put_keys(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant> {
        let mut tx = self.write().await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        held.check_personalizes()?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        let said = Said::read(
            self.chip(&chip.product)?,
            (held.id, &chip.serial),
            &request.opening,
            Purpose::Station,
        )?;
        refuse_once_sealed(&mut tx, &held, &chip).await?;
        // The very channel: what is put in it is encrypted for no other.
        let opened: i64 =
            sqlx::query_scalar(sql!("SELECT count(*) FROM channel WHERE lease = $1 AND chip = $2 AND key_set = $3 AND host_challenge = $4 AND card_challenge = $5 AND purpose = 'station'"))
                .bind(held.id.to_string())
                .bind(&chip.serial)
                .bind(&request.opening.key_set)
                .bind(&request.opening.host_challenge[..])
                .bind(&said.books)
                .fetch_one(&mut *tx)
                .await?;
        if opened == 0 {
            return Err(CentralError::refused(format!(
                "no channel of key set \"{}\" was opened so under this lease",
                request.opening.key_set
            )));
        }
        self.check_planned(&mut tx, &held, &chip, request).await?;
        let (keys, profile, wanted) = (
            self.keys().clone(),
            Arc::clone(self.chip(&chip.product)?),
            request.clone(),
        );
        let serial = chip.serial.clone();
        let put = self
            .blocking(move || {
                keys.put_keys(&profile, &serial, &wanted.opening, &wanted.new, wanted.adds)
            })
            .await??;
        let grant = put.into_grant()?;
        let is_first = key_grants::note(&mut tx, (&held, &chip), request, &said, self.now());
        let deed = match is_first.await? {
            true => deed.clone(),
            false => deed.clone().named("keys.given-again"),
        };
        let deed = deed
            .with("document", &held.number)
            .with("chip", &chip.serial)
            .with("current", &request.opening.key_set)
            .with("new", &request.new)
            .with("adds", request.adds)
            .with("kcv", hex::encode_upper(&grant.kcv));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(grant)
    }
}

impl Central {
    async fn plan_of(&self, tx: &mut Write, held: &Held, chip: &BookedChip) -> Result<Plan> {
        let document = Document::load(tx, &held.document).await?;
        let record = self.open_record(tx, &document).await?;
        let profile = self.document_profile(document.kind)?;
        self.plan_for(held.purpose, profile, &chip.product, &record)
    }

    /// Demands that the station opens a channel with this key set in the document's plan: what only
    /// the centre opens, no station gets keys for.
    async fn check_opened(
        &self,
        tx: &mut Write,
        held: &Held,
        chip: &BookedChip,
        key_set: &str,
    ) -> Result<()> {
        let plan = self.plan_of(tx, held, chip).await?;
        match open_stages(&plan, key_set).next() {
            Some(_) => Ok(()),
            None => Err(CentralError::refused(format!(
                "the plan of this document opens no channel with key set \"{key_set}\" from the station"
            ))),
        }
    }

    /// Demands that the plan puts this key set in a channel of that one: no station puts keys as
    /// it likes.
    async fn check_planned(
        &self,
        tx: &mut Write,
        held: &Held,
        chip: &BookedChip,
        request: &PutKeyRequest,
    ) -> Result<()> {
        let plan = self.plan_of(tx, held, chip).await?;
        let verb = match request.adds {
            true => Verb::AddKeys,
            false => Verb::ReplaceKeys,
        };
        let mut stages = open_stages(&plan, &request.opening.key_set);
        let is_planned = stages.any(|stage| {
            let mut steps = stage.steps.iter();
            steps.any(|step| step.verb == verb && step.object == request.new)
        });
        match is_planned {
            true => Ok(()),
            false => Err(CentralError::refused(format!(
                "the plan of this document does not {verb} \"{}\" in a channel of key set \"{}\"",
                request.new, request.opening.key_set
            ))),
        }
    }
}

/// Refuses once a stage of the chip was sealed: whoever had its keys then could set another PIN
/// after the centre did.
async fn refuse_once_sealed(tx: &mut Connection, held: &Held, chip: &BookedChip) -> Result<()> {
    let sealed: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM sealed_stage WHERE lease = $1 AND chip = $2"
    ))
    .bind(held.id.to_string())
    .bind(&chip.serial)
    .fetch_one(tx)
    .await?;
    if sealed == 0 {
        Ok(())
    } else {
        Err(CentralError::refused(format!(
            "a stage of chip {} was sealed under this lease: no station gets its keys any more; go on with the sealed stages, or report the blank as spoiled",
            chip.serial
        )))
    }
}

/// Returns the stages in which a station opens a channel with a key set.
fn open_stages<'p>(plan: &'p Plan, key_set: &str) -> impl Iterator<Item = &'p Stage> {
    let stages = plan.stages.iter();
    stages.filter(move |stage| !stage.sealed && stage.channel.as_deref() == Some(key_set))
}
