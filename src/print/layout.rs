//! Where things stand on the paper of a PIN letter.
//!
//! One page of A4 for a printer that folds and seals, or has a field that is scratched open. The
//! address window is that of a C5/6 envelope (*DIN 5008, form B*), so that the same letter also
//! goes into an ordinary one.
//!
//! ```text
//!   ┌──────────────────────────┐
//!   │ title        serial, doc │
//!   │ ┌address┐                │ 45 to 90 mm
//!   │ └───────┘                │
//!   │ words in each language   │
//!   │ ┌──────────────────────┐ │ 200 to 260 mm: what the printer covers
//!   │ │ PIN1  ....           │ │
//!   │ └──────────────────────┘ │
//!   └──────────────────────────┘
//! ```

/// Points in a millimetre (*ISO 32000-1 §8.3.2.3*: 72 in an inch).
const POINTS: f32 = 72.0 / 25.4;

/// A rectangle on the paper, in millimetres from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// From the left edge.
    pub left: f32,
    /// From the upper edge.
    pub top: f32,
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
}

/// A4 (*ISO 216*).
pub const PAGE: Area = Area {
    left: 0.0,
    top: 0.0,
    width: 210.0,
    height: 297.0,
};

/// What the window of the envelope shows.
pub const ADDRESS_WINDOW: Area = Area {
    left: 20.0,
    top: 45.0,
    width: 85.0,
    height: 45.0,
};

/// What the sealing printer covers: the PINs stand in it and nowhere else.
pub const PIN_FIELD: Area = Area {
    left: 20.0,
    top: 200.0,
    width: 170.0,
    height: 60.0,
};

impl Area {
    /// Returns the area without a margin on every side.
    pub(crate) fn inside(self, margin: f32) -> Self {
        Self {
            left: self.left + margin,
            top: self.top + margin,
            width: self.width - 2.0 * margin,
            height: self.height - 2.0 * margin,
        }
    }
}

/// Returns a length in points.
pub(crate) fn points(millimetres: f32) -> f32 {
    millimetres * POINTS
}

/// Returns a place from the upper left corner as PDF has it: from the lower left one, in points.
pub(crate) fn place(left: f32, top: f32) -> (f32, f32) {
    (points(left), points(PAGE.height - top))
}
