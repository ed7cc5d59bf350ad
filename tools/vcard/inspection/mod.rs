//! What the two travel document applets share: the session that an inspection system opens and
//! speaks through.
//!
//! ```text
//!   MRZ ─► basic_access ─► cipher (keys) ─► messaging    ICAO Doc 9303-11 §4.3, §9.7, §9.8
//! ```

pub(crate) mod basic_access;
pub(crate) mod cipher;
pub(crate) mod messaging;
