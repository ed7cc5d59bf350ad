//! Dates of a zone: two digits each for year, month and day (*ICAO Doc 9303-3 §4.8*).

use std::fmt;

use jiff::civil::Date;
use thiserror::Error;
use zeroize::Zeroize;

/// Days of each month; February as in a leap year.
const DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Why six characters are no date. Positions count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DateError {
    /// Not six characters.
    #[error("expected six characters, YYMMDD")]
    Length,
    /// A part that is neither two digits nor two fillers.
    #[error("expected two digits, or << for a part that is unknown")]
    Part {
        /// Position of the first character at fault.
        position: usize,
    },
    /// No month has this number.
    #[error("expected a month, 01 to 12")]
    Month,
    /// The month has no such day.
    #[error("expected a day that the month has")]
    Day,
}

impl DateError {
    /// Returns the position of the first character at fault, from 1.
    #[must_use]
    pub const fn position(self) -> usize {
        match self {
            Self::Length => 1,
            Self::Part { position } => position,
            Self::Month => 3,
            Self::Day => 5,
        }
    }
}

/// A date as a zone writes it, `YYMMDD`. A part of it that is unknown is `<<`, which only dates of
/// birth may have.
///
/// Personal data: `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Zeroize)]
pub struct ZoneDate([u8; 6]);

impl ZoneDate {
    /// Returns a day without its century.
    #[must_use]
    pub fn of(day: Date) -> Self {
        let year = day.year().rem_euclid(100);
        let parts = [year, i16::from(day.month()), i16::from(day.day())];
        let mut characters = [b'0'; 6];
        for (pair, part) in characters.chunks_exact_mut(2).zip(parts) {
            for (character, digit) in pair.iter_mut().zip([part / 10, part % 10]) {
                // Each is below 10.
                *character = b'0' + u8::try_from(digit).unwrap_or_default();
            }
        }
        Self(characters)
    }

    /// Reads six characters.
    ///
    /// # Errors
    ///
    /// [`DateError`] when a part is neither known nor unknown, or the calendar has no such day in
    /// any century.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let characters: [u8; 6] = text.as_bytes().try_into().map_err(|_| DateError::Length)?;
        let date = Self(characters);
        for (pair, position) in characters.chunks_exact(2).zip([1, 3, 5]) {
            let is_unknown = pair.first() == Some(&b'<');
            for (&character, position) in pair.iter().zip(position..) {
                let fits = match is_unknown {
                    true => character == b'<',
                    false => character.is_ascii_digit(),
                };
                if !fits {
                    return Err(DateError::Part { position });
                }
            }
        }
        let days = match date.month() {
            None => 31,
            Some(month) => *month
                .checked_sub(1)
                .and_then(|index| DAYS.get(usize::from(index)))
                .ok_or(DateError::Month)?,
        };
        // A year divisible by four is a leap year in some century: 1900 was none, 2000 was.
        let is_leap = date.year().is_none_or(|year| year % 4 == 0);
        let days = match date.month() {
            Some(2) if !is_leap => 28,
            _ => days,
        };
        match date.day() {
            Some(day) if day == 0 || day > days => Err(DateError::Day),
            _ => Ok(date),
        }
    }

    /// Returns the six characters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }

    /// Returns the six characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // They are ASCII from the start.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the last two digits of the year, where it is known.
    #[must_use]
    pub fn year(self) -> Option<u8> {
        let [tens, ones, ..] = self.0;
        number(tens, ones)
    }

    /// Returns the month, where it is known.
    #[must_use]
    pub fn month(self) -> Option<u8> {
        let [_, _, tens, ones, _, _] = self.0;
        number(tens, ones)
    }

    /// Returns the day of the month, where it is known.
    #[must_use]
    pub fn day(self) -> Option<u8> {
        let [.., tens, ones] = self.0;
        number(tens, ones)
    }

    /// Tells whether every part is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        !self.0.contains(&b'<')
    }

    /// Returns the date of birth: the latest such day that is not after `today`. None where a part
    /// is unknown, or the two centuries before `today` have no such day.
    #[must_use]
    pub fn birth_by(self, today: Date) -> Option<Date> {
        let century = today.year().div_euclid(100);
        [century, century - 1]
            .into_iter()
            .filter_map(|century| self.in_century(century))
            .find(|&day| day <= today)
    }

    /// Returns the date of expiry: such a day within the fifty years before `today`'s year and the
    /// forty-nine after it. None where a part is unknown, or that year has no such day.
    #[must_use]
    pub fn expiry_about(self, today: Date) -> Option<Date> {
        let century = today.year().div_euclid(100);
        [century - 1, century, century + 1]
            .into_iter()
            .filter_map(|century| self.in_century(century))
            .find(|day| (-50..50).contains(&(day.year() - today.year())))
    }

    fn in_century(self, century: i16) -> Option<Date> {
        let year = century * 100 + i16::from(self.year()?);
        let month = i8::try_from(self.month()?).ok()?;
        Date::new(year, month, i8::try_from(self.day()?).ok()?).ok()
    }
}

fn number(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

impl fmt::Debug for ZoneDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ZoneDate(…)")
    }
}

impl fmt::Display for ZoneDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn known_and_unknown_parts_are_read() {
        for text in [
            "740812", "74<<<<", "7408<<", "<<0812", "<<<<<<", "000229", "<<0229", "96<<31",
        ] {
            assert_eq!(ZoneDate::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(ZoneDate::parse("7408<<").unwrap().day(), None);
        assert!(!ZoneDate::parse("7408<<").unwrap().is_known());
    }

    #[test]
    fn faults_have_positions() {
        for (text, error, position) in [
            ("74081", DateError::Length, 1),
            ("7408123", DateError::Length, 1),
            ("7<0812", DateError::Part { position: 2 }, 2),
            ("740<12", DateError::Part { position: 4 }, 4),
            ("7408A2", DateError::Part { position: 5 }, 5),
            ("7408<1", DateError::Part { position: 6 }, 6),
            ("740012", DateError::Month, 3),
            ("741312", DateError::Month, 3),
            ("740800", DateError::Day, 5),
            ("740431", DateError::Day, 5),
            ("750229", DateError::Day, 5),
            ("<<0230", DateError::Day, 5),
        ] {
            assert_eq!(ZoneDate::parse(text), Err(error), "{text}");
            assert_eq!(error.position(), position);
        }
    }

    #[test]
    fn centuries_follow_the_day() {
        let today = date(2026, 11, 22);
        let birth = |text| ZoneDate::parse(text).unwrap().birth_by(today);
        assert_eq!(birth("261122"), Some(today));
        assert_eq!(birth("261123"), Some(date(1926, 11, 23)));
        assert_eq!(birth("740812"), Some(date(1974, 8, 12)));
        assert_eq!(birth("7408<<"), None);
        assert_eq!(birth("280229"), Some(date(1928, 2, 29)));
        let expiry = |text| ZoneDate::parse(text).unwrap().expiry_about(today);
        assert_eq!(expiry("360520"), Some(date(2036, 5, 20)));
        assert_eq!(expiry("120415"), Some(date(2012, 4, 15)));
        assert_eq!(expiry("750101"), Some(date(2075, 1, 1)));
        assert_eq!(expiry("760101"), Some(date(1976, 1, 1)));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", ZoneDate::of(date(1974, 8, 12))),
            "ZoneDate(…)"
        );
        assert_eq!(ZoneDate::of(date(1974, 8, 2)).to_string(), "740802");
    }
}
