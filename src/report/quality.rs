//! How good what was made is, what it took, and why blanks were spoiled.

use crate::by::By;
use crate::chart::{Chart, Panel, Series, Style};
use crate::figures::{CauseLine, ChipLine, QualityTally, StationLine};
use crate::report::Report;
use crate::span::Span;
use crate::table::{Cell, Table, rounded};
use crate::turnaround::{keyed, percentile, shown};
use crate::words::{Language, Word};

/// What a quality report is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    /// The documents, by what the lines are told apart by.
    pub tallies: Vec<QualityTally>,
    /// What each station did.
    pub stations: Vec<StationLine>,
    /// What each chip product took.
    pub chips: Vec<ChipLine>,
    /// Why blanks were spoiled.
    pub causes: Vec<CauseLine>,
}

/// Reports yield, first-pass yield, what stations and chips took, and why blanks were spoiled.
#[must_use]
pub fn quality(quality: &Quality, span: Span, by: By, language: Language) -> Report {
    let of = |word| language.of(word);
    let title = format!(
        "{}, {} {} {}",
        of(Word::QualityTitle),
        span.from(),
        of(Word::Until),
        span.until()
    );
    let tables = vec![
        documents(&quality.tallies, &title, by, language),
        stations(&quality.stations, language),
        chips(&quality.chips, language),
        causes(&quality.causes, language),
    ];
    Report {
        name: "quality",
        span: Some(span),
        by: Some(by),
        tables,
        chart: Chart {
            title,
            panels: panels(quality, by, language),
            language,
        },
    }
}

fn documents(tallies: &[QualityTally], title: &str, by: By, language: Language) -> Table {
    let of = |word| language.of(word);
    let key = match by {
        By::Year => ("year", of(Word::Year)),
        By::Month => ("month", of(Word::Month)),
        By::Office => ("office", of(Word::Office)),
        By::Kind => ("kind", of(Word::Kind)),
    };
    let mut table = Table::new(
        "quality",
        title,
        &[
            key,
            ("made", of(Word::Made)),
            ("passed", of(Word::Passed)),
            ("first_pass", of(Word::FirstPass)),
            ("conceded", of(Word::Conceded)),
            ("failed", of(Word::Failed)),
            ("spoiled", of(Word::Spoiled)),
            ("yield", of(Word::Yield)),
            ("first_pass_yield", of(Word::FirstPassYield)),
        ],
    );
    let mut total = QualityTally::default();
    for tally in tallies {
        total.made += tally.made;
        total.passed += tally.passed;
        total.first_pass += tally.first_pass;
        total.conceded += tally.conceded;
        total.failed += tally.failed;
        total.spoiled += tally.spoiled;
        table.rows.push(row(keyed(&tally.key, by, language), tally));
    }
    if !tallies.is_empty() {
        table
            .rows
            .push(row(Cell::named("total", of(Word::Total)), &total));
    }
    table
}

fn row(key: Cell, tally: &QualityTally) -> Vec<Cell> {
    vec![
        key,
        Cell::Count(tally.made),
        Cell::Count(tally.passed),
        Cell::Count(tally.first_pass),
        Cell::Count(tally.conceded),
        Cell::Count(tally.failed),
        Cell::Count(tally.spoiled),
        Cell::Share {
            part: tally.passed,
            of: tally.passed + tally.spoiled,
        },
        Cell::Share {
            part: tally.first_pass,
            of: tally.passed,
        },
    ]
}

fn stations(lines: &[StationLine], language: Language) -> Table {
    let of = |word| language.of(word);
    let mut table = Table::new(
        "stations",
        of(Word::StationsTitle),
        &[
            ("station", of(Word::Station)),
            ("made", of(Word::Made)),
            ("spoiled", of(Word::Spoiled)),
            ("untouched", of(Word::Untouched)),
            ("yield", of(Word::Yield)),
            ("median_seconds", of(Word::MedianSeconds)),
            ("p90_seconds", of(Word::Seconds90)),
        ],
    );
    for line in lines {
        let seconds = |percent| {
            let seconds = percentile(line.seconds.iter().copied(), percent);
            seconds.map_or(Cell::Nothing, Cell::Count)
        };
        table.rows.push(vec![
            Cell::Text(line.station.clone()),
            Cell::Count(line.made),
            Cell::Count(line.spoiled),
            Cell::Count(line.untouched),
            Cell::Share {
                part: line.made,
                of: line.made + line.spoiled,
            },
            seconds(50),
            seconds(90),
        ]);
    }
    table
}

fn chips(lines: &[ChipLine], language: Language) -> Table {
    let of = |word| language.of(word);
    let mut table = Table::new(
        "chips",
        of(Word::ChipsTitle),
        &[
            ("product", of(Word::Product)),
            ("chips", of(Word::Chips)),
            ("mean_commands", of(Word::MeanCommands)),
            ("fewest_commands", of(Word::Fewest)),
            ("most_commands", of(Word::MostCommands)),
            ("mean_bytes", of(Word::MeanBytes)),
        ],
    );
    for line in lines {
        let mean = |sum| rounded(sum, line.chips, 1).map_or(Cell::Nothing, Cell::Count);
        table.rows.push(vec![
            Cell::Text(line.product.clone()),
            Cell::Count(line.chips),
            mean(line.commands),
            Cell::Count(line.fewest),
            Cell::Count(line.most),
            mean(line.bytes),
        ]);
    }
    table
}

fn causes(lines: &[CauseLine], language: Language) -> Table {
    let of = |word| language.of(word);
    let mut table = Table::new(
        "causes",
        of(Word::CausesTitle),
        &[("cause", of(Word::Cause)), ("blanks", of(Word::Blanks))],
    );
    for line in lines {
        table.rows.push(vec![
            Cell::named(
                line.cause.clone().unwrap_or_default(),
                cause(line, language),
            ),
            Cell::Count(line.blanks),
        ]);
    }
    table
}

fn cause(line: &CauseLine, language: Language) -> String {
    let other = || language.of(Word::OtherCauses).to_owned();
    line.cause.clone().unwrap_or_else(other)
}

fn panels(quality: &Quality, by: By, language: Language) -> Vec<Panel> {
    let of = |word: Word| language.of(word).to_owned();
    let two = |title: Word, categories: Vec<String>, good: (Word, Vec<_>), bad: Vec<_>| Panel {
        title: of(title),
        categories,
        series: vec![
            Series {
                name: of(good.0),
                style: Style::Solid,
                values: good.1,
            },
            Series {
                name: of(Word::Spoiled),
                style: Style::Warning,
                values: bad,
            },
        ],
        mark: None,
        axis: None,
    };
    let mut panels = Vec::new();
    let tallies = &quality.tallies;
    if !tallies.is_empty() {
        panels.push(two(
            Word::Documents,
            tallies
                .iter()
                .map(|tally| shown(&tally.key, by, language))
                .collect(),
            (
                Word::Passed,
                tallies.iter().map(|tally| Some(tally.passed)).collect(),
            ),
            tallies.iter().map(|tally| Some(tally.spoiled)).collect(),
        ));
    }
    let lines = &quality.stations;
    if !lines.is_empty() {
        panels.push(two(
            Word::StationsTitle,
            lines.iter().map(|line| line.station.clone()).collect(),
            (
                Word::Made,
                lines.iter().map(|line| Some(line.made)).collect(),
            ),
            lines.iter().map(|line| Some(line.spoiled)).collect(),
        ));
    }
    if !quality.causes.is_empty() {
        panels.push(Panel {
            title: of(Word::CausesTitle),
            categories: quality
                .causes
                .iter()
                .map(|line| cause(line, language))
                .collect(),
            series: vec![Series {
                name: of(Word::Blanks),
                style: Style::Warning,
                values: quality
                    .causes
                    .iter()
                    .map(|line| Some(line.blanks))
                    .collect(),
            }],
            mark: None,
            axis: None,
        });
    }
    panels
}
