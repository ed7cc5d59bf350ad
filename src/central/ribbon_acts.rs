//! What people do with ribbons: receive them, move them, put them into printers and take them out,
//! miss them, find them, destroy them.

use api::Actor;
use audit::Control;
use document::life_cycle::{IncidentKind, RibbonEvent, RibbonState};
use document::{Act, OfficeCode, four_eyes};
use profile::is_article;

use crate::accounts::{authorise, second_person};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::error::{CentralError, Result};
use crate::places::check_place;
use crate::ribbons::{Ribbon, RibbonLine, RibbonStep};
use crate::scribe::Deed;

/// The most ribbons of one act.
const MAX_RIBBONS: usize = 1_000;

/// What is done with ribbons that are named by the serial numbers that stand on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RibbonHandling {
    /// They leave for another place.
    Send {
        /// Where they go.
        to: OfficeCode,
    },
    /// They came from another place, and another person than who sent them counted them in.
    TakeIn,
    /// One is put into the printer of a station's slot.
    Load {
        /// The station's name.
        station: String,
        /// The slot's name.
        slot: String,
    },
    /// They are taken out before their end, and may be loaded again.
    Unload,
    /// They are at their end, damaged, or wanted no more.
    UseUp {
        /// Why.
        cause: String,
    },
    /// They are not where the books say: an incident is opened for each.
    ReportMissing {
        /// The second person's account.
        witness: String,
        /// What is known.
        cause: String,
    },
    /// Missing ones turned up. They are not used again: nobody knows who read them.
    Find {
        /// The second person's account.
        witness: String,
        /// Where they were.
        cause: String,
    },
    /// Used ones are destroyed.
    Destroy {
        /// The account of the witness.
        witness: String,
        /// How.
        cause: String,
    },
}

impl RibbonHandling {
    fn event(&self) -> RibbonEvent {
        match self {
            Self::Send { .. } => RibbonEvent::Send,
            Self::TakeIn => RibbonEvent::TakeIn,
            Self::Load { .. } => RibbonEvent::Load,
            Self::Unload => RibbonEvent::Unload,
            Self::UseUp { .. } => RibbonEvent::UseUp,
            Self::ReportMissing { .. } => RibbonEvent::ReportMissing,
            Self::Find { .. } => RibbonEvent::Find,
            Self::Destroy { .. } => RibbonEvent::Destroy,
        }
    }

    fn act(&self) -> Act {
        match self {
            Self::Send { .. } | Self::TakeIn | Self::Find { .. } => Act::KeepRibbons,
            Self::Load { .. } | Self::Unload | Self::UseUp { .. } => Act::ChangeRibbon,
            Self::ReportMissing { .. } => Act::ReportRibbonMissing,
            Self::Destroy { .. } => Act::DestroyRibbons,
        }
    }

    fn action(&self) -> &'static str {
        match self {
            Self::Send { .. } => "ribbon.sent",
            Self::TakeIn => "ribbon.taken-in",
            Self::Load { .. } => "ribbon.loaded",
            Self::Unload => "ribbon.unloaded",
            Self::UseUp { .. } => "ribbon.used",
            Self::ReportMissing { .. } => "ribbon.missing",
            Self::Find { .. } => "ribbon.found",
            Self::Destroy { .. } => "ribbon.destroyed",
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
            Self::UseUp { cause }
            | Self::ReportMissing { cause, .. }
            | Self::Find { cause, .. }
            | Self::Destroy { cause, .. } => Some(cause),
            _ => None,
        }
    }

    fn witness(&self) -> Option<&str> {
        match self {
            Self::ReportMissing { witness, .. }
            | Self::Find { witness, .. }
            | Self::Destroy { witness, .. } => Some(witness),
            _ => None,
        }
    }

    /// Returns the kind of the incident that it opens.
    fn incident(&self) -> Option<IncidentKind> {
        match self {
            Self::ReportMissing { .. } => Some(IncidentKind::RibbonMissing),
            Self::Find { .. } => Some(IncidentKind::RibbonFound),
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

fn check_count(serials: &[String]) -> Result<()> {
    match serials.len() {
        1..=MAX_RIBBONS => Ok(()),
        _ => Err(CentralError::invalid(format!(
            "name 1 to {MAX_RIBBONS} ribbons"
        ))),
    }
}

impl Central {
    /// Books new ribbons that came to a place: all of them, or none. `item` says what they are, their
    /// panels, say: 1 to 64 of a-z, 0-9 and -.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a stock-keeper; [`CentralError::Conflict`] for one
    /// that is in the books already; [`CentralError::Invalid`]; [`CentralError::NotFound`] for an
    /// unknown place.
    pub async fn receive_ribbons(
        &self,
        actor: &Actor,
        serials: &[String],
        item: &str,
        place: &OfficeCode,
    ) -> Result<()> {
        let deed = Deed::new("ribbon.received", Control::MEDIA, "stock", "store")
            .with("ribbons", serials.len());
        let result = retried!(self.try_receive_ribbons(actor, serials, item, place));
        self.settle(actor, &deed, result).await
    }

    async fn try_receive_ribbons(
        &self,
        actor: &Actor,
        serials: &[String],
        item: &str,
        place: &OfficeCode,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::KeepRibbons).await?;
        check_count(serials)?;
        if !is_article(item) {
            return Err(CentralError::invalid(
                "what a ribbon is has 1 to 64 of a-z, 0-9 and -: ymcko, for example",
            ));
        }
        check_place(&mut tx, place.as_str()).await?;
        let step = RibbonStep {
            at: self.now(),
            person: &person,
            witness: None,
            cause: None,
            to: None,
            slot: None,
        };
        for serial in serials {
            let what = (&**serial, item, place.as_str());
            let ribbon = Ribbon::receive(&mut tx, what, step).await?;
            let deed = Deed::new("ribbon.received", Control::MEDIA, "ribbon", ribbon.serial)
                .with("item", item)
                .with("place", place);
            self.record(&mut tx, Some(actor), &deed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Does something with ribbons: with all of them, or with none. Returns the incidents that it opened.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, where it takes two persons and the other is the
    /// same, where who takes ribbons in is who sent them, and for a printer that has another ribbon;
    /// [`CentralError::Conflict`] for a ribbon in another state; [`CentralError::Invalid`] without
    /// ribbons or a cause; [`CentralError::NotFound`].
    pub async fn handle_ribbons(
        &self,
        actor: &Actor,
        serials: &[String],
        handling: &RibbonHandling,
    ) -> Result<Vec<i64>> {
        let deed = Deed::new(handling.action(), handling.control(), "stock", "store")
            .with("ribbons", serials.len());
        let result = retried!(self.try_handle_ribbons(actor, serials, handling));
        self.settle(actor, &deed, result).await
    }

    async fn try_handle_ribbons(
        &self,
        actor: &Actor,
        serials: &[String],
        handling: &RibbonHandling,
    ) -> Result<Vec<i64>> {
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, handling.act()).await?;
        handling.check()?;
        check_count(serials)?;
        let witness = match handling.witness() {
            Some(witness) => Some(second_person(&mut tx, self.presence(), &person, witness).await?),
            None => None,
        };
        let mut step = RibbonStep {
            at: self.now(),
            person: &person,
            witness: witness.as_ref(),
            cause: handling.cause(),
            to: None,
            slot: None,
        };
        match handling {
            RibbonHandling::Send { to } => {
                check_place(&mut tx, to.as_str()).await?;
                step.to = Some(to.as_str());
            }
            RibbonHandling::Load { station, slot } => step.slot = Some((station, slot)),
            _ => {}
        }
        let mut incidents = Vec::new();
        for serial in serials {
            let mut ribbon = Ribbon::load(&mut tx, serial).await?;
            if step.to == Some(&*ribbon.place) {
                return Err(CentralError::refused(format!(
                    "ribbon {} is at {} already",
                    ribbon.serial, ribbon.place
                )));
            }
            if let Some(slot) = step.slot {
                ribbon.check_loadable(&mut tx, slot).await?;
            }
            if *handling == RibbonHandling::TakeIn {
                let sender = ribbon.moved_by(&mut tx).await?;
                four_eyes(&sender, &person.name).map_err(|_| {
                    CentralError::refused(
                        "nobody takes in what they sent; another person must count it",
                    )
                })?;
            }
            let (was_at, was_in) = (ribbon.place.clone(), ribbon.slot.clone());
            ribbon.apply(&mut tx, handling.event(), step).await?;
            let reference = &ribbon.serial;
            let mut deed = Deed::new(handling.action(), handling.control(), "ribbon", reference)
                .with("place", &ribbon.place);
            if was_at != ribbon.place {
                deed = deed.with("from", was_at);
            }
            if let Some((station, slot)) = was_in.or_else(|| ribbon.slot.clone()) {
                deed = deed.with("station", station).with("slot", slot);
            }
            if let Some(witness) = &witness {
                deed = deed.with("witness", &witness.id);
            }
            if let Some(cause) = handling.cause() {
                deed = deed.with("cause", cause);
            }
            // What it shows, as far as it is known: so much was in the hands of who had it last.
            let RibbonLine { cards, beside, .. } = RibbonLine::load(&mut tx, reference).await?;
            if ribbon.state != RibbonState::Loaded && cards > 0 {
                deed = deed.with("cards", cards);
            }
            if ribbon.state != RibbonState::Loaded && beside > 0 {
                deed = deed.with("cards-beside", beside);
            }
            self.record(&mut tx, Some(actor), &deed).await?;
            if let Some(kind) = handling.incident() {
                let subject = format!("ribbon/{reference}");
                let cause = handling.cause().unwrap_or_default();
                let more = match beside {
                    0 => String::new(),
                    _ => format!(", and {beside} more by its printer's count"),
                };
                let text = format!("{cause} ({cards} cards were printed with it{more})");
                let number = self.open_incident(&mut tx, actor, kind, &subject, &text);
                incidents.push(number.await?);
            }
        }
        tx.commit().await?;
        Ok(incidents)
    }
}
