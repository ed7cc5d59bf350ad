//! Asking for a status (*RFC 6960 §4.1*).

use der::asn1::Any;
use der::{Decode, Encode, Sequence};
use x509_cert::ext::Extension;

use super::{CertId, CertIdDer, MAX_IDS, MAX_OCSP, OcspError, nonce_extension, read_nonce};
use crate::certificate::Certificate;

/// The longest nonce (*RFC 9654 §2.1*).
pub const MAX_NONCE: usize = 128;

/// What is asked. Signatures of requests are read over: whoever asks gets an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    /// The certificates that are asked about.
    pub ids: Vec<CertId>,
    /// What ties the answer to this request.
    pub nonce: Option<Vec<u8>>,
}

#[derive(Sequence)]
struct Outer {
    request: TbsRequest,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    signature: Option<Any>,
}

#[derive(Sequence)]
struct TbsRequest {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    version: Option<u8>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    requestor: Option<Any>,
    list: Vec<SingleRequest>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct SingleRequest {
    id: CertIdDer,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

impl OcspRequest {
    /// Returns the request for a certificate's status with its issuer. A nonce is of 32 bytes
    /// (*RFC 9654 §2.1*), random; whoever sends one wants it back.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn for_certificate(
        certificate: &Certificate,
        issuer: &Certificate,
        nonce: Option<[u8; 32]>,
    ) -> Result<Self, OcspError> {
        Ok(Self {
            ids: vec![CertId::new(issuer, certificate.serial())?],
            nonce: nonce.map(Vec::from),
        })
    }

    /// Reads a request from DER.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn parse(der: &[u8]) -> Result<Self, OcspError> {
        if der.len() > MAX_OCSP {
            return Err(OcspError::TooLong { length: der.len() });
        }
        let request = Outer::from_der(der)?.request;
        if request.version.is_some_and(|version| version != 0) {
            return Err(OcspError::Kind);
        }
        if !(1..=MAX_IDS).contains(&request.list.len()) {
            let count = request.list.len();
            return Err(OcspError::Count { count });
        }
        for single in &request.list {
            read_nonce(single.extensions.as_deref().unwrap_or_default())?;
        }
        let nonce = read_nonce(request.extensions.as_deref().unwrap_or_default())?;
        let ids = request.list.into_iter();
        let ids = ids.map(|single| CertId::read(single.id));
        Ok(Self {
            ids: ids.collect::<Result<_, _>>()?,
            nonce,
        })
    }

    /// Returns the request in DER.
    ///
    /// # Errors
    /// [`OcspError`] for one that [`OcspRequest::parse`] would refuse.
    pub fn to_der(&self) -> Result<Vec<u8>, OcspError> {
        let nonce = self.nonce.as_deref().map(nonce_extension).transpose()?;
        let list = self.ids.iter().map(|id| {
            Ok(SingleRequest {
                id: id.to_sequence()?,
                extensions: None,
            })
        });
        let der = Outer {
            request: TbsRequest {
                version: None,
                requestor: None,
                list: list.collect::<der::Result<_>>()?,
                extensions: nonce.map(|nonce| vec![nonce]),
            },
            signature: None,
        }
        .to_der()?;
        Self::parse(&der).map(|_| der)
    }
}
