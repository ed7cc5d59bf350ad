//! Layouts of sheets: SVG files with typed fields, proved when they are read.
//!
//! ```text
//!  <svg width="210mm" height="297mm" viewBox="0 0 210 297" font-family="Roboto Condensed">
//!    <g> on every page </g>
//!    <g z:on="first"> … </g>                                every, first, later or last
//!    <g z:rows="documents" z:top="84" z:step="5.5" z:bottom="271" z:next="31" z:last="221">
//!      <text x="34" y="88" … z:field="document.number">XA0000001</text>     the first row
//!      <g z:when="pin.transport"> only where this text is </g>
//!    </g>
//!  </svg>
//! ```

use super::kind::SheetKind;
use super::rows::Rows;
use crate::face::element::Element;
use crate::face::error::LayoutError;
use crate::face::field::TextField;
use crate::face::lettering::{Lettering, Style};

/// A layout of a letter or a list.
pub struct SheetLayout {
    /// What it is for.
    pub kind: SheetKind,
    /// Its width in mm.
    pub(super) width: f32,
    /// Its height in mm.
    pub(super) height: f32,
    pub(super) blocks: Vec<Block>,
    /// The typefaces that it is written in, in their order.
    pub(super) styles: Vec<Style>,
    pub(super) lettering: Lettering,
}

/// A group of the layout.
pub(super) struct Block {
    pub(super) pages: Pages,
    /// Where it stands once for each row.
    pub(super) rows: Option<Rows>,
    pub(super) pieces: Vec<Piece>,
}

/// What is drawn together.
pub(super) struct Piece {
    /// It is there only where this text is.
    pub(super) when: Option<TextField>,
    /// What is the same on every sheet, as a PDF draws it (*ISO 32000-1 §8.2*).
    pub(super) art: Vec<u8>,
    pub(super) elements: Vec<Element>,
}

/// On which pages a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    Every,
    First,
    Later,
    Last,
}

impl Pages {
    /// Returns what is meant by a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "every" => Some(Self::Every),
            "first" => Some(Self::First),
            "later" => Some(Self::Later),
            "last" => Some(Self::Last),
            _ => None,
        }
    }

    /// Tells whether a page, counted from 0, is one of them.
    pub(super) const fn has(self, page: usize, count: usize) -> bool {
        match self {
            Self::Every => true,
            Self::First => page == 0,
            Self::Later => page > 0,
            Self::Last => page + 1 == count,
        }
    }
}

impl SheetLayout {
    /// Reads the layout of a kind of sheet and proves it: its fields are those of the kind and all
    /// that it needs, each stands on the paper, rows fit between their edges, and secret ones stand
    /// where the printer covers them and nowhere else.
    ///
    /// # Errors
    /// The first fault, with line, column and a hint.
    pub fn parse(kind: SheetKind, text: &str) -> Result<Self, LayoutError> {
        super::read::sheet(kind, text)
    }
}

impl std::fmt::Debug for SheetLayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kind,
            width,
            height,
            ..
        } = self;
        write!(f, "SheetLayout({kind}, {width} x {height} mm)")
    }
}
