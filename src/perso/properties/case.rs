//! Random valid profiles, each with what happens to a chip under it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use card::Limits;
use profile::{ChipProfile, Dialect, DocumentProfile, Plan, Shelf};
use proptest::prelude::*;

use super::{DEFAULT, KEY, LEVELS, MANAGERS, NOTHING};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Layout {
    Plain,
    Far,
    First,
    Last,
    Whole,
}

impl Layout {
    fn variant(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Far => "far",
            Self::First => "first",
            Self::Last => "last",
            Self::Whole => "whole",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Clear,
    Scp03 { level: usize, s16: bool },
    Challenge { mutual: bool },
}

/// What a chip does with one command.
#[derive(Clone)]
pub(super) enum Mood {
    Obeys,
    Says(Vec<u8>, u16),
    Announces(u8),
    Corrects(u8),
    Garbles(Vec<u8>),
    Mute,
}

impl fmt::Debug for Mood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obeys => f.write_str("obeys"),
            Self::Says(data, status) => write!(f, "{} bytes {status:04X}", data.len()),
            Self::Announces(left) => write!(f, "61{left:02X}"),
            Self::Corrects(le) => write!(f, "6C{le:02X}"),
            Self::Garbles(bytes) => write!(f, "garbage {bytes:02X?}"),
            Self::Mute => f.write_str("mute"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Centre {
    Gives,
    Refuses,
    Confuses,
}

/// The shortest command in which a card's manager is spoken to.
pub(super) const MANAGED: usize = 48;

/// A random profile and what happens to it.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) limits: Limits,
    pub(super) way: Way,
    pub(super) chunk: Option<usize>,
    pub(super) files: Vec<(Vec<u8>, Layout, bool)>,
    pub(super) data: Vec<(Vec<u8>, bool)>,
    pub(super) has_default: bool,
    pub(super) spelling: &'static str,
    pub(super) centre: Centre,
    /// Whether the key gets a certificate, which a file holds.
    pub(super) is_certified: bool,
    /// Whether other keys are put before anything else is done.
    pub(super) takes_over: bool,
    /// Whether the card has a manager with a channel of another kind, who is met first.
    pub(super) is_managed: bool,
    /// Whether the centre's oldest answer comes before the next action; by turns.
    pub(super) eager: Vec<bool>,
    /// Which line of the journal cannot be written.
    pub(super) unwritten: Option<usize>,
    /// From which command on the chip does what it likes, and what.
    pub(super) moods: Option<(usize, Vec<Mood>)>,
}

impl fmt::Debug for Case {
    /// Lengths for contents: they are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.iter();
        let files: Vec<_> = files
            .map(|(content, layout, deep)| (content.len(), layout, deep))
            .collect();
        let data = self.data.iter();
        let data: Vec<_> = data
            .map(|(content, whole)| (content.len(), whole))
            .collect();
        write!(
            f,
            "{:?} {:?} chunk {:?}, files {files:?}, data {data:?}, default {}, {}, the centre {:?}, certified {}, takes over {}, managed {}, eager {:?}, unwritten {:?}, moods {:?}",
            self.way,
            self.limits,
            self.chunk,
            self.has_default,
            self.spelling,
            self.centre,
            self.is_certified,
            self.takes_over,
            self.is_managed,
            self.eager,
            self.unwritten,
            self.moods,
        )
    }
}

pub(super) fn content() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![1 => Just(0), 6 => 1..600usize, 2 => 600..40_000usize];
    (length, any::<u64>()).prop_map(|(length, seed)| {
        // SplitMix64: bytes that are cheap, and differ from place to place.
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (word ^ (word >> 27)).to_le_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    })
}

pub(super) fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        6 => Just(Mood::Obeys),
        1 => (proptest::collection::vec(any::<u8>(), 0..300), any::<u16>())
            .prop_map(|(data, status)| Mood::Says(data, status)),
        1 => (proptest::collection::vec(any::<u8>(), 0..70_000))
            .prop_map(|data| Mood::Says(data, 0x9000)),
        1 => any::<u16>().prop_map(|status| Mood::Says(Vec::new(), status)),
        1 => any::<u8>().prop_map(Mood::Announces),
        1 => any::<u8>().prop_map(Mood::Corrects),
        1 => proptest::collection::vec(any::<u8>(), 0..3).prop_map(Mood::Garbles),
        1 => Just(Mood::Mute),
    ]
}

prop_compose! {
    fn limits_under(least: usize)(
        extended in any::<bool>(),
        command in prop_oneof![least..256, 256..65_536usize],
        response in prop_oneof![least..257, 257..65_537usize],
        chaining in any::<bool>(),
    ) -> Limits {
        Limits {
            // Extended length is for what is longer than a short command.
            command: if extended { command.max(256) } else { command.min(255) },
            response: if extended { response } else { response.min(256) },
            extended,
            chaining,
            ..Limits::default()
        }
    }
}

pub(super) fn way_and_limits() -> impl Strategy<Value = (Way, Limits)> {
    prop_oneof![
        2 => (Just(Way::Clear), limits_under(16)),
        1 => (any::<bool>().prop_map(|mutual| Way::Challenge { mutual }), limits_under(32)),
        3 => ((0..5usize, any::<bool>()).prop_map(|(level, s16)| Way::Scp03 { level, s16 }), limits_under(64)),
    ]
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    let layout = prop_oneof![
        Just(Layout::Plain),
        Just(Layout::Far),
        Just(Layout::First),
        Just(Layout::Last),
        Just(Layout::Whole),
    ];
    let spelling = prop_oneof![
        Just("pin.value"),
        Just("hex_text(pin.digits)"),
        Just("bcd(pin.digits)"),
        Just("pin_block(pin.digits)"),
    ];
    let centre = prop_oneof![
        8 => Just(Centre::Gives),
        1 => Just(Centre::Refuses),
        1 => Just(Centre::Confuses),
    ];
    (
        way_and_limits(),
        proptest::option::of(1..2000usize),
        proptest::collection::vec((content(), layout, any::<bool>()), 1..4),
        proptest::collection::vec((content(), any::<bool>()), 0..3),
        any::<bool>(),
        (spelling, centre),
        (
            any::<[bool; 3]>(),
            proptest::collection::vec(any::<bool>(), 1..6),
            proptest::option::weighted(0.2, 0..12usize),
        ),
        proptest::option::of((0..40usize, proptest::collection::vec(mood(), 1..12))),
    )
        .prop_map(
            |(
                (way, limits),
                chunk,
                files,
                data,
                has_default,
                (spelling, centre),
                ([is_certified, takes_over, is_managed], eager, unwritten),
                moods,
            )| Case {
                is_certified,
                takes_over: takes_over && !matches!(way, Way::Clear),
                is_managed: is_managed
                    && matches!(way, Way::Challenge { .. })
                    && limits.command >= MANAGED,
                eager,
                unwritten,
                limits,
                way,
                chunk: chunk.map(|chunk| chunk.min(limits.command)),
                files,
                data,
                has_default,
                spelling,
                centre,
                moods,
            },
        )
}

impl Case {
    /// Writes the profile.
    fn chip(&self) -> String {
        let mut text = String::from(
            "format = 1\nname = \"random\"\ntitle = \"Random\"\ninterface = \"contact\"\n\
             [identify]\nserial = \"chip.number\"\n\
             [[identify.commands]]\nheader = \"00 CA 01 01\"\nle = 256\ntake = { \"chip.number\" = \"\" }\n\
             [applications.main]\naid = \"A0000000010203\"\nvariant = \"root\"\n\
             [applications.inner]\nwithin = \"main\"\nvariant = \"child\"\nattributes = { id = \"DF01\" }\n\
             [keys.sign]\napplication = \"main\"\nreference = 0x10\nalgorithm = \"p256\"\n\
             [states.closed]\ntitle = \"closed\"\n\
             [pins.pin]\ntitle = \"PIN\"\napplication = \"main\"\nreference = 1\ntries = 3\nminimum = 4\nstored = 12\nfill = 0xFF\n",
        );
        if self.has_default {
            writeln!(text, "default = \"{DEFAULT}\"").unwrap();
        }
        let Limits {
            command,
            response,
            extended,
            chaining,
            ..
        } = self.limits;
        writeln!(text, "[limits]\ncommand = {command}\nresponse = {response}\nextended = {extended}\nchaining = {chaining}").unwrap();
        match self.way {
            Way::Clear => {}
            Way::Scp03 { level, s16 } => writeln!(
                text,
                "[channel]\nprotocol = \"scp03\"\nlevel = \"{}\"\nhost = {}\n[channel.keys.issuer]\nversion = 1\nknown = \"{}\"{}",
                LEVELS[level].0,
                if s16 { 16 } else { 8 },
                hex::encode(KEY),
                self.next("version = 2\n"),
            )
            .unwrap(),
            Way::Challenge { mutual } => {
                let put = match self.takes_over {
                    true => "[[operations.put_key]]\nheader = \"00 D9 00 00\"\ndata = \"key_set.key\"\n",
                    false => "",
                };
                let (answer, take) = match mutual {
                    true => (
                        "answer = \"aes_ecb(channel.key, channel.host)\"\n",
                        "le = 16\ntake = { \"channel.answer\" = \"\" }\n",
                    ),
                    false => ("", ""),
                };
                writeln!(
                    text,
                    "[channel]\nprotocol = \"challenge\"\nhost = 16\nproof = \"aes_ecb(channel.key, channel.nonce)\"\n{answer}[channel.keys.issuer]\nknown = \"{}\"{}\n\
                     [[operations.open_channel]]\nheader = \"00 84 00 00\"\nle = 16\ntake = {{ \"channel.nonce\" = \"\" }}\n\
                     [[operations.open_channel]]\nheader = \"00 82 00 00\"\ndata = \"channel.proof channel.host\"\n{take}{put}",
                    hex::encode(KEY),
                    self.next(""),
                )
                .unwrap();
            }
        }
        if self.is_managed {
            writeln!(
                text,
                "[channel.keys.manager]\nprotocol = \"scp03\"\nlevel = \"{}\"\nversion = 3\nknown = \"{}\"\n\
                 [applications.domain]\naid = \"A0000000030000\"\n[states.begun]\ntitle = \"begun\"",
                LEVELS[MANAGERS].0,
                hex::encode(KEY)
            )
            .unwrap();
        }
        let mut writes = Vec::new();
        let mut checks = Vec::new();
        for (index, (_, layout, deep)) in self.files.iter().enumerate() {
            let home = if *deep { "inner" } else { "main" };
            writeln!(text, "[files.f{index}]\napplication = \"{home}\"\nid = \"00{index:02X}\"\ncontent = \"prepared.f{index}\"\nvariant = \"{}\"", layout.variant()).unwrap();
            writes.push(format!("\"write_file f{index}\""));
            checks.push(format!("\"check_file f{index}\""));
        }
        for (index, (_, whole)) in self.data.iter().enumerate() {
            let variant = if *whole { "whole" } else { "parts" };
            writeln!(text, "[data.d{index}]\napplication = \"main\"\nid = \"5F{index:02X}\"\ncontent = \"prepared.d{index}\"\nvariant = \"{variant}\"").unwrap();
            writes.push(format!("\"put_data d{index}\""));
            checks.push(format!("\"check_data d{index}\""));
        }
        // What is empty, and may be, moves nothing: nobody enters where it would live.
        writeln!(text, "[files.{NOTHING}]\napplication = \"inner\"\nid = \"00FF\"\ncontent = \"slice(prepared.f0, 0, 0)\"\noptional = true\nvariant = \"{}\"", self.files[0].1.variant()).unwrap();
        writes.insert(0, format!("\"write_file {NOTHING}\""));
        checks.push(format!("\"check_file {NOTHING}\""));
        let (mut certify, mut prove) = ("", "");
        if self.is_certified {
            writeln!(text, "[files.certificate]\napplication = \"main\"\nid = \"00CC\"\ncontent = \"certificate.sign\"\nvariant = \"{}\"", self.files[0].1.variant()).unwrap();
            certify = ", \"request_certificate sign\", \"write_file certificate\"";
            prove = "\"check_key sign\", ";
            checks.push("\"check_file certificate\"".into());
        }
        self.operations(&mut text);
        // Every operation may name the chip's serial number, whoever renders it. Selecting nothing
        // disturbs nothing.
        for (_, operation, ..) in Dialect::ALL {
            if text.contains(&format!("[[operations.{operation}]]")) {
                writeln!(
                    text,
                    "[[operations.{operation}]]\nheader = \"00 A4 0F 0C\"\ndata = \"hex_bytes(chip.serial)\""
                )
                .unwrap();
            }
        }
        let channel = match (self.way, self.takes_over) {
            (Way::Clear, _) => "",
            (_, false) => "channel = \"issuer\"\n",
            (_, true) => "channel = \"next\"\n",
        };
        if self.is_managed {
            text.push_str("[[stages]]\nname = \"manage\"\nselect = \"domain\"\nchannel = \"manager\"\nsteps = [\"set_state begun\"]\n");
        }
        if self.takes_over {
            text.push_str("[[stages]]\nname = \"take over\"\nselect = \"main\"\nchannel = \"issuer\"\nsteps = [\"replace_keys next\"]\n");
        }
        let (writes, checks) = (writes.join(", "), checks.join(", "));
        // What the centre seals it hides, where the chip has a channel that can.
        let sealed = "sealed = true\nsteps = [\"set_holder_pin pin\", \"set_state closed\"]";
        let hand_over = match self.way {
            Way::Scp03 { level, .. } if !LEVELS[level].0.contains("c-enc r-mac") => {
                format!("{channel}steps = [\"set_state closed\"]")
            }
            Way::Scp03 { .. } => format!("{channel}{sealed}"),
            _ => format!("clear = true\n{sealed}"),
        };
        writeln!(
            text,
            "[[stages]]\nname = \"build\"\nselect = \"main\"\n{channel}steps = [{writes}, \"generate_key sign\", \"set_temporary_pin pin\", \"verify_pin pin\"{certify}]\n\
             [[stages]]\nname = \"verify\"\nselect = \"main\"\nsteps = [{prove}{checks}, \"check_tries pin\"]\n\
             [[stages]]\nname = \"hand over\"\nselect = \"main\"\n{hand_over}"
        )
        .unwrap();
        text
    }

    /// Returns the level of SCP03 on this chip, and whether it is in S16 mode.
    pub(super) fn scp03(&self) -> Option<(usize, bool)> {
        match self.way {
            Way::Scp03 { level, s16 } => Some((level, s16)),
            _ => self.is_managed.then_some((MANAGERS, false)),
        }
    }

    /// Writes the key set that takes the issuer's place.
    fn next(&self, version: &str) -> String {
        match self.takes_over {
            true => format!(
                "\n[channel.keys.next]\n{version}known = \"{}\"\n",
                hex::encode(KEY)
            ),
            false => String::new(),
        }
    }

    fn operations(&self, text: &mut String) {
        let mut put = |operation: &str, variant: &str, rest: &str| {
            let variant = match variant {
                "" => String::new(),
                variant => format!("for = \"{variant}\"\n"),
            };
            writeln!(text, "[[operations.{operation}]]\n{variant}{rest}").unwrap();
        };
        let chunk = self
            .chunk
            .map_or(String::new(), |chunk| format!("\nchunk = {chunk}"));
        put(
            "select",
            "",
            "header = \"00 A4 04 0C\"\ndata = \"application.aid\"",
        );
        put("enter", "root", "header = \"00 A4 01 0C\"\ndata = \"3F00\"");
        put(
            "enter",
            "child",
            "header = \"00 A4 01 0C\"\ndata = \"application.id\"",
        );
        put(
            "create_file",
            "",
            "header = \"00 E0 00 00\"\ndata = \"83 { file.id } 80 { u24(file.size) }\"",
        );
        put(
            "select_file",
            "",
            "header = \"00 A4 02 0C\"\ndata = \"file.id\"",
        );
        put(
            "read_file",
            "",
            "header = \"00 B0 u16(offset)\"\nle = \"length\"",
        );
        put(
            "write_file",
            "plain",
            &format!("header = \"00 D6 u16(offset)\"\ndata = \"chunk\"{chunk}"),
        );
        put(
            "write_file",
            "far",
            "until = 32768\nheader = \"00 D6 u16(offset)\"\ndata = \"chunk\"",
        );
        put(
            "write_file",
            "far",
            "from = 32768\nheader = \"00 D7 00 00\"\ndata = \"54 { u24(offset) } 53 { chunk }\"",
        );
        put(
            "write_file",
            "first",
            "when = \"first\"\nheader = \"00 D2 01 00\"\ndata = \"chunk\"",
        );
        put(
            "write_file",
            "first",
            "from = 1\nheader = \"00 D2 00 00\"\ndata = \"chunk\"",
        );
        put(
            "write_file",
            "last",
            "when = \"more\"\nheader = \"00 D2 00 00\"\ndata = \"chunk\"",
        );
        put(
            "write_file",
            "last",
            "when = \"last\"\nheader = \"00 D2 00 01\"\ndata = \"chunk\"",
        );
        put(
            "write_file",
            "whole",
            "header = \"00 D2 00 00\"\ndata = \"content\"",
        );
        if !self.data.is_empty() {
            let has = |wanted: bool| self.data.iter().any(|(_, whole)| *whole == wanted);
            if has(true) {
                put(
                    "put_data",
                    "whole",
                    "header = \"00 DB 3F FF\"\ndata = \"5C { data.id } 53 { content }\"",
                );
            }
            if has(false) {
                put(
                    "put_data",
                    "parts",
                    "header = \"00 DB 00 00\"\ndata = \"data.id\"",
                );
                put(
                    "put_data",
                    "parts",
                    "header = \"00 DC u16(block)\"\ndata = \"chunk\"",
                );
            }
            put(
                "get_data",
                "",
                "header = \"00 DD 00 00\"\ndata = \"data.id\"",
            );
            put(
                "get_data",
                "",
                "header = \"00 B0 u16(offset)\"\nle = \"length\"",
            );
        }
        let value = self.spelling;
        let current = value
            .replace("pin.value", "pin.current")
            .replace("pin.digits", "pin.current_digits");
        put(
            "set_pin",
            "",
            &format!("header = \"00 24 01 u8(pin.reference)\"\ndata = \"{value}\""),
        );
        put(
            "change_pin",
            "",
            &format!("header = \"00 24 00 u8(pin.reference)\"\ndata = \"{current} {value}\""),
        );
        put(
            "verify_pin",
            "",
            &format!("header = \"00 20 00 u8(pin.reference)\"\ndata = \"{value}\""),
        );
        put(
            "read_tries",
            "",
            "header = \"00 CF 00 u8(pin.reference)\"\nle = 1\ntake = { tries = \"\" }",
        );
        put(
            "generate_key",
            "",
            "header = \"00 47 80 u8(key.reference)\"\nle = 256\ntake = { public = \"7F49/86\" }",
        );
        if self.is_certified {
            put(
                "sign",
                "",
                "header = \"00 2A 9E 9A\"\ndata = \"digest\"\nle = 256\ntake = { signature = \"\" }",
            );
        }
        put("set_state", "", "header = \"80 F0 80 0F\"");
        // Only what an object is for may be said: a command for no object is refused.
        for layout in [
            Layout::Plain,
            Layout::Far,
            Layout::First,
            Layout::Last,
            Layout::Whole,
        ] {
            if self.files.iter().all(|(_, used, _)| *used != layout) {
                let marked = format!(
                    "[[operations.write_file]]\nfor = \"{}\"\n",
                    layout.variant()
                );
                while let Some(start) = text.find(&marked) {
                    let rest = &text[start + 2..];
                    let end = rest.find("[[").map_or(text.len(), |end| start + 2 + end);
                    text.replace_range(start..end, "");
                }
            }
        }
    }

    pub(super) fn plan(&self) -> (Plan, document::Record) {
        let mut shelf = Shelf::default();
        shelf.put("random", self.chip());
        shelf.put(
            "document",
            format!("format = 1\nname = \"document\"\ntitle = \"Document\"\nkinds = [\"id-card\"]\n[[chips]]\ninterface = \"contact\"\nproducts = [\"random\"]\nkeys = {{ sign = {{ {} }} }}\npins = {{ pin = {{ digits = 12 }} }}\n", if self.is_certified { "certificate = \"any\"" } else { "" }),
        );
        let chip = ChipProfile::load(&shelf, "random")
            .unwrap_or_else(|error| panic!("{error}\n{}", self.chip()));
        let document = DocumentProfile::load(&shelf, "document").unwrap();
        let json = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2028-03-01","holder":{"surname":"Izdomāta","given_names":"Anna","personal_code":"321990-12347","birth_date":"1990-03-02","sex":"F","nationality":"LVA"},"certificates":true}"#;
        let record: document::Record = serde_json::from_str(json).unwrap();
        // What data preparation made reaches the executor as variables; the plan asks only
        // whether it is there.
        let mut prepared = serde_json::to_value(&record).unwrap();
        let contents: BTreeMap<String, String> = self
            .contents()
            .map(|(name, content)| (name, hex::encode(content)))
            .collect();
        prepared["prepared"] = serde_json::to_value(contents).unwrap();
        let record: document::Record = serde_json::from_value(prepared).unwrap();
        let plan = Plan::new(Arc::new(chip), "document", &document.chips[0], &record).unwrap();
        (plan, record)
    }

    pub(super) fn contents(&self) -> impl Iterator<Item = (String, &[u8])> {
        let files = self.files.iter().enumerate();
        let data = self.data.iter().enumerate();
        files
            .map(|(index, (content, ..))| (format!("f{index}"), &content[..]))
            .chain(data.map(|(index, (content, _))| (format!("d{index}"), &content[..])))
    }
}
