//! DG3: the holder's fingerprints.

use std::fmt;

use super::cbeff::{Modality, Templates};
use super::encoding::BiometricEncoding;
use super::face::BiometricError;
use super::iso19794::{self, Deviation};
use super::iso39794;
use super::picture::Picture;

/// Which finger it is, numbered as in both standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FingerPosition {
    /// Not known.
    Unknown,
    /// The right thumb.
    RightThumb,
    /// The right index finger.
    RightIndex,
    /// The right middle finger.
    RightMiddle,
    /// The right ring finger.
    RightRing,
    /// The right little finger.
    RightLittle,
    /// The left thumb.
    LeftThumb,
    /// The left index finger.
    LeftIndex,
    /// The left middle finger.
    LeftMiddle,
    /// The left ring finger.
    LeftRing,
    /// The left little finger.
    LeftLittle,
}

impl FingerPosition {
    /// Every position, in the order of its code.
    pub const ALL: &'static [Self] = &[
        Self::Unknown,
        Self::RightThumb,
        Self::RightIndex,
        Self::RightMiddle,
        Self::RightRing,
        Self::RightLittle,
        Self::LeftThumb,
        Self::LeftIndex,
        Self::LeftMiddle,
        Self::LeftRing,
        Self::LeftLittle,
    ];

    /// Returns the code of *ISO/IEC 19794-4* and *39794-4*.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the finger of a code; both standards have further ones, of palms and of
    /// several fingers in a picture, that DG3 is not for.
    #[must_use]
    pub fn of(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Returns the CBEFF subtype (*ICAO 9303-10 table 49*): the side in bits 1 and 2, the
    /// finger in bits 3 to 5.
    #[must_use]
    pub const fn subtype(self) -> u8 {
        match self.code() {
            0 => 0,
            right @ 1..=5 => right << 2 | 0b01,
            left => (left - 5) << 2 | 0b10,
        }
    }
}

/// One fingerprint.
#[derive(Clone, PartialEq, Eq)]
pub struct Finger {
    /// Which standard it was wrapped by.
    pub encoding: BiometricEncoding,
    /// Which finger it is.
    pub position: FingerPosition,
    /// The picture, in the format that is stated beside it.
    pub picture: Picture,
    /// Width and height in pixels, as they are stated beside the picture.
    pub size: Option<(u16, u16)>,
}

impl fmt::Debug for Finger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finger")
            .field("encoding", &self.encoding)
            .field("picture", &self.picture)
            .finish_non_exhaustive()
    }
}

/// DG3 as it was read; without fingers where the holder gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FingerGroup {
    /// The fingers.
    pub fingers: Vec<Finger>,
    /// What is not as the standard wants it and known of passports in the field.
    pub deviations: Vec<Deviation>,
}

impl FingerGroup {
    /// Reads DG3 in either encoding. The pictures are not judged:
    /// [`Picture::recognise`] does.
    ///
    /// # Errors
    /// [`BiometricError`] with the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, BiometricError> {
        let mut group = Self {
            fingers: Vec::new(),
            deviations: Vec::new(),
        };
        for template in Templates::parse(Modality::Finger, bytes)?.templates {
            match template.encoding {
                BiometricEncoding::Iso19794 => {
                    let (fingers, deviation) = iso19794::finger::parse(template.block)?;
                    group.fingers.extend(fingers);
                    group.deviations.extend(deviation);
                }
                BiometricEncoding::Iso39794 => {
                    group.fingers.push(iso39794::finger::parse(template.block)?);
                }
            }
        }
        Ok(group)
    }
}
