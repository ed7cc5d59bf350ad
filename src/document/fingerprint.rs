//! Fingerprints that an application brings.

use std::fmt;

use crate::Image;
use crate::named::named;

/// Most fingerprints of one application: a travel document holds two (*Regulation (EC) No
/// 2252/2004 Article 1(2)*, *Regulation (EU) 2025/1208 Article 3(5)*).
pub const MAX_FINGERPRINTS: usize = 2;

named! {
    /// Which finger it is.
    "finger" enum FingerPosition {
        /// The right thumb.
        RightThumb = "right-thumb",
        /// The right index finger.
        RightIndex = "right-index",
        /// The right middle finger.
        RightMiddle = "right-middle",
        /// The right ring finger.
        RightRing = "right-ring",
        /// The right little finger.
        RightLittle = "right-little",
        /// The left thumb.
        LeftThumb = "left-thumb",
        /// The left index finger.
        LeftIndex = "left-index",
        /// The left middle finger.
        LeftMiddle = "left-middle",
        /// The left ring finger.
        LeftRing = "left-ring",
        /// The left little finger.
        LeftLittle = "left-little",
    }
}

/// One flat fingerprint.
///
/// Personal data of a special category: `Debug` shows format and size only.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Which finger it is.
    pub position: FingerPosition,
    /// The image, within [`crate::FINGERPRINT_LIMITS`].
    pub image: Image,
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:?})", self.image)
    }
}
