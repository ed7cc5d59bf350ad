//! The status words that a profile expects.

use std::fmt;
use std::str::FromStr;

use card::Status;

/// Status words that are told alike: four digits, some of which may be any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusPattern {
    pub(crate) value: u16,
    pub(crate) mask: u16,
}

impl StatusPattern {
    /// Success and nothing else.
    pub const OK: Self = Self {
        value: 0x9000,
        mask: 0xFFFF,
    };

    /// Returns the pattern of one status word.
    pub(crate) fn of(status: Status) -> Self {
        Self {
            value: status.value(),
            mask: 0xFFFF,
        }
    }

    /// Returns whether a status word is one of these.
    pub fn matches(&self, status: Status) -> bool {
        status.value() & self.mask == self.value
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..4).rev().try_for_each(|place| {
            let nibble = |word: u16| word >> (4 * place) & 0xF;
            match nibble(self.mask) {
                0 => f.write_str("X"),
                _ => write!(f, "{:X}", nibble(self.value)),
            }
        })
    }
}

/// Says that a text is no status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a status word has four hexadecimal digits, X for any")]
pub struct StatusPatternError;

impl FromStr for StatusPattern {
    type Err = StatusPatternError;

    fn from_str(word: &str) -> Result<Self, StatusPatternError> {
        let mut pattern = Self { value: 0, mask: 0 };
        if word.chars().count() != 4 {
            return Err(StatusPatternError);
        }
        for letter in word.chars() {
            let digit = letter
                .to_digit(16)
                .and_then(|digit| u16::try_from(digit).ok());
            let (value, mask) = match (letter, digit) {
                ('X', _) => (0, 0),
                (_, Some(digit)) => (digit, 0xF),
                _ => return Err(StatusPatternError),
            };
            pattern.value = pattern.value << 4 | value;
            pattern.mask = pattern.mask << 4 | mask;
        }
        Ok(pattern)
    }
}
