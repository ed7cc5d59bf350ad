//! Tagged blocks in DER (*ISO/IEC 39794-1, -4 and -5:2019*).
//!
//! ```text
//!  65 { A0 version  A1 { 30 { 80 id  A1 { A0 { A0 { 80 picture  A1 information … } } } … } } }
//!  64 { A0 version  A1 { 30 { A0 position  A1 impression  A2 format  83 picture … } } }
//! ```
//!
//! A block is first walked whole along its schema, every optional field included; then
//! what is wanted is taken out of it. The names of fields and codes are those of the
//! ISO/IEC schemas, copyright ISO/IEC.

pub(super) mod face;
pub(super) mod finger;
mod schema;
mod shared;
mod walk;

pub use walk::{BlockError, BlockFault};
