//! Certification paths: from a certificate to an anchor (*RFC 5280 §6.1*, without policies and
//! name constraints; a certificate that demands them is refused).

use jiff::Timestamp;
use x509_cert::ext::pkix::KeyUsage;

use crate::certificate::Certificate;
use crate::name::DistinguishedName;
use crate::signature::SignatureError;

/// The longest path, leaf and anchor included.
pub const MAX_PATH: usize = 8;

/// The most issuers tried in one search: certificates that name one another as issuers would
/// otherwise make it long.
pub(crate) const MAX_TRIES: usize = 64;

/// Why a certificate is not trusted. Certificates are named by their serial numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No certificate of the issuer is at hand.
    #[error("no certificate of the issuer ({issuer}) is at hand for certificate {serial}")]
    IssuerUnknown {
        /// The certificate whose issuer is missing.
        serial: String,
        /// The issuer's name.
        issuer: DistinguishedName,
    },
    /// A certificate is not signed by the key that it names.
    #[error("the signature of certificate {serial} is not its issuer's")]
    Signature {
        /// The certificate.
        serial: String,
        /// Why.
        #[source]
        source: SignatureError,
    },
    /// A certificate does not hold yet.
    #[error("certificate {serial} holds from {from} only")]
    NotYetValid {
        /// The certificate.
        serial: String,
        /// The first second at which it holds.
        from: Timestamp,
    },
    /// A certificate does not hold any more.
    #[error("certificate {serial} expired at {at}")]
    Expired {
        /// The certificate.
        serial: String,
        /// The last second at which it held.
        at: Timestamp,
    },
    /// An issuer is not allowed to issue: `basicConstraints`.
    #[error("certificate {serial} is no CA certificate and issued another")]
    NotCa {
        /// The issuer's certificate.
        serial: String,
    },
    /// An issuer is not allowed to issue: `keyUsage`.
    #[error("certificate {serial} may not sign certificates and issued another")]
    MayNotSign {
        /// The issuer's certificate.
        serial: String,
    },
    /// More CA certificates stand below an issuer than it allows, or than are ever followed.
    #[error("too many certificates stand below certificate {serial}")]
    TooLong {
        /// The issuer's certificate.
        serial: String,
    },
    /// A certificate has a critical extension that is not understood here.
    #[error("certificate {serial} has the critical extension {oid}, which is not understood")]
    UnknownCritical {
        /// The certificate.
        serial: String,
        /// The extension's identifier.
        oid: spki::ObjectIdentifier,
    },
}

/// Verifies certificates against anchors.
#[derive(Clone, Copy, Debug)]
pub struct PathVerifier<'a> {
    /// The certificates that are trusted by themselves. They are checked like any other issuer,
    /// validity included; only their own signatures are not looked at.
    pub anchors: &'a [Certificate],
    /// Certificates that may stand between; trusted for nothing.
    pub intermediates: &'a [Certificate],
}

/// A verified path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    /// The certificates from the leaf to the anchor. An anchor that was asked about itself stands
    /// alone.
    pub certificates: Vec<&'a Certificate>,
}

impl<'a> PathVerifier<'a> {
    /// Verifies `leaf` as of `at`.
    ///
    /// # Errors
    /// [`PathError`]: of all issuers tried, what was wrong with the one that came furthest.
    pub fn verify(&self, leaf: &'a Certificate, at: Timestamp) -> Result<Path<'a>, PathError> {
        check_itself(leaf, at)?;
        let mut path = vec![leaf];
        if self.anchors.contains(leaf) {
            return Ok(Path { certificates: path });
        }
        let mut tries = 0;
        match self.climb(&mut path, at, &mut tries) {
            Ok(()) => Ok(Path { certificates: path }),
            Err(Fault { error, .. }) => Err(error),
        }
    }

    /// Extends the path from its last certificate to an anchor.
    fn climb(
        &self,
        path: &mut Vec<&'a Certificate>,
        at: Timestamp,
        tries: &mut usize,
    ) -> Result<(), Fault> {
        let Some(subject) = path.last().copied() else {
            return Ok(());
        };
        let mut worst = Fault {
            depth: path.len(),
            error: PathError::IssuerUnknown {
                serial: subject.serial_hex(),
                issuer: subject.issuer().clone(),
            },
            about_issuer: false,
        };
        let anchors = self.anchors.iter().map(|issuer| (issuer, true));
        let others = self.intermediates.iter().map(|issuer| (issuer, false));
        for (issuer, is_anchor) in anchors.chain(others) {
            if !may_be_issuer(issuer, subject) || path.contains(&issuer) {
                continue;
            }
            *tries += 1;
            let step = if *tries > MAX_TRIES || path.len() >= MAX_PATH {
                Err(PathError::TooLong {
                    serial: issuer.serial_hex(),
                })
            } else {
                check_issuer(issuer, path, at)
            };
            let fault = match step {
                Err(error) => Fault {
                    depth: path.len(),
                    error,
                    about_issuer: true,
                },
                Ok(()) => {
                    path.push(issuer);
                    if is_anchor {
                        return Ok(());
                    }
                    match self.climb(path, at, tries) {
                        Ok(()) => return Ok(()),
                        Err(fault) => {
                            path.pop();
                            fault
                        }
                    }
                }
            };
            if (fault.depth, fault.about_issuer) > (worst.depth, worst.about_issuer) {
                worst = fault;
            }
        }
        Err(worst)
    }
}

/// A fault and how far the path had come; faults of an issuer at hand say more than its absence.
struct Fault {
    depth: usize,
    about_issuer: bool,
    error: PathError,
}

/// Tells whether `issuer` claims to be the one that `subject` names: by name and, where both give
/// one, by key identifier.
fn may_be_issuer(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.subject() == subject.issuer() && key_identifiers_agree(issuer, subject)
}

/// Tells whether `subject` names the key of `issuer`, where both give its identifier (*RFC 5280
/// §4.2.1.1*).
pub(crate) fn key_identifiers_agree(issuer: &Certificate, subject: &Certificate) -> bool {
    let own = issuer.extensions().subject_key_identifier.as_ref();
    let named = subject.extensions().authority_key_identifier.as_ref();
    own.zip(named).is_none_or(|(own, named)| own == named)
}

/// Checks what a certificate must fulfil wherever it stands.
pub(crate) fn check_itself(certificate: &Certificate, at: Timestamp) -> Result<(), PathError> {
    let validity = certificate.validity();
    let serial = || certificate.serial_hex();
    if at < validity.not_before {
        return Err(PathError::NotYetValid {
            serial: serial(),
            from: validity.not_before,
        });
    }
    if !validity.contains(at) {
        return Err(PathError::Expired {
            serial: serial(),
            at: validity.not_after,
        });
    }
    match certificate.extensions().unknown_critical.first() {
        None => Ok(()),
        Some(oid) => Err(PathError::UnknownCritical {
            serial: serial(),
            oid: *oid,
        }),
    }
}

/// Checks whether a certificate may issue others at all.
pub(crate) fn check_may_issue(issuer: &Certificate) -> Result<(), PathError> {
    let extensions = issuer.extensions();
    if !extensions.ca {
        return Err(PathError::NotCa {
            serial: issuer.serial_hex(),
        });
    }
    let usage = extensions.key_usage.as_ref();
    if !usage.is_none_or(KeyUsage::key_cert_sign) {
        return Err(PathError::MayNotSign {
            serial: issuer.serial_hex(),
        });
    }
    Ok(())
}

/// Checks whether `issuer` signed `subject`.
pub(crate) fn check_signature(
    issuer: &Certificate,
    subject: &Certificate,
) -> Result<(), PathError> {
    subject
        .verify_signature(issuer.public_key())
        .map_err(|source| PathError::Signature {
            serial: subject.serial_hex(),
            source,
        })
}

/// Checks whether `issuer` issued the last certificate of `path`, and might.
fn check_issuer(
    issuer: &Certificate,
    path: &[&Certificate],
    at: Timestamp,
) -> Result<(), PathError> {
    check_may_issue(issuer)?;
    if let Some(most) = issuer.extensions().path_length {
        // The leaf does not count, nor do certificates in which a CA renews itself (§6.1.4 (l)).
        let below = path.iter().skip(1).filter(|c| !c.is_self_issued()).count();
        if below > usize::from(most) {
            return Err(PathError::TooLong {
                serial: issuer.serial_hex(),
            });
        }
    }
    check_itself(issuer, at)?;
    match path.last() {
        Some(subject) => check_signature(issuer, subject),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{PathError, PathVerifier};
    use crate::certificate::Certificate;
    use crate::testing::{Folder, issue, reissue};

    const ROOT: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
    const ISSUING: &str =
        "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n";
    const LEAF: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n";

    fn verify<'a>(
        leaf: &'a Certificate,
        anchors: &'a [Certificate],
        intermediates: &'a [Certificate],
        at: Timestamp,
    ) -> Result<usize, PathError> {
        let verifier = PathVerifier {
            anchors,
            intermediates,
        };
        let path = verifier.verify(leaf, at)?;
        Ok(path.certificates.len())
    }

    #[test]
    fn a_path_is_found_and_its_times_judged() {
        let folder = Folder::new();
        let root = [issue(&folder, "Root", None, "P-384", ROOT)];
        let issuing = [issue(&folder, "Issuing", Some("Root"), "P-384", ISSUING)];
        let leaf = issue(&folder, "Leaf", Some("Issuing"), "P-256", LEAF);
        let period = leaf.validity();
        let second = SignedDuration::from_secs(1);

        assert_eq!(verify(&leaf, &root, &issuing, period.not_before), Ok(3));
        assert_eq!(verify(&leaf, &issuing, &[], period.not_before), Ok(2));
        assert_eq!(verify(&root[0], &root, &[], period.not_before), Ok(1));
        assert_eq!(
            verify(&leaf, &root, &issuing, root[0].validity().not_after),
            Ok(3)
        );
        assert!(matches!(
            verify(&leaf, &root, &issuing, period.not_before - second),
            Err(PathError::NotYetValid { serial, .. }) if serial == leaf.serial_hex()
        ));
        assert!(matches!(
            verify(&leaf, &root, &issuing, period.not_after + second),
            Err(PathError::Expired { serial, .. }) if serial == leaf.serial_hex()
        ));
        assert!(matches!(
            verify(&leaf, &root, &[], period.not_before),
            Err(PathError::IssuerUnknown { serial, issuer })
                if serial == leaf.serial_hex() && issuer == *issuing[0].subject()
        ));
        assert!(matches!(
            verify(&leaf, &[], &issuing, period.not_before),
            Err(PathError::IssuerUnknown { serial, .. }) if serial == issuing[0].serial_hex()
        ));
    }

    #[test]
    fn another_ca_of_the_same_name_is_refused() {
        let (folder, other) = (Folder::new(), Folder::new());
        let root = issue(&folder, "Root", None, "P-384", ROOT);
        let twin = [issue(&other, "Root", None, "P-384", ROOT)];
        // Without key identifiers only the signature tells the two apart.
        let anonymous = format!("{LEAF}authorityKeyIdentifier=none\n");
        let leaf = issue(&folder, "Leaf", Some("Root"), "P-384", &anonymous);
        let at = leaf
            .validity()
            .not_before
            .max(twin[0].validity().not_before);
        let anchors = [twin[0].clone(), root];
        // Both are tried where both may be meant.
        assert_eq!(verify(&leaf, &anchors, &[], at), Ok(2));
        assert!(matches!(
            verify(&leaf, &twin, &[], at),
            Err(PathError::Signature { serial, .. }) if serial == leaf.serial_hex()
        ));
    }

    #[test]
    fn only_a_ca_issues() {
        let folder = Folder::new();
        let root = [issue(&folder, "Root", None, "P-384", ROOT)];
        let end = issue(&folder, "End", Some("Root"), "P-384", LEAF);
        let forged = issue(&folder, "Forged", Some("End"), "P-384", LEAF);
        let at = forged.validity().not_before;
        assert_eq!(
            verify(&forged, &root, std::slice::from_ref(&end), at),
            Err(PathError::NotCa {
                serial: end.serial_hex()
            })
        );
        let mute = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n";
        let mute = [issue(&folder, "Mute", Some("Root"), "P-384", mute)];
        let leaf = issue(&folder, "Leaf", Some("Mute"), "P-384", LEAF);
        assert_eq!(
            verify(&leaf, &root, &mute, leaf.validity().not_before),
            Err(PathError::MayNotSign {
                serial: mute[0].serial_hex()
            })
        );
    }

    #[test]
    fn path_length_and_unknown_critical_extensions_count() {
        let folder = Folder::new();
        let root = [issue(&folder, "Root", None, "P-384", ROOT)];
        let issuing = issue(&folder, "Issuing", Some("Root"), "P-384", ISSUING);
        let below = issue(&folder, "Below", Some("Issuing"), "P-384", ROOT);
        let leaf = issue(&folder, "Leaf", Some("Below"), "P-384", LEAF);
        let between = [issuing.clone(), below];
        assert_eq!(
            verify(&leaf, &root, &between, leaf.validity().not_before),
            Err(PathError::TooLong {
                serial: issuing.serial_hex()
            })
        );
        let odd = format!("{LEAF}1.2.3.4.5=critical,DER:0500\n");
        let odd = issue(&folder, "Odd", Some("Root"), "P-384", &odd);
        assert!(matches!(
            verify(&odd, &root, &[], odd.validity().not_before),
            Err(PathError::UnknownCritical { oid, .. }) if oid.to_string() == "1.2.3.4.5"
        ));
    }

    #[test]
    fn a_ring_of_issuers_ends() {
        let folder = Folder::new();
        let first = issue(&folder, "A", None, "P-256", ROOT);
        issue(&folder, "B", Some("A"), "P-256", ROOT);
        // A again, now issued by B: a ring with no anchor.
        let ring = [
            reissue(&folder, "A", "A.key", Some("B"), ROOT),
            Certificate::parse(&folder.read("B.der")).unwrap(),
            first.clone(),
        ];
        let leaf = issue(&folder, "Leaf", Some("A"), "P-256", LEAF);
        let at = leaf.validity().not_before;
        assert!(verify(&leaf, &[], &ring, at).is_err());
        assert_eq!(verify(&leaf, &[first], &ring, at), Ok(2));
    }
}
