//! The ISO/IEC 27001:2022 Annex A control that an entry is evidence for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::field::FieldError;

/// A control of ISO/IEC 27001:2022 Annex A, such as `A.8.15`. Only the 93 that exist: A.5.1 to
/// A.5.37, A.6.1 to A.6.8, A.7.1 to A.7.14, A.8.1 to A.8.34.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Control {
    clause: u8,
    number: u8,
}

impl Control {
    /// A.5.3: duties that conflict are in different hands.
    pub const SEGREGATION: Self = Self::known(5, 3);
    /// A.5.15: who may reach what.
    pub const ACCESS_CONTROL: Self = Self::known(5, 15);
    /// A.5.16: identities and their life.
    pub const IDENTITIES: Self = Self::known(5, 16);
    /// A.5.17: passwords, PINs and other authentication information.
    pub const AUTHENTICATION_INFORMATION: Self = Self::known(5, 17);
    /// A.5.18: rights given, reviewed and taken away.
    pub const ACCESS_RIGHTS: Self = Self::known(5, 18);
    /// A.5.28: evidence is collected so that it holds.
    pub const EVIDENCE: Self = Self::known(5, 28);
    /// A.5.33: records are protected.
    pub const RECORDS: Self = Self::known(5, 33);
    /// A.5.34: personal data is protected.
    pub const PERSONAL_DATA: Self = Self::known(5, 34);
    /// A.7.2: who enters the rooms.
    pub const PHYSICAL_ENTRY: Self = Self::known(7, 2);
    /// A.7.10: storage media through their life. Blanks and chips are such.
    pub const MEDIA: Self = Self::known(7, 10);
    /// A.7.14: equipment is disposed of or reused without what it held.
    pub const DISPOSAL: Self = Self::known(7, 14);
    /// A.8.2: privileged rights.
    pub const PRIVILEGED_ACCESS: Self = Self::known(8, 2);
    /// A.8.5: authentication of people and machines.
    pub const AUTHENTICATION: Self = Self::known(8, 5);
    /// A.8.10: information is deleted when no longer needed.
    pub const DELETION: Self = Self::known(8, 10);
    /// A.8.13: backups.
    pub const BACKUP: Self = Self::known(8, 13);
    /// A.8.15: logs.
    pub const LOGGING: Self = Self::known(8, 15);
    /// A.8.16: systems are watched.
    pub const MONITORING: Self = Self::known(8, 16);
    /// A.8.17: clocks agree.
    pub const CLOCKS: Self = Self::known(8, 17);
    /// A.8.24: cryptography and its keys.
    pub const CRYPTOGRAPHY: Self = Self::known(8, 24);

    const fn known(clause: u8, number: u8) -> Self {
        Self { clause, number }
    }

    /// Returns the control of a clause (5 to 8) and its number there, if there is one.
    #[must_use]
    pub const fn new(clause: u8, number: u8) -> Option<Self> {
        let last = match clause {
            5 => 37,
            6 => 8,
            7 => 14,
            8 => 34,
            _ => 0,
        };
        if number >= 1 && number <= last {
            Some(Self { clause, number })
        } else {
            None
        }
    }
}

impl FromStr for Control {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let parse = || {
            let (clause, number) = text.strip_prefix("A.")?.split_once('.')?;
            let part = |digits| u8::try_from(crate::decimal::parse(digits)?).ok();
            Self::new(part(clause)?, part(number)?)
        };
        parse().ok_or(FieldError {
            field: "control",
            rule: "a control of ISO/IEC 27001:2022 Annex A, such as A.8.15",
        })
    }
}

impl TryFrom<String> for Control {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        text.parse()
    }
}

impl From<Control> for String {
    fn from(control: Control) -> Self {
        control.to_string()
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A.{}.{}", self.clause, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_93_controls() {
        let all = (0..=255).flat_map(|clause| (0..=255).map(move |number| (clause, number)));
        let controls: Vec<Control> = all.filter_map(|(c, n)| Control::new(c, n)).collect();
        assert_eq!(controls.len(), 93);
        for control in controls {
            assert_eq!(control.to_string().parse(), Ok(control));
        }
    }

    #[test]
    fn others_are_refused() {
        for bad in [
            "", "A.8", "A.8.35", "A.9.1", "A.5.0", "A.5.03", "8.15", "a.8.15", "A.8.15.1",
        ] {
            assert!(bad.parse::<Control>().is_err(), "{bad}");
        }
        assert_eq!(Control::LOGGING.to_string(), "A.8.15");
    }
}
