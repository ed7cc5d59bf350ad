//! What people did at a station itself: orders to its slots, and its shift.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a person did at a station itself, for the centre's log. It stands in the same order as the
/// station's reports: the pair of station and sequence makes a repeated one known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationAct {
    /// The station's running number, without gaps over reports and acts.
    pub sequence: u64,
    /// When, by the station's clock.
    pub at: Timestamp,
    /// The account's name.
    pub person: String,
    /// What they did: one of [`StationAct::KNOWN`].
    pub act: String,
    /// The slot, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
}

impl StationAct {
    /// What can be done at a station itself.
    pub const KNOWN: [&str; 5] = [
        Self::SHIFT_BEGUN,
        Self::SHIFT_ENDED,
        Self::SLOT_PAUSED,
        Self::SLOT_STARTED,
        Self::CARD_GIVEN_UP,
    ];
    /// Somebody took the shift.
    pub const SHIFT_BEGUN: &str = "shift.begun";
    /// Somebody ended their shift.
    pub const SHIFT_ENDED: &str = "shift.ended";
    /// A slot begins nothing more.
    pub const SLOT_PAUSED: &str = "slot.paused";
    /// A slot works again.
    pub const SLOT_STARTED: &str = "slot.started";
    /// The card that a slot held for the centre is given up.
    pub const CARD_GIVEN_UP: &str = "card.given-up";
}
