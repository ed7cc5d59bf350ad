//! A command on its way through the operating system.
//!
//! ```text
//! Command ─► class ─► chain ─► secure messaging off ─► handler
//! pieces  ◄─ secure messaging on ◄─ commit ◄──────────────┘
//! ```

use card::{Command, Response, Status};

use super::instructions;
use super::state::{CardState, MF, State};
use super::turn::{Application, SecureChannel, Turn, Volatile};
use crate::applet::Work;
use crate::product::Product;
use crate::store::Store;
use crate::transmission::{Class, Form, Line};

const GET_RESPONSE: u8 = 0xC0;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;
const GET_DATA: u8 = 0xCA;
const GET_DATA_ODD: u8 = 0xCB;

/// The operating system at work: its memory, and what it forgets without power.
pub(crate) struct Os {
    state: State,
    volatile: Volatile,
    product: &'static Product,
}

impl Os {
    /// Starts with this memory.
    pub(crate) fn new(state: State, product: &'static Product) -> Self {
        Self {
            state,
            volatile: Volatile::fresh(),
            product,
        }
    }

    /// Returns the memory.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Returns the card's life cycle.
    pub(crate) fn card(&self) -> CardState {
        self.state.card
    }

    /// Forgets everything but the memory.
    pub(crate) fn reset(&mut self) {
        self.volatile = Volatile::fresh();
    }

    /// Keeps the secure channel for the applet of a Java Card, which was selected.
    pub(crate) fn lend(&mut self) {
        self.volatile = Volatile::selecting(Application::Eid, MF);
    }

    /// Takes a command for an applet out of the channel; returns whether it was encrypted, or
    /// `None` where it came in plain and no channel is open. A plain one ends an open channel.
    /// Its Le is what the applet may give, so that the protected answer is as long as asked for.
    pub(crate) fn receive(
        &mut self,
        command: Command,
        form: Form,
    ) -> Result<(Command, Option<bool>), Status> {
        // The bit that says so is another one in ISO's secure messaging.
        let secured = command.cla() & 0x0C == 0x04;
        if !secured {
            return match self.volatile.channel {
                SecureChannel::Open(_) => {
                    self.volatile.channel = SecureChannel::Closed;
                    Err(Status::SECURITY_STATUS_NOT_SATISFIED)
                }
                _ => Ok((command, None)),
            };
        }
        let class = Class::parse(command.cla())?;
        let command = self.unsecured(command, class, form)?;
        let SecureChannel::Open(session) = &self.volatile.channel else {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        };
        let level = session.level();
        let command = match command.le() {
            Some(le) => {
                let mac = u32::try_from(self.state.scp.length()).unwrap_or(u32::MAX);
                command.with_le(level.plain(le, mac).max(1))
            }
            None => command,
        };
        Ok((command, Some(level.decrypts_commands())))
    }

    /// Puts an applet's answer into the channel.
    pub(crate) fn send(&mut self, data: Vec<u8>, status: Status) -> (Vec<u8>, Status) {
        self.secured(data, status)
    }

    /// Answers one command; what it changes is in the store before.
    pub(crate) fn answer(
        &mut self,
        command: Command,
        form: Form,
        line: &mut Line,
        store: &mut dyn Store,
        work: &mut Work,
    ) -> Result<Response, Status> {
        let class = Class::parse(command.cla()).inspect_err(|_| {
            self.interrupt();
            line.pass_over();
        })?;
        if command.ins() == GET_RESPONSE && !class.secured && !class.chained {
            return Ok(line.get_response(&command));
        }
        if command.ins() != EXTERNAL_AUTHENTICATE {
            self.interrupt();
        }
        let linked = line.link(command, class.chained);
        let Some(command) = linked.inspect_err(|_| line.pass_over())? else {
            return Ok(Response::new([], Status::OK));
        };
        let correct = matches!(command.ins(), GET_DATA | GET_DATA_ODD) && !class.secured;
        let le = command.le();
        let command = self.unsecured(command, class, form)?;
        let (data, status) = self.execute(&command, store, work);
        let (data, status) = self.secured(data, status);
        Ok(line.deliver(data, status, le, correct))
    }

    /// Closes an offered channel: only EXTERNAL AUTHENTICATE right after INITIALIZE UPDATE
    /// opens it (GP Amendment D §5.1), and something else came.
    pub(crate) fn interrupt(&mut self) {
        if let SecureChannel::Offered(_) = self.volatile.channel {
            self.volatile.channel = SecureChannel::Closed;
        }
    }

    /// Takes secure messaging off. A failure ends the session.
    fn unsecured(&mut self, command: Command, class: Class, form: Form) -> Result<Command, Status> {
        let opening = class.proprietary && command.ins() == EXTERNAL_AUTHENTICATE;
        let outcome = match &mut self.volatile.channel {
            SecureChannel::Open(session) if class.secured => match session.unwrap(&command, form) {
                Ok(Some(plain)) => return Ok(plain),
                Ok(None) => Status::SECURE_MESSAGING_INCORRECT,
                Err(_) => Status::UNKNOWN,
            },
            SecureChannel::Open(_) if instructions::ends_session(&command) => return Ok(command),
            SecureChannel::Open(_) => Status::SECURITY_STATUS_NOT_SATISFIED,
            // EXTERNAL AUTHENTICATE carries the first MAC before there is a session.
            _ if !class.secured || opening => return Ok(command),
            _ => Status::SECURITY_STATUS_NOT_SATISFIED,
        };
        self.volatile.channel = SecureChannel::Closed;
        Err(outcome)
    }

    /// Puts secure messaging on, where the session asks for it.
    fn secured(&mut self, data: Vec<u8>, status: Status) -> (Vec<u8>, Status) {
        let SecureChannel::Open(session) = &mut self.volatile.channel else {
            return (data, status);
        };
        if session.is_new() {
            // The answer to EXTERNAL AUTHENTICATE itself is not protected.
            return (data, status);
        }
        match session.wrap(&data, status) {
            Ok(data) => (data, status),
            Err(_) => (Vec::new(), Status::UNKNOWN),
        }
    }

    fn execute(
        &mut self,
        command: &Command,
        store: &mut dyn Store,
        work: &mut Work,
    ) -> (Vec<u8>, Status) {
        let mut turn = Turn {
            state: self.state.clone(),
            volatile: &mut self.volatile,
            product: self.product,
            committed: &mut self.state,
            store,
            work,
        };
        let outcome = instructions::execute(&mut turn, command);
        let outcome = outcome.and_then(|reply| turn.commit().map(|()| reply));
        match outcome {
            Ok(reply) => (reply.data, reply.status),
            Err(status) => {
                if status == Status::MEMORY_FAILURE {
                    // What the session believes may rest on what was not written.
                    self.volatile = Volatile::fresh();
                }
                (Vec::new(), status)
            }
        }
    }
}
