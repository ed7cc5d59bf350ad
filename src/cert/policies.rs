//! Certificate policies and their qualifiers (*RFC 5280 §4.2.1.4*).

use der::asn1::{Any, Ia5StringRef, ObjectIdentifier};
use der::{Decode, Tag, Tagged};
use x509_cert::ext::pkix::CertificatePolicies;

const PRACTICE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");
const NOTICE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2");

/// What a certificate says beside a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyQualifier {
    /// The policy.
    pub policy: ObjectIdentifier,
    /// What is said.
    pub kind: QualifierKind,
}

/// A kind of qualifier; those of other kinds are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QualifierKind {
    /// The address of the certification practice statement.
    Practice(String),
    /// The text that is shown to whoever relies on the certificate.
    Notice(String),
}

impl PolicyQualifier {
    pub(crate) fn read(policies: &CertificatePolicies) -> der::Result<Vec<Self>> {
        let mut read = Vec::new();
        for policy in &policies.0 {
            for said in policy.policy_qualifiers.iter().flatten() {
                let kind = match (said.policy_qualifier_id, &said.qualifier) {
                    (PRACTICE, Some(address)) => {
                        let address = address.decode_as::<Ia5StringRef<'_>>()?;
                        Some(QualifierKind::Practice(address.as_str().to_owned()))
                    }
                    (NOTICE, Some(notice)) => explicit_text(notice)?.map(QualifierKind::Notice),
                    _ => None,
                };
                read.extend(kind.map(|kind| Self {
                    policy: policy.policy_identifier,
                    kind,
                }));
            }
        }
        Ok(read)
    }
}

/// Returns the `explicitText` of a `UserNotice`, where it is of a string type that is read here.
fn explicit_text(notice: &Any) -> der::Result<Option<String>> {
    // A reference to a notice, which may stand before it, is a SEQUENCE.
    let parts: Vec<Any> = notice.decode_as()?;
    let text = parts.iter().find_map(|part| match part.tag() {
        Tag::Utf8String | Tag::Ia5String | Tag::VisibleString => {
            std::str::from_utf8(part.value()).ok()
        }
        _ => None,
    });
    Ok(text.map(str::to_owned))
}

/// Reads policies out of the value of their extension.
pub(crate) fn read(der: &[u8]) -> der::Result<(Vec<ObjectIdentifier>, Vec<PolicyQualifier>)> {
    let policies = CertificatePolicies::from_der(der)?;
    let identifiers = policies.0.iter().map(|policy| policy.policy_identifier);
    Ok((identifiers.collect(), PolicyQualifier::read(&policies)?))
}

#[cfg(test)]
mod tests {
    use super::{PolicyQualifier, QualifierKind};
    use crate::testing::{Folder, issue};

    #[test]
    fn openssl_s_qualifiers_are_read() {
        let folder = Folder::new();
        let extensions = "certificatePolicies=1.2.3.4,@own\n\
            [own]\npolicyIdentifier=1.3.6.1.4.1.32473.1\nCPS.1=https://a.example/cps\n\
            userNotice.1=@notice\n[notice]\nexplicitText=UTF8:Tikai paraugs\n\
            organization=Example\nnoticeNumbers=1\n";
        let certificate = issue(&folder, "Root", None, "P-256", extensions);
        let policy = "1.3.6.1.4.1.32473.1".parse().unwrap();
        let said = |kind| PolicyQualifier { policy, kind };
        assert_eq!(
            certificate.extensions().policy_qualifiers,
            [
                said(QualifierKind::Practice("https://a.example/cps".to_owned())),
                said(QualifierKind::Notice("Tikai paraugs".to_owned())),
            ]
        );
        assert_eq!(certificate.extensions().policies.len(), 2);
    }
}
