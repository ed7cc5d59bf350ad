//! Series of document numbers, and how numbers are allotted from them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::DocumentNumber;
use crate::named::named;

named! {
    /// What an installation is for. Bound at its first start, never changed.
    "environment" enum Environment {
        /// Real documents.
        Production = "production",
        /// Specimens only.
        Test = "test",
    }
}

impl Environment {
    /// Tells whether a series of these letters may be used here: `XA` to `XZ`
    /// belong to tests, all others to production. A test document can so be told
    /// by its number alone.
    #[must_use]
    pub const fn owns(self, prefix: [u8; 2]) -> bool {
        let [first, _] = prefix;
        match self {
            Self::Production => first != b'X',
            Self::Test => first == b'X',
        }
    }
}

/// Why a series cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SeriesError {
    /// The letters are not two capitals.
    #[error("a series has two capital letters")]
    Prefix,
    /// The letters belong to the other environment.
    #[error("series XA to XZ are for test, all others for production; this one is not for {0}")]
    Environment(Environment),
    /// The range is empty, begins at zero, or has more than seven digits.
    #[error("a series runs from at least 0000001 to at most 9999999, and is not empty")]
    Range,
}

/// No number is left; open another series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("series {prefix} is used up at {last:07}; open another series", prefix = letters(.prefix))]
pub struct Exhausted {
    /// The letters of the series.
    pub prefix: [u8; 2],
    /// Its last number.
    pub last: u32,
}

fn letters(prefix: &[u8; 2]) -> String {
    prefix.iter().copied().map(char::from).collect()
}

/// A range of document numbers, of which those before `next` are used.
///
/// Allotting is pure: it gives the number and the series as it then is. Whoever
/// stores both in one transaction never gives a number twice; `next` only grows,
/// and a number whose document was cancelled is not given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Series {
    environment: Environment,
    prefix: [u8; 2],
    next: u32,
    last: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    environment: Environment,
    prefix: String,
    next: u32,
    last: u32,
}

impl Series {
    /// Opens the series `prefix` from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// [`SeriesError`] when the letters are not this environment's, or the range
    /// is not within 1 to 9 999 999.
    pub fn new(
        environment: Environment,
        prefix: &str,
        first: u32,
        last: u32,
    ) -> Result<Self, SeriesError> {
        if first > last {
            return Err(SeriesError::Range);
        }
        Self::restore(environment, prefix, first, last)
    }

    /// Returns the series as it stands after some numbers were given; `next` may
    /// be one past `last`.
    ///
    /// # Errors
    ///
    /// [`SeriesError`], as [`Series::new`].
    pub fn restore(
        environment: Environment,
        prefix: &str,
        next: u32,
        last: u32,
    ) -> Result<Self, SeriesError> {
        let prefix: [u8; 2] = prefix
            .as_bytes()
            .try_into()
            .map_err(|_| SeriesError::Prefix)?;
        if !prefix.iter().all(u8::is_ascii_uppercase) {
            return Err(SeriesError::Prefix);
        }
        if !environment.owns(prefix) {
            return Err(SeriesError::Environment(environment));
        }
        if next == 0 || last == 0 || last > DocumentNumber::LAST || next > last + 1 {
            return Err(SeriesError::Range);
        }
        Ok(Self {
            environment,
            prefix,
            next,
            last,
        })
    }

    /// Returns the next number, and the series without it.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] when the last number has been given.
    pub fn allot(self) -> Result<(DocumentNumber, Self), Exhausted> {
        let exhausted = Exhausted {
            prefix: self.prefix,
            last: self.last,
        };
        if self.next > self.last {
            return Err(exhausted);
        }
        let number = DocumentNumber::new(self.prefix, self.next).map_err(|_| exhausted)?;
        Ok((
            number,
            Self {
                next: self.next + 1,
                ..self
            },
        ))
    }

    /// Returns the environment that the series belongs to.
    #[must_use]
    pub const fn environment(self) -> Environment {
        self.environment
    }

    /// Returns the two letters.
    #[must_use]
    pub fn prefix(self) -> String {
        letters(&self.prefix)
    }

    /// Returns the next number to be given, one past [`Series::last`] when none is left.
    #[must_use]
    pub const fn next(self) -> u32 {
        self.next
    }

    /// Returns the last number.
    #[must_use]
    pub const fn last(self) -> u32 {
        self.last
    }

    /// Returns how many numbers are left.
    #[must_use]
    pub const fn remaining(self) -> u32 {
        self.last + 1 - self.next
    }

    /// Tells whether two series could still give the same number.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.prefix == other.prefix && self.next.max(other.next) <= self.last.min(other.last)
    }
}

impl TryFrom<Stored> for Series {
    type Error = SeriesError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Self::restore(stored.environment, &stored.prefix, stored.next, stored.last)
    }
}

impl From<Series> for Stored {
    fn from(series: Series) -> Self {
        Self {
            environment: series.environment,
            prefix: series.prefix(),
            next: series.next,
            last: series.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_come_in_order_until_the_last() {
        let series = Series::new(Environment::Test, "XA", 9_999_998, 9_999_999).unwrap();
        let (first, series) = series.allot().unwrap();
        assert_eq!(first.to_string(), "XA9999998");
        let (second, series) = series.allot().unwrap();
        assert_eq!(second.to_string(), "XA9999999");
        assert_eq!(series.remaining(), 0);
        let exhausted = series.allot().unwrap_err();
        assert_eq!(
            exhausted.to_string(),
            "series XA is used up at 9999999; open another series"
        );
    }

    #[test]
    fn environments_never_share_letters() {
        for first in b'A'..=b'Z' {
            for second in b'A'..=b'Z' {
                let prefix = [first, second];
                assert_ne!(
                    Environment::Production.owns(prefix),
                    Environment::Test.owns(prefix)
                );
            }
        }
        assert_eq!(
            Series::new(Environment::Production, "XA", 1, 2),
            Err(SeriesError::Environment(Environment::Production))
        );
        assert_eq!(
            Series::new(Environment::Test, "PA", 1, 2),
            Err(SeriesError::Environment(Environment::Test))
        );
    }

    #[test]
    fn impossible_series_are_refused() {
        for prefix in ["", "P", "PAA", "pa", "P1", "Ā"] {
            let refused = Series::new(Environment::Production, prefix, 1, 2);
            assert_eq!(refused, Err(SeriesError::Prefix), "{prefix}");
        }
        for (first, last) in [(0, 5), (6, 5), (0, 0), (1, 10_000_000), (1, u32::MAX)] {
            let refused = Series::new(Environment::Production, "PA", first, last);
            assert_eq!(refused, Err(SeriesError::Range), "{first} {last}");
        }
        assert_eq!(
            Series::restore(Environment::Production, "PA", u32::MAX, 9_999_999),
            Err(SeriesError::Range)
        );
    }

    #[test]
    fn overlap_is_seen_only_where_numbers_are_left() {
        let of = |next, last| Series::restore(Environment::Production, "PA", next, last).unwrap();
        assert!(of(1, 10).overlaps(of(10, 20)));
        assert!(!of(1, 9).overlaps(of(10, 20)));
        assert!(!of(11, 10).overlaps(of(1, 20)));
        let other = Series::new(Environment::Production, "PB", 1, 10).unwrap();
        assert!(!of(1, 10).overlaps(other));
    }

    proptest! {
        #[test]
        fn no_number_is_given_twice(first in 1_u32..9_999_000, count in 1_u32..200) {
            let mut series =
                Series::new(Environment::Production, "PA", first, first + count - 1).unwrap();
            let mut given = HashSet::new();
            while let Ok((number, rest)) = series.allot() {
                prop_assert!(given.insert(number));
                let stored = serde_json::to_string(&rest).unwrap();
                prop_assert_eq!(serde_json::from_str::<Series>(&stored).unwrap(), rest);
                series = rest;
            }
            prop_assert_eq!(given.len(), count as usize);
        }
    }
}
