//! Profiles of travel document certificates, as `certs/country/*.toml` say them.

use cert::{AttributeType, DistinguishedName, KeyAlgorithm, NameError};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Deserialize;

use crate::vocabulary::{HttpUrl, KeyName};

/// What a certificate of the country's PKI is of (*ICAO 9303-12 Table 6*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountryKind {
    /// The country signing CA itself.
    Csca,
    /// A document signer.
    DocumentSigner,
    /// A signer of master lists.
    MasterListSigner,
}

impl CountryKind {
    /// Returns its name, as profiles write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csca => "csca",
            Self::DocumentSigner => "document-signer",
            Self::MasterListSigner => "master-list-signer",
        }
    }
}

/// Why a profile was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CountryProfileError {
    /// The text is not TOML of the right shape; the source names line and column.
    #[error("the certificate profile does not parse")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A field that contradicts another or the standard.
    #[error("certificate profile {name:?}: {field}: {reason}")]
    Contradiction {
        /// The profile's name.
        name: String,
        /// The field's dotted name.
        field: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A profile that has been proved.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryProfile {
    name: String,
    kind: CountryKind,
    subject: Subject,
    pub(super) contact: Contact,
    key: KeyRule,
    period: Periods,
    /// Where the CSCA's revocation list is.
    #[serde(default)]
    crl: Vec<HttpUrl>,
    #[serde(default)]
    document_types: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    country: String,
    organization: Option<String>,
    unit: Option<String>,
    common_name: String,
}

/// What the alternative names say (*ICAO 9303-12 §7.1.1.2*).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    /// The country as the MRZ has it: `LVA`, `D`.
    pub(super) country_code: String,
    pub(super) email: Option<String>,
    pub(super) dns: Option<String>,
    pub(super) url: Option<HttpUrl>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRule {
    algorithms: Vec<KeyName>,
    #[serde(default)]
    curve: CurveForm,
}

/// How a certificate gives the curve of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CurveForm {
    /// With all its parameters, as *ICAO 9303-12 §4.1.6.3* demands.
    #[default]
    SpeltOut,
    /// By name, as *RFC 5480* has it: for readers that know nothing else.
    Named,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Periods {
    /// How long the key signs, in months.
    key_use_months: u16,
    /// CSCA: how long the keys of its document signers sign at most.
    #[serde(default)]
    signer_key_use_months: u16,
    /// The longest document, in years; of one that begins later than it is issued, with that time.
    #[serde(default)]
    document_years: u16,
}

/// When a key signs, and its certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) from: Timestamp,
    pub(super) key_until: Timestamp,
    pub(super) until: Timestamp,
}

impl CountryProfile {
    /// Returns the profile that `text` describes.
    ///
    /// # Errors
    /// [`CountryProfileError`].
    pub fn parse(text: &str) -> Result<Self, CountryProfileError> {
        let profile: Self =
            toml::from_str(text).map_err(|error| CountryProfileError::Syntax(Box::new(error)))?;
        match profile.contradiction() {
            None => Ok(profile),
            Some((field, reason)) => Err(CountryProfileError::Contradiction {
                name: profile.name,
                field,
                reason,
            }),
        }
    }

    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let is_csca = self.kind == CountryKind::Csca;
        let is_signer = self.kind == CountryKind::DocumentSigner;
        let code = self.contact.country_code.as_bytes();
        let upper = |text: &[u8]| text.iter().all(u8::is_ascii_uppercase);
        let contact = [&self.contact.email, &self.contact.dns];
        let is_ascii = contact
            .into_iter()
            .flatten()
            .all(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
        let least = |length: usize| {
            let strong = |key: &KeyName| key.0.modulus_length().is_none_or(|own| own >= length);
            self.key.algorithms.iter().all(strong)
        };
        let is_type = |kind: &String| (1..=2).contains(&kind.len()) && upper(kind.as_bytes());
        let periods = self.period;
        [
            (self.name.trim().is_empty(), "name", "is empty"),
            (self.subject().is_err(), "subject", "does not make a name"),
            (
                !matches!(code.len(), 1..=3) || !upper(code),
                "contact.country_code",
                "is one to three capital letters, as the MRZ has the issuing state",
            ),
            (
                !is_ascii,
                "contact",
                "is empty, or has a character outside ASCII",
            ),
            (
                self.key.algorithms.is_empty(),
                "key.algorithms",
                "allows no key at all",
            ),
            (
                is_csca && !least(384),
                "key.algorithms",
                "a CSCA's RSA key has 3072 bits or more (ICAO 9303-12 §4.1.6)",
            ),
            (
                !(1..=120).contains(&periods.key_use_months),
                "period.key_use_months",
                "is not within 1 to 120",
            ),
            (
                is_csca != (1..=120).contains(&periods.signer_key_use_months),
                "period.signer_key_use_months",
                "is a CSCA's, and within 1 to 120",
            ),
            (
                (is_csca || is_signer) != (1..=50).contains(&periods.document_years),
                "period.document_years",
                "is needed but for a master list signer, and within 1 to 50",
            ),
            (
                is_csca == self.crl.is_empty(),
                "crl",
                "is a CSCA's: its addresses go into all that it issues",
            ),
            (
                is_signer == self.document_types.is_empty(),
                "document_types",
                "is a document signer's: the types of document as the MRZ has them",
            ),
            (
                !self.document_types.iter().all(is_type) || self.document_types.len() > 64,
                "document_types",
                "has a type that is not one or two capital letters",
            ),
        ]
        .into_iter()
        .find_map(|(wrong, field, reason)| wrong.then_some((field, reason)))
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it is of.
    pub fn kind(&self) -> CountryKind {
        self.kind
    }

    /// Returns the types of document that a document signer signs.
    pub fn document_types(&self) -> &[String] {
        &self.document_types
    }

    /// Returns the country of the subject: two capital letters.
    pub fn country(&self) -> &str {
        &self.subject.country
    }

    /// Returns whether it allows a key of this kind.
    pub fn allows(&self, key: KeyAlgorithm) -> bool {
        self.key.algorithms.contains(&KeyName(key))
    }

    /// Returns the subject's name: country in PrintableString, the others in UTF8String (*ICAO
    /// 9303-12 §7.1.1.1*).
    ///
    /// # Errors
    /// [`NameError`].
    pub fn subject(&self) -> Result<DistinguishedName, NameError> {
        let subject = &self.subject;
        let mut name = DistinguishedName::builder().with(AttributeType::Country, &*subject.country);
        if let Some(organization) = &subject.organization {
            name = name.with(AttributeType::Organization, &**organization);
        }
        if let Some(unit) = &subject.unit {
            name = name.with(AttributeType::OrganizationalUnit, &**unit);
        }
        name.with(AttributeType::CommonName, &*subject.common_name)
            .build()
    }

    pub(super) fn crl(&self) -> impl Iterator<Item = &str> {
        self.crl.iter().map(|url| url.0.as_str())
    }

    pub(super) fn spells_curves_out(&self) -> bool {
        self.key.curve == CurveForm::SpeltOut
    }

    /// Returns the times of a certificate that begins at `from`: the key signs for its months; the
    /// certificate holds as long as what was signed with the key on its last day (*ICAO 9303-12
    /// §4.1.1.1, §4.1.4.1*): a document signer's for the longest document more, a CSCA's for the
    /// use of a document signer's key and the longest document more.
    pub(super) fn times(&self, from: Timestamp) -> Option<Times> {
        let end = |months: u16| {
            from.to_zoned(TimeZone::UTC)
                .checked_add(Span::new().months(months))
                .and_then(|end| end.timestamp().checked_sub(SignedDuration::from_secs(1)))
                .ok()
        };
        let period = self.period;
        let all = period.key_use_months + period.signer_key_use_months + 12 * period.document_years;
        Some(Times {
            from,
            key_until: end(period.key_use_months)?,
            until: end(all)?,
        })
    }

    /// Returns how long a key of this profile signs at most, in months.
    pub(super) fn key_use_months(&self) -> u16 {
        self.period.key_use_months
    }

    /// Returns the longest document, in years.
    pub(super) fn document_years(&self) -> u16 {
        self.period.document_years
    }
}
