//! Orders as requests.

use cert::request::Request;
use der::Decode;
use der::asn1::{Any, Null};
use spki::SubjectPublicKeyInfoOwned;

use super::conversation::encoding;
use crate::authority::{AuthorityError, CertificateOrder};
use crate::cmp::body::{Body, Enrolment};
use crate::cmp::crmf::{
    CertReqMsg, CertRequest, CertTemplate, OptionalValidity, ProofOfPossession, name_field,
};
use crate::cmp::header::InfoTypeAndValue;
use crate::to_be_signed::asn1_time;

/// The number of the one request in a message (*RFC 9483 §4.1.1*).
pub(super) const CERT_REQ_ID: i32 = 0;

/// Returns a request by template: name, key and end are ours, everything else is the authority's.
pub(super) fn templated(
    order: &CertificateOrder,
    kind: Enrolment,
    controls: Option<Vec<InfoTypeAndValue>>,
) -> der::Result<Body> {
    let spki = order
        .public_key
        .to_spki_der()
        .map_err(|_| der::Error::from(der::Tag::Sequence.value_error()))?;
    let template = CertTemplate {
        subject: Some(name_field(&order.subject)?),
        public_key: Some(SubjectPublicKeyInfoOwned::from_der(&spki)?),
        validity: asn1_time(order.not_after).map(|not_after| OptionalValidity {
            not_before: None,
            not_after: Some(not_after),
        }),
        ..CertTemplate::default()
    };
    let message = CertReqMsg {
        cert_req: CertRequest {
            cert_req_id: CERT_REQ_ID,
            cert_template: template,
            controls,
        },
        // The chip proved it to the registration authority (RFC 9483 §5.2.3.2).
        popo: Some(ProofOfPossession::RaVerified(Null)),
        reg_info: None,
    };
    Ok(Body::Request(kind, vec![message]))
}

/// Returns the chip's own request; it must ask for what is ordered, since the authority takes the
/// name from it.
pub(super) fn pkcs10(order: &CertificateOrder) -> Result<Body, AuthorityError> {
    let refuse = |reason: &str| AuthorityError::Refused {
        reason: reason.to_owned(),
    };
    let der = order.request.as_ref();
    let der = der.ok_or_else(|| refuse("p10cr needs the chip's own PKCS#10 request"))?;
    let request = Request::parse_and_verify(der)
        .map_err(|error| refuse(&format!("the chip's request does not serve: {error}")))?;
    if *request.public_key() != order.public_key {
        return Err(refuse(
            "the chip's request is for another key than is ordered",
        ));
    }
    if *request.subject() != order.subject {
        return Err(refuse(
            "the chip's request names another subject than is ordered",
        ));
    }
    Ok(Body::Pkcs10(Any::from_der(der).map_err(encoding)?))
}
