//! Whom the inspector trusts: country signing certificates, and the lists that revoke.

use cert::cms::{CmsVerifyError, SignedData, SignedDataError};
use cert::{
    Certificate, CertificateError, CountryQuestion, CountryRole, CountryVerifier, CrlError,
    CrlVerifyError, MasterList, MasterListError, RevocationList, UnverifiedCrl,
};
use jiff::Timestamp;
use thiserror::Error;

use super::check::reason;

/// The most certificates that are trusted together: several lists of all states.
const MAX_CERTIFICATES: usize = 16_384;
/// The most revocation lists; there are some two hundred states.
const MAX_LISTS: usize = 1024;

/// What the inspector believes. Who adds something here vouches for it.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    anchors: Vec<Certificate>,
    /// Those of the anchors that came alone, not in a list.
    alone: Vec<Certificate>,
    links: Vec<Certificate>,
    signers: Vec<Certificate>,
    crls: Vec<UnverifiedCrl>,
    lists: Vec<SignedList>,
}

/// Why a file is not trusted, or not understood.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It is none of what may be trusted.
    #[error("neither a certificate nor a revocation list nor a master list in DER")]
    Kind(#[source] CertificateError),
    /// It is a signed message, and does not read.
    #[error("the signed message does not read")]
    Message(#[source] SignedDataError),
    /// The signed message is no master list.
    #[error(transparent)]
    MasterList(#[from] MasterListError),
    /// The master list's signature does not verify.
    #[error("the master list's signature does not verify, and nothing of it is used")]
    Signature(#[source] CmsVerifyError),
    /// It looks like a revocation list, and does not read.
    #[error("the revocation list does not read")]
    RevocationList(#[source] CrlError),
    /// There is more than anybody needs.
    #[error("more than {MAX_CERTIFICATES} certificates or {MAX_LISTS} revocation lists")]
    TooMany,
}

impl TrustError {
    /// Says whether the file was altered by somebody.
    #[must_use]
    pub fn is_alteration(&self) -> bool {
        let Self::Signature(error) = self else {
            return false;
        };
        !matches!(
            error,
            CmsVerifyError::CertificateMissing { .. }
                | CmsVerifyError::UnknownDigest { .. }
                | CmsVerifyError::Sha1
        )
    }
}

/// What a file added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// What it is.
    pub kind: Kind,
    /// How many certificates came of it.
    pub certificates: usize,
    /// How many more of a master list do not read.
    pub unread: usize,
}

/// What may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A self-signed certificate of a country signing CA.
    Anchor,
    /// A certificate of such a CA by another or by its own key before; trusted for nothing.
    Link,
    /// A signer's own certificate.
    Signer,
    /// A revocation list.
    RevocationList,
    /// A master list.
    MasterList,
}

/// A master list, its signature verified; whom the signer is, is judged with all that is trusted.
#[derive(Clone, Debug)]
struct SignedList {
    signer: Certificate,
    signed_at: Option<Timestamp>,
}

/// Who signed a master list, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListJudgement {
    /// Whether the signer's certificate leads to a country signing certificate that did not come
    /// in a list.
    pub is_vouched_for: bool,
    /// What was found, for a person.
    pub reason: String,
}

impl Trust {
    /// Adds what a file in DER holds: a certificate, a revocation list, or a master list, whose
    /// signature must be its signer's.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn add(&mut self, der: &[u8]) -> Result<Added, TrustError> {
        if self.anchors.len() + self.links.len() + self.signers.len() >= MAX_CERTIFICATES
            || self.crls.len() >= MAX_LISTS
        {
            return Err(TrustError::TooMany);
        }
        let error = match Certificate::parse_of_state(der) {
            Ok(certificate) => {
                let kind = self.add_certificate(certificate.clone());
                if kind == Kind::Anchor {
                    self.alone.push(certificate);
                }
                return Ok(Added {
                    kind,
                    certificates: 1,
                    unread: 0,
                });
            }
            Err(error) => error,
        };
        match SignedData::parse(der) {
            Ok(message) => return self.add_master_list(&message),
            // Another structure than a signed message.
            Err(SignedDataError::Syntax(_) | SignedDataError::Kind) => {}
            Err(error) => return Err(TrustError::Message(error)),
        }
        match UnverifiedCrl::parse(der.to_vec()) {
            Ok(crl) => {
                self.crls.push(crl);
                Ok(Added {
                    kind: Kind::RevocationList,
                    certificates: 0,
                    unread: 0,
                })
            }
            Err(CrlError::Syntax(_)) => Err(TrustError::Kind(error)),
            Err(error) => Err(TrustError::RevocationList(error)),
        }
    }

    /// Adds a certificate and says what it counts as.
    fn add_certificate(&mut self, certificate: Certificate) -> Kind {
        let extensions = certificate.extensions();
        let keys = extensions
            .authority_key_identifier
            .as_ref()
            .zip(extensions.subject_key_identifier.as_ref());
        let is_own = keys.is_none_or(|(authority, own)| authority == own);
        let (kind, all) = if !extensions.ca {
            (Kind::Signer, &mut self.signers)
        } else if is_own && certificate.subject().is_same_as(certificate.issuer()) {
            (Kind::Anchor, &mut self.anchors)
        } else {
            (Kind::Link, &mut self.links)
        };
        if !all.contains(&certificate) {
            all.push(certificate);
        }
        kind
    }

    fn add_master_list(&mut self, message: &SignedData) -> Result<Added, TrustError> {
        let list = MasterList::of(message)?;
        let signers = message.verify(&[]).map_err(TrustError::Signature)?;
        for certificate in list.certificates() {
            if self.anchors.len() + self.links.len() >= MAX_CERTIFICATES {
                return Err(TrustError::TooMany);
            }
            self.add_certificate(certificate.clone());
        }
        if let Some(signer) = signers.first() {
            self.lists.push(SignedList {
                signer: signer.certificate.clone(),
                signed_at: signer.info.signing_time(),
            });
        }
        Ok(Added {
            kind: Kind::MasterList,
            certificates: list.certificates().len(),
            unread: list.unread().len(),
        })
    }

    /// Judges the signers of the master lists as of a time, in the order in which these were
    /// added.
    #[must_use]
    pub fn judge_lists(&self, at: Timestamp) -> Vec<ListJudgement> {
        self.lists
            .iter()
            .map(|list| self.judge_list(list, at))
            .collect()
    }

    fn judge_list(&self, list: &SignedList, at: Timestamp) -> ListJudgement {
        let verify = |anchors: &[Certificate]| {
            let verifier = CountryVerifier {
                anchors,
                links: &self.links,
                lists: &[],
            };
            let question = CountryQuestion {
                role: CountryRole::MasterListSigner,
                at,
                signed_at: list.signed_at,
                document_type: None,
            };
            verifier.verify(&list.signer, &question).map(drop)
        };
        let signer = list.signer.subject();
        if verify(&self.alone).is_ok() {
            return ListJudgement {
                is_vouched_for: true,
                reason: format!(
                    "signed by {signer}, under a certificate that is trusted beside it"
                ),
            };
        }
        let told = match verify(&self.anchors) {
            Ok(()) => format!(
                "signed by {signer}, under a certificate on the list itself: whoever gave the list vouches for it"
            ),
            Err(error) => format!(
                "signed by {signer}, for whom no certificate vouches ({}): whoever gave the list does",
                reason(&error)
            ),
        };
        ListJudgement {
            is_vouched_for: false,
            reason: told,
        }
    }

    /// Returns the country signing certificates that are trusted by themselves.
    #[must_use]
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// Returns the links, trusted for nothing.
    #[must_use]
    pub fn links(&self) -> &[Certificate] {
        &self.links
    }

    /// Returns the signers' certificates that were given by themselves.
    #[must_use]
    pub fn signers(&self) -> &[Certificate] {
        &self.signers
    }

    /// Returns the revocation lists that hold, with those that are outdated or of later, and what
    /// is wrong with the others.
    pub(super) fn revocation(&self, at: Timestamp) -> Revocations {
        let mut found = Revocations::default();
        for crl in &self.crls {
            let mut fault = None;
            for issuer in &self.anchors {
                match crl.clone().verify(issuer, at) {
                    Ok(list) => {
                        found.current.push(list);
                        fault = None;
                        break;
                    }
                    // Whom an old list revokes is revoked; its silence means nothing.
                    Err(CrlVerifyError::Outdated { next_update }) => {
                        found
                            .outdated
                            .extend(crl.clone().verify(issuer, next_update));
                        fault = None;
                        break;
                    }
                    // A later list knows more than one of then.
                    Err(CrlVerifyError::NotYet { this_update }) => {
                        found
                            .current
                            .extend(crl.clone().verify(issuer, this_update));
                        fault = None;
                        break;
                    }
                    Err(CrlVerifyError::Issuer) => {
                        fault.get_or_insert_with(|| {
                            "a revocation list is of an authority that is not trusted".to_owned()
                        });
                    }
                    Err(error) => fault = Some(reason(&error)),
                }
            }
            if self.anchors.is_empty() {
                fault = Some("a revocation list is of an authority that is not trusted".to_owned());
            }
            found.faults.extend(fault);
        }
        found
    }
}

/// The revocation lists, judged.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    pub(super) current: Vec<RevocationList>,
    pub(super) outdated: Vec<RevocationList>,
    pub(super) faults: Vec<String>,
}
