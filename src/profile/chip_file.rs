//! A chip profile as it is written: the TOML fields, before anything is proved. The comments
//! here are what an editor shows, by way of the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::placed::Placed;

pub(crate) type Text = Placed<String>;

/// A chip profile: how one chip is known, what is on it, how each operation is told to it, and
/// in which order it is personalized.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChipFile {
    /// The format of this file: 1.
    pub format: Placed<u32>,
    /// The profile's name, by which document profiles and stock know the chip.
    pub name: Text,
    /// What a person calls the chip.
    pub title: String,
    /// How the chip is reached.
    pub interface: Placed<InterfaceName>,
    /// How the chip is known before anything is written to it.
    pub identify: IdentifyFile,
    /// What the chip takes in one command.
    pub limits: LimitsFile,
    /// The issuer's channel to the chip; none where there is no such thing.
    pub channel: Option<ChannelFile>,
    /// Applications and dedicated files.
    pub applications: BTreeMap<String, Placed<ApplicationFile>>,
    /// Elementary files.
    #[serde(default)]
    pub files: BTreeMap<String, Placed<FileFile>>,
    /// Data objects.
    #[serde(default)]
    pub data: BTreeMap<String, Placed<DataFile>>,
    /// PINs and PUKs.
    #[serde(default)]
    pub pins: BTreeMap<String, Placed<PinFile>>,
    /// Key pairs.
    #[serde(default)]
    pub keys: BTreeMap<String, Placed<KeyFile>>,
    /// Life-cycle states, and whatever else is done once by a fixed command.
    #[serde(default)]
    pub states: BTreeMap<String, Placed<StateFile>>,
    /// How each operation is told: one or more commands.
    pub operations: BTreeMap<Text, Vec<CommandFile>>,
    /// What status words mean on this chip.
    #[serde(default)]
    pub status: BTreeMap<Text, String>,
    /// Which steps may be carried out a second time where the first was cut off, and with which
    /// status words the chip then says that it was carried out before.
    #[serde(default)]
    pub again: BTreeMap<Text, Vec<Text>>,
    /// In which order the chip is personalized.
    pub stages: Vec<Placed<StageFile>>,
    /// How long things take on this chip; only estimates follow from it.
    #[serde(default)]
    pub timing: TimingFile,
}

/// How a chip is reached.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InterfaceName {
    /// Through contacts, ISO/IEC 7816-3.
    Contact,
    /// Through the air, ISO/IEC 14443.
    Contactless,
}

/// How a chip is known.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentifyFile {
    /// The answers to reset that it may give, hexadecimal; XX is any byte. Empty: any.
    #[serde(default)]
    pub atr: Vec<Text>,
    /// Template of the chip's serial number, from what the commands took. Without it the chip
    /// has none of its own, and its blank's number counts.
    pub serial: Option<Text>,
    /// Template of its operating system's version.
    pub os: Option<Text>,
    /// Commands that ask the chip what it is; they change nothing.
    #[serde(default)]
    pub commands: Vec<CommandFile>,
    /// What must come out.
    #[serde(default)]
    pub expect: Vec<ExpectFile>,
}

/// Something that must hold of a chip.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectFile {
    /// What it is, for a person.
    pub what: String,
    /// Template that computes it.
    pub value: Text,
    /// What it must be, hexadecimal; a list where several are right.
    pub equals: Placed<OneOrMore>,
}

/// One text, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "one text, or a list of texts")]
pub(crate) enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// Returns the texts.
    pub(crate) fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

/// What a chip takes in one command. A reader that takes less is found out and counts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsFile {
    /// Most data bytes of one command: up to 255, with extended length up to 65535.
    pub command: Placed<usize>,
    /// Most data bytes of one answer: up to 256, with extended length up to 65536.
    pub response: Placed<usize>,
    /// Whether it takes extended length (ISO/IEC 7816-4 §5.1).
    #[serde(default)]
    pub extended: bool,
    /// Whether it takes chains of commands (ISO/IEC 7816-4 §5.1.1.1).
    #[serde(default)]
    pub chaining: bool,
}

/// The issuer's channel to the chip; a key set may say its own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelFile {
    /// `scp03`, `scp02` (GlobalPlatform), or `challenge`: the issuer proves a key by the
    /// commands of the operation `open_channel`, and commands stay in the clear.
    pub protocol: Text,
    /// Of scp02 and scp03: which of c-mac, c-enc, r-mac, r-enc, as words.
    pub level: Option<Text>,
    /// How many random bytes the host gives as `channel.host`: of challenge 0 to 64, of scp03 8,
    /// or 16 for a chip in S16 mode.
    pub host: Option<Placed<usize>>,
    /// Of scp02: the parameter "i", 0x15 where it is not said.
    pub i: Option<Placed<u8>>,
    /// Of challenge: template of `channel.proof`, with `channel.key`.
    pub proof: Option<Text>,
    /// Of challenge: template of what the chip must have answered as `channel.answer`; without
    /// it the chip proves nothing.
    pub answer: Option<Text>,
    /// The key sets by name.
    #[serde(default)]
    pub keys: BTreeMap<String, Placed<KeySetFile>>,
}

impl ChannelFile {
    /// Returns whether a key set opens a channel of GlobalPlatform.
    pub(crate) fn has_global_platform(&self) -> bool {
        let mut sets = self.keys.values().map(Placed::get_ref);
        sets.any(|set| {
            let protocol = set.protocol.as_ref().unwrap_or(&self.protocol);
            ["scp02", "scp03"].contains(&protocol.get_ref().as_str())
        })
    }
}

/// One key set of the channel.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySetFile {
    /// Of scp02 and scp03: the key version number, 01 to 7F, or FF for the maker's first keys.
    pub version: Option<Placed<u8>>,
    /// `kdf3` (SP 800-108), `emv` (EMV CPS 1.1), `visa2`, or `none`.
    pub diversification: Option<Text>,
    /// Template of what the keys are diversified with, from `chip.serial` alone. A chip with scp02
    /// or scp03 says it itself: then what it must say, its serial number unless written.
    pub context: Option<Text>,
    /// A key that all the world knows, as some chips leave their maker with, hexadecimal. In
    /// production such a key must not stay.
    pub known: Option<Text>,
    /// `aes-128`, `aes-192`, `aes-256` or `des3`: what kind of key the chip wants.
    pub cipher: Option<Text>,
    /// How many failed attempts lock the chip; for the budget of attempts.
    pub tries: Option<u8>,
    /// Where this set opens a channel of another kind than the others, as that of the security
    /// domain beside an application's: as the channel's own, and then nothing of that holds here.
    pub protocol: Option<Text>,
    /// As the channel's own.
    pub level: Option<Text>,
    /// As the channel's own.
    pub host: Option<Placed<usize>>,
    /// As the channel's own.
    pub i: Option<Placed<u8>>,
    /// As the channel's own.
    pub proof: Option<Text>,
    /// As the channel's own.
    pub answer: Option<Text>,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// What only the templates of this file know: `key_set.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

pub(crate) type Attributes = BTreeMap<Text, Placed<AttributeFile>>;

/// An attribute that only the profile's own templates know: hexadecimal text, or a number.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "an attribute is hexadecimal text or a number")]
pub(crate) enum AttributeFile {
    /// Bytes.
    Hex(String),
    /// A number, for `u8(…)` and the like.
    Number(u32),
}

/// An application or dedicated file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationFile {
    /// Its identifier, 5 to 16 bytes; none where it is selected otherwise, as a native chip's
    /// root is.
    pub aid: Option<Text>,
    /// The application inside which it is entered.
    pub within: Option<Text>,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// The holder's key without which it is not wanted.
    pub key: Option<Text>,
    /// The holder's key with which it is not wanted.
    pub without_key: Option<Text>,
    /// What only the templates of this file know: `application.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

/// An elementary file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileFile {
    /// Where it lives.
    pub application: Text,
    /// Its identifier, two bytes.
    pub id: Text,
    /// Template of what it holds.
    pub content: Text,
    /// Its size in bytes, where that is more than its content has.
    pub size: Option<Placed<usize>>,
    /// Whether it is left out when its content is empty.
    #[serde(default)]
    pub optional: bool,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// The holder's key without which it is not wanted.
    pub key: Option<Text>,
    /// The holder's key with which it is not wanted.
    pub without_key: Option<Text>,
    /// What only the templates of this file know: `file.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

/// A data object.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataFile {
    /// Where it lives.
    pub application: Text,
    /// Its tag or number, 1 to 8 bytes, hexadecimal; two with the same have other variants.
    pub id: Text,
    /// Template of what it holds.
    pub content: Text,
    /// Whether it is left out when its content is empty.
    #[serde(default)]
    pub optional: bool,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// The holder's key without which it is not wanted.
    pub key: Option<Text>,
    /// The holder's key with which it is not wanted.
    pub without_key: Option<Text>,
    /// What only the templates of this file know: `data.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

/// A PIN or PUK.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinFile {
    /// What a person calls it.
    pub title: String,
    /// Where it lives.
    pub application: Text,
    /// Its reference in commands; none where they name it otherwise.
    pub reference: Option<u8>,
    /// How many wrong tries block it, 1 to 15.
    pub tries: Placed<u8>,
    /// The fewest digits.
    pub minimum: Placed<u8>,
    /// The length of `pin.value` in a command, and the most digits.
    pub stored: Placed<u8>,
    /// What fills `pin.value` behind the digits; without it nothing does.
    pub fill: Option<u8>,
    /// Whether the PIN is found from every dedicated file, not only from its own.
    #[serde(default)]
    pub global: bool,
    /// The digits that it has when the chip comes from its maker.
    pub default: Option<Text>,
    /// The master key from which the issuer derives its value for each chip, by `set_issuer_pin`:
    /// for a PIN of the administrator, which no holder learns.
    pub issuer: Option<Text>,
    /// The PIN that unblocks it: gives `pin.puk` and `pin.puk_digits`.
    pub puk: Option<Text>,
    /// Whether `change_pin` is its holder's alone: then steps always set it by `set_pin`, also
    /// where the value before is known.
    #[serde(default)]
    pub changed_by_holder: bool,
    /// The holder's key without which it is not wanted.
    pub key: Option<Text>,
    /// The holder's key with which it is not wanted.
    pub without_key: Option<Text>,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// What only the templates of this file know: `pin.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

/// A key pair.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    /// Where it lives.
    pub application: Text,
    /// Its reference in commands.
    pub reference: u8,
    /// `p256`, `p384`, `p521`, `bp256r1`, `bp384r1`, `bp512r1`, `rsa2048`, `rsa3072`, `rsa4096`
    /// (and `rsa1024`, for active authentication alone).
    pub algorithm: Text,
    /// The PIN that guards it; none for a key that anybody may use.
    pub pin: Option<Text>,
    /// Whether its PIN is presented before every signature, and not once a session.
    #[serde(default)]
    pub consent: bool,
    /// With which hash it signs: `sha1` where the chip knows no other, `sha256`, `sha384`,
    /// `sha512`. Without it the one that fits its strength.
    pub hash: Option<Text>,
    /// How its signature comes out: `raw` (r ‖ s, or the RSA block), or `der`.
    pub signature: Option<Text>,
    /// Of RSA: `pkcs1` or `pss`.
    pub padding: Option<Text>,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// What only the templates of this file know: `key.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

/// A life-cycle state, or whatever else is done once by a fixed command.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateFile {
    /// What a person calls it.
    pub title: String,
    /// Whether it can be left again.
    #[serde(default)]
    pub reversible: bool,
    /// Which commands of an operation apply: those without `for`, and those for this.
    pub variant: Option<String>,
    /// What only the templates of this file know: `state.NAME`.
    #[serde(default)]
    pub attributes: Attributes,
}

/// One command of an operation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandFile {
    /// The variant of the objects that it is for, or a list of them; without it, for all.
    #[serde(rename = "for")]
    pub variants: Option<Placed<OneOrMore>>,
    /// Of a repeated command: only for the `first` chunk, while there are `more`, for the
    /// `last`.
    pub when: Option<Placed<WhenName>>,
    /// Of a repeated command: only from this offset on.
    pub from: Option<Placed<u32>>,
    /// Of a repeated command: only below this offset.
    pub until: Option<Placed<u32>>,
    /// Of a repeated command: most bytes of content in one.
    pub chunk: Option<Placed<usize>>,
    /// Template of CLA INS P1 P2.
    pub header: Text,
    /// Template of the data field.
    pub data: Option<Text>,
    /// How many bytes are asked for: a number, a variable that holds one, or `most`.
    pub le: Option<Placed<LeFile>>,
    /// The status words that mean success, X for any digit; without it 9000.
    #[serde(default)]
    pub expect: Vec<Text>,
    /// What is taken out of the answer, and where it stands.
    #[serde(default)]
    pub take: BTreeMap<Text, Placed<TakeFile>>,
}

/// Which of the repeated commands.
#[derive(Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WhenName {
    /// The first.
    First,
    /// Every one but the last.
    More,
    /// The last.
    Last,
}

/// An expected length: a number, `most`, or the name of a variable that holds it.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "an expected length is a number, \"most\", or a variable"
)]
pub(crate) enum LeFile {
    /// Always as many; 256 is written 00, 65536 is written 0000.
    Number(#[schemars(range(min = 1, max = 65_536))] u32),
    /// `most`: as many as chip and reader give; else a variable.
    Variable(String),
}

/// Where in an answer a result stands.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a result is taken by a path, or by { path, value }"
)]
pub(crate) enum TakeFile {
    /// A path of tags as in `7F49/86`; `*` is any one object, `02[2]` the second with that tag,
    /// an empty path the whole answer, `SW` the tries left in a status word 63CX.
    Path(String),
    /// A path, and a template over what was `found` there.
    Template(TakeTemplateFile),
}

/// A path, and what is made of what stands there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeTemplateFile {
    /// The path, as in the short form.
    pub path: String,
    /// Template of the result, with `found`.
    pub value: String,
}

/// A part of the personalization with one selected application and at most one channel.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageFile {
    /// What a person calls it.
    pub name: String,
    /// What it belongs to: the personalization of a blank, or new PINs on a finished chip.
    pub when: Option<Text>,
    /// The application that is selected first.
    pub select: Text,
    /// The key set under which a channel is opened.
    pub channel: Option<Text>,
    /// Whether its commands are made by the centre alone: the holder's PINs, imported keys, and
    /// what follows.
    #[serde(default)]
    pub sealed: bool,
    /// Of a sealed stage: its commands may pass in the clear, since its application speaks through no
    /// channel that would hide them, on a chip that has one elsewhere.
    #[serde(default)]
    pub clear: bool,
    /// The steps, each a verb and an object: `write_file certificate`.
    pub steps: Vec<Text>,
}

/// How long things take on a chip, in milliseconds.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TimingFile {
    /// One command, whatever it does.
    pub command: Placed<f64>,
    /// One byte on the wire, either way.
    pub byte: Placed<f64>,
    /// One byte written to lasting memory.
    pub written: Placed<f64>,
    /// One signature.
    pub sign: Placed<f64>,
    /// One key pair: the mean by algorithm.
    pub generate: BTreeMap<Text, Placed<f64>>,
}

impl Default for TimingFile {
    /// A Java Card of today on T=1 at 115 kbit/s; key pairs as in public measurements.
    fn default() -> Self {
        let usual = |milliseconds| Placed::new(0..0, milliseconds);
        Self {
            command: usual(5.0),
            byte: usual(0.1),
            written: usual(0.012),
            sign: usual(60.0),
            generate: BTreeMap::new(),
        }
    }
}
