//! Fingerprints over real PC/SC: a border is set up, a document is written that trusts it, and its
//! terminal reads them.

use std::fs;

use card::tlv;
use serde_json::json;

use crate::border::Border;
use crate::card::{Desk, at_a_desk};
use crate::world::{Ran, project, zimogs};

/// DG3 as it is on the chip.
fn fingerprints() -> Vec<u8> {
    let image: Vec<u8> = (0..12_000u32).map(|at| (at % 239) as u8).collect();
    tlv::encode(tlv::Tag::known::<0x63>(), &image)
}

#[test]
fn a_border_reads_the_fingerprints_of_a_document_that_trusts_it() {
    let test = "eac::a_border_reads_the_fingerprints_of_a_document_that_trusts_it";
    at_a_desk(test, |mut desk| {
        let border = Border::with_terminal();
        let blank = desk.blank("icao-lds");
        desk.insert(&blank, None);
        let root = fs::read(border.path("cvca/own/LVCVCA00001.cvcert")).unwrap();
        write(&desk, &root);

        // The document is signed by nobody: its verdict is that, whoever reads it.
        let read = |out: &str, more: &str| {
            let mut command = zimogs();
            command
                .args(["mrtd", "read", "--mrz", "XA0000001,900302,360301", "--json"])
                .args(["--out", out])
                .args(more.split_whitespace())
                .current_dir(border.path(""))
                .env("PCSCLITE_CSOCK_NAME", desk.farm.pcsc());
            Ran::of(command.output().unwrap())
        };
        let file = |out: &str| border.path(out).join("Datagroup3.bin");
        let proved = |ran: &Ran| {
            let report = ran.json();
            let mut checks = report["checks"].as_array().unwrap().iter();
            let found = checks.find(|check| check["name"] == "terminal-authentication");
            found.map(|check| check["verdict"].as_str().unwrap().to_owned())
        };
        let nobody = read("nobody", "").ends(5);
        assert_eq!(proved(&nobody), None);
        assert!(!file("nobody").exists());
        // Certificates in one command each, or in chains.
        for (out, more) in [("whole", "--extended"), ("chained", "")] {
            let ran = read(out, &format!("--is is --token token.toml {more}")).ends(5);
            assert_eq!(proved(&ran).as_deref(), Some("passed"), "{}", ran.out);
            assert_eq!(fs::read(file(out)).unwrap(), fingerprints());
        }
        // A folder that is no terminal's, and a key without its folder.
        let verifier = read("verifier", "--is dv --token token.toml").ends(4);
        assert!(
            verifier.err.contains("no certificate of a terminal"),
            "{}",
            verifier.err
        );
        read("half", "--is is").ends(2);
    });
}

/// Writes a document by its profile: that of the tests, with fingerprints and a trust point.
fn write(desk: &Desk, trusted: &[u8]) {
    let profile = fs::read_to_string(project("tests/travel/chips/icao-lds.toml")).unwrap();
    let profile = [
        (
            "\"put_data pace\",",
            "\"put_data pace\", \"put_data trust_point\",",
        ),
        (
            "\"write_file dg2\",",
            "\"write_file dg2\", \"write_file dg3\",",
        ),
        ("5C { 61 75 6E 6F }", "5C { 61 75 63 6E 6F }"),
    ]
    .iter()
    .fold(profile, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let more = "\n[data.trust_point]\napplication = \"lds\"\nid = \"0120\"\n\
                content = \"prepared.cvca\"\n\n[files.dg3]\napplication = \"lds\"\nid = \"0103\"\n\
                content = \"prepared.dg3\"\nattributes = { rule = \"E1\" }\n";
    let chip = desk.write("icao-lds.toml", &(profile + more));
    let record = json!({
        "number": "XA0000001", "kind": "id-card", "issued": "2026-03-02", "expires": "2036-03-01",
        "holder": {
            "surname": "Izdomāta", "given_names": "Anna", "personal_code": "321990-12347",
            "birth_date": "1990-03-02", "sex": "F", "nationality": "LVA",
        },
        "certificates": false,
        "prepared": {
            "dg1": "615B5F1F58", "dg2": hex::encode([0x75; 3000]), "sod": "7703020100",
            "dg3": hex::encode(fingerprints()), "cvca": hex::encode(trusted),
        },
    });
    let record = desk.write("record.json", &record.to_string());
    let mut command = desk.card(&["personalize", "--json", "--keys", "keys.toml", "--chip"]);
    command.arg(chip).arg("--document");
    command.arg(project("tests/travel/documents/icao-chip.toml"));
    command.arg("--record").arg(record);
    Ran::of(command.output().unwrap()).ends(0);
}
