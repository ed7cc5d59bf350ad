//! The authority that certifies stations: small, for this house alone, its key in the HSM.
//!
//! Whoever relies on its certificates is the store itself, which keeps each of them and compares it
//! byte for byte: there is no list and no responder, and no path longer than two.

use std::fmt;
use std::sync::Arc;

use cert::{AttributeType, Certificate, DistinguishedName, Hash, PublicKey};
use der::asn1::{Ia5String, OctetString};
use hsm::{RandomSource, SignatureAlgorithm, Signer};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span};
use spki::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};

use crate::embedded::{CaError, IssueError, belongs, proved, serial, whole_seconds};
use crate::extensions::{authority_key_identifier, extension, key_identifier};
use crate::to_be_signed::Content;

/// `id-kp-serverAuth` (*RFC 5280 §4.2.1.12*).
const SERVER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
/// `id-kp-clientAuth`.
const CLIENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// How long the authority's own certificate holds, in years.
const OWN_YEARS: i16 = 15;
/// How long a station's holds.
const STATION_YEARS: i16 = 2;
/// How much earlier than now a certificate begins: the clocks of stations differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Another name of whom a certificate is for (*RFC 5280 §4.2.1.6*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// A name in the DNS.
    Dns(String),
    /// An address, 4 or 16 bytes.
    Address(std::net::IpAddr),
}

/// The authority that certifies an installation's stations, and a pilot's own server.
pub struct StationAuthority {
    certificate: Certificate,
    key_identifier: Vec<u8>,
    signer: Arc<dyn Signer>,
    random: Arc<dyn RandomSource>,
}

impl StationAuthority {
    /// Makes an authority: its self-signed certificate for the signer's P-384 key, holding from
    /// `at`. Its name says whether it is for a test; a part of the key's digest tells installations
    /// apart.
    ///
    /// # Errors
    /// [`CaError`].
    pub fn create(
        is_test: bool,
        signer: Arc<dyn Signer>,
        random: Arc<dyn RandomSource>,
        at: Timestamp,
    ) -> Result<Self, CaError> {
        let (key, identifier) = own_key(&*signer)?;
        let subject = own_name(is_test, &key)?;
        let extensions = || {
            Ok(vec![
                extension(
                    &BasicConstraints {
                        ca: true,
                        path_len_constraint: Some(0),
                    },
                    true,
                )?,
                extension(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign), true)?,
                extension(
                    &SubjectKeyIdentifier(OctetString::new(&identifier[..])?),
                    false,
                )?,
                authority_key_identifier(&identifier)?,
            ])
        };
        let (not_before, not_after) = period(at, OWN_YEARS)?;
        let content = Content {
            serial: &serial(&*random).map_err(IssueError::Token)?,
            issuer: subject.as_der(),
            subject: subject.as_der(),
            public_key: signer.public_key_spki_der(),
            not_before,
            not_after,
            extensions: extensions().map_err(IssueError::Encoding)?,
        };
        let certificate = proved(&content.sign(&*signer)?, &key)?;
        Ok(Self {
            certificate,
            key_identifier: identifier,
            signer,
            random,
        })
    }

    /// Opens an authority that was made before.
    ///
    /// # Errors
    /// [`CaError::Mismatch`] where certificate and key do not belong together, or the name is of
    /// another environment.
    pub fn open(
        is_test: bool,
        certificate: Certificate,
        signer: Arc<dyn Signer>,
        random: Arc<dyn RandomSource>,
    ) -> Result<Self, CaError> {
        let (key, _) = own_key(&*signer)?;
        let subject = own_name(is_test, &key)?;
        let mismatch = |reason| CaError::Mismatch {
            serial: certificate.serial_hex(),
            reason,
        };
        let key_identifier = belongs(&certificate, &key, &subject).map_err(mismatch)?;
        Ok(Self {
            certificate,
            key_identifier,
            signer,
            random,
        })
    }

    /// Returns its own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs the certificate of a station for this key, holding two years from `at`: the name is the
    /// CN, and the last part of the URI among the alternative names.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue(
        &self,
        name: &str,
        environment: &str,
        key: &PublicKey,
        at: Timestamp,
    ) -> Result<Certificate, IssueError> {
        let uri = format!("zimogs:{environment}/station/{name}");
        let names = || {
            let uri = Ia5String::new(&uri)?;
            Ok(vec![GeneralName::UniformResourceIdentifier(uri)])
        };
        self.certify(name, key, CLIENT, names, at)
    }

    /// Signs the certificate of a server of the same installation under these names.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue_server(
        &self,
        hosts: &[HostName],
        key: &PublicKey,
        at: Timestamp,
    ) -> Result<Certificate, IssueError> {
        let names = || {
            let names = hosts.iter().map(|host| match host {
                HostName::Dns(name) => Ok(GeneralName::DnsName(Ia5String::new(name)?)),
                HostName::Address(address) => {
                    let bytes = match address {
                        std::net::IpAddr::V4(address) => address.octets().to_vec(),
                        std::net::IpAddr::V6(address) => address.octets().to_vec(),
                    };
                    Ok(GeneralName::IpAddress(OctetString::new(bytes)?))
                }
            });
            names.collect()
        };
        self.certify("zimogs server", key, SERVER, names, at)
    }

    fn certify(
        &self,
        name: &str,
        key: &PublicKey,
        purpose: ObjectIdentifier,
        names: impl FnOnce() -> der::Result<Vec<GeneralName>>,
        at: Timestamp,
    ) -> Result<Certificate, IssueError> {
        let unreadable = |error| IssueError::Unreadable(cert::CertificateError::PublicKey(error));
        let subject = common_name(name).map_err(|reason| IssueError::Subject {
            name: "station".to_owned(),
            reason,
        })?;
        let (not_before, not_after) = period(at, STATION_YEARS)?;
        let own = self.certificate.validity();
        if not_after > own.not_after {
            return Err(IssueError::OutlastsIssuer {
                until: not_after,
                issuer: own.not_after,
            });
        }
        let identifier = key_identifier(&key.subject_public_key().map_err(unreadable)?);
        let extensions = || -> der::Result<Vec<Extension>> {
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
                extension(&SubjectAltName(names()?), false)?,
                extension(
                    &SubjectKeyIdentifier(OctetString::new(&identifier[..])?),
                    false,
                )?,
                authority_key_identifier(&self.key_identifier)?,
            ])
        };
        let content = Content {
            serial: &serial(&*self.random).map_err(IssueError::Token)?,
            issuer: self.certificate.subject().as_der(),
            subject: subject.as_der(),
            public_key: &key.to_spki_der().map_err(unreadable)?,
            not_before: not_before.max(own.not_before),
            not_after,
            extensions: extensions().map_err(IssueError::Encoding)?,
        };
        proved(&content.sign(&*self.signer)?, self.certificate.public_key())
    }
}

impl fmt::Debug for StationAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StationAuthority({:?})", self.certificate)
    }
}

fn own_key(signer: &dyn Signer) -> Result<(PublicKey, Vec<u8>), CaError> {
    if signer.algorithm() != SignatureAlgorithm::EcdsaP384Sha384 {
        return Err(CaError::Key);
    }
    let key = PublicKey::from_spki_der(signer.public_key_spki_der()).map_err(|_| CaError::Key)?;
    let identifier = key_identifier(key.point().ok_or(CaError::Key)?).to_vec();
    Ok((key, identifier))
}

fn own_name(is_test: bool, key: &PublicKey) -> Result<DistinguishedName, CaError> {
    let digest = Hash::Sha256.digest(&key.to_spki_der().map_err(|_| CaError::Key)?);
    let part: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = match is_test {
        true => format!("Station CA {part} TEST"),
        false => format!("Station CA {part}"),
    };
    common_name(&name).map_err(|reason| {
        let name = "station authority".to_owned();
        IssueError::Subject { name, reason }.into()
    })
}

fn common_name(name: &str) -> Result<DistinguishedName, String> {
    DistinguishedName::builder()
        .with(AttributeType::CommonName, name)
        .build()
        .map_err(|error| error.to_string())
}

fn period(at: Timestamp, years: i16) -> Result<(Timestamp, Timestamp), IssueError> {
    let from = whole_seconds(at)?;
    let until = from
        .to_zoned(TimeZone::UTC)
        .checked_add(Span::new().years(years))
        .and_then(|end| end.timestamp().checked_sub(SignedDuration::from_secs(1)));
    let begin = from.checked_sub(SKEW);
    match (begin, until) {
        (Ok(begin), Ok(until)) => Ok((begin, until)),
        _ => Err(IssueError::Time),
    }
}
