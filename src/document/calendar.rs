//! Working days of a Latvian state institution, and the day by which a document is due.
//!
//! Holidays are those of the law "On Public Holidays, Commemoration Days and Celebration Days",
//! section 1; what is decided once (a day moved by order of the Cabinet under section 133(4) of the
//! Labour Law, the close of the Song and Dance Celebration) is data: `reports/calendar.toml`.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use thiserror::Error;

use crate::Priority;

/// The most days that a calendar lists.
pub const MAX_LISTED_DAYS: usize = 2_000;

/// The most bytes of why a day is listed.
const MAX_REASON: usize = 200;

/// The time of Riga: UTC+2, in summer UTC+3, by the rule of the European Union.
const RIGA: &str = "EET-2EEST,M3.5.0/3,M10.5.0/4";

/// The first and the last year whose holidays are computed: the Gregorian calendar, and days of four
/// digits.
const YEARS: std::ops::RangeInclusive<i16> = 1583..=9998;

/// Why a calendar cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// It is of another format.
    #[error("calendar format {0} is not known here; write format = 1")]
    Format(u32),
    /// The time zone is no POSIX rule.
    #[error("the time zone is not a POSIX rule; that of Riga is {RIGA}")]
    TimeZone,
    /// It lists too many days.
    #[error("a calendar lists at most {MAX_LISTED_DAYS} days; take out those long past")]
    Long,
    /// A reason is empty, too long, or has more than one line.
    #[error("say why {0} is listed, in 1 to {MAX_REASON} bytes on one line")]
    Reason(Date),
    /// A day is listed twice.
    #[error("{0} is listed twice; keep one of them")]
    Twice(Date),
    /// A free day is free anyway.
    #[error("{0} is free by the law or a weekend; take it out of [[free]]")]
    FreeAnyway(Date),
    /// A working day is one anyway.
    #[error("{0} is a working day anyway; take it out of [[working]]")]
    WorkingAnyway(Date),
    /// A day lies outside the calendar.
    #[error("{0} lies outside the years {first} to {last}", first = YEARS.start(), last = YEARS.end())]
    Year(Date),
}

/// Which days an office works, and when its day begins.
///
/// The default knows the law, and nothing that was decided once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Calendar {
    time_zone: TimeZone,
    /// Days that differ from the law; whether each is worked.
    listed: BTreeMap<Date, bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    time_zone: String,
    #[serde(default)]
    free: Vec<Listed>,
    #[serde(default)]
    working: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    day: Date,
    why: String,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            // The rule is a constant of ours; a test reads it.
            time_zone: TimeZone::posix(RIGA).unwrap_or(TimeZone::UTC),
            listed: BTreeMap::new(),
        }
    }
}

impl TryFrom<Stored> for Calendar {
    type Error = CalendarError;

    fn try_from(stored: Stored) -> Result<Self, CalendarError> {
        if stored.format != 1 {
            return Err(CalendarError::Format(stored.format));
        }
        let time_zone = TimeZone::posix(&stored.time_zone).map_err(|_| CalendarError::TimeZone)?;
        if stored.free.len() + stored.working.len() > MAX_LISTED_DAYS {
            return Err(CalendarError::Long);
        }
        let law = Self {
            time_zone,
            listed: BTreeMap::new(),
        };
        let mut listed = BTreeMap::new();
        let free = stored.free.iter().map(|day| (day, false));
        let working = stored.working.iter().map(|day| (day, true));
        for (Listed { day, why }, is_worked) in free.chain(working) {
            if !YEARS.contains(&day.year()) {
                return Err(CalendarError::Year(*day));
            }
            if !(1..=MAX_REASON).contains(&why.trim().len()) || why.chars().any(char::is_control) {
                return Err(CalendarError::Reason(*day));
            }
            if listed.insert(*day, is_worked).is_some() {
                return Err(CalendarError::Twice(*day));
            }
            match (law.is_working(*day), is_worked) {
                (false, false) => return Err(CalendarError::FreeAnyway(*day)),
                (true, true) => return Err(CalendarError::WorkingAnyway(*day)),
                _ => {}
            }
        }
        Ok(Self { listed, ..law })
    }
}

impl Calendar {
    /// Returns the office's day at a moment.
    #[must_use]
    pub fn day_of(&self, moment: Timestamp) -> Date {
        moment.to_zoned(self.time_zone.clone()).date()
    }

    /// Tells whether the office works on a day.
    #[must_use]
    pub fn is_working(&self, day: Date) -> bool {
        match self.listed.get(&day) {
            Some(&is_worked) => is_worked,
            None => !is_weekend(day) && !is_holiday(day) && !self.is_substitute(day),
        }
    }

    /// Returns the day by which a document must be made that was applied for on a day: the day of
    /// application does not count, and only working days do. None outside the calendar.
    #[must_use]
    pub fn due(&self, applied: Date, priority: Priority) -> Option<Date> {
        let mut day = applied;
        let mut left = priority.working_days();
        while left > 0 {
            day = day.tomorrow().ok()?;
            if !YEARS.contains(&day.year()) {
                return None;
            }
            left -= u8::from(self.is_working(day));
        }
        Some(day)
    }

    /// Returns how many working days passed from a day until another: as in [`Calendar::due`], the
    /// first does not count and the last does. None in more than ten years.
    #[must_use]
    pub fn working_days(&self, from: Date, until: Date) -> Option<u16> {
        let mut passed = 0;
        let mut day = from;
        while day < until {
            day = day.tomorrow().ok()?;
            passed += u16::from(self.is_working(day));
            if passed > 3_000 {
                return None;
            }
        }
        Some(passed)
    }

    /// Tells whether a day is free in place of 4 May or 18 November, which fell on a weekend: the
    /// next working day is.
    fn is_substitute(&self, day: Date) -> bool {
        // Saturday, Sunday, and whatever is free after them: never more than a few days.
        let mut before = day;
        for _ in 0..7 {
            let Ok(yesterday) = before.yesterday() else {
                return false;
            };
            before = yesterday;
            if is_weekend(before) && is_moved_from_weekends(before) {
                return true;
            }
            if !is_weekend(before)
                && !is_holiday(before)
                && self.listed.get(&before) != Some(&false)
            {
                return false;
            }
        }
        false
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Tells whether a holiday is one that the next working day is free for.
fn is_moved_from_weekends(day: Date) -> bool {
    matches!((day.month(), day.day()), (5, 4) | (11, 18))
}

/// Tells whether a day is a holiday by the law, on whatever day of the week.
fn is_holiday(day: Date) -> bool {
    let is_fixed = matches!(
        (day.month(), day.day()),
        (1, 1) | (5, 1 | 4) | (6, 23 | 24) | (11, 18) | (12, 24 | 25 | 26 | 31)
    );
    let is_mothers_day =
        day.month() == 5 && (8..=14).contains(&day.day()) && day.weekday() == Weekday::Sunday;
    let by_easter = easter_sunday(day.year()).is_some_and(|easter| {
        // Good Friday, Easter Sunday and Monday, Pentecost.
        [-2, 0, 1, 49].iter().any(|&days: &i64| {
            easter
                .checked_add(days.days())
                .is_ok_and(|moved| moved == day)
        })
    });
    is_fixed || is_mothers_day || by_easter
}

/// Returns Easter Sunday of the western churches, by the rule of the Gregorian calendar: the Sunday
/// after the full moon of the tables that falls on 21 March or next. None before 1583.
///
/// The algorithm is the anonymous one of *Nature*, 20 April 1876.
#[must_use]
pub fn easter_sunday(year: i16) -> Option<Date> {
    if !YEARS.contains(&year) {
        return None;
    }
    let golden = year % 19;
    let (century, of_century) = (year / 100, year % 100);
    let moon_shift = (century + 8) / 25;
    let moon_correction = (century - moon_shift + 1) / 3;
    let epact = (19 * golden + century - century / 4 - moon_correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let exception = (golden + 11 * epact + 22 * weekday) / 451;
    let from_march = epact + weekday - 7 * exception + 114;
    let month = i8::try_from(from_march / 31).ok()?;
    let day = i8::try_from(from_march % 31 + 1).ok()?;
    Date::new(year, month, day).ok()
}

#[cfg(test)]
mod tests;
