//! Fingerprints over real PC/SC: a border is set up, a document is written that trusts it, and its
//! terminal reads them.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use access::{
    ChipAuthenticationChoice, EphemeralKey, FileError, FileName, LDS1, MrzInformation, Pace,
    PaceChoice, Password, Secured, SecurityInfos, SystemRandom, TerminalAuthentication,
    TerminalBinding, TerminalCertificates, TerminalKey, TerminalVersion, authenticate_chip,
    converse, read_file, read_trust_points, select_application, select_master_file,
};
use card::{Channel, Limits, tlv};
use hsm::{Secret, SoftHsmFolder, Token, TokenConfig};
use pki::{CvFolder, CvKey};
use reader::{Connection, LOOKING, Readers};
use serde_json::json;

use crate::border::Border;
use crate::card::{Desk, at_a_desk};
use crate::world::{Ran, project};

/// Set in the process that is the terminal: the border's folder.
const TERMINAL: &str = "ZIMOGS_TEST_TERMINAL";
const TEST: &str = "eac::a_border_reads_the_fingerprints_of_a_document_that_trusts_it";
const LIMITS: Limits = Limits {
    command: 2048,
    response: 2048,
    extended: true,
    chaining: false,
    total: 100_000,
};

/// DG3 as it is on the chip.
fn fingerprints() -> Vec<u8> {
    let image: Vec<u8> = (0..12_000u32).map(|at| (at % 239) as u8).collect();
    tlv::encode(tlv::Tag::known::<0x63>(), &image)
}

#[test]
fn a_border_reads_the_fingerprints_of_a_document_that_trusts_it() {
    if let Some(border) = std::env::var_os(TERMINAL) {
        return read(Path::new(&border));
    }
    at_a_desk(TEST, |mut desk| {
        let border = Border::with_terminal();
        let blank = desk.blank("icao-lds");
        desk.insert(&blank, None);
        write(
            &desk,
            &fs::read(border.path("cvca/own/LVCVCA00001.cvcert")).unwrap(),
        );

        // The border's token and reader are found by the environment, which is a process's own.
        let mut terminal = Command::new(std::env::current_exe().unwrap());
        terminal
            .args([TEST, "--exact", "--nocapture"])
            .env(TERMINAL, border.path(""))
            .env("PCSCLITE_CSOCK_NAME", desk.farm.pcsc());
        let tokens = SoftHsmFolder::prepare(&border.path("softhsm")).unwrap();
        Ran::of(tokens.apply(&mut terminal).output().unwrap()).ends(0);
        assert!(border.path("read").exists());
    });
}

/// Writes a document by its profile: that of the tests, with fingerprints and a trust point.
fn write(desk: &Desk, trusted: &[u8]) {
    let profile = fs::read_to_string(project("tests/profiles/chips/icao-lds.toml")).unwrap();
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
    command.arg(project("tests/profiles/documents/icao-chip.toml"));
    command.arg("--record").arg(record);
    Ran::of(command.output().unwrap()).ends(0);
}

/// The terminal's key, which stays in its token.
struct InToken(CvKey);

impl TerminalKey for InToken {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.sign(message)?)
    }
}

/// Inspects the chip in the reader, as the terminal that the border's folder describes.
fn read(border: &Path) {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let terminal = CvFolder::open(&border.join("is")).unwrap();
    let terminal = terminal.terminal(today).unwrap();
    let own = terminal.holder.certificate().clone();
    let config = include_str!("../../hsm-config/softhsm2.toml");
    let pin = fs::read_to_string(border.join("pin")).unwrap();
    let config = TokenConfig::parse(config).unwrap();
    let token = Token::open(&config, "border", Secret::new(pin.trim())).unwrap();
    let key = CvKey::new(Arc::new(token.signer(&own.holder().to_string()).unwrap())).unwrap();
    let key = InToken(key);
    let certificates = terminal.above.into_iter().chain([own]);
    let certificates = TerminalCertificates::new(certificates).unwrap();

    let readers = Readers::new().unwrap().list().unwrap();
    let with_card = readers.iter().find(|reader| reader.atr.is_some()).unwrap();
    let mut chip = Connection::open(&with_card.name, LOOKING).unwrap();
    chip.reset().unwrap();
    select_master_file(&mut chip, &LIMITS).unwrap();
    let access = read_file(&mut chip, &LIMITS, FileName::Short(0x1C), 4096).unwrap();
    let choice = PaceChoice::best(&SecurityInfos::parse(&access).unwrap()).unwrap();
    let zone = MrzInformation::of_fields("XA0000001", "900302", "360301").unwrap();
    let start = Pace::start(&choice, &Password::mrz(zone), None, &mut SystemRandom).unwrap();
    let opened = converse(&mut chip, &LIMITS, start).unwrap();
    let mut session = Secured::new(chip, opened.messaging, LIMITS);
    let inside = session.limits();
    select_application(&mut session, &inside, &LDS1).unwrap();
    let early = read_file(&mut session, &inside, FileName::Short(0x03), 50_000);
    assert!(matches!(early, Err(FileError::NotAllowed(_))));

    let file = read_file(&mut session, &inside, FileName::Short(0x0E), 4096).unwrap();
    let infos = SecurityInfos::parse(tlv::parse(&file).unwrap().0.value).unwrap();
    let choice = ChipAuthenticationChoice::best(&infos, 1).unwrap();
    let ephemeral = EphemeralKey::generate(choice.key().parameters(), &mut SystemRandom).unwrap();
    let probe = card::Command::new(0x00, 0xA4, 0x02, 0x0C).with_data([0x01, 0x0E]);
    authenticate_chip(&mut session, &choice, &ephemeral, &probe).unwrap();
    let inside = session.limits();
    let trusted = read_trust_points(&mut session, &inside, &infos).unwrap();
    let binding = TerminalBinding {
        chip: opened.chip_id,
        key: ephemeral.compressed().to_vec(),
        version: TerminalVersion::One,
    };
    let start = TerminalAuthentication::start(&certificates, &trusted, binding, &key).unwrap();
    converse(&mut session, &inside, start).unwrap();
    let dg3 = read_file(&mut session, &inside, FileName::Short(0x03), 50_000).unwrap();
    assert_eq!(*dg3, fingerprints());
    fs::write(border.join("read"), b"").unwrap();
}
