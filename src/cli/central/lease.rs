//! `zimogs central lease`: what stations have in work, and what one that is gone had.

use api::LeaseId;
use central::LeaseLine;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use crate::cli::central::Place;
use crate::cli::central::listing::{Listed, PAGE, Shape};
use crate::cli::failure::Failure;
use crate::cli::output;

/// What stations have in work.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the leases that no report has ended, in the order in which they were given. Example:
    /// zimogs central lease list --data FOLDER
    List(Listed),
    /// Ends the expired lease of a station that will never report, before a witness: its blank is
    /// missing, and the document is made again. Example:
    /// zimogs central lease give-up 01932c07-d7fe-7d3f-a1d2-6d2f3d0c1a55 --witness keeper --cause "the station burnt" --data FOLDER
    GiveUp(Before),
    /// Takes a lease from its station, before a witness, so that another one goes on with its card: the
    /// station is dead, or the card was carried away from it. The card is then laid into a slot of
    /// another station. Example:
    /// zimogs central lease move 01932c07-d7fe-7d3f-a1d2-6d2f3d0c1a55 --witness keeper --cause "its computer is broken" --data FOLDER
    Move(Before),
}

/// A lease that two persons decide on.
#[derive(Args)]
pub(crate) struct Before {
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
        Command::List(options) => list(options),
        Command::Move(options) => carry(options),
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

fn carry(options: &Before) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central("security-officer", async |central, actor| {
        let lease = LeaseId(options.lease);
        central
            .move_lease(&actor, lease, &options.witness, &options.cause)
            .await?;
        if place.json() {
            return output::json(&json!({ "lease": options.lease, "state": "expired", "moved": true }));
        }
        output::line(&format!(
            "{} is taken from its station; lay its card into a slot of another one, which goes on with it",
            options.lease
        ))
    })
}

const LEASE: Shape<LeaseLine> = Shape {
    columns: &[
        "lease", "document", "station", "slot", "blank", "state", "until",
    ],
    none: None,
    value: |line| {
        json!({
            "lease": line.id.to_string(), "purpose": line.purpose.name(), "number": line.number,
            "station": line.station, "slot": line.slot, "blank": line.blank,
            "state": line.state.name(), "expires": line.expires,
        })
    },
    row: |line| {
        vec![
            line.id.to_string(),
            line.number.clone(),
            line.station.clone(),
            line.slot.clone(),
            line.blank.clone().unwrap_or_default(),
            line.state.to_string(),
            line.expires.to_string(),
        ]
    },
};

fn list(options: &Listed) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central("auditor", async |central, actor| {
        let next = async |last: Option<&LeaseLine>| {
            let after = last.map_or("", |line| &line.turn);
            central.leases_after(&actor, after, PAGE).await
        };
        options.print(&LEASE, next).await
    })
}
