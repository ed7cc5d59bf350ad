//! A border's way through a modern chip that somebody else wrote with openssl: PACE with every
//! mapping and cipher, chip and active authentication, with and without extended length.

use card::Command;
use vcard::InProcess;

use crate::issuer::{CAN, NUMBER, Offer, content, issue, key_info, mrz};
use crate::security_infos::{ChipAuthenticationInfo, ChipAuthenticationProtocol, KeyAgreement};
use crate::{
    ActiveAuthentication, ActiveAuthenticationKey, BasicAccess, ChipAuthenticationChoice,
    ChipAuthenticationError, Cipher, DomainParameters, EphemeralKey, FileName, LDS1,
    MappedChipKeyError, PaceChoice, PaceError, Password, Secured, SecurityInfo, SecurityInfos,
    SystemRandom, authenticate_chip, converse, read_file, select_application,
};

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
