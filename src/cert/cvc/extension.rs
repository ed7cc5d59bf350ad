//! Certificate extensions (*TR-03110-3 §C.3*).

use spki::ObjectIdentifier;

use crate::cvc::error::CvcError;
use crate::cvc::object::{EXTENSION, EXTENSIONS, OID, Reader};

/// The most extensions that a certificate may have.
pub const MAX_EXTENSIONS: usize = 16;

/// An extension: its identifier, and what stands behind it, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CvExtension {
    /// What it is.
    pub oid: ObjectIdentifier,
    /// The context-specific objects behind the identifier.
    pub content: Vec<u8>,
}

/// Reads the value of the extensions object.
pub(crate) fn read(value: &[u8]) -> Result<Vec<CvExtension>, CvcError> {
    let mut reader = Reader::new(value);
    let mut extensions: Vec<CvExtension> = Vec::new();
    while reader.end(EXTENSIONS).is_err() {
        if extensions.len() == MAX_EXTENSIONS {
            return Err(CvcError::Extension {
                reason: "there are too many",
            });
        }
        let mut inner = Reader::new(reader.take(EXTENSION)?);
        let oid = ObjectIdentifier::from_bytes(inner.take(OID)?)
            .map_err(|_| CvcError::ObjectIdentifier)?;
        if extensions.iter().any(|before| before.oid == oid) {
            return Err(CvcError::Extension {
                reason: "one appears twice",
            });
        }
        extensions.push(CvExtension {
            oid,
            content: inner.rest().to_vec(),
        });
    }
    if extensions.is_empty() {
        return Err(CvcError::Extension {
            reason: "there is none",
        });
    }
    Ok(extensions)
}

/// Returns the whole object, 65; nothing for no extension.
pub(crate) fn encode(extensions: &[CvExtension]) -> Vec<u8> {
    if extensions.is_empty() {
        return Vec::new();
    }
    let each = extensions.iter().map(|extension| {
        EXTENSION.encode(
            &[
                OID.encode(extension.oid.as_bytes()),
                extension.content.clone(),
            ]
            .concat(),
        )
    });
    EXTENSIONS.encode(&each.collect::<Vec<_>>().concat())
}
