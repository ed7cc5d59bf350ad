//! Answering (*RFC 6960 §4.2*).

use der::asn1::{Any, AnyRef, BitStringRef, GeneralizedTime, Null, OctetString};
use der::{Choice, Decode, Encode, Enumerated, Sequence};
use jiff::Timestamp;
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};
use x509_cert::ext::Extension;

use super::{
    BASIC, CertId, CertIdDer, CertStatus, CertStatusDer, EXTENDED_REVOKE, MAX_IDS, MAX_OCSP,
    OcspError, Reason, RevokedInfo, nonce_extension, read_nonce, read_time, write_time,
};
use crate::certificate::Certificate;
use crate::hash::Hash;
use crate::name::DistinguishedName;
use crate::signature_algorithm::SignatureAlgorithm;

/// The most certificates that are read with a response.
const MAX_CERTIFICATES: usize = 8;

/// Why a responder answers nothing (*§4.2.1*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
#[asn1(type = "ENUMERATED")]
pub enum Refusal {
    /// The request does not read.
    Malformed = 1,
    /// The responder has a fault.
    Internal = 2,
    /// It cannot answer now.
    TryLater = 3,
    /// Requests must be signed.
    SignatureRequired = 5,
    /// It does not answer this client, or about this authority.
    Unauthorized = 6,
}

/// The status of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleStatus {
    /// The certificate.
    pub id: CertId,
    /// Where it stands.
    pub status: CertStatus,
    /// When that was known.
    pub this_update: Timestamp,
    /// When more will be known; without it, at any time.
    pub next_update: Option<Timestamp>,
}

/// Who signed a response.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum ResponderId {
    Name(DistinguishedName),
    /// SHA-1 of the key's bits.
    Key(Vec<u8>),
}

/// A response, read and not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct OcspResponse {
    pub(super) tbs: Vec<u8>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
    pub(super) responder: ResponderId,
    pub(super) produced_at: Timestamp,
    pub(super) statuses: Vec<SingleStatus>,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) certificates: Vec<Certificate>,
}

#[derive(Clone, Copy, PartialEq, Eq, Enumerated)]
#[repr(u8)]
#[asn1(type = "ENUMERATED")]
enum ResponseStatus {
    Successful = 0,
    Malformed = 1,
    Internal = 2,
    TryLater = 3,
    SignatureRequired = 5,
    Unauthorized = 6,
}

#[derive(Sequence)]
struct Outer {
    status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    bytes: Option<ResponseBytes>,
}

#[derive(Sequence)]
struct ResponseBytes {
    kind: ObjectIdentifier,
    response: OctetString,
}

#[derive(Sequence)]
struct Basic<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<Vec<Any>>,
}

#[derive(Sequence)]
struct ResponseData {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    version: Option<u8>,
    responder: ResponderIdDer,
    produced_at: GeneralizedTime,
    responses: Vec<Single>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Choice)]
enum ResponderIdDer {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", constructed = "true")]
    Name(Any),
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    Key(OctetString),
}

#[derive(Sequence)]
struct Single {
    id: CertIdDer,
    status: CertStatusDer,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    next_update: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

impl OcspResponse {
    /// Reads a response from DER: one that answers, or the responder's refusal.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn parse(der: &[u8]) -> Result<Result<Self, Refusal>, OcspError> {
        if der.len() > MAX_OCSP {
            return Err(OcspError::TooLong { length: der.len() });
        }
        let outer = Outer::from_der(der)?;
        let refused = match outer.status {
            ResponseStatus::Successful => None,
            ResponseStatus::Malformed => Some(Refusal::Malformed),
            ResponseStatus::Internal => Some(Refusal::Internal),
            ResponseStatus::TryLater => Some(Refusal::TryLater),
            ResponseStatus::SignatureRequired => Some(Refusal::SignatureRequired),
            ResponseStatus::Unauthorized => Some(Refusal::Unauthorized),
        };
        match (refused, outer.bytes) {
            (Some(refusal), None) => Ok(Err(refusal)),
            (None, Some(bytes)) if bytes.kind == BASIC => {
                Self::parse_basic(bytes.response.as_bytes()).map(Ok)
            }
            _ => Err(OcspError::Kind),
        }
    }

    fn parse_basic(der: &[u8]) -> Result<Self, OcspError> {
        let basic = Basic::from_der(der)?;
        // DER has one encoding, so that this is what was signed.
        let tbs = basic.tbs.to_der()?;
        let data = ResponseData::from_der(&tbs)?;
        if data.version.is_some_and(|version| version != 0) {
            return Err(OcspError::Kind);
        }
        let count = data.responses.len();
        if !(1..=MAX_IDS).contains(&count) {
            return Err(OcspError::Count { count });
        }
        let certificates = basic.certificates.unwrap_or_default();
        if certificates.len() > MAX_CERTIFICATES {
            let count = certificates.len();
            return Err(OcspError::Count { count });
        }
        let mut read = Vec::new();
        for certificate in &certificates {
            // One that does not read signs nothing.
            read.extend(Certificate::parse(&certificate.to_der()?));
        }
        let responder = match data.responder {
            ResponderIdDer::Name(name) => ResponderId::Name(
                DistinguishedName::from_der(&name.to_der()?).map_err(|_| OcspError::Kind)?,
            ),
            ResponderIdDer::Key(hash) => ResponderId::Key(hash.into_bytes().into_vec()),
        };
        let statuses = data.responses.into_iter().map(SingleStatus::read);
        Ok(Self {
            algorithm: SignatureAlgorithm::read(&basic.algorithm),
            signature: basic.signature.as_bytes().unwrap_or_default().to_vec(),
            responder,
            produced_at: read_time(data.produced_at)?,
            statuses: statuses.collect::<Result<_, _>>()?,
            nonce: read_nonce(data.extensions.as_deref().unwrap_or_default())?,
            certificates: read,
            tbs,
        })
    }

    /// Returns when it was made.
    pub fn produced_at(&self) -> Timestamp {
        self.produced_at
    }
}

impl SingleStatus {
    fn read(single: Single) -> Result<Self, OcspError> {
        read_nonce(single.extensions.as_deref().unwrap_or_default())?;
        Ok(Self {
            id: CertId::read(single.id)?,
            status: match single.status {
                CertStatusDer::Good(_) => CertStatus::Good,
                CertStatusDer::Unknown(_) => CertStatus::Unknown,
                CertStatusDer::Revoked(info) => CertStatus::Revoked {
                    since: read_time(info.since)?,
                    reason: info.reason.map(|reason| reason as u8),
                },
            },
            this_update: read_time(single.this_update)?,
            next_update: single.next_update.map(read_time).transpose()?,
        })
    }

    fn to_sequence(&self) -> Result<Single, OcspError> {
        let status = match self.status {
            CertStatus::Good => CertStatusDer::Good(Null),
            CertStatus::Unknown => CertStatusDer::Unknown(Null),
            CertStatus::Revoked { since, reason } => CertStatusDer::Revoked(RevokedInfo {
                since: write_time(since)?,
                reason: reason
                    .map(|code| Reason::try_from(code).map_err(|_| OcspError::Kind))
                    .transpose()?,
            }),
        };
        Ok(Single {
            id: self.id.to_sequence()?,
            status,
            this_update: write_time(self.this_update)?,
            next_update: self.next_update.map(write_time).transpose()?,
            extensions: None,
        })
    }
}

/// What a responder is about to sign.
#[derive(Clone, Debug)]
pub struct StatusReport {
    /// When it is made.
    pub produced_at: Timestamp,
    /// The statuses.
    pub statuses: Vec<SingleStatus>,
    /// The request's nonce.
    pub nonce: Option<Vec<u8>>,
    /// That certificates which were never issued are said to be revoked (*§4.4.8*).
    pub extended_revoke: bool,
}

impl StatusReport {
    /// Returns the part that the key of `responder` signs.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn to_be_signed(&self, responder: &Certificate) -> Result<Vec<u8>, OcspError> {
        let mut extensions = Vec::new();
        if let Some(nonce) = &self.nonce {
            extensions.push(nonce_extension(nonce)?);
        }
        if self.extended_revoke {
            extensions.push(Extension {
                extn_id: EXTENDED_REVOKE,
                critical: false,
                extn_value: OctetString::new(Null.to_der()?)?,
            });
        }
        let statuses = self.statuses.iter().map(SingleStatus::to_sequence);
        let data = ResponseData {
            version: None,
            responder: ResponderIdDer::Key(OctetString::new(key_hash(responder)?)?),
            produced_at: write_time(self.produced_at)?,
            responses: statuses.collect::<Result<_, _>>()?,
            extensions: (!extensions.is_empty()).then_some(extensions),
        };
        Ok(data.to_der()?)
    }

    /// Returns the response: what was signed, the signature by the key of `responder` and, so that
    /// it can be checked, the certificate.
    ///
    /// # Errors
    /// [`OcspError`].
    pub fn assemble(
        to_be_signed: &[u8],
        algorithm: SignatureAlgorithm,
        signature: &[u8],
        responder: &Certificate,
    ) -> Result<Vec<u8>, OcspError> {
        let algorithm = algorithm.to_der()?;
        let basic = Basic {
            tbs: AnyRef::from_der(to_be_signed)?,
            algorithm: AlgorithmIdentifierRef::from_der(&algorithm)?,
            signature: BitStringRef::from_bytes(signature)?,
            certificates: Some(vec![Any::from_der(responder.as_der())?]),
        };
        let outer = Outer {
            status: ResponseStatus::Successful,
            bytes: Some(ResponseBytes {
                kind: BASIC,
                response: OctetString::new(basic.to_der()?)?,
            }),
        };
        Ok(outer.to_der()?)
    }
}

/// Returns the response that refuses.
pub fn refusal(refusal: Refusal) -> Vec<u8> {
    // SEQUENCE { ENUMERATED }: there is nothing else in it.
    vec![0x30, 0x03, 0x0A, 0x01, refusal as u8]
}

/// Returns SHA-1 over the bits of a responder's key (*§4.2.1*, `KeyHash`).
pub(super) fn key_hash(responder: &Certificate) -> Result<Vec<u8>, OcspError> {
    let bits = responder.public_key().subject_public_key();
    Ok(Hash::Sha1.digest(&bits.map_err(|_| OcspError::Kind)?))
}
