//! The printer of a slot, and the blank inside.
//!
//! ```text
//!   open: connect ─► is it the only one of its number? ─► reject whatever is inside
//!   then, blank after blank: feed ─► chip stations ─► print ─► eject
//!                              └── any fault ─► reject; the printer is opened anew
//! ```

use std::sync::{Mutex, PoisonError};

use api::{JournalLine, ProfilePin};
use print::{
    Bin, CardFate, ChipStation, Faces, Identity, Printer, PrinterError, PrinterPlace, Roster,
};
use profile::Interface;

use crate::error::{StationError, chain};

/// A printer that is cleared: what it feeds is the only card inside.
pub(crate) struct Press {
    printer: Box<dyn Printer>,
    identity: Identity,
    profile: String,
    /// A blank was fed, and is not out yet.
    is_loaded: bool,
    /// Where its chip is reached now.
    station: Option<ChipStation>,
    /// Some of a face may be on it.
    is_marked: bool,
    trouble: Option<Trouble>,
}

/// Why a printer takes no other blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was lost: it is looked for, and may come back by itself.
    Lost(String),
    /// A person does something about it.
    Person(String),
}

impl Press {
    /// Connects to a printer, and rejects what is inside: nobody knows whose it is.
    ///
    /// # Errors
    /// [`StationError::Printer`], [`StationError::Roster`].
    pub(crate) fn open(
        place: &dyn PrinterPlace,
        profile: &ProfilePin,
        roster: &Mutex<Roster>,
    ) -> Result<Self, StationError> {
        let mut printer = place.connect()?;
        // Asked before the roster is held: a printer that is silent stops its own slot alone.
        let identity = printer.identity()?;
        {
            let mut roster = roster.lock().unwrap_or_else(PoisonError::into_inner);
            roster.take(printer.name(), &identity)?;
        }
        printer.eject(Bin::Reject)?;
        Ok(Self {
            printer,
            identity,
            profile: profile.name.clone(),
            is_loaded: false,
            station: None,
            is_marked: false,
            trouble: None,
        })
    }

    /// Returns the printer's serial number.
    pub(crate) fn serial(&self) -> &str {
        &self.identity.serial
    }

    /// Returns the name of its profile.
    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }

    /// Returns whether a blank is inside.
    pub(crate) fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Returns whether some of a face may be on the blank.
    pub(crate) fn is_marked(&self) -> bool {
        self.is_marked
    }

    /// Returns whether a chip is reached after its card is printed on: then the chip comes last.
    pub(crate) fn prints_first(&self) -> bool {
        self.printer.capabilities().encodes_after_print
    }

    /// Returns why it takes no other blank, if it does not.
    pub(crate) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Takes a blank from the hopper.
    ///
    /// # Errors
    /// [`PrinterError`].
    pub(crate) fn feed(&mut self) -> Result<(), PrinterError> {
        self.is_marked = false;
        self.station = None;
        let fed = self.printer.feed();
        self.is_loaded = !matches!(&fed, Err(error) if error.card() == CardFate::Unmoved);
        self.noted(fed)
    }

    /// Brings the blank to where a chip of this interface is reached.
    ///
    /// # Errors
    /// [`PrinterError`].
    pub(crate) fn bring_to(&mut self, interface: Interface) -> Result<(), PrinterError> {
        let station = match interface {
            Interface::Contact => ChipStation::Contact,
            Interface::Contactless => ChipStation::Contactless,
        };
        if self.station == Some(station) {
            return Ok(());
        }
        self.station = None;
        let moved = self.printer.position(station);
        self.noted(moved)?;
        self.station = Some(station);
        Ok(())
    }

    /// Prints the faces, once.
    ///
    /// # Errors
    /// [`PrinterError`].
    pub(crate) fn print(&mut self, faces: Faces<'_>) -> Result<(), PrinterError> {
        self.station = None;
        let printed = self.printer.print(faces);
        self.is_marked |= printed.is_ok();
        self.noted(printed)
    }

    /// Moves the finished document out.
    ///
    /// # Errors
    /// [`PrinterError`].
    pub(crate) fn deliver(&mut self) -> Result<(), PrinterError> {
        self.station = None;
        let ejected = self.printer.eject(Bin::Good);
        self.noted(ejected)?;
        self.is_loaded = false;
        Ok(())
    }

    /// Asks what ribbon is inside, as evidence: its kind, and for how many cards it lasts, as far as the
    /// printer says it. What goes wrong with this is no trouble: the next order finds it.
    pub(crate) fn ribbon(&mut self) -> Vec<(&'static str, String)> {
        let Ok(inside) = self.printer.consumables() else {
            return Vec::new();
        };
        let left = inside.ribbon_left.map(|left| left.to_string());
        let said = [
            (JournalLine::RIBBON, inside.ribbon),
            (JournalLine::RIBBON_LEFT, left),
        ];
        let said = said.into_iter();
        said.filter_map(|(name, text)| Some((name, text?)))
            .collect()
    }

    /// Moves what is inside to the reject box.
    ///
    /// # Errors
    /// [`PrinterError`].
    pub(crate) fn reject(&mut self) -> Result<(), PrinterError> {
        self.station = None;
        let ejected = self.printer.eject(Bin::Reject);
        self.noted(ejected)?;
        self.is_loaded = false;
        Ok(())
    }

    fn noted(&mut self, done: Result<(), PrinterError>) -> Result<(), PrinterError> {
        if let Err(error) = &done {
            self.is_marked |= error.card() == CardFate::Marked;
            let said = format!("{}; {}", chain(error), error.remedy());
            let trouble = match error {
                PrinterError::Unreachable { .. } | PrinterError::Lost { .. } => Trouble::Lost(said),
                _ => Trouble::Person(said),
            };
            // The first one is the reason of those behind it.
            self.trouble.get_or_insert(trouble);
        }
        done
    }
}
