//! Reports that cannot be true: taken in, so that the next one is heard, and what they are about is
//! put aside.

use api::{ApiError, BlankEnd, Centre, JournalLine, Lease, PutKeyRequest};
use audit::Outcome;
use document::Role;
use document::life_cycle::BlankState;
use vcard::Chip;

use super::bench::{
    Run, bare_report, journal, make, personalize, put_aside, report, spoiled, untouched,
};
use super::house::{House, PRODUCT, actor, operator, with_house};
use super::key_requests::{challenge, refused};
use crate::{Central, Config, Handling};

async fn blank_state(house: &House) -> BlankState {
    let blanks = house.central.blanks(&actor("keeper")).await.unwrap();
    blanks[0].state
}

/// Has the issuer's keys given for a blank that is in its maker's state.
async fn keys_given(house: &House, lease: &Lease, chip: &mut Chip) {
    let opened = challenge(lease, chip, "transport", [1; 8]);
    let put = PutKeyRequest {
        lease: lease.id,
        chip: opened.chip.clone(),
        opening: opened.opening.clone(),
        new: "issuer".into(),
        adds: false,
    };
    house.claim(lease, &opened.chip).await.unwrap();
    for _ in 0..2 {
        let central = &house.central;
        central.open_channel(&operator(), &opened).await.unwrap();
        central.put_keys(&operator(), &put).await.unwrap();
    }
}

fn line(moment: &str) -> JournalLine {
    JournalLine {
        step: "replace_keys issuer".into(),
        moment: moment.into(),
        ..journal().remove(0)
    }
}

#[test]
fn a_blank_that_got_keys_is_not_untouched() {
    with_house(
        "scenarios::incidents::a_blank_that_got_keys_is_not_untouched",
        async |house| {
            let old = house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            keys_given(&house, &lease, &mut chip).await;
            for action in ["channel.opened", "channel.given-again"] {
                assert_eq!(house.count(action, Outcome::Done).await, 1, "{action}");
            }
            for action in ["keys.given", "keys.given-again"] {
                assert_eq!(house.count(action, Outcome::Done).await, 1, "{action}");
            }
            let entries = house.entries().await;
            let given = entries
                .iter()
                .find(|entry| entry.action.as_str() == "keys.given");
            assert_eq!(given.unwrap().details.get("adds"), Some("false"));

            let entry = put_aside(&house, &bare_report(&lease, 1, untouched())).await;
            assert!(entry.cause.unwrap().as_str().contains("not untouched"));
            assert_eq!(entry.details.get("put-aside"), Some("lease.put-aside"));
            assert_eq!(blank_state(&house).await, BlankState::Spoiled);
            let again = house.lease("a").await.unwrap();
            assert_ne!(again.record.number, old, "the number is on the blank");
        },
    );
}

#[test]
fn keys_for_a_step_that_was_withdrawn_leave_the_blank_untouched() {
    with_house(
        "scenarios::incidents::keys_for_a_step_that_was_withdrawn_leave_the_blank_untouched",
        async |house| {
            let number = house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            keys_given(&house, &lease, &mut chip).await;
            // It was announced, the centre was away, and nothing was sent to the chip.
            let mut back = bare_report(&lease, 1, untouched());
            back.journal = ["intent", "withdrawn"].map(line).into();
            house.central.report(&operator(), &back).await.unwrap();
            assert_eq!(blank_state(&house).await, BlankState::Returned);
            assert_eq!(house.count("lease.reported", Outcome::Refused).await, 0);
            let again = house.lease("a").await.unwrap();
            assert_eq!(again.record.number, number);

            // What was announced once more may have been done.
            let mut chip = house.blank().await;
            keys_given(&house, &again, &mut chip).await;
            let mut claim = bare_report(&again, 2, untouched());
            let moments = ["intent", "withdrawn", "intent"];
            claim.journal = moments.map(line).into();
            let entry = put_aside(&house, &claim).await;
            assert!(entry.cause.unwrap().as_str().contains("not untouched"));
        },
    );
}

#[test]
fn a_journal_that_began_something_is_believed_and_its_end_is_not() {
    with_house(
        "scenarios::incidents::a_journal_that_began_something_is_believed_and_its_end_is_not",
        async |house| {
            house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            let opened = challenge(&lease, &mut chip, "transport", [1; 8]);
            let central = &house.central;
            house.claim(&lease, &opened.chip).await.unwrap();
            central.open_channel(&operator(), &opened).await.unwrap();
            let mut claim = bare_report(&lease, 1, untouched());
            claim.journal = journal();
            claim.journal[0].moment = "intent".into();
            let entry = put_aside(&house, &claim).await;
            assert!(entry.cause.unwrap().as_str().contains("journal has begun"));
            assert_eq!(blank_state(&house).await, BlankState::Spoiled);
            let lines = "SELECT count(*) FROM journal_line";
            assert_eq!(house.number(lines).await, 1, "what it says is kept");
        },
    );
}

#[test]
fn a_malformed_report_holds_up_no_other() {
    with_house(
        "scenarios::incidents::a_malformed_report_holds_up_no_other",
        async |house| {
            let central = &house.central;
            for name in ["01-adult", "06-twenty"] {
                house.prepared(name).await;
            }
            let lease = house.lease("a").await.unwrap();
            let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
            let mut claim = report(&lease, 1, &run, BlankEnd::Personalized);
            claim.chips[0].os = Some("x".repeat(129));
            claim.milliseconds = u64::MAX;
            let entry = put_aside(&house, &claim).await;
            assert!(entry.cause.unwrap().as_str().contains("too long a name"));
            assert_eq!(blank_state(&house).await, BlankState::Spoiled);
            assert_eq!(house.number("SELECT count(*) FROM reported_chip").await, 0);
            assert_eq!(
                house
                    .number("SELECT count(*) FROM certificate WHERE state = 'issued-on-hold'")
                    .await,
                0
            );
            make(&house, 2).await;

            // Nothing was bound: what is named is put aside, by name, and the document waits.
            let lease = house.lease("b").await.unwrap();
            let broken = house.blank().await;
            let run = Run {
                chip: broken,
                ..run
            };
            let mut claim = report(&lease, 3, &run, spoiled());
            claim.chips[0].interface = "x".repeat(65);
            put_aside(&house, &claim).await;
            assert_eq!(house.count("blank.spoiled", Outcome::Done).await, 1);
            let again = house.lease("b").await.unwrap();
            assert_eq!(again.record.number, lease.record.number);
            let nothing = bare_report(&again, 4, BlankEnd::Spoiled { cause: "".into() });
            put_aside(&house, &nothing).await;
            assert_eq!(house.number("SELECT max(sequence) FROM report").await, 4);

            // What is no report of this station stays refused.
            let mut elsewhere = operator();
            elsewhere.station = "station-2".into();
            let foreign = bare_report(&lease, 1, untouched());
            assert!(matches!(
                central.report(&elsewhere, &foreign).await,
                Err(ApiError::NotFound { .. })
            ));
        },
    );
}

fn with_other_chip(config: &mut Config) {
    let text = include_str!("../../../firmware-profiles/chips/lateid-v2.toml");
    config.chips.put(PRODUCT, format!("{text}\n# changed\n"));
}

fn with_other_document(config: &mut Config) {
    let text = include_str!("../../profiles/one-chip/eid-card.toml");
    config
        .documents
        .put("eid-card", format!("{text}\n# changed\n"));
}

#[test]
fn a_document_is_made_with_the_profiles_of_its_lease_or_not_at_all() {
    with_house(
        "scenarios::incidents::a_document_is_made_with_the_profiles_of_its_lease_or_not_at_all",
        async |mut house| {
            house.prepared("01-adult").await;
            for (sequence, change) in [
                (1, with_other_chip as fn(&mut Config)),
                (2, with_other_document),
            ] {
                let lease = house.lease("a").await.unwrap();
                let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
                assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
                house.central.close().await;
                let mut config = house.config();
                change(&mut config);
                house.central = Central::open(config).await.unwrap().on_own_machine();

                let asked = house
                    .central
                    .open_channel(&operator(), &run.channels[0])
                    .await;
                let Err(ApiError::Conflict { reason }) = asked else {
                    panic!("a channel under another profile")
                };
                assert!(
                    reason.contains("profile of this document changed"),
                    "{reason}"
                );
                let whole = report(&lease, sequence, &run, BlankEnd::Personalized);
                let entry = put_aside(&house, &whole).await;
                assert!(entry.cause.unwrap().as_str().contains("changed"));
                assert_eq!(blank_state(&house).await, BlankState::Spoiled);
                house.central.close().await;
                house.central = Central::open(house.config())
                    .await
                    .unwrap()
                    .on_own_machine();
            }
            make(&house, 3).await;
        },
    );
}

#[test]
fn the_maker_is_who_took_the_lease_whoever_reports() {
    with_house(
        "scenarios::incidents::the_maker_is_who_took_the_lease_whoever_reports",
        async |house| {
            let central = &house.central;
            let administrator = actor("administrator");
            central
                .add_account(&administrator, "relief", &[Role::Operator])
                .await
                .unwrap();
            let mut relief = operator();
            relief.person = "relief".into();
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let run = personalize(&house, &lease, house.blank().await, Vec::new()).await;
            let request = super::house::request("a", &[PRODUCT]);
            assert!(matches!(
                central.lease(&relief, &request).await,
                Err(ApiError::Conflict { .. })
            ));
            let asked = central.open_channel(&relief, &run.channels[0]).await;
            assert!(refused(asked).contains("another person"));

            let whole = report(&lease, 1, &run, BlankEnd::Personalized);
            for stranger in ["quality", "nobody"] {
                let mut stranger_there = operator();
                stranger_there.person = stranger.into();
                refused(central.report(&stranger_there, &whole).await);
            }
            central.report(&relief, &whole).await.unwrap();
            let maker =
                "SELECT account.name FROM document JOIN account ON account.id = document.operator";
            assert_eq!(house.scalar(maker).await, "operator");
        },
    );
}

#[test]
fn each_blank_that_is_counted_back_is_named_in_the_log() {
    with_house(
        "scenarios::incidents::each_blank_that_is_counted_back_is_named_in_the_log",
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let mut chip = house.blank().await;
            let lease = house.lease("a").await.unwrap();
            let opened = challenge(&lease, &mut chip, "transport", [1; 8]);
            house.claim(&lease, &opened.chip).await.unwrap();
            central.open_channel(&operator(), &opened).await.unwrap();
            let back = bare_report(&lease, 1, untouched());
            central.report(&operator(), &back).await.unwrap();
            let serial = super::house::printed(&chip);
            let keeper = actor("keeper");
            let back = std::slice::from_ref(&serial);
            central
                .handle_blanks(&keeper, back, &Handling::Restock)
                .await
                .unwrap();
            let entries = house.entries().await;
            let last = entries.last().unwrap();
            assert_eq!(
                (last.action.as_str(), last.subject.reference.as_str()),
                ("blank.restocked", &*serial)
            );
        },
    );
}
