//! An open card whose centre cannot be reached: it is held, named, until the centre is back, a person
//! gives it up, or it was held for too long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::Lease;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::bridge::Parking;
use crate::event::{Event, Happening};
use crate::order::Order;
use crate::slot::Slot;

/// The card of one slot.
pub(crate) struct SlotParking {
    slot: String,
    number: String,
    longest: Duration,
    order: Arc<Order>,
    stop: Arc<AtomicBool>,
    events: broadcast::Sender<Event>,
    /// Since when it is held.
    since: Mutex<Option<Instant>>,
}

impl SlotParking {
    /// Holds the card of a lease at a slot.
    pub(crate) fn of(slot: &Slot, lease: &Lease) -> Self {
        Self {
            slot: slot.config.name.clone(),
            number: lease.record.number.to_string(),
            longest: slot.shared.parking,
            order: slot.order.clone(),
            stop: slot.stop.clone(),
            events: slot.events.clone(),
            since: Mutex::default(),
        }
    }
}

impl Parking for SlotParking {
    fn hold(&self) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let held = since.map_or(Duration::ZERO, |since| since.elapsed());
        let is_over = held >= self.longest || self.stop.load(Ordering::Relaxed);
        if is_over || self.order.is_given_up() {
            return false;
        }
        if since.is_none() {
            *since = Some(Instant::now());
            // Nobody has to watch.
            let _ = self.events.send(Event {
                slot: self.slot.clone(),
                happening: Happening::Parked {
                    number: self.number.clone(),
                },
            });
        }
        true
    }

    fn let_go(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
