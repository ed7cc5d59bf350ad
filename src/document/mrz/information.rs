//! What the keys of BAC and PACE are derived from.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::{ZoneDate, check_digit};

/// Shortest number with its fillers.
const SHORTEST: usize = 9;

/// Longest number that a zone carries: nine characters, and thirteen in a TD1's optional data.
const LONGEST: usize = 22;

/// Why three values give no MRZ information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InformationError {
    /// No zone carries such a number.
    #[error("document number must be 1 to {LONGEST} capital letters and digits")]
    Number,
}

/// The MRZ information (*ICAO Doc 9303-11 §4.3.2 and §9.7.3*): document number, date of birth and
/// date of expiry, each with its check digit.
///
/// It opens the chip: `Debug` shows nothing of it, and memory is wiped on drop. The protocols that
/// open chips are another crate's, which knows nothing of documents: `access::MrzInformation` is
/// made of these characters.
#[derive(Clone, PartialEq, Eq)]
pub struct MrzInformation(Zeroizing<Vec<u8>>);

impl MrzInformation {
    /// Returns the information of these three values, as an inspector types them: a shorter number
    /// gets its fillers, a longer one stays whole. `<` may stand in the number for what the zone
    /// cannot carry.
    ///
    /// # Errors
    ///
    /// [`InformationError`] when no zone carries such a number.
    pub fn of(
        number: &str,
        birth_date: ZoneDate,
        expiry_date: ZoneDate,
    ) -> Result<Self, InformationError> {
        let allowed = |byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'<');
        if !(1..=LONGEST).contains(&number.len())
            || !number.bytes().all(allowed)
            || number.starts_with('<')
        {
            return Err(InformationError::Number);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 15));
        bytes.extend_from_slice(number.as_bytes());
        bytes.resize(number.len().max(SHORTEST), b'<');
        let check = check_digit(&bytes);
        bytes.push(check);
        for date in [&birth_date, &expiry_date] {
            bytes.extend_from_slice(date.as_bytes());
            bytes.push(check_digit(date.as_bytes()));
        }
        Ok(Self(bytes))
    }

    pub(super) fn joined(parts: &[&str]) -> Self {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 15));
        for part in parts {
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// Returns the characters: the input of SHA-1 for BAC's key seed, and PACE's password K.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MrzInformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzInformation(…)")
    }
}
