//! What a report's lines are told apart by.

use std::fmt;
use std::str::FromStr;

/// What a report's lines are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// Calendar years.
    Year,
    /// Calendar months.
    Month,
    /// The offices that hand documents over.
    Office,
    /// Kinds of document.
    Kind,
}

impl By {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Year, Self::Month, Self::Office, Self::Kind];

    /// Returns its name: `year`, `month`, `office` or `kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Office => "office",
            Self::Kind => "kind",
        }
    }

    /// Tells whether it parts time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Year | Self::Month)
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|by| by.name() == text);
        found
            .copied()
            .ok_or_else(|| "expected year, month, office or kind".to_owned())
    }
}
