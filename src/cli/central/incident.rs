//! `zimogs central incident`: what is not as the books say, until another person agrees why.

use central::IncidentLine;
use clap::{Args, Subcommand};
use document::life_cycle::IncidentKind;
use serde_json::{Value, json};

use crate::cli::central::Place;
use crate::cli::central::listing::{Listed, PAGE, Shape};
use crate::cli::failure::Failure;
use crate::cli::output;

/// Incidents: what is not as the books say.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the incidents that are not closed. Example:
    /// zimogs central incident list --data FOLDER
    List(List),
    /// Shows one incident. Example:
    /// zimogs central incident show 3 --data FOLDER
    Show(One),
    /// Opens an incident that no other command opens. Example:
    /// zimogs central incident open blank/LV-0001 --text "found in the corridor" --data FOLDER
    Open(Open),
    /// Says why an incident is. Example:
    /// zimogs central incident explain 3 --text "counted twice" --data FOLDER
    Explain(Explain),
    /// Closes an incident: another person agrees with the explanation. Example:
    /// zimogs central incident close 3 --data FOLDER
    Close(One),
}

/// Which incidents.
#[derive(Args)]
pub(crate) struct List {
    /// The closed ones too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    listed: Listed,
}

/// One incident.
#[derive(Args)]
pub(crate) struct One {
    /// Its number.
    number: i64,
    #[command(flatten)]
    place: Place,
}

/// An incident to open.
#[derive(Args)]
pub(crate) struct Open {
    /// What it is about, as the log names it: a kind, a slash and a reference.
    subject: String,
    /// Its kind.
    #[arg(long, default_value = "other")]
    kind: IncidentKind,
    /// What was found; without a holder's data.
    #[arg(long)]
    text: String,
    #[command(flatten)]
    place: Place,
}

/// An explanation.
#[derive(Args)]
pub(crate) struct Explain {
    /// The incident's number.
    number: i64,
    /// Why it was so; without a holder's data.
    #[arg(long)]
    text: String,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(options) => list(options),
        Command::Show(one) => one.place.with_central("auditor", async |central, actor| {
            let line = central.incident(&actor, one.number).await?;
            if one.place.json() {
                return output::json(&value(&line));
            }
            output::line(&format!(
                "incident {}: {} of {}, {}",
                line.number, line.kind, line.subject, line.state
            ))?;
            let by = line.opened_by.as_deref().unwrap_or("the store");
            output::line(&format!("  {} by {by}: {}", line.opened, line.text))?;
            if let (Some(text), Some(by)) = (&line.explanation, &line.explained_by) {
                output::line(&format!("  explained by {by}: {text}"))?;
            }
            match (&line.closed, &line.closed_by) {
                (Some(at), Some(by)) => output::line(&format!("  closed {at} by {by}")),
                _ => Ok(()),
            }
        }),
        Command::Open(options) => {
            options
                .place
                .with_central("stock-keeper", async |central, actor| {
                    let number = central
                        .report_incident(&actor, options.kind, &options.subject, &options.text)
                        .await?;
                    tell(&options.place, number, "open")
                })
        }
        Command::Explain(options) => {
            options
                .place
                .with_central("stock-keeper", async |central, actor| {
                    central
                        .explain_incident(&actor, options.number, &options.text)
                        .await?;
                    tell(&options.place, options.number, "explained")
                })
        }
        Command::Close(one) => {
            one.place
                .with_central("security-officer", async |central, actor| {
                    central.close_incident(&actor, one.number).await?;
                    tell(&one.place, one.number, "closed")
                })
        }
    }
}

fn tell(place: &Place, number: i64, state: &str) -> Result<(), Failure> {
    if place.json() {
        output::json(&json!({ "incident": number, "state": state }))
    } else {
        output::line(&format!("incident {number} is {state}"))
    }
}

fn value(line: &IncidentLine) -> Value {
    json!({
        "incident": line.number, "kind": line.kind, "subject": line.subject, "text": line.text,
        "state": line.state, "opened_by": line.opened_by, "opened": line.opened,
        "explanation": line.explanation, "explained_by": line.explained_by,
        "closed_by": line.closed_by, "closed": line.closed,
    })
}

const INCIDENT: Shape<IncidentLine> = Shape {
    columns: &["incident", "kind", "about", "found", "state"],
    none: Some("no incident is left"),
    value,
    row: |line| {
        vec![
            line.number.to_string(),
            line.kind.to_string(),
            line.subject.clone(),
            line.text.clone(),
            line.state.to_string(),
        ]
    },
};

fn list(options: &List) -> Result<(), Failure> {
    let (listed, all) = (&options.listed, options.all);
    listed
        .place
        .with_central("auditor", async |central, actor| {
            let next = async |last: Option<&IncidentLine>| {
                let after = last.map_or(0, |line| line.number);
                central.incidents_after(&actor, all, after, PAGE).await
            };
            listed.print(&INCIDENT, next).await
        })
}
