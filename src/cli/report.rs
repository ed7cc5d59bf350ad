//! `zimogs report`: what was issued, how long it took, how good it was, and what is left.

use std::path::PathBuf;
use std::process::ExitCode;

use api::Actor;
use central::Central;
use clap::{Args, Subcommand};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use document::Calendar;
use jiff::Timestamp;
use jiff::civil::Date;
use report::{By, Cell, Language, Plan, Report, Span, SpanError};

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind};
use crate::cli::{files, output};

/// Who looks, where nobody is named.
const ACCOUNT: &str = "auditor";

/// Counts what was issued, how long it took, and how good it was.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Documents ordered, made, issued and cancelled, against the plan. Example:
    /// zimogs report kpi --year 2026 --by month --svg issued.svg --data FOLDER
    Kpi(Kpi),
    /// Working days from the application until a document is ready, against 2 and 10. Example:
    /// zimogs report turnaround --from 2026-10-01 --to 2026-12-31 --data FOLDER
    Turnaround(OverTime),
    /// Yield, first-pass yield, causes of spoiled blanks, stations and chips. Example:
    /// zimogs report quality --year 2026 --by kind --csv --table causes --data FOLDER
    Quality(OverTime),
    /// Blanks of each article by account, as it stands. Example:
    /// zimogs report stock --language lv --data FOLDER
    Stock(Shape),
    /// Document numbers of each series by account, as it stands. Example:
    /// zimogs report numbers --json --data FOLDER
    Numbers(Shape),
}

/// A report of what was issued.
#[derive(Args)]
pub(crate) struct Kpi {
    /// The plan, in place of the installation's.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    over: OverTime,
}

/// A report over some days.
#[derive(Args)]
pub(crate) struct OverTime {
    /// The first day; by default that of this year.
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// The last day, which counts; by default that of this year.
    #[arg(long, value_name = "DAY")]
    to: Option<Date>,
    /// A whole calendar year.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    year: Option<i16>,
    /// What the lines are told apart by: year, month, office or kind.
    #[arg(long, default_value = "month")]
    by: By,
    #[command(flatten)]
    shape: Shape,
}

/// How a report is given.
#[derive(Args)]
pub(crate) struct Shape {
    /// One table as comma-separated values (RFC 4180).
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Which table, where a report has several; by default the first.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// A new file for the chart.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The language of headings and the chart: lv or en.
    #[arg(long, default_value = "en")]
    language: Language,
    #[command(flatten)]
    place: Place,
}

impl OverTime {
    /// Returns the days; `calendar` says which year it is.
    fn span(&self, calendar: &Calendar) -> Result<Span, Failure> {
        let usage = |error: SpanError| Failure::new(Kind::Usage, error.to_string());
        let this_year = || Span::of_year(calendar.day_of(Timestamp::now()).year());
        let year = self.year.map_or_else(this_year, Span::of_year);
        let year = year.map_err(usage)?;
        let (from, until) = match (self.from, self.to) {
            (Some(from), Some(to)) => (from, to),
            // Half of a span is completed by its own year.
            (Some(from), None) => (from, Span::of_year(from.year()).map_err(usage)?.until()),
            (None, Some(to)) => (Span::of_year(to.year()).map_err(usage)?.from(), to),
            (None, None) => (year.from(), year.until()),
        };
        Span::new(from, until).map_err(usage)
    }

    /// Asks the store for figures of these days, and gives the report that is made of them.
    fn give(
        &self,
        make: impl AsyncFnOnce(&Central, &Actor, Span, &Calendar) -> Result<Report, Failure>,
    ) -> Result<(), Failure> {
        let calendar = self.shape.place.installation()?.calendar()?;
        let span = self.span(&calendar)?;
        self.shape
            .give(async |central, actor| make(central, actor, span, &calendar).await)
    }
}

impl Shape {
    /// Asks the store for figures, and gives the report that is made of them.
    fn give(
        &self,
        make: impl AsyncFnOnce(&Central, &Actor) -> Result<Report, Failure>,
    ) -> Result<(), Failure> {
        if let Some(file) = &self.svg {
            files::be_free(file)?;
        }
        let report = self
            .place
            .with_central(ACCOUNT, async |central, actor| make(central, &actor).await)?;
        self.write(&report)
    }

    fn write(&self, report: &Report) -> Result<(), Failure> {
        let table = report.table(self.table.as_deref()).ok_or_else(|| {
            let names: Vec<_> = report.tables.iter().map(|table| table.name).collect();
            let fault = format!("this report has no such table; it has {}", names.join(", "));
            Failure::new(Kind::Usage, fault)
        })?;
        if let Some(file) = &self.svg {
            files::write_new(file, report.chart.svg().as_bytes())?;
        }
        if self.csv {
            return output::text(&report::csv(table));
        }
        if self.place.json() {
            return output::json(&report.json());
        }
        for one in &report.tables {
            if self.table.is_none() || one.name == table.name {
                show(one)?;
            }
        }
        Ok(())
    }
}

fn show(table: &report::Table) -> Result<(), Failure> {
    let mut shown = Table::new();
    shown
        .load_preset(UTF8_FULL_CONDENSED)
        .set_header(table.columns.iter().map(|column| &column.heading));
    for row in &table.rows {
        shown.add_row(row.iter().map(|cell| {
            let alignment = match cell.is_figure() || matches!(cell, Cell::Nothing) {
                true => CellAlignment::Right,
                false => CellAlignment::Left,
            };
            comfy_table::Cell::new(cell.shown()).set_alignment(alignment)
        }));
    }
    output::line(&format!("{}\n{shown}\n", table.title))
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Kpi(options) => kpi(options),
        Command::Turnaround(over) => over.give(async |central, actor, span, calendar| {
            let delays = central.delays(actor, span, over.by).await?;
            let waiting = central.waiting(actor).await?;
            let language = over.shape.language;
            Ok(report::turnaround(
                &delays, &waiting, calendar, span, over.by, language,
            ))
        }),
        Command::Quality(over) => over.give(async |central, actor, span, _| {
            let figures = central.quality_figures(actor, span, over.by).await?;
            Ok(report::quality(
                &figures,
                span,
                over.by,
                over.shape.language,
            ))
        }),
        Command::Stock(shape) => shape.give(async |central, actor| {
            let lines = central.stock_figures(actor).await?;
            let ribbons = central.ribbon_figures(actor).await?;
            Ok(report::stock(&lines, &ribbons, shape.language))
        }),
        Command::Numbers(shape) => shape.give(async |central, actor| {
            let lines = central.number_figures(actor).await?;
            Ok(report::numbers(&lines, shape.language))
        }),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn kpi(options: &Kpi) -> Result<(), Failure> {
    let over = &options.over;
    let plan: Plan = match &options.plan {
        Some(file) => files::toml(file)?,
        None => over.shape.place.installation()?.plan()?,
    };
    over.give(async |central, actor, span, calendar| {
        let tallies = central.tallies(actor, span).await?;
        let language = over.shape.language;
        Ok(report::kpi(
            &tallies, &plan, calendar, span, over.by, language,
        ))
    })
}
