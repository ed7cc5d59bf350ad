use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcKey, EcPoint};
use openssl::pkey::{PKey, Private};
use serde_json::Value;

use super::*;
use crate::domain_parameters::AgreementKey;
use crate::secure_messaging::tests::Chip as SessionSide;
use crate::security_infos::{
    ChipAuthenticationInfo, ChipAuthenticationProtocol, ChipAuthenticationPublicKeyInfo,
    KeyAgreement, SecurityInfo, SecurityInfos,
};
use crate::testing::{Scripted, bytes, vectors};

fn infos(group: DomainParameters, key: &Value, cipher: Cipher, version: u64) -> SecurityInfos {
    let key = AgreementKey::new(group, &bytes(key)).unwrap();
    let agreement = if group.is_curve() {
        KeyAgreement::Ecdh
    } else {
        KeyAgreement::Dh
    };
    SecurityInfos::new([
        SecurityInfo::ChipAuthenticationPublicKey(
            ChipAuthenticationPublicKeyInfo::of_key(&key, None).unwrap(),
        ),
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol { agreement, cipher },
            version,
            key_id: None,
        }),
    ])
}

fn ephemeral(group: DomainParameters, private: &Value) -> EphemeralKey {
    let order = Group::new(group).unwrap().order().unwrap();
    let private = BigNum::from_slice(&bytes(private)).unwrap();
    let mut reduced = BigNum::new().unwrap();
    reduced
        .nnmod(&private, &order, &mut BigNumContext::new().unwrap())
        .unwrap();
    let drawn = reduced.to_vec_padded(order.num_bytes()).unwrap();
    EphemeralKey::generate(group, &mut Scripted::new([drawn])).unwrap()
}

/// Checks a session's keys by the first thing that it seals.
fn has_keys(session: &mut SecureMessaging, cipher: Cipher, keys: [&Value; 2]) {
    let [encryption, authentication] = keys.map(bytes);
    let keys = SessionKeys::new(cipher, &encryption, &authentication).unwrap();
    let command = Command::new(0, 0xA4, 2, 0x0C).with_data([1, 0x1E]);
    let expected = SecureMessaging::new(keys).wrap(&command).unwrap();
    assert_eq!(session.wrap(&command).unwrap(), expected);
}

fn done(stage: ChipAuthentication<'_>, data: &[u8]) -> Result<NewSession, ChipAuthenticationError> {
    match stage.answer(&Response::new(data, Status::OK))? {
        Turn::Done(new) => Ok(new),
        Turn::Send(..) => panic!("not over"),
    }
}

fn next<'a>(stage: ChipAuthentication<'a>) -> (Command, ChipAuthentication<'a>) {
    match stage.answer(&Response::new([], Status::OK)).unwrap() {
        Turn::Send(command, stage) => (command, stage),
        Turn::Done(_) => panic!("over too early"),
    }
}

#[test]
fn the_reference_data_set_runs_with_triple_des() {
    let file = vectors("access/chip_authentication.json");
    let infos = SecurityInfos::parse(&bytes(&file["dg14"])).unwrap();
    let choice = ChipAuthenticationChoice::best(&infos, 1).unwrap();
    let group = DomainParameters::BrainpoolP224r1;
    assert_eq!(choice.key().parameters(), group);
    assert_eq!(choice.key().as_bytes(), bytes(&file["static_public"]));
    let ephemeral = ephemeral(group, &file["terminal_ephemeral_private"]);
    assert_eq!(
        ephemeral.public(),
        bytes(&file["terminal_ephemeral_public"])
    );
    let (command, stage) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
    assert_eq!(*command.encode().unwrap(), bytes(&file["mse_set_kat"]));
    let mut new = done(stage, &[]).unwrap();
    assert!(!new.proved);
    has_keys(
        &mut new.messaging,
        Cipher::TripleDes,
        [&file["KS_enc"], &file["KS_mac"]],
    );
    let (_, stage) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
    let error = done(stage, &[0x7C, 0]).unwrap_err();
    assert!(matches!(error, ChipAuthenticationError::Malformed(_)));
    // The same key without a word on its protocol is for triple DES.
    let keys = infos.chip_authentication_keys().cloned();
    let only = SecurityInfos::new(keys.map(SecurityInfo::ChipAuthenticationPublicKey));
    assert_eq!(ChipAuthenticationChoice::best(&only, 1).unwrap(), choice);
}

#[test]
fn the_worked_examples_of_version_2_come_out() {
    let file = vectors("access/eac_worked_examples.json");
    let row = &file["ecdh"]["chip_authentication_v2"];
    let names = [
        "picc_static_pub",
        "pcd_eph_priv",
        "pcd_eph_pub",
        "r_picc",
        "T_PICC",
        "KS_enc",
        "KS_mac",
    ];
    let ecdh = names.map(|name| &row[name]);
    let row = &file["dh"]["chip_authentication_v2"];
    let names = [
        "ca_picc_pub_key",
        "ca_pcd_priv_key",
        "ca_pcd_pub_key",
        "ca_nonce",
        "ca_picc_token",
        "ca_k_enc",
        "ca_k_mac",
    ];
    let dh = names.map(|name| &row[name]);
    for (
        group,
        [
            chips,
            private,
            public,
            nonce,
            token,
            encryption,
            authentication,
        ],
    ) in [
        (DomainParameters::BrainpoolP256r1, ecdh),
        (DomainParameters::Dh1024, dh),
    ] {
        let infos = infos(group, chips, Cipher::Aes128, 2);
        let choice = ChipAuthenticationChoice::best(&infos, 2).unwrap();
        let ephemeral = ephemeral(group, private);
        assert_eq!(ephemeral.public(), bytes(public));
        let (command, stage) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
        let oid = choice.protocol().oid().unwrap();
        assert_eq!(command.data(), tlv::encode(PROTOCOL, oid.as_bytes()));
        assert_eq!(command.header(), [0, 0x22, 0x41, 0xA4]);
        let (command, stage) = next(stage);
        assert_eq!(command.header(), [0, 0x86, 0, 0]);
        let key = tlv::encode(TERMINAL_KEY, &bytes(public));
        assert_eq!(command.data(), tlv::encode(TEMPLATE, &key));
        let proof = [
            tlv::encode(NONCE, &bytes(nonce)),
            tlv::encode(TOKEN, &bytes(token)),
        ];
        let mut new = done(stage, &tlv::encode(TEMPLATE, &proof.concat())).unwrap();
        assert!(new.proved);
        has_keys(
            &mut new.messaging,
            Cipher::Aes128,
            [encryption, authentication],
        );
    }
    let ephemeral = ephemeral(DomainParameters::BrainpoolP256r1, ecdh[1]);
    let announced = &file["ecdh"]["terminal_authentication"]["comp_PK_PCD"];
    assert_eq!(ephemeral.compressed(), bytes(announced));
}

#[test]
fn version_1_with_aes_takes_no_nonce() {
    let file = vectors("access/eac_worked_examples.json");
    let row = &file["ecdh"]["chip_authentication_v2"];
    let computed = &file["ecdh"]["chip_authentication_v1_same_keys_computed"];
    let group = DomainParameters::BrainpoolP256r1;
    for answer in [&[][..], &[0x7C, 0]] {
        let infos = infos(group, &row["picc_static_pub"], Cipher::Aes128, 1);
        let choice = ChipAuthenticationChoice::best(&infos, 1).unwrap();
        let ephemeral = ephemeral(group, &row["pcd_eph_priv"]);
        let (_, stage) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
        let (_, stage) = next(stage);
        let mut new = done(stage, answer).unwrap();
        assert!(!new.proved);
        has_keys(
            &mut new.messaging,
            Cipher::Aes128,
            [&computed["KS_enc"], &computed["KS_mac"]],
        );
    }
}

#[test]
fn an_enemys_answers_are_named() {
    let file = vectors("access/eac_worked_examples.json");
    let row = &file["ecdh"]["chip_authentication_v2"];
    let group = DomainParameters::BrainpoolP256r1;
    let ephemeral = ephemeral(group, &row["pcd_eph_priv"]);
    let nonce = tlv::encode(NONCE, &bytes(&row["r_picc"]));
    let token = tlv::encode(TOKEN, &bytes(&row["T_PICC"]));
    let mut forged = token.clone();
    forged[9] ^= 1;
    let short = tlv::encode(NONCE, &[7; 7]);
    let wrap = |parts: &[&[u8]]| tlv::encode(TEMPLATE, &parts.concat());
    for (version, answer, proved) in [
        (2, wrap(&[&nonce, &forged]), true),
        (2, wrap(&[&nonce, &token[..9]]), false),
        (2, wrap(&[&short, &token]), false),
        (2, wrap(&[&token, &nonce]), false),
        (2, wrap(&[&nonce, &nonce]), false),
        (2, wrap(&[&nonce, &token, &token]), false),
        (2, wrap(&[]), false),
        (2, vec![], false),
        (2, [&wrap(&[&nonce, &token])[..], &[0]].concat(), false),
        (1, wrap(&[&nonce, &token]), false),
        (1, vec![0x7D, 0], false),
    ] {
        let infos = infos(group, &row["picc_static_pub"], Cipher::Aes128, version);
        let choice = ChipAuthenticationChoice::best(&infos, version).unwrap();
        let (_, stage) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
        let error = done(next(stage).1, &answer).unwrap_err();
        match error {
            ChipAuthenticationError::NotProved => assert!(proved, "{answer:02X?}"),
            ChipAuthenticationError::Malformed(_) => assert!(!proved, "{answer:02X?}"),
            error => panic!("{error}"),
        }
    }
    let infos = infos(group, &row["picc_static_pub"], Cipher::Aes256, 2);
    let choice = ChipAuthenticationChoice::best(&infos, 2).unwrap();
    let (_, stage) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
    let refused = Response::new([], Status::REFERENCE_NOT_FOUND);
    let error = stage.answer(&refused).unwrap_err();
    assert!(matches!(error, ChipAuthenticationError::Refused(_)));
    let other = EphemeralKey::generate(DomainParameters::P256, &mut crate::SystemRandom).unwrap();
    let error = ChipAuthentication::start(&choice, &other).unwrap_err();
    assert!(matches!(error, ChipAuthenticationError::OtherGroup));
}

#[test]
fn an_ambiguous_key_is_not_guessed() {
    let file = vectors("access/eac_worked_examples.json");
    let row = &file["ecdh"]["chip_authentication_v2"];
    let group = DomainParameters::BrainpoolP256r1;
    let key = |encoded: &Value, key_id| {
        let key = AgreementKey::new(group, &bytes(encoded)).unwrap();
        let info = ChipAuthenticationPublicKeyInfo::of_key(&key, key_id).unwrap();
        SecurityInfo::ChipAuthenticationPublicKey(info)
    };
    let protocol = ChipAuthenticationProtocol {
        agreement: KeyAgreement::Ecdh,
        cipher: Cipher::Aes128,
    };
    let info = |version, key_id| {
        let info = ChipAuthenticationInfo {
            protocol,
            version,
            key_id,
        };
        SecurityInfo::ChipAuthentication(info)
    };
    let keys = [
        key(&row["picc_static_pub"], Some(1)),
        key(&row["pcd_eph_pub"], Some(258)),
    ];
    let with = |infos: &[SecurityInfo]| SecurityInfos::new([&keys[..], infos].concat());
    let choice = ChipAuthenticationChoice::best(&with(&[info(1, Some(258))]), 1).unwrap();
    assert_eq!(choice.key().as_bytes(), bytes(&row["pcd_eph_pub"]));
    let ephemeral = EphemeralKey::generate(group, &mut crate::SystemRandom).unwrap();
    let (command, _) = ChipAuthentication::start(&choice, &ephemeral).unwrap();
    assert!(command.data().ends_with(&[0x84, 2, 1, 2]));
    for (wrong, version) in [(info(1, None), 1), (info(1, Some(7)), 1)] {
        let error = ChipAuthenticationChoice::best(&with(&[wrong]), version).unwrap_err();
        assert!(matches!(error, ChipAuthenticationChoiceError::Key));
    }
    let error = ChipAuthenticationChoice::best(&with(&[info(1, Some(1))]), 2).unwrap_err();
    assert!(matches!(error, ChipAuthenticationChoiceError::None(2)));
}

/// A chip with a session open, and chip authentication of either version, all by openssl.
struct Chip {
    session: SessionSide,
    counter: u128,
    pair: EcKey<Private>,
    version: u64,
    next: Option<SessionSide>,
}

impl Chip {
    /// Answers a plain command; new keys wait in `next`.
    fn respond(&mut self, command: &Command, data: &[u8]) -> (Vec<u8>, u16) {
        match command.ins() {
            0x22 => (vec![], 0x9000),
            0x86 => {
                let group = DomainParameters::P384.curve().unwrap();
                let mut context = BigNumContext::new().unwrap();
                // 7C 63 80 61 and a point of P-384.
                let point = EcPoint::from_bytes(&group, &data[4..], &mut context).unwrap();
                let theirs = PKey::from_ec_key(EcKey::from_public_key(&group, &point).unwrap());
                let (own, theirs) = (
                    PKey::from_ec_key(self.pair.clone()).unwrap(),
                    theirs.unwrap(),
                );
                let mut deriver = Deriver::new(&own).unwrap();
                deriver.set_peer(&theirs).unwrap();
                let secret = deriver.derive_to_vec().unwrap();
                let nonce = if self.version == 2 { &[3; 8][..] } else { &[] };
                let key = |count: u8| {
                    openssl::sha::sha256(&[&secret[..], nonce, &[0, 0, 0, count]].concat()).to_vec()
                };
                let next = SessionSide {
                    cipher: Cipher::Aes256,
                    encryption: key(1),
                    authentication: key(2),
                };
                let answer = if self.version == 2 {
                    // 7F49 { 06 id-CA-ECDH-AES-CBC-CMAC-256, 86 point }
                    let head = hex::decode("7F496F060A04007F000702020302048661").unwrap();
                    let object = [&head[..], &data[4..]].concat();
                    let token = next.cmac(&object);
                    [&[0x7C, 20, 0x81, 8][..], nonce, &[0x82, 8], &token].concat()
                } else {
                    vec![0x7C, 0]
                };
                self.next = Some(next);
                (answer, 0x9000)
            }
            _ => (vec![], 0x6A82),
        }
    }
}

impl Channel for Chip {
    fn transmit(&mut self, bytes: &[u8]) -> Result<Vec<u8>, card::ChannelError> {
        let command = Command::parse(bytes).unwrap();
        let Some(data) = self.session.open(self.counter + 1, &command) else {
            return Ok(vec![0x69, 0x88]);
        };
        self.counter += 2;
        let (answer, status) = self.respond(&command, &data);
        let mut sealed = self
            .session
            .answer(self.counter, command.ins(), &answer, status);
        sealed.extend(status.to_be_bytes());
        if let Some(next) = self.next.take() {
            (self.session, self.counter) = (next, 0);
        }
        Ok(sealed)
    }

    fn atr(&self) -> &[u8] {
        &[]
    }

    fn reset(&mut self) -> Result<Vec<u8>, card::ChannelError> {
        Ok(vec![])
    }
}

/// Runs chip authentication with a chip that has this key, where the file says `signed`.
fn inspect(
    version: u64,
    pair: EcKey<Private>,
    signed: &EcKey<Private>,
) -> Result<Option<Response>, ChipAuthenticationError> {
    let group = DomainParameters::P384;
    let curve = group.curve().unwrap();
    let mut context = BigNumContext::new().unwrap();
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let point = signed
        .public_key()
        .to_bytes(&curve, form, &mut context)
        .unwrap();
    let file = infos(
        group,
        &Value::String(hex::encode(point)),
        Cipher::Aes256,
        version,
    );
    let choice = ChipAuthenticationChoice::best(&file, version).unwrap();
    let session = SessionSide::new(Cipher::Aes128);
    let messaging = session.terminal(0);
    let chip = Chip {
        session,
        counter: 0,
        pair,
        version,
        next: None,
    };
    let mut channel = Secured::new(chip, messaging, card::Limits::default());
    let ephemeral = EphemeralKey::generate(group, &mut crate::SystemRandom).unwrap();
    let probe = Command::new(0, 0xA4, 0x02, 0x0C).with_data([1, 0x1E]);
    let result = authenticate_chip(&mut channel, &choice, &ephemeral, &probe);
    if result.is_ok() {
        // The session goes on under the new keys.
        assert_eq!(channel.messaging().cipher(), Cipher::Aes256);
        let again = channel.exchange(&probe).unwrap();
        assert_eq!(again.status(), Status::FILE_NOT_FOUND);
    }
    result
}

#[test]
fn the_session_goes_on_with_the_chip_that_has_the_key() {
    let group = DomainParameters::P384.curve().unwrap();
    let pair = EcKey::generate(&group).unwrap();
    let answer = inspect(1, pair.clone(), &pair).unwrap().unwrap();
    assert_eq!(answer.status(), Status::FILE_NOT_FOUND);
    assert!(inspect(2, pair.clone(), &pair).unwrap().is_none());
    for version in [1, 2] {
        let copy = EcKey::generate(&group).unwrap();
        let error = inspect(version, copy, &pair).unwrap_err();
        assert!(
            matches!(error, ChipAuthenticationError::NotProved),
            "{error}"
        );
    }
}
