//! The elementary files of the logical data structure (ICAO Doc 9303-10 §4).

use card::Status;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What all files together may hold, bytes.
const CAPACITY: usize = 0x2_0000;

/// The longest that one short elementary file identifier can name.
const LAST_SHORT: u8 = 0x1E;

/// An identifier that this applet has a place for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(super) struct Id(u16);

impl Id {
    /// Finds the place of a file: `None` where the applet has none.
    pub(super) fn new(id: u16) -> Option<Self> {
        // DG1 to DG15, EF.CVCA, EF.SOD, EF.COM. The applet's table has no DG16.
        matches!(id, 0x0101..=0x010F | 0x011C..=0x011E).then_some(Self(id))
    }

    /// Finds the place of a file by its short identifier.
    pub(super) fn short(short: u8) -> Option<Self> {
        match short {
            1..=LAST_SHORT => Self::new(0x0100 | u16::from(short)),
            _ => None,
        }
    }

    /// Says whether terminal authentication guards the file (DG3, DG4), which this chip
    /// does not have.
    pub(super) fn is_guarded(self) -> bool {
        matches!(self.0, 0x0103 | 0x0104)
    }
}

impl TryFrom<u16> for Id {
    type Error = &'static str;

    fn try_from(id: u16) -> Result<Self, Self::Error> {
        Self::new(id).ok_or("no file of this applet")
    }
}

impl From<Id> for u16 {
    fn from(id: Id) -> Self {
        id.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Id,
    /// What may be read and written now; the first creation set the room for it.
    size: usize,
    // Holder's data: wiped like a secret.
    room: Secret,
}

/// All files of a chip.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Files(Vec<File>);

impl Files {
    /// Says whether the file was created.
    pub(super) fn has(&self, id: Id) -> bool {
        self.find(id).is_some()
    }

    /// Creates a file full of 00; a second time, sets its size within its first room and
    /// leaves what it holds.
    pub(super) fn create(&mut self, id: Id, size: usize) -> Result<(), Status> {
        if let Some(file) = self.0.iter_mut().find(|file| file.id == id) {
            if size > file.room.bytes().len() {
                return Err(Status::NOT_ENOUGH_MEMORY);
            }
            file.size = size;
            return Ok(());
        }
        let used: usize = self.0.iter().map(|file| file.room.bytes().len()).sum();
        if used + size > CAPACITY {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        let room = Secret::new(vec![0; size]);
        self.0.push(File { id, size, room });
        Ok(())
    }

    /// Writes into a file, whole or not at all.
    pub(super) fn write(&mut self, id: Id, offset: usize, data: &[u8]) -> Result<(), Status> {
        let file = self.0.iter_mut().find(|file| file.id == id);
        let file = file.ok_or(Status::FILE_NOT_FOUND)?;
        let end = offset + data.len();
        if end > file.size {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        let mut room = Zeroizing::new(file.room.bytes().to_vec());
        let part = room.get_mut(offset..end);
        part.ok_or(Status::NOT_ENOUGH_MEMORY)?.copy_from_slice(data);
        file.room = Secret::new(std::mem::take(&mut *room));
        Ok(())
    }

    /// Reads up to `length` bytes: what there is from the offset on, nothing at the end.
    pub(super) fn read(&self, id: Id, offset: usize, length: usize) -> Result<&[u8], Status> {
        let file = self.find(id).ok_or(Status::FILE_NOT_FOUND)?;
        let bytes = file.room.bytes().get(..file.size).unwrap_or_default();
        let rest = bytes.get(offset..).ok_or(Status::WRONG_PARAMETERS)?;
        Ok(rest.get(..length).unwrap_or(rest))
    }

    fn find(&self, id: Id) -> Option<&File> {
        self.0.iter().find(|file| file.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u16) -> Id {
        Id::new(id).unwrap()
    }

    #[test]
    fn the_first_creation_sets_the_room() {
        let mut files = Files::default();
        files.create(id(0x0101), 4).unwrap();
        files.write(id(0x0101), 0, &[1, 2, 3, 4]).unwrap();
        files.create(id(0x0101), 2).unwrap();
        assert_eq!(files.read(id(0x0101), 0, 9), Ok(&[1, 2][..]));
        assert_eq!(
            files.write(id(0x0101), 1, &[9, 9]),
            Err(Status::NOT_ENOUGH_MEMORY)
        );
        files.create(id(0x0101), 4).unwrap();
        assert_eq!(files.read(id(0x0101), 0, 9), Ok(&[1, 2, 3, 4][..]));
        let larger = files.create(id(0x0101), 5);
        assert_eq!(larger, Err(Status::NOT_ENOUGH_MEMORY));
        assert_eq!(files.read(id(0x0101), 4, 1), Ok(&[][..]));
        assert_eq!(files.read(id(0x0101), 5, 1), Err(Status::WRONG_PARAMETERS));
    }

    #[test]
    fn the_chip_is_full_at_its_capacity() {
        let mut files = Files::default();
        files.create(id(0x0101), 0xFFFF).unwrap();
        files.create(id(0x0102), 0xFFFF).unwrap();
        files.create(id(0x0105), 2).unwrap();
        let full = files.create(id(0x0106), 1);
        assert_eq!(full, Err(Status::NOT_ENOUGH_MEMORY));
    }

    #[test]
    fn short_identifiers_name_the_same_places() {
        assert!(Id::short(0x1E) == Id::new(0x011E));
        assert!(Id::short(0x01) == Id::new(0x0101));
        for none in [0x00, 0x10, 0x1B, 0x1F] {
            assert!(Id::short(none).is_none(), "{none:02X}");
        }
    }
}
