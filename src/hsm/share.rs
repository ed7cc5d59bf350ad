//! One custodian's share of a key, as it stands on paper.
//!
//! ```text
//!   ZS1Q YQ6R VKR6 SPS9 ... ZMU8 E                  bech32m (BIP-350), "zs", groups of four
//!        │
//!        └─ version 1 ‖ algorithm 1 ‖ set 4 ‖ number 1 ‖ threshold 1 ‖ KCV 3 ‖ value 16, 24, 32
//! ```
//!
//! The last six characters are the checksum. Up to 4 wrong characters are always noticed, two that
//! changed places among them: the text has at most 78 characters, and the code keeps that promise
//! to 89. The alphabet has no 1, B, I and O behind the prefix.

use std::fmt;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use card::cipher::KeyAlgorithm;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// The most custodians that a key is split among.
pub const MAX_CUSTODIANS: u8 = 16;

/// What every share begins with.
const PREFIX: &str = "zs";
const VERSION: u8 = 1;
/// Version, algorithm, set, number, threshold, check value.
const HEADER: usize = 1 + 1 + 4 + 1 + 1 + 3;
const LONGEST_VALUE: usize = 32;
/// The characters of the longest share: prefix, separator, data, checksum.
const LONGEST_TEXT: usize = 2 + 1 + ((HEADER + LONGEST_VALUE) * 8).div_ceil(5) + CHECKSUM;
const CHECKSUM: usize = 6;
/// The most bytes of a text that are looked at: a share with a blank behind every character.
const LONGEST_INPUT: usize = 4 * LONGEST_TEXT;

/// Why a key is not split, or not put together again. None of these shows a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// So many shares are not possible.
    #[error(
        "a key is split among 2 to {MAX_CUSTODIANS} custodians, of whom at least 2 bring it back; not among {count}, of whom {threshold}"
    )]
    Numbers {
        /// How many bring it back.
        threshold: u8,
        /// How many custodians.
        count: u8,
    },
    /// The key has no length of its algorithm.
    #[error("a key of {length} bytes is none of this algorithm")]
    KeyLength {
        /// Its length in bytes.
        length: usize,
    },
    /// The random source failed.
    #[error("the random source gives nothing to split a key with")]
    Random,
    /// The text is no share at all.
    #[error("this is no share: {reason}")]
    Form {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A character was misread or mistyped.
    #[error("the share's checksum does not fit: a character is wrong, or two changed places")]
    Checksum,
    /// A share comes from another ceremony.
    #[error(
        "share {number} is from another ceremony (set {set}, key check value {kcv}) than share {first} (set {first_set}, key check value {first_kcv})",
        set = hex(set), kcv = hex(kcv), first_set = hex(first_set), first_kcv = hex(first_kcv)
    )]
    OtherCeremony {
        /// The share's number.
        number: u8,
        /// Its set.
        set: [u8; 4],
        /// The check value of its key.
        kcv: [u8; 3],
        /// The number of the share that came first.
        first: u8,
        /// Its set.
        first_set: [u8; 4],
        /// The check value of its key.
        first_kcv: [u8; 3],
    },
    /// A share came twice.
    #[error("share {number} is there already")]
    Twice {
        /// Its number.
        number: u8,
    },
    /// More shares are needed.
    #[error("{found} of {needed} shares: the key needs {needed}")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: u8,
    },
    /// More shares than needed were given, and this one does not fit to the others.
    #[error("share {number} does not fit to the others: one of them is false")]
    Disagrees {
        /// Its number.
        number: u8,
    },
    /// The shares make another key.
    #[error(
        "the shares make a key with check value {found}, not {expected}: one of them is false",
        found = hex(found), expected = hex(expected)
    )]
    CheckValue {
        /// The check value of what they make.
        found: [u8; 3],
        /// The check value that they all name.
        expected: [u8; 3],
    },
}

/// Writes bytes as people read check values.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// What is known of a share without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareInfo {
    /// What the key is for.
    pub algorithm: KeyAlgorithm,
    /// A random number of the ceremony: shares of two ceremonies do not mix.
    pub set: [u8; 4],
    /// The custodian's number, from 1.
    pub number: u8,
    /// How many shares bring the key back.
    pub threshold: u8,
    /// The check value of the whole key.
    pub kcv: [u8; 3],
}

/// One custodian's share: wiped when dropped, its secret never in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyShare {
    info: ShareInfo,
    value: Zeroizing<Vec<u8>>,
}

impl KeyShare {
    pub(crate) fn new(info: ShareInfo, value: Zeroizing<Vec<u8>>) -> Self {
        Self { info, value }
    }

    /// Reads a share that a person typed: blanks, hyphens and case do not matter, all else does.
    ///
    /// # Errors
    /// [`ShareError::Form`] or [`ShareError::Checksum`].
    pub fn parse(typed: &str) -> Result<Self, ShareError> {
        let form = |reason| ShareError::Form { reason };
        if typed.len() > LONGEST_INPUT {
            return Err(form("it is too long"));
        }
        let mut text = Zeroizing::new(String::with_capacity(typed.len()));
        for letter in typed.chars() {
            match letter {
                ' ' | '\t' | '\r' | '\n' | '-' => {}
                _ if letter.is_ascii_alphanumeric() => text.push(letter.to_ascii_lowercase()),
                _ => return Err(form("it has a character that no share has")),
            }
        }
        if text.len() > LONGEST_TEXT {
            return Err(form("it is too long"));
        }
        let data = text.strip_prefix(PREFIX).and_then(|d| d.strip_prefix('1'));
        let data = data.ok_or(form("it does not begin with ZS1"))?;
        // Not part of the alphabet (BIP-173), and easily taken for 1, 8 and 0.
        if data.contains(['1', 'b', 'i', 'o']) {
            return Err(form("it has a 1, B, I or O behind ZS1, which no share has"));
        }
        if data.len() <= CHECKSUM {
            return Err(form("it is too short"));
        }
        let checked = CheckedHrpstring::new::<Bech32m>(&text).map_err(|_| ShareError::Checksum)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + LONGEST_VALUE));
        bytes.extend(checked.byte_iter());
        let share = Self::of_bytes(&bytes)?;
        // Bits beyond the last byte: there is one spelling of a share.
        if *share.letters() == *text {
            Ok(share)
        } else {
            Err(form("it has bits beyond its end"))
        }
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, ShareError> {
        let form = |reason| Err(ShareError::Form { reason });
        let Some((header, value)) = bytes.split_first_chunk::<HEADER>() else {
            return form("it is too short");
        };
        let &[
            version,
            algorithm,
            s0,
            s1,
            s2,
            s3,
            number,
            threshold,
            k0,
            k1,
            k2,
        ] = header;
        if version != VERSION {
            return form("it is of a version that this program does not know");
        }
        let algorithm = match (algorithm, value.len()) {
            (1, 16 | 24 | 32) => KeyAlgorithm::Aes,
            (2, 16 | 24) => KeyAlgorithm::TripleDes,
            _ => return form("it has no length that a key has"),
        };
        if !(1..=MAX_CUSTODIANS).contains(&number) || !(2..=MAX_CUSTODIANS).contains(&threshold) {
            return form("its number or threshold is none");
        }
        let info = ShareInfo {
            algorithm,
            set: [s0, s1, s2, s3],
            number,
            threshold,
            kcv: [k0, k1, k2],
        };
        Ok(Self::new(info, Zeroizing::new(value.to_vec())))
    }

    /// Returns what is known without the secret.
    pub fn info(&self) -> ShareInfo {
        self.info
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the share as it is written down: upper case, groups of four, four groups a line.
    pub fn text(&self) -> Zeroizing<String> {
        let letters = self.letters();
        let mut text = Zeroizing::new(String::with_capacity(2 * LONGEST_TEXT));
        for (at, letter) in letters.chars().enumerate() {
            match at {
                0 => {}
                _ if at % 16 == 0 => text.push('\n'),
                _ if at % 4 == 0 => text.push(' '),
                _ => {}
            }
            text.push(letter.to_ascii_uppercase());
        }
        text
    }

    /// Returns the last six characters: who typed them has written the share to its end.
    pub fn checksum(&self) -> Zeroizing<String> {
        let letters = self.letters();
        let start = letters.len().saturating_sub(CHECKSUM);
        Zeroizing::new(letters[start..].to_ascii_uppercase())
    }

    /// Returns a digest by which a protocol names the share and shows nothing of it: SHA-256 over
    /// a random salt and the share.
    pub fn fingerprint(&self, salt: &[u8; 16]) -> [u8; 32] {
        let letters = self.letters();
        let digest = Sha256::new_with_prefix(salt).chain_update(letters.as_bytes());
        digest.finalize().into()
    }

    /// The share without blanks, in lower case.
    fn letters(&self) -> Zeroizing<String> {
        let info = &self.info;
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER + LONGEST_VALUE));
        let algorithm = match info.algorithm {
            KeyAlgorithm::Aes => 1,
            KeyAlgorithm::TripleDes => 2,
        };
        bytes.extend([VERSION, algorithm]);
        bytes.extend(info.set);
        bytes.extend([info.number, info.threshold]);
        bytes.extend(info.kcv);
        bytes.extend_from_slice(&self.value);
        let mut text = Zeroizing::new(String::with_capacity(LONGEST_TEXT));
        // A valid prefix and a text shorter than the code: neither can fail.
        if let Ok(prefix) = Hrp::parse(PREFIX)
            && bech32::encode_lower_to_fmt::<Bech32m, _>(&mut *text, prefix, &bytes).is_err()
        {
            text.zeroize();
        }
        text
    }
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyShare")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "../../tests/hsm/share.rs"]
mod tests;
