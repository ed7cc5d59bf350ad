//! Security levels of a secure channel.

use std::fmt;

use super::error::ScpError;
use super::options::ChannelMode;

/// What protects commands and responses (*GP Card Specification 2.3
/// §E.5.2; Amendment D §7.1.2*). SCP02 knows the first four.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityLevel(u8);

impl SecurityLevel {
    /// `01`: C-MAC.
    pub const MAC: Self = Self(0x01);
    /// `03`: C-DECRYPTION and C-MAC.
    pub const ENC_MAC: Self = Self(0x03);
    /// `11`: C-MAC and R-MAC.
    pub const MAC_RMAC: Self = Self(0x11);
    /// `13`: C-DECRYPTION, C-MAC and R-MAC.
    pub const ENC_MAC_RMAC: Self = Self(0x13);
    /// `33`: C-DECRYPTION, C-MAC, R-ENCRYPTION and R-MAC.
    pub const FULL: Self = Self(0x33);

    /// Returns the level with this value.
    ///
    /// # Errors
    /// [`ScpError::Level`] unless it is 01, 03, 11, 13 or 33: `00` authenticates and then
    /// protects nothing, and is not served.
    pub const fn new(value: u8) -> Result<Self, ScpError> {
        match value {
            0x01 | 0x03 | 0x11 | 0x13 | 0x33 => Ok(Self(value)),
            _ => Err(ScpError::Level(value)),
        }
    }

    /// Returns the level as P1 of EXTERNAL AUTHENTICATE.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Says whether command data are encrypted.
    pub const fn has_cenc(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Says whether responses carry a MAC.
    pub const fn has_rmac(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Says whether response data are encrypted.
    pub const fn has_renc(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Returns the most bytes that wrapping adds to a command's data in SCP03's S8 mode; for
    /// another see [`ChannelMode::overhead`].
    pub const fn overhead(self) -> usize {
        ChannelMode::Scp03S8.overhead(self)
    }

    /// Returns the most plain data bytes that fit a wrapped data field of `limit` bytes in
    /// SCP03's S8 mode (239 for 255 under encryption, 247 without); for another see
    /// [`ChannelMode::command_capacity`].
    pub const fn command_capacity(self, limit: usize) -> usize {
        ChannelMode::Scp03S8.command_capacity(self, limit)
    }

    /// Returns the most plain data bytes that fit a wrapped response data field of `limit`
    /// bytes in SCP03's S8 mode; for another see [`ChannelMode::response_capacity`].
    pub const fn response_capacity(self, limit: usize) -> usize {
        ChannelMode::Scp03S8.response_capacity(self, limit)
    }
}

impl TryFrom<u8> for SecurityLevel {
    type Error = ScpError;

    fn try_from(value: u8) -> Result<Self, ScpError> {
        Self::new(value)
    }
}

impl fmt::Debug for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityLevel({:02X})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_five_of_the_standard() {
        let known: Vec<u8> = (0..=255)
            .filter(|&v| SecurityLevel::new(v).is_ok())
            .collect();
        assert_eq!(known, [0x01, 0x03, 0x11, 0x13, 0x33]);
        assert_eq!(SecurityLevel::ENC_MAC.command_capacity(255), 239);
        assert_eq!(SecurityLevel::MAC.command_capacity(255), 247);
        assert_eq!(SecurityLevel::FULL.command_capacity(10), 0);
        assert_eq!(SecurityLevel::FULL.response_capacity(256), 239);
    }
}
