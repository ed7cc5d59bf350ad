//! Data objects: GET DATA, PUT DATA, SELECT DATA, GET NEXT DATA (*§4.4, §7.2.5 to §7.2.8*).

use card::{Command, Status};

use super::keys::{self, Role};
use super::passwords::{Kind, LONGEST, Password};
use super::{LONGEST_ANSWER, LONGEST_COMMAND, OpenPgp, Outcome};
use crate::applet::{Answer, Work};
use crate::command::no_data;
use crate::objects::{Objects, object};
use crate::secret::Secret;

/// Category 00; selection by full and partial name, objects by GET DATA, no MF; chaining,
/// extended length, and 7F66 about it; operational (*§6*).
const HISTORICAL: [u8; 10] = [0x00, 0x31, 0xD5, 0x73, 0xC0, 0x01, 0xE0, 0x05, 0x90, 0x00];
/// Longest certificate, bytes.
const CERTIFICATE: usize = 2048;
/// Longest login data and URL, bytes.
const SPECIAL: usize = 255;
/// GET CHALLENGE, key import, changeable PW1 status, changeable attributes; no secure
/// messaging; longest challenge, certificate, special object; no PIN block 2, no MSE
/// (*§4.4.3.7*).
const CAPABILITIES: [u8; 10] = [0x74, 0x00, 0x00, 0xFF, 0x08, 0x00, 0x00, 0xFF, 0x00, 0x00];
/// Tag of the cardholder certificates.
const CERTIFICATES: u16 = 0x7F21;

/// What a content must be.
enum Content {
    /// So many bytes, no more.
    UpTo(usize),
    /// So many bytes.
    Exactly(usize),
    /// One to four ISO 639 codes.
    Languages,
    /// ISO/IEC 5218, as a digit.
    Sex,
}

impl Content {
    /// Returns what a plain object holds; `None` where it is none that is written.
    fn of(tag: u16) -> Option<Self> {
        match tag {
            0x5B => Some(Self::UpTo(39)),
            0x5E | 0x5F50 => Some(Self::UpTo(SPECIAL)),
            0x5F2D => Some(Self::Languages),
            0x5F35 => Some(Self::Sex),
            0xC7..=0xCC => Some(Self::Exactly(20)),
            0xCE..=0xD0 => Some(Self::Exactly(4)),
            _ => None,
        }
    }

    fn accepts(&self, value: &[u8]) -> Result<(), Status> {
        let (length, content) = match self {
            Self::UpTo(most) => (value.len() <= *most, true),
            Self::Exactly(length) => (value.len() == *length, true),
            Self::Languages => (
                matches!(value.len(), 2 | 4 | 6 | 8),
                value.iter().all(u8::is_ascii_lowercase),
            ),
            Self::Sex => (
                value.len() == 1,
                matches!(value, [b'0' | b'1' | b'2' | b'9']),
            ),
        };
        match (length, content) {
            (true, true) => Ok(()),
            (false, _) => Err(Status::WRONG_LENGTH),
            (true, false) => Err(Status::WRONG_DATA),
        }
    }
}

fn tag(command: &Command) -> u16 {
    u16::from_be_bytes([command.p1(), command.p2()])
}

impl OpenPgp {
    /// `00 CA <tag> 00`. A constructed object comes with its tag, a plain one without.
    pub(super) fn get_data(&mut self, command: &Command) -> Outcome {
        no_data(command)?;
        let tag = tag(command);
        self.leave_certificates(tag);
        let data = match tag {
            0x4F => self.memory.name(),
            0x5F52 => HISTORICAL.to_vec(),
            0x5E | 0x5F50 => self.plain(tag),
            0x65 => object::<0x65>(&self.cardholder()),
            0x6E => object::<0x6E>(&self.application()),
            0x7A => {
                let [_, counter @ ..] = self.memory.signatures.to_be_bytes();
                object::<0x7A>(&object::<0x93>(&counter))
            }
            CERTIFICATES => self.certificate()?,
            0x7F66 => extended_lengths(),
            0xC1 => self.memory.attributes(Role::Sign),
            0xC2 => self.memory.attributes(Role::Decipher),
            0xC3 => self.memory.attributes(Role::Authenticate),
            0xC4 => self.password_status(),
            0xDE => self.memory.key_information(),
            0xFA => object::<0xFA>(&keys::every_algorithm()),
            _ => return Err(Status::REFERENCE_NOT_FOUND),
        };
        Ok(data.into())
    }

    /// `00 CC 7F 21 00`: the certificate after the one that is meant.
    pub(super) fn get_next_data(&mut self, command: &Command) -> Outcome {
        no_data(command)?;
        let next = self.session.occurrence + 1;
        if tag(command) != CERTIFICATES || next >= self.memory.certificates.len() {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.session.occurrence = next;
        Ok(self.certificate()?.into())
    }

    /// `00 A5 <occurrence> 04  60 04 5C 02 7F 21`.
    pub(super) fn select_data(&mut self, command: &Command) -> Outcome {
        if command.p2() != 0x04 {
            return Err(Status::WRONG_PARAMETERS);
        }
        let list = Objects::single(Objects::single(command.data(), 0x60)?, 0x5C)?;
        let occurrence = usize::from(command.p1());
        if list != CERTIFICATES.to_be_bytes() || occurrence >= self.memory.certificates.len() {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.session.occurrence = occurrence;
        Ok(Answer::done())
    }

    /// `00 DA <tag> <value>`, with PW3 verified.
    pub(super) fn put_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let (tag, value) = (tag(command), command.data());
        let content = Content::of(tag);
        let special = matches!(tag, CERTIFICATES | 0xC1..=0xC4 | 0xD3);
        if content.is_none() && !special {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.admin()?;
        self.leave_certificates(tag);
        match tag {
            CERTIFICATES => {
                Content::UpTo(CERTIFICATE).accepts(value)?;
                let place = self.memory.certificates.get_mut(self.session.occurrence);
                *place.ok_or(Status::REFERENCE_NOT_FOUND)? = Secret::new(value);
            }
            0xC1 => self.memory.set_attributes(Role::Sign, value)?,
            0xC2 => self.memory.set_attributes(Role::Decipher, value)?,
            0xC3 => self.memory.set_attributes(Role::Authenticate, value)?,
            0xC4 => {
                self.memory.several = match value {
                    [0x00] => false,
                    [0x01] => true,
                    [_] => return Err(Status::WRONG_DATA),
                    _ => return Err(Status::WRONG_LENGTH),
                }
            }
            0xD3 if value.is_empty() => self.memory.resetting_code = None,
            0xD3 => {
                Kind::ResettingCode.fits(value)?;
                let code = Password::new(value, Kind::ResettingCode);
                self.memory.resetting_code = Some(code);
            }
            _ => {
                if let Some(content) = content {
                    content.accepts(value)?;
                }
                self.memory.objects.insert(tag, Secret::new(value));
            }
        }
        work.written += value.len();
        Ok(Answer::done())
    }

    /// Another object is meant now: of the certificates again the first.
    fn leave_certificates(&mut self, tag: u16) {
        if tag != CERTIFICATES {
            self.session.occurrence = 0;
        }
    }

    fn certificate(&self) -> Result<Vec<u8>, Status> {
        let certificate = self.memory.certificates.get(self.session.occurrence);
        let certificate = certificate.ok_or(Status::REFERENCE_NOT_FOUND)?;
        Ok(certificate.bytes().to_vec())
    }

    /// Returns a plain object's content; empty where it was never written.
    fn plain(&self, tag: u16) -> Vec<u8> {
        let content = self.memory.objects.get(&tag);
        content.map_or_else(Vec::new, |content| content.bytes().to_vec())
    }

    fn cardholder(&self) -> Vec<u8> {
        [
            object::<0x5B>(&self.plain(0x5B)),
            object::<0x5F2D>(&self.plain(0x5F2D)),
            object::<0x5F35>(&self.plain(0x5F35)),
        ]
        .concat()
    }

    /// Returns the content of 6E (*§4.4.1*).
    fn application(&self) -> Vec<u8> {
        let discretionary = [
            object::<0xC0>(&CAPABILITIES),
            object::<0xC1>(&self.memory.attributes(Role::Sign)),
            object::<0xC2>(&self.memory.attributes(Role::Decipher)),
            object::<0xC3>(&self.memory.attributes(Role::Authenticate)),
            object::<0xC4>(&self.password_status()),
            object::<0xC5>(&self.row::<20>([0xC7, 0xC8, 0xC9])),
            object::<0xC6>(&self.row::<20>([0xCA, 0xCB, 0xCC])),
            object::<0xCD>(&self.row::<4>([0xCE, 0xCF, 0xD0])),
            object::<0xDE>(&self.memory.key_information()),
        ];
        [
            object::<0x4F>(&self.memory.name()),
            object::<0x5F52>(&HISTORICAL),
            extended_lengths(),
            object::<0x73>(&discretionary.concat()),
        ]
        .concat()
    }

    /// Joins three contents of one length; zeroes stand for one that was never written.
    fn row<const N: usize>(&self, tags: [u16; 3]) -> Vec<u8> {
        let one = |tag| match self.memory.objects.get(&tag) {
            Some(content) => content.bytes().to_vec(),
            None => vec![0; N],
        };
        tags.map(one).concat()
    }

    fn password_status(&self) -> Vec<u8> {
        let memory = &self.memory;
        let code = memory.resetting_code.as_ref();
        vec![
            u8::from(memory.several),
            LONGEST,
            LONGEST,
            LONGEST,
            memory.pw1.left(),
            code.map_or(0, Password::left),
            memory.pw3.left(),
        ]
    }
}

/// Returns 7F66 (*§4.1.3.1*).
fn extended_lengths() -> Vec<u8> {
    let number = |length: u16| object::<0x02>(&length.to_be_bytes());
    object::<0x7F66>(&[number(LONGEST_COMMAND), number(LONGEST_ANSWER)].concat())
}
