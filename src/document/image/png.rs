//! PNG (*PNG specification §5*).

use super::{ImageError, MOST_PARTS, Shape};

/// Every PNG begins with these bytes.
pub(super) const SIGNATURE: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];

/// Walks the chunks of a PNG to its end.
pub(super) fn shape(bytes: &[u8]) -> Result<Shape, ImageError> {
    const ENDS: ImageError = ImageError::Damaged("the PNG does not end where it should");
    let mut rest = bytes.get(SIGNATURE.len()..).ok_or(ENDS)?;
    let mut shape = None;
    let mut picture = false;
    for _ in 0..MOST_PARTS {
        let (&length, after) = rest.split_first_chunk().ok_or(ENDS)?;
        let (kind, after) = after.split_first_chunk::<4>().ok_or(ENDS)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| ENDS)?;
        let body = after.get(..length).ok_or(ENDS)?;
        match (kind, shape) {
            (b"IHDR", None) => shape = Some(header_shape(body)?),
            (b"IHDR", Some(_)) => return Err(ImageError::Damaged("the PNG has two headers")),
            (_, None) => {
                return Err(ImageError::Damaged(
                    "the PNG does not begin with its header",
                ));
            }
            (b"IDAT", _) => picture = true,
            (b"IEND", Some(shape)) if picture => {
                // Nothing but its own checksum follows the last chunk.
                return if after.len() == length + 4 {
                    Ok(shape)
                } else {
                    Err(ENDS)
                };
            }
            (b"IEND", _) => return Err(ImageError::Damaged("the PNG has no picture")),
            _ => {}
        }
        // Four bytes of checksum follow each chunk.
        rest = after
            .get(length..)
            .and_then(|after| after.get(4..))
            .ok_or(ENDS)?;
    }
    Err(ImageError::Damaged("the PNG has too many chunks"))
}

fn header_shape(body: &[u8]) -> Result<Shape, ImageError> {
    match *body {
        [w1, w2, w3, w4, h1, h2, h3, h4, _, colour_type, _, _, _] => Ok(Shape {
            width: u32::from_be_bytes([w1, w2, w3, w4]),
            height: u32::from_be_bytes([h1, h2, h3, h4]),
            colour: colour_type & 0x02 != 0,
            lossless: true,
        }),
        _ => Err(ImageError::Damaged("the PNG header is not 13 bytes")),
    }
}
