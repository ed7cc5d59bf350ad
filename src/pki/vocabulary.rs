//! The words that certificate profiles are written in. Each is judged where it is read, so that a
//! fault is reported with line and column.

use cert::{AttributeType, Curve, KeyAlgorithm};
use serde::Deserialize;
use spki::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsages;

/// A bit of `keyUsage` (*RFC 5280 §4.2.1.3*). Those for encryption are no words here: EC keys do
/// not encrypt (*RFC 8813 §3*), and a holder's key that decrypts would have to be kept, RSA or
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Usage {
    #[serde(rename = "digitalSignature")]
    DigitalSignature,
    #[serde(rename = "nonRepudiation")]
    NonRepudiation,
    #[serde(rename = "keyCertSign")]
    KeyCertSign,
    #[serde(rename = "cRLSign")]
    CrlSign,
}

impl Usage {
    pub(crate) fn bit(self) -> KeyUsages {
        match self {
            Self::DigitalSignature => KeyUsages::DigitalSignature,
            Self::NonRepudiation => KeyUsages::NonRepudiation,
            Self::KeyCertSign => KeyUsages::KeyCertSign,
            Self::CrlSign => KeyUsages::CRLSign,
        }
    }
}

/// A purpose of `extendedKeyUsage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Purpose {
    #[serde(rename = "clientAuth")]
    ClientAuth,
    #[serde(rename = "emailProtection")]
    EmailProtection,
    /// *RFC 9336*.
    #[serde(rename = "documentSigning")]
    DocumentSigning,
    /// The card shows that it is itself, and nobody's consent: `id-PIV-cardAuth` (*FIPS 201-3
    /// §4.2.2.2*).
    #[serde(rename = "cardAuth")]
    CardAuthentication,
    /// *RFC 6960 §4.2.2.2*.
    #[serde(rename = "OCSPSigning")]
    OcspSigning,
}

impl Purpose {
    pub(crate) fn oid(self) -> ObjectIdentifier {
        match self {
            Self::ClientAuth => const { ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2") },
            Self::EmailProtection => const { ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4") },
            Self::DocumentSigning => const { ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36") },
            Self::CardAuthentication => cert::CARD_AUTHENTICATION,
            Self::OcspSigning => cert::ocsp::OCSP_SIGNING,
        }
    }
}

/// A kind of key that is certified, by the name that chip profiles use
/// ([`KeyAlgorithm::name`]); the names of curves as they were written before are words too. A key
/// whose signatures mean nothing is no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeyName(pub(crate) KeyAlgorithm);

impl TryFrom<String> for KeyName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let algorithm = match text.as_str() {
            "P-256" => Some(KeyAlgorithm::Ec(Curve::P256)),
            "P-384" => Some(KeyAlgorithm::Ec(Curve::P384)),
            name => KeyAlgorithm::named(name),
        };
        match algorithm {
            Some(algorithm) if algorithm.may_sign() => Ok(Self(algorithm)),
            Some(weak) => Err(format!("{weak} keys are too short to be certified")),
            None => {
                let known = KeyAlgorithm::ALL
                    .into_iter()
                    .filter(|algorithm| algorithm.may_sign())
                    .map(KeyAlgorithm::name);
                let known = known.collect::<Vec<_>>().join(", ");
                Err(format!("{text:?} is no kind of key; there are {known}"))
            }
        }
    }
}

/// An attribute of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum AttributeName {
    C,
    O,
    #[serde(rename = "OU")]
    Ou,
    #[serde(rename = "organizationIdentifier")]
    OrganizationIdentifier,
    #[serde(rename = "CN")]
    Cn,
    #[serde(rename = "SN")]
    Sn,
    #[serde(rename = "GN")]
    Gn,
    #[serde(rename = "serialNumber")]
    SerialNumber,
}

impl AttributeName {
    pub(crate) fn kind(self) -> AttributeType {
        match self {
            Self::C => AttributeType::Country,
            Self::O => AttributeType::Organization,
            Self::Ou => AttributeType::OrganizationalUnit,
            Self::OrganizationIdentifier => AttributeType::OrganizationIdentifier,
            Self::Cn => AttributeType::CommonName,
            Self::Sn => AttributeType::Surname,
            Self::Gn => AttributeType::GivenName,
            Self::SerialNumber => AttributeType::SerialNumber,
        }
    }
}

/// A certificate policy of a holder's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Policy(pub(crate) ObjectIdentifier);

/// QCP-n: a qualified certificate for a natural person (*ETSI EN 319 411-2 §5.3*).
pub(crate) const QCP_NATURAL: Policy =
    Policy(const { ObjectIdentifier::new_unwrap("0.4.0.194112.1.0") });
/// QCP-n-qscd: the same, with the key in a qualified device.
pub(crate) const QCP_NATURAL_DEVICE: Policy =
    Policy(const { ObjectIdentifier::new_unwrap("0.4.0.194112.1.2") });

/// *RFC 5280 §4.2.1.4*: whatever there is.
const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");

/// The arcs of qualified certificates: policies (*EN 319 411-2*, and *TS 101 456* before it),
/// statements and semantics (*EN 319 412-5*, *-1*), which are no policies and claim as much.
const QUALIFIED: [&str; 4] = ["0.4.0.194112", "0.4.0.1456", "0.4.0.1862", "0.4.0.194121"];

impl Policy {
    /// Returns whether it claims a qualified status, or all that there are.
    pub(crate) fn claims_qualified(self) -> bool {
        let text = self.0.to_string();
        let is_in = |arc: &&str| {
            let rest = text.strip_prefix(*arc);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.0 == ANY_POLICY || QUALIFIED.iter().any(is_in)
    }
}

impl TryFrom<String> for Policy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let policy = ObjectIdentifier::new(&text)
            .map(Self)
            .map_err(|_| format!("policy {text:?} is no object identifier"))?;
        if policy.claims_qualified() && ![QCP_NATURAL, QCP_NATURAL_DEVICE].contains(&policy) {
            return Err(format!(
                "policy {text} is none of a holder's; qualified ones are {} and {}",
                QCP_NATURAL.0, QCP_NATURAL_DEVICE.0
            ));
        }
        Ok(policy)
    }
}

/// The text that is shown to whoever relies on a certificate (*RFC 5280 §4.2.1.4*,
/// `explicitText`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Notice(pub(crate) String);

impl TryFrom<String> for Notice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > 200 {
            return Err("a notice has 1 to 200 characters".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("a notice has no control characters".to_owned());
        }
        Ok(Self(text))
    }
}

/// An address from which relying parties fetch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HttpUrl(pub(crate) String);

impl TryFrom<String> for HttpUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"));
        let sound = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && text.len() <= 255
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !br#"<>"\^`{|}"#.contains(&byte));
        if sound {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no http or https address"))
        }
    }
}
