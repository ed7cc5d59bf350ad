//! WSQ: grey fingerprints compressed by wavelets (*FBI IAFIS-IC-0110, version 3*).
//!
//! ```text
//!  SOI [COM DTT DQT] SOF [DHT] { SOB entropy-coded data } … EOI
//! ```

use super::{ImageError, MOST_PARTS, Shape};

/// SOI, and the first byte of the marker after it.
pub(super) const SIGNATURE: &[u8] = &[0xff, SOI, 0xff];

// The second byte of each marker.
const SOI: u8 = 0xa0;
const EOI: u8 = 0xa1;
const SOF: u8 = 0xa2;
const SOB: u8 = 0xa3;
const DTT: u8 = 0xa4;
const DQT: u8 = 0xa5;
const DHT: u8 = 0xa6;
const DRT: u8 = 0xa7;
const COM: u8 = 0xa8;

const ENDS: ImageError = ImageError::Damaged("the WSQ ends before its picture does");

/// What was met on the way through the segments.
#[derive(Default)]
struct Met {
    shape: Option<Shape>,
    wavelet: bool,
    quantisation: bool,
    /// One bit for each of the eight Huffman tables.
    huffman: u8,
    blocks: usize,
}

/// Walks the segments of a WSQ to its end.
pub(super) fn shape(bytes: &[u8]) -> Result<Shape, ImageError> {
    let mut met = Met::default();
    let mut rest = bytes.get(2..).ok_or(ENDS)?;
    for _ in 0..MOST_PARTS {
        let [0xff, marker, ref after @ ..] = *rest else {
            return Err(if rest.len() < 2 {
                ENDS
            } else {
                ImageError::Damaged("no WSQ marker where one must be")
            });
        };
        if marker == EOI {
            if !after.is_empty() {
                return Err(ImageError::Damaged("the WSQ goes on behind its end marker"));
            }
            return met.shape.filter(|_| met.blocks > 0).ok_or(ENDS);
        }
        let (&length, _) = after.split_first_chunk().ok_or(ENDS)?;
        let length = usize::from(u16::from_be_bytes(length));
        let body = after.get(2..length).ok_or(ENDS)?;
        rest = after.get(length..).ok_or(ENDS)?;
        match marker {
            SOF => met.frame(body)?,
            SOB => {
                met.block(body)?;
                rest = after_data(rest)?;
            }
            DTT => met.wavelet = is_wavelet(body)?,
            // Subbands' bin centre, then 64 times a quantisation bin and a zero bin.
            DQT if body.len() == 3 + 64 * 6 => met.quantisation = true,
            DHT => met.huffman |= huffman_tables(body)?,
            DRT if body.len() == 2 => {}
            COM => comment(body)?,
            _ => {
                return Err(ImageError::Damaged(
                    "the WSQ has a segment of unknown kind or impossible length",
                ));
            }
        }
    }
    Err(ImageError::Damaged("the WSQ has too many segments"))
}

impl Met {
    /// Reads the frame header: black, white, height, width, shift and scale with
    /// their exponents, encoder, software.
    fn frame(&mut self, body: &[u8]) -> Result<(), ImageError> {
        let (None, &[_, _, h1, h2, w1, w2, _, _, _, _, _, _, _, _, _]) = (self.shape, body) else {
            return Err(ImageError::Damaged(
                "the WSQ has two frame headers, or one that is not 15 bytes",
            ));
        };
        self.shape = Some(Shape {
            width: u32::from(u16::from_be_bytes([w1, w2])),
            height: u32::from(u16::from_be_bytes([h1, h2])),
            colour: false,
            lossless: false,
        });
        Ok(())
    }

    /// Reads a block header: which Huffman table its data are in.
    fn block(&mut self, body: &[u8]) -> Result<(), ImageError> {
        let &[table @ 0..=7] = body else {
            return Err(ImageError::Damaged(
                "the WSQ has a block of no Huffman table",
            ));
        };
        if self.shape.is_none() || !self.wavelet || !self.quantisation {
            return Err(ImageError::Damaged(
                "the WSQ has data before the tables that they need",
            ));
        }
        if self.huffman & 1 << table == 0 {
            return Err(ImageError::Damaged(
                "the WSQ has a block whose Huffman table is not there",
            ));
        }
        self.blocks += 1;
        Ok(())
    }
}

/// Skips entropy-coded data up to the next marker: `FF` is stuffed with `00`, and
/// restart markers belong to the data.
fn after_data(bytes: &[u8]) -> Result<&[u8], ImageError> {
    let end = bytes
        .windows(2)
        .position(|pair| matches!(pair, [0xff, next] if !matches!(next, 0x00 | 0xb0..=0xb7)))
        .ok_or(ENDS)?;
    bytes.get(end..).ok_or(ENDS)
}

/// Reads the transform table: lengths of both filters, then half of each filter's
/// coefficients, six bytes each.
fn is_wavelet(body: &[u8]) -> Result<bool, ImageError> {
    let half = |length: u8| usize::from(length).div_ceil(2);
    match body {
        [high, low, coefficients @ ..]
            if coefficients.len() == 6 * (half(*high) + half(*low)) && !coefficients.is_empty() =>
        {
            Ok(true)
        }
        _ => Err(ImageError::Damaged(
            "the WSQ has a transform table of impossible length",
        )),
    }
}

/// Reads Huffman tables: number, sixteen counts, so many values; returns their bits.
fn huffman_tables(mut body: &[u8]) -> Result<u8, ImageError> {
    let mut bits = 0;
    while let [table @ 0..=7, rest @ ..] = body {
        let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
            break;
        };
        let values = counts.iter().map(|&count| usize::from(count)).sum();
        let Some(rest) = rest.get(values..) else {
            break;
        };
        bits |= 1 << table;
        body = rest;
    }
    if body.is_empty() && bits != 0 {
        Ok(bits)
    } else {
        Err(ImageError::Damaged(
            "the WSQ has a Huffman table of impossible length",
        ))
    }
}

/// Reads the pixels an inch out of a NIST comment. Other comments, and a comment
/// that doesn't know them, say nothing against the picture.
fn comment(body: &[u8]) -> Result<(), ImageError> {
    let Some(lines) = body.strip_prefix(b"NIST_COM ") else {
        return Ok(());
    };
    let resolution = lines
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(b"PPI "));
    match resolution {
        None | Some(b"500" | b"-1") => Ok(()),
        Some(_) => Err(ImageError::Damaged(
            "the WSQ does not have 500 pixels an inch",
        )),
    }
}
