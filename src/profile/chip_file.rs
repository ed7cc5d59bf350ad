//! A chip profile as it is written: the TOML fields, before anything is proved.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(crate) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChipFile {
    pub format: Spanned<u32>,
    pub name: Text,
    pub title: String,
    pub interface: Spanned<InterfaceName>,
    pub identify: IdentifyFile,
    pub limits: LimitsFile,
    pub channel: ChannelFile,
    pub applications: BTreeMap<String, Spanned<ApplicationFile>>,
    #[serde(default)]
    pub files: BTreeMap<String, Spanned<FileFile>>,
    #[serde(default)]
    pub pins: BTreeMap<String, Spanned<PinFile>>,
    #[serde(default)]
    pub keys: BTreeMap<String, Spanned<KeyFile>>,
    #[serde(default)]
    pub states: BTreeMap<String, Spanned<StateFile>>,
    pub operations: BTreeMap<Text, Vec<CommandFile>>,
    #[serde(default)]
    pub status: BTreeMap<Text, String>,
    pub stages: Vec<Spanned<StageFile>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InterfaceName {
    Contact,
    Contactless,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentifyFile {
    pub atr: Vec<Text>,
    pub serial: Text,
    pub os: Text,
    pub commands: Vec<CommandFile>,
    #[serde(default)]
    pub expect: Vec<ExpectFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectFile {
    pub what: String,
    pub value: Text,
    pub equals: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsFile {
    pub command: Spanned<usize>,
    pub response: Spanned<usize>,
    pub extended: bool,
    pub chaining: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelFile {
    pub protocol: Text,
    pub level: Text,
    pub keys: BTreeMap<String, Spanned<KeySetFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeySetFile {
    pub version: Spanned<u8>,
    pub diversification: Text,
}

type Attributes = BTreeMap<Text, Spanned<AttributeFile>>;

/// An attribute that only the profile's own templates know.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum AttributeFile {
    Hex(String),
    Number(u32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplicationFile {
    pub aid: Option<Text>,
    pub within: Option<Text>,
    pub variant: Option<String>,
    pub key: Option<Text>,
    #[serde(default)]
    pub attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileFile {
    pub application: Text,
    pub id: Text,
    pub content: Text,
    pub variant: Option<String>,
    pub key: Option<Text>,
    #[serde(default)]
    pub attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinFile {
    pub title: String,
    pub application: Text,
    pub reference: u8,
    pub tries: Spanned<u8>,
    pub minimum: Spanned<u8>,
    pub stored: Spanned<u8>,
    pub fill: u8,
    /// Whether the PIN is found from every dedicated file, not only from its own.
    #[serde(default)]
    pub global: bool,
    pub key: Option<Text>,
    pub variant: Option<String>,
    #[serde(default)]
    pub attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    pub application: Text,
    pub reference: u8,
    pub curve: Text,
    pub pin: Text,
    pub variant: Option<String>,
    #[serde(default)]
    pub attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateFile {
    pub title: String,
    pub variant: Option<String>,
    #[serde(default)]
    pub attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandFile {
    #[serde(rename = "for")]
    pub variant: Option<Text>,
    pub header: Text,
    pub data: Option<Text>,
    pub le: Option<Spanned<LeFile>>,
    #[serde(default)]
    pub expect: Vec<Text>,
    #[serde(default)]
    pub take: BTreeMap<Text, Text>,
}

/// An expected length: a number, or the name of a variable that holds it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum LeFile {
    Number(u32),
    Variable(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageFile {
    pub name: String,
    pub select: Text,
    pub channel: Option<Text>,
    #[serde(default)]
    pub sealed: bool,
    pub steps: Vec<Text>,
}
