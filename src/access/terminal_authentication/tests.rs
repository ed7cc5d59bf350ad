use std::collections::VecDeque;
use std::error::Error;

use card::{Channel, ChannelError, Limits};
use cert::cvc::{
    Chat, CvAlgorithm, CvCertificate, CvContent, CvPublicKey, HolderReference, Parameters, Role,
};
use cert::{Curve, PublicKey};

use super::{
    TerminalAuthentication, TerminalAuthenticationError, TerminalBinding, TerminalCertificates,
    TerminalCertificatesError, TerminalKey, TerminalVersion,
};
use crate::dialogue::converse;
use crate::testing::{bytes, vectors};

/// A key that signs one message, and its published signature.
struct Published {
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl TerminalKey for Published {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        match message == self.message {
            true => Ok(self.signature.clone()),
            false => Err("another message than the published one".into()),
        }
    }
}

/// A chip that gives these answers, and keeps what it was asked.
struct Script {
    answers: VecDeque<Vec<u8>>,
    heard: Vec<Vec<u8>>,
}

impl Script {
    fn new(answers: &[&[u8]]) -> Self {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        Self {
            answers,
            heard: Vec::new(),
        }
    }
}

impl Channel for Script {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.heard.push(command.to_vec());
        self.answers.pop_front().ok_or(ChannelError::Removed)
    }

    fn atr(&self) -> &[u8] {
        &[]
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        Ok(Vec::new())
    }
}

const LIMITS: Limits = Limits {
    command: 0xFFFF,
    response: 256,
    extended: true,
    chaining: false,
    total: 1000,
};
const OK: &[u8] = &[0x90, 0x00];

struct Example {
    certificates: TerminalCertificates,
    trusted: HolderReference,
    binding: TerminalBinding,
    key: Published,
    challenge: Vec<u8>,
    raw: Vec<Vec<u8>>,
}

/// The published worked example, version 2.
fn example() -> Example {
    let vectors = vectors("cvc/terminal_authentication.json");
    let chain = crate::testing::vectors("cvc/worked_example.json");
    let raw = ["ecdh_dv", "ecdh_terminal"].map(|name| {
        let all = chain["certificates"].as_array().unwrap();
        bytes(&all.iter().find(|entry| entry["name"] == name).unwrap()["raw"])
    });
    let parsed = raw.iter().map(|raw| CvCertificate::parse(raw).unwrap());
    Example {
        certificates: TerminalCertificates::new(parsed).unwrap(),
        trusted: "DECVCAAT00001".parse().unwrap(),
        binding: TerminalBinding {
            chip: bytes(&vectors["id_picc"]),
            key: bytes(&vectors["comp_pk_pcd"]),
            version: TerminalVersion::Two {
                auxiliary: Vec::new(),
            },
        },
        key: Published {
            message: bytes(&vectors["signed_message"]),
            signature: bytes(&vectors["signature"]),
        },
        challenge: bytes(&vectors["r_picc"]),
        raw: raw.to_vec(),
    }
}

fn run(example: &Example, chip: &mut Script) -> Result<(), TerminalAuthenticationError> {
    let trusted = [example.trusted.clone()];
    let binding = example.binding.clone();
    let start =
        TerminalAuthentication::start(&example.certificates, &trusted, binding, &example.key)?;
    converse(chip, &LIMITS, start)
}

#[test]
fn commands_are_those_of_the_worked_example() {
    let example = example();
    let challenge = [&example.challenge[..], OK].concat();
    let mut chip = Script::new(&[OK, OK, OK, OK, OK, &challenge, OK]);
    run(&example, &mut chip).unwrap();
    let heard: Vec<_> = chip.heard.iter().map(hex::encode_upper).collect();
    // The example's own command data: 83, and the reference of the authority.
    assert_eq!(heard[0], "002281B60F830D44454356434141543030303031");
    // Body and signature of the certificate, without the 7F21 around them.
    let content = |raw: &[u8]| hex::encode_upper(&raw[5..]);
    assert_eq!(
        heard[1],
        format!("002A00BE000166{}", content(&example.raw[0]))
    );
    assert_eq!(heard[2], "002281B60F830D44455445535444564445303139");
    assert_eq!(
        heard[3],
        format!("002A00BE000166{}", content(&example.raw[1]))
    );
    // 80 id-TA-ECDSA-SHA-512, 83 DETESTATDE019, 91 the compressed key.
    let set = "800A04007F00070202020205830D44455445535441544445303139";
    let key = hex::encode_upper(&example.binding.key);
    assert_eq!(heard[4], format!("002281A43D{set}9120{key}"));
    assert_eq!(heard[5], "0084000008");
    let signature = hex::encode_upper(&example.key.signature);
    assert_eq!(heard[6], format!("0082000080{signature}"));
}

#[test]
fn version_one_announces_the_reference_alone() {
    let mut example = example();
    example.binding.version = TerminalVersion::One;
    let challenge = [&example.challenge[..], OK].concat();
    let mut chip = Script::new(&[OK, OK, OK, OK, OK, &challenge, OK]);
    // Without auxiliary data both versions sign the same.
    run(&example, &mut chip).unwrap();
    let set = hex::encode_upper(&chip.heard[4]);
    assert_eq!(set, "002281A40F830D44455445535441544445303139");
}

#[test]
fn auxiliary_data_is_announced_and_signed() {
    let mut example = example();
    // TR-03110-3 §A.6.5: a date of birth to compare with.
    let auxiliary = hex::decode("67177315060904007F00070301040153083230303030313031").unwrap();
    example.binding.version = TerminalVersion::Two {
        auxiliary: auxiliary.clone(),
    };
    example.key.message.extend(&auxiliary);
    let challenge = [&example.challenge[..], OK].concat();
    let mut chip = Script::new(&[OK, OK, OK, OK, OK, &challenge, OK]);
    run(&example, &mut chip).unwrap();
    let set = hex::encode(&chip.heard[4]);
    assert!(set.contains(&format!("{}9120", hex::encode(auxiliary))));
}

#[test]
fn every_refusal_says_what_was_refused() {
    let refused: &[u8] = &[0x63, 0x00];
    let example = example();
    let challenge = [&example.challenge[..], OK].concat();
    let run = |answers: &[&[u8]]| run(&example, &mut Script::new(answers)).unwrap_err();
    use TerminalAuthenticationError as E;
    assert!(
        matches!(run(&[refused]), E::UnknownIssuer { issuer, .. } if issuer.to_string() == "DECVCAAT00001")
    );
    assert!(
        matches!(run(&[OK, refused]), E::Certificate { holder, .. } if holder.to_string() == "DETESTDVDE019")
    );
    assert!(
        matches!(run(&[OK, OK, OK, refused]), E::Certificate { holder, .. } if holder.to_string() == "DETESTATDE019")
    );
    assert!(matches!(run(&[OK, OK, OK, OK, refused]), E::NotSelected(_)));
    assert!(matches!(
        run(&[OK, OK, OK, OK, OK, refused]),
        E::NoChallenge(_)
    ));
    assert!(matches!(
        run(&[OK, OK, OK, OK, OK, OK]),
        E::ChallengeLength(0)
    ));
    assert!(matches!(
        run(&[OK, OK, OK, OK, OK, &[1, 2, 3, 4, 5, 6, 7, 8, 0x90, 0]]),
        E::Key(_)
    ));
    assert!(matches!(
        run(&[OK, OK, OK, OK, OK, &challenge, refused]),
        E::Refused(_)
    ));
    assert!(matches!(run(&[OK]), E::Exchange(_)));
}

/// A certificate whose signature nobody looks at.
fn certificate(issuer: &str, holder: &str, role: Role) -> CvCertificate {
    let curve = Curve::P256;
    let key = PublicKey::from_point(curve, curve.domain_parameters().g).unwrap();
    let parameters = match role {
        Role::Cvca => Parameters::Included,
        _ => Parameters::Inherited,
    };
    let content = CvContent {
        issuer: issuer.parse().unwrap(),
        holder: holder.parse().unwrap(),
        public_key: CvPublicKey::new(&key, CvAlgorithm::EcdsaSha256, parameters).unwrap(),
        chat: Chat::inspection(role, &[]),
        effective: "2026-01-01".parse().unwrap(),
        expiration: "2026-02-01".parse().unwrap(),
        extensions: Vec::new(),
    };
    let der = CvContent::assemble(&content.body().unwrap(), &[1; 64]);
    CvCertificate::parse(&der).unwrap()
}

#[test]
fn the_shortest_way_from_a_trust_point_is_sent() {
    let all = [
        certificate("LVCVCA00001", "LVCVCA00001", Role::Cvca),
        certificate("LVCVCA00001", "LVCVCA00002", Role::Cvca),
        certificate("LVCVCA00002", "LVCVCA00003", Role::Cvca),
        certificate("LVCVCA00003", "LVCVCA00003", Role::Cvca),
        // The document verifier is certified by its own country, and by another one.
        certificate("LVCVCA00003", "LVDVLV00007", Role::DomesticVerifier),
        certificate("EECVCA00001", "LVDVLV00007", Role::ForeignVerifier),
        certificate("LVDVLV00007", "LVIS00001", Role::Terminal),
    ];
    let certificates = TerminalCertificates::new(all).unwrap();
    let path = |trusted: &[&str]| {
        let trusted: Vec<_> = trusted.iter().map(|name| name.parse().unwrap()).collect();
        let path = certificates.path(&trusted);
        path.iter()
            .map(|step| format!("{}>{}", step.issuer(), step.holder()))
            .collect::<Vec<_>>()
    };
    let verifier = "LVCVCA00003>LVDVLV00007";
    let terminal = "LVDVLV00007>LVIS00001";
    assert_eq!(path(&["LVCVCA00003", "LVCVCA00002"]), [verifier, terminal]);
    assert_eq!(
        path(&["EECVCA00001"]),
        ["EECVCA00001>LVDVLV00007", terminal]
    );
    let links = ["LVCVCA00001>LVCVCA00002", "LVCVCA00002>LVCVCA00003"];
    assert_eq!(
        path(&["LVCVCA00001"]),
        [links[0], links[1], verifier, terminal]
    );
    assert!(path(&["LTCVCA00001"]).is_empty());
    assert!(path(&[]).is_empty());
}

#[test]
fn certificates_are_one_terminal_s() {
    let verifier = || certificate("LVCVCA00003", "LVDVLV00007", Role::DomesticVerifier);
    let terminal = || certificate("LVDVLV00007", "LVIS00001", Role::Terminal);
    let new = |list: Vec<CvCertificate>| TerminalCertificates::new(list).unwrap_err();
    assert_eq!(
        new(vec![verifier()]),
        TerminalCertificatesError::Terminals(0)
    );
    assert_eq!(
        new(vec![terminal(), terminal()]),
        TerminalCertificatesError::Terminals(2)
    );
    assert_eq!(
        new(vec![verifier(); 300]),
        TerminalCertificatesError::TooMany(300)
    );
    // Certificates that go round in a circle end.
    let circle = [
        certificate("LVCVCA00003", "LVCVCA00004", Role::Cvca),
        certificate("LVCVCA00004", "LVCVCA00003", Role::Cvca),
        certificate("LVCVCA00004", "LVDVLV00007", Role::DomesticVerifier),
        terminal(),
    ];
    let certificates = TerminalCertificates::new(circle).unwrap();
    assert!(
        certificates
            .path(&["LVCVCA00001".parse().unwrap()])
            .is_empty()
    );
}
