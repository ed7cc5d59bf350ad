//! A strict OpenPGP card application 3.4 (*Functional Specification of the OpenPGP
//! application on ISO Smart Card Operating Systems 3.4.1*). Its manual is `README.md` beside
//! this file.
//!
//! ```text
//!   passwords     VERIFY, CHANGE, RESET RETRY COUNTER    PW1, PW3, resetting code
//!   data          GET, PUT, SELECT and GET NEXT DATA     what the card says and holds
//!   keys          GENERATE, import, attributes           signature, decryption, authentication
//!   key_pair      RSA 2048, P-256, P-384                 by openssl
//!   operations    PSO, INTERNAL AUTHENTICATE             what the keys do
//!   life          what a blank holds, TERMINATE, ACTIVATE
//! ```

mod data;
mod key_pair;
mod keys;
mod life;
mod operations;
mod passwords;
#[cfg(test)]
mod scenarios;

use card::{Command, Status};
use serde_json::Value;

use crate::applet::{Answer, Applet, Entropy, Work};
use crate::command::{no_data, plain_class};
use life::Memory;

/// Name of the application without version, manufacturer and serial (*§4.2.1*): RID, PIX.
pub(crate) const AID: &[u8] = &[0xD2, 0x76, 0x00, 0x01, 0x24, 0x01];
/// Shortest right-truncated name that is heard: the RID.
const RID: usize = 5;
/// Longest command APDU, bytes, as object 7F66 says.
const LONGEST_COMMAND: u16 = 2304;
/// Longest command data: the header, extended Lc and extended Le go off.
pub(crate) const LONGEST_DATA: usize = LONGEST_COMMAND as usize - 9;
/// Longest answer APDU, bytes, as object 7F66 says.
const LONGEST_ANSWER: u16 = 2304;

/// What a handler gives.
type Outcome = Result<Answer, Status>;

/// The application: what it remembers without power, and with it.
pub(crate) struct OpenPgp {
    memory: Memory,
    session: Session,
}

/// What a reset forgets, and a SELECT.
#[derive(Default)]
struct Session {
    /// PW1 was verified for signatures (mode 81).
    sign: bool,
    /// PW1 was verified for everything else (mode 82).
    other: bool,
    /// PW3 was verified.
    admin: bool,
    /// Which of the three cardholder certificates is meant.
    occurrence: usize,
}

/// Starts the application with what [`Applet::memory`] gave, or as a blank with a serial of
/// its own.
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
    let session = Session::default();
    Ok(Box::new(OpenPgp { memory, session }))
}

impl Applet for OpenPgp {
    fn is_named(&self, name: &[u8]) -> bool {
        name.len() >= RID && self.memory.name().starts_with(name)
    }

    fn select(&mut self, command: &Command) -> Outcome {
        self.session = Session::default();
        parameters(command, 0x04, 0x00)?;
        if self.memory.terminated {
            let status = Status::FILE_TERMINATED;
            let data = Vec::new();
            return Ok(Answer { data, status });
        }
        Ok(Answer::done())
    }

    fn process(&mut self, command: &Command, entropy: &mut Entropy, work: &mut Work) -> Outcome {
        plain_class(command.cla())?;
        if command.ins() == 0x44 {
            return self.activate(command, work);
        }
        if self.memory.terminated {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        match command.ins() {
            0x20 => self.verify(command, work),
            0x24 => self.change_reference_data(command, work),
            0x2A => self.perform_security_operation(command, work),
            0x2C => self.reset_retry_counter(command, work),
            0x47 => self.key_pair(command, work),
            0x84 => get_challenge(command, entropy),
            0x88 => self.internal_authenticate(command, work),
            0xA4 if command.p1() == 0x04 => Err(Status::FILE_NOT_FOUND),
            0xA4 => Err(Status::WRONG_PARAMETERS),
            0xA5 => self.select_data(command),
            // GET RESPONSE comes here only where no answer waits.
            0xC0 => Err(Status::CONDITIONS_NOT_SATISFIED),
            0xCA => self.get_data(command),
            0xCC => self.get_next_data(command),
            0xDA => self.put_data(command, work),
            0xDB => self.import(command, work),
            0xE6 => self.terminate(command, work),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    fn reset(&mut self) {
        self.session = Session::default();
    }

    fn memory(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }
}

impl OpenPgp {
    /// Wants PW3 to be verified.
    fn admin(&self) -> Result<(), Status> {
        allowed(self.session.admin)
    }
}

/// `00 84 00 00 Le` (*§7.2.15*): at most 255 bytes, as the extended capabilities say.
fn get_challenge(command: &Command, entropy: &mut Entropy) -> Outcome {
    parameters(command, 0x00, 0x00)?;
    no_data(command)?;
    let length = command.le().and_then(|le| u8::try_from(le).ok());
    let mut challenge = vec![0; length.ok_or(Status::WRONG_LENGTH)?.into()];
    entropy.draw(&mut challenge)?;
    Ok(challenge.into())
}

/// Refuses what no password was verified for.
fn allowed(verified: bool) -> Result<(), Status> {
    if verified {
        Ok(())
    } else {
        Err(Status::SECURITY_STATUS_NOT_SATISFIED)
    }
}

/// Wants P1 and P2 to be these.
fn parameters(command: &Command, p1: u8, p2: u8) -> Result<(), Status> {
    if (command.p1(), command.p2()) == (p1, p2) {
        Ok(())
    } else {
        Err(Status::WRONG_PARAMETERS)
    }
}
