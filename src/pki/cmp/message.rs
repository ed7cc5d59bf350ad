//! `PKIMessage` (*RFC 9810 §5.1*): read once, kept as it came.

use std::fmt;

use cert::Certificate;
use der::asn1::{Any, AnyRef, BitString};
use der::{Decode, Encode, Sequence};

use crate::cmp::body::{Body, whole_bytes};
use crate::cmp::header::Header;

/// The longest message that is read or made, in bytes.
pub(crate) const MAX_MESSAGE: usize = 65_536;
/// The most certificates beside a message.
const MAX_EXTRA: usize = 16;
/// The longest nonce or transaction's name: the standard's have 16 bytes.
const MAX_NAME: usize = 64;

/// Why bytes were refused as a CMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmpMessageError {
    /// Longer than any message needs to be.
    #[error("a CMP message is at most {MAX_MESSAGE} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not a message in DER.
    #[error("not a CMP message in DER")]
    Syntax(#[source] der::Error),
    /// Its header does not read.
    #[error("the CMP message's header is malformed")]
    Header(#[source] der::Error),
    /// Its body does not read.
    #[error("the CMP message's body is malformed")]
    Body(#[source] der::Error),
    /// A nonce or the transaction's name is longer than any.
    #[error("the CMP message's {field} is longer than {MAX_NAME} bytes")]
    Name {
        /// Which.
        field: &'static str,
    },
    /// The protection is no whole number of bytes.
    #[error("the CMP message's protection is no whole number of bytes")]
    Protection,
    /// More certificates come with it than any needs.
    #[error("a CMP message has at most {MAX_EXTRA} certificates beside it, not {count}")]
    TooManyCertificates {
        /// How many.
        count: usize,
    },
}

#[derive(Sequence)]
struct Outer<'a> {
    header: AnyRef<'a>,
    body: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    protection: Option<BitString>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extra_certs: Option<Vec<Any>>,
}

/// What a protection is over (*§5.1.3*).
#[derive(Sequence)]
struct ProtectedPart<'a> {
    header: AnyRef<'a>,
    body: AnyRef<'a>,
}

/// A CMP message, read and checked for form; whether it is anybody's is its protection's matter.
#[derive(Clone, PartialEq, Eq)]
pub struct CmpMessage {
    pub(crate) header: Header,
    pub(crate) body: Body,
    /// `ProtectedPart` in DER.
    pub(crate) protected: Vec<u8>,
    pub(crate) protection: Option<Vec<u8>>,
    pub(crate) extra_certs: Vec<Any>,
    /// Whether the field was there: an empty one is no absent one.
    has_extra_certs: bool,
}

impl CmpMessage {
    /// Reads a message from DER.
    ///
    /// # Errors
    /// [`CmpMessageError`].
    pub fn parse(der: &[u8]) -> Result<Self, CmpMessageError> {
        if der.len() > MAX_MESSAGE {
            return Err(CmpMessageError::TooLong { length: der.len() });
        }
        let outer = Outer::from_der(der).map_err(CmpMessageError::Syntax)?;
        let header: Header = outer
            .header
            .to_der()
            .and_then(|header| Header::from_der(&header))
            .map_err(CmpMessageError::Header)?;
        let body = Body::from_any(&Any::from(outer.body)).map_err(CmpMessageError::Body)?;
        for (field, length) in [
            ("transactionID", header.transaction().len()),
            ("senderNonce", header.nonce().len()),
            ("recipNonce", header.answered_nonce().len()),
        ] {
            if length > MAX_NAME {
                return Err(CmpMessageError::Name { field });
            }
        }
        let protection = match &outer.protection {
            None => None,
            Some(bits) => Some(
                whole_bytes(bits)
                    .ok_or(CmpMessageError::Protection)?
                    .to_vec(),
            ),
        };
        let protected = ProtectedPart {
            header: outer.header,
            body: outer.body,
        };
        let has_extra_certs = outer.extra_certs.is_some();
        let extra_certs = outer.extra_certs.unwrap_or_default();
        if extra_certs.len() > MAX_EXTRA {
            return Err(CmpMessageError::TooManyCertificates {
                count: extra_certs.len(),
            });
        }
        Ok(Self {
            header,
            body,
            protected: protected.to_der().map_err(CmpMessageError::Syntax)?,
            protection,
            extra_certs,
            has_extra_certs,
        })
    }

    /// Returns the message in DER, written anew from what was read of it.
    ///
    /// # Errors
    /// [`der::Error`], in theory only.
    pub fn to_der(&self) -> Result<Vec<u8>, der::Error> {
        let (header, body) = (self.header.to_der()?, self.body.to_any()?);
        Outer {
            header: AnyRef::from_der(&header)?,
            body: body.to_ref(),
            protection: self
                .protection
                .as_ref()
                .map(|bytes| BitString::from_bytes(bytes))
                .transpose()?,
            extra_certs: self.has_extra_certs.then(|| self.extra_certs.clone()),
        }
        .to_der()
    }

    /// Returns a message that is not protected yet.
    pub(crate) fn bare(
        header: Header,
        body: Body,
        certificates: &[&Certificate],
    ) -> der::Result<Self> {
        let extra_certs = certificates
            .iter()
            .map(|certificate| Any::from_der(certificate.as_der()))
            .collect::<der::Result<Vec<_>>>()?;
        let (header_der, body_any) = (header.to_der()?, body.to_any()?);
        let protected = ProtectedPart {
            header: AnyRef::from_der(&header_der)?,
            body: body_any.to_ref(),
        };
        Ok(Self {
            protected: protected.to_der()?,
            header,
            body,
            protection: None,
            has_extra_certs: !extra_certs.is_empty(),
            extra_certs,
        })
    }

    /// Returns the certificates beside the message that read; the sender's own comes first
    /// (*§5.1*).
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let read = |any: &Any| Certificate::parse(&any.to_der().ok()?).ok();
        self.extra_certs.iter().filter_map(read).collect()
    }
}

/// Shows what kind of message it is: its names may be a person's.
impl fmt::Debug for CmpMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CmpMessage({})", self.body.name())
    }
}

#[cfg(test)]
mod tests;
