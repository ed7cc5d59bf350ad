//! The applet at work: which instruction does what, and what it forgets without power.

use card::{Command, Response, Status};

use super::memory::{MF, Memory, Phase};
use super::{AID, Build, Version};
use crate::applet::{Answer, Applet, Entropy, Work};

/// What the applet answers where its source says "data invalid".
pub(super) const DATA_INVALID: Status = Status::REFERENCE_DATA_NOT_USABLE;
/// What the applet answers where its source says "command not allowed".
pub(super) const NOT_ALLOWED: Status = Status::NO_CURRENT_FILE;

const GET_CHALLENGE: u8 = 0x84;

/// What MANAGE SECURITY ENVIRONMENT set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) algorithm: u8,
    /// Key reference, 00 to 0F.
    pub(super) key: usize,
}

/// What a deselection forgets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) directory: usize,
    pub(super) elementary: Option<usize>,
    /// The PIN counts as verified: for key operations.
    pub(super) verified: bool,
    /// The user counts as authenticated: for files. Not the same: until the PIN is set the
    /// user does.
    pub(super) authenticated: bool,
    pub(super) environment: Option<Environment>,
}

impl Session {
    fn new(phase: Phase) -> Self {
        Self {
            directory: MF,
            elementary: None,
            verified: false,
            authenticated: phase != Phase::Activated,
            environment: None,
        }
    }
}

/// The applet.
pub(super) struct IsoApplet {
    pub(super) build: Build,
    /// What the card has for it, bytes.
    room: usize,
    pub(super) memory: Memory,
    pub(super) session: Session,
}

/// What a command's handler gives: data, or a status word.
pub(super) type Outcome = Result<Vec<u8>, Status>;

impl IsoApplet {
    pub(super) fn new(build: Build, room: usize, memory: Memory) -> Self {
        let session = Session::new(memory.phase);
        Self {
            build,
            room,
            memory,
            session,
        }
    }

    /// Returns version and features: 01 extended commands, 02 random numbers, 04 EC, 08 RSA
    /// with PSS, 20 RSA of 4096 bits.
    fn about(&self) -> Vec<u8> {
        match self.build.version {
            Version::V0 => vec![0x00, 0x06, 0x06],
            Version::V1 => vec![0x01, 0x00, 0x2F],
        }
    }

    fn execute(&mut self, command: &Command, entropy: &mut Entropy, work: &mut Work) -> Outcome {
        if command.cla() < 0xA0 && command.cla() & 0x0C != 0 {
            return Err(Status::SECURE_MESSAGING_NOT_SUPPORTED);
        }
        if command.cla() & 0x80 != 0 {
            return Err(Status::CLASS_NOT_SUPPORTED);
        }
        match (command.ins(), self.build.version) {
            (0xA4, _) => self.select_file(command),
            (0xB0, _) => self.read_binary(command),
            (0xD6, _) => self.update_binary(command, work),
            (0xE0, _) => self.create_file(command, work),
            (0xE4, _) => self.delete_file(command, work),
            (0x20, _) => self.verify(command, work),
            (0x24, _) => self.change_reference_data(command, work),
            (0x2C, _) => self.reset_retry_counter(command, work),
            (0x22, _) => self.manage_security_environment(command),
            (0x46, _) => self.generate_key_pair(command, work),
            (0x2A, _) => self.perform_security_operation(command, work),
            (0xDB, _) => self.put_data(command, work),
            (GET_CHALLENGE, _) => get_challenge(command, entropy),
            (0xCA, Version::V1) => match (command.p1(), command.p2()) {
                (0x01, 0x01) => Ok(self.about()),
                _ => Err(Status::WRONG_P1_P2),
            },
            // GET RESPONSE with nothing to fetch.
            (0xC0, Version::V0) if self.session.verified => Err(Status::CONDITIONS_NOT_SATISFIED),
            (0xC0, Version::V0) => Err(Status::SECURITY_STATUS_NOT_SATISFIED),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    /// Wants the PIN.
    pub(super) fn verified(&self) -> Result<(), Status> {
        if self.session.verified {
            Ok(())
        } else {
            Err(Status::SECURITY_STATUS_NOT_SATISFIED)
        }
    }

    /// Wants so many more bytes of memory: a Java Card that has no more says only 6F00.
    pub(super) fn room(&self, bytes: usize) -> Result<(), Status> {
        if self.memory.used() + bytes <= self.room {
            Ok(())
        } else {
            Err(Status::UNKNOWN)
        }
    }
}

/// `00 84 00 xx Le`.
fn get_challenge(command: &Command, entropy: &mut Entropy) -> Outcome {
    if command.p1() != 0 {
        return Err(Status::WRONG_P1_P2);
    }
    let wanted = command.le().filter(|le| *le <= 256);
    let wanted = wanted.ok_or(Status::WRONG_LENGTH)?;
    let mut challenge = vec![0; wanted as usize];
    entropy.draw(&mut challenge)?;
    Ok(challenge)
}

impl Applet for IsoApplet {
    fn is_named(&self, name: &[u8]) -> bool {
        AID.starts_with(name)
    }

    fn select(&mut self, _: &Command) -> Result<Answer, Status> {
        self.reset();
        Ok(match self.build.version {
            Version::V0 => self.about().into(),
            Version::V1 => Vec::new().into(),
        })
    }

    fn process(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        let data = self.execute(command, entropy, work)?;
        Ok(data.into())
    }

    fn reset(&mut self) {
        self.session = Session::new(self.memory.phase);
    }

    fn memory(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn foresee(&mut self, command: &Command, answer: &Response, entropy: &mut Entropy) {
        if command.ins() == GET_CHALLENGE && answer.status() == Status::OK {
            entropy.foresee(answer.data());
        }
    }
}
