//! How fast one session, one address without a session, and one station may ask.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How fast: at once, and then for each second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// So many requests at once.
    pub burst: f64,
    /// So many more each second.
    pub each_second: f64,
}

/// How fast people may ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paces {
    /// In one session.
    pub session: Pace,
    /// From one address (of IPv6: one /64) without a session: whoever signs in.
    pub address: Pace,
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            session: Pace {
                burst: 120.0,
                each_second: 20.0,
            },
            address: Pace {
                burst: 60.0,
                each_second: 2.0,
            },
        }
    }
}

/// The most that is remembered at once: what is idle is forgotten first.
const MOST: usize = 10_000;

/// Counts what was asked lately.
#[derive(Default)]
pub(crate) struct Meters(Mutex<HashMap<String, Meter>>);

struct Meter {
    left: f64,
    at: Instant,
}

impl Meters {
    /// Takes one request. Returns the seconds to wait where there were too many.
    pub(crate) fn take(&self, whose: &str, pace: Pace, now: Instant) -> Result<(), u64> {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if meters.len() >= MOST && !meters.contains_key(whose) {
            let idle = |meter: &Meter| {
                let since = now.saturating_duration_since(meter.at).as_secs_f64();
                meter.left + since * pace.each_second >= pace.burst
            };
            meters.retain(|_, meter| !idle(meter));
            if meters.len() >= MOST {
                return Err(1);
            }
        }
        let meter = meters.entry(whose.to_owned()).or_insert(Meter {
            left: pace.burst,
            at: now,
        });
        let since = now.saturating_duration_since(meter.at).as_secs_f64();
        meter.left = (meter.left + since * pace.each_second).min(pace.burst);
        meter.at = now;
        if meter.left < 1.0 {
            let wait = ((1.0 - meter.left) / pace.each_second)
                .ceil()
                .clamp(1.0, 3600.0);
            // Between 1 and 3600.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            return Err(wait as u64);
        }
        meter.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let meters = Meters::default();
        let pace = Pace {
            burst: 2.0,
            each_second: 0.5,
        };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(meters.take("one", pace, at(0)), Ok(()));
        assert_eq!(meters.take("one", pace, at(0)), Ok(()));
        assert_eq!(meters.take("one", pace, at(0)), Err(2));
        assert_eq!(meters.take("two", pace, at(0)), Ok(()));
        assert_eq!(meters.take("one", pace, at(1)), Err(1));
        assert_eq!(meters.take("one", pace, at(2)), Ok(()));
        assert_eq!(meters.take("one", pace, at(2)), Err(2));
    }
}
