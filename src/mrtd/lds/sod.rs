//! EF.SOD: the signed message with the security object (*ICAO 9303-10 §4.6.2*).

use card::tlv::{self, Tag};

use super::error::{LdsError, LdsFault, within_bound};
use super::file::File;
use super::template::outer;

const OUTER: Tag = Tag::known::<0x77>();
const SEQUENCE: Tag = Tag::known::<0x30>();

/// The document security object's file: a CMS message in an object `77`. The message itself is
/// [`cert::cms`]'s matter; its content is an [`super::LdsSecurityObject`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfSod {
    cms: Vec<u8>,
}

impl EfSod {
    /// Returns the file around this message: a CMS `ContentInfo` in DER.
    ///
    /// # Errors
    /// [`LdsFault::Der`] where the bytes are not one sequence, [`LdsFault::TooLong`].
    pub fn new(cms: Vec<u8>) -> Result<Self, LdsError> {
        match tlv::parse(&cms) {
            Ok((object, [])) if object.tag == SEQUENCE => {}
            _ => return Err(LdsError::of(File::Sod, LdsFault::Der("a CMS message"))),
        }
        let sod = Self { cms };
        within_bound(File::Sod, &sod.encode())?;
        Ok(sod)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        Self::new(outer(File::Sod, OUTER, bytes)?.to_vec())
    }

    /// Returns the CMS message, `ContentInfo` in DER; nothing of it but its outer sequence was
    /// looked at.
    #[must_use]
    pub fn cms(&self) -> &[u8] {
        &self.cms
    }

    /// Returns the file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        tlv::encode(OUTER, &self.cms)
    }
}
