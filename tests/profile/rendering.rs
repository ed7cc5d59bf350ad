//! What becomes of a profile's commands: parts, tries, and what is hidden.

use card::{Response, Status};

use crate::{ChipProfile, Object, ObjectKind, Renderer, Shelf, Value, Variables};

/// Loads what is laid over the smallest chip.
fn load(more: &str) -> ChipProfile {
    let mut shelf = Shelf::default();
    shelf.put("minimal", include_str!("../profiles/chips/minimal.toml"));
    shelf.put(
        "chip",
        format!("extends = \"minimal\"\nname = \"chip\"\n{more}"),
    );
    ChipProfile::load(&shelf, "chip").unwrap_or_else(|error| panic!("{error}"))
}

fn object<'c>(chip: &'c ChipProfile, kind: ObjectKind, name: &str) -> &'c Object {
    chip.object(kind, name).unwrap()
}

/// Writes the note of a chip, and returns what each command carries.
fn written(more: &str, content: &[u8]) -> Vec<Vec<u8>> {
    let chip = load(more);
    let renderer = Renderer::new(&chip, &chip.limits, None);
    let note = object(&chip, ObjectKind::File, "note");
    let rendered = renderer.write(note, content, &Variables::default());
    let commands = rendered.unwrap().into_iter();
    commands.map(|one| one.command.data().to_vec()).collect()
}

#[test]
fn a_part_is_as_long_as_what_stands_around_it_leaves() {
    let content: Vec<u8> = (0..=255).cycle().take(2000).collect();
    for (data, around, twice) in [
        ("53 { chunk }", 3, 1),
        ("53 { chunk } 54 { chunk }", 4, 2),
        ("hex_text(chunk)", 0, 2),
        // Blocks of sixteen, of which one is for the filling.
        ("iso_pad(chunk, 16)", 1, 1),
    ] {
        let more = format!(
            "[[operations.write_file]]\nheader = \"00 D6 u16(block)\"\ndata = \"{data}\"\n"
        );
        let commands = written(&more, &content);
        // The longest that a command of 255 bytes takes, and no byte less.
        let most = match data.starts_with("iso_pad") {
            true => 240 - around,
            false => (255 - around) / twice,
        };
        assert_eq!(commands.len(), content.len().div_ceil(most), "{data}");
        assert!(commands.iter().all(|data| data.len() <= 255), "{data}");
    }
}

#[test]
fn a_command_for_a_part_may_name_the_whole_content() {
    let more = "[[operations.write_file]]\nheader = \"00 D6 u16(offset)\"\ndata = \"size16(content) chunk\"\nchunk = 2\n";
    let commands = written(more, b"abc");
    assert_eq!(commands, [b"\x00\x03ab".to_vec(), b"\x00\x03c".to_vec()]);
}

/// SP 800-73-4 Part 2 §3.2.1: without data, VERIFY answers 9000 where the PIN stands presented.
#[test]
fn a_pin_that_stands_presented_has_all_of_its_tries() {
    let chip = load(
        "[[operations.read_tries]]\nheader = \"00 20 00 u8(pin.reference)\"\nexpect = [\"63CX\", \"9000\"]\ntake = { tries = \"SW\" }\n",
    );
    let renderer = Renderer::new(&chip, &chip.limits, None);
    let pin = object(&chip, ObjectKind::Pin, "pin");
    let rendered = renderer.operation(crate::Dialect::ReadTries, pin, &[]);
    let command = &rendered.unwrap()[0];
    for (status, tries) in [(0x9000, 3), (0x63C2, 2), (0x63C0, 0)] {
        let answer = Response::new(Vec::new(), Status::new(status));
        assert!(command.accepts(answer.status()));
        assert_eq!(command.results(&answer).unwrap()["tries"][..], [tries]);
    }
}

/// A chip by challenge whose proof is `proof`.
fn by_challenge(proof: &str) -> ChipProfile {
    load(&format!(
        r#"
[channel]
protocol = "challenge"
host = 16
proof = "{proof}"
[channel.keys.transport]
diversification = "kdf3"
context = "hex_bytes(chip.serial)"
[[operations.open_channel]]
header = "00 84 00 00"
le = 16
take = {{ "channel.nonce" = "" }}
[[operations.open_channel]]
header = "00 82 00 00"
data = "channel.proof"
"#
    ))
}

#[test]
fn a_proof_that_serves_again_is_hidden() {
    for (proof, is_secret) in [
        ("aes_ecb(channel.key, channel.nonce)", false),
        ("sha256(channel.key channel.nonce)", false),
        ("sha256(channel.key)", true),
        // The host's own random bytes do not make it fresh: the chip takes any.
        ("aes_cmac(channel.key, channel.host)", true),
    ] {
        let chip = by_challenge(proof);
        let renderer = Renderer::new(&chip, &chip.limits, None);
        let set = object(&chip, ObjectKind::KeySet, "transport");
        let mut known = Variables::default();
        known.set("channel.proof", Value::bytes([1; 16]));
        let told = |half: bool| {
            let rendered = renderer.open_channel(set, half, &known).unwrap();
            rendered.iter().map(|one| one.secret).collect::<Vec<_>>()
        };
        assert_eq!((told(false), told(true)), (vec![false], vec![is_secret]));
        let shown = chip.veil().command(b"\x00\x82\x00\x00\x02ab").to_string();
        assert_eq!(shown.contains("6162"), !is_secret, "{proof}: {shown}");
    }
}

/// A key that the centre makes comes with its public part.
#[test]
fn a_chip_that_generates_other_keys_may_import_one() {
    load(
        r#"
[keys.imported]
application = "main"
reference = 0x11
algorithm = "p256"
variant = "imported"
[keys.sign]
variant = "made"
[[operations.generate_key]]
for = "made"
header = "00 47 80 u8(key.reference)"
le = 256
take = { public = "7F49/86" }
[[operations.import_key]]
for = "imported"
header = "00 DB 3F u8(key.reference)"
data = "key.private"
[[stages]]
name = "import"
select = "main"
sealed = true
steps = ["import_key imported", "set_holder_pin pin"]
"#,
    );
}

/// Only the operation by which a PIN is set needs what the operation names.
#[test]
fn a_pin_that_is_set_under_the_dek_may_be_presented_in_the_clear() {
    load(
        r#"
[channel]
protocol = "scp03"
level = "c-mac c-enc r-mac"
[channel.keys.issuer]
version = 0x01
diversification = "kdf3"
[pins.pin]
default = "12345678"
[[operations.set_pin]]
header = "00 24 01 u8(pin.reference)"
data = "aes_ecb(channel.dek, pad(pin.value, 16, FF))"
[[operations.change_pin]]
header = "00 24 00 u8(pin.reference)"
data = "pin.current pin.value"
[[operations.read_tries]]
header = "00 CF 00 u8(pin.reference)"
le = 1
take = { tries = "" }
[[stages]]
name = "build"
select = "main"
steps = ["verify_pin pin", "set_temporary_pin pin", "check_tries pin"]
"#,
    );
}

/// A set whose key nobody has to show is anybody's, however its key is made.
#[test]
fn a_channel_that_is_opened_without_a_key_is_anybodys() {
    let commands = "[[operations.open_channel]]\nheader = \"00 84 00 00\"\nle = 16\ntake = { \"channel.nonce\" = \"\" }\n[[operations.open_channel]]\nheader = \"00 82 00 00\"\ndata = \"channel.proof\"\n";
    let diversified = "diversification = \"kdf3\"\ncontext = \"hex_bytes(chip.serial)\"";
    let known = "known = \"404142434445464748494A4B4C4D4E4F\"";
    for (proof, source, is_anybodys) in [
        ("aes_ecb(channel.key, channel.nonce)", diversified, false),
        ("sha256(channel.key)", diversified, false),
        ("", diversified, true),
        ("channel.nonce", diversified, true),
        ("aes_ecb(channel.key, channel.nonce)", known, true),
    ] {
        let chip = load(&format!(
            "[channel]\nprotocol = \"challenge\"\nproof = \"{proof}\"\n[channel.keys.issuer]\n{source}\n{commands}"
        ));
        assert_eq!(
            chip.channel.keys["issuer"].is_anybodys(),
            is_anybodys,
            "{proof}"
        );
    }
}

/// What stands in the place of another is for who does not get the key.
#[test]
fn one_place_holds_one_thing_with_a_key_and_another_without() {
    use std::sync::Arc;

    use crate::shipped::record;
    use crate::{DocumentProfile, Plan};

    let chip = Arc::new(load(
        "[files.full]\napplication = \"main\"\nid = \"0002\"\nkey = \"sign\"\ncontent = \"01\"\n\
         [files.plain]\napplication = \"main\"\nid = \"0002\"\nwithout_key = \"sign\"\ncontent = \"00\"\n\
         [[stages]]\nname = \"build\"\nselect = \"main\"\nsteps = [\"write_file full\", \"write_file plain\", \"generate_key sign\"]\n",
    ));
    let mut shelf = Shelf::default();
    shelf.put(
        "card",
        "format = 1\nname = \"card\"\ntitle = \"card\"\nkinds = [\"id-card\"]\n[[chips]]\ninterface = \"contact\"\nproducts = [\"chip\"]\n[chips.keys.sign]\nminimum_age = 14\n",
    );
    let document = DocumentProfile::load(&shelf, "card").unwrap();
    for (age, expected) in [
        (30, &["write_file full", "generate_key sign"][..]),
        (5, &["write_file plain"]),
    ] {
        let record = record(age, true);
        let plan = Plan::new(Arc::clone(&chip), "card", &document.chips[0], &record).unwrap();
        let steps: Vec<_> = plan.stages.iter().flat_map(|stage| &stage.steps).collect();
        let steps: Vec<_> = steps.iter().map(|step| step.name()).collect();
        assert_eq!(steps, expected, "{age}");
    }
}
