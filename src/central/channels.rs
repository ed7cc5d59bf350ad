//! Channels of stations: who gets session keys for which challenge of which chip, and PUT KEY
//! commands. No static key leaves the house.

use std::sync::Arc;

use api::{Actor, ChannelKeys, ChannelRequest, PutKeyGrant, PutKeyRequest, Secret};
use audit::Control;
use card::gp::{InitializeUpdate, Key};
use document::Act;
use document::life_cycle::BlankEvent;
use sqlx::{Row, SqliteConnection};

use crate::accounts::authorise;
use crate::audit_log::Deed;
use crate::blanks::{Blank, BookedChip, chip_serial};
use crate::central::Central;
use crate::database::{Write, stored};
use crate::error::{CentralError, Result};
use crate::keys::answer;
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
    pub(crate) update: InitializeUpdate,
    /// Whether it was answered before, for the same purpose under the same lease.
    pub(crate) repeated: bool,
}

impl Central {
    /// Gives session keys.
    pub(crate) async fn give_channel(
        &self,
        actor: &Actor,
        request: &ChannelRequest,
    ) -> Result<ChannelKeys> {
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
    ) -> Result<ChannelKeys> {
        let mut tx = self.write().await?;
        let challenge = self
            .challenge(&mut tx, actor, request, Purpose::Station)
            .await?;
        let (keys, profile, wanted) = (
            self.keys().clone(),
            Arc::clone(self.chip(&challenge.chip.product)?),
            request.clone(),
        );
        let session = self
            .blocking(move || {
                keys.session_keys(
                    &profile,
                    &wanted.key_set,
                    wanted.host_challenge,
                    &wanted.initialize_update,
                )
            })
            .await??;
        if !challenge.repeated {
            self.note_challenge(&mut tx, &challenge, request, Purpose::Station)
                .await?;
            let deed = deed
                .clone()
                .with("document", &challenge.held.number)
                .with("chip", &challenge.chip.serial)
                .with("key-set", &request.key_set);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        let secret = |key: &Key| Secret::new(key.as_bytes());
        Ok(ChannelKeys {
            enc: secret(&session.enc),
            mac: secret(&session.mac),
            rmac: secret(&session.rmac),
        })
    }

    /// Judges a challenge: the right, the lease, the chip, the key set, and that it was not
    /// answered for another purpose. The first one of a lease binds the chip's blank to it.
    pub(crate) async fn challenge(
        &self,
        tx: &mut Write,
        actor: &Actor,
        request: &ChannelRequest,
        purpose: Purpose,
    ) -> Result<Challenge> {
        authorise(tx, actor, Act::PersonalizeDocument).await?;
        let mut held = self.held(tx, actor, request.lease).await?;
        let chip = held.candidate(tx, &chip_serial(&request.chip)?).await?;
        let update = answer(
            self.chip(&chip.product)?,
            &request.key_set,
            &request.initialize_update,
        )?;
        belongs(&chip.serial, update.diversification())?;
        if held.blank.is_none() {
            self.bind(tx, actor, &mut held, &chip).await?;
        }
        if purpose == Purpose::Station {
            refuse_once_sealed(tx, &held, &chip).await?;
        }

        let earlier = sqlx::query("SELECT lease, key_set, purpose FROM channel WHERE chip = ? AND host_challenge = ? AND card_challenge = ?")
            .bind(&chip.serial)
            .bind(&request.host_challenge[..])
            .bind(&update.card_challenge()[..])
            .fetch_optional(&mut **tx)
            .await?;
        let repeated = match earlier {
            None => false,
            Some(row) => {
                let same = row.get::<&str, _>("lease") == held.id.to_string()
                    && row.get::<&str, _>("key_set") == request.key_set
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
            update,
            repeated,
        })
    }

    /// Writes down for good that a challenge was answered, and for whom.
    pub(crate) async fn note_challenge(
        &self,
        tx: &mut SqliteConnection,
        challenge: &Challenge,
        request: &ChannelRequest,
        purpose: Purpose,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO channel (chip, host_challenge, card_challenge, lease, key_set, purpose, opened) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&challenge.chip.serial)
        .bind(&request.host_challenge[..])
        .bind(&challenge.update.card_challenge()[..])
        .bind(challenge.held.id.to_string())
        .bind(&request.key_set)
        .bind(purpose.name())
        .bind(stored(self.now()))
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Binds the blank of a lease's first chip to it: one that is in stock.
    async fn bind(
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

    /// Gives a PUT KEY command.
    pub(crate) async fn give_put_key(
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
        let result = self.try_put_key(actor, &deed, request).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_put_key(
        &self,
        actor: &Actor,
        deed: &Deed,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::PersonalizeDocument).await?;
        let held = self.held(&mut tx, actor, request.lease).await?;
        let chip = held.chip(&mut tx, &chip_serial(&request.chip)?).await?;
        belongs(&chip.serial, &request.diversification)?;
        refuse_once_sealed(&mut tx, &held, &chip).await?;
        let opened: i64 =
            sqlx::query_scalar("SELECT count(*) FROM channel WHERE lease = ? AND chip = ? AND key_set = ? AND purpose = 'station'")
                .bind(held.id.to_string())
                .bind(&chip.serial)
                .bind(&request.current)
                .fetch_one(&mut *tx)
                .await?;
        if opened == 0 {
            return Err(CentralError::refused(format!(
                "no channel of key set \"{}\" was opened under this lease",
                request.current
            )));
        }
        let (keys, profile, wanted) = (
            self.keys().clone(),
            Arc::clone(self.chip(&chip.product)?),
            request.clone(),
        );
        let put = self
            .blocking(move || {
                keys.put_key(
                    &profile,
                    &wanted.current,
                    &wanted.new,
                    &wanted.diversification,
                )
            })
            .await??;
        let command = put
            .command
            .encode()
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        let deed = deed
            .clone()
            .with("document", &held.number)
            .with("chip", &chip.serial)
            .with("current", &request.current)
            .with("new", &request.new)
            .with("kcv", hex::encode_upper(put.kcvs.concat()));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(PutKeyGrant {
            command: command.to_vec(),
            kcvs: put.kcvs,
        })
    }
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
