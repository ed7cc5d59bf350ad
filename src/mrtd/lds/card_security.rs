//! EF.CardSecurity: signed `SecurityInfos` (*ICAO 9303-10 §3.11.4*).

use card::tlv::{self, Tag};

use super::error::{LdsError, LdsFault, within_bound};
use super::file::File;

const SEQUENCE: Tag = Tag::known::<0x30>();

/// The file: a CMS message that is all of it. The message itself is [`cert::cms`]'s matter; its
/// content, of type [`cert::cms::SECURITY_OBJECT`], is `SecurityInfos` as in EF.CardAccess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSecurity {
    cms: Vec<u8>,
}

impl CardSecurity {
    /// Reads the file, or takes this CMS `ContentInfo` in DER as it: they are the same.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        within_bound(File::CardSecurity, bytes)?;
        let fault = |fault| Err(LdsError::of(File::CardSecurity, fault));
        match tlv::parse(bytes) {
            Ok((object, [])) if object.tag == SEQUENCE => Ok(Self {
                cms: bytes.to_vec(),
            }),
            Ok((object, rest)) if object.tag == SEQUENCE => fault(LdsFault::Trailing(rest.len())),
            _ => fault(LdsFault::Der("a CMS message")),
        }
    }

    /// Returns the CMS message, all bytes of the file; nothing of it but its outer sequence was
    /// looked at.
    #[must_use]
    pub fn cms(&self) -> &[u8] {
        &self.cms
    }
}
