//! A data group's file as it stands on the chip.

use std::fmt;

use card::tlv::{self, Tag};
use cert::Hash;
use zeroize::Zeroizing;

use super::error::{LdsError, LdsFault, within_bound};
use super::file::{File, Group};
use super::template::outer;

/// The file of one data group: its outer object and nothing else. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct DataGroup {
    group: Group,
    bytes: Zeroizing<Vec<u8>>,
}

impl DataGroup {
    /// Returns the file with this content in its outer object, for example the biometric
    /// templates (`7F61…`) of DG2.
    ///
    /// # Errors
    /// [`LdsFault::TooLong`] past [`super::MAX_FILE`].
    pub fn new(group: Group, content: &[u8]) -> Result<Self, LdsError> {
        let bytes = Zeroizing::new(tlv::encode(group.tag(), content));
        within_bound(File::Dg(group), &bytes)?;
        Ok(Self { group, bytes })
    }

    /// Reads a file; its outer tag says which data group it is.
    ///
    /// # Errors
    /// [`LdsError`]; for bytes that start with no data group's tag the error names DG1.
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        let tag = Tag::parse(bytes).ok();
        match tag.and_then(|(tag, _)| Group::from_tag(tag)) {
            Some(group) => Self::parse_as(group, bytes),
            None => Err(LdsError::of(Group::Dg1, LdsFault::OuterTag)),
        }
    }

    /// Reads a file that was found where `group` stands.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse_as(group: Group, bytes: &[u8]) -> Result<Self, LdsError> {
        outer(File::Dg(group), group.tag(), bytes)?;
        Ok(Self {
            group,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    /// Returns which data group it is.
    #[must_use]
    pub fn group(&self) -> Group {
        self.group
    }

    /// Returns the whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns what stands in the outer object.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        // Parsed or encoded before: the object is the whole file.
        tlv::parse(&self.bytes).map_or(&[], |(object, _)| object.value)
    }

    /// Returns the hash that the security object names: over the whole file
    /// (*ICAO 9303-10 §4.6.2.3 Note 1*).
    #[must_use]
    pub fn hash(&self, hash: Hash) -> Vec<u8> {
        hash.digest(&self.bytes)
    }
}

impl fmt::Debug for DataGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataGroup({}, {} bytes)", self.group, self.bytes.len())
    }
}
