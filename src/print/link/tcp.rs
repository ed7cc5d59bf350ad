//! A TCP port.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Link, left};
use crate::address::Address;

/// A connection.
pub(super) struct TcpLink(TcpStream);

impl TcpLink {
    pub(super) fn connect(address: &Address, patience: Duration) -> io::Result<Self> {
        address.connect(patience).map(Self)
    }
}

impl Link for TcpLink {
    fn send(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.0.set_write_timeout(Some(left(until)?))?;
            match self.0.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) => again(error)?,
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], until: Instant) -> io::Result<usize> {
        loop {
            self.0.set_read_timeout(Some(left(until)?))?;
            match self.0.read(into) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => return Ok(read),
                Err(error) => again(error)?,
            }
        }
    }
}

/// Says whether it may be tried again.
fn again(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        // That is how an end of patience looks on Unix.
        ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
        _ => Err(error),
    }
}
