//! The station: slots that turn blanks into documents, a journal that survives, an outbox
//! that reports exactly once.
//!
//! ```text
//! Station ── one thread a slot ──► ReaderService ► Meter ► drive ◄──► Executor
//!    │                                               │
//!    │ Journal (SQLite) ◄────────────────────────────┤ before and after what lasts
//!    ├ Telling ── in order ───────► Centre ◄─────────┤ so that another station can go on
//!    └ Outbox ── in order, once ──► Centre ◄─────────┘ keys, certificates, sealed commands
//!        └─ kept a while, and sent again to a centre that was restored
//!                                     └── RemoteCentre: over HTTPS, with the station's own key
//! ```

mod attempted;
mod batch;
mod blank;
mod board;
mod bridge;
mod budget;
mod carried;
mod catalogue;
mod courier;
mod drive;
mod enrolment;
mod error;
mod event;
mod faces;
mod fed;
mod journal;
mod key_change;
mod local;
mod notebook;
mod order;
mod outbox;
mod parking;
mod press;
mod printed;
mod readers;
mod remote;
mod resumption;
mod scanned;
mod shift;
mod slot;
mod station;
mod surroundings;
mod telling;
mod waiting;
mod wiped;

pub use board::{Board, Bottleneck, Pace, SlotState, SlotView};
pub use bridge::{Bridge, Parking, Patience};
pub use budget::Budgeted;
pub use catalogue::Catalogue;
pub use courier::{Asked, Courier, Passed};
pub use drive::{Answers, Driven, Heard, Lane, Notebook, drive};
pub use enrolment::{EnrolmentError, StationKey};
pub use error::StationError;
pub use event::{Event, Happening, Spent};
pub use faces::{BadLayout, FacesError};
pub use journal::{EndedBlank, Ending, Journal, KEPT, PersonsAct, WriteWatch};
pub use local::{
    Act, CentreView, Confirmation, Entry, Local, LocalClient, LocalError, Overview, serve_local,
};
pub use outbox::reconcile;
pub use readers::{CardWatch, HeldCard, PcscService, ReaderService};
pub use remote::{RemoteCentre, RemoteConfig, RemoteError};
pub use station::{SlotChip, SlotConfig, SlotFeeder, SlotPrinter, Station, StationConfig};
pub use surroundings::{Clock, Surroundings, Turns};

// What is proved on virtual chips by name stands apart: no file here names a chip.
#[cfg(test)]
#[path = "../../tests/station/two_readers.rs"]
mod two_readers;
