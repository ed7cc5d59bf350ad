//! The logical data structure: one file type per module (*ICAO 9303-10*).
//!
//! ```text
//!   File ──── which file: identifier, short identifier, tag, names in folders
//!     │
//!     ├── EfCom, LdsSecurityObject (inside EfSod)          what there is, and its hashes
//!     ├── Dg1, Displayed (DG5, DG7), Dg11, Dg12, Dg16      what they say
//!     ├── Dg13, Dg14, Dg15                                 wrappers of others' contents
//!     └── CardAccess, CardSecurity, Directory, AtrInfo     outside the application
//!
//!   DataGroup ──► Lds ──► com(), security_object() ──► signed elsewhere ──► EfSod
//!                  └────► check(security object) ──► every Finding, not only the first
//! ```
//!
//! Reading gives [`Read`]: the content, and a [`Remark`] for each way in which the file deviates
//! from the standard without being unreadable, as documents in the field do. Writing follows the
//! standard to the letter and is deterministic.

mod com;
mod data_group;
mod dg1;
mod error;
mod file;
mod remark;
mod security_object;
mod sod;
mod tag_list;
mod template;
#[cfg(test)]
mod testing;
mod version;

pub use com::EfCom;
pub use data_group::DataGroup;
pub use dg1::Dg1;
pub use error::{LdsError, LdsFault};
pub use file::{Application, File, Group, LDS_APPLICATION, MAX_FILE};
pub use remark::{Read, Remark};
pub use security_object::{LDS_SECURITY_OBJECT, LdsSecurityObject};
pub use sod::EfSod;
pub use version::{LdsVersion, UnicodeVersion};
