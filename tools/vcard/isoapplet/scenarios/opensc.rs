//! OpenSC 0.23, as Debian has it, personalizes a blank through a real pcscd and uses the card;
//! openssl judges what it gets. Without pcscd, OpenSC or the `vcard` program beside the test,
//! the test says so and passes, except in `tools/test`.

use std::process::Command;

use openssl::asn1::Asn1Time;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sha::sha1;
use openssl::x509::{X509, X509NameBuilder};

use crate::chip::Chip;
use crate::farm::Farm;
use crate::identity::ChipNumber;
use crate::opensc;
use crate::product::Product;
use crate::store::FileStore;
use crate::transport::TransportMasterKey;

const PIN: &str = "471147";
/// The readers' names in PC/SC.
const FIRST: &str = "zimogs slot 1 00 00";
const SECOND: &str = "zimogs slot 2 00 00";
const PUK: &str = "1234567812345678";

struct Desk {
    farm: Farm,
    folder: tempfile::TempDir,
}

impl Desk {
    /// Puts blanks of these products into readers, one each; `None` where this machine lacks
    /// something, which is said.
    fn new(products: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let farm = opensc::farm(&folder.path().join("farm"), products.len())?;
        let mut client = farm.client().unwrap();
        for (reader, id) in products.iter().enumerate() {
            let path = folder.path().join(format!("{id}.json"));
            let number = ChipNumber::new([0, 0], [0, 0, 0, 9]);
            let keys = TransportMasterKey::new([0x55; 16]);
            let store = FileStore::create(&path).unwrap();
            Chip::blank(Product::find(id).unwrap(), number, &keys, store).unwrap();
            client.insert(reader, &path, None).unwrap();
        }
        drop(client);
        Some(Self { farm, folder })
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        let output = Command::new("timeout")
            .args(["60", tool])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PCSCLITE_CSOCK_NAME", self.farm.pcsc())
            // What OpenSC remembers of other cards is no judge of this one.
            .env("XDG_CACHE_HOME", self.folder.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{tool} {arguments:?}\n{text}");
        text
    }

    fn init(&self, reader: &str, arguments: &[&str]) -> String {
        let codes = ["--pin", PIN, "--so-pin", PIN];
        self.run(
            "pkcs15-init",
            &[&["-r", reader], arguments, &codes].concat(),
        )
    }

    fn create(&self, reader: &str) {
        // The security officer is the holder: their PIN is the only one.
        let label = ["--label", "zimogs", "--so-pin", PIN, "--so-puk", PUK];
        let create = ["-r", reader, "--create-pkcs15"];
        self.run("pkcs15-init", &[&create[..], &label].concat());
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(file)).unwrap()
    }
}

/// A certificate for the card's key, signed by nobody that matters.
fn certificate(public: &PKey<openssl::pkey::Public>) -> X509 {
    let issuer = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "ZARIŅŠ,JĀNIS")
        .unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(public).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(30).unwrap())
        .unwrap();
    builder.sign(&issuer, MessageDigest::sha256()).unwrap();
    builder.build()
}

#[test]
fn opensc_personalizes_and_uses_the_card() {
    let Some(desk) = Desk::new(&["isoapplet-v0", "isoapplet-v0-import"]) else {
        return;
    };
    let name = desk.run("opensc-tool", &["-r", FIRST, "--name"]);
    assert!(name.contains("IsoApplet"), "{name}");
    desk.create(FIRST);
    let key = ["--auth-id", "ff", "--id", "01", "--label", "signing"];
    let make = ["--generate-key", "ec:prime256v1", "--key-usage", "sign"];
    desk.init(FIRST, &[&make[..], &key].concat());
    let pem = desk.run("pkcs15-tool", &["-r", FIRST, "--read-public-key", "01"]);
    let begin = pem.find("-----BEGIN").expect("a public key");
    let public = PKey::public_key_from_pem(&pem.as_bytes()[begin..]).unwrap();
    let certificate = certificate(&public);
    let path = desk.folder.path().join("certificate.pem");
    std::fs::write(&path, certificate.to_pem().unwrap()).unwrap();
    desk.init(
        FIRST,
        &["--store-certificate", "certificate.pem", "--id", "01"],
    );

    let dump = desk.run("pkcs15-tool", &["-r", FIRST, "--dump"]);
    for expected in [
        "PKCS#15 Card [zimogs]",
        "Private EC Key [",
        "Public EC Key [signing]",
        "X.509 Certificate",
        "FieldLength    : 256",
    ] {
        assert!(dump.contains(expected), "{expected}\n{dump}");
    }
    let read = desk.run("pkcs15-tool", &["-r", FIRST, "--read-certificate", "01"]);
    let begin = read.find("-----BEGIN").expect("a certificate");
    let read = X509::from_pem(&read.as_bytes()[begin..]).unwrap();
    assert_eq!(read.to_der().unwrap(), certificate.to_der().unwrap());

    std::fs::write(desk.folder.path().join("message"), b"to be signed").unwrap();
    let head = ["--slot", "0", "--login", "--pin", PIN];
    let sign = ["--sign", "-m", "ECDSA-SHA1", "--id", "01"];
    let files = [
        "-i",
        "message",
        "-o",
        "signature",
        "--signature-format",
        "openssl",
    ];
    desk.run("pkcs11-tool", &[&head[..], &sign, &files].concat());
    let signature = EcdsaSig::from_der(&desk.read("signature")).unwrap();
    let public = public.ec_key().unwrap();
    assert!(signature.verify(&sha1(b"to be signed"), &public).unwrap());

    // OpenSC's own tests of the card, and a key that OpenSC brings along.
    let tested = desk.run("pkcs11-tool", &[&head[..], &["--test"]].concat());
    assert!(!tested.contains("ERR:"), "{tested}");
    desk.create(SECOND);
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let path = desk.folder.path().join("rsa.pem");
    std::fs::write(&path, rsa.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let store = [
        "--store-private-key",
        "rsa.pem",
        "--key-usage",
        "sign,decrypt",
    ];
    desk.init(SECOND, &[&store[..], &key].concat());
    std::fs::write(desk.folder.path().join("hash"), sha1(b"to be signed")).unwrap();
    let sign = [
        "-r", SECOND, "--sign", "-k", "01", "--pin", PIN, "--sha-1", "--pkcs1",
    ];
    let files = ["-i", "hash", "-o", "rsa-signature"];
    desk.run("pkcs15-crypt", &[&sign[..], &files].concat());
    let mut verifier = openssl::sign::Verifier::new(MessageDigest::sha1(), &rsa).unwrap();
    verifier.update(b"to be signed").unwrap();
    assert!(verifier.verify(&desk.read("rsa-signature")).unwrap());
}
