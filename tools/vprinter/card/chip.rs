//! Where the chip of a card is reached.

use std::io;
use std::path::{Path, PathBuf};

use vcard::farm::Client;

/// A reader at a chip station.
pub trait Station: Send {
    /// Puts the chip of this state file into the reader, and returns when it is seen there.
    ///
    /// # Errors
    /// Where the reader does not take it.
    fn present(&mut self, chip: &Path) -> io::Result<()>;

    /// Takes the chip out.
    ///
    /// # Errors
    /// Where there is none.
    fn withdraw(&mut self) -> io::Result<()>;
}

/// A reader of a farm of virtual chips.
#[derive(Debug)]
pub struct FarmReader {
    socket: PathBuf,
    reader: usize,
}

impl FarmReader {
    /// Returns the reader of this number of the farm with this control socket.
    pub fn new(socket: &Path, reader: usize) -> Self {
        Self {
            socket: socket.to_owned(),
            reader,
        }
    }

    fn client(&self) -> io::Result<Client> {
        Client::connect(&self.socket).map_err(io::Error::other)
    }
}

impl Station for FarmReader {
    fn present(&mut self, chip: &Path) -> io::Result<()> {
        let inserted = self.client()?.insert(self.reader, chip, None);
        inserted.map_err(io::Error::other)
    }

    fn withdraw(&mut self) -> io::Result<()> {
        let removed = self.client()?.remove(self.reader);
        removed.map_err(io::Error::other)
    }
}
