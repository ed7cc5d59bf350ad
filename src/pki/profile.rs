//! Certificate profiles: what a certificate of a kind contains, as `certs/*.toml` says it.

use cert::{Curve, DistinguishedName, KeyAlgorithm, PolicyQualifier, QcStatements, QualifierKind};
use der::flagset::FlagSet;
use serde::Deserialize;
use spki::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsage;

use crate::qualified::QcRule;
use crate::subject::{Holder, SubjectAttribute, SubjectError, Variable, check, subject};
use crate::vocabulary::{
    AttributeName, HttpUrl, KeyName, Notice, Policy, Purpose, QCP_NATURAL_DEVICE, Usage,
};

/// Why a certificate profile was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The text is not TOML of the right shape, or a value is none that certificates here have;
    /// the source names line and column.
    #[error("the certificate profile does not parse")]
    Syntax(#[source] Box<toml::de::Error>),
    /// Fields that are right by themselves contradict each other.
    #[error("certificate profile {name:?}: {field}: {reason}")]
    Contradiction {
        /// The profile's name.
        name: String,
        /// The field's dotted name.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: &'static str,
    },
}

/// What a profile is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileKind {
    /// A holder's certificate.
    Leaf,
    /// A certification authority's own certificate.
    Ca,
    /// That of the responder which says for an authority where its certificates stand.
    Responder,
}

/// A certificate profile that has been proved.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateProfile {
    name: String,
    kind: ProfileKind,
    /// The installation's name of the authority that issues; none: the embedded one.
    authority: Option<String>,
    #[serde(default)]
    qualified: bool,
    validity: ValidityRule,
    subject: Vec<SubjectAttribute>,
    key: KeyRule,
    policies: Option<PolicyRule>,
    qc_statements: Option<QcRule>,
    publication: Option<Publication>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidityRule {
    #[serde(default)]
    years: u8,
    #[serde(default)]
    days: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRule {
    /// `curves` is what profiles said while there were but curves.
    #[serde(alias = "curves")]
    algorithms: Vec<KeyName>,
    usage: Vec<Usage>,
    #[serde(default)]
    extended_usage: Vec<Purpose>,
    path_length: Option<u8>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyRule {
    identifiers: Vec<Policy>,
    #[serde(default)]
    qualifiers: Vec<QualifierRule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QualifierRule {
    policy: Policy,
    cps: Option<HttpUrl>,
    notice: Option<Notice>,
}

impl QualifierRule {
    fn said(&self) -> Vec<PolicyQualifier> {
        let cps = self.cps.iter();
        let practice = cps.map(|url| QualifierKind::Practice(url.0.clone()));
        let notice = self.notice.iter();
        let notice = notice.map(|text| QualifierKind::Notice(text.0.clone()));
        practice
            .chain(notice)
            .map(|kind| PolicyQualifier {
                policy: self.policy.0,
                kind,
            })
            .collect()
    }
}

/// Where relying parties find what belongs to the certificates of a CA.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    crl: Vec<HttpUrl>,
    ocsp: Vec<HttpUrl>,
    issuer: Vec<HttpUrl>,
}

impl Publication {
    /// Returns the addresses of the certificate revocation list.
    pub fn crl(&self) -> impl Iterator<Item = &str> {
        self.crl.iter().map(|url| url.0.as_str())
    }

    /// Returns the addresses of OCSP responders.
    pub fn ocsp(&self) -> impl Iterator<Item = &str> {
        self.ocsp.iter().map(|url| url.0.as_str())
    }

    /// Returns the addresses of the CA's certificate.
    pub fn issuer(&self) -> impl Iterator<Item = &str> {
        self.issuer.iter().map(|url| url.0.as_str())
    }
}

impl CertificateProfile {
    /// Returns the profile that `text` describes, proved free of contradictions.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self =
            toml::from_str(text).map_err(|error| ProfileError::Syntax(Box::new(error)))?;
        match profile.contradiction() {
            None => Ok(profile),
            Some((field, reason)) => Err(ProfileError::Contradiction {
                name: profile.name,
                field,
                reason,
            }),
        }
    }

    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let general = [
            (self.name.trim().is_empty(), "name", "is empty"),
            (
                self.key.algorithms.is_empty(),
                "key.algorithms",
                "allows no key at all",
            ),
            (
                repeats(&self.key.algorithms),
                "key.algorithms",
                "names a kind of key twice",
            ),
            (repeats(&self.key.usage), "key.usage", "names a usage twice"),
            (
                repeats(&self.key.extended_usage),
                "key.extended_usage",
                "names a purpose twice",
            ),
            (
                repeats(self.policies()),
                "policies.identifiers",
                "names a policy twice",
            ),
            (
                self.policies.is_some() && self.policies().is_empty(),
                "policies.identifiers",
                "is empty; leave the table out instead",
            ),
            (
                self.validity.days != 0 && self.kind != ProfileKind::Responder,
                "validity.days",
                "is a responder's; other certificates hold for years",
            ),
            (
                self.key.extended_usage.contains(&Purpose::OcspSigning)
                    && self.kind != ProfileKind::Responder,
                "key.extended_usage",
                "OCSPSigning is a responder's",
            ),
            (
                repeats(&self.attributes()),
                "subject",
                "names an attribute twice",
            ),
            (
                self.qualifiers()
                    .iter()
                    .any(|said| !self.policies().contains(&said.policy)),
                "policies.qualifiers",
                "qualifies a policy that is not among the identifiers",
            ),
            (
                repeats(
                    &self
                        .qualifiers()
                        .iter()
                        .map(|q| q.policy)
                        .collect::<Vec<_>>(),
                ),
                "policies.qualifiers",
                "qualifies a policy twice; cps and notice stand together",
            ),
            (
                self.qualifiers()
                    .iter()
                    .any(|said| said.cps.is_none() && said.notice.is_none()),
                "policies.qualifiers",
                "says neither cps nor notice",
            ),
            (
                !self.attributes().contains(&AttributeName::Cn)
                    || !self.attributes().contains(&AttributeName::C),
                "subject",
                "needs a C and a CN",
            ),
        ];
        let special = match self.kind {
            ProfileKind::Leaf => self.leaf_contradictions(),
            ProfileKind::Ca => self.ca_contradictions(),
            ProfileKind::Responder => self.responder_contradictions(),
        };
        general
            .into_iter()
            .chain(special)
            .chain(self.qualified_contradictions())
            .find_map(|(wrong, field, reason)| wrong.then_some((field, reason)))
    }

    fn leaf_contradictions(&self) -> Vec<(bool, &'static str, &'static str)> {
        let has = |usage| self.key.usage.contains(&usage);
        let mut numbers = self.subject.iter();
        let number = numbers.find(|a| a.attribute == AttributeName::SerialNumber);
        let numbered_by = |variable| number.is_some_and(|number| number.uses(variable));
        let is_cards = self.is_cards_own();
        let persons = [
            Variable::Surname,
            Variable::GivenNames,
            Variable::PersonalCode,
        ];
        let names = |variable: &Variable| self.subject.iter().any(|a| a.uses(*variable));
        vec![
            (
                !(1..=10).contains(&self.validity.years),
                "validity.years",
                "is not within 1 to 10",
            ),
            (self.key.usage.is_empty(), "key.usage", "is empty"),
            (
                has(Usage::KeyCertSign) || has(Usage::CrlSign),
                "key.usage",
                "keyCertSign and cRLSign are a CA's, not a holder's",
            ),
            (
                // ETSI EN 319 412-2 §4.3.2: a key that commits its holder does nothing else, or a
                // challenge could be a document.
                has(Usage::DigitalSignature) && has(Usage::NonRepudiation),
                "key.usage",
                "nonRepudiation stands alone: a key that logs in must not sign documents",
            ),
            (
                has(Usage::NonRepudiation)
                    && self.key.extended_usage.contains(&Purpose::ClientAuth),
                "key.extended_usage",
                "clientAuth needs digitalSignature",
            ),
            (
                has(Usage::DigitalSignature)
                    && self.key.extended_usage.contains(&Purpose::DocumentSigning),
                "key.extended_usage",
                "documentSigning needs nonRepudiation",
            ),
            (
                self.key.path_length.is_some(),
                "key.path_length",
                "is a CA's, not a holder's",
            ),
            (
                self.authority
                    .as_ref()
                    .is_some_and(|name| name.trim().is_empty()),
                "authority",
                "is empty; leave it out for the embedded authority",
            ),
            (
                self.publication.is_some(),
                "publication",
                "is a CA's: its addresses go into all that it issues",
            ),
            (
                is_cards
                    && (self.key.extended_usage.len() > 1
                        || self.key.usage != [Usage::DigitalSignature]),
                "key.extended_usage",
                "cardAuth stands alone, with digitalSignature: such a key signs without a PIN",
            ),
            (
                is_cards && persons.iter().any(names),
                "subject",
                "a card's own certificate can be read by anybody: it names no holder",
            ),
            (
                is_cards && !numbered_by(Variable::DocumentNumber),
                "subject",
                "needs a serialNumber with {document_number}: a card's own is named by it",
            ),
            (
                !is_cards && !numbered_by(Variable::PersonalCode),
                "subject",
                "needs a serialNumber with {personal_code}: names are not unique",
            ),
        ]
    }

    fn ca_contradictions(&self) -> Vec<(bool, &'static str, &'static str)> {
        let signs = self.key.usage.len() == 2
            && self.key.usage.contains(&Usage::KeyCertSign)
            && self.key.usage.contains(&Usage::CrlSign);
        vec![
            (
                !(1..=30).contains(&self.validity.years),
                "validity.years",
                "is not within 1 to 30",
            ),
            (
                self.authority.is_some(),
                "authority",
                "the embedded CA signs itself",
            ),
            (
                !signs,
                "key.usage",
                "a CA's is keyCertSign and cRLSign, no more and no less",
            ),
            (
                self.key.algorithms != [KeyName(KeyAlgorithm::Ec(Curve::P384))],
                "key.algorithms",
                "a CA's key is a P-384 key",
            ),
            (
                !self.key.extended_usage.is_empty(),
                "key.extended_usage",
                "a CA has none",
            ),
            (
                self.policies.is_some(),
                "policies",
                "a self-signed CA certificate has none",
            ),
            (
                !self.subject.iter().all(SubjectAttribute::is_fixed),
                "subject",
                "a CA is no holder: its name has no variables",
            ),
            (
                self.publication.as_ref().is_none_or(|p| p.crl.is_empty()),
                "publication.crl",
                "is needed: certificates are issued on hold, and only a CRL shows it",
            ),
        ]
    }

    fn responder_contradictions(&self) -> Vec<(bool, &'static str, &'static str)> {
        let signs = |algorithm: &KeyName| {
            [Curve::P256, Curve::P384]
                .map(KeyAlgorithm::Ec)
                .contains(&algorithm.0)
        };
        vec![
            (
                self.validity.years != 0 || !(1..=90).contains(&self.validity.days),
                "validity.days",
                "is not within 1 to 90: a responder's certificate cannot be revoked",
            ),
            (
                self.key.usage != [Usage::DigitalSignature],
                "key.usage",
                "a responder's is digitalSignature",
            ),
            (
                self.key.extended_usage != [Purpose::OcspSigning],
                "key.extended_usage",
                "a responder's is OCSPSigning, and no other",
            ),
            (
                !self.key.algorithms.iter().all(signs),
                "key.algorithms",
                "a responder's key is a P-256 or P-384 key",
            ),
            (
                self.key.path_length.is_some(),
                "key.path_length",
                "is a CA's, not a responder's",
            ),
            (
                self.publication.is_some(),
                "publication",
                "is a CA's: its addresses go into all that it issues",
            ),
            (
                !self.subject.iter().all(SubjectAttribute::is_fixed),
                "subject",
                "a responder is no holder: its name has no variables",
            ),
        ]
    }

    /// What a profile may ask of a qualified authority only, and must then ask whole.
    fn qualified_contradictions(&self) -> Vec<(bool, &'static str, &'static str)> {
        let claims = self.policies().iter().any(|p| p.claims_qualified());
        let by_device = self.policies().contains(&QCP_NATURAL_DEVICE);
        let mut faults = vec![
            (
                self.qualified && self.kind != ProfileKind::Leaf,
                "qualified",
                "a qualified authority's own certificate is not made here",
            ),
            (
                self.qualified && self.is_cards_own(),
                "qualified",
                "a card's own certificate is nobody's: there is nothing to qualify",
            ),
            (
                claims && !self.qualified,
                "policies.identifiers",
                "claims a qualified status, which only a profile with qualified = true may",
            ),
            (
                self.qc_statements.is_some() && !self.qualified,
                "qc_statements",
                "claims a qualified status, which only a profile with qualified = true may",
            ),
        ];
        let Some(rule) = &self.qc_statements else {
            faults.push((
                claims,
                "qc_statements",
                "is needed: without QcCompliance the policy is an empty word",
            ));
            return faults;
        };
        let has_english = rule.disclosure.iter().any(|at| at.language.0 == "en");
        let languages: Vec<_> = rule.disclosure.iter().map(|at| &at.language).collect();
        faults.extend([
            (
                // EN 319 411-2 §6.6.1: policy and statement go together.
                claims != rule.compliance,
                "qc_statements.compliance",
                "goes with the policies QCP-n and QCP-n-qscd, and with no other",
            ),
            (
                by_device != rule.secure_device,
                "qc_statements.secure_device",
                "goes with the policy QCP-n-qscd, and with no other",
            ),
            (
                rule.compliance && rule.kind.is_none(),
                "qc_statements.type",
                "is needed: esign, which is all that a holder's certificate is qualified for",
            ),
            (
                rule.kind.is_some() && self.key.usage != [Usage::NonRepudiation],
                "qc_statements.type",
                "esign goes with nonRepudiation alone",
            ),
            (
                rule.compliance && !has_english,
                "qc_statements.disclosure",
                "needs a statement in English (en)",
            ),
            (
                repeats(&languages),
                "qc_statements.disclosure",
                "has two statements in one language",
            ),
            (
                rule.retention_years == Some(0),
                "qc_statements.retention_years",
                "is not a number of years",
            ),
            (
                repeats(&rule.legislation),
                "qc_statements.legislation",
                "names a country twice",
            ),
            (
                rule.semantics.is_some() && !self.identifies_a_person(),
                "qc_statements.semantics",
                "natural-person needs a serialNumber of the form PNO{country}-…",
            ),
        ]);
        faults
    }

    /// Returns whether the subject's serial number is one of *EN 319 412-1 §5.1.3*.
    fn identifies_a_person(&self) -> bool {
        let mut numbers = self.subject.iter();
        let number = numbers.find(|a| a.attribute == AttributeName::SerialNumber);
        number.is_some_and(|number| {
            ["PAS", "IDC", "PNO", "TIN"]
                .iter()
                .any(|scheme| number.begins(&format!("{scheme}{{country}}-")))
        })
    }

    fn qualifiers(&self) -> &[QualifierRule] {
        self.policies
            .as_ref()
            .map_or(&[], |rule| rule.qualifiers.as_slice())
    }

    fn attributes(&self) -> Vec<AttributeName> {
        self.subject.iter().map(|a| a.attribute).collect()
    }

    fn policies(&self) -> &[Policy] {
        self.policies
            .as_ref()
            .map_or(&[], |rule| rule.identifiers.as_slice())
    }

    /// Returns the profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the profile is for.
    pub fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// Returns the installation's name of the authority that issues by this profile; none: its
    /// embedded one.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Returns whether only a qualified authority may issue it, whatever it claims.
    pub fn is_qualified(&self) -> bool {
        self.qualified
    }

    /// Returns whether it is for a key by which a card is told, not its holder (`cardAuth`).
    pub fn is_cards_own(&self) -> bool {
        let purposes = &self.key.extended_usage;
        purposes.contains(&Purpose::CardAuthentication)
    }

    /// Returns the longest validity in years; none of a responder's.
    pub fn years(&self) -> u8 {
        self.validity.years
    }

    /// Returns the validity of a responder's certificate in days.
    pub(crate) fn days(&self) -> u16 {
        self.validity.days
    }

    /// Returns whether a key of this kind may be certified.
    pub fn allows(&self, algorithm: KeyAlgorithm) -> bool {
        self.key.algorithms.iter().any(|name| name.0 == algorithm)
    }

    /// Returns the kinds of key that may be certified.
    pub fn algorithms(&self) -> impl Iterator<Item = KeyAlgorithm> {
        self.key.algorithms.iter().map(|name| name.0)
    }

    /// Returns whether a key on this curve may be certified.
    pub fn allows_curve(&self, curve: Curve) -> bool {
        self.allows(KeyAlgorithm::Ec(curve))
    }

    /// Returns the CA's addresses; always there for a CA.
    pub fn publication(&self) -> Option<&Publication> {
        self.publication.as_ref()
    }

    /// Returns the subject's name for a holder; for a CA's or a responder's profile, its own name.
    ///
    /// # Errors
    /// [`SubjectError`], which shows no value.
    pub fn subject(&self, holder: Option<&Holder>) -> Result<DistinguishedName, SubjectError> {
        subject(&self.subject, holder)
    }

    /// Checks that a name is one that the profile has for some holder. Returns what differs, no
    /// value of it.
    pub(crate) fn check_subject(&self, name: &DistinguishedName) -> Result<(), String> {
        check(&self.subject, name)
    }

    pub(crate) fn path_length(&self) -> Option<u8> {
        self.key.path_length
    }

    /// Returns `keyUsage` as certificates of this profile have it.
    pub(crate) fn key_usage(&self) -> KeyUsage {
        let bits = self.key.usage.iter().map(|usage| usage.bit());
        KeyUsage(bits.fold(FlagSet::default(), |all, bit| all | bit))
    }

    pub(crate) fn purposes(&self) -> Vec<ObjectIdentifier> {
        let purposes = self.key.extended_usage.iter();
        purposes.map(|purpose| purpose.oid()).collect()
    }

    pub(crate) fn policy_identifiers(&self) -> Vec<ObjectIdentifier> {
        self.policies().iter().map(|policy| policy.0).collect()
    }

    /// Returns what is said beside the policies.
    pub(crate) fn policy_qualifiers(&self) -> Vec<PolicyQualifier> {
        let rules = self.qualifiers().iter();
        rules.flat_map(QualifierRule::said).collect()
    }

    /// Returns the QC statements that certificates of this profile have; none for none.
    pub(crate) fn qc_statements(&self) -> Option<QcStatements> {
        self.qc_statements.as_ref().map(QcRule::statements)
    }
}

fn repeats<T: PartialEq>(values: &[T]) -> bool {
    values
        .iter()
        .enumerate()
        .any(|(place, value)| values.iter().take(place).any(|earlier| earlier == value))
}

#[cfg(test)]
mod tests;
