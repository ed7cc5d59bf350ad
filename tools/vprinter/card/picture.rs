//! What was printed, as PNG.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::language::{HEIGHT, WIDTH};

/// A side of a card: the ink of each bitmap, dot by dot.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    /// Panels in the order in which they were printed.
    panels: Vec<(char, Vec<u8>)>,
}

impl Sheet {
    /// Prints a panel, or its first lines.
    pub(super) fn print(&mut self, letter: char, mut dots: Vec<u8>, lines: usize) {
        for dot in dots.iter_mut().skip(lines * WIDTH) {
            *dot = 0;
        }
        self.panels.push((letter, dots));
    }

    pub(super) fn is_blank(&self) -> bool {
        self.panels.is_empty()
    }

    pub(super) fn letters(&self) -> String {
        self.panels.iter().map(|(letter, _)| letter).collect()
    }

    /// Writes what people see, and the varnish beside it: `STEM.png`, `STEM-varnish.png`. The card
    /// stands as it stood in the printer.
    pub(super) fn write(&self, folder: &Path, stem: &str) -> io::Result<()> {
        let mut colours = vec![255_u8; 3 * WIDTH * HEIGHT];
        for (letter, dots) in &self.panels {
            // What an ink takes from white paper: cyan red, magenta green, yellow blue.
            let channels: &[usize] = match letter {
                'c' => &[0],
                'm' => &[1],
                'y' => &[2],
                'k' => &[0, 1, 2],
                _ => continue,
            };
            for (pixel, ink) in colours.chunks_exact_mut(3).zip(dots) {
                for channel in channels {
                    if let Some(light) = pixel.get_mut(*channel) {
                        *light = light.saturating_sub(*ink);
                    }
                }
            }
        }
        let path = folder.join(format!("{stem}.png"));
        png(&path, png::ColorType::Rgb, &colours)?;
        let varnish = self.panels.iter().find(|(letter, _)| *letter == 'o');
        let Some((_, dots)) = varnish else {
            return Ok(());
        };
        let path = folder.join(format!("{stem}-varnish.png"));
        png(&path, png::ColorType::Grayscale, dots)
    }
}

fn png(path: &Path, colour: png::ColorType, pixels: &[u8]) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(colour);
    // 300 dots an inch.
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: 11_811,
        yppu: 11_811,
        unit: png::Unit::Meter,
    }));
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    writer.write_image_data(pixels).map_err(io::Error::other)
}
