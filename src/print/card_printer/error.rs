//! Why a printer did not do what it was ordered, and what its card is now.

use std::fmt;
use std::io;

use thiserror::Error;

use super::fault::MachineFault;
use super::{ChipStation, Side};
use crate::face::Panel;

/// What a printer was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It was being connected.
    Connect,
    /// It was asked something.
    Ask,
    /// It was being prepared.
    Prepare,
    /// A card was being fed.
    Feed,
    /// A card was being moved to a chip station.
    Position(ChipStation),
    /// A panel of a side was being printed.
    Print(Side),
    /// A card was being moved out as a good one.
    EjectGood,
    /// A card was being rejected.
    EjectReject,
    /// It was being cleaned.
    Clean,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connecting"),
            Self::Ask => f.write_str("asking it"),
            Self::Prepare => f.write_str("preparing it"),
            Self::Feed => f.write_str("feeding a card"),
            Self::Position(station) => {
                write!(f, "moving the card to its {} station", station.name())
            }
            Self::Print(side) => write!(f, "printing the {side}"),
            Self::EjectGood => f.write_str("moving the card out"),
            Self::EjectReject => f.write_str("rejecting the card"),
            Self::Clean => f.write_str("cleaning"),
        }
    }
}

/// What is known of the card of an order that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardFate {
    /// No card was moved.
    Unmoved,
    /// It is inside, and nothing is printed on it.
    Blank,
    /// Nobody knows whether there is one inside, but no face was sent for it.
    Unknown,
    /// Some or all of a face may be on it: it is never printed again, and must be rejected and
    /// accounted as spoiled.
    Marked,
}

impl fmt::Display for CardFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmoved => "no card was moved",
            Self::Blank => "a card is inside, with nothing printed on it: reject it",
            Self::Unknown => "a card may be inside, with nothing printed on it: reject it",
            Self::Marked => "a face may be on the card: reject it, and account for it as spoiled",
        })
    }
}

/// Why a printer did not do what it was ordered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrinterError {
    /// It cannot be reached. Nothing was sent.
    #[error("the printer {printer} cannot be reached; nothing was sent")]
    Unreachable {
        /// Where it was looked for.
        printer: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The line broke, or nothing came in time. The line is closed.
    #[error("the printer {printer} was lost while {act}; {card}")]
    Lost {
        /// Where it was.
        printer: String,
        /// What it was doing.
        act: Act,
        /// What its card is.
        card: CardFate,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It says what no such printer says. The line is closed.
    #[error("the printer {printer} answered nonsense while {act}; {card}")]
    Nonsense {
        /// Where it is.
        printer: String,
        /// What it was doing.
        act: Act,
        /// What its card is.
        card: CardFate,
        /// What is wrong with what it said.
        said: String,
    },
    /// The printer stopped.
    #[error("the printer {printer} stopped while {act}: {fault}; {card}")]
    Fault {
        /// Where it is.
        printer: String,
        /// What it was doing.
        act: Act,
        /// What it has.
        fault: MachineFault,
        /// What its card is.
        card: CardFate,
    },
    /// It does not know a command, or not with these parameters.
    #[error(
        "the printer {printer} refuses the command {command} while {act}; {card}; its profile names another dialect than it speaks"
    )]
    Refused {
        /// Where it is.
        printer: String,
        /// What it was doing.
        act: Act,
        /// The command, without data.
        command: String,
        /// What its card is.
        card: CardFate,
    },
    /// The order makes no sense now. Nothing was sent.
    #[error("{because}; nothing was sent")]
    Order {
        /// Why not.
        because: &'static str,
    },
    /// The printer cannot print this face. Nothing was sent.
    #[error("the {side} cannot be printed: {because}; nothing was sent")]
    Unprintable {
        /// The side.
        side: Side,
        /// What is wrong with it.
        because: FaceMismatch,
    },
    /// At this place stands another printer than the one that was there, or that is expected.
    #[error(
        "at {printer} stands the printer with serial number {found:?}, and {expected:?} is expected; nothing was moved"
    )]
    AnotherPrinter {
        /// The place.
        printer: String,
        /// The serial number that is expected.
        expected: String,
        /// The one that was found.
        found: String,
    },
    /// Another ribbon is in it than its profile says. Nothing was moved.
    #[error(
        "the printer {printer} has the ribbon {found:?}, and its profile says {expected:?}; nothing was moved"
    )]
    WrongRibbon {
        /// Where it is.
        printer: String,
        /// The ribbon of the profile.
        expected: String,
        /// The ribbon in the printer.
        found: String,
    },
    /// The printer counted other cards than were ordered: it started anew, or fed one by itself.
    #[error(
        "the printer {printer} has counted {found} cards for one, while {act}; {card}; what came out last is not the card that was encoded"
    )]
    Miscounted {
        /// Where it is.
        printer: String,
        /// What it was doing.
        act: Act,
        /// How many cards it counted since the card was fed.
        found: i64,
        /// What its card is.
        card: CardFate,
    },
}

/// Why a printer cannot print a face.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FaceMismatch {
    /// The printer prints one side.
    #[error("the printer prints one side only")]
    OneSide,
    /// It has no such panel.
    #[error("it has a panel \"{}\", which this printer or its ribbon does not print", panel.name())]
    Panel {
        /// The panel.
        panel: Panel,
    },
    /// It is rendered at another resolution.
    #[error("it is rendered at {found} dots an inch, and the printer has {expected}")]
    Resolution {
        /// Of the face.
        found: u16,
        /// Of the printer.
        expected: u16,
    },
    /// It is larger than what the printer reaches.
    #[error("it is {} x {} dots, and the printer has {} x {}", found.0, found.1, most.0, most.1)]
    Size {
        /// Dots of the face.
        found: (u32, u32),
        /// Dots of the printer.
        most: (u32, u32),
    },
}

impl PrinterError {
    /// Returns what is known of the card.
    #[must_use]
    pub const fn card(&self) -> CardFate {
        match self {
            Self::Lost { card, .. }
            | Self::Nonsense { card, .. }
            | Self::Fault { card, .. }
            | Self::Refused { card, .. }
            | Self::Miscounted { card, .. } => *card,
            Self::Unreachable { .. }
            | Self::Order { .. }
            | Self::Unprintable { .. }
            | Self::AnotherPrinter { .. }
            | Self::WrongRibbon { .. } => CardFate::Unmoved,
        }
    }

    /// Returns what a person does about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "switch it on, and look at its cable and address",
            Self::Lost { .. } => "look whether it is on; connect again, and reject what is inside",
            Self::Nonsense { .. } => "look whether it is a printer of this protocol",
            Self::Fault { fault, .. } => fault.remedy(),
            Self::Refused { .. } => "correct the printer's profile",
            Self::Order { .. } => "reject what is inside, and begin with a card",
            Self::Unprintable { .. } => "use another layout, printer profile or ribbon",
            Self::AnotherPrinter { .. } => {
                "connect the right printer, or correct its serial number"
            }
            Self::WrongRibbon { .. } => "put the right ribbon in, or correct the profile",
            Self::Miscounted { .. } => "take out what came last; its chip is not the one encoded",
        }
    }
}
