//! Chains: CVCA, its links, document verifier, terminal (*TR-03110-3 §2.2 to §2.7, §2.5*).

use jiff::civil::Date;

use crate::cvc::certificate::CvCertificate;
use crate::cvc::chat::{Chat, Role};
use crate::cvc::error::CvcError;
use crate::cvc::reference::HolderReference;
use crate::cvc::verify::{CvVerifyError, CvVerifyingKey, Strength};

/// The most certificates behind the root: links of a lifetime, document verifier, terminal.
pub const MAX_CHAIN: usize = 32;

/// Why a certificate is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Not a certificate that a CVCA issued to itself.
    #[error("{holder} is no self-issued CVCA certificate")]
    NotRoot {
        /// The holder.
        holder: HolderReference,
    },
    /// It names another issuer.
    #[error("{holder} was issued by {named}, not by {issuer}")]
    Issuer {
        /// The holder.
        holder: HolderReference,
        /// The issuer that it names.
        named: HolderReference,
        /// Whose key it was to be verified under.
        issuer: HolderReference,
    },
    /// A role that the issuer's role may not certify.
    #[error("{holder}: a {issuer} may not certify a {role}", issuer = issuer.name(), role = role.name())]
    Role {
        /// The holder.
        holder: HolderReference,
        /// The issuer's role.
        issuer: Role,
        /// The holder's.
        role: Role,
    },
    /// It is for another kind of terminal than its issuer.
    #[error("{holder} is for another kind of terminal than its issuer")]
    TerminalType {
        /// The holder.
        holder: HolderReference,
    },
    /// It is used before it is effective.
    #[error("{holder} is effective from {from} on")]
    NotYet {
        /// The holder.
        holder: HolderReference,
        /// The first day.
        from: Date,
    },
    /// It is used after its last day.
    #[error("{holder} expired on {on}")]
    Expired {
        /// The holder.
        holder: HolderReference,
        /// The last day.
        on: Date,
    },
    /// It has another algorithm or strength than its issuer (*§2.3*).
    #[error("{holder} has another algorithm than its issuer")]
    Algorithm {
        /// The holder.
        holder: HolderReference,
    },
    /// Domain parameters stand where they may not, or are missing where they must not (*§D.3*).
    #[error("{holder}: domain parameters stand in CVCA certificates, and in no others")]
    Parameters {
        /// The holder.
        holder: HolderReference,
    },
    /// The key is not on its curve.
    #[error("{holder}: the key cannot be used")]
    Key {
        /// The holder.
        holder: HolderReference,
        /// What is wrong.
        #[source]
        source: CvcError,
    },
    /// The signature does not hold.
    #[error("{holder}: not signed by {issuer}")]
    Signature {
        /// The holder.
        holder: HolderReference,
        /// The issuer.
        issuer: HolderReference,
        /// Why.
        #[source]
        source: CvVerifyError,
    },
    /// More certificates than any chain has.
    #[error("a chain has at most {MAX_CHAIN} certificates, not {length}")]
    TooLong {
        /// How many.
        length: usize,
    },
}

/// The holder of a verified certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    certificate: CvCertificate,
    key: CvVerifyingKey,
    effective: Chat,
    strength: Strength,
}

impl Holder {
    /// Takes a CVCA's self-signed certificate as trusted: that it is, the caller knows. Its
    /// signature is verified, its dates are not: it may be the root of later links.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn of_root(certificate: CvCertificate, strength: Strength) -> Result<Self, ChainError> {
        let holder = || certificate.holder().clone();
        if certificate.role() != Role::Cvca || !certificate.is_self_issued() {
            return Err(ChainError::NotRoot { holder: holder() });
        }
        if certificate.public_key().inherits_curve() {
            return Err(ChainError::Parameters { holder: holder() });
        }
        let key = certificate
            .public_key()
            .resolve(None)
            .map_err(|source| ChainError::Key {
                holder: holder(),
                source,
            })?;
        certificate
            .verify_signature(&key, strength)
            .map_err(|source| ChainError::Signature {
                holder: holder(),
                issuer: holder(),
                source,
            })?;
        Ok(Self {
            effective: certificate.chat().clone(),
            certificate,
            key,
            strength,
        })
    }

    /// Verifies a certificate that this holder issued, as of a day: a link to the CVCA's next key,
    /// a document verifier's or a terminal's.
    ///
    /// Links are accepted past their last day, as chips do it (*§2.5*); whoever issues to document
    /// verifiers and terminals must not have expired.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn accepts(&self, certificate: CvCertificate, day: Date) -> Result<Self, ChainError> {
        let holder = || certificate.holder().clone();
        let issuer = &self.certificate;
        if certificate.issuer() != issuer.holder() {
            return Err(ChainError::Issuer {
                holder: holder(),
                named: certificate.issuer().clone(),
                issuer: issuer.holder().clone(),
            });
        }
        self.check_role(&certificate)?;
        self.check_dates(&certificate, day)?;
        let key = self.check_key(&certificate)?;
        certificate
            .verify_signature(&self.key, self.strength)
            .map_err(|source| ChainError::Signature {
                holder: holder(),
                issuer: issuer.holder().clone(),
                source,
            })?;
        // A link's template replaces the one before it (§2.7): rights may grow with the standard.
        let effective = match certificate.role() {
            Role::Cvca => Some(certificate.chat().clone()),
            _ => self.effective.and(certificate.chat()),
        };
        let effective = effective.ok_or(ChainError::TerminalType { holder: holder() })?;
        Ok(Self {
            certificate,
            key,
            effective,
            strength: self.strength,
        })
    }

    fn check_role(&self, certificate: &CvCertificate) -> Result<(), ChainError> {
        let holder = || certificate.holder().clone();
        let (issuer, role) = (self.certificate.role(), certificate.role());
        let allowed = match issuer {
            Role::Cvca => role == Role::Cvca || role.is_verifier(),
            Role::DomesticVerifier | Role::ForeignVerifier => role == Role::Terminal,
            Role::Terminal => false,
        };
        if !allowed || certificate.is_self_issued() {
            return Err(ChainError::Role {
                holder: holder(),
                issuer,
                role,
            });
        }
        if certificate.chat().terminal() != self.certificate.chat().terminal() {
            return Err(ChainError::TerminalType { holder: holder() });
        }
        Ok(())
    }

    fn check_dates(&self, certificate: &CvCertificate, day: Date) -> Result<(), ChainError> {
        let not_yet = |certificate: &CvCertificate| ChainError::NotYet {
            holder: certificate.holder().clone(),
            from: certificate.effective(),
        };
        if day < certificate.effective() {
            return Err(not_yet(certificate));
        }
        if certificate.role() == Role::Cvca {
            return Ok(());
        }
        for needed in [&self.certificate, certificate] {
            if day < needed.effective() {
                return Err(not_yet(needed));
            }
            if day > needed.expiration() {
                return Err(ChainError::Expired {
                    holder: needed.holder().clone(),
                    on: needed.expiration(),
                });
            }
        }
        Ok(())
    }

    fn check_key(&self, certificate: &CvCertificate) -> Result<CvVerifyingKey, ChainError> {
        let holder = || certificate.holder().clone();
        let public_key = certificate.public_key();
        let link = certificate.role() == Role::Cvca;
        let parameters_fit = match link {
            true => !public_key.inherits_curve(),
            false => public_key.curve().is_none(),
        };
        if !parameters_fit {
            return Err(ChainError::Parameters { holder: holder() });
        }
        // A CVCA may change its algorithm with a link, and nobody else may (§2.3).
        let different = |key: &CvVerifyingKey| {
            key.algorithm() != self.key.algorithm()
                || key.key().algorithm() != self.key.key().algorithm()
        };
        if !link && public_key.algorithm() != self.key.algorithm() {
            return Err(ChainError::Algorithm { holder: holder() });
        }
        let key = public_key
            .resolve(self.key.curve())
            .map_err(|source| ChainError::Key {
                holder: holder(),
                source,
            })?;
        match !link && different(&key) {
            true => Err(ChainError::Algorithm { holder: holder() }),
            false => Ok(key),
        }
    }

    /// Returns the certificate.
    pub fn certificate(&self) -> &CvCertificate {
        &self.certificate
    }

    /// Returns the key, on its curve.
    pub fn key(&self) -> &CvVerifyingKey {
        &self.key
    }

    /// Returns the effective authorization: what every certificate of the chain allows.
    pub fn authorization(&self) -> &Chat {
        &self.effective
    }

    /// Returns whether the chain counts only as [`Strength::Legacy`].
    pub fn is_legacy(&self) -> bool {
        self.key.is_legacy()
    }
}

/// Verifies a chain in its order, links first, and returns the last holder.
///
/// # Errors
/// [`ChainError`] of the first certificate that is not accepted.
pub fn verify_chain(
    root: &Holder,
    chain: &[CvCertificate],
    day: Date,
) -> Result<Holder, ChainError> {
    if chain.len() > MAX_CHAIN {
        return Err(ChainError::TooLong {
            length: chain.len(),
        });
    }
    chain.iter().try_fold(root.clone(), |issuer, certificate| {
        issuer.accepts(certificate.clone(), day)
    })
}
