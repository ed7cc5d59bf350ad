//! Paths of the travel documents' own PKI: from a signer to a country signing certificate (*ICAO
//! 9303-12 §6, §7*; passive authentication, *9303-11 §5.1*).
//!
//! ```text
//!   old CSCA (anchor) ◄── link ◄── document signer        one hop, and links of re-keyed CSCAs
//!   CSCA (anchor) ◄── master list signer
//! ```
//!
//! It differs from [`crate::PathVerifier`]: names are compared as *RFC 5280 §7.1* has it, since
//! states spell them in two ways; links do not count for path lengths (*§7.1.1.5*); a signer is
//! asked for its role, its country, and for the time in which its key was to sign.

use jiff::Timestamp;
use spki::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsage;

use crate::certificate::Certificate;
use crate::crl::RevocationList;
use crate::extensions::KeyUsePeriod;
use crate::master_list::MASTER_LIST_SIGNER;
use crate::name::AttributeType;
use crate::path::{
    MAX_PATH, MAX_TRIES, PathError, check_itself, check_may_issue, check_signature,
    key_identifiers_agree,
};

/// What a certificate under a country signing CA is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountryRole {
    /// It signs EF.SOD: no purpose but a signature (*Table 6*).
    DocumentSigner,
    /// It signs master lists: the purpose says so (*§7.1.1.3*).
    MasterListSigner,
}

/// What is asked of a signer.
#[derive(Clone, Copy, Debug)]
pub struct CountryQuestion<'q> {
    /// What it has to be for.
    pub role: CountryRole,
    /// The time of asking: all certificates must hold then.
    pub at: Timestamp,
    /// When it signed, where that is known: its key must have been in use then.
    pub signed_at: Option<Timestamp>,
    /// The document's type as its MRZ has it, where it is known: `P`, `PP`, `ID`.
    pub document_type: Option<&'q str>,
}

/// Why a signer is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountryPathError {
    /// There is no path, or a certificate of it does not hold.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The signer's certificate is not for what it was used for.
    #[error("certificate {serial} is none of such a signer: {reason}")]
    Role {
        /// The certificate.
        serial: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Signer and authority are of different countries.
    #[error("certificate {serial} is of another country than its issuer")]
    Country {
        /// The certificate.
        serial: String,
    },
    /// The signer may not sign documents of this type.
    #[error("certificate {serial} is not for documents of this type")]
    DocumentType {
        /// The certificate.
        serial: String,
    },
    /// The key signed when it was not in use.
    #[error("the key of certificate {serial} was not in use at {at}")]
    KeyUse {
        /// The certificate.
        serial: String,
        /// When it signed.
        at: Timestamp,
    },
    /// The signer or a link was revoked. Since when does not help: who has the key may write any
    /// signing time.
    #[error("certificate {serial} is revoked since {since}")]
    Revoked {
        /// The certificate.
        serial: String,
        /// Since when.
        since: Timestamp,
    },
}

/// What is known of a path's being revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// No list for it is at hand.
    Unknown,
    /// Nothing of it is on the list of that time.
    Good {
        /// When the list was made.
        this_update: Timestamp,
    },
}

/// A verified path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryPath<'a> {
    /// The certificates from the signer to the anchor.
    pub certificates: Vec<&'a Certificate>,
    /// What the lists say of the signer.
    pub revocation: Revocation,
}

/// A path that was verified once, kept by whoever asks again and again for the same signer: its
/// signatures do not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPath {
    signer: Certificate,
    issuers: Vec<Certificate>,
}

impl KeptPath {
    /// Judges the path for another question: everything but signatures and revocation, which are
    /// as they were when it was verified.
    ///
    /// # Errors
    /// [`CountryPathError`]; the signer may still have another path.
    pub fn judge(&self, question: &CountryQuestion<'_>) -> Result<(), CountryPathError> {
        check_signer(&self.signer, question)?;
        let mut issuers = self.issuers.iter();
        issuers.try_for_each(|issuer| check_itself(issuer, question.at))?;
        Ok(())
    }
}

/// Verifies signers of travel documents against country signing certificates.
#[derive(Clone, Copy, Debug)]
pub struct CountryVerifier<'a> {
    /// The country signing certificates that are trusted by themselves: of a master list, or
    /// exchanged by diplomats.
    pub anchors: &'a [Certificate],
    /// Link certificates; trusted for nothing.
    pub links: &'a [Certificate],
    /// Revocation lists, verified.
    pub lists: &'a [RevocationList],
}

impl<'a> CountryVerifier<'a> {
    /// Verifies a signer's certificate.
    ///
    /// # Errors
    /// [`CountryPathError`].
    pub fn verify(
        &self,
        signer: &'a Certificate,
        question: &CountryQuestion<'_>,
    ) -> Result<CountryPath<'a>, CountryPathError> {
        check_signer(signer, question)?;
        let mut path = vec![signer];
        let mut tries = 0;
        self.climb(&mut path, question.at, &mut tries)?;
        if country(signer) != path.get(1).and_then(|issuer| country(issuer)) {
            return Err(CountryPathError::Country {
                serial: signer.serial_hex(),
            });
        }
        // The anchor is taken from its list by whoever trusts it.
        let below = path.split_last().map_or(&[][..], |(_, below)| below);
        let mut revocation = Revocation::Unknown;
        for (place, certificate) in below.iter().enumerate() {
            let found = self.revocation(certificate)?;
            if place == 0 {
                revocation = found;
            }
        }
        Ok(CountryPath {
            certificates: path,
            revocation,
        })
    }

    /// Verifies a signer's certificate, and keeps its path for later questions.
    ///
    /// # Errors
    /// [`CountryPathError`].
    pub fn keep(
        &self,
        signer: &'a Certificate,
        question: &CountryQuestion<'_>,
    ) -> Result<KeptPath, CountryPathError> {
        let path = self.verify(signer, question)?;
        let issuers = path.certificates.into_iter().skip(1);
        Ok(KeptPath {
            signer: signer.clone(),
            issuers: issuers.cloned().collect(),
        })
    }

    fn climb(
        &self,
        path: &mut Vec<&'a Certificate>,
        at: Timestamp,
        tries: &mut usize,
    ) -> Result<(), PathError> {
        let Some(subject) = path.last().copied() else {
            return Ok(());
        };
        let mut fault = PathError::IssuerUnknown {
            serial: subject.serial_hex(),
            issuer: subject.issuer().clone(),
        };
        let anchors = self.anchors.iter().map(|issuer| (issuer, true));
        let links = self.links.iter().map(|issuer| (issuer, false));
        for (issuer, is_anchor) in anchors.chain(links) {
            if !may_be_issuer(issuer, subject) || path.contains(&issuer) {
                continue;
            }
            *tries += 1;
            if *tries > MAX_TRIES || path.len() >= MAX_PATH {
                return Err(PathError::TooLong {
                    serial: issuer.serial_hex(),
                });
            }
            if let Err(error) = check_issuer(issuer, subject, at) {
                fault = error;
                continue;
            }
            path.push(issuer);
            if is_anchor {
                return Ok(());
            }
            match self.climb(path, at, tries) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    path.pop();
                    fault = error;
                }
            }
        }
        Err(fault)
    }

    /// Says what the lists say of a certificate: a CSCA signs one list for all that it issued under
    /// whatever name and key (*§7.1.4*, note 1).
    fn revocation(&self, certificate: &Certificate) -> Result<Revocation, CountryPathError> {
        let mut answer = Revocation::Unknown;
        for list in self.lists {
            let own = list.issuer().get(AttributeType::Country);
            let its = certificate.issuer().get(AttributeType::Country);
            if !own
                .zip(its)
                .is_some_and(|(own, its)| own.eq_ignore_ascii_case(its))
            {
                continue;
            }
            let found = match list.status(certificate) {
                Ok(found) => {
                    answer = Revocation::Good {
                        this_update: list.this_update(),
                    };
                    found
                }
                // Of another name of the same authority: what is listed counts.
                Err(_) => list.find(certificate.serial()),
            };
            if let Some(revoked) = found {
                return Err(CountryPathError::Revoked {
                    serial: certificate.serial_hex(),
                    since: revoked.since,
                });
            }
        }
        Ok(answer)
    }
}

fn country(certificate: &Certificate) -> Option<String> {
    let country = certificate.subject().get(AttributeType::Country)?;
    Some(country.to_ascii_uppercase())
}

/// Tells whether `issuer` claims to be the one that `subject` names.
fn may_be_issuer(issuer: &Certificate, subject: &Certificate) -> bool {
    key_identifiers_agree(issuer, subject) && issuer.subject().is_same_as(subject.issuer())
}

fn check_issuer(
    issuer: &Certificate,
    subject: &Certificate,
    at: Timestamp,
) -> Result<(), PathError> {
    check_may_issue(issuer)?;
    check_itself(issuer, at)?;
    check_signature(issuer, subject)
}

/// Tells whether a type that a document signer lists stands for a document's type: a single letter
/// stands for all types that begin with it (*§7.1.1.6*).
pub fn document_type_includes(listed: &str, document: &str) -> bool {
    listed == document || (listed.len() == 1 && document.starts_with(listed))
}

fn check_signer(
    signer: &Certificate,
    question: &CountryQuestion<'_>,
) -> Result<(), CountryPathError> {
    check_itself(signer, question.at)?;
    let serial = || signer.serial_hex();
    let extensions = signer.extensions();
    let refuse = |reason| {
        Err(CountryPathError::Role {
            serial: serial(),
            reason,
        })
    };
    if extensions.ca {
        return refuse("it is a CA certificate");
    }
    let usage = extensions.key_usage.as_ref();
    if !usage.is_some_and(KeyUsage::digital_signature) {
        return refuse("its key usage is not digitalSignature");
    }
    let purposes: &[ObjectIdentifier] = &extensions.extended_key_usage;
    match question.role {
        CountryRole::DocumentSigner if !purposes.is_empty() => {
            return refuse("it is for another purpose");
        }
        CountryRole::MasterListSigner if !purposes.contains(&MASTER_LIST_SIGNER) => {
            return refuse("its purpose is not the signing of master lists");
        }
        _ => {}
    }
    if let Some(document) = question.document_type
        && let Some(types) = &extensions.document_types
        && !types
            .iter()
            .any(|listed| document_type_includes(listed, document))
    {
        return Err(CountryPathError::DocumentType { serial: serial() });
    }
    let period = extensions.private_key_usage.unwrap_or_default();
    match question.signed_at {
        Some(at) if !holds(period, signer, at) => Err(CountryPathError::KeyUse {
            serial: serial(),
            at,
        }),
        _ => Ok(()),
    }
}

/// Tells whether a key was in use at a time; without a period as long as its certificate holds.
fn holds(period: KeyUsePeriod, signer: &Certificate, at: Timestamp) -> bool {
    let validity = signer.validity();
    let from = period.not_before.unwrap_or(validity.not_before);
    let until = period.not_after.unwrap_or(validity.not_after);
    from <= at && at.as_second() <= until.as_second()
}

#[cfg(test)]
mod tests;
