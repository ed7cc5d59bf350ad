//! Makes DG2 and DG3 of pictures: data preparation.

use document::{Image, MediaType};
use jiff::civil::Date;
use thiserror::Error;
use zeroize::Zeroizing;

use super::cbeff::{Modality, Template, write};
use super::encoding::BiometricEncoding;
use super::face::CaptureSource;
use super::finger::FingerPosition;
use super::{iso19794, iso39794};

/// Most fingers of a document (*Regulations (EC) 2252/2004 and (EU) 2025/1208*: two).
pub const MAX_FINGERS: usize = 2;

/// Most bytes of a picture that is wrapped: the wrapping must stay below
/// [`MAX_DATA_GROUP`](super::MAX_DATA_GROUP).
const MAX_PICTURE: usize = 256 << 10;

/// What is known of how a portrait was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaceFacts {
    /// What it was taken with.
    pub source: CaptureSource,
    /// The day when it was taken; ISO/IEC 19794-5 has no field for it.
    pub taken: Option<Date>,
}

/// Why a data group could not be made of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// A picture is larger than the profile gives it room for.
    #[error("the {what} has {bytes} bytes; the profile has room for {budget}")]
    TooLarge {
        /// Which picture.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The bytes that it may have.
        budget: usize,
    },
    /// A picture's format is not one that the data group may have.
    #[error("the {what} is {found}, which the data group cannot have")]
    Format {
        /// Which picture.
        what: &'static str,
        /// Its format.
        found: MediaType,
    },
    /// A fingerprint in colours.
    #[error("the fingerprint is not grey")]
    Colour,
    /// No finger, or more than two.
    #[error("a document has one or two fingers, not {0}")]
    Fingers(usize),
    /// The same finger twice, or one that nobody named.
    #[error("the fingers are not two different ones that are known")]
    Position,
}

/// Makes DG2 of a portrait.
///
/// `budget` is the most bytes that the profile gives the picture. The portrait stands
/// in DG2 as it came: what is too large is refused and not compressed anew.
///
/// # Errors
/// [`PrepareError::TooLarge`]; [`PrepareError::Format`] for all but JPEG and JPEG 2000.
pub fn prepare_face(
    portrait: &Image,
    facts: FaceFacts,
    budget: usize,
    encoding: BiometricEncoding,
) -> Result<Zeroizing<Vec<u8>>, PrepareError> {
    let allowed = [MediaType::Jpeg, MediaType::Jp2, MediaType::Jpeg2000];
    judge(portrait, "portrait", &allowed, budget)?;
    let block = match encoding {
        BiometricEncoding::Iso19794 => iso19794::face::encode(portrait, facts.source),
        BiometricEncoding::Iso39794 => iso39794::face::encode(portrait, facts.source, facts.taken),
    };
    let template = Template {
        encoding,
        subtype: 0,
        block: &block,
    };
    Ok(write(Modality::Face, 1, &[template], None))
}

/// Makes DG3 of one or two flat fingerprints of 500 pixels an inch.
///
/// `budget` is the most bytes that the profile gives each of them.
///
/// # Errors
/// [`PrepareError`] with the first thing that is wrong.
pub fn prepare_fingers(
    fingers: &[(FingerPosition, &Image)],
    budget: usize,
    encoding: BiometricEncoding,
) -> Result<Zeroizing<Vec<u8>>, PrepareError> {
    let count = u8::try_from(fingers.len())
        .ok()
        .filter(|_| (1..=MAX_FINGERS).contains(&fingers.len()))
        .ok_or(PrepareError::Fingers(fingers.len()))?;
    let mut seen = vec![FingerPosition::Unknown];
    for (position, _) in fingers {
        if seen.contains(position) {
            return Err(PrepareError::Position);
        }
        seen.push(*position);
    }
    let allowed = [MediaType::Wsq, MediaType::Jp2, MediaType::Jpeg2000];
    let mut blocks = Vec::with_capacity(fingers.len());
    for &(position, print) in fingers {
        judge(print, "fingerprint", &allowed, budget)?;
        if print.is_colour() {
            return Err(PrepareError::Colour);
        }
        blocks.push(match encoding {
            BiometricEncoding::Iso19794 => iso19794::finger::encode(print, position),
            BiometricEncoding::Iso39794 => iso39794::finger::encode(print, position),
        });
    }
    let templates: Vec<_> = fingers
        .iter()
        .zip(&blocks)
        .map(|((position, _), block)| Template {
            encoding,
            subtype: position.subtype(),
            block,
        })
        .collect();
    Ok(write(Modality::Finger, count, &templates, None))
}

/// Makes the DG3 of a document without fingers (*ICAO 9303-10 §4.7.3.2.2*).
///
/// `random` are fresh bytes, 16 so that nobody guesses them: without, the hash in EF.SOD,
/// which everybody may read, would tell that there are none.
#[must_use]
pub fn prepare_no_fingers(random: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    write(Modality::Finger, 0, &[], Some(random))
}

fn judge(
    image: &Image,
    what: &'static str,
    allowed: &[MediaType],
    budget: usize,
) -> Result<(), PrepareError> {
    let (found, bytes) = (image.media_type(), image.bytes().len());
    let budget = budget.min(MAX_PICTURE);
    if !allowed.contains(&found) {
        return Err(PrepareError::Format { what, found });
    }
    if bytes > budget {
        return Err(PrepareError::TooLarge {
            what,
            bytes,
            budget,
        });
    }
    Ok(())
}
