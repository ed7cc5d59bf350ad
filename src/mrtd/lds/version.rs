//! Versions of the LDS and of Unicode.

use std::fmt;

/// The version of the logical data structure: `aabb` (*ICAO 9303-10 §4.6.1.1*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LdsVersion {
    major: u8,
    minor: u8,
}

impl LdsVersion {
    /// LDS 1.7: the security object has version 0.
    pub const V1_7: Self = Self { major: 1, minor: 7 };
    /// LDS 1.8: the security object has version 1 and says its LDS version itself.
    pub const V1_8: Self = Self { major: 1, minor: 8 };

    /// Returns the version that four digits say, for example `0107`.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let [major, minor] = pairs(digits)?;
        Some(Self { major, minor })
    }

    /// Says whether the security object of such a document names its versions: from 1.8 on.
    #[must_use]
    pub fn is_signed(self) -> bool {
        self >= Self::V1_8
    }

    /// Returns the four digits.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{:02}{:02}", self.major, self.minor)
    }
}

impl fmt::Display for LdsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The version of Unicode: `aabbcc` (*ICAO 9303-10 §4.6.1.2*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnicodeVersion {
    major: u8,
    minor: u8,
    update: u8,
}

impl UnicodeVersion {
    /// Unicode 4.0.0, which issuers write: it has all letters that names need.
    pub const V4_0_0: Self = Self {
        major: 4,
        minor: 0,
        update: 0,
    };

    /// Returns the version that six digits say, for example `040000`.
    #[must_use]
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let [major, minor, update] = pairs(digits)?;
        Some(Self {
            major,
            minor,
            update,
        })
    }

    /// Returns the six digits.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{:02}{:02}{:02}", self.major, self.minor, self.update)
    }
}

impl fmt::Display for UnicodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.update)
    }
}

/// Returns the numbers of two digits that `digits` is made of, where there are just N.
fn pairs<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut numbers = [0; N];
    for (number, pair) in numbers.iter_mut().zip(digits.chunks_exact(2)) {
        *number = pair.iter().fold(0, |sum, digit| sum * 10 + (digit - b'0'));
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::{LdsVersion, UnicodeVersion};

    #[test]
    fn digits_there_and_back() {
        assert_eq!(LdsVersion::parse(b"0107"), Some(LdsVersion::V1_7));
        assert_eq!(LdsVersion::V1_8.digits(), "0108");
        assert_eq!(LdsVersion::V1_8.to_string(), "1.8");
        assert!(LdsVersion::V1_8.is_signed() && !LdsVersion::V1_7.is_signed());
        let unicode = UnicodeVersion::parse(b"040000").unwrap();
        assert_eq!(unicode, UnicodeVersion::V4_0_0);
        assert_eq!(unicode.digits(), "040000");
        assert_eq!(unicode.to_string(), "4.0.0");
        for bad in [&b""[..], b"107", b"01 7", b"01077", b"\x01\x07aa"] {
            assert_eq!(LdsVersion::parse(bad), None);
        }
        assert_eq!(UnicodeVersion::parse(b"0400"), None);
    }
}
