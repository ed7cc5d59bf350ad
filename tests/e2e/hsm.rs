//! Keys in tokens, as officers and custodians handle them; pkcs11-tool judges the token.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::Value;

use crate::world::{Ran, SAMPLES, json, run, text, zimogs};

/// A vault: a folder with a token, two officers and a protocol.
struct Vault {
    folder: tempfile::TempDir,
}

const OFFICERS: [&str; 2] = ["anna", "juris"];

impl Vault {
    fn new() -> Self {
        let vault = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for person in OFFICERS {
            let key = vault.path(&format!("{person}.pem"));
            let line = text(
                zimogs()
                    .args(["profile", "sign", "--as", person, "--new-key"])
                    .arg(key),
            );
            let list = vault.path("officers.txt");
            let before = fs::read_to_string(&list).unwrap_or_default();
            fs::write(list, before + &line).unwrap();
        }
        vault.token_file("token.toml", "softhsm");
        let init = ["hsm", "init", "--so-pin-file", "so-pin"];
        run(&mut vault.officers_do(&init));
        vault
    }

    fn token_file(&self, name: &str, tokens: &str) {
        let text = format!(
            "label = \"vault\"\npin_file = \"pin\"\ntokens = \"{tokens}\"\n\
             officers = \"officers.txt\"\nprotocol = \"protocol\"\n"
        );
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command without officers.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command
            .args(arguments)
            .args(["--token", "token.toml"])
            .current_dir(self.folder.path());
        command
    }

    /// A command that both officers sign.
    fn officers_do(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        for person in OFFICERS {
            command.args(["--officer", &format!("{person}={person}.pem")]);
        }
        command
    }

    fn ran(command: &mut Command) -> Ran {
        Ran::of(command.stdin(Stdio::null()).output().unwrap())
    }

    fn pkcs11_tool(&self, arguments: &[&str]) -> Output {
        let module = "/usr/lib/softhsm/libsofthsm2.so";
        let pin = fs::read_to_string(self.path("pin")).unwrap();
        Command::new("pkcs11-tool")
            .env("SOFTHSM2_CONF", self.path("softhsm/softhsm2.conf"))
            .args(["--module", module, "--token-label", "vault", "--login"])
            .args(["--pin", pin.trim()])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// What pkcs11-tool lists.
    fn objects(&self) -> String {
        String::from_utf8(self.pkcs11_tool(&["--list-objects"]).stdout).unwrap()
    }

    fn protocol(&self) -> Value {
        let verify = [
            "hsm",
            "ceremony",
            "verify",
            "protocol",
            "--officers",
            "officers.txt",
            "--json",
        ];
        json(zimogs().args(verify).current_dir(self.folder.path()))
    }

    fn kcv(&self, label: &str) -> String {
        text(&mut self.command(&["hsm", "kcv", label]))
            .trim()
            .to_owned()
    }
}

/// A terminal at which the program runs, and the people in front of it.
struct Stage {
    child: std::process::Child,
    keyboard: std::process::ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
    /// How much of what was seen has been read.
    read: usize,
}

impl Stage {
    /// Starts a command at a terminal of its own: util-linux's `script` makes one.
    fn new(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted = words.map(|word| format!("'{}'", word.to_str().unwrap()));
        // `exec`: a shell that stays dies of Ctrl-C itself, and its end hides the command's.
        let line = format!("exec {}", quoted.collect::<Vec<_>>().join(" "));
        let mut child = Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--flush",
                "--command",
                &line,
                "/dev/null",
            ])
            .current_dir(command.get_current_dir().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (keyboard, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            seen: String::new(),
            read: 0,
        }
    }

    /// Waits until the screen shows a text, and returns what came before it.
    fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                let before = self.seen[self.read..self.read + at].to_owned();
                self.read += at + text.len();
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("no {text:?} ({error}); the screen shows {:?}", self.seen),
            }
        }
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.keyboard, "{line}").unwrap();
        self.keyboard.flush().unwrap();
    }

    /// A custodian comes, writes the share down, and types its end. Returns the paper.
    fn write_down(&mut self, custodian: &str) -> Vec<String> {
        self.until(&format!("{custodian}: your share of the key comes now."));
        self.until("Press Enter");
        self.type_line("");
        self.until("bring the key back.");
        let shown = self.until("Write it down");
        let lines = shown
            .lines()
            .filter_map(|line| line.trim().split_once("   "));
        let paper: Vec<String> = lines.map(|(_, line)| line.to_owned()).collect();
        self.until("last six characters of what you wrote: ");
        self.type_line("QQQQQQ");
        self.until("These are not the last six.");
        self.until("last six characters of what you wrote: ");
        let letters = paper.concat().replace(' ', "");
        self.type_line(&letters[letters.len() - 6..].to_lowercase());
        paper
    }

    /// A custodian comes and types a share.
    fn bring(&mut self, custodian: &str, paper: &[String]) {
        self.until(&format!(
            "{custodian}: your share of the key is needed now."
        ));
        self.until("Press Enter");
        self.type_line("");
        self.type_paper(paper);
    }

    fn type_paper(&mut self, paper: &[String]) {
        for (line, number) in paper.iter().zip(1..) {
            self.until(&format!("  {number}   "));
            self.type_line(&line.to_lowercase());
        }
    }

    /// Waits for the end; returns the exit code and all that was on the screen.
    fn end(mut self) -> (i32, String) {
        drop(self.keyboard);
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_secs(60)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (self.child.wait().unwrap().code().unwrap(), self.seen)
    }
}

/// The same command where there is no terminal, also if the tests run at one.
fn without_terminal(command: &Command) -> Command {
    let mut apart = Command::new("setsid");
    apart
        .arg("--wait")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    apart
}

fn split(vault: &Vault, label: &str, kind: &str, role: &str) -> Vec<Vec<String>> {
    let arguments = [
        "hsm",
        "ceremony",
        "split",
        kind,
        "--label",
        label,
        "--as",
        role,
        "--threshold",
        "2",
        "--custodian",
        "ilze",
        "--custodian",
        "zane",
        "--custodian",
        "peteris",
    ];
    let mut stage = Stage::new(&vault.officers_do(&arguments));
    let papers = ["ilze", "zane", "peteris"].map(|custodian| stage.write_down(custodian));
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    papers.to_vec()
}

fn join(vault: &Vault, label: &str, custodians: [&str; 2]) -> Stage {
    let mut arguments = vec![
        "hsm", "ceremony", "join", "--label", label, "--as", "master",
    ];
    for custodian in custodians {
        arguments.extend(["--custodian", custodian]);
    }
    Stage::new(&vault.officers_do(&arguments))
}

#[test]
fn custodians_bring_a_key_back() {
    let vault = Vault::new();
    let papers = split(&vault, "issuer", "aes256", "master");
    let kcv = vault.kcv("issuer");
    let list = json(&mut vault.command(&["hsm", "list", "--json"]));
    assert_eq!(list[0]["key"], "aes256");
    assert_eq!(list[0]["fault"], Value::Null);
    // What no share may ever stand in.
    let secret = papers[0].concat().replace(' ', "");
    for entry in fs::read_dir(vault.path("protocol")).unwrap() {
        let entry = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!entry.to_uppercase().contains(&secret[20..30]));
    }

    run(&mut vault.officers_do(&["hsm", "destroy", "issuer", "--kcv", &kcv]));
    assert!(!vault.objects().contains("issuer"));
    let mut stage = join(&vault, "again", ["peteris", "ilze"]);
    stage.bring("peteris", &papers[2]);
    stage.bring("ilze", &papers[0]);
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(vault.kcv("again"), kcv);
    // A share that is typed is not shown.
    assert!(!seen.to_uppercase().contains(papers[2][1].trim()), "{seen}");
    let objects = vault.objects();
    assert!(
        objects.contains("Secret Key Object; AES length 32"),
        "{objects}"
    );
    assert!(objects.contains("label:      again"), "{objects}");
    assert!(objects.contains("Access:     sensitive\n"), "{objects}");

    let protocol = vault.protocol();
    let entries = protocol["entries"].as_array().unwrap();
    let shares = |at: usize| entries[at]["stage"]["shares"].as_array().unwrap();
    assert_eq!((entries.len(), shares(3).len(), shares(7).len()), (8, 3, 2));
    assert_eq!(protocol["open"], serde_json::json!([]));
    assert_eq!(entries[3]["stage"]["keys"][0]["kcv"], Value::from(kcv));
}

#[test]
fn a_token_that_is_gone_in_the_middle_loses_nothing() {
    let vault = Vault::new();
    let arguments = [
        "hsm",
        "ceremony",
        "split",
        "aes128",
        "--label",
        "issuer",
        "--as",
        "master",
        "--threshold",
        "2",
        "--custodian",
        "ilze",
        "--custodian",
        "zane",
    ];
    let mut stage = Stage::new(&vault.officers_do(&arguments));
    let ilze = stage.write_down("ilze");
    let (here, away) = (vault.path("softhsm/tokens"), vault.path("away"));
    fs::rename(&here, &away).unwrap();
    let zane = stage.write_down("zane");
    let (code, seen) = stage.end();
    assert_eq!(code, 3, "{seen}");
    assert!(seen.contains("the shares are good"), "{seen}");
    fs::rename(&away, &here).unwrap();
    assert!(!vault.objects().contains("issuer"));

    let mut stage = join(&vault, "issuer", ["zane", "ilze"]);
    stage.bring("zane", &zane);
    stage.bring("ilze", &ilze);
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    let protocol = vault.protocol();
    let stages = protocol["entries"].as_array().unwrap().iter();
    let stages: Vec<_> = stages
        .map(|entry| entry["stage"]["is"].as_str().unwrap())
        .collect();
    assert_eq!(
        stages,
        ["ordered", "done", "ordered", "failed", "ordered", "done"]
    );
}

#[test]
fn wrong_shares_make_no_key() {
    let vault = Vault::new();
    let papers = split(&vault, "first", "aes128", "master");
    let others = split(&vault, "second", "aes128", "master");
    let mut stage = join(&vault, "joined", ["ilze", "zane"]);
    stage.bring("ilze", &papers[0]);
    stage.until("zane: ");
    stage.until("Press Enter");
    stage.type_line("");
    // Another ceremony's, her colleague's, one with two letters exchanged: each is told.
    stage.type_paper(&others[1]);
    stage.until("share 2 is from another ceremony");
    stage.type_paper(&papers[0]);
    stage.until("share 1 is there already");
    let mut wrong = papers[1].clone();
    let line = wrong[1].clone();
    let (a, b) = (&line[0..1], &line[1..2]);
    wrong[1] = format!("{b}{a}{}", &line[2..]);
    if wrong != papers[1] {
        stage.type_paper(&wrong);
        stage.until(&format!("  {}   ", papers[1].len() + 1));
        stage.type_line("");
        stage.until("checksum does not fit");
    }
    stage.type_paper(&papers[1]);
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(vault.kcv("joined"), vault.kcv("first"));

    // One custodian alone, and one who comes with another ceremony's and nothing else.
    let mut stage = join(&vault, "never", ["ilze", "zane"]);
    stage.bring("ilze", &papers[0]);
    stage.until("zane: ");
    stage.until("Press Enter");
    stage.type_line("");
    for _ in 0..5 {
        stage.type_paper(&others[1]);
        stage.until("another ceremony");
    }
    let (code, seen) = stage.end();
    assert_eq!(code, 4, "{seen}");
    assert!(!vault.objects().contains("never"));
    let protocol = vault.protocol();
    let last = protocol["entries"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(last["stage"]["is"], "failed");
}

#[test]
fn a_custodian_who_writes_nothing_down_stops_the_ceremony() {
    let vault = Vault::new();
    let arguments = [
        "hsm",
        "ceremony",
        "split",
        "des3",
        "--label",
        "old",
        "--as",
        "master",
        "--threshold",
        "2",
        "--custodian",
        "ilze",
        "--custodian",
        "zane",
    ];
    let mut stage = Stage::new(&vault.officers_do(&arguments));
    stage.write_down("ilze");
    stage.until("zane: ");
    stage.until("Press Enter");
    stage.type_line("");
    for _ in 0..5 {
        stage.until("last six characters of what you wrote: ");
        stage.type_line("");
    }
    let (code, seen) = stage.end();
    assert_eq!(code, 4, "{seen}");
    assert!(!vault.objects().contains("old"));
    for (arguments, code) in [
        (
            &["--threshold", "1", "--custodian", "a", "--custodian", "b"][..],
            2,
        ),
        (
            &["--threshold", "3", "--custodian", "a", "--custodian", "b"],
            2,
        ),
        (
            &["--threshold", "2", "--custodian", "a", "--custodian", "a"],
            2,
        ),
        // No terminal.
        (
            &["--threshold", "2", "--custodian", "a", "--custodian", "b"],
            2,
        ),
    ] {
        let split = [
            "hsm", "ceremony", "split", "aes128", "--label", "x", "--as", "master",
        ];
        let command = vault.officers_do(&[&split[..], arguments].concat());
        let ran = Vault::ran(&mut without_terminal(&command));
        assert_eq!(ran.code, code, "{}", ran.err);
    }
}

#[test]
fn a_ceremony_that_is_stopped_leaves_nothing_on_the_screen() {
    let vault = Vault::new();
    let arguments = [
        "hsm",
        "ceremony",
        "split",
        "aes128",
        "--label",
        "stopped",
        "--as",
        "master",
        "--threshold",
        "2",
        "--custodian",
        "ilze",
        "--custodian",
        "zane",
    ];
    let mut stage = Stage::new(&vault.officers_do(&arguments));
    stage.until("Press Enter");
    stage.type_line("");
    stage.until("Write it down");
    stage.until("last six characters");
    // What Ctrl-C types.
    stage.keyboard.write_all(&[3]).unwrap();
    stage.keyboard.flush().unwrap();
    stage.until("\x1b[3J\x1b[?1049l");
    let (code, seen) = stage.end();
    assert_eq!(code, 1, "{seen}");
    assert!(!vault.objects().contains("stopped"));
    assert_eq!(vault.protocol()["open"], serde_json::json!([3]));
    // The next act is ordered beside the one that stays open.
    run(&mut vault.officers_do(&["hsm", "generate", "aes128", "--label", "next"]));
    assert_eq!(vault.protocol()["open"], serde_json::json!([3]));
}

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
    let papers = split(&vault, "backup", "aes256", "backup");
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
    let verify = [
        "hsm",
        "ceremony",
        "verify",
        "protocol",
        "--officers",
        "officers.txt",
    ];
    let mut verify: Vec<_> = verify.to_vec();
    let here = vault.path("");
    Vault::ran(zimogs().args(&verify).current_dir(&here)).ends(0);
    verify.extend(["--seen", &last]);
    assert_eq!(
        Vault::ran(zimogs().args(&verify).current_dir(&here)).code,
        5
    );
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
