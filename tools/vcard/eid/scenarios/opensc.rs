//! OpenSC, as people have it, judges a personalized card through a real pcscd. Without
//! pcscd, OpenSC or the `vcard` program beside the test, the test says so and passes, except in
//! `tools/test`.

use std::process::Command;

use openssl::x509::X509;

use super::host::Host;
use super::personalized::{FIRST, PIN1, PIN2, PUK};
use crate::chip::Chip;
use crate::farm::Farm;
use crate::identity::ChipNumber;
use crate::opensc;
use crate::product::Product;
use crate::store::FileStore;
use crate::transport::TransportMasterKey;

struct Desk {
    farm: Farm,
    folder: tempfile::TempDir,
}

impl Desk {
    /// Puts a personalized card that Debian's OpenSC knows into a reader of its own; `None`
    /// where this machine lacks something, which is said.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.json");
        let number = ChipNumber::new([0, 0], [0, 0, 0, 9]);
        let keys = TransportMasterKey::new(super::host::MASTER);
        let product = Product::find("esteid-2018").unwrap();
        let store = FileStore::create(&path).unwrap();
        let mut host = Host::of(Chip::blank(product, number, &keys, store).unwrap());
        host.personalize(&FIRST);
        drop(host);
        let farm = opensc::farm(&folder.path().join("farm"), 1)?;
        farm.client().unwrap().insert(0, &path, None).unwrap();
        let desk = Self { farm, folder };
        let name = desk.run("timeout", &["10", "opensc-tool", "--name"]);
        assert!(name.contains("EstEID 2018"), "{name}");
        Some(desk)
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        let output = Command::new(tool)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            // What OpenSC remembers of other cards is no judge of this one.
            .env("XDG_CACHE_HOME", self.folder.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn sign(&self, id: &str, pin: &[&str]) -> bool {
        std::fs::write(self.folder.path().join("hash"), [7; 48]).unwrap();
        let _ = std::fs::remove_file(self.folder.path().join("signature"));
        let head = ["--sign", "-m", "ECDSA", "--id", id];
        let files = ["-i", "hash", "-o", "signature"];
        self.run("pkcs11-tool", &[&head, pin, &files].concat());
        let Ok(signature) = std::fs::read(self.folder.path().join("signature")) else {
            return false;
        };
        let certificate = self.run("pkcs15-tool", &["--read-certificate", id]);
        let begin = certificate.find("-----BEGIN").expect("a certificate");
        let certificate = X509::from_pem(&certificate.as_bytes()[begin..]).unwrap();
        let key = certificate.public_key().unwrap().ec_key().unwrap();
        let (r, s) = signature.split_at(signature.len() / 2);
        let number = |bytes| openssl::bn::BigNum::from_slice(bytes).unwrap();
        let signature =
            openssl::ecdsa::EcdsaSig::from_private_components(number(r), number(s)).unwrap();
        signature.verify(&[7; 48], &key).unwrap()
    }
}

#[test]
fn opensc_finds_everything_signs_and_unblocks() {
    let Some(desk) = Desk::new() else {
        return;
    };
    let dump = desk.run("pkcs15-tool", &["--dump"]);
    for expected in [
        "PIN [PIN1]",
        "PIN [PIN2]",
        "PIN [PUK]",
        "Tries left     : 3",
        "Private EC Key [Isikutuvastus]",
        "Private EC Key [Allkirjastamine]",
        "X.509 Certificate [Allkirjastamine]",
        "Serial number  : PA9992921",
    ] {
        assert!(dump.contains(expected), "{expected}\n{dump}");
    }
    assert!(desk.sign("01", &["--login", "--pin", PIN1]));
    assert!(desk.sign("02", &["--login", "--pin", PIN2, "--slot", "1"]));
    // Blocked, then unblocked by the PUK.
    for _ in 0..3 {
        assert!(!desk.sign("01", &["--login", "--pin", "000000000000"]));
    }
    assert!(!desk.sign("01", &["--login", "--pin", PIN1]));
    let unblock = [
        "--unblock-pin",
        "--auth-id",
        "01",
        "--puk",
        PUK,
        "--new-pin",
        "2468",
    ];
    let said = desk.run("pkcs15-tool", &unblock);
    assert!(desk.sign("01", &["--login", "--pin", "2468"]), "{said}");
}
