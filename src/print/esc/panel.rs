//! Panels as the printer takes them: dots of a standing card, packed or compressed.

use zeroize::Zeroizing;

use super::command::Command;
use super::profile::{Levels, Turn};
use crate::face::{Raster, RasterForm};

/// A bitmap of the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bitmap {
    Yellow,
    Magenta,
    Cyan,
    Black,
    Overlay,
}

impl Bitmap {
    /// Returns the bitmap of a ribbon's letter.
    pub(super) const fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'y' => Self::Yellow,
            'm' => Self::Magenta,
            'c' => Self::Cyan,
            'k' => Self::Black,
            'o' => Self::Overlay,
            _ => return None,
        })
    }

    const fn letter(self) -> char {
        match self {
            Self::Yellow => 'y',
            Self::Magenta => 'm',
            Self::Cyan => 'c',
            Self::Black => 'k',
            Self::Overlay => 'o',
        }
    }
}

/// How panels are sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoding {
    /// Dots of a line, and lines: the card stands.
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) turn: Turn,
    pub(super) levels: Levels,
    pub(super) compresses: bool,
}

impl Encoding {
    /// Makes the command that downloads a bitmap of a panel. The panel lies, and is no larger
    /// than the printer's dots: its middle comes to their middle.
    pub(super) fn download(&self, bitmap: Bitmap, raster: &Raster) -> Command {
        let letter = bitmap.letter();
        match bitmap {
            Bitmap::Black | Bitmap::Overlay if self.compresses => {
                let data = self.compressed(bitmap, raster);
                let text = format!("Dbc;{letter};2;{}", data.len());
                Command::with_data(text, data)
            }
            Bitmap::Black | Bitmap::Overlay => {
                let data = self.packed(bitmap, raster, 1);
                Command::with_data(format!("Db;{letter};2"), data)
            }
            Bitmap::Yellow | Bitmap::Magenta | Bitmap::Cyan => {
                let data = self.packed(bitmap, raster, self.levels.bits());
                Command::with_data(format!("Db;{letter};{}", self.levels.count()), data)
            }
        }
    }

    /// Packs dots of so many bits without gaps, the first in the highest bits.
    fn packed(&self, bitmap: Bitmap, raster: &Raster, bits: u32) -> Zeroizing<Vec<u8>> {
        let dots = self.width as usize * self.height as usize;
        let mut bytes = Zeroizing::new(Vec::with_capacity((dots * bits as usize).div_ceil(8)));
        let (mut waiting, mut count) = (0_u32, 0);
        for y in 0..self.height {
            for x in 0..self.width {
                waiting = waiting << bits | self.dot(bitmap, raster, x, y);
                count += bits;
                while count >= 8 {
                    count -= 8;
                    bytes.push((waiting >> count) as u8);
                    waiting &= (1 << count) - 1;
                }
            }
        }
        if count > 0 {
            bytes.push((waiting << (8 - count)) as u8);
        }
        bytes
    }

    /// Compresses lines of one bit a dot: 00 is a white line, FF a black one, N and N bytes one that
    /// is white behind them.
    fn compressed(&self, bitmap: Bitmap, raster: &Raster) -> Zeroizing<Vec<u8>> {
        let line = self.width.div_ceil(8) as usize;
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.height as usize * (line + 1)));
        let mut dots = Zeroizing::new(vec![0_u8; line]);
        for y in 0..self.height {
            for (byte, at) in dots.iter_mut().zip(0_u32..) {
                *byte = (0..8).fold(0, |byte, bit| {
                    let x = at * 8 + bit;
                    let dot = x < self.width && self.dot(bitmap, raster, x, y) == 1;
                    byte << 1 | u8::from(dot)
                });
            }
            let used = line - dots.iter().rev().take_while(|byte| **byte == 0).count();
            match u8::try_from(used) {
                Ok(0) => bytes.push(0),
                Ok(_) if dots.iter().all(|byte| *byte == 0xFF) => bytes.push(0xFF),
                // A line has 81 bytes, or as many as a profile says: never 255.
                Ok(used) => {
                    bytes.push(used);
                    bytes.extend(dots.iter().take(usize::from(used)));
                }
                Err(_) => {}
            }
        }
        bytes
    }

    /// Returns the level of a dot of the standing card.
    fn dot(&self, bitmap: Bitmap, raster: &Raster, x: u32, y: u32) -> u32 {
        // The lying card has `height` dots across and `width` down.
        let (across, down) = match self.turn {
            Turn::Clockwise => (y, self.width - 1 - x),
            Turn::Counterclockwise => (self.height - 1 - y, x),
        };
        let left = (self.height - raster.width) / 2;
        let top = (self.width - raster.height) / 2;
        let (Some(across), Some(down)) = (across.checked_sub(left), down.checked_sub(top)) else {
            return 0;
        };
        if across >= raster.width || down >= raster.height {
            return 0;
        }
        let row = down as usize * raster.stride();
        let byte = |at: usize| u32::from(raster.bytes.get(row + at).copied().unwrap_or_default());
        match raster.form {
            RasterForm::Bits => byte(across as usize / 8) >> (7 - across % 8) & 1,
            // Red is what cyan takes from white, and so on.
            RasterForm::Rgb => {
                let channel = match bitmap {
                    Bitmap::Cyan => 0,
                    Bitmap::Magenta => 1,
                    _ => 2,
                };
                let ink = 255 - byte(3 * across as usize + channel);
                (ink * (self.levels.count() - 1) + 127) / 255
            }
            // No printer of this language engraves.
            RasterForm::Grey => 0,
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/print/esc_panel.rs"]
mod tests;
