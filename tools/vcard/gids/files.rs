//! Elementary files under the application: BER-TLV files and key files, made, selected,
//! activated, deleted; and the rules in compact format (*ISO/IEC 7816-4 §9.3.3*) that guard
//! them.

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::objects::Object;
use super::{AID, DATA_INVALID, Gids, NOT_ALLOWED, Outcome, first, objects};
use crate::applet::{Answer, Work};
use crate::command::parameters;
use crate::objects::object;
use crate::secret::{Secret, hexadecimal};

/// Operations on an elementary file, as bits of the access mode byte.
pub(super) const READ: u8 = 0x01;
pub(super) const WRITE: u8 = 0x02;
pub(super) const USE: u8 = 0x04;
pub(super) const GENERATE: u8 = 0x08;
const ACTIVATE: u8 = 0x10;
const DELETE: u8 = 0x40;
/// The application's rule for making and deleting files: the user or the administrator.
const APPLICATION_RULE: u8 = 0x30;

/// Identifiers that mean the application.
const APPLICATION: [u16; 2] = [0x3F00, 0x3FFF];
/// Identifiers that no file may have: the application's, "current", reserved, EF.ATR.
const RESERVED: [u16; 5] = [0x3F00, 0x3FFF, 0x0000, 0xFFFF, 0x2F01];
/// Most files.
const FILES: usize = 30;
/// Bytes for all files together.
const CAPACITY: usize = 65_536;

/// File descriptor bytes (*ISO/IEC 7816-4 table 14*).
const BER_TLV: u8 = 0x39;
const KEY: u8 = 0x18;

/// An elementary file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) id: u16,
    /// The control parameters as they came, `62` or `6F` and all.
    #[serde(with = "hexadecimal")]
    control: Vec<u8>,
    active: bool,
    pub(super) content: Content,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Content {
    /// Data objects, in the order of their coming.
    Objects(Vec<Object>),
    /// A key, once there is one.
    Key(Option<Material>),
}

/// A key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Material {
    /// Triple DES, 24 bytes: the administrator's.
    TripleDes(Secret),
    /// RSA-2048, the private key's DER.
    Rsa(Secret),
}

impl File {
    /// Reads the control parameters of a new file.
    fn parse(control: &[u8]) -> Result<Self, Status> {
        let outer = objects(control)?;
        let [template] = outer.as_slice() else {
            return Err(DATA_INVALID);
        };
        if !matches!(template.tag.value(), 0x62 | 0x6F) {
            return Err(DATA_INVALID);
        }
        let parameters = objects(template.value)?;
        let Some(&[high, low]) = first(&parameters, 0x83) else {
            return Err(DATA_INVALID);
        };
        let id = u16::from_be_bytes([high, low]);
        let descriptor = first(&parameters, 0x82).filter(|value| value.len() <= 6);
        let content = match descriptor.and_then(<[u8]>::first) {
            Some(&BER_TLV) => Content::Objects(Vec::new()),
            Some(&KEY) if high == 0xB0 => {
                let templates = first(&parameters, 0xA5).ok_or(DATA_INVALID)?;
                if !(11..=127).contains(&templates.len()) {
                    return Err(DATA_INVALID);
                }
                for template in objects(templates)? {
                    super::one_byte(&objects(template.value)?, 0x80)?;
                }
                Content::Key(None)
            }
            _ => return Err(DATA_INVALID),
        };
        if let Some(rules) = first(&parameters, 0x8C) {
            let (mode, conditions) = rules.split_first().ok_or(DATA_INVALID)?;
            if conditions.len() != (mode & 0x7F).count_ones() as usize {
                return Err(DATA_INVALID);
            }
        }
        Ok(Self {
            id,
            control: control.to_vec(),
            active: false,
            content,
        })
    }

    /// Returns the value of a control parameter.
    pub(super) fn parameter(&self, tag: u32) -> Option<&[u8]> {
        let template = objects(&self.control).ok()?.first()?.value;
        first(&objects(template).ok()?, tag)
    }

    /// Returns the condition that an operation asks for; `None`: the rules do not name it.
    fn condition(&self, operation: u8) -> Option<u8> {
        let (mode, conditions) = self.parameter(0x8C)?.split_first()?;
        if mode & operation == 0 {
            return None;
        }
        // One condition for each bit of the mode, the highest bit's first.
        let before = mode & 0x7F & !(operation | operation.wrapping_sub(1));
        conditions.get(before.count_ones() as usize).copied()
    }

    /// Returns the bytes of memory that the file takes.
    fn size(&self) -> usize {
        let content = match &self.content {
            Content::Objects(objects) => objects.iter().map(Object::size).sum(),
            Content::Key(None) => 0,
            Content::Key(Some(Material::TripleDes(key) | Material::Rsa(key))) => key.bytes().len(),
        };
        self.control.len() + content
    }
}

impl Gids {
    /// Returns the file of that identifier.
    pub(super) fn file(&self, id: u16) -> Option<&File> {
        self.memory.files.iter().find(|file| file.id == id)
    }

    /// Returns the file of that identifier, to be changed.
    pub(super) fn file_mut(&mut self, id: u16) -> Option<&mut File> {
        self.memory.files.iter_mut().find(|file| file.id == id)
    }

    /// Wants room for so many bytes more.
    pub(super) fn room(&self, more: usize) -> Result<(), Status> {
        let taken: usize = self.memory.files.iter().map(File::size).sum();
        if taken + more > CAPACITY {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        Ok(())
    }

    /// Wants an operation on a file to be allowed: 6985 before the file was activated, 6982
    /// where its condition is not fulfilled.
    pub(super) fn allowed(&self, file: &File, operation: u8) -> Result<(), Status> {
        if !file.active && operation != ACTIVATE {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        file.condition(operation)
            .map_or(Ok(()), |condition| self.fulfilled(condition))
    }

    /// Wants a security condition byte to be fulfilled. The high digit names who: 1 the
    /// user, 2 the administrator, 3 either, 9 and A one of them and nobody else. The low
    /// digit names the interface: 2 is the contactless one, which this chip has not.
    fn fulfilled(&self, condition: u8) -> Result<(), Status> {
        let user = self.session.verified || !self.memory.operational;
        let administrator = self.session.administrator.is_proved() || !self.memory.operational;
        let fulfilled = match (condition, condition >> 4) {
            (0x00, _) => true,
            (0xFF, _) => false,
            _ if condition & 0x0F == 2 => false,
            (_, 0x9) => user,
            (_, 0xA) => administrator,
            (_, who) => (who & 0x9 == 0x1 && user) || (who & 0xA == 0x2 && administrator),
        };
        if fulfilled {
            Ok(())
        } else {
            Err(Status::SECURITY_STATUS_NOT_SATISFIED)
        }
    }

    /// `00 A4 00 P2 <identifier>`. A name that comes here is another application's.
    pub(super) fn select_file(&mut self, command: &Command) -> Outcome {
        if command.p2() & 0xF3 != 0 {
            return Err(Status::WRONG_P1_P2);
        }
        match command.p1() {
            0x00 => {}
            0x04 => return Err(Status::FILE_NOT_FOUND),
            _ => return Err(Status::WRONG_P1_P2),
        }
        let id = match *command.data() {
            [] => None,
            [high, low] => Some(u16::from_be_bytes([high, low])),
            _ => return Err(Status::WRONG_LENGTH),
        };
        let Some(id) = id.filter(|id| !APPLICATION.contains(id)) else {
            let answer = about_application(command.p2())?;
            self.session.current = None;
            return Ok(answer);
        };
        let file = self.file(id).ok_or(Status::FILE_NOT_FOUND)?;
        let answer = match command.p2() {
            0x04 => file.control.clone().into(),
            0x0C => Answer::done(),
            _ => return Err(Status::WRONG_P1_P2),
        };
        self.session.current = Some(id);
        Ok(answer)
    }

    /// `00 E0 00 00  62 { 82 <descriptor>, 83 <identifier>, 8C <rules>, A5 <templates> }`.
    pub(super) fn create_file(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        let file = File::parse(command.data())?;
        if RESERVED.contains(&file.id) || self.file(file.id).is_some() {
            return Err(DATA_INVALID);
        }
        self.fulfilled(APPLICATION_RULE)?;
        if self.memory.files.len() >= FILES {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        self.room(file.size())?;
        work.written += file.size();
        self.session.current = Some(file.id);
        self.memory.files.push(file);
        Ok(Answer::done())
    }

    /// `00 44 00 00`: the current file, or the application, becomes operational.
    pub(super) fn activate_file(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        work.written += 1;
        let Some(id) = self.session.current else {
            self.memory.operational = true;
            self.session.deauthenticate();
            return Ok(Answer::done());
        };
        let file = self.file(id).ok_or(Status::FILE_NOT_FOUND)?;
        self.allowed(file, ACTIVATE)?;
        if let Some(file) = self.file_mut(id) {
            file.active = true;
        }
        Ok(Answer::done())
    }

    /// `00 E4 00 00`: deletes the current file.
    pub(super) fn delete_file(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        if !command.data().is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        let id = self.session.current.ok_or(NOT_ALLOWED)?;
        let file = self.file(id).ok_or(NOT_ALLOWED)?;
        self.allowed(file, DELETE)?;
        self.fulfilled(APPLICATION_RULE)?;
        work.written += 1;
        self.memory.files.retain(|file| file.id != id);
        self.session.current = None;
        Ok(Answer::done())
    }
}

/// Returns what SELECT says of the application: FCI, FCP, file management data, or nothing.
pub(super) fn about_application(p2: u8) -> Outcome {
    let answer = match p2 {
        0x00 => {
            let mechanisms = object::<0x40>(&[0xC0]);
            let content = [object::<0x4F>(AID), object::<0x73>(&mechanisms)].concat();
            object::<0x61>(&content)
        }
        0x04 => {
            let rules = [READ | WRITE, APPLICATION_RULE, APPLICATION_RULE];
            let content = [object::<0x82>(&[0x38]), object::<0x8C>(&rules)].concat();
            object::<0x62>(&content)
        }
        0x08 => {
            // PIN usage policy: the application's PIN.
            let content = [object::<0x5F2F>(&[0x60]), object::<0x7F65>(&[0x80, 0x00])].concat();
            object::<0x64>(&content)
        }
        0x0C => Vec::new(),
        _ => return Err(Status::WRONG_P1_P2),
    };
    Ok(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::unhex;

    fn file(text: &str) -> Result<File, Status> {
        File::parse(&unhex(text))
    }

    #[test]
    fn the_application_says_what_gids_applet_says() {
        let about = |p2| hex::encode(about_application(p2).unwrap().data);
        assert_eq!(about(0x00), "61124f0ba00000039742544659020173034001c0");
        assert_eq!(about(0x04), "62088201388c03033030");
        assert_eq!(about(0x08), "64095f2f01607f65028000");
        assert_eq!(about(0x0C), "");
    }

    #[test]
    fn each_operation_has_its_condition() {
        let key = "621B 820118 8302B080 8C058F102030FF A50B A409 800102 830180 9501C0";
        let key = file(key).unwrap();
        let condition = |operation| key.condition(operation);
        assert_eq!(condition(GENERATE), Some(0x10));
        assert_eq!(condition(USE), Some(0x20));
        assert_eq!(condition(WRITE), Some(0x30));
        assert_eq!(condition(READ), Some(0xFF));
        assert_eq!(condition(DELETE), None);
        assert_eq!(condition(ACTIVATE), None);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert!(file("620C 820139 8302A010 8C03 03 30 00").is_ok());
        assert!(file("6F07 820139 8302A010").is_ok());
        for wrong in [
            "",
            "6407 820139 8302A010",
            "6207 820139 8302A010 00",
            "6206 820139 8301A0",
            "6207 820101 8302A010",
            "6207 820118 8302B081",
            "6209 820139 8302A010 8C00",
            // Two bits, one condition.
            "620B 820139 8302A010 8C020330",
            // A key elsewhere than at B0xx.
            "6214 820118 8302A081 A50B B609 800157 830181 950140",
            // A template without algorithm.
            "6214 820118 8302B081 A50B B609 810157 830181 950140",
        ] {
            assert_eq!(file(wrong).unwrap_err(), DATA_INVALID, "{wrong}");
        }
    }
}
