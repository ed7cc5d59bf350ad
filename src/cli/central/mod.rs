//! `zimogs central`: looks into the central store of an installation.

mod application;
mod audit_books;
mod backup;
mod certificates;
mod check;
pub(crate) mod counting;
mod document;
mod envelope;
mod erase;
mod incident;
mod init;
mod lease;
mod listing;
mod new_pins;
mod parcel;
mod parcel_paper;
mod prune;
mod quality;
mod reconcile;
mod register;
mod ribbon;
mod search;
mod series;
mod serve;
pub(crate) mod source;
mod station;
pub(crate) mod stock;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use api::Actor;
use central::{CentralError, DocumentLine};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::central::certificates::Certificates;
use crate::cli::central::listing::{Listed, PAGE, Shape};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::installation::Installation;
use crate::cli::{output, shipped};

/// Looks into the central store of an installation.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Founds an installation: settings, keys, store and first administrator. Example:
    /// zimogs central init --environment test --administrator anna --data FOLDER
    Init(Box<init::Init>),
    /// Takes applications in (JSON, format 1); a malformed one is refused with every fault. Example:
    /// zimogs central import application.json --data FOLDER
    Import(Import),
    /// Approves an application that somebody else entered. Example:
    /// zimogs central approve APP-2026-000001 --data FOLDER
    Approve(Approve),
    /// Refuses an application that somebody else entered. Example:
    /// zimogs central refuse APP-2026-000001 --cause "not the applicant" --data FOLDER
    Refuse(application::Ending),
    /// Withdraws an application that nobody decided on. Example:
    /// zimogs central withdraw APP-2026-000001 --cause "entered twice" --data FOLDER
    Withdraw(application::Ending),
    /// Books a delivery of blanks by its list, counted by two persons. Example:
    /// zimogs central receive delivery.jsonl --counted 500 --witness ANNA --data FOLDER
    Receive(stock::Receive),
    /// Blanks: every one is in exactly one account.
    #[command(subcommand)]
    Stock(stock::Command),
    /// Ribbons of card printers: what was printed with one can be read from it.
    #[command(subcommand)]
    Ribbon(ribbon::Command),
    /// Series of document numbers, and what became of each number.
    #[command(subcommand)]
    Series(series::Command),
    /// Books that a document without a chip was made of a blank at a desk. Example:
    /// zimogs central produce APP-2026-000001 --blank B-00077 --data FOLDER
    Produce(stock::Produce),
    /// Lists the documents with their states, the oldest first. Example:
    /// zimogs central documents --data FOLDER
    Documents(Listed),
    /// Notes that a person judged a document and passed it. Example:
    /// zimogs central pass XA0000001 --data FOLDER
    Pass(OneDocument),
    /// Hands a document over: its certificates become active. Example:
    /// zimogs central hand-over XA0000001 --data FOLDER
    HandOver(OneDocument),
    /// A second person judges a finished document.
    #[command(subcommand)]
    Quality(quality::Command),
    /// Finished documents on their way to their office.
    #[command(subcommand)]
    Parcel(parcel::Command),
    /// A document after it was made, to its end.
    #[command(subcommand)]
    Document(document::Command),
    /// What stations have in work, and what one that is gone had.
    #[command(subcommand)]
    Lease(lease::Command),
    /// Gives the finished document in a reader new PINs, and another envelope. Example:
    /// zimogs central new-pins XA0000001 --reader "slot 1" --cause "letter lost" --data FOLDER
    NewPins(new_pins::NewPins),
    /// PIN envelopes, from the printer to the holder.
    #[command(subcommand)]
    Envelope(envelope::Command),
    /// Copies the store while it works, with what an installation consists of beside its token.
    /// Example: zimogs central backup --out /backup/2026-12-01 --data FOLDER
    Backup(backup::Backup),
    /// Removes backups that are too many or too old, and never the newest that verifies. Example:
    /// zimogs central prune /backup --keep 400 --days 14 --data FOLDER
    Prune(prune::Prune),
    /// Makes an installation of a backup, after it was judged. Example:
    /// zimogs central restore /backup/2026-12-01 --witness export/checkpoint --data NEW-FOLDER
    Restore(backup::Restore),
    /// Audits the books: blanks, numbers, documents, certificates, leases, reports, log. Example:
    /// zimogs central audit-books --data FOLDER
    AuditBooks(Place),
    /// Proves that the log is the one that was signed, and reaches as far as a checkpoint that was
    /// kept elsewhere: of a restored database, before a store is opened with it. Example:
    /// zimogs central verify --witness export/checkpoint --data FOLDER
    Verify(backup::Verify),
    /// After a restoration: which stations are awaited, and when work is given again.
    #[command(subcommand)]
    Reconcile(reconcile::Command),
    /// Incidents: what is not as the books say.
    #[command(subcommand)]
    Incident(incident::Command),
    /// Shows the certificates that are not settled with their authorities. Example:
    /// zimogs central certificates --sweep --data FOLDER
    Certificates(Certificates),
    /// Finds the applications of a person by code or name, whose data is encrypted. Example:
    /// zimogs central search --name "Anna Izdomata" --born 1990-01-12 --data FOLDER
    Search(search::Search),
    /// Erases what was kept of people for long enough; to be run daily. Example:
    /// zimogs central erase --data FOLDER
    Erase(erase::Erase),
    /// Looks whether an installation is set up soundly, and can go on working. Example:
    /// zimogs central check --data FOLDER
    Check(check::Check),
    /// Serves the store to stations and people over HTTPS, until it is told to stop. Example:
    /// zimogs central serve --data FOLDER --listen 0.0.0.0:8443
    Serve(serve::Serve),
    /// Lets a station in by its request; a second person confirms the key. Example:
    /// zimogs central enroll riga-1 --csr station.csr --officer security-officer --out station.pem --data FOLDER
    Enroll(station::Enroll),
    /// Stations: who there is, letting in, stopping.
    #[command(subcommand)]
    Station(station::Command),
    /// The registers' systems that send applications, and their keys.
    #[command(subcommand)]
    Source(source::Command),
    /// Packages of registers: the drop folder, answers, reports.
    #[command(subcommand)]
    Register(register::Command),
    /// Accounts of people: who there is, their roles, codes and sessions.
    #[command(subcommand)]
    User(user::Command),
}

/// Which installation, and who acts.
#[derive(Args)]
pub(crate) struct Place {
    /// The installation's folder.
    #[arg(long)]
    data: PathBuf,
    /// The account that acts; by default the one that is named for the work.
    #[arg(long = "as", value_name = "ACCOUNT")]
    account: Option<String>,
    /// A folder with chips/ and documents/ whose profiles are laid over the shipped ones.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Applications to take in.
#[derive(Args)]
pub(crate) struct Import {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// An application to approve.
#[derive(Args)]
pub(crate) struct Approve {
    /// Its reference.
    reference: String,
    #[command(flatten)]
    place: Place,
}

/// One document of an installation.
#[derive(Args)]
pub(crate) struct OneDocument {
    /// The document's number.
    number: String,
    #[command(flatten)]
    place: Place,
}

impl OneDocument {
    fn tell(&self, state: &str, sentence: &str) -> Result<(), Failure> {
        if self.place.json() {
            output::json(&json!({ "number": self.number, "state": state }))
        } else {
            output::line(&format!("{} {sentence}", self.number))
        }
    }
}

impl Place {
    /// Returns the folder of profiles that are laid over the shipped ones.
    pub(crate) fn profiles(&self) -> Option<&std::path::Path> {
        self.profiles.as_deref()
    }

    /// Opens the store and does something with it, as the account that was named, or `account`. Here,
    /// on the store's own machine, persons are believed as named: its account is their proof.
    pub(crate) fn with_central<T>(
        &self,
        account: &str,
        work: impl AsyncFnOnce(&central::Central, Actor) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let installation = Installation::open(&self.data)?;
        installation.enter()?;
        let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
        runtime.block_on(async {
            let central = installation
                .central(
                    installation.token()?,
                    &shipped::profiles(self.profiles.as_deref())?,
                )
                .await?
                .on_own_machine();
            let person = self.account.clone().unwrap_or_else(|| account.to_owned());
            let done = work(
                &central,
                Actor {
                    station: "console".into(),
                    person,
                },
            )
            .await;
            central.close().await;
            done
        })
    }

    /// Opens the installation's token, beside the store.
    pub(crate) fn token(&self) -> Result<hsm::Token, Failure> {
        self.installation()?.token()
    }

    /// Returns the installation.
    pub(crate) fn installation(&self) -> Result<Installation, Failure> {
        Installation::open(&self.data)
    }

    /// Returns whether a program reads the output.
    pub(crate) fn json(&self) -> bool {
        self.json
    }
}

impl Command {
    /// Returns the collector that the traces of what is served go to, if any.
    pub(crate) fn collector(&self) -> Option<String> {
        match self {
            Self::Serve(options) => options.collector(),
            _ => None,
        }
    }
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Import(options) => import(options),
        Command::Approve(options) => {
            options
                .place
                .with_central("approver", async |central, actor| {
                    let number = central.approve(&actor, &options.reference).await?;
                    if options.place.json() {
                        let number = number.map(|number| number.to_string());
                        output::json(&json!({ "application": options.reference, "number": number }))
                    } else {
                        let document = match number {
                            Some(number) => format!("its document is {number}"),
                            None => "its document gets its number from the blank".to_owned(),
                        };
                        output::line(&format!("{} is approved; {document}", options.reference))
                    }
                })
        }
        Command::Init(options) => init::run(options),
        Command::Refuse(ending) => application::refuse(ending),
        Command::Withdraw(ending) => application::withdraw(ending),
        Command::Receive(options) => stock::receive(options),
        Command::Stock(command) => stock::run(command),
        Command::Ribbon(command) => ribbon::run(command),
        Command::Series(command) => series::run(command),
        Command::Produce(options) => stock::produce(options),
        Command::Documents(options) => documents(options),
        Command::Pass(one) => quality::pass(one),
        Command::Quality(command) => quality::run(command),
        Command::Parcel(command) => parcel::run(command),
        Command::Document(command) => document::run(command),
        Command::Lease(command) => lease::run(command),
        Command::HandOver(one) => one.place.with_central("clerk", async |central, actor| {
            central.hand_over(&actor, &one.number).await?;
            one.tell("handed-over", "is handed over; its certificates are active")
        }),
        Command::NewPins(options) => new_pins::run(options),
        Command::Envelope(command) => envelope::run(command),
        Command::Backup(options) => backup::make(options),
        Command::Prune(options) => prune::run(options),
        Command::Restore(options) => backup::restore(options),
        Command::AuditBooks(place) => audit_books::run(place),
        Command::Verify(options) => backup::verify(options),
        Command::Reconcile(command) => reconcile::run(command),
        Command::Incident(command) => incident::run(command),
        Command::Certificates(options) => certificates::run(options),
        Command::Search(options) => search::run(options),
        Command::Erase(options) => erase::run(options),
        Command::Check(options) => check::run(options),
        Command::Serve(options) => serve::run(options),
        Command::Enroll(options) => station::enroll(options),
        Command::Station(command) => station::run(command),
        Command::Source(command) => source::run(command),
        Command::Register(command) => register::run(command),
        Command::User(command) => user::run(command),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn import(options: &Import) -> Result<(), Failure> {
    let mut files = Vec::new();
    for file in &options.files {
        let shown = file.display().to_string();
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::new(Kind::Usage, format!("cannot read {shown}: {error}")))?;
        files.push((shown, bytes));
    }
    options.place.with_central("clerk", async |central, actor| {
        let mut results = Vec::new();
        let mut refused = 0;
        let mut failed = None;
        for (shown, bytes) in &files {
            match central.import(&actor, bytes).await {
                Ok(reference) => results.push(json!({ "file": shown, "application": reference.to_string() })),
                Err(CentralError::Application { faults }) => {
                    refused += 1;
                    let faults: Vec<_> = faults
                        .iter()
                        .map(|fault| json!({ "field": fault.field, "code": fault.code.to_string(), "message": fault.message }))
                        .collect();
                    results.push(json!({ "file": shown, "faults": faults }));
                }
                // What was taken in before is told all the same.
                Err(error) => {
                    failed = Some(error.into());
                    break;
                }
            }
        }
        if options.place.json() { output::json(&results)? } else { show_imported(&results)? }
        match (failed, refused) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(()),
            (None, refused) => {
                Err(Failure::new(Kind::Refused, format!("{refused} of {} applications are refused", files.len())))
            }
        }
    })
}

fn show_imported(results: &[Value]) -> Result<(), Failure> {
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for result in results {
        let file = text(result, "file");
        match result.get("faults").and_then(Value::as_array) {
            None => output::line(&format!(
                "{file}: received as {}",
                text(result, "application")
            ))?,
            Some(faults) => {
                output::line(&format!(
                    "{file}: refused for {} faults; nothing of it is stored",
                    faults.len()
                ))?;
                for fault in faults {
                    output::line(&format!(
                        "  {}: {}",
                        text(fault, "field"),
                        text(fault, "message")
                    ))?;
                }
            }
        }
    }
    Ok(())
}

const DOCUMENT: Shape<DocumentLine> = Shape {
    columns: &[
        "number",
        "application",
        "kind",
        "state",
        "chips",
        "certificates",
    ],
    none: None,
    value: |line| {
        json!({
            "number": line.number, "application": line.application, "kind": line.kind,
            "state": line.state.to_string(), "due": line.due, "expires": line.expires,
            "blank": line.blank, "chips": line.chips, "certificates": line.certificates,
        })
    },
    row: |line| {
        vec![
            line.number.clone().unwrap_or_else(|| "-".to_owned()),
            line.application.clone(),
            line.kind.to_string(),
            line.state.to_string(),
            line.chips.join(", "),
            line.certificates.to_string(),
        ]
    },
};

fn documents(options: &Listed) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central("auditor", async |central, actor| {
        let next = async |last: Option<&DocumentLine>| {
            let after = last.map_or("", |line| &line.turn);
            central.document_lines_after(&actor, after, PAGE).await
        };
        options.print(&DOCUMENT, next).await
    })
}
