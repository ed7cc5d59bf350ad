//! `PKIBody` (*RFC 9810 §5.1.2, §5.3*; EXPLICIT TAGS).

use der::asn1::{Any, BitString, Null, OctetString};
use der::{Choice, Encode, Sequence, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;

use crate::cmp::crmf::{CertId, CertReqMsg, CertTemplate};
use crate::cmp::header::InfoTypeAndValue;
use crate::cmp::status::PkiStatusInfo;

/// What is asked for with a certificate template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enrolment {
    /// `ir`, `ip`: the first of a requester.
    Initialization,
    /// `cr`, `cp`: a further one.
    Certification,
    /// `kur`, `kup`: in the place of another.
    KeyUpdate,
}

impl Enrolment {
    fn request_number(self) -> u32 {
        match self {
            Self::Initialization => 0,
            Self::Certification => 2,
            Self::KeyUpdate => 7,
        }
    }

    fn from_request_number(number: u32) -> Option<Self> {
        [Self::Initialization, Self::Certification, Self::KeyUpdate]
            .into_iter()
            .find(|kind| kind.request_number() == number)
    }
}

/// The body of a message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// `ir`, `cr`, `kur`.
    Request(Enrolment, Vec<CertReqMsg>),
    /// `ip`, `cp`, `kup`.
    Response(Enrolment, CertRepMessage),
    /// `p10cr`: a PKCS#10 request.
    Pkcs10(Any),
    /// `rr`.
    Revocation(Vec<RevDetails>),
    /// `rp`.
    RevocationResponse(RevRepContent),
    /// `pkiconf`.
    Confirmation,
    /// `genm`.
    General(Vec<InfoTypeAndValue>),
    /// `genp`.
    GeneralResponse(Vec<InfoTypeAndValue>),
    /// `error`.
    Error(ErrorMsgContent),
    /// `certConf`.
    CertificateConfirmation(Vec<CertStatus>),
    /// `pollReq`.
    PollRequest(Vec<PollReqEntry>),
    /// `pollRep`.
    PollResponse(Vec<PollRepEntry>),
    /// Any other of the standard's, which is not looked into.
    Other {
        /// Its tag.
        number: u32,
        /// Its content.
        content: Any,
    },
}

/// `CertRepMessage` (*§5.3.4*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertRepMessage {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) ca_pubs: Option<Vec<Any>>,
    pub(crate) response: Vec<CertResponse>,
}

/// `CertResponse`.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertResponse {
    pub(crate) cert_req_id: i32,
    pub(crate) status: PkiStatusInfo,
    #[asn1(optional = "true")]
    pub(crate) certified_key_pair: Option<CertifiedKeyPair>,
    #[asn1(optional = "true")]
    pub(crate) rsp_info: Option<OctetString>,
}

/// `CertifiedKeyPair`.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertifiedKeyPair {
    pub(crate) cert_or_enc_cert: CertOrEncCert,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) private_key: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) publication_info: Option<Any>,
}

/// `CertOrEncCert`. A certificate that is encrypted to its key proves possession by being
/// decrypted; keys here sign, and so never get one.
#[derive(Clone, PartialEq, Eq, Choice)]
pub(crate) enum CertOrEncCert {
    /// A certificate.
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", constructed = "true")]
    Certificate(Any),
    /// An encrypted one.
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", constructed = "true")]
    Encrypted(Any),
}

/// `RevDetails` (*§5.3.9*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct RevDetails {
    pub(crate) cert_details: CertTemplate,
    #[asn1(optional = "true")]
    pub(crate) crl_entry_details: Option<Vec<Extension>>,
}

/// `RevRepContent` (*§5.3.10*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct RevRepContent {
    pub(crate) status: Vec<PkiStatusInfo>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) rev_certs: Option<Vec<CertId>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) crls: Option<Vec<Any>>,
}

/// `CertStatus` (*§5.3.18*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertStatus {
    pub(crate) cert_hash: OctetString,
    pub(crate) cert_req_id: i32,
    #[asn1(optional = "true")]
    pub(crate) status_info: Option<PkiStatusInfo>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) hash_alg: Option<AlgorithmIdentifierOwned>,
}

/// An entry of `PollReqContent` (*§5.3.22*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PollReqEntry {
    pub(crate) cert_req_id: i32,
}

/// An entry of `PollRepContent`.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PollRepEntry {
    pub(crate) cert_req_id: i32,
    /// In seconds.
    pub(crate) check_after: u32,
    #[asn1(optional = "true")]
    pub(crate) reason: Option<Vec<String>>,
}

/// `ErrorMsgContent` (*§5.3.21*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct ErrorMsgContent {
    pub(crate) status: PkiStatusInfo,
    #[asn1(optional = "true")]
    pub(crate) error_code: Option<i64>,
    #[asn1(optional = "true")]
    pub(crate) error_details: Option<Vec<String>>,
}

/// `PBMParameter` (*§5.1.3.1*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PbmParameter {
    pub(crate) salt: OctetString,
    pub(crate) owf: AlgorithmIdentifierOwned,
    pub(crate) iteration_count: u32,
    pub(crate) mac: AlgorithmIdentifierOwned,
}

/// The bit string of a protection may not have unused bits: signatures and MACs are whole bytes.
pub(crate) fn whole_bytes(bits: &BitString) -> Option<&[u8]> {
    bits.as_bytes()
}

/// The largest tag of a body that the standard has.
const LAST: u32 = 26;

impl Body {
    /// Reads a body.
    pub(crate) fn from_any(any: &Any) -> der::Result<Self> {
        let unexpected = || der::Error::from(any.tag().value_error());
        let Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(number),
        } = any.tag()
        else {
            return Err(unexpected());
        };
        Ok(match number {
            0 | 2 | 7 => {
                let kind = Enrolment::from_request_number(number).ok_or_else(unexpected)?;
                Self::Request(kind, content(any)?)
            }
            1 | 3 | 8 => {
                let kind = Enrolment::from_request_number(number - 1).ok_or_else(unexpected)?;
                Self::Response(kind, content(any)?)
            }
            4 => Self::Pkcs10(content(any)?),
            11 => Self::Revocation(content(any)?),
            12 => Self::RevocationResponse(content(any)?),
            19 => {
                let Null = content(any)?;
                Self::Confirmation
            }
            21 => Self::General(content(any)?),
            22 => Self::GeneralResponse(content(any)?),
            23 => Self::Error(content(any)?),
            24 => Self::CertificateConfirmation(content(any)?),
            25 => Self::PollRequest(content(any)?),
            26 => Self::PollResponse(content(any)?),
            number if number <= LAST => Self::Other {
                number,
                content: content(any)?,
            },
            _ => return Err(unexpected()),
        })
    }

    /// Returns the body as it stands in a message.
    pub(crate) fn to_any(&self) -> der::Result<Any> {
        let (number, content) = match self {
            Self::Request(kind, messages) => (kind.request_number(), messages.to_der()),
            Self::Response(kind, content) => (kind.request_number() + 1, content.to_der()),
            Self::Pkcs10(request) => (4, request.to_der()),
            Self::Revocation(details) => (11, details.to_der()),
            Self::RevocationResponse(content) => (12, content.to_der()),
            Self::Confirmation => (19, Null.to_der()),
            Self::General(infos) => (21, infos.to_der()),
            Self::GeneralResponse(infos) => (22, infos.to_der()),
            Self::Error(content) => (23, content.to_der()),
            Self::CertificateConfirmation(all) => (24, all.to_der()),
            Self::PollRequest(all) => (25, all.to_der()),
            Self::PollResponse(all) => (26, all.to_der()),
            Self::Other { number, content } => (*number, content.to_der()),
        };
        let tag = TagNumber(number).context_specific(true);
        Any::new(tag, content?)
    }

    /// Returns the body's name in the standard.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Request(Enrolment::Initialization, _) => "ir",
            Self::Request(Enrolment::Certification, _) => "cr",
            Self::Request(Enrolment::KeyUpdate, _) => "kur",
            Self::Response(Enrolment::Initialization, _) => "ip",
            Self::Response(Enrolment::Certification, _) => "cp",
            Self::Response(Enrolment::KeyUpdate, _) => "kup",
            Self::Pkcs10(_) => "p10cr",
            Self::Revocation(_) => "rr",
            Self::RevocationResponse(_) => "rp",
            Self::Confirmation => "pkiconf",
            Self::General(_) => "genm",
            Self::GeneralResponse(_) => "genp",
            Self::Error(_) => "error",
            Self::CertificateConfirmation(_) => "certConf",
            Self::PollRequest(_) => "pollReq",
            Self::PollResponse(_) => "pollRep",
            Self::Other { .. } => "of a kind that is not spoken here",
        }
    }
}

/// Reads what stands under a body's tag, all of it.
fn content<T: for<'a> der::Decode<'a, Error = der::Error>>(body: &Any) -> der::Result<T> {
    T::from_der(body.value())
}
