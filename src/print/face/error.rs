//! Why a layout cannot be used, and why a face cannot be printed.

use thiserror::Error;

use super::field::{PictureField, TextField};

/// A fault of a layout, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {fault}; {hint}")]
pub struct LayoutError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub fault: String,
    /// What to do about it.
    pub hint: String,
}

/// Why a face was not rendered. Nothing was: a face is whole or not there. None of these repeats
/// what it is about, but for one character.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum FaceError {
    /// What the layout asks for is not there.
    #[error(
        "{field}: the layout prints it, and there is none; mark it z:optional=\"yes\" in the layout, or send it"
    )]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A text is longer than its rules allow.
    #[error(
        "{field}: does not fit in {width} mm x {lines} line(s) down to letters of {least} mm; widen the field in the layout, or allow smaller letters or more lines"
    )]
    Room {
        /// The field.
        field: TextField,
        /// How wide a line is, in mm.
        width: f32,
        /// How many lines there may be.
        lines: usize,
        /// The least size of letters, in mm.
        least: f32,
    },
    /// The typeface lacks a character.
    #[error("{field}: the typeface has no {character:?}")]
    Letter {
        /// The field.
        field: TextField,
        /// The character.
        character: char,
    },
    /// A picture cannot be used.
    #[error("{field}: {fault}")]
    Picture {
        /// The field.
        field: PictureField,
        /// Why.
        #[source]
        fault: PictureError,
    },
    /// The zone is of another format than the layout's.
    #[error(
        "document.mrz: the layout has the zone of a {expected}, and the document's is a {found}; name another layout in the document profile"
    )]
    Zone {
        /// The layout's.
        expected: document::mrz::Format,
        /// The document's.
        found: document::mrz::Format,
    },
    /// A text cannot be a bar code of its kind, or the modules would be too small to be read.
    #[error("{field}: {fault}")]
    Code {
        /// The field.
        field: TextField,
        /// Why.
        fault: String,
    },
    /// More pixels than a printer has.
    #[error("{dots} dots an inch is no resolution that is printed; 150 to 1200 are")]
    Resolution {
        /// What was asked for.
        dots: u16,
    },
}

/// Why a picture cannot be printed.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum PictureError {
    /// Its pixels cannot be read.
    #[error("is damaged: {0}; send it anew")]
    Damaged(String),
    /// Its pixels are of a form that is not printed.
    #[error("has {0}; send it as grey or as RGB with 8 bits a sample")]
    Form(&'static str),
    /// The pixels are others than the headers announced.
    #[error("announces {announced:?} pixels and has {found:?}; send it anew")]
    Size {
        /// By its headers: width and height.
        announced: (u32, u32),
        /// What was decoded.
        found: (u32, u32),
    },
    /// Too few pixels for its place.
    #[error(
        "gives {found} dots an inch in its place of {width} mm x {height} mm; at least {least} are needed: send a larger one"
    )]
    Coarse {
        /// Dots an inch.
        found: u32,
        /// The least.
        least: u32,
        /// Width of its place in mm.
        width: f32,
        /// Height of its place in mm.
        height: f32,
    },
    /// Nothing is to be seen.
    #[error("is blank: nothing darker than the paper is in it; send it anew")]
    Blank,
}
