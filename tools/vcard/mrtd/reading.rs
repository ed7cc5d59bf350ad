//! Reading the chip, as inspection systems do (ICAO Doc 9303-10 §3.6).

use card::Status;
use card::tlv;

use super::active_authentication::CHALLENGE;
use super::files::Id;
use super::passport::{Passport, Request};
use super::personalization::read_offset;
use crate::applet::{KeyWork, Work};

/// The longest plain answer: the applet's buffer of 260 bytes, less what it keeps for secure
/// messaging.
const LONGEST: usize = 223;

/// Tag of data at an offset, in the odd READ BINARY.
const DISCRETIONARY: tlv::Tag = tlv::Tag::known::<0x53>();

impl Passport {
    /// `00 A4 <00 | 02> <00 | 0C> 02 <id>`: never with an answer.
    pub(super) fn select_file(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Status> {
        if self.memory.locked && !(self.session.is_some() && request.protected) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        // 04 is here where no applet of the card has that name.
        if !matches!((request.p1, request.p2), (0x00 | 0x02 | 0x04, 0x00 | 0x0C)) {
            return Err(Status::WRONG_P1_P2);
        }
        let &[high, low] = request.data else {
            return Err(Status::WRONG_LENGTH);
        };
        // A name of two bytes is no file's identifier.
        let id = (request.p1 != 0x04).then(|| Id::new(u16::from_be_bytes([high, low])));
        self.choose(id.flatten()).map(|_| Vec::new())
    }

    /// Makes a file the selected one. Where there is none, none is selected any more.
    fn choose(&mut self, id: Option<Id>) -> Result<Id, Status> {
        if id.is_some_and(Id::is_guarded) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        self.selected = id.filter(|id| self.memory.files.has(*id));
        self.selected.ok_or(Status::FILE_NOT_FOUND)
    }

    /// `B0`: offset in P1 P2, or P1 = 80 | short identifier and the offset in P2.
    pub(super) fn read_binary(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Status> {
        self.wants_session(request)?;
        let (id, offset) = match request.p1 {
            0x80.. => {
                let id = match request.p1 & 0x60 {
                    0 => Id::short(request.p1 & 0x1F),
                    _ => return Err(Status::WRONG_P1_P2),
                };
                (self.choose(id)?, usize::from(request.p2))
            }
            _ => (self.current()?, usize::from(request.p1p2())),
        };
        let length = request.le.min(LONGEST);
        let bytes = self.memory.files.read(id, offset, length)?;
        Ok(bytes.to_vec())
    }

    /// `B1 <0000 | short identifier | id>  54 L <offset>`: `53 L <bytes>`, for what lies past
    /// 32 KiB (ISO/IEC 7816-4 §11.3.3).
    pub(super) fn read_binary_odd(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Status> {
        self.wants_session(request)?;
        let objects = tlv::parse_all(request.data).map_err(|_| Status::WRONG_DATA)?;
        let [offset] = &objects[..] else {
            return Err(Status::WRONG_DATA);
        };
        let offset = read_offset(offset)?;
        let id = match request.p1p2() {
            0 => self.current()?,
            short @ 1..=0x1F => self.choose(Id::short(short.to_be_bytes()[1]))?,
            id => self.choose(Id::new(id))?,
        };
        let room = request.le.min(LONGEST);
        if room == 0 {
            return Ok(Vec::new());
        }
        let field = if room < 0x80 + 2 { 2 } else { 3 };
        // A length of 7F would fit behind either field; then the shorter one is written.
        let length = room.checked_sub(field).ok_or(Status::WRONG_LENGTH)?;
        let bytes = self.memory.files.read(id, offset, length)?;
        Ok(tlv::encode(DISCRETIONARY, bytes))
    }

    /// `88 00 00 08 <challenge>`.
    pub(super) fn internal_authenticate(
        &mut self,
        request: &Request<'_>,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        self.wants_session(request)?;
        let key = &self.memory.active;
        if !key.is_whole() {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let challenge: &[u8; CHALLENGE] =
            request.data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
        let signature = key.sign(challenge)?;
        work.signed = Some(KeyWork::Rsa(key.bits()));
        Ok(signature)
    }

    fn wants_session(&self, request: &Request<'_>) -> Result<(), Status> {
        if self.session.is_none() || !request.protected {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        Ok(())
    }

    fn current(&self) -> Result<Id, Status> {
        self.selected.ok_or(Status::CONDITIONS_NOT_SATISFIED)
    }
}
