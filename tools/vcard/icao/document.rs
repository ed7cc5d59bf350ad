//! The applet: what it knows while it has power, and which command goes where.

use card::{Command, Response, Status};
use serde_json::Value;

use super::chain::{CHAINED, Chain, Joined};
use super::files::{CVCA, Directory, Place, Rule};
use super::memory::Memory;
use super::pace::Dialogue;
use super::terminal_authentication::Inspection;
use crate::applet::{Answer, Applet, Entropy, Work};
use crate::inspection::messaging::{ExpectedLength, Messaging};

/// Name of the LDS1 eMRTD application (ICAO Doc 9303-10 §3.3).
pub(crate) const AID: &[u8] = &[0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

const GENERAL_AUTHENTICATE: u8 = 0x86;
/// PERFORM SECURITY OPERATION.
pub(super) const PERFORM_SECURITY_OPERATION: u8 = 0x2A;

/// What differs between the products with this applet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// Most bytes of an answer's data, before it is sealed.
    pub(crate) answer: usize,
}

/// Where a command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    /// Through the reader's session.
    Session,
    /// Through the issuer's channel, encrypted or not.
    Issuer {
        confidential: bool,
    },
}

/// A command without its protection.
pub(super) struct Request<'a> {
    pub(super) cla: u8,
    pub(super) ins: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: &'a [u8],
    /// Bytes of answer that are asked for.
    pub(super) le: Option<usize>,
    /// Most bytes of an answer's data.
    pub(super) room: usize,
    pub(super) way: Way,
}

impl Request<'_> {
    /// Returns P1 ‖ P2.
    pub(super) fn p1p2(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    /// Wants no parameters.
    pub(super) fn no_parameters(&self) -> Result<(), Status> {
        match self.p1p2() {
            0 => Ok(()),
            _ => Err(Status::WRONG_P1_P2),
        }
    }

    /// Says whether more of a chain follows.
    pub(super) fn is_chained(&self) -> bool {
        self.cla & CHAINED != 0
    }
}

/// An open session, and what was proved in it.
pub(super) struct Session {
    pub(super) messaging: Messaging,
    /// Identifies the chip in terminal authentication: the compressed key of PACE, or the
    /// document's number.
    pub(super) identifier: Vec<u8>,
    /// Whether PACE opened it.
    pub(super) by_pace: bool,
    pub(super) inspection: Inspection,
}

/// The applet.
pub(super) struct Document {
    build: Build,
    /// Bytes for files.
    pub(super) room: usize,
    pub(super) memory: Memory,
    pub(super) directory: Directory,
    pub(super) selected: Option<Place>,
    pub(super) session: Option<Session>,
    /// Takes over when the present answer is sealed.
    pub(super) successor: Option<Messaging>,
    /// PACE on its way.
    pub(super) dialogue: Option<Dialogue>,
    /// What BAC or terminal authentication answers.
    pub(super) challenge: Option<[u8; 8]>,
    pub(super) chain: Option<Chain>,
}

/// What a handler gives.
pub(super) type Outcome = Result<Vec<u8>, Status>;

impl Document {
    /// Starts with this memory.
    pub(super) fn new(build: Build, room: usize, memory: Memory) -> Self {
        Self {
            build,
            room,
            memory,
            directory: Directory::Master,
            selected: None,
            session: None,
            successor: None,
            dialogue: None,
            challenge: None,
            chain: None,
        }
    }

    /// Ends the session and all that was proved in it.
    pub(super) fn end(&mut self) {
        self.session = None;
        self.successor = None;
        self.challenge = None;
        self.selected = None;
        self.chain = None;
    }

    fn plain(&mut self, command: &Command, entropy: &mut Entropy, work: &mut Work) -> Outcome {
        // A command in plain ends the session (ICAO Doc 9303-11 §9.8.1).
        if self.session.is_some() {
            self.end();
        }
        let request = Request {
            way: Way::Plain,
            ..self.request(command, command.data())
        };
        self.execute(&request, entropy, work)
    }

    fn request<'a>(&self, command: &Command, data: &'a [u8]) -> Request<'a> {
        let asked = command
            .le()
            .map(|le| usize::try_from(le).unwrap_or(usize::MAX));
        Request {
            cla: command.cla(),
            ins: command.ins(),
            p1: command.p1(),
            p2: command.p2(),
            data,
            le: asked,
            room: self.build.answer,
            way: Way::Plain,
        }
    }

    fn protected(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        let Some(session) = self.session.as_mut() else {
            return Err(Status::SECURE_MESSAGING_NOT_SUPPORTED);
        };
        let opened = session.messaging.open(command);
        // An answer goes out whole: what it may carry follows from the length asked for.
        let outer = command.le().map_or(0x100, |le| le.max(0x100));
        let fits = session
            .messaging
            .capacity(usize::try_from(outer).unwrap_or(0x100));
        let opened = opened.inspect_err(|_| self.end())?;
        let request = Request {
            le: opened.le.map(ExpectedLength::most),
            room: self.build.answer.min(fits),
            way: Way::Session,
            ..self.request(command, &opened.data)
        };
        let (data, status) = match self.execute(&request, entropy, work) {
            Ok(data) => (data, Status::OK),
            Err(status) => (Vec::new(), status),
        };
        let session = self.session.as_mut().ok_or(Status::UNKNOWN)?;
        let data = session.messaging.seal(command.ins(), &data, status)?;
        if let Some(successor) = self.successor.take() {
            session.messaging = successor;
        }
        Ok(Answer { data, status })
    }

    fn execute(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        let dialogue = self.dialogue.take();
        if request.ins == GENERAL_AUTHENTICATE {
            return match dialogue {
                Some(dialogue) if request.way == Way::Plain => {
                    self.continue_pace(dialogue, request, entropy, work)
                }
                _ => self.authenticate_chip(request, entropy, work),
            };
        }
        let joined = self.join(request)?;
        let request = match &joined {
            Joined::Whole => request,
            Joined::Piece => return Ok(Vec::new()),
            Joined::Chain(data) => &Request { data, ..*request },
        };
        if matches!(request.way, Way::Issuer { .. })
            && let Some(outcome) = self.personalize(request, entropy, work)
        {
            return outcome;
        }
        match request.ins {
            0x22 => self.manage_environment(request),
            PERFORM_SECURITY_OPERATION => self.verify_certificate(request, work),
            0x82 if request.way == Way::Session => self.authenticate_terminal(request, work),
            0x82 => self.basic_access(request, entropy, work),
            0x84 => self.get_challenge(request, entropy),
            0x88 => self.internal_authenticate(request, entropy, work),
            0xA4 => self.select_file(request),
            0xB0 => self.read_binary(request),
            0xB1 => self.read_binary_odd(request),
            // The issuer's, outside its channel.
            0x46 | 0x47 | 0xD6 | 0xD7 | 0xDA | 0xDB | 0xE0 => {
                self.memory.open()?;
                Err(Status::SECURITY_STATUS_NOT_SATISFIED)
            }
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    /// `22`: what is prepared depends on parameters and session.
    fn manage_environment(&mut self, request: &Request<'_>) -> Outcome {
        match (request.p1p2(), request.way) {
            (0xC1A4, Way::Plain) => self.prepare_pace(request),
            (0x41A6, Way::Session) => self.agree_with_triple_des(request),
            (0x41A4, Way::Session) => self.prepare_chip_authentication(request),
            (0x81B6, Way::Session) => self.choose_issuer(request),
            (0x81A4, Way::Session) => self.choose_terminal(request),
            (0xC1A4 | 0x41A6 | 0x41A4 | 0x81B6 | 0x81A4, _) => {
                Err(Status::SECURITY_STATUS_NOT_SATISFIED)
            }
            _ => Err(Status::WRONG_P1_P2),
        }
    }

    /// `84`: for BAC in plain, for terminal authentication in a session.
    fn get_challenge(&mut self, request: &Request<'_>, entropy: &mut Entropy) -> Outcome {
        request.no_parameters()?;
        let served = match request.way {
            Way::Plain => self.memory.basic_access && self.memory.zone.is_some(),
            Way::Session => self.expects_challenge(),
            Way::Issuer { .. } => false,
        };
        if !served {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let mut challenge = [0; 8];
        if request.le != Some(challenge.len()) || !request.data.is_empty() {
            return Err(Status::WRONG_LENGTH);
        }
        entropy.draw(&mut challenge)?;
        self.challenge = Some(challenge);
        Ok(challenge.to_vec())
    }

    /// Says whether a file may be read.
    pub(super) fn may_read(&self, place: Place, way: Way) -> bool {
        if matches!(way, Way::Issuer { .. }) && !self.memory.locked {
            return true;
        }
        let rule = if place == CVCA {
            Some(Rule::Session)
        } else {
            self.memory.files.rule(place)
        };
        let session = self.session.as_ref().filter(|_| way == Way::Session);
        match (rule, session) {
            (Some(Rule::Always), _) | (Some(Rule::Session), Some(_)) => true,
            (Some(Rule::Pace), Some(session)) => session.by_pace,
            (Some(Rule::Entitled(right)), Some(session)) => session.inspection.entitles(right),
            _ => false,
        }
    }
}

impl Applet for Document {
    fn is_named(&self, name: &[u8]) -> bool {
        !name.is_empty() && AID.starts_with(name)
    }

    fn is_default(&self) -> bool {
        true
    }

    fn serves_issuer(&self) -> bool {
        true
    }

    fn select(&mut self, command: &Command) -> Result<Answer, Status> {
        self.end();
        self.dialogue = None;
        let request = self.request(command, command.data());
        self.select_file(&request).map(Answer::from)
    }

    fn process(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        match command.cla() & !CHAINED {
            0x00 => self.plain(command, entropy, work).map(Answer::from),
            0x0C => self.protected(command, entropy, work),
            _ => Err(Status::CLASS_NOT_SUPPORTED),
        }
    }

    fn process_for_issuer(
        &mut self,
        command: &Command,
        confidential: bool,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status> {
        if self.session.is_some() {
            self.end();
        }
        let request = Request {
            way: Way::Issuer { confidential },
            ..self.request(command, command.data())
        };
        self.execute(&request, entropy, work).map(Answer::from)
    }

    fn yield_to_issuer(&mut self) {
        self.end();
        self.dialogue = None;
    }

    fn interrupt(&mut self) {
        self.dialogue = None;
        self.chain = None;
    }

    fn reset(&mut self) {
        self.end();
        self.dialogue = None;
        self.directory = Directory::Master;
    }

    fn memory(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.memory)
    }

    fn foresee(&mut self, command: &Command, answer: &Response, entropy: &mut Entropy) {
        // A challenge in plain; what a session's commands drew only its reader knows.
        if (command.cla(), command.ins()) == (0x00, 0x84) && answer.status().is_ok() {
            entropy.foresee(answer.data());
        }
    }
}
