//! Pictures: decoded within limits, cropped to their place and brought to the printer's dots.
//!
//! Decoding takes no more memory than the picture's headers announce, and those were judged when
//! the picture came in ([`Image::recognise`]): a bomb announces what is refused there, or delivers
//! what is refused here.

use document::{Image, MediaType};
use zeroize::Zeroizing;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::error::PictureError;

/// Pixels of three bytes: red, green, blue.
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// A part of a picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crop {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Pixels {
    /// Decodes a picture.
    pub(super) fn decode(image: &Image) -> Result<Self, PictureError> {
        let (width, height) = (usize::from(image.width()), usize::from(image.height()));
        let bytes = match image.media_type() {
            MediaType::Jpeg => jpeg(image.bytes(), width, height)?,
            MediaType::Png => png(image.bytes(), width, height)?,
            _ => return Err(PictureError::Form("another format than JPEG or PNG")),
        };
        Ok(Self {
            width,
            height,
            bytes,
        })
    }

    /// Returns the largest part with this ratio of width to height: from the middle of its width,
    /// and from its top, where the head is. Nothing is stretched (*ICAO Doc 9303-3 §3.9.1.3*).
    pub(super) fn crop(&self, ratio: f32) -> Crop {
        let (width, height) = (self.width as f32, self.height as f32);
        let (taken_width, taken_height) = if width / height > ratio {
            (height * ratio, height)
        } else {
            (width, width / ratio)
        };
        Crop {
            left: (width - taken_width) / 2.0,
            top: (height - taken_height) * 0.3,
            width: taken_width,
            height: taken_height,
        }
    }

    /// Brings a part to a size in dots by a cubic filter (Catmull and Rom), which is wide enough
    /// for every source pixel to count when it is made smaller.
    pub(super) fn scaled(&self, crop: Crop, width: usize, height: usize) -> Self {
        let across = Taps::new(crop.left, crop.width, self.width, width);
        let down = Taps::new(crop.top, crop.height, self.height, height);
        let mut rows = Zeroizing::new(vec![0.0_f32; width * self.height * 3]);
        for (source, row) in self
            .bytes
            .chunks_exact(self.width * 3)
            .zip(rows.chunks_exact_mut(width * 3))
        {
            for (dot, (first, weights)) in row.chunks_exact_mut(3).zip(across.each()) {
                for (pixel, weight) in source.chunks_exact(3).skip(first).zip(weights) {
                    for (sum, value) in dot.iter_mut().zip(pixel) {
                        *sum += f32::from(*value) * weight;
                    }
                }
            }
        }
        let mut bytes = Zeroizing::new(vec![0; width * height * 3]);
        let mut sums = Zeroizing::new(vec![0.0_f32; width * 3]);
        for (row, (first, weights)) in bytes.chunks_exact_mut(width * 3).zip(down.each()) {
            sums.fill(0.0);
            for (source, weight) in rows.chunks_exact(width * 3).skip(first).zip(weights) {
                for (sum, value) in sums.iter_mut().zip(source) {
                    *sum += value * weight;
                }
            }
            for (value, sum) in row.iter_mut().zip(sums.iter()) {
                *value = (sum + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
        Self {
            width,
            height,
            bytes,
        }
    }

    /// Returns the brightness of every pixel (*ITU-R BT.601*), row by row.
    pub(super) fn greys(&self) -> Zeroizing<Vec<u8>> {
        let grey = |pixel: &[u8]| match pixel {
            [red, green, blue] => {
                let sum = 299 * u32::from(*red) + 587 * u32::from(*green) + 114 * u32::from(*blue);
                (sum / 1000) as u8
            }
            _ => 0,
        };
        Zeroizing::new(self.bytes.chunks_exact(3).map(grey).collect())
    }
}

/// Which source pixels make each dot along one axis, and how much of each.
struct Taps {
    firsts: Vec<usize>,
    weights: Vec<f32>,
    /// How many there are for each dot.
    count: usize,
}

impl Taps {
    fn new(start: f32, length: f32, pixels: usize, dots: usize) -> Self {
        let step = length / dots as f32;
        let scale = step.max(1.0);
        let reach = 2.0 * scale;
        let count = ((2.0 * reach).ceil() as usize + 1).min(pixels);
        let (mut firsts, mut weights) = (Vec::with_capacity(dots), Vec::new());
        for dot in 0..dots {
            let centre = start + (dot as f32 + 0.5) * step - 0.5;
            let lowest = (centre - reach).ceil().max(0.0) as usize;
            let first = lowest.min(pixels - count);
            let own: Vec<f32> = (first..first + count)
                .map(|pixel| cubic((pixel as f32 - centre) / scale))
                .collect();
            let sum: f32 = own.iter().sum();
            firsts.push(first);
            weights.extend(own.iter().map(|weight| weight / sum));
        }
        Self {
            firsts,
            weights,
            count,
        }
    }

    fn each(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.firsts
            .iter()
            .copied()
            .zip(self.weights.chunks_exact(self.count))
    }
}

/// The cubic of Catmull and Rom.
fn cubic(x: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// What is put behind a JPEG's data to see whether they end too early: no marker is in it.
const PADDING: [u8; 64] = [0xAA; 64];

fn jpeg(bytes: &[u8], width: usize, height: usize) -> Result<Zeroizing<Vec<u8>>, PictureError> {
    let pixels = jpeg_pixels(bytes, width, height)?;
    // Where the data end before the picture does, the decoder takes it to go on with zeros, as
    // decoders do, and says nothing. Other data behind them make no difference to a whole picture.
    let end = bytes.len().saturating_sub(2);
    let (data, end) = bytes.split_at(end);
    let padded = Zeroizing::new([data, &PADDING, end].concat());
    if jpeg_pixels(&padded, width, height).is_ok_and(|again| again == pixels) {
        Ok(pixels)
    } else {
        Err(PictureError::Damaged(
            "its data end before the picture does".to_owned(),
        ))
    }
}

fn jpeg_pixels(
    bytes: &[u8],
    width: usize,
    height: usize,
) -> Result<Zeroizing<Vec<u8>>, PictureError> {
    let damaged = |error: &dyn std::fmt::Debug| PictureError::Damaged(format!("{error:?}"));
    let options = DecoderOptions::new_safe()
        .set_max_width(width)
        .set_max_height(height)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| damaged(&error))?;
    match decoder.input_colorspace() {
        Some(ColorSpace::YCbCr | ColorSpace::Luma | ColorSpace::RGB) => {}
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => {
            return Err(PictureError::Form("the inks of a press (CMYK)"));
        }
        _ => return Err(PictureError::Form("an unknown colour space")),
    }
    sized(decoder.dimensions(), width, height)?;
    let pixels = decoder.decode().map_err(|error| damaged(&error))?;
    whole(Zeroizing::new(pixels), width, height)
}

fn png(bytes: &[u8], width: usize, height: usize) -> Result<Zeroizing<Vec<u8>>, PictureError> {
    let damaged = |error: ::png::DecodingError| PictureError::Damaged(error.to_string());
    let mut decoder = ::png::Decoder::new(std::io::Cursor::new(bytes));
    // Sixteen bits of each of four channels, with room for the decoder's own tables.
    decoder.set_limits(::png::Limits {
        bytes: width * height * 8 + 0x10_0000,
    });
    decoder.set_transformations(::png::Transformations::EXPAND | ::png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let found = (info.width as usize, info.height as usize);
    sized(Some(found), width, height)?;
    let size = reader
        .output_buffer_size()
        .ok_or(PictureError::Form("too many pixels"))?;
    let mut pixels = Zeroizing::new(vec![0; size]);
    let frame = reader.next_frame(&mut pixels).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    let samples = frame.color_type.samples();
    let mut rgb = Zeroizing::new(Vec::with_capacity(width * height * 3));
    for pixel in pixels.chunks_exact(samples) {
        // What is transparent shows the paper.
        let over = |value: u8, alpha: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        match *pixel {
            [grey] => rgb.extend([grey; 3]),
            [grey, alpha] => rgb.extend([over(grey, alpha); 3]),
            [red, green, blue] => rgb.extend([red, green, blue]),
            [red, green, blue, alpha] => {
                rgb.extend([red, green, blue].map(|value| over(value, alpha)));
            }
            _ => return Err(PictureError::Form("an unknown number of samples")),
        }
    }
    whole(rgb, width, height)
}

fn sized(found: Option<(usize, usize)>, width: usize, height: usize) -> Result<(), PictureError> {
    let found = found.unwrap_or_default();
    if found == (width, height) {
        return Ok(());
    }
    let of = |(width, height): (usize, usize)| {
        let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        (number(width), number(height))
    };
    Err(PictureError::Size {
        announced: of((width, height)),
        found: of(found),
    })
}

fn whole(
    pixels: Zeroizing<Vec<u8>>,
    width: usize,
    height: usize,
) -> Result<Zeroizing<Vec<u8>>, PictureError> {
    if pixels.len() == width * height * 3 {
        Ok(pixels)
    } else {
        Err(PictureError::Form(
            "another number of samples than its size asks for",
        ))
    }
}

#[cfg(test)]
#[path = "../../../tests/print/picture.rs"]
mod tests;
