//! A run that was cut off at any command, and another process that goes on with the same chip: it is
//! finished as if nothing had happened, or the fault says where nothing may go on.

use std::collections::{BTreeMap, BTreeSet};

use profile::{ObjectKind, Verb};
use vcard::{Chip, Fault as ChipFault, FaultKind, InProcess};

use crate::desk::{Desk, LATEID, PINS};
use crate::{Fault, Inspector, Moment, Past};

/// Reads a desk's journal as another process does, and asks the chip for what that leaves open.
fn past(desk: &Desk, chip: Chip) -> (Past, Chip) {
    let mut past = Past::default();
    for entry in &desk.journal {
        let evidence = entry.evidence.iter();
        let evidence = evidence.map(|(name, value)| ((*name).to_owned(), value.clone()));
        past.note(&entry.step, entry.moment, &evidence.collect());
    }
    let mut channel = InProcess::new(chip);
    if let Some((change, under)) = past.open_key_change(&desk.plan) {
        assert_eq!((change.verb, under), (Verb::ReplaceKeys, Some("transport")));
        let name = change.name();
        let mut inspector = Inspector::new(&desk.plan.chip, &mut channel);
        let is_new = inspector.takes_keys("issuer").unwrap();
        assert_eq!(inspector.takes_keys("transport").unwrap(), !is_new);
        past.settle(&name, is_new);
        assert!(past.open_key_change(&desk.plan).is_none());
    }
    (past, channel.into_chip())
}

/// Cuts a run off at a command, and goes on with a process that knows the journal alone. Returns
/// where it does not go on.
fn cut_off(mut desk: Desk, blank: Chip, fault: ChipFault) -> (Option<String>, Desk, Chip) {
    let (first, chip) = desk.run(blank, vec![fault]);
    assert!(matches!(first.fault, Some(Fault::Card { .. })), "{fault:?}");
    let (past, chip) = past(&desk, chip);
    let was_touched = first.touched;
    desk.past = past;
    let (second, chip) = desk.run(chip, Vec::new());
    assert_eq!(
        second.touched || second.fault.is_none(),
        was_touched || second.fault.is_none()
    );
    let refused = match second.fault {
        None => None,
        Some(Fault::NotResumed { step, .. }) => Some(step),
        Some(other) => panic!("{fault:?}: {other}"),
    };
    (refused, desk, chip)
}

/// Forgets as many of the last lines as another station may lack: all behind the last one that announces
/// what may not be done twice, or with which a stage begins, and behind the last request for something
/// made of the chip's keys. Returns how many those are.
fn forget_untold(desk: &mut Desk) -> usize {
    let (mut stage, mut told) = (None, desk.told);
    for (at, entry) in desk.journal.iter().enumerate() {
        if entry.moment != Moment::Intent {
            continue;
        }
        let mut stages = desk.plan.stages.iter().enumerate();
        let (entered, may_repeat) = stages
            .find_map(|(at, stage)| {
                if stage.sealed && stage.name == entry.step {
                    return Some((at, false));
                }
                let step = stage.steps.iter().find(|step| step.name() == entry.step)?;
                Some((at, desk.plan.may_repeat(step)))
            })
            .unwrap();
        if !may_repeat || stage.replace(entered) != Some(entered) {
            told = told.max(at + 1);
        }
    }
    let forgotten = desk.journal.len() - told;
    desk.journal.truncate(told);
    forgotten
}

fn commands(mut desk: Desk, blank: Chip) -> u64 {
    let (outcome, _) = desk.run(blank, Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    desk.commands as u64
}

#[test]
fn an_eid_is_gone_on_with_wherever_it_was_cut_off() {
    let whole = commands(Desk::new(1990), Desk::blank());
    let (mut refused, mut survived) = (BTreeSet::new(), 0);
    for kind in [FaultKind::RemoveBefore, FaultKind::RemoveAfter] {
        // Each kind at every other command, so that each command has its turn.
        let from = 1 + u64::from(kind == FaultKind::RemoveAfter);
        for at in (from..=whole).step_by(2) {
            let fault = ChipFault { at, kind };
            let (step, desk, chip) = cut_off(Desk::new(1990), Desk::blank(), fault);
            if let Some(step) = step {
                refused.insert(step);
                continue;
            }
            survived += 1;
            // The holder's PINs are the last that were sealed, and all tries are there.
            let mut card = InProcess::new(chip);
            let mut inspector = Inspector::new(&desk.plan.chip, &mut card);
            for (pin, _) in PINS {
                let pin = desk.plan.chip.object(ObjectKind::Pin, pin).unwrap();
                assert_eq!(inspector.tries(pin).unwrap(), 3, "{} {fault:?}", pin.name);
            }
            let outcomes = desk.journal.iter();
            let outcomes = outcomes.filter(|entry| entry.moment == Moment::Outcome);
            let generated = outcomes.filter(|entry| entry.step.starts_with("generate_key"));
            assert_eq!(generated.count(), 2, "{fault:?}");
        }
    }
    // Only the last stage is not begun twice: where the life cycle stands is in no answer.
    assert_eq!(refused, BTreeSet::from(["close".to_owned()]));
    assert!(survived * 10 >= whole * 9, "{survived} of {whole}");
}

#[test]
fn an_eid_is_gone_on_with_by_whoever_lacks_the_last_lines() {
    let whole = commands(Desk::new(1990), Desk::blank());
    let (mut refused, mut survived, mut lacked) = (BTreeSet::new(), 0, 0);
    for at in 1..=whole {
        let kind = match at % 2 {
            0 => FaultKind::RemoveBefore,
            _ => FaultKind::RemoveAfter,
        };
        let mut desk = Desk::new(1990);
        let (first, chip) = desk.run(Desk::blank(), vec![ChipFault { at, kind }]);
        assert!(matches!(first.fault, Some(Fault::Card { .. })), "{at}");
        lacked += forget_untold(&mut desk);
        let (mut past, chip) = past(&desk, chip);
        past.suppose(&desk.plan);
        desk.past = past;
        let (second, chip) = desk.run(chip, Vec::new());
        match second.fault {
            None => survived += 1,
            Some(Fault::NotResumed { step, .. }) => {
                refused.insert(step);
                continue;
            }
            Some(other) => panic!("{at}: {other}"),
        }
        let mut card = InProcess::new(chip);
        let mut inspector = Inspector::new(&desk.plan.chip, &mut card);
        for (pin, _) in PINS {
            let pin = desk.plan.chip.object(ObjectKind::Pin, pin).unwrap();
            assert_eq!(inspector.tries(pin).unwrap(), 3, "{} {at}", pin.name);
        }
    }
    assert!(
        lacked as u64 > whole,
        "{lacked}: there was hardly anything to lack"
    );
    assert_eq!(refused, BTreeSet::from(["close".to_owned()]));
    assert!(survived * 6 >= whole * 5, "{survived} of {whole}");
}

#[test]
fn a_sealed_stage_whose_end_only_the_centre_knows_is_passed_over() {
    // The last stage, which is not begun twice.
    let stage = "close";
    for is_told in [true, false] {
        // The process was killed when the answers were confirmed, before that was written down.
        let mut desk = Desk::new(1990);
        let (first, chip) = desk.run(Desk::blank(), Vec::new());
        assert!(first.fault.is_none(), "{:?}", first.fault);
        let mut lines = desk.journal.iter();
        let end = lines.position(|line| line.step == stage && line.moment == Moment::Outcome);
        desk.journal.truncate(end.unwrap());
        let (mut past, chip) = past(&desk, chip);
        assert_eq!(past.confirm(&desk.plan, "no such stage"), None);
        if is_told {
            assert!(past.confirm(&desk.plan, stage).unwrap().is_empty());
            assert_eq!(past.confirm(&desk.plan, stage), None, "it is open no more");
        }
        desk.past = past;
        let (second, _) = desk.run(chip, Vec::new());
        match (is_told, second.fault) {
            (true, None) => {}
            (false, Some(Fault::NotResumed { step, .. })) => assert_eq!(step, stage),
            (_, other) => panic!("told: {is_told}: {other:?}"),
        }
    }
}

#[test]
fn what_was_announced_and_withdrawn_was_not_begun() {
    let desk = Desk::new(1990);
    let first = &desk.plan.stages[0];
    let step = first.steps.iter().find(|step| step.verb.is_lasting());
    let step = step.map(profile::Step::name).unwrap();
    let mut past = Past::default();
    past.note(&step, Moment::Intent, &BTreeMap::new());
    assert!(!past.is_empty(&desk.plan));
    past.note(&step, Moment::Withdrawn, &BTreeMap::new());
    assert!(past.is_empty(&desk.plan));
}

#[test]
fn what_the_profile_does_not_let_be_repeated_is_not() {
    // The same chip, of which nothing is said.
    let (before, rest) = LATEID.split_once("[again]").unwrap();
    let (_, after) = rest.split_once("# --- in which order").unwrap();
    let silent = || Desk::with_profile(1990, &format!("{before}# {after}"));
    let whole = commands(silent(), Desk::blank());
    let (mut refused, mut survived) = (BTreeSet::new(), 0);
    for at in (2..=whole).step_by(7) {
        let kind = FaultKind::RemoveBefore;
        let (step, ..) = cut_off(silent(), Desk::blank(), ChipFault { at, kind });
        match step {
            Some(step) => drop(refused.insert(step)),
            None => survived += 1,
        }
    }
    // Where nothing is open, and no PIN was set that died with the process.
    assert!(survived > 0);
    assert!(refused.len() > 3, "{refused:?}");
    assert!(refused.contains("set_temporary_pin pin2"), "{refused:?}");
}
