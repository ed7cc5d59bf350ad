//! What an endpoint remembers of transactions while they run; a restart may forget it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::authority::CertificateOrder;
use crate::cmp::body::Enrolment;

/// The most transactions that are remembered at a time.
const MOST: usize = 4096;
/// How long a transaction is remembered at least.
const TERM: SignedDuration = SignedDuration::from_hours(1);

/// A transaction.
#[derive(Clone)]
pub(super) struct Turn {
    /// The nonce of every answer in it: an answer that was lost and comes late is as good as the
    /// one that was sent again.
    pub(super) nonce: [u8; 16],
    pub(super) wish: Wish,
    /// From when on the certificate is made.
    pub(super) ready: Timestamp,
    since: Timestamp,
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
    /// Messages that change a certificate's status: none is obeyed twice while its time is
    /// accepted.
    orders: Mutex<BTreeMap<[u8; 16], Timestamp>>,
}

impl Live {
    /// Returns the turn of an exchange, if it is remembered.
    pub(super) fn find(&self, exchange: &[u8; 16]) -> Option<Turn> {
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.get(exchange).cloned()
    }

    /// Returns the turn of an exchange, which begins now if it did not before; nothing where too
    /// many run.
    pub(super) fn begin(
        &self,
        exchange: [u8; 16],
        wish: Wish,
        nonce: [u8; 16],
        at: Timestamp,
        ready: Timestamp,
    ) -> Option<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(&exchange) {
            return Some(turn.clone());
        }
        if turns.len() >= MOST {
            turns.retain(|_, turn| at.duration_since(turn.since) < TERM);
        }
        if turns.len() >= MOST {
            return None;
        }
        let turn = Turn {
            nonce,
            wish,
            ready,
            since: at,
        };
        turns.insert(exchange, turn.clone());
        Some(turn)
    }

    /// Forgets an exchange.
    pub(super) fn end(&self, exchange: &[u8; 16]) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.remove(exchange);
    }

    /// Enters a message that changes a status, to be remembered until then. Returns whether it is
    /// the first of its name.
    pub(super) fn is_first(&self, exchange: [u8; 16], at: Timestamp, until: Timestamp) -> bool {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.retain(|_, until| *until >= at);
        orders.insert(exchange, until).is_none()
    }
}
