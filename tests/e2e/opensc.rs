//! Debian's OpenSC judges a finished card through pcscd, as any middleware would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use vcard::farm::Farm;

use crate::world::{Demo, JUDGED, run, text, zimogs};

/// OpenSC's PKCS#11 module, where Debian has it.
pub(crate) const MODULES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
];

/// A finished card of the demo in a reader of its own.
struct Reader {
    farm: Farm,
    folder: tempfile::TempDir,
}

impl Reader {
    fn with(demo: &Demo, serial: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let farm = Farm::start(
            &Farm::program_beside_current().unwrap(),
            &folder.path().join("farm"),
            1,
        )
        .unwrap();
        farm.client()
            .unwrap()
            .insert(0, &card_of(demo, serial), None)
            .unwrap();
        Self { farm, folder }
    }

    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PCSCLITE_CSOCK_NAME", self.farm.pcsc());
        command
    }

    fn pkcs11(&self) -> Command {
        let module = MODULES
            .iter()
            .find(|module| Path::new(module).exists())
            .expect("OpenSC's PKCS#11 module");
        let mut command = self.tool("pkcs11-tool");
        command.args(["--module", module]);
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Finds the state file of a chip among the demo's cards, by what its header says: a chip in
/// another test's reader cannot be opened.
fn card_of(demo: &Demo, serial: &str) -> PathBuf {
    let cards = std::fs::read_dir(demo.data.join("cards"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cards = cards.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    cards
        .find(|path| {
            let text = std::fs::read(path).unwrap();
            let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let told = |field: &str| file["chip"][field].as_str().unwrap().to_owned();
            let product = vcard::Product::find(&told("product")).unwrap();
            let number = told("number").parse().unwrap();
            vcard::ChipSerial::of(product, number).to_string() == serial
        })
        .expect("the chip's file")
}

fn pins(demo: &Demo, number: &str) -> BTreeMap<String, String> {
    let profiles = crate::world::project("tests/profiles");
    let said = text(
        zimogs()
            .args(["central", "envelope", "show", number, "--data"])
            .arg(&demo.data)
            .arg("--profiles")
            .arg(profiles),
    );
    said.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, pin)| (name.to_owned(), pin.trim().to_owned()))
        .collect()
}

#[test]
fn opensc_reads_signs_counts_and_unblocks() {
    let demo = &*JUDGED;
    let document = demo.with_certificates(0);
    let number = document["number"].as_str().unwrap();
    let reader = Reader::with(demo, document["chips"][0]["serial"].as_str().unwrap());
    let pins = pins(demo, number);
    assert!(
        pins.values().all(|pin| pin.len() == 12),
        "twelve digits each"
    );

    assert!(text(reader.tool("opensc-tool").arg("-n")).contains("EstEID 2018"));
    let dump = text(reader.tool("pkcs15-tool").arg("--dump"));
    assert!(dump.contains(number), "{dump}");
    for object in ["PIN1", "PIN2", "PUK", "Isikutuvastus", "Allkirjastamine"] {
        assert!(dump.contains(object), "{object}: {dump}");
    }
    assert_eq!(dump.matches("Tries left     : 3").count(), 3, "{dump}");

    // Sign by each key under its PIN; openssl verifies under the certificate on the card.
    let message = reader.path("message");
    std::fs::write(&message, b"what is signed").unwrap();
    let digest = reader.path("digest");
    run(Command::new("openssl")
        .args(["dgst", "-sha384", "-binary", "-out"])
        .arg(&digest)
        .arg(&message));
    for (slot, id, pin) in [("0", "01", &pins["pin1"]), ("1", "02", &pins["pin2"])] {
        let signature = reader.path("signature");
        run(reader
            .pkcs11()
            .args([
                "--slot-index",
                slot,
                "--login",
                "--pin",
                pin,
                "--sign",
                "--mechanism",
                "ECDSA",
                "--id",
                id,
            ])
            .args(["--signature-format", "openssl", "--input-file"])
            .arg(&digest)
            .arg("--output-file")
            .arg(&signature));
        let certificate = reader.path("certificate.pem");
        run(reader
            .tool("pkcs15-tool")
            .args(["--read-certificate", id, "--output"])
            .arg(&certificate));
        let key = reader.path("key.pem");
        std::fs::write(
            &key,
            text(
                Command::new("openssl")
                    .args(["x509", "-noout", "-pubkey", "-in"])
                    .arg(&certificate),
            ),
        )
        .unwrap();
        let verified = text(
            Command::new("openssl")
                .args(["dgst", "-sha384", "-verify"])
                .arg(&key)
                .arg("-signature")
                .arg(&signature)
                .arg(&message),
        );
        assert!(verified.contains("Verified OK"));
    }

    // A wrong PIN counts down to the end, the PUK brings it back.
    for left in [2, 1, 0] {
        let refused = reader
            .tool("pkcs15-tool")
            .args(["--verify-pin", "--auth-id", "01", "--pin", "000000000000"])
            .output()
            .unwrap();
        assert!(!refused.status.success());
        let dump = text(reader.tool("pkcs15-tool").arg("--list-pins"));
        assert!(dump.contains(&format!("Tries left     : {left}")), "{dump}");
    }
    run(reader.tool("pkcs15-tool").args([
        "--unblock-pin",
        "--auth-id",
        "01",
        "--puk",
        &pins["puk"],
        "--new-pin",
        "135792468013",
    ]));
    run(reader.tool("pkcs15-tool").args([
        "--verify-pin",
        "--auth-id",
        "01",
        "--pin",
        "135792468013",
    ]));
}
