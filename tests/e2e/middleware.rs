//! Cards made by a chip's file alone, judged by the software that people use such chips with:
//! Debian's OpenSC and yubico-piv-tool.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use vcard::ReaderBuffer;

use crate::bench::Bench;
use crate::opensc::MODULES;
use crate::world::{Ran, project};

/// A card of a trial in its reader.
struct Made {
    bench: Bench,
    folder: String,
    pins: BTreeMap<String, String>,
}

impl Made {
    fn of(chip: &str, document: &str) -> Self {
        Self::by(chip, chip, document)
    }

    /// Makes one of a product by a chip profile, shipped or a file.
    fn by(product: &str, chip: &str, document: &str) -> Self {
        let mut bench = Bench::new();
        let blank = bench.blank(product);
        bench.insert(&blank, ReaderBuffer::default(), None);
        let number = "XA0000001";
        let made = bench.make(chip, document, number, &[]).ends(0).json();
        let folder = format!("trial/made/{number}-{}", made["chip"].as_str().unwrap());
        let told = bench
            .card(&["envelope", number, "--trial", "trial"])
            .ends(0);
        let pins = told.out.lines().filter_map(|line| line.split_once(' '));
        let pins = pins.map(|(name, pin)| (name.to_owned(), pin.trim().to_owned()));
        Self {
            pins: pins.collect(),
            bench,
            folder,
        }
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.bench.path(""))
            // What OpenSC remembers of other cards is no judge of this one.
            .env("XDG_CACHE_HOME", self.bench.path("cache"))
            .env("PCSCLITE_CSOCK_NAME", self.bench.farm.pcsc());
        let ran = Ran::of(command.output().unwrap()).ends(0);
        ran.out + &ran.err
    }

    fn pkcs11(&self, arguments: &[&str]) -> String {
        let mut modules = MODULES.into_iter();
        let module = modules.find(|module| fs::exists(module).unwrap());
        let module = ["--module", module.expect("OpenSC's PKCS#11 module")];
        let pin = ["--login", "--pin", &self.pins["pin1"]];
        self.tool("pkcs11-tool", &[&module[..], &pin, arguments].concat())
    }

    /// Reads a certificate through OpenSC: it must be the one that was issued.
    fn certificate(&self, id: &str, key: &str) {
        let pem = format!("{key}.pem");
        let read = ["--read-certificate", id, "--output", &pem];
        self.tool("pkcs15-tool", &read);
        let der = ["x509", "-in", &pem, "-outform", "DER", "-out", "read.der"];
        self.tool("openssl", &der);
        let issued = self.bench.path(&format!("{}/{key}.der", self.folder));
        let read = fs::read(self.bench.path("read.der")).unwrap();
        assert_eq!(read, fs::read(issued).unwrap(), "{key}");
    }

    /// Has a key sign through OpenSC, a digest or a message by what the chip hashes; openssl
    /// verifies by the certificate that the card gave.
    fn signs(&self, id: &str, key: &str, mechanism: &str, digest: &str) {
        fs::write(self.bench.path("message"), b"what is signed").unwrap();
        let digest = format!("-{digest}");
        self.tool(
            "openssl",
            &["dgst", &digest, "-binary", "-out", "digest", "message"],
        );
        let form = ["--mechanism", mechanism, "--signature-format", "openssl"];
        let input = match mechanism {
            "ECDSA" => "digest",
            _ => "message",
        };
        let files = ["--input-file", input, "--output-file", "signature"];
        self.pkcs11(&[&["--sign", "--id", id], &form[..], &files].concat());
        self.verifies(key, &digest);
    }

    /// Has openssl verify the signature over the message by the certificate that the card gave.
    fn verifies(&self, key: &str, digest: &str) {
        let pem = format!("{key}.pem");
        let public = ["x509", "-in", &pem, "-noout", "-pubkey", "-out", "public"];
        self.tool("openssl", &public);
        let verify = ["-verify", "public", "-signature", "signature", "message"];
        self.tool("openssl", &[&["dgst", digest], &verify[..]].concat());
    }
}

/// What is closed to builders is open to readers.
#[test]
fn opensc_uses_an_isoapplet_as_one_of_its_own() {
    for chip in ["isoapplet-v0", "isoapplet-v1"] {
        let card = Made::of(chip, "isoapplet-card");
        let knows = chip == "isoapplet-v0";
        for (id, key) in [("01", "authentication"), ("02", "signature")] {
            card.certificate(id, key);
            if knows {
                card.signs(id, key, "ECDSA-SHA1", "sha1");
            }
        }
        // OpenSC 0.23 reads the applet of the second generation, and does not sign with it.
        if knows {
            let tested = card.pkcs11(&["--test"]);
            assert!(tested.contains("No errors"), "{tested}");
        } else {
            let pin = &card.pins["pin1"];
            let verify = ["--verify-pin", "--auth-id", "ff", "--pin", pin];
            card.tool("pkcs15-tool", &verify);
        }
    }
}

#[test]
fn piv_software_uses_a_piv_card() {
    let card = Made::of("piv", "piv-card");
    for (id, key, digest) in [
        ("01", "authentication", "sha256"),
        ("02", "signature", "sha384"),
        ("04", "card_authentication", "sha256"),
    ] {
        card.certificate(id, key);
        card.signs(id, key, "ECDSA", digest);
    }

    let yubico = |arguments: &[&str]| {
        let reader = ["--reader", "slot 1"];
        card.tool("yubico-piv-tool", &[&reader[..], arguments].concat())
    };
    let status = yubico(&["--action", "status"]);
    for slot in ["9a", "9c", "9e"] {
        let (_, slot) = status.split_once(&format!("Slot {slot}:")).unwrap();
        assert!(slot.trim_start().starts_with("Algorithm:"), "{status}");
    }
    assert!(status.contains("CN=XA0000001"), "{status}");
    assert!(status.contains("PIN tries left:\t5"), "{status}");
    // It signs with the card, and verifies by the certificate that it is given.
    let pin = &card.pins["pin1"];
    let tested = yubico(&[
        "--action",
        "verify-pin,test-signature",
        "--pin",
        pin,
        "--slot",
        "9a",
        "--input",
        "authentication.pem",
    ]);
    assert!(tested.contains("Successful ECDSA verification"), "{tested}");
}

/// A key without PIN gets no certificate with the holder's name: whoever has the card could log in.
#[test]
fn a_card_signs_for_nobody_but_itself() {
    let mut bench = Bench::new();
    let blank = bench.blank("piv");
    bench.insert(&blank, ReaderBuffer::default(), None);
    let shipped = fs::read_to_string(project("firmware-profiles/documents/piv-card.toml")).unwrap();
    let own = "certificate = \"piv-card-authentication\"";
    let persons = "certificate = \"piv-authentication\"";
    for (from, to, fault) in [
        (own, persons, "key \"card_authentication\" has no PIN"),
        (
            persons,
            own,
            "key \"authentication\" wants its holder's PIN",
        ),
    ] {
        let altered = shipped.replacen(from, to, 1);
        assert_ne!(altered, shipped);
        let document = bench.path("piv-card.toml");
        fs::write(&document, altered).unwrap();
        let document = document.to_str().unwrap();
        let made = bench.make("piv", document, "XA0000001", &[]);
        assert_ne!(made.code, 0);
        assert!(made.err.contains(fault), "{}", made.err);
    }
    bench.make("piv", "piv-card", "XA0000001", &[]).ends(0);
}

/// A chip of another school, by a file that was written from the manuals alone.
#[test]
fn opensc_uses_a_gids_card_that_no_profile_was_shipped_for() {
    let profile = |path: &str| project(&format!("tests/profiles/{path}.toml"));
    let (chip, document) = (profile("chips/gids"), profile("documents/gids-card"));
    let card = Made::by("gids", chip.to_str().unwrap(), document.to_str().unwrap());
    card.certificate("00", "authentication");
    fs::write(card.bench.path("message"), b"what is signed").unwrap();
    let sign = ["--sign", "--id", "00", "--mechanism", "SHA256-RSA-PKCS"];
    let files = ["--input-file", "message", "--output-file", "signature"];
    card.pkcs11(&[&sign[..], &files].concat());
    card.verifies("authentication", "-sha256");
}
