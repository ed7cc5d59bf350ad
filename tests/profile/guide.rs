//! The manuals' fragments are proved: what stands in `docs/` loads, or is refused with the words
//! that stand below it.
//!
//! A fragment begins with a comment that says how it is completed:
//!
//! ```text
//! # guide: NAME               laid over tests/profiles/guide/base.toml, it loads
//! # guide: NAME over OTHER    laid over another file there
//! # alone: NAME               it loads by itself
//! # part: NAME                the parts of a page, one after another, are that file there
//! # refused: NAME over OTHER  it is refused, and the text below it says how
//! # document: NAME            a document profile that loads
//! # settings: NAME            TOML of another kind: it parses
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::shipped::record;
use crate::template::Template;
use crate::value::{Nested, Scope, Value, Variables};
use crate::{ChipProfile, Dialect, DocumentProfile, Function, Plan, Renderer, Shelf, Verb};

const ENGINEER: &str = include_str!("../../docs/card-engineer.md");
const LANGUAGE: &str = include_str!("../../docs/profile-language.md");
const BASE: &str = include_str!("../../tests/profiles/guide/base.toml");
const TESSERA: &str = include_str!("../../tests/profiles/guide/tessera.toml");
const TESSERA_CARD: &str = include_str!("../../tests/profiles/guide/tessera-card.toml");
const OPENPGP: &str = include_str!("../../tests/profiles/guide/openpgp.toml");
const OPENPGP_CARD: &str = include_str!("../../tests/profiles/guide/openpgp-card.toml");

fn shelf() -> Shelf {
    let mut shelf = Shelf::default();
    for (name, text) in [
        ("base", BASE),
        ("tessera", TESSERA),
        ("openpgp", OPENPGP),
        (
            "lateid-v2",
            include_str!("../../firmware-profiles/chips/lateid-v2.toml"),
        ),
    ] {
        shelf.put(name, text);
    }
    shelf
}

/// What stands between fences: its language, its text, and the line where it begins.
struct Fence<'a> {
    language: &'a str,
    text: String,
    line: usize,
}

fn fences(page: &str) -> Vec<Fence<'_>> {
    let mut found: Vec<Fence<'_>> = Vec::new();
    let mut is_open = false;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(_), true) => is_open = false,
            (Some(language), false) => {
                is_open = true;
                let (text, line) = (String::new(), number + 2);
                found.push(Fence {
                    language,
                    text,
                    line,
                });
            }
            (None, true) => {
                let text = &mut found.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!is_open, "a fence has no end");
    found
}

/// Completes a fragment: its first line, the comment, gives way to what it is laid over.
fn completed(text: &str, over: &str) -> String {
    let (_, rest) = text.split_once('\n').unwrap();
    match rest.contains("extends = ") {
        true => format!("\n{rest}"),
        false => format!("extends = \"{over}\"\n{rest}"),
    }
}

/// Gives a fragment that is laid over another profile its name, where it says none.
fn named(name: &str, text: &str) -> String {
    let mut lines = text.lines().take_while(|line| !line.starts_with('['));
    match lines.any(|line| line.starts_with("name = ")) {
        true => text.to_owned(),
        false => format!("name = \"{name}\"\n{text}"),
    }
}

fn load(name: &str, text: &str) -> Result<ChipProfile, crate::ProfileError> {
    let mut shelf = shelf();
    shelf.put(name, text);
    let chip = ChipProfile::load(&shelf, name)?;
    tell_every_step(&chip);
    Ok(chip)
}

/// What a template may ask for, as long as it usually is.
struct StandIns(Variables);

impl Scope for StandIns {
    fn value(&self, name: &str) -> Option<Value> {
        let length = match name.rsplit('.').next().unwrap_or_default() {
            "reference" | "bits" => return None,
            "public" => return Some(Value::bytes([&[0x04][..], &[0x11; 64]].concat())),
            "exponent" => 3,
            "id" => 20,
            _ if name.starts_with("certificate.") => 900,
            _ if name.starts_with("prepared.") => 40_000,
            _ => 32,
        };
        let known = self.0.value(name);
        known.or_else(|| Some(Value::bytes(vec![0x31; length])))
    }
}

/// Renders every step of a chip's stages, so that a fragment holds more than it looks.
fn tell_every_step(chip: &ChipProfile) {
    let mut known = crate::variables(&record(30, true));
    known.set("chip.serial", Value::text("00112233445566778899"));
    let stand_ins = StandIns(known.clone());
    let mut taken = known.clone();
    for command in &chip.identify.commands {
        for (name, _) in &command.take {
            taken.set(name.clone(), Value::bytes([0x31; 42]));
        }
    }
    let renderer = Renderer::new(chip, &chip.limits, None);
    let extra: Vec<(&str, Value)> = Dialect::ALL
        .iter()
        .flat_map(|(_, _, _, names, _)| names.iter().copied())
        .filter(|name| !name.ends_with(".size") && !["offset", "length"].contains(name))
        .map(|name| (name, stand_ins.value(name).unwrap()))
        .map(|(name, value)| match name {
            "pin.digits" | "pin.current_digits" => (name, Value::bytes(*b"123456")),
            "key_set.key" => (name, Value::bytes([0x40; 16])),
            _ => (name, value),
        })
        .collect();
    let steps = chip.stages.iter().flat_map(|stage| &stage.steps);
    for (verb, name) in steps {
        let object = chip.object(verb.object(), name).unwrap();
        let told = match object.detail.content() {
            Some(content) => {
                let of_object = Nested(&stand_ins, object);
                let references = content.variables().into_iter();
                let references = references.filter(|(name, _)| {
                    [".reference", ".bits"]
                        .iter()
                        .any(|end| name.ends_with(end))
                });
                let mut scope = Variables::default();
                for (name, _) in references {
                    scope.set(name, Value::Number(1));
                }
                let content = content.render(&Nested(&scope, &of_object)).unwrap();
                let reads = matches!(verb, Verb::CheckFile | Verb::CheckData);
                match reads {
                    true => renderer.read(object, content.len(), &taken),
                    false => renderer.write(object, &content, &taken),
                }
            }
            None => verb
                .operations()
                .iter()
                .chain(&[Dialect::SetPin, Dialect::ChangePin, Dialect::PutKey])
                .filter(|operation| operation.object() == verb.object())
                .map(|operation| renderer.operation_in(*operation, object, &extra, &taken))
                .collect::<Result<Vec<_>, _>>()
                .map(|all| all.into_iter().flatten().collect()),
        };
        let told = told.unwrap_or_else(|error| panic!("{}: {verb} {name}: {error}", chip.name));
        for one in told {
            let length = one.command.data().len();
            assert!(length <= chip.limits.command || chip.limits.chaining);
        }
    }
}

/// Returns a fault as `zimogs profile check` shows it: the place, the line and a mark below it,
/// what to do.
fn shown(error: &crate::ProfileError, text: &str) -> String {
    let crate::ProfileError::Invalid { place, fault, hint } = error else {
        panic!("{error}")
    };
    let line = text.lines().nth(place.line - 1).unwrap();
    let number = place.line.to_string();
    let (margin, indent) = (" ".repeat(number.len()), " ".repeat(place.column - 1));
    format!(
        "{place}: {fault}\n{margin} |\n{number} | {line}\n{margin} | {indent}^\n  try: {hint}\n"
    )
}

/// Proves every fragment of a page, and returns the files of which it has the parts.
fn prove(page: &str) -> BTreeMap<String, String> {
    let fences = fences(page);
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    for (place, fence) in fences.iter().enumerate() {
        if fence.language != "toml" {
            continue;
        }
        let first = fence.text.lines().next().unwrap_or_default();
        let (kind, name) = first
            .strip_prefix("# ")
            .and_then(|words| words.split_once(": "))
            .unwrap_or_else(|| panic!("line {}: a fragment without name: {first}", fence.line));
        let (name, over) = name.split_once(" over ").unwrap_or((name, "base"));
        let failed = |error: &dyn std::fmt::Display| -> ! {
            panic!("line {} of the page, {name}: {error}", fence.line)
        };
        match kind {
            "guide" => {
                if let Err(error) = load(name, &named(name, &completed(&fence.text, over))) {
                    failed(&error);
                }
            }
            "alone" => {
                if let Err(error) = load(name, &fence.text) {
                    failed(&error);
                }
            }
            "part" => {
                let whole = parts.entry(name.to_owned()).or_default();
                let (_, rest) = fence.text.split_once('\n').unwrap();
                if !whole.is_empty() {
                    whole.push('\n');
                }
                whole.push_str(rest);
                // What is written so far loads, over something that can be selected.
                let so_far = whole.replacen(&format!("name = \"{name}\""), "name = \"so-far\"", 1);
                let so_far = named("so-far", &format!("extends = \"base\"\n{so_far}"));
                if let Err(error) = load("so-far", &so_far) {
                    failed(&error);
                }
            }
            "refused" => match load(name, &completed(&fence.text, over)) {
                Ok(_) => failed(&"it loads"),
                Err(error) => {
                    let said = &fences[place + 1];
                    assert_eq!(said.language, "text", "line {}", said.line);
                    let text = completed(&fence.text, over);
                    assert_eq!(shown(&error, &text), said.text, "line {}", fence.line);
                }
            },
            "document" => {
                let mut shelf = Shelf::default();
                shelf.put(name, &*fence.text);
                if let Err(error) = DocumentProfile::load(&shelf, name) {
                    failed(&error);
                }
            }
            "settings" => {
                if let Err(error) = toml::de::DeTable::parse(&fence.text) {
                    failed(&error);
                }
            }
            other => failed(&format!("no kind of fragment is \"{other}\"")),
        }
    }
    parts
}

#[test]
fn every_fragment_of_the_guide_loads() {
    let parts = prove(ENGINEER);
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["tessera"]);
    assert_eq!(parts["tessera"], TESSERA, "the page and the file differ");
}

#[test]
fn every_fragment_of_the_reference_loads() {
    assert!(prove(LANGUAGE).is_empty());
}

#[test]
fn the_reference_names_the_whole_vocabulary() {
    let names = Dialect::ALL.iter().map(|(_, name, ..)| *name);
    let names = names.chain(Verb::ALL.iter().map(|(_, name, ..)| *name));
    let missing: Vec<_> = names
        .filter(|name| !LANGUAGE.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for operation in Dialect::ALL.iter().map(|(operation, ..)| *operation) {
        let row = format!("| `{operation}` |");
        let row = LANGUAGE.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{operation} has no row"));
        for name in operation.variables().iter().chain(operation.results()) {
            assert!(row.contains(&format!("`{name}`")), "{operation}: {name}");
        }
    }
}

#[test]
fn the_reference_names_every_field() {
    fn fields(schema: &serde_json::Value, found: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| fields(value, found));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }
    let schema = schemars::schema_for!(crate::chip_file::ChipFile);
    let mut found = Vec::new();
    fields(schema.as_value(), &mut found);
    assert!(found.len() > 60);
    let stands = |text: String| LANGUAGE.contains(&text);
    found.retain(|name| !stands(format!("`{name}`")) && !stands(format!("`[{name}]`")));
    assert!(found.is_empty(), "{found:?}");
}

/// What the functions' examples are computed from.
fn example() -> Variables {
    let mut scope = Variables::default();
    scope.set("file.size", Value::Number(300));
    scope.set("document.number", Value::text("XA0000001"));
    scope.set("document.expires", Value::text("20361121"));
    scope.set("holder.surname", Value::text("BĒRZS"));
    scope.set("chip.serial", Value::text("0A1B2C"));
    scope.set("pin.digits", Value::bytes(*b"12345"));
    scope.set("pin.reference", Value::Number(0x81));
    scope.set("data.id", Value::bytes([0x5F, 0xC1, 0x05]));
    scope
}

#[test]
fn every_function_has_an_example_that_is_true() {
    for (name, ..) in Function::ALL {
        let row = format!("| `{name}(");
        let mut rows = LANGUAGE.lines().filter(|line| line.starts_with(&row));
        let row = rows.find(|row| row.matches('`').count() == 4);
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        let cells: Vec<&str> = row.split('`').collect();
        let (template, said) = (cells[1], cells[3]);
        let given = Template::parse(template).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        let given = given.render(&example()).unwrap();
        let given = hex::encode_upper(&given[..]);
        let said: String = said.split_whitespace().collect();
        match said.strip_suffix('…') {
            Some(start) => assert!(given.starts_with(start), "{name}: {given}"),
            None => assert_eq!(given, said, "{name}"),
        }
    }
}

#[test]
fn the_guides_chips_get_a_plan() {
    for (chip, text, document, wanted) in [
        ("tessera", TESSERA, TESSERA_CARD, 1),
        ("openpgp", OPENPGP, OPENPGP_CARD, 2),
    ] {
        let profile = load(chip, text).unwrap_or_else(|error| panic!("{error}"));
        let mut shelf = Shelf::default();
        let card = format!("{chip}-card");
        shelf.put(&*card, document);
        let document = DocumentProfile::load(&shelf, &card).unwrap();
        let adult = record(30, true);
        let plan = Plan::new(
            Arc::new(profile),
            &document.name,
            &document.chips[0],
            &adult,
        )
        .unwrap();
        assert_eq!(plan.keys.len(), wanted, "{chip}");
        let listed: usize = plan.chip.stages.iter().map(|stage| stage.steps.len()).sum();
        assert_eq!(plan.len(), listed, "{chip}: an adult gets all of it");
    }
}

/// The functional specification of the OpenPGP card 3.4 spells these commands so (§7.2.5 SELECT
/// DATA, §7.2.14 GENERATE ASYMMETRIC KEY PAIR, §4.4.3.10 algorithm attributes).
#[test]
fn an_openpgp_card_is_told_in_its_own_words() {
    let chip = load("openpgp", OPENPGP).unwrap();
    let renderer = Renderer::new(&chip, &chip.limits, None);
    let told = |rendered: Vec<crate::Rendered>| -> Vec<String> {
        let bytes = rendered.iter().map(|one| one.command.encode().unwrap());
        bytes.map(|bytes| hex::encode_upper(&bytes[..])).collect()
    };
    let key = chip.object(crate::ObjectKind::Key, "decryption").unwrap();
    let commands = renderer.operation(Dialect::GenerateKey, key, &[]).unwrap();
    assert_eq!(
        told(commands),
        ["00DA00C209122A8648CE3D030107", "0047800002B80000"]
    );
    let object = chip
        .object(crate::ObjectKind::Data, "signature_certificate")
        .unwrap();
    let commands = renderer.write(object, &[0x30, 0x00], &Variables::default());
    assert_eq!(
        told(commands.unwrap()),
        ["00A502040660045C027F21", "00DA7F21023000"]
    );
}

/// A chip that is told where a part begins, and itself says how much it gives.
#[test]
fn an_offset_alone_reads_in_parts() {
    let text = "extends = \"base\"
[data.note]
application = \"applet\"
id = \"5F50\"
content = \"u16(key.sign.bits) key.sign.oid\"

[keys.sign]
application = \"applet\"
reference = 1
algorithm = \"p521\"

[[operations.get_data]]
for = [\"other\", \"note\"]
header = \"00 CB u16(offset)\"
chunk = 100
le = 256
take = { content = \"53\" }

[data.other]
application = \"applet\"
id = \"5F50\"
variant = \"other\"
content = \"00\"

[[identify.expect]]
what = \"the version\"
value = \"slice(chip.number, 0, 1)\"
equals = [\"01\", \"02\"]

[[stages]]
name = \"build\"
select = \"applet\"
steps = [\"check_data note\"]
";
    let text = text.replace("content = \"u16", "variant = \"note\"\ncontent = \"u16");
    let chip = load("offset", &named("offset", &text)).unwrap_or_else(|error| panic!("{error}"));
    let note = chip.object(crate::ObjectKind::Data, "note").unwrap();
    let renderer = Renderer::new(&chip, &chip.limits, None);
    let read = renderer.read(note, 250, &Variables::default()).unwrap();
    let headers = read.iter().map(|one| one.command.encode().unwrap());
    let headers: Vec<_> = headers
        .map(|bytes| hex::encode_upper(&bytes[..4]))
        .collect();
    assert_eq!(headers, ["00CB0000", "00CB0064", "00CB00C8"]);
    assert!(chip.reads_in_parts(note));
    // SEC 2 §A.2: secp521r1 is 1.3.132.0.35.
    let held = crate::content(&chip, note, &Variables::default()).unwrap();
    assert_eq!(hex::encode_upper(&held[..]), "02092B81040023");
    let expect = &chip.identify.expect[0];
    assert!(expect.holds(&[0x02]) && !expect.holds(&[0x03]));
    assert_eq!(expect.expected(), "01 or 02");
}
