//! One document's whole life, judged by the chip, by openssl and by the log.

use std::collections::BTreeMap;
use std::process::Command;

use audit::{Outcome, Trust, verify_export_with};
use card::Status;
use document::life_cycle::{BlankState, CertificateState, DocumentState, EnvelopeState};
use openssl::x509::{CrlStatus, X509, X509Crl};
use vcard::{Chip, InProcess};

use super::bench::make;
use super::house::{House, actor, is_conflict, is_refused, printed, with_house};
use crate::Central;

fn send(card: &mut InProcess, command: &str) -> Status {
    use card::{Channel as _, Response};
    let answer = card.transmit(&hex::decode(command).unwrap()).unwrap();
    Response::parse(&answer).unwrap().status()
}

/// Presents PINs to the chip as a holder's middleware would.
fn pins_open(chip: Chip, pins: &hsm::PinSet) {
    let mut card = InProcess::new(chip);
    let field = |name: &str| {
        let mut field = pins.get(name).unwrap().digits().to_vec();
        field.resize(12, 0xFF);
        hex::encode(field)
    };
    assert_eq!(
        send(&mut card, "00A4040C10A000000077010800070000FE00000100"),
        Status::OK
    );
    assert_eq!(
        send(&mut card, &format!("002000010C{}", field("pin1"))),
        Status::OK
    );
    assert_eq!(
        send(&mut card, &format!("002000020C{}", field("puk"))),
        Status::OK
    );
    assert_eq!(
        send(&mut card, "00A4040C1051534344204170706C69636174696F6E"),
        Status::OK
    );
    assert_eq!(
        send(&mut card, &format!("002000850C{}", field("pin2"))),
        Status::OK
    );
}

// RFC 5280 §5.3.1.
const SUPERSEDED: &str = "reason 4";
const HOLD: &str = "reason 6";

/// Returns how openssl finds a certificate on a list.
fn status(crl: &X509Crl, der: &[u8]) -> String {
    let certificate = X509::from_der(der).unwrap();
    match crl.get_by_cert(&certificate) {
        CrlStatus::NotRevoked => "good".into(),
        CrlStatus::RemoveFromCrl(_) => "removed".into(),
        CrlStatus::Revoked(entry) => {
            let (_, reason) = entry
                .extension::<openssl::x509::ReasonCode>()
                .unwrap()
                .unwrap();
            format!("reason {}", reason.get_i64().unwrap())
        }
    }
}

async fn crl(central: &Central) -> X509Crl {
    let crl = X509Crl::from_der(&central.crl().await.unwrap()).unwrap();
    let authority = X509::from_der(central.authority_certificate()).unwrap();
    assert!(crl.verify(&authority.public_key().unwrap()).unwrap());
    crl
}

async fn one_life(house: House) {
    let central = &house.central;
    let number = house.prepared("01-adult").await.to_string();
    let (lease, run) = make(&house, 1).await;
    assert_eq!(lease.record.number.to_string(), number);
    let document = central
        .documents(&actor("quality"))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(document.state, DocumentState::Personalized);
    assert_eq!(document.envelope, Some(EnvelopeState::Ready));
    assert_eq!(document.certificates, 2);
    assert_eq!(document.blank, Some(printed(&run.chip)));
    assert_eq!(document.chips, [run.chip.serial().to_string()]);

    // Certificates: chained under openssl, on hold.
    let certificates = central
        .certificates(&actor("quality"), &number)
        .await
        .unwrap();
    let folder = house.folder.path();
    let pem = |der: &[u8]| X509::from_der(der).unwrap().to_pem().unwrap();
    std::fs::write(folder.join("ca.pem"), pem(central.authority_certificate())).unwrap();
    for certificate in &certificates {
        assert_eq!(certificate.state, CertificateState::Ready);
        assert_eq!(certificate.standing, "on-hold");
        let der = certificate.der.as_ref().unwrap();
        assert_eq!(run.outcome.certificates[&certificate.key], *der);
        std::fs::write(folder.join("leaf.pem"), pem(der)).unwrap();
        let verified = Command::new("openssl")
            .args([
                "verify",
                "-x509_strict",
                "-attime",
                "1800000000",
                "-CAfile",
                "ca.pem",
                "leaf.pem",
            ])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stderr)
        );
    }
    let list = crl(central).await;
    assert!(
        certificates
            .iter()
            .all(|certificate| status(&list, certificate.der.as_ref().unwrap()).eq(HOLD)),
        "{}",
        status(&list, certificates[0].der.as_ref().unwrap())
    );

    // The PIN envelope: once, and what is in it opens the chip.
    let clerk = actor("envelopes");
    assert!(is_refused(
        &central.print_envelope(&actor("operator"), &number).await
    ));
    let job = central.print_envelope(&clerk, &number).await.unwrap();
    assert!(is_conflict(&central.print_envelope(&clerk, &number).await));
    let pins = central.open_envelope(&clerk, &job).await.unwrap();
    pins_open(run.chip, &pins);
    central.envelope_printed(&clerk, &job.serial).await.unwrap();
    assert!(is_refused(&central.open_envelope(&clerk, &job).await));

    // Nobody hands over what nobody judged.
    assert!(is_conflict(
        &central.hand_over(&actor("clerk"), &number).await
    ));
    central
        .pass_quality(&actor("quality"), &number)
        .await
        .unwrap();
    central.hand_over(&actor("clerk"), &number).await.unwrap();
    assert!(is_conflict(
        &central.hand_over(&actor("clerk"), &number).await
    ));
    let list = crl(central).await;
    assert!(
        certificates
            .iter()
            .all(|certificate| status(&list, certificate.der.as_ref().unwrap()) == "good")
    );
    assert_eq!(
        house.scalar("SELECT state FROM application").await,
        "completed"
    );
    let blanks = central.blanks(&actor("keeper")).await.unwrap();
    assert_eq!(
        (blanks[0].state, blanks[0].number.as_deref()),
        (BlankState::Personalized, Some(&*number))
    );
    let numbers = central.numbers(&actor("auditor")).await.unwrap();
    assert_eq!(
        (numbers.allotted, numbers.issued, numbers.spoiled),
        (0, 1, 0)
    );
    let journal = central.journal(&actor("auditor"), &number).await.unwrap();
    assert_eq!(journal, run.journal);

    // The log: whole under the public key alone, in the order in which it happened, nameless.
    let out = folder.join("export");
    let export = central.export_audit(&actor("auditor"), &out).await.unwrap();
    let (mut files, mut texts) = (read_folder(&out), Vec::new());
    let trust = Trust {
        log: central.audit_key(),
        witnesses: &[],
    };
    let verified = verify_export_with(&mut files, trust, |_, entry| {
        texts.push(String::from_utf8(entry.to_vec()).unwrap())
    })
    .unwrap();
    assert_eq!(
        (verified.entries, verified.root),
        (export.entries, export.root)
    );
    let entries = house.entries().await;
    assert_eq!(texts.len(), entries.len());
    let done: Vec<_> = entries
        .iter()
        .filter(|entry| entry.outcome == Outcome::Done)
        .map(|entry| entry.action.as_str())
        .collect();
    for pair in [
        ["application.imported", "application.approved"],
        ["application.approved", "document.prepared"],
        ["document.prepared", "document.leased"],
        ["document.leased", "blank.issued"],
        ["blank.issued", "keys.given"],
        ["keys.given", "certificate.issued"],
        ["certificate.issued", "stage.sealed"],
        ["stage.sealed", "pins.sealed"],
        ["pins.sealed", "stage.confirmed"],
        ["stage.confirmed", "pins.confirmed"],
        ["pins.confirmed", "lease.reported"],
        ["lease.reported", "quality.passed"],
        ["quality.passed", "certificate.activated"],
    ] {
        let place = |action| {
            done.iter()
                .position(|found| *found == action)
                .unwrap_or_else(|| panic!("no {action}"))
        };
        assert!(place(pair[0]) < place(pair[1]), "{pair:?}");
    }
    // By which text each certificate was issued: as `zimogs profile sign` has it signed.
    let issued = entries
        .iter()
        .filter(|entry| entry.action.as_str() == "certificate.issued");
    for entry in issued {
        let name = entry.details.get("profile").unwrap();
        let text = super::house::product_file(&format!("certs/{name}.toml"));
        let mut hash = openssl::sha::Sha256::new();
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
        let digest = hex::encode(hash.finish());
        assert_eq!(entry.details.get("profile-digest"), Some(&*digest));
    }
    let people = entries
        .iter()
        .filter_map(|entry| entry.actor.person.as_ref());
    assert!(
        people
            .into_iter()
            .all(|person| person.as_str().starts_with("person/0")),
        "people stand by account, not by name"
    );
    let holder = &lease.record.holder;
    let secrets = [
        holder.surname.as_str().to_owned(),
        holder.given_names.as_str().to_owned(),
        holder.personal_code.to_string(),
    ];
    for text in &texts {
        for secret in &secrets {
            assert!(!text.contains(secret), "{text}");
        }
        for (_, pin) in pins.iter() {
            let pin = std::str::from_utf8(pin.digits()).unwrap();
            // Four digits stand by chance in any serial number.
            assert!(pin.len() < 8 || !text.contains(pin));
        }
    }
}

pub(super) fn read_folder(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn a_document_lives_and_every_step_is_proved() {
    with_house(
        "scenarios::life::a_document_lives_and_every_step_is_proved",
        one_life,
    );
}

#[test]
fn a_child_gets_neither_keys_nor_pins() {
    with_house(
        "scenarios::life::a_child_gets_neither_keys_nor_pins",
        async |house| {
            let number = house.prepared("02-child-under-5").await.to_string();
            let (lease, run) = make(&house, 1).await;
            assert!(lease.subjects.is_empty() && run.outcome.certificates.is_empty());
            // Its card is closed all the same, in a channel that no station had the keys of.
            let sealed: Vec<_> = run.sealed.iter().map(|one| one.stage.as_str()).collect();
            assert_eq!((sealed, run.confirmed.len()), (vec!["close"], 1));
            assert_eq!(house.count("stage.confirmed", Outcome::Done).await, 1);
            for action in ["pins.sealed", "pins.confirmed"] {
                assert_eq!(house.count(action, Outcome::Done).await, 0);
            }
            let line = house.central.documents(&actor("clerk")).await.unwrap();
            assert_eq!((line[0].envelope, line[0].certificates), (None, 0));
            let envelope = house
                .central
                .print_envelope(&actor("envelopes"), &number)
                .await;
            assert!(matches!(
                envelope,
                Err(crate::CentralError::NotFound { .. })
            ));
        },
    );
}

#[test]
fn what_quality_fails_is_made_again_under_a_new_number() {
    with_house(
        "scenarios::life::what_quality_fails_is_made_again_under_a_new_number",
        async |house| {
            let central = &house.central;
            let old = house.prepared("01-adult").await.to_string();
            let (_, first) = make(&house, 1).await;
            let new = central
                .fail_quality(&actor("quality"), &old, "the laser slipped")
                .await
                .unwrap()
                .unwrap()
                .to_string();
            assert_eq!((&*old, &*new), ("XA0000001", "XA0000002"));
            assert_eq!(
                house
                    .scalar("SELECT state FROM number WHERE number = 'XA0000001'")
                    .await,
                "spoiled"
            );
            assert_eq!(
                house
                    .number("SELECT count(*) FROM envelope WHERE sealed IS NOT NULL")
                    .await,
                0
            );
            let (lease, second) = make(&house, 2).await;
            assert_eq!(lease.record.number.to_string(), new);
            central.pass_quality(&actor("quality"), &new).await.unwrap();
            central.hand_over(&actor("clerk"), &new).await.unwrap();
            let list = crl(central).await;
            for (key, der) in &first.outcome.certificates {
                assert!(
                    status(&list, der).eq(SUPERSEDED),
                    "{key}: {}",
                    status(&list, der)
                );
            }
            assert!(
                second
                    .outcome
                    .certificates
                    .values()
                    .all(|der| status(&list, der) == "good")
            );
            let blanks = central.blanks(&actor("keeper")).await.unwrap();
            let spoiled = blanks
                .iter()
                .find(|blank| blank.serial == printed(&first.chip))
                .unwrap();
            assert_eq!(
                (spoiled.state, spoiled.number.as_deref()),
                (BlankState::Spoiled, Some(&*old))
            );
        },
    );
}
