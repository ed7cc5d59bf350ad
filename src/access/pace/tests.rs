use openssl::bn::{BigNum, BigNumContext};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain_parameters::AgreementKey;
use crate::mrz_information::MrzInformation;
use crate::security_infos::{PaceProtocol, SecurityInfos};
use crate::testing::{Scripted, bytes, vectors};

fn example(place: usize) -> Value {
    vectors("access/pace.json")["vectors"][place].clone()
}

fn eac(kind: &str) -> Value {
    vectors("access/eac_worked_examples.json")[kind].clone()
}

/// Returns a SET of one PACEInfo.
fn card_access(oid: &str, parameter: u8) -> SecurityInfos {
    let oid = der::asn1::ObjectIdentifier::new(oid).unwrap();
    let body = [&[0x06, 0x0A], oid.as_bytes(), &[2, 1, 2, 2, 1, parameter]].concat();
    let der = [&[0x31, 20, 0x30, 18], &body[..]].concat();
    SecurityInfos::parse(&der).unwrap()
}

/// Returns a private number as the terminal draws it: below the order, as long as that.
fn drawn(group: DomainParameters, private: &Value) -> Vec<u8> {
    let group = Group::new(group).unwrap();
    let private = BigNum::from_slice(&bytes(private)).unwrap();
    let mut context = BigNumContext::new().unwrap();
    let (order, mut reduced) = (group.order().unwrap(), BigNum::new().unwrap());
    reduced.nnmod(&private, &order, &mut context).unwrap();
    reduced.to_vec_padded(order.num_bytes()).unwrap()
}

fn object(tag: u8, value: &[u8]) -> Response {
    let inner = tlv::encode(Tag::new(tag.into()).unwrap(), value);
    Response::new(tlv::encode(TEMPLATE, &inner), Status::OK)
}

fn next(stage: Pace, response: &Response) -> (Command, Pace) {
    match stage.answer(response).unwrap() {
        Turn::Send(command, stage) => (command, stage),
        Turn::Done(_) => panic!("over too early"),
    }
}

fn done(stage: Pace, response: &Response) -> PaceOutcome {
    match stage.answer(response).unwrap() {
        Turn::Done(outcome) => outcome,
        Turn::Send(..) => panic!("not over"),
    }
}

fn mrz() -> Password {
    Password::mrz(MrzInformation::new("T22000129364081251010318").unwrap())
}

/// One published run: what is drawn and sent.
struct Published<'a> {
    infos: SecurityInfos,
    password: Password,
    random: Vec<Vec<u8>>,
    nonce: &'a Value,
    sent_mapping: Vec<u8>,
    chip_mapping: Vec<u8>,
    sent_key: Vec<u8>,
    chip_key: &'a Value,
    tokens: [&'a Value; 2],
    keys: [&'a Value; 2],
}

impl Published<'_> {
    fn check(self) -> PaceOutcome {
        let choice = PaceChoice::best(&self.infos).unwrap();
        let mut random = Scripted::new(self.random);
        let (_, stage) = Pace::start(&choice, &self.password, None, &mut random).unwrap();
        let (command, stage) = next(stage, &Response::new([], Status::OK));
        assert_eq!(
            *command.encode().unwrap(),
            [0x10, 0x86, 0, 0, 2, 0x7C, 0, 0]
        );
        let (command, stage) = next(stage, &object(0x80, &bytes(self.nonce)));
        assert_eq!(command.data(), object(0x81, &self.sent_mapping).data());
        let (command, stage) = next(stage, &object(0x82, &self.chip_mapping));
        assert_eq!(command.data(), object(0x83, &self.sent_key).data());
        let (command, stage) = next(stage, &object(0x84, &bytes(self.chip_key)));
        let [own, chips] = self.tokens;
        assert_eq!(command.data(), object(0x85, &bytes(own)).data());
        assert_eq!(command.cla(), 0);
        let Stage::Token(token) = &stage.stage else {
            panic!("another stage");
        };
        let [encryption, authentication] = self.keys;
        assert_eq!(token.keys.encryption.as_bytes(), bytes(encryption));
        assert_eq!(token.keys.authentication.as_bytes(), bytes(authentication));
        done(stage, &object(0x86, &bytes(chips)))
    }
}

#[test]
fn appendix_g1_comes_out_byte_for_byte() {
    let row = example(0);
    let infos = SecurityInfos::parse(&bytes(&row["card_access"])).unwrap();
    let choice = PaceChoice::best(&infos).unwrap();
    let private = ["terminal_map_private", "terminal_private"].map(|name| bytes(&row[name]));
    // The printed example leaves the only group unsaid; other terminals name it.
    let mut random = Scripted::new(private.clone());
    let (command, _) = Pace::start(&choice, &mrz(), None, &mut random).unwrap();
    let printed = hex::decode("0022C1A40F800A04007F00070202040202830101").unwrap();
    assert_eq!(*command.encode().unwrap(), printed);
    let choice = choice.with_reference(13);
    let mut turn = Pace::start(&choice, &mrz(), None, &mut Scripted::new(private)).unwrap();
    let exchanges = row["apdus"].as_array().unwrap();
    for (place, exchange) in exchanges.iter().enumerate() {
        let (command, stage) = turn;
        assert_eq!(*command.encode().unwrap(), bytes(&exchange[0]), "{place}");
        let response = Response::parse(&bytes(&exchange[1])).unwrap();
        if place + 1 == exchanges.len() {
            let outcome = done(stage, &response);
            assert_eq!(outcome.chip_id, bytes(&row["chip_public"])[1..33]);
            return;
        }
        turn = next(stage, &response);
    }
    panic!("no exchange");
}

#[test]
fn appendix_g2_comes_out() {
    let row = example(1);
    let group = DomainParameters::Dh1024;
    let outcome = Published {
        infos: card_access("0.4.0.127.0.7.2.2.4.1.2", 0),
        password: mrz(),
        random: vec![
            drawn(group, &row["terminal_map_private"]),
            drawn(group, &row["terminal_private"]),
        ],
        nonce: &row["nonce_z"],
        sent_mapping: bytes(&row["terminal_map_public"]),
        chip_mapping: bytes(&row["chip_map_public"]),
        sent_key: bytes(&row["terminal_public"]),
        chip_key: &row["chip_public"],
        tokens: [&row["T_IFD"], &row["T_IC"]],
        keys: [&row["KS_enc"], &row["KS_mac"]],
    }
    .check();
    let public = bytes(&row["chip_public"]);
    assert_eq!(outcome.chip_id, openssl::sha::sha1(&public));
}

#[test]
fn appendix_h_comes_out() {
    for (place, group, oid) in [
        (
            2,
            DomainParameters::BrainpoolP256r1,
            "0.4.0.127.0.7.2.2.4.4.2",
        ),
        (3, DomainParameters::Dh1024, "0.4.0.127.0.7.2.2.4.3.2"),
    ] {
        let row = example(place);
        Published {
            infos: card_access(oid, group.id()),
            password: Password::can("123456").unwrap(),
            random: vec![
                bytes(&row["nonce_t"]),
                drawn(group, &row["terminal_private"]),
            ],
            nonce: &row["nonce_z"],
            sent_mapping: bytes(&row["nonce_t"]),
            chip_mapping: vec![],
            sent_key: bytes(&row["terminal_public"]),
            chip_key: &row["chip_public"],
            tokens: [&row["T_IFD"], &row["T_IC"]],
            keys: [&row["KS_enc"], &row["KS_mac"]],
        }
        .check();
    }
}

#[test]
fn the_worked_examples_of_eac_come_out() {
    let file = eac("ecdh");
    let row = &file["pace"];
    let group = DomainParameters::BrainpoolP256r1;
    let outcome = Published {
        infos: SecurityInfos::parse(&bytes(&file["ef_card_access"])).unwrap(),
        password: Password::pin("123456").unwrap(),
        random: vec![
            drawn(group, &row["map_pcd_priv"]),
            drawn(group, &row["pcd_priv"]),
        ],
        nonce: &row["nonce_z"],
        sent_mapping: bytes(&row["map_pcd_pub"]),
        chip_mapping: bytes(&row["map_picc_pub"]),
        sent_key: bytes(&row["pcd_pub"]),
        chip_key: &row["picc_pub"],
        tokens: [&row["T_PCD"], &row["T_PICC"]],
        keys: [&row["KS_enc"], &row["KS_mac"]],
    }
    .check();
    let id = file["terminal_authentication"]["id_PICC"].as_str().unwrap();
    assert!(id.ends_with(&hex::encode_upper(outcome.chip_id)));

    let file = eac("dh");
    let row = &file["pace"];
    let group = DomainParameters::Dh1024;
    Published {
        infos: SecurityInfos::parse(&bytes(&file["ef_card_access"])).unwrap(),
        password: Password::pin("123456").unwrap(),
        random: vec![
            drawn(group, &row["map_pcd_priv_key"]),
            drawn(group, &row["pcd_priv_key"]),
        ],
        nonce: &row["nonce_enc"],
        sent_mapping: bytes(&row["map_pcd_pub_key"]),
        chip_mapping: bytes(&row["map_picc_pub_key"]),
        sent_key: bytes(&row["pcd_pub_key"])[1..].to_vec(),
        chip_key: &row["picc_pub_key"],
        tokens: [
            &row["authentication_token_pcd"],
            &row["authentication_token_picc"],
        ],
        keys: [&row["k_enc"], &row["k_mac"]],
    }
    .check();
}

#[test]
fn appendix_i_comes_out_byte_for_byte() {
    let row = &vectors("access/pace.json")["chip_authentication_mapping"];
    let file = |info: &Value| {
        let info = bytes(info);
        SecurityInfos::parse(&[&[0x31, info.len() as u8], &info[..]].concat()).unwrap()
    };
    let choice = PaceChoice::best(&file(&row["pace_info"])).unwrap();
    let information = MrzInformation::new(row["mrz_information"].as_str().unwrap());
    let password = Password::mrz(information.unwrap());
    let private = ["terminal_map_private", "terminal_private"].map(|name| bytes(&row[name]));
    let start = Pace::start(&choice, &password, None, &mut Scripted::new(private));
    let (mut command, mut stage) = start.unwrap();
    let (last, exchanges) = row["apdus"].as_array().unwrap().split_last().unwrap();
    for exchange in exchanges {
        assert_eq!(*command.encode().unwrap(), bytes(&exchange[0]));
        let response = Response::parse(&bytes(&exchange[1])).unwrap();
        (command, stage) = next(stage, &response);
    }
    assert_eq!(*command.encode().unwrap(), bytes(&last[0]));
    let outcome = done(stage, &Response::parse(&bytes(&last[1])).unwrap());
    let signed = file(&row["chip_authentication_public_key_info"]);
    let key = signed
        .chip_authentication_keys()
        .next()
        .unwrap()
        .key()
        .unwrap();
    outcome.chip_key.unwrap().verify(&key).unwrap();
}

/// Runs the computed example of chip authentication mapping up to the last answer.
fn chip_authentication_mapping() -> Pace {
    let row = example(0);
    let infos = card_access("0.4.0.127.0.7.2.2.4.6.2", 13);
    let choice = PaceChoice::best(&infos).unwrap();
    let private = ["terminal_map_private", "terminal_private"].map(|name| bytes(&row[name]));
    let (_, stage) = Pace::start(&choice, &mrz(), None, &mut Scripted::new(private)).unwrap();
    let (_, stage) = next(stage, &Response::new([], Status::OK));
    let (_, stage) = next(stage, &object(0x80, &bytes(&row["nonce_z"])));
    let (_, stage) = next(stage, &object(0x82, &bytes(&row["chip_map_public"])));
    let (command, stage) = next(stage, &object(0x84, &bytes(&row["chip_public"])));
    let computed = &vectors("access/pace.json")["pace_cam_computed"];
    assert_eq!(
        command.data(),
        object(0x85, &bytes(&computed["T_IFD"])).data()
    );
    stage
}

#[test]
fn the_chip_proves_its_static_key_along_with_the_mapping() {
    let file = vectors("access/pace.json");
    let computed = &file["pace_cam_computed"];
    let response = Response::parse(&bytes(&computed["general_authenticate_response"])).unwrap();
    let outcome = done(chip_authentication_mapping(), &response);
    let group = DomainParameters::BrainpoolP256r1;
    let key = |encoded: &Value| AgreementKey::new(group, &bytes(encoded)).unwrap();
    let proof = outcome.chip_key.unwrap();
    proof.verify(&key(&computed["chip_static_public"])).unwrap();
    let other = proof.verify(&key(&file["vectors"][0]["chip_public"]));
    assert!(matches!(other, Err(MappedChipKeyError::NotProved)));
    let p256 = hex::decode(
        "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
         4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
    );
    let other = AgreementKey::new(DomainParameters::P256, &p256.unwrap()).unwrap();
    let other = proof.verify(&other);
    assert!(matches!(other, Err(MappedChipKeyError::OtherGroup)));
    assert!(!format!("{proof:?}").contains("quotient"));
}

#[test]
fn chip_authentication_data_that_do_not_open_are_refused() {
    let file = vectors("access/pace.json");
    let computed = &file["pace_cam_computed"];
    let token = tlv::encode(CHIP_TOKEN, &bytes(&computed["T_IC"]));
    let sealed = bytes(&computed["A_IC"]);
    let mut wrong = sealed.clone();
    wrong[47] ^= 1;
    for data in [&[][..], &sealed[..47], &sealed[..32], &wrong, &[7; 256]] {
        let inner = [&token[..], &tlv::encode(CHIP_DATA, data)].concat();
        let response = Response::new(tlv::encode(TEMPLATE, &inner), Status::OK);
        let error = chip_authentication_mapping().answer(&response).unwrap_err();
        let step = PaceStep::Token;
        assert!(matches!(error, PaceError::Malformed { step: at, .. } if at == step));
    }
    let bare = Response::new(tlv::encode(TEMPLATE, &token), Status::OK);
    assert!(chip_authentication_mapping().answer(&bare).is_err());
}

/// Runs App. G.1 with other answers; the chip's own in their places where none is given.
fn enemy(place: usize, answer: &Response) -> Result<(), PaceError> {
    let row = example(0);
    let infos = SecurityInfos::parse(&bytes(&row["card_access"])).unwrap();
    let choice = PaceChoice::best(&infos).unwrap();
    let private = ["terminal_map_private", "terminal_private"].map(|name| bytes(&row[name]));
    let (_, mut stage) = Pace::start(&choice, &mrz(), None, &mut Scripted::new(private))?;
    for (at, exchange) in row["apdus"].as_array().unwrap().iter().enumerate() {
        let right = Response::parse(&bytes(&exchange[1])).unwrap();
        match stage.answer(if at == place { answer } else { &right })? {
            Turn::Send(_, rest) => stage = rest,
            Turn::Done(_) => return Ok(()),
        }
    }
    panic!("not over")
}

#[test]
fn an_enemys_answers_are_named() {
    use PaceStep::{Agreement, Mapping, Nonce, Select, Token};
    let row = example(0);
    assert!(enemy(9, &Response::new([], Status::OK)).is_ok());
    let refused = Response::new([], Status::CONDITIONS_NOT_SATISFIED);
    for (place, step) in [Select, Nonce, Mapping, Agreement, Token]
        .into_iter()
        .enumerate()
    {
        let error = enemy(place, &refused).unwrap_err();
        assert!(matches!(error, PaceError::Refused { step: at, .. } if at == step));
    }
    for data in [
        &[][..],
        &[0x7C],
        &[0x7C, 0],
        &[0x7D, 0],
        &[0x7C, 2, 0x80],
        &[0x7C, 0, 0],
    ] {
        for (place, step) in [(1, Nonce), (2, Mapping), (3, Agreement), (4, Token)] {
            let error = enemy(place, &Response::new(data, Status::OK)).unwrap_err();
            assert!(matches!(error, PaceError::Malformed { step: at, .. } if at == step));
        }
    }
    for length in [0, 1, 8, 15, 17, 48] {
        let error = enemy(1, &object(0x80, &vec![7; length])).unwrap_err();
        assert!(
            matches!(error, PaceError::Malformed { step: Nonce, .. }),
            "{length}"
        );
    }
    let twice = [0x7C, 0x24]
        .into_iter()
        .chain([0x80, 0x10].into_iter().chain([7; 16]).cycle().take(36));
    let error = enemy(1, &Response::new(twice.collect::<Vec<_>>(), Status::OK)).unwrap_err();
    assert!(matches!(
        error,
        PaceError::Malformed {
            reason: "an object comes twice",
            ..
        }
    ));
    for (place, tag, step, own) in [
        (2, 0x82, Mapping, "terminal_map_public"),
        (3, 0x84, Agreement, "terminal_public"),
    ] {
        let mut off = bytes(&row[own]);
        let error = enemy(place, &object(tag, &off)).unwrap_err();
        assert!(matches!(error, PaceError::Reflected));
        off[64] ^= 1;
        for key in [&off[..], &[0], &[], &off[..64]] {
            let error = enemy(place, &object(tag, key)).unwrap_err();
            assert!(matches!(error, PaceError::PublicKey(at) if at == step));
        }
    }
    let error = enemy(4, &object(0x86, &[7; 8])).unwrap_err();
    assert!(matches!(error, PaceError::NotProved));
    let error = enemy(4, &object(0x86, &bytes(&row["T_IC"])[..7])).unwrap_err();
    assert!(matches!(error, PaceError::NotProved));
    for status in [0x6300, 0x63C2] {
        let error = enemy(4, &Response::new([], Status::new(status))).unwrap_err();
        assert!(matches!(error, PaceError::WrongPassword { .. }));
    }
    // Three tries left is a word before, not a refusal.
    assert!(enemy(0, &Response::new([], Status::new(0x63C3))).is_ok());
    let error = enemy(0, &Response::new([], Status::new(0x63C0))).unwrap_err();
    assert!(matches!(error, PaceError::Refused { step: Select, .. }));
}

#[test]
fn authorities_are_returned_the_newest_first() {
    let row = example(0);
    let choice = PaceChoice::best(&SecurityInfos::parse(&bytes(&row["card_access"])).unwrap());
    let private = ["terminal_map_private", "terminal_private"].map(|name| bytes(&row[name]));
    let chat = hex::decode("7F4C0E060904007F000703010201530103").unwrap();
    let choice = choice.unwrap();
    let start = Pace::start(&choice, &mrz(), Some(&chat), &mut Scripted::new(private)).unwrap();
    let (command, mut stage) = start;
    assert!(command.data().ends_with(&chat));
    for exchange in &row["apdus"].as_array().unwrap()[..4] {
        stage = next(stage, &Response::parse(&bytes(&exchange[1])).unwrap()).1;
    }
    let inner = [
        tlv::encode(CHIP_TOKEN, &bytes(&row["T_IC"])),
        tlv::encode(OLDER_AUTHORITY, b"UTCVCA00001"),
        tlv::encode(AUTHORITY, b"UTCVCA00002"),
    ];
    let response = Response::new(tlv::encode(TEMPLATE, &inner.concat()), Status::OK);
    assert_eq!(
        done(stage, &response).authorities,
        [b"UTCVCA00002", b"UTCVCA00001"]
    );
}

#[test]
fn the_best_offer_is_taken() {
    let set = |infos: &[(&str, u8, Option<u8>)]| {
        let all = infos.iter().map(|(oid, version, parameter)| {
            let oid = der::asn1::ObjectIdentifier::new(oid).unwrap();
            let mut body = [
                &[0x06, oid.as_bytes().len() as u8],
                oid.as_bytes(),
                &[2, 1, *version],
            ]
            .concat();
            body.extend(
                parameter
                    .map(|parameter| [2, 1, parameter])
                    .into_iter()
                    .flatten(),
            );
            [&[0x30, body.len() as u8], &body[..]].concat()
        });
        let all: Vec<u8> = all.flatten().collect();
        SecurityInfos::parse(&[&[0x31, all.len() as u8], &all[..]].concat()).unwrap()
    };
    let gm = "0.4.0.127.0.7.2.2.4.2.4";
    let cam = "0.4.0.127.0.7.2.2.4.6.2";
    let infos = set(&[
        (gm, 2, Some(12)),
        (cam, 2, Some(13)),
        ("0.4.0.127.0.7.2.2.4.1.4", 2, Some(2)),
    ]);
    let choice = PaceChoice::best(&infos).unwrap();
    assert_eq!(choice.protocol().mapping, Mapping::ChipAuthentication);
    assert_eq!(choice.parameters(), DomainParameters::BrainpoolP256r1);
    assert_eq!(choice.reference(), Some(13));
    let fault = |infos: &[(&str, u8, Option<u8>)]| PaceChoice::best(&set(infos)).unwrap_err();
    assert!(matches!(fault(&[]), PaceChoiceError::None));
    assert!(matches!(
        fault(&[(gm, 1, Some(12))]),
        PaceChoiceError::Version(1)
    ));
    for parameter in [None, Some(7), Some(99), Some(0)] {
        assert!(matches!(
            fault(&[(gm, 2, parameter)]),
            PaceChoiceError::Parameters
        ));
    }
    // What cannot be run does not hide what can.
    let choice = PaceChoice::best(&set(&[(gm, 1, Some(12)), (gm, 2, Some(12))])).unwrap();
    assert_eq!(choice.reference(), None);
    let p224 = PaceChoice::best(&set(&[("0.4.0.127.0.7.2.2.4.4.2", 2, Some(10))])).unwrap();
    let error = Pace::start(&p224, &mrz(), None, &mut Scripted::default()).unwrap_err();
    assert!(matches!(
        error,
        PaceError::NoMapping(DomainParameters::P224)
    ));
    assert_eq!(
        PaceProtocol::from_oid(p224.protocol().oid().unwrap()),
        Some(p224.protocol())
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_answers_never_panic(
        place in 0usize..5,
        data in prop::collection::vec(any::<u8>(), 0..80),
        tag in prop::sample::select(vec![0x80u8, 0x82, 0x84, 0x86]),
    ) {
        let _ = enemy(place, &Response::new(data.clone(), Status::OK));
        prop_assert!(place == 0 || enemy(place, &object(tag, &data)).is_err());
    }
}
