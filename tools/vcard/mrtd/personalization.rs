//! Writing the chip, before it is locked: in plain, and with no authentication.

use card::Status;
use card::tlv;

use super::files::Id;
use super::passport::{Passport, Request};
use crate::applet::Work;
use crate::inspection::basic_access;

impl Passport {
    /// Refuses what writes once the chip is locked, and through a session at any time.
    fn is_open(&self, request: &Request<'_>) -> Result<(), Status> {
        if self.memory.locked || request.protected {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        Ok(())
    }

    /// `00 DA 00 <60 | 61 | 62>` and the lock `00 DA DE AD`.
    pub(super) fn put_data(
        &mut self,
        request: &Request<'_>,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        self.is_open(request)?;
        let memory = &mut self.memory;
        work.written = match request.p1p2() {
            0xDEAD => {
                memory.locked = true;
                1
            }
            0x0060 => memory.active.set_modulus(request.data)?,
            0x0061 => memory.active.set_exponent(request.data)?,
            0x0062 => {
                let (information, _) = basic_access::mrz_information(request.data)?;
                memory.access = Some(basic_access::document_keys(&information));
                32
            }
            // The keys of chip authentication (over a binary field of 163 bits, which no
            // inspection system takes any more) and of terminal authentication.
            0x0063 | 0x0064 | 0x0164 => return Err(Status::FUNCTION_NOT_SUPPORTED),
            _ => return Err(Status::WRONG_P1_P2),
        };
        Ok(Vec::new())
    }

    /// `00 E0 00 00  63 04 <size> <id>`.
    pub(super) fn create_file(
        &mut self,
        request: &Request<'_>,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        self.is_open(request)?;
        if request.p1p2() != 0 {
            return Err(Status::WRONG_P1_P2);
        }
        let [tag, 0x04, size @ .., id_high, id_low] = request.data else {
            return Err(Status::WRONG_LENGTH);
        };
        let &[high, low] = size else {
            return Err(Status::WRONG_LENGTH);
        };
        if *tag != 0x63 {
            return Err(Status::REFERENCE_DATA_NOT_USABLE);
        }
        let id = Id::new(u16::from_be_bytes([*id_high, *id_low])).ok_or(Status::UNKNOWN)?;
        if id.is_guarded() {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let size = usize::from(u16::from_be_bytes([high, low]));
        self.memory.files.create(id, size)?;
        work.written = size;
        Ok(Vec::new())
    }

    /// `00 D6 <offset> <data>`, into the selected file.
    pub(super) fn update_binary(
        &mut self,
        request: &Request<'_>,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        let id = self.writable(request)?;
        if request.p1 & 0x80 != 0 {
            return Err(Status::WRONG_PARAMETERS);
        }
        self.write(id, usize::from(request.p1p2()), request.data, work)
    }

    /// `00 D7 00 00  54 L <offset> 53 L <data>`, into the selected file.
    pub(super) fn update_binary_odd(
        &mut self,
        request: &Request<'_>,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        let id = self.writable(request)?;
        if request.p1p2() != 0 {
            return Err(Status::WRONG_P1_P2);
        }
        let objects = tlv::parse_all(request.data).map_err(|_| Status::WRONG_DATA)?;
        let [offset, data] = &objects[..] else {
            return Err(Status::WRONG_DATA);
        };
        if data.tag.value() != 0x53 {
            return Err(Status::WRONG_DATA);
        }
        self.write(id, read_offset(offset)?, data.value, work)
    }

    fn writable(&self, request: &Request<'_>) -> Result<Id, Status> {
        self.is_open(request)?;
        self.selected.ok_or(Status::CONDITIONS_NOT_SATISFIED)
    }

    fn write(
        &mut self,
        id: Id,
        offset: usize,
        data: &[u8],
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        self.memory.files.write(id, offset, data)?;
        work.written = data.len();
        Ok(Vec::new())
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
