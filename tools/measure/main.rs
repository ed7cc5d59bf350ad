//! `measure`: figures of the product beside the limit that each has, measured in the same run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing figures is what it is for"
)]

mod chips;
mod demo;
mod plan;
mod protection;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

/// Measures the product, each figure beside its limit.
#[derive(Parser)]
struct Arguments {
    /// Only the rows whose name contains this.
    name: Option<String>,
    /// One JSON list.
    #[arg(long)]
    json: bool,
    /// How many documents the demo makes for its figures.
    #[arg(long, default_value_t = 20)]
    documents: usize,
    /// Measure only the wire to this reader, in seconds a command.
    #[arg(long, hide = true)]
    wire: Option<String>,
}

/// One figure.
#[derive(Debug, Serialize)]
struct Row {
    /// What was measured.
    name: String,
    /// How much.
    value: f64,
    /// Of what.
    unit: &'static str,
    /// The limit in the same unit, measured or computed in the same run.
    limit: f64,
    /// Value by limit.
    ratio: f64,
}

impl Row {
    fn new(name: &str, value: f64, unit: &'static str, limit: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
            limit,
            ratio: value / limit,
        }
    }
}

type Measured = Result<Vec<Row>, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(reader) = &arguments.wire {
        return match wire::seconds_a_command(reader) {
            Ok(seconds) => {
                println!("{seconds}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("measure: {error}");
                ExitCode::FAILURE
            }
        };
    }
    match measure(&arguments) {
        Ok(rows) if arguments.json => {
            println!(
                "{}",
                serde_json::to_string_pretty(&rows).unwrap_or_default()
            );
            ExitCode::SUCCESS
        }
        Ok(rows) => {
            println!(
                "{:44} {:>12} {:>12} {:>8}  unit",
                "name", "value", "limit", "ratio"
            );
            for row in rows {
                println!(
                    "{:44} {:>12.3} {:>12.3} {:>8.3}  {}",
                    row.name, row.value, row.limit, row.ratio, row.unit
                );
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Measured {
    let wanted = |name: &str| {
        arguments
            .name
            .as_deref()
            .is_none_or(|wanted| name.contains(wanted))
    };
    let mut rows = Vec::new();
    if wanted("scp02") || wanted("scp03") {
        rows.extend(protection::rows()?);
    }
    if wanted("chips") {
        rows.extend(chips::rows()?);
    }
    if wanted("demo") {
        rows.extend(demo::rows(arguments.documents)?);
    }
    Ok(rows)
}
