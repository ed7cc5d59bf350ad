//! The corpus of malformed profiles, `tests/profiles/faults`: one file per fault, named for it.
//! Each says in its first line where the fault stands and what is said of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::reached::is_reached;
use crate::shipped::record;
use crate::source::MAX_TEXT;
use crate::{ChipProfile, DocumentProfile, Plan, ProfileError, Shelf};

/// The profile that all others extend.
const BASE: &str = "minimal";

/// The sources whose faults the corpus must reach, each without its own tests.
const SOURCES: [(&str, &str); 23] = [
    ("source.rs", include_str!("source.rs")),
    ("template.rs", include_str!("template.rs")),
    ("document.rs", include_str!("document.rs")),
    ("document_face.rs", include_str!("document_face.rs")),
    ("document_lds/file.rs", include_str!("document_lds/file.rs")),
    ("document_pin.rs", include_str!("document_pin.rs")),
    ("chip_load.rs", include_str!("chip_load.rs")),
    ("chip_load/again.rs", include_str!("chip_load/again.rs")),
    ("chip_load/channel.rs", include_str!("chip_load/channel.rs")),
    (
        "chip_load/commands.rs",
        include_str!("chip_load/commands.rs"),
    ),
    ("chip_load/fits.rs", include_str!("chip_load/fits.rs")),
    (
        "chip_load/new_pins.rs",
        include_str!("chip_load/new_pins.rs"),
    ),
    ("chip_load/objects.rs", include_str!("chip_load/objects.rs")),
    (
        "chip_load/left_open.rs",
        include_str!("chip_load/left_open.rs"),
    ),
    (
        "chip_load/operations.rs",
        include_str!("chip_load/operations.rs"),
    ),
    (
        "chip_load/key_sets.rs",
        include_str!("chip_load/key_sets.rs"),
    ),
    ("chip_load/order.rs", include_str!("chip_load/order.rs")),
    ("chip_load/parts.rs", include_str!("chip_load/parts.rs")),
    ("chip_load/sealed.rs", include_str!("chip_load/sealed.rs")),
    ("chip_load/pins.rs", include_str!("chip_load/pins.rs")),
    ("chip_load/stages.rs", include_str!("chip_load/stages.rs")),
    ("chip_load/steps.rs", include_str!("chip_load/steps.rs")),
    ("chip_load/unused.rs", include_str!("chip_load/unused.rs")),
];

pub(crate) fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Returns the profiles of a folder by name.
pub(crate) fn folder(path: &str) -> BTreeMap<String, String> {
    let folder = project(path);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{path}: {error}"));
    let files = entries.map(|entry| entry.unwrap().path());
    let profiles: BTreeMap<_, _> = files
        .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&file).unwrap())
        })
        .collect();
    assert!(!profiles.is_empty(), "{path} holds profiles");
    profiles
}

fn shelf(base: &str, name: &str, text: &str) -> Shelf {
    let mut shelf = Shelf::default();
    shelf.put(BASE, base);
    shelf.put(name, text);
    shelf
}

fn chip_base() -> String {
    fs::read_to_string(project("tests/profiles/chips/minimal.toml")).unwrap()
}

fn document_base() -> String {
    fs::read_to_string(project("tests/profiles/faults/documents/minimal.toml")).unwrap()
}

/// What a file of the corpus says of itself.
fn expected(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("# expect: ").unwrap_or_default()
}

/// Returns what differs from the expectation; the hint is free, but there is one.
fn judged(name: &str, text: &str, error: &ProfileError) -> Option<String> {
    let found = match error {
        ProfileError::Invalid { place, fault, hint } => {
            if place.file != format!("{name}.toml") {
                return Some(format!("{name}: stands in {place}: {fault}"));
            }
            if hint.trim().is_empty() || fault.trim().is_empty() {
                return Some(format!("{name}: {fault}: has no hint"));
            }
            format!("{}:{} {fault}", place.line, place.column)
        }
        ProfileError::Mismatch { fault, hint, .. } => {
            if hint.trim().is_empty() {
                return Some(format!("{name}: {fault}: has no hint"));
            }
            fault.clone()
        }
        ProfileError::Unknown { .. } => return Some(format!("{name}: {error}")),
    };
    let found = found.replace('\n', " ");
    (expected(text) != found.trim_end()).then(|| format!("{name}: {found}"))
}

fn chip_faults() -> BTreeMap<String, (String, ProfileError)> {
    let base = chip_base();
    let faults = folder("tests/profiles/faults/chips").into_iter();
    faults
        .map(|(name, text)| {
            let loaded = ChipProfile::load(&shelf(&base, &name, &text), &name);
            let error = loaded.err().unwrap_or_else(|| panic!("{name} loads"));
            (name, (text, error))
        })
        .collect()
}

fn document_faults() -> BTreeMap<String, (String, ProfileError)> {
    let base = document_base();
    let chips = shelf(&chip_base(), "other", "");
    let faults = folder("tests/profiles/faults/documents").into_iter();
    faults
        .filter(|(name, _)| name != BASE)
        .map(|(name, text)| {
            let shelf = shelf(&base, &name, &text);
            let error = DocumentProfile::load(&shelf, &name)
                .and_then(|profile| {
                    profile.check_products(&chips)?;
                    profile.check_layouts(&shelf)
                })
                .expect_err(&name);
            (name, (text, error))
        })
        .collect()
}

/// Makes the plan of a document for a chip that extends the base by `more`.
fn plan(document: &str, more: &str) -> Result<Plan, ProfileError> {
    // Documents name the base: what is laid over it stands in its place.
    let mut chips = Shelf::default();
    chips.put("below", chip_base());
    chips.put(BASE, format!("extends = \"below\"\n{more}"));
    let chip = Arc::new(ChipProfile::load(&chips, BASE)?);
    let extends = format!("extends = \"{BASE}\"\n");
    let named = document.replacen(&extends, &format!("{extends}name = \"document\"\n"), 1);
    let shelf = shelf(&document_base(), "document", &named);
    let document = DocumentProfile::load(&shelf, "document")?;
    Plan::new(chip, &document.name, &document.chips[0], &record(30, true))
}

fn plan_faults() -> BTreeMap<String, (String, ProfileError)> {
    let faults = folder("tests/profiles/faults/plans").into_iter();
    faults
        .map(|(name, text)| {
            let error = plan(&text, "").expect_err(&name);
            (name, (text, error))
        })
        .collect()
}

#[test]
fn what_the_faults_are_planted_into_is_sound() {
    let extends = format!("extends = \"{BASE}\"\n");
    let plan = plan(&extends, "").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((plan.len(), plan.pins.len(), plan.keys.len()), (7, 1, 1));
    assert_eq!(plan.chip.warnings(), []);
}

#[test]
fn every_fault_is_found_in_its_place_with_its_message_and_a_hint() {
    let wrong: Vec<_> = [chip_faults(), document_faults(), plan_faults()]
        .iter()
        .flatten()
        .filter_map(|(name, (text, error))| judged(name, text, error))
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_fault_has_a_message_of_its_own() {
    for faults in [chip_faults(), document_faults(), plan_faults()] {
        let mut messages: BTreeMap<String, String> = BTreeMap::new();
        for (name, (_, error)) in faults {
            let (ProfileError::Invalid { fault, .. } | ProfileError::Mismatch { fault, .. }) =
                error
            else {
                panic!("{name}: {error}")
            };
            if let Some(other) = messages.insert(fault.clone(), name.clone()) {
                panic!("\"{other}\" and \"{name}\" are told alike: {fault}");
            }
        }
    }
}

/// Loads a profile that is longer than any: no file of the corpus.
fn longest() -> ProfileError {
    let text = format!("extends = \"{BASE}\"\n#{}", "x".repeat(MAX_TEXT));
    ChipProfile::load(&shelf(&chip_base(), "long", &text), "long").unwrap_err()
}

#[test]
fn a_profile_of_any_length_is_refused_before_it_is_read() {
    let error = longest().to_string();
    assert!(error.contains("longer than 262144 bytes"), "{error}");
}

/// Every line of the loader that raises an error has a file in the corpus that reaches it.
#[test]
fn the_corpus_reaches_every_fault_that_there_is() {
    let _ = (chip_faults(), document_faults(), longest());
    let mut sites = 0;
    let mut missed = Vec::new();
    for (file, source) in SOURCES {
        for (index, line) in source.lines().enumerate() {
            if line.starts_with("#[cfg(test)]") {
                break;
            }
            let raises = [
                ".fault(",
                ".unknown(",
                "self.error(",
                "sources.error(",
                " fault(",
                "(fault(",
            ]
            .iter()
            .any(|call| line.contains(call));
            // What only passes another place's fault on says so by its words.
            let passes_on = ["fn ", "{what} ", "fault.into()"];
            if !raises || passes_on.iter().any(|words| line.contains(words)) {
                continue;
            }
            sites += 1;
            if !is_reached(file, u32::try_from(index + 1).unwrap()) {
                missed.push(format!("{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(sites > 100, "{sites} places raise an error");
    assert!(missed.is_empty(), "\n{}\n", missed.join("\n"));
}

#[test]
fn a_plan_without_what_the_chip_needs_is_refused() {
    let extends = format!("extends = \"{BASE}\"\n");
    let portrait = "[files.note]\ncontent = \"prepared.portrait\"\n";
    let error = plan(&extends, portrait).unwrap_err().to_string();
    assert!(
        error.contains("write_file note needs prepared data \"portrait\""),
        "{error}"
    );
}

#[test]
fn what_no_stage_uses_is_a_warning_with_its_place() {
    let more = "\
[applications.spare]
aid = \"A0000000010299\"

[files.spare]
application = \"main\"
id = \"0002\"
content = \"00\"

[pins.puk]
title = \"PUK\"
application = \"main\"
reference = 0x02
tries = 3
minimum = 4
stored = 8

[pins.pin]
puk = \"puk\"

[states.spare]
title = \"spare\"
";
    let chips = shelf(
        &chip_base(),
        "chip",
        &format!("extends = \"{BASE}\"\nname = \"chip\"\n{more}"),
    );
    let chip = ChipProfile::load(&chips, "chip").unwrap();
    let warnings: Vec<_> = chip.warnings().iter().map(ToString::to_string).collect();
    let hint = "(name it in a step, or leave it out)";
    assert_eq!(
        warnings,
        [
            format!("chip.toml:3:1: no stage uses application \"spare\" {hint}"),
            format!("chip.toml:6:1: no stage uses file \"spare\" {hint}"),
            format!("chip.toml:22:1: no stage uses state \"spare\" {hint}"),
        ]
    );
}

#[test]
fn what_is_left_open_is_a_warning_with_its_place() {
    let more = "\
[channel]
protocol = \"scp03\"
level = \"c-mac c-enc r-mac\"

[channel.keys.transport]
version = 0x01
known = \"404142434445464748494A4B4C4D4E4F\"

[pins.puk]
title = \"PUK\"
application = \"main\"
reference = 0x02
tries = 3
minimum = 4
stored = 8
default = \"0000\"

[[operations.sign]]
header = \"00 9E 9A u8(key.reference)\"
data = \"digest\"
le = 256
take = { signature = \"\" }

[[stages]]
name = \"build\"
select = \"main\"
channel = \"transport\"
steps = [
    \"generate_key sign\",
    \"request_certificate sign\",
    \"verify_pin puk\",
    \"write_file note\",
    \"put_data object\",
    \"set_state closed\",
]
";
    let text = format!("extends = \"{BASE}\"\nname = \"chip\"\n{more}");
    let warnings = |text: &str| -> Vec<String> {
        let chip = ChipProfile::load(&shelf(&chip_base(), "chip", text), "chip");
        let chip = chip.unwrap_or_else(|error| panic!("{error}"));
        chip.warnings()
            .iter()
            .map(|one| format!("{} {}", one.place, one.what))
            .collect()
    };
    assert_eq!(
        warnings(&text),
        [
            "minimal.toml:23:1 no stage uses pin \"pin\"",
            "chip.toml:34:5 write_file note writes the holder's data while the chip still has key set \"transport\"",
            "chip.toml:7:1 all the world knows key set \"transport\", and it stays on the chip",
            "chip.toml:11:1 PIN \"puk\" keeps the value that its maker set",
            "chip.toml:32:5 request_certificate sign signs, and no step before it presents PIN \"pin\" in this selection",
        ]
    );
    // A value that the run alone knows is lost with it.
    let lost = text.replace(
        "\"generate_key sign\"",
        "\"set_temporary_pin puk\", \"set_temporary_pin pin\", \"verify_pin pin\", \"generate_key sign\"",
    );
    let closed = lost
        .replace(
            "[[stages]]\n",
            "[[stages]]\nname = \"take over\"\nselect = \"main\"\nchannel = \"transport\"\nsteps = [\"replace_keys issuer\"]\n\n[[stages]]\n",
        )
        .replace(
            "name = \"build\"\nselect = \"main\"\nchannel = \"transport\"",
            "name = \"build\"\nselect = \"main\"\nchannel = \"issuer\"",
        )
        .replace(
            "[pins.puk]",
            "[channel.keys.issuer]\nversion = 2\ndiversification = \"kdf3\"\n[pins.puk]",
        );
    assert_eq!(
        warnings(&closed),
        [
            "chip.toml:40:30 PIN \"pin\" keeps a value that nobody knows when the run ends",
            "chip.toml:40:5 PIN \"puk\" keeps a value that nobody knows when the run ends",
        ]
    );
    let closed = format!(
        "{closed}\n[[stages]]\nname = \"hand over\"\nselect = \"main\"\nchannel = \"issuer\"\nsealed = true\nsteps = [\"set_holder_pin puk\", \"set_holder_pin pin\"]\n"
    );
    assert_eq!(warnings(&closed), Vec::<String>::new());
    // Setting a value presents none, and a selection ends what was presented.
    let unproved = |text: &str| {
        let warnings = warnings(text).into_iter();
        let signing = warnings.filter(|warning| warning.contains("in this selection"));
        signing.count()
    };
    assert_eq!(unproved(&closed.replace("\"verify_pin pin\", ", "")), 1);
    let ended = "]\n[[stages]]\nname = \"sign\"\nselect = \"main\"\nsteps = [\n";
    let apart = closed.replace(
        "\"request_certificate sign\"",
        &format!("{ended}\"request_certificate sign\""),
    );
    assert_eq!(unproved(&apart), 1);
    let open = apart.replace("channel = \"issuer\"\nsteps = [\n", "steps = [\n");
    assert_eq!(unproved(&open), 0);
    // Keys that the maker alone has are the maker's as well.
    let makers = text.replace(
        "known = \"404142434445464748494A4B4C4D4E4F\"",
        "diversification = \"kdf3\"",
    );
    assert_eq!(
        warnings(&makers)[2],
        "chip.toml:7:1 the maker has key set \"transport\", and it stays on the chip"
    );
    let renamed = makers.replace("transport", "initial");
    assert_eq!(warnings(&renamed).len(), 3);
    let initial = renamed.replace("version = 0x01", "version = 0xFF");
    assert_eq!(warnings(&initial).len(), 5);
}

/// A holder without the key, or without its certificate, would wait for ever.
#[test]
fn what_this_holder_does_not_get_is_not_waited_for() {
    let more = "\
[data.object]
content = \"certificate.sign\"

[[operations.sign]]
header = \"00 9E 9A u8(key.reference)\"
data = \"digest\"
le = 256
take = { signature = \"\" }

[[stages]]
name = \"build\"
select = \"main\"
steps = [\"generate_key sign\", \"request_certificate sign\", \"put_data object\"]
";
    let document = |keys: &str| {
        format!(
            "extends = \"{BASE}\"\n[[chips]]\ninterface = \"contact\"\nproducts = [\"minimal\"]\nkeys = {{ {keys} }}\n"
        )
    };
    let fault = |keys: &str, more: &str| {
        let error = plan(&document(keys), more).unwrap_err();
        let ProfileError::Mismatch { fault, hint, .. } = error else {
            panic!("{error}")
        };
        assert!(!hint.is_empty());
        fault
    };
    let with = "sign = { certificate = \"eid-signature\" }";
    assert!(plan(&document(with), more).is_ok());
    assert_eq!(
        fault("", more),
        "put_data object waits for certificate.sign, which this holder does not get"
    );
    assert_eq!(
        fault("sign = {}", more),
        "it names no certificate for key \"sign\", and request_certificate sign asks for one"
    );
    let wanted = more.replace("[data.object]", "[data.object]\nkey = \"sign\"");
    assert!(plan(&document(""), &wanted).unwrap().is_empty());
}

/// What the record alone makes is measured before anything is written.
#[test]
fn a_content_that_no_command_reaches_is_refused_with_the_plan() {
    let extends = format!("extends = \"{BASE}\"\n");
    let note = |written: usize, read: usize| {
        let more = format!(
            "[[operations.write_file]]\nheader = \"00 D6 u16(offset)\"\ndata = \"chunk\"\nchunk = 4\nuntil = {written}\n\
             [[operations.read_file]]\nheader = \"00 B0 u16(offset)\"\nle = \"length\"\nchunk = 4\nuntil = {read}\n\
             [[stages]]\nname = \"build\"\nselect = \"main\"\nsteps = [\"write_file note\", \"check_file note\", \"set_temporary_pin pin\"]\n\
             [[stages]]\nname = \"hand over\"\nselect = \"main\"\nsealed = true\nsteps = [\"set_holder_pin pin\"]\n"
        );
        plan(&extends, &more).map_err(|error| error.to_string())
    };
    // Nine bytes of UTF-8, in parts of four.
    assert!(note(9, 9).is_ok());
    for (step, refused) in [
        ("write_file note", note(8, 9)),
        ("check_file note", note(9, 8)),
    ] {
        let error = refused.unwrap_err();
        let what =
            format!("{step}: no command is for the part of the content that begins at byte 8");
        assert!(error.contains(&what), "{error}");
    }
}

#[test]
fn there_is_no_profile_of_that_name() {
    let error = ChipProfile::load(&shelf("", "one", ""), "other").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no profile is named \"other\"; known are: minimal, one"
    );
}
