//! PC/SC: the readers of this machine, and a card in one of them as a [`card::Channel`].
//!
//! ```text
//! Readers ── list, wait_for_card     Connection (exclusive) ── is a Channel
//!                                       ▲
//!                  Meter, Recorder, Tear wrap any Channel
//!
//! PinPad ── asks for PINs on the reader's own keys; OnPad wraps a Connection
//!
//! probe ──► Capabilities ──► CapabilityCache      what reader and card carry
//! Replay ── plays a card::trace::Trace            AttemptFile ── is an AttemptStore
//! ```

mod attempts;
mod cache;
mod connection;
mod error;
mod grip;
mod hand;
mod meter;
mod on_pad;
mod pin_pad;
mod probe;
mod readers;
mod recorder;
mod replay;
mod t0;
mod tear;

pub use attempts::AttemptFile;
pub use cache::{CacheError, CacheWarning, CapabilityCache, CapabilityKey};
pub use connection::{Connection, LOOKING, MAKING};
pub use error::ReaderError;
pub use meter::{Meter, Traffic};
pub use on_pad::{Control, OnPad, PinPad};
pub use pin_pad::{Asked, Features, PinEntry, PinField, PinPadFault, Properties};
pub use probe::{Capabilities, ProbeError, ProbePlan, probe};
pub use readers::{Insertion, ReaderState, Readers};
pub use recorder::Recorder;
pub use replay::{Difference, Differs, Replay, Replayed, Restarted, presenting};
pub use tear::{Moment, Tear};
