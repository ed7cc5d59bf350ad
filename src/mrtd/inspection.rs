//! The inspector: judges a travel document's files as a border does, and reads them from a chip.
//!
//! ```text
//!   files ─┐
//!   Trust ─┼─► inspect(.., at) ──► Inspection { checks: name, verdict, reason }
//!   at ────┘      files among themselves, EF.SOD and its signer, MRZ, portrait, keys
//!
//!   Channel, AccessKey ──► inspect_chip ── PACE or BAC, files, chip and active authentication
//!                              └──► files, and the checks above with those of the chip
//!   what was written ────► read_back ── the same, and every byte compared
//! ```
//!
//! Nothing here reads a clock or a folder: the time is given. Reasons name files, certificates and
//! places, never what stands in a document: they may be logged.

mod check;
mod chip;
#[cfg(test)]
#[path = "../../tests/mrtd/chips.rs"]
mod chips;
mod files;
mod holder;
mod judge;
mod keys;
mod read_back;
mod signer;
mod states;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trust;

pub use check::{Check, CheckName, Verdict};
pub use chip::{
    AccessKey, AccessKeyError, ChipInspection, ReadError, Reading, Terminal, inspect_chip,
};
pub use judge::{Files, Inspection, Unread, UnreadCause, inspect};
pub use read_back::{ReadBack, read_back};
pub use trust::{Added, Kind as TrustedKind, ListJudgement, Trust, TrustError};
