//! The logical data structure: one file type per module (*ICAO 9303-10*).
//!
//! ```text
//!   File ──── which file: identifier, short identifier, tag, names in folders
//!     │
//!     ├── EfCom, LdsSecurityObject (inside EfSod)          what there is, and its hashes
//!     ├── Dg1, Displayed (DG5, DG7), Dg11, Dg12, Dg16      what they say
//!     ├── DataGroup (DG13 too), Dg14, Dg15                 wrappers of others' contents
//!     └── CardAccess, CardSecurity, Directory, AtrInfo     outside the application
//!
//!   DataGroup ──► Lds ──► com(), security_object() ──► signed elsewhere ──► EfSod
//!                  ├────► check(security object) ──► every Finding, not only the first
//!                  └────► differences(read back) ──► byte for byte
//! ```
//!
//! Reading gives [`Read`]: the content, and a [`Remark`] for each way in which the file deviates
//! from the standard without being unreadable, as documents in the field do. Writing follows the
//! standard to the letter and is deterministic.

mod atr_info;
mod card_security;
mod com;
mod data_group;
mod date;
mod details;
mod dg1;
mod dg11;
mod dg12;
mod dg15;
mod dg16;
mod directory;
mod displayed;
mod document;
mod error;
mod file;
mod finding;
mod remark;
mod security_infos;
mod security_object;
mod sod;
mod tag_list;
mod template;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod version;

pub use atr_info::{AtrInfo, ExtendedLength};
pub use card_security::CardSecurity;
pub use com::EfCom;
pub use data_group::DataGroup;
pub use date::{LdsDate, LdsTime};
pub use dg1::Dg1;
pub use dg11::Dg11;
pub use dg12::Dg12;
pub use dg15::Dg15;
pub use dg16::{Dg16, PersonToNotify};
pub use directory::{Directory, DirectoryEntry};
pub use displayed::{Displayed, DisplayedKind};
pub use document::{Difference, Lds, LdsLimits, MAX_TOTAL};
pub use error::{LdsError, LdsFault};
pub use file::{Application, File, Group, LDS_APPLICATION, MAX_FILE};
pub use finding::{Finding, Severity, deviations};
pub use remark::{Read, Remark};
pub use security_infos::{CardAccess, Dg14};
pub use security_object::LdsSecurityObject;
pub use sod::EfSod;
pub use text::{ImageData, Text};
pub use version::{LdsVersion, UnicodeVersion};
