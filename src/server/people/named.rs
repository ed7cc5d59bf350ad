//! Names, numbers and states as they stand on the wire, with their schemas.

use std::borrow::Cow;

use document::life_cycle::{
    ApplicationState, BlankState, CertificateState, DocumentEvent, DocumentState, EnvelopeState,
    IncidentKind, IncidentState, LeaseState, LifeCycle, ParcelState, RevocationCause, RibbonState,
    StationState,
};
use document::{Kind, Purpose, Role, Source as Register};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text of a bounded form.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $pattern:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) String);

        /// Longer than the document has it is refused here; its form, by what it is given to.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                if text.chars().count() > $most {
                    let reason = concat!("longer than ", $most, " characters");
                    return Err(serde::de::Error::custom(reason));
                }
                Ok(Self(text))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "minLength": 1, "maxLength": $most })
            }
        }
    };
}

text!(
    /// An account's name.
    AccountName, "^[a-z0-9._-]{1,64}$", 64
);
text!(
    /// A station's name.
    StationName, "^[a-z0-9._-]{1,64}$", 64
);
text!(
    /// An application's reference.
    ApplicationReference, "^[A-Z0-9]+(-[A-Z0-9]+)*$", 40
);
text!(
    /// A document's number.
    Number, "^[A-Z]{2}[0-9]{7}$", 9
);
text!(
    /// The serial number of a PIN envelope.
    EnvelopeSerial, "^PE[0-9]{7,12}$", 14
);
text!(
    /// The serial number that is printed on a blank.
    BlankSerial, "^[A-Z0-9-]{1,32}$", 32
);
text!(
    /// The serial number that stands on a ribbon.
    RibbonSerial, "^[A-Z0-9-]{1,32}$", 32
);
text!(
    /// What a ribbon is.
    RibbonItem, "^[a-z0-9-]{1,64}$", 64
);
text!(
    /// The code of an office or a store.
    PlaceCode, "^[A-Z0-9-]{1,20}$", 20
);
text!(
    /// The serial number of a parcel.
    ParcelSerial, "^PA[0-9]{7,12}$", 14
);
text!(
    /// How something is sent: a consignment's number, say.
    WayText, "^[A-Za-z0-9./_-]{1,40}$", 40
);
text!(
    /// The name of a source of applications.
    SourceText, "^[a-z0-9]+(-[a-z0-9]+)*$", 64
);
text!(
    /// The thumbprint of a key (RFC 7638, SHA-256, base64url).
    Thumbprint, "^[A-Za-z0-9_-]{43}$", 43
);
text!(
    /// Why: one line.
    CauseText, "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$", 200
);
text!(
    /// What blanks are, as their accounts name it.
    ItemText, "^[\\s\\S]+$", 512
);

/// A value with a wire name, one of a closed list.
macro_rules! listed {
    ($(#[$doc:meta])* $name:ident, $of:ty, $schema:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $of);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $schema.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let names: Vec<_> = <$of>::ALL.iter().map(|one| one.name()).collect();
                json_schema!({ "type": "string", "enum": names })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.name())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse()
                    .map(Self)
                    .map_err(|_| serde::de::Error::custom("it is none of the list"))
            }
        }
    };
}

listed!(
    /// A role.
    RoleName, Role, "Role"
);
listed!(
    /// A kind of document.
    KindName, Kind, "Kind"
);
listed!(
    /// The state of an application.
    ApplicationStateName, ApplicationState, "ApplicationState"
);
listed!(
    /// The state of a document.
    DocumentStateName, DocumentState, "DocumentState"
);
/// The state of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CertificateStateName(pub(crate) CertificateState);

impl JsonSchema for CertificateStateName {
    fn schema_name() -> Cow<'static, str> {
        "CertificateState".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = CertificateState::all()
            .iter()
            .map(ToString::to_string)
            .collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

impl Serialize for CertificateStateName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

listed!(
    /// The state of a PIN envelope.
    EnvelopeStateName, EnvelopeState, "EnvelopeState"
);
listed!(
    /// The state of a station.
    StationStateName, StationState, "StationState"
);
listed!(
    /// The account that a blank is in.
    BlankStateName, BlankState, "BlankState"
);

listed!(
    /// The state of a ribbon.
    RibbonStateName, RibbonState, "RibbonState"
);
listed!(
    /// What happened to a document.
    DocumentEventName, DocumentEvent, "DocumentEvent"
);
listed!(
    /// Why a document that was handed over ends.
    RevocationCauseName, RevocationCause, "RevocationCause"
);
listed!(
    /// The state of a parcel.
    ParcelStateName, ParcelState, "ParcelState"
);
listed!(
    /// The state of a lease.
    LeaseStateName, LeaseState, "LeaseState"
);
listed!(
    /// What a lease is for.
    PurposeName, Purpose, "Purpose"
);
listed!(
    /// The kind of an incident.
    IncidentKindName, IncidentKind, "IncidentKind"
);
listed!(
    /// The state of an incident.
    IncidentStateName, IncidentState, "IncidentState"
);
listed!(
    /// A register that sends applications.
    RegisterName, Register, "Register"
);

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moment(pub(crate) jiff::Timestamp);

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Day(pub(crate) jiff::civil::Date);

impl JsonSchema for Day {
    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

/// Any JSON object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Object(pub(crate) serde_json::Map<String, serde_json::Value>);

impl JsonSchema for Object {
    fn schema_name() -> Cow<'static, str> {
        "Object".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// How many of a list at once.
pub(crate) struct Limit;

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 })
    }
}

/// A cursor.
pub(crate) struct Cursor;

impl JsonSchema for Cursor {
    fn schema_name() -> Cow<'static, str> {
        "Cursor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,512}$" })
    }
}

/// A leaf of the audit log.
pub(crate) struct Leaf;

impl JsonSchema for Leaf {
    fn schema_name() -> Cow<'static, str> {
        "Leaf".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_i64 })
    }
}

/// A session's identity.
pub(crate) struct SessionId;

impl JsonSchema for SessionId {
    fn schema_name() -> Cow<'static, str> {
        "SessionId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}
