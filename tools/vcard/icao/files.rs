//! The elementary files: where they are, who may read them, what they hold (ICAO Doc 9303-10
//! §3.4 to §3.11).

use card::Status;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes that a file costs beside its content.
const OVERHEAD: usize = 32;

/// File identifier of the master file.
pub(super) const MASTER_FILE: u16 = 0x3F00;
/// EF.CVCA, which the chip keeps itself.
pub(super) const CVCA: Place = Place {
    directory: Directory::Application,
    id: 0x011C,
};
/// EF.CardAccess.
pub(super) const CARD_ACCESS: Place = Place::in_master_file(0x011C);
/// EF.CardSecurity.
pub(super) const CARD_SECURITY: Place = Place::in_master_file(0x011D);
/// DG3, fingerprints, and DG4, irises.
const FINGERPRINTS: u16 = 0x0103;
const IRISES: u16 = 0x0104;
/// What EF.CardAccess and EF.CardSecurity, EF.ATR/INFO and EF.DIR are called.
const OF_MASTER_FILE: [u16; 4] = [0x011C, 0x011D, 0x2F00, 0x2F01];

/// A directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Directory {
    /// The master file.
    Master,
    /// The LDS1 eMRTD application.
    Application,
}

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) directory: Directory,
    pub(super) id: u16,
}

impl Place {
    const fn in_master_file(id: u16) -> Self {
        let directory = Directory::Master;
        Self { directory, id }
    }

    /// Returns the place of a file of the application.
    pub(super) const fn in_application(id: u16) -> Self {
        let directory = Directory::Application;
        Self { directory, id }
    }

    /// Says whether the chip has a place for such a file.
    fn is_known(self) -> bool {
        match self.directory {
            Directory::Master => OF_MASTER_FILE.contains(&self.id),
            // DG1 to DG16, EF.SOD, EF.COM. EF.CVCA is the chip's own.
            Directory::Application => matches!(self.id, 0x0101..=0x0110 | 0x011D | 0x011E),
        }
    }
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rule {
    /// Everybody.
    Always,
    /// Who opened a session, by BAC or PACE.
    Session,
    /// Who opened a session by PACE.
    Pace,
    /// Who is entitled to it besides, by terminal authentication: the bits of the right.
    Entitled(u8),
}

impl Rule {
    /// Reads a security condition byte of the access rule (ISO/IEC 7816-4 §7.4.2).
    fn from_condition(byte: u8) -> Option<Self> {
        match byte {
            0x00 => Some(Self::Always),
            0x41 => Some(Self::Session),
            0x42 => Some(Self::Pace),
            // All of: secure messaging, external authentication; the right's number.
            0xE1 => Some(Self::Entitled(0x01)),
            0xE2 => Some(Self::Entitled(0x02)),
            _ => None,
        }
    }

    /// Reads an access rule in compact form: reading, and its condition.
    pub(super) fn parse(rule: &[u8]) -> Option<Self> {
        match *rule {
            [0x01, condition] => Self::from_condition(condition),
            _ => None,
        }
    }

    /// Says whether the standards leave a file at this place this rule (Doc 9303-10 §3.11.3,
    /// Doc 9303-11 §4.2, §4.4.3.5).
    fn suits(self, place: Place) -> bool {
        match (place.directory, place.id) {
            (Directory::Application, FINGERPRINTS) => self == Self::Entitled(0x01),
            (Directory::Application, IRISES) => self == Self::Entitled(0x02),
            (Directory::Application, _) => matches!(self, Self::Session | Self::Pace),
            (Directory::Master, 0x011D) => self == Self::Pace,
            (Directory::Master, _) => self == Self::Always,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    place: Place,
    short: u8,
    rule: Rule,
    // Holder's data: wiped like a secret.
    content: Secret,
}

/// What CREATE FILE wants.
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) short: u8,
    pub(super) size: usize,
    pub(super) rule: Rule,
}

/// All files of a chip.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Files(Vec<File>);

impl Files {
    fn find(&self, place: Place) -> Option<&File> {
        self.0.iter().find(|file| file.place == place)
    }

    /// Says whether there is such a file.
    pub(super) fn has(&self, place: Place) -> bool {
        self.find(place).is_some()
    }

    /// Returns who may read a file.
    pub(super) fn rule(&self, place: Place) -> Option<Rule> {
        self.find(place).map(|file| file.rule)
    }

    /// Returns size and short identifier of a file.
    pub(super) fn about(&self, place: Place) -> Option<(usize, u8)> {
        let file = self.find(place)?;
        Some((file.content.bytes().len(), file.short))
    }

    /// Returns what a file holds.
    pub(super) fn content(&self, place: Place) -> Option<&[u8]> {
        self.find(place).map(|file| file.content.bytes())
    }

    /// Finds a file by its short identifier.
    pub(super) fn short(&self, directory: Directory, short: u8) -> Option<Place> {
        let here = |file: &&File| file.place.directory == directory && file.short == short;
        self.0.iter().find(here).map(|file| file.place)
    }

    /// Returns the places of all files.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().map(|file| file.place)
    }

    /// Creates a file full of 00.
    pub(super) fn create(&mut self, wanted: &Wanted, room: usize) -> Result<(), Status> {
        if !wanted.place.is_known() || !wanted.rule.suits(wanted.place) || wanted.size == 0 {
            return Err(Status::WRONG_DATA);
        }
        // 1C in the application is EF.CVCA's.
        let taken = wanted.place.directory == Directory::Application && wanted.short == 0x1C
            || self.short(wanted.place.directory, wanted.short).is_some();
        if self.has(wanted.place) || taken || !matches!(wanted.short, 0x01..=0x1E) {
            return Err(Status::FILE_EXISTS);
        }
        let costs = |file: &File| file.content.bytes().len() + OVERHEAD;
        let used: usize = self.0.iter().map(costs).sum();
        if used + wanted.size + OVERHEAD > room {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        self.0.push(File {
            place: wanted.place,
            short: wanted.short,
            rule: wanted.rule,
            content: Secret::new(vec![0; wanted.size]),
        });
        Ok(())
    }

    /// Writes into a file, whole or not at all.
    pub(super) fn write(&mut self, place: Place, offset: usize, data: &[u8]) -> Result<(), Status> {
        let file = self.0.iter_mut().find(|file| file.place == place);
        let file = file.ok_or(Status::FILE_NOT_FOUND)?;
        let mut content = Zeroizing::new(file.content.bytes().to_vec());
        if offset > content.len() {
            return Err(Status::WRONG_PARAMETERS);
        }
        let part = content.get_mut(offset..offset + data.len());
        part.ok_or(Status::NOT_ENOUGH_MEMORY)?.copy_from_slice(data);
        file.content = Secret::new(std::mem::take(&mut *content));
        Ok(())
    }
}
