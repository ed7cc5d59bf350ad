//! A strict PIV Card Application (NIST SP 800-73-4 Part 2), which behaves as PivApplet 0.9
//! does where the standard leaves a choice. Its manual is `README.md` beside this file.
//!
//! ```text
//!   containers    GET DATA, PUT DATA                   what the card holds
//!   references    VERIFY, CHANGE, RESET RETRY COUNTER  PIN 80, PUK 81
//!   management    the key 9B, its authentication       who may write
//!   slots         GENERATE, IMPORT, policies           9A 9C 9D 9E, 82 to 8C
//!   use_of_keys   GENERAL AUTHENTICATE                 sign, agree, authenticate
//!   key_pair      RSA-2048, P-256, P-384               by openssl
//!   factory       what a blank holds, RESET            and what outlasts the power
//!   about         version, serial, metadata            read only
//! ```

mod about;
mod containers;
mod factory;
mod key_pair;
mod management;
mod references;
#[cfg(test)]
mod scenarios;
mod slots;
mod use_of_keys;

use card::tlv::{self, Tlv};
use card::{Command, Response, Status};
use serde_json::Value;

use crate::applet::{Answer, Applet, Entropy, Work};
use crate::command::plain_class;
use crate::objects::object;
use factory::Memory;
use management::Pending;

/// Name of the application (*SP 800-73-4 Part 1 §2.2*): RID, PIX, version 1.0.
pub(crate) const AID: &[u8] = &[
    0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00,
];
/// Shortest right-truncated name that is heard: the RID.
const RID: usize = 5;
/// Label of the build that the traces were recorded with.
const LABEL: &[u8] = b"PivApplet v0.9.0/REeSAxLraD";
/// Where the label's standard is explained.
const ADDRESS: &[u8] = b"github.com/arekinath/PivApplet";

/// What a handler gives.
type Outcome = Result<Answer, Status>;

/// The application: what it remembers without power, and with it.
pub(crate) struct Piv {
    memory: Memory,
    session: Session,
}

/// What a reset forgets, and a SELECT.
#[derive(Default)]
struct Session {
    /// The management key was proved.
    managed: bool,
    /// What the next command, a management key authentication, is compared with.
    pending: Option<Pending>,
    /// The PIN was verified.
    verified: bool,
    /// The command before this one verified the PIN.
    just_verified: bool,
}

/// Starts the application with what [`Applet::memory`] gave, or as a blank: default PIN, PUK
/// and management key, no keys, no certificates, and a GUID, a card identifier and a serial
/// of its own.
///
/// # Errors
/// [`serde_json::Error`] where that is no memory of this application, or a blank finds no
/// random bytes.
pub(crate) fn start(memory: Option<Value>) -> Result<Box<dyn Applet + Send>, serde_json::Error> {
    let memory = match memory {
        Some(memory) => serde_json::from_value(memory)?,
        None => Memory::blank(&mut Entropy::default())
            .map_err(|_| serde::ser::Error::custom("a blank finds no random bytes"))?,
    };
    Ok(Box::new(Piv::new(memory)))
}

impl Piv {
    fn new(memory: Memory) -> Self {
        let session = Session::default();
        Self { memory, session }
    }
}

impl Applet for Piv {
    fn is_named(&self, name: &[u8]) -> bool {
        name.len() >= RID && AID.starts_with(name)
    }

    fn select(&mut self, command: &Command) -> Outcome {
        self.session = Session::default();
        if (command.p1(), command.p2()) != (0x04, 0x00) {
            return Err(Status::WRONG_P1_P2);
        }
        Ok(application_property_template().into())
    }

    fn process(&mut self, command: &Command, entropy: &mut Entropy, work: &mut Work) -> Outcome {
        // Any command ends the moment in which a "PIN always" key can be used, a refused one
        // as well.
        let just_verified = self.session.just_verified;
        let pending = self.session.pending.take();
        self.interrupt();
        plain_class(command.cla())?;
        if (command.ins(), command.p2()) == (0x87, management::REFERENCE) {
            self.session.pending = pending;
        }
        match command.ins() {
            0x20 => self.verify(command, work),
            0x24 => self.change_reference_data(command, work),
            0x2C => self.reset_retry_counter(command, work),
            0x47 => self.generate(command, work),
            0x87 => self.general_authenticate(command, just_verified, entropy, work),
            // GET RESPONSE comes here only where no answer waits.
            0xC0 => Err(Status::CONDITIONS_NOT_SATISFIED),
            0xCB => self.get_data(command),
            0xDB => self.put_data(command, work),
            0xF7 => self.get_metadata(command),
            0xF8 => self.get_serial(command),
            0xFA => self.set_retries(command, work),
            0xFB => self.reset_application(command, entropy, work),
            0xFD => self.get_version(command),
            0xFE => self.import(command, work),
            0xFF => self.set_management_key(command, work),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    fn interrupt(&mut self) {
        self.session.just_verified = false;
        self.session.pending = None;
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

/// Returns the answer to SELECT (*SP 800-73-4 Part 2 §3.1.1, table 3*). Each algorithm has an
/// `AC` of its own, as PivApplet does it.
fn application_property_template() -> Vec<u8> {
    let authority = object::<0x79>(&object::<0x4F>(AID.get(..RID).unwrap_or_default()));
    let mut content = [
        object::<0x4F>(AID),
        authority,
        object::<0x50>(LABEL),
        object::<0x5F50>(ADDRESS),
    ]
    .concat();
    for algorithm in [0x03, 0x0C, 0x07, 0x11, 0x14] {
        let identifier = [object::<0x80>(&[algorithm]), object::<0x06>(&[0x00])].concat();
        content.extend(object::<0xAC>(&identifier));
    }
    // PivApplet reserves a length field of two bytes, and does not shorten it.
    let mut template = object::<0x61>(&content);
    template.insert(1, 0x81);
    template
}

/// Parses a sequence of data objects; what is none is wrong data.
fn objects(bytes: &[u8]) -> Result<Vec<Tlv<'_>>, Status> {
    tlv::parse_all(bytes).map_err(|_| Status::WRONG_DATA)
}

/// Wants exactly one data object of this tag, and returns its value.
fn single(bytes: &[u8], tag: u32) -> Result<&[u8], Status> {
    match objects(bytes)?.as_slice() {
        [object] if object.tag.value() == tag => Ok(object.value),
        _ => Err(Status::WRONG_DATA),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_answers_as_recorded() {
        let recorded = "61817c4f0ba00000030800001000010079074f05a000000308501b5069764170706c65\
                        742076302e392e302f5245655341784c7261445f501e6769746875622e636f6d2f6172\
                        656b696e6174682f5069764170706c6574ac06800103060100ac0680010c060100ac06\
                        800107060100ac06800111060100ac06800114060100";
        let recorded = crate::vectors::unhex(recorded);
        assert_eq!(
            hex::encode(application_property_template()),
            hex::encode(recorded)
        );
    }
}
