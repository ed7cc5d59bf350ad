//! Faces: what people see of a document.
//!
//! ```text
//!  NAME.svg ── Layout::parse ──► Layout ─┐
//!                                        ├─ render ──► Face ──► panels, for a printer
//!  Record, Mrz, Image ── Facts::of ──────┘              └────► png, pdf, for people
//! ```
//!
//! A layout says where everything stands; the facts are data. Texts are fitted by the rules that
//! the layout declares, pictures are cropped and never stretched, the machine readable zone stands
//! where *ICAO Doc 9303* has it. Whatever cannot be printed as it must be is an error with its
//! field, before anything is printed.

mod canvas;
pub(crate) mod code;
pub(crate) mod element;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod field;
pub(crate) mod fit;
pub(crate) mod layout;
pub(crate) mod lettering;
pub(crate) mod panel;
mod picture;
mod preview;
mod render;
mod specimen;
mod tone;
pub(crate) mod zone;

pub use error::{FaceError, LayoutError, PictureError};
pub use facts::Facts;
pub use field::{PictureField, TextField};
pub use layout::{Layout, NAMESPACE};
pub use panel::{Panel, Raster, RasterForm};
pub use render::{Face, Rendering};
pub(crate) use specimen::WORDS as SPECIMEN;
