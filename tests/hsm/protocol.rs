//! A protocol of keys, and every way to falsify one.

use audit::{CheckpointSigner, KeyKind, SignerFault, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;

use super::{
    Act, Entry, ProtocolError, SignedEntry, Stage, TokenRecord, sha256_hex, verify_protocol,
};

struct Person {
    key: VerifierKey,
    secret: SigningKey,
}

impl Person {
    fn new(name: &str, seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let public = secret.verifying_key();
        let key = VerifierKey::new(KeyKind::Log, name, public.as_bytes()).unwrap();
        Self { key, secret }
    }
}

impl CheckpointSigner for Person {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

struct People {
    anna: Person,
    juris: Person,
    stranger: Person,
    list: Vec<VerifierKey>,
}

fn people() -> People {
    let (anna, juris) = (Person::new("anna", 1), Person::new("juris", 2));
    let list = vec![anna.key.clone(), juris.key.clone()];
    let stranger = Person::new("stranger", 3);
    People {
        anna,
        juris,
        stranger,
        list,
    }
}

fn act() -> Act {
    Act::Generate {
        label: "issuer-master".into(),
        key: "aes-128".into(),
    }
}

fn entry(previous: Option<&[u8]>, stage: Stage) -> Entry {
    let token = TokenRecord {
        label: "zimogs".into(),
        serial: Some("6fadf281".into()),
        model: None,
    };
    let officers = vec!["anna".into(), "juris".into()];
    let time = "2026-11-22T12:00:00Z".into();
    Entry::after(previous, time, officers, token, act(), stage).unwrap()
}

fn done(order: u64) -> Stage {
    Stage::Done {
        order,
        keys: vec![],
        shares: vec![],
    }
}

fn failed(order: u64) -> Stage {
    let fault = "the token was gone".into();
    Stage::Failed { order, fault }
}

/// A protocol of these stages, signed by anna and juris.
fn protocol(people: &People, stages: &[Stage]) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for stage in stages {
        let entry = entry(files.last().map(String::as_bytes), stage.clone());
        let signed = SignedEntry::sign(entry, [&people.anna, &people.juris], &people.list);
        files.push(signed.unwrap().to_string());
    }
    files
}

fn verify(files: &[String], list: &[VerifierKey]) -> Result<super::ProtocolReport, ProtocolError> {
    verify_protocol(files.iter().map(String::as_bytes), list)
}

#[test]
fn a_protocol_is_verified_and_open_orders_are_told() {
    let people = people();
    let stages = [
        Stage::Ordered,
        done(1),
        Stage::Ordered,
        failed(3),
        Stage::Ordered,
    ];
    let files = protocol(&people, &stages);
    let report = verify(&files, &people.list).unwrap();
    assert_eq!((report.entries, &report.open[..]), (5, &[5][..]));
    assert_eq!(report.last, Some(sha256_hex(files[4].as_bytes())));
    assert_eq!(verify(&[], &people.list).unwrap().entries, 0);
}

#[test]
fn one_person_is_not_two() {
    let people = people();
    let again = Person::new("maija", 1);
    let list = [&people.list[..], std::slice::from_ref(&again.key)].concat();
    for other in [&people.anna, &again] {
        let refused = SignedEntry::sign(entry(None, Stage::Ordered), [&people.anna, other], &list);
        assert!(matches!(refused, Err(ProtocolError::OnePerson { .. })));
    }
    let signers: [&dyn CheckpointSigner; 2] = [&people.anna, &people.stranger];
    let refused = SignedEntry::sign(entry(None, Stage::Ordered), signers, &people.list);
    assert!(matches!(refused, Err(ProtocolError::NotListed { person }) if person == "stranger"));
    // Signed by two whom the auditor does not know, or who are not the two that it names.
    let files = protocol(&people, &[Stage::Ordered]);
    let refused = verify(&files, &people.list[..1]).unwrap_err();
    assert!(
        matches!(&refused, ProtocolError::TooFew { number: 1, people } if people == &["anna"]),
        "{refused}"
    );
    let list = [&people.list[..], std::slice::from_ref(&people.stranger.key)].concat();
    let signers: [&dyn CheckpointSigner; 2] = [&people.anna, &people.stranger];
    let signed = SignedEntry::sign(entry(None, Stage::Ordered), signers, &list).unwrap();
    assert!(matches!(
        signed.verify(&list),
        Err(ProtocolError::TooFew { .. })
    ));
}

#[test]
fn every_falsification_is_found() {
    let people = people();
    let stages = [Stage::Ordered, done(1), Stage::Ordered, failed(3)];
    let files = protocol(&people, &stages);
    let refused = |files: &[String]| verify(files, &people.list).unwrap_err();
    let mut altered = files.clone();
    altered[0] = altered[0].replace("issuer-master", "issuer-mastex");
    assert!(matches!(
        refused(&altered),
        ProtocolError::FalseSignature { number: 1, .. }
    ));
    let left_out = [&files[..1], &files[2..]].concat();
    assert!(matches!(
        refused(&left_out),
        ProtocolError::Broken { number: 2, .. }
    ));
    assert!(matches!(
        refused(&files[1..]),
        ProtocolError::Broken { number: 1, .. }
    ));
    // A signature taken off changes the file that the next entry names.
    let mut unsigned = files.clone();
    let cut = unsigned[2].trim_end().rfind('\n').unwrap();
    unsigned[2].truncate(cut + 1);
    assert!(matches!(
        refused(&unsigned),
        ProtocolError::TooFew { number: 3, .. }
    ));
    let twice = protocol(&people, &[Stage::Ordered, done(1), failed(1)]);
    assert!(matches!(
        refused(&twice),
        ProtocolError::Broken { number: 3, .. }
    ));
    // What was done is not what was ordered.
    let mut other = entry(Some(files[0].as_bytes()), done(1));
    other.act = Act::Initialize;
    let other = SignedEntry::sign(other, [&people.anna, &people.juris], &people.list).unwrap();
    assert!(matches!(
        refused(&[files[0].clone(), other.to_string()]),
        ProtocolError::Broken { number: 2, .. }
    ));
    for fault in [refused(&altered), refused(&left_out), refused(&unsigned)] {
        assert!(fault.is_alteration());
    }
}

#[test]
fn there_is_one_spelling_of_an_entry() {
    let people = people();
    let file = protocol(&people, &[Stage::Ordered]).remove(0);
    assert_eq!(
        SignedEntry::parse(file.as_bytes()).unwrap().to_string(),
        file
    );
    for (from, to) in [
        ("zimogs-key-protocol/v1", "zimogs-key-protocol/v2"),
        ("  \"number\"", "\t\"number\""),
        ("  \"number\"", "    \"number\""),
        ("\"number\": 1", "\"number\": 0"),
        ("\"number\": 1", "\"number\": 2"),
        ("\"number\": 1", "\"number\": 1, \"more\": 2"),
        ("\"number\": 1,", ""),
        ("\"ordered\"", "\"thought\""),
    ] {
        let other = file.replacen(from, to, 1);
        assert_ne!(other, file);
        assert!(SignedEntry::parse(other.as_bytes()).is_err(), "{to}");
    }
    let long = format!("{}{file}", " ".repeat(64 * 1024));
    assert!(SignedEntry::parse(long.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        at in any::<prop::sample::Index>(), bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut file = protocol(&people(), &[Stage::Ordered]).remove(0).into_bytes();
        let at = at.index(file.len());
        let end = (at + bytes.len()).min(file.len());
        file.splice(at..end, bytes);
        if let Ok(entry) = SignedEntry::parse(&file) {
            prop_assert_eq!(entry.to_string().into_bytes(), file);
        }
    }
}
