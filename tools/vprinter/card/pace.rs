//! How long a printer takes.

use std::time::Duration;

/// How long each motion takes. Round figures of a desktop printer, not measured on one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Nothing takes time.
    #[default]
    None,
    /// As long as a printer takes.
    Real,
}

impl Pace {
    /// Returns how long a card takes from one place to the next.
    pub(super) const fn motion(self) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::Real => Duration::from_millis(1500),
        }
    }

    /// Returns how long a panel takes.
    pub(super) const fn panel(self, letter: char) -> Duration {
        match (self, letter) {
            (Self::None, _) => Duration::ZERO,
            (Self::Real, 'k') => Duration::from_millis(2000),
            (Self::Real, 'o') => Duration::from_millis(3000),
            (Self::Real, _) => Duration::from_millis(4000),
        }
    }
}
