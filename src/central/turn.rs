//! Whose turn it is in the queue.
//!
//! What is due first is made first; of what is due on one day, urgent documents go before the others,
//! and then the oldest goes first.
//!
//! Where any order at all keeps every date, this one does: that is the rule of the earliest due date
//! (Jackson, 1955). An urgent document is due two working days after its application and a normal one
//! ten, so that urgent ones go first as long as there is time for both; yet a normal document whose day
//! has come goes before urgent ones that are due tomorrow, however many there are. A document's turn
//! never changes, and only those that are due sooner can come before it: none waits for ever.
//!
//! ```text
//!   document_queue (profile, place, due, urgent, turn)    one search a profile that the slot serves,
//!        └─ the first entry is the next document          as deep as the index, however long the queue
//! ```

use document::OfficeCode;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::central::Central;
use crate::database::{Connection, DbRow};
use crate::error::{CentralError, Result};
use crate::many_rows::{runs, tuples};
use crate::statements::{assembled, sql};

/// The first of a profile's queue at a place. Turns are ordered: the smaller one comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    /// The day it is due.
    due: String,
    /// Zero for an urgent one.
    rank: u8,
    /// Those that were prepared first come first.
    turn: String,
    /// The document.
    pub(crate) id: String,
}

/// The search; its placeholders are profile and place. A document whose biometrics are erased is made
/// no more.
pub(crate) const FIRST_IN_QUEUE: &str =
    "SELECT due, urgent, turn, id FROM document WHERE state = 'queued' AND profile = $1 AND place = $2
     AND EXISTS (SELECT 1 FROM biometric_data b WHERE b.application = document.application)
     ORDER BY due, urgent DESC, turn LIMIT 1";

/// What is in the index of work. A database takes a partial index only where it finds its own words.
pub(crate) const IN_WORK: &str =
    "state IN ('queued', 'at-station', 'personalized', 'quality-failed', 'quality-passed')";

/// What is on its way to its holder, and comes back where it goes missing or is damaged.
const UNDER_WAY: &str = "state IN ('dispatched', 'at-office')";

fn first_of_all(skip_locked: &str) -> String {
    format!("{FIRST_IN_QUEUE} {skip_locked}")
}

/// As [`FIRST_IN_QUEUE`], of so many documents; their identities stand before profile and place.
fn first_of_some(documents: usize, skip_locked: &str) -> String {
    let named = tuples(1, documents);
    let (profile, place) = (documents + 1, documents + 2);
    format!(
        "SELECT due, urgent, turn, id FROM document WHERE id IN {named} AND state = 'queued'
         AND profile = ${profile} AND place = ${place}
         AND EXISTS (SELECT 1 FROM biometric_data b WHERE b.application = document.application)
         ORDER BY due, urgent DESC, turn LIMIT 1 {skip_locked}"
    )
}

assembled!(first_of_all => |engine| vec![first_of_all(engine.skip_locked())]);
assembled!(first_of_some => |engine| {
    let some = |documents| first_of_some(documents, engine.skip_locked());
    vec![some(1), some(2)]
});

/// Returns whose turn it is among the documents of a profile that are made at a place; where some are
/// named, among those.
pub(crate) async fn first_in_queue(
    tx: &mut Connection,
    (profile, place): (&str, &str),
    among: &[Uuid],
    skip_locked: &str,
) -> Result<Option<Turn>> {
    if !among.is_empty() {
        return first_among(tx, (profile, place), among, skip_locked).await;
    }
    let row = sqlx::query(AssertSqlSafe(first_of_all(skip_locked)))
        .bind(profile)
        .bind(place)
        .fetch_optional(tx)
        .await?;
    Ok(row.as_ref().map(Turn::read))
}

/// As [`first_in_queue`], of the documents that are named. Each is found by its identity, however long
/// the queue is.
async fn first_among(
    tx: &mut Connection,
    (profile, place): (&str, &str),
    among: &[Uuid],
    skip_locked: &str,
) -> Result<Option<Turn>> {
    let mut first: Option<Turn> = None;
    for run in runs(among) {
        let mut query = sqlx::query(AssertSqlSafe(first_of_some(run.len(), skip_locked)));
        for id in run {
            query = query.bind(id.to_string());
        }
        let row = query
            .bind(profile)
            .bind(place)
            .fetch_optional(&mut *tx)
            .await?;
        let turn = row.as_ref().map(Turn::read);
        first = match (first, turn) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(first)
}

impl Turn {
    fn read(row: &DbRow) -> Self {
        Self {
            due: row.get("due"),
            rank: u8::from(row.get::<i64, _>("urgent") == 0),
            turn: row.get("turn"),
            id: row.get("id"),
        }
    }
}

impl Central {
    /// Returns the place whose stations make the documents of an office: its own, or the centre's,
    /// which has no name.
    pub(crate) fn place<'a>(&self, office: &'a OfficeCode) -> &'a str {
        match self.own_stations().contains(office) {
            true => office.as_str(),
            false => "",
        }
    }

    /// Returns the place that a station stands at.
    pub(crate) fn place_of_station<'a>(&self, office: Option<&'a OfficeCode>) -> Result<&'a str> {
        match office {
            None => Ok(""),
            Some(office) if self.own_stations().contains(office) => Ok(office.as_str()),
            Some(office) => Err(CentralError::refused(format!(
                "office {office} has no stations of its own here; list it under own_stations of the installation, or take its name from the station"
            ))),
        }
    }

    /// Moves what waits to the places that the installation has today: an office may have got its own
    /// stations since, or lost them.
    pub(crate) async fn place_queued(&self) -> Result<()> {
        let mut tx = self.write().await?;
        // What is at a station today, or on its way to its office, may be in the queue tomorrow.
        let rows = sqlx::query(sql!(
            "SELECT DISTINCT place, office FROM document WHERE (",
            IN_WORK,
            " OR ",
            UNDER_WAY,
            ") AND office IS NOT NULL"
        ))
        .fetch_all(&mut *tx)
        .await?;
        for row in &rows {
            let (is, name): (&str, &str) = (row.get("place"), row.get("office"));
            let office = OfficeCode::parse(name).map_err(|_| CentralError::damaged("an office"))?;
            let should = self.place(&office);
            if is != should {
                sqlx::query(sql!(
                    "UPDATE document SET place = $1 WHERE (",
                    IN_WORK,
                    " OR ",
                    UNDER_WAY,
                    ") AND office = $2"
                ))
                .bind(should)
                .bind(name)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use document::{Calendar, Priority};
    use jiff::civil::{Date, date};
    use proptest::prelude::*;

    use super::*;

    /// What arrives on a working day: urgent documents, and normal ones.
    type Arrivals = Vec<(u32, u32)>;

    /// What a rule made of its documents.
    #[derive(Debug, Default)]
    struct Kept {
        made: u32,
        missed_urgent: u32,
        missed_normal: u32,
        latest: u16,
    }

    /// Lets stations make so many documents on each working day, in the order of `rank`, until all are
    /// made. What came on a day can be made on that day.
    fn simulate<K: Ord>(arrivals: &Arrivals, a_day: u32, rank: impl Fn(Date, &Turn) -> K) -> Kept {
        let calendar = Calendar::default();
        let mut kept = Kept::default();
        let mut queue: BTreeMap<K, (Turn, Date)> = BTreeMap::new();
        let mut coming = arrivals.iter();
        let mut day = date(2026, 2, 2);
        let mut id = 0_u32;
        loop {
            while !calendar.is_working(day) {
                day = day.tomorrow().unwrap();
            }
            let today = coming.next();
            for (priority, count) in today.into_iter().flat_map(|&(urgent, normal)| {
                [(Priority::Urgent, urgent), (Priority::Normal, normal)]
            }) {
                let due = calendar.due(day, priority).unwrap();
                for _ in 0..count {
                    id += 1;
                    let turn = Turn {
                        due: due.to_string(),
                        rank: u8::from(priority == Priority::Normal),
                        turn: format!("{id:09}"),
                        id: String::new(),
                    };
                    queue.insert(rank(day, &turn), (turn, due));
                }
            }
            for _ in 0..a_day {
                let Some((_, (turn, due))) = queue.pop_first() else {
                    break;
                };
                kept.made += 1;
                if day > due {
                    *match turn.rank {
                        0 => &mut kept.missed_urgent,
                        _ => &mut kept.missed_normal,
                    } += 1;
                    kept.latest = kept.latest.max(calendar.working_days(due, day).unwrap());
                }
            }
            if today.is_none() && queue.is_empty() {
                return kept;
            }
            day = day.tomorrow().unwrap();
        }
    }

    fn by_due_day(arrivals: &Arrivals, a_day: u32) -> Kept {
        simulate(arrivals, a_day, |_, turn| turn.clone())
    }

    fn urgent_first(arrivals: &Arrivals, a_day: u32) -> Kept {
        simulate(arrivals, a_day, |_, turn| {
            (turn.rank, turn.due.clone(), turn.turn.clone())
        })
    }

    fn first_come(arrivals: &Arrivals, a_day: u32) -> Kept {
        simulate(arrivals, a_day, |day, turn| (day, turn.turn.clone()))
    }

    /// Tells whether any order at all keeps every date: no stretch of days has more documents that
    /// come and are due within it than can be made in it.
    fn is_possible(arrivals: &Arrivals, a_day: u32) -> bool {
        let days = arrivals.len();
        (0..days).all(|from| {
            (from..days + 10).all(|until| {
                let within: u32 = (from..days.min(until + 1))
                    .map(|day| {
                        let (urgent, normal) = arrivals[day];
                        let urgent = if day + 2 <= until { urgent } else { 0 };
                        urgent + if day + 10 <= until { normal } else { 0 }
                    })
                    .sum();
                within <= a_day * u32::try_from(until - from + 1).unwrap()
            })
        })
    }

    /// Six stations of 400 a day, for half a year. Twice a fortnight brings more than can be made at
    /// once, and the next one a flood of urgent documents, before that is made up.
    fn half_a_year() -> Arrivals {
        (0..125)
            .map(|day| match day {
                30..40 | 90..100 => (100, 4_000),
                40..50 | 100..110 => (850, 300),
                _ => (200, 1_600),
            })
            .collect()
    }

    #[test]
    fn a_flood_of_urgent_documents_makes_no_normal_one_late() {
        let (arrivals, a_day) = (half_a_year(), 2_400);
        assert!(is_possible(&arrivals, a_day));
        let ours = by_due_day(&arrivals, a_day);
        let urgent = urgent_first(&arrivals, a_day);
        let fifo = first_come(&arrivals, a_day);
        println!("due day: {ours:?}\nurgent first: {urgent:?}\nfirst come: {fifo:?}");
        assert_eq!((ours.missed_urgent, ours.missed_normal), (0, 0));
        assert!(urgent.missed_normal > 1_000 && urgent.missed_urgent == 0);
        assert!(fifo.missed_urgent > 1_000);
        assert_eq!((urgent.made, fifo.made), (ours.made, ours.made));
        // This flood, a little longer, is what starves others.
        let longer: Arrivals = (0..60)
            .map(|day| if day < 40 { (2_300, 300) } else { (0, 0) })
            .collect();
        assert!(is_possible(&longer, a_day) || by_due_day(&longer, a_day).latest <= 2);
        let (ours, urgent) = (by_due_day(&longer, a_day), urgent_first(&longer, a_day));
        println!("long flood, due day: {ours:?}\nlong flood, urgent first: {urgent:?}");
        assert!(ours.latest < urgent.latest, "{ours:?} {urgent:?}");
    }

    proptest! {
        #[test]
        fn where_any_order_keeps_every_date_this_one_does(
            arrivals in prop::collection::vec((0_u32..8, 0_u32..8), 1..40), a_day in 1_u32..12,
        ) {
            let kept = by_due_day(&arrivals, a_day);
            let missed = kept.missed_urgent + kept.missed_normal;
            prop_assert_eq!(missed == 0, is_possible(&arrivals, a_day));
            // And where none does, nobody waits longer than under the plain orders.
            for other in [urgent_first(&arrivals, a_day), first_come(&arrivals, a_day)] {
                prop_assert!(kept.latest <= other.latest);
                prop_assert_eq!(kept.made, other.made);
            }
        }
    }

    #[test]
    fn turns_are_ordered_by_due_day_then_urgency_then_age() {
        let turn = |due: &str, rank, turn: &str| Turn {
            due: due.to_owned(),
            rank,
            turn: turn.to_owned(),
            id: String::new(),
        };
        let ordered = [
            turn("2026-11-20", 1, "5"),
            turn("2026-11-23", 0, "4"),
            turn("2026-11-23", 1, "2"),
            turn("2026-11-23", 1, "3"),
            turn("2026-11-24", 0, "1"),
        ];
        let set: BTreeSet<_> = ordered.iter().rev().cloned().collect();
        assert!(set.iter().eq(&ordered));
    }
}
