//! What can go wrong, and where.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Where a station meets the world. Each is counted by itself, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seam {
    /// A command to a chip, over all chips of the blank.
    Command,
    /// A write of the journal.
    Write,
    /// A call to the centre.
    Call,
    /// A request that reaches the certification authority outside.
    Order,
    /// An act of the slot's printer: a card is fed, brought to a station, printed, moved out.
    Act,
}

impl Seam {
    /// Every seam, in their order.
    pub const ALL: [Self; 5] = [
        Self::Command,
        Self::Write,
        Self::Call,
        Self::Order,
        Self::Act,
    ];

    /// Returns what is counted there.
    #[must_use]
    pub const fn counts(self) -> &'static str {
        match self {
            Self::Command => "commands",
            Self::Write => "writes",
            Self::Call => "calls",
            Self::Order => "orders",
            Self::Act => "acts of the printer",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The card is gone before it sees the command.
    CardGoneBefore,
    /// The card carries the command out, and is gone before it answers.
    CardGoneAfter,
    /// The reader is unplugged, with the card in it.
    ReaderUnplugged,
    /// The card carries the command out, and what comes back is noise.
    Garbage,
    /// The card carries the command out, and the station's process is killed.
    KilledAtCommand,
    /// The process is killed before the write is durable.
    KilledBeforeWrite,
    /// The process is killed when the write is durable, before anything follows.
    KilledAfterWrite,
    /// The machine loses its power when the write is done, and what the disk had not taken for good.
    PowerLost,
    /// The disk is full from this write on, until the station is started again.
    DiskFull,
    /// The request does not reach the centre.
    RequestLost,
    /// The centre acts, and its answer does not come back.
    AnswerLost,
    /// The centre is away from this call on, until the station is started again.
    CentreAway,
    /// The centre acts, and the station's process is killed.
    KilledAtCall,
    /// The authority has itself asked twice more before it answers.
    AuthorityLate,
    /// The request reaches the authority twice, and the second answer is the one that comes back.
    AuthorityTwice,
    /// The authority acts, and says for ever that it is not that far.
    AuthorityNever,
    /// The authority acts, and its answer is lost.
    AuthorityMute,
    /// The authority is away from this request on, until the station is started again.
    AuthorityAway,
    /// The process is killed in the middle of its work, started again, and killed once more when it
    /// has written so often.
    KilledAgainAtWrite,
    /// The same; the second time at a call.
    KilledAgainAtCall,
    /// The card carries the command out, and the station is killed for good: its card is carried to
    /// another one. So it is with the next four.
    CarriedAtCommand,
    /// The station is killed for good before the write is durable.
    CarriedBeforeWrite,
    /// The station is killed for good when the write is durable, before anything follows.
    CarriedAfterWrite,
    /// The centre acts, and the station is killed for good.
    CarriedAtCall,
    /// The centre is away from this call on; the station works on as far as it can, and is dead then.
    CarriedInSilence,
    /// The card jams: nothing moves until a person was there.
    PrinterJams,
    /// The cover is opened: nothing moves until it is closed.
    PrinterOpened,
    /// The printer says that its hopper is empty.
    PrinterEmpty,
    /// The ribbon ends.
    RibbonEnds,
    /// The card does not arrive; where it is printed, half of a panel is on it.
    CardSlips,
    /// The power fails and comes back: the card inside comes out.
    PrinterPowerLost,
    /// It is done, and the printer says nothing.
    PrinterMute,
    /// It is done, and said when the next order comes.
    PrinterLate,
    /// It is done, and what the printer says is noise.
    PrinterNoise,
    /// It is done, and the cable is out and in again.
    PrinterUnplugged,
    /// By itself the printer moves the card out, and takes another one.
    PrinterSwaps,
    /// It is done, and the station's process is killed.
    KilledAtAct,
}

impl Fault {
    /// Every fault, in their order.
    pub const ALL: [Self; 37] = [
        Self::CardGoneBefore,
        Self::CardGoneAfter,
        Self::ReaderUnplugged,
        Self::Garbage,
        Self::KilledAtCommand,
        Self::KilledBeforeWrite,
        Self::KilledAfterWrite,
        Self::PowerLost,
        Self::DiskFull,
        Self::RequestLost,
        Self::AnswerLost,
        Self::CentreAway,
        Self::KilledAtCall,
        Self::AuthorityLate,
        Self::AuthorityTwice,
        Self::AuthorityNever,
        Self::AuthorityMute,
        Self::AuthorityAway,
        Self::KilledAgainAtWrite,
        Self::KilledAgainAtCall,
        Self::CarriedAtCommand,
        Self::CarriedBeforeWrite,
        Self::CarriedAfterWrite,
        Self::CarriedAtCall,
        Self::CarriedInSilence,
        Self::PrinterJams,
        Self::PrinterOpened,
        Self::PrinterEmpty,
        Self::RibbonEnds,
        Self::CardSlips,
        Self::PrinterPowerLost,
        Self::PrinterMute,
        Self::PrinterLate,
        Self::PrinterNoise,
        Self::PrinterUnplugged,
        Self::PrinterSwaps,
        Self::KilledAtAct,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CardGoneBefore => "card-gone-before",
            Self::CardGoneAfter => "card-gone-after",
            Self::ReaderUnplugged => "reader-unplugged",
            Self::Garbage => "garbage",
            Self::KilledAtCommand => "killed-at-command",
            Self::KilledBeforeWrite => "killed-before-write",
            Self::KilledAfterWrite => "killed-after-write",
            Self::PowerLost => "power-lost",
            Self::DiskFull => "disk-full",
            Self::RequestLost => "request-lost",
            Self::AnswerLost => "answer-lost",
            Self::CentreAway => "centre-away",
            Self::KilledAtCall => "killed-at-call",
            Self::AuthorityLate => "authority-late",
            Self::AuthorityTwice => "authority-twice",
            Self::AuthorityNever => "authority-never",
            Self::AuthorityMute => "authority-mute",
            Self::AuthorityAway => "authority-away",
            Self::KilledAgainAtWrite => "killed-again-at-write",
            Self::KilledAgainAtCall => "killed-again-at-call",
            Self::CarriedAtCommand => "carried-at-command",
            Self::CarriedBeforeWrite => "carried-before-write",
            Self::CarriedAfterWrite => "carried-after-write",
            Self::CarriedAtCall => "carried-at-call",
            Self::CarriedInSilence => "carried-in-silence",
            Self::PrinterJams => "printer-jams",
            Self::PrinterOpened => "printer-opened",
            Self::PrinterEmpty => "printer-empty",
            Self::RibbonEnds => "ribbon-ends",
            Self::CardSlips => "card-slips",
            Self::PrinterPowerLost => "printer-power-lost",
            Self::PrinterMute => "printer-mute",
            Self::PrinterLate => "printer-late",
            Self::PrinterNoise => "printer-noise",
            Self::PrinterUnplugged => "printer-unplugged",
            Self::PrinterSwaps => "printer-swaps",
            Self::KilledAtAct => "killed-at-act",
        }
    }

    /// Returns where it happens.
    #[must_use]
    pub const fn seam(self) -> Seam {
        match self {
            Self::CardGoneBefore
            | Self::CardGoneAfter
            | Self::ReaderUnplugged
            | Self::Garbage
            | Self::KilledAtCommand
            | Self::CarriedAtCommand => Seam::Command,
            Self::KilledBeforeWrite
            | Self::KilledAfterWrite
            | Self::PowerLost
            | Self::DiskFull
            | Self::KilledAgainAtWrite
            | Self::CarriedBeforeWrite
            | Self::CarriedAfterWrite => Seam::Write,
            Self::RequestLost
            | Self::AnswerLost
            | Self::CentreAway
            | Self::KilledAtCall
            | Self::KilledAgainAtCall
            | Self::CarriedAtCall
            | Self::CarriedInSilence => Seam::Call,
            Self::AuthorityLate
            | Self::AuthorityTwice
            | Self::AuthorityNever
            | Self::AuthorityMute
            | Self::AuthorityAway => Seam::Order,
            Self::PrinterJams
            | Self::PrinterOpened
            | Self::PrinterEmpty
            | Self::RibbonEnds
            | Self::CardSlips
            | Self::PrinterPowerLost
            | Self::PrinterMute
            | Self::PrinterLate
            | Self::PrinterNoise
            | Self::PrinterUnplugged
            | Self::PrinterSwaps
            | Self::KilledAtAct => Seam::Act,
        }
    }

    /// Returns what goes wrong in the second life of the station, where that is what is tried.
    #[must_use]
    pub const fn in_second_life(self) -> Option<Self> {
        match self {
            Self::KilledAgainAtWrite => Some(Self::KilledAfterWrite),
            Self::KilledAgainAtCall => Some(Self::KilledAtCall),
            _ => None,
        }
    }

    /// Returns what goes wrong at the first station, where the card is carried to another one.
    #[must_use]
    pub const fn at_first_station(self) -> Option<Self> {
        match self {
            Self::CarriedAtCommand => Some(Self::KilledAtCommand),
            Self::CarriedBeforeWrite => Some(Self::KilledBeforeWrite),
            Self::CarriedAfterWrite => Some(Self::KilledAfterWrite),
            Self::CarriedAtCall => Some(Self::KilledAtCall),
            Self::CarriedInSilence => Some(Self::CentreAway),
            _ => None,
        }
    }

    /// Tells whether it lasts until the station is started again.
    #[must_use]
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::DiskFull | Self::CentreAway | Self::AuthorityNever | Self::AuthorityAway
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no fault of this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no fault is called \"{name}\"; there are {}", Fault::ALL.map(Fault::name).join(", "))]
pub struct UnknownFault {
    name: String,
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|fault| fault.name() == name);
        found.ok_or_else(|| UnknownFault {
            name: name.to_owned(),
        })
    }
}

/// A fault at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// What goes wrong.
    pub fault: Fault,
    /// At which command, write, call, order or act, from 1.
    pub at: u64,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.fault, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        let unknown = "flood".parse::<Fault>().unwrap_err();
        assert!(
            unknown.to_string().contains("card-gone-before"),
            "{unknown}"
        );
    }
}
