//! A line to a device: bytes there, bytes back, until a moment.

mod serial;
mod tcp;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::address::Address;

pub use serial::SerialSettings;

/// A line to a device.
pub trait Link: Send {
    /// Sends all of it.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the moment has come, whatever else breaks. What was sent
    /// then nobody knows.
    fn send(&mut self, bytes: &[u8], until: Instant) -> io::Result<()>;

    /// Waits for bytes, and returns how many came: one at least.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`], [`io::ErrorKind::UnexpectedEof`] where the other side is gone,
    /// whatever else breaks.
    fn receive(&mut self, into: &mut [u8], until: Instant) -> io::Result<usize>;
}

/// Where a device is connected: `tcp://host:port`, or `serial:/dev/…`.
///
/// A serial device is best named by `/dev/serial/by-id/…`, which is the same after it was unplugged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkAddress {
    /// A TCP port.
    Tcp(Address),
    /// A serial device.
    Serial(PathBuf),
}

/// A text that is no address of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a device's address is tcp://HOST:PORT or serial:/dev/…")]
pub struct LinkAddressError;

impl FromStr for LinkAddress {
    type Err = LinkAddressError;

    fn from_str(text: &str) -> Result<Self, LinkAddressError> {
        if let Some(path) = text.strip_prefix("serial:") {
            let path = PathBuf::from(path);
            return match path.is_absolute() {
                true => Ok(Self::Serial(path)),
                false => Err(LinkAddressError),
            };
        }
        let address = text.parse().map_err(|_| LinkAddressError)?;
        Ok(Self::Tcp(address))
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Serial(path) => write!(f, "serial:{}", path.display()),
        }
    }
}

impl LinkAddress {
    /// Opens the line. `settings` are for a serial one.
    ///
    /// # Errors
    /// Whatever stands in the way; a TCP address must be of this machine or a private network,
    /// since what is sent there is in the clear.
    pub fn open(&self, settings: SerialSettings, patience: Duration) -> io::Result<Box<dyn Link>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(tcp::TcpLink::connect(address, patience)?),
            Self::Serial(path) => Box::new(serial::SerialLink::open(path, settings)?),
        })
    }
}

/// Returns how long it is until a moment.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] where it has come.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("tcp://127.0.0.1:9105", "tcp://127.0.0.1:9105"),
            ("tcp://printer", "tcp://printer:9100"),
            ("serial:/dev/ttyUSB0", "serial:/dev/ttyUSB0"),
        ] {
            let address: LinkAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
        }
        for text in ["", "serial:", "serial:ttyS0", "/dev/ttyS0", "usb:1"] {
            assert_eq!(text.parse::<LinkAddress>(), Err(LinkAddressError), "{text}");
        }
    }
}
