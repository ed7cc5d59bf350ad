//! `zimogs central reconcile`: what follows a restoration of the store, until work is given again.

use std::collections::BTreeSet;

use central::{Reconciliation, ReconcilingStation};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::central::backup::PASS_OVER;
use crate::cli::failure::Failure;
use crate::cli::output;

/// What follows a restoration of the store.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows which stations are awaited, and what they reported that the store does not know.
    /// Example: zimogs central reconcile status --data FOLDER
    Status(Place),
    /// Says that the database was restored by its own means, before a witness: the store gives no
    /// work until its stations have reconciled. `zimogs central restore` says it by itself. Example:
    /// zimogs central reconcile begin --witness keeper --copied 2026-12-01T03:00:00Z --data FOLDER
    Begin(Begin),
    /// Ends the reconciliation, before a witness: the store gives work again. Example:
    /// zimogs central reconcile end --witness keeper --data FOLDER
    End(End),
}

/// A restoration that the store does not know of.
#[derive(Args)]
pub(crate) struct Begin {
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// As of when the database is.
    #[arg(long, value_name = "MOMENT")]
    copied: Option<Timestamp>,
    /// How many numbers of each series are passed over: more than may have been given since.
    #[arg(long, value_name = "NUMBERS", default_value_t = PASS_OVER, value_parser = clap::value_parser!(u32).range(..=9_999_999))]
    pass_over: u32,
    #[command(flatten)]
    place: Place,
}

/// A reconciliation to end.
#[derive(Args)]
pub(crate) struct End {
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// A station that will never report. Every document in the queue then gets another number:
    /// that station may have made it.
    #[arg(long, value_name = "STATION", requires = "cause")]
    without: Vec<String>,
    /// Why those stations will never report.
    #[arg(long)]
    cause: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Status(place) => status(place),
        Command::Begin(options) => begin(options),
        Command::End(options) => end(options),
    }
}

fn begin(options: &Begin) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central("security-officer", async |central, actor| {
        let epoch = central
            .begin_reconciliation(&actor, &options.witness, options.copied, options.pass_over)
            .await?;
        match place.json() {
            true => output::json(&json!({ "epoch": epoch })),
            false => output::line(&format!(
                "the store reconciles, in epoch {epoch}; it gives work once that is ended: zimogs central reconcile end"
            )),
        }
    })
}

fn end(options: &End) -> Result<(), Failure> {
    let place = &options.place;
    let without: BTreeSet<String> = options.without.iter().cloned().collect();
    let cause = options.cause.as_deref().unwrap_or_default();
    place.with_central("security-officer", async |central, actor| {
        let renumbered = central
            .end_reconciliation(&actor, &options.witness, &without, cause)
            .await?;
        match place.json() {
            true => output::json(&json!({ "ended": true, "renumbered": renumbered })),
            false => output::line(&format!(
                "the reconciliation is ended; {renumbered} documents got another number"
            )),
        }
    })
}

fn status(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let found = central.reconciliation(&actor).await?;
        if place.json() {
            return output::json(&found.as_ref().map(shown));
        }
        let Some(found) = found else {
            return output::line("the store was never restored");
        };
        output::line(&match found.finished {
            Some(finished) => format!("restored {}, reconciled {finished}", found.restored),
            None => format!("restored {}: no work is given yet", found.restored),
        })?;
        let mut stations = table(&["station", "its reports"]);
        for one in &found.stations {
            stations.add_row([one.station.clone(), standing(one)]);
        }
        output::line(&stations.to_string())?;
        let mut reports = table(&["station", "report", "lease", "document", "ended", "blanks"]);
        for one in &found.quarantined {
            reports.add_row([
                one.station.clone(),
                one.sequence.to_string(),
                one.lease.clone(),
                one.number.clone().unwrap_or_else(|| "-".to_owned()),
                one.end.clone(),
                one.blanks.join(", "),
            ]);
        }
        output::line(&reports.to_string())
    })
}

fn standing(station: &ReconcilingStation) -> String {
    match station.reconciled {
        Some(at) => format!("here again since {at}"),
        None => "awaited".to_owned(),
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(header);
    table
}

fn shown(found: &Reconciliation) -> serde_json::Value {
    let stations = found.stations.iter();
    let stations: Vec<_> = stations
        .map(|one| json!({ "station": one.station, "reconciled": one.reconciled }))
        .collect();
    let reports = found.quarantined.iter();
    let reports: Vec<_> = reports
        .map(|one| {
            json!({
                "station": one.station, "sequence": one.sequence, "lease": one.lease, "number": one.number,
                "end": one.end, "blanks": one.blanks, "received": one.received,
            })
        })
        .collect();
    json!({
        "epoch": found.epoch, "restored": found.restored, "copied": found.copied, "finished": found.finished,
        "stations": stations, "quarantined": reports,
    })
}
