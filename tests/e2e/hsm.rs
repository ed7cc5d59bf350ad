//! Keys in tokens, as officers handle them; pkcs11-tool judges the token.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use base64::Engine;
use serde_json::Value;

use crate::vault::{Stage, Vault};
use crate::world::{SAMPLES, json, run, zimogs};

#[test]
fn an_installations_token_is_listed_and_serves() {
    let data = &SAMPLES.data;
    let at = |arguments: &[&str]| {
        let mut command = zimogs();
        command
            .args(["hsm"])
            .args(arguments)
            .arg("--data")
            .arg(data);
        command
    };
    let list = json(&mut at(&["list", "--json"]));
    let labels = list
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["label"].as_str().unwrap());
    assert!(
        labels.clone().any(|label| label == "issuer-master"),
        "{list}"
    );
    let doctor = json(&mut at(&["doctor", "--json"]));
    assert_eq!(doctor["serves"], true, "{doctor}");
    // Nobody may do anything to its keys before there are officers.
    let key = data.with_file_name("anna.pem");
    run(zimogs()
        .args(["profile", "sign", "--as", "anna", "--new-key"])
        .arg(&key));
    let officer = format!("anna={}", key.display());
    let signed = ["generate", "aes128", "--label", "x", "--officer", &officer];
    let ran = Vault::ran(&mut at(&signed));
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("officers.txt"), "{}", ran.err);
}

/// *RFC 3394 §4.1*; the check values are openssl's, of sixteen bytes 01 under each key.
#[test]
fn a_suppliers_key_comes_in_under_a_zone_key() {
    let vault = Vault::new();
    let (zone, first) = (
        "000102030405060708090A0B0C0D0E0F",
        "11111111111111112222222222222222",
    );
    let bytes = |text| hex::decode(text).unwrap().into_iter();
    let second: Vec<u8> = bytes(first).zip(bytes(zone)).map(|(a, b)| a ^ b).collect();
    let typed = [first.to_owned(), hex::encode(second)];
    let arguments = [
        "hsm",
        "ceremony",
        "components",
        "--label",
        "zone",
        "--algorithm",
        "aes",
        "--kcv",
        "C35280",
        "--custodian",
        "ilze",
        "--custodian",
        "zane",
    ];
    let mut stage = Stage::new(&vault.officers_do(&arguments));
    for (custodian, component) in ["ilze", "zane"].into_iter().zip(&typed) {
        stage.until(&format!("{custodian}: "));
        stage.until("Press Enter");
        stage.type_line("");
        // Mistyped first: the letter's check value does not fit.
        for wrong in [true, false] {
            stage.until("Component (nothing is shown): ");
            stage.type_line(component);
            stage.until("Its check value: ");
            let kcv = if wrong {
                "000000".to_owned()
            } else {
                openssl_kcv(component)
            };
            stage.type_line(&kcv);
        }
    }
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains(&typed[1]));
    assert_eq!(vault.kcv("zone"), "C35280");

    let wrapped = "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5";
    let import = |label: &str, wrapped: &str, kcv: &str| {
        let arguments = [
            "hsm",
            "import",
            "--zmk",
            "zone",
            "--wrapped",
            wrapped,
            "--kcv",
            kcv,
            "--label",
            label,
            "--as",
            "transport",
            "--algorithm",
            "aes",
        ];
        Vault::ran(&mut vault.officers_do(&arguments))
    };
    assert_eq!(import("maker", wrapped, "3544E1").code, 4);
    let altered = wrapped.replace("AEF3", "AEF2");
    assert_eq!(import("maker", &altered, "3544E0").code, 4);
    assert!(!vault.objects().contains("maker"));
    fs::write(vault.path("wrapped.hex"), wrapped).unwrap();
    assert_eq!(import("maker", "wrapped.hex", "3544E0").code, 0);
    // The same key in a key block that psec (Python) made under the same zone key.
    fs::write(vault.path("block.txt"), KEY_BLOCK).unwrap();
    assert_eq!(import("block", "block.txt", "3544E1").code, 4);
    assert_eq!(
        import("block", &KEY_BLOCK.replace("542E", "542F"), "3544E0").code,
        4
    );
    assert_eq!(import("block", "block.txt", "3544E0").code, 0);
    let objects = vault.objects();
    let both = objects.matches("00112233445566778899aabbccddeeff").count();
    assert_eq!(both, 2, "{objects}");
    let doctor = vault
        .command(&["hsm", "doctor", "--json"])
        .output()
        .unwrap();
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(doctor["serves"], true);
    let looks = doctor["findings"].as_array().unwrap();
    assert_eq!(looks.iter().filter(|f| f["verdict"] == "look").count(), 2);
}

const KEY_BLOCK: &str = "D0176K0AB00N0200KS1800604B120F9292800000PB080000A542E10921DB554E5859BB6E59A9358166824B579BBE5691DE6381E773EF4F75D2A9A75DC909886428176D511FE0B71758FBAEEA879DE1E2E5A4AED195F5285B\n";

/// Sixteen bytes 01 under a key of 16 bytes, its first three bytes.
fn openssl_kcv(key: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["enc", "-aes-128-ecb", "-nopad", "-K", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&[1; 16]).unwrap();
    hex::encode_upper(&child.wait_with_output().unwrap().stdout[..3])
}

#[test]
fn a_backup_is_restored_by_its_custodians_and_proved() {
    let vault = Vault::new();
    for (kind, label) in [
        ("p384", "ca"),
        ("ed25519", "log"),
        ("envelope", "pins"),
        ("aes128", "m"),
    ] {
        run(&mut vault.officers_do(&["hsm", "generate", kind, "--label", label]));
    }
    let backup = |out: &str| Vault::ran(&mut vault.command(&["hsm", "backup", "--out", out]));
    assert_eq!(backup("early").code, 3, "without a backup key");
    let papers = vault.split("backup", "aes256", "backup");
    backup("token.backup").ends(0);
    assert_eq!(backup("token.backup").code, 4, "written over");
    let before = json(&mut vault.command(&["hsm", "list", "--json"]));

    let sealed = fs::read(vault.path("token.backup")).unwrap();
    let pin = fs::read(vault.path("pin")).unwrap();
    assert!(!sealed.windows(pin.len()).any(|part| part == pin));

    // The machine is lost; its backup and the papers are not.
    fs::rename(vault.path("softhsm"), vault.path("lost")).unwrap();
    let restore = |file: &str, papers: [&Vec<String>; 2]| {
        let arguments = [
            "hsm",
            "restore",
            file,
            "--custodian",
            "ilze",
            "--custodian",
            "peteris",
        ];
        let mut stage = Stage::new(&vault.officers_do(&arguments));
        stage.bring("ilze", papers[0]);
        stage.bring("peteris", papers[1]);
        stage.end()
    };
    let mut altered = sealed.clone();
    let end = altered.len() - 30;
    altered[end] ^= 1;
    fs::write(vault.path("altered.backup"), altered).unwrap();
    let (code, seen) = restore("altered.backup", [&papers[0], &papers[2]]);
    assert_eq!(code, 5, "{seen}");
    let (code, seen) = restore("token.backup", [&papers[0], &papers[2]]);
    assert_eq!(code, 0, "{seen}");
    assert_eq!(json(&mut vault.command(&["hsm", "list", "--json"])), before);
    let objects = vault.objects();
    for label in ["ca", "log", "pins", "m", "backup"] {
        assert!(
            objects.contains(&format!("label:      {label}\n")),
            "{objects}"
        );
    }
    // Nothing is restored over a token.
    let arguments = ["hsm", "restore", "token.backup", "--custodian", "ilze"];
    assert_eq!(Vault::ran(&mut vault.officers_do(&arguments)).code, 4);
}

#[test]
fn what_is_done_to_keys_takes_two_officers() {
    let vault = Vault::new();
    let generate = ["hsm", "generate", "aes128", "--label", "master"];
    let signed = |officers: &[&str]| {
        let mut command = vault.command(&generate);
        for officer in officers {
            command.args(["--officer", officer]);
        }
        Vault::ran(&mut command)
    };
    let stranger = vault.path("stranger.pem");
    run(zimogs()
        .args(["profile", "sign", "--as", "stranger", "--new-key"])
        .arg(stranger));
    for (officers, code) in [
        (&[][..], 2),
        (&["anna=anna.pem"], 4),
        (&["anna=anna.pem", "anna=anna.pem"], 4),
        (&["anna=anna.pem", "maija=anna.pem"], 4),
        (&["anna=anna.pem", "juris=anna.pem"], 4),
        (&["anna=anna.pem", "stranger=stranger.pem"], 4),
        (
            &["anna=anna.pem", "juris=juris.pem", "stranger=stranger.pem"],
            4,
        ),
        (&["anna=anna.pem", "juris.pem"], 2),
    ] {
        let ran = signed(officers);
        assert_eq!(ran.code, code, "{officers:?}: {}", ran.err);
    }
    assert!(!vault.objects().contains("master"));
    assert_eq!(vault.protocol()["entries"].as_array().unwrap().len(), 2);
    run(&mut vault.officers_do(&generate));

    // A key that is named by a slip is not destroyed.
    let slip = ["hsm", "destroy", "master", "--kcv", "000000"];
    assert_eq!(Vault::ran(&mut vault.officers_do(&slip)).code, 4);
    let slip = ["hsm", "destroy", "master"];
    assert_eq!(Vault::ran(&mut vault.officers_do(&slip)).code, 4);
    assert!(vault.objects().contains("master"));

    // A protocol that was changed is not continued.
    let entry = vault.path("protocol/000003.protocol");
    let signed = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, signed.replace("aes128", "aes256")).unwrap();
    let more = ["hsm", "generate", "aes128", "--label", "more"];
    assert_eq!(Vault::ran(&mut vault.officers_do(&more)).code, 5);
    fs::remove_file(&entry).unwrap();
    assert_eq!(Vault::ran(&mut vault.officers_do(&more)).code, 5);
    fs::write(&entry, signed).unwrap();
    run(&mut vault.officers_do(&more));
    let last = vault.protocol()["last"].as_str().unwrap().to_owned();
    for name in ["000006.protocol", "000005.protocol"] {
        fs::remove_file(vault.path("protocol").join(name)).unwrap();
    }
    Vault::ran(&mut vault.verify(&[])).ends(0);
    assert_eq!(Vault::ran(&mut vault.verify(&["--seen", &last])).code, 5);
}

#[test]
fn an_openssl_judge_verifies_an_officers_signature() {
    let vault = Vault::new();
    let file = fs::read_to_string(vault.path("protocol/000001.protocol")).unwrap();
    let (signed, signatures) = file.rsplit_once("\n\n").unwrap();
    fs::write(vault.path("signed"), format!("{signed}\n")).unwrap();
    let line = signatures
        .lines()
        .find(|line| line.contains(" anna "))
        .unwrap();
    let encoded = line.rsplit_once(' ').unwrap().1;
    let signature = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .unwrap();
    // Four bytes of key ID before it (C2SP signed-note).
    fs::write(vault.path("signature"), &signature[4..]).unwrap();
    let here = vault.path("");
    run(Command::new("openssl")
        .args(["pkey", "-in", "anna.pem", "-pubout", "-out", "anna.pub"])
        .current_dir(&here));
    run(Command::new("openssl")
        .args([
            "pkeyutl", "-verify", "-pubin", "-inkey", "anna.pub", "-rawin",
        ])
        .args(["-in", "signed", "-sigfile", "signature"])
        .current_dir(&here));
}

#[test]
fn a_doctor_says_what_does_not_serve() {
    let vault = Vault::new();
    Vault::ran(&mut vault.command(&["hsm", "doctor"])).ends(0);
    fs::write(vault.path("pin"), "wrong-pin-8841").unwrap();
    let ran = Vault::ran(&mut vault.command(&["hsm", "doctor", "--json"]));
    assert_eq!(ran.code, 3, "{}", ran.err);
    let login = ran.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .any(|finding| {
            finding["check"] == "login"
                && finding["verdict"] == "failed"
                && finding["remedy"] != Value::Null
        });
    assert!(login && !ran.out.contains("wrong-pin-8841"));
    fs::rename(vault.path("softhsm/tokens"), vault.path("away")).unwrap();
    let ran = Vault::ran(&mut vault.command(&["hsm", "doctor"]));
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.out.contains("no token is labelled"), "{}", ran.out);
    // A PIN file that others can read is not used.
    fs::set_permissions(vault.path("pin"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = Vault::ran(&mut vault.command(&["hsm", "list"]));
    assert_eq!(ran.code, 4, "{}", ran.err);
}
