//! A strict virtual card printer: the escape command language on a pty and on loopback.
//!
//! ```text
//!   pty  ──┐                     ┌─ hopper: virtual chips
//!          ├─ Language ─ Machine ┼─ inside ── chip stations ── virtual readers (a farm of vcard)
//!   TCP  ──┘                     ├─ ribbon, counters, settings
//!                                └─ output, reject box ── PNG
//! ```

mod chip;
mod dots;
mod fault;
mod language;
mod machine;
mod motion;
mod pace;
mod picture;
mod port;
mod replies;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use chip::{FarmReader, Station};
pub use fault::{Mishap, Plan, Point, UnknownPlan};
pub use machine::{Blank, Card, Place, Setup};
pub use pace::{Pace, Worked};

use machine::Machine;
use port::Ports;

/// A card printer that runs. It ends when it is dropped.
pub struct VirtualCardPrinter {
    machine: Arc<Mutex<Machine>>,
    ports: Ports,
}

impl VirtualCardPrinter {
    /// Starts a printer whose cards go into `folder` as PNG.
    ///
    /// # Errors
    /// Where there is no folder, no port or no pty.
    pub fn start(folder: &Path, setup: Setup) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let link = folder.join("tty");
        let machine = Arc::new(Mutex::new(Machine::new(folder, setup)));
        let ports = Ports::open(&machine, &link)?;
        Ok(Self { machine, ports })
    }

    /// Returns its TCP address: `tcp://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("tcp://{}", self.ports.address)
    }

    /// Returns its serial device: a link that stays when it is unplugged and back.
    pub fn serial_device(&self) -> PathBuf {
        self.ports.link.clone()
    }

    /// Adds what goes wrong.
    pub fn plan(&self, plan: Plan) {
        self.lock().plan(plan);
    }

    /// Puts cards into the hopper.
    pub fn load(&self, blanks: impl IntoIterator<Item = Blank>) {
        self.lock().load(blanks);
    }

    /// Does what a person does: closes the cover, takes a jammed card out, puts a new ribbon in.
    pub fn service(&self) {
        self.lock().service();
    }

    /// Returns every card that left the hopper, in that order.
    pub fn cards(&self) -> Vec<Card> {
        self.lock().cards()
    }

    /// Returns how many cards are in the hopper.
    pub fn hopper(&self) -> usize {
        self.lock().hopper()
    }

    /// Returns what it worked since it was asked last.
    pub fn worked(&self) -> Worked {
        std::mem::take(&mut self.lock().worked)
    }

    /// Returns what a strict printer has to say of what it was sent.
    pub fn complaints(&self) -> Vec<String> {
        self.lock().complaints()
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
