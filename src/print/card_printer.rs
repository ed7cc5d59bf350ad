//! A printer of cards, whatever it is connected by.
//!
//! ```text
//!            feed          position        print          eject
//!   hopper ───────► inside ────────► chip ────────► faces ───────► good
//!                     │             station                   └──► reject
//!                     └──── any fault: doubt ── eject(Reject) ───► reject
//! ```
//!
//! One feed encodes and prints: the card that was fed is the one that gets the faces, or none does.
//! What a card is after a fault, its error says ([`PrinterError::card`]); until that card is
//! rejected, the printer takes no other order.

mod error;
mod fault;
mod roster;
mod state;

use std::fmt;

use crate::face::{Face, Layout, Panel};

pub use error::{Act, CardFate, FaceMismatch, PrinterError};
pub use fault::MachineFault;
pub use roster::{Roster, RosterError};
pub use state::{Condition, Consumables, Identity, PrinterStatus};

/// A printer of cards. One thread orders it, one card is inside at most.
///
/// A laser engraver is one too: its capabilities have [`Panel::Laser`], and it takes the grey
/// raster of that panel.
pub trait Printer: Send {
    /// Returns what it can do. It is known from the printer's profile; nothing is asked.
    fn capabilities(&self) -> &Capabilities;

    /// Returns where it is connected, as people write it.
    fn name(&self) -> &str;

    /// Asks which printer it is: model, serial number, firmware. No card moves.
    ///
    /// # Errors
    /// [`PrinterError`].
    fn identity(&mut self) -> Result<Identity, PrinterError>;

    /// Asks how it is. No card moves.
    ///
    /// # Errors
    /// [`PrinterError`].
    fn status(&mut self) -> Result<PrinterStatus, PrinterError>;

    /// Asks what ribbon is in it and what it has counted. No card moves.
    ///
    /// # Errors
    /// [`PrinterError`].
    fn consumables(&mut self) -> Result<Consumables, PrinterError>;

    /// Takes a card from the hopper.
    ///
    /// # Errors
    /// [`PrinterError`]; [`PrinterError::Order`] while a card is inside, or may be.
    fn feed(&mut self) -> Result<(), PrinterError>;

    /// Moves the card inside to a station where its chip is reached.
    ///
    /// # Errors
    /// [`PrinterError`]; [`PrinterError::Order`] where no card is inside, it is printed on already,
    /// or the printer has no such station.
    fn position(&mut self, station: ChipStation) -> Result<(), PrinterError>;

    /// Prints on the card inside, once. The faces are judged before anything is sent.
    ///
    /// # Errors
    /// [`PrinterError`]; [`PrinterError::Unprintable`] and [`PrinterError::Order`] changed nothing.
    fn print(&mut self, faces: Faces<'_>) -> Result<(), PrinterError>;

    /// Moves the card inside out. To the reject box it goes also where nobody knows whether there
    /// is one: that is how a printer is cleared when work begins, and after a fault.
    ///
    /// # Errors
    /// [`PrinterError`].
    fn eject(&mut self, bin: Bin) -> Result<(), PrinterError>;

    /// Runs the printer's own cleaning, with a cleaning card where it asks for one.
    ///
    /// # Errors
    /// [`PrinterError`]; [`PrinterError::Order`] while a card is inside.
    fn clean(&mut self) -> Result<(), PrinterError>;

    /// Connects again after the line was lost. It must be the same printer; what card is inside
    /// nobody knows, until [`Printer::eject`] has rejected it.
    ///
    /// # Errors
    /// [`PrinterError`]; [`PrinterError::AnotherPrinter`].
    fn reconnect(&mut self) -> Result<(), PrinterError>;
}

/// Where a printer stands, and what it can do, before anybody connected to it.
pub trait PrinterPlace: fmt::Debug + Send + Sync {
    /// Returns what the printer there can do, by its profile.
    fn capabilities(&self) -> &Capabilities;

    /// Connects to it. No card moves; what is inside is nobody's.
    ///
    /// # Errors
    /// [`PrinterError`].
    fn connect(&self) -> Result<Box<dyn Printer>, PrinterError>;
}

/// What a printer can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Dots of a face across and down, as people hold the card: its long edge is across.
    pub dots: (u32, u32),
    /// Dots an inch.
    pub resolution: u16,
    /// The panels of the front, in the order in which they are printed.
    pub front: Vec<Panel>,
    /// The panels of the back; none where it prints one side.
    pub back: Vec<Panel>,
    /// The stations at which a chip is reached.
    pub stations: Vec<ChipStation>,
    /// Whether a chip can be reached after printing. Else a chip is written first.
    pub encodes_after_print: bool,
    /// Whether it has a box for rejected cards. Where it has none, a rejected card comes out as a
    /// good one does, and a person takes it.
    pub rejects: bool,
}

impl Capabilities {
    /// Demands that it prints a face of these panels and sizes, in dots as people hold the card, on a
    /// side.
    ///
    /// # Errors
    /// [`FaceMismatch`].
    pub fn check(
        &self,
        side: Side,
        dots: u16,
        panels: impl IntoIterator<Item = (Panel, (u32, u32))>,
    ) -> Result<(), FaceMismatch> {
        let own = match side {
            Side::Front => &self.front,
            Side::Back => &self.back,
        };
        if own.is_empty() {
            return Err(FaceMismatch::OneSide);
        }
        if dots != self.resolution {
            return Err(FaceMismatch::Resolution {
                found: dots,
                expected: self.resolution,
            });
        }
        for (panel, found) in panels {
            if !own.contains(&panel) {
                return Err(FaceMismatch::Panel { panel });
            }
            let most = self.dots;
            if found.0 > most.0 || found.1 > most.1 {
                return Err(FaceMismatch::Size { found, most });
            }
        }
        Ok(())
    }

    /// Demands that it prints the faces of a layout on a side, whatever stands in its fields.
    ///
    /// # Errors
    /// [`FaceMismatch`].
    pub fn check_layout(&self, side: Side, layout: &Layout) -> Result<(), FaceMismatch> {
        let size = layout.size(self.resolution);
        let panels = layout.panels().into_iter();
        let printed = panels.filter(|panel| *panel != Panel::Preprint);
        self.check(side, self.resolution, printed.map(|panel| (panel, size)))
    }
}

/// A station at which a chip is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChipStation {
    /// Contacts touch the chip.
    Contact,
    /// The card lies at an antenna.
    Contactless,
}

impl ChipStation {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Contactless => "contactless",
        }
    }
}

/// Where a card goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bin {
    /// The output.
    Good,
    /// The reject box.
    Reject,
}

/// A side of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The side with the portrait.
    Front,
    /// The other one.
    Back,
}

impl Side {
    /// Returns the side on which a document profile's face of this name is.
    #[must_use]
    pub fn named(face: &str) -> Option<Self> {
        match face {
            "front" => Some(Self::Front),
            "back" => Some(Self::Back),
            _ => None,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Front => "front",
            Self::Back => "back",
        })
    }
}

/// The faces of one card.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faces<'a> {
    /// The front, where it is printed.
    pub front: Option<&'a Face>,
    /// The back, where it is printed.
    pub back: Option<&'a Face>,
}

impl<'a> Faces<'a> {
    /// Returns the faces that are there, with their sides.
    pub fn sides(self) -> impl Iterator<Item = (Side, &'a Face)> {
        [(Side::Front, self.front), (Side::Back, self.back)]
            .into_iter()
            .filter_map(|(side, face)| Some((side, face?)))
    }
}
