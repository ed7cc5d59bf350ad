//! A serial device.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serialport::{ClearBuffer, DataBits, FlowControl, Parity, SerialPort, StopBits, TTYPort};

use super::{Link, left};

/// How much is given to the line at once: a device that is switched off in a long picture is noticed
/// by it.
const PIECE: usize = 4096;

/// How a serial line is set: always eight data bits, no parity, one stop bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialSettings {
    /// Bits a second.
    pub baud: u32,
    /// Whether RTS and CTS hold the sender back. Printers want it, scanners don't have it.
    pub hardware_flow: bool,
}

impl Default for SerialSettings {
    fn default() -> Self {
        Self {
            baud: 9600,
            hardware_flow: false,
        }
    }
}

/// An open serial device. Nobody else can open it meanwhile.
pub(super) struct SerialLink(TTYPort);

impl SerialLink {
    pub(super) fn open(path: &Path, settings: SerialSettings) -> io::Result<Self> {
        let path = path.to_str().ok_or(ErrorKind::InvalidFilename)?;
        let flow = match settings.hardware_flow {
            true => FlowControl::Hardware,
            false => FlowControl::None,
        };
        let port = serialport::new(path, settings.baud)
            .data_bits(DataBits::Eight)
            .parity(Parity::None)
            .stop_bits(StopBits::One)
            .flow_control(flow)
            .timeout(Duration::from_secs(1))
            .open_native()?;
        // What was said to whoever had it before is nobody's answer.
        port.clear(ClearBuffer::All)?;
        Ok(Self(port))
    }
}

impl Link for SerialLink {
    fn send(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            let mut rest = piece;
            while !rest.is_empty() {
                self.0.set_timeout(left(until)?)?;
                match self.0.write(rest) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(gone(error)),
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], until: Instant) -> io::Result<usize> {
        loop {
            self.0.set_timeout(left(until)?)?;
            match self.0.read(into) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(error)),
            }
        }
    }
}

/// Returns what an unplugged device is: it has many names.
fn gone(error: io::Error) -> io::Error {
    // EIO: a serial line that hung up.
    match error.raw_os_error() {
        Some(5) => io::Error::new(ErrorKind::UnexpectedEof, error),
        _ => error,
    }
}
