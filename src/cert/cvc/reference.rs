//! References: how holders and authorities are named (*TR-03110-3 §C.1.1*).

use std::fmt;

/// Why text or bytes are no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Too short or too long.
    #[error("a reference is 7 to 16 characters long: country, name of up to 9, five of sequence")]
    Length,
    /// The first two are not two capital letters.
    #[error("a reference starts with a country code of two capital letters")]
    Country,
    /// The name has a control character.
    #[error("the name of a holder has a control character")]
    Mnemonic,
    /// The last five are not digits and letters.
    #[error("a reference ends with a sequence number of five digits or letters")]
    Sequence,
    /// The sequence number cannot be counted up.
    #[error("the sequence number cannot be counted up any more")]
    Exhausted,
}

/// The reference of a key's holder: country code, holder's name and sequence number. As the
/// issuer's it stands in a certificate as its CAR, as the holder's own as its CHR.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderReference {
    bytes: Vec<u8>,
}

const COUNTRY: usize = 2;
const MOST_MNEMONIC: usize = 9;
const SEQUENCE: usize = 5;

impl HolderReference {
    /// Reads a reference (*ISO 8859-1*).
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReferenceError> {
        if !(COUNTRY + SEQUENCE..=COUNTRY + MOST_MNEMONIC + SEQUENCE).contains(&bytes.len()) {
            return Err(ReferenceError::Length);
        }
        let (country, rest) = bytes.split_at(COUNTRY);
        let (mnemonic, sequence) = rest.split_at(rest.len() - SEQUENCE);
        if !country.iter().all(u8::is_ascii_uppercase) {
            return Err(ReferenceError::Country);
        }
        if !mnemonic
            .iter()
            .all(|byte| matches!(byte, 0x20..=0x7E | 0xA0..))
        {
            return Err(ReferenceError::Mnemonic);
        }
        if !sequence.iter().all(u8::is_ascii_alphanumeric) {
            return Err(ReferenceError::Sequence);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
        })
    }

    /// Returns the first reference of a holder, which country and name make: `LVCVCA` and sequence
    /// number `00001`.
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub fn first(holder: &str) -> Result<Self, ReferenceError> {
        Self::parse(format!("{holder}00001").as_bytes())
    }

    /// Returns the bytes, 7 to 16.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the country code, two capital letters.
    pub fn country(&self) -> &[u8] {
        self.bytes.get(..COUNTRY).unwrap_or_default()
    }

    /// Returns country and name: what stays when the key changes.
    pub fn holder(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(SEQUENCE);
        self.bytes.get(..end).unwrap_or_default()
    }

    /// Returns the sequence number, five digits or letters.
    pub fn sequence(&self) -> &[u8] {
        let start = self.bytes.len().saturating_sub(SEQUENCE);
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Returns the same holder's next reference: the digits at the end are counted up, and letters
    /// before them stay, as in `DE019`.
    ///
    /// # Errors
    /// [`ReferenceError::Exhausted`] after the last number.
    pub fn successor(&self) -> Result<Self, ReferenceError> {
        let mut bytes = self.bytes.clone();
        let fixed = self.holder().len();
        for at in (fixed..bytes.len()).rev() {
            match bytes.get_mut(at) {
                Some(nine @ b'9') => *nine = b'0',
                Some(digit @ b'0'..=b'8') => {
                    *digit += 1;
                    return Ok(Self { bytes });
                }
                _ => break,
            }
        }
        Err(ReferenceError::Exhausted)
    }
}

impl std::str::FromStr for HolderReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let bytes: Option<Vec<u8>> = text
            .chars()
            .map(|letter| u8::try_from(u32::from(letter)).ok())
            .collect();
        Self::parse(&bytes.ok_or(ReferenceError::Mnemonic)?)
    }
}

impl fmt::Display for HolderReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A character of ISO 8859-1 has its number in Unicode too.
        let text: String = self.bytes.iter().map(|byte| char::from(*byte)).collect();
        f.write_str(&text)
    }
}

impl fmt::Debug for HolderReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{HolderReference, ReferenceError};

    fn reference(text: &str) -> HolderReference {
        text.parse().unwrap()
    }

    #[test]
    fn parts_are_told_apart() {
        let found = reference("DECVCAeID00102");
        assert_eq!(found.country(), b"DE");
        assert_eq!(found.holder(), b"DECVCAeID");
        assert_eq!(found.sequence(), b"00102");
        assert_eq!(found.to_string(), "DECVCAeID00102");
        assert_eq!(
            HolderReference::first("LVCVCA"),
            Ok(reference("LVCVCA00001"))
        );
        let latin = HolderReference::parse(b"LV\xC4\xC300001").unwrap();
        assert_eq!(latin.to_string().parse(), Ok(latin));
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, error) in [
            ("", ReferenceError::Length),
            ("LV0001", ReferenceError::Length),
            ("LVABCDEFGHIJ00001", ReferenceError::Length),
            ("lvCVCA00001", ReferenceError::Country),
            ("LV\u{7}CVCA00001", ReferenceError::Mnemonic),
            ("LVĀ00001", ReferenceError::Mnemonic),
            ("LVCVCA0000-", ReferenceError::Sequence),
        ] {
            assert_eq!(text.parse::<HolderReference>(), Err(error), "{text}");
        }
    }

    #[test]
    fn sequence_numbers_count_up() {
        for (before, after) in [
            ("LVCVCA00001", "LVCVCA00002"),
            ("LVCVCA00999", "LVCVCA01000"),
            ("DETESTDVDE019", "DETESTDVDE020"),
        ] {
            assert_eq!(reference(before).successor(), Ok(reference(after)));
        }
        for last in ["LVCVCA99999", "DETESTDVDE999", "LVCVCAABCDE"] {
            assert_eq!(reference(last).successor(), Err(ReferenceError::Exhausted));
        }
    }
}
