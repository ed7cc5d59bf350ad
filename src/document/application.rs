//! Applications: the form in which they are imported and exported.
//!
//! Format 1 is one JSON object of at most 2 MiB:
//!
//! ```json
//! { "format": 1, "reference": "APP-2026-000001", "kind": "id-card",
//!   "source": "population-register",
//!   "holder": { "surname": "…", "given_names": "…", "personal_code": "DDMMYY-NNNNN",
//!               "birth_date": "YYYY-MM-DD", "sex": "F", "nationality": "LVA",
//!               "birth_place": "…" },
//!   "portrait":  { "media_type": "image/jpeg", "data": "base64" },
//!   "signature": { "media_type": "image/png", "data": "base64" },
//!   "fingerprints": [ { "finger": "right-index",
//!                       "media_type": "image/x-wsq", "data": "base64" } ],
//!   "office": "RIGA-1", "priority": "normal", "certificates_consent": true }
//! ```
//!
//! `signature`, `fingerprints` and `birth_place` may be absent. A field that the format does not
//! have is a fault, not ignored: it may carry what the sender relies on.

mod fault;
mod package;
mod reader;
mod reference;
mod subject;
mod tree;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde::ser::{Serialize, SerializeStruct, Serializer};

pub use fault::{Fault, FaultCode};
pub use package::{
    Action, Entry, MAX_PACKAGE_BYTES, MAX_PACKAGE_ENTRIES, Package, PackageCause,
    PackageCauseError, PackageVerb, SourceName, SourceNameError,
};
pub use reference::{CodeError, OfficeCode, Reference};

use crate::named::named;
use crate::{
    CERTIFICATE_AGE, FINGERPRINT_LIMITS, Fingerprint, Holder, Image, Kind, MAX_FINGERPRINTS,
    PORTRAIT_LIMITS, SIGNATURE_LIMITS,
};
use reader::{Fields, Reader};
use subject::Subject;
use tree::Tree;

/// Most bytes of an application in JSON: room for pictures that are as long as each may be.
pub const MAX_APPLICATION_BYTES: usize = 2 * 1024 * 1024;

/// Most faults that are listed of one application; the last one says if there are more.
pub const MAX_FAULTS: usize = 200;

/// The format that is read and written.
const FORMAT: u64 = 1;

/// Years after which nobody is taken to be alive. It also keeps the two-digit
/// year of the machine readable zone readable.
const LONGEST_LIFE: i16 = 125;

named! {
    /// The register that an application comes from.
    "source" enum Source {
        /// Register of Natural Persons, the former Population Register.
        PopulationRegister = "population-register",
        /// The document system's own orders.
        Padis = "padis",
        /// Residence Permit Register.
        ResidencePermitRegister = "residence-permit-register",
        /// Asylum Seeker Register: travel documents of those who were given protection. The
        /// one-year cards of asylum seekers are not issued here.
        AsylumSeekerRegister = "asylum-seeker-register",
        /// Typed in at an office.
        Counter = "counter",
    }
}

named! {
    /// How soon a document is due.
    "priority" enum Priority {
        /// Ten working days.
        Normal = "normal",
        /// Two working days.
        Urgent = "urgent",
    }
}

impl Source {
    /// Tells whether applications for this kind of document may come from here.
    #[must_use]
    pub const fn may_send(self, kind: Kind) -> bool {
        !matches!(
            (self, kind),
            (Self::AsylumSeekerRegister, Kind::AlienIdCard)
        )
    }
}

impl Priority {
    /// Returns the working days within which the document must be made.
    #[must_use]
    pub const fn working_days(self) -> u8 {
        match self {
            Self::Normal => 10,
            Self::Urgent => 2,
        }
    }
}

/// An application for a document, whole and valid.
///
/// Personal data: `Debug` shows the reference and the kind only.
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// The sender's reference, unique to the sender.
    pub reference: Reference,
    /// The kind of document.
    pub kind: Kind,
    /// Where it comes from.
    pub source: Source,
    /// Whom the document is about.
    pub holder: Holder,
    /// The holder's face.
    pub portrait: Image,
    /// The holder's signature, where one was given.
    pub signature: Option<Image>,
    /// The holder's fingerprints, each of another finger; none where none could be taken.
    pub fingerprints: Vec<Fingerprint>,
    /// The office that hands the document over.
    pub office: OfficeCode,
    /// How soon it is due.
    pub priority: Priority,
    /// Whether the holder agreed to certificates.
    pub certificates_consent: bool,
}

impl Application {
    /// Reads an application in JSON, format 1, as of `today`.
    ///
    /// # Errors
    ///
    /// Every fault, in the order of the format's fields; nothing is read of a
    /// faulty application.
    pub fn parse(bytes: &[u8], today: Date) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::default();
        let application = Self::read(&mut reader, bytes, today);
        let faults = reader.into_faults();
        application.filter(|_| faults.is_empty()).ok_or(faults)
    }

    /// Returns what is wrong between fields, each valid by itself, as of `today`:
    /// code and birth date, nationality and kind, dates.
    ///
    /// [`Application::parse`] does this too; it is for applications made otherwise.
    #[must_use]
    pub fn faults(&self, today: Date) -> Vec<Fault> {
        let mut reader = Reader::default();
        Subject::from(self.holder.clone()).judge(&mut reader, Some(self.kind), today);
        reader.into_faults()
    }

    /// Returns the application in JSON, format 1, which [`Application::parse`] reads.
    ///
    /// # Errors
    ///
    /// Only what `serde_json` may report; no value of an application causes it.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// Tells whether a document issued on `day` carries certificates: the holder
    /// has consented and is of age for them ([`CERTIFICATE_AGE`]).
    #[must_use]
    pub fn carries_certificates(&self, day: Date) -> bool {
        self.certificates_consent
            && self
                .holder
                .age_on(day)
                .is_some_and(|age| age >= CERTIFICATE_AGE)
    }

    fn read(reader: &mut Reader, bytes: &[u8], today: Date) -> Option<Self> {
        if bytes.len() > MAX_APPLICATION_BYTES {
            let message = format!("must be at most {MAX_APPLICATION_BYTES} bytes");
            reader.add("", FaultCode::ApplicationTooLarge, message);
            return None;
        }
        let tree = reader.json(bytes)?;
        Self::read_tree(reader, tree, today)
    }

    fn read_tree(reader: &mut Reader, tree: Tree, today: Date) -> Option<Self> {
        let Tree::Object(_) = tree else {
            reader.add(
                "",
                FaultCode::NotJson,
                format!("must be a JSON object, not {}", tree.type_name()),
            );
            return None;
        };
        if states_other_format(&tree) {
            // Not even which fields there are could be judged.
            let message = format!("must be {FORMAT}; other formats are not read");
            reader.add("format", FaultCode::UnsupportedFormat, message);
            return None;
        }
        let mut fields = reader.object(
            tree,
            "",
            &[
                "format",
                "reference",
                "kind",
                "source",
                "holder",
                "portrait",
                "signature",
                "fingerprints",
                "office",
                "priority",
                "certificates_consent",
            ],
        )?;
        Self::fields(reader, &mut fields, today)
    }

    fn fields(reader: &mut Reader, fields: &mut Fields, today: Date) -> Option<Self> {
        let format = reader.required(fields, "format", "the number 1");
        if let Some(tree) = &format
            && !matches!(tree, Tree::Number(Some(FORMAT)))
        {
            reader.wrong_type("format", "the number 1", tree);
        }
        let reference = reader.parsed(fields, "reference", Reference::parse);
        let kind: Option<Kind> = reader.named(fields, "kind");
        let source: Option<Source> = reader.named(fields, "source");
        if let (Some(kind), Some(source)) = (kind, source)
            && !source.may_send(kind)
        {
            let message = format!("must be a kind that {source} may ask for; {kind} is none");
            reader.add("kind", FaultCode::KindNotForSource, message);
        }
        let holder = reader.required(fields, "holder", "an object");
        let holder = holder.and_then(|tree| {
            let subject = Subject::read(reader, tree);
            subject.judge(reader, kind, today);
            subject.finish()
        });
        let portrait = reader.required(fields, "portrait", "an object with media_type and data");
        let portrait = portrait.and_then(|tree| reader.image(tree, "portrait", PORTRAIT_LIMITS));
        let signature = match fields.take("signature") {
            None => Some(None),
            Some(tree) => reader.image(tree, "signature", SIGNATURE_LIMITS).map(Some),
        };
        let fingerprints = Self::fingerprints(reader, fields);
        let office = reader.parsed(fields, "office", OfficeCode::parse);
        let priority = reader.named(fields, "priority");
        let certificates_consent = reader.boolean(fields, "certificates_consent");
        Some(Self {
            reference: reference?,
            kind: kind?,
            source: source?,
            holder: holder?,
            portrait: portrait?,
            signature: signature?,
            fingerprints: fingerprints?,
            office: office?,
            priority: priority?,
            certificates_consent: certificates_consent?,
        })
    }

    fn fingerprints(reader: &mut Reader, fields: &mut Fields) -> Option<Vec<Fingerprint>> {
        let Some(tree) = fields.take("fingerprints") else {
            return Some(Vec::new());
        };
        let list = reader.list(tree, "fingerprints", MAX_FINGERPRINTS)?;
        let mut fingerprints: Vec<Fingerprint> = Vec::with_capacity(list.len());
        let mut whole = true;
        for (index, tree) in list.into_iter().enumerate() {
            let path = format!("fingerprints[{index}]");
            let Some((position, image)) = reader.fingerprint(tree, &path, FINGERPRINT_LIMITS)
            else {
                whole = false;
                continue;
            };
            if fingerprints.iter().any(|other| other.position == position) {
                reader.add(
                    &format!("{path}.finger"),
                    FaultCode::Repeated,
                    format!("is {position} again; each finger stands there once"),
                );
                whole = false;
            }
            fingerprints.push(Fingerprint { position, image });
        }
        whole.then_some(fingerprints)
    }
}

/// Tells whether the application states a format, and not this one.
fn states_other_format(tree: &Tree) -> bool {
    let Tree::Object(entries) = tree else {
        return false;
    };
    let format = entries.iter().find(|(name, _)| name == "format");
    matches!(format, Some((_, Tree::Number(number))) if *number != Some(FORMAT))
}

impl Serialize for Application {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let length =
            9 + usize::from(self.signature.is_some()) + usize::from(!self.fingerprints.is_empty());
        let mut fields = serializer.serialize_struct("Application", length)?;
        fields.serialize_field("format", &FORMAT)?;
        fields.serialize_field("reference", &self.reference)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("source", &self.source)?;
        fields.serialize_field("holder", &self.holder)?;
        fields.serialize_field("portrait", &Encoded(&self.portrait))?;
        match &self.signature {
            Some(signature) => fields.serialize_field("signature", &Encoded(signature))?,
            None => fields.skip_field("signature")?,
        }
        match self.fingerprints.as_slice() {
            [] => fields.skip_field("fingerprints")?,
            all => {
                let all: Vec<_> = all.iter().map(EncodedFinger).collect();
                fields.serialize_field("fingerprints", &all)?;
            }
        }
        fields.serialize_field("office", &self.office)?;
        fields.serialize_field("priority", &self.priority)?;
        fields.serialize_field("certificates_consent", &self.certificates_consent)?;
        fields.end()
    }
}

/// An image as `{"media_type", "data"}`.
struct Encoded<'a>(&'a Image);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Image", 2)?;
        fields.serialize_field("media_type", &self.0.media_type())?;
        fields.serialize_field("data", &STANDARD.encode(self.0.bytes()))?;
        fields.end()
    }
}

/// A fingerprint as `{"finger", "media_type", "data"}`.
struct EncodedFinger<'a>(&'a Fingerprint);

impl Serialize for EncodedFinger<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let image = &self.0.image;
        let mut fields = serializer.serialize_struct("Fingerprint", 3)?;
        fields.serialize_field("finger", &self.0.position)?;
        fields.serialize_field("media_type", &image.media_type())?;
        fields.serialize_field("data", &STANDARD.encode(image.bytes()))?;
        fields.end()
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({}, {}, …)", self.reference, self.kind)
    }
}

#[cfg(test)]
mod tests;
