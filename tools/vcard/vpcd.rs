//! A chip in a slot of vpcd, the virtual reader: frames of a 2-byte length and a payload.
//! The driver listens, the chip connects. A closed connection is a chip taken out.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::linux::net::TcpStreamExt as _;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;

use crate::chip::Chip;
use crate::circumstances::{Circumstances, Place, Presence};
use crate::fault::{Answer, Fault};

/// Controls of the driver: payloads of one byte.
mod control {
    pub(super) const POWER_OFF: u8 = 0x00;
    pub(super) const POWER_ON: u8 = 0x01;
    pub(super) const RESET: u8 = 0x02;
    pub(super) const GET_ATR: u8 = 0x04;
}

/// Says why a chip is not in its slot.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlugError {
    /// Nobody listens there, or the driver hung up.
    #[error("no virtual reader at {address}; is pcscd running with vpcd?")]
    NoReader {
        /// Where it should be.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The driver did not ask for the answer to reset in time.
    #[error("the virtual reader at {0} does not notice the chip")]
    Unnoticed(String),
}

/// A chip in a slot. Dropping it takes the chip out at once: what a command under way has
/// done is done, its answer is lost.
#[derive(Debug)]
pub struct Plugged {
    line: TcpStream,
    worker: Option<JoinHandle<()>>,
    noticed: Receiver<()>,
    presence: Arc<Presence>,
    address: String,
}

impl Plugged {
    /// Connects a chip to the virtual reader that listens at `address` (`host:port`).
    ///
    /// # Errors
    /// [`PlugError::NoReader`].
    pub fn insert(address: &str, chip: Chip, faults: Vec<Fault>) -> Result<Self, PlugError> {
        Self::insert_under(address, chip, faults.into())
    }

    /// Connects a chip that works under these circumstances.
    ///
    /// # Errors
    /// [`PlugError::NoReader`].
    pub fn insert_under(
        address: &str,
        chip: Chip,
        circumstances: Circumstances,
    ) -> Result<Self, PlugError> {
        let failed = |source| PlugError::NoReader {
            address: address.to_owned(),
            source,
        };
        let line = connect(address).map_err(failed)?;
        let (notice, noticed) = mpsc::sync_channel(1);
        let place = Place::new(chip, circumstances);
        let presence = place.presence();
        let mut wire = Wire {
            line: line.try_clone().map_err(failed)?,
            place,
            notice,
        };
        let worker = thread::Builder::new()
            .name(format!("chip at {address}"))
            .spawn(move || wire.serve())
            .map_err(failed)?;
        Ok(Self {
            line,
            worker: Some(worker),
            noticed,
            presence,
            address: address.to_owned(),
        })
    }

    /// Waits until the driver has asked for the answer to reset.
    ///
    /// # Errors
    /// [`PlugError::Unnoticed`] after `patience`.
    pub fn wait_noticed(&self, patience: Duration) -> Result<(), PlugError> {
        match self.noticed.recv_timeout(patience) {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(PlugError::Unnoticed(self.address.clone()))
            }
        }
    }

    /// Says whether the chip is still there.
    pub fn is_present(&self) -> bool {
        self.worker
            .as_ref()
            .is_some_and(|worker| !worker.is_finished())
    }

    /// Waits until the chip is gone: the driver hung up, or a fault took it.
    pub fn wait(mut self) {
        if let Some(worker) = self.worker.take() {
            // A panic in the worker is already on stderr.
            let _ = worker.join();
        }
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.presence.end();
        let _ = self.line.shutdown(Shutdown::Both);
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(line) => {
                line.set_nodelay(true)?;
                return Ok(line);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

struct Wire {
    line: TcpStream,
    place: Place,
    notice: SyncSender<()>,
}

impl Wire {
    fn serve(&mut self) {
        self.place.chip.reset();
        // An error is the chip leaving the slot, from either side.
        let _ = self.serve_until_closed();
        let _ = self.line.shutdown(Shutdown::Both);
    }

    fn serve_until_closed(&mut self) -> io::Result<()> {
        loop {
            let frame = self.read_frame()?;
            match frame[..] {
                [control::POWER_OFF | control::POWER_ON | control::RESET] => {
                    self.place.chip.reset()
                }
                [control::GET_ATR] => {
                    let atr = self.place.chip.atr();
                    self.write_frame(atr)?;
                    // Full means: said already.
                    let _ = self.notice.try_send(());
                }
                _ => match self.place.process(&frame) {
                    Answer::Bytes(bytes) => self.write_frame(&bytes)?,
                    Answer::Removed => return Ok(()),
                    Answer::Mute => {}
                    // The driver cannot be told of a failure: half a status word is one.
                    Answer::TooLong { .. } => self.write_frame(&[0x6F])?,
                },
            }
        }
    }

    fn read_frame(&mut self) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
        let mut length = [0; 2];
        self.read(&mut length)?;
        let mut frame = zeroize::Zeroizing::new(vec![0; usize::from(u16::from_be_bytes(length))]);
        self.read(&mut frame)?;
        Ok(frame)
    }

    /// Reads exactly. The driver sends length and payload as two segments and its system
    /// holds the second back until the first is acknowledged, so every read must say
    /// "acknowledge at once" again: the kernel forgets it. Without: 44 ms a command.
    fn read(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            self.line.set_quickack(true)?;
            match self.line.read(into) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => into = into.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.line.set_quickack(true)
    }

    fn write_frame(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u16::try_from(payload.len()).map_err(|_| ErrorKind::InvalidInput)?;
        let frame = [&length.to_be_bytes()[..], payload].concat();
        self.line.write_all(&frame)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::Sender;
    use std::time::Instant;

    use super::*;
    use crate::fault::FaultKind;
    use crate::identity::ChipNumber;
    use crate::product::Product;
    use crate::store::{Image, Store, StoreError};
    use crate::transport::TransportMasterKey;

    /// Says when something is committed.
    struct Telling(Sender<()>);

    impl Store for Telling {
        fn commit(&mut self, _: &Image<'_>) -> Result<(), StoreError> {
            let _ = self.0.send(());
            Ok(())
        }
    }

    #[test]
    fn a_chip_is_taken_out_while_it_takes_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (tell, told) = mpsc::channel();
        let keys = TransportMasterKey::new([0x55; 16]);
        let number = ChipNumber::new([0, 0], [0, 0, 0, 1]);
        let product = Product::find("lateid-v2").unwrap();
        let chip = Chip::blank(product, number, &keys, Telling(tell)).unwrap();
        told.recv().unwrap();
        let slow = Fault {
            at: 1,
            kind: FaultKind::Slow { ms: 600_000 },
        };
        let address = listener.local_addr().unwrap().to_string();
        let plugged = Plugged::insert(&address, chip, vec![slow]).unwrap();
        let (mut driver, _) = listener.accept().unwrap();
        // INITIALIZE UPDATE, which writes its counter.
        let update = [0x80, 0x50, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0];
        driver.write_all(&[0, 14]).unwrap();
        driver.write_all(&update).unwrap();
        told.recv().unwrap();
        let began = Instant::now();
        drop(plugged);
        assert!(began.elapsed() < Duration::from_secs(60));
        assert_eq!(driver.read(&mut [0; 8]).unwrap(), 0, "no answer");
    }
}
