//! Travel documents with a chip: the files of the logical data structure, and their inspection.
//!
//! ```text
//!   lds         EF.COM, EF.SOD, DG1 to DG16, EF.CardAccess, EF.DIR…    ICAO 9303-10
//!               one document's files: built, read back, compared with each other
//!   inspection  files, whom to trust, a time ──► checks with verdicts    ICAO 9303-11, -12
//!   biometrics  DG2 and DG3: faces and fingerprints, written and read    ISO/IEC 19794, 39794
//! ```
//!
//! What a chip gives or a folder holds may come from an enemy: every file is bounded, read once and
//! checked whole; what deviates without harm is named, not hidden. No error and no `Debug` output
//! carries personal data, and what is read is wiped when it is dropped.

pub mod biometrics;
pub mod inspection;
pub mod lds;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
