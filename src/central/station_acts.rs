//! What people did at stations themselves: an entry of the log each, exactly once and in order. What
//! cannot be true is taken in all the same, as refused and as an incident: else it held up all that
//! comes after it.

use api::{Actor, StationAct};
use audit::Control;
use document::Act;
use document::life_cycle::IncidentKind;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use crate::accounts::{authorise, known_as};
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Write, stored};
use crate::error::{CentralError, Result};
use crate::restoration::Restoration;
use crate::scribe::Deed;
use crate::statements::sql;

/// How far a station's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The longest name of a slot, in bytes.
const MAX_SLOT: usize = 128;

impl Central {
    /// Takes in what a person did at a station itself. Whoever sends it may be another person: the next
    /// who has the shift.
    pub(crate) async fn take_act(&self, actor: &Actor, act: &StationAct) -> Result<()> {
        let deed = Deed::new("station.act", Control::LOGGING, "station", &actor.station)
            .with("sequence", act.sequence)
            .with("at", act.at);
        let result = retried!(self.try_take_act(actor, &deed, act));
        self.settle(actor, &deed, result).await
    }

    async fn try_take_act(&self, actor: &Actor, deed: &Deed, act: &StationAct) -> Result<()> {
        let sequence = i64::try_from(act.sequence)
            .map_err(|_| CentralError::invalid("a sequence number this large does not occur"))?;
        let bytes = serde_json::to_vec(act)
            .map_err(|_| CentralError::invalid("the act cannot be written down"))?;
        let digest = Sha256::digest(&bytes);
        let mut tx = self.write().await?;
        let sender = authorise(&mut tx, actor, Act::PersonalizeDocument).await?;
        let awaited = Restoration::awaiting(&mut tx, &actor.station)
            .await?
            .is_some();
        if !self
            .is_next(&mut tx, actor, (sequence, &digest), awaited)
            .await?
        {
            return Ok(());
        }
        sqlx::query(sql!(
            "INSERT INTO station_act (station, sequence, digest, received) VALUES ($1, $2, $3, $4)"
        ))
        .bind(&actor.station)
        .bind(sequence)
        .bind(&digest[..])
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        match self.judge_act(&mut tx, act).await? {
            Ok(()) => {
                let person = known_as(&mut tx, &act.person).await?;
                let mut deed = deed.clone().with("act", &act.act);
                if let Some(slot) = &act.slot {
                    deed = deed.with("slot", slot);
                }
                let by = format!("person/{}", sender.id);
                if by != person {
                    deed = deed.with("sent-by", by);
                }
                let whose = Actor {
                    station: actor.station.clone(),
                    person: act.person.clone(),
                };
                self.record(&mut tx, Some(&whose), &deed).await?;
            }
            Err(error) => {
                let subject = format!("station/{}", actor.station);
                let text = format!(
                    "act {sequence} of people at this station cannot be true: {error}; find out what its journal has"
                );
                let kind = IncidentKind::Other;
                let incident = self
                    .open_incident(&mut tx, actor, kind, &subject, &text)
                    .await?;
                let deed = deed.clone().with("incident", incident);
                self.record_refusal(&mut tx, actor, &deed, &error).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Says why an act cannot be true, if it cannot.
    async fn judge_act(
        &self,
        tx: &mut Write,
        act: &StationAct,
    ) -> Result<std::result::Result<(), CentralError>> {
        let ahead = act.at.duration_since(self.now());
        Ok(if !StationAct::KNOWN.contains(&&*act.act) {
            Err(CentralError::refused("nothing of this name is done there"))
        } else if ahead > AHEAD {
            Err(CentralError::refused(format!(
                "it was done {} s from now; set the station's clock",
                ahead.as_secs()
            )))
        } else if !act.slot.as_deref().is_none_or(is_slot) {
            Err(CentralError::refused("no slot has such a name"))
        } else if known_as(tx, &act.person).await? == "person/unknown" {
            Err(CentralError::refused("whoever did it has no account"))
        } else {
            Ok(())
        })
    }
}

fn is_slot(name: &str) -> bool {
    (1..=MAX_SLOT).contains(&name.len()) && !name.chars().any(char::is_control)
}
