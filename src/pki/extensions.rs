//! The extensions of the certificates issued here (*RFC 5280 §4.2*).

use cert::QualifierKind;
use cert::ocsp::OCSP_NO_CHECK;
use const_oid::AssociatedOid;
use der::Encode;
use der::asn1::{Any, Ia5String, Null, OctetString};
use sha2::{Digest, Sha256};
use spki::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::certpolicy::{
    DisplayText, PolicyInformation, PolicyQualifierInfo, UserNotice,
};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, SubjectKeyIdentifier,
};

use crate::profile::{CertificateProfile, ProfileKind, Publication};

const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
const PRACTICE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");
const NOTICE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2");

/// Returns the key identifier of a public key: the first 20 bytes of SHA-256 over the key's bits,
/// the content of `subjectPublicKey` (*RFC 7093 §2*, method 1).
pub(crate) fn key_identifier(bits: &[u8]) -> [u8; 20] {
    let mut identifier = [0; 20];
    identifier
        .iter_mut()
        .zip(Sha256::digest(bits))
        .for_each(|(to, from)| *to = from);
    identifier
}

/// Returns a holder's extensions, or a self-signed CA's.
pub(crate) fn extensions(
    profile: &CertificateProfile,
    subject_key: &[u8; 20],
    issuer_key: &[u8],
    publication: &Publication,
) -> der::Result<Vec<Extension>> {
    let is_ca = profile.kind() == ProfileKind::Ca;
    let constraints = BasicConstraints {
        ca: is_ca,
        path_len_constraint: profile.path_length(),
    };
    let mut list = vec![
        extension(&constraints, true)?,
        extension(&profile.key_usage(), true)?,
    ];
    let purposes = profile.purposes();
    if !purposes.is_empty() {
        // FIPS 201-3 §4.2.2.2: who relies on a card's own certificate must know that it is no
        // person's.
        let is_critical = purposes.contains(&cert::CARD_AUTHENTICATION);
        list.push(extension(&ExtendedKeyUsage(purposes), is_critical)?);
    }
    let policies: Vec<_> = profile
        .policy_identifiers()
        .into_iter()
        .map(|policy| policy_information(profile, policy))
        .collect::<der::Result<_>>()?;
    if !policies.is_empty() {
        list.push(extension(&CertificatePolicies(policies), false)?);
    }
    let identifier = SubjectKeyIdentifier(OctetString::new(&subject_key[..])?);
    list.push(extension(&identifier, false)?);
    list.push(authority_key_identifier(issuer_key)?);
    match profile.kind() {
        ProfileKind::Ca => {}
        ProfileKind::Leaf => {
            list.extend(crl_distribution_points(publication)?);
            list.extend(authority_information_access(publication)?);
        }
        // Whoever asks a responder cannot ask for the responder's own status.
        ProfileKind::Responder => list.push(Extension {
            extn_id: OCSP_NO_CHECK,
            critical: false,
            extn_value: OctetString::new(Null.to_der()?)?,
        }),
    }
    Ok(list)
}

/// Returns a policy with what the profile says beside it (*§4.2.1.4*).
fn policy_information(
    profile: &CertificateProfile,
    policy_identifier: ObjectIdentifier,
) -> der::Result<PolicyInformation> {
    let said = profile.policy_qualifiers().into_iter();
    let qualifiers = said
        .filter(|said| said.policy == policy_identifier)
        .map(|said| {
            let (policy_qualifier_id, qualifier) = match said.kind {
                QualifierKind::Practice(url) => {
                    (PRACTICE, Any::encode_from(&Ia5String::new(&url)?)?)
                }
                QualifierKind::Notice(text) => {
                    let notice = UserNotice {
                        notice_ref: None,
                        explicit_text: Some(DisplayText::Utf8String(text)),
                    };
                    (NOTICE, Any::encode_from(&notice)?)
                }
            };
            Ok(PolicyQualifierInfo {
                policy_qualifier_id,
                qualifier: Some(qualifier),
            })
        })
        .collect::<der::Result<Vec<_>>>()?;
    Ok(PolicyInformation {
        policy_identifier,
        policy_qualifiers: (!qualifiers.is_empty()).then_some(qualifiers),
    })
}

/// Returns `authorityKeyIdentifier`, of certificates and of CRLs.
pub(crate) fn authority_key_identifier(issuer_key: &[u8]) -> der::Result<Extension> {
    let identifier = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer_key)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension(&identifier, false)
}

fn crl_distribution_points(publication: &Publication) -> der::Result<Option<Extension>> {
    let names = publication
        .crl()
        .map(url)
        .collect::<der::Result<Vec<_>>>()?;
    if names.is_empty() {
        return Ok(None);
    }
    // Several addresses of the same list are several names of one point (§4.2.1.13).
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(names)),
        reasons: None,
        crl_issuer: None,
    };
    extension(&CrlDistributionPoints(vec![point]), false).map(Some)
}

fn authority_information_access(publication: &Publication) -> der::Result<Option<Extension>> {
    let mut descriptions = Vec::new();
    for (access_method, addresses) in [
        (OCSP, publication.ocsp().collect::<Vec<_>>()),
        (CA_ISSUERS, publication.issuer().collect()),
    ] {
        for address in addresses {
            descriptions.push(AccessDescription {
                access_method,
                access_location: url(address)?,
            });
        }
    }
    if descriptions.is_empty() {
        return Ok(None);
    }
    extension(&AuthorityInfoAccessSyntax(descriptions), false).map(Some)
}

fn url(address: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(
        address,
    )?))
}

/// Returns a value as an extension.
pub(crate) fn extension<T: AssociatedOid + Encode>(
    value: &T,
    critical: bool,
) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: T::OID,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}
