//! The machine readable zone on a face: OCR-B of size 1, ten characters an inch.
//!
//! What is known of its place: the characters' pitch is 2.54 mm (*ICAO Doc 9303-3 §4.4*); all of it
//! is within 17.0 mm of height (the effective reading zone, *§4.5*); it has the lowest 23.2 mm of
//! the document to itself, less 2.0 mm at the edges (*Doc 9303-4 §3.3*; *9303-5 §3.2.1*); its first
//! character stands 4.0 mm from the left edge of a TD1. Where between these the lines stand, and
//! how far from the left edge of a TD3, only the standard's figures show, which public text lacks:
//! a layout says it.

use document::mrz::Format;

use super::element::Frame;

/// From one character to the next, in mm: ten to the inch.
pub(crate) const PITCH: f32 = 2.54;

/// The size of the letters in mm, at which the typeface's advance is the pitch: 723 of 1000 units.
pub(crate) const SIZE: f32 = PITCH / 0.723;

/// From the base line to the top of the highest character, in mm.
const ASCENT: f32 = 0.773 * SIZE;

/// From the base line to the bottom of the lowest, in mm: the stroke is centred on it.
const DESCENT: f32 = 0.014 * SIZE;

/// From the beginning of a character's cell to its ink, in mm.
const BEARING: f32 = 0.113 * SIZE;

/// Height of the part of the document that is the zone's, in mm.
pub(crate) const HEIGHT: f32 = 23.2;

/// Height of the effective reading zone, in mm.
const READING: f32 = 17.0;

/// Where nothing is printed at the document's edge, in mm.
pub(crate) const MARGIN: f32 = 2.0;

/// The place of a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ZonePlace {
    pub(crate) format: Format,
    /// The left edge of the first character's ink, in mm.
    pub(crate) left: f32,
    /// The top of the first line, in mm.
    pub(crate) top: f32,
    /// The base line of the last line, in mm.
    pub(crate) base: f32,
}

impl ZonePlace {
    /// Returns where a line's first cell begins, on its base line.
    pub(crate) fn line(&self, line: usize) -> (f32, f32) {
        let first = self.top + ASCENT;
        let gaps = self.format.lines().saturating_sub(1).max(1) as f32;
        let spacing = (self.base - first) / gaps;
        (self.left - BEARING, first + spacing * line as f32)
    }

    /// Returns what the ink covers at most.
    pub(crate) fn ink(&self) -> Frame {
        Frame {
            left: self.left,
            top: self.top,
            width: PITCH * self.format.width() as f32 - 2.0 * BEARING,
            height: self.base + DESCENT - self.top,
        }
    }

    /// Returns what is wrong with it on a document of this size, and what to do.
    pub(crate) fn fault(&self, width: f32, height: f32) -> Option<(String, &'static str)> {
        let (expected, margins) = match self.format {
            // 4.0 ± 1.0 and 5.0 ± 1.0 are both read in copies of Doc 9303-5: what both allow.
            Format::Td1 => ((85.6, 53.98), 4.0..=5.0),
            Format::Td2 => ((105.0, 74.0), 3.0..=5.0),
            Format::Td3 => ((125.0, 88.0), 5.0..=7.0),
            Format::MrvA | Format::MrvB => {
                return Some((
                    format!("a zone of the format {} is of a visa", self.format),
                    "the formats of documents are td1, td2 and td3",
                ));
            }
        };
        let near = |one: f32, other: f32| (one - other).abs() < 0.01;
        if !near(width, expected.0) || !near(height, expected.1) {
            return Some((
                format!(
                    "a document with a zone of the format {} is {} x {} mm, and the layout {width} x {height}",
                    self.format, expected.0, expected.1
                ),
                "correct width, height and viewBox, or z:format",
            ));
        }
        if !margins.contains(&self.left) {
            return Some((
                format!(
                    "the zone begins {} mm from the left edge, and must between {} and {}",
                    self.left,
                    margins.start(),
                    margins.end()
                ),
                "correct x",
            ));
        }
        let ink = self.ink();
        if ink.top < height - HEIGHT || ink.top + ink.height > height - MARGIN {
            return Some((
                format!(
                    "the zone must stand between {:.2} and {:.2} mm",
                    height - HEIGHT,
                    height - MARGIN
                ),
                "y is the top of its first line, and y + height the base line of its last",
            ));
        }
        if ink.height > READING {
            return Some((
                format!(
                    "the zone is {:.2} mm high, and readers see {READING}",
                    ink.height
                ),
                "bring its lines nearer",
            ));
        }
        let (first, second) = (self.line(0).1, self.line(1).1);
        if second - first < ASCENT + DESCENT + 0.5 {
            return Some((
                format!("the lines of the zone stand {:.2} mm apart", second - first),
                "between two lines at least half a millimetre stays white",
            ));
        }
        None
    }
}
