//! The days that a report is about.

use jiff::civil::Date;
use serde::Serialize;
use thiserror::Error;

/// Why some days are no span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SpanError {
    /// It ends before it begins.
    #[error("the report would end on {until}, before it begins on {from}; change the days over")]
    Backwards {
        /// Its first day.
        from: Date,
        /// Its last day.
        until: Date,
    },
    /// A year that no calendar here has.
    #[error("{0} is no year of four digits")]
    Year(i16),
}

/// The days that a report is about, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    from: Date,
    until: Date,
}

impl Span {
    /// Makes a span of its first and last day.
    ///
    /// # Errors
    /// [`SpanError`] where it ends before it begins, or leaves the years 1000 to 9999.
    pub fn new(from: Date, until: Date) -> Result<Self, SpanError> {
        for day in [from, until] {
            // Days are compared as text, too.
            if day.year() < 1000 {
                return Err(SpanError::Year(day.year()));
            }
        }
        match from <= until {
            true => Ok(Self { from, until }),
            false => Err(SpanError::Backwards { from, until }),
        }
    }

    /// Returns the span of a calendar year.
    ///
    /// # Errors
    /// [`SpanError::Year`] outside the years 1000 to 9999.
    pub fn of_year(year: i16) -> Result<Self, SpanError> {
        let day = |month, day| Date::new(year, month, day).map_err(|_| SpanError::Year(year));
        Self::new(day(1, 1)?, day(12, 31)?)
    }

    /// Returns its first day.
    #[must_use]
    pub const fn from(self) -> Date {
        self.from
    }

    /// Returns its last day.
    #[must_use]
    pub const fn until(self) -> Date {
        self.until
    }

    /// Returns the years that it touches.
    pub fn years(self) -> impl Iterator<Item = i16> {
        self.from.year()..=self.until.year()
    }

    /// Returns the months that it touches, as `2026-11`.
    #[must_use]
    pub fn months(self) -> Vec<String> {
        let mut months = Vec::new();
        let mut day = self.from.first_of_month();
        while day <= self.until {
            months.push(month(day));
            match day.last_of_month().tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        months
    }

    /// Tells whether it covers a whole calendar year.
    #[must_use]
    pub fn covers_year(self, year: i16) -> bool {
        Self::of_year(year).is_ok_and(|whole| self.from <= whole.from && whole.until <= self.until)
    }

    /// Returns the part of it that lies within another.
    #[must_use]
    pub fn within(self, other: Self) -> Option<Self> {
        let from = self.from.max(other.from);
        let until = self.until.min(other.until);
        (from <= until).then_some(Self { from, until })
    }

    /// Returns the span of a month as [`Span::months`] writes it.
    #[must_use]
    pub fn of_month(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let from = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
        Some(Self {
            from,
            until: from.last_of_month(),
        })
    }
}

/// Returns a day's month as text.
fn month(day: Date) -> String {
    format!("{:04}-{:02}", day.year(), day.month())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_span_knows_its_months_and_whole_years() {
        let span = Span::new(date(2025, 11, 20), date(2027, 1, 31)).unwrap();
        let months = span.months();
        assert_eq!(months.len(), 15);
        assert_eq!(months[0], "2025-11");
        assert_eq!(months[14], "2027-01");
        assert!(span.covers_year(2026));
        assert!(!span.covers_year(2025) && !span.covers_year(2027));
        let november = Span::of_month("2025-11").unwrap();
        let part = span.within(november).unwrap();
        assert_eq!(
            (part.from(), part.until()),
            (date(2025, 11, 20), date(2025, 11, 30))
        );
        assert_eq!(Span::of_month("2025-13"), None);
        assert!(Span::new(date(2026, 2, 2), date(2026, 2, 1)).is_err());
        assert!(Span::of_year(999).is_err());
    }
}
