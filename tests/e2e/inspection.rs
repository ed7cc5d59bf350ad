//! `zimogs mrtd`: documents whose files, certificates, lists and signatures are openssl's, in
//! folders with one fault each, and on a virtual chip over real PC/SC.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use card::tlv::{self, Tag};
use cert::Hash;
use document::mrz::Mrz;
use mrtd::lds::{Dg1, Group, Lds, LdsVersion};
use serde_json::Value;
use vcard::ReaderBuffer;

use crate::bench::Bench;
use crate::missing;
use crate::world::{Ran, project, zimogs};

/// Anna Paraudziņa's passport, with its check digits.
const ZONE: &str = "P<LVAPARAUDZINA<<ANNA<<<<<<<<<<<<<<<<<<<<<<<\n\
    XA00000012LVA9003026F3603011<<<<<<<<<<<<<<<6";

const CONFIG: &str = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ncrlnumber=number\n\
    default_md=sha256\ncrl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n";

/// A folder of a state that has openssl only, and a document that it signed.
struct State {
    folder: tempfile::TempDir,
}

impl State {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dump")).unwrap();
        let state = Self { folder };
        state.write("csca.ext", b"basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n");
        state.write(
            "ds.ext",
            b"keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
        );
        for name in ["csca", "other", "ds"] {
            state.openssl(&format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -subj /C=LV/CN={name} -out {name}.csr"
            ));
        }
        for name in ["csca", "other"] {
            state.openssl(&format!("x509 -req -in {name}.csr -signkey {name}.key -extfile csca.ext -days 3650 -out {name}.pem"));
        }
        state.openssl("x509 -req -in ds.csr -CA csca.pem -CAkey csca.key -set_serial 0x1234 -extfile ds.ext -days 3650 -out ds.pem");
        for (name, rows) in [
            ("none", String::new()),
            (
                "revoked",
                "R\t360101000000Z\t260101000000Z\t1234\tunknown\t/CN=x\n".to_owned(),
            ),
        ] {
            state.write("index", rows.as_bytes());
            state.write("number", b"01\n");
            state.write("config", CONFIG.as_bytes());
            state.openssl(&format!("ca -gencrl -config config -cert csca.pem -keyfile csca.key -crldays 30 -out {name}.crl"));
        }
        state.document();
        state
    }

    fn document(&self) {
        let mut lds = Lds::new();
        let mrz = Mrz::parse(ZONE).unwrap();
        lds.insert_group(&Dg1 { mrz }.encode().unwrap()).unwrap();
        let samples = project("tests/vectors/biometrics/iso39794.json");
        let samples: Value = serde_json::from_slice(&fs::read(samples).unwrap()).unwrap();
        let mut samples = samples.as_array().unwrap().iter();
        let face = samples
            .find(|row| row["name"] == "dg2_39794_min_jpeg")
            .unwrap();
        let face = hex::decode(face["hex"].as_str().unwrap()).unwrap();
        lds.insert(Group::Dg2.into(), face).unwrap();
        let object = lds.security_object(LdsVersion::V1_7, Hash::Sha256).unwrap();
        self.write("object", &object.encode().unwrap());
        self.openssl("cms -sign -binary -nodetach -nosmimecap -in object -econtent_type 2.23.136.1.1.1 -signer ds.pem -inkey ds.key -md sha256 -outform DER -out sod");
        let sod = fs::read(self.path("sod")).unwrap();
        self.write("dump/EF_SOD.bin", &tlv::encode(Tag::known::<0x77>(), &sod));
        self.write("dump/EF_COM.bin", &lds.com(LdsVersion::V1_7).encode());
        for (group, bytes) in lds.groups() {
            self.write(&format!("dump/Datagroup{}.bin", group.number()), bytes);
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    }

    /// Runs `mrtd verify` on a folder.
    fn verify(&self, folder: &str, more: &[&str]) -> Ran {
        let mut command = zimogs();
        command
            .args(["mrtd", "verify", folder, "--json"])
            .args(more)
            .current_dir(self.folder.path());
        Ran::of(command.output().unwrap())
    }

    /// Copies the document's folder.
    fn copy(&self, name: &str) {
        fs::create_dir(self.path(name)).unwrap();
        for entry in fs::read_dir(self.path("dump")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), self.path(name).join(entry.file_name())).unwrap();
        }
    }
}

const TRUST: [&str; 4] = ["--trust", "csca.pem", "--trust", "none.crl"];

/// Returns the checks that did not pass.
fn troubles(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["verdict"] != "passed")
        .map(|check| {
            let name = check["name"].as_str().unwrap();
            format!("{name} {}", check["verdict"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_document_of_openssl_s_passes_and_each_fault_is_told() {
    let state = State::new();
    let right = state.verify("dump", &[&TRUST[..], &["--portrait", "face.jpg"]].concat());
    let right = right.ends(0);
    let report = right.json();
    assert_eq!(report["verdict"], "passed");
    assert_eq!(report["document"]["document_number"], "XA0000001");
    assert_eq!(report["document"]["surname"], "PARAUDZINA");
    let face = fs::read(state.path("face.jpg")).unwrap();
    assert!(face.starts_with(&[0xFF, 0xD8]));
    let text = zimogs()
        .args(["mrtd", "verify", "dump"])
        .args(TRUST)
        .current_dir(state.folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("XA00000012LVA") && text.contains(": passed"),
        "{text}"
    );

    // Trust.
    let open = |trust: &[&str], told: &[&str]| {
        let ran = state.verify("dump", trust).ends(1);
        assert_eq!(troubles(&ran), told, "{trust:?}");
    };
    open(&[], &["signer-chain unknown", "signer-revocation unknown"]);
    open(
        &["--trust", "other.pem"],
        &["signer-chain unknown", "signer-revocation unknown"],
    );
    open(&["--trust", "csca.pem"], &["signer-revocation unknown"]);
    let revoked = ["--trust", "csca.pem", "--trust", "revoked.crl"];
    let ran = state.verify("dump", &revoked).ends(5);
    assert_eq!(troubles(&ran), ["signer-revocation failed"]);
    let later = [&TRUST[..], &["--at", "2045-01-01"]].concat();
    let ran = state.verify("dump", &later).ends(1);
    assert!(troubles(&ran).contains(&"expiry failed".to_owned()));

    // Files.
    let changed = |name: &str, change: &dyn Fn(&Path)| {
        let folder = name.replace(' ', "-");
        state.copy(&folder);
        change(&state.path(&folder));
        state.verify(&folder, &TRUST)
    };
    let flip = |file: &'static str| {
        move |folder: &Path| {
            let path = folder.join(file);
            let mut bytes = fs::read(&path).unwrap();
            let place = bytes.len() - 20;
            bytes[place] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    };
    let ran = changed("a byte of dg2", &flip("Datagroup2.bin")).ends(5);
    assert!(troubles(&ran).contains(&"hash-dg2 failed".to_owned()));
    let ran = changed("a byte of the signature", &flip("EF_SOD.bin")).ends(5);
    assert!(troubles(&ran).contains(&"sod-signature failed".to_owned()));
    let ran = changed("no dg2", &|folder: &Path| {
        fs::remove_file(folder.join("Datagroup2.bin")).unwrap();
    });
    assert_eq!(
        troubles(&ran.ends(1)),
        ["hash-dg2 unknown", "portrait unknown"]
    );
    let ran = changed("garbage", &|folder: &Path| {
        for entry in fs::read_dir(folder).unwrap() {
            fs::write(entry.unwrap().path(), [0xA5; 50]).unwrap();
        }
    });
    ran.ends(5);
    let ran = changed("a huge file", &|folder: &Path| {
        let file = fs::File::create(folder.join("Datagroup2.bin")).unwrap();
        file.set_len(8 << 30).unwrap();
    });
    let ran = ran.ends(5);
    assert!(troubles(&ran).contains(&"file-dg2 failed".to_owned()));
    let ran = changed("others", &|folder: &Path| {
        fs::write(folder.join("notes\u{1b}[2J.txt"), "x").unwrap();
        fs::create_dir(folder.join("dg7")).unwrap();
    });
    let ran = ran.ends(0);
    assert_eq!(ran.json()["ignored"].as_array().unwrap().len(), 2);
    assert!(!ran.out.contains('\u{1b}'));

    // The command line.
    let ran = changed("twice", &|folder: &Path| {
        fs::write(folder.join("dg1.bin"), "x").unwrap();
    });
    let ran = ran.ends(2);
    assert!(
        ran.err
            .contains("Datagroup1.bin and dg1.bin are both EF.DG1"),
        "{}",
        ran.err
    );
    fs::create_dir(state.path("empty")).unwrap();
    state.verify("empty", &TRUST).ends(1);
    state.verify("nowhere", &TRUST).ends(2);
    state.verify("dump", &["--trust", "index"]).ends(2);
    state.verify("dump", &["--trust", "nowhere"]).ends(2);
    state.verify("dump", &["--at", "tomorrow"]).ends(2);
    // What is asked for is the file's own: nothing of the holder is said beside the report.
    assert!(!right.err.contains("PARAUDZ"), "{}", right.err);
}

#[test]
fn the_reference_data_set_is_judged_whole() {
    let (Some(_), Some(_)) = (
        missing::sample("bsi_reference_dataset/EF_SOD.bin"),
        missing::sample("csca/NL_MASTERLIST_20211207.mls"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "EF_COM.bin",
        "EF_SOD.bin",
        "Datagroup1.bin",
        "Datagroup14.bin",
    ] {
        let bytes = missing::sample(&format!("bsi_reference_dataset/{name}")).unwrap();
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut list = missing::sample("csca/NL_MASTERLIST_20211207.mls").unwrap();
    fs::write(folder.path().join("list"), &list).unwrap();
    let verify = |trust: &str| {
        let mut command = zimogs();
        command.current_dir(folder.path());
        command.args(["mrtd", "verify", ".", "--json", "--trust", trust]);
        command.args(["--at", "2014-06-01T00:00:00Z"]);
        Ran::of(command.output().unwrap())
    };
    let report = verify("list").ends(1).json();
    assert_eq!(report["trust"][0]["certificates"], 306);
    let middle = list.len() / 2;
    list[middle] ^= 1;
    fs::write(folder.path().join("altered"), &list).unwrap();
    let ran = verify("altered");
    assert!([2, 5].contains(&ran.code), "{}", ran.err);
}

#[test]
fn a_chip_is_read_over_pcsc() {
    let state = State::new();
    let mut bench = Bench::new();
    let blank = bench.blank("mrtd-applet");
    bench.insert(&blank, ReaderBuffer::default(), None);
    write_chip(&state, &bench);
    let zone = state.path("zone.txt");
    fs::write(&zone, ZONE).unwrap();
    let read = |more: &[&str]| {
        let mut command = zimogs();
        command
            .args(["mrtd", "read", "--json"])
            .args(more)
            .current_dir(state.folder.path())
            .env("PCSCLITE_CSOCK_NAME", bench.farm.pcsc());
        Ran::of(command.output().unwrap())
    };
    let key = ["--mrz-file", zone.to_str().unwrap()];
    let ran = read(&[&key[..], &TRUST[..], &["--out", "read"]].concat()).ends(1);
    // It is a copy for all that anybody knows: the document has nothing to prove itself by.
    assert_eq!(troubles(&ran), ["chip-genuine unknown"]);
    for name in [
        "EF_COM.bin",
        "EF_SOD.bin",
        "Datagroup1.bin",
        "Datagroup2.bin",
    ] {
        let [written, read] = ["dump", "read"].map(|folder| {
            let path = state.path(folder).join(name);
            fs::read(path).unwrap()
        });
        assert_eq!(written, read, "{name}");
    }
    assert!(state.path("read/portrait.jpg").is_file());
    state.verify("read", &TRUST).ends(0);

    // A face with another name opens the chip as well, and is not this document's.
    fs::write(&zone, ZONE.replacen("ANNA", "INGA", 1)).unwrap();
    let ran = read(&[&key[..], &TRUST[..]].concat()).ends(5);
    assert_eq!(
        troubles(&ran),
        ["chip-genuine unknown", "printed-mrz failed"]
    );

    let wrong = read(&["--mrz", "XA0000002,900302,360301"]).ends(3);
    assert!(
        wrong.err.contains("compare number, birth and expiry"),
        "{}",
        wrong.err
    );
    assert!(!wrong.err.contains("XA0000002"), "{}", wrong.err);
    read(&["--can", "123456"]).ends(2);
    read(&["--can", "12A"]).ends(2);
    read(&["--mrz", "nonsense"]).ends(2);
    read(&["--mrz-file", "nowhere"]).ends(2);
}

/// Writes the document onto a chip that takes plain commands.
fn write_chip(state: &State, bench: &Bench) {
    let text = |value: &str| tlv::encode(Tag::known::<0x04>(), value.as_bytes());
    let key = [text("XA0000001"), text("900302"), text("360301")].concat();
    let key = tlv::encode(Tag::known::<0x62>(), &key);
    let command = |header: &str, data: &[u8]| {
        format!("{header}{:02X}{}", data.len(), hex::encode_upper(data))
    };
    let mut commands = vec![
        command("00A4040C", &mrtd::lds::LDS_APPLICATION),
        command("00DA0062", &key),
    ];
    for (name, id) in [
        ("EF_COM.bin", [1, 0x1E]),
        ("EF_SOD.bin", [1, 0x1D]),
        ("Datagroup1.bin", [1, 1]),
        ("Datagroup2.bin", [1, 2]),
    ] {
        let content = fs::read(state.path("dump").join(name)).unwrap();
        let size = u16::try_from(content.len()).unwrap().to_be_bytes();
        commands.push(command("00E00000", &[&[0x63, 4], &size[..], &id].concat()));
        commands.push(command("00A4020C", &id));
        for (place, piece) in content.chunks(200).enumerate() {
            commands.push(command(&format!("00D6{:04X}", place * 200), piece));
        }
    }
    commands.push("00DADEAD".to_owned());
    let arguments: Vec<_> = std::iter::once("apdu")
        .chain(commands.iter().map(String::as_str))
        .collect();
    bench.card(&arguments).ends(0);
}
