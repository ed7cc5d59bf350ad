//! `zimogs central enroll` and `zimogs central station`: who may ask over the network.

use std::path::{Path, PathBuf};

use api::Actor;
use central::StationCredential;
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::json;

use crate::cli::card::pem;
use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{files, output};

/// Stations: who there is, letting in, stopping.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the stations. Example: zimogs central station list --data FOLDER
    List(Place),
    /// Lets a station in that an administrator asked for: signs its certificate. Example:
    /// zimogs central station confirm riga-1 --key 9f86d081… --out station.pem --data FOLDER
    Confirm(Confirm),
    /// Stops a station at once. Example:
    /// zimogs central station suspend riga-1 --cause "its room was broken into" --data FOLDER
    Suspend(Change),
    /// Lets a station in again that another person suspended. Example:
    /// zimogs central station resume riga-1 --cause "nothing was touched" --data FOLDER
    Resume(Change),
    /// Removes a station for good; its name is not given again. Example:
    /// zimogs central station remove riga-1 --cause "the office was closed" --data FOLDER
    Remove(Change),
}

/// A station to let in.
#[derive(Args)]
pub(crate) struct Enroll {
    /// Its name: 1 to 64 of a-z 0-9 . _ -
    name: String,
    /// Its certification request, PEM or DER.
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// The office whose own station it is; without it, it works for all other offices.
    #[arg(long)]
    office: Option<String>,
    /// The account of the security officer who compared the key's digest with the station's screen.
    /// Without it nothing is signed yet: zimogs central station confirm
    #[arg(long, value_name = "ACCOUNT", requires = "out")]
    officer: Option<String>,
    /// Where the certificate goes, with its authority's behind it.
    #[arg(long, value_name = "FILE", requires = "officer")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// A station whose key was compared.
#[derive(Args)]
pub(crate) struct Confirm {
    /// Its name.
    name: String,
    /// The SHA-256 of its key, as the station shows it.
    #[arg(long, value_name = "DIGEST")]
    key: String,
    /// Where the certificate goes, with its authority's behind it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// A station, and why.
#[derive(Args)]
pub(crate) struct Change {
    /// Its name.
    name: String,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

/// Asks that a station be let in, and where a second person is named, lets it in.
pub(crate) fn enroll(options: &Enroll) -> Result<(), Failure> {
    let request = request(&options.csr)?;
    if let Some(out) = &options.out {
        files::be_free(out)?;
    }
    options
        .place
        .with_central("administrator", async |central, actor| {
            let (name, office) = (&options.name, options.office.as_deref());
            let key = central.ask_station(&actor, name, office, &request).await?;
            let (Some(officer), Some(out)) = (&options.officer, &options.out) else {
                return match options.place.json() {
                    true => output::json(&json!({ "station": name, "key": key, "state": "requested" })),
                    false => output::line(&format!(
                        "{name} is asked for; its key is {key}\na security officer compares it at the station: zimogs central station confirm {name} --key …"
                    )),
                };
            };
            let officer = Actor {
                station: actor.station,
                person: officer.clone(),
            };
            let given = central.confirm_station(&officer, name, &key).await?;
            give(&options.place, name, &given, out)
        })
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(place) => list(place),
        Command::Confirm(options) => {
            files::be_free(&options.out)?;
            options
                .place
                .with_central("security-officer", async |central, actor| {
                    let given = central
                        .confirm_station(&actor, &options.name, &options.key)
                        .await?;
                    give(&options.place, &options.name, &given, &options.out)
                })
        }
        Command::Suspend(one) => {
            one.place
                .with_central("security-officer", async |central, actor| {
                    central
                        .suspend_station(&actor, &one.name, &one.cause)
                        .await?;
                    one.tell("suspended", "is suspended, from now on")
                })
        }
        Command::Resume(one) => {
            one.place
                .with_central("security-officer", async |central, actor| {
                    central
                        .resume_station(&actor, &one.name, &one.cause)
                        .await?;
                    one.tell("enrolled", "may ask again")
                })
        }
        Command::Remove(one) => one
            .place
            .with_central("administrator", async |central, actor| {
                central
                    .remove_station(&actor, &one.name, &one.cause)
                    .await?;
                one.tell("removed", "is removed for good")
            }),
    }
}

impl Change {
    fn tell(&self, state: &str, sentence: &str) -> Result<(), Failure> {
        match self.place.json() {
            true => output::json(&json!({ "station": self.name, "state": state })),
            false => output::line(&format!("{} {sentence}", self.name)),
        }
    }
}

/// Reads a certification request, PEM or DER.
fn request(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path, files::SHORT)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if pem::is_pem(text) => {
            let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
            let found = pem::blocks(text, &labels).or_fail(Kind::Usage)?;
            found.into_iter().next().ok_or_else(|| {
                let fault = format!("{} holds no certification request", path.display());
                Failure::new(Kind::Usage, fault)
            })
        }
        _ => Ok(bytes),
    }
}

fn give(place: &Place, name: &str, given: &StationCredential, out: &Path) -> Result<(), Failure> {
    let own = pem::encode(&given.certificate).or_fail(Kind::Failed)?;
    let authority = pem::encode(&given.authority).or_fail(Kind::Failed)?;
    files::write_new(out, format!("{own}{authority}").as_bytes())?;
    let read = cert::Certificate::parse(&given.certificate).or_fail(Kind::Failed)?;
    let (serial, until) = (read.serial_hex(), read.validity().not_after);
    match place.json() {
        true => output::json(&json!({
            "station": name, "state": "enrolled", "serial": serial, "not_after": until,
        })),
        false => output::line(&format!(
            "{name} is enrolled until {until}; take {} to it",
            out.display()
        )),
    }
}

fn list(place: &Place) -> Result<(), Failure> {
    place.with_central("administrator", async |central, actor| {
        let lines = central.stations(&actor).await?;
        if place.json() {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| {
                    json!({
                        "station": line.name, "office": line.office, "state": line.state,
                        "waiting_key": line.waiting_key, "waiting_office": line.waiting_office, "serial": line.serial,
                        "not_after": line.not_after, "seen": line.seen,
                    })
                })
                .collect();
            return output::json(&lines);
        }
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header([
            "station",
            "office",
            "state",
            "certificate until",
            "seen",
        ]);
        for line in &lines {
            let shown = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
            table.add_row([
                line.name.clone(),
                line.office
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                line.state.to_string(),
                shown(line.not_after).unwrap_or_default(),
                shown(line.seen).unwrap_or_default(),
            ]);
        }
        output::line(&table.to_string())
    })
}
