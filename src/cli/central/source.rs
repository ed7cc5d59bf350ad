//! `zimogs central source`: the registers' systems that send applications, and their keys.

use std::path::PathBuf;

use central::NewSource;
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use document::{Kind as DocumentKind, OfficeCode, Source as Register, SourceName};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{files, output};

/// Sources of applications.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Adds a source. It sends nothing before a key of it is admitted. Example:
    /// zimogs central source add population-register --register population-register --kind id-card --data FOLDER
    Add(Add),
    /// The keys with which sources sign: one person proposes, another admits.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Lists the sources with their keys. Example:
    /// zimogs central source list --data FOLDER
    List(Place),
    /// Removes a source: nothing more is taken from it. Example:
    /// zimogs central source remove population-register --cause "replaced" --data FOLDER
    Remove(Remove),
    /// Shows the public key with which this installation signs answers and reports, PEM. Example:
    /// zimogs central source own-key --data FOLDER > central.pem
    OwnKey(Place),
}

/// Keys of sources.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Proposes a key, a public key in PEM; shows its thumbprint, which the register must confirm by
    /// another way. Example:
    /// zimogs central source key propose population-register key.pem --days 730 --data FOLDER
    Propose(Propose),
    /// Admits a key that somebody else proposed, after its thumbprint was compared. Example:
    /// zimogs central source key admit THUMBPRINT --data FOLDER
    Admit(OneKey),
    /// Withdraws a key: nothing is taken under it from now on. Example:
    /// zimogs central source key withdraw THUMBPRINT --cause "the key was stolen" --data FOLDER
    Withdraw(Withdraw),
}

/// A source to add.
#[derive(Args)]
pub(crate) struct Add {
    /// Its name: a to z, 0 to 9 and hyphens.
    name: SourceName,
    /// The register that its applications name.
    #[arg(long)]
    register: Register,
    /// A kind of document that it may ask for; repeat it for more.
    #[arg(long = "kind", value_name = "KIND", required = true)]
    kinds: Vec<DocumentKind>,
    /// An office to which it may send; repeat it for more. None: every office.
    #[arg(long = "office", value_name = "OFFICE")]
    offices: Vec<OfficeCode>,
    #[command(flatten)]
    place: Place,
}

/// A key to propose.
#[derive(Args)]
pub(crate) struct Propose {
    /// The source.
    source: SourceName,
    /// The file of the public key: P-256, P-384 or Ed25519, PEM.
    key: PathBuf,
    /// From when it counts; by default from now on.
    #[arg(long, value_name = "MOMENT")]
    from: Option<Timestamp>,
    /// For how many days it counts.
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: u16,
    #[command(flatten)]
    place: Place,
}

/// One key.
#[derive(Args)]
pub(crate) struct OneKey {
    /// Its thumbprint.
    #[arg(allow_hyphen_values = true)]
    thumbprint: String,
    #[command(flatten)]
    place: Place,
}

/// A key to withdraw.
#[derive(Args)]
pub(crate) struct Withdraw {
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    key: OneKey,
}

/// A source to remove.
#[derive(Args)]
pub(crate) struct Remove {
    /// The source.
    source: SourceName,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

const ADMINISTRATOR: &str = "administrator";
const OFFICER: &str = "security-officer";

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(options) => add(options),
        Command::Key(KeyCommand::Propose(options)) => propose(options),
        Command::Key(KeyCommand::Admit(one)) => {
            one.place.with_central(OFFICER, async |central, actor| {
                central.admit_source_key(&actor, &one.thumbprint).await?;
                one.tell("admitted")
            })
        }
        Command::Key(KeyCommand::Withdraw(options)) => {
            let one = &options.key;
            one.place.with_central(OFFICER, async |central, actor| {
                central
                    .withdraw_source_key(&actor, &one.thumbprint, &options.cause)
                    .await?;
                one.tell("withdrawn")
            })
        }
        Command::List(place) => list(place),
        Command::Remove(options) => {
            options
                .place
                .with_central(ADMINISTRATOR, async |central, actor| {
                    central
                        .remove_source(&actor, &options.source, &options.cause)
                        .await?;
                    tell(&options.place, &options.source, "removed")
                })
        }
        Command::OwnKey(place) => place.with_central(ADMINISTRATOR, async |central, _| {
            let key = central.registers_key().await?;
            let pem = pem(key.spki_der())?;
            if place.json() {
                output::json(&json!({ "thumbprint": key.thumbprint(), "algorithm": key.algorithm().name(), "pem": pem }))
            } else {
                output::line(pem.trim_end())
            }
        }),
    }
}

fn add(options: &Add) -> Result<(), Failure> {
    let source = NewSource {
        name: options.name.clone(),
        register: options.register,
        kinds: options.kinds.clone(),
        offices: options.offices.clone(),
    };
    options
        .place
        .with_central(ADMINISTRATOR, async |central, actor| {
            central.add_source(&actor, &source).await?;
            tell(&options.place, &source.name, "added")
        })
}

fn propose(options: &Propose) -> Result<(), Failure> {
    let shown = options.key.display();
    let text = files::read(&options.key, files::SHORT)?;
    let (label, spki) = pem_rfc7468::decode_vec(&text)
        .map_err(|error| Failure::new(Kind::Usage, format!("{shown}: {error}")))?;
    if label != "PUBLIC KEY" {
        let fault = format!("{shown} holds a {label}, not a PUBLIC KEY");
        return Err(Failure::new(Kind::Usage, fault)
            .with_hint("openssl pkey -in PRIVATE.pem -pubout writes the public key"));
    }
    let from = options.from.unwrap_or_else(Timestamp::now);
    let until = from
        .checked_add(SignedDuration::from_hours(24 * i64::from(options.days)))
        .or_fail(Kind::Usage)?;
    options
        .place
        .with_central(ADMINISTRATOR, async |central, actor| {
            let thumbprint = central
                .propose_source_key(&actor, &options.source, &spki, (from, until))
                .await?;
            if options.place.json() {
                output::json(&json!({
                    "source": options.source, "thumbprint": thumbprint, "state": "proposed",
                    "not_before": from, "not_after": until,
                }))
            } else {
                output::line(&format!(
                    "{thumbprint} is proposed for {}; a security officer admits it, once the register has confirmed this thumbprint",
                    options.source
                ))
            }
        })
}

impl OneKey {
    fn tell(&self, state: &str) -> Result<(), Failure> {
        if self.place.json() {
            output::json(&json!({ "thumbprint": self.thumbprint, "state": state }))
        } else {
            output::line(&format!("{} is {state}", self.thumbprint))
        }
    }
}

fn tell(place: &Place, source: &SourceName, state: &str) -> Result<(), Failure> {
    if place.json() {
        output::json(&json!({ "source": source, "state": state }))
    } else {
        output::line(&format!("{source} is {state}"))
    }
}

fn list(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let sources = central.sources(&actor).await?;
        if place.json() {
            let lines: Vec<_> = sources
                .iter()
                .map(|source| {
                    let keys: Vec<_> = source
                        .keys
                        .iter()
                        .map(|key| json!({ "thumbprint": key.thumbprint, "state": key.state, "not_before": key.not_before, "not_after": key.not_after }))
                        .collect();
                    json!({
                        "source": source.name, "register": source.register, "removed": source.removed,
                        "kinds": source.kinds, "offices": source.offices, "next_package": source.next_package,
                        "last_report": source.last_report, "acknowledged": source.acknowledged, "keys": keys,
                    })
                })
                .collect();
            return output::json(&lines);
        }
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_header(["source", "register", "kinds", "next package", "reports", "keys"]);
        for source in &sources {
            let kinds: Vec<_> = source.kinds.iter().map(ToString::to_string).collect();
            let keys: Vec<_> = source
                .keys
                .iter()
                .map(|key| format!("{} {} until {}", key.thumbprint, key.state, key.not_after))
                .collect();
            let name = if source.removed {
                format!("{} (removed)", source.name)
            } else {
                source.name.clone()
            };
            table.add_row([
                name,
                source.register.to_string(),
                kinds.join(", "),
                source.next_package.to_string(),
                format!("{} of {}", source.acknowledged, source.last_report),
                keys.join("\n"),
            ]);
        }
        output::line(&table.to_string())
    })
}

/// Returns a public key as text.
pub(crate) fn pem(spki: &[u8]) -> Result<String, Failure> {
    pem_rfc7468::encode_string("PUBLIC KEY", pem_rfc7468::LineEnding::LF, spki)
        .or_fail(Kind::Failed)
}
