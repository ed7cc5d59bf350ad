//! How long documents took, in working days, against the day they were due.

use std::collections::BTreeMap;

use document::{Calendar, Priority};

use crate::by::By;
use crate::chart::{Chart, Mark, Panel, Series, Style};
use crate::figures::{Delay, Waiting};
use crate::report::Report;
use crate::span::Span;
use crate::table::{Cell, Table, rounded};
use crate::words::{Language, Word};

/// How many documents took how many working days.
#[derive(Default)]
struct Distribution {
    days: BTreeMap<u64, u64>,
    documents: u64,
    within: u64,
}

impl Distribution {
    fn add(&mut self, delay: &Delay, calendar: &Calendar) {
        let days = calendar.working_days(delay.applied, delay.ready);
        let days = days.map_or(u64::from(u16::MAX), u64::from);
        *self.days.entry(days).or_default() += delay.documents;
        self.documents += delay.documents;
        if delay.ready <= delay.due {
            self.within += delay.documents;
        }
    }

    fn percentile(&self, percent: u64) -> Option<u64> {
        percentile(
            self.days.iter().map(|(&days, &count)| (days, count)),
            percent,
        )
    }
}

/// Returns a percentile of values with how often each is, in rising order, by the nearest rank.
pub(crate) fn percentile(
    values: impl Iterator<Item = (u64, u64)> + Clone,
    percent: u64,
) -> Option<u64> {
    let all: u64 = values.clone().map(|(_, count)| count).sum();
    let rank = rounded_up(all, percent);
    let mut seen = 0;
    for (value, count) in values {
        seen += count;
        if count > 0 && seen >= rank {
            return Some(value);
        }
    }
    None
}

fn rounded_up(all: u64, percent: u64) -> u64 {
    let rank = (u128::from(all) * u128::from(percent)).div_ceil(100);
    u64::try_from(rank).unwrap_or(u64::MAX).max(1)
}

/// Reports how many working days documents took from the day of application to the day they passed
/// quality, and what is not ready yet.
#[must_use]
pub fn turnaround(
    delays: &[Delay],
    waiting: &[Waiting],
    calendar: &Calendar,
    span: Span,
    by: By,
    language: Language,
) -> Report {
    let of = |word| language.of(word);
    let key = match by {
        By::Year => ("year", of(Word::Year)),
        By::Month => ("month", of(Word::Month)),
        By::Office => ("office", of(Word::Office)),
        By::Kind => ("kind", of(Word::Kind)),
    };
    let title = format!(
        "{}, {} {} {}",
        of(Word::TurnaroundTitle),
        span.from(),
        of(Word::Until),
        span.until()
    );
    let mut table = Table::new(
        "turnaround",
        &title,
        &[
            key,
            ("priority", of(Word::Priority)),
            ("documents", of(Word::Documents)),
            ("within_due", of(Word::WithinDue)),
            ("share_within_due", of(Word::ShareWithin)),
            ("median_days", of(Word::Median)),
            ("p90_days", of(Word::Most90)),
            ("p99_days", of(Word::Most99)),
            ("longest_days", of(Word::Longest)),
        ],
    );
    let mut lines: BTreeMap<(&str, bool), Distribution> = BTreeMap::new();
    let mut all: BTreeMap<bool, Distribution> = BTreeMap::new();
    for delay in delays {
        // Urgent ones stand first.
        let rank = !delay.urgent;
        let line = lines.entry((&delay.key, rank)).or_default();
        line.add(delay, calendar);
        all.entry(rank).or_default().add(delay, calendar);
    }
    for ((key, rank), line) in &lines {
        table
            .rows
            .push(row(keyed(key, by, language), !rank, line, language));
    }
    for (rank, line) in &all {
        table.rows.push(row(
            Cell::named("total", of(Word::Total)),
            !rank,
            line,
            language,
        ));
    }
    let panels = Priority::ALL.iter().rev().filter_map(|&priority| {
        let line = all.get(&(priority != Priority::Urgent))?;
        Some(panel(priority, line, language))
    });
    Report {
        name: "turnaround",
        span: Some(span),
        by: Some(by),
        chart: Chart {
            title,
            panels: panels.collect(),
            language,
        },
        tables: vec![table, waiting_table(waiting, language)],
    }
}

/// Returns a line's key as people read it.
pub(crate) fn shown(key: &str, by: By, language: Language) -> String {
    match by {
        _ if key.is_empty() => language.of(Word::NotKept).to_owned(),
        By::Kind => match key.parse() {
            Ok(kind) => language.kind(kind).to_owned(),
            Err(_) => key.to_owned(),
        },
        _ => key.to_owned(),
    }
}

/// Returns a line's key as a cell.
pub(crate) fn keyed(key: &str, by: By, language: Language) -> Cell {
    Cell::named(key, shown(key, by, language))
}

fn priority_cell(urgent: bool, language: Language) -> Cell {
    let name = if urgent {
        Priority::Urgent
    } else {
        Priority::Normal
    };
    Cell::named(name.name(), priority(urgent, language))
}

fn priority(urgent: bool, language: Language) -> String {
    let word = if urgent { Word::Urgent } else { Word::Normal };
    language.of(word).to_owned()
}

fn row(key: Cell, urgent: bool, line: &Distribution, language: Language) -> Vec<Cell> {
    let days = |percent| line.percentile(percent).map_or(Cell::Nothing, Cell::Count);
    vec![
        key,
        priority_cell(urgent, language),
        Cell::Count(line.documents),
        Cell::Count(line.within),
        Cell::Share {
            part: line.within,
            of: line.documents,
        },
        days(50),
        days(90),
        days(99),
        days(100),
    ]
}

fn panel(which: Priority, line: &Distribution, language: Language) -> Panel {
    let due = u64::from(which.working_days());
    // Twice the time that there is, and what took longer together.
    let most = due * 2;
    let longer: u64 = line.days.range(most + 1..).map(|(_, count)| count).sum();
    let mut categories: Vec<String> = (0..=most).map(|days| days.to_string()).collect();
    let mut values: Vec<_> = (0..=most)
        .map(|days| Some(line.days.get(&days).copied().unwrap_or_default()))
        .collect();
    if longer > 0 {
        categories.push(format!("{}+", most + 1));
        values.push(Some(longer));
    }
    let share = rounded(line.within, line.documents, 1_000).unwrap_or_default();
    let title = format!(
        "{}: {} {}.{} %",
        priority(which == Priority::Urgent, language),
        language.of(Word::WithinDue).to_lowercase(),
        share / 10,
        share % 10
    );
    Panel {
        title,
        categories,
        series: vec![Series {
            name: language.of(Word::Documents).to_owned(),
            style: Style::Solid,
            values,
        }],
        mark: Some(Mark {
            after: usize::from(which.working_days()),
            label: format!("{}: {due}", language.of(Word::DueLimit)),
        }),
        axis: Some(language.of(Word::WorkingDays).to_owned()),
    }
}

fn waiting_table(waiting: &[Waiting], language: Language) -> Table {
    let of = |word| language.of(word);
    let mut table = Table::new(
        "waiting",
        of(Word::WaitingTitle),
        &[
            ("kind", of(Word::Kind)),
            ("priority", of(Word::Priority)),
            ("documents", of(Word::Documents)),
            ("overdue", of(Word::Overdue)),
            ("oldest_application", of(Word::Oldest)),
            ("first_due", of(Word::FirstDue)),
        ],
    );
    for line in waiting {
        let day = |day: Option<jiff::civil::Date>| {
            day.map_or(Cell::Nothing, |day| Cell::Text(day.to_string()))
        };
        table.rows.push(vec![
            Cell::named(line.kind.name(), language.kind(line.kind)),
            priority_cell(line.urgent, language),
            Cell::Count(line.documents),
            Cell::Count(line.overdue),
            day(line.oldest),
            day(line.first_due),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        // The example of the nearest-rank method: 15, 20, 35, 40, 50.
        let values = [15, 20, 35, 40, 50].map(|value| (value, 1));
        let of = |percent| percentile(values.into_iter(), percent);
        assert_eq!(of(5), Some(15));
        assert_eq!(of(30), Some(20));
        assert_eq!(of(40), Some(20));
        assert_eq!(of(50), Some(35));
        assert_eq!(of(100), Some(50));
        assert_eq!(percentile([(3, 0), (4, 2)].into_iter(), 0), Some(4));
        assert_eq!(percentile(std::iter::empty(), 50), None);
    }
}
