//! `zimogs central quality`: a second person judges a finished document.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::central::OneDocument;
use crate::cli::failure::Failure;
use crate::cli::output;

/// A second person judges a finished document.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Passes a document. Example:
    /// zimogs central quality pass XA0000001 --data FOLDER
    Pass(OneDocument),
    /// Fails a document: its blank is spoiled, and it is made again. Example:
    /// zimogs central quality fail XA0000001 --cause "scratched" --data FOLDER
    Fail(Fail),
    /// Lets a held document pass, with what is wrong with it and what was done. Example:
    /// zimogs central quality concede XA0000001 --defect "a pale corner" --action "shown to the holder" --data FOLDER
    Concede(Concede),
}

/// A document that fails.
#[derive(Args)]
pub(crate) struct Fail {
    /// Why; without a holder's data.
    #[arg(long)]
    cause: String,
    /// Holds it, until it is failed without this, conceded or cancelled.
    #[arg(long)]
    hold: bool,
    #[command(flatten)]
    document: OneDocument,
}

/// A document that passes all the same.
#[derive(Args)]
pub(crate) struct Concede {
    /// What is wrong with it.
    #[arg(long)]
    defect: String,
    /// What was done about it.
    #[arg(long)]
    action: String,
    #[command(flatten)]
    document: OneDocument,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Pass(one) => pass(one),
        Command::Fail(options) => {
            let one = &options.document;
            one.place.with_central("quality", async |central, actor| {
                if options.hold {
                    central
                        .hold_quality(&actor, &one.number, &options.cause)
                        .await?;
                    return one.tell("quality-failed", "has failed, and is held");
                }
                let new = central
                    .fail_quality(&actor, &one.number, &options.cause)
                    .await?;
                let new = new.map(|new| new.to_string());
                if one.place.json() {
                    return output::json(
                        &json!({ "number": one.number, "state": "queued", "new_number": new }),
                    );
                }
                let next = match new {
                    Some(new) => format!("it is made again as {new}"),
                    None => "it is made again under its next blank's number".to_owned(),
                };
                output::line(&format!("{} has failed; {next}", one.number))
            })
        }
        Command::Concede(options) => {
            let one = &options.document;
            one.place
                .with_central("security-officer", async |central, actor| {
                    central
                        .concede(&actor, &one.number, &options.defect, &options.action)
                        .await?;
                    one.tell("quality-passed", "has passed with a concession")
                })
        }
    }
}

/// Passes a document.
pub(crate) fn pass(one: &OneDocument) -> Result<(), Failure> {
    one.place.with_central("quality", async |central, actor| {
        central.pass_quality(&actor, &one.number).await?;
        one.tell("quality-passed", "has passed")
    })
}
