//! A picture as a data group holds it.

use std::fmt;

use document::{Image, ImageError, ImageLimits, MediaType};
use zeroize::Zeroizing;

/// The bytes of a face or a finger, as they stand in the data group.
///
/// Personal data: `Debug` shows format and length only, and memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    media_type: Option<MediaType>,
    bytes: Zeroizing<Vec<u8>>,
}

impl Picture {
    pub(super) fn new(media_type: Option<MediaType>, bytes: &[u8]) -> Self {
        Self {
            media_type,
            bytes: Zeroizing::new(bytes.to_vec()),
        }
    }

    /// Returns the format; none for the raw pixels that a finger may be.
    #[must_use]
    pub const fn media_type(&self) -> Option<MediaType> {
        self.media_type
    }

    /// Returns the bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Judges the picture's own structure, which reading a data group does not.
    ///
    /// # Errors
    /// [`ImageError`] with the first thing that is wrong.
    pub fn recognise(&self, limits: ImageLimits) -> Result<Image, ImageError> {
        Image::recognise(self.bytes.to_vec(), limits)
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.media_type.map_or("raw pixels", MediaType::name);
        write!(f, "Picture({format}, {} bytes)", self.bytes.len())
    }
}
