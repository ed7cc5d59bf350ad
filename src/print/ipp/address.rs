//! `ipp://host:port/path`, `ipps://host:port/path`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::address::Address;

/// The port of both schemes (*RFC 3510 §4.2*, *RFC 7472 §4.2*).
const PORT: u16 = 631;

/// A printer's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IppAddress {
    pub(super) secure: bool,
    pub(super) address: Address,
    path: String,
}

/// A text that is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a printer's address is ipp://HOST/PATH or ipps://HOST:PORT/PATH, as ipp://printer/ipp/print"
)]
pub struct IppAddressError;

impl FromStr for IppAddress {
    type Err = IppAddressError;

    fn from_str(text: &str) -> Result<Self, IppAddressError> {
        let (secure, rest) = match text.strip_prefix("ipps://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("ipp://").ok_or(IppAddressError)?),
        };
        let at = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if !path.bytes().all(fits) || path.len() > 200 {
            return Err(IppAddressError);
        }
        let address = Address::read(authority, PORT).map_err(|_| IppAddressError)?;
        Ok(Self {
            secure,
            address,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }
}

impl fmt::Display for IppAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "ipps" } else { "ipp" };
        write!(f, "{scheme}://{}{}", self.address.authority(), self.path)
    }
}

impl IppAddress {
    /// Returns where requests are posted to.
    pub(super) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.address.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written, url) in [
            (
                "ipp://printer/ipp/print",
                "ipp://printer:631/ipp/print",
                "http://printer:631/ipp/print",
            ),
            (
                "ipps://[fd00::1]:8631",
                "ipps://[fd00::1]:8631/",
                "https://[fd00::1]:8631/",
            ),
        ] {
            let address: IppAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(address.url(), url);
            assert_eq!(written.parse(), Ok(address));
        }
        for text in [
            "",
            "ipp://",
            "ipp:///ipp/print",
            "http://printer/ipp",
            "ipp://printer/a b",
            "ipp://user@printer/",
            "ipp://printer/?x",
        ] {
            assert_eq!(text.parse::<IppAddress>(), Err(IppAddressError), "{text}");
        }
    }
}
