//! Portraits and signatures in the tones of their panel.

use zeroize::Zeroizing;

use super::canvas::Canvas;
use super::element::{Ink, PictureElement, Tone};
use super::error::PictureError;
use super::picture::{Crop, Pixels};

/// The least resolution of a portrait in its place, in dots an inch: below it wrinkles and moles
/// of two millimetres of a face are lost (*ICAO Doc 9303-3 §3.9.1.3*).
const LEAST: u32 = 150;

/// How much of a ghost is seen, of 255.
const GHOST: f32 = 120.0;

/// Which part of the pixels may become wholly black or white when a laser's range is used whole.
const CLIPPED: f32 = 0.005;

/// The lightest grey that a laser leaves as the paper's, and the deepest that it engraves: beyond
/// them polycarbonate chars.
const LASER: (f32, f32) = (24.0, 250.0);

/// Draws a picture in its place.
pub(super) fn draw(
    canvas: &mut Canvas,
    element: &PictureElement,
    pixels: &Pixels,
) -> Result<(), PictureError> {
    if element.tone == Tone::Line {
        return line(canvas, element, pixels);
    }
    let place = element.place;
    let (left, top, width, height) = canvas.grid.dots(place);
    let crop = pixels.crop(place.width / place.height);
    let found = (crop.width / place.width * 25.4) as u32;
    if found < LEAST {
        return Err(PictureError::Coarse {
            found,
            least: LEAST,
            width: place.width,
            height: place.height,
        });
    }
    let scaled = pixels.scaled(crop, width as usize, height as usize);
    match element.tone {
        Tone::Colour => {
            let dots = scaled.bytes.chunks_exact(3).map(|pixel| match *pixel {
                [red, green, blue] => (Ink { red, green, blue }, 255),
                _ => (element.ink, 0),
            });
            canvas.mix((left, top), width, dots);
        }
        Tone::Grey => {
            let greys = engraved(&scaled.greys());
            let grey = |value: &u8| Ink {
                red: *value,
                green: *value,
                blue: *value,
            };
            let dots = greys.iter().map(|value| (grey(value), 255));
            canvas.mix((left, top), width, dots);
        }
        Tone::Ghost => {
            let greys = stretched(&scaled.greys());
            let dots = greys.iter().enumerate().map(|(at, value)| {
                let (x, y) = (at % width as usize, at / width as usize);
                let darkness = 1.0 - f32::from(*value) / 255.0;
                let edge = fade(x, width) * fade(y, height);
                (element.ink, (GHOST * darkness * edge) as u8)
            });
            canvas.mix((left, top), width, dots);
        }
        Tone::Line => {}
    }
    Ok(())
}

/// Fades a ghost over a sixth of its width at each edge.
fn fade(at: usize, length: u32) -> f32 {
    let length = length as f32;
    let near = (at as f32 + 0.5).min(length - at as f32 - 0.5) / (length / 6.0);
    let near = near.clamp(0.0, 1.0);
    near * near * (3.0 - 2.0 * near)
}

/// Spreads greys over the whole range.
fn stretched(greys: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut counts = [0_u32; 256];
    for grey in greys {
        if let Some(count) = counts.get_mut(usize::from(*grey)) {
            *count += 1;
        }
    }
    let most = (greys.len() as f32 * CLIPPED) as u32;
    let bound = |counts: &mut dyn Iterator<Item = (usize, u32)>| {
        let mut sum = 0;
        for (grey, count) in counts {
            sum += count;
            if sum > most {
                return grey as f32;
            }
        }
        0.0
    };
    let low = bound(&mut counts.into_iter().enumerate());
    let high = bound(&mut counts.into_iter().enumerate().rev());
    let range = (high - low).max(1.0);
    let spread = |grey: &u8| ((f32::from(*grey) - low) / range * 255.0).clamp(0.0, 255.0) as u8;
    Zeroizing::new(greys.iter().map(spread).collect())
}

/// Brings greys into what a laser can engrave: its whole range, and middle tones lighter, since
/// engraved dots grow.
fn engraved(greys: &[u8]) -> Zeroizing<Vec<u8>> {
    let (low, high) = LASER;
    let tone = |grey: &u8| {
        let light = f32::from(*grey) / 255.0;
        // Brighter by a square root's half: exact, unlike a power, on every processor.
        let lighter = 0.5 * light + 0.5 * light.sqrt();
        (low + lighter * (high - low) + 0.5) as u8
    };
    Zeroizing::new(stretched(greys).iter().map(tone).collect())
}

/// Draws what is dark in a picture, as large as its place allows without stretching it, in the
/// middle of its place.
fn line(
    canvas: &mut Canvas,
    element: &PictureElement,
    pixels: &Pixels,
) -> Result<(), PictureError> {
    let greys = pixels.greys();
    let darkest = greys.iter().min().copied().unwrap_or(255);
    let lightest = greys.iter().max().copied().unwrap_or(255);
    if lightest - darkest < 64 {
        return Err(PictureError::Blank);
    }
    let ratio = pixels.width as f32 / pixels.height as f32;
    let mut place = element.place;
    let (width, height) = (place.width, place.height);
    if width / height > ratio {
        place.width = height * ratio;
    } else {
        place.height = width / ratio;
    }
    place.left += (width - place.width) / 2.0;
    place.top += (height - place.height) / 2.0;
    let (left, top, width, height) = canvas.grid.dots(place);
    let whole = Crop {
        left: 0.0,
        top: 0.0,
        width: pixels.width as f32,
        height: pixels.height as f32,
    };
    let scaled = pixels.scaled(whole, width as usize, height as usize);
    let range = f32::from(lightest - darkest);
    let dots = scaled.greys().to_vec();
    let dots = dots.iter().map(|grey| {
        let dark = (f32::from(lightest) - f32::from(*grey)) / range;
        // A scanner's paper is never quite white.
        let cover = ((dark - 0.12) / 0.7).clamp(0.0, 1.0);
        (element.ink, (cover * 255.0) as u8)
    });
    canvas.mix((left, top), width, dots);
    Ok(())
}
