//! What an endpoint remembers of transactions while they run; a restart may forget it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::authority::CertificateOrder;
use crate::cmp::body::Enrolment;

/// The most transactions that are remembered at a time: the one that began first is forgotten for
/// the next. Whoever polls for it sends its request again.
const MOST: usize = 4096;
/// The most of one party's, which so cannot have all others' forgotten.
const MOST_OF_ONE: usize = 1024;

/// A transaction.
#[derive(Clone)]
pub(super) struct Turn {
    /// The nonce of every answer in it: an answer that was lost and comes late is as good as the
    /// one that was sent again.
    pub(super) nonce: [u8; 16],
    pub(super) wish: Wish,
    /// From when on the certificate is made.
    pub(super) ready: Timestamp,
    owner: Vec<u8>,
    /// Its place in the order in which transactions began.
    place: u64,
}

/// What is asked for in a transaction.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) kind: Enrolment,
    pub(super) cert_req_id: i32,
    pub(super) order: CertificateOrder,
    /// Something that was asked for is not given.
    pub(super) is_changed: bool,
    /// Implicit confirmation is asked for, and allowed.
    pub(super) is_implicit: bool,
}

#[derive(Default)]
pub(super) struct Live {
    turns: Mutex<BTreeMap<[u8; 16], Turn>>,
    /// Messages that change a certificate's status, while they are obeyed.
    orders: Mutex<BTreeSet<[u8; 16]>>,
}

/// A message that is being obeyed; nobody obeys the same beside it.
pub(super) struct Obeyed<'a> {
    live: &'a Live,
    name: [u8; 16],
}

impl Drop for Obeyed<'_> {
    fn drop(&mut self) {
        let orders = self.live.orders.lock();
        orders
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}

impl Live {
    /// Returns the turn of an exchange, if it is remembered.
    pub(super) fn find(&self, exchange: &[u8; 16]) -> Option<Turn> {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.get(exchange).cloned()
    }

    /// Returns the turn of an exchange of `owner`, which begins now if it did not before.
    pub(super) fn begin(
        &self,
        owner: Vec<u8>,
        exchange: [u8; 16],
        wish: Wish,
        nonce: [u8; 16],
        ready: Timestamp,
    ) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(&exchange) {
            return turn.clone();
        }
        let own = turns.values().filter(|turn| turn.owner == owner).count();
        let is_theirs = |turn: &Turn| own < MOST_OF_ONE || turn.owner == owner;
        if own >= MOST_OF_ONE || turns.len() >= MOST {
            let theirs = turns.iter().filter(|(_, turn)| is_theirs(turn));
            let first = theirs.min_by_key(|(_, turn)| turn.place);
            if let Some(first) = first.map(|(exchange, _)| *exchange) {
                turns.remove(&first);
            }
        }
        let last = turns.values().map(|turn| turn.place).max();
        let turn = Turn {
            nonce,
            wish,
            ready,
            owner,
            place: last.map_or(0, |last| last + 1),
        };
        turns.insert(exchange, turn.clone());
        turn
    }

    /// Forgets an exchange.
    pub(super) fn end(&self, exchange: &[u8; 16]) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.remove(exchange);
    }

    /// Takes a message that changes a status; nothing where the same one is being obeyed.
    pub(super) fn obey(&self, name: [u8; 16]) -> Option<Obeyed<'_>> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = orders.insert(name);
        is_first.then(|| Obeyed { live: self, name })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Live, MOST, MOST_OF_ONE, Wish};
    use crate::cmp::body::Enrolment;
    use crate::testing::{AUTHENTICATION, holder, order, profile, request};

    #[test]
    fn the_first_gives_way_and_nobody_has_all_others_give_way() {
        let live = Live::default();
        let wish = Wish {
            kind: Enrolment::Certification,
            cert_req_id: 0,
            order: order(&profile(AUTHENTICATION), &request(5).0, &holder()),
            is_changed: false,
            is_implicit: false,
        };
        let name = |number: usize| {
            let mut name = [0; 16];
            // Names are in no order.
            name[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9E37_79B9).to_le_bytes());
            name
        };
        let begin = |owner: &str, number: usize| {
            let owner = owner.as_bytes().to_vec();
            live.begin(owner, name(number), wish.clone(), [1; 16], Timestamp::MIN)
        };
        begin("quiet", 0);
        // Again is the same.
        begin("quiet", 0);
        for number in 1..=2 * MOST {
            begin("loud", number);
        }
        assert!(live.find(&name(0)).is_some());
        assert!(live.find(&name(2 * MOST)).is_some());
        assert!(live.find(&name(2 * MOST + 1 - MOST_OF_ONE)).is_some());
        assert!(live.find(&name(2 * MOST - MOST_OF_ONE)).is_none());
        // Many together: the first of all.
        for owner in 0..MOST {
            begin(&format!("one {owner}"), 3 * MOST + owner);
        }
        assert!(live.find(&name(0)).is_none());
        assert!(live.find(&name(3 * MOST)).is_some());
        assert_eq!(live.turns.lock().unwrap().len(), MOST);
        live.end(&name(3 * MOST));
        assert!(live.find(&name(3 * MOST)).is_none());
    }

    #[test]
    fn the_same_order_is_not_obeyed_twice_at_a_time() {
        let live = Live::default();
        let first = live.obey([1; 16]).unwrap();
        assert!(live.obey([1; 16]).is_none());
        assert!(live.obey([2; 16]).is_some());
        drop(first);
        assert!(live.obey([1; 16]).is_some());
    }
}
