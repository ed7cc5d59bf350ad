//! The issuer's channel to a chip: how it is opened, and where its keys come from.

use std::collections::BTreeMap;
use std::fmt;

use card::gp::{ChannelMode, Diversification, SecurityLevel};
use zeroize::Zeroizing;

use crate::template::Template;

/// The issuer's channel to the chip.
#[derive(Clone, Debug)]
pub struct ChannelProfile {
    /// How it is opened, and what it does to commands.
    pub protocol: Protocol,
    /// The key sets by name.
    pub keys: BTreeMap<String, KeySet>,
}

/// How an issuer's channel is opened, and what it does to commands.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// There is none: whoever has the blank can write it.
    None,
    /// GlobalPlatform SCP02 (Card Specification 2.3, appendix E).
    Scp02 {
        /// What EXTERNAL AUTHENTICATE asks for.
        level: SecurityLevel,
        /// The parameter "i", which the chip does not say itself.
        i: u8,
    },
    /// GlobalPlatform SCP03 (Amendment D).
    Scp03 {
        /// What EXTERNAL AUTHENTICATE asks for.
        level: SecurityLevel,
        /// How many bytes the host's challenge has: 8, or 16 in S16 mode.
        host: usize,
    },
    /// The issuer proves a key; commands stay in the clear (ISO/IEC 7816-4 §11.5.3 EXTERNAL
    /// and MUTUAL AUTHENTICATE).
    Challenge,
}

impl Protocol {
    /// Returns the protection of commands, where there is one.
    pub fn level(&self) -> Option<SecurityLevel> {
        match self {
            Self::Scp02 { level, .. } | Self::Scp03 { level, .. } => Some(*level),
            Self::None | Self::Challenge => None,
        }
    }

    /// Returns how commands are protected, where they are.
    pub fn mode(&self) -> Option<ChannelMode> {
        match self {
            Self::Scp02 { .. } => Some(ChannelMode::Scp02),
            Self::Scp03 { host: 16, .. } => Some(ChannelMode::Scp03S16),
            Self::Scp03 { .. } => Some(ChannelMode::Scp03S8),
            Self::None | Self::Challenge => None,
        }
    }

    /// Returns how many random bytes the host gives to a chip of GlobalPlatform.
    pub fn host_challenge(&self) -> usize {
        match self {
            Self::Scp03 { host, .. } => *host,
            _ => 8,
        }
    }

    /// Returns whether it is one of GlobalPlatform's.
    pub fn is_global_platform(&self) -> bool {
        matches!(self, Self::Scp02 { .. } | Self::Scp03 { .. })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Scp02 { .. } => "scp02",
            Self::Scp03 { .. } => "scp03",
            Self::Challenge => "challenge",
        })
    }
}

/// A proof of the issuer to the chip, and of the chip to the issuer.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// How many random bytes the host gives.
    pub host: usize,
    /// The issuer's proof.
    pub proof: Template,
    /// What the chip must answer, if it proves anything.
    pub answer: Option<Template>,
}

impl Challenge {
    /// Returns whether the issuer's proof follows from something that the chip gave, so that it
    /// is another each time.
    pub(crate) fn is_fresh(&self) -> bool {
        let own = ["channel.key", "channel.host"];
        let mut names = self.proof.variables().into_iter();
        names.any(|(name, _)| !own.contains(&name))
    }
}

/// One key set of the channel.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The key version number on the chip; 0 where there are no versions.
    pub version: u8,
    /// Where its keys come from.
    pub source: KeySource,
    /// What kind of key the chip wants.
    pub cipher: Cipher,
    /// What the keys are diversified with; on a channel of GlobalPlatform, the diversification data
    /// that the chip must answer, where they are not its serial number.
    pub context: Option<Template>,
    /// How many failed attempts lock the chip, as far as the profile knows.
    pub tries: Option<u8>,
    /// How this key is proved, on a channel by challenge.
    pub challenge: Option<Challenge>,
}

/// Where the keys of a set come from.
#[derive(Clone)]
pub enum KeySource {
    /// From a master key.
    Diversified(Diversification),
    /// All the world knows it.
    Known(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diversified(how) => write!(f, "diversified by {how:?}"),
            Self::Known(_) => f.write_str("known to the world"),
        }
    }
}

/// What kind of key a chip wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES with so many bits.
    Aes(u16),
    /// Triple DES, 24 bytes: with two keys the first stands again at the end.
    Des3,
}

impl Cipher {
    /// Returns whether a key may have so many bytes.
    pub fn fits(self, length: usize) -> bool {
        match self {
            Self::Aes(bits) => length * 8 == usize::from(bits),
            Self::Des3 => length == 16 || length == 24,
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aes(bits) => write!(f, "AES-{bits}"),
            Self::Des3 => f.write_str("triple DES"),
        }
    }
}
