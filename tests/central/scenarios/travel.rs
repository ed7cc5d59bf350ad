//! Travel documents: prepared whole, signed for the chip that makes their keys and for no other,
//! and judged by openssl.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use api::{ApiError, BlankEnd, Centre, Lease, Report, SignLdsRequest};
use audit::Outcome;
use cert::request::{Request, RequestInfo};
use cert::{Certificate, PublicKey};
use document::DocumentNumber;
use hsm::{Curve, Signer, Token, TokenSigner};
use jiff::{SignedDuration, Timestamp};
use mrtd::lds::{Dg1, EfSod, LdsSecurityObject};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use pki::country::{CountryAuthority, CountryProfile, DocumentSigners, SignerEntry};
use vcard::{Chip, ChipNumber, Memory, Product, TransportMasterKey};

use super::bench::{
    bare_report, disbelieved, personalize_chip, report, reported, spoiled, untouched,
};
use super::house::{House, MAKER, actor, operator, product_file, sample, with_adapted_house};
use crate::{CentralError, Config, TravelConfig};

pub(super) const TRAVEL: &str = "icao-lds";
const CHAINS: &str = include_str!("../../vectors/icao9303-11/chip_cv_chains.json");
const BEGIN: &str = "2026-11-01T00:00:00Z";
/// 2026-11-20, for openssl.
const AT: &str = "1795161600";
/// How many documents the one signer signs.
const MOST: u64 = 3;

fn profile(name: &str) -> CountryProfile {
    // Openssl's strict judgement refuses curves that are spelt out.
    let text = product_file(&format!("certs/country/{name}.toml")).replace("spelt-out", "named");
    CountryProfile::parse(&text).unwrap()
}

fn signer(token: &Token, label: &str, curve: Curve) -> Arc<TokenSigner> {
    token.generate_signing_key(label, curve).unwrap();
    Arc::new(token.signer(label).unwrap())
}

/// Makes an installation that has a country signing CA, a document signer, and passports.
pub(super) fn travelling(config: &mut Config) {
    let (chip, document) = ("chips/icao-lds.toml", "documents/passport.toml");
    let text = |path| product_file(&format!("firmware-profiles/{path}"));
    config.chips.put(TRAVEL, text(chip));
    // Numbers that the store allots; numbered booklets have scenarios of their own.
    let allotted = text(document).replace("number = \"blank\"\n", "");
    config.documents.put("passport", allotted);
    let folder = hsm::test_support::folder();
    let file = |name: &str| folder.join(format!("{name}.der"));
    if !file("csca").exists() {
        let begin: Timestamp = BEGIN.parse().unwrap();
        let token = &config.token;
        let root = signer(token, "csca", Curve::P384);
        let random = Arc::clone(token);
        let csca = CountryAuthority::create(&profile("csca"), root, random, begin).unwrap();
        let key = signer(token, "ds-1", Curve::P256);
        let public = PublicKey::from_spki_der(key.public_key_spki_der()).unwrap();
        let subject = profile("ds").subject().unwrap();
        let algorithm = pki::country::signature_algorithm(&*key).unwrap();
        let info = RequestInfo::for_key(&subject, &public, algorithm).unwrap();
        let signature = key.sign(info.to_be_signed()).unwrap();
        let request = Request::parse_and_verify(&info.assemble(&signature).unwrap()).unwrap();
        let ds = csca.issue(&profile("ds"), &request, begin).unwrap();
        std::fs::write(file("csca"), csca.certificate().as_der()).unwrap();
        std::fs::write(file("ds-1"), ds.as_der()).unwrap();
    }
    let read = |name| Certificate::parse(&std::fs::read(file(name)).unwrap()).unwrap();
    let ds = read("ds-1");
    let period = ds.extensions().private_key_usage.unwrap();
    let mut signers = DocumentSigners::default();
    signers
        .add(SignerEntry {
            label: "ds-1".into(),
            serial: ds.serial_hex(),
            from: period.not_before.unwrap(),
            until: period.not_after.unwrap(),
            most: MOST,
            used: 0,
            document_types: vec!["P".into()],
        })
        .unwrap();
    let chains: serde_json::Value = serde_json::from_str(CHAINS).unwrap();
    config.travel = TravelConfig {
        signers,
        certificates: vec![ds],
        anchors: vec![read("csca")],
        links: Vec::new(),
        trust_point: Some(hex::decode(chains["chains"][0]["cvca"].as_str().unwrap()).unwrap()),
    };
}

/// Imports an application for a passport.
async fn imported(house: &House, reference: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let mut application: serde_json::Value =
        serde_json::from_slice(&sample("applications/18-fingerprints")).unwrap();
    application["reference"] = reference.into();
    application["kind"] = "passport".into();
    change(&mut application);
    let bytes = application.to_string();
    let clerk = actor("clerk");
    let imported = house.central.import(&clerk, bytes.as_bytes()).await;
    imported.unwrap();
}

async fn approved(house: &House, reference: &str) -> Result<Option<DocumentNumber>, CentralError> {
    house.central.approve(&actor("approver"), reference).await
}

pub(super) async fn passport(house: &House, reference: &str) -> DocumentNumber {
    imported(house, reference, |_| {}).await;
    approved(house, reference).await.unwrap().unwrap()
}

/// Makes a blank booklet and books it into the store.
pub(super) async fn booklet(house: &House) -> Chip {
    let chip = Chip::blank(
        Product::find(TRAVEL).unwrap(),
        ChipNumber::random().unwrap(),
        &TransportMasterKey::new(MAKER),
        Memory,
    )
    .unwrap();
    house
        .book_blank(&super::house::printed(&chip), &[(TRAVEL, &chip)])
        .await;
    chip
}

pub(super) async fn leased(house: &House, slot: &str) -> Lease {
    house.lease_for(slot, &[TRAVEL]).await.unwrap()
}

/// Leases a document to a slot, and claims a blank for it.
async fn claimed(house: &House, slot: &str) -> (Lease, String) {
    let chip = booklet(house).await.serial().to_string();
    let lease = leased(house, slot).await;
    house.claim(&lease, &chip).await.unwrap();
    (lease, chip)
}

fn public(curve: Nid) -> Vec<u8> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    let key = EcKey::generate(&group).unwrap();
    PKey::from_ec_key(key).unwrap().public_key_to_der().unwrap()
}

/// Keys as the chip would make them.
fn keys() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("active".into(), public(Nid::X9_62_PRIME256V1)),
        ("chip".into(), public(Nid::BRAINPOOL_P256R1)),
        ("mapped".into(), public(Nid::BRAINPOOL_P256R1)),
    ])
}

fn request(lease: &Lease, chip: &str) -> SignLdsRequest {
    SignLdsRequest {
        lease: lease.id,
        chip: chip.into(),
        keys: keys(),
    }
}

/// Runs openssl; returns what it says.
fn openssl(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let run = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    run.stdout
}

/// Has openssl verify a signed file and its chain; returns what is signed.
pub(super) fn judged(message: &[u8]) -> Vec<u8> {
    let folder = &hsm::test_support::folder();
    std::fs::write(folder.join("message.der"), message).unwrap();
    for name in ["csca", "ds-1"] {
        let (der, pem) = (format!("{name}.der"), format!("{name}.pem"));
        openssl(
            folder,
            &["x509", "-inform", "DER", "-in", &der, "-out", &pem],
        );
    }
    let chain = ["verify", "-attime", AT, "-CAfile", "csca.pem", "ds-1.pem"];
    openssl(folder, &chain);
    let verify = [
        "cms",
        "-verify",
        "-inform",
        "DER",
        "-in",
        "message.der",
        "-CAfile",
        "csca.pem",
        "-attime",
        AT,
        "-purpose",
        "any",
        "-binary",
    ];
    openssl(folder, &verify)
}

pub(super) fn is_refused<T>(answer: &Result<T, ApiError>, why: &str) -> bool {
    matches!(answer, Err(ApiError::Refused { reason }) if reason.contains(why))
}

#[test]
fn a_passport_is_made_on_a_chip_that_makes_its_keys() {
    with_adapted_house(
        "scenarios::travel::a_passport_is_made_on_a_chip_that_makes_its_keys",
        travelling,
        async |house| {
            let number = passport(&house, "P-1").await;
            let chip = booklet(&house).await;
            let lease = leased(&house, "a").await;
            let run = personalize_chip(&house, &lease, TRAVEL, chip, Vec::new()).await;
            if let Some(fault) = &run.outcome.fault {
                panic!("{fault:?}: {fault}");
            }
            let [asked] = &run.signed[..] else {
                panic!("asked {} times", run.signed.len());
            };
            // What was signed on the way is what the store gives again, and openssl's to judge.
            let files = house.central.sign_lds(&operator(), asked).await.unwrap();
            let files = files.files;
            let sod = EfSod::parse(&files["sod"]).unwrap();
            let object = judged(sod.cms());
            let object = LdsSecurityObject::parse(&object).unwrap().content;
            let groups: Vec<_> = object.hashes().map(|(group, _)| group.number()).collect();
            assert_eq!(groups, [1, 2, 3, 11, 12, 14, 15]);
            for (group, _) in object.hashes() {
                let name = format!("dg{}", group.number());
                let prepared = lease.record.prepared.get(&name);
                let file = prepared.map_or_else(|| &files[&name][..], |file| file.as_slice());
                assert_eq!(object.vouches_for(group, file), Some(true), "{group}");
            }
            judged(&files["card_security"]);
            let zone = Dg1::parse(lease.record.prepared["dg1"].as_slice()).unwrap();
            let zone = zone.content.mrz;
            assert_eq!(*zone.document_number(), number.to_string());

            let done = report(&lease, 1, &run, BlankEnd::Personalized);
            let done = Report {
                chips: vec![reported(TRAVEL, &run)],
                ..done
            };
            house.central.report(&operator(), &done).await.unwrap();
            let state = "SELECT state FROM document";
            assert_eq!(house.scalar(state).await, "personalized");
            assert_eq!(house.count("lds.signed", Outcome::Done).await, 1);
            assert_eq!(house.count("lds.given-again", Outcome::Done).await, 1);
            // Neither name nor zone nor picture is in the log.
            for entry in house.entries().await {
                let text = format!("{entry:?}");
                assert!(
                    !text.contains("IZDOM") && !text.contains("120190"),
                    "{text}"
                );
            }
        },
    );
}

#[test]
fn a_station_gets_nothing_signed_but_its_own_chip_s_keys() {
    with_adapted_house(
        "scenarios::travel::a_station_gets_nothing_signed_but_its_own_chip_s_keys",
        travelling,
        async |house| {
            passport(&house, "P-1").await;
            let (lease, chip) = claimed(&house, "a").await;
            let sign =
                async |request: &SignLdsRequest| house.central.sign_lds(&operator(), request).await;
            let honest = request(&lease, &chip);
            let mut other = honest.clone();
            other.chip = booklet(&house).await.serial().to_string();
            assert!(is_refused(&sign(&other).await, "is not of blank"));
            let wrong: [(&str, Option<Vec<u8>>); 6] = [
                ("active", None),
                ("more", Some(public(Nid::X9_62_PRIME256V1))),
                ("active", Some(public(Nid::SECP384R1))),
                ("chip", Some(public(Nid::X9_62_PRIME256V1))),
                ("chip", Some(honest.keys["mapped"].clone())),
                ("active", Some(vec![0x30, 0x00])),
            ];
            for (name, key) in wrong {
                let mut wrong = honest.clone();
                wrong.keys.remove(name);
                wrong.keys.extend(key.map(|key| (name.to_owned(), key)));
                assert!(is_refused(&sign(&wrong).await, "key"), "{wrong:?}");
            }
            assert_eq!(
                house.number("SELECT count(*) FROM document_signer").await,
                0
            );

            let first = sign(&honest).await.unwrap();
            assert_eq!(sign(&honest).await.unwrap(), first, "a lost answer");
            let rogue = request(&lease, &chip);
            assert!(is_refused(&sign(&rogue).await, "with other keys"));
            assert_eq!(house.number("SELECT used FROM document_signer").await, 1);
            assert_eq!(house.count("lds.signed", Outcome::Refused).await, 8);
            // A blank that something was signed for is not untouched.
            let untouched = bare_report(&lease, 1, untouched());
            let _ = disbelieved(&house, &untouched).await;
        },
    );
}

#[test]
fn no_blank_is_begun_where_nobody_signs() {
    with_adapted_house(
        "scenarios::travel::no_blank_is_begun_where_nobody_signs",
        travelling,
        async |house| {
            for turn in 1..=MOST {
                passport(&house, &format!("P-{turn}")).await;
                let (lease, chip) = claimed(&house, &format!("slot-{turn}")).await;
                let answer = house
                    .central
                    .sign_lds(&operator(), &request(&lease, &chip))
                    .await;
                assert!(answer.is_ok(), "{answer:?}");
            }
            passport(&house, "P-LAST").await;
            let wanted = super::house::request("last", &[TRAVEL]);
            let answer = house.central.lease(&operator(), &wanted).await;
            assert!(
                is_refused(&answer, "signed all of its 3 documents"),
                "{answer:?}"
            );
            house.clock.pass(SignedDuration::from_hours(24 * 100));
            house.meddle("UPDATE document_signer SET used = 0").await;
            let answer = house.central.lease(&operator(), &wanted).await;
            assert!(is_refused(&answer, "signed until"), "{answer:?}");
        },
    );
}

#[test]
fn a_spoiled_booklet_takes_its_number_with_it() {
    with_adapted_house(
        "scenarios::travel::a_spoiled_booklet_takes_its_number_with_it",
        travelling,
        async |house| {
            let first = passport(&house, "P-1").await;
            let (lease, chip) = claimed(&house, "a").await;
            let asked = request(&lease, &chip);
            house.central.sign_lds(&operator(), &asked).await.unwrap();
            let spoiled = bare_report(&lease, 1, spoiled());
            house.central.report(&operator(), &spoiled).await.unwrap();
            let again = leased(&house, "a").await;
            assert_ne!(again.record.number, first);
            let file = |lease: &Lease, name: &str| lease.record.prepared[name].as_slice().to_vec();
            let zone = Dg1::parse(&file(&again, "dg1")).unwrap().content.mrz;
            assert_eq!(*zone.document_number(), again.record.number.to_string());
            for name in ["dg2", "dg3", "dg11", "dg12"] {
                assert_eq!(file(&again, name), file(&lease, name), "{name}");
            }
            // What was signed for the first is no lease's any more.
            assert!(house.central.sign_lds(&operator(), &asked).await.is_err());
        },
    );
}

#[test]
fn an_application_that_no_chip_can_hold_is_not_approved() {
    with_adapted_house(
        "scenarios::travel::an_application_that_no_chip_can_hold_is_not_approved",
        travelling,
        async |house| {
            imported(&house, "P-PNG", |application| {
                application["portrait"] = portrait_png();
            })
            .await;
            let refused = approved(&house, "P-PNG").await;
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("DG2") && why.contains("image/png"), "{why}");
            // Without fingers there is a DG3 all the same, and no two are alike.
            let mut groups = Vec::new();
            for reference in ["P-A", "P-B"] {
                imported(&house, reference, |application| {
                    application.as_object_mut().unwrap().remove("fingerprints");
                })
                .await;
                approved(&house, reference).await.unwrap();
                let lease = leased(&house, reference).await;
                groups.push(lease.record.prepared["dg3"].as_slice().to_vec());
            }
            assert_ne!(groups[0], groups[1]);
        },
    );
}

/// The bare structure of a PNG.
fn portrait_png() -> serde_json::Value {
    let mut header = [0, 0, 1, 0x2C, 0, 0, 1, 0x90].to_vec();
    header.extend([8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, body) in [(b"IHDR", header), (b"IDAT", vec![0; 9]), (b"IEND", vec![])] {
        bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(kind);
        bytes.extend(body);
        bytes.extend([0; 4]);
    }
    let data = openssl::base64::encode_block(&bytes);
    serde_json::json!({ "media_type": "image/png", "data": data })
}
