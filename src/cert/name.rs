//! Distinguished names (*RFC 5280 §4.1.2.4*, Appendix A.1): building and reading.

use std::fmt;

use der::asn1::{Any, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Decode, Encode, Tag, Tagged};
use spki::ObjectIdentifier;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

/// The longest name that is read, in bytes of DER.
const MAX_NAME: usize = 4096;

/// Why a name was not built or not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A value is empty, too long, or has a character that its attribute does not allow. The value
    /// is not shown: it may be a person's name.
    #[error("attribute {attribute}: {reason}")]
    Value {
        /// The attribute.
        attribute: AttributeType,
        /// What is wrong with its value.
        reason: &'static str,
    },
    /// The bytes are not a name in DER, or are longer than any name needs.
    #[error("not a distinguished name in DER")]
    Syntax,
}

/// The kinds of attribute that names here are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// `countryName`: two capital letters (*ISO 3166-1*), PrintableString.
    Country,
    /// `organizationName`.
    Organization,
    /// `organizationalUnitName`.
    OrganizationalUnit,
    /// `organizationIdentifier` (*ETSI EN 319 412-1 §5.1.4*).
    OrganizationIdentifier,
    /// `commonName`.
    CommonName,
    /// `surname`.
    Surname,
    /// `givenName`.
    GivenName,
    /// `serialNumber`, PrintableString (*ETSI EN 319 412-1 §5.1.3* for persons).
    SerialNumber,
    /// Any other, when read.
    Other(ObjectIdentifier),
}

impl AttributeType {
    const NAMED: [Self; 8] = [
        Self::Country,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::OrganizationIdentifier,
        Self::CommonName,
        Self::Surname,
        Self::GivenName,
        Self::SerialNumber,
    ];

    /// Returns the attribute's object identifier (*X.520*).
    pub fn oid(self) -> ObjectIdentifier {
        const fn oid(text: &str) -> ObjectIdentifier {
            ObjectIdentifier::new_unwrap(text)
        }
        match self {
            Self::CommonName => const { oid("2.5.4.3") },
            Self::Surname => const { oid("2.5.4.4") },
            Self::SerialNumber => const { oid("2.5.4.5") },
            Self::Country => const { oid("2.5.4.6") },
            Self::Organization => const { oid("2.5.4.10") },
            Self::OrganizationalUnit => const { oid("2.5.4.11") },
            Self::GivenName => const { oid("2.5.4.42") },
            Self::OrganizationIdentifier => const { oid("2.5.4.97") },
            Self::Other(oid) => oid,
        }
    }

    fn from_oid(oid: ObjectIdentifier) -> Self {
        Self::NAMED
            .into_iter()
            .find(|kind| kind.oid() == oid)
            .unwrap_or(Self::Other(oid))
    }

    /// Returns the largest number of characters: *RFC 5280 Appendix A.1*, `ub-…`; for the parts of
    /// a person's name, which have no useful bound there, that of a common name.
    pub fn max_length(self) -> usize {
        match self {
            Self::Country => 2,
            _ => 64,
        }
    }

    fn is_printable(self) -> bool {
        matches!(self, Self::Country | Self::SerialNumber)
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country => f.write_str("C"),
            Self::Organization => f.write_str("O"),
            Self::OrganizationalUnit => f.write_str("OU"),
            Self::OrganizationIdentifier => f.write_str("organizationIdentifier"),
            Self::CommonName => f.write_str("CN"),
            Self::Surname => f.write_str("SN"),
            Self::GivenName => f.write_str("GN"),
            Self::SerialNumber => f.write_str("serialNumber"),
            Self::Other(oid) => write!(f, "{oid}"),
        }
    }
}

/// One attribute of a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its kind.
    pub kind: AttributeType,
    /// Its value; for a string type that is not read here, `#` and the DER in hexadecimal.
    pub value: String,
}

/// A distinguished name, kept as the DER it was read from or built into.
///
/// It may name a person: `Debug` shows nothing, `Display` everything. Names are equal when their
/// DER is (*RFC 5280 §7.1* would also accept other spellings of the same name; what is issued here
/// never needs that).
#[derive(Clone, PartialEq, Eq)]
pub struct DistinguishedName {
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

/// Builds a [`DistinguishedName`], attribute by attribute, in the order in which they are given.
#[derive(Clone, Default)]
pub struct NameBuilder {
    attributes: Vec<Attribute>,
}

impl NameBuilder {
    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, kind: AttributeType, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute {
            kind,
            value: value.into(),
        });
        self
    }

    /// Returns the name.
    ///
    /// Country and serial number are written as PrintableString, all others as UTF8String.
    ///
    /// # Errors
    /// [`NameError::Value`] naming the attribute; [`NameError::Syntax`] for a name without any.
    pub fn build(self) -> Result<DistinguishedName, NameError> {
        if self.attributes.is_empty() {
            return Err(NameError::Syntax);
        }
        let mut rdns = RdnSequence::default();
        for attribute in &self.attributes {
            let value = encode_value(attribute)?;
            let attribute = AttributeTypeAndValue {
                oid: attribute.kind.oid(),
                value,
            };
            let set = SetOfVec::from_iter([attribute]).map_err(|_| NameError::Syntax)?;
            rdns.push(RelativeDistinguishedName::from(set));
        }
        let der = rdns.to_der().map_err(|_| NameError::Syntax)?;
        Ok(DistinguishedName {
            der,
            attributes: self.attributes,
        })
    }
}

fn encode_value(attribute: &Attribute) -> Result<Any, NameError> {
    let Attribute { kind, value } = attribute;
    let refuse = |reason| NameError::Value {
        attribute: *kind,
        reason,
    };
    if value.trim() != value || value.is_empty() {
        return Err(refuse("is empty, or starts or ends with a blank"));
    }
    if value.chars().count() > kind.max_length() {
        return Err(refuse("is longer than the attribute allows"));
    }
    if value.chars().any(char::is_control) {
        return Err(refuse("has a control character"));
    }
    let country = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_uppercase());
    if *kind == AttributeType::Country && !country {
        return Err(refuse("is not a country code of two capital letters"));
    }
    if matches!(kind, AttributeType::Other(_)) {
        return Err(refuse("is not an attribute that names are built of here"));
    }
    let encoded = if kind.is_printable() {
        let printable = PrintableStringRef::new(value)
            .map_err(|_| refuse("has a character outside PrintableString"))?;
        Any::encode_from(&printable)
    } else {
        Utf8StringRef::new(value).and_then(|text| Any::encode_from(&text))
    };
    encoded.map_err(|_| NameError::Syntax)
}

impl DistinguishedName {
    /// Returns a builder.
    pub fn builder() -> NameBuilder {
        NameBuilder::default()
    }

    /// Reads a name from DER.
    ///
    /// # Errors
    /// [`NameError::Syntax`].
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        if der.len() > MAX_NAME {
            return Err(NameError::Syntax);
        }
        let name = Name::from_der(der).map_err(|_| NameError::Syntax)?;
        let attributes = name
            .iter()
            .map(|attribute| Attribute {
                kind: AttributeType::from_oid(attribute.oid),
                value: read_value(&attribute.value),
            })
            .collect();
        Ok(Self {
            der: der.to_vec(),
            attributes,
        })
    }

    /// Returns the name in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the attributes in order.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Returns the value of the first attribute of this kind.
    pub fn get(&self, kind: AttributeType) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.kind == kind)
            .map(|attribute| attribute.value.as_str())
    }
}

impl DistinguishedName {
    /// Returns whether two names are the same as *RFC 5280 §7.1* compares them: string types,
    /// letter case and blanks around and between words do not count. For names of states'
    /// authorities, of which some are spelt in two ways; equality is stricter.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let folded = |value: &str| {
            let words: Vec<_> = value.split_whitespace().collect();
            words.join(" ").to_lowercase()
        };
        let is_same = |(a, b): (&Attribute, &Attribute)| {
            a.kind == b.kind && folded(&a.value) == folded(&b.value)
        };
        self.der == other.der
            || (self.attributes.len() == other.attributes.len()
                && self.attributes.iter().zip(&other.attributes).all(is_same))
    }
}

fn read_value(value: &Any) -> String {
    let text = match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            std::str::from_utf8(value.value()).ok()
        }
        _ => None,
    };
    text.map_or_else(
        || format!("#{}", hex::encode(value.to_der().unwrap_or_default())),
        str::to_owned,
    )
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, attribute) in self.attributes.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{}=", attribute.kind)?;
            for character in attribute.value.chars() {
                match character {
                    ',' | '=' | '\\' | '+' | '"' | '<' | '>' | ';' => {
                        write!(f, "\\{character}")?;
                    }
                    // A name from outside must not steer a terminal.
                    control if control.is_control() => write!(f, "{}", control.escape_default())?,
                    plain => write!(f, "{plain}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DistinguishedName(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AttributeType, DistinguishedName, NameError};

    fn holder() -> DistinguishedName {
        DistinguishedName::builder()
            .with(AttributeType::Country, "LV")
            .with(AttributeType::CommonName, "ANDRIS PARAUDZIŅŠ")
            .with(AttributeType::Surname, "PARAUDZIŅŠ")
            .with(AttributeType::GivenName, "ANDRIS")
            .with(AttributeType::SerialNumber, "PNOLV-121282-88882")
            .build()
            .unwrap()
    }

    #[test]
    fn types_are_as_rfc_5280_has_them() {
        let der = hex::encode(holder().as_der());
        // C: PrintableString; CN: UTF8String with Ņ = C5 85, Š = C5 A0; serialNumber: PrintableString.
        assert!(der.contains("310b3009060355040613024c56"), "{der}");
        assert!(der.contains("06035504030c13414e44524953"), "{der}");
        assert!(der.contains("5a49c585c5a0"), "{der}");
        assert!(der.contains("06035504051312504e4f4c56"), "{der}");
    }

    #[test]
    fn names_read_back() {
        let name = holder();
        let read = DistinguishedName::from_der(name.as_der()).unwrap();
        assert!(read == name);
        assert_eq!(
            read.to_string(),
            "C=LV, CN=ANDRIS PARAUDZIŅŠ, SN=PARAUDZIŅŠ, GN=ANDRIS, serialNumber=PNOLV-121282-88882"
        );
        assert_eq!(read.get(AttributeType::GivenName), Some("ANDRIS"));
        assert_eq!(read.get(AttributeType::Organization), None);
        assert_eq!(format!("{read:?}"), "DistinguishedName(..)");
    }

    #[test]
    fn bad_values_are_refused_without_being_shown() {
        for (kind, value) in [
            (AttributeType::Country, "lv"),
            (AttributeType::Country, "LVA"),
            (AttributeType::CommonName, ""),
            (AttributeType::CommonName, " X"),
            (AttributeType::CommonName, "A\u{7}B"),
            (AttributeType::SerialNumber, "PNOLV_1"),
            (AttributeType::SerialNumber, "PNOLV-Ņ"),
        ] {
            let error = DistinguishedName::builder()
                .with(kind, value)
                .build()
                .unwrap_err();
            assert!(matches!(error, NameError::Value { attribute, .. } if attribute == kind));
        }
        let long = DistinguishedName::builder().with(AttributeType::CommonName, "Ž".repeat(65));
        assert!(long.build().is_err());
        let longest = DistinguishedName::builder().with(AttributeType::CommonName, "Ž".repeat(64));
        assert!(longest.build().is_ok());
        assert!(DistinguishedName::builder().build().is_err());
    }

    proptest! {
        #[test]
        fn any_name_round_trips(cn in "[A-ZĀČĒĢĪĶĻŅŠŪŽ' -]{1,30}x", serial in "[A-Z0-9-]{1,40}") {
            let cn = cn.trim_start().to_owned();
            let name = DistinguishedName::builder()
                .with(AttributeType::CommonName, cn.clone())
                .with(AttributeType::SerialNumber, serial)
                .build()
                .unwrap();
            let read = DistinguishedName::from_der(name.as_der()).unwrap();
            prop_assert!(read == name);
            prop_assert_eq!(read.get(AttributeType::CommonName), Some(cn.as_str()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = DistinguishedName::from_der(&bytes);
        }
    }
}
