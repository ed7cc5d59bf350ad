//! What must hold: while a simulation runs, and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use api::{Centre as _, LeaseRequest};
use document::Environment;
use document::life_cycle::{BlankState, DocumentState};
use rusqlite::{Connection, OpenFlags};
use station::Journal;

use super::office::Office;
use super::play::Play;
use super::restored::Copied;
use super::setting::{OPERATORS, STATIONS, named};
use crate::Failure;
use crate::certificates;
use crate::installation::actor;
use crate::world::reader;

/// How often the store is let settle with the authority outside.
const SWEEPS: usize = 5;

/// The documents that a journal has in work, of those on whose chips something that lasts was begun.
const TOUCHED: &str = "SELECT DISTINCT document FROM run
    WHERE document IS NOT NULL AND lease NOT IN (SELECT lease FROM outbox WHERE lease IS NOT NULL)
    AND lease IN (SELECT lease FROM line WHERE moment = 'intent')";

/// Each number, and the chips on which something that lasts was begun under it.
const BEGUN: &str = "SELECT r.number, json_extract(l.evidence, '$.chip') FROM run r JOIN line l ON l.lease = r.lease
    WHERE l.moment IN ('intent', 'withdrawn') AND r.number IS NOT NULL
    AND json_extract(l.evidence, '$.chip') IS NOT NULL
    GROUP BY r.lease, 1, 2 HAVING sum(l.moment = 'intent') > sum(l.moment = 'withdrawn')";

fn reading(file: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Ok(Connection::open_with_flags(file, flags)?)
}

/// Looks into the journals while they are written.
#[derive(Default)]
pub(super) struct Watch {
    journals: BTreeMap<usize, Looked>,
}

struct Looked {
    journal: Connection,
    /// How often that life of the station had written when it was looked.
    writes: u64,
    held: BTreeSet<String>,
}

impl Watch {
    /// Demands that no two stations, and no two slots of one, work at the same document. Returns what is
    /// found.
    pub(super) fn look(
        &mut self,
        offices: &[Office],
        taken: &BTreeSet<(usize, String)>,
    ) -> Result<Option<String>, Failure> {
        for office in offices {
            let writes = office.life.writes();
            let known = self.journals.get(&office.place);
            if known.map(|looked| looked.writes) == Some(writes) || !office.journal().exists() {
                continue;
            }
            let journal = match self.journals.remove(&office.place) {
                Some(looked) => looked.journal,
                None => reading(&office.journal())?,
            };
            let mut held = BTreeSet::new();
            let mut twice = None;
            {
                let mut touched = journal.prepare_cached(TOUCHED)?;
                for document in touched.query_map([], |row| row.get::<_, String>(0))? {
                    held.extend(twice.replace(document?));
                }
            }
            held.extend(twice);
            let looked = Looked {
                journal,
                writes,
                held,
            };
            self.journals.insert(office.place, looked);
        }
        let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, looked) in &self.journals {
            let held = looked.held.iter();
            for document in held.filter(|held| !taken.contains(&(*place, (*held).clone()))) {
                if let Some(other) = holders.insert(document, *place) {
                    let (one, two) = (named(other), named(*place));
                    return Ok(Some(format!("{one} and {two} work at the same document")));
                }
            }
        }
        Ok(None)
    }
}

/// Returns the documents that a journal has in work, on whose chips something lasting was begun.
pub(super) fn touched(journal: Option<&Path>) -> Result<Vec<String>, Failure> {
    let Some(journal) = journal.filter(|journal| journal.exists()) else {
        return Ok(Vec::new());
    };
    let journal = reading(journal)?;
    let mut touched = journal.prepare(TOUCHED)?;
    let documents = touched.query_map([], |row| row.get(0))?;
    Ok(documents.collect::<Result<_, _>>()?)
}

/// Returns the blanks whose leases were taken from a station, and that no other one has yet.
pub(super) fn awaited(store: &Path) -> Result<Vec<(String, String)>, Failure> {
    let store = reading(store)?;
    let mut awaited = store.prepare(
        "SELECT l.blank, m.station FROM lease_move m JOIN lease l ON l.id = m.lease
         WHERE m.taken IS NULL AND l.state = 'expired' ORDER BY l.blank",
    )?;
    let blanks = awaited.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(blanks.collect::<Result<_, _>>()?)
}

/// Returns what no report has ended, in words: the document's state, and its lease with the blank.
pub(super) fn held(store: &Path) -> Result<Vec<String>, Failure> {
    let store = reading(store)?;
    let mut held = store.prepare(
        "SELECT COALESCE(d.number, 'without a number') || ' ' || d.state || COALESCE(' (' || l.state || ' at '
             || l.station || ' ' || l.slot || COALESCE(', blank ' || l.blank || ' ' || b.state, '') || ')', '')
         FROM document d LEFT JOIN lease l ON l.document = d.id AND l.state IN ('open', 'expired')
         LEFT JOIN blank b ON b.serial = l.blank WHERE d.state <> 'personalized' ORDER BY d.id",
    )?;
    let words = held.query_map([], |row| row.get(0))?;
    Ok(words.collect::<Result<_, _>>()?)
}

/// Tells whether no station has a document in work or a report that waits.
pub(super) fn all_said(offices: &[Office]) -> Result<bool, Failure> {
    for office in offices {
        if !office.journal().exists() {
            return Ok(false);
        }
        let open: i64 = reading(&office.journal())?.query_row(
            "SELECT (SELECT count(*) FROM outbox WHERE sent = 0) + (SELECT count(*) FROM run
             WHERE lease NOT IN (SELECT lease FROM outbox WHERE lease IS NOT NULL))",
            [],
            |row| row.get(0),
        )?;
        if open > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Judges what is left when all is over. Returns what must not be.
pub(super) fn judge(play: &mut Play<'_>) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    settled(play, &mut found)?;
    journals(play, &mut found)?;
    documents(play, &mut found)?;
    numbers(play, &mut found)?;
    blanks(play, &mut found)?;
    let audit = play
        .centre
        .with(async |central| Ok(central.audit_books(&actor("auditor")).await?.faults()));
    found.extend(audit.ok_or("the centre is down")??);
    Ok(found)
}

/// Lets the centre do its duties, and lets what is due expire.
fn settled(play: &Play<'_>, found: &mut Vec<String>) -> Result<(), Failure> {
    let chips = play.setting.world.recipe.chips.iter();
    let request = LeaseRequest {
        environment: Environment::Test,
        slot: "slot 1".into(),
        products: chips.map(|chip| chip.profile.into()).collect(),
        article: None,
        office: None,
        chips: Vec::new(),
        among: Vec::new(),
        again: None,
        printer: None,
    };
    let told = play.centre.with(async |central| {
        let mut told = Vec::new();
        for place in 0..STATIONS {
            let operator = api::Actor {
                station: named(place),
                person: OPERATORS[0].into(),
            };
            if central.lease(&operator, &request).await?.is_some() {
                told.push(format!(
                    "there is work for {} when all is made",
                    named(place)
                ));
            }
        }
        let mut left = 0;
        for _ in 0..SWEEPS {
            left = central.sweep_certificates_now().await?.left;
            if left == 0 {
                break;
            }
        }
        if left > 0 {
            told.push(format!("{left} certificates are never settled"));
        }
        central.sequence().await?;
        Ok(told)
    });
    found.extend(told.ok_or("the centre is down")??);
    Ok(())
}

/// Demands that each journal has nothing left to say, that the store has every report of it once and in
/// order, each as it was sent, and that no lease is open.
fn journals(play: &Play<'_>, found: &mut Vec<String>) -> Result<(), Failure> {
    let store = reading(&play.centre.store)?;
    for office in &play.offices {
        let name = named(office.place);
        let hello = Journal::open(&office.journal())?.hello()?;
        if hello.in_work > 0 {
            found.push(format!("{name} has {} documents in work", hello.in_work));
        }
        if hello.acknowledged != hello.last {
            let told = format!(
                "{name} has {} reports, of which not all are sent",
                hello.last
            );
            found.push(told);
        }
        let rows = |file: &Connection, sql: &str, of: &[&dyn rusqlite::ToSql]| {
            let mut rows = file.prepare(sql)?;
            let rows = rows.query_map(of, |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let sent = rows(
            &reading(&office.journal())?,
            "SELECT sequence, COALESCE(lease || ' ' || json_extract(report, '$.end'), 'act') FROM outbox
             ORDER BY sequence",
            &[],
        )?;
        let taken = rows(
            &store,
            "SELECT sequence, lease || ' ' || end_state FROM report WHERE station = ?1
             UNION ALL SELECT sequence, lease || ' ' || end_state FROM quarantined_report
             WHERE station = ?1
             UNION ALL SELECT sequence, lease || ' ' || end_state FROM fenced_report WHERE station = ?1
             UNION ALL SELECT sequence, 'act' FROM station_act WHERE station = ?1 ORDER BY 1",
            &[&name],
        )?;
        if sent != taken {
            let told = format!("{name} sent {sent:?}, and the store has {taken:?}");
            found.push(told);
        }
    }
    let open = "SELECT station || ' ' || slot || ' ' || state FROM lease WHERE state IN ('open', 'expired')";
    let mut open = store.prepare(open)?;
    for lease in open.query_map([], |row| row.get::<_, String>(0))? {
        found.push(format!("a lease that nobody knows stays: {}", lease?));
    }
    Ok(())
}

/// Demands that every document is made, each on a blank of its own, and that no certificate is left of
/// any other blank.
fn documents(play: &Play<'_>, found: &mut Vec<String>) -> Result<(), Failure> {
    let lines = play.documents()?.ok_or("the centre is down")?;
    let mut carried = BTreeSet::new();
    for line in &lines {
        let number = line.number.clone().unwrap_or_default();
        if line.state != DocumentState::Personalized {
            found.push(format!("document {number} is {}", line.state));
        }
        let world = &play.setting.world;
        let at = world
            .blanks
            .iter()
            .position(|blank| Some(&blank.serial) == line.blank.as_ref());
        if let Some(own) = at.and_then(|at| world.own_number(at))
            && own != number
        {
            found.push(format!("document {number} is on the blank of number {own}"));
        }
        match &line.blank {
            Some(blank) if !carried.insert(blank) => {
                found.push(format!("blank {blank} carries two documents"));
            }
            Some(_) => {}
            None => found.push(format!("document {number} is on no blank")),
        }
    }
    let chips = lines.iter().flat_map(|line| &line.chips);
    let chips: BTreeSet<_> = chips.map(String::as_str).collect();
    let forgot = play.copied.as_ref().and_then(Copied::forgotten);
    let outside = &play.centre.outside;
    let left = certificates::left(&play.centre.store, outside, &chips, forgot)?;
    found.extend(left.orphans);
    let applications: BTreeSet<_> = lines.iter().map(|line| &line.application).collect();
    if applications.len() != lines.len() {
        found.push("an application has two documents".into());
    }
    Ok(())
}

/// Demands that no number was ever begun on two blanks, whatever the centre forgot.
fn numbers(play: &Play<'_>, found: &mut Vec<String>) -> Result<(), Failure> {
    let mut begun: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for office in &play.offices {
        let journal = reading(&office.journal())?;
        let mut begins = journal.prepare(BEGUN)?;
        let chips = begins.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for one in chips {
            let (number, chip) = one?;
            begun.entry(number).or_default().insert(chip);
        }
    }
    for (number, chips) in begun.iter().filter(|(_, chips)| chips.len() > 1) {
        let chips: Vec<_> = chips.iter().map(String::as_str).collect();
        found.push(format!(
            "number {number} was begun on chips {}",
            chips.join(", ")
        ));
    }
    Ok(())
}

/// Demands that every blank is in an account where it may stay, and that one that is said to be
/// untouched is.
fn blanks(play: &mut Play<'_>, found: &mut Vec<String>) -> Result<(), Failure> {
    let lines = play.centre.with(async |central| {
        let keeper = actor("keeper");
        Ok(central.blanks(&keeper).await?)
    });
    let lines = lines.ok_or("the centre is down")??;
    let made = lines.iter();
    let made = made.filter(|line| line.state == BlankState::Personalized);
    let (made, documents) = (
        made.count(),
        play.documents()?.map_or(0, |lines| lines.len()),
    );
    if made != documents {
        found.push(format!(
            "{made} blanks are personalized, for {documents} documents"
        ));
    }
    for (number, chip) in &play.used {
        let Some(blank) = play.setting.world.blanks.get(*number) else {
            continue;
        };
        let line = lines.iter().find(|line| line.serial == blank.serial);
        match line.map(|line| line.state) {
            Some(BlankState::Personalized) => {}
            Some(BlankState::Spoiled) => play.figures.spoiled += 1,
            Some(state @ (BlankState::InStock | BlankState::Returned)) => {
                if !blank.is_as_delivered(&reader(0), chip)? {
                    let told = format!(
                        "blank {} is {state}, and its chip is not as it was delivered",
                        blank.serial
                    );
                    found.push(told);
                }
            }
            Some(state) => found.push(format!("blank {} stays {state}", blank.serial)),
            None => found.push(format!("blank {} is in no account", blank.serial)),
        }
    }
    Ok(())
}
