//! SELECT and READ BINARY (ICAO Doc 9303-10 §3.6).

use card::Status;
use card::tlv::{self, Tag};

use super::document::{AID, Document, Outcome, Request, Way};
use super::files::{CVCA, Directory, MASTER_FILE, Place};
use crate::objects::object;

/// Tag of data at an offset, in the odd READ BINARY.
const DISCRETIONARY: Tag = Tag::known::<0x53>();

impl Document {
    /// `A4 <00 | 02 | 04> <00 | 04 | 0C> <id or name>`.
    pub(super) fn select_file(&mut self, request: &Request<'_>) -> Outcome {
        if !matches!(request.p2, 0x00 | 0x04 | 0x0C) {
            return Err(Status::WRONG_P1_P2);
        }
        match (request.p1, request.data) {
            (0x04, name) if !name.is_empty() && AID.starts_with(name) => {
                self.enter(Directory::Application);
                Ok(about(request, &object::<0x84>(AID)))
            }
            (0x04, _) => Err(Status::FILE_NOT_FOUND),
            (0x00, id) if id.is_empty() || id == MASTER_FILE.to_be_bytes() => {
                self.enter(Directory::Master);
                Ok(about(request, &object::<0x83>(&MASTER_FILE.to_be_bytes())))
            }
            (0x00 | 0x02, &[high, low]) => {
                let id = u16::from_be_bytes([high, low]);
                let directory = self.directory;
                let place = Place { directory, id };
                self.choose(place, request.way)?;
                let (size, short) = self.about(place).ok_or(Status::UNKNOWN)?;
                let content = [
                    object::<0x80>(&size_bytes(size)),
                    object::<0x82>(&[0x01]),
                    object::<0x83>(&id.to_be_bytes()),
                    object::<0x88>(&[short << 3]),
                ];
                Ok(about(request, &content.concat()))
            }
            (0x00 | 0x02, _) => Err(Status::WRONG_LENGTH),
            _ => Err(Status::WRONG_P1_P2),
        }
    }

    fn enter(&mut self, directory: Directory) {
        self.directory = directory;
        self.selected = None;
    }

    fn about(&self, place: Place) -> Option<(usize, u8)> {
        if place == CVCA {
            return self.memory.trust.file().map(|file| (file.len(), 0x1C));
        }
        self.memory.files.about(place)
    }

    /// Makes a file the selected one. In plain only what everybody may read can be selected;
    /// in a session whatever is there.
    fn choose(&mut self, place: Place, way: Way) -> Result<Place, Status> {
        if self.about(place).is_none() {
            return Err(Status::FILE_NOT_FOUND);
        }
        if way == Way::Plain && !self.may_read(place, way) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        self.selected = Some(place);
        Ok(place)
    }

    fn choose_short(&mut self, short: u8, way: Way) -> Result<Place, Status> {
        let place = if (self.directory, short) == (Directory::Application, 0x1C) {
            Some(CVCA)
        } else {
            self.memory.files.short(self.directory, short)
        };
        self.choose(place.ok_or(Status::FILE_NOT_FOUND)?, way)
    }

    /// `B0`: offset in P1 P2, or P1 = 80 | short identifier and the offset in P2.
    pub(super) fn read_binary(&mut self, request: &Request<'_>) -> Outcome {
        if !request.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let (place, offset) = match request.p1 {
            0x80.. if request.p1 & 0x60 != 0 => return Err(Status::WRONG_P1_P2),
            0x80.. => {
                let place = self.choose_short(request.p1 & 0x1F, request.way)?;
                (place, usize::from(request.p2))
            }
            _ => (self.current()?, usize::from(request.p1p2())),
        };
        let asked = request.le.ok_or(Status::WRONG_LENGTH)?;
        self.read(place, offset, asked.min(request.room), request.way)
    }

    /// `B1 <0000 | short identifier | id>  54 L <offset>`: `53 L <bytes>`, for what lies past
    /// 32 KiB (ISO/IEC 7816-4 §11.3.3).
    pub(super) fn read_binary_odd(&mut self, request: &Request<'_>) -> Outcome {
        let objects = tlv::parse_all(request.data).map_err(|_| Status::WRONG_DATA)?;
        let [offset] = &objects[..] else {
            return Err(Status::WRONG_DATA);
        };
        let offset = read_offset(offset)?;
        let place = match request.p1p2() {
            0 => self.current()?,
            short @ 1..=0x1E => self.choose_short(short.to_be_bytes()[1], request.way)?,
            id => {
                let directory = self.directory;
                self.choose(Place { directory, id }, request.way)?
            }
        };
        let room = request.le.ok_or(Status::WRONG_LENGTH)?.min(request.room);
        // The whole answer counts, with tag and length.
        let field = match room {
            ..=0x81 => 2,
            0x82..=0x102 => 3,
            _ => 4,
        };
        let length = room.checked_sub(field).ok_or(Status::WRONG_LENGTH)?;
        let bytes = self.read(place, offset, length, request.way)?;
        Ok(tlv::encode(DISCRETIONARY, &bytes))
    }

    fn read(&self, place: Place, offset: usize, length: usize, way: Way) -> Outcome {
        if !self.may_read(place, way) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let own;
        let content = if place == CVCA {
            own = self.memory.trust.file().ok_or(Status::FILE_NOT_FOUND)?;
            &own[..]
        } else {
            let content = self.memory.files.content(place);
            content.ok_or(Status::FILE_NOT_FOUND)?
        };
        let rest = content.get(offset..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(Status::WRONG_PARAMETERS)?;
        Ok(rest.get(..length).unwrap_or(rest).to_vec())
    }

    /// Returns the selected file.
    pub(super) fn current(&self) -> Result<Place, Status> {
        self.selected.ok_or(Status::NO_CURRENT_FILE)
    }
}

/// Puts what is told of a file into the template that P2 asks for.
fn about(request: &Request<'_>, content: &[u8]) -> Vec<u8> {
    match request.p2 {
        0x00 => object::<0x6F>(content),
        0x04 => object::<0x62>(content),
        _ => Vec::new(),
    }
}

fn size_bytes(size: usize) -> Vec<u8> {
    let [.., high, middle, low] = size.to_be_bytes();
    match high {
        0 => vec![middle, low],
        _ => vec![high, middle, low],
    }
}

/// Reads the offset object `54` of the odd instructions, one to three bytes.
pub(super) fn read_offset(object: &tlv::Tlv<'_>) -> Result<usize, Status> {
    match (object.tag.value(), object.value) {
        (0x54, bytes @ ([_] | [_, _] | [_, _, _])) => Ok(bytes
            .iter()
            .fold(0, |offset, byte| offset << 8 | usize::from(*byte))),
        _ => Err(Status::WRONG_DATA),
    }
}
