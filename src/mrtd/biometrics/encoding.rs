//! The two generations of ISO's biometric formats.

use std::fmt;
use std::str::FromStr;

use document::UnknownName;

/// Which standard a data group's pictures are wrapped by. The document profile chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BiometricEncoding {
    /// *ISO/IEC 19794-4* and *-5* of 2005: records of fixed fields.
    Iso19794,
    /// *ISO/IEC 39794-4* and *-5* of 2019: tagged blocks in DER.
    Iso39794,
}

impl BiometricEncoding {
    /// Both, the older first.
    pub const ALL: &'static [Self] = &[Self::Iso19794, Self::Iso39794];

    /// Returns the name in profiles and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iso19794 => "iso19794",
            Self::Iso39794 => "iso39794",
        }
    }
}

impl fmt::Display for BiometricEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BiometricEncoding {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|encoding| encoding.name() == text)
            .ok_or_else(|| UnknownName {
                what: "biometric encoding",
                expected: "iso19794, iso39794".to_owned(),
            })
    }
}
