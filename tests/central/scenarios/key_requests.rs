//! What a station may ask while it writes a chip, and what it gets only once or never.

use std::collections::BTreeMap;

use api::{
    ApiError, Centre, CertifyRequest, ChannelGrant, ChannelOpening, ChannelRequest, JournalLine,
    PutKeyRequest, Secret,
};
use audit::Outcome;
use card::gp::{HostChallenge, Key, initialize_update};
use cert::Curve;
use cert::request::RequestInfo;
use jiff::Timestamp;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use vcard::{Chip, ChipNumber, Memory, Product, TransportMasterKey};

use super::bench::{bare_report, disbelieved, personalize, untouched};
use super::house::{House, operator, unbooked, with_adapted_house, with_house};

const INITIALIZE_UPDATE: &str = perso::Opening::INITIALIZE_UPDATE;

/// Asks a chip for a challenge, in its issuer security domain.
pub(super) fn challenge(
    lease: &api::Lease,
    chip: &mut Chip,
    key_set: &str,
    host: [u8; 8],
) -> ChannelRequest {
    let version = if key_set == "transport" { 0xFF } else { 0x01 };
    chip.reset();
    let command = initialize_update(version, &HostChallenge::new(host))
        .encode()
        .unwrap();
    let mut answer = chip.process(&command);
    assert_eq!(answer.split_off(answer.len() - 2), [0x90, 0x00]);
    ChannelRequest {
        lease: lease.id,
        chip: chip.serial().to_string(),
        opening: ChannelOpening {
            key_set: key_set.into(),
            host_challenge: host.to_vec(),
            answers: [(INITIALIZE_UPDATE.into(), answer)].into(),
        },
    }
}

/// Returns what a chip answered to INITIALIZE UPDATE.
pub(super) fn update(request: &ChannelRequest) -> &[u8] {
    &request.opening.answers[INITIALIZE_UPDATE]
}

/// Returns a request with another answer of the chip.
fn answered(request: &ChannelRequest, answer: &[u8]) -> ChannelRequest {
    let mut other = request.clone();
    let answers = &mut other.opening.answers;
    answers.insert(INITIALIZE_UPDATE.into(), answer.to_vec());
    other
}

/// Returns a request that names another key set.
fn of_key_set(request: &ChannelRequest, key_set: &str) -> ChannelRequest {
    let mut other = request.clone();
    other.opening.key_set = key_set.into();
    other
}

/// Returns the keys of a channel: S-ENC, S-MAC, S-RMAC.
fn session_keys(grant: ChannelGrant) -> [Secret; 3] {
    match grant {
        ChannelGrant::SessionKeys { enc, mac, rmac } => [enc, mac, rmac],
        ChannelGrant::Proof { .. } => panic!("a proof in place of session keys"),
    }
}

pub(super) fn refused<T>(result: Result<T, ApiError>) -> String {
    match result {
        Err(ApiError::Refused { reason }) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[test]
fn the_same_challenge_gets_the_same_keys_and_only_so_many_are_given() {
    with_house(
        "scenarios::key_requests::the_same_challenge_gets_the_same_keys_and_only_so_many_are_given",
        async |house| {
            house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            let request = challenge(&lease, &mut chip, "transport", [1; 8]);
            house.claim(&lease, &request.chip).await.unwrap();
            let first = house
                .central
                .open_channel(&operator(), &request)
                .await
                .unwrap();
            let second = house
                .central
                .open_channel(&operator(), &request)
                .await
                .unwrap();
            let (first, second) = (session_keys(first), session_keys(second));
            for (first, second) in first.iter().zip(&second) {
                assert_eq!(first.expose(), second.expose());
            }
            assert_eq!(house.count("channel.opened", Outcome::Done).await, 1);
            for host in 2..=8 {
                let request = challenge(&lease, &mut chip, "transport", [host; 8]);
                house
                    .central
                    .open_channel(&operator(), &request)
                    .await
                    .unwrap();
            }
            let request = challenge(&lease, &mut chip, "transport", [9; 8]);
            assert!(
                refused(house.central.open_channel(&operator(), &request).await)
                    .contains("8 channels")
            );
        },
    );
}

#[test]
fn a_chip_that_is_not_ours_or_not_in_the_books_gets_nothing() {
    with_house(
        "scenarios::key_requests::a_chip_that_is_not_ours_or_not_in_the_books_gets_nothing",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            house.prepared("06-twenty").await;
            let lease = house.lease("a").await.unwrap();

            let mut stranger = unbooked();
            let request = challenge(&lease, &mut stranger, "transport", [1; 8]);
            assert!(refused(house.claim(&lease, &request.chip).await).contains("no delivery"));
            assert!(
                refused(central.open_channel(&operator(), &request).await)
                    .contains("claim the chip")
            );
            assert_eq!(house.count("chip.claimed", Outcome::Refused).await, 1);

            let mut wrong = Chip::blank(
                Product::find("lateid-v2").unwrap(),
                ChipNumber::random().unwrap(),
                &TransportMasterKey::new(*b"someone else's k"),
                Memory,
            )
            .unwrap();
            house.book(&wrong).await;
            let other_lease = house.lease("b").await.unwrap();
            let request = challenge(&other_lease, &mut wrong, "transport", [1; 8]);
            house.claim(&other_lease, &request.chip).await.unwrap();
            assert!(matches!(
                central.open_channel(&operator(), &request).await,
                Err(ApiError::WrongKeys)
            ));
            assert_eq!(house.count("channel.opened", Outcome::Refused).await, 2);

            let (mut ours, mut other) = (house.blank().await, house.blank().await);
            let request = challenge(&lease, &mut ours, "transport", [2; 8]);
            house.claim(&lease, &request.chip).await.unwrap();
            house.claim(&lease, &request.chip).await.unwrap();
            // This chip's name on another one's data.
            let renamed = ChannelRequest {
                chip: request.chip.clone(),
                ..challenge(&lease, &mut other, "transport", [2; 8])
            };
            assert!(
                refused(central.open_channel(&operator(), &renamed).await)
                    .contains("do not follow from its serial number")
            );
            central.open_channel(&operator(), &request).await.unwrap();
            let second = challenge(&lease, &mut other, "transport", [3; 8]);
            assert!(
                refused(central.open_channel(&operator(), &second).await)
                    .contains("is bound to this lease")
            );
            // The chip is bound to one lease only, and a lease is its station's.
            house.prepared("05-nineteen").await;
            let neighbour = house.lease("c").await.unwrap();
            assert!(refused(house.claim(&neighbour, &request.chip).await).contains("at-station"));
            let stolen = ChannelRequest {
                lease: neighbour.id,
                ..challenge(&lease, &mut ours, "transport", [4; 8])
            };
            assert!(
                refused(central.open_channel(&operator(), &stolen).await)
                    .contains("claim the chip")
            );
            let mut elsewhere = operator();
            elsewhere.station = "station-2".into();
            assert!(matches!(
                central.open_channel(&elsewhere, &request).await,
                Err(ApiError::NotFound { .. })
            ));

            let unknown = of_key_set(&request, "nobody's");
            assert!(matches!(
                central.open_channel(&operator(), &unknown).await,
                Err(ApiError::Invalid { .. })
            ));
            let version = of_key_set(&request, "issuer");
            assert!(
                refused(central.open_channel(&operator(), &version).await)
                    .contains("key version FF")
            );
            for length in 0..update(&request).len() {
                let cut = answered(&request, &update(&request)[..length]);
                assert!(central.open_channel(&operator(), &cut).await.is_err());
            }
            let mut silent = request.clone();
            silent.opening.answers.clear();
            assert!(matches!(
                central.open_channel(&operator(), &silent).await,
                Err(ApiError::Invalid { .. })
            ));
            for length in [0, 7, 9, 16, 300] {
                let mut odd = request.clone();
                odd.opening.host_challenge = vec![2; length];
                assert!(
                    central.open_channel(&operator(), &odd).await.is_err(),
                    "{length}"
                );
            }
        },
    );
}

#[test]
fn put_key_is_the_same_again_and_needs_the_channel() {
    with_house(
        "scenarios::key_requests::put_key_is_the_same_again_and_needs_the_channel",
        async |house| {
            house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            let opened = challenge(&lease, &mut chip, "transport", [1; 8]);
            let request = PutKeyRequest {
                lease: lease.id,
                chip: opened.chip.clone(),
                opening: opened.opening.clone(),
                new: "issuer".into(),
                adds: false,
            };
            assert!(
                refused(house.central.put_keys(&operator(), &request).await)
                    .contains("no blank is bound")
            );
            house.claim(&lease, &opened.chip).await.unwrap();
            house
                .central
                .open_channel(&operator(), &opened)
                .await
                .unwrap();
            let first = house.central.put_keys(&operator(), &request).await.unwrap();
            let again = house.central.put_keys(&operator(), &request).await.unwrap();
            assert!(again == first, "the same commands");
            assert_eq!(first.commands.len(), 1);
            assert_eq!(
                first.commands[0].expose()[..4],
                [0x80, 0xD8, 0x00, 0x81],
                "a new version, and three keys from the first on"
            );
            assert_eq!(first.kcv.len(), 9);
            assert_eq!(first.answer, Some([&[0x01], &first.kcv[..]].concat()));
            // A chip with the issuer's keys answers for those; the centre opened no channel of them.
            let mut said = update(&opened).to_vec();
            said[10] = 0x01;
            let back = PutKeyRequest {
                opening: of_key_set(&answered(&opened, &said), "issuer").opening,
                new: "transport".into(),
                ..request.clone()
            };
            assert!(
                refused(house.central.put_keys(&operator(), &back).await)
                    .contains("no channel of key set")
            );
            let mut said = update(&opened).to_vec();
            said[..10].fill(7);
            let other = PutKeyRequest {
                opening: answered(&opened, &said).opening,
                ..request.clone()
            };
            assert!(
                refused(house.central.put_keys(&operator(), &other).await)
                    .contains("do not follow from its serial number")
            );
        },
    );
}

/// The keys were given, and the station had begun nothing with them: its word that they never reached the
/// chip is believed, and without it the blank is spoiled.
#[test]
fn keys_that_were_renounced_leave_a_blank_untouched() {
    with_house(
        "scenarios::key_requests::keys_that_were_renounced_leave_a_blank_untouched",
        async |house| {
            house.prepared("01-adult").await;
            for (turn, is_renounced) in [(1, true), (2, false)] {
                let mut chip = house.blank().await;
                let lease = house.lease("a").await.unwrap();
                let opened = challenge(&lease, &mut chip, "transport", [turn; 8]);
                house.claim(&lease, &opened.chip).await.unwrap();
                let who = operator();
                house.central.open_channel(&who, &opened).await.unwrap();
                let put = PutKeyRequest {
                    lease: lease.id,
                    chip: opened.chip.clone(),
                    opening: opened.opening.clone(),
                    new: "issuer".into(),
                    adds: false,
                };
                house.central.put_keys(&who, &put).await.unwrap();
                let mut untouched = bare_report(&lease, turn.into(), untouched());
                if !is_renounced {
                    let _ = disbelieved(&house, &untouched).await;
                    continue;
                }
                let line = |moment: &str| JournalLine {
                    at: Timestamp::UNIX_EPOCH,
                    step: "replace_keys issuer".into(),
                    moment: moment.into(),
                    evidence: BTreeMap::new(),
                };
                untouched.journal = [JournalLine::INTENT, JournalLine::WITHDRAWN]
                    .map(line)
                    .into();
                house.central.report(&who, &untouched).await.unwrap();
                let returned = "SELECT count(*) FROM blank WHERE state = 'returned'";
                assert_eq!(house.number(returned).await, 1);
            }
        },
    );
}

/// A certification request signed by openssl's key, in place of a chip's.
fn request_of(key: &EcKey<openssl::pkey::Private>, subject: &[u8]) -> Vec<u8> {
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let point = key
        .public_key()
        .to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)
        .unwrap();
    let name = cert::DistinguishedName::from_der(subject).unwrap();
    let (curve, length) = match key.group().curve_name() {
        Some(Nid::X9_62_PRIME256V1) => (Curve::P256, 32),
        _ => (Curve::P384, 48),
    };
    let info = RequestInfo::new(&name, curve, &point).unwrap();
    let signature = EcdsaSig::sign(&info.digest(), key).unwrap();
    let mut raw = signature.r().to_vec_padded(length).unwrap();
    raw.extend(signature.s().to_vec_padded(length).unwrap());
    info.assemble(&raw).unwrap()
}

fn key() -> EcKey<openssl::pkey::Private> {
    key_on(Nid::SECP384R1)
}

fn key_on(curve: Nid) -> EcKey<openssl::pkey::Private> {
    EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()
}

async fn bound(house: &House, slot: &str) -> (api::Lease, Chip) {
    let mut chip = house.blank().await;
    let lease = house.lease(slot).await.unwrap();
    let request = challenge(&lease, &mut chip, "transport", [1; 8]);
    house.claim(&lease, &request.chip).await.unwrap();
    house
        .central
        .open_channel(&operator(), &request)
        .await
        .unwrap();
    (lease, chip)
}

#[test]
fn a_rogue_certification_request_gets_no_certificate() {
    with_house(
        "scenarios::key_requests::a_rogue_certification_request_gets_no_certificate",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            house.prepared("06-twenty").await;
            let (lease, chip) = bound(&house, "a").await;
            let (own, subject) = (key(), &lease.subjects["authentication"]);
            let good = CertifyRequest {
                lease: lease.id,
                chip: chip.serial().to_string(),
                key: "authentication".into(),
                profile: "eid-authentication".into(),
                request: request_of(&own, subject),
            };

            let mut altered = good.clone();
            *altered.request.last_mut().unwrap() ^= 1;
            refused(central.certify(&operator(), &altered).await);
            let (other, other_chip) = bound(&house, "b").await;
            let renamed = CertifyRequest {
                request: request_of(&own, &other.subjects["authentication"]),
                ..good.clone()
            };
            assert!(
                refused(central.certify(&operator(), &renamed).await).contains("another subject")
            );
            for (key, profile) in [
                ("authentication", "eid-signature"),
                ("signature", "eid-authentication"),
                ("card", "pilot-ca"),
            ] {
                let crossed = CertifyRequest {
                    key: key.into(),
                    profile: profile.into(),
                    ..good.clone()
                };
                assert!(
                    refused(central.certify(&operator(), &crossed).await)
                        .contains("no certificate of this profile")
                );
            }
            let weaker = CertifyRequest {
                request: request_of(&key_on(Nid::X9_62_PRIME256V1), subject),
                ..good.clone()
            };
            let reason = refused(central.certify(&operator(), &weaker).await);
            assert!(reason.contains("is to be P-384"), "{reason}");
            let foreign = CertifyRequest {
                chip: other_chip.serial().to_string(),
                ..good.clone()
            };
            assert!(
                refused(central.certify(&operator(), &foreign).await)
                    .contains("is bound to this lease")
            );
            for junk in [Vec::new(), vec![0x30], vec![0x30; 20_000]] {
                refused(
                    central
                        .certify(
                            &operator(),
                            &CertifyRequest {
                                request: junk,
                                ..good.clone()
                            },
                        )
                        .await,
                );
            }
            assert_eq!(house.number("SELECT count(*) FROM certificate").await, 0);
            assert_eq!(
                house.count("certificate.issued", Outcome::Refused).await,
                10
            );

            // The same key, signed for anew: the same certificate. Another key: none.
            let der = central.certify(&operator(), &good).await.unwrap();
            assert_eq!(central.certify(&operator(), &good).await.unwrap(), der);
            let again = CertifyRequest {
                request: request_of(&own, subject),
                ..good.clone()
            };
            assert_ne!(
                again.request, good.request,
                "an ECDSA signature is made with fresh randomness"
            );
            assert_eq!(central.certify(&operator(), &again).await.unwrap(), der);
            let second = CertifyRequest {
                request: request_of(&key(), subject),
                ..good.clone()
            };
            assert!(
                refused(central.certify(&operator(), &second).await)
                    .contains("another key was certified")
            );
            // A key that was certified is nobody else's, and no other key's.
            let reused = CertifyRequest {
                lease: other.id,
                chip: other_chip.serial().to_string(),
                request: request_of(&own, &other.subjects["authentication"]),
                ..good.clone()
            };
            assert!(
                refused(central.certify(&operator(), &reused).await).contains("certified before")
            );
            let twice = CertifyRequest {
                key: "signature".into(),
                profile: "eid-signature".into(),
                request: request_of(&own, &lease.subjects["signature"]),
                ..good
            };
            assert!(
                refused(central.certify(&operator(), &twice).await).contains("certified before")
            );
            assert_eq!(house.number("SELECT count(*) FROM certificate").await, 1);
        },
    );
}

#[test]
fn the_keys_that_stations_get_are_those_of_the_standard() {
    with_house(
        "scenarios::key_requests::the_keys_that_stations_get_are_those_of_the_standard",
        async |house| {
            // A whole run on the strict chip proves them; this compares with the derivation from the
            // published method, master key in hand.
            house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            let request = challenge(&lease, &mut chip, "transport", [5; 8]);
            house.claim(&lease, &request.chip).await.unwrap();
            let given = house
                .central
                .open_channel(&operator(), &request)
                .await
                .unwrap();
            let update = card::gp::InitializeUpdate::parse(update(&request)).unwrap();
            let master = Key::new(b"maker's transpor").unwrap();
            let method = card::gp::Diversification::Kdf3;
            let keys = method.keys(&master, update.diversification()).unwrap();
            let session = card::gp::SessionKeys::derive(
                &keys,
                &HostChallenge::new([5; 8]),
                update.card_challenge(),
            );
            let [enc, mac, rmac] = session_keys(given);
            assert_eq!(enc.expose(), session.enc.as_bytes());
            assert_eq!(mac.expose(), session.mac.as_bytes());
            assert_eq!(rmac.expose(), session.rmac.as_bytes());
        },
    );
}

#[test]
fn a_station_that_asks_too_fast_gets_no_keys_for_a_while() {
    with_adapted_house(
        "scenarios::key_requests::a_station_that_asks_too_fast_gets_no_keys_for_a_while",
        |config| config.channels_a_minute = 1,
        async |house| {
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
            let fault = format!("{:?}", run.outcome.fault);
            assert!(fault.contains("within a minute"), "{fault}");
            assert_eq!(house.count("channel.opened", Outcome::Done).await, 1);
            assert_eq!(house.count("channel.opened", Outcome::Refused).await, 1);
        },
    );
}
