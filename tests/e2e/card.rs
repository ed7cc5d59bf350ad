//! `zimogs card` at a desk: a token, a farm of readers, strict chips; openssl judges besides.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use card::gp::Key;
use central::KeyLabels;
use hsm::{PinSet, Secret, SoftHsmFolder, Token, TokenConfig};
use serde_json::{Value, json};
use vcard::farm::Farm;
use vcard::{Chip, ChipNumber, FaultKind, FileStore, Product, TransportMasterKey};

use crate::world::Ran;

const PROGRAM: &str = env!("CARGO_BIN_EXE_zimogs");
const SOFTHSM2: &str = include_str!("../../hsm-config/softhsm2.toml");
const MAKER: [u8; 16] = *b"the maker's key.";
const TOKEN_PIN: &str = "desk-739184620518";
/// Set in the process that has the private token.
const CHILD: &str = "ZIMOGS_TEST_DESK";

/// A desk: a token with every key, a reader, a folder.
pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    token: Token,
    pub(crate) farm: Farm,
    chips: u32,
    /// The one that is used.
    reader: usize,
}

/// Runs `body` in a process whose SoftHSM2 folder is private: SoftHSM2 finds its folder by the
/// environment, which a process cannot safely change for itself.
pub(crate) fn at_a_desk(test: &str, body: impl FnOnce(Desk)) {
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = PathBuf::from(folder);
        fs::write(folder.join("ran"), b"").unwrap();
        return body(Desk::new(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let tokens = SoftHsmFolder::prepare(&folder.path().join("tokens")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, folder.path());
    let ran = Ran::of(tokens.apply(&mut command).output().unwrap());
    let ran = ran.ends(0);
    assert!(folder.path().join("ran").exists(), "{}", ran.out);
}

impl Desk {
    fn new(folder: PathBuf) -> Self {
        let config = TokenConfig::parse(SOFTHSM2).unwrap();
        let officer = Secret::new("officer-204968137");
        let token = Token::initialize(&config, "desk", &officer, Secret::new(TOKEN_PIN)).unwrap();
        token
            .import_master_key("transport-master", &Key::new(&MAKER).unwrap())
            .unwrap();
        KeyLabels::default().generate_missing(&token).unwrap();
        let program = Farm::program_beside_current().expect("the vcard program");
        let farm = Farm::start(&program, &folder.join("farm"), 2).unwrap();
        let desk = Self {
            folder,
            token,
            farm,
            chips: 0,
            reader: 0,
        };
        let pin = desk.write("token.pin", TOKEN_PIN);
        fs::set_permissions(pin, fs::Permissions::from_mode(0o600)).unwrap();
        desk.keys("keys.toml", "made", "transport-master");
        desk
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn keys(&self, name: &str, out: &str, transport: &str) -> PathBuf {
        self.write(
            name,
            &format!(
                "out = \"{out}\"\n[token]\nlabel = \"desk\"\npin_file = \"token.pin\"\n\
                 [masters]\ntransport = \"{transport}\"\nissuer = \"issuer-master\"\n"
            ),
        )
    }

    fn record(&self, number: &str, born: i16) -> PathBuf {
        let record = json!({
            "number": number, "kind": "id-card", "issued": "2026-03-02", "expires": "2031-03-01",
            "holder": {
                "surname": "Izdomāta", "given_names": "Anna", "personal_code": format!("32{born:04}-12347"),
                "birth_date": format!("{born}-03-02"), "sex": "F", "nationality": "LVA",
            },
            "certificates": true,
        });
        self.write(&format!("{number}.json"), &record.to_string())
    }

    /// Makes a blank as its maker does.
    pub(crate) fn blank(&mut self, product: &str) -> PathBuf {
        self.chips += 1;
        let path = self.folder.join(format!("chip-{}.json", self.chips));
        let number = ChipNumber::new([0, 7], self.chips.to_be_bytes());
        let product = Product::find(product).unwrap();
        let keys = TransportMasterKey::new(MAKER);
        Chip::blank(product, number, &keys, FileStore::create(&path).unwrap()).unwrap();
        path
    }

    /// Puts a chip into the reader, the only card there is, in place of the one that is there.
    pub(crate) fn insert(&self, chip: &Path, fault: Option<vcard::Fault>) {
        let mut client = self.farm.client().unwrap();
        // The first time there is none.
        let _ = client.remove(self.reader);
        client.insert(self.reader, chip, fault).unwrap();
    }

    pub(crate) fn card(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("card")
            .args(arguments)
            .current_dir(&self.folder)
            .env("ZIMOGS_STATE", self.folder.join("state"))
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.card(arguments).output().unwrap())
    }

    fn personalize(&self, number: &str, born: i16, keys: &str) -> Command {
        let record = self.record(number, born);
        let mut command = self.card(&[
            "personalize",
            "--chip",
            "lateid-v2",
            "--document",
            "id-card",
        ]);
        command
            .args(["--json", "--keys", keys, "--record"])
            .arg(record);
        command
    }

    fn make(&self, number: &str, born: i16, keys: &str) -> Ran {
        Ran::of(self.personalize(number, born, keys).output().unwrap())
    }

    fn verify(&self, arguments: &[&str], pin: Option<&str>) -> Ran {
        let mut command = self.card(&["verify", "--chip", "lateid-v2", "--json"]);
        command.args(arguments).stdin(Stdio::piped());
        if pin.is_some() {
            command.arg("--pin-stdin");
        }
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = process.stdin.take().unwrap();
        writeln!(input, "{}", pin.unwrap_or_default()).unwrap();
        drop(input);
        let ran = Ran::of(process.wait_with_output().unwrap());
        if let Some(pin) = pin {
            assert!(
                !ran.out.contains(pin) && !ran.err.contains(pin),
                "a PIN is never shown"
            );
        }
        ran
    }

    /// Opens a sealed PIN envelope, as its printer will.
    fn pin(&self, envelope: &str, number: &str, name: &str) -> String {
        let sealed = fs::read(self.folder.join(envelope)).unwrap();
        let context = format!("document {number}");
        let opened = self
            .token
            .open_envelope("envelope", &sealed, context.as_bytes())
            .unwrap();
        let pins = PinSet::decode(&opened).unwrap();
        String::from_utf8(pins.get(name).unwrap().digits().to_vec()).unwrap()
    }
}

fn openssl(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    Ran::of(output).ends(0).out
}

#[test]
fn a_desk_makes_a_card_and_judges_it() {
    at_a_desk("card::a_desk_makes_a_card_and_judges_it", |mut desk| {
        let blank = desk.blank("lateid-v2");
        desk.insert(&blank, None);

        let readers = desk.run(&["list", "--json"]).ends(0).json();
        assert_eq!(readers[0]["profiles"], json!(["lateid-v2"]));
        let info = desk.run(&["info", "--json"]).ends(0).json();
        assert_eq!(
            (&info["product"], &info["state"]),
            (&json!("lateid-v2"), &json!("blank"))
        );
        let spoken = json!([{"protocol": "SCP03", "i": "70"}]);
        assert_eq!(
            (&info["channels"], &info["warnings"]),
            (&spoken, &json!([]))
        );
        let serial = info["serial"].as_str().unwrap().to_owned();
        desk.verify(&[], None).ends(5);

        // Made.
        let made = desk.make("XA0000001", 1990, "keys.toml").ends(0).json();
        assert_eq!(
            (&made["end"], &made["chip"]),
            (&json!("personalized"), &json!(serial))
        );
        assert_eq!(made["certificates"].as_array().unwrap().len(), 2);
        let folder = format!("made/XA0000001-{serial}");
        let info = desk.run(&["info", "--json"]).ends(0).json();
        assert_eq!(info["state"], "in-use");
        let full = |pin: &Value| pin["left"] == 3 && pin["of"] == 3;
        assert!(
            info["pins"].as_array().unwrap().iter().all(full),
            "{info:#}"
        );

        // openssl reads the certificates, their chain, their names.
        for key in ["authentication", "signature"] {
            let pem = format!("{folder}/{key}.pem");
            openssl(
                &["verify", "-CAfile", "made/authority.pem", &pem],
                &desk.folder,
            );
            let subject = openssl(
                &[
                    "x509", "-in", &pem, "-noout", "-subject", "-nameopt", "utf8",
                ],
                &desk.folder,
            );
            assert!(
                subject.contains("IZDOMĀTA") && subject.contains("PNOLV-321990-12347"),
                "{subject}"
            );
        }

        // Judged: with nothing, with the record, with the anchor, with the PIN.
        let open = desk.verify(&[], None).ends(1);
        assert_eq!(open.verdict("file document_number"), "unknown");
        assert_eq!(open.verdict("certificate authentication: chain"), "unknown");
        assert_eq!(open.verdict("file authentication_directory"), "passed");
        assert_eq!(open.verdict("maker's keys"), "passed");
        let whole = [
            "--record",
            "XA0000001.json",
            "--trust",
            "made/authority.pem",
        ];
        desk.verify(&whole, None).ends(0);
        let pin1 = desk.pin(&format!("{folder}/envelope.sealed"), "XA0000001", "pin1");
        let signed = desk.verify(&whole, Some(&pin1)).ends(0);
        assert_eq!(signed.verdict("signature by key authentication"), "passed");
        // The same through the command, which knows the desk's folder and one document's name.
        let opened = |number: &str| {
            let mut command = desk.card(&["envelope", number, "--keys", "keys.toml", "--json"]);
            Ran::of(command.output().unwrap())
        };
        let pins = opened("XA0000001").ends(0).json();
        assert_eq!(pins["pin1"], pin1);
        let pin2 = pins["pin2"].as_str().unwrap().to_owned();
        let none = opened("XA0000009").ends(2);
        assert!(none.err.contains("no document XA0000009"), "{}", none.err);
        let other = [&whole[..], &["--key", "signature"]].concat();
        desk.verify(&other, Some(&pin2)).ends(0);

        // A wrong PIN costs a try, and the last one is not used.
        let wrong = if pin1 == "9731" { "9732" } else { "9731" };
        for _ in 0..4 {
            desk.verify(&whole, Some(wrong)).ends(5);
        }
        let info = desk.run(&["info", "--json"]).ends(0).json();
        assert_eq!(
            info["pins"][0]["left"], 1,
            "the last try is not used: {info:#}"
        );
        assert_eq!(
            desk.verify(&whole, None).ends(5).verdict("tries of PIN1"),
            "failed"
        );

        // Another's record, another's anchor.
        desk.record("XA0000002", 1991);
        let foreign = desk
            .verify(
                &[
                    "--record",
                    "XA0000002.json",
                    "--trust",
                    "made/authority.pem",
                ],
                None,
            )
            .ends(5);
        assert_eq!(foreign.verdict("file document_number"), "failed");
        assert_eq!(foreign.verdict("certificate signature: subject"), "failed");
        assert_eq!(foreign.verdict("certificate signature: chain"), "passed");
        let leaf = format!("{folder}/signature.pem");
        let untrusted = desk.verify(&["--trust", &leaf], None).ends(5);
        assert_eq!(
            untrusted.verdict("certificate authentication: chain"),
            "failed"
        );

        // Neither the chip nor the number is taken again.
        let again = desk.make("XA0000003", 1990, "keys.toml").ends(4);
        assert!(again.err.contains("is document XA0000001"), "{}", again.err);
        let next = desk.blank("lateid-v2");
        desk.insert(&next, None);
        let twice = desk.make("XA0000001", 1990, "keys.toml").ends(4);
        assert!(
            twice.err.contains("no number is given twice"),
            "{}",
            twice.err
        );

        // A certificate that the authority does not make is found before the first command, and
        // so is one for another kind of key.
        let eid_card = include_str!("../profiles/one-chip/eid-card.toml");
        for (wanted, told) in [
            ("no-such", "there is none"),
            ("pilot-ca", "is no profile for"),
        ] {
            let other = eid_card.replacen("\"eid-authentication\"", &format!("{wanted:?}"), 1);
            fs::write(desk.folder.join("eid-card.toml"), other).unwrap();
            let record = desk.record("XA0000005", 1990);
            let mut command = desk.card(&["personalize", "--chip", "lateid-v2"]);
            command.args(["--document", "eid-card.toml", "--keys", "keys.toml"]);
            command
                .args(["--trace", "none.trace", "--record"])
                .arg(record);
            let unfit = Ran::of(command.output().unwrap()).ends(2);
            assert!(unfit.err.contains(told), "{}", unfit.err);
            assert!(!desk.folder.join("none.trace").exists());
        }

        // A child's card has no keys and no PINs, and is whole.
        let child = desk.make("XA0000004", 2016, "keys.toml").ends(0).json();
        assert_eq!(child["certificates"], json!([]));
        assert_eq!(child["envelope"], Value::Null);
        let whole = [
            "--record",
            "XA0000004.json",
            "--trust",
            "made/authority.pem",
        ];
        assert_eq!(
            desk.verify(&whole, None).ends(0).verdict("key signature"),
            "passed"
        );
        desk.verify(&[], None).ends(1);
        let adult = desk.record("XA0000005", 1990);
        let lacking = desk
            .verify(&["--record", adult.to_str().unwrap()], None)
            .ends(5);
        assert_eq!(lacking.verdict("key authentication"), "failed");

        // Commands as they are; a PIN is not said back.
        let said = desk.run(&[
            "apdu",
            "00A4040C10A000000077010800070000FE00000100",
            "002000010C3733393138343632FFFFFFFF",
        ]);
        let said = said.ends(1);
        assert!(
            said.out.contains("6A88") && !said.out.contains("3733"),
            "{}",
            said.out
        );
        desk.run(&["apdu", "00A4040000", "--json"]).ends(0);
    });
}

#[test]
fn a_desk_accounts_for_what_goes_wrong() {
    at_a_desk("card::a_desk_accounts_for_what_goes_wrong", |mut desk| {
        // Not our keys, more often than the chip would stand if attempts were used.
        let blank = desk.blank("lateid-v2");
        desk.insert(&blank, None);
        desk.keys("wrong.toml", "made", "issuer-master");
        for _ in 0..11 {
            let wrong = desk.make("XA0000001", 1990, "wrong.toml").ends(4);
            assert!(
                wrong.err.contains("no authentication attempt was used"),
                "{}",
                wrong.err
            );
            assert_eq!(wrong.json()["end"], "untouched");
        }
        desk.make("XA0000001", 1990, "keys.toml").ends(0);

        // Another product, and a chip that this desk never saw but somebody made.
        let other = desk.blank("esteid-2018");
        desk.insert(&other, None);
        desk.make("XA0000002", 1990, "keys.toml").ends(3);
        desk.run(&["info", "--chip", "lateid-v2"]).ends(1);
        desk.insert(&blank, None);
        desk.keys("elsewhere.toml", "elsewhere", "transport-master");
        let found = desk.make("XA0000002", 1990, "elsewhere.toml").ends(4);
        assert!(found.err.contains("personalized already"), "{}", found.err);

        // Torn out half-way: spoiled, and known the next time; the number goes to another blank.
        let torn = desk.blank("lateid-v2");
        desk.insert(
            &torn,
            Some(vcard::Fault {
                at: 40,
                kind: FaultKind::RemoveAfter,
            }),
        );
        let spoiled = desk.make("XA0000002", 1990, "keys.toml").ends(3);
        assert_eq!(spoiled.json()["end"], "spoiled");
        // In the other reader: pcscd looks every 0.4 s, and a card that comes back sooner into the
        // same one was never gone for it.
        desk.reader = 1;
        desk.insert(&torn, None);
        let known = desk.make("XA0000003", 1990, "keys.toml").ends(4);
        assert!(
            known.err.contains("half-made") && known.err.contains("XA0000002"),
            "{}",
            known.err
        );
        desk.verify(&[], None).ends(5);

        // The process killed half-way: the next run settles it from the journal.
        let killed = desk.blank("lateid-v2");
        desk.insert(&killed, None);
        let mut process = desk
            .personalize("XA0000004", 1990, "keys.toml")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut steps = BufReader::new(process.stderr.take().unwrap()).lines();
        assert!(steps.any(|step| step.unwrap().ends_with("generate_key signature")));
        process.kill().unwrap();
        process.wait().unwrap();
        desk.insert(&killed, None);
        let known = desk.make("XA0000005", 1990, "keys.toml").ends(4);
        let said = known.err.contains("half-made") && known.err.contains("XA0000004");
        assert!(said, "{}", known.err);

        // What is refused before any card is touched.
        let blank = desk.blank("lateid-v2");
        desk.insert(&blank, None);
        let real = desk.make("LV0000001", 1990, "keys.toml").ends(4);
        assert!(real.err.contains("not of a test series"), "{}", real.err);
        fs::set_permissions(
            desk.folder.join("token.pin"),
            fs::Permissions::from_mode(0o644),
        )
        .unwrap();
        desk.make("XA0000006", 1990, "keys.toml").ends(4);
        fs::set_permissions(
            desk.folder.join("token.pin"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        let personal = desk.write(
            "broken.json",
            r#"{"number":"XA0000007","holder":{"surname":"Slepena"}}"#,
        );
        let broken = desk
            .run(&[
                "verify",
                "--chip",
                "lateid-v2",
                "--record",
                personal.to_str().unwrap(),
            ])
            .ends(2);
        assert!(!broken.err.contains("Slepena"), "{}", broken.err);
        desk.make("XA0000004", 1990, "keys.toml").ends(0);
    });
}

/// A profile of one's own, by file; the judge is Debian's OpenSC.
#[test]
fn opensc_reads_a_card_that_was_made_at_a_desk() {
    at_a_desk(
        "card::opensc_reads_a_card_that_was_made_at_a_desk",
        |mut desk| {
            let profile =
                |path: &str| format!("{}/tests/profiles/{path}.toml", env!("CARGO_MANIFEST_DIR"));
            let (chip, document) = (profile("chips/esteid-2018"), profile("documents/id-card"));
            let blank = desk.blank("esteid-2018");
            desk.insert(&blank, None);
            desk.record("XA0000001", 1990);
            let chosen = [
                "--chip",
                &chip,
                "--document",
                &document,
                "--record",
                "XA0000001.json",
            ];
            let made = desk
                .run(&[&["personalize", "--json"], &chosen[..]].concat())
                .ends(0)
                .json();
            let folder = format!("made/XA0000001-{}", made["chip"].as_str().unwrap());

            let tool = |arguments: &[&str]| {
                let mut command = Command::new("pkcs15-tool");
                command
                    .args(arguments)
                    .current_dir(&desk.folder)
                    .env("PCSCLITE_CSOCK_NAME", desk.farm.pcsc());
                Ran::of(command.output().unwrap()).ends(0).out
            };
            let dump = tool(&["--dump"]);
            assert!(dump.contains("XA0000001"), "{dump}");
            assert_eq!(dump.matches("Tries left     : 3").count(), 3, "{dump}");
            for (id, key) in [("01", "authentication"), ("02", "signature")] {
                tool(&["--read-certificate", id, "--output", "read.pem"]);
                let read = fs::read_to_string(desk.folder.join("read.pem")).unwrap();
                let issued =
                    fs::read_to_string(desk.folder.join(format!("{folder}/{key}.pem"))).unwrap();
                assert_eq!(read.trim(), issued.trim(), "{key}");
            }
            let envelope = format!("{folder}/envelope.sealed");
            let pin1 = desk.pin(&envelope, "XA0000001", "pin1");
            tool(&["--verify-pin", "--auth-id", "01", "--pin", &pin1]);

            let mut command = desk.card(&["verify", "--trust", "made/authority.pem", "--json"]);
            Ran::of(command.args(chosen).output().unwrap()).ends(0);
        },
    );
}
