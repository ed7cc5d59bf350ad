//! `zimogs central lease`: what stations have in work, and what one that is gone had.

use api::LeaseId;
use central::LeaseLine;
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::json;
use uuid::Uuid;

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;

/// What stations have in work.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the leases that no report has ended. Example:
    /// zimogs central lease list --data FOLDER
    List(Place),
    /// Ends the expired lease of a station that will never report, before a witness: its blank is
    /// missing, and the document is made again. Example:
    /// zimogs central lease give-up 01932c07-d7fe-7d3f-a1d2-6d2f3d0c1a55 --witness keeper --cause "the station burnt" --data FOLDER
    GiveUp(GiveUp),
}

/// A lease that is given up.
#[derive(Args)]
pub(crate) struct GiveUp {
    /// The lease's identity.
    lease: Uuid,
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(place) => list(place),
        Command::GiveUp(options) => {
            let place = &options.place;
            place.with_central("security-officer", async |central, actor| {
                let lease = LeaseId(options.lease);
                let new = central
                    .give_up_lease(&actor, lease, &options.witness, &options.cause)
                    .await?;
                let new = new.map(|new| new.to_string());
                if place.json() {
                    return output::json(
                        &json!({ "lease": options.lease, "state": "lost", "new_number": new }),
                    );
                }
                let next = match new {
                    Some(new) => format!("its document is made again as {new}"),
                    None => "its document is made again under its next blank's number".to_owned(),
                };
                output::line(&format!("{} is given up; {next}", options.lease))
            })
        }
    }
}

fn list(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let leases = central.leases(&actor).await?;
        if place.json() {
            let value = |line: &LeaseLine| {
                json!({
                    "lease": line.id.to_string(), "purpose": line.purpose.name(), "number": line.number,
                    "station": line.station, "slot": line.slot, "blank": line.blank,
                    "state": line.state.name(), "expires": line.expires,
                })
            };
            return output::json(&leases.iter().map(value).collect::<Vec<_>>());
        }
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_header(["lease", "document", "station", "slot", "blank", "state", "until"]);
        for line in &leases {
            table.add_row([
                line.id.to_string(),
                line.number.clone(),
                line.station.clone(),
                line.slot.clone(),
                line.blank.clone().unwrap_or_default(),
                line.state.to_string(),
                line.expires.to_string(),
            ]);
        }
        output::line(&table.to_string())
    })
}
