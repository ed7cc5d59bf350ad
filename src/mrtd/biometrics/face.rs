//! DG2: the holder's face.

use std::fmt;

use thiserror::Error;

use super::cbeff::{Modality, TemplateError, Templates};
use super::encoding::BiometricEncoding;
use super::iso19794::{self, Deviation, RecordError};
use super::iso39794::{self, BlockError};
use super::picture::Picture;

/// What a picture was taken with.
///
/// Both standards number these alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CaptureSource {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// A photograph, by whatever made it.
    Photograph,
    /// A photograph by a digital still camera: taken at the office.
    DigitalCamera,
    /// A photograph by a scanner: brought on paper.
    Scanner,
    /// A frame of a film, by whatever made it.
    Film,
    /// A frame of an analogue film camera.
    AnalogueFilm,
    /// A frame of a digital film camera.
    DigitalFilm,
}

impl CaptureSource {
    /// Returns the code of *ISO/IEC 19794-5* and *39794-5*.
    pub(super) const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the source of a code; what is reserved or a vendor's own says nothing.
    pub(super) const fn of(code: u8) -> Self {
        match code {
            1 => Self::Photograph,
            2 => Self::DigitalCamera,
            3 => Self::Scanner,
            4 => Self::Film,
            5 => Self::AnalogueFilm,
            6 => Self::DigitalFilm,
            _ => Self::Unspecified,
        }
    }
}

/// Why a data group of faces or fingers was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BiometricError {
    /// The templates around the pictures are wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A record of ISO/IEC 19794 is wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A block of ISO/IEC 39794 is wrong.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// What stands for a face is neither JPEG nor JPEG 2000.
    #[error("the face is neither JPEG nor JPEG 2000 by its first bytes")]
    Picture,
}

/// One face.
#[derive(Clone, PartialEq, Eq)]
pub struct Face {
    /// Which standard it was wrapped by.
    pub encoding: BiometricEncoding,
    /// The picture: JPEG or JPEG 2000.
    pub picture: Picture,
    /// Width and height in pixels, as they are stated beside the picture.
    pub size: Option<(u16, u16)>,
    /// What it was taken with.
    pub source: CaptureSource,
    /// When it was taken: year, and month and day where they are known.
    pub taken: Option<(u16, Option<u8>, Option<u8>)>,
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Face")
            .field("encoding", &self.encoding)
            .field("picture", &self.picture)
            .finish_non_exhaustive()
    }
}

/// DG2 as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceGroup {
    /// The faces; the first is the one to show (*ICAO 9303-10 §4.7.2*: the most recent).
    pub faces: Vec<Face>,
    /// What is not as the standard wants it and known of passports in the field.
    pub deviations: Vec<Deviation>,
}

impl FaceGroup {
    /// Reads DG2 in either encoding.
    ///
    /// The pictures are not judged beyond their first bytes: [`Picture::recognise`] does.
    ///
    /// # Errors
    /// [`BiometricError`] with the first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, BiometricError> {
        let mut group = Self {
            faces: Vec::new(),
            deviations: Vec::new(),
        };
        for template in Templates::parse(Modality::Face, bytes)?.templates {
            match template.encoding {
                BiometricEncoding::Iso19794 => {
                    let (faces, deviation) = iso19794::face::parse(template.block)?;
                    group.faces.extend(faces);
                    group.deviations.extend(deviation);
                }
                BiometricEncoding::Iso39794 => {
                    group.faces.push(iso39794::face::parse(template.block)?);
                }
            }
        }
        Ok(group)
    }

    /// Returns the portrait: the picture of the first face.
    #[must_use]
    pub fn portrait(&self) -> Option<&Picture> {
        self.faces.first().map(|face| &face.picture)
    }
}
