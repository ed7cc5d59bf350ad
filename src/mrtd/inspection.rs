//! The inspector: judges a travel document's files as a border does, and reads them from a chip.
//!
//! ```text
//!   files ─┐
//!   Trust ─┼─► inspect(.., at) ──► Inspection { checks: name, verdict, reason }
//!   at ────┘      files among themselves, EF.SOD and its signer, MRZ, portrait, keys
//! ```
//!
//! Nothing here reads a clock or a folder: the time is given. Reasons name files, certificates and
//! places, never what stands in a document: they may be logged.

mod check;
mod files;
mod holder;
mod judge;
mod keys;
mod signer;
mod states;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trust;

pub use check::{Check, CheckName, Verdict};
pub use judge::{Files, Inspection, Unread, UnreadCause, inspect};
pub use trust::{Added, Kind as TrustedKind, ListJudgement, Trust, TrustError};
