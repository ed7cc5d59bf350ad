//! What only a qualified authority's certificates state: QC statements (*ETSI EN 319 412-5*), and
//! the words that profiles have for them.

use cert::{DisclosureStatement, QC_TYPE_SIGNATURE, QcStatements, SEMANTICS_NATURAL};
use serde::Deserialize;
use spki::ObjectIdentifier;

use crate::vocabulary::HttpUrl;

/// `[qc_statements]`: what a qualified authority is to state.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QcRule {
    /// `QcCompliance` (*§4.2.1*).
    #[serde(default)]
    pub(crate) compliance: bool,
    /// `QcSSCD` (*§4.2.2*).
    #[serde(default)]
    pub(crate) secure_device: bool,
    /// `QcType` (*§4.2.3*).
    #[serde(rename = "type")]
    pub(crate) kind: Option<QcType>,
    /// `pkixQCSyntax-v2` with the semantics of the subject's identifier (*EN 319 412-1 §5.1*).
    pub(crate) semantics: Option<Semantics>,
    /// `QcPDS` (*§4.3.4*).
    #[serde(default)]
    pub(crate) disclosure: Vec<Disclosure>,
    /// `QcCClegislation` (*§4.2.4*): left out, it is the Union's.
    #[serde(default)]
    pub(crate) legislation: Vec<Country>,
    /// `QcRetentionPeriod` (*§4.3.3*).
    pub(crate) retention_years: Option<u32>,
}

/// What a certificate is qualified for. Seals and web sites are nobody's who holds a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum QcType {
    #[serde(rename = "esign")]
    Signature,
}

/// What the subject's identifier means. A legal person holds no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Semantics {
    #[serde(rename = "natural-person")]
    NaturalPerson,
}

/// One disclosure statement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disclosure {
    pub(crate) url: HttpsUrl,
    pub(crate) language: Language,
}

/// An address that is fetched over TLS, as *§4.3.4* wants it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HttpsUrl(pub(crate) String);

impl TryFrom<String> for HttpsUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.starts_with("https://") {
            return Err(format!("{text:?} is no https address"));
        }
        HttpUrl::try_from(text).map(|url| Self(url.0))
    }
}

/// A language by two small letters (*ISO 639-1*).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Language(pub(crate) String);

impl TryFrom<String> for Language {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
            true => Ok(Self(text)),
            false => Err(format!("{text:?} is no language: two small letters")),
        }
    }
}

/// A country by two capital letters (*ISO 3166-1*).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Country(pub(crate) String);

impl TryFrom<String> for Country {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            true => Ok(Self(text)),
            false => Err(format!("{text:?} is no country: two capital letters")),
        }
    }
}

impl QcRule {
    /// Returns the statements as a certificate of the profile has them.
    pub(crate) fn statements(&self) -> QcStatements {
        let located = |disclosure: &Disclosure| DisclosureStatement {
            url: disclosure.url.0.clone(),
            language: disclosure.language.0.clone(),
        };
        QcStatements {
            compliance: self.compliance,
            secure_device: self.secure_device,
            types: self.kind.iter().map(|kind| kind.oid()).collect(),
            legislation: self.legislation.iter().map(|c| c.0.clone()).collect(),
            retention_years: self.retention_years,
            disclosure: self.disclosure.iter().map(located).collect(),
            semantics: self.semantics.map(Semantics::oid),
            others: Vec::new(),
        }
    }
}

impl QcType {
    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Signature => QC_TYPE_SIGNATURE,
        }
    }
}

impl Semantics {
    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::NaturalPerson => SEMANTICS_NATURAL,
        }
    }
}

/// Returns the first statement in which a certificate differs from what was ordered: too few say
/// less than a relying party is promised, and each one more is a claim or a limit that nobody
/// ordered.
pub(crate) fn difference(said: &QcStatements, ordered: &QcStatements) -> Option<&'static str> {
    let sorted = |disclosure: &[DisclosureStatement]| {
        // EN 319 412-5 §4.3.4: in whatever order; a language's letters may be large.
        let mut all: Vec<_> = disclosure
            .iter()
            .map(|at| (at.language.to_ascii_lowercase(), at.url.clone()))
            .collect();
        all.sort_unstable();
        all
    };
    [
        (
            said.compliance != ordered.compliance,
            "qcStatements: QcCompliance",
        ),
        (
            said.secure_device != ordered.secure_device,
            "qcStatements: QcSSCD",
        ),
        (said.types != ordered.types, "qcStatements: QcType"),
        (
            said.legislation != ordered.legislation,
            "qcStatements: QcCClegislation",
        ),
        (
            said.retention_years != ordered.retention_years,
            "qcStatements: QcRetentionPeriod",
        ),
        (
            sorted(&said.disclosure) != sorted(&ordered.disclosure),
            "qcStatements: QcPDS",
        ),
        (
            said.semantics != ordered.semantics,
            "qcStatements: pkixQCSyntax-v2",
        ),
        (
            said.others != ordered.others,
            "qcStatements: a statement beside those",
        ),
    ]
    .into_iter()
    .find_map(|(differs, field)| differs.then_some(field))
}
