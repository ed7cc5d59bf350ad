//! Which secure channel a chip's security domain speaks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

const SCP02: u8 = 0x02;
const SCP03: u8 = 0x03;

/// A secure channel protocol and its parameter "i" (GP Card Specification 2.3 §E.1.1;
/// Amendment D §5.1). As text `02:15`, `03:70`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[u8; 2]", into = "[u8; 2]")]
pub struct Scp {
    protocol: u8,
    i: u8,
}

/// No chip here speaks this protocol with this "i".
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a secure channel is protocol and \"i\": 02 with 05 to 75 in steps of 10 (02:15), 03 with 00, \
     10, 20, 30, 60, 70, and each with 01 more for S16 (03:71)"
)]
pub struct ScpError;

impl Scp {
    /// SCP02, i = 15: three keys, the C-MAC over the modified command with an encrypted ICV, a
    /// random challenge, no R-MAC.
    pub const SCP02_I15: Self = Self {
        protocol: SCP02,
        i: 0x15,
    };
    /// SCP03, i = 70: a pseudo-random challenge, R-MAC and R-ENC, MACs of 8 bytes.
    pub const SCP03_I70: Self = Self {
        protocol: SCP03,
        i: 0x70,
    };

    /// Judges protocol and "i".
    ///
    /// # Errors
    /// [`ScpError`]: SCP02 is spoken with three keys, opened explicitly, with the C-MAC over the
    /// modified command; SCP03 has R-ENC only with R-MAC.
    pub const fn new(protocol: u8, i: u8) -> Result<Self, ScpError> {
        match protocol {
            SCP02 if i & !0x70 == 0x05 => Ok(Self { protocol, i }),
            SCP03 if i & !0x71 == 0 && i & 0x60 != 0x40 => Ok(Self { protocol, i }),
            _ => Err(ScpError),
        }
    }

    /// Returns protocol and "i", as card data and SCP03's INITIALIZE UPDATE have them.
    pub const fn bytes(self) -> [u8; 2] {
        [self.protocol, self.i]
    }

    /// Says whether it is SCP02, with triple DES.
    pub(crate) const fn is_scp02(self) -> bool {
        self.protocol == SCP02
    }

    /// Returns the bytes of the host's challenge, of a cryptogram and of a MAC.
    pub(crate) const fn length(self) -> usize {
        if !self.is_scp02() && self.i & 0x01 != 0 {
            16
        } else {
            8
        }
    }

    /// Says whether the card's challenge follows from counter and AID.
    pub(crate) const fn is_pseudo_random(self) -> bool {
        let bit = if self.is_scp02() { 0x40 } else { 0x10 };
        self.i & bit != 0
    }

    /// Says whether SCP02 encrypts the ICV of every C-MAC but the first.
    pub(crate) const fn encrypts_icv(self) -> bool {
        self.i & 0x10 != 0
    }

    /// Says whether this is a security level of it (GP §E.5.2; Amendment D §7.1.2, table 7-6):
    /// 01, 03; with R-MAC 11, 13; with R-ENC 33.
    pub(crate) const fn serves(self, level: u8) -> bool {
        match level {
            0x01 | 0x03 => true,
            0x11 | 0x13 => self.i & 0x20 != 0,
            0x33 => !self.is_scp02() && self.i & 0x40 != 0,
            _ => false,
        }
    }

    /// Returns the largest value of the sequence counter, of 2 bytes or 3.
    pub(crate) const fn last_counter(self) -> u32 {
        if self.is_scp02() { 0xFFFF } else { 0x00FF_FFFF }
    }

    /// Returns type and length of its keys in a key information template (GP §11.3.3.1).
    pub(crate) const fn key_type(self) -> [u8; 2] {
        if self.is_scp02() {
            [0x80, 0x10]
        } else {
            [0x88, 0x10]
        }
    }
}

/// What chips spoke before there was a choice: a state that does not say it.
impl Default for Scp {
    fn default() -> Self {
        Self::SCP03_I70
    }
}

impl TryFrom<[u8; 2]> for Scp {
    type Error = ScpError;

    fn try_from([protocol, i]: [u8; 2]) -> Result<Self, ScpError> {
        Self::new(protocol, i)
    }
}

impl From<Scp> for [u8; 2] {
    fn from(scp: Scp) -> Self {
        scp.bytes()
    }
}

impl FromStr for Scp {
    type Err = ScpError;

    fn from_str(text: &str) -> Result<Self, ScpError> {
        let byte = |text: &str| u8::from_str_radix(text, 16).map_err(|_| ScpError);
        let (protocol, i) = text.split_once(':').ok_or(ScpError)?;
        Self::new(byte(protocol)?, byte(i)?)
    }
}

impl fmt::Display for Scp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}:{:02X}", self.protocol, self.i)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_spoken_is_taken() {
        for text in [
            "02:15", "02:55", "02:05", "02:75", "03:00", "03:70", "03:71", "03:61",
        ] {
            assert_eq!(text.parse::<Scp>().unwrap().to_string(), text);
        }
        // One base key, implicit initiation, the unmodified command; R-ENC without R-MAC.
        for text in [
            "02:14", "02:1A", "02:17", "03:40", "03:72", "01:05", "0215", "02:", ":15",
        ] {
            assert_eq!(text.parse::<Scp>(), Err(ScpError), "{text}");
        }
    }

    #[test]
    fn levels_follow_the_parameter() {
        for (text, levels) in [
            ("02:15", &[0x01, 0x03][..]),
            ("02:35", &[0x01, 0x03, 0x11, 0x13]),
            ("03:10", &[0x01, 0x03]),
            ("03:31", &[0x01, 0x03, 0x11, 0x13]),
            ("03:70", &[0x01, 0x03, 0x11, 0x13, 0x33]),
        ] {
            let scp: Scp = text.parse().unwrap();
            let served: Vec<u8> = (0..=0xFF).filter(|level| scp.serves(*level)).collect();
            assert_eq!(served, levels, "{text}");
        }
    }
}
