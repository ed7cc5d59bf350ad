//! Examinations on the strict virtual chip: finished cards, blanks, cards of others.

use std::sync::atomic::{AtomicU8, Ordering};

use card::Channel;
use jiff::Timestamp;
use profile::ObjectKind;
use vcard::{Fault as ChipFault, FaultKind, InProcess};

use crate::desk::{Desk, PINS};
use crate::{Domain, Examination, Inspector, Presented, Standard, Verdict, examine};

/// A card that was made, in a channel.
fn finished(year: i16) -> (Desk, InProcess) {
    let mut desk = Desk::new(year);
    let (outcome, chip) = desk.run(Desk::blank(), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    (desk, InProcess::new(chip))
}

fn judge(
    desk: &Desk,
    channel: &mut dyn Channel,
    with_record: bool,
    pin: Option<&[u8]>,
) -> Examination {
    let standard = Standard {
        chip: &desk.plan.chip,
        made_from: with_record.then_some((desk.record(), &desk.plan)),
        anchors: &[],
        at: Timestamp::now(),
    };
    // Any challenge will do, as long as each is another.
    let next = AtomicU8::new(1);
    let random = move |bytes: &mut [u8]| bytes.fill(next.fetch_add(1, Ordering::Relaxed));
    let presented = pin.map(|digits| Presented {
        key: "authentication",
        digits,
        random: Box::new(random),
    });
    examine(channel, &standard, presented).unwrap()
}

fn verdict(found: &Examination, what: &str) -> Verdict {
    let finding = found.findings.iter().find(|finding| finding.what == what);
    finding
        .unwrap_or_else(|| panic!("no \"{what}\" in {found:#?}"))
        .verdict
}

fn tries_of_pin1(desk: &Desk, channel: &mut dyn Channel) -> u8 {
    let chip = &desk.plan.chip;
    let pin = chip.object(ObjectKind::Pin, "pin1").unwrap();
    Inspector::new(chip, channel).tries(pin).unwrap()
}

#[test]
fn a_finished_card_is_as_its_record_says() {
    let (desk, mut card) = finished(1990);
    let found = judge(&desk, &mut card, true, Some(PINS[0].1));
    for finding in &found.findings {
        // The desk's own authority names nobody and has no anchor.
        let expected = match finding.what.rsplit(": ").next() {
            Some("chain") => Verdict::Unknown,
            Some("subject") => Verdict::Failed,
            _ => Verdict::Passed,
        };
        assert_eq!(finding.verdict, expected, "{finding:?}");
    }
    assert_eq!(
        verdict(&found, "signature by key authentication"),
        Verdict::Passed
    );
    assert_eq!(
        found
            .findings
            .iter()
            .filter(|finding| finding.what.starts_with("file "))
            .count(),
        9
    );
    assert_eq!(tries_of_pin1(&desk, &mut card), 3);
}

/// What follows from a key is judged by its certificate, wherever on the chip that stands.
#[test]
fn contents_that_hold_public_keys_are_judged() {
    for (chip, document, contents) in [
        ("isoapplet-v0", "isoapplet-card", 10),
        ("piv", "piv-card", 3),
    ] {
        let mut desk = Desk::of(chip, document);
        let (outcome, card) = desk.run(Desk::blank_of(chip), Vec::new());
        assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
        let found = judge(&desk, &mut InProcess::new(card), true, None);
        let judged = found.findings.iter().filter(|finding| {
            finding.what.starts_with("file ") || finding.what.starts_with("data object ")
        });
        let judged: Vec<_> = judged.collect();
        assert!(judged.len() >= contents, "{chip}: {judged:?}");
        for finding in judged {
            assert_eq!(finding.verdict, Verdict::Passed, "{chip}: {finding:?}");
        }
    }
}

#[test]
fn without_a_record_what_follows_from_it_stays_open() {
    let (desk, mut card) = finished(1990);
    let found = judge(&desk, &mut card, false, None);
    assert_eq!(found.verdict(), Verdict::Unknown);
    assert_eq!(verdict(&found, "file document_number"), Verdict::Unknown);
    assert_eq!(
        verdict(&found, "file signature_certificate"),
        Verdict::Passed
    );
    assert_eq!(
        verdict(&found, "certificate signature: subject"),
        Verdict::Unknown
    );
}

#[test]
fn a_blank_fails_and_is_not_changed() {
    let desk = Desk::new(1990);
    let mut card = InProcess::new(Desk::blank());
    let found = judge(&desk, &mut card, true, Some(b"1234"));
    assert_eq!(verdict(&found, "maker's keys"), Verdict::Failed);
    assert_eq!(verdict(&found, "key authentication"), Verdict::Failed);
    assert_eq!(verdict(&found, "file document_number"), Verdict::Failed);
    let domain = Domain::ask(&mut card, &desk.plan.chip.limits).unwrap();
    assert_eq!(
        (domain.has_version(0xFF), domain.has_version(1)),
        (Some(true), Some(false))
    );
    // Still a blank, that is made as any other.
    let mut desk = desk;
    let (outcome, _) = desk.run(card.into_chip(), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
}

#[test]
fn another_product_is_told_and_nothing_else_is_asked() {
    let desk = Desk::new(1990);
    let mut card = InProcess::new(Desk::blank_of("esteid-2018"));
    let found = judge(&desk, &mut card, true, Some(b"1234"));
    assert_eq!(found.findings.len(), 1);
    assert_eq!(verdict(&found, "product"), Verdict::Failed);
    let identity = Inspector::new(&desk.plan.chip, &mut card)
        .identify()
        .unwrap();
    assert_eq!(identity.differences.len(), 2, "{identity:?}");
}

#[test]
fn a_child_has_no_keys_and_should_have_none() {
    let (desk, mut card) = finished(2014);
    let found = judge(&desk, &mut card, true, None);
    assert_eq!(found.verdict(), Verdict::Passed, "{found:#?}");
    assert_eq!(verdict(&found, "key signature"), Verdict::Passed);
    // The same card under an adult's record lacks them; an adult's card under a child's has them.
    let adult = Desk::new(1990);
    assert_eq!(
        verdict(&judge(&adult, &mut card, true, None), "key signature"),
        Verdict::Failed
    );
    let (_, mut card) = finished(1990);
    assert_eq!(
        verdict(&judge(&desk, &mut card, true, None), "key signature"),
        Verdict::Failed
    );
}

#[test]
fn a_wrong_pin_uses_a_try_and_never_the_last() {
    let (desk, mut card) = finished(1990);
    let signature = |found: &Examination| verdict(found, "signature by key authentication");
    for left in [2, 1] {
        let found = judge(&desk, &mut card, true, Some(b"0000"));
        assert_eq!(signature(&found), Verdict::Failed);
        assert_eq!(tries_of_pin1(&desk, &mut card), left);
    }
    let found = judge(&desk, &mut card, true, Some(PINS[0].1));
    assert_eq!(signature(&found), Verdict::Unknown, "even if it were right");
    assert_eq!(verdict(&found, "tries of PIN1"), Verdict::Failed);
    assert_eq!(tries_of_pin1(&desk, &mut card), 1);
}

/// Torn out or mute at any command, the examination ends in an error and says nothing of the
/// card; whatever a chip answers, a lie is not passed over, and nothing panics.
#[test]
fn a_card_that_goes_or_lies_is_never_passed() {
    let kinds = [
        FaultKind::RemoveBefore,
        FaultKind::Mute,
        FaultKind::Random { length: 300 },
        FaultKind::Random { length: 1 },
        FaultKind::Endless,
    ];
    for (year, commands) in [(1990, 60), (2014, 9)] {
        let (desk, card) = finished(year);
        let mut chip = card.into_chip();
        for at in 1..=commands {
            for kind in kinds {
                let mut card = InProcess::with_faults(chip, vec![ChipFault { at, kind }]);
                let standard = Standard {
                    chip: &desk.plan.chip,
                    made_from: Some((desk.record(), &desk.plan)),
                    anchors: &[],
                    at: Timestamp::now(),
                };
                let found = examine(&mut card, &standard, None);
                assert!(
                    found.is_err() || found.is_ok_and(|found| found.verdict() != Verdict::Passed),
                    "{kind:?} at {at}"
                );
                chip = card.into_chip();
            }
        }
    }
}
