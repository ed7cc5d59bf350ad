//! One challenge is answered for one purpose, whatever the protocol binds the answer to.

use api::{
    ApiError, BlankEnd, Centre, ChannelOpening, ChannelRequest, ConfirmRequest, Lease,
    PutKeyRequest, ReportedChip,
};
use audit::Outcome;

use super::bench::{bare_report, journal};
use super::house::{operator, with_adapted_house};
use super::judge::{Side, bytes, opening, scp02, told};
use super::key_requests::refused;
use super::sealed_pins::mutual;
use super::small_chips::{SERIALS, installed, leased, sealed, stages};
use crate::Config;

fn asked(lease: &Lease, opening: &ChannelOpening) -> ChannelRequest {
    ChannelRequest {
        lease: lease.id,
        chip: SERIALS[0].into(),
        opening: opening.clone(),
    }
}

#[test]
fn a_chips_challenge_is_one_whatever_is_said_beside_it() {
    with_adapted_house(
        "scenarios::one_purpose::a_chips_challenge_is_one_whatever_is_said_beside_it",
        mutual,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            house.prepared("06-twenty").await;
            let lease = leased(&house, "mutual", SERIALS[0], "a").await;
            let challenge = ("channel.challenge", &[9; 8][..]);
            let first = told("transport", &[1; 8], &[challenge]);
            let given = central
                .open_channel(&operator(), &asked(&lease, &first))
                .await;
            let again = central
                .open_channel(&operator(), &asked(&lease, &first))
                .await;
            assert!(
                given.unwrap() == again.unwrap(),
                "a lost answer is given again"
            );

            // For a seal, with another word of the host, or with more words of the chip.
            let beside = ("channel.more", &[1][..]);
            for other in [
                first.clone(),
                told("transport", &[2; 8], &[challenge]),
                told("transport", &[1; 8], &[challenge, beside]),
            ] {
                let request = sealed(&lease, SERIALS[0], "first", Some(other));
                assert!(
                    refused(central.seal(&operator(), &request).await)
                        .contains("for another channel")
                );
            }
            // And the other way round; then no station opens a channel at all.
            let sealed_one = told("transport", &[1; 8], &[("channel.challenge", &[7; 8])]);
            let request = sealed(&lease, SERIALS[0], "first", Some(sealed_one.clone()));
            central.seal(&operator(), &request).await.unwrap();
            house
                .meddle("DELETE FROM envelope; DELETE FROM sealed_stage")
                .await;
            let mut turned = sealed_one;
            turned.host_challenge = vec![3; 8];
            assert!(
                refused(
                    central
                        .open_channel(&operator(), &asked(&lease, &turned))
                        .await
                )
                .contains("for another channel")
            );
            // What no chip can say is refused.
            for name in ["channel.key", "channel.proof", "channel.host", "pin.value"] {
                let odd = told("transport", &[4; 8], &[challenge, (name, &[1; 16])]);
                let given = central
                    .open_channel(&operator(), &asked(&lease, &odd))
                    .await;
                assert!(matches!(given, Err(ApiError::Invalid { .. })), "{name}");
            }
        },
    );
}

/// A chip of SCP02 under a key that the world knows, which the station looks at under both.
fn old_stock(config: &mut Config) {
    let look =
        "[[stages]]\nname = \"look\"\nselect = \"domain\"\nchannel = \"issuer\"\nsteps = []\n";
    stock(config, look);
}

/// The same, where only the centre speaks under the issuer's keys.
fn closed_stock(config: &mut Config) {
    stock(config, "");
}

fn stock(config: &mut Config, look: &str) {
    let channel = r#"
[channel]
protocol = "scp02"
level = "c-mac c-enc"
[channel.keys.transport]
version = 0x20
known = "404142434445464748494A4B4C4D4E4F"
[channel.keys.issuer]
version = 0x21
known = "505152535455565758595A5B5C5D5E5F"
[[stages]]
name = "take over"
select = "domain"
channel = "transport"
steps = ["replace_keys issuer"]
"#;
    let stages = stages("channel = \"issuer\"");
    installed(config, "old-stock", &format!("{channel}{look}{stages}"), "");
}

#[test]
fn a_station_gets_no_keys_for_what_only_the_centre_opens() {
    with_adapted_house(
        "scenarios::one_purpose::a_station_gets_no_keys_for_what_only_the_centre_opens",
        closed_stock,
        async |house| {
            house.prepared("01-adult").await;
            let lease = leased(&house, "old-stock", SERIALS[0], "a").await;
            let serial: [u8; 10] = bytes(SERIALS[0]).try_into().unwrap();
            let key: Vec<u8> = (0x50..0x60).collect();
            let host = [1; 8];
            let Side { answer, .. } = scp02([&key, &key], serial, 0x21, [0, 1], [1; 6], host);
            let update = perso::Opening::INITIALIZE_UPDATE;
            let opening = told("issuer", &host, &[(update, &answer)]);
            let request = asked(&lease, &opening);
            let said = refused(house.central.open_channel(&operator(), &request).await);
            assert!(said.contains("from the station"), "{said}");
            let request = sealed(&lease, SERIALS[0], "first", Some(opening));
            house.central.seal(&operator(), &request).await.unwrap();
        },
    );
}

#[test]
fn a_sequence_counter_of_scp02_is_used_for_one_purpose() {
    with_adapted_house(
        "scenarios::one_purpose::a_sequence_counter_of_scp02_is_used_for_one_purpose",
        old_stock,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = leased(&house, "old-stock", SERIALS[0], "a").await;
            let serial: [u8; 10] = bytes(SERIALS[0]).try_into().unwrap();
            let said = |version: u8, counter: u8, word: u8| -> ChannelOpening {
                let key: Vec<u8> = match version {
                    0x20 => (0x40..0x50).collect(),
                    _ => (0x50..0x60).collect(),
                };
                let host = [word; 8];
                let Side { answer, .. } =
                    scp02([&key, &key], serial, version, [0, counter], [word; 6], host);
                let set = if version == 0x20 {
                    "transport"
                } else {
                    "issuer"
                };
                opening(set, &host, &answer)
            };
            // Two challenges, one counter: the session keys are the same, and so is the purpose.
            let (one, two) = (said(0x21, 5, 1), said(0x21, 5, 2));
            let ChannelKeys(first) = keys(
                central
                    .open_channel(&operator(), &asked(&lease, &one))
                    .await,
            );
            let ChannelKeys(second) = keys(
                central
                    .open_channel(&operator(), &asked(&lease, &two))
                    .await,
            );
            assert!(
                first == second,
                "session keys follow from the counter alone"
            );
            let third = sealed(&lease, SERIALS[0], "first", Some(said(0x21, 5, 3)));
            assert!(
                refused(central.seal(&operator(), &third).await).contains("for another channel")
            );
            // The other key set has a counter of its own.
            let put = said(0x20, 5, 4);
            central
                .open_channel(&operator(), &asked(&lease, &put))
                .await
                .unwrap();
            // PUT KEY is encrypted for the very channel that was opened.
            let request = PutKeyRequest {
                lease: lease.id,
                chip: SERIALS[0].into(),
                opening: put,
                new: "issuer".into(),
                adds: false,
            };
            let grant = central.put_keys(&operator(), &request).await.unwrap();
            assert_eq!(grant.commands[0].expose()[..4], [0x80, 0xD8, 0x20, 0x81]);
            let mut elsewhere = request;
            elsewhere.opening = said(0x20, 6, 5);
            assert!(
                refused(central.put_keys(&operator(), &elsewhere).await)
                    .contains("no channel of key set")
            );

            // A seal that was lost is made anew under the same counter, by a new challenge.
            for word in [6, 7] {
                let request = sealed(&lease, SERIALS[0], "first", Some(said(0x21, 6, word)));
                central.seal(&operator(), &request).await.unwrap();
            }
            house
                .meddle("DELETE FROM envelope; DELETE FROM sealed_stage")
                .await;
            let late = asked(&lease, &said(0x21, 6, 8));
            assert!(
                refused(central.open_channel(&operator(), &late).await)
                    .contains("for another channel")
            );
        },
    );
}

/// The same chip, whose transport key set is taken off under the issuer's.
fn cleared(config: &mut Config) {
    let channel = r#"
[channel]
protocol = "scp02"
level = "c-mac c-enc"
[channel.keys.transport]
version = 0x20
known = "404142434445464748494A4B4C4D4E4F"
[channel.keys.issuer]
version = 0x21
known = "505152535455565758595A5B5C5D5E5F"
[[stages]]
name = "take over"
select = "domain"
channel = "transport"
steps = ["add_keys issuer"]
[[stages]]
name = "clear"
select = "domain"
channel = "issuer"
steps = ["remove_keys transport"]
"#;
    let stages = stages("channel = \"issuer\"");
    installed(config, "old-stock", &format!("{channel}{stages}"), "");
}

#[test]
fn what_a_station_removes_by_itself_is_in_the_log_when_the_document_is_done() {
    with_adapted_house(
        "scenarios::one_purpose::what_a_station_removes_by_itself_is_in_the_log_when_the_document_is_done",
        cleared,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = leased(&house, "old-stock", SERIALS[0], "a").await;
            let serial: [u8; 10] = bytes(SERIALS[0]).try_into().unwrap();
            let key: Vec<u8> = (0x50..0x60).collect();
            for (counter, stage) in (1..).zip(["first", "second", "close"]) {
                let host = [counter; 8];
                let Side { answer, .. } =
                    scp02([&key, &key], serial, 0x21, [0, counter], [counter; 6], host);
                let opening = opening("issuer", &host, &answer);
                let request = sealed(&lease, SERIALS[0], stage, Some(opening));
                let grant = central.seal(&operator(), &request).await.unwrap();
                let confirm = ConfirmRequest {
                    lease: lease.id,
                    chip: SERIALS[0].into(),
                    stage: stage.into(),
                    answers: vec![vec![0x90, 0x00]; grant.commands.len()],
                };
                central.confirm(&operator(), &confirm).await.unwrap();
            }
            let removed = async || house.count("keys.removed", Outcome::Done).await;
            assert_eq!(removed().await, 0);
            let mut whole = bare_report(&lease, 1, BlankEnd::Personalized);
            whole.journal = journal();
            whole.chips = vec![ReportedChip {
                interface: "contact".into(),
                product: "old-stock".into(),
                serial: Some(SERIALS[0].into()),
                os: None,
                commands: 1,
                bytes: 1,
            }];
            central.report(&operator(), &whole).await.unwrap();
            assert_eq!(house.count("lease.reported", Outcome::Done).await, 1);
            assert_eq!(removed().await, 1);
        },
    );
}

struct ChannelKeys([api::Secret; 3]);

fn keys(grant: Result<api::ChannelGrant, ApiError>) -> ChannelKeys {
    match grant.unwrap() {
        api::ChannelGrant::SessionKeys { enc, mac, rmac } => ChannelKeys([enc, mac, rmac]),
        api::ChannelGrant::Proof { .. } => panic!("a proof in place of session keys"),
    }
}

/// A chip of PIV's school: the host answers the chip's witness, and the chip the host's challenge
/// alone.
fn witness(config: &mut Config) {
    let channel = r#"
[channel]
protocol = "challenge"
host = 16
proof = "aes_ecb_decrypt(channel.key, channel.witness)"
answer = "aes_ecb(channel.key, channel.host)"
[channel.keys.transport]
diversification = "kdf3"
context = "hex_bytes(chip.serial)"

[[operations.open_channel]]
header = "00 87 08 9B"
data = "7C { 80 { } }"
le = 256
take = { "channel.witness" = "7C/80" }
[[operations.open_channel]]
header = "00 87 08 9B"
data = "7C { 80 { channel.proof } 81 { channel.host } 82 { } }"
le = 256
take = { "channel.answer" = "7C/82" }
[states.begun]
title = "begun"
[[stages]]
name = "open"
select = "domain"
channel = "transport"
steps = ["set_state begun"]
"#;
    let stages = stages("channel = \"transport\"");
    installed(config, "witness", &format!("{channel}{stages}"), "");
}

#[test]
fn a_chips_own_proof_that_a_station_has_stands_under_no_seal() {
    with_adapted_house(
        "scenarios::one_purpose::a_chips_own_proof_that_a_station_has_stands_under_no_seal",
        witness,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = leased(&house, "witness", SERIALS[0], "a").await;
            let said = |host: u8, witness: u8| {
                let witness = [witness; 16];
                told("transport", &[host; 16], &[("channel.witness", &witness)])
            };
            let channel = asked(&lease, &said(1, 1));
            let given = central.open_channel(&operator(), &channel).await.unwrap();
            let api::ChannelGrant::Proof { answer, .. } = given else {
                panic!("session keys in place of a proof")
            };
            assert_eq!(
                answer.unwrap().expose().len(),
                16,
                "what the chip must answer"
            );

            // The station has that answer: another witness does not make it the chip's again.
            let replayed = sealed(&lease, SERIALS[0], "first", Some(said(1, 2)));
            assert!(
                refused(central.seal(&operator(), &replayed).await).contains("for another channel")
            );
            assert_eq!(house.number("SELECT count(*) FROM sealed_stage").await, 0);
            // For itself, a station may ask again.
            let channel = asked(&lease, &said(1, 3));
            central.open_channel(&operator(), &channel).await.unwrap();

            // What the chip answered under one seal is read on its way, and serves no other.
            let first = sealed(&lease, SERIALS[0], "first", Some(said(2, 4)));
            let grant = central.seal(&operator(), &first).await.unwrap();
            assert!(central.seal(&operator(), &first).await.unwrap() == grant);
            for (stage, witness) in [("first", 5), ("second", 6)] {
                let again = sealed(&lease, SERIALS[0], stage, Some(said(2, witness)));
                assert!(
                    refused(central.seal(&operator(), &again).await)
                        .contains("for another channel")
                );
            }
            let anew = sealed(&lease, SERIALS[0], "first", Some(said(3, 7)));
            central.seal(&operator(), &anew).await.unwrap();
            // Nor is it given to a station later.
            house
                .meddle("DELETE FROM envelope; DELETE FROM sealed_stage")
                .await;
            let late = asked(&lease, &said(3, 8));
            assert!(
                refused(central.open_channel(&operator(), &late).await)
                    .contains("for another channel")
            );
        },
    );
}

/// A chip that takes what its transport key makes as a password: there is nothing to answer.
fn password(config: &mut Config) {
    let channel = r#"
[channel]
protocol = "challenge"
proof = "sha256(channel.key)"
[channel.keys.transport]
diversification = "kdf3"
context = "hex_bytes(chip.serial)"
[[operations.open_channel]]
header = "00 20 00 81"
data = "channel.proof"
[states.begun]
title = "begun"
[[stages]]
name = "open"
select = "domain"
channel = "transport"
steps = ["set_state begun"]
"#;
    let stages = stages("channel = \"transport\"");
    installed(config, "password", &format!("{channel}{stages}"), "");
}

#[test]
fn a_proof_that_is_always_the_same_may_be_given_again() {
    with_adapted_house(
        "scenarios::one_purpose::a_proof_that_is_always_the_same_may_be_given_again",
        password,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = leased(&house, "password", SERIALS[0], "a").await;
            let opening = told("transport", &[], &[]);
            for _ in 0..3 {
                let request = asked(&lease, &opening);
                central.open_channel(&operator(), &request).await.unwrap();
            }
            let request = sealed(&lease, SERIALS[0], "first", Some(opening.clone()));
            let grant = central.seal(&operator(), &request).await.unwrap();
            assert!(central.seal(&operator(), &request).await.unwrap() == grant);
            // After a restart of the store: sealed anew, since no challenge can be new.
            central.sealed().forget(central.now(), lease.id);
            let anew = central.seal(&operator(), &request).await.unwrap();
            assert!(anew != grant, "other PINs");
            assert_eq!(house.number("SELECT count(*) FROM envelope").await, 1);
            // And yet no station opens a channel from then on.
            let late = asked(&lease, &opening);
            assert!(
                refused(central.open_channel(&operator(), &late).await)
                    .contains("was sealed under this lease")
            );
        },
    );
}
