//! The panels of a face: what is printed in one pass, apart from the others.

use zeroize::{Zeroize, Zeroizing};

use super::preview;

/// A pass of a printer, or of the blank's maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// What the blank has when it comes: it is shown in previews and never printed.
    Preprint,
    /// Yellow, magenta and cyan.
    Colour,
    /// Black resin: one bit a dot, and dark in the near infrared, as the zone must be
    /// (*ICAO Doc 9303-3 §4.11*).
    Black,
    /// What a laser engraves: grey.
    Laser,
    /// Varnish: one bit a dot.
    Overlay,
}

impl Panel {
    /// Every panel, in the order in which they lie on the document.
    pub const ALL: [Self; 5] = [
        Self::Preprint,
        Self::Colour,
        Self::Black,
        Self::Laser,
        Self::Overlay,
    ];

    /// Returns its name, as layouts write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preprint => "preprint",
            Self::Colour => "colour",
            Self::Black => "black",
            Self::Laser => "laser",
            Self::Overlay => "overlay",
        }
    }

    /// Returns the panel of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|panel| panel.name() == name)
    }

    /// Tells whether it may have a holder's data on it.
    pub(super) const fn has_fields(self) -> bool {
        matches!(self, Self::Colour | Self::Black | Self::Laser)
    }

    /// Tells whether it can show tones.
    pub(super) const fn has_tones(self) -> bool {
        matches!(self, Self::Colour | Self::Laser)
    }
}

/// Dots of one panel. Personal data: wiped on drop, and `Debug` shows the size only.
#[derive(Clone, PartialEq, Eq)]
pub struct Raster {
    /// Dots in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// How its bytes are to be read.
    pub form: RasterForm,
    /// Rows from the top, each of whole bytes.
    pub bytes: Vec<u8>,
}

/// The form of a panel's dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RasterForm {
    /// Three bytes a dot: red, green, blue; 255 is the blank's own colour.
    Rgb,
    /// One byte a dot; 0 is what is engraved deepest.
    Grey,
    /// One bit a dot, the first in the highest bit of its byte; 1 is printed. A row ends with the
    /// byte in which it ends.
    Bits,
}

impl Raster {
    /// Returns how many bytes a row has.
    #[must_use]
    pub fn stride(&self) -> usize {
        let width = self.width as usize;
        match self.form {
            RasterForm::Rgb => 3 * width,
            RasterForm::Grey => width,
            RasterForm::Bits => width.div_ceil(8),
        }
    }
}

impl Raster {
    /// Writes it as a PNG of its own form, in which what is printed is dark.
    #[must_use]
    pub fn png(&self, dots: u16) -> Zeroizing<Vec<u8>> {
        preview::panel_png(self, dots)
    }
}

impl Drop for Raster {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for Raster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Raster({} x {}, {:?}, …)",
            self.width, self.height, self.form
        )
    }
}
