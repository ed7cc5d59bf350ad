//! GET DATA and PUT DATA: data objects in BER-TLV files, and what the application knows of
//! itself.

use card::tlv::{self, Tag};
use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::files::{Content, File, READ, WRITE};
use super::{DATA_INVALID, Gids, Outcome, WRONG_STRUCTURE, objects, single, wanted};
use crate::applet::{Answer, Work};
use crate::objects::object;
use crate::secret::Secret;

/// P1-P2 that mean the application.
const APPLICATION: u16 = 0x3FFF;
/// P1-P2 of EF.ATR.
const EF_ATR: u16 = 0x2F01;
/// EF.ATR: card service data, card capabilities, pre-issuing data "MySmartLogon".
const EF_ATR_CONTENT: &[u8] = b"\x43\x01\xF4\x47\x03\x08\x01\x80\x46\x0CMySmartLogon";
/// Most objects in a file.
const OBJECTS: usize = 30;
/// Longest value of an object, bytes.
const VALUE: usize = 32_000;

/// A data object of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    tag: u32,
    value: Secret,
}

impl Object {
    /// Returns the bytes of memory that it takes.
    pub(super) fn size(&self) -> usize {
        self.value.bytes().len() + 4
    }

    fn encode(&self) -> Vec<u8> {
        let tag = Tag::new(self.tag).map(Tag::encode).unwrap_or_default();
        let value = self.value.bytes();
        [&tag[..], &tlv::encode_length(value.len()), value].concat()
    }
}

impl Gids {
    /// Returns the BER-TLV file that P1-P2 name; 0000 is the current one.
    fn data_file(&self, command: &Command) -> Result<(&File, &[Object]), Status> {
        let id = match u16::from_be_bytes([command.p1(), command.p2()]) {
            0x0000 => self.session.current.ok_or(WRONG_STRUCTURE)?,
            0xFFFF => return Err(Status::WRONG_P1_P2),
            id => id,
        };
        let file = self.file(id).ok_or(Status::FILE_NOT_FOUND)?;
        match &file.content {
            Content::Objects(objects) => Ok((file, objects)),
            Content::Key(_) => Err(WRONG_STRUCTURE),
        }
    }

    /// `00 CB <file>  5C L <tag>  00`, and `00 CB 3F FF` for what is the application's.
    pub(super) fn get_data(&mut self, command: &Command) -> Outcome {
        match u16::from_be_bytes([command.p1(), command.p2()]) {
            APPLICATION => return self.get_own_data(command),
            EF_ATR if command.data() == [0x5C, 0x00] => return Ok(EF_ATR_CONTENT.to_vec().into()),
            EF_ATR => return Err(DATA_INVALID),
            _ => {}
        }
        let (file, objects) = self.data_file(command)?;
        self.allowed(file, READ)?;
        let list = single(command.data(), 0x5C)?;
        let data = if matches!(list, [] | [0x5C]) {
            objects.iter().flat_map(Object::encode).collect()
        } else {
            let (tag, rest) = Tag::parse(list).map_err(|_| DATA_INVALID)?;
            if !rest.is_empty() {
                return Err(DATA_INVALID);
            }
            let mut all = objects.iter();
            let found = all.find(|object| object.tag == tag.value());
            found.ok_or(Status::REFERENCE_NOT_FOUND)?.encode()
        };
        self.session.current = Some(file.id);
        Ok(wanted(command, data))
    }

    /// `00 CB 3F FF`: the PIN's tries, or `70 08 84 01 <key> A5 03 7F4980` a public key.
    fn get_own_data(&self, command: &Command) -> Outcome {
        match *command.data() {
            [0x70, 0x08, 0x84, 0x01, key, 0xA5, 0x03, 0x7F, 0x49, 0x80] => {
                Ok(wanted(command, self.public_key(key)?))
            }
            [0x5C, 0x02, 0x7F, 0x71] => Ok(object::<0x7F71>(&self.memory.pin.tries()).into()),
            [0x5C, 0x02, 0x7F, 0x72] => Ok(object::<0x7F72>(&self.memory.pin.tries()).into()),
            // The PUK's: there is none.
            [0x5C, 0x02, 0x7F, 0x73] => Err(Status::REFERENCE_NOT_FOUND),
            _ => Err(DATA_INVALID),
        }
    }

    /// `00 DB <file>  <tag> L <value>`: adds or replaces an object. An empty one that comes
    /// where an empty one is takes it away. `00 DB 3F FF` imports a key.
    pub(super) fn put_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if u16::from_be_bytes([command.p1(), command.p2()]) == APPLICATION {
            return self.import(command, work);
        }
        let (file, present) = self.data_file(command)?;
        self.allowed(file, WRITE)?;
        let id = file.id;
        let given = objects(command.data())?;
        let [given] = given.as_slice() else {
            return Err(DATA_INVALID);
        };
        if given.value.len() > VALUE {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        let tag = given.tag.value();
        let old = present.iter().find(|object| object.tag == tag);
        if old.is_none() && present.len() >= OBJECTS {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        let empties = old.is_some_and(|old| old.value.bytes().is_empty());
        let value = Secret::new(given.value);
        let new = Object { tag, value };
        self.room(new.size().saturating_sub(old.map_or(0, Object::size)))?;
        work.written += new.size();
        self.session.current = Some(id);
        if let Some(Content::Objects(objects)) = self.file_mut(id).map(|file| &mut file.content) {
            let place = objects.iter().position(|object| object.tag == tag);
            match place.and_then(|place| objects.get_mut(place)) {
                Some(_) if empties && new.value.bytes().is_empty() => {
                    objects.retain(|object| object.tag != tag);
                }
                Some(old) => *old = new,
                None => objects.push(new),
            }
        }
        Ok(Answer::done())
    }
}
