//! A card engineer's bench: profiles explained, a chip brought up without any keys at hand, the
//! budget of attempts, recorded sessions; strict virtual chips over real PC/SC.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use card::attempts::{AttemptStore, Budget, Guarded};
use card::trace::{Event, Trace};
use reader::AttemptFile;
use serde_json::{Value, json};
use vcard::farm::Farm;
use vcard::{
    Chip, ChipNumber, Circumstances, FileStore, Product, ReaderBuffer, TransportMasterKey,
};

use crate::missing;
use crate::world::{Ran, zimogs};

const MAKER: [u8; 16] = *b"a maker's secret";

/// A reader, chips, a folder; no keys.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) farm: Farm,
    chips: u32,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Farm::program_beside_current().expect("the vcard program");
        let farm = Farm::start(&program, &folder.path().join("farm"), 1).unwrap();
        Self {
            folder,
            farm,
            chips: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn blank(&mut self, product: &str) -> PathBuf {
        self.chips += 1;
        let path = self.path(&format!("chip-{}.json", self.chips));
        let number = ChipNumber::new([0, 9], self.chips.to_be_bytes());
        let product = Product::find(product).unwrap();
        let keys = TransportMasterKey::new(MAKER);
        Chip::blank(product, number, &keys, FileStore::create(&path).unwrap()).unwrap();
        path
    }

    pub(crate) fn insert(&self, chip: &Path, buffer: ReaderBuffer, recording: Option<&Path>) {
        let mut client = self.farm.client().unwrap();
        // The first time there is none.
        let _ = client.remove(0);
        let circumstances = Circumstances {
            buffer,
            ..Circumstances::default()
        };
        client
            .insert_under(0, chip, circumstances, recording)
            .unwrap();
    }

    /// Runs `zimogs card`; the maker's key is in the environment.
    pub(crate) fn card(&self, arguments: &[&str]) -> Ran {
        let mut command = zimogs();
        command
            .arg("card")
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            .env("ZIMOGS_STATE", self.path("state"))
            .env("MAKERS_KEY", hex::encode(MAKER))
            .env("OTHER_KEY", hex::encode(b"some other key!!"));
        Ran::of(command.output().unwrap())
    }

    /// The same with a trial's keys.
    fn trial(&self, arguments: &[&str]) -> Ran {
        let keys = ["--trial", "trial", "--transport-key-env", "MAKERS_KEY"];
        self.card(&[arguments, &keys].concat())
    }

    fn record(&self, number: &str) -> PathBuf {
        let path = self.path(&format!("{number}.json"));
        let record = json!({
            "number": number, "kind": "id-card", "issued": "2026-03-02", "expires": "2031-03-01",
            "holder": {
                "surname": "Izdomāta", "given_names": "Anna", "personal_code": "321990-12347",
                "birth_date": "1990-03-02", "sex": "F", "nationality": "LVA",
            },
            "certificates": true,
        });
        fs::write(&path, record.to_string()).unwrap();
        path
    }

    fn personalize(&self, number: &str, more: &[&str]) -> Ran {
        self.make("lateid-v2", "id-card", number, more)
    }

    /// Personalizes the inserted chip by shipped profiles, with a trial's keys.
    pub(crate) fn make(&self, chip: &str, document: &str, number: &str, more: &[&str]) -> Ran {
        let record = self.record(number);
        let arguments = [
            "personalize",
            "--json",
            "--chip",
            chip,
            "--document",
            document,
            "--record",
            record.to_str().unwrap(),
        ];
        self.trial(&[&arguments[..], more].concat())
    }
}

fn profile(arguments: &[&str]) -> Ran {
    let mut command: Command = zimogs();
    Ran::of(command.arg("profile").args(arguments).output().unwrap())
}

#[test]
fn profiles_are_listed_proved_and_explained() {
    let listed = profile(&["list", "--json"]).ends(0).json();
    let lateid = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["name"] == "lateid-v2")
        .unwrap();
    assert_eq!(
        (&lateid["kind"], &lateid["valid"], &lateid["channel"]),
        (&json!("chip"), &json!(true), &json!("scp03"))
    );
    profile(&["list"]).ends(0);
    profile(&["check"]).ends(0);

    // Both files are judged, each with its place; the line stands under the message.
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let chip = write(
        "broken.toml",
        "extends = \"lateid-v2\"\nname = \"broken\"\n[files.document_number]\ncontent = \"04 { ascii(document.nummber) }\"\n",
    );
    let document = write("other.toml", "kinds = [\"id-card\"\n");
    let checked = profile(&["check", "--json", &chip, &document])
        .ends(2)
        .json();
    assert_eq!(checked[0]["kind"], "chip");
    let fault = &checked[0]["faults"][0];
    assert_eq!((&fault["line"], &fault["column"]), (&json!(4), &json!(23)));
    assert!(fault["file"].as_str().unwrap().ends_with("broken.toml"));
    assert_eq!(checked[1]["kind"], "document");
    assert_eq!(checked[1]["valid"], false);
    let text = profile(&["check", &chip]).ends(2).out;
    assert!(
        text.contains("4 | content =") && text.contains("                       ^"),
        "{text}"
    );
    profile(&["check", "nobody"]).ends(2);

    for kind in ["chip", "document"] {
        let schema = profile(&["schema", kind]).ends(0).json();
        assert!(
            schema["properties"].is_object() || schema["anyOf"].is_array(),
            "{schema:#}"
        );
    }

    let explain = ["explain", "lateid-v2", "--document", "id-card"];
    let explained = profile(&[&explain[..], &["--json"]].concat())
        .ends(0)
        .json();
    assert_eq!(explained["specimen"], true);
    let stages = explained["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 7);
    assert!(explained["figures"]["commands"].as_u64().unwrap() > 80);
    let irreversible = explained["irreversible"].as_array().unwrap();
    assert!(irreversible.contains(&json!("set_holder_pin puk")));
    let text = profile(&explain).ends(0).out;
    assert!(
        text.contains("in all") && text.contains("cannot be undone: "),
        "{text}"
    );
    let one = profile(&[&explain[..], &["--step", "write_file document_number"]].concat());
    let one = one.ends(0).out;
    assert!(
        one.contains("0409584130303030303031") && !one.contains("PUT KEY"),
        "{one}"
    );
    profile(&[&explain[..], &["--step", "nothing"]].concat()).ends(2);
}

#[test]
fn a_chip_is_brought_up_without_keys_at_hand() {
    let mut bench = Bench::new();
    let blank = bench.blank("lateid-v2");
    bench.insert(&blank, ReaderBuffer::default(), None);
    let chip = ["--chip", "lateid-v2"];

    // Without the maker's key nothing can be judged, and that is said.
    let keys = [&["keys", "--json"], &chip[..]].concat();
    let seen = bench.card(&keys).ends(0).json();
    assert_eq!(seen["sets"][1]["judged"], "not-judged");
    bench
        .card(&[&keys[..], &["--trial", "trial"]].concat())
        .ends(2);

    let set = |seen: &Value, name: &str| {
        let sets = seen["sets"].as_array().unwrap();
        let found = sets.iter().find(|set| set["name"] == name).unwrap();
        (
            found["present"].clone(),
            found["judged"].as_str().unwrap().to_owned(),
        )
    };
    let seen = bench.trial(&keys).ends(0).json();
    assert_eq!(set(&seen, "transport"), (json!(true), "ours".into()));
    assert_eq!(set(&seen, "issuer"), (json!(false), "not-judged".into()));
    assert!(
        seen["finding"].as_str().unwrap().starts_with("blank"),
        "{seen:#}"
    );
    assert_eq!(seen["keys"][0]["version"], "FF");

    // The channel opens; a command inside it.
    let channel = [
        "channel",
        "--json",
        "--key-set",
        "transport",
        "--chip",
        "lateid-v2",
    ];
    let opened = bench.trial(&[&channel[..], &["--apdu", "80CA9F7F00"]].concat());
    let opened = opened.ends(0).json();
    assert_eq!(
        (
            &opened["mode"],
            &opened["i"],
            &opened["level"],
            &opened["version"]
        ),
        (
            &json!("SCP03 S8"),
            &json!("70"),
            &json!("c-mac c-enc r-mac"),
            &json!("FF")
        )
    );
    assert_eq!(opened["exchanges"][0]["status"], "9000");
    let absent = bench.trial(&["channel", "--key-set", "issuer", "--chip", "lateid-v2"]);
    absent.ends(4);

    // Wrong keys are found on our side, more often than the chip would stand.
    let wrong = ["--trial", "wrong", "--transport-key-env", "OTHER_KEY"];
    for _ in 0..11 {
        let refused = bench.card(&[&channel[..], &wrong].concat()).ends(4);
        assert!(
            refused.err.contains("no attempt was used"),
            "{}",
            refused.err
        );
    }
    let seen = bench.card(&[&keys[..], &wrong].concat()).ends(0).json();
    assert_eq!(set(&seen, "transport"), (json!(true), "others".into()));
    let other = ["--trial", "trial", "--transport-key-env", "OTHER_KEY"];
    bench.card(&[&channel[..], &other].concat()).ends(4);
    bench.trial(&channel).ends(0);

    // Attempts of which nobody knows the end use the budget up; --force goes on.
    let serial = opened["serial"].as_str().unwrap();
    let mut ledger = AttemptFile::open(&bench.path("state/attempts.sqlite")).unwrap();
    let what = Guarded {
        card: format!("lateid-v2 {serial}"),
        secret: "keys/FF".into(),
    };
    for _ in 0..2 {
        ledger.intend(&what, &Budget::default(), false).unwrap();
    }
    let exhausted = bench.trial(&channel).ends(4);
    assert!(exhausted.err.contains("2 of 2"), "{}", exhausted.err);
    let exhausted = bench.personalize("XA0000001", &[]).ends(4);
    assert_eq!(exhausted.json()["end"], "untouched");
    bench.trial(&[&channel[..], &["--force"]].concat()).ends(0);
    assert_eq!(ledger.account(&what).unwrap().failures(), 0);

    // Made, and recorded.
    let unmasked = bench
        .personalize("XA0000001", &["--trace", "t", "--unmask"])
        .ends(4);
    assert!(
        unmasked.err.contains("whoever reads the file"),
        "{}",
        unmasked.err
    );
    let made = bench
        .personalize("XA0000001", &["--trace", "made.trace"])
        .ends(0)
        .json();
    foretold(&made);
    let text = fs::read_to_string(bench.path("made.trace")).unwrap();
    hides_what_is_secret(&text);
    let sum = bench
        .card(&["trace", "made.trace", "--json"])
        .ends(0)
        .json();
    assert!(
        sum["hidden"].as_u64().unwrap() > 100 && sum["unanswered"] == 0,
        "{sum:#}"
    );
    let printed = bench.card(&["trace", "made.trace", "--print"]).ends(0).out;
    assert_eq!(printed.trim(), text.trim());

    let seen = bench.trial(&keys).ends(0).json();
    assert_eq!(set(&seen, "transport"), (json!(false), "not-judged".into()));
    assert_eq!(set(&seen, "issuer"), (json!(true), "ours".into()));
    bench
        .trial(&["channel", "--key-set", "issuer", "--chip", "lateid-v2"])
        .ends(0);

    // Files, with their bytes and their tree.
    let files = [&["files", "--json", "--show", "--tlv"], &chip[..]].concat();
    let files = bench.card(&files).ends(0).json();
    let number = files.as_array().unwrap().iter();
    let number = number
        .clone()
        .find(|file| file["name"] == "document_number")
        .unwrap();
    assert_eq!(
        (&number["state"], &number["shown"]),
        (&json!("readable"), &json!("0409584130303030303031"))
    );
    assert_eq!(number["tree"][0], "04 [9] 584130303030303031");
    assert!(
        files
            .as_array()
            .unwrap()
            .iter()
            .all(|file| file["state"] != "absent")
    );
    bench
        .card(&["files", "--chip", "lateid-v2", "--tlv"])
        .ends(0);

    // Played to a fresh chip of the same product: what came before the first cryptogram is the
    // same, what needs a secret is not sent, and the rest differs.
    let fresh = bench.blank("lateid-v2");
    bench.insert(&fresh, ReaderBuffer::default(), None);
    let refused = bench.card(&["replay", "made.trace"]).ends(4);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    let force = ["replay", "made.trace", "--force", "--json"];
    let played = bench.card(&force).ends(5).json();
    // A cryptogram that does not fit uses an attempt: the first ends it.
    let differences = played["differences"].as_array().unwrap();
    let last = differences.last().unwrap();
    assert!(
        last["header"].as_str().unwrap().starts_with("8482"),
        "{last:#}"
    );
    assert_eq!(differences.len(), 1, "{played:#}");
    assert_eq!(played["stopped"], last["line"]);
    let stop = ["replay", "made.trace", "--force", "--stop"];
    let stopped = bench.card(&stop).ends(5).out;
    assert!(stopped.contains("stopped after line"), "{stopped}");

    // What needs no secret is the same.
    let absent = bench.card(&[
        "files",
        "--chip",
        "lateid-v2",
        "--json",
        "--trace",
        "f.trace",
    ]);
    let absent = absent.ends(0).json();
    assert!(
        absent
            .as_array()
            .unwrap()
            .iter()
            .any(|file| file["state"] == "absent")
    );
    bench.card(&["replay", "f.trace", "--data"]).ends(0);
    bench.card(&["trace", "no-such-file"]).ends(2);
    fs::write(bench.path("broken.trace"), "> 00a4\nx\n").unwrap();
    let broken = bench.card(&["replay", "broken.trace"]).ends(2);
    assert!(broken.err.contains("broken.trace:2"), "{}", broken.err);
}

/// Demands that what was done is what was foretold: the order in which waiting steps are done may
/// change into which folder is entered when, and a certificate is not quite the usual one.
fn foretold(made: &Value) {
    let explain = ["explain", "lateid-v2", "--document", "id-card", "--json"];
    let explained = profile(&explain).ends(0).json();
    let figures = &explained["figures"];
    let near = |told: u64, done: &Value, percent: u64| {
        let done = done.as_u64().unwrap();
        assert!(
            told.abs_diff(done) * 100 <= done * percent,
            "told {told}, done {done}"
        );
    };
    let told = |name: &str| figures[name].as_u64().unwrap();
    near(told("commands"), &made["commands"], 5);
    near(told("sent") + told("received"), &made["bytes"], 10);
}

/// The PIV management key of a new card, which proves itself too; the profile says it.
#[test]
fn a_key_that_all_the_world_knows_opens_a_channel_without_a_token() {
    let mut bench = Bench::new();
    let blank = bench.blank("piv");
    bench.insert(&blank, ReaderBuffer::default(), None);
    let seen = bench
        .card(&["keys", "--chip", "piv", "--json"])
        .ends(0)
        .json();
    let reason = seen["sets"][1]["reason"].as_str().unwrap();
    assert!(reason.contains("only an attempt would tell"), "{seen:#}");
    let channel = [
        "channel",
        "--chip",
        "piv",
        "--key-set",
        "transport",
        "--json",
    ];
    // What cannot be sent is found before an attempt is made.
    let malformed = ["--apdu", "00CB3FFF055C"];
    bench.card(&[&channel[..], &malformed].concat()).ends(2);
    assert!(!bench.path("state/attempts.sqlite").exists());
    let opened = bench.card(&channel).ends(0).json();
    assert_eq!(opened["chip_proof"], "answer", "{opened:#}");
    let mut ledger = AttemptFile::open(&bench.path("state/attempts.sqlite")).unwrap();
    let entries = ledger.entries().unwrap();
    let [entry] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(entry.what.secret, "keys/transport");
    assert_eq!(entry.account.failures(), 0);
    for _ in 0..2 {
        ledger
            .intend(&entry.what, &Budget::default(), false)
            .unwrap();
    }
    bench.card(&channel).ends(4);
    bench.card(&["files", "--chip", "piv", "--json"]).ends(0);
}

/// Demands that no command that carries a PIN or a key shows a byte of its data.
fn hides_what_is_secret(text: &str) {
    let trace: Trace = text.parse().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for line in trace.lines() {
        let Event::Command(command) = line.event() else {
            continue;
        };
        let Some([_, ins, ..]) = command.header() else {
            panic!("a header is never hidden")
        };
        if [0x20, 0x24, 0xD8].contains(&ins) {
            seen.insert(ins);
            // Header, Lc, and Le where there is one.
            assert!(command.len() - command.hidden() <= 6, "{command}");
        }
    }
    assert_eq!(
        seen.len(),
        3,
        "VERIFY, CHANGE REFERENCE DATA and PUT KEY were sent"
    );
}

#[test]
fn a_reader_with_a_small_buffer_serves() {
    let mut bench = Bench::new();
    let blank = bench.blank("lateid-v2");
    // Header, Lc, data and Le of a command. Long answers are not measured on this chip: it has no
    // GET CHALLENGE, and nothing else that answers as many bytes as are asked for.
    let small = ReaderBuffer {
        command: Some(134),
        answer: None,
    };
    bench.insert(&blank, small, None);
    let info = bench.card(&["info", "--json"]).ends(0).json();
    let carries = &info["carries"];
    let command = &carries["command"];
    assert!((100..=128).contains(&command.as_u64().unwrap()), "{info:#}");
    assert_eq!(carries["protocol"], "T=1");
    bench.personalize("XA0000001", &[]).ends(0);
    bench
        .card(&[
            "verify",
            "--chip",
            "lateid-v2",
            "--record",
            "XA0000001.json",
            "--trust",
            "trial/made/authority.pem",
        ])
        .ends(0);
    bench.card(&["files", "--chip", "lateid-v2"]).ends(0);

    // It fails short commands, which a sound reader carries: of its model nothing is learnt.
    let other = bench.blank("lateid-v2");
    bench.insert(&other, ReaderBuffer::default(), None);
    let sound = bench.card(&["info", "--json"]).ends(0).json();
    assert_eq!(sound["carries"]["command"], 255);
    bench.insert(&other, small, None);
    // What a sound one carries is kept, until somebody asks anew.
    let kept = bench.card(&["info", "--json"]).ends(0).json();
    assert_eq!(kept["carries"]["command"], 255);
    let fresh = bench.card(&["info", "--json", "--fresh"]).ends(0).json();
    assert_eq!(fresh["carries"]["command"], *command);
}

#[test]
fn recorded_sessions_of_real_chips_go_over_pcsc_as_they_went() {
    let mut bench = Bench::new();
    for (product, file) in [
        ("isoapplet-v0", "isoapplet-v0-opensc.trace"),
        ("isoapplet-v1", "isoapplet-v1-opensc.trace"),
        ("mrtd-applet", "mrtd-applet-personalization.trace"),
        ("piv", "piv.trace"),
    ] {
        let Some(recording) = missing::recording(file) else {
            continue;
        };
        let blank = bench.blank(product);
        bench.insert(&blank, ReaderBuffer::default(), Some(&recording));
        let played = bench.card(&["replay", recording.to_str().unwrap(), "--force", "--json"]);
        let played = played.ends(0).json();
        assert_eq!(played["differences"], json!([]), "{product}");
        assert!(
            played["compared"].as_u64().unwrap() > 20,
            "{product}: {played:#}"
        );
    }
}
