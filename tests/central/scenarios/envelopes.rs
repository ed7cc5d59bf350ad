//! PIN envelopes as items: printed once, on their own way, accounted for to the end.

use api::{BlankEnd, Centre};
use audit::Outcome;
use document::life_cycle::EnvelopeState;
use hsm::{EnvelopeKey, PinSet};

use super::bench::{make, report};
use super::house::{
    House, actor, is_conflict, is_refused, operator, with_adapted_house, with_house,
};
use crate::CentralError;

const CLERK: &str = "envelopes";

async fn state(house: &House) -> EnvelopeState {
    let lines = house.central.envelopes(&actor(CLERK)).await.unwrap();
    lines[0].state
}

async fn held_sealed(house: &House) -> (i64, i64) {
    (
        house
            .number("SELECT count(*) FROM envelope WHERE sealed IS NOT NULL")
            .await,
        house
            .number("SELECT count(*) FROM envelope WHERE kept IS NOT NULL")
            .await,
    )
}

#[test]
fn an_envelope_is_printed_once_and_goes_its_own_way() {
    with_house(
        "scenarios::envelopes::an_envelope_is_printed_once_and_goes_its_own_way",
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            let number = house.prepared("01-adult").await.to_string();
            make(&house, 1).await;
            assert_eq!(held_sealed(&house).await, (1, 1));
            // What is kept holds the PUK and nothing else.
            let kept = house.bytes("SELECT kept FROM envelope").await;
            let context = format!("document {number}");
            let kept = house
                .token
                .open_envelope("envelope", &kept, context.as_bytes())
                .unwrap();
            let kept = PinSet::decode(&kept).unwrap();
            assert_eq!(
                kept.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                ["puk"]
            );

            let job = central.print_envelope(&clerk, &number).await.unwrap();
            assert_eq!(job.serial, "PE0000001");
            assert_eq!(job.office.as_str(), "RIGA-1");
            assert!(!job.holder.is_empty());
            let puk = central.open_envelope(&clerk, &job).await.unwrap();
            assert!(puk.get("puk") == kept.get("puk"));
            // The printer was off: nothing was taken, and it may be tried again.
            let serial = &job.serial;
            central
                .envelope_not_printed(&clerk, serial, "printer off")
                .await
                .unwrap();
            assert_eq!(state(&house).await, EnvelopeState::Ready);
            central.print_envelope(&clerk, &number).await.unwrap();
            central.envelope_printed(&clerk, serial).await.unwrap();
            assert_eq!(
                held_sealed(&house).await,
                (0, 1),
                "on paper and nowhere else"
            );
            assert!(is_conflict(&central.print_envelope(&clerk, &number).await));
            assert!(is_refused(&central.open_envelope(&clerk, &job).await));

            assert!(is_conflict(&central.deliver_envelope(&clerk, serial).await));
            assert!(matches!(
                central.dispatch_envelope(&clerk, serial, " ").await,
                Err(CentralError::Invalid { .. })
            ));
            central
                .dispatch_envelope(&clerk, serial, "RR123456785LV")
                .await
                .unwrap();
            central.deliver_envelope(&clerk, serial).await.unwrap();
            let line = central.envelopes(&clerk).await.unwrap().remove(0);
            assert_eq!(
                (line.state, line.way.as_deref(), &*line.number),
                (EnvelopeState::Delivered, Some("RR123456785LV"), &*number)
            );

            // The PUK is kept until the hand-over, and not longer.
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            assert_eq!(held_sealed(&house).await, (0, 1));
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            assert_eq!(held_sealed(&house).await, (0, 0));
            assert_eq!(house.count("puk.deleted", Outcome::Done).await, 1);
            assert_eq!(house.count("envelope.printing", Outcome::Done).await, 2);
        },
    );
}

#[test]
fn paper_of_a_dead_card_is_void_until_it_is_destroyed_before_a_witness() {
    with_house(
        "scenarios::envelopes::paper_of_a_dead_card_is_void_until_it_is_destroyed_before_a_witness",
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            let number = house.prepared("01-adult").await.to_string();
            make(&house, 1).await;
            let job = central.print_envelope(&clerk, &number).await.unwrap();
            // The program died here: nobody knows whether there is paper.
            let again = central.print_envelope(&clerk, &number).await;
            assert!(again.is_err_and(|error| error.to_string().contains("nobody said how")));
            central.envelope_printed(&clerk, &job.serial).await.unwrap();
            central
                .fail_quality(&actor("quality"), &number, "scratched")
                .await
                .unwrap();
            assert_eq!(state(&house).await, EnvelopeState::Void);
            assert_eq!(held_sealed(&house).await, (0, 0));
            assert!(is_conflict(
                &central.dispatch_envelope(&clerk, &job.serial, "post").await
            ));
            let destroy = async |witness| {
                central
                    .destroy_envelope(&clerk, &job.serial, witness, "card spoiled")
                    .await
            };
            assert!(is_refused(&destroy(CLERK).await), "one's own witness");
            assert!(matches!(
                destroy("nobody").await,
                Err(CentralError::NotFound { .. })
            ));
            destroy("keeper").await.unwrap();
            assert_eq!(state(&house).await, EnvelopeState::Destroyed);
            assert!(is_conflict(&destroy("keeper").await));

            // The next card has an envelope of its own.
            make(&house, 2).await;
            let lines = central.envelopes(&clerk).await.unwrap();
            assert_eq!(
                lines
                    .iter()
                    .map(|line| (&*line.serial, line.state))
                    .collect::<Vec<_>>(),
                [
                    ("PE0000002", EnvelopeState::Ready),
                    ("PE0000001", EnvelopeState::Destroyed)
                ]
            );
        },
    );
}

/// Has PINs sealed to a printer's own key, which the store does not have.
fn printers_own(config: &mut crate::Config) {
    // Another token would hold it; here it is another key, which the store has no label for.
    let spki = config.token.generate_envelope_key("printer").unwrap();
    config.envelope_printer = Some(EnvelopeKey::from_spki_der(&spki).unwrap());
}

#[test]
fn what_is_sealed_to_the_printer_nobody_else_opens() {
    with_adapted_house(
        "scenarios::envelopes::what_is_sealed_to_the_printer_nobody_else_opens",
        printers_own,
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            house.prepared("01-adult").await;
            let lease = house.lease("a").await.unwrap();
            let number = lease.record.number.to_string();
            let chip = house.blank().await;
            let run = super::bench::personalize(&house, &lease, chip, Vec::new()).await;
            let end = report(&lease, 1, &run, BlankEnd::Personalized);
            central.report(&operator(), &end).await.unwrap();
            let job = central.print_envelope(&clerk, &number).await.unwrap();
            assert!(matches!(
                central.open_envelope(&clerk, &job).await,
                Err(CentralError::Envelope(_))
            ));
            let printed = house
                .token
                .open_envelope("printer", &job.sealed, &job.context);
            let pins = PinSet::decode(&printed.unwrap()).unwrap();
            assert!(
                ["pin1", "pin2", "puk"]
                    .iter()
                    .all(|name| pins.get(name).is_some())
            );
        },
    );
}

#[test]
fn nobody_gets_a_document_whose_pins_nobody_has() {
    with_house(
        "scenarios::envelopes::nobody_gets_a_document_whose_pins_nobody_has",
        async |house| {
            let (central, clerk) = (&house.central, actor(CLERK));
            let number = house.prepared("01-adult").await.to_string();
            make(&house, 1).await;
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            let job = central.print_envelope(&clerk, &number).await.unwrap();
            central.envelope_printed(&clerk, &job.serial).await.unwrap();
            for way in ["courier to Anna", "", "320101-12345 "] {
                assert!(matches!(
                    central.dispatch_envelope(&clerk, &job.serial, way).await,
                    Err(CentralError::Invalid { .. })
                ));
            }
            central
                .destroy_envelope(&clerk, &job.serial, "keeper", "wet")
                .await
                .unwrap();
            let given = central.hand_over(&actor("clerk"), &number).await;
            assert!(given.is_err_and(|error| error.to_string().contains("new PINs")));
        },
    );
}
