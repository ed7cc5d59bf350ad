//! Documents issued, against the plan.

use std::collections::BTreeSet;

use document::{Calendar, Kind};

use crate::by::By;
use crate::chart::{Chart, Panel, Series, Style};
use crate::figures::Tally;
use crate::plan::{Group, Plan};
use crate::report::Report;
use crate::span::Span;
use crate::table::{Cell, Table};
use crate::words::{Language, Word};

/// A line's sums.
#[derive(Default, Clone, Copy)]
struct Sums {
    ordered: u64,
    made: u64,
    issued: u64,
    cancelled: u64,
}

impl Sums {
    fn of<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Self {
        let mut sums = Self::default();
        for tally in tallies {
            sums.ordered += tally.ordered;
            sums.made += tally.made;
            sums.issued += tally.issued;
            sums.cancelled += tally.cancelled;
        }
        sums
    }

    fn is_nothing(self) -> bool {
        self.ordered + self.made + self.issued + self.cancelled == 0
    }
}

/// What a line is told apart by, and what of it the plan knows.
struct Key {
    /// None where the office was not kept.
    name: Option<String>,
    shown: String,
    span: Option<Span>,
}

impl Key {
    fn new(name: String, span: Option<Span>) -> Self {
        Self {
            shown: name.clone(),
            name: Some(name),
            span,
        }
    }

    fn cell(&self) -> Cell {
        Cell::named(self.name.clone().unwrap_or_default(), &self.shown)
    }

    fn has(&self, tally: &Tally, by: By) -> bool {
        match (by, &self.name) {
            (By::Year, Some(year)) => tally.month.starts_with(year.as_str()),
            (By::Month, Some(month)) => tally.month == *month,
            (By::Office, office) => tally.office == *office,
            (By::Kind, _) | (_, None) => true,
        }
    }
}

/// Reports how many documents were ordered, made, issued and cancelled, against the plan.
///
/// Plans are a year's, and are compared with years, months and the whole span, by group of kinds; with
/// an office there is none to compare. A month's plan is its part of the year's working days.
#[must_use]
pub fn kpi(
    tallies: &[Tally],
    plan: &Plan,
    calendar: &Calendar,
    span: Span,
    by: By,
    language: Language,
) -> Report {
    let of = |word| language.of(word);
    let mut columns = Vec::new();
    match by {
        By::Year => columns.push(("year", of(Word::Year))),
        By::Month => columns.push(("month", of(Word::Month))),
        By::Office => columns.push(("office", of(Word::Office))),
        By::Kind => {}
    }
    columns.extend([
        ("group", of(Word::Group)),
        ("ordered", of(Word::Ordered)),
        ("made", of(Word::Made)),
        ("issued", of(Word::Issued)),
        ("issued_elsewhere", of(Word::IssuedElsewhere)),
        ("planned", of(Word::Planned)),
        ("of_plan", of(Word::OfPlan)),
        ("cancelled", of(Word::Cancelled)),
    ]);
    let title = format!(
        "{}, {} {} {}",
        of(Word::KpiTitle),
        span.from(),
        of(Word::Until),
        span.until()
    );
    let mut table = Table::new("issued", &title, &columns);
    let groups = match by {
        By::Kind => Kind::ALL.iter().map(|&kind| plan.of_kind(kind)).collect(),
        _ => plan.groups(),
    };
    let keys = keys(tallies, span, by, language);
    let mut panels: Vec<Panel> = Vec::new();
    for key in &keys {
        let mut total = Line::default();
        for group in &groups {
            let line = Line::of(tallies, key, group, by, calendar);
            if line.is_nothing() {
                continue;
            }
            let group = Cell::named(&group.name, group.title(language));
            table.rows.push(line.row(by, key.cell(), group));
            total.add(&line);
        }
        if !total.is_nothing() {
            let group = Cell::named("total", of(Word::Total));
            table.rows.push(total.row(by, key.cell(), group));
        }
    }
    if by == By::Kind {
        // One panel, a bar a kind.
        panels.push(panel_of_kinds(tallies, &groups, &keys, calendar, language));
    } else {
        for group in &groups {
            let lines = keys.iter().map(|key| {
                (
                    key.shown.clone(),
                    Line::of(tallies, key, group, by, calendar),
                )
            });
            let lines: Vec<_> = lines.collect();
            if lines.iter().any(|(_, line)| !line.is_nothing()) {
                panels.push(panel(group.title(language), lines, language));
            }
        }
    }
    Report {
        name: "kpi",
        span: Some(span),
        by: Some(by),
        tables: vec![table],
        chart: Chart {
            title,
            panels,
            language,
        },
    }
}

/// Returns what the lines are told apart by: every year or month of the span, each office that has
/// figures, or the span alone.
fn keys(tallies: &[Tally], span: Span, by: By, language: Language) -> Vec<Key> {
    match by {
        By::Year => span
            .years()
            .map(|year| {
                let part = Span::of_year(year).ok().and_then(|year| span.within(year));
                Key::new(year.to_string(), part)
            })
            .collect(),
        By::Month => span
            .months()
            .into_iter()
            .map(|month| {
                let part = Span::of_month(&month).and_then(|month| span.within(month));
                Key::new(month, part)
            })
            .collect(),
        By::Office => {
            let offices: BTreeSet<_> = tallies.iter().map(|tally| &tally.office).collect();
            let key = |name: &Option<String>| match name {
                Some(name) => Key::new(name.clone(), None),
                None => Key {
                    name: None,
                    shown: language.of(Word::NotKept).to_owned(),
                    span: None,
                },
            };
            offices.into_iter().map(key).collect()
        }
        By::Kind => vec![Key::new(String::new(), Some(span))],
    }
}

/// A line of the report.
#[derive(Default, Clone, Copy)]
struct Line {
    sums: Sums,
    elsewhere: u64,
    planned: Option<u64>,
}

impl Line {
    fn of(tallies: &[Tally], key: &Key, group: &Group, by: By, calendar: &Calendar) -> Self {
        let own = tallies
            .iter()
            .filter(|tally| group.kinds.contains(&tally.kind) && key.has(tally, by));
        Self {
            sums: Sums::of(own),
            elsewhere: key.span.map_or(0, |span| group.elsewhere(span)),
            planned: key.span.and_then(|span| group.planned(span, calendar)),
        }
    }

    fn issued(&self) -> u64 {
        self.sums.issued + self.elsewhere
    }

    fn is_nothing(&self) -> bool {
        self.sums.is_nothing() && self.elsewhere == 0 && self.planned.is_none()
    }

    fn add(&mut self, other: &Self) {
        self.sums.ordered += other.sums.ordered;
        self.sums.made += other.sums.made;
        self.sums.issued += other.sums.issued;
        self.sums.cancelled += other.sums.cancelled;
        self.elsewhere += other.elsewhere;
        if let Some(planned) = other.planned {
            *self.planned.get_or_insert(0) += planned;
        }
    }

    fn row(&self, by: By, key: Cell, group: Cell) -> Vec<Cell> {
        let mut row = Vec::new();
        if by != By::Kind {
            row.push(key);
        }
        row.push(group);
        row.extend([
            Cell::Count(self.sums.ordered),
            Cell::Count(self.sums.made),
            Cell::Count(self.sums.issued),
            Cell::Count(self.elsewhere),
        ]);
        row.push(self.planned.map_or(Cell::Nothing, Cell::Count));
        row.push(self.planned.map_or(Cell::Nothing, |of| Cell::Share {
            part: self.issued(),
            of,
        }));
        row.push(Cell::Count(self.sums.cancelled));
        row
    }
}

fn panel(title: &str, lines: Vec<(String, Line)>, language: Language) -> Panel {
    let issued = lines.iter().map(|(_, line)| Some(line.issued())).collect();
    let planned: Vec<_> = lines.iter().map(|(_, line)| line.planned).collect();
    let mut series = vec![Series {
        name: language.of(Word::Issued).to_owned(),
        style: Style::Solid,
        values: issued,
    }];
    if planned.iter().any(Option::is_some) {
        series.push(Series {
            name: language.of(Word::Planned).to_owned(),
            style: Style::Outline,
            values: planned,
        });
    }
    Panel {
        title: title.to_owned(),
        categories: lines.into_iter().map(|(name, _)| name).collect(),
        series,
        mark: None,
        axis: None,
    }
}

fn panel_of_kinds(
    tallies: &[Tally],
    groups: &[Group],
    keys: &[Key],
    calendar: &Calendar,
    language: Language,
) -> Panel {
    let mut lines = Vec::new();
    for key in keys {
        for group in groups {
            let line = Line::of(tallies, key, group, By::Kind, calendar);
            if !line.is_nothing() {
                lines.push((group.title(language).to_owned(), line));
            }
        }
    }
    panel(language.of(Word::Kind), lines, language)
}
