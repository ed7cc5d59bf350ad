//! Certificate requests inside CMP messages (CRMF, *RFC 4211*; IMPLICIT TAGS).

use cert::DistinguishedName;
use der::asn1::{Any, BitString, Int, Null};
use der::{Choice, Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::ext::Extension;
use x509_cert::time::Time;

use crate::cmp::header::InfoTypeAndValue;

/// `id-regCtrl-oldCertID` (*§6.5*): the certificate that a key update replaces.
pub(crate) const OLD_CERT_ID: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.5.1.5");

/// `CertReqMsg` (*§3*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertReqMsg {
    pub(crate) cert_req: CertRequest,
    #[asn1(optional = "true")]
    pub(crate) popo: Option<ProofOfPossession>,
    #[asn1(optional = "true")]
    pub(crate) reg_info: Option<Vec<InfoTypeAndValue>>,
}

/// `CertRequest` (*§5*). A proof of possession by signature is over this, in DER (*§4.1*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertRequest {
    pub(crate) cert_req_id: i32,
    pub(crate) cert_template: CertTemplate,
    #[asn1(optional = "true")]
    pub(crate) controls: Option<Vec<InfoTypeAndValue>>,
}

/// `CertTemplate` (*§5*): what of a certificate the requester says. Names are a CHOICE, and so
/// tagged explicitly.
#[derive(Clone, Default, PartialEq, Eq, Sequence)]
pub(crate) struct CertTemplate {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) version: Option<u8>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) serial_number: Option<Int>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) signing_alg: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) issuer: Option<Any>,
    #[asn1(context_specific = "4", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) validity: Option<OptionalValidity>,
    #[asn1(context_specific = "5", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) subject: Option<Any>,
    #[asn1(context_specific = "6", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) public_key: Option<SubjectPublicKeyInfoOwned>,
    #[asn1(context_specific = "7", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) issuer_uid: Option<BitString>,
    #[asn1(context_specific = "8", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) subject_uid: Option<BitString>,
    #[asn1(context_specific = "9", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) extensions: Option<Vec<Extension>>,
}

/// `OptionalValidity` (*§5*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct OptionalValidity {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) not_before: Option<Time>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) not_after: Option<Time>,
}

/// `ProofOfPossession` (*§4*). What a key that cannot sign would prove is read, and not accepted.
#[derive(Clone, PartialEq, Eq, Choice)]
pub(crate) enum ProofOfPossession {
    /// The registration authority verified it.
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    RaVerified(Null),
    /// The key signed.
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Signature(Box<PopoSigningKey>),
    /// The key decrypts.
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    KeyEncipherment(Any),
    /// The key agrees.
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", constructed = "true")]
    KeyAgreement(Any),
}

/// `POPOSigningKey` (*§4.1*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PopoSigningKey {
    /// Only where the template lacks subject or key, which is never accepted here.
    #[asn1(
        context_specific = "0",
        tag_mode = "IMPLICIT",
        optional = "true",
        constructed = "true"
    )]
    pub(crate) input: Option<PopoSigningKeyInput>,
    pub(crate) algorithm: AlgorithmIdentifierOwned,
    pub(crate) signature: BitString,
}

/// `POPOSigningKeyInput` (*§4.1*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PopoSigningKeyInput {
    pub(crate) auth_info: Any,
    pub(crate) public_key: SubjectPublicKeyInfoOwned,
}

/// `CertId` (*§6.5*).
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct CertId {
    pub(crate) issuer: Any,
    pub(crate) serial_number: Int,
}

impl CertTemplate {
    /// Returns the subject, if there is one that reads.
    pub(crate) fn subject_name(&self) -> Option<DistinguishedName> {
        self.subject.as_ref().and_then(name)
    }

    /// Returns the issuer, if there is one that reads.
    pub(crate) fn issuer_name(&self) -> Option<DistinguishedName> {
        self.issuer.as_ref().and_then(name)
    }
}

fn name(any: &Any) -> Option<DistinguishedName> {
    DistinguishedName::from_der(&any.to_der().ok()?).ok()
}

/// Returns a name as a field of a template has it.
pub(crate) fn name_field(name: &DistinguishedName) -> der::Result<Any> {
    Any::from_der(name.as_der())
}

/// Returns the magnitude of a serial number: no leading zero byte, as registers have it; nothing
/// where it is none (*RFC 5280 §4.1.2.2*).
pub(crate) fn serial(number: &Int) -> Option<&[u8]> {
    let magnitude = match number.as_bytes() {
        [0, rest @ ..] => rest,
        [first, ..] if *first >= 0x80 => return None,
        bytes => bytes,
    };
    (1..=20).contains(&magnitude.len()).then_some(magnitude)
}
