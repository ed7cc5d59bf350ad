//! The extensions of a certificate that are understood here (*RFC 5280 §4.2*).

use const_oid::AssociatedOid;
use der::Decode;
use spki::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};

use crate::certificate::CertificateError;
use crate::ocsp::OCSP_NO_CHECK;
use crate::policies::{self, PolicyQualifier};
use crate::qc_statements::{QC_STATEMENTS, QcStatements};

const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");

/// `id-PIV-cardAuth` (*FIPS 201-3 §4.2.2.2*): the purpose of a certificate by which a card, not its
/// holder, is told.
pub const CARD_AUTHENTICATION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.16.840.1.101.3.6.8");

/// The most extensions that a certificate may have here.
const MAX_EXTENSIONS: usize = 64;

/// The extensions of a certificate that are understood here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `basicConstraints.cA`: the key signs certificates.
    pub ca: bool,
    /// `basicConstraints.pathLenConstraint`.
    pub path_length: Option<u8>,
    /// `keyUsage`.
    pub key_usage: Option<KeyUsage>,
    /// `extendedKeyUsage`; empty where absent.
    pub extended_key_usage: Vec<ObjectIdentifier>,
    /// `certificatePolicies`, the identifiers.
    pub policies: Vec<ObjectIdentifier>,
    /// `certificatePolicies`, what is said beside them.
    pub policy_qualifiers: Vec<PolicyQualifier>,
    /// `qcStatements`.
    pub qc_statements: Option<QcStatements>,
    /// `subjectKeyIdentifier`.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// `authorityKeyIdentifier.keyIdentifier`.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// `cRLDistributionPoints`, the URLs.
    pub crl_urls: Vec<String>,
    /// `authorityInfoAccess`, the OCSP responders' URLs.
    pub ocsp_urls: Vec<String>,
    /// `authorityInfoAccess`, the URLs of the issuer's certificate.
    pub issuer_urls: Vec<String>,
    /// `id-pkix-ocsp-nocheck` (*RFC 6960 §4.2.2.2.1*): a responder's own status is not asked for.
    pub ocsp_no_check: bool,
    /// Critical extensions that are not understood here: whoever relies on the certificate must
    /// refuse it.
    pub unknown_critical: Vec<ObjectIdentifier>,
    /// Extensions that are not read here and need not be understood: names beside the subject,
    /// an operating system's own, and whatever else.
    pub others: Vec<ObjectIdentifier>,
}

impl Extensions {
    pub(crate) fn read(extensions: &[Extension]) -> Result<Self, CertificateError> {
        if extensions.len() > MAX_EXTENSIONS {
            return Err(CertificateError::TooManyExtensions);
        }
        let mut read = Self::default();
        for (place, extension) in extensions.iter().enumerate() {
            let oid = extension.extn_id;
            let repeated = extensions.iter().take(place).any(|e| e.extn_id == oid);
            if repeated {
                return Err(CertificateError::RepeatedExtension { oid });
            }
            read.add(extension)?;
        }
        Ok(read)
    }

    fn add(&mut self, extension: &Extension) -> Result<(), CertificateError> {
        match extension.extn_id {
            BasicConstraints::OID => {
                let constraints: BasicConstraints = value(extension)?;
                self.ca = constraints.ca;
                self.path_length = constraints.path_len_constraint;
            }
            KeyUsage::OID => self.key_usage = Some(value(extension)?),
            ExtendedKeyUsage::OID => {
                self.extended_key_usage = value::<ExtendedKeyUsage>(extension)?.0;
            }
            CertificatePolicies::OID => {
                (self.policies, self.policy_qualifiers) =
                    policies::read(extension.extn_value.as_bytes())
                        .map_err(|_| malformed(extension))?;
            }
            QC_STATEMENTS => {
                let statements = QcStatements::read(extension)?;
                // A statement that is not read, in an extension that must be understood.
                if extension.critical && !statements.others.is_empty() {
                    self.unknown_critical.push(QC_STATEMENTS);
                }
                self.qc_statements = Some(statements);
            }
            SubjectKeyIdentifier::OID => {
                let identifier: SubjectKeyIdentifier = value(extension)?;
                self.subject_key_identifier = Some(identifier.0.into_bytes().into_vec());
            }
            AuthorityKeyIdentifier::OID => {
                let identifier: AuthorityKeyIdentifier = value(extension)?;
                self.authority_key_identifier = identifier
                    .key_identifier
                    .map(|key| key.into_bytes().into_vec());
            }
            CrlDistributionPoints::OID => {
                let points: CrlDistributionPoints = value(extension)?;
                let names = points
                    .0
                    .iter()
                    .filter_map(|p| p.distribution_point.as_ref());
                for name in names {
                    if let DistributionPointName::FullName(names) = name {
                        self.crl_urls.extend(names.iter().filter_map(url));
                    }
                }
            }
            AuthorityInfoAccessSyntax::OID => {
                let access: AuthorityInfoAccessSyntax = value(extension)?;
                for description in &access.0 {
                    let urls = match description.access_method {
                        OCSP => &mut self.ocsp_urls,
                        CA_ISSUERS => &mut self.issuer_urls,
                        _ => continue,
                    };
                    urls.extend(url(&description.access_location));
                }
            }
            OCSP_NO_CHECK => self.ocsp_no_check = true,
            unknown if extension.critical => self.unknown_critical.push(unknown),
            other => self.others.push(other),
        }
        Ok(())
    }
}

fn value<T: for<'a> Decode<'a>>(extension: &Extension) -> Result<T, CertificateError> {
    T::from_der(extension.extn_value.as_bytes()).map_err(|_| malformed(extension))
}

fn malformed(extension: &Extension) -> CertificateError {
    CertificateError::Extension {
        oid: extension.extn_id,
    }
}

/// Returns the address that a name is, if it is one.
pub(crate) fn url(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    }
}
