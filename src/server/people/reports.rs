//! What was issued, how long it took, how good it was, and what is left: as JSON, CSV or a chart.

use document::Act;
use jiff::Timestamp;
use jiff::civil::Date;
use report::{By, Language, Report, Span, SpanError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{Day, Object};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A schema that a field of the query has.
macro_rules! field {
    ($(#[$doc:meta])* $name:ident, $text:literal, $schema:tt) => {
        $(#[$doc])*
        struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $text.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

field!(
    /// A year.
    Year, "Year", { "type": "integer", "minimum": 1000, "maximum": 9999 }
);
field!(
    /// What the lines are told apart by.
    ByName, "By", { "type": "string", "enum": ["year", "month", "office", "kind"], "default": "month" }
);
field!(
    /// The language of headings and the chart.
    LanguageName, "Language", { "type": "string", "enum": ["lv", "en"], "default": "en" }
);
field!(
    /// How a report is given.
    FormatName, "ReportFormat", { "type": "string", "enum": ["json", "csv", "svg"], "default": "json" }
);
field!(
    /// A table of a report.
    TableName, "ReportTable", { "type": "string", "pattern": "^[a-z-]{1,40}$" }
);

/// How a report is given.
#[derive(Clone, Copy)]
enum Format {
    Json,
    Csv,
    Svg,
}

impl std::str::FromStr for Format {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "svg" => Ok(Self::Svg),
            _ => Err(()),
        }
    }
}

fn invalid(error: SpanError) -> Problem {
    Problem::new(Fault::Invalid, error.to_string())
}

/// Returns the days that are asked for; those of this year where nothing is said.
fn span(call: &Call) -> Result<Span, Problem> {
    let (from, until) = (call.field::<Date>("from")?, call.field::<Date>("to")?);
    let year = call.field::<i16>("year")?;
    if year.is_some() && (from.is_some() || until.is_some()) {
        let detail = "name either a year, or the first and the last day";
        return Err(Problem::new(Fault::Invalid, detail));
    }
    let this = call.central.calendar().day_of(Timestamp::now()).year();
    let whole = |year| Span::of_year(year).map_err(invalid);
    let (from, until) = match (from, until) {
        (Some(from), Some(until)) => (from, until),
        // Half of a span is completed by its own year.
        (Some(from), None) => (from, whole(from.year())?.until()),
        (None, Some(until)) => (whole(until.year())?.from(), until),
        (None, None) => return whole(year.unwrap_or(this)),
    };
    Span::new(from, until).map_err(invalid)
}

fn by(call: &Call) -> Result<By, Problem> {
    Ok(call.field("by")?.unwrap_or(By::Month))
}

fn language(call: &Call) -> Result<Language, Problem> {
    Ok(call.field("language")?.unwrap_or_default())
}

fn give(call: &Call, report: &Report) -> Result<Answer, Problem> {
    let named = call.query.get("table").map(String::as_str);
    let table = report.table(named).ok_or_else(|| {
        let names: Vec<_> = report.tables.iter().map(|table| table.name).collect();
        let detail = format!("this report has no such table; it has {}", names.join(", "));
        Problem::new(Fault::Invalid, detail)
    })?;
    match call.field("format")?.unwrap_or(Format::Json) {
        Format::Json => Answer::json(&report.json()),
        Format::Csv => Ok(Answer::text(CSV, report::csv(table))),
        Format::Svg => Ok(Answer::text(SVG, report.chart.svg())),
    }
}

const CSV: &str = "text/csv; charset=utf-8";
const SVG: &str = "image/svg+xml";

async fn kpi(call: Call) -> Result<Answer, Problem> {
    let (span, by, language) = (span(&call)?, by(&call)?, language(&call)?);
    let tallies = call.central.tallies(call.actor()?, span).await?;
    let calendar = call.central.calendar();
    let report = report::kpi(&tallies, &call.plan, calendar, span, by, language);
    give(&call, &report)
}

async fn turnaround(call: Call) -> Result<Answer, Problem> {
    let (span, by, language) = (span(&call)?, by(&call)?, language(&call)?);
    let delays = call.central.delays(call.actor()?, span, by).await?;
    let waiting = call.central.waiting(call.actor()?).await?;
    let calendar = call.central.calendar();
    let report = report::turnaround(&delays, &waiting, calendar, span, by, language);
    give(&call, &report)
}

async fn quality(call: Call) -> Result<Answer, Problem> {
    let (span, by, language) = (span(&call)?, by(&call)?, language(&call)?);
    let actor = call.actor()?;
    let figures = call.central.quality_figures(actor, span, by).await?;
    give(&call, &report::quality(&figures, span, by, language))
}

async fn stock(call: Call) -> Result<Answer, Problem> {
    let lines = call.central.stock_figures(call.actor()?).await?;
    let ribbons = call.central.ribbon_figures(call.actor()?).await?;
    give(&call, &report::stock(&lines, &ribbons, language(&call)?))
}

async fn numbers(call: Call) -> Result<Answer, Problem> {
    let lines = call.central.number_figures(call.actor()?).await?;
    give(&call, &report::numbers(&lines, language(&call)?))
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let shaped = |path, id, summary| {
        Operation::get(path, id, summary)
            .read(Act::ViewReports, "report.read", "report")
            .field::<FormatName>(
                "format",
                "JSON, one table as CSV (RFC 4180), or the chart as SVG.",
                "json",
            )
            .field::<TableName>(
                "table",
                "Which table as CSV; by default the first.",
                "issued",
            )
            .field::<LanguageName>("language", "The language of headings and the chart.", "en")
            .also(&[CSV, SVG])
            .gives::<Object>(
                200,
                "The report.",
                json!({ "report": "stock", "from": null, "until": null, "by": null, "tables": {} }),
            )
    };
    let over_time = |path, id, summary| {
        shaped(path, id, summary)
            .field::<Day>(
                "from",
                "The first day; by default that of its year.",
                "2026-01-01",
            )
            .field::<Day>(
                "to",
                "The last day, which counts; by default that of its year.",
                "2026-12-31",
            )
            .field::<Year>(
                "year",
                "A whole calendar year, in place of both; by default this one.",
                2026,
            )
            .field::<ByName>("by", "What the lines are told apart by.", "month")
    };
    of(
        "reports",
        vec![
            over_time(
                "/v1/reports/kpi",
                "reportIssued",
                "Counts documents ordered, made, issued and cancelled, against the plan.",
            )
            .runs(kpi),
            over_time(
                "/v1/reports/turnaround",
                "reportTurnaround",
                "Counts working days from the application until a document is ready, against 2 and 10.",
            )
            .runs(turnaround),
            over_time(
                "/v1/reports/quality",
                "reportQuality",
                "Counts yield, causes of spoiled blanks, stations and chips.",
            )
            .runs(quality),
            shaped("/v1/reports/stock", "reportStock", "Counts blanks of each article by account, and ribbons of printers.").runs(stock),
            shaped("/v1/reports/numbers", "reportNumbers", "Counts document numbers of each series by account.")
                .runs(numbers),
        ],
    )
}
