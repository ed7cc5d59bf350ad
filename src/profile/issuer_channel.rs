//! The issuer's channel to a chip: how it is opened, and where its keys come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use card::gp::{ChannelMode, Diversification, SecurityLevel};
use zeroize::Zeroizing;

use crate::template::Template;

/// The name of the maker's key set.
const TRANSPORT: &str = "transport";

/// The version of the keys with which a chip of GlobalPlatform leaves its maker (*GP Card
/// Specification 2.3 §11.8.2.1*).
const INITIAL_KEYS: u8 = 0xFF;

/// The issuer's channels to the chip: that of an application, and that of the security domain, may
/// be of different kinds.
#[derive(Clone, Debug)]
pub struct ChannelProfile {
    /// The key sets by name.
    pub keys: BTreeMap<String, KeySet>,
}

impl ChannelProfile {
    /// Returns how the channel of a key set is opened; [`Protocol::None`] where there is no such
    /// set.
    pub fn protocol(&self, key_set: &str) -> &Protocol {
        let set = self.keys.get(key_set);
        set.map_or(&Protocol::None, |set| &set.protocol)
    }

    /// Returns what the channel of a stage does to commands, where it opens one that does.
    pub fn protection(&self, key_set: Option<&str>) -> Option<Protection> {
        self.protocol(key_set?).protection()
    }

    /// Returns whether a key set is the maker's, with which a blank comes.
    pub fn is_makers(&self, key_set: &str) -> bool {
        let set = self.keys.get(key_set);
        set.is_some_and(|set| key_set == TRANSPORT || set.is_initial())
    }

    /// Returns the key sets of GlobalPlatform's channels.
    pub fn of_global_platform(&self) -> impl Iterator<Item = (&str, &KeySet)> {
        let sets = self.keys.iter();
        let sets = sets.map(|(name, set)| (name.as_str(), set));
        sets.filter(|(_, set)| set.protocol.is_global_platform())
    }
}

impl fmt::Display for ChannelProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: BTreeSet<_> = self.keys.values().map(|set| set.protocol.name()).collect();
        match kinds.is_empty() {
            true => f.write_str(Protocol::None.name()),
            false => f.write_str(&kinds.into_iter().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// What a secure channel does to commands and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// How.
    pub mode: ChannelMode,
    /// How much.
    pub level: SecurityLevel,
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
    Challenge(Challenge),
}

impl Protocol {
    /// Returns the protection of commands, where there is one.
    pub fn level(&self) -> Option<SecurityLevel> {
        match self {
            Self::Scp02 { level, .. } | Self::Scp03 { level, .. } => Some(*level),
            Self::None | Self::Challenge(_) => None,
        }
    }

    /// Returns how commands are protected, where they are.
    pub fn protection(&self) -> Option<Protection> {
        let mode = match self {
            Self::Scp02 { .. } => ChannelMode::Scp02,
            Self::Scp03 { host: 16, .. } => ChannelMode::Scp03S16,
            Self::Scp03 { .. } => ChannelMode::Scp03S8,
            Self::None | Self::Challenge(_) => return None,
        };
        self.level().map(|level| Protection { mode, level })
    }

    /// Returns how many random bytes the host gives to a chip of GlobalPlatform.
    pub fn host_challenge(&self) -> usize {
        match self {
            Self::Scp03 { host, .. } => *host,
            _ => 8,
        }
    }

    /// Returns how a key is proved, where it is by challenge.
    pub fn challenge(&self) -> Option<&Challenge> {
        match self {
            Self::Challenge(challenge) => Some(challenge),
            _ => None,
        }
    }

    /// Returns whether it is one of GlobalPlatform's.
    pub fn is_global_platform(&self) -> bool {
        matches!(self, Self::Scp02 { .. } | Self::Scp03 { .. })
    }

    /// Returns its name in profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Scp02 { .. } => "scp02",
            Self::Scp03 { .. } => "scp03",
            Self::Challenge(_) => "challenge",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

/// One key set, and the channel that it opens.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// How the channel is opened, and what it does to commands.
    pub protocol: Protocol,
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
}

impl KeySet {
    /// Returns whether it is the set with which a chip of GlobalPlatform leaves its maker.
    pub fn is_initial(&self) -> bool {
        self.version == INITIAL_KEYS
    }

    /// Returns the version that PUT KEY names to put another set in the place of this one: none for
    /// the maker's first, which the first one added replaces (*GP Card Specification 2.3
    /// §11.8.2.1*).
    pub fn replaced_version(&self) -> u8 {
        match self.is_initial() {
            true => 0,
            false => self.version,
        }
    }

    /// Returns whether anybody opens the channel: all the world knows the key, or what is shown to
    /// the chip is made without it.
    pub fn is_anybodys(&self) -> bool {
        let key = "channel.key";
        let shows = |challenge: &Challenge| challenge.proof.mentions(key);
        matches!(self.source, KeySource::Known(_)) || !self.protocol.challenge().is_none_or(shows)
    }
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
    /// Returns how many bytes a key has; of triple DES as many as it is written with at most.
    pub fn length(self) -> usize {
        match self {
            Self::Aes(bits) => usize::from(bits) / 8,
            Self::Des3 => 24,
        }
    }

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
