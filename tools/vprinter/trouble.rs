//! What goes wrong with a job.

use std::str::FromStr;

use thiserror::Error;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is offline.
    Offline,
    /// It has no toner.
    NoToner,
    /// It has little toner.
    LowToner,
    /// The page jams when all data have come.
    Jam,
    /// The connection breaks in the middle of the data.
    Torn,
    /// The paper comes, and nothing is said of it.
    Mute,
    /// Somebody cancels the job.
    Cancelled,
    /// The page comes twice.
    Twice,
    /// Nothing is answered.
    Deaf,
    /// It is a web server.
    Stranger,
}

/// Every trouble with its name.
const NAMES: [(&str, Trouble); 10] = [
    ("offline", Trouble::Offline),
    ("no-toner", Trouble::NoToner),
    ("low-toner", Trouble::LowToner),
    ("jam", Trouble::Jam),
    ("torn", Trouble::Torn),
    ("mute", Trouble::Mute),
    ("cancelled", Trouble::Cancelled),
    ("twice", Trouble::Twice),
    ("deaf", Trouble::Deaf),
    ("stranger", Trouble::Stranger),
];

/// A name of no trouble.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no trouble has this name; there are: {}", NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownTrouble;

impl FromStr for Trouble {
    type Err = UnknownTrouble;

    fn from_str(name: &str) -> Result<Self, UnknownTrouble> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, trouble)| *trouble).ok_or(UnknownTrouble)
    }
}

impl Trouble {
    /// Returns what the panel shows before a job: code, text, whether it is online.
    pub(crate) fn panel(this: Option<Self>) -> (u32, &'static str, bool) {
        match this {
            Some(Self::Offline) => (10_002, "OFFLINE", false),
            Some(Self::NoToner) => (40_010, "INSTALL TONER CARTRIDGE", false),
            Some(Self::LowToner) => (10_006, "TONER LOW", true),
            _ => (10_001, "READY", true),
        }
    }
}
