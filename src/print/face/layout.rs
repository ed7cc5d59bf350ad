//! Layouts: SVG files with typed fields, proved when they are read.
//!
//! ```text
//!  <svg width="85.6mm" height="53.98mm" viewBox="0 0 85.6 53.98" z:dpi="300" z:radius="3.18">
//!    <defs> … </defs>
//!    <g z:panel="preprint"> what the blank's maker printed </g>
//!    <g z:panel="laser">
//!      <text x="31" y="8" font-size="1.5">Uzvārds / Surname</text>          drawn as it is
//!      <text x="31" y="11" font-size="2.6" z:field="holder.surname"
//!            z:width="40" z:lines="2" z:least="1.8">PARAUDZIŅŠ</text>        the holder's
//!      <rect x="4" y="12" width="24" height="31" z:field="holder.portrait"/>
//!    </g>
//!  </svg>
//! ```
//!
//! The unit is the millimetre. In a panel the art is drawn first, and the fields over it, in their
//! order. A layout reaches nothing outside itself: no picture, no style sheet, no script, no file.

pub(crate) mod art;
pub(crate) mod attributes;
pub(crate) mod fields;
pub(crate) mod read;

use document::Kind;
use resvg::usvg::Tree;

use super::canvas::Grid;
use super::element::Element;
use super::error::LayoutError;
use super::lettering::Lettering;
use super::panel::Panel;
use super::zone::ZonePlace;

/// The namespace of what is ours in a layout.
pub const NAMESPACE: &str = "urn:zimogs:layout:1";

/// Most bytes of a layout.
pub(crate) const MAX_TEXT: usize = 0x8_0000;

/// A layout of one face, or of a label.
pub struct Layout {
    /// Its name: the file's without `.svg`.
    pub name: String,
    /// Its width in mm.
    pub width: f32,
    /// Its height in mm.
    pub height: f32,
    /// The radius of its corners in mm.
    pub(super) radius: f32,
    /// The resolution that it is made for, in dots an inch.
    pub dots: u16,
    pub(super) parts: Vec<Part>,
    pub(super) zone: Option<ZonePlace>,
    pub(super) lettering: Lettering,
}

/// What a layout has on one panel.
pub(super) struct Part {
    pub(super) panel: Panel,
    /// What is the same on every document; none where the panel has fields alone.
    pub(super) art: Option<Tree>,
    pub(super) elements: Vec<Element>,
}

impl Layout {
    /// Reads a layout and proves it: the fields that it has are known, each has its rules, the zone
    /// stands where *ICAO Doc 9303* has it and nothing else does.
    ///
    /// # Errors
    /// The first fault, with line, column and a hint.
    pub fn parse(name: &str, text: &str) -> Result<Self, LayoutError> {
        read::layout(name, text)
    }

    /// Returns the names of the fields that it prints, each once.
    #[must_use]
    pub fn fields(&self) -> Vec<&'static str> {
        let elements = self.parts.iter().flat_map(|part| &part.elements);
        let mut names: Vec<_> = elements.map(Element::field).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns why it cannot be a face of one of these kinds of document, if it cannot: its zone
    /// is of another format than the kind's.
    #[must_use]
    pub fn mismatch(&self, kinds: &[Kind]) -> Option<String> {
        let format = self.zone?.format;
        let own = |kind: &Kind| kind.mrz().map(|(format, _)| format);
        let other = kinds.iter().find(|kind| own(kind) != Some(format))?;
        Some(format!(
            "the layout \"{}\" has the zone of a {format}, which a {other} does not have",
            self.name
        ))
    }

    /// Returns how many dots it has across and down, at so many dots an inch.
    #[must_use]
    pub fn size(&self, dots: u16) -> (u32, u32) {
        let grid = Grid::of(self.width, self.height, dots);
        grid.map_or((0, 0), |grid| (grid.width, grid.height))
    }

    /// Returns the panels that it has, in the order in which they are printed.
    #[must_use]
    pub fn panels(&self) -> Vec<Panel> {
        self.parts.iter().map(|part| part.panel).collect()
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Layout({}, {} x {} mm)",
            self.name, self.width, self.height
        )
    }
}

#[cfg(test)]
#[path = "../../../tests/print/layout.rs"]
mod tests;
