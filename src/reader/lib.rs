//! PC/SC: the readers of this machine, and a card in one of them as a [`card::Channel`].
//!
//! ```text
//! Readers ── list, wait_for_card ──► Connection (exclusive) ── is a Channel
//!                                       ▲
//!                  Meter, Recorder, Tear wrap any Channel
//! ```

mod connection;
mod error;
mod meter;
mod readers;
mod recorder;
mod tear;

pub use connection::Connection;
pub use error::ReaderError;
pub use meter::{Meter, Traffic};
pub use readers::{Insertion, ReaderState, Readers};
pub use recorder::{Exchange, Recorder};
pub use tear::{Moment, Tear};
