//! Runs a plan against one chip, without any input or output of its own: events in, actions
//! out. Tearing, simulation and the real station drive the same code.
//!
//! ```text
//! Plan + Assignment ─► Executor ─► Action ─► (card, centre, journal) ─► Event ─► Executor …
//! ```

mod action;
mod channel;
mod examine;
mod executor;
mod fault;
mod inspect;
mod inspection;
mod journal;
mod request;
mod resume;
mod step;

pub use crate::action::{Action, Assignment, Event, Outcome, Progress, Random};
pub use crate::examine::{Examination, Finding, Presented, Standard, Verdict, examine};
pub use crate::executor::Executor;
pub use crate::fault::Fault;
pub use crate::inspect::{Difference, Domain, Identity, InspectError, Inspector, PinAnswer};
pub use crate::inspection::{Unaccepted, Written};
pub use crate::journal::{JournalEntry, Moment};
pub use crate::request::{Grant, Opening, Refusal, Request};
pub use crate::resume::Past;

#[cfg(test)]
mod properties;

// What is proved on virtual chips by name stands apart: no file here names a chip.
#[cfg(test)]
#[path = "../../tests/perso/channels.rs"]
mod channels;
#[cfg(test)]
#[path = "../../tests/perso/desk.rs"]
mod desk;
#[cfg(test)]
#[path = "../../tests/perso/examined.rs"]
mod examined;
#[cfg(test)]
#[path = "../../tests/perso/holders_pins.rs"]
mod holders_pins;
#[cfg(test)]
#[path = "../../tests/perso/resumed.rs"]
mod resumed;
#[cfg(test)]
#[path = "../../tests/perso/schools.rs"]
mod schools;
#[cfg(test)]
#[path = "../../tests/perso/travel.rs"]
mod travel;
#[cfg(test)]
#[path = "../../tests/perso/whole.rs"]
mod whole;
