//! `zimogs central refuse | withdraw`: an application ends before anything is made of it.

use clap::Args;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;

/// An application to end, and why.
#[derive(Args)]
pub(crate) struct Ending {
    /// Its reference.
    reference: String,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

impl Ending {
    fn tell(&self, state: &str) -> Result<(), Failure> {
        match self.place.json() {
            true => output::json(&json!({ "application": self.reference, "state": state })),
            false => output::line(&format!("{} is {state}", self.reference)),
        }
    }
}

/// Refuses an application that somebody else entered.
pub(crate) fn refuse(ending: &Ending) -> Result<(), Failure> {
    ending
        .place
        .with_central("approver", async |central, actor| {
            central
                .reject(&actor, &ending.reference, &ending.cause)
                .await?;
            ending.tell("refused")
        })
}

/// Withdraws an application of which no document was prepared.
pub(crate) fn withdraw(ending: &Ending) -> Result<(), Failure> {
    ending.place.with_central("clerk", async |central, actor| {
        central
            .withdraw_application(&actor, &ending.reference, &ending.cause)
            .await?;
        ending.tell("withdrawn")
    })
}
