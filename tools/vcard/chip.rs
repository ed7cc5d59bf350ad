//! A chip: bytes in, bytes out.

use std::path::Path;

use card::{Command, Response, Status};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::applet::Work;
use crate::eid::Os;
use crate::eid::state::State;
use crate::identity::{ChipNumber, ChipSerial};
use crate::java_card::JavaCard;
use crate::product::{Product, Software};
use crate::recording::Recording;
use crate::scp::Scp;
use crate::store::{FileStore, Image, Memory, Store, StoreError, WithApplet};
use crate::transmission::{Form, Line};
use crate::transport::TransportMasterKey;

/// A virtual chip.
pub struct Chip {
    system: System,
    store: Box<dyn Store>,
    product: &'static Product,
    line: Line,
    work: Work,
}

/// What runs on a chip.
enum System {
    Eid(Os),
    JavaCard(JavaCard),
}

/// What every encoded memory begins with.
#[derive(Deserialize)]
struct Owner {
    product: String,
}

impl System {
    /// Reads an encoded memory.
    fn wake(memory: &[u8]) -> Result<(Self, &'static Product), StoreError> {
        let encoding = StoreError::Encoding;
        let Owner { product } = serde_json::from_slice(memory).map_err(encoding)?;
        let product = Product::find(&product).ok_or(StoreError::Product(product))?;
        let system = match product.software {
            Software::Eid => {
                let state = serde_json::from_slice(memory).map_err(encoding)?;
                Self::Eid(Os::new(state, product))
            }
            Software::JavaCard(kind) => {
                let whole = serde_json::from_slice(memory).map_err(encoding)?;
                let WithApplet { domain, applet, .. } = whole;
                Self::JavaCard(JavaCard::new(domain, product, kind, Some(applet))?)
            }
        };
        Ok((system, product))
    }

    fn state(&self) -> &State {
        match self {
            Self::Eid(os) => os.state(),
            Self::JavaCard(card) => card.state(),
        }
    }

    fn image(&self) -> Image<'_> {
        match self {
            Self::Eid(os) => Image::new(os.state()),
            Self::JavaCard(card) => card.image(),
        }
    }
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
        store: impl Store + 'static,
    ) -> Result<Self, StoreError> {
        Self::blank_speaking(product.scp, product, number, keys, store)
    }

    /// Makes a blank of a batch whose security domain speaks another secure channel than the
    /// product's usual one.
    ///
    /// # Errors
    /// As [`Self::blank`].
    pub fn blank_speaking(
        scp: Scp,
        product: &'static Product,
        number: ChipNumber,
        keys: &TransportMasterKey,
        mut store: impl Store + 'static,
    ) -> Result<Self, StoreError> {
        let keys = keys.diversify(&ChipSerial::of(product, number), scp)?;
        let system = match product.software {
            Software::Eid => {
                let state = State::blank(product.id, number, scp, keys);
                System::Eid(Os::new(state, product))
            }
            Software::JavaCard(kind) => {
                let state = State::domain(product.id, number, scp, keys);
                System::JavaCard(JavaCard::new(state, product, kind, None)?)
            }
        };
        store.commit(&system.image())?;
        Ok(Self::started(system, Box::new(store), product))
    }

    /// Opens the chip in a state file.
    ///
    /// # Errors
    /// [`StoreError`] where it is missing, damaged, running already or of an unknown product.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (store, memory) = FileStore::open(path)?;
        let woken = System::wake(&memory).map_err(|error| match error {
            StoreError::Encoding(_) => StoreError::Damaged {
                path: path.to_owned(),
                why: "memory",
            },
            error => error,
        });
        let (system, product) = woken?;
        Ok(Self::started(system, Box::new(store), product))
    }

    /// Returns the memory as bytes, **secrets in clear**: for tests that come back to it.
    ///
    /// # Errors
    /// [`StoreError::Encoding`].
    pub fn snapshot(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.system.image().encode()
    }

    /// Makes a chip from a snapshot, without power so far, kept in memory only.
    ///
    /// # Errors
    /// [`StoreError::Encoding`] where the bytes are no snapshot.
    pub fn restore(snapshot: &[u8]) -> Result<Self, StoreError> {
        let (system, product) = System::wake(snapshot)?;
        Ok(Self::started(system, Box::new(Memory), product))
    }

    /// Lets the chip draw again what it drew in a recorded session, where the same commands
    /// come in the same order: challenges, nonces. A key pair is made afresh all the same.
    /// The eID products draw nothing of a recording.
    #[must_use]
    pub fn with_recording(mut self, recording: Recording) -> Self {
        if let System::JavaCard(card) = &mut self.system {
            card.play(recording);
        }
        self
    }

    /// Puts another store in place of the chip's own.
    #[cfg(test)]
    pub(crate) fn replace_store(&mut self, store: impl Store + 'static) {
        self.store = Box::new(store);
    }

    fn started(system: System, store: Box<dyn Store>, product: &'static Product) -> Self {
        Self {
            system,
            store,
            product,
            line: Line::new(product.transmission, product.command_data),
            work: Work::default(),
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
        ChipSerial::of(self.product, self.system.state().number)
    }

    /// Returns what the last command cost a real chip.
    pub(crate) fn work(&self) -> Work {
        self.work
    }

    /// Cuts the power and gives it back: everything but the memory is forgotten.
    pub fn reset(&mut self) {
        match &mut self.system {
            System::Eid(os) => os.reset(),
            System::JavaCard(card) => card.reset(),
        }
        self.line.clear();
    }

    /// Answers one command APDU with one response APDU. The memory is committed before.
    /// Where nobody knows any more what the memory is, the answer is 6F00, for good.
    pub fn process(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.work = Work::default();
        if self.store.is_unsettled() {
            return Response::new([], Status::UNKNOWN).encode().to_vec();
        }
        let response = match Command::parse(bytes) {
            Ok(command) => self
                .answer(command, Form::of(bytes))
                .unwrap_or_else(|status| Response::new([], status)),
            Err(_) => {
                self.pass_over();
                Response::new([], Status::WRONG_LENGTH)
            }
        };
        response.encode().to_vec()
    }

    fn answer(&mut self, command: Command, form: Form) -> Result<Response, Status> {
        let (line, store) = (&mut self.line, self.store.as_mut());
        match &mut self.system {
            System::Eid(os) => os.answer(command, form, line, store, &mut self.work),
            System::JavaCard(card) => card.answer(command, form, line, store, &mut self.work),
        }
    }

    /// Notes a command that nobody can read: what holds for the next command is over.
    fn pass_over(&mut self) {
        match &mut self.system {
            System::Eid(os) => os.interrupt(),
            System::JavaCard(card) => card.interrupt(),
        }
        self.line.pass_over();
    }
}
