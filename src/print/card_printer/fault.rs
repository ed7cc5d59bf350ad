//! What a printer can have.

use std::fmt;

/// What a printer says is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MachineFault {
    /// A card did not arrive where it was to go: it jams, or the mechanics are broken.
    Mechanical,
    /// The cover is open.
    CoverOpen,
    /// The hopper has no card.
    HopperEmpty,
    /// The feeder did not give one card.
    Feeder,
    /// The ribbon is at its end.
    RibbonOut,
    /// The ribbon is torn, missing or unknown.
    Ribbon,
    /// The magnetic stripe was not written or read.
    Magnetic,
    /// It wants to be cleaned first.
    CleaningDue,
    /// It is none of these; the printer's own words.
    Other(String),
}

impl fmt::Display for MachineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mechanical => "a card jams, or the mechanics are broken",
            Self::CoverOpen => "its cover is open",
            Self::HopperEmpty => "its hopper is empty",
            Self::Feeder => "its feeder did not give one card",
            Self::RibbonOut => "its ribbon is at the end",
            Self::Ribbon => "its ribbon is torn, missing or unknown",
            Self::Magnetic => "the magnetic stripe failed",
            Self::CleaningDue => "it must be cleaned first",
            Self::Other(said) => return write!(f, "it says {said:?}"),
        })
    }
}

impl MachineFault {
    /// Returns what a person does about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Mechanical => "open the printer, take the card out and account for it",
            Self::CoverOpen => "close the cover",
            Self::HopperEmpty => "fill the hopper",
            Self::Feeder => "look at the cards in the hopper and at its gauge",
            Self::RibbonOut => {
                "change the ribbon; the used one shows faces: destroy it with protocol"
            }
            Self::Ribbon => {
                "look at the ribbon, and whether it is the one of the printer's profile"
            }
            Self::Magnetic => "look at the card's stripe",
            Self::CleaningDue => "clean it, with a cleaning card",
            Self::Other(_) => "look at the printer's panel",
        }
    }
}
