//! Judging a signer's certificate that a country signing CA sent, before it is used.

use cert::{
    Certificate, CountryPathError, CountryQuestion, CountryRole, CountryVerifier, KeyUsage,
    PublicKey, document_type_includes,
};
use const_oid::AssociatedOid;
use der::Decode;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};

use crate::country::extensions::{ALTERNATIVE_NAMES, FORBIDDEN, names_country};
use crate::country::profile::{CountryKind, CountryProfile};

/// How much longer than its profile says a key may be used: for overlap (*ICAO 9303-12 Table 1*,
/// note 1).
const OVERLAP: SignedDuration = SignedDuration::from_hours(31 * 24);

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountryFault {
    /// The certificate is for another key.
    #[error("its key is not the one that was requested for")]
    Key,
    /// It is not trusted under the CSCA.
    #[error("it does not verify")]
    Path(#[source] CountryPathError),
    /// A field is not as *ICAO 9303-12* and the profile have it.
    #[error("{field}: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
}

/// What a certificate is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The profile of a document signer or master list signer.
    pub profile: &'a CountryProfile,
    /// The key of the request.
    pub key: &'a PublicKey,
    /// The CSCA, with what links it and what it revoked.
    pub verifier: CountryVerifier<'a>,
    /// The time of asking.
    pub at: Timestamp,
}

/// Returns everything that is wrong with a certificate; nothing where it may be used.
pub fn examine(certificate: &Certificate, expected: &Expected<'_>) -> Vec<CountryFault> {
    let mut faults = Vec::new();
    if !certificate.matches(expected.key) {
        faults.push(CountryFault::Key);
    }
    let role = match expected.profile.kind() {
        CountryKind::MasterListSigner => CountryRole::MasterListSigner,
        _ => CountryRole::DocumentSigner,
    };
    // One that begins tomorrow is looked at as of tomorrow.
    let at = expected.at.max(certificate.validity().not_before);
    let question = CountryQuestion {
        role,
        at,
        signed_at: None,
        document_type: None,
    };
    // A copy: the question lives shorter than what it is asked of.
    let verifier = expected.verifier;
    if let Err(error) = verifier.verify(certificate, &question) {
        faults.push(CountryFault::Path(error));
    }
    let fields = fields(certificate, expected.profile);
    faults.extend(
        fields
            .into_iter()
            .map(|(field, reason)| CountryFault::Field { field, reason }),
    );
    faults
}

/// Returns the fields that are not as they should be.
fn fields(
    certificate: &Certificate,
    profile: &CountryProfile,
) -> Vec<(&'static str, &'static str)> {
    let said = certificate.extensions();
    let is_signer = profile.kind() == CountryKind::DocumentSigner;
    let Ok(read) = x509_cert::Certificate::from_der(certificate.as_der()) else {
        return vec![("certificate", "does not read")];
    };
    let extensions = read.tbs_certificate().extensions();
    let extensions = extensions.map_or(&[][..], |all| all.as_slice());
    let find = |oid| extensions.iter().find(|extension| extension.extn_id == oid);
    let is_critical = |oid| find(oid).is_some_and(|extension| extension.critical);
    let code = &*profile.contact.country_code;
    let names = |oid| {
        let value = find(oid).map(|extension| extension.extn_value.as_bytes());
        let names = value.and_then(|value| Vec::<GeneralName>::from_der(value).ok());
        names.is_some_and(|names| names_country(&names, code))
    };
    let [subject_names, issuer_names] = ALTERNATIVE_NAMES;
    let only = KeyUsage(x509_cert::ext::pkix::KeyUsages::DigitalSignature.into());
    let types = said.document_types.as_deref().unwrap_or_default();
    let has_type = |wanted: &String| {
        let mut types = types.iter();
        types.any(|listed| document_type_includes(listed, wanted))
    };
    let country = certificate.subject().get(cert::AttributeType::Country);
    let algorithm = certificate.public_key().algorithm();
    let mut checks = vec![
        (
            country != Some(profile.country()),
            "subject",
            "countryName is not the profile's",
        ),
        (
            certificate
                .subject()
                .get(cert::AttributeType::CommonName)
                .is_none(),
            "subject",
            "has no commonName",
        ),
        (
            !algorithm.is_some_and(|key| profile.allows(key)),
            "subjectPublicKeyInfo",
            "is a key that the profile does not allow",
        ),
        (
            certificate.signature_algorithm().hash().is_none(),
            "signatureAlgorithm",
            "is none that is trusted",
        ),
        (
            said.key_usage != Some(only),
            "keyUsage",
            "is not digitalSignature alone",
        ),
        (!is_critical(KeyUsage::OID), "keyUsage", "is not critical"),
        (
            find(BasicConstraints::OID).is_some(),
            "basicConstraints",
            "is a CA's",
        ),
        (
            said.authority_key_identifier.is_none(),
            "authorityKeyIdentifier",
            "is missing",
        ),
        (
            !names(subject_names),
            "subjectAltName",
            "does not name the country as the MRZ does",
        ),
        (
            !names(issuer_names),
            "issuerAltName",
            "does not name the country as the MRZ does",
        ),
        (
            said.crl_urls.is_empty(),
            "cRLDistributionPoints",
            "has no address",
        ),
        (
            is_signer && find(ExtendedKeyUsage::OID).is_some(),
            "extKeyUsage",
            "is none of a document signer's",
        ),
        (
            !is_signer && !is_critical(ExtendedKeyUsage::OID),
            "extKeyUsage",
            "is not critical",
        ),
        (
            is_signer && !profile.document_types().iter().all(has_type),
            "documentType",
            "does not have every type of the profile",
        ),
    ];
    checks.extend(FORBIDDEN.map(|(oid, name)| (find(oid).is_some(), name, "is not allowed")));
    if is_signer {
        checks.extend(period_checks(certificate, profile));
    }
    checks
        .into_iter()
        .filter_map(|(wrong, field, reason)| wrong.then_some((field, reason)))
        .collect()
}

/// A document signer's key is used for a while, its certificate holds until the last document that
/// it may sign has expired (*ICAO 9303-12 §4.1.1.1*).
fn period_checks(
    certificate: &Certificate,
    profile: &CountryProfile,
) -> Vec<(bool, &'static str, &'static str)> {
    const FIELD: &str = "privateKeyUsagePeriod";
    let validity = certificate.validity();
    let Some(period) = certificate.extensions().private_key_usage else {
        return vec![(true, FIELD, "is missing")];
    };
    let from = period.not_before.unwrap_or(validity.not_before);
    let until = period.not_after.unwrap_or(validity.not_after);
    let later = |at: Timestamp, span: Span| {
        at.to_zoned(TimeZone::UTC)
            .checked_add(span)
            .map_or(Timestamp::MAX, |end| end.timestamp())
    };
    let longest = later(from, Span::new().months(profile.key_use_months()))
        .checked_add(OVERLAP)
        .unwrap_or(Timestamp::MAX);
    let last = later(until, Span::new().years(profile.document_years()));
    vec![
        (
            from < validity.not_before || until > validity.not_after || until < from,
            FIELD,
            "does not lie in the certificate's validity",
        ),
        (until > longest, FIELD, "is longer than the profile's"),
        (
            validity.not_after < last,
            "validity",
            "ends before the last document that the key may sign",
        ),
    ]
}
