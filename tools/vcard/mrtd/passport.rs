//! The applet: what it remembers, and which instruction goes where.

use card::{Command, Response, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::active_authentication;
use super::files::{Files, Id};
use crate::applet::{Answer, Applet, Entropy, Work};
use crate::inspection::basic_access;
use crate::inspection::cipher::Keys;
use crate::inspection::messaging::{ExpectedLength, Messaging};

/// ICAO's application identifier for the LDS (ICAO Doc 9303-10 §3.3).
pub(crate) const AID: &[u8] = &[0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

const EXTERNAL_AUTHENTICATE: u8 = 0x82;
const GET_CHALLENGE: u8 = 0x84;
const SELECT: u8 = 0xA4;

/// What survives a power cut.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    pub(super) locked: bool,
    pub(super) access: Option<Keys>,
    pub(super) active: active_authentication::Key,
    pub(super) files: Files,
}

/// The applet.
#[derive(Default)]
pub(super) struct Passport {
    pub(super) memory: Memory,
    pub(super) session: Option<Messaging>,
    challenge: Option<[u8; 8]>,
    pub(super) selected: Option<Id>,
}

/// A command without its protection.
pub(super) struct Request<'a> {
    pub(super) ins: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: &'a [u8],
    /// Plain: 256 for 00, 0 without Le. Protected: as it stands in the length object, so
    /// that 00 asks for nothing, and so it does on the chip.
    pub(super) le: usize,
    pub(super) protected: bool,
}

impl Request<'_> {
    /// Returns P1 ‖ P2.
    pub(super) fn p1p2(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    fn wants_no_parameters(&self) -> Result<(), Status> {
        match self.p1p2() {
            0 => Ok(()),
            _ => Err(Status::WRONG_P1_P2),
        }
    }
}

impl Passport {
    /// Returns the applet with this memory.
    pub(super) fn wake(memory: Value) -> Result<Self, serde_json::Error> {
        Ok(Self {
            memory: serde_json::from_value(memory)?,
            ..Self::default()
        })
    }

    /// A command in plain ends an open session and its selection (ICAO Doc 9303-11 §9.8),
    /// all but a selection by name, which the recorded applet lets pass.
    fn plain(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        let by_name = (command.ins(), command.p1()) == (SELECT, 0x04);
        if self.session.is_some() && !by_name {
            self.reset();
            // The applet looks at its session first.
            if matches!(command.ins(), GET_CHALLENGE | EXTERNAL_AUTHENTICATE) {
                return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
            }
        }
        let le = command.le().unwrap_or_default();
        let request = Request {
            ins: command.ins(),
            p1: command.p1(),
            p2: command.p2(),
            data: command.data(),
            le: usize::try_from(le).unwrap_or(usize::MAX),
            protected: false,
        };
        self.execute(&request, entropy, work).map(Answer::from)
    }

    fn protected(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        // Out of the applet until the answer is sealed: an error on the way ends it.
        let Some(mut session) = self.session.take() else {
            return Err(Status::SECURE_MESSAGING_NOT_SUPPORTED);
        };
        let opened = session.open(command).inspect_err(|_| self.reset())?;
        self.session = Some(session);
        let request = Request {
            ins: command.ins(),
            p1: command.p1(),
            p2: command.p2(),
            data: &opened.data,
            le: opened.le.map_or(0, ExpectedLength::number),
            protected: true,
        };
        let (data, status) = match self.execute(&request, entropy, work) {
            Ok(data) => (data, Status::OK),
            Err(status) => (Vec::new(), status),
        };
        let session = self.session.as_mut().ok_or(Status::UNKNOWN)?;
        let data = session.seal(command.ins(), &data, status)?;
        Ok(Answer { data, status })
    }

    fn execute(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        match request.ins {
            GET_CHALLENGE => self.get_challenge(request, entropy),
            EXTERNAL_AUTHENTICATE => self.external_authenticate(request, entropy),
            0x88 => {
                request.wants_no_parameters()?;
                self.internal_authenticate(request, work)
            }
            SELECT => self.select_file(request),
            0xB0 => self.read_binary(request),
            0xB1 => self.read_binary_odd(request),
            0xD6 => self.update_binary(request, work),
            0xD7 => self.update_binary_odd(request, work),
            0xE0 => self.create_file(request, work),
            0xDA => self.put_data(request, work),
            // The way to chip and terminal authentication, for which there is no key here.
            0x22 if request.protected => Err(Status::INSTRUCTION_NOT_SUPPORTED),
            0x22 | 0x2A => Err(Status::SECURITY_STATUS_NOT_SATISFIED),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    fn get_challenge(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
    ) -> Result<Vec<u8>, Status> {
        request.wants_no_parameters()?;
        if self.memory.access.is_none() || self.session.is_some() {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let mut challenge = [0; 8];
        if request.le != challenge.len() || !request.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        entropy.draw(&mut challenge)?;
        self.challenge = Some(challenge);
        Ok(challenge.to_vec())
    }

    fn external_authenticate(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
    ) -> Result<Vec<u8>, Status> {
        request.wants_no_parameters()?;
        let (Some(keys), Some(challenge), None) =
            (&self.memory.access, self.challenge, &self.session)
        else {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        };
        let data = request.data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
        // One challenge, one attempt.
        self.challenge = None;
        let (answer, session) = basic_access::answer(keys, &challenge, data, entropy)?
            .ok_or(Status::SECURITY_STATUS_NOT_SATISFIED)?;
        self.session = Some(session);
        Ok(answer)
    }
}

impl Applet for Passport {
    fn is_named(&self, name: &[u8]) -> bool {
        !name.is_empty() && AID.starts_with(name)
    }

    /// The session is **not** forgotten: the applet keeps it in memory that no selection
    /// clears, so that it survives one and with it a PC/SC disconnect. This is the recorded
    /// exception to "a command in plain ends the session".
    fn select(&mut self, command: &Command) -> Result<Answer, Status> {
        match command.p2() {
            0x00 | 0x0C => Ok(Answer::from(Vec::new())),
            _ => Err(Status::WRONG_P1_P2),
        }
    }

    fn process(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        match command.cla() {
            0x00 => self.plain(command, entropy, work),
            0x0C => self.protected(command, entropy, work),
            _ => Err(Status::CLASS_NOT_SUPPORTED),
        }
    }

    fn reset(&mut self) {
        self.session = None;
        self.challenge = None;
        self.selected = None;
    }

    fn memory(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn foresee(&mut self, command: &Command, answer: &Response, entropy: &mut Entropy) {
        if !answer.status().is_ok() || command.cla() != 0x00 {
            return;
        }
        match (command.ins(), &self.memory.access) {
            (0x84, _) => entropy.foresee(answer.data()),
            (0x82, Some(keys)) => {
                if let Some(key) = basic_access::chip_key(keys, answer.data()) {
                    entropy.foresee(&key);
                }
            }
            _ => {}
        }
    }
}
