//! A border's way through a modern chip that somebody else wrote with openssl: PACE with every
//! mapping and cipher, chip and active authentication, with and without extended length.

use card::gp::{self, Diversification, Handshake, HostChallenge, InitializeUpdate, SecurityLevel};
use card::tlv::{self, Tag};
use card::{Channel, Command, Limits, Response, exchange};
use der::asn1::ObjectIdentifier;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use crate::security_infos::{
    ActiveAuthenticationInfo, ChipAuthenticationInfo, ChipAuthenticationProtocol,
    ChipAuthenticationPublicKeyInfo, KeyAgreement, PaceInfo, PaceProtocol,
};
use crate::{
    ActiveAuthentication, ActiveAuthenticationKey, AgreementKey, BasicAccess,
    ChipAuthenticationChoice, ChipAuthenticationError, Cipher, DomainParameters, EphemeralKey,
    FileName, LDS1, MappedChipKeyError, MrzInformation, Pace, PaceChoice, PaceError, PaceOutcome,
    Password, Secured, SecurityInfo, SecurityInfos, SystemRandom, authenticate_chip, converse,
    read_file, select_application, select_master_file,
};

const MAKER: [u8; 16] = [0x55; 16];
const NUMBER: &str = "XA0000001";
const BIRTH: &str = "900302";
const EXPIRY: &str = "360301";
const CAN: &str = "500540";

/// How one PACE is offered: last arcs of the protocol and number of the group.
type Offer = (u8, u8, u8);

const GENERIC: &[Offer] = &[
    (2, 1, 12),
    (2, 2, 13),
    (2, 3, 11),
    (2, 4, 18),
    (2, 4, 10),
    (2, 2, 15),
];
const INTEGRATED: &[Offer] = &[
    (4, 1, 13),
    (4, 2, 14),
    (4, 3, 15),
    (4, 4, 17),
    (4, 2, 12),
    (4, 4, 18),
];
const MAPPED: &[Offer] = &[(6, 2, 13), (6, 3, 16), (6, 4, 15), (2, 4, 13)];

fn mrz(number: &str) -> MrzInformation {
    MrzInformation::of_fields(number, BIRTH, EXPIRY).unwrap()
}

fn limits(product: &str) -> Limits {
    match product {
        "icao-lds-short" => Limits::default(),
        _ => Limits {
            extended: true,
            response: 65_536,
            ..Limits::default()
        },
    }
}

/// The issuer, in front of a blank.
struct Issuer {
    channel: InProcess,
    secured: gp::Secured,
    limits: Limits,
}

impl Issuer {
    fn new(product: &str) -> Self {
        let number = ChipNumber::new([0, 1], [0, 0, 0, 7]);
        let key = TransportMasterKey::new(MAKER);
        let chip = Chip::blank(Product::find(product).unwrap(), number, &key, Memory);
        let mut channel = InProcess::new(chip.unwrap());
        channel.reset().unwrap();
        let limits = limits(product);
        let host = HostChallenge::from([9; 8]);
        let response = exchange(&mut channel, &gp::initialize_update(0, &host), &limits).unwrap();
        let update = InitializeUpdate::parse(response.data()).unwrap();
        let host = match update.options().mode() {
            gp::ChannelMode::Scp03S16 => panic!("another mode"),
            _ => host,
        };
        let master = gp::Key::new(&MAKER).unwrap();
        let keys = Diversification::Kdf3
            .keys(&master, update.diversification())
            .unwrap();
        let session = update.session_keys(&keys, &host).unwrap();
        let handshake = Handshake::new(session, host, &update).unwrap();
        let (command, opening) = handshake
            .external_authenticate(SecurityLevel::ENC_MAC)
            .unwrap();
        let response = exchange(&mut channel, &command, &limits).unwrap();
        let secured = opening.complete(&response).unwrap();
        Self {
            channel,
            secured,
            limits,
        }
    }

    #[track_caller]
    fn send(&mut self, header: u32, data: &[u8]) -> Response {
        let command = Command::from_header(header.to_be_bytes()).with_data(data);
        let command = match header >> 16 {
            0x47 => command.with_le(if self.limits.extended { 65_536 } else { 256 }),
            _ => command,
        };
        let wrapped = self.secured.wrap(&command).unwrap();
        let response = exchange(&mut self.channel, &wrapped, &self.limits).unwrap();
        let response = self.secured.unwrap(response).unwrap();
        assert!(response.status().is_ok(), "{header:08X}: {response:?}");
        response
    }

    fn file(&mut self, id: u16, condition: u8, content: &[u8]) {
        let [high, low] = id.to_be_bytes();
        let [.., s1, s2, s3] = content.len().to_be_bytes();
        let control = [
            0x62, 0x10, 0x80, 3, s1, s2, s3, 0x82, 1, 1, 0x83, 2, high, low, 0x8C, 2, 1, condition,
        ];
        self.send(0x00E0_0000, &control);
        for (place, piece) in content.chunks(200).enumerate() {
            let offset = place * 200;
            if offset < 0x8000 {
                self.send(0x00D6_0000 | offset as u32, piece);
            } else {
                let [.., high, low] = offset.to_be_bytes();
                let data = tlv::encode(Tag::known::<0x53>(), piece);
                self.send(0x00D7_0000, &[&[0x54, 2, high, low], &data[..]].concat());
            }
        }
    }

    /// Has a key generated: its point, or modulus and exponent.
    fn key(&mut self, reference: u8, kind: u8, purpose: u8, more: &[u8]) -> Vec<Vec<u8>> {
        let data = [&[0x80, 1, kind, 0x84, 1, reference, 0x95, 1, purpose], more].concat();
        let response = self.send(0x0047_8000, &tlv::encode(Tag::known::<0xAC>(), &data));
        let outer = tlv::parse(response.data()).unwrap().0;
        let parts = tlv::parse_all(outer.value).unwrap();
        parts.iter().map(|part| part.value.to_vec()).collect()
    }
}

/// What was issued.
struct Issued {
    channel: InProcess,
    limits: Limits,
    face: Vec<u8>,
}

fn pace_infos(offers: &[Offer]) -> SecurityInfos {
    SecurityInfos::new(offers.iter().map(|&(mapping, cipher, parameter)| {
        let oid = ObjectIdentifier::new(&format!("0.4.0.127.0.7.2.2.4.{mapping}.{cipher}"));
        SecurityInfo::Pace(PaceInfo {
            protocol: PaceProtocol::from_oid(oid.unwrap()).unwrap(),
            version: 2,
            parameter_id: Some(parameter.into()),
        })
    }))
}

fn key_info(group: u8, point: &[u8], id: u64) -> SecurityInfo {
    let group = DomainParameters::from_id(group.into()).unwrap();
    let key = AgreementKey::new(group, point).unwrap();
    let info = ChipAuthenticationPublicKeyInfo::of_key(&key, Some(id)).unwrap();
    SecurityInfo::ChipAuthenticationPublicKey(info)
}

/// Issues a chip: PACE as offered, chip authentication on brainpoolP384r1 with every cipher, active
/// authentication with P-256, or RSA-2048 where length is no matter.
fn issue(product: &str, offers: &[Offer]) -> Issued {
    let mut issuer = Issuer::new(product);
    let text = |value: &str| tlv::encode(Tag::known::<0x04>(), value.as_bytes());
    let zone = [text(NUMBER), text(BIRTH), text(EXPIRY)].concat();
    issuer.send(0x00DA_0101, &tlv::encode(Tag::known::<0x62>(), &zone));
    issuer.send(0x00DA_0102, CAN.as_bytes());
    issuer.send(0x00DA_0110, &[1]);
    let infos = pace_infos(offers);
    let mut ways = Vec::new();
    for (info, offer) in infos.pace().zip(offers) {
        let oid = info.protocol.oid().unwrap();
        let way = [&[0x80, 0x0A], oid.as_bytes(), &[0x84, 1, offer.2]].concat();
        ways.extend(tlv::encode(Tag::known::<0xE0>(), &way));
    }
    issuer.send(0x00DA_0111, &ways);

    issuer.send(0x00A4_000C, &[0x3F, 0x00]);
    issuer.file(0x011C, 0x00, &infos.to_der().unwrap());
    let mapped: Vec<_> = offers.iter().filter(|offer| offer.0 == 6).collect();
    let mapped: Vec<_> = mapped
        .iter()
        .zip(0x10..)
        .map(|(offer, id)| {
            let point = issuer.key(id, offer.2, 4, &[]).remove(0);
            key_info(offer.2, &point, offer.2.into())
        })
        .collect();
    if !mapped.is_empty() {
        let security = SecurityInfos::new(mapped);
        issuer.file(0x011D, 0x42, &security.to_der().unwrap());
    }

    issuer.send(0x00A4_040C, &LDS1);
    let point = issuer.key(2, 16, 2, &[0x8B, 1, 0x0F]).remove(0);
    let mut dg14 = vec![
        key_info(16, &point, 2),
        SecurityInfo::ActiveAuthentication(ActiveAuthenticationInfo {
            version: 1,
            signature_algorithm: ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3"),
        }),
    ];
    let ciphers = [
        Cipher::TripleDes,
        Cipher::Aes128,
        Cipher::Aes192,
        Cipher::Aes256,
    ];
    dg14.extend(ciphers.map(|cipher| {
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol {
                agreement: KeyAgreement::Ecdh,
                cipher,
            },
            version: 1,
            key_id: Some(2),
        })
    }));
    dg14.extend(infos.iter().cloned());
    let spki = if issuer.limits.extended {
        let numbers = issuer.key(1, 0x40, 1, &[]);
        let [n, e] = [0, 1].map(|at| openssl::bn::BigNum::from_slice(&numbers[at]).unwrap());
        openssl::rsa::Rsa::from_public_components(n, e)
            .unwrap()
            .public_key_to_der()
            .unwrap()
    } else {
        let point = issuer.key(1, 12, 1, &[]).remove(0);
        AgreementKey::new(DomainParameters::P256, &point)
            .unwrap()
            .to_spki_der()
            .unwrap()
    };
    let face: Vec<u8> = (0..34_000u32).map(|at| (at % 241) as u8).collect();
    let face = tlv::encode(Tag::known::<0x75>(), &face);
    let dg14 = SecurityInfos::new(dg14).to_der().unwrap();
    issuer.file(
        0x0101,
        0x41,
        &tlv::encode(Tag::known::<0x61>(), &[0x5F; 93]),
    );
    issuer.file(0x0102, 0x41, &face);
    issuer.file(0x010E, 0x41, &tlv::encode(Tag::known::<0x6E>(), &dg14));
    issuer.file(0x010F, 0x41, &tlv::encode(Tag::known::<0x6F>(), &spki));
    issuer.file(0x011D, 0x41, &[0x77, 0x02, 0x30, 0x00]);
    issuer.file(0x011E, 0x41, &[0x60, 0x00]);
    issuer.send(0x80F0_400F, &LDS1);
    let Issuer {
        mut channel,
        limits,
        ..
    } = issuer;
    channel.reset().unwrap();
    Issued {
        channel,
        limits,
        face,
    }
}

fn content(file: &[u8]) -> &[u8] {
    tlv::parse(file).unwrap().0.value
}

impl Issued {
    fn card_access(&mut self) -> SecurityInfos {
        self.channel.reset().unwrap();
        select_master_file(&mut self.channel, &self.limits).unwrap();
        let file = read_file(&mut self.channel, &self.limits, FileName::Short(0x1C), 4096);
        SecurityInfos::parse(&file.unwrap()).unwrap()
    }

    fn pace(&mut self, choice: &PaceChoice, password: &Password) -> Result<PaceOutcome, PaceError> {
        let start = Pace::start(choice, password, None, &mut SystemRandom)?;
        converse(&mut self.channel, &self.limits, start)
    }
}

/// Opens the chip by each of its offers and reads it.
fn inspect(product: &str, offers: &[Offer]) {
    let mut chip = issue(product, offers);
    let infos = chip.card_access();
    assert_eq!(infos.pace().count(), offers.len());
    for (turn, info) in infos.pace().enumerate() {
        let choice = PaceChoice::of(info, &infos).unwrap();
        chip.card_access();
        let password = match turn % 2 {
            0 => Password::can(CAN).unwrap(),
            _ => Password::mrz(mrz(NUMBER)),
        };
        let outcome = chip
            .pace(&choice, &password)
            .unwrap_or_else(|error| panic!("{choice:?}: {error}"));
        let limits = chip.limits;
        let mut session = Secured::new(&mut chip.channel, outcome.messaging, limits);
        let inside = session.limits();
        if let Some(proof) = outcome.chip_key {
            let file = read_file(&mut session, &inside, FileName::Identifier(0x011D), 4096);
            let signed = SecurityInfos::parse(&file.unwrap()).unwrap();
            for key in signed.chip_authentication_keys() {
                let verdict = proof.verify(&key.key().unwrap());
                if key.key_id == info.parameter_id {
                    verdict.unwrap();
                } else {
                    assert!(matches!(verdict, Err(MappedChipKeyError::OtherGroup)));
                }
            }
        }
        select_application(&mut session, &inside, &LDS1).unwrap();
        let file = read_file(&mut session, &inside, FileName::Short(0x01), 4096).unwrap();
        assert_eq!(content(&file), [0x5F; 93]);
        if turn == 0 {
            authenticate(&mut session, &infos);
            let inside = session.limits();
            let file = read_file(&mut session, &inside, FileName::Short(0x02), 50_000).unwrap();
            assert_eq!(*file, chip.face);
        }
    }
}

/// Has the chip prove its keys, with every cipher one after another.
fn authenticate(session: &mut Secured<&mut InProcess>, card_access: &SecurityInfos) {
    let inside = session.limits();
    let file = read_file(session, &inside, FileName::Short(0x0E), 4096).unwrap();
    let infos = SecurityInfos::parse(content(&file)).unwrap();
    assert!(infos.contains_all(card_access));
    let file = read_file(session, &inside, FileName::Short(0x0F), 4096).unwrap();
    let key = ActiveAuthenticationKey::from_spki_der(content(&file)).unwrap();
    let probe = Command::new(0, 0xA4, 0x02, 0x0C).with_data([0x01, 0x0E]);
    for info in infos.chip_authentication() {
        let choice = ChipAuthenticationChoice::of(info, &infos).unwrap();
        let ephemeral = EphemeralKey::generate(choice.key().parameters(), &mut SystemRandom);
        let answer = authenticate_chip(session, &choice, &ephemeral.unwrap(), &probe).unwrap();
        assert!(answer.unwrap().status().is_ok());
        assert_eq!(session.messaging().cipher(), info.protocol.cipher);
        let said = infos.active_authentication();
        let start = ActiveAuthentication::start(&key, said, &mut SystemRandom).unwrap();
        let inside = session.limits();
        converse(session, &inside, start).unwrap();
    }
}

#[test]
fn generic_mapping_opens_the_chip() {
    inspect("icao-lds", GENERIC);
}

#[test]
fn integrated_mapping_opens_the_chip() {
    inspect("icao-lds-short", INTEGRATED);
}

#[test]
fn chip_authentication_mapping_opens_and_proves_the_chip() {
    inspect("icao-lds-short", MAPPED);
}

#[test]
fn the_document_s_keys_open_it_and_others_do_not() {
    let mut chip = issue("icao-lds", MAPPED);
    let infos = chip.card_access();
    let choice = PaceChoice::best(&infos).unwrap();
    for wrong in [
        Password::can("500541").unwrap(),
        Password::mrz(mrz("XA0000002")),
    ] {
        chip.card_access();
        let error = chip.pace(&choice, &wrong).unwrap_err();
        assert!(matches!(error, PaceError::WrongPassword { .. }), "{error}");
    }
    chip.card_access();
    select_application(&mut chip.channel, &chip.limits, &LDS1).unwrap();
    let start = BasicAccess::start(&mrz(NUMBER), &mut SystemRandom).unwrap();
    let messaging = converse(&mut chip.channel, &chip.limits, start).unwrap();
    let mut session = Secured::new(&mut chip.channel, messaging, chip.limits);
    authenticate(&mut session, &infos);

    // A file that names another key than the chip's: what a copy would be found by.
    let other = DomainParameters::BrainpoolP384r1;
    let ephemeral = EphemeralKey::generate(other, &mut SystemRandom).unwrap();
    let forged = SecurityInfos::new([
        key_info(16, ephemeral.public(), 2),
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol {
                agreement: KeyAgreement::Ecdh,
                cipher: Cipher::Aes128,
            },
            version: 1,
            key_id: Some(2),
        }),
    ]);
    let choice = ChipAuthenticationChoice::best(&forged, 1).unwrap();
    let ephemeral = EphemeralKey::generate(other, &mut SystemRandom).unwrap();
    let probe = Command::new(0, 0xA4, 0x02, 0x0C).with_data([0x01, 0x0E]);
    let error = authenticate_chip(&mut session, &choice, &ephemeral, &probe).unwrap_err();
    assert!(
        matches!(error, ChipAuthenticationError::NotProved),
        "{error}"
    );
    assert!(session.messaging().is_terminated());
}
