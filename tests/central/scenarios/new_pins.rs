//! New PINs for a finished document: on the strict chip, with the executor that stations run. The
//! chip itself says which PINs open it.

use api::{
    ApiError, BlankEnd, Centre, CertifyRequest, ChannelRequest, ClaimRequest, ConfirmRequest,
    Lease, PutKeyRequest, SealRequest,
};
use audit::Outcome;
use card::{Channel as _, Response, Status};
use document::life_cycle::EnvelopeState;
use document::{Purpose, Role};
use hsm::PinSet;
use jiff::SignedDuration;
use vcard::{Chip, Fault, FaultKind, InProcess};

use super::bench::{Run, make, personalize, report, spoiled, untouched};
use super::house::{
    House, PRODUCT, actor, is_conflict, is_refused, operator, with_adapted_house, with_house,
};
use super::judge::told;
use crate::{CentralError, Config};

const CLERK: &str = "envelopes";
const CAUSE: &str = "letter lost";

fn send(card: &mut InProcess, command: &str) -> Status {
    let answer = card.transmit(&hex::decode(command).unwrap()).unwrap();
    Response::parse(&answer).unwrap().status()
}

fn field(pins: &PinSet, name: &str) -> String {
    let mut field = pins.get(name).unwrap().digits().to_vec();
    field.resize(12, 0xFF);
    hex::encode(field)
}

const EID: &str = "00A4040C10A000000077010800070000FE00000100";
const SIGNATURE: &str = "00A4040C1051534344204170706C69636174696F6E";

/// Presents PINs to the chip, as middleware would; says which it takes, and gives the chip back.
fn presented(chip: Chip, pins: &PinSet) -> (Chip, [Status; 3]) {
    let mut card = InProcess::new(chip);
    assert_eq!(send(&mut card, EID), Status::OK);
    let pin1 = send(&mut card, &format!("002000010C{}", field(pins, "pin1")));
    let puk = send(&mut card, &format!("002000020C{}", field(pins, "puk")));
    assert_eq!(send(&mut card, SIGNATURE), Status::OK);
    let pin2 = send(&mut card, &format!("002000850C{}", field(pins, "pin2")));
    (card.into_chip(), [pin1, puk, pin2])
}

/// Opens what the document's next envelope holds, and has it printed.
async fn letter(house: &House, number: &str) -> (String, PinSet) {
    let (central, clerk) = (&house.central, actor(CLERK));
    let job = central.print_envelope(&clerk, number).await.unwrap();
    let pins = central.open_envelope(&clerk, &job).await.unwrap();
    central.envelope_printed(&clerk, &job.serial).await.unwrap();
    (job.serial, pins)
}

/// Makes a document, and its letter.
async fn finished(house: &House) -> (String, Chip, (String, PinSet)) {
    let number = house.prepared("01-adult").await.to_string();
    let (_, run) = make(house, 1).await;
    let letter = letter(house, &number).await;
    (number, run.chip, letter)
}

async fn envelopes(house: &House) -> Vec<(String, EnvelopeState)> {
    let lines = house.central.envelopes(&actor(CLERK)).await.unwrap();
    lines
        .into_iter()
        .map(|line| (line.serial, line.state))
        .collect()
}

async fn leased(house: &House, number: &str) -> Lease {
    let actor = operator();
    let lease = house.central.lease_new_pins(&actor, number, CAUSE);
    lease.await.unwrap()
}

/// Gives new PINs under a lease, and reports them.
async fn renewed(house: &House, lease: &Lease, sequence: u64, chip: Chip) -> Run {
    let run = personalize(house, lease, chip, Vec::new()).await;
    assert!(run.outcome.fault.is_none(), "{:?}", run.outcome.fault);
    let done = report(lease, sequence, &run, BlankEnd::Personalized);
    house.central.report(&operator(), &done).await.unwrap();
    run
}

/// How many certificates and letters with a PUK the books have, and the states of what must stay.
async fn stays(house: &House) -> String {
    let certificates = house.scalars("SELECT state FROM certificate ORDER BY id");
    format!(
        "{} {} {}",
        house.scalar("SELECT state FROM document").await,
        house.scalar("SELECT state FROM blank").await,
        certificates.await.join(",")
    )
}

#[test]
fn a_letter_that_was_destroyed_is_followed_by_new_pins_in_a_new_one() {
    with_house(
        "scenarios::new_pins::a_letter_that_was_destroyed_is_followed_by_new_pins_in_a_new_one",
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            let (number, chip, (old_serial, old)) = finished(&house).await;
            central
                .destroy_envelope(&clerk, &old_serial, "keeper", "torn at the counter")
                .await
                .unwrap();
            assert!(matches!(
                central.print_envelope(&clerk, &number).await,
                Err(CentralError::NotFound { .. })
            ));
            // Whoever found the card has tried: a PIN is blocked, and the PUK with it.
            let mut card = InProcess::new(chip);
            assert_eq!(send(&mut card, EID), Status::OK);
            for reference in ["01", "02"] {
                for _ in 0..4 {
                    send(
                        &mut card,
                        &format!("002000{reference}0C3939393939393939FFFFFFFF"),
                    );
                }
                let blocked = send(&mut card, &format!("002000{reference}"));
                assert_eq!(blocked, Status::AUTHENTICATION_BLOCKED);
            }
            let before = stays(&house).await;

            let lease = leased(&house, &number).await;
            assert_eq!(lease.purpose, Purpose::NewPins);
            let run = renewed(&house, &lease, 2, card.into_chip()).await;
            assert_eq!(stays(&house).await, before, "nothing else has changed");
            assert_eq!((run.certified.len(), run.channels.len()), (0, 0));
            assert_eq!(run.sealed.len(), 1);

            let (serial, new) = letter(&house, &number).await;
            assert_ne!(serial, old_serial);
            let (chip, taken) = presented(run.chip, &new);
            assert_eq!(taken, [Status::OK; 3], "full counters, unblocked");
            let (_, taken) = presented(chip, &old);
            assert!(
                taken[1..]
                    .iter()
                    .all(|status| *status == Status::new(0x63C2))
            );
            assert_eq!(
                envelopes(&house).await,
                [
                    (serial, EnvelopeState::Printed),
                    (old_serial, EnvelopeState::Destroyed)
                ]
            );
            // The PUK is kept until the hand-over, the new one alone.
            let kept = "SELECT count(*) FROM envelope WHERE kept IS NOT NULL";
            assert_eq!(house.number(kept).await, 1);

            // Who, on what, and why, is in the log; no PIN is.
            let entries = house.entries().await;
            let entry = entries
                .iter()
                .find(|entry| entry.action.as_str() == "new-pins.leased")
                .unwrap();
            assert_eq!(entry.details.get("cause"), Some(CAUSE));
            assert!(entry.actor.person.is_some());
            assert_eq!(house.count("new-pins.set", Outcome::Done).await, 1);
            assert_eq!(house.count("pins.confirmed", Outcome::Done).await, 2);

            // The life goes on: quality judges whom it always did, and fails all letters with the
            // card.
            central
                .fail_quality(&actor("quality"), &number, "scratched")
                .await
                .unwrap();
            assert_eq!(envelopes(&house).await[0].1, EnvelopeState::Void);
            assert_eq!(house.scalar("SELECT state FROM blank").await, "spoiled");
        },
    );
}

#[test]
fn torn_at_any_command_it_is_tried_again_and_no_letter_lies() {
    with_house(
        "scenarios::new_pins::torn_at_any_command_it_is_tried_again_and_no_letter_lies",
        async |house| {
            let central = &house.central;
            let number = house.prepared("01-adult").await.to_string();
            let (_, made) = make(&house, 1).await;
            let mut chip = made.chip;
            let mut sequence = 1;
            let mut outcomes = (0, 0, 0);
            for kind in [FaultKind::RemoveBefore, FaultKind::RemoveAfter] {
                for at in 1.. {
                    let lease = leased(&house, &number).await;
                    let fault = Fault { at, kind };
                    let run = personalize(&house, &lease, chip, vec![fault]).await;
                    chip = run.chip;
                    sequence += 1;
                    let confirmed = run.confirmed.len() == 1;
                    let is_whole = run.outcome.fault.is_none();
                    let end = match is_whole {
                        true => BlankEnd::Personalized,
                        false => spoiled(),
                    };
                    let run = Run {
                        chip: super::house::unbooked(),
                        ..run
                    };
                    let mut said = report(&lease, sequence, &run, end);
                    said.chips[0].serial = Some(chip.serial().to_string());
                    central.report(&operator(), &said).await.unwrap();
                    assert_eq!(
                        house.scalars("SELECT DISTINCT state FROM blank").await,
                        ["personalized"]
                    );
                    // What may be printed opens the chip; what may not open it is not printed.
                    let print = central.print_envelope(&actor(CLERK), &number).await;
                    match (run.sealed.is_empty(), confirmed) {
                        (true, _) => outcomes.0 += 1,
                        (false, false) => outcomes.1 += 1,
                        (false, true) => outcomes.2 += 1,
                    }
                    if let Ok(job) = print {
                        let pins = central.open_envelope(&actor(CLERK), &job).await.unwrap();
                        let (back, taken) = presented(chip, &pins);
                        chip = back;
                        assert_eq!(taken, [Status::OK; 3], "{kind:?} {at}");
                        central
                            .envelope_not_printed(&actor(CLERK), &job.serial, "only looked")
                            .await
                            .unwrap();
                    } else {
                        assert!(!run.sealed.is_empty() || outcomes.1 > 0, "{kind:?} {at}");
                        assert!(is_conflict(&print), "{kind:?} {at}");
                        assert!(!confirmed, "{kind:?} {at}");
                    }
                    if is_whole {
                        break;
                    }
                }
            }
            let (early, torn, set) = outcomes;
            assert!(early > 6 && torn > 6 && set > 2, "{outcomes:?}");
            let open = "SELECT count(*) FROM envelope WHERE state NOT IN ('ready', 'destroyed')";
            assert_eq!(house.number(open).await, 0);
            let ready = "SELECT count(*) FROM envelope WHERE state = 'ready'";
            assert_eq!(house.number(ready).await, 1);
            let live = "SELECT count(*) FROM lease WHERE state IN ('open', 'expired', 'spoiled')";
            assert_eq!(house.number(live).await, 0);
        },
    );
}

#[test]
fn after_the_hand_over_the_delivered_letter_is_void_and_no_puk_is_kept() {
    with_house(
        "scenarios::new_pins::after_the_hand_over_the_delivered_letter_is_void_and_no_puk_is_kept",
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            let (number, chip, (old, _)) = finished(&house).await;
            central
                .dispatch_envelope(&clerk, &old, "RR123456785LV")
                .await
                .unwrap();
            central.deliver_envelope(&clerk, &old).await.unwrap();
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            let lease = leased(&house, &number).await;
            // Nobody gets a card whose PINs are being changed.
            let handed = central.hand_over(&actor("clerk"), &number).await;
            assert!(is_conflict(&handed));
            let failed = central.fail_quality(&actor("quality"), &number, "no").await;
            assert!(is_conflict(&failed));
            let run = renewed(&house, &lease, 2, chip).await;
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            let handed_over = stays(&house).await;

            let lease = leased(&house, &number).await;
            let run = renewed(&house, &lease, 3, run.chip).await;
            assert_eq!(stays(&house).await, handed_over);
            let kept = "SELECT count(*) FROM envelope WHERE kept IS NOT NULL";
            assert_eq!(house.number(kept).await, 0);
            let (serial, pins) = letter(&house, &number).await;
            assert_eq!(presented(run.chip, &pins).1, [Status::OK; 3]);
            let states = envelopes(&house).await;
            assert_eq!(states[0], (serial, EnvelopeState::Printed));
            assert_eq!(
                states[1].1,
                EnvelopeState::Destroyed,
                "it was never printed"
            );
            assert_eq!(states[2], (old, EnvelopeState::Void));
        },
    );
}

const LATEID: &str = include_str!("../../../firmware-profiles/chips/lateid-v2.toml");

/// A chip whose profile has no way to new PINs.
fn for_good(config: &mut Config) {
    let later = LATEID.find("# --- later").unwrap();
    config.chips.put(PRODUCT, &LATEID[..later]);
}

#[test]
fn a_chip_that_gets_no_new_pins_is_said_to_be_one() {
    with_adapted_house(
        "scenarios::new_pins::a_chip_that_gets_no_new_pins_is_said_to_be_one",
        for_good,
        async |house| {
            let (number, ..) = finished(&house).await;
            let (central, operator) = (&house.central, operator());
            let asked = central.lease_new_pins(&operator, &number, CAUSE).await;
            let Err(CentralError::Refused { reason }) = asked else {
                panic!("it was leased")
            };
            assert!(
                reason.contains("\"lateid-v2\"") && reason.contains("gets no new PINs"),
                "{reason}"
            );
            // A child has a chip and no PINs on it.
            let child = house.prepared("03-child-5-to-13").await.to_string();
            make(&house, 2).await;
            let asked = central.lease_new_pins(&operator, &child, CAUSE).await;
            assert!(is_refused(&asked));
        },
    );
}

/// The program that gave new PINs died before it reported: the chip's word counts.
#[test]
fn what_the_chip_confirmed_counts_also_where_nobody_reports_it() {
    with_house(
        "scenarios::new_pins::what_the_chip_confirmed_counts_also_where_nobody_reports_it",
        async |house| {
            let central = &house.central;
            let (number, chip, (old, _)) = finished(&house).await;
            let first = leased(&house, &number).await;
            let run = personalize(&house, &first, chip, Vec::new()).await;
            assert!(run.outcome.fault.is_none());
            let done = || house.count("new-pins.set", Outcome::Done);
            assert_eq!(done().await, 0);
            // The same person goes on: that one is ended, and another begun.
            let second = leased(&house, &number).await;
            assert_ne!(second.id, first.id);
            assert_eq!(done().await, 1);
            let run = personalize(&house, &second, run.chip, Vec::new()).await;
            // Or time ends it, when anybody looks.
            house.clock.pass(SignedDuration::from_mins(11));
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            assert_eq!(done().await, 2);
            let (serial, pins) = letter(&house, &number).await;
            assert_eq!(presented(run.chip, &pins).1, [Status::OK; 3]);
            let states: Vec<_> = envelopes(&house).await;
            assert_eq!(states[0], (serial, EnvelopeState::Printed));
            assert_eq!(states[2], (old, EnvelopeState::Void));
            let kept = "SELECT count(*) FROM envelope WHERE kept IS NOT NULL";
            assert_eq!(house.number(kept).await, 0, "handed over");
        },
    );
}

/// A letter that may open nothing is not sent.
#[test]
fn in_doubt_the_letter_before_stays_where_it_is() {
    with_house(
        "scenarios::new_pins::in_doubt_the_letter_before_stays_where_it_is",
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            let (number, chip, (old, _)) = finished(&house).await;
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            let lease = leased(&house, &number).await;
            let torn = Fault {
                at: 10,
                kind: FaultKind::RemoveAfter,
            };
            let run = personalize(&house, &lease, chip, vec![torn]).await;
            assert_eq!((run.sealed.len(), run.confirmed.len()), (1, 0));
            let said = report(&lease, 2, &run, spoiled());
            central.report(&operator(), &said).await.unwrap();
            assert!(is_conflict(
                &central.dispatch_envelope(&clerk, &old, "post").await
            ));
            assert!(is_conflict(
                &central.hand_over(&actor("clerk"), &number).await
            ));
            let lease = leased(&house, &number).await;
            renewed(&house, &lease, 3, run.chip).await;
            let (serial, _) = letter(&house, &number).await;
            central
                .dispatch_envelope(&clerk, &serial, "post")
                .await
                .unwrap();
            central.hand_over(&actor("clerk"), &number).await.unwrap();
        },
    );
}

#[test]
fn who_may_and_which_document_is_judged_before_anything_is_done() {
    with_house(
        "scenarios::new_pins::who_may_and_which_document_is_judged_before_anything_is_done",
        async |house| {
            let central = &house.central;
            let waiting = house.prepared("05-nineteen").await.to_string();
            let early = central.lease_new_pins(&operator(), &waiting, CAUSE).await;
            assert!(is_conflict(&early));
            let (lease, _) = make(&house, 1).await;
            let number = lease.record.number.to_string();
            assert_eq!(number, waiting);
            for person in ["clerk", CLERK, "quality", "officer", "auditor", "nobody"] {
                let asked = central.lease_new_pins(&actor(person), &number, CAUSE).await;
                assert!(is_refused(&asked), "{person}");
            }
            for cause in ["", " ", "two\nlines"] {
                let asked = central.lease_new_pins(&operator(), &number, cause).await;
                assert!(matches!(asked, Err(CentralError::Invalid { .. })));
            }
            let unknown = central
                .lease_new_pins(&operator(), "XA9999999", CAUSE)
                .await;
            assert!(matches!(unknown, Err(CentralError::NotFound { .. })));

            // Asked again, it is the same; anybody else waits.
            let first = leased(&house, &number).await;
            assert_eq!(leased(&house, &number).await.id, first.id);
            let elsewhere = api::Actor {
                station: "office-2".into(),
                ..operator()
            };
            assert!(is_conflict(
                &central.lease_new_pins(&elsewhere, &number, CAUSE).await
            ));
            central
                .add_account(&actor("administrator"), "operator-2", &[Role::Operator])
                .await
                .unwrap();
            let second = api::Actor {
                person: "operator-2".into(),
                ..operator()
            };
            assert!(is_conflict(
                &central.lease_new_pins(&second, &number, CAUSE).await
            ));
            // Time frees it: nothing that matters was lost.
            house.clock.pass(SignedDuration::from_mins(11));
            let after = central
                .lease_new_pins(&second, &number, CAUSE)
                .await
                .unwrap();
            assert_ne!(after.id, first.id);
            assert_eq!(house.count("new-pins.failed", Outcome::Done).await, 1);
            // The report that comes late changes nothing any more.
            let chip = super::house::unbooked();
            let late = Run {
                outcome: perso::Outcome::default(),
                chip,
                journal: Vec::new(),
                certified: Vec::new(),
                signed: Vec::new(),
                sealed: Vec::new(),
                confirmed: Vec::new(),
                channels: Vec::new(),
            };
            let late = report(&first, 2, &late, untouched());
            central.report(&operator(), &late).await.unwrap();
            assert_eq!(house.count("new-pins.failed", Outcome::Done).await, 1);
        },
    );
}

#[test]
fn under_such_a_lease_nothing_else_is_served() {
    with_house(
        "scenarios::new_pins::under_such_a_lease_nothing_else_is_served",
        async |house| {
            let central = &house.central;
            let (number, chip, (old, _)) = finished(&house).await;
            let serial = chip.serial().to_string();
            let other = house.blank().await;
            let lease = leased(&house, &number).await;
            let refused = |said: Result<(), ApiError>, why: &str| match said {
                Err(ApiError::Refused { reason }) => assert!(reason.contains(why), "{reason}"),
                other => panic!("{why}: {other:?}"),
            };
            // Another card: its blank stays in stock.
            let wrong = ClaimRequest {
                lease: lease.id,
                chip: other.serial().to_string(),
                beside: Vec::new(),
                printed: None,
            };
            refused(central.claim(&operator(), &wrong).await, "is not of blank");
            let run = personalize(&house, &lease, other, Vec::new()).await;
            assert!(run.outcome.fault.is_some() && run.sealed.is_empty());
            let stock = "SELECT count(*) FROM blank WHERE state = 'in-stock'";
            assert_eq!(house.number(stock).await, 1);

            let opening = told(
                "issuer",
                &[1; 8],
                &[(perso::Opening::INITIALIZE_UPDATE, &[0; 32])],
            );
            let channel = ChannelRequest {
                lease: lease.id,
                chip: serial.clone(),
                opening: opening.clone(),
            };
            let given = central.open_channel(&operator(), &channel).await;
            assert!(given.is_err());
            let keys = PutKeyRequest {
                lease: lease.id,
                chip: serial.clone(),
                opening,
                new: "transport".into(),
                adds: true,
            };
            refused(
                central.put_keys(&operator(), &keys).await.map(drop),
                "and nothing else",
            );
            let certify = CertifyRequest {
                lease: lease.id,
                chip: serial.clone(),
                key: "authentication".into(),
                profile: "eid-authentication".into(),
                request: Vec::new(),
            };
            refused(
                central.certify(&operator(), &certify).await.map(drop),
                "and nothing else",
            );
            let prove = api::ProveRequest {
                lease: lease.id,
                chip: serial.clone(),
                key: "authentication".into(),
                signature: Vec::new(),
            };
            refused(central.prove(&operator(), &prove).await, "and nothing else");
            // The stages of the personalization are not there.
            for stage in ["set the holder's PINs", "close"] {
                let seal = SealRequest {
                    lease: lease.id,
                    chip: serial.clone(),
                    stage: stage.into(),
                    opening: None,
                    carries: api::Carries {
                        command: 255,
                        response: 256,
                        extended: false,
                    },
                    pins: Default::default(),
                };
                assert!(central.seal(&operator(), &seal).await.is_err(), "{stage}");
            }
            let confirm = ConfirmRequest {
                lease: lease.id,
                chip: serial,
                stage: "set new PINs".into(),
                answers: vec![vec![0x90, 0x00]; 4],
            };
            assert!(central.confirm(&operator(), &confirm).await.is_err());

            // A report that claims what no chip confirmed is not believed, and changes nothing.
            let run = Run { chip, ..run };
            let claimed = report(&lease, 2, &run, BlankEnd::Personalized);
            central.report(&operator(), &claimed).await.unwrap();
            assert_eq!(house.count("lease.reported", Outcome::Refused).await, 1);
            assert_eq!(house.count("new-pins.failed", Outcome::Done).await, 1);
            assert_eq!(
                envelopes(&house).await,
                [(old, EnvelopeState::Printed)],
                "the letter is as good as before"
            );
            assert_eq!(
                house
                    .scalar("SELECT state FROM blank WHERE document IS NOT NULL")
                    .await,
                "personalized"
            );
            // A slot of the same station gets its own work meanwhile.
            assert!(house.lease_for("new-pins", &[PRODUCT]).await.is_none());
        },
    );
}
