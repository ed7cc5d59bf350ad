//! One command's turn: the memory it works on, the session it runs in.

use card::Status;

use crate::applet::Work;
use crate::eid::access::Present;
use crate::eid::session::{Offer, Session};
use crate::eid::state::{ApplicationState, MF, Pin, State, Usage};
use crate::product::Product;
use crate::store::{Image, Store};

/// Bytes that any change of the memory writes besides: counters, the record of the change.
const RECORD: usize = 16;

/// What is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Application {
    /// The issuer security domain.
    Isd,
    /// The eID application.
    Eid,
}

/// The secure channel's state.
pub(crate) enum SecureChannel {
    Closed,
    Offered(Box<dyn Offer>),
    Open(Box<dyn Session>),
}

/// What MSE SET prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) operation: Operation,
    /// Reference of a key in the current DF.
    pub(crate) key: u8,
}

/// What a prepared key is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Authenticate,
    Sign,
    Agree,
}

impl Operation {
    /// Returns the usage that a key must have for it.
    pub(crate) fn usage(self) -> Usage {
        match self {
            Self::Authenticate | Self::Agree => Usage::Authentication,
            Self::Sign => Usage::Signature,
        }
    }
}

/// Everything that a reset forgets.
pub(crate) struct Volatile {
    pub(crate) application: Application,
    pub(crate) directory: usize,
    pub(crate) elementary: Option<usize>,
    /// Indices of the PINs that count as verified.
    pub(crate) verified: Vec<usize>,
    pub(crate) environment: Option<Environment>,
    pub(crate) channel: SecureChannel,
}

impl Volatile {
    /// Returns what holds right after a reset.
    pub(crate) fn fresh() -> Self {
        Self::selecting(Application::Isd, MF)
    }

    /// Returns what holds right after an application was selected.
    pub(crate) fn selecting(application: Application, directory: usize) -> Self {
        Self {
            application,
            directory,
            elementary: None,
            verified: Vec::new(),
            environment: None,
            channel: SecureChannel::Closed,
        }
    }
}

/// What a command answers on success: data, and a status word, which may be a warning.
pub(crate) struct Reply {
    pub(crate) data: Vec<u8>,
    pub(crate) status: Status,
}

impl Reply {
    /// Returns 9000 without data.
    pub(crate) const fn done() -> Self {
        Self {
            data: Vec::new(),
            status: Status::OK,
        }
    }
}

impl From<Vec<u8>> for Reply {
    fn from(data: Vec<u8>) -> Self {
        Self {
            data,
            status: Status::OK,
        }
    }
}

/// What a command's handler gives.
pub(crate) type Outcome = Result<Reply, Status>;

/// One command's turn. Handlers change `state`; what they change is committed when they
/// succeed and dropped when they fail, but for what they [`Turn::commit`] on the way.
pub(crate) struct Turn<'a> {
    pub(crate) state: State,
    pub(crate) volatile: &'a mut Volatile,
    pub(crate) product: &'static Product,
    pub(crate) committed: &'a mut State,
    pub(crate) store: &'a mut dyn Store,
    /// What the command costs a real chip.
    pub(crate) work: &'a mut Work,
}

impl Turn<'_> {
    /// Makes the present state the chip's memory.
    pub(crate) fn commit(&mut self) -> Result<(), Status> {
        if self.state != *self.committed {
            let kept = self.store.commit(&Image::new(&self.state));
            kept.map_err(|_| Status::MEMORY_FAILURE)?;
            self.committed.clone_from(&self.state);
            self.work.written += RECORD;
        }
        Ok(())
    }

    /// Returns the open session.
    pub(crate) fn session(&self) -> Result<&dyn Session, Status> {
        match &self.volatile.channel {
            SecureChannel::Open(session) => Ok(&**session),
            _ => Err(Status::SECURITY_STATUS_NOT_SATISFIED),
        }
    }

    /// Wants an open session that encrypts commands.
    pub(crate) fn confidential(&self) -> Result<&dyn Session, Status> {
        let session = self.session()?;
        if session.level().decrypts_commands() {
            Ok(session)
        } else {
            Err(Status::SECURITY_STATUS_NOT_SATISFIED)
        }
    }

    /// Says whether the application is still being personalized.
    pub(crate) fn open_for_personalization(&self) -> bool {
        self.state.application == ApplicationState::Selectable
    }

    /// Wants a session, and an application that is not personalized yet.
    pub(crate) fn personalizing(&self) -> Result<(), Status> {
        self.session()?;
        if self.open_for_personalization() {
            Ok(())
        } else {
            Err(Status::CONDITIONS_NOT_SATISFIED)
        }
    }

    /// Wants so many more bytes of memory.
    pub(crate) fn room(&self, bytes: usize) -> Result<(), Status> {
        if self.state.memory_used() + bytes <= self.product.memory {
            Ok(())
        } else {
            Err(Status::NOT_ENOUGH_MEMORY)
        }
    }

    /// Returns the AID of the selected application's instance.
    pub(crate) fn selected_aid(&self) -> &'static [u8] {
        match self.volatile.application {
            Application::Isd => &crate::eid::state::ISD_AID,
            Application::Eid => self.product.application,
        }
    }

    /// Finds the PIN with this number: local to the current DF, else global.
    pub(crate) fn visible_pin(&self, number: u8) -> Option<usize> {
        let at = |home| {
            let mut pins = self.state.pins.iter();
            pins.position(|pin| pin.home == home && pin.number == number)
        };
        at(self.volatile.directory).or_else(|| at(MF))
    }

    /// Finds the PIN of a reference: 0x global, 8x local to the current DF.
    pub(crate) fn pin(&self, reference: u8) -> Result<usize, Status> {
        let home = match reference & 0xF0 {
            0x00 => MF,
            0x80 if self.volatile.directory != MF => self.volatile.directory,
            0x80 => return Err(Status::REFERENCE_NOT_FOUND),
            _ => return Err(Status::WRONG_P1_P2),
        };
        let number = reference & 0x0F;
        let mut pins = self.state.pins.iter();
        pins.position(|pin| pin.home == home && pin.number == number)
            .ok_or(Status::REFERENCE_NOT_FOUND)
    }

    /// Returns a PIN by index.
    pub(crate) fn pin_at(&mut self, index: usize) -> Result<&mut Pin, Status> {
        self.state.pins.get_mut(index).ok_or(Status::UNKNOWN)
    }

    /// Forgets that a PIN was verified.
    pub(crate) fn forget(&mut self, index: usize) {
        self.volatile.verified.retain(|verified| *verified != index);
    }

    /// Makes a directory current; leaving one forgets the security environment.
    pub(crate) fn enter(&mut self, directory: usize, elementary: Option<usize>) {
        if self.volatile.directory != directory {
            self.volatile.environment = None;
        }
        self.volatile.directory = directory;
        self.volatile.elementary = elementary;
    }
}

impl Present for Turn<'_> {
    fn issuer_channel(&self) -> bool {
        self.session().is_ok()
    }

    fn verified(&self, number: u8) -> bool {
        let pin = self.visible_pin(number);
        pin.is_some_and(|pin| self.volatile.verified.contains(&pin))
    }
}
