//! A chip: bytes in, bytes out.
//!
//! ```text
//! bytes ─► Command ─► class ─► chain ─► secure messaging off ─► handler
//! bytes ◄─ pieces  ◄─ secure messaging on ◄─ commit ◄──────────────┘
//! ```

use std::path::Path;

use card::{Command, Response, Status};
use zeroize::Zeroizing;

use crate::identity::{ChipNumber, ChipSerial};
use crate::instructions;
use crate::product::Product;
use crate::scp03::Form;
use crate::state::State;
use crate::store::{FileStore, Image, Memory, Store, StoreError};
use crate::transmission::{self, Chain, Class, Rest};
use crate::transport::TransportMasterKey;
use crate::turn::{SecureChannel, Turn, Volatile};

const GET_RESPONSE: u8 = 0xC0;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;
const GET_DATA: u8 = 0xCA;
const GET_DATA_ODD: u8 = 0xCB;

/// A virtual chip.
pub struct Chip {
    state: State,
    store: Box<dyn Store>,
    product: &'static Product,
    volatile: Volatile,
    chain: Option<Chain>,
    rest: Option<Rest>,
}

impl Chip {
    /// Makes a blank as it leaves the factory, and commits it to its store.
    ///
    /// # Errors
    /// [`StoreError`] where the store or the key derivation fails.
    pub fn blank(
        product: &'static Product,
        number: ChipNumber,
        keys: &TransportMasterKey,
        mut store: impl Store + 'static,
    ) -> Result<Self, StoreError> {
        let keys = keys.diversify(&ChipSerial::of(product, number))?;
        let state = State::blank(product.id, number, keys);
        store.commit(&Image::new(&state))?;
        Ok(Self::started(state, Box::new(store), product))
    }

    /// Opens the chip in a state file.
    ///
    /// # Errors
    /// [`StoreError`] where it is missing, damaged or of an unknown product.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (store, memory) = FileStore::open(path)?;
        let damaged = |_| StoreError::Damaged {
            path: path.to_owned(),
            why: "memory",
        };
        let state: State = serde_json::from_slice(&memory).map_err(damaged)?;
        let product = Product::find(&state.product)
            .ok_or_else(|| StoreError::Product(state.product.clone()))?;
        Ok(Self::started(state, Box::new(store), product))
    }

    /// Returns the memory as bytes, **secrets in clear**: for tests that come back to it.
    ///
    /// # Errors
    /// [`StoreError::Encoding`].
    pub fn snapshot(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        Image::new(&self.state).encode()
    }

    /// Makes a chip from a snapshot, without power so far, kept in memory only.
    ///
    /// # Errors
    /// [`StoreError::Encoding`] where the bytes are no snapshot.
    pub fn restore(snapshot: &[u8]) -> Result<Self, StoreError> {
        let state: State = serde_json::from_slice(snapshot).map_err(StoreError::Encoding)?;
        let product = Product::find(&state.product)
            .ok_or_else(|| StoreError::Product(state.product.clone()))?;
        Ok(Self::started(state, Box::new(Memory), product))
    }

    /// Puts another store in place of the chip's own.
    #[cfg(test)]
    pub(crate) fn replace_store(&mut self, store: impl Store + 'static) {
        self.store = Box::new(store);
    }

    fn started(state: State, store: Box<dyn Store>, product: &'static Product) -> Self {
        Self {
            state,
            store,
            product,
            volatile: Volatile::fresh(),
            chain: None,
            rest: None,
        }
    }

    /// Returns the answer to reset.
    pub fn atr(&self) -> &'static [u8] {
        self.product.atr
    }

    /// Returns what the chip is.
    pub fn product(&self) -> &'static Product {
        self.product
    }

    /// Returns the chip's serial.
    pub fn serial(&self) -> ChipSerial {
        ChipSerial::of(self.product, self.state.number)
    }

    /// Cuts the power and gives it back: everything but the memory is forgotten.
    pub fn reset(&mut self) {
        self.volatile = Volatile::fresh();
        self.chain = None;
        self.rest = None;
    }

    /// Answers one command APDU with one response APDU. The memory is committed before.
    pub fn process(&mut self, bytes: &[u8]) -> Vec<u8> {
        let response = match Command::parse(bytes) {
            Ok(command) => self
                .answer(command, Form::of(bytes))
                .unwrap_or_else(|status| Response::new([], status)),
            Err(_) => Response::new([], Status::WRONG_LENGTH),
        };
        response.encode().to_vec()
    }

    fn answer(&mut self, command: Command, form: Form) -> Result<Response, Status> {
        let class = Class::parse(command.cla())?;
        if command.ins() == GET_RESPONSE && !class.secured && !class.chained {
            return Ok(transmission::get_response(&mut self.rest, &command));
        }
        self.rest = None;
        let limit = self.product.command_data;
        let linked = transmission::link(&mut self.chain, command, class, limit)?;
        let Some(command) = linked else {
            return Ok(Response::new([], Status::OK));
        };
        let correct = matches!(command.ins(), GET_DATA | GET_DATA_ODD) && !class.secured;
        let le = command.le();
        let command = self.unsecured(command, class, form)?;
        let (data, status) = self.execute(&command);
        let (data, status) = self.secured(data, status);
        let rest = &mut self.rest;
        Ok(transmission::deliver(rest, data, status, le, correct))
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
        let SecureChannel::Open(session) = &self.volatile.channel else {
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

    fn execute(&mut self, command: &Command) -> (Vec<u8>, Status) {
        let mut turn = Turn {
            state: self.state.clone(),
            volatile: &mut self.volatile,
            product: self.product,
            committed: &mut self.state,
            store: self.store.as_mut(),
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
