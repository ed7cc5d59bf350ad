//! Nothing secret stays behind: every file that a whole run wrote is searched for its PINs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use vprinter::VirtualPrinter;

use crate::missing;
use crate::world::{CANARY, Demo, judged, project, run, zimogs};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

/// Returns every form in which twelve digits could have been written.
fn forms_of_pin(digits: &str) -> Vec<Vec<u8>> {
    let bcd = hex::decode(digits).unwrap();
    let mut swapped = bcd.clone();
    swapped
        .iter_mut()
        .for_each(|byte| *byte = byte.rotate_left(4));
    let mut forms = forms(digits.as_bytes());
    // Padded in a command's field is raw with something behind, which raw finds.
    forms.extend([bcd, swapped]);
    forms
}

/// Returns every form in which bytes could have been written.
fn forms(raw: &[u8]) -> Vec<Vec<u8>> {
    let hexadecimal = hex::encode(raw);
    let mut forms = vec![
        raw.to_vec(),
        hexadecimal.to_uppercase().into_bytes(),
        hexadecimal.into_bytes(),
        raw.iter().flat_map(|byte| [*byte, 0]).collect(),
        raw.iter().flat_map(|byte| [0, *byte]).collect(),
    ];
    // Base64 depends on what stands before: three alignments, without the edges.
    for shift in 0..3 {
        let shifted = [vec![b'x'; shift], raw.to_vec()].concat();
        let encoded = STANDARD.encode(shifted);
        let (from, to) = ([0, 2, 3][shift], encoded.len() - 4);
        forms.push(encoded.as_bytes()[from..to].to_vec());
    }
    forms
}

/// Demands that none of the secrets, in any of its forms, stands in any file of a folder.
fn assert_nowhere(folder: &Path, secrets: &[Secret]) {
    let mut all = Vec::new();
    files(folder, &mut all);
    assert_none(&all, secrets);
}

/// Demands that none of the secrets, in any of its forms, stands in any of the files.
fn assert_none(all: &[PathBuf], secrets: &[Secret]) {
    assert!(all.len() > 10);
    for path in all {
        let found = found(&std::fs::read(path).unwrap(), secrets);
        assert_eq!(found, None, "in {}", path.display());
    }
}

/// A form of a secret: of what, which, and how it is written.
type Form<'a> = (&'static str, usize, &'a [u8]);

/// How a form begins: what files are looked through for, once for all forms.
const BEGINNING: usize = 6;

/// Returns which of the secrets stands in these bytes, and in which form.
fn found(bytes: &[u8], secrets: &[Secret]) -> Option<(&'static str, usize)> {
    let mut beginnings: HashMap<&[u8], Vec<Form<'_>>> = HashMap::new();
    for (name, forms) in secrets {
        for (index, form) in forms.iter().enumerate() {
            let beginning = beginnings.entry(&form[..BEGINNING]).or_default();
            beginning.push((name, index, form));
        }
    }
    for (place, window) in bytes.windows(BEGINNING).enumerate() {
        for (name, index, form) in beginnings.get(window).into_iter().flatten() {
            if bytes[place..].starts_with(form) {
                return Some((name, *index));
            }
        }
    }
    None
}

/// In a run of its own: while another test works in a folder, files come and go.
#[test]
fn no_pin_and_no_key_stays_in_any_file() {
    let demo = judged();
    let rest = tempfile::tempdir().unwrap();
    let printer = VirtualPrinter::start(&rest.path().join("paper"), &[]).unwrap();
    let address = printer.address();
    // Every document's PINs go to paper, with everything told that a program can tell.
    let numbers: Vec<_> = demo
        .documents()
        .iter()
        .map(|document| document["number"].as_str().unwrap())
        .collect();
    let mut printed = 0;
    for (place, number) in numbers.iter().enumerate() {
        let ran = demo
            .central(&["envelope", "print", number, "--printer", &address])
            .env("ZIMOGS_LOG", "trace")
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        // Who has no key has no PIN.
        printed += usize::from(ran.status.success());
        std::fs::write(demo.data.join(format!("said-{place}")), said).unwrap();
    }
    assert!(printed >= 3);
    let exported = demo.central(&["documents", "--json"]).output().unwrap();
    std::fs::write(demo.data.join("documents.json"), exported.stdout).unwrap();
    let out = demo.data.join("exported");
    run(demo
        .command(&["audit", "export"])
        .arg("--data")
        .arg(&demo.data)
        .arg("--out")
        .arg(&out));
    let papers = printer.paper().unwrap();
    assert_eq!(papers.len(), printed);
    let mut secrets = Vec::new();
    for paper in &papers {
        let Ok(text) = std::fs::read_to_string(paper.with_extension("txt")) else {
            missing::program("pdftotext");
            return;
        };
        let words = text.split_whitespace();
        let pins =
            words.filter(|word| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit()));
        secrets.extend(pins.map(|pin| ("a PIN", forms_of_pin(pin))));
    }
    assert_eq!(
        secrets.len(),
        3 * printed,
        "PIN1, PIN2 and PUK of twelve digits each"
    );
    secrets.extend(keys_of(&demo));
    assert_nowhere(&demo.data, &secrets);
    assert_eq!(printer.stop(), [""; 0], "the printer had nothing to object");
}

type Secret = (&'static str, Vec<Vec<u8>>);

fn keys_of(demo: &Demo) -> Vec<Secret> {
    let master = card::gp::Key::new(&CANARY).unwrap();
    let mut keys = vec![("the transport master key", forms(&CANARY))];
    for document in demo.documents() {
        let serial = hex::decode(document["chips"][0]["serial"].as_str().unwrap()).unwrap();
        let method = card::gp::Diversification::Kdf3;
        let chip = method
            .keys(&master, serial.as_slice().try_into().unwrap())
            .unwrap();
        for key in [&chip.enc, &chip.mac, &chip.dek] {
            keys.push(("a chip's transport key", forms(key.as_bytes())));
        }
    }
    // What a private key looks like, whoever made it: PKCS#8 and SEC 1 in PEM.
    keys.push(("a private key", vec![b"PRIVATE KEY-----".to_vec()]));
    keys
}

/// Whole lives with everything told that a program can tell: who the documents are for stands in no
/// file but in certificates, which are made to be shown, and in the chips.
#[test]
fn nobody_is_named_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let (data, temporary) = (folder.path().join("data"), folder.path().join("temporary"));
    std::fs::create_dir(&temporary).unwrap();
    let told = |arguments: &[&str]| {
        let mut command = zimogs();
        command.args(arguments).arg("--data").arg(&data);
        command.env("ZIMOGS_LOG", "trace").env("TMPDIR", &temporary);
        let output = run(&mut command);
        [output.stdout, output.stderr].concat()
    };
    let mut said = told(&["demo", "--exit-when-done", "--json", "--documents", "18"]);
    // What was looked for is not told either.
    said.extend(told(&[
        "central",
        "search",
        "--surname",
        "Pirkstina",
        "--json",
    ]));
    said.extend(told(&["central", "documents", "--json"]));
    said.extend(told(&["central", "erase"]));
    said.extend(told(&["central", "erase", "--check"]));
    let out = temporary.join("exported");
    said.extend(told(&["audit", "export", "--out", out.to_str().unwrap()]));
    std::fs::write(temporary.join("said"), said).unwrap();

    let mut people = Vec::new();
    let mut samples = Vec::new();
    files(&project("tests/samples/applications"), &mut samples);
    for sample in &samples {
        people.extend(person(sample));
    }
    assert!(people.len() > 100);
    let (mut searched, mut certificates) = (Vec::new(), Vec::new());
    files(folder.path(), &mut searched);
    // The demo gives the certificates that it made to whoever runs it.
    files(&data.join("certificates"), &mut certificates);
    searched.retain(|path| !certificates.contains(path));
    assert_none(&searched, &people);
    // What is searched for is what is there to be found.
    let named = |path: &PathBuf| found(&std::fs::read(path).unwrap(), &people).is_some();
    assert!(
        certificates.iter().any(named),
        "certificates have the names"
    );
}

/// Returns every form of what a sample application says of its person, in capitals too, as documents
/// and certificates print it.
fn person(sample: &Path) -> Vec<Secret> {
    let application: serde_json::Value =
        serde_json::from_slice(&std::fs::read(sample).unwrap()).unwrap();
    let text = |field: &str| {
        let text = application["holder"][field].as_str();
        text.unwrap_or_default().to_owned()
    };
    let code = text("personal_code");
    let digits = code.replace('-', "");
    let mut secrets = vec![
        ("a personal code", forms(code.as_bytes())),
        ("a personal code", forms(digits.as_bytes())),
    ];
    let (surname, given_names) = (text("surname"), text("given_names"));
    let capitals = [surname.to_uppercase(), given_names.to_uppercase()];
    // A place in capitals is an office's name.
    let texts = [surname, given_names, text("birth_place")];
    // A shorter one stands anywhere by chance.
    for text in texts.iter().chain(&capitals).filter(|text| text.len() >= 8) {
        let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect();
        let mut forms = forms(text.as_bytes());
        forms.extend([wide(u16::to_le_bytes), wide(u16::to_be_bytes)]);
        secrets.push(("a name or a place", forms));
    }
    let fingers = application["fingerprints"].as_array();
    let fingers = fingers.into_iter().flatten();
    for image in fingers.chain([&application["portrait"], &application["signature"]]) {
        if let Some(data) = image["data"].as_str() {
            let bytes = STANDARD.decode(data).unwrap();
            // A part that is this picture's own: every such picture begins alike.
            let middle = bytes.len() / 2;
            secrets.push(("a picture", forms(&bytes[middle..middle + 24])));
        }
    }
    secrets
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let digits = "740918253664";
    let encoded: Vec<Vec<u8>> = vec![
        format!("pin={digits};").into_bytes(),
        hex::decode(digits).unwrap(),
        hex::encode_upper(digits).into_bytes(),
        STANDARD
            .encode(format!("{{\"pin\":\"{digits}\"}}"))
            .into_bytes(),
        STANDARD.encode(format!("xx{digits}xx")).into_bytes(),
        STANDARD.encode(format!("x{digits}x")).into_bytes(),
    ];
    for text in encoded {
        let found = forms_of_pin(digits)
            .iter()
            .any(|form| text.windows(form.len()).any(|window| window == form));
        assert!(found, "{}", String::from_utf8_lossy(&text));
    }
}
