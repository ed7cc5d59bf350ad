//! The attributes that are signed in the content's place (*RFC 5652 §5.3, §11*).

use der::asn1::OctetStringRef;
use der::{Decode, Reader, Tag};
use jiff::Timestamp;
use spki::ObjectIdentifier;
use x509_cert::time::Time;

use super::parse::{SignedDataError, element, inside};
use super::{CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME};

/// The most attributes of a signer; two are needed.
const MAX_ATTRIBUTES: usize = 32;

/// What a signer signed beside the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttributes {
    /// The bytes under the signature: the attributes as SET OF (*§5.4*), in the order in which they
    /// came, which is what was signed whether it is DER's or not.
    pub(super) der: Vec<u8>,
    pub(super) content_type: ObjectIdentifier,
    pub(super) message_digest: Vec<u8>,
    pub(super) signing_time: Option<Timestamp>,
}

impl SignedAttributes {
    /// Returns when the signer says that it signed.
    pub fn signing_time(&self) -> Option<Timestamp> {
        self.signing_time
    }

    /// Returns the digest of the content that was signed.
    pub fn message_digest(&self) -> &[u8] {
        &self.message_digest
    }

    /// Reads them from their element, tag [0] IMPLICIT.
    pub(super) fn read(tlv: &[u8]) -> Result<Self, SignedDataError> {
        // The SET's own tag is what is signed (§5.4).
        let mut der = tlv.to_vec();
        if let Some(tag) = der.first_mut() {
            *tag = 0x31;
        }
        let mut reader = inside(&der, Tag::Set)?;
        let mut seen = Vec::new();
        let (mut content_type, mut digest, mut time) = (None, None, None);
        while !reader.is_finished() {
            let mut attribute = inside(element(&mut reader, Tag::Sequence)?, Tag::Sequence)?;
            let oid = ObjectIdentifier::decode(&mut attribute)?;
            let values = element(&mut attribute, Tag::Set)?;
            attribute.finish()?;
            if seen.contains(&oid) || seen.len() == MAX_ATTRIBUTES {
                return Err(SignedDataError::Attribute { oid });
            }
            seen.push(oid);
            if ![CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME].contains(&oid) {
                continue;
            }
            // Each of these has exactly one value (§11.1 to §11.3).
            let malformed = |_| SignedDataError::Attribute { oid };
            let mut value = inside(values, Tag::Set).map_err(malformed)?;
            match oid {
                CONTENT_TYPE => {
                    let read = ObjectIdentifier::decode(&mut value).map_err(malformed)?;
                    content_type = Some(read);
                }
                MESSAGE_DIGEST => {
                    let read = <&OctetStringRef>::decode(&mut value).map_err(malformed)?;
                    digest = Some(read.as_bytes().to_vec());
                }
                _ => {
                    let read = Time::decode(&mut value).map_err(malformed)?;
                    let seconds = i64::try_from(read.to_unix_duration().as_secs()).ok();
                    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                    time = Some(at.ok_or(SignedDataError::Attribute { oid })?);
                }
            }
            value.finish().map_err(malformed)?;
        }
        let missing = |oid| SignedDataError::Attribute { oid };
        Ok(Self {
            content_type: content_type.ok_or(missing(CONTENT_TYPE))?,
            message_digest: digest.ok_or(missing(MESSAGE_DIGEST))?,
            signing_time: time,
            der,
        })
    }
}
