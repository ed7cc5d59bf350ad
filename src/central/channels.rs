//! Channels of stations: who gets session keys for which challenge of which chip, and PUT KEY
//! commands. No static key leaves the house.

use std::sync::Arc;

use api::{
    Actor, ChannelGrant, ChannelOpening, ChannelRequest, LeaseId, PutKeyGrant, PutKeyRequest,
};
use audit::Control;
use document::Act;
use document::life_cycle::BlankEvent;
use profile::ChipProfile;
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use crate::accounts::authorise;
use crate::audit_log::Deed;
use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::database::{Write, stored};
use crate::error::{CentralError, Result};
use crate::keys::{answer, set};
use crate::lease::Held;

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
    fn name(self) -> &'static str {
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
    /// What the chip said, for the books: its challenge, or a digest of all that it said.
    card_challenge: Vec<u8>,
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
        let result = self.try_channel(actor, &deed, request).await;
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
        if !challenge.repeated {
            self.note_challenge(&mut tx, &challenge, &request.opening, Purpose::Station)
                .await?;
            let deed = deed
                .clone()
                .with("document", &challenge.held.number)
                .with("chip", &challenge.chip.serial)
                .with("key-set", &request.opening.key_set);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(opened.into_grant())
    }

    /// Judges a challenge: the right, the lease, the chip, the key set, and that it was not
    /// answered for another purpose. The first one of a lease binds the chip's blank to it.
    pub(crate) async fn challenge(
        &self,
        tx: &mut Write,
        actor: &Actor,
        (lease, chip, opening): (LeaseId, &str, &ChannelOpening),
        purpose: Purpose,
    ) -> Result<Challenge> {
        authorise(tx, actor, Act::PersonalizeDocument).await?;
        let mut held = self.held(tx, actor, lease).await?;
        let chip = held.candidate(tx, &chip_serial(chip)?).await?;
        let card_challenge = said(self.chip(&chip.product)?, &chip.serial, opening)?;
        if held.blank.is_none() {
            self.bind(tx, actor, &mut held, &chip).await?;
        }
        if purpose == Purpose::Station {
            refuse_once_sealed(tx, &held, &chip).await?;
        }

        let earlier = sqlx::query("SELECT lease, key_set, purpose FROM channel WHERE chip = ? AND host_challenge = ? AND card_challenge = ?")
            .bind(&chip.serial)
            .bind(&opening.host_challenge[..])
            .bind(&card_challenge)
            .fetch_optional(&mut **tx)
            .await?;
        let repeated = match earlier {
            None => false,
            Some(row) => {
                let same = row.get::<&str, _>("lease") == held.id.to_string()
                    && row.get::<&str, _>("key_set") == opening.key_set
                    && row.get::<&str, _>("purpose") == purpose.name();
                if !same {
                    return Err(CentralError::refused(
                        "these challenges were answered before, for another channel; begin again with a new one",
                    ));
                }
                true
            }
        };
        if !repeated {
            let opened: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM channel WHERE lease = ? AND chip = ? AND purpose = ?",
            )
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
        }
        Ok(Challenge {
            held,
            chip,
            card_challenge,
            repeated,
        })
    }

    /// Writes down for good that a challenge was answered, and for whom.
    pub(crate) async fn note_challenge(
        &self,
        tx: &mut SqliteConnection,
        challenge: &Challenge,
        opening: &ChannelOpening,
        purpose: Purpose,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO channel (chip, host_challenge, card_challenge, lease, key_set, purpose, opened) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&challenge.chip.serial)
        .bind(&opening.host_challenge[..])
        .bind(&challenge.card_challenge[..])
        .bind(challenge.held.id.to_string())
        .bind(&opening.key_set)
        .bind(purpose.name())
        .bind(stored(self.now()))
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Binds the blank of a lease's first chip to it: one that is in stock.
    pub(crate) async fn bind(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
        chip: &BookedChip,
    ) -> Result<()> {
        let mut blank = Blank::load(tx, &chip.blank).await?;
        if let Err(CentralError::Conflict { .. }) = blank.apply(tx, BlankEvent::Issue).await {
            return Err(CentralError::refused(format!(
                "blank {} is {} in the books, not in stock; set it aside, and ask the stock-keeper",
                blank.serial, blank.state
            )));
        }
        held.bind(tx, &blank.serial).await?;
        let deed = Deed::new("blank.issued", Control::MEDIA, "blank", &blank.serial)
            .with("lease", held.id)
            .with("document", &held.number)
            .with("chip", &chip.serial);
        self.record(tx, Some(actor), &deed).await
    }

    /// Gives commands that put another key set.
    pub(crate) async fn give_put_keys(
        &self,
        actor: &Actor,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant> {
        let deed = Deed::new(
            "keys.replaced",
            Control::CRYPTOGRAPHY,
            "lease",
            request.lease,
        );
        let result = self.try_put_keys(actor, &deed, request).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_put_keys(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::PersonalizeDocument).await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        said(self.chip(&chip.product)?, &chip.serial, &request.opening)?;
        refuse_once_sealed(&mut tx, &held, &chip).await?;
        let opened: i64 =
            sqlx::query_scalar("SELECT count(*) FROM channel WHERE lease = ? AND chip = ? AND key_set = ? AND purpose = 'station'")
                .bind(held.id.to_string())
                .bind(&chip.serial)
                .bind(&request.opening.key_set)
                .fetch_one(&mut *tx)
                .await?;
        if opened == 0 {
            return Err(CentralError::refused(format!(
                "no channel of key set \"{}\" was opened under this lease",
                request.opening.key_set
            )));
        }
        let (keys, profile, wanted) = (
            self.keys().clone(),
            Arc::clone(self.chip(&chip.product)?),
            request.clone(),
        );
        let serial = chip.serial.clone();
        let put = self
            .blocking(move || {
                keys.put_keys(
                    &profile,
                    &serial,
                    &wanted.opening,
                    &wanted.new,
                    wanted.adds,
                )
            })
            .await??;
        let grant = put.into_grant()?;
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("chip", &chip.serial)
            .with("current", &request.opening.key_set)
            .with("new", &request.new)
            .with("kcv", hex::encode_upper(&grant.kcv));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(grant)
    }
}

/// Judges what a chip said before its channel opens, and returns what the books keep of it: one
/// challenge is answered for one purpose.
fn said(chip: &ChipProfile, serial: &str, opening: &ChannelOpening) -> Result<Vec<u8>> {
    if chip.channel.protocol.is_global_platform() {
        let update = answer(chip, opening)?;
        belongs(serial, update.diversification())?;
        return Ok(update.card_challenge().to_vec());
    }
    set(chip, &opening.key_set)?;
    let mut hash = Sha256::new();
    for (name, value) in &opening.answers {
        for part in [name.as_bytes(), value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    Ok(hash.finalize().to_vec())
}

/// Refuses once a stage of the chip was sealed: whoever had its keys then could set another PIN
/// after the centre did.
async fn refuse_once_sealed(
    tx: &mut SqliteConnection,
    held: &Held,
    chip: &BookedChip,
) -> Result<()> {
    let sealed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sealed_stage WHERE lease = ? AND chip = ?")
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

/// Demands that diversification data are this chip's: for the products that are known, they are
/// its serial number.
fn belongs(serial: &str, diversification: &[u8; 10]) -> Result<()> {
    if hex::encode_upper(diversification) == serial {
        Ok(())
    } else {
        Err(CentralError::refused(
            "the diversification data are not those of the chip that was named",
        ))
    }
}
