//! The facial record `FAC` (*ISO/IEC 19794-5:2005*).
//!
//! ```text
//!  14  FAC, version, length of the record, number of faces
//!      for each face:
//!  20    facial information: length of the block, points, person, pose
//!   8 n  feature points
//!  12    image information: kind, data type, width, height, colours, source, quality
//!        the picture
//! ```

use document::{Image, MediaType};
use zeroize::Zeroizing;

use super::{Deviation, Fields, RecordError, VERSION, judge_length, judge_tail, size};
use crate::biometrics::encoding::BiometricEncoding;
use crate::biometrics::face::{BiometricError, CaptureSource, Face};
use crate::biometrics::picture::Picture;

const MAGIC: [u8; 4] = *b"FAC\0";
/// Lengths of the record's header, of facial and of image information, of a feature point.
const HEADER: u32 = 14;
const FACIAL_INFORMATION: u32 = 20;
const IMAGE_INFORMATION: u32 = 12;
const POINT: u32 = 8;

/// Reads a facial record.
pub(in crate::biometrics) fn parse(
    bytes: &[u8],
) -> Result<(Vec<Face>, Option<Deviation>), BiometricError> {
    let mut fields = Fields(bytes);
    if fields.array("header")? != MAGIC {
        return Err(RecordError::Format.into());
    }
    if fields.array("header")? != VERSION {
        return Err(RecordError::Version.into());
    }
    let stated = u32::from_be_bytes(fields.array("header")?);
    let count = u16::from_be_bytes(fields.array("header")?);
    let off = judge_length(stated.into(), bytes.len())?;
    if count == 0 {
        return Err(RecordError::Empty.into());
    }
    let mut faces = Vec::new();
    for _ in 0..count {
        faces.push(parse_face(&mut fields)?);
    }
    let tail = judge_tail(fields)?;
    Ok((faces, off.or(tail)))
}

fn parse_face(fields: &mut Fields<'_>) -> Result<Face, BiometricError> {
    let stated = u32::from_be_bytes(fields.array("facial information")?);
    let points = u16::from_be_bytes(fields.array("facial information")?);
    // Gender, eyes, hair, properties, expression, pose and its uncertainty.
    fields.take(14, "facial information")?;
    let points = POINT * u32::from(points);
    let header = FACIAL_INFORMATION + points + IMAGE_INFORMATION;
    if stated < header {
        return Err(RecordError::Block(stated).into());
    }
    fields.take(
        usize::try_from(points).unwrap_or(usize::MAX),
        "feature points",
    )?;
    let [
        _kind,
        _data_type,
        w1,
        w2,
        h1,
        h2,
        _colours,
        source,
        _,
        _,
        _,
        _,
    ] = fields.array("image information")?;
    let picture = fields.picture(stated, header)?;
    // The data type beside it is not needed: the picture itself tells.
    let media_type = face_media_type(picture)?;
    Ok(Face {
        encoding: BiometricEncoding::Iso19794,
        picture: Picture::new(Some(media_type), picture),
        size: size([w1, w2], [h1, h2]),
        source: CaptureSource::of(source),
        taken: None,
    })
}

/// Returns the format of a face's picture.
pub(in crate::biometrics) fn face_media_type(picture: &[u8]) -> Result<MediaType, BiometricError> {
    MediaType::of(picture)
        .filter(|found| {
            matches!(
                found,
                MediaType::Jpeg | MediaType::Jp2 | MediaType::Jpeg2000
            )
        })
        .ok_or(BiometricError::Picture)
}

/// Writes the record of one face: full frontal, nothing said of the person.
///
/// The picture must be shorter than 4 GiB; none in memory that passed its limits is longer.
pub(in crate::biometrics) fn encode(portrait: &Image, source: CaptureSource) -> Zeroizing<Vec<u8>> {
    let picture = portrait.bytes();
    let length = u32::try_from(picture.len()).unwrap_or(u32::MAX);
    let block = (FACIAL_INFORMATION + IMAGE_INFORMATION).saturating_add(length);
    let record = block.saturating_add(HEADER);
    let mut bytes = Zeroizing::new(Vec::with_capacity(picture.len() + 46));
    bytes.extend(MAGIC);
    bytes.extend(VERSION);
    bytes.extend(record.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    // Facial information: no feature points, all else unspecified.
    bytes.extend(block.to_be_bytes());
    bytes.extend([0; 16]);
    // Image information: full frontal; JPEG or JPEG 2000.
    bytes.extend([1, u8::from(portrait.media_type() != MediaType::Jpeg)]);
    bytes.extend(portrait.width().to_be_bytes());
    bytes.extend(portrait.height().to_be_bytes());
    // RGB of 24 bits, or grey of 8; source; device and quality unspecified.
    bytes.extend([if portrait.is_colour() { 1 } else { 3 }, source.code()]);
    bytes.extend([0; 4]);
    bytes.extend_from_slice(picture);
    bytes
}
