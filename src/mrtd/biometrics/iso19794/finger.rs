//! The finger image record `FIR` (*ISO/IEC 19794-4:2005*).
//!
//! ```text
//!  32  FIR, version, length of the record, device, level, number of pictures, scale,
//!      resolution scanned and kept, depth, compression
//!      for each picture:
//!  14    length of the block, finger, views, quality, impression, width, height
//!        the picture
//! ```

use document::{Image, MediaType};
use zeroize::Zeroizing;

use super::{Deviation, Fields, RecordError, VERSION, judge_length, judge_tail, size};
use crate::biometrics::encoding::BiometricEncoding;
use crate::biometrics::finger::{Finger, FingerPosition};
use crate::biometrics::picture::Picture;

const MAGIC: [u8; 4] = *b"FIR\0";
/// Lengths of the record's header and of a picture's.
const HEADER: u32 = 32;
const PICTURE_HEADER: u32 = 14;

/// Level 30: scanned with 500 pixels an inch and 8 bits. Level 31 would claim
/// a certified scanner, of which nothing is known here.
const LEVEL: u16 = 30;
const PIXELS_PER_INCH: u16 = 500;

/// Reads a finger image record.
pub(in crate::biometrics) fn parse(
    bytes: &[u8],
) -> Result<(Vec<Finger>, Option<Deviation>), RecordError> {
    let mut fields = Fields(bytes);
    if fields.array("header")? != MAGIC {
        return Err(RecordError::Format);
    }
    if fields.array("header")? != VERSION {
        return Err(RecordError::Version);
    }
    let [l1, l2, l3, l4, l5, l6] = fields.array("header")?;
    let stated = u64::from_be_bytes([0, 0, l1, l2, l3, l4, l5, l6]);
    // Device and level; the number of pictures; scale, resolutions and depth.
    fields.take(4, "header")?;
    let [count] = fields.array("header")?;
    fields.take(10, "header")?;
    let [compression, _, _] = fields.array("header")?;
    let off = judge_length(stated, bytes.len())?;
    if count == 0 {
        return Err(RecordError::Empty);
    }
    let mut fingers = Vec::new();
    for _ in 0..count {
        fingers.push(parse_finger(&mut fields, compression)?);
    }
    let tail = judge_tail(fields)?;
    Ok((fingers, off.or(tail)))
}

fn parse_finger(fields: &mut Fields<'_>, compression: u8) -> Result<Finger, RecordError> {
    let stated = u32::from_be_bytes(fields.array("picture's header")?);
    let [
        position,
        _views,
        _view,
        _quality,
        _impression,
        w1,
        w2,
        h1,
        h2,
        _,
    ] = fields.array("picture's header")?;
    let picture = fields.picture(stated, PICTURE_HEADER)?;
    Ok(Finger {
        encoding: BiometricEncoding::Iso19794,
        position: FingerPosition::of(position.into()).ok_or(RecordError::Code {
            field: "the finger's position",
            code: position.into(),
        })?,
        picture: Picture::new(media_type(compression, picture)?, picture),
        size: size([w1, w2], [h1, h2]),
    })
}

/// Returns the format of a compression code.
fn media_type(compression: u8, picture: &[u8]) -> Result<Option<MediaType>, RecordError> {
    Ok(Some(match compression {
        0 | 1 => return Ok(None),
        2 => MediaType::Wsq,
        3 => MediaType::Jpeg,
        4 => jpeg2000(picture),
        5 => MediaType::Png,
        code => {
            return Err(RecordError::Code {
                field: "the compression",
                code: code.into(),
            });
        }
    }))
}

/// Says whether JPEG 2000 is a bare codestream or a file.
pub(in crate::biometrics) fn jpeg2000(picture: &[u8]) -> MediaType {
    match MediaType::of(picture) {
        Some(MediaType::Jpeg2000) => MediaType::Jpeg2000,
        _ => MediaType::Jp2,
    }
}

/// Writes the record of one finger: live, plain, 500 pixels an inch.
pub(in crate::biometrics) fn encode(print: &Image, position: FingerPosition) -> Zeroizing<Vec<u8>> {
    let picture = print.bytes();
    let length = u32::try_from(picture.len()).unwrap_or(u32::MAX);
    let block = length.saturating_add(PICTURE_HEADER);
    let record = u64::from(block) + u64::from(HEADER);
    let compression = match print.media_type() {
        MediaType::Wsq => 2,
        MediaType::Jpeg => 3,
        MediaType::Jp2 | MediaType::Jpeg2000 => 4,
        MediaType::Png => 5,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(picture.len() + 46));
    bytes.extend(MAGIC);
    bytes.extend(VERSION);
    bytes.extend(record.to_be_bytes().into_iter().skip(2));
    // The device is not reported; one picture; pixels an inch.
    bytes.extend([0, 0]);
    bytes.extend(LEVEL.to_be_bytes());
    bytes.extend([1, 1]);
    for _ in 0..4 {
        bytes.extend(PIXELS_PER_INCH.to_be_bytes());
    }
    bytes.extend([8, compression, 0, 0]);
    // The first view of one, of undefined quality, live and plain.
    bytes.extend(block.to_be_bytes());
    bytes.extend([position.code(), 1, 1, 254, 0]);
    bytes.extend(print.width().to_be_bytes());
    bytes.extend(print.height().to_be_bytes());
    bytes.push(0);
    bytes.extend_from_slice(picture);
    bytes
}
