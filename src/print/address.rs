//! Where a printer listens.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// The port at which printers take jobs as they are (AppSocket, also called JetDirect or RAW).
const PORT: u16 = 9100;
/// The only kind of address that there is.
const SCHEME: &str = "tcp://";

/// A printer's address: `tcp://host` or `tcp://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// A text that is no printer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a printer's address is tcp://HOST or tcp://HOST:PORT")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix(SCHEME).ok_or(AddressError)?;
        Self::read(rest, PORT)
    }
}

impl Address {
    /// Reads `host` or `host:port`.
    pub(crate) fn read(rest: &str, usual: u16) -> Result<Self, AddressError> {
        // An address of IPv6 stands in brackets, since it has colons of its own (RFC 3986 §3.2.2).
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or(AddressError)?;
                host.parse::<std::net::Ipv6Addr>()
                    .map_err(|_| AddressError)?;
                match (behind.is_empty(), behind.strip_prefix(':')) {
                    (true, _) => (host, None),
                    (false, Some(port)) => (host, Some(port)),
                    (false, None) => return Err(AddressError),
                }
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port {
            None => usual,
            Some(port) => port.parse().map_err(|_| AddressError)?,
        };
        let fits = |character: char| character.is_ascii_alphanumeric() || ".-:".contains(character);
        if host.is_empty() || host.len() > 253 || port == 0 || !host.chars().all(fits) {
            return Err(AddressError);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.authority())
    }
}

impl Address {
    /// Returns the host's name or address.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns `host:port`, with brackets where they are needed.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Connects.
    pub(crate) fn connect(&self, patience: Duration) -> io::Result<TcpStream> {
        let mut last = io::ErrorKind::NotFound.into();
        for address in self.resolve()? {
            match TcpStream::connect_timeout(&address, patience) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Returns where to connect to: none that all the world can reach, since what is sent there is
    /// in the clear.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs()?;
        let (near, far): (Vec<_>, Vec<_>) = found.partition(|address| is_near(address.ip()));
        match (near.is_empty(), far.first()) {
            (false, _) => Ok(near),
            (true, Some(far)) => Err(io::Error::other(format!(
                "{} is no address of a private network, and what is printed is sent in the clear",
                far.ip()
            ))),
            (true, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Returns whether an address is of this machine, of a private network or of its own link (*RFC
/// 1918*, *RFC 4193*, *RFC 3927*, *RFC 4291*).
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address
                    .to_ipv4_mapped()
                    .is_some_and(|v4| is_near(v4.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("tcp://printer", "tcp://printer:9100"),
            ("tcp://127.0.0.1:9101", "tcp://127.0.0.1:9101"),
            ("tcp://[fe80::1]", "tcp://[fe80::1]:9100"),
            ("tcp://[fe80::1]:9101", "tcp://[fe80::1]:9101"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse(), Ok(address));
        }
        for text in [
            "",
            "printer",
            "tcp://",
            "tcp://:9100",
            "ipp://printer",
            "tcp://printer:0",
            "tcp://printer:70000",
            "tcp://printer:",
            "tcp://pri nter",
            "tcp://printer/queue",
            "tcp://[fe80::1",
            "tcp://[fe80::1]9100",
            "tcp://[printer]",
            "tcp://a:b:c",
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn no_letter_goes_into_the_world() {
        let resolve = |text: &str| text.parse::<Address>().unwrap().resolve();
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "169.254.0.1",
            "[::1]",
            "[fd00::1]",
        ] {
            assert_eq!(resolve(&format!("tcp://{near}")).unwrap().len(), 1);
        }
        for far in ["192.0.2.1", "8.8.8.8", "[2001:db8::1]", "[::ffff:8.8.8.8]"] {
            let error = resolve(&format!("tcp://{far}")).unwrap_err().to_string();
            assert!(error.contains("in the clear"), "{error}");
        }
    }
}
