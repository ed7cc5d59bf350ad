//! Which cards are on which ribbon, whatever became of their leases.

use api::{BlankEnd, Centre, JournalLine, JournalPart, Lease, LeaseId, Report};
use document::life_cycle::IncidentKind;
use jiff::SignedDuration;
use uuid::Uuid;

use super::bench::{bare_report, spoiled, untouched};
use super::house::{House, actor, operator, with_house};
use super::ribbons::{handle, load, miss, ribbon, stocked, use_up};

/// Leases a document at a slot ten seconds later, and claims a blank for it.
async fn begun(house: &House, slot: &str) -> Lease {
    house.clock.pass(SignedDuration::from_secs(10));
    let chip = house.blank().await.serial().to_string();
    let lease = house.lease(slot).await.unwrap();
    house.claim(&lease, &chip).await.unwrap();
    lease
}

/// Returns a report of a card on which a printer began to print now.
fn printed(house: &House, lease: &Lease, sequence: u64, end: BlankEnd) -> Report {
    let said = &[(JournalLine::RIBBON_LEFT, "80")];
    printed_with(house, lease, sequence, end, said)
}

/// Returns such a report, with what the printer says of its ribbon.
fn printed_with(
    house: &House,
    lease: &Lease,
    sequence: u64,
    end: BlankEnd,
    said: &[(&str, &str)],
) -> Report {
    let line = |step: &str, moment: &str, evidence: &[(&str, &str)]| JournalLine {
        at: house.central.now(),
        step: step.into(),
        moment: moment.into(),
        evidence: evidence
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect(),
    };
    Report {
        journal: vec![
            line(JournalLine::PRINT_FACES, "intent", &[("sides", "front")]),
            line(JournalLine::PRINT_FACES, "outcome", &[]),
            line("deliver card", "outcome", said),
        ],
        ..bare_report(lease, sequence, end)
    }
}

#[test]
fn the_books_have_what_was_printed_with_which_ribbon() {
    with_house(
        "scenarios::ribbon_cards::the_books_have_what_was_printed_with_which_ribbon",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            let mut sequence = 0;
            let mut lease = async |end: BlankEnd| {
                let chip = house.blank().await;
                let lease = house.lease(slot).await.unwrap();
                house
                    .claim(&lease, &chip.serial().to_string())
                    .await
                    .unwrap();
                sequence += 1;
                printed(&house, &lease, sequence, end)
            };
            let told = async |report: Report| {
                for _ in 0..2 {
                    central.report(&operator(), &report).await.unwrap();
                }
            };
            let later = || house.clock.pass(SignedDuration::from_secs(10));

            // No ribbon was booked into the printer: nothing is known.
            told(lease(spoiled()).await).await;
            later();
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            handle(&house, "operator", "R-2", load("other"))
                .await
                .unwrap();
            later();
            told(lease(spoiled()).await).await;
            // Not believed, and on the ribbon all the same.
            told(lease(untouched()).await).await;
            let first = ribbon(&house, "R-1").await;
            assert_eq!((first.cards, first.cards_left), (2, Some(80)));

            // What is told late was printed with the ribbon that was inside then.
            let late = lease(spoiled()).await;
            later();
            handle(&house, "operator", "R-1", use_up()).await.unwrap();
            handle(&house, "operator", "R-3", load(slot)).await.unwrap();
            later();
            told(late).await;
            assert_eq!(ribbon(&house, "R-1").await.cards, 3);
            assert_eq!(ribbon(&house, "R-3").await.cards, 0);
            told(lease(spoiled()).await).await;
            assert_eq!(ribbon(&house, "R-3").await.cards, 1);
            assert_eq!(ribbon(&house, "R-2").await.cards, 0);
            let figures = central.ribbon_figures(&actor("auditor")).await.unwrap();
            let cards: u64 = figures.iter().map(|line| line.cards).sum();
            assert_eq!((figures.len(), cards), (2, 4));

            let incidents = handle(&house, "keeper", "R-1", miss("quality")).await;
            let incident = central
                .incident(&actor("auditor"), incidents.unwrap()[0])
                .await;
            assert!(incident.unwrap().text.contains("3 cards"));
        },
    );
}

#[test]
fn a_card_that_no_report_counts_is_on_its_ribbon_once() {
    with_house(
        "scenarios::ribbon_cards::a_card_that_no_report_counts_is_on_its_ribbon_once",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            let leased = async || begun(&house, slot).await;
            let give_up = async |lease: &Lease| {
                house.clock.pass(SignedDuration::from_mins(11));
                let officer = actor("officer");
                let gone = central.give_up_lease(&officer, lease.id, "keeper", "burnt");
                gone.await.unwrap();
            };

            // Its station burnt, and had told that the printer began.
            let burnt = leased().await;
            let whole = printed(&house, &burnt, 1, BlankEnd::Personalized);
            let begun = JournalPart {
                lease: burnt.id,
                first: 1,
                lines: whole.journal[..1].to_vec(),
            };
            central.tell(&operator(), &begun).await.unwrap();
            assert_eq!(ribbon(&house, "R-1").await.cards, 0);
            give_up(&burnt).await;
            assert_eq!(ribbon(&house, "R-1").await.cards, 1);
            // Nothing was told of printing: there is no card.
            give_up(&leased().await).await;
            assert_eq!(ribbon(&house, "R-1").await.cards, 1);
            // It did not burn after all.
            central.report(&operator(), &whole).await.unwrap();
            assert_eq!(ribbon(&house, "R-1").await.cards, 1);

            // A lease that the store does not know: the journal says which printer it was.
            let mut unknown = leased().await;
            unknown.id = LeaseId(Uuid::now_v7());
            let mut report = printed(&house, &unknown, 2, spoiled());
            let line = &mut report.journal[0];
            let told = (JournalLine::SLOT.to_owned(), slot.to_owned());
            line.evidence.extend([told]);
            for _ in 0..2 {
                central.report(&operator(), &report).await.unwrap();
            }
            assert_eq!(ribbon(&house, "R-1").await.cards, 2);
            let check = central.check_stock(&actor("auditor")).await.unwrap();
            assert_eq!(check.differences, [""; 0]);
        },
    );
}

#[test]
fn what_a_printer_counts_beside_the_books_is_told() {
    with_house(
        "scenarios::ribbon_cards::what_a_printer_counts_beside_the_books_is_told",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            let mut sequence = 0;
            let mut card = async |left: &str| {
                let lease = begun(&house, slot).await;
                sequence += 1;
                let said = [(JournalLine::RIBBON_LEFT, left)];
                let report = printed_with(&house, &lease, sequence, spoiled(), &said);
                central.report(&operator(), &report).await.unwrap();
                report
            };
            let counted = async || {
                let line = ribbon(&house, "R-1").await;
                (line.cards, line.beside, line.cards_left)
            };
            card("80").await;
            assert_eq!(counted().await, (1, 0, Some(80)));
            let second = card("79").await;
            assert_eq!(counted().await, (2, 0, Some(79)));
            // Three cards more went through it meanwhile: test cards, or what a lost station made.
            card("75").await;
            assert_eq!(counted().await, (3, 3, Some(75)));
            // One of them is told of: it was among the three.
            let late = Report {
                lease: LeaseId(Uuid::now_v7()),
                sequence: 4,
                journal: vec![JournalLine {
                    at: second.journal[0].at + SignedDuration::from_secs(5),
                    evidence: [(JournalLine::SLOT.into(), slot.into())].into(),
                    ..second.journal[0].clone()
                }],
                ..second
            };
            central.report(&operator(), &late).await.unwrap();
            assert_eq!(counted().await, (4, 2, Some(75)));

            handle(&house, "operator", "R-1", use_up()).await.unwrap();
            let incidents = handle(&house, "keeper", "R-1", miss("quality")).await;
            let incident = central
                .incident(&actor("auditor"), incidents.unwrap()[0])
                .await
                .unwrap();
            assert!(
                incident
                    .text
                    .contains("4 cards were printed with it, and 2 more by its printer's count"),
                "{}",
                incident.text
            );
        },
    );
}

#[test]
fn a_printer_with_another_ribbon_than_the_books_say_is_an_incident() {
    with_house(
        "scenarios::ribbon_cards::a_printer_with_another_ribbon_than_the_books_say_is_an_incident",
        async |house| {
            stocked(&house).await;
            house.prepared("01-adult").await;
            let central = &house.central;
            let slot = "press";
            handle(&house, "operator", "R-1", load(slot)).await.unwrap();
            let mut sequence = 0;
            let mut told = async |kind: &str, left: &str| {
                let lease = begun(&house, slot).await;
                sequence += 1;
                let said = [
                    (JournalLine::RIBBON, kind),
                    (JournalLine::RIBBON_LEFT, left),
                ];
                let report = printed_with(&house, &lease, sequence, spoiled(), &said);
                for _ in 0..2 {
                    central.report(&operator(), &report).await.unwrap();
                }
                let all = central
                    .incidents_after(&actor("auditor"), true, 0, 100)
                    .await
                    .unwrap();
                let of_ribbons = all
                    .into_iter()
                    .filter(|incident| incident.kind == IncidentKind::RibbonDiffers);
                let texts: Vec<_> = of_ribbons.map(|incident| incident.text).collect();
                texts
            };
            // As the books have it, in whatever letters.
            assert_eq!(told("YMCKO", "80").await, [""; 0]);
            assert_eq!(told("ymcko", "79").await, [""; 0]);
            let found = told("ymcko", "200").await;
            assert!(
                found.len() == 1
                    && found[0].contains("is for 200 cards more, and R-1 was for 79")
                    && found[0].contains("slot press"),
                "{found:?}"
            );
            let found = told("kblack", "199").await;
            assert!(
                found.len() == 2
                    && found[1].contains("a ribbon \"kblack\", and the books the ymcko R-1"),
                "{found:?}"
            );
            // A card is of the books' ribbon all the same: nobody knows of another one.
            assert_eq!(ribbon(&house, "R-1").await.cards, 4);
        },
    );
}
