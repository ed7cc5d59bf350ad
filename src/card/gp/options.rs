//! What a secure channel is like, as the card announces it: the protocol's mode and its
//! parameter "i" (*GP Card Specification 2.3 §E.1.1, table E-1; Amendment D §5.1, table
//! 5-1*).

use super::error::ScpError;
use super::level::SecurityLevel;

/// Protocol identifiers.
const SCP02: u8 = 0x02;
const SCP03: u8 = 0x03;

/// The form of a secure channel's challenges, MACs and padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChannelMode {
    /// SCP02: triple DES, MACs and blocks of 8 bytes, short commands only.
    Scp02,
    /// SCP03 with challenges, cryptograms and MACs of 8 bytes.
    Scp03S8,
    /// SCP03 with challenges, cryptograms and MACs of 16 bytes.
    Scp03S16,
}

impl ChannelMode {
    /// Returns the length of a MAC, and of a cryptogram, in bytes.
    pub const fn mac_length(self) -> usize {
        match self {
            Self::Scp02 | Self::Scp03S8 => 8,
            Self::Scp03S16 => 16,
        }
    }

    /// Returns the length of the challenge that the host sends, in bytes.
    pub const fn host_challenge_length(self) -> usize {
        self.mac_length()
    }

    /// Returns the cipher's block length in bytes.
    const fn block(self) -> usize {
        match self {
            Self::Scp02 => 8,
            Self::Scp03S8 | Self::Scp03S16 => 16,
        }
    }

    /// Returns the most bytes that wrapping adds to a command's data: the MAC, and under
    /// encryption up to one block of padding.
    pub const fn overhead(self, level: SecurityLevel) -> usize {
        if level.has_cenc() {
            self.mac_length() + self.block()
        } else {
            self.mac_length()
        }
    }

    /// Returns the most plain data bytes that fit a wrapped data field of `limit` bytes; no
    /// wrapped SCP02 command has more than 255.
    pub const fn command_capacity(self, level: SecurityLevel, limit: usize) -> usize {
        let limit = match self {
            Self::Scp02 if limit > 0xFF => 0xFF,
            _ => limit,
        };
        self.capacity(level.has_cenc(), limit)
    }

    /// Returns the most plain data bytes that fit a wrapped response data field of `limit`
    /// bytes.
    pub const fn response_capacity(self, level: SecurityLevel, limit: usize) -> usize {
        if level.has_rmac() {
            self.capacity(level.has_renc(), limit)
        } else {
            limit
        }
    }

    const fn capacity(self, encrypted: bool, limit: usize) -> usize {
        let sealed = limit.saturating_sub(self.mac_length());
        if encrypted {
            // At least one byte of padding, whole blocks.
            (sealed / self.block() * self.block()).saturating_sub(1)
        } else {
            sealed
        }
    }
}

/// A protocol's mode and options, judged: what the card announces and is spoken here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChannelOptions {
    mode: ChannelMode,
    i: u8,
}

impl ChannelOptions {
    /// SCP02 with i=15: three keys, explicit initiation, C-MAC on the modified APDU with an
    /// encrypted ICV, no R-MAC. What an SCP02 card is taken for until its card data or its
    /// profile says otherwise, since INITIALIZE UPDATE does not tell.
    pub const SCP02_DEFAULT: Self = Self {
        mode: ChannelMode::Scp02,
        i: 0x15,
    };

    /// Judges a protocol identifier and its parameter "i".
    ///
    /// # Errors
    /// [`ScpError::Protocol`] for another protocol than SCP02 and SCP03; for SCP02 that is
    /// opened implicitly (i without bit 3) or computes the C-MAC over the unmodified APDU
    /// (bit 2), which goes with that; for SCP03 with R-ENC but no R-MAC, or with bits that
    /// mean nothing yet.
    pub const fn new(protocol: u8, i: u8) -> Result<Self, ScpError> {
        let mode = match protocol {
            // Explicit initiation, whose first ICV is zeros, C-MAC on the modified APDU: bits 4
            // to 2 are 010.
            SCP02 if i & 0x8E == 0x04 => ChannelMode::Scp02,
            SCP03 if i & 0x60 == 0x40 || i & 0x8E != 0 => {
                return Err(ScpError::Protocol { protocol, i });
            }
            SCP03 if i & 0x01 == 0 => ChannelMode::Scp03S8,
            SCP03 => ChannelMode::Scp03S16,
            _ => return Err(ScpError::Protocol { protocol, i }),
        };
        Ok(Self { mode, i })
    }

    /// Returns the mode.
    pub const fn mode(self) -> ChannelMode {
        self.mode
    }

    /// Returns the protocol identifier, 2 or 3.
    pub const fn protocol(self) -> u8 {
        match self.mode {
            ChannelMode::Scp02 => SCP02,
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => SCP03,
        }
    }

    /// Returns the parameter "i".
    pub const fn i(self) -> u8 {
        self.i
    }

    /// Says whether the card's challenge is made from its sequence counter, so that whoever
    /// knows the static keys can check it.
    pub const fn is_pseudo_random(self) -> bool {
        match self.mode {
            ChannelMode::Scp02 => self.i & 0x40 != 0,
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => self.i & 0x10 != 0,
        }
    }

    /// Says whether the card can authenticate its responses.
    pub const fn has_rmac(self) -> bool {
        self.i & 0x20 != 0
    }

    /// Says whether the card can encrypt its responses.
    pub const fn has_renc(self) -> bool {
        match self.mode {
            ChannelMode::Scp02 => false,
            ChannelMode::Scp03S8 | ChannelMode::Scp03S16 => self.i & 0x60 == 0x60,
        }
    }

    /// Says whether an SCP02 card encrypts the ICV of every C-MAC but the first.
    pub(super) const fn encrypts_icv(self) -> bool {
        self.i & 0x10 != 0
    }

    /// Says whether the card announces that it can serve a security level.
    pub const fn supports(self, level: SecurityLevel) -> bool {
        (!level.has_rmac() || self.has_rmac()) && (!level.has_renc() || self.has_renc())
    }

    /// Refuses a security level that the card does not announce.
    ///
    /// # Errors
    /// [`ScpError::LevelUnsupported`].
    pub const fn require(self, level: SecurityLevel) -> Result<(), ScpError> {
        if self.supports(level) {
            Ok(())
        } else {
            Err(ScpError::LevelUnsupported {
                level: level.value(),
                protocol: self.protocol(),
                i: self.i,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [SecurityLevel; 5] = [
        SecurityLevel::MAC,
        SecurityLevel::ENC_MAC,
        SecurityLevel::MAC_RMAC,
        SecurityLevel::ENC_MAC_RMAC,
        SecurityLevel::FULL,
    ];

    #[test]
    fn levels_are_judged_by_the_parameter() {
        for (protocol, i, mode, served) in [
            (2, 0x15, ChannelMode::Scp02, 2),
            (2, 0x55, ChannelMode::Scp02, 2),
            (2, 0x04, ChannelMode::Scp02, 2),
            (2, 0x35, ChannelMode::Scp02, 4),
            (2, 0x75, ChannelMode::Scp02, 4),
            (3, 0x00, ChannelMode::Scp03S8, 2),
            (3, 0x10, ChannelMode::Scp03S8, 2),
            (3, 0x30, ChannelMode::Scp03S8, 4),
            (3, 0x70, ChannelMode::Scp03S8, 5),
            (3, 0x60, ChannelMode::Scp03S8, 5),
            (3, 0x71, ChannelMode::Scp03S16, 5),
            (3, 0x21, ChannelMode::Scp03S16, 4),
        ] {
            let options = ChannelOptions::new(protocol, i).unwrap();
            assert_eq!(options.mode(), mode);
            assert_eq!((options.protocol(), options.i()), (protocol, i));
            for (place, level) in LEVELS.into_iter().enumerate() {
                let refused = ScpError::LevelUnsupported {
                    level: level.value(),
                    protocol,
                    i,
                };
                let expected = if place < served { Ok(()) } else { Err(refused) };
                assert_eq!(options.require(level), expected, "i={i:02X} {level:?}");
            }
        }
        assert_eq!(
            ChannelOptions::new(2, 0x15),
            Ok(ChannelOptions::SCP02_DEFAULT)
        );
    }

    #[test]
    fn foreign_protocols_are_refused() {
        // 1A and 0A: opened implicitly; 16 and 37: explicitly, with the C-MAC of those. 40:
        // R-ENC without R-MAC. 72, 78, F0: bits without a meaning.
        for (protocol, i) in [
            (0, 0),
            (1, 5),
            (2, 0x1A),
            (2, 0x0A),
            (2, 0x1D),
            (2, 0x16),
            (2, 0x37),
            (3, 0x40),
            (3, 0x72),
            (3, 0x78),
            (3, 0xF0),
            (0x11, 0),
        ] {
            assert_eq!(
                ChannelOptions::new(protocol, i),
                Err(ScpError::Protocol { protocol, i })
            );
        }
    }

    #[test]
    fn capacities_are_those_of_the_formats() {
        use ChannelMode::{Scp02, Scp03S8, Scp03S16};
        for (mode, level, command, response) in [
            (Scp02, SecurityLevel::MAC, 247, 256),
            (Scp02, SecurityLevel::ENC_MAC_RMAC, 239, 248),
            (Scp03S8, SecurityLevel::MAC, 247, 256),
            (Scp03S8, SecurityLevel::ENC_MAC, 239, 256),
            (Scp03S8, SecurityLevel::FULL, 239, 239),
            (Scp03S16, SecurityLevel::MAC_RMAC, 239, 240),
            (Scp03S16, SecurityLevel::FULL, 223, 239),
        ] {
            assert_eq!(
                mode.command_capacity(level, 255),
                command,
                "{mode:?} {level:?}"
            );
            assert_eq!(
                mode.response_capacity(level, 256),
                response,
                "{mode:?} {level:?}"
            );
        }
        assert_eq!(Scp02.command_capacity(SecurityLevel::MAC, 65_535), 247);
        assert_eq!(Scp03S16.command_capacity(SecurityLevel::FULL, 20), 0);
    }
}
