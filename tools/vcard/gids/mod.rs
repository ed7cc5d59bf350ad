//! A strict GIDS applet (Generic Identity Device Specification 2.0), which behaves as
//! GidsApplet does where the specification leaves a choice. Its manual is `README.md`
//! beside this file.
//!
//! ```text
//!   files     SELECT, CREATE, ACTIVATE, DELETE, access rules   the files and who may
//!   objects   GET DATA, PUT DATA                               data objects in files
//!   pin       VERIFY, CHANGE, RESET RETRY COUNTER              the holder
//!   admin     GENERAL AUTHENTICATE                             the administrator
//!   keys      GENERATE, import, MSE, PSO                       key files and their templates
//!   rsa       RSA-2048                                         by openssl
//! ```

mod admin;
mod files;
mod keys;
mod objects;
mod pin;
mod rsa;
#[cfg(test)]
mod scenarios;

use card::tlv::{self, Tlv};
use card::{Command, Response, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::applet::{Answer, Applet, Entropy, Work};
use admin::Administrator;
use files::File;
use keys::Environment;
use pin::Pin;

/// Name of the application: RID of Microsoft, "BTFY", version 2.01.
pub(crate) const AID: &[u8] = &[
    0xA0, 0x00, 0x00, 0x03, 0x97, 0x42, 0x54, 0x46, 0x59, 0x02, 0x01,
];
/// Shortest right-truncated name that is heard: the RID.
const RID: usize = 5;
/// Malformed or unexpected data: the Java Card runtime's "data invalid".
const DATA_INVALID: Status = Status::REFERENCE_DATA_NOT_USABLE;
/// "Command not allowed": there is nothing that it could act on, or not in this state.
const NOT_ALLOWED: Status = Status::NO_CURRENT_FILE;
/// The command does not fit the file's structure.
const WRONG_STRUCTURE: Status = Status::new(0x6981);

/// What a handler gives.
type Outcome = Result<Answer, Status>;

/// The application: what it remembers without power, and with it.
pub(crate) struct Gids {
    memory: Memory,
    session: Session,
}

/// What outlasts the power.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Whether the application was activated; until then the rules ask for nobody.
    operational: bool,
    pin: Pin,
    files: Vec<File>,
}

/// What a reset forgets, and a SELECT by name.
#[derive(Default)]
struct Session {
    /// The current elementary file; `None`: the application.
    current: Option<u16>,
    /// The PIN was verified.
    verified: bool,
    /// How far the administrator's authentication has come.
    administrator: Administrator,
    /// The key file that proves the administrator, chosen by MANAGE SECURITY ENVIRONMENT.
    administrator_key: Option<u8>,
    /// What PERFORM SECURITY OPERATION works with.
    environment: Option<Environment>,
}

impl Session {
    /// Forgets who was authenticated, and what that allowed.
    fn deauthenticate(&mut self) {
        let current = self.current;
        *self = Self::default();
        self.current = current;
    }
}

/// Starts the application with what [`Applet::memory`] gave, or as installed: without PIN,
/// files and keys, not activated.
///
/// # Errors
/// [`serde_json::Error`] where that is no memory of this application.
pub(crate) fn start(memory: Option<Value>) -> Result<Box<dyn Applet + Send>, serde_json::Error> {
    let memory = memory.map_or_else(|| Ok(Memory::default()), serde_json::from_value)?;
    let session = Session::default();
    Ok(Box::new(Gids { memory, session }))
}

impl Applet for Gids {
    fn is_named(&self, name: &[u8]) -> bool {
        name.len() >= RID && AID.starts_with(name)
    }

    fn select(&mut self, command: &Command) -> Outcome {
        self.session = Session::default();
        files::about_application(command.p2())
    }

    fn process(&mut self, command: &Command, entropy: &mut Entropy, work: &mut Work) -> Outcome {
        plain_class(command.cla())?;
        match command.ins() {
            0x20 => self.verify(command, work),
            0x22 => self.manage_security_environment(command),
            0x24 => self.change_reference_data(command, work),
            0x2A => self.perform_security_operation(command, work),
            0x2C => self.reset_retry_counter(command, work),
            0x44 => self.activate_file(command, work),
            0x47 => self.generate(command, work),
            0x87 => self.general_authenticate(command, entropy),
            0xA4 => self.select_file(command),
            // GET RESPONSE comes here only where no answer waits.
            0xC0 => Err(Status::CONDITIONS_NOT_SATISFIED),
            0xCB => self.get_data(command),
            0xDB => self.put_data(command, work),
            0xE0 => self.create_file(command, work),
            0xE4 => self.delete_file(command, work),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    fn reset(&mut self) {
        self.session = Session::default();
    }

    fn memory(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn foresee(&mut self, command: &Command, answer: &Response, entropy: &mut Entropy) {
        if let Some(drawn) = self.drawn_for(command, answer) {
            entropy.foresee(drawn.bytes());
        }
    }
}

/// Wants the class byte `00`: one logical channel, no secure messaging.
fn plain_class(class: u8) -> Result<(), Status> {
    match class {
        0x00 => Ok(()),
        _ if class & 0x0C != 0 => Err(Status::SECURE_MESSAGING_NOT_SUPPORTED),
        0x40..=0x7F | 0x01..=0x03 => Err(Status::CHANNEL_NOT_SUPPORTED),
        _ => Err(Status::CLASS_NOT_SUPPORTED),
    }
}

/// Gives data to a command that has room for them: without Le they are dropped.
fn wanted(command: &Command, data: Vec<u8>) -> Answer {
    if command.le().is_some() {
        data.into()
    } else {
        Answer::done()
    }
}

/// Parses a sequence of data objects.
fn objects(bytes: &[u8]) -> Result<Vec<Tlv<'_>>, Status> {
    tlv::parse_all(bytes).map_err(|_| DATA_INVALID)
}

/// Returns the value of the first object of this tag.
fn first<'a>(objects: &[Tlv<'a>], tag: u32) -> Option<&'a [u8]> {
    let found = objects.iter().find(|object| object.tag.value() == tag);
    found.map(|object| object.value)
}

/// Wants an object of this tag with one byte.
fn one_byte(objects: &[Tlv<'_>], tag: u32) -> Result<u8, Status> {
    match first(objects, tag) {
        Some([byte]) => Ok(*byte),
        _ => Err(DATA_INVALID),
    }
}

/// Wants exactly one data object of this tag, and returns its value.
fn single(bytes: &[u8], tag: u32) -> Result<&[u8], Status> {
    match objects(bytes)?.as_slice() {
        [object] if object.tag.value() == tag => Ok(object.value),
        _ => Err(DATA_INVALID),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_apart() {
        assert_eq!(plain_class(0x00), Ok(()));
        for (class, status) in [
            (0x80, 0x6E00),
            (0x84, 0x6882),
            (0x0C, 0x6882),
            (0x01, 0x6881),
            (0x41, 0x6881),
            (0x20, 0x6E00),
        ] {
            assert_eq!(plain_class(class), Err(Status::new(status)), "{class:02X}");
        }
    }
}
