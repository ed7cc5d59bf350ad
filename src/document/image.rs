//! Portraits, fingerprints and signature images, judged by their bytes.
//!
//! Only headers and structure are read here, never pixels: enough to know the
//! format and the size, and to refuse a file that was cut off.

mod jpeg;
mod jpeg2000;
mod png;
mod wsq;

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::named::named;

named! {
    /// The formats that are read. Which of them a picture may have is its
    /// [`ImageLimits`]' to say.
    "media type" enum MediaType {
        /// JPEG: baseline, extended or progressive Huffman, 8 bits a sample.
        Jpeg = "image/jpeg",
        /// PNG.
        Png = "image/png",
        /// JPEG 2000 in its file format, JP2.
        Jp2 = "image/jp2",
        /// JPEG 2000 as a bare codestream.
        Jpeg2000 = "image/j2c",
        /// WSQ, the FBI's compression of grey fingerprints.
        Wsq = "image/x-wsq",
    }
}

impl MediaType {
    /// Returns the format that `bytes` begin like.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        [
            (Self::Jpeg, jpeg::SIGNATURE),
            (Self::Png, png::SIGNATURE),
            (Self::Jp2, jpeg2000::FILE_SIGNATURE),
            (Self::Jpeg2000, jpeg2000::STREAM_SIGNATURE),
            (Self::Wsq, wsq::SIGNATURE),
        ]
        .into_iter()
        .find_map(|(media_type, signature)| bytes.starts_with(signature).then_some(media_type))
    }

    /// Returns the usual ending of such a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Jp2 => "jp2",
            Self::Jpeg2000 => "j2k",
            Self::Wsq => "wsq",
        }
    }
}

/// What an image must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// The formats that it may have.
    pub formats: &'static [MediaType],
    /// Most bytes.
    pub bytes: usize,
    /// Least width and height in pixels.
    pub least: (u16, u16),
    /// Greatest width and height in pixels.
    pub greatest: (u16, u16),
    /// Whether it must be higher than wide.
    pub upright: bool,
}

/// Limits of a portrait: 240 × 320 pixels is the token image of
/// *ISO/IEC 19794-5*, the least that keeps 60 pixels between the eyes; above
/// 2400 × 3200 nothing is gained on a card.
pub const PORTRAIT_LIMITS: ImageLimits = ImageLimits {
    formats: &[MediaType::Jpeg, MediaType::Png],
    bytes: 512 * 1024,
    least: (240, 320),
    greatest: (2400, 3200),
    upright: true,
};

/// Limits of a signature image.
pub const SIGNATURE_LIMITS: ImageLimits = ImageLimits {
    formats: &[MediaType::Jpeg, MediaType::Png],
    bytes: 128 * 1024,
    least: (100, 30),
    greatest: (2400, 1200),
    upright: false,
};

/// Limits of a portrait for the chip: the portrait's own, in the two
/// compressions that *ICAO 9303-9* allows there.
pub const CHIP_PORTRAIT_LIMITS: ImageLimits = ImageLimits {
    formats: &[MediaType::Jpeg, MediaType::Jp2, MediaType::Jpeg2000],
    ..PORTRAIT_LIMITS
};

/// Limits of one flat fingerprint of 500 pixels an inch: from a quarter of an
/// inch to the two inches that the largest sensor takes of one finger.
pub const FINGERPRINT_LIMITS: ImageLimits = ImageLimits {
    formats: &[MediaType::Wsq, MediaType::Jp2, MediaType::Jpeg2000],
    bytes: 128 * 1024,
    least: (125, 125),
    greatest: (1000, 1000),
    upright: false,
};

/// Most JPEG or WSQ segments, PNG chunks, or JPEG 2000 boxes and tile-parts that
/// are walked.
const MOST_PARTS: usize = 4096;

/// Why bytes are not an acceptable image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ImageError {
    /// More bytes than allowed.
    #[error("must be at most {limit} bytes")]
    TooLarge {
        /// Most bytes allowed.
        limit: usize,
    },
    /// The bytes begin like no format that is read.
    #[error("is by its first bytes of no image format that is read")]
    Unrecognised,
    /// The bytes begin like a format that this picture may not have.
    #[error("is {found}; expected {}", names(expected))]
    Format {
        /// The format found.
        found: MediaType,
        /// What was expected.
        expected: &'static [MediaType],
    },
    /// The structure is broken, or of a variant that is not accepted.
    #[error("is damaged or of an unusual form: {0}")]
    Damaged(&'static str),
    /// Too small or too large in pixels.
    #[error(
        "is {width} x {height} pixels; expected {} x {} to {} x {}",
        limits.least.0, limits.least.1, limits.greatest.0, limits.greatest.1
    )]
    Dimensions {
        /// Width found.
        width: u32,
        /// Height found.
        height: u32,
        /// What was expected.
        limits: ImageLimits,
    },
    /// Wider than high.
    #[error("is wider than high; a portrait must stand upright")]
    Lying,
}

/// Lists formats as they are read aloud.
fn names(formats: &[MediaType]) -> String {
    let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
    names.join(" or ")
}

/// What the headers of any format say of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: u32,
    height: u32,
    colour: bool,
    lossless: bool,
}

/// An image whose format and size are known and within limits.
///
/// Personal data: `Debug` shows format and size only, and memory is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Image {
    #[zeroize(skip)]
    media_type: MediaType,
    width: u16,
    height: u16,
    colour: bool,
    lossless: bool,
    bytes: Vec<u8>,
}

impl Image {
    /// Recognises an image by its bytes and judges it against `limits`.
    ///
    /// # Errors
    ///
    /// [`ImageError`] with the first thing that is wrong.
    pub fn recognise(bytes: Vec<u8>, limits: ImageLimits) -> Result<Self, ImageError> {
        // What is refused is somebody's picture too.
        let mut bytes = Zeroizing::new(bytes);
        if bytes.len() > limits.bytes {
            return Err(ImageError::TooLarge {
                limit: limits.bytes,
            });
        }
        let media_type = MediaType::of(&bytes).ok_or(ImageError::Unrecognised)?;
        if !limits.formats.contains(&media_type) {
            return Err(ImageError::Format {
                found: media_type,
                expected: limits.formats,
            });
        }
        let Shape {
            width,
            height,
            colour,
            lossless,
        } = match media_type {
            MediaType::Jpeg => jpeg::shape(&bytes)?,
            MediaType::Png => png::shape(&bytes)?,
            MediaType::Jp2 => jpeg2000::file_shape(&bytes)?,
            MediaType::Jpeg2000 => jpeg2000::stream_shape(&bytes)?,
            MediaType::Wsq => wsq::shape(&bytes)?,
        };
        let outside = ImageError::Dimensions {
            width,
            height,
            limits,
        };
        let within = |value, least, greatest| {
            u16::try_from(value)
                .ok()
                .filter(|size| (least..=greatest).contains(size))
                .ok_or(outside)
        };
        let width = within(width, limits.least.0, limits.greatest.0)?;
        let height = within(height, limits.least.1, limits.greatest.1)?;
        if limits.upright && width >= height {
            return Err(ImageError::Lying);
        }
        Ok(Self {
            media_type,
            width,
            height,
            colour,
            lossless,
            bytes: std::mem::take(&mut *bytes),
        })
    }

    /// Returns the format.
    #[must_use]
    pub const fn media_type(&self) -> MediaType {
        self.media_type
    }

    /// Returns the width in pixels.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Returns the height in pixels.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// Says whether it has colours; otherwise it is grey.
    #[must_use]
    pub const fn is_colour(&self) -> bool {
        self.colour
    }

    /// Says whether its compression can be undone without loss: PNG, and JPEG 2000
    /// with the reversible wavelet. (That a reversible stream was cut to a rate is
    /// not to be seen in its headers.)
    #[must_use]
    pub const fn is_lossless(&self) -> bool {
        self.lossless
    }

    /// Returns the file as it was received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Image({}, {} x {}, …)",
            self.media_type, self.width, self.height
        )
    }
}

#[cfg(test)]
#[path = "image/tests.rs"]
mod written_by_others;

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Builds the bare structure of a JPEG of this size.
    pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let ([w1, w2], [h1, h2]) = (width.to_be_bytes(), height.to_be_bytes());
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xff];
        bytes.extend([0xc0, 0, 11, 8, h1, h2, w1, w2, 1, 1, 0x11, 0]);
        bytes.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x55, 0xff, 0xd9]);
        bytes
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut header = width.to_be_bytes().to_vec();
        header.extend(height.to_be_bytes());
        header.extend([8, 2, 0, 0, 0]);
        let mut bytes = png::SIGNATURE.to_vec();
        for (kind, body) in [(b"IHDR", header), (b"IDAT", vec![0; 9]), (b"IEND", vec![])] {
            bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
            bytes.extend(kind);
            bytes.extend(body);
            bytes.extend([0; 4]);
        }
        bytes
    }

    fn portrait(bytes: Vec<u8>) -> Result<Image, ImageError> {
        Image::recognise(bytes, PORTRAIT_LIMITS)
    }

    #[test]
    fn size_is_read_from_both_headers() {
        let image = portrait(jpeg(300, 400)).unwrap();
        assert_eq!(
            (image.media_type(), image.width(), image.height()),
            (MediaType::Jpeg, 300, 400)
        );
        let image = portrait(png(240, 320)).unwrap();
        assert_eq!(
            (image.media_type(), image.width(), image.height()),
            (MediaType::Png, 240, 320)
        );
        assert_eq!(format!("{image:?}"), "Image(image/png, 240 x 320, …)");
    }

    #[test]
    fn limits_are_included_and_one_pixel_beyond_is_not() {
        assert!(portrait(jpeg(240, 320)).is_ok());
        assert!(portrait(jpeg(2400, 3200)).is_ok());
        for (width, height) in [(239, 320), (240, 319), (2401, 3200), (2400, 3201), (300, 0)] {
            assert!(matches!(
                portrait(jpeg(width, height)),
                Err(ImageError::Dimensions { .. })
            ));
        }
        assert!(matches!(
            portrait(png(65_536 + 300, 400)),
            Err(ImageError::Dimensions { .. })
        ));
        assert_eq!(portrait(jpeg(400, 400)), Err(ImageError::Lying));
        assert!(Image::recognise(jpeg(400, 100), SIGNATURE_LIMITS).is_ok());
    }

    #[test]
    fn bytes_are_counted_before_they_are_read() {
        let mut bytes = jpeg(300, 400);
        bytes.resize(PORTRAIT_LIMITS.bytes + 1, 0);
        assert_eq!(
            portrait(bytes),
            Err(ImageError::TooLarge { limit: 524_288 })
        );
    }

    #[test]
    fn other_formats_are_not_recognised() {
        for bytes in [
            &b""[..],
            b"GIF89a",
            b"\x00\x00\x00\x0cjP  ",
            b"\xff\xd8",
            b"\x89PNG\r\n\x1a",
        ] {
            assert_eq!(portrait(bytes.to_vec()), Err(ImageError::Unrecognised));
        }
        let error = Image::recognise(png(300, 400), CHIP_PORTRAIT_LIMITS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "is image/png; expected image/jpeg or image/jp2 or image/j2c"
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        for whole in [jpeg(300, 400), png(300, 400)] {
            for end in 0..whole.len() {
                let mut cut = whole.clone();
                cut.truncate(end);
                assert!(portrait(cut).is_err(), "cut at {end}");
            }
            let mut longer = whole;
            longer.push(0);
            assert!(portrait(longer).is_err());
        }
    }

    #[test]
    fn unusual_jpegs_are_named() {
        for marker in [0xc3, 0xc9, 0xcf] {
            let mut bytes = jpeg(300, 400);
            bytes[10] = marker;
            assert!(
                matches!(portrait(bytes), Err(ImageError::Damaged(why)) if why.contains("arithmetic"))
            );
        }
        let mut bytes = jpeg(300, 400);
        bytes[13] = 12;
        assert!(matches!(portrait(bytes), Err(ImageError::Damaged(why)) if why.contains("8 bits")));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(
            at in 0_usize..40, value: u8, tail in prop::collection::vec(any::<u8>(), 0..64), is_png: bool,
        ) {
            let mut bytes = if is_png { png(300, 400) } else { jpeg(300, 400) };
            let at = at % bytes.len();
            bytes[at] = value;
            bytes.extend(tail);
            let _ = portrait(bytes);
        }
    }
}
