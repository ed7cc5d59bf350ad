//! What data preparation makes of applications, and of a chip's keys.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use access::SecurityInfos;
use access::security_infos::Mapping;
use document::{Application, Image, Kind, Record, SIGNATURE_LIMITS};
use jiff::civil::date;
use mrtd::biometrics::{FaceGroup, FingerGroup};
use mrtd::lds::{CardAccess, Dg11, Dg14, EfCom, Group, LdsSecurityObject};

use super::{Applied, DocumentLds, KeyedError, PreparationError};
use crate::malformed::{folder, project};
use crate::{ChipProfile, DocumentProfile, Plan, ProfileError, Shelf};

const ICAO: &str = "icao-lds";
/// Points of known keys: the generators of P-256 and brainpoolP256r1, and twice the latter.
const P256: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

fn chip() -> Arc<ChipProfile> {
    chip_with(|text| text)
}

fn chip_with(change: impl FnOnce(String) -> String) -> Arc<ChipProfile> {
    let text = fs::read_to_string(project("firmware-profiles/chips/icao-lds.toml")).unwrap();
    let mut shelf = Shelf::default();
    shelf.put(ICAO, change(text));
    Arc::new(ChipProfile::load(&shelf, ICAO).unwrap())
}

fn passport(change: impl FnOnce(String) -> String) -> DocumentProfile {
    let mut documents = folder("firmware-profiles/documents");
    let text = documents.remove("passport").unwrap();
    let mut shelf = Shelf::default();
    shelf.put("passport", change(text));
    DocumentProfile::load(&shelf, "passport").unwrap_or_else(|error| panic!("{error}"))
}

fn lds(change: impl FnOnce(String) -> String) -> DocumentLds {
    passport(change).chips[0].lds.clone().unwrap()
}

fn application() -> Application {
    let path = project("tests/samples/applications/18-fingerprints.json");
    Application::parse(&fs::read(path).unwrap(), date(2026, 11, 20)).unwrap()
}

fn record(application: &Application) -> Record {
    Record {
        number: "XA0000001".parse().unwrap(),
        kind: Kind::Passport,
        issued: date(2026, 11, 20),
        expires: date(2036, 11, 19),
        holder: application.holder.clone(),
        certificates: false,
        prepared: BTreeMap::new(),
    }
}

fn applied(application: &Application) -> Applied<'_> {
    Applied {
        portrait: &application.portrait,
        fingerprints: &application.fingerprints,
        signature: None,
        trust_point: Some(&[0x7F, 0x21, 0x00]),
        random: &[0x5A; 16],
    }
}

fn prepared(lds: &DocumentLds, application: &Application) -> Record {
    let mut record = record(application);
    record.prepared = lds.prepare(&record, &applied(application)).unwrap();
    record
}

fn file<'r>(record: &'r Record, name: &str) -> &'r [u8] {
    record.prepared[name].as_slice()
}

#[test]
fn the_same_application_gives_the_same_files() {
    let (lds, application) = (lds(|text| text), application());
    let record = prepared(&lds, &application);
    let names: Vec<_> = record.prepared.keys().map(String::as_str).collect();
    let expected = [
        "card_access",
        "dg1",
        "dg11",
        "dg12",
        "dg2",
        "dg3",
        "trust_point",
    ];
    assert_eq!(names, expected);
    assert!(record == prepared(&lds, &application));
    let face = FaceGroup::parse(file(&record, "dg2")).unwrap();
    assert_eq!(face.faces[0].picture.bytes(), application.portrait.bytes());
    let fingers = FingerGroup::parse(file(&record, "dg3")).unwrap().fingers;
    let pictures: Vec<_> = fingers
        .iter()
        .map(|finger| finger.picture.bytes())
        .collect();
    let taken: Vec<_> = application
        .fingerprints
        .iter()
        .map(|one| one.image.bytes())
        .collect();
    assert_eq!(pictures, taken);
    let access = CardAccess::parse(file(&record, "card_access")).unwrap();
    let access = SecurityInfos::parse(access.security_infos()).unwrap();
    let mappings: Vec<_> = access.pace().map(|info| info.protocol.mapping).collect();
    assert_eq!(mappings.len(), 2);
    assert!(mappings.contains(&Mapping::Generic));
    assert!(mappings.contains(&Mapping::ChipAuthentication));
}

#[test]
fn a_name_that_is_too_long_is_left_out_and_never_cut() {
    let (lds, mut application) = (lds(|text| text), application());
    let of = |application: &Application| {
        let record = prepared(&lds, application);
        Dg11::parse(file(&record, "dg11")).unwrap().content
    };
    application.holder.surname = document::Surname::parse("Izdomāta").unwrap();
    application.holder.given_names = document::GivenNames::parse("Paraudzīte").unwrap();
    let name = of(&application).full_name.unwrap();
    assert_eq!(name.as_str(), "IZDOMĀTA<<PARAUDZĪTE");
    application.holder.surname = document::Surname::parse(&"Ā".repeat(32)).unwrap();
    application.holder.given_names = document::GivenNames::parse(&"Ē".repeat(20)).unwrap();
    let details = of(&application);
    assert_eq!(details.full_name, None);
    assert!(details.personal_number.is_some() && details.birth_place.is_some());
}

#[test]
fn who_has_no_fingers_to_take_cannot_be_told_by_the_hash() {
    let (lds, mut application) = (lds(|text| text), application());
    application.fingerprints.clear();
    let record = record(&application);
    let group = |random: &[u8; 16]| {
        let applied = Applied {
            random,
            ..applied(&application)
        };
        let files = lds.prepare(&record, &applied).unwrap();
        files["dg3"].as_slice().to_vec()
    };
    assert_ne!(group(&[1; 16]), group(&[2; 16]));
    assert!(
        FingerGroup::parse(&group(&[1; 16]))
            .unwrap()
            .fingers
            .is_empty()
    );
    // Below the age there is no file at all.
    application.holder.birth_date = date(2014, 11, 21);
    assert!(file(&prepared(&lds, &application), "dg3").is_empty());
    application.holder.birth_date = date(2014, 11, 20);
    assert!(!file(&prepared(&lds, &application), "dg3").is_empty());
}

#[test]
fn what_a_chip_cannot_have_is_told_with_what_to_do() {
    let application = application();
    let refused = |lds: &DocumentLds, applied: &Applied<'_>, kind| {
        let mut record = record(&application);
        record.kind = kind;
        lds.prepare(&record, applied).err().unwrap()
    };
    let png = application.signature.clone().unwrap();
    let png = Image::recognise(png.bytes().to_vec(), SIGNATURE_LIMITS).unwrap();
    let usual = applied(&application);
    let small = lds(|text| text.replace("portrait_bytes = 20000", "portrait_bytes = 5000"));
    let error = refused(&small, &usual, Kind::Passport);
    assert!(matches!(error, PreparationError::Portrait(_)), "{error}");
    assert!(error.to_string().contains("room for 5000"), "{error}");
    let signs = lds(|text| text.replace("3, 11", "3, 7, 11"));
    let signed = Applied {
        signature: Some(&png),
        ..usual
    };
    let error = refused(&signs, &signed, Kind::Passport);
    assert!(error.to_string().contains("image/png"), "{error}");
    assert!(
        signs.prepare(&record(&application), &usual).unwrap()["dg7"]
            .as_slice()
            .is_empty()
    );
    let nobody = Applied {
        trust_point: None,
        ..usual
    };
    let error = refused(&lds(|text| text), &nobody, Kind::Passport);
    assert!(matches!(error, PreparationError::NoTrustPoint));
    let error = refused(&lds(|text| text), &usual, Kind::WarParticipantCertificate);
    assert!(matches!(error, PreparationError::NoZone(_)));
}

fn keys(mapped: &str) -> BTreeMap<String, Vec<u8>> {
    let own = |name: &str, spki: &str| (name.to_owned(), hex::decode(spki).unwrap());
    let [chip, other] = brainpool();
    let mapped = match mapped {
        "chip" => chip.clone(),
        _ => other,
    };
    BTreeMap::from([
        own("active", P256),
        own("chip", &chip),
        own("mapped", &mapped),
    ])
}

/// Two keys of brainpoolP256r1.
fn brainpool() -> [String; 2] {
    let head = "305a301406072a8648ce3d020106092b2403030208010107034200";
    [
        "048bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
        "04743cf1b8b5cd4f2eb55f8aa369593ac436ef044166699e37d51a14c2ce13ea0e36ed163337deba9c946fe0bb776529da38df059f69249406892ada097eeb7cd4",
    ]
    .map(|point| format!("{head}{point}"))
}

#[test]
fn the_hashes_are_of_what_was_prepared_and_of_what_the_keys_give() {
    let (lds, application, chip) = (lds(|text| text), application(), chip());
    let record = prepared(&lds, &application);
    let made = lds.with_keys(&chip, &record, &keys("other")).unwrap();
    assert_eq!(made.document_type, "P");
    let object = LdsSecurityObject::parse(&made.security_object)
        .unwrap()
        .content;
    let groups: Vec<_> = object.hashes().map(|(group, _)| group).collect();
    assert_eq!(
        EfCom::parse(&made.files["com"]).unwrap().content.groups,
        groups
    );
    for group in &groups {
        let name = format!("dg{}", group.number());
        let own = made.files.get(&name).map(Vec::as_slice);
        let bytes = own.unwrap_or_else(|| file(&record, &name));
        assert_eq!(object.vouches_for(*group, bytes), Some(true), "{group}");
    }
    let infos = Dg14::parse(&made.files["dg14"]).unwrap();
    let infos = SecurityInfos::parse(infos.security_infos()).unwrap();
    let access = SecurityInfos::parse(file(&record, "card_access")).unwrap();
    assert!(infos.contains_all(&access));
    assert_eq!(infos.chip_authentication().count(), 1);
    assert_eq!(infos.terminal_authentication().count(), 1);
    assert!(infos.active_authentication().is_some());
    let security = SecurityInfos::parse(made.card_security.as_ref().unwrap()).unwrap();
    assert!(security.contains_all(&access));
    assert_ne!(
        security.chip_authentication_keys().next(),
        infos.chip_authentication_keys().next()
    );
    // Without fingers below the age the group is neither hashed nor listed.
    let mut child = record.clone();
    child
        .prepared
        .insert("dg3".into(), document::Prepared::new(Vec::new()));
    let made = lds.with_keys(&chip, &child, &keys("other")).unwrap();
    let object = LdsSecurityObject::parse(&made.security_object)
        .unwrap()
        .content;
    assert_eq!(object.hash_of(Group::Dg3), None);
}

#[test]
fn other_keys_than_the_documents_are_refused() {
    let (lds, application, chip) = (lds(|text| text), application(), chip());
    let record = prepared(&lds, &application);
    let refused = |keys| lds.with_keys(&chip, &record, &keys).unwrap_err();
    assert!(matches!(refused(BTreeMap::new()), KeyedError::Keys(_)));
    assert!(matches!(refused(keys("chip")), KeyedError::Same(..)));
    let mut wrong = keys("other");
    wrong.insert("chip".into(), hex::decode(P256).unwrap());
    assert!(matches!(refused(wrong), KeyedError::Kind { .. }));
    let mut wrong = keys("other");
    wrong.insert("active".into(), vec![0x30, 0x80]);
    assert!(matches!(refused(wrong), KeyedError::PublicKey { .. }));
    let mut unprepared = record.clone();
    unprepared.prepared.remove("dg2");
    let error = lds
        .with_keys(&chip, &unprepared, &keys("other"))
        .unwrap_err();
    assert!(matches!(error, KeyedError::NotPrepared(Group::Dg2)));
}

#[test]
fn a_chip_that_writes_before_its_keys_are_there_is_refused() {
    let early = chip_with(|text| {
        let text = text.replace("    \"generate_key mapped\",\n", "");
        text.replace(
            "    \"set_state locked\",\n",
            "    \"set_state locked\",\n    \"generate_key mapped\",\n",
        )
    });
    let document = passport(|text| text);
    let (wanted, application) = (&document.chips[0], application());
    let record = prepared(wanted.lds.as_ref().unwrap(), &application);
    let refused = Plan::new(early, &document.name, wanted, &record).unwrap_err();
    let ProfileError::Mismatch { fault, .. } = refused else {
        panic!("{refused}")
    };
    assert!(
        fault.contains("write_file dg14 waits for prepared.dg14"),
        "{fault}"
    );
    assert!(fault.contains("\"mapped\""), "{fault}");
}
