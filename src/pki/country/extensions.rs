//! The extensions of travel document certificates (*ICAO 9303-12 Table 6*).

use cert::{DOCUMENT_TYPES, MASTER_LIST_SIGNER};
use const_oid::AssociatedOid;
use der::asn1::{Any, GeneralizedTime, Ia5String, OctetString, PrintableStringRef, SetOfVec};
use der::flagset::FlagSet;
use der::{DateTime, Encode, Sequence};
use jiff::Timestamp;
use spki::ObjectIdentifier;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, IssuerAltName, KeyUsage, KeyUsages,
    PrivateKeyUsagePeriod, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use crate::country::profile::{Contact, CountryKind, CountryProfile, Times};
use crate::extensions::{authority_key_identifier, extension};

/// `nameChange` (*§7.1.1.5*).
const NAME_CHANGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.6.1");
const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");

#[derive(Sequence)]
struct DocumentTypeList {
    version: u8,
    types: SetOfVec<Any>,
}

/// What is said of issuer and subject.
pub(super) struct Said<'a> {
    pub(super) subject: &'a CountryProfile,
    pub(super) subject_key: &'a [u8],
    pub(super) issuer: &'a CountryProfile,
    pub(super) issuer_key: &'a [u8],
    pub(super) times: Times,
    /// The subject is the issuer under another name.
    pub(super) name_changed: bool,
}

/// Returns the extensions of a certificate.
pub(super) fn extensions(said: &Said<'_>) -> der::Result<Vec<Extension>> {
    let kind = said.subject.kind();
    let is_csca = kind == CountryKind::Csca;
    let usage: FlagSet<KeyUsages> = match is_csca {
        true => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
        false => KeyUsages::DigitalSignature.into(),
    };
    let mut list = vec![extension(&KeyUsage(usage), true)?];
    if is_csca {
        let constraints = BasicConstraints {
            ca: true,
            path_len_constraint: Some(0),
        };
        list.push(extension(&constraints, true)?);
    }
    if kind == CountryKind::MasterListSigner {
        list.push(extension(
            &ExtendedKeyUsage(vec![MASTER_LIST_SIGNER]),
            true,
        )?);
    }
    let identifier = SubjectKeyIdentifier(OctetString::new(said.subject_key)?);
    list.push(extension(&identifier, false)?);
    list.push(authority_key_identifier(said.issuer_key)?);
    // A master list signer's key is used as long as its certificate holds.
    if kind != CountryKind::MasterListSigner {
        let period = PrivateKeyUsagePeriod {
            not_before: Some(generalized(said.times.from)?),
            not_after: Some(generalized(said.times.key_until)?),
        };
        list.push(extension(&period, false)?);
    }
    list.push(extension(
        &SubjectAltName(names(&said.subject.contact)?),
        false,
    )?);
    list.push(extension(
        &IssuerAltName(names(&said.issuer.contact)?),
        false,
    )?);
    list.push(distribution_points(said.issuer)?);
    if kind == CountryKind::DocumentSigner {
        list.push(document_types(said.subject.document_types())?);
    }
    if said.name_changed {
        list.push(Extension {
            extn_id: NAME_CHANGE,
            critical: false,
            extn_value: OctetString::new(der::asn1::Null.to_der()?)?,
        });
    }
    Ok(list)
}

/// Returns the alternative names: whom to ask, and the country as the MRZ has it (*§7.1.1.2*).
fn names(contact: &Contact) -> der::Result<Vec<GeneralName>> {
    let mut names = Vec::new();
    if let Some(email) = &contact.email {
        names.push(GeneralName::Rfc822Name(Ia5String::new(email)?));
    }
    if let Some(dns) = &contact.dns {
        names.push(GeneralName::DnsName(Ia5String::new(dns)?));
    }
    if let Some(url) = &contact.url {
        names.push(GeneralName::UniformResourceIdentifier(Ia5String::new(
            &url.0,
        )?));
    }
    let locality = AttributeTypeAndValue {
        oid: LOCALITY,
        value: Any::encode_from(&PrintableStringRef::new(&contact.country_code)?)?,
    };
    let mut sequence = RdnSequence::default();
    sequence.push(RelativeDistinguishedName::from(SetOfVec::from_iter([
        locality,
    ])?));
    let name = <Name as der::Decode>::from_der(&sequence.to_der()?)?;
    names.push(GeneralName::DirectoryName(name));
    Ok(names)
}

fn distribution_points(issuer: &CountryProfile) -> der::Result<Extension> {
    let mut names = Vec::new();
    for url in issuer.crl() {
        names.push(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?));
    }
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(names)),
        reasons: None,
        crl_issuer: None,
    };
    extension(&CrlDistributionPoints(vec![point]), false)
}

fn document_types(types: &[String]) -> der::Result<Extension> {
    let mut set = SetOfVec::new();
    for kind in types {
        set.insert(Any::encode_from(&PrintableStringRef::new(kind)?)?)?;
    }
    let list = DocumentTypeList {
        version: 0,
        types: set,
    };
    Ok(Extension {
        extn_id: DOCUMENT_TYPES,
        critical: false,
        extn_value: OctetString::new(list.to_der()?)?,
    })
}

fn generalized(at: Timestamp) -> der::Result<GeneralizedTime> {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let time = DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
    Ok(GeneralizedTime::from_date_time(time))
}

/// The extensions that may never stand in a certificate of this PKI, with their names.
pub(super) const FORBIDDEN: [(ObjectIdentifier, &str); 7] = [
    (oid("2.5.29.33"), "policyMappings"),
    (oid("2.5.29.9"), "subjectDirectoryAttributes"),
    (oid("2.5.29.30"), "nameConstraints"),
    (oid("2.5.29.36"), "policyConstraints"),
    (oid("2.5.29.54"), "inhibitAnyPolicy"),
    (oid("2.5.29.46"), "freshestCRL"),
    (oid("2.16.840.1.113730.1.1"), "netscapeCertType"),
];

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Returns whether the alternative names of a certificate name this country.
pub(super) fn names_country(names: &[GeneralName], code: &str) -> bool {
    names.iter().any(|name| {
        let GeneralName::DirectoryName(name) = name else {
            return false;
        };
        name.iter().any(|attribute| {
            attribute.oid == LOCALITY && attribute.value.value() == code.as_bytes()
        })
    })
}

/// The identifiers of the alternative names.
pub(super) const ALTERNATIVE_NAMES: [ObjectIdentifier; 2] =
    [SubjectAltName::OID, IssuerAltName::OID];
