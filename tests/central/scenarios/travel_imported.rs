//! Passports on a chip that cannot make its key: the centre imports it, and signs for it and for no
//! other.

use std::collections::BTreeMap;

use api::{BlankEnd, Carries, Centre, Lease, Report, SealRequest, SignLdsRequest};
use audit::Outcome;
use mrtd::lds::{Dg15, EfCom, EfSod, Group, LdsSecurityObject, LdsVersion};
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use perso::{Fault, Unaccepted};
use vcard::{Chip, ChipNumber, Memory, Product, TransportMasterKey};

use super::bench::{disbelieved, personalize_chip, report, reported};
use super::house::{House, MAKER, operator, printed, product_file, with_adapted_house};
use super::small_chips::sealed;
use super::travel::{is_refused, judged, passport, travelling};
use crate::Config;

const PRODUCT: &str = "mrtd-passport";
const IMPORT: &str = "give the chip its key";

/// Makes an installation whose passports are on chips that get their key.
fn importing(config: &mut Config) {
    travelling(config);
    for (name, path) in [
        ("mrtd-applet", "firmware-profiles/chips/mrtd-applet.toml"),
        (PRODUCT, "tests/travel/chips/mrtd-passport.toml"),
    ] {
        config.chips.put(name, product_file(path));
    }
    let document = product_file("tests/travel/documents/mrtd-passport.toml");
    let document = document.replace("name = \"mrtd-passport\"", "name = \"passport\"");
    config.documents.put("passport", document);
}

/// As [`importing`], where the chip gets a number that is not its private key.
fn mistaken(config: &mut Config) {
    importing(config);
    let text = product_file("firmware-profiles/chips/mrtd-applet.toml");
    let private = "61 { } 04 { key.private }";
    assert!(text.contains(private));
    let text = text.replace(private, "61 { } 04 { key.modulus }");
    config.chips.put("mrtd-applet", text);
}

/// Makes a blank booklet and books it into the store.
async fn booklet(house: &House) -> Chip {
    let product = Product::find("mrtd-applet").unwrap();
    let maker = TransportMasterKey::new(MAKER);
    let chip = Chip::blank(product, ChipNumber::random().unwrap(), &maker, Memory).unwrap();
    house.book_blank(&printed(&chip), &[(PRODUCT, &chip)]).await;
    chip
}

/// Leases a passport to a slot, and claims a blank for it.
async fn claimed(house: &House, slot: &str) -> (Lease, String) {
    passport(house, slot).await;
    let chip = booklet(house).await.serial().to_string();
    let lease = house.lease_for(slot, &[PRODUCT]).await.unwrap();
    house.claim(&lease, &chip).await.unwrap();
    (lease, chip)
}

fn request(lease: &Lease, chip: &str, key: &[u8]) -> SignLdsRequest {
    SignLdsRequest {
        lease: lease.id,
        chip: chip.into(),
        keys: BTreeMap::from([("active".into(), key.to_vec())]),
    }
}

#[test]
fn a_passport_is_made_on_a_chip_that_gets_its_key() {
    with_adapted_house(
        "scenarios::travel_imported::a_passport_is_made_on_a_chip_that_gets_its_key",
        importing,
        async |house| {
            passport(&house, "P-1").await;
            let chip = booklet(&house).await;
            let lease = house.lease_for("a", &[PRODUCT]).await.unwrap();
            // The last step is a border's look: Basic Access Control, every file, and the proof of
            // the imported key.
            let run = personalize_chip(&house, &lease, PRODUCT, chip, Vec::new()).await;
            if let Some(fault) = &run.outcome.fault {
                panic!("{fault:?}: {fault}");
            }
            let [asked] = &run.signed[..] else {
                panic!("asked {} times", run.signed.len());
            };
            let files = house.central.sign_lds(&operator(), asked).await.unwrap();
            let files = files.files;
            assert_eq!(files.keys().collect::<Vec<_>>(), ["com", "dg15", "sod"]);
            let key = PKey::public_key_from_der(&asked.keys["active"]).unwrap();
            assert_eq!(key.rsa().unwrap().size(), 128);
            let dg15 = Dg15::parse(&files["dg15"]).unwrap();
            assert_eq!(dg15.spki(), key.public_key_to_der().unwrap());
            let com = EfCom::parse(&files["com"]).unwrap().content;
            assert_eq!(com.lds_version, LdsVersion::V1_7);
            assert_eq!(com.groups, [Group::Dg1, Group::Dg2, Group::Dg15]);

            let sod = EfSod::parse(&files["sod"]).unwrap();
            let object = judged(sod.cms());
            let object = LdsSecurityObject::parse(&object).unwrap().content;
            let groups: Vec<_> = object.hashes().map(|(group, _)| group).collect();
            assert_eq!(groups, com.groups);
            // Version 0 of the object names no version of the LDS.
            assert!(object.versions().is_none());
            for (group, name) in [(Group::Dg1, "dg1"), (Group::Dg2, "dg2")] {
                let file = lease.record.prepared[name].as_slice();
                assert_eq!(object.vouches_for(group, file), Some(true), "{name}");
            }
            assert_eq!(
                object.vouches_for(Group::Dg15, &files["dg15"]),
                Some(true),
                "DG15"
            );

            let done = report(&lease, 1, &run, BlankEnd::Personalized);
            let done = Report {
                chips: vec![reported(PRODUCT, &run)],
                ..done
            };
            // Without its security object it would be no travel document, whatever a station says.
            house
                .meddle("CREATE TABLE kept AS SELECT * FROM signed_lds; DELETE FROM signed_lds")
                .await;
            let why = disbelieved(&house, &done).await;
            assert!(why.contains("nothing was signed"), "{why}");
            house
                .meddle("INSERT INTO signed_lds SELECT * FROM kept; DROP TABLE kept")
                .await;
            house.central.report(&operator(), &done).await.unwrap();
            let state = "SELECT state FROM document";
            assert_eq!(house.scalar(state).await, "personalized");
            assert_eq!(house.count("lds.signed", Outcome::Done).await, 1);
            assert_eq!(house.count("lds.signed", Outcome::Refused).await, 0);
        },
    );
}

#[test]
fn a_chip_that_does_not_have_the_key_is_found_out() {
    with_adapted_house(
        "scenarios::travel_imported::a_chip_that_does_not_have_the_key_is_found_out",
        mistaken,
        async |house| {
            passport(&house, "P-1").await;
            let chip = booklet(&house).await;
            let lease = house.lease_for("a", &[PRODUCT]).await.unwrap();
            let run = personalize_chip(&house, &lease, PRODUCT, chip, Vec::new()).await;
            match run.outcome.fault {
                Some(Fault::Inspection {
                    cause: Unaccepted::Check { check, .. },
                }) => assert_eq!(check, "active-authentication"),
                other => panic!("{other:?}"),
            }
            assert!(run.outcome.touched);
        },
    );
}

#[test]
fn nothing_is_signed_for_another_key_than_the_imported_one() {
    with_adapted_house(
        "scenarios::travel_imported::nothing_is_signed_for_another_key_than_the_imported_one",
        importing,
        async |house| {
            let central = &house.central;
            let (lease, chip) = claimed(&house, "P-1").await;
            let (other_lease, other_chip) = claimed(&house, "P-2").await;
            let sign = async |key: &[u8]| {
                let request = request(&lease, &chip, key);
                central.sign_lds(&operator(), &request).await
            };
            let own = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
            let own = own.public_key_to_der().unwrap();
            let why = "is not the one that was made here";
            // Before anything was imported; then another key, and that of another chip.
            let mut refused = 1;
            assert!(is_refused(&sign(&own).await, why));
            let ask = sealed(&lease, &chip, IMPORT, None);
            let made = central.seal(&operator(), &ask).await.unwrap();
            let other = sealed(&other_lease, &other_chip, IMPORT, None);
            let other = central.seal(&operator(), &other).await.unwrap();
            assert_ne!(made.publics, other.publics);
            for key in [&own, &other.publics["active"]] {
                refused += 1;
                let answer = sign(key).await;
                assert!(is_refused(&answer, why), "{answer:?}");
            }
            assert_eq!(house.count("lds.signed", Outcome::Refused).await, refused);
            let entries = house.entries().await;
            let last = entries.last().unwrap();
            assert_eq!(last.action.as_str(), "lds.signed");
            let cause = format!("{:?}", last.cause);
            assert!(cause.contains("\\\"active\\\" is not the one"), "{cause}");
            let subject = format!("{:?}", last.subject);
            assert!(subject.contains(&lease.id.to_string()), "{subject}");
            let used = "SELECT count(*) FROM document_signer";
            assert_eq!(house.number(used).await, 0, "the signer was not asked");

            let files = sign(&made.publics["active"]).await.unwrap().files;
            let dg15 = Dg15::parse(&files["dg15"]).unwrap();
            assert_eq!(dg15.spki(), made.publics["active"]);
            assert!(is_refused(&sign(&own).await, "with other keys"));

            // The chip gets the key that was signed for, and no other after it.
            let again = central.seal(&operator(), &ask).await.unwrap();
            assert_eq!(again.publics, made.publics, "a lost answer");
            let anew = SealRequest {
                carries: Carries {
                    command: 200,
                    ..ask.carries
                },
                ..ask
            };
            let answer = central.seal(&operator(), &anew).await;
            assert!(matches!(&answer, Err(api::ApiError::Refused { reason })
                if reason.contains("were signed with the keys")));
            assert_eq!(house.count("stage.sealed", Outcome::Refused).await, 1);
        },
    );
}
