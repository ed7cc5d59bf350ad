//! A travel document, from an application to a locked chip that a border reads: its keys made on
//! the chip, the centre's files made of them while it is written, access control closed last.

use access::{
    ActiveAuthentication, ActiveAuthenticationKey, ChipAuthenticationChoice, EphemeralKey,
    FileError, FileName, LDS1, MrzInformation, Pace, PaceChoice, Password, Secured, SecurityInfos,
    SystemRandom, authenticate_chip, converse, read_file, select_application, select_master_file,
};
use card::{Command, Limits};
use document::Application;
use jiff::civil::date;
use mrtd::biometrics::{FaceGroup, FingerGroup};
use mrtd::lds::{Dg1, Dg14, Dg15, EfCom, Group, LdsSecurityObject};
use vcard::{Chip, InProcess};

use crate::desk::{Desk, Mistake, shelf};
use crate::{Fault, Moment};

const CHAINS: &str = include_str!("../vectors/icao9303-11/chip_cv_chains.json");
const SAMPLE: &[u8] = include_bytes!("../samples/applications/18-fingerprints.json");

/// The certificate of a CVCA, made by another program.
pub(crate) fn trust_point() -> Vec<u8> {
    let chains: serde_json::Value = serde_json::from_str(CHAINS).unwrap();
    hex::decode(chains["chains"][0]["cvca"].as_str().unwrap()).unwrap()
}

fn application() -> Application {
    Application::parse(SAMPLE, date(2026, 3, 2)).unwrap()
}

/// A desk whose security objects nobody signed: its chips are not looked at as a border does.
fn desk(year: i16) -> Desk {
    let mut chips = shelf("chips");
    let text = include_str!("../../firmware-profiles/chips/icao-lds.toml");
    let (before, inspection) = text.rsplit_once("[[stages]]").unwrap();
    assert!(inspection.contains("inspect lds"));
    chips.put("icao-lds", before);
    Desk::travel(year, &chips, &application())
}

fn limits() -> Limits {
    Limits {
        extended: true,
        response: 4096,
        ..Limits::default()
    }
}

/// A border in front of a chip, without a word of the profile.
struct Border {
    access: SecurityInfos,
    session: Secured<InProcess>,
}

impl Border {
    /// Opens a session by PACE with what stands in the zone.
    fn open(chip: Chip, year: i16) -> Self {
        let mut channel = InProcess::new(chip);
        let limits = limits();
        select_master_file(&mut channel, &limits).unwrap();
        let name = FileName::Identifier(0x011C);
        let access = read_file(&mut channel, &limits, name, 1000).unwrap();
        let access = SecurityInfos::parse(&access).unwrap();
        let choice = PaceChoice::best(&access).unwrap();
        let birth = format!("{:02}0302", year % 100);
        let zone = MrzInformation::of_fields("XA0000001", &birth, "280301").unwrap();
        let start = Pace::start(&choice, &Password::mrz(zone), None, &mut SystemRandom).unwrap();
        let outcome = converse(&mut channel, &limits, start).unwrap();
        let session = Secured::new(channel, outcome.messaging, limits);
        let chip_key = outcome.chip_key.unwrap();
        let mut border = Self { access, session };
        // The chip has the key that the document signer vouches for.
        let security = border.read(0x011D).unwrap();
        let mapped = SecurityInfos::parse(&security).unwrap();
        assert!(mapped.contains_all(&border.access));
        let key = mapped.chip_authentication_keys().next().unwrap();
        chip_key.verify(&key.key().unwrap()).unwrap();
        let inside = border.session.limits();
        select_application(&mut border.session, &inside, &LDS1).unwrap();
        border
    }

    fn read(&mut self, id: u16) -> Result<Vec<u8>, FileError> {
        let inside = self.session.limits();
        let name = FileName::Identifier(id);
        read_file(&mut self.session, &inside, name, 70_000).map(|file| file.to_vec())
    }

    fn group(&mut self, group: Group) -> Vec<u8> {
        self.read(0x0100 | u16::from(group.number())).unwrap()
    }

    /// Checks that all that EF.COM names is there, is what was prepared, and is hashed.
    fn check_files(&mut self, desk: &Desk) -> Vec<Group> {
        let com = EfCom::parse(&self.read(0x011E).unwrap()).unwrap();
        assert!(com.remarks.is_empty());
        let sod = self.read(0x011D).unwrap();
        let (outer, rest) = card::tlv::parse(&sod).unwrap();
        assert!(rest.is_empty());
        let object = LdsSecurityObject::parse(outer.value).unwrap().content;
        let hashed: Vec<_> = object.hashes().map(|(group, _)| group).collect();
        assert_eq!(hashed, com.content.groups);
        for group in &com.content.groups {
            if *group == Group::Dg3 {
                continue;
            }
            let file = self.group(*group);
            assert_eq!(object.vouches_for(*group, &file), Some(true), "{group}");
            if let Some(prepared) = desk.record.prepared.get(&format!("dg{}", group.number())) {
                assert_eq!(file, prepared.as_slice(), "{group}");
            }
        }
        hashed
    }

    /// Has the chip prove its keys for active and for chip authentication.
    fn check_keys(&mut self) {
        let infos = Dg14::parse(&self.group(Group::Dg14)).unwrap();
        let infos = SecurityInfos::parse(infos.security_infos()).unwrap();
        assert!(infos.contains_all(&self.access));
        assert_eq!(infos.terminal_authentication().count(), 1);
        let active = Dg15::parse(&self.group(Group::Dg15)).unwrap();
        let active = ActiveAuthenticationKey::from_spki_der(active.spki()).unwrap();
        let info = infos.active_authentication();
        let start = ActiveAuthentication::start(&active, info, &mut SystemRandom).unwrap();
        let inside = self.session.limits();
        converse(&mut self.session, &inside, start).unwrap();
        let choice = ChipAuthenticationChoice::best(&infos, 1).unwrap();
        let ephemeral =
            EphemeralKey::generate(choice.key().parameters(), &mut SystemRandom).unwrap();
        let probe = Command::new(0, 0xA4, 2, 0x0C).with_data([0x01, 0x01]);
        let answer = authenticate_chip(&mut self.session, &choice, &ephemeral, &probe).unwrap();
        assert!(answer.unwrap().status().is_ok());
    }
}

#[test]
fn a_passport_is_made_and_read_at_a_border() {
    let mut desk = desk(1990);
    let (outcome, chip) = desk.run(Desk::blank_of("icao-lds"), Vec::new());
    if let Some(fault) = &outcome.fault {
        panic!("{fault:?}: {fault}");
    }
    assert!(outcome.certificates.is_empty());
    let mut border = Border::open(chip, 1990);
    let groups = border.check_files(&desk);
    let numbers: Vec<_> = groups.iter().map(|group| group.number()).collect();
    assert_eq!(numbers, [1, 2, 3, 11, 12, 14, 15]);
    let zone = Dg1::parse(&border.group(Group::Dg1)).unwrap().content.mrz;
    assert!(zone.faults().is_empty());
    assert_eq!(
        zone.to_string().lines().next().unwrap(),
        format!("{:<<44}", "P<LVAIZDOMATA<<ANNA")
    );
    let face = FaceGroup::parse(&border.group(Group::Dg2)).unwrap();
    assert_eq!(
        face.faces[0].picture.bytes(),
        application().portrait.bytes()
    );
    border.check_keys();
    // Fingerprints are nobody's without terminal authentication.
    assert!(border.read(0x0103).is_err());
    // They were compared byte for byte before the lock, in the issuer's channel.
    let fingers = FingerGroup::parse(desk.record.prepared["dg3"].as_slice()).unwrap();
    assert_eq!(fingers.fingers.len(), 2);
}

#[test]
fn a_child_has_no_fingerprints() {
    let mut desk = desk(2018);
    let (outcome, chip) = desk.run(Desk::blank_of("icao-lds"), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    let mut border = Border::open(chip, 2018);
    let groups = border.check_files(&desk);
    assert!(!groups.contains(&Group::Dg3));
    border.check_keys();
}

#[test]
fn access_is_closed_last_and_the_centre_signs_meanwhile() {
    let mut desk = desk(1990);
    let (outcome, _) = desk.run(Desk::blank_of("icao-lds"), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    let done: Vec<_> = desk
        .journal
        .iter()
        .filter(|entry| entry.moment == Moment::Outcome)
        .map(|entry| entry.step.as_str())
        .collect();
    let at = |step: &str| done.iter().position(|done| *done == step).unwrap();
    // The centre of this desk answers when nothing else is left to do.
    for early in ["write_file dg2", "write_file dg3", "write_file card_access"] {
        assert!(at(early) < at("write_file dg14"), "{early}");
    }
    let last_write = done.iter().rposition(|step| step.starts_with("write_file"));
    assert_eq!(last_write.map(|at| at + 1), Some(at("set_state locked")));
}

#[test]
fn without_a_security_object_the_chip_stays_open_and_is_spoiled() {
    let mut desk = desk(1990);
    desk.mistake = Mistake::NoSod;
    let (outcome, _) = desk.run(Desk::blank_of("icao-lds"), Vec::new());
    assert!(matches!(outcome.fault, Some(Fault::Centre { .. })));
    assert!(outcome.touched);
    let is_lock = |step: &str| step == "set_state locked";
    assert!(!desk.journal.iter().any(|entry| is_lock(&entry.step)));
}

#[test]
fn what_no_border_accepts_is_no_document() {
    let mut desk = Desk::travel(1990, &shelf("chips"), &application());
    let (outcome, _) = desk.run(Desk::blank_of("icao-lds"), Vec::new());
    // Everything is as it was written, and nobody signed it.
    let Some(fault @ Fault::Inspection { .. }) = &outcome.fault else {
        panic!("{:?}", outcome.fault);
    };
    assert!(outcome.touched);
    assert!(!fault.to_string().contains("IZDOM"), "{fault}");
}
