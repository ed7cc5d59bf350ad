//! `zimogs central ribbon`: ribbons of card printers, from their receipt to their destruction.

use central::{CENTRAL_STORE, RibbonHandling, RibbonLine};
use clap::{Args, Subcommand};
use document::OfficeCode;
use serde_json::{Value, json};

use crate::cli::central::Place;
use crate::cli::central::listing::{Listed, PAGE, Shape};
use crate::cli::failure::Failure;
use crate::cli::output;

/// Ribbons of card printers: what was printed with one can be read from it.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Books new ribbons. Example:
    /// zimogs central ribbon receive R-0001 R-0002 --item ymcko --data FOLDER
    Receive(Receive),
    /// Sends new or used ribbons to another place. Example:
    /// zimogs central ribbon move R-0001 --to RIGA-1 --data FOLDER
    Move(Send),
    /// Takes in ribbons that another person sent here. Example:
    /// zimogs central ribbon take-in R-0001 --as BERTA --data FOLDER
    TakeIn(Ribbons),
    /// Notes that a ribbon was put into the printer of a station's slot. Example:
    /// zimogs central ribbon load R-0001 --station station-1 --slot a --data FOLDER
    Load(Load),
    /// Notes that ribbons were taken out before their end; they may be loaded again. Example:
    /// zimogs central ribbon unload R-0001 --data FOLDER
    Unload(Ribbons),
    /// Notes that nothing more is printed with ribbons. Example:
    /// zimogs central ribbon used R-0001 --data FOLDER
    Used(Used),
    /// Books ribbons as missing, before a witness: an incident for each. Example:
    /// zimogs central ribbon missing R-0001 --cause "not in its box" --witness ANNA --data FOLDER
    Missing(Witnessed),
    /// Books missing ribbons as found, before a witness: they are used no more. Example:
    /// zimogs central ribbon found R-0001 --cause "behind the printer" --witness ANNA --data FOLDER
    Found(Witnessed),
    /// Books used ribbons as destroyed, before a witness. Example:
    /// zimogs central ribbon destroy R-0001 --cause "shredded" --witness ANNA --data FOLDER
    Destroy(Witnessed),
    /// Lists the ribbons that are not destroyed. Example:
    /// zimogs central ribbon list --all --data FOLDER
    List(List),
}

/// Some ribbons.
#[derive(Args)]
pub(crate) struct Ribbons {
    /// The serial numbers that stand on them.
    #[arg(required = true)]
    ribbons: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// New ribbons.
#[derive(Args)]
pub(crate) struct Receive {
    /// What they are: their panels, say. 1 to 64 of a-z, 0-9 and -.
    #[arg(long)]
    item: String,
    /// The place that they came to.
    #[arg(long = "at", value_name = "PLACE", default_value = CENTRAL_STORE)]
    at: OfficeCode,
    #[command(flatten)]
    ribbons: Ribbons,
}

/// Ribbons that go to another place.
#[derive(Args)]
pub(crate) struct Send {
    /// Where they go.
    #[arg(long, value_name = "PLACE")]
    to: OfficeCode,
    #[command(flatten)]
    ribbons: Ribbons,
}

/// A ribbon that goes into a printer.
#[derive(Args)]
pub(crate) struct Load {
    /// The serial number that stands on it.
    ribbon: String,
    /// The station's name.
    #[arg(long)]
    station: String,
    /// The slot's name.
    #[arg(long)]
    slot: String,
    #[command(flatten)]
    place: Place,
}

/// Ribbons that are used no more.
#[derive(Args)]
pub(crate) struct Used {
    /// Why.
    #[arg(long, default_value = "at its end")]
    cause: String,
    #[command(flatten)]
    ribbons: Ribbons,
}

/// Ribbons, what is known of them, and the second person.
#[derive(Args)]
pub(crate) struct Witnessed {
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// Why, how, or what is known; without a holder's data.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    ribbons: Ribbons,
}

/// Which ribbons.
#[derive(Args)]
pub(crate) struct List {
    /// Also those that are destroyed.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    listed: Listed,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Receive(options) => receive(options),
        Command::Move(options) => {
            let to = options.to.clone();
            handle(&options.ribbons, &RibbonHandling::Send { to })
        }
        Command::TakeIn(ribbons) => handle(ribbons, &RibbonHandling::TakeIn),
        Command::Load(options) => {
            let (station, slot) = (options.station.clone(), options.slot.clone());
            let handling = RibbonHandling::Load { station, slot };
            book(
                &options.place,
                std::slice::from_ref(&options.ribbon),
                &handling,
            )
        }
        Command::Unload(ribbons) => handle(ribbons, &RibbonHandling::Unload),
        Command::Used(options) => {
            let cause = options.cause.clone();
            handle(&options.ribbons, &RibbonHandling::UseUp { cause })
        }
        Command::Missing(options) => {
            let (witness, cause) = options.parts();
            let handling = RibbonHandling::ReportMissing { witness, cause };
            handle(&options.ribbons, &handling)
        }
        Command::Found(options) => {
            let (witness, cause) = options.parts();
            handle(&options.ribbons, &RibbonHandling::Find { witness, cause })
        }
        Command::Destroy(options) => {
            let (witness, cause) = options.parts();
            let handling = RibbonHandling::Destroy { witness, cause };
            handle(&options.ribbons, &handling)
        }
        Command::List(options) => list(options),
    }
}

impl Witnessed {
    fn parts(&self) -> (String, String) {
        (self.witness.clone(), self.cause.clone())
    }
}

fn receive(options: &Receive) -> Result<(), Failure> {
    let Ribbons { ribbons, place } = &options.ribbons;
    let work = async |central: &central::Central, actor: api::Actor| {
        central
            .receive_ribbons(&actor, ribbons, &options.item, &options.at)
            .await?;
        match place.json() {
            true => output::json(&json!({ "ribbons": ribbons, "place": options.at.as_str() })),
            false => output::line(&format!("{} ribbons are in stock", ribbons.len())),
        }
    };
    place.with_central("stock-keeper", work)
}

fn handle(ribbons: &Ribbons, handling: &RibbonHandling) -> Result<(), Failure> {
    book(&ribbons.place, &ribbons.ribbons, handling)
}

fn book(place: &Place, ribbons: &[String], handling: &RibbonHandling) -> Result<(), Failure> {
    let work = async |central: &central::Central, actor: api::Actor| {
        let incidents = central.handle_ribbons(&actor, ribbons, handling).await?;
        if place.json() {
            return output::json(&json!({ "ribbons": ribbons, "incidents": incidents }));
        }
        output::line(&format!("{} ribbons are booked", ribbons.len()))?;
        for incident in incidents {
            output::line(&format!("incident {incident} is open"))?;
        }
        Ok(())
    };
    place.with_central("stock-keeper", work)
}

fn value(line: &RibbonLine) -> Value {
    let (station, slot) = line.slot.clone().unzip();
    json!({
        "ribbon": line.serial, "item": line.item, "state": line.state, "place": line.place,
        "station": station, "slot": slot, "received": line.received, "cards": line.cards,
        "cards_beside": line.beside, "cards_left": line.cards_left,
    })
}

const RIBBON: Shape<RibbonLine> = Shape {
    columns: &[
        "ribbon", "item", "state", "where", "cards", "beside", "left",
    ],
    none: Some("no ribbon is in the books"),
    value,
    row: |line| {
        let at = match &line.slot {
            Some((station, slot)) => format!("{}, {station} {slot}", line.place),
            None => line.place.clone(),
        };
        let left = line.cards_left.map(|left| left.to_string());
        vec![
            line.serial.clone(),
            line.item.clone(),
            line.state.to_string(),
            at,
            line.cards.to_string(),
            line.beside.to_string(),
            left.unwrap_or_default(),
        ]
    },
};

fn list(options: &List) -> Result<(), Failure> {
    let (listed, all) = (&options.listed, options.all);
    listed
        .place
        .with_central("auditor", async |central, actor| {
            let next = async |last: Option<&RibbonLine>| {
                let after = last.map_or("", |line| &line.serial);
                central.ribbons_after(&actor, all, after, PAGE).await
            };
            listed.print(&RIBBON, next).await
        })
}
