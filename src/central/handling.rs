//! What a stock-keeper does with blanks that nobody works on: between places, into slots and out of
//! them, back to the maker, into destruction.

use api::Actor;
use audit::Control;
use document::life_cycle::{BlankEvent, BlankState, IncidentKind};
use document::{Act, OfficeCode, four_eyes};

use crate::accounts::{authorise, second_person};
use crate::applications::check_cause;
use crate::blanks::{Blank, blank_serial};
use crate::central::Central;
use crate::contention::retried;
use crate::error::{CentralError, Result};
use crate::places::check_place;
use crate::quarantine::carries_unknown;
use crate::scribe::Deed;

/// The most blanks of one act.
const MAX_BLANKS: usize = 10_000;

/// What is done with blanks that are named by the serial numbers that are printed on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handling {
    /// They leave for another place.
    Send {
        /// Where they go.
        to: OfficeCode,
    },
    /// They came from another place, and another person than who sent them counted them in.
    TakeIn,
    /// They are put into a slot of a station.
    Load {
        /// The station's name.
        station: String,
        /// The slot's name.
        slot: String,
    },
    /// They are taken out of their slots and counted back into the store.
    Unload,
    /// Those that a station gave back untouched are counted back into the store.
    Restock,
    /// They are damaged or no longer wanted.
    Spoil {
        /// Why.
        cause: String,
    },
    /// They go back to their maker, unused.
    SendBack {
        /// The second person's account.
        witness: String,
        /// Why.
        cause: String,
    },
    /// They are not where the books say: an incident is opened for each.
    ReportMissing {
        /// What is known.
        cause: String,
    },
    /// Missing ones turned up. They are spoiled: nobody knows where they were.
    Find {
        /// The second person's account.
        witness: String,
        /// Where they were.
        cause: String,
    },
    /// Spoiled ones are destroyed.
    Destroy {
        /// The account of the witness.
        witness: String,
        /// How.
        cause: String,
    },
}

impl Handling {
    fn event(&self) -> BlankEvent {
        match self {
            Self::Send { .. } => BlankEvent::Send,
            Self::TakeIn => BlankEvent::TakeIn,
            Self::Load { .. } => BlankEvent::Load,
            Self::Unload => BlankEvent::Unload,
            Self::Restock => BlankEvent::Restock,
            Self::Spoil { .. } => BlankEvent::Spoil,
            Self::SendBack { .. } => BlankEvent::SendBack,
            Self::ReportMissing { .. } => BlankEvent::ReportMissing,
            Self::Find { .. } => BlankEvent::Find,
            Self::Destroy { .. } => BlankEvent::Destroy,
        }
    }

    fn act(&self) -> Act {
        match self {
            Self::Send { .. }
            | Self::TakeIn
            | Self::Load { .. }
            | Self::Unload
            | Self::Spoil { .. }
            | Self::SendBack { .. } => Act::MoveBlanks,
            Self::Restock | Self::Find { .. } => Act::CountBlanks,
            Self::ReportMissing { .. } => Act::ReportBlankMissing,
            Self::Destroy { .. } => Act::DestroyBlanks,
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Send { .. } => "blank.sent",
            Self::TakeIn => "blank.taken-in",
            Self::Load { .. } => "blank.loaded",
            Self::Unload => "blank.unloaded",
            Self::Restock => "blank.restocked",
            Self::Spoil { .. } => "blank.spoiled",
            Self::SendBack { .. } => "blank.sent-back",
            Self::ReportMissing { .. } => "blank.missing",
            Self::Find { .. } => "blank.found",
            Self::Destroy { .. } => "blank.destroyed",
        }
    }

    fn control(&self) -> Control {
        match self {
            Self::Destroy { .. } => Control::DISPOSAL,
            _ => Control::MEDIA,
        }
    }

    fn cause(&self) -> Option<&str> {
        match self {
            Self::Spoil { cause }
            | Self::SendBack { cause, .. }
            | Self::ReportMissing { cause }
            | Self::Find { cause, .. }
            | Self::Destroy { cause, .. } => Some(cause),
            _ => None,
        }
    }

    fn witness(&self) -> Option<&str> {
        match self {
            Self::SendBack { witness, .. }
            | Self::Find { witness, .. }
            | Self::Destroy { witness, .. } => Some(witness),
            _ => None,
        }
    }

    /// Checks what can be checked without the books.
    fn check(&self) -> Result<()> {
        self.cause().map_or(Ok(()), check_cause)?;
        if let Self::Load { station, slot } = self {
            for name in [station, slot] {
                if !(1..=128).contains(&name.len()) || name.chars().any(char::is_control) {
                    return Err(CentralError::invalid(
                        "a station's and a slot's name have 1 to 128 bytes on one line",
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Central {
    /// Does something with blanks that nobody works on: with all of them, or with none. Returns
    /// the incidents that it opened.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, where it takes two persons and the other
    /// is the same, where who takes blanks in is who sent them, for a blank that goes back to its
    /// maker and carried something of a document, and for a missing one that a lease or a
    /// document has; [`CentralError::Conflict`] for a blank in another account;
    /// [`CentralError::Invalid`] without blanks or a cause; [`CentralError::NotFound`].
    pub async fn handle_blanks(
        &self,
        actor: &Actor,
        serials: &[String],
        handling: &Handling,
    ) -> Result<Vec<i64>> {
        let deed = Deed::new(handling.action(), handling.control(), "stock", "store")
            .with("blanks", serials.len());
        let result = retried!(self.try_handle(actor, serials, handling));
        self.settle(actor, &deed, result).await
    }

    async fn try_handle(
        &self,
        actor: &Actor,
        serials: &[String],
        handling: &Handling,
    ) -> Result<Vec<i64>> {
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, handling.act()).await?;
        handling.check()?;
        if !(1..=MAX_BLANKS).contains(&serials.len()) {
            return Err(CentralError::invalid(format!(
                "name 1 to {MAX_BLANKS} blanks"
            )));
        }
        let witness = match handling.witness() {
            Some(witness) => Some(second_person(&mut tx, self.presence(), &person, witness).await?),
            None => None,
        };
        let mut movement = self.movement(actor);
        if let Some(witness) = &witness {
            movement = movement.before(witness);
        }
        if let Some(cause) = handling.cause() {
            movement = movement.because(cause);
        }
        match handling {
            Handling::Send { to } => {
                check_place(&mut tx, to.as_str()).await?;
                movement = movement.to(to.as_str());
            }
            Handling::Load { station, slot } => movement = movement.into_slot(station, slot),
            _ => {}
        }
        let mut incidents = Vec::new();
        for serial in serials {
            let mut blank = Blank::load(&mut tx, &blank_serial(serial)?).await?;
            judge(&blank, handling)?;
            if let Handling::Load { station, .. } = handling {
                blank.check_place(&mut tx, station).await?;
            }
            if matches!(handling, Handling::SendBack { .. })
                && carries_unknown(&mut tx, &blank.serial).await?
            {
                return Err(carried(&blank.serial));
            }
            if *handling == Handling::TakeIn {
                let sender = blank.moved_by(&mut tx).await?.unwrap_or_default();
                four_eyes(&sender, &person.name).map_err(|_| {
                    CentralError::refused(
                        "nobody takes in what they sent; another person must count it",
                    )
                })?;
            }
            let was_at = blank.place.clone();
            blank.apply(&mut tx, handling.event(), &movement).await?;
            let mut deed = Deed::new(
                handling.action(),
                handling.control(),
                "blank",
                &blank.serial,
            )
            .with("place", &blank.place);
            if was_at != blank.place {
                deed = deed.with("from", was_at);
            }
            if let Some((station, slot)) = &blank.slot {
                deed = deed.with("station", station).with("slot", slot);
            }
            if let Some(witness) = &witness {
                deed = deed.with("witness", &witness.id);
            }
            if let Some(cause) = handling.cause() {
                deed = deed.with("cause", cause);
            }
            self.record(&mut tx, Some(actor), &deed).await?;
            if let Handling::ReportMissing { cause } | Handling::Find { cause, .. } = handling {
                let kind = match blank.state {
                    BlankState::Missing => IncidentKind::BlankMissing,
                    _ => IncidentKind::BlankFound,
                };
                let subject = format!("blank/{}", blank.serial);
                let number = self.open_incident(&mut tx, actor, kind, &subject, cause);
                incidents.push(number.await?);
            }
        }
        tx.commit().await?;
        Ok(incidents)
    }
}

fn carried(serial: &str) -> CentralError {
    CentralError::refused(format!(
        "blank {serial} carried something of a document; it is destroyed, and goes back to nobody"
    ))
}

/// Judges what the accounts alone do not say.
fn judge(blank: &Blank, handling: &Handling) -> Result<()> {
    let serial = &blank.serial;
    match handling {
        Handling::Send { to } if to.as_str() == blank.place => Err(CentralError::refused(format!(
            "blank {serial} is at {to} already"
        ))),
        Handling::SendBack { .. } if blank.document.is_some() => Err(carried(serial)),
        Handling::Spoil { .. }
            if matches!(
                blank.state,
                BlankState::AtStation | BlankState::Personalized
            ) =>
        {
            Err(CentralError::refused(format!(
                "blank {serial} is {}; its station's report or who judges its document says that it is spoiled",
                blank.state
            )))
        }
        Handling::ReportMissing { .. } if blank.state == BlankState::AtStation => {
            Err(CentralError::refused(format!(
                "blank {serial} is bound to a lease; a security officer gives the lease up, once it has expired"
            )))
        }
        Handling::ReportMissing { .. } | Handling::Destroy { .. }
            if blank.state == BlankState::Personalized =>
        {
            Err(CentralError::refused(format!(
                "blank {serial} is a document; book what became of the document"
            )))
        }
        _ => Ok(()),
    }
}
