//! What an endpoint does for whoever is not known: little, and not often.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::Semaphore;

/// The most messages that are served at a time.
const MOST: usize = 256;
/// The most secrets that are hashed at a time: a message says how often, and its sender need not
/// know the secret to name it.
const HASHED: usize = 2;
/// The most that wait for it: who floods an endpoint under a client's name shuts out those who are
/// known by secrets, not those who sign.
const WAITING: usize = 64;
/// The most refusals that are signed for strangers at once; one more each second. A refusal without
/// a signature says the same, and the token's time is the clients'.
const SIGNED: u32 = 16;

/// The bounds of an endpoint.
pub(super) struct Strangers {
    pub(super) served: Semaphore,
    pub(super) hashed: Semaphore,
    pub(super) waiting: Semaphore,
    signed: Mutex<Signed>,
}

struct Signed {
    left: u32,
    since: Timestamp,
}

impl Default for Strangers {
    fn default() -> Self {
        Self {
            served: Semaphore::new(MOST),
            hashed: Semaphore::new(HASHED),
            waiting: Semaphore::new(WAITING),
            signed: Mutex::new(Signed {
                left: SIGNED,
                since: Timestamp::MIN,
            }),
        }
    }
}

impl Strangers {
    /// Returns whether a refusal for a stranger is signed now.
    pub(super) fn is_signed(&self, at: Timestamp) -> bool {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = at.duration_since(signed.since).as_secs();
        if passed > 0 {
            let more = u32::try_from(passed).unwrap_or(u32::MAX);
            signed.left = signed.left.saturating_add(more).min(SIGNED);
            signed.since = at;
        }
        let is_left = signed.left > 0;
        signed.left = signed.left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{SIGNED, Strangers};

    #[test]
    fn strangers_have_a_refusal_signed_each_second() {
        let strangers = Strangers::default();
        let at = |millis| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis);
        let signed = |at| (0..100).filter(|_| strangers.is_signed(at)).count();
        assert_eq!(signed(at(0)), SIGNED as usize);
        assert_eq!(signed(at(999)), 0);
        assert_eq!(signed(at(1000)), 1);
        // A clock that was set back gives nothing, and takes nothing.
        assert_eq!(signed(at(-5000)), 0);
        assert_eq!(signed(at(3500)), 2);
        assert_eq!(signed(at(1_000_000)), SIGNED as usize);
    }
}
