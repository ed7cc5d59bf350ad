//! JPEG (*ITU-T T.81 Annex B*).

use super::{ImageError, MOST_PARTS, Shape};

/// SOI, and the first byte of the marker after it.
pub(super) const SIGNATURE: &[u8] = &[0xff, 0xd8, 0xff];

/// Walks the segments of a JPEG up to its first scan.
pub(super) fn shape(bytes: &[u8]) -> Result<Shape, ImageError> {
    const ENDS: ImageError = ImageError::Damaged("the JPEG ends before its picture begins");
    let mut rest = bytes.get(2..).ok_or(ENDS)?;
    let mut shape = None;
    for _ in 0..MOST_PARTS {
        let Some((&0xff, after)) = rest.split_first() else {
            return Err(if rest.is_empty() {
                ENDS
            } else {
                ImageError::Damaged("no JPEG marker where one must be")
            });
        };
        let (&marker, after) = after.split_first().ok_or(ENDS)?;
        match marker {
            // Fill bytes may precede a marker (B.1.1.2).
            0xff => {
                rest = rest.get(1..).ok_or(ENDS)?;
                continue;
            }
            0x01 | 0xd0..=0xd7 => {
                rest = after;
                continue;
            }
            0xd8 => return Err(ImageError::Damaged("a second JPEG begins inside the first")),
            0xd9 => return Err(ENDS),
            _ => {}
        }
        let (&length, _) = after.split_first_chunk().ok_or(ENDS)?;
        let length = usize::from(u16::from_be_bytes(length));
        let body = after.get(2..length).ok_or(ENDS)?;
        match marker {
            0xc0..=0xc2 => shape = Some(frame_shape(body)?),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(ImageError::Damaged(
                    "the JPEG is lossless, hierarchical or arithmetic",
                ));
            }
            0xda => {
                if !bytes.ends_with(&[0xff, 0xd9]) {
                    return Err(ImageError::Damaged(
                        "the JPEG is cut off: it has no end marker",
                    ));
                }
                return shape.ok_or(ImageError::Damaged(
                    "the JPEG has a picture but no frame header",
                ));
            }
            _ => {}
        }
        rest = after.get(length..).ok_or(ENDS)?;
    }
    Err(ImageError::Damaged("the JPEG has too many segments"))
}

/// Reads a frame header (*ITU-T T.81 B.2.2*).
fn frame_shape(body: &[u8]) -> Result<Shape, ImageError> {
    match *body {
        [8, h1, h2, w1, w2, components @ (1 | 3), ..] => Ok(Shape {
            width: u32::from(u16::from_be_bytes([w1, w2])),
            height: u32::from(u16::from_be_bytes([h1, h2])),
            colour: components == 3,
            lossless: false,
        }),
        [8, _, _, _, _, _, ..] => Err(ImageError::Damaged("the JPEG is neither grey nor colour")),
        _ => Err(ImageError::Damaged(
            "the JPEG does not have 8 bits a sample",
        )),
    }
}
