//! Certificates by which authorities and registration authorities sign their messages to each
//! other, each signed by itself: they are compared, not searched a path for.

use std::sync::Arc;

use cert::{Certificate, DistinguishedName, PublicKey};
use der::asn1::OctetString;
use hsm::{RandomSource, SignatureAlgorithm, Signer};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use spki::ObjectIdentifier;
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};

use crate::cmp::protection::{ProtectionError, SigningIdentity};
use crate::embedded::IssueError;
use crate::extensions::{extension, key_identifier};
use crate::to_be_signed::Content;

/// `id-kp-cmcCA` (*RFC 6402 §2.10*).
pub(crate) const CMC_CA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.27");
/// `id-kp-cmcRA`.
pub(crate) const CMC_RA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.28");

/// Whose messages an identity signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmpRole {
    /// A certification authority's.
    Authority,
    /// A registration authority's.
    RegistrationAuthority,
}

/// Why an identity was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmpIdentityError {
    /// The key is not a P-384 key.
    #[error("a key that signs messages and its own certificate must be a P-384 key")]
    Key,
    /// The certificate was not made.
    #[error("the certificate was not made")]
    Issue(#[source] Box<IssueError>),
    /// Key and certificate do not make an identity.
    #[error("the certificate does not serve")]
    Protection(#[source] ProtectionError),
}

impl SigningIdentity {
    /// Makes an identity: a certificate for the signer's P-384 key, signed by itself, for so many
    /// years from `at`. Its owner keeps it, and gives it to the other side.
    ///
    /// # Errors
    /// [`CmpIdentityError`].
    pub fn create(
        signer: Arc<dyn Signer>,
        random: &dyn RandomSource,
        subject: &DistinguishedName,
        role: CmpRole,
        at: Timestamp,
        years: u8,
    ) -> Result<Self, CmpIdentityError> {
        let issue = |error| CmpIdentityError::Issue(Box::new(error));
        if signer.algorithm() != SignatureAlgorithm::EcdsaP384Sha384 {
            return Err(CmpIdentityError::Key);
        }
        let key = PublicKey::from_spki_der(signer.public_key_spki_der())
            .map_err(|_| CmpIdentityError::Key)?;
        let bits = key
            .subject_public_key()
            .map_err(|_| CmpIdentityError::Key)?;
        let mut serial = [0; 16];
        random
            .fill(&mut serial)
            .map_err(|error| issue(IssueError::Token(error)))?;
        serial[0] = (serial[0] & 0x7f) | 0x40;
        let whole = |time: Timestamp| Timestamp::from_second(time.as_second());
        let not_before = whole(at).map_err(|_| issue(IssueError::Time))?;
        let not_after = not_before
            .to_zoned(TimeZone::UTC)
            .checked_add(Span::new().years(years))
            .map_err(|_| issue(IssueError::Time))?
            .timestamp();
        let purpose = match role {
            CmpRole::Authority => CMC_CA,
            CmpRole::RegistrationAuthority => CMC_RA,
        };
        let extensions = || {
            Ok(vec![
                extension(
                    &BasicConstraints {
                        ca: false,
                        path_len_constraint: None,
                    },
                    true,
                )?,
                extension(&KeyUsage(KeyUsages::DigitalSignature.into()), true)?,
                extension(&ExtendedKeyUsage(vec![purpose]), false)?,
                extension(
                    &SubjectKeyIdentifier(OctetString::new(&key_identifier(&bits)[..])?),
                    false,
                )?,
            ])
        };
        let der = Content {
            serial: &serial,
            issuer: subject.as_der(),
            subject: subject.as_der(),
            public_key: signer.public_key_spki_der(),
            not_before,
            not_after,
            extensions: extensions().map_err(|error| issue(IssueError::Encoding(error)))?,
        }
        .sign(&*signer)
        .map_err(issue)?;
        let certificate =
            Certificate::parse(&der).map_err(|error| issue(IssueError::Unreadable(error)))?;
        certificate
            .verify_signature(&key)
            .map_err(|error| issue(IssueError::WrongSignature(error)))?;
        Self::new(signer, certificate, Vec::new()).map_err(CmpIdentityError::Protection)
    }
}
