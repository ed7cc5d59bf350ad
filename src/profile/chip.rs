//! A chip profile that was proved: how one chip speaks, what is on it, and in which order
//! it is personalized.

use std::collections::BTreeMap;
use std::fmt;

use card::{Limits, Status};
use cert::{Curve, EcdsaSignature, Hash, KeyAlgorithm, PublicKey, SignatureAlgorithm};
use document::Purpose;
use zeroize::Zeroizing;

use crate::command_template::CommandTemplate;
use crate::error::Warning;
use crate::held_keys::HeldKeys;
use crate::issuer_channel::ChannelProfile;
use crate::status_pattern::StatusPattern;
use crate::template::Template;
use crate::value::{Scope, Value};
use crate::vocabulary::{Dialect, Effect, ObjectKind, Verb};

/// A proved chip profile. Make one with [`ChipProfile::load`](crate::ChipProfile::load).
#[derive(Clone, Debug)]
pub struct ChipProfile {
    /// The name by which document profiles and stock know it.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// SHA-256 over the texts of the profile and its ancestors: what a lease pins.
    pub digest: [u8; 32],
    /// The profiles that it extends, the nearest first.
    pub ancestors: Vec<String>,
    /// How the chip is reached.
    pub interface: Interface,
    /// How it is known.
    pub identify: Identify,
    /// What it takes in one command.
    pub limits: Limits,
    /// Its issuer's channel.
    pub channel: ChannelProfile,
    /// What status words mean on this chip, beyond the standard.
    pub status: BTreeMap<u16, String>,
    /// How long things take on it.
    pub timing: Timing,
    pub(crate) objects: BTreeMap<(ObjectKind, String), Object>,
    pub(crate) operations: BTreeMap<Dialect, Vec<CommandTemplate>>,
    pub(crate) again: BTreeMap<Verb, Vec<StatusPattern>>,
    pub(crate) stages: Vec<StageProfile>,
    pub(crate) warnings: Vec<Warning>,
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
    /// The answers to reset that it may give; none: any.
    pub atr: Vec<AtrPattern>,
    /// Commands that ask it what it is; they change nothing.
    pub commands: Vec<CommandTemplate>,
    /// What must come out.
    pub expect: Vec<Expectation>,
    /// The chip's serial number, from what the commands took; nothing where it has none.
    pub serial: Option<Template>,
    /// The version of its operating system, from the same.
    pub os: Option<Template>,
}

impl Identify {
    /// Returns whether a chip of this product may answer `atr` to its reset.
    pub fn may_answer(&self, atr: &[u8]) -> bool {
        self.atr.is_empty() || self.atr.iter().any(|pattern| pattern.matches(atr))
    }

    /// Returns the answers to reset as the profile writes them, for a person.
    pub fn answers(&self) -> String {
        let answers: Vec<_> = self.atr.iter().map(ToString::to_string).collect();
        answers.join(" or ")
    }
}

/// An answer to reset in which some bytes may be any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtrPattern(pub(crate) Vec<Option<u8>>);

impl AtrPattern {
    /// Returns whether an answer to reset is one of these.
    pub fn matches(&self, atr: &[u8]) -> bool {
        self.0.len() == atr.len()
            && self
                .0
                .iter()
                .zip(atr)
                .all(|(wanted, found)| wanted.is_none_or(|wanted| wanted == *found))
    }
}

impl fmt::Display for AtrPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            Some(byte) => write!(f, "{byte:02X}"),
            None => f.write_str("XX"),
        })
    }
}

/// Something that must hold of a chip.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// What it is, for a person.
    pub what: String,
    /// How it is computed from the identification.
    pub value: Template,
    /// What it must be: one of these.
    pub equals: Vec<Vec<u8>>,
}

impl Expectation {
    /// Returns whether the value that came out is one of the right ones.
    pub fn holds(&self, value: &[u8]) -> bool {
        self.equals.iter().any(|right| right == value)
    }

    /// Returns the right values in hexadecimal, for a person.
    pub fn expected(&self) -> String {
        let right: Vec<_> = self.equals.iter().map(hex::encode_upper).collect();
        right.join(" or ")
    }
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
    /// The holder's key with which this object is not wanted.
    pub without_key: Option<String>,
    /// Whether it is left out when its content is empty.
    pub optional: bool,
    /// What is particular to its kind.
    pub detail: Detail,
    pub(crate) values: BTreeMap<String, Value>,
}

impl Object {
    /// Returns whether it is for a holder who gets the keys of which `has` says so.
    pub fn is_wanted(&self, has: impl Fn(&str) -> bool) -> bool {
        self.key.as_deref().is_none_or(&has) && !self.without_key.as_deref().is_some_and(&has)
    }
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
        /// Its size in bytes, where that is more than its content has.
        size: Option<usize>,
    },
    /// A data object.
    Data {
        /// What it holds.
        content: Template,
    },
    /// A PIN.
    Pin(PinRules),
    /// A key pair.
    Key(KeyRules),
    /// A key set; see [`ChannelProfile::keys`].
    KeySet,
    /// A life-cycle state.
    State {
        /// Whether it can be left again.
        reversible: bool,
    },
}

impl Detail {
    /// Returns what a file or data object holds.
    pub fn content(&self) -> Option<&Template> {
        match self {
            Self::File { content, .. } | Self::Data { content } => Some(content),
            _ => None,
        }
    }
}

/// What values a PIN takes.
#[derive(Clone, PartialEq, Eq)]
pub struct PinRules {
    /// How many wrong tries block it.
    pub tries: u8,
    /// The fewest digits.
    pub minimum: u8,
    /// The most digits, and the length of the field in a command where it is filled.
    pub stored: u8,
    /// What fills the field, if anything.
    pub fill: Option<u8>,
    /// Whether the PIN is found from every dedicated file, not only from its own.
    pub global: bool,
    /// The digits with which the chip comes from its maker.
    pub default: Option<Zeroizing<Vec<u8>>>,
    /// The name of the master key from which the issuer derives its value for each chip.
    pub issuer: Option<String>,
    /// The PIN that unblocks it.
    pub puk: Option<String>,
    /// Whether `change_pin` is its holder's alone.
    pub changed_by_holder: bool,
}

impl fmt::Debug for PinRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} to {} digits, {} tries",
            self.minimum, self.stored, self.tries
        )
    }
}

/// What a key pair is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRules {
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// The PIN that guards it, if one does.
    pub pin: Option<String>,
    /// Whether its PIN is presented before every signature.
    pub consent: bool,
    /// With which hash it signs.
    pub hash: Hash,
    /// How its signature comes out.
    pub form: SignatureForm,
    /// Of RSA: how the hash is padded.
    pub padding: RsaPadding,
}

impl KeyRules {
    /// Returns whether it is an RSA key.
    pub fn is_rsa(&self) -> bool {
        self.algorithm.curve().is_none()
    }

    /// Returns how many bits its modulus or its field has.
    pub fn bits(&self) -> u64 {
        let bytes = self.algorithm.modulus_length();
        let bits = match (bytes, self.algorithm) {
            (Some(bytes), _) => bytes * 8,
            (None, KeyAlgorithm::Ec(Curve::P521)) => 521,
            (None, algorithm) => algorithm.field_length().unwrap_or(0) * 8,
        };
        bits as u64
    }

    /// Returns the algorithm with which it signs.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        match (self.is_rsa(), self.padding) {
            (false, _) => SignatureAlgorithm::Ecdsa(self.hash),
            (true, RsaPadding::Pkcs1) => SignatureAlgorithm::RsaPkcs1(self.hash),
            (true, RsaPadding::Pss) => SignatureAlgorithm::rsa_pss(self.hash),
        }
    }

    /// Returns a signature of the chip's as the rest of the house has it: r ‖ s, or the RSA block.
    /// Nothing where it is none.
    pub fn plain_signature(&self, signature: &[u8]) -> Option<Vec<u8>> {
        match (self.algorithm.curve(), self.form) {
            (Some(curve), SignatureForm::Der) => cert::ecdsa_der_to_raw(curve, signature).ok(),
            _ => Some(signature.to_vec()),
        }
    }

    /// Returns whether a signature in the chip's own form verifies over a message under a public
    /// key.
    pub fn verifies(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let Some(plain) = self.plain_signature(signature) else {
            return false;
        };
        match self.algorithm.curve() {
            Some(curve) => EcdsaSignature::from_raw(curve, &plain)
                .is_ok_and(|signature| key.verify_message(self.hash, message, &signature).is_ok()),
            None => key
                .verify(self.signature_algorithm(), message, &plain)
                .is_ok(),
        }
    }
}

/// How a signature comes out of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// r ‖ s, or the RSA block.
    Raw,
    /// An ECDSA-Sig-Value in DER (*RFC 3279 §2.2.3*).
    Der,
}

/// How an RSA key pads what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaPadding {
    /// RSASSA-PKCS1-v1_5 (*RFC 8017 §8.2*).
    Pkcs1,
    /// RSASSA-PSS (*RFC 8017 §8.1*).
    Pss,
}

/// How long things take on a chip, in milliseconds: for estimates alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// One command, whatever it does.
    pub command: f64,
    /// One byte on the wire, either way.
    pub byte: f64,
    /// One byte written to lasting memory.
    pub written: f64,
    /// One signature.
    pub sign: f64,
    /// One key pair, the mean by algorithm.
    pub generate: BTreeMap<&'static str, f64>,
}

/// A stage as the profile lists it.
#[derive(Clone, Debug)]
pub(crate) struct StageProfile {
    pub name: String,
    pub select: String,
    pub channel: Option<String>,
    pub sealed: bool,
    pub purpose: Purpose,
    pub steps: Vec<(Verb, String)>,
}

/// What is known of a PIN's value before a step sets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinBefore {
    /// The chip is being made, and nobody knows the value, if there is one.
    Unknown,
    /// The chip is being made, and the value is known.
    Known,
    /// The chip is made, and its holder knows the value, if anybody does.
    Holders,
}

impl ChipProfile {
    /// Returns what is odd in the profile, though nothing fails of it.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

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
    pub fn pin_rules(&self, name: &str) -> Option<&PinRules> {
        match &self.object(ObjectKind::Pin, name)?.detail {
            Detail::Pin(rules) => Some(rules),
            _ => None,
        }
    }

    /// Returns what a key pair is.
    pub fn key_rules(&self, name: &str) -> Option<&KeyRules> {
        match &self.object(ObjectKind::Key, name)?.detail {
            Detail::Key(rules) => Some(rules),
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

    /// Returns the status words with which the chip says, where a step is carried out a second time
    /// because the first was cut off, that it was carried out then; nothing for a step that may not be.
    pub fn again(&self, verb: Verb) -> Option<&[StatusPattern]> {
        self.again.get(&verb).map(Vec::as_slice)
    }

    /// Returns how lasting a step is on this chip.
    pub fn effect(&self, verb: Verb, object: &str) -> Effect {
        let detail = self
            .object(verb.object(), object)
            .map(|object| &object.detail);
        match detail {
            Some(Detail::State { reversible: true }) => Effect::Change,
            _ => verb.effect(),
        }
    }

    /// Returns the application in which a channel with this key set is opened first; none where
    /// no stage opens one.
    pub fn channel_home(&self, key_set: &str) -> Option<&Object> {
        let mut stages = self.stages.iter();
        let stage = stages.find(|stage| stage.channel.as_deref() == Some(key_set))?;
        self.object(ObjectKind::Application, &stage.select)
    }

    /// Returns whether some stage speaks to an application, by whatever name, through a channel that
    /// protects commands.
    pub fn hides(&self, application: &str) -> bool {
        let aid = |name: &str| {
            let found = self.object(ObjectKind::Application, name);
            found.and_then(|found| found.value("application.aid"))
        };
        let own = aid(application);
        let is_it = |name: &str| name == application || (own.is_some() && aid(name) == own);
        self.stages.iter().any(|stage| {
            let protection = self.channel.protection(stage.channel.as_deref());
            protection.is_some() && is_it(&stage.select)
        })
    }

    /// Returns whether a finished chip has a key set.
    pub fn keeps_keys(&self, key_set: &str) -> bool {
        let mut held = HeldKeys::at_first(&self.stages);
        for stage in &self.stages {
            for (verb, object) in &stage.steps {
                held.step(*verb, object, stage.channel.as_deref());
            }
        }
        held.has(key_set)
    }

    /// Returns whether the profile has commands of an operation for an object.
    pub fn speaks(&self, operation: Dialect, object: &Object) -> bool {
        !self.commands(operation, object).is_empty()
    }

    /// Returns how many commands spell an operation for an object.
    pub fn commands_for(&self, operation: Dialect, object: &Object) -> usize {
        self.commands(operation, object).len()
    }

    /// Returns whether the commands of an operation for an object name this variable.
    pub fn mentions(&self, operation: Dialect, object: &Object, variable: &str) -> bool {
        let mut commands = self.commands(operation, object).into_iter();
        commands.any(|command| command.mentions(variable))
    }

    /// Returns whether a file or data object is read in parts.
    pub fn reads_in_parts(&self, object: &Object) -> bool {
        [Dialect::ReadFile, Dialect::GetData]
            .into_iter()
            .flat_map(|operation| self.commands(operation, object))
            .any(CommandTemplate::is_repeated)
    }

    /// Returns the operation by which a step sets a PIN: knowing the value before, where one is
    /// known and the chip has commands for that which are not its holder's alone, else without; on
    /// a finished chip by the one for that, where it has one.
    pub fn pin_setting(&self, pin: &Object, before: PinBefore) -> Dialect {
        let is_holders = matches!(&pin.detail, Detail::Pin(rules) if rules.changed_by_holder);
        match before {
            PinBefore::Known if !is_holders && self.speaks(Dialect::ChangePin, pin) => {
                Dialect::ChangePin
            }
            PinBefore::Holders if self.speaks(Dialect::ResetPin, pin) => Dialect::ResetPin,
            _ => Dialect::SetPin,
        }
    }

    /// Returns whether stages of the profile are for this.
    pub fn has_stages_for(&self, purpose: Purpose) -> bool {
        self.stages.iter().any(|stage| stage.purpose == purpose)
    }

    /// Returns the operations by which a step is done, with what is known of the value that a
    /// PIN has before.
    pub(crate) fn operations_of(
        &self,
        verb: Verb,
        object: &Object,
        before: PinBefore,
    ) -> Vec<Dialect> {
        match verb {
            Verb::WriteFile => vec![Dialect::CreateFile, Dialect::WriteFile],
            Verb::CheckFile => vec![Dialect::SelectFile, Dialect::ReadFile],
            Verb::GenerateKey => vec![Dialect::GenerateKey, Dialect::ReadPublicKey],
            Verb::SetTemporaryPin | Verb::SetHolderPin | Verb::SetIssuerPin => {
                vec![self.pin_setting(object, before)]
            }
            Verb::ReplaceKeys if !self.channel.protocol(&object.name).is_global_platform() => {
                vec![Dialect::PutKey]
            }
            _ => verb.operations().to_vec(),
        }
    }

    /// Returns the commands of `open_channel` for a key set that come before the proof, and
    /// those that bring it: from the first that names it on.
    pub(crate) fn opening(
        &self,
        key_set: &Object,
    ) -> (Vec<&CommandTemplate>, Vec<&CommandTemplate>) {
        let mut before = self.commands(Dialect::OpenChannel, key_set);
        let mut commands = before.iter();
        let first = commands.position(|command| command.mentions("channel.proof"));
        let proving = before.split_off(first.unwrap_or(before.len()));
        (before, proving)
    }

    /// Returns the commands that an operation has for an object.
    pub(crate) fn commands(&self, operation: Dialect, object: &Object) -> Vec<&CommandTemplate> {
        let all = self
            .operations
            .get(&operation)
            .map(Vec::as_slice)
            .unwrap_or_default();
        all.iter()
            .filter(|command| command.is_for_object(object))
            .collect()
    }
}
