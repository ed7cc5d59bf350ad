//! How long backups are kept, as `installation.toml` says it.
//!
//! ```text
//! [backups]                        # nothing of it: nothing is pruned
//! keep = 400                       # the newest so many
//! days = 14                        # and of those none that is older
//! ```

use std::num::{NonZeroU16, NonZeroUsize};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Which backups are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    /// How many, the newest first; none: as many as there are.
    pub(crate) keep: Option<NonZeroUsize>,
    /// For how many days; none: for good.
    pub(crate) days: Option<NonZeroU16>,
}

impl Retention {
    /// Tells whether it keeps everything.
    pub(crate) fn is_silent(self) -> bool {
        self == Self::default()
    }

    /// Tells whether a backup of that moment is kept before which there are so many newer ones.
    pub(crate) fn keeps(self, newer: usize, made: Timestamp, now: Timestamp) -> bool {
        let is_few = self.keep.is_none_or(|keep| newer < keep.get());
        let is_young = self.days.is_none_or(|days| {
            let term = SignedDuration::from_hours(24 * i64::from(days.get()));
            now.duration_since(made) <= term
        });
        is_few && is_young
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(86_400 * number).unwrap()
    }

    fn kept(text: &str, made: &[i64], now: i64) -> Vec<i64> {
        let retention: Retention = toml::from_str(text).unwrap();
        let newest_first = made.iter().enumerate();
        let keeps = |&(newer, &made): &(usize, &i64)| retention.keeps(newer, day(made), day(now));
        newest_first.filter(keeps).map(|(_, &made)| made).collect()
    }

    #[test]
    fn backups_are_kept_by_count_and_by_age() {
        let made = [10, 9, 8, 3, 1];
        assert_eq!(kept("", &made, 10), made);
        assert_eq!(kept("keep = 2", &made, 10), [10, 9]);
        assert_eq!(kept("days = 7", &made, 10), [10, 9, 8, 3]);
        assert_eq!(kept("keep = 3\ndays = 1", &made, 10), [10, 9]);
        assert_eq!(kept("keep = 9\ndays = 1", &made, 100), [0_i64; 0]);
        // A clock that was put back prunes nothing by age.
        assert_eq!(kept("days = 1", &made, 0), made);
    }

    #[test]
    fn none_is_not_a_number_of_backups_to_keep() {
        for text in ["keep = 0", "days = 0", "keep = -1", "day = 3"] {
            assert!(toml::from_str::<Retention>(text).is_err(), "{text}");
        }
    }
}
