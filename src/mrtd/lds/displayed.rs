//! DG5 and DG7: portrait and signature as they are displayed (*ICAO 9303-10 §4.7.5, §4.7.7*).

use card::tlv::Tag;

use super::data_group::DataGroup;
use super::details::{count, counted};
use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::{Read, Remark};
use super::template::{joined, objects, outer, secret};
use super::text::ImageData;

const COUNT: Tag = Tag::known::<0x02>();
const MOST: u8 = 9;

/// What is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayedKind {
    /// The portrait, in DG5.
    Portrait,
    /// The signature or usual mark, in DG7.
    Signature,
}

impl DisplayedKind {
    /// Returns the data group that it stands in.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Portrait => Group::Dg5,
            Self::Signature => Group::Dg7,
        }
    }

    /// Returns the tag of one image.
    const fn tag(self) -> Tag {
        match self {
            Self::Portrait => Tag::known::<0x5F40>(),
            Self::Signature => Tag::known::<0x5F43>(),
        }
    }
}

/// Displayed images, 1 to 9, each JPEG (JFIF) or JPEG 2000; they are not looked at here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Displayed {
    /// What they show.
    pub kind: DisplayedKind,
    /// The images, in the file's order.
    pub images: Vec<ImageData>,
}

impl Displayed {
    /// Reads the file of this kind.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(kind: DisplayedKind, bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let file = File::Dg(kind.group());
        let value = outer(file, kind.group().tag(), bytes)?;
        let objects = objects(file, value, usize::from(MOST) + 1)?;
        let Some((first, images)) = objects.split_first() else {
            return Err(LdsError::at(file, COUNT, LdsFault::Missing));
        };
        let announced = counted(file, first)?;
        if let Some(other) = images.iter().find(|image| image.tag != kind.tag()) {
            return Err(LdsError::at(file, other.tag, LdsFault::Unexpected));
        }
        if announced != images.len() || announced == 0 {
            return Err(counts(file, announced, images.len()));
        }
        let content = Self {
            kind,
            images: images
                .iter()
                .map(|image| ImageData::new(image.value))
                .collect(),
        };
        let same = content.encode().is_ok_and(|again| again.bytes() == bytes);
        Ok(Read {
            content,
            remarks: Vec::from_iter((!same).then_some(Remark::OtherForm)),
        })
    }

    /// Returns the file.
    ///
    /// # Errors
    /// [`LdsFault::Count`] for no image, [`LdsFault::TooMany`] for more than nine,
    /// [`LdsFault::TooLong`].
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        let file = File::Dg(self.kind.group());
        if self.images.is_empty() {
            return Err(counts(file, 0, 0));
        }
        let mut content = vec![count(file, self.images.len(), MOST)?];
        for image in &self.images {
            content.push(secret(self.kind.tag(), image.bytes()));
        }
        DataGroup::new(self.kind.group(), &joined(&content))
    }
}

fn counts(file: File, announced: usize, present: usize) -> LdsError {
    LdsError::at(
        file,
        COUNT,
        LdsFault::Count {
            announced,
            present,
            allowed: "1 to 9",
        },
    )
}
