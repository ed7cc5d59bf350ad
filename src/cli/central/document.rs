//! `zimogs central document`: a document after it was made, to its end.

use central::{Central, CentralError, Moved};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use document::DocumentNumber;
use document::life_cycle::RevocationCause;
use serde_json::{Value, json};

use crate::cli::central::{OneDocument, Place};
use crate::cli::failure::Failure;
use crate::cli::output;

/// A document after it was made, to its end.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Shows where a document is, its certificates and what happened to it. Example:
    /// zimogs central document show XA0000001 --data FOLDER
    Show(OneDocument),
    /// Shows what stations wrote down of making a document, blank after blank. Example:
    /// zimogs central document journal XA0000001 --data FOLDER
    Journal(OneDocument),
    /// Takes a document out of use for a time: its certificates go on hold. Example:
    /// zimogs central document suspend XA0000001 --cause "the holder telephoned" --data FOLDER
    Suspend(Because),
    /// Brings a suspended document into use again; another person than who suspended it. Example:
    /// zimogs central document release XA0000001 --cause "found at home" --as clerk-2 --data FOLDER
    Release(Because),
    /// Notes that a document is lost, as reported in writing: it is never in use again. Example:
    /// zimogs central document lost XA0000001 --cause "report 2026/17" --data FOLDER
    Lost(Because),
    /// Notes that a document was stolen: it is never in use again. Example:
    /// zimogs central document stolen XA0000001 --cause "police report 7" --data FOLDER
    Stolen(Because),
    /// Ends a document that was handed over, and revokes its certificates for that reason. Example:
    /// zimogs central document revoke XA0000001 --why data-changed --cause "marriage" --data FOLDER
    Revoke(Revoke),
    /// Takes a document back that is in hand: from its holder, a finder, or uncollected. Example:
    /// zimogs central document return XA0000001 --cause "handed in" --data FOLDER
    Return(Because),
    /// Destroys a document that came back, before a witness. Example:
    /// zimogs central document destroy XA0000001 --witness auditor --data FOLDER
    Destroy(Destroy),
    /// Ends every document whose last day has passed; for a timer, once a day. Example:
    /// zimogs central document expire --data FOLDER
    Expire(Place),
    /// Notes that a document was damaged in its parcel or at its office: it is made again. Example:
    /// zimogs central document damaged XA0000001 --cause "bent" --data FOLDER
    Damaged(Because),
    /// Notes, before a witness, that a document that nobody holds is missing: it is made again.
    /// Example: zimogs central document missing XA0000001 --witness keeper --cause "not in its drawer" --data FOLDER
    Missing(Missing),
    /// Cancels the document of an application that nobody holds, and withdraws the application.
    /// Example: zimogs central document cancel APP-2026-000001 --cause "moved away" --data FOLDER
    Cancel(Cancel),
}

/// One document, and why.
#[derive(Args)]
pub(crate) struct Because {
    /// Why; without a holder's data.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    document: OneDocument,
}

/// A document that ends by decision.
#[derive(Args)]
pub(crate) struct Revoke {
    /// Why, for its certificates: replaced, data-changed, deceased, surrendered, right-ended or
    /// compromised.
    #[arg(long)]
    why: RevocationCause,
    #[command(flatten)]
    because: Because,
}

/// A document that is destroyed.
#[derive(Args)]
pub(crate) struct Destroy {
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    document: OneDocument,
}

/// A document that is missing.
#[derive(Args)]
pub(crate) struct Missing {
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    because: Because,
}

/// A document that is wanted no more.
#[derive(Args)]
pub(crate) struct Cancel {
    /// The reference of its application.
    application: String,
    /// Why; without a holder's data.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Show(one) => show(one),
        Command::Journal(one) => journal(one),
        Command::Suspend(options) => options.change("clerk", async |central, actor, because| {
            central
                .suspend(&actor, because.number(), &because.cause)
                .await
        }),
        Command::Release(options) => options.change("clerk", async |central, actor, because| {
            central
                .resume(&actor, because.number(), &because.cause)
                .await
        }),
        Command::Lost(options) => options.change("clerk", async |central, actor, because| {
            central
                .report_lost(&actor, because.number(), &because.cause)
                .await
        }),
        Command::Stolen(options) => options.change("clerk", async |central, actor, because| {
            central
                .report_stolen(&actor, because.number(), &because.cause)
                .await
        }),
        Command::Revoke(options) => {
            let why = options.why;
            options
                .because
                .change("clerk", async |central, actor, because| {
                    central
                        .revoke_document(&actor, because.number(), why, &because.cause)
                        .await
                })
        }
        Command::Return(options) => options.change("clerk", async |central, actor, because| {
            central
                .take_back(&actor, because.number(), &because.cause)
                .await
        }),
        Command::Destroy(options) => {
            let one = &options.document;
            one.place
                .with_central("stock-keeper", async |central, actor| {
                    central
                        .destroy_document(&actor, &one.number, &options.witness)
                        .await?;
                    one.tell("destroyed", "is destroyed")
                })
        }
        Command::Expire(place) => place.with_central("auditor", async |central, _| {
            let expired = central.expire_documents().await?;
            match place.json() {
                true => output::json(&json!({ "expired": expired })),
                false => output::line(&format!("{expired} documents expired")),
            }
        }),
        Command::Damaged(options) => {
            let place = &options.document.place;
            place.with_central("clerk", async |central, actor| {
                let new = central
                    .document_damaged(&actor, options.number(), &options.cause)
                    .await?;
                options.tell_made_again("damaged", new)
            })
        }
        Command::Missing(options) => {
            let because = &options.because;
            let place = &because.document.place;
            place.with_central("clerk", async |central, actor| {
                let new = central
                    .document_missing(&actor, because.number(), &options.witness, &because.cause)
                    .await?;
                because.tell_made_again("missing", new)
            })
        }
        Command::Cancel(options) => {
            options
                .place
                .with_central("approver", async |central, actor| {
                    central
                        .cancel_document(&actor, &options.application, &options.cause)
                        .await?;
                    match options.place.json() {
                        true => output::json(
                            &json!({ "application": options.application, "state": "cancelled" }),
                        ),
                        false => output::line(&format!(
                            "the document of {} is cancelled, and the application withdrawn",
                            options.application
                        )),
                    }
                })
        }
    }
}

impl Because {
    fn number(&self) -> &str {
        &self.document.number
    }

    /// Moves the document, and tells where it and its certificates are then.
    fn change(
        &self,
        account: &str,
        act: impl AsyncFnOnce(&Central, api::Actor, &Self) -> Result<Moved, CentralError>,
    ) -> Result<(), Failure> {
        let place = &self.document.place;
        place.with_central(account, async |central, actor| {
            let moved = act(central, actor, self).await?;
            if place.json() {
                return output::json(&value(&moved));
            }
            output::line(&format!("{} is {}", moved.number, moved.state))?;
            show_certificates(&moved)
        })
    }

    fn tell_made_again(&self, what: &str, new: Option<DocumentNumber>) -> Result<(), Failure> {
        let new = new.map(|new| new.to_string());
        if self.document.place.json() {
            return output::json(&json!({
                "number": self.number(), "end": what, "new_number": new,
            }));
        }
        let next = match new {
            Some(new) => format!("it is made again as {new}"),
            None => "it is made again under its next blank's number".to_owned(),
        };
        output::line(&format!("{} is noted as {what}; {next}", self.number()))
    }
}

fn journal(one: &OneDocument) -> Result<(), Failure> {
    one.place.with_central("auditor", async |central, actor| {
        let lines = central.journal(&actor, &one.number).await?;
        if one.place.json() {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| {
                    json!({
                        "at": line.at, "step": line.step, "moment": line.moment,
                        "evidence": line.evidence,
                    })
                })
                .collect();
            return output::json(&lines);
        }
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_header(["at", "step", "moment", "evidence"]);
        for line in &lines {
            let evidence = line.evidence.iter();
            let evidence: Vec<_> = evidence
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            table.add_row([
                line.at.to_string(),
                line.step.clone(),
                line.moment.clone(),
                evidence.join(" "),
            ]);
        }
        output::line(&table.to_string())
    })
}

fn value(moved: &Moved) -> Value {
    let certificates: Vec<_> = moved
        .certificates
        .iter()
        .map(|one| {
            json!({
                "serial": one.serial, "key": one.key, "authority": one.authority,
                "state": one.state.to_string(), "standing": one.standing,
                "settled": one.is_settled, "by_hand": one.by_hand,
            })
        })
        .collect();
    json!({ "number": moved.number, "state": moved.state.name(), "certificates": certificates })
}

fn show_certificates(moved: &Moved) -> Result<(), Failure> {
    for one in &moved.certificates {
        output::line(&format!(
            "  {} certificate {} of {}: {}",
            one.key, one.serial, one.authority, one.state
        ))?;
        if one.is_settled {
            continue;
        }
        output::line(&match one.by_hand {
            true => format!(
                "    its authority has it as {}, and its connector cannot change that: have it done there",
                one.standing
            ),
            false => format!(
                "    its authority has it as {} still; the sweep goes on trying",
                one.standing
            ),
        })?;
    }
    Ok(())
}

fn show(one: &OneDocument) -> Result<(), Failure> {
    one.place.with_central("auditor", async |central, actor| {
        let history = central.history(&actor, &one.number).await?;
        if one.place.json() {
            let mut shown = value(&history.now);
            let lines: Vec<_> = history
                .lines
                .iter()
                .map(|line| {
                    json!({
                        "at": line.at, "event": line.event.name(),
                        "state": line.state.name(), "cause": line.cause,
                    })
                })
                .collect();
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("application".into(), json!(history.application));
                shown.insert("parcel".into(), json!(history.parcel));
                shown.insert("history".into(), json!(lines));
            }
            return output::json(&shown);
        }
        let place = match &history.parcel {
            Some(parcel) => format!(", in parcel {parcel}"),
            None => String::new(),
        };
        output::line(&format!(
            "{} of {} is {}{place}",
            history.now.number, history.application, history.now.state
        ))?;
        show_certificates(&history.now)?;
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_header(["when", "what", "then", "why"]);
        for line in &history.lines {
            table.add_row([
                line.at.to_string(),
                line.event.to_string(),
                line.state.to_string(),
                line.cause.clone().unwrap_or_default(),
            ]);
        }
        output::line(&table.to_string())
    })
}
