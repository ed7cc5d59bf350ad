//! How fast a station gets keys: one that was stolen, or went mad, is slowed down and seen.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::error::{CentralError, Result};

/// Within which time grants are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Counts what each station was granted lately.
pub(crate) struct Rate {
    /// The most grants of a station within a minute.
    most: usize,
    granted: Mutex<HashMap<String, VecDeque<Timestamp>>>,
}

impl Rate {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            granted: Mutex::default(),
        }
    }

    /// Takes one grant of a station.
    ///
    /// # Errors
    /// [`CentralError::Refused`] where it had as many as it gets within a minute.
    pub(crate) fn take(&self, station: &str, now: Timestamp) -> Result<()> {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = granted.entry(station.to_owned()).or_default();
        while lately
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            lately.pop_front();
        }
        if lately.len() >= self.most {
            return Err(CentralError::refused(format!(
                "this station was given keys for {} channels within a minute; let somebody look at it, and go on after a minute",
                self.most
            )));
        }
        lately.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Rate;

    #[test]
    fn a_station_is_slowed_down_and_others_are_not() {
        let rate = Rate::new(2);
        let start: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        assert!(rate.take("one", at(0)).is_ok());
        assert!(rate.take("one", at(30)).is_ok());
        assert!(rate.take("one", at(59)).is_err());
        assert!(rate.take("two", at(59)).is_ok());
        assert!(rate.take("one", at(60)).is_ok());
        assert!(rate.take("one", at(89)).is_err());
        assert!(rate.take("one", at(90)).is_ok());
    }
}
