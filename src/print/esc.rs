//! Card printers that speak the escape command language: `ESC` command `;` parameters `CR`.
//!
//! The language is of *Card Printers Programming Guide* A5013 rev. E (Evolis). What that guide does
//! not say stands in the printer's profile, and not here: each profile may say it otherwise.
//!
//! ```text
//!   Faces ── panel::encode ──► Command ── frame ──► Link ──► printer
//!                                  ▲                  │
//!                       EscPrinter ┴── Replies ◄──────┘ 06, 15 code, text
//! ```

mod command;
mod driver;
mod orders;
mod panel;
mod place;
mod profile;
mod reply;
mod talk;

pub use driver::EscPrinter;
pub use place::EscPlace;
pub use profile::{EscProfile, EscProfileError};
pub use reply::{EscReplies, EscReply, Garbled};
