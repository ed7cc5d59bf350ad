//! A chip profile that was proved: how one chip speaks, what is on it, and in which order
//! it is personalized.

use std::collections::BTreeMap;
use std::fmt;

use card::gp::SecurityLevel;
use card::tlv::Tag;
use card::{Limits, Status};

use crate::template::Template;
use crate::value::{Scope, Value};
use crate::vocabulary::{Dialect, ObjectKind, Verb};

/// A proved chip profile. Make one with [`ChipProfile::load`](crate::ChipProfile::load).
#[derive(Clone, Debug)]
pub struct ChipProfile {
    /// The name by which document profiles and stock know it.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// SHA-256 over the texts of the profile and its ancestors: what a lease pins.
    pub digest: [u8; 32],
    /// How the chip is reached.
    pub interface: Interface,
    /// How it is known.
    pub identify: Identify,
    /// What it takes in one command.
    pub limits: Limits,
    /// Its issuer's secure channel.
    pub channel: ChannelProfile,
    /// What status words mean on this chip, beyond the standard.
    pub status: BTreeMap<u16, String>,
    pub(crate) objects: BTreeMap<(ObjectKind, String), Object>,
    pub(crate) operations: BTreeMap<Dialect, Vec<CommandTemplate>>,
    pub(crate) stages: Vec<StageProfile>,
}

/// How a chip is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// Through contacts, ISO/IEC 7816-3.
    Contact,
    /// Through the air, ISO/IEC 14443.
    Contactless,
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contact => "contact",
            Self::Contactless => "contactless",
        })
    }
}

/// How a chip is known before anything is written to it.
#[derive(Clone, Debug)]
pub struct Identify {
    /// The answers to reset that it may give.
    pub atr: Vec<Vec<u8>>,
    /// Commands that ask it what it is; they change nothing.
    pub commands: Vec<CommandTemplate>,
    /// What must come out.
    pub expect: Vec<Expectation>,
    /// The chip's serial number, from what the commands took.
    pub serial: Template,
    /// The version of its operating system, from the same.
    pub os: Template,
}

/// Something that must hold of a chip.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What it is, for a person.
    pub what: String,
    /// How it is computed from the identification.
    pub value: Template,
    /// What it must be.
    pub equals: Vec<u8>,
}

/// The issuer's secure channel: GlobalPlatform SCP03 (Amendment D).
#[derive(Clone, Debug)]
pub struct ChannelProfile {
    /// The security level of EXTERNAL AUTHENTICATE.
    pub level: SecurityLevel,
    /// The key sets by name.
    pub keys: BTreeMap<String, KeySet>,
}

/// One key set of the secure channel.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The key version number on the chip.
    pub version: u8,
    /// How the chip's keys come from the master key.
    pub diversification: Diversification,
}

/// How a chip's keys come from a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diversification {
    /// SP 800-108 counter mode with AES-CMAC over the chip's diversification data.
    Kdf3,
}

/// One thing on the chip: its attributes as templates see them, and where it belongs.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its name in the profile.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// The application or dedicated file where it lives; for one that is selected by
    /// itself, its own name.
    pub application: String,
    /// Which commands of an operation apply to it: those without `for`, and those for this.
    pub variant: Option<String>,
    /// The holder's key without which this object is not wanted.
    pub key: Option<String>,
    /// What is particular to its kind.
    pub detail: Detail,
    pub(crate) values: BTreeMap<String, Value>,
}

impl Scope for Object {
    fn value(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }
}

/// What is particular to one kind of object.
#[derive(Clone, Debug)]
pub enum Detail {
    /// An application or dedicated file.
    Application {
        /// The application in which it is entered; none when it is selected by its AID.
        within: Option<String>,
    },
    /// An elementary file.
    File {
        /// What it holds.
        content: Template,
    },
    /// A PIN.
    Pin(PinRules),
    /// A key pair.
    Key {
        /// Its curve.
        curve: Curve,
        /// The PIN that guards it.
        pin: String,
    },
    /// A key set; see [`ChannelProfile::keys`].
    KeySet,
    /// A life-cycle state.
    State,
}

/// What values a PIN takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinRules {
    /// How many wrong tries block it.
    pub tries: u8,
    /// The fewest digits.
    pub minimum: u8,
    /// The length of the field in a command.
    pub stored: u8,
    /// What fills the field.
    pub fill: u8,
    /// Whether the PIN is found from every dedicated file, not only from its own.
    pub global: bool,
}

/// The curve of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

/// One command of an operation, as a template.
#[derive(Clone, Debug)]
pub struct CommandTemplate {
    pub(crate) variant: Option<String>,
    pub(crate) header: Template,
    pub(crate) data: Option<Template>,
    pub(crate) le: Option<ExpectedLength>,
    /// The status words that mean success.
    pub(crate) expect: Vec<Status>,
    pub(crate) take: Vec<(String, TakePath)>,
}

/// How many bytes a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExpectedLength {
    /// Always as many.
    Fixed(u32),
    /// As many as a variable says.
    Variable(String),
}

/// Where in an answer a result stands: a path of tags (`7F49/86`; `*` is any one object),
/// or the whole answer (an empty path).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakePath(pub(crate) Vec<Option<Tag>>);

/// A stage as the profile lists it.
#[derive(Clone, Debug)]
pub(crate) struct StageProfile {
    pub name: String,
    pub select: String,
    pub channel: Option<String>,
    pub sealed: bool,
    pub steps: Vec<(Verb, String)>,
}

impl ChipProfile {
    /// Returns the object of a kind and name.
    pub fn object(&self, kind: ObjectKind, name: &str) -> Option<&Object> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// Returns all objects of a kind, by name.
    pub fn objects(&self, kind: ObjectKind) -> impl Iterator<Item = &Object> {
        self.objects
            .iter()
            .filter(move |((found, _), _)| *found == kind)
            .map(|(_, object)| object)
    }

    /// Returns the rules of a PIN.
    pub fn pin_rules(&self, name: &str) -> Option<PinRules> {
        match self.object(ObjectKind::Pin, name)?.detail {
            Detail::Pin(rules) => Some(rules),
            _ => None,
        }
    }

    /// Returns what a status word means on this chip.
    pub fn meaning(&self, status: Status) -> String {
        match self.status.get(&status.value()) {
            Some(meaning) => format!("{:04X} ({meaning})", status.value()),
            None => status.to_string(),
        }
    }

    /// Returns the commands that an operation has for an object.
    pub(crate) fn commands(&self, operation: Dialect, object: &Object) -> Vec<&CommandTemplate> {
        let all = self
            .operations
            .get(&operation)
            .map(Vec::as_slice)
            .unwrap_or_default();
        all.iter()
            .filter(|command| command.variant.is_none() || command.variant == object.variant)
            .collect()
    }
}
