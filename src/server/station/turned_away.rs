//! Which stations were turned away lately: one that asks on and on does not fill the audit log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the same station's refusal is news.
const ONCE: Duration = Duration::from_secs(60);

/// The stations that were turned away, by name: as many as the books have, at the most.
#[derive(Debug, Default)]
pub(crate) struct TurnedAway(Mutex<HashMap<String, Instant>>);

impl TurnedAway {
    /// Says whether that this station is turned away is to be written down now.
    pub(crate) fn is_news(&self, station: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match known.get(station) {
            Some(at) if now.duration_since(*at) < ONCE => false,
            _ => {
                known.insert(station.to_owned(), now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_refusal_is_news_once_a_minute() {
        let turned = TurnedAway::default();
        assert!(turned.is_news("riga-1") && turned.is_news("riga-2"));
        assert!(!turned.is_news("riga-1"));
    }
}
