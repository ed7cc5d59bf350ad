//! The extensions of a certificate that are understood here (*RFC 5280 §4.2*).

use const_oid::AssociatedOid;
use der::asn1::{GeneralizedTime, PrintableStringRef};
use der::{Decode, Reader, Tag};
use jiff::Timestamp;
use spki::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, PrivateKeyUsagePeriod, SubjectKeyIdentifier,
};

use crate::certificate::{CertificateError, Strictness};
use crate::cms::{element, inside};
use crate::ocsp::OCSP_NO_CHECK;
use crate::policies::{self, PolicyQualifier};
use crate::qc_statements::{QC_STATEMENTS, QcStatements};

const OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
const CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");

/// `id-PIV-cardAuth` (*FIPS 201-3 §4.2.2.2*): the purpose of a certificate by which a card, not its
/// holder, is told.
pub const CARD_AUTHENTICATION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.16.840.1.101.3.6.8");

/// `documentTypeList` (*ICAO 9303-12 §7.1.1.6*).
pub const DOCUMENT_TYPES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.6.2");

/// The most document types of a signer.
const MAX_DOCUMENT_TYPES: usize = 64;

/// When a private key signs (`privateKeyUsagePeriod`, *X.509 §9.2.2.5*): its certificate holds
/// longer, as long as what was signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsePeriod {
    /// The first second; where it is not said, the certificate's.
    pub not_before: Option<Timestamp>,
    /// The last second; where it is not said, the certificate's.
    pub not_after: Option<Timestamp>,
}

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
    /// `privateKeyUsagePeriod`; it is among `others` as well.
    pub private_key_usage: Option<KeyUsePeriod>,
    /// `documentTypeList`: the types of document, as the MRZ has them, that a document signer may
    /// sign, a single letter for all that begin with it (*ICAO 9303-12 §7.1.1.6*). It is among
    /// `others` as well.
    pub document_types: Option<Vec<String>>,
    /// Critical extensions that are not understood here: whoever relies on the certificate must
    /// refuse it.
    pub unknown_critical: Vec<ObjectIdentifier>,
    /// Extensions that are not read here and need not be understood: names beside the subject,
    /// an operating system's own, and whatever else.
    pub others: Vec<ObjectIdentifier>,
}

impl Extensions {
    pub(crate) fn read(
        extensions: &[Extension],
        strictness: Strictness,
    ) -> Result<Self, CertificateError> {
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
            read.add(extension, strictness)?;
        }
        Ok(read)
    }

    fn add(
        &mut self,
        extension: &Extension,
        strictness: Strictness,
    ) -> Result<(), CertificateError> {
        match extension.extn_id {
            BasicConstraints::OID => {
                let constraints = basic_constraints(extension, strictness)?;
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
            PrivateKeyUsagePeriod::OID => {
                let period: PrivateKeyUsagePeriod = value(extension)?;
                self.private_key_usage = Some(KeyUsePeriod {
                    not_before: period
                        .not_before
                        .map(|time| seconds(time, extension))
                        .transpose()?,
                    not_after: period
                        .not_after
                        .map(|time| seconds(time, extension))
                        .transpose()?,
                });
                self.others.push(extension.extn_id);
            }
            DOCUMENT_TYPES => {
                let types = document_types(extension.extn_value.as_bytes());
                self.document_types = Some(types.map_err(|_| malformed(extension))?);
                self.others.push(DOCUMENT_TYPES);
            }
            unknown if extension.critical => self.unknown_critical.push(unknown),
            other => self.others.push(other),
        }
        Ok(())
    }
}

fn value<T: for<'a> Decode<'a>>(extension: &Extension) -> Result<T, CertificateError> {
    T::from_der(extension.extn_value.as_bytes()).map_err(|_| malformed(extension))
}

fn basic_constraints(
    extension: &Extension,
    strictness: Strictness,
) -> Result<BasicConstraints, CertificateError> {
    let read = value(extension);
    // BER has any byte but zero for TRUE (X.690 §8.2.2).
    let [0x30, _, 0x01, 0x01, 0x01..=0xFE, ..] = extension.extn_value.as_bytes() else {
        return read;
    };
    if strictness == Strictness::Strict {
        return read;
    }
    let mut der = extension.extn_value.as_bytes().to_vec();
    if let Some(truth) = der.get_mut(4) {
        *truth = 0xFF;
    }
    BasicConstraints::from_der(&der).map_err(|_| malformed(extension))
}

fn seconds(time: GeneralizedTime, extension: &Extension) -> Result<Timestamp, CertificateError> {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| malformed(extension))
}

/// Reads `DocumentTypeListSyntax`. Some states leave out the version.
fn document_types(value: &[u8]) -> der::Result<Vec<String>> {
    let mut list = inside(value, Tag::Sequence)?;
    if Tag::peek(&list)? == Tag::Integer && u8::decode(&mut list)? != 0 {
        return Err(Tag::Integer.value_error().into());
    }
    let mut set = inside(element(&mut list, Tag::Set)?, Tag::Set)?;
    list.finish()?;
    let mut types = Vec::new();
    while !set.is_finished() {
        let kind = PrintableStringRef::decode(&mut set)?;
        if !(1..=2).contains(&kind.as_str().len()) || types.len() == MAX_DOCUMENT_TYPES {
            return Err(Tag::PrintableString.value_error().into());
        }
        types.push(kind.as_str().to_owned());
    }
    Ok(types)
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
