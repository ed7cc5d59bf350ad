//! Faces and fingerprints in a chip: DG2 and DG3, and the wrapping of DG4.
//!
//! ```text
//!  DG2 75, DG3 63, DG4 76
//!   └ 7F61  group template                          Templates, ICAO 9303-10 §4.7.2
//!      ├ 02    how many follow
//!      └ 7F60  information template, one a finger or face
//!         ├ A1    header: what it is, format owner and type
//!         ├ 5F2E  record in fixed fields            ISO/IEC 19794-5 FAC, 19794-4 FIR
//!         └ 7F2E  A1 { 65 | 64 | 66 block in DER }  ISO/IEC 39794-5, 39794-4, 39794-6
//! ```
//!
//! Inspection systems read both encodings since 2026; issuers must write ISO/IEC 39794
//! by 2030 (*ICAO 9303-10 §4.5.6*). [`prepare_face`] and [`prepare_fingers`] write the
//! one that the document profile chooses; [`FaceGroup`] and [`FingerGroup`] read either.
//!
//! What a record may say of its holder beside the picture (gender, colour of the eyes,
//! expression) is not written: DG1 has the sex, and nobody at a border uses the rest. It
//! is read for its structure only.

mod cbeff;
mod encoding;
mod face;
mod finger;
mod iso19794;
mod iso39794;
mod picture;
mod prepare;
#[cfg(test)]
mod tests;

pub use cbeff::{MAX_DATA_GROUP, Modality, Template, TemplateError, Templates};
pub use encoding::BiometricEncoding;
pub use face::{BiometricError, CaptureSource, Face, FaceGroup};
pub use finger::{Finger, FingerGroup, FingerPosition};
pub use iso19794::{Deviation, RecordError};
pub use iso39794::{BlockError, BlockFault};
pub use picture::Picture;
pub use prepare::{
    FaceFacts, MAX_FINGERS, PrepareError, prepare_face, prepare_fingers, prepare_no_fingers,
};
