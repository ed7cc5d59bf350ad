//! Sealed stages: the holder's PINs, seen by the chip and the envelope alone.

use std::collections::BTreeMap;

use api::{
    ApiError, BlankEnd, Centre, ChannelRequest, ConfirmRequest, PutKeyRequest, SealRequest,
    SealedCommand,
};
use audit::Outcome;
use vcard::{Chip, Fault, FaultKind};

use super::bench::{bare_report, disbelieved, personalize, report, spoiled, untouched};
use super::house::{House, operator, with_house};
use super::key_requests::{challenge, refused};

/// Asks for a stage's commands under a channel.
pub(super) fn sealing(channel: &ChannelRequest, stage: &str) -> SealRequest {
    SealRequest {
        lease: channel.lease,
        chip: channel.chip.clone(),
        stage: stage.into(),
        opening: Some(channel.opening.clone()),
        carries: api::Carries::default(),
        pins: BTreeMap::new(),
    }
}

/// Asks for the keys of a sealed stage's channel.
fn channel(sealed: &SealRequest) -> ChannelRequest {
    ChannelRequest {
        lease: sealed.lease,
        chip: sealed.chip.clone(),
        opening: sealed.opening.clone().unwrap(),
    }
}

/// Carries the commands of a sealed stage to a chip, as a station does.
fn carry(chip: &mut Chip, commands: &[SealedCommand]) -> Vec<Vec<u8>> {
    let commands = commands.iter();
    commands
        .map(|sealed| chip.process(sealed.command.expose()))
        .collect()
}

#[test]
fn a_sealed_channel_is_never_opened_for_a_station() {
    with_house(
        "scenarios::sealing::a_sealed_channel_is_never_opened_for_a_station",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let chip = house.blank().await;
            let lease = house.lease("slot-1").await.unwrap();
            let whole = personalize(&house, &lease, chip, Vec::new()).await;
            assert!(whole.outcome.fault.is_none());
            let stages: Vec<_> = whole.sealed.iter().map(|one| one.stage.as_str()).collect();
            assert_eq!(stages, ["set the holder's PINs", "close"]);
            for sealed in &whole.sealed {
                // The sequence counter is no part of what session keys follow from.
                let own = channel(sealed);
                let mut disguised = own.clone();
                let answer = disguised.opening.answers.values_mut().next().unwrap();
                *answer.last_mut().unwrap() ^= 1;
                for channel in [&own, &disguised] {
                    assert!(
                        refused(central.open_channel(&operator(), channel).await)
                            .contains("was sealed under this lease")
                    );
                }
            }
            // Even if the stage were forgotten, its challenge is not.
            house
                .meddle("DELETE FROM envelope; DELETE FROM sealed_stage")
                .await;
            for sealed in &whole.sealed {
                assert!(
                    refused(central.open_channel(&operator(), &channel(sealed)).await)
                        .contains("for another channel")
                );
            }
            // And a station's channel is not sealed.
            let last = whole
                .channels
                .iter()
                .rfind(|channel| channel.opening.key_set == "issuer")
                .unwrap();
            let turned = sealing(last, &whole.sealed[0].stage);
            assert!(
                refused(central.seal(&operator(), &turned).await).contains("for another channel")
            );
        },
    );
}

#[test]
fn a_confirmation_is_the_chips_own_and_known_when_repeated() {
    with_house(
        "scenarios::sealing::a_confirmation_is_the_chips_own_and_known_when_repeated",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let (lease, run) = make_without_report(&house).await;
            let confirmed: &ConfirmRequest = &run.confirmed[0];
            central.confirm(&operator(), confirmed).await.unwrap();
            assert_eq!(house.count("pins.confirmed", Outcome::Done).await, 1);
            assert_eq!(house.count("stage.confirmed", Outcome::Done).await, 2);
            let (mut chip, mut host) = (run.chip, 42);
            for confirmed in &run.confirmed {
                let mut other = confirmed.clone();
                other.answers[1][0] ^= 1;
                assert!(matches!(
                    central.confirm(&operator(), &other).await,
                    Err(ApiError::Conflict { .. })
                ));
                // What is confirmed is not sealed again, whatever the challenge.
                let channel = challenge(&lease, &mut chip, "issuer", [host; 8]);
                let again = sealing(&channel, &confirmed.stage);
                assert!(refused(central.seal(&operator(), &again).await).contains("confirmed"));
                host += 1;
            }
        },
    );
}

async fn make_without_report(house: &House) -> (api::Lease, super::bench::Run) {
    let chip = house.blank().await;
    let lease = house.lease("slot-1").await.unwrap();
    let run = personalize(house, &lease, chip, Vec::new()).await;
    assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
    (lease, run)
}

/// A blank that has its files and its proved keys, and is about to get the holder's PINs; and how
/// its first channel was asked for.
async fn about_to_seal(house: &House) -> (api::Lease, Chip, ChannelRequest) {
    let chip = house.blank().await;
    let lease = house.lease("slot-1").await.unwrap();
    let fault = vcard::Fault {
        at: 89,
        kind: vcard::FaultKind::RemoveBefore,
    };
    let run = personalize(house, &lease, chip, vec![fault]).await;
    assert_eq!(
        house
            .number("SELECT count(*) FROM certificate WHERE state = 'ready'")
            .await,
        2
    );
    assert!(run.sealed.is_empty());
    (lease, run.chip, run.channels[0].clone())
}

#[test]
fn answers_that_were_tampered_with_confirm_nothing() {
    with_house(
        "scenarios::sealing::answers_that_were_tampered_with_confirm_nothing",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let (lease, mut chip, _) = about_to_seal(&house).await;
            let stage = "set the holder's PINs";
            let seal = async |chip: &mut Chip, host: u8| {
                let channel = challenge(&lease, chip, "issuer", [host; 8]);
                let request = sealing(&channel, stage);
                let grant = central.seal(&operator(), &request).await.unwrap();
                let again = central.seal(&operator(), &request).await.unwrap();
                assert!(again == grant, "a lost answer is given again");
                grant.commands
            };
            let confirm = async |chip: &Chip, answers: Vec<Vec<u8>>| {
                let request = ConfirmRequest {
                    lease: lease.id,
                    chip: chip.serial().to_string(),
                    stage: stage.into(),
                    answers,
                };
                central.confirm(&operator(), &request).await
            };
            let commands = seal(&mut chip, 21).await;
            let honest_looking = vec![vec![0x90, 0x00]; commands.len()];
            assert!(
                refused(confirm(&chip, honest_looking.clone()).await).contains("sealed command 2")
            );
            assert_eq!(house.scalar("SELECT state FROM envelope").await, "sealed");
            // One guess: the channel is gone, and the stage must be sealed anew.
            assert!(matches!(
                confirm(&chip, honest_looking).await,
                Err(ApiError::Conflict { .. })
            ));
            let first = house.bytes("SELECT sealed FROM envelope").await;
            let commands = seal(&mut chip, 22).await;
            assert_ne!(
                house.bytes("SELECT sealed FROM envelope").await,
                first,
                "other PINs, another envelope"
            );
            assert_eq!(house.number("SELECT count(*) FROM envelope").await, 1);
            assert!(
                refused(confirm(&chip, vec![vec![0x90, 0x00]; commands.len() - 1]).await)
                    .contains("came back")
            );
            assert!(matches!(
                confirm(&chip, Vec::new()).await,
                Err(ApiError::Conflict { .. })
            ));
            // An envelope that was not confirmed is not printed.
            let number = lease.record.number.to_string();
            assert!(
                central
                    .print_envelope(&super::house::actor("envelopes"), &number)
                    .await
                    .is_err()
            );
            // Only a sealed stage is sealed, and only under its own key set.
            let channel = challenge(&lease, &mut chip, "issuer", [23; 8]);
            let open = sealing(&channel, "build");
            assert!(matches!(
                central.seal(&operator(), &open).await,
                Err(ApiError::Invalid { .. })
            ));
            // A channel that waited too long is forgotten; the stage is sealed anew.
            let commands = seal(&mut chip, 24).await;
            house.clock.pass(jiff::SignedDuration::from_mins(6));
            seal(&mut chip, 25).await;
            let answers = carry(&mut chip, &commands);
            assert!(
                refused(confirm(&chip, answers).await).contains("sealed command"),
                "answers to an earlier sealing"
            );
        },
    );
}

#[test]
fn from_the_first_sealed_stage_on_no_station_gets_keys() {
    with_house(
        "scenarios::sealing::from_the_first_sealed_stage_on_no_station_gets_keys",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let (lease, mut chip, taken) = about_to_seal(&house).await;
            let before = challenge(&lease, &mut chip, "issuer", [30; 8]);
            central.open_channel(&operator(), &before).await.unwrap();
            let put = PutKeyRequest {
                lease: lease.id,
                chip: before.chip.clone(),
                opening: taken.opening.clone(),
                new: "issuer".into(),
                adds: false,
            };
            central.put_keys(&operator(), &put).await.unwrap();
            // No station puts back what the maker knows, nor a set beside the one of the plan.
            let back = PutKeyRequest {
                opening: before.opening.clone(),
                new: "transport".into(),
                ..put.clone()
            };
            let beside = PutKeyRequest {
                adds: true,
                ..put.clone()
            };
            for unplanned in [back, beside] {
                assert!(
                    refused(central.put_keys(&operator(), &unplanned).await)
                        .contains("the plan of this document does not")
                );
            }
            // What is refused seals nothing.
            let seal = async |chip: &mut Chip, stage: &str, host: u8| {
                let channel = challenge(&lease, chip, "issuer", [host; 8]);
                let request = sealing(&channel, stage);
                central.seal(&operator(), &request).await
            };
            assert!(seal(&mut chip, "build", 31).await.is_err());
            central.open_channel(&operator(), &before).await.unwrap();

            let close = seal(&mut chip, "close", 32).await.unwrap();
            assert_eq!(
                close.commands.len(),
                3,
                "EXTERNAL AUTHENTICATE and two states"
            );
            assert_eq!(house.number("SELECT count(*) FROM envelope").await, 0);
            let after = challenge(&lease, &mut chip, "issuer", [33; 8]);
            for channel in [&before, &after] {
                assert!(
                    refused(central.open_channel(&operator(), channel).await)
                        .contains("was sealed under this lease")
                );
            }
            assert!(
                refused(central.put_keys(&operator(), &put).await)
                    .contains("was sealed under this lease")
            );
            // Sealing goes on, and two stages may wait for their answers one after the other.
            let stage = "set the holder's PINs";
            let pins = seal(&mut chip, stage, 34).await.unwrap();
            let answers = carry(&mut chip, &pins.commands);
            let confirmation = ConfirmRequest {
                lease: lease.id,
                chip: chip.serial().to_string(),
                stage: "close".into(),
                answers,
            };
            assert!(matches!(
                central.confirm(&operator(), &confirmation).await,
                Err(ApiError::Conflict { .. })
            ));
            let claim = bare_report(&lease, 1, untouched());
            assert!(disbelieved(&house, &claim).await.contains("sealed stages"));
            let spoiled = bare_report(&lease, 1, spoiled());
            central.report(&operator(), &spoiled).await.unwrap();
        },
    );
}

#[test]
fn a_document_that_was_not_closed_is_not_whole() {
    with_house(
        "scenarios::sealing::a_document_that_was_not_closed_is_not_whole",
        async |house| {
            for name in ["01-adult", "02-child-under-5"] {
                house.prepared(name).await;
            }
            // Torn out between the sealed commands that close the chip.
            for (slot, at, confirmed) in [("adult's", 98, 1), ("child's", 19, 0)] {
                let lease = house.lease(slot).await.unwrap();
                let fault = Fault {
                    at,
                    kind: FaultKind::RemoveBefore,
                };
                let run = personalize(&house, &lease, house.blank().await, vec![fault]).await;
                let stages: Vec<_> = run.sealed.iter().map(|one| one.stage.as_str()).collect();
                assert_eq!(
                    (stages.last(), run.confirmed.len()),
                    (Some(&"close"), confirmed),
                    "{:?}",
                    run.outcome.fault
                );
                let claim = report(&lease, 1, &run, BlankEnd::Personalized);
                let reason = disbelieved(&house, &claim).await;
                assert!(reason.contains("stage \"close\" of chip"), "{reason}");
            }
        },
    );
}
