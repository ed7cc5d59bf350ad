//! The journal over restarts, and as an earlier version left it.

use std::collections::BTreeMap;

use perso::{JournalEntry, Moment};

use super::*;
use crate::drive::Notebook;

fn lease() -> LeaseId {
    LeaseId(Uuid::now_v7())
}

const DOCUMENT: Uuid = Uuid::from_u128(7);

fn ending(end: BlankEnd) -> Ending {
    Ending {
        end,
        chips: Vec::new(),
        certificates: 2,
        milliseconds: 7,
    }
}

fn number() -> DocumentNumber {
    DocumentNumber::parse("XA0000001").unwrap()
}

fn entry(step: &str, moment: Moment) -> JournalEntry {
    let evidence = BTreeMap::from([
        ("chip", "0102".to_owned()),
        ("product", "chip-a".to_owned()),
    ]);
    JournalEntry {
        step: step.into(),
        moment,
        evidence,
    }
}

#[test]
fn a_lease_is_begun_once_and_ended_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let lease = lease();
    assert!(journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap());
    let intent = entry("replace_keys issuer", Moment::Intent);
    journal.notebook(lease).write(&intent).unwrap();
    assert!(!journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap());
    assert!(journal.is_touched(lease).unwrap());
    journal.settle(lease, None).unwrap();
    let untouched = BlankEnd::Untouched {
        cause: "too late".into(),
    };
    journal.end(lease, ending(untouched)).unwrap();
    let report = journal.next_report().unwrap().unwrap();
    assert!(matches!(report.end, BlankEnd::Spoiled { .. }));
    journal.sent(report.sequence).unwrap();
    assert!(journal.next_report().unwrap().is_none());
}

#[test]
fn what_was_announced_and_withdrawn_leaves_the_blank_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let lease = lease();
    assert!(journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap());
    for (moment, is_touched) in [
        (Moment::Intent, true),
        (Moment::Withdrawn, false),
        (Moment::Intent, true),
    ] {
        let line = entry("replace_keys issuer", moment);
        journal.notebook(lease).write(&line).unwrap();
        assert_eq!(journal.is_touched(lease).unwrap(), is_touched, "{moment:?}");
    }
}

#[test]
fn keys_that_never_reached_a_chip_are_renounced_where_nothing_else_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let [untouched, touched] = [lease(), lease()];
    for lease in [untouched, touched] {
        journal.begin(lease, DOCUMENT, number(), "a").unwrap();
    }
    let begun = entry("replace_keys issuer", Moment::Intent);
    journal.notebook(touched).write(&begun).unwrap();
    for lease in [untouched, touched] {
        journal.renounce(lease, "add_keys next", "C0FFEE").unwrap();
    }
    let lines = journal.lines(untouched).unwrap();
    assert!(JournalLine::withdraw_all(&lines), "{lines:?}");
    assert!(lines.iter().all(|line| line.evidence["chip"] == "C0FFEE"));
    assert!(!journal.is_touched(untouched).unwrap());
    // What another chip of the blank has begun is not taken back.
    assert_eq!(journal.lines(touched).unwrap().len(), 1);
    assert!(journal.is_touched(touched).unwrap());
}

#[test]
fn a_journal_is_one_stations_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let first = Journal::open(&path).unwrap();
    let Err(StationError::JournalInUse { path: held }) = Journal::open(&path) else {
        panic!("two stations with one journal")
    };
    assert_eq!(held, path);
    let beside = Journal::open(&folder.path().join("other.db")).unwrap();
    drop(first);
    Journal::open(&path).unwrap();
    drop(beside);
    let nowhere = Journal::open(&folder.path().join("nowhere/journal.db"));
    assert!(matches!(nowhere, Err(StationError::JournalLock { .. })));
}

#[test]
fn what_was_in_work_is_spoiled_or_untouched_after_a_restart_and_reported_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let (touched, untouched, ended) = (lease(), lease(), lease());
    {
        let mut journal = Journal::open(&path).unwrap();
        for lease in [ended, touched, untouched] {
            journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap();
        }
        journal.end(ended, ending(BlankEnd::Personalized)).unwrap();
        let mut notebook = journal.notebook(touched);
        notebook.write(&entry("identify", Moment::Outcome)).unwrap();
        notebook
            .write(&entry("write_file x", Moment::Intent))
            .unwrap();
        drop(notebook);
        journal
            .notebook(untouched)
            .write(&entry("identify", Moment::Outcome))
            .unwrap();
    }
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.recover().unwrap(), 2);
    assert_eq!(journal.recover().unwrap(), 0, "once is enough");
    let mut ends = Vec::new();
    while let Some(report) = journal.next_report().unwrap() {
        assert_eq!(report.sequence, ends.len() as u64 + 1);
        journal.sent(report.sequence).unwrap();
        ends.push((
            report.lease,
            report.end,
            report.chips.first().and_then(|chip| chip.serial.clone()),
        ));
    }
    assert_eq!(ends[0].0, ended);
    let spoiled = ends.iter().find(|(lease, ..)| *lease == touched).unwrap();
    assert!(matches!(spoiled.1, BlankEnd::Spoiled { .. }));
    assert_eq!(spoiled.2.as_deref(), Some("0102"));
    assert!(ends.iter().any(
        |(lease, end, _)| *lease == untouched && matches!(end, BlankEnd::Untouched { .. })
    ));
}

#[test]
fn what_was_acknowledged_is_kept_and_sent_again_to_a_centre_that_lacks_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut journal = Journal::open(&path).unwrap();
    for _ in 0..3 {
        let lease = lease();
        journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap();
        journal.end(lease, ending(BlankEnd::Personalized)).unwrap();
    }
    let open = lease();
    journal.begin(open, DOCUMENT, number(), "slot 1").unwrap();
    for sequence in 1..=2 {
        journal.sent(sequence).unwrap();
    }
    let hello = Hello {
        acknowledged: 2,
        last: 3,
        in_work: 1,
        epoch: None,
    };
    assert_eq!(journal.hello().unwrap(), hello);
    let waiting = |journal: &Journal| journal.next_report().unwrap().map(|one| one.sequence);
    assert_eq!(waiting(&journal), Some(3));
    assert_eq!(journal.send_again(1).unwrap(), 1);
    assert_eq!(waiting(&journal), Some(2));
    let again = journal.next_report().unwrap().unwrap();
    assert_eq!(again.number, Some(number()));
    assert_eq!(
        journal.hello().unwrap(),
        hello,
        "what was acknowledged stays so"
    );

    // Bounded: old ones go, but never the last, whose number the next one follows.
    for sequence in 2..=3 {
        journal.sent(sequence).unwrap();
    }
    let now = Timestamp::now();
    assert_eq!(journal.forget(now + KEPT / 2).unwrap(), 0);
    assert_eq!(journal.forget(now + KEPT * 2).unwrap(), 2);
    assert_eq!(journal.forget(now + KEPT * 2).unwrap(), 0);
    assert_eq!(journal.hello().unwrap().last, 3);
    assert_eq!(journal.epoch().unwrap(), None);
    let epoch = Epoch(Uuid::now_v7());
    journal.set_epoch(Epoch(Uuid::nil())).unwrap();
    journal.set_epoch(epoch).unwrap();
    drop(journal);
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!(journal.epoch().unwrap(), Some(epoch));
    journal.settle(open, None).unwrap();
    assert_eq!(waiting(&journal), Some(4));
}

#[test]
fn a_journal_of_the_first_form_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let (one, two) = (lease(), lease());
    let report = |lease: LeaseId, sequence| {
        format!(
            r#"{{"lease":"{lease}","sequence":{sequence},"end":"personalized","chips":[],"milliseconds":1,"journal":[]}}"#
        )
    };
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&format!(
        "CREATE TABLE run (lease TEXT PRIMARY KEY, slot TEXT NOT NULL, started TEXT NOT NULL) STRICT;
         CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, lease TEXT NOT NULL UNIQUE REFERENCES run(lease),
             report TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0) STRICT;
         INSERT INTO run VALUES ('{one}', 'a', '2026-11-20T08:00:00Z'), ('{two}', 'a', '2026-11-20T08:00:00Z');
         INSERT INTO outbox VALUES (1, '{one}', '{}', 1), (2, '{two}', '{}', 0);",
        report(one, 1),
        report(two, 2)
    ))
    .unwrap();
    drop(old);
    let journal = Journal::open(&path).unwrap();
    let hello = journal.hello().unwrap();
    assert_eq!((hello.acknowledged, hello.last, hello.in_work), (1, 2, 0));
    let next = journal.next_report().unwrap().unwrap();
    assert_eq!((next.sequence, next.number), (2, None));
    // A centre that has the first one knows it by what it said then.
    let text = serde_json::to_string(&next).unwrap();
    assert_eq!(text, report(two, 2));
}

#[test]
fn what_ended_is_found_again_by_its_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let (spoiled, made, other) = (lease(), lease(), lease());
    {
        let mut journal = Journal::open(&path).unwrap();
        let foreign = Uuid::from_u128(8);
        for (lease, document) in [(spoiled, DOCUMENT), (other, foreign), (made, DOCUMENT)] {
            journal.begin(lease, document, number(), "left").unwrap();
        }
        journal.begin(lease(), DOCUMENT, number(), "open").unwrap();
        let mut notebook = journal.notebook(spoiled);
        notebook.write(&entry("identify", Moment::Outcome)).unwrap();
        notebook
            .write(&entry("write_file x", Moment::Intent))
            .unwrap();
        drop(notebook);
        journal.settle(spoiled, None).unwrap();
        for lease in [other, made] {
            journal.end(lease, ending(BlankEnd::Personalized)).unwrap();
        }
        journal.sent(1).unwrap();
    }
    let journal = Journal::open(&path).unwrap();
    let found = journal.ended(0, &|_, document| document == DOCUMENT);
    let found = found.unwrap();
    let leases: Vec<_> = found
        .iter()
        .map(|one| (one.sequence, one.lease, &*one.slot))
        .collect();
    assert_eq!(leases, [(1, spoiled, "left"), (3, made, "left")]);
    assert!(matches!(found[0].ending.end, BlankEnd::Spoiled { .. }));
    assert_eq!(found[0].ending.chips[0].serial.as_deref(), Some("0102"));
    assert_eq!(found[1].ending.end, BlankEnd::Personalized);
    assert_eq!(
        (found[1].ending.certificates, &*found[1].number),
        (2, "XA0000001")
    );
    let later = journal.ended(1, &|lease, _| lease != made).unwrap();
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].lease, other);
}

#[test]
fn what_people_did_waits_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let (ended, open) = (lease(), lease());
    let act = |act: &str| PersonsAct {
        at: Timestamp::now(),
        person: "operator".into(),
        act: act.into(),
        slot: None,
    };
    {
        let mut journal = Journal::open(&path).unwrap();
        journal.note_act(&act("shift.begun")).unwrap();
        for lease in [ended, open] {
            journal.begin(lease, DOCUMENT, number(), "left").unwrap();
        }
        journal.end(ended, ending(BlankEnd::Personalized)).unwrap();
        journal.note_act(&act("shift.ended")).unwrap();
    }
    let mut journal = Journal::open(&path).unwrap();
    // A document in work is found, whatever waits beside reports.
    let hello = journal.hello().unwrap();
    assert_eq!((hello.acknowledged, hello.last, hello.in_work), (0, 3, 1));
    assert_eq!(journal.waiting().unwrap(), 3);
    let mut told = Vec::new();
    while let Some(next) = journal.next_outgoing().unwrap() {
        assert_eq!(next.sequence(), told.len() as u64 + 1);
        told.push(match &next {
            Outgoing::Report(report) => report.lease.to_string(),
            Outgoing::Act(act) => act.act.clone(),
        });
        journal.sent(next.sequence()).unwrap();
    }
    assert_eq!(
        told,
        [
            "shift.begun".to_owned(),
            ended.to_string(),
            "shift.ended".to_owned()
        ]
    );
    assert_eq!(journal.acts(10).unwrap().len(), 2);
    assert_eq!(journal.ended(0, &|_, _| true).unwrap().len(), 1);
    // Old ones are forgotten, with and without a lease; the last stays.
    let now = Timestamp::now();
    assert_eq!(journal.forget(now + KEPT * 2).unwrap(), 2);
    assert_eq!(journal.hello().unwrap().last, 3);
    journal.settle(open, None).unwrap();
    assert_eq!(journal.next_report().unwrap().unwrap().sequence, 4);
}

#[test]
fn nobody_is_told_what_a_machine_without_power_would_forget() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    let lease = lease();
    journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap();
    let intent = entry("write_file x", Moment::Intent);
    journal.notebook(lease).write(&intent).unwrap();
    let outcome = entry("write_file x", Moment::Outcome);
    journal.write_soon(lease, &outcome).unwrap();
    journal.write_soon(lease, &outcome).unwrap();
    let told = |journal: &Journal| journal.lines_after(lease, 0, 9).unwrap().len();
    assert_eq!(
        (told(&journal), journal.lines(lease).unwrap().len()),
        (1, 3)
    );
    // What comes next takes it with it, of whatever document it is.
    journal
        .begin(self::lease(), DOCUMENT, number(), "slot 2")
        .unwrap();
    assert_eq!(told(&journal), 3);
}

#[test]
fn a_machine_that_was_started_again_may_have_forgotten_the_last_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let (open, ended, empty) = (lease(), lease(), lease());
    let under = |boot: Option<&str>| {
        let (watch, clock) = (Arc::new(Unwatched), Arc::new(SystemClock));
        Journal::open_in(&path, watch, clock, boot).unwrap()
    };
    let steps = |journal: &Journal, lease| -> Vec<String> {
        let lines = journal.lines(lease).unwrap().into_iter();
        lines.map(|line| line.step).collect()
    };
    {
        let mut journal = under(Some("first"));
        for lease in [open, ended, empty] {
            journal.begin(lease, DOCUMENT, number(), "slot 1").unwrap();
        }
        for lease in [open, ended] {
            let identified = entry("identify", Moment::Outcome);
            journal.notebook(lease).write(&identified).unwrap();
        }
        journal.end(ended, ending(BlankEnd::Personalized)).unwrap();
    }
    assert_eq!(steps(&under(Some("first")), open), ["identify"]);
    let journal = under(Some("second"));
    assert_eq!(steps(&journal, open), ["identify", BOOTED]);
    assert_eq!(steps(&journal, ended), ["identify"]);
    assert_eq!(steps(&journal, empty), [""; 0]);
    drop(journal);
    assert_eq!(steps(&under(Some("second")), open).len(), 2);
    // Who does not know takes it for another one.
    assert_eq!(steps(&under(None), open).len(), 3);
    assert_eq!(steps(&under(None), open).len(), 4);
}
