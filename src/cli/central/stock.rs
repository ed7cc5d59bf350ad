//! `zimogs central stock`: blanks from their delivery to their end, place by place; `receive` and
//! `produce`: blanks come in, and become documents at a desk.

use std::path::PathBuf;

use central::{CENTRAL_STORE, Delivery, DeliveryAccount, DeskEnd, Handling, Receipt, StockAccount};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use document::OfficeCode;
use serde_json::json;

use crate::cli::central::listing::PAGE;
use crate::cli::central::{Place, counting};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// The longest delivery list, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// Blanks: every one is in exactly one account.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Books a delivery by its list, counted by two persons. Example:
    /// zimogs central stock receive list.csv --counted 500 --witness ANNA --data FOLDER
    Receive(Receive),
    /// Puts the rest of a delivery into stock whose count differed at first. Example:
    /// zimogs central stock accept D-2026-17 --counted 499 --witness ANNA --data FOLDER
    Accept(Accept),
    /// Sends blanks to another place. Example:
    /// zimogs central stock move LV-0001 LV-0002 --to RIGA-1 --data FOLDER
    Move(Send),
    /// Takes in blanks that another person sent here. Example:
    /// zimogs central stock take-in LV-0001 LV-0002 --as BERTA --data FOLDER
    TakeIn(Blanks),
    /// Puts blanks into a slot of a station; a station takes them from the store of its place too. Example:
    /// zimogs central stock load LV-0001 --station station-1 --slot a --data FOLDER
    Load(Load),
    /// Takes blanks out of their slots, back into the store. Example:
    /// zimogs central stock unload LV-0001 --data FOLDER
    Unload(Blanks),
    /// Counts blanks that a station gave back untouched into the store again. Example:
    /// zimogs central stock restock LV-0001 --data FOLDER
    Restock(Blanks),
    /// Books blanks as spoiled that nobody works on. Example:
    /// zimogs central stock spoil LV-0001 --cause "water" --data FOLDER
    Spoil(WithCause),
    /// Sends blanks back to their maker, by two persons. Example:
    /// zimogs central stock return LV-0001 --cause "wrong print" --witness ANNA --data FOLDER
    Return(WithWitness),
    /// Books blanks as missing: an incident for each. Example:
    /// zimogs central stock missing LV-0001 --cause "not in its box" --data FOLDER
    Missing(WithCause),
    /// Books missing blanks as found, by two persons: they are spoiled. Example:
    /// zimogs central stock found LV-0001 --cause "behind the shelf" --witness ANNA --data FOLDER
    Found(WithWitness),
    /// Books spoiled blanks as destroyed, before a witness. Example:
    /// zimogs central stock destroy LV-0001 --cause "shredded" --witness ANNA --data FOLDER
    Destroy(WithWitness),
    /// Compares what was counted at a place with the books. Example:
    /// zimogs central stock count RIGA-1 --count booklet=120 --ribbons ymcko/used=2 --data FOLDER
    Count(counting::Count),
    /// Closes a day at a place, by two persons who counted. Example:
    /// zimogs central stock close RIGA-1 --count booklet=120 --witness ANNA --data FOLDER
    Close(counting::Close),
    /// Proves that the journals of blanks and ribbons and their accounts are one. Example:
    /// zimogs central stock check --data FOLDER
    Check(Place),
    /// Shows the accounts, the deliveries and the days that were not closed. Example:
    /// zimogs central stock list --data FOLDER
    List(Place),
    /// Adds a place: an office or a store. Example:
    /// zimogs central stock add-place RIGA-1 --name "Riga, first office" --data FOLDER
    AddPlace(AddPlace),
}

/// A delivery to book.
#[derive(Args)]
pub(crate) struct Receive {
    /// The delivery's list: JSON Lines, one line a blank, or CSV, one line a chip.
    list: PathBuf,
    /// How many blanks two persons counted.
    #[arg(long)]
    counted: usize,
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// The place that it came to.
    #[arg(long = "at", value_name = "PLACE", default_value = CENTRAL_STORE)]
    at: OfficeCode,
    /// The check value of its transport key, six hexadecimal digits; the token's must be the same.
    #[arg(long, value_parser = kcv)]
    kcv: Option<[u8; 3]>,
    #[command(flatten)]
    place: Place,
}

fn kcv(text: &str) -> Result<[u8; 3], String> {
    let mut value = [0; 3];
    hex::decode_to_slice(text, &mut value)
        .map_err(|_| "a key check value is six hexadecimal digits".to_owned())?;
    Ok(value)
}

/// The rest of a delivery.
#[derive(Args)]
pub(crate) struct Accept {
    /// The delivery's reference.
    delivery: String,
    /// How many of its blanks two persons counted that are set apart.
    #[arg(long)]
    counted: usize,
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    place: Place,
}

/// Some blanks.
#[derive(Args)]
pub(crate) struct Blanks {
    /// The serial numbers that are printed on them.
    #[arg(required = true)]
    blanks: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Blanks that go to another place.
#[derive(Args)]
pub(crate) struct Send {
    /// Where they go.
    #[arg(long, value_name = "PLACE")]
    to: OfficeCode,
    #[command(flatten)]
    blanks: Blanks,
}

/// Blanks that go into a slot.
#[derive(Args)]
pub(crate) struct Load {
    /// The station's name.
    #[arg(long)]
    station: String,
    /// The slot's name.
    #[arg(long)]
    slot: String,
    #[command(flatten)]
    blanks: Blanks,
}

/// Blanks, and what is known of them.
#[derive(Args)]
pub(crate) struct WithCause {
    /// Why, or what is known; without a holder's data.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    blanks: Blanks,
}

/// Blanks, what is known of them, and the second person.
#[derive(Args)]
pub(crate) struct WithWitness {
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    what: WithCause,
}

/// A place to add.
#[derive(Args)]
pub(crate) struct AddPlace {
    /// Its code: 1 to 16 of A-Z, 0-9 and -.
    code: OfficeCode,
    /// Its name.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// A document that was made at a desk.
#[derive(Args)]
pub(crate) struct Produce {
    /// The reference of its application.
    application: String,
    /// The serial number that is printed on the blank.
    #[arg(long)]
    blank: String,
    /// The blank was spoiled with it, and why; the document goes back to the queue.
    #[arg(long, value_name = "CAUSE")]
    spoiled: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Receive(options) => receive(options),
        Command::Accept(options) => {
            let work = async |central: &central::Central, actor: api::Actor| {
                let (delivery, witness) = (&options.delivery, &options.witness);
                let blanks = central
                    .accept_delivery(&actor, delivery, witness, options.counted)
                    .await?;
                match options.place.json() {
                    true => output::json(&json!({ "delivery": delivery, "blanks": blanks })),
                    false => output::line(&format!("{delivery}: {blanks} blanks are in stock")),
                }
            };
            options.place.with_central("stock-keeper", work)
        }
        Command::Move(options) => {
            let to = options.to.clone();
            handle(&options.blanks, &Handling::Send { to })
        }
        Command::TakeIn(blanks) => handle(blanks, &Handling::TakeIn),
        Command::Load(options) => {
            let (station, slot) = (options.station.clone(), options.slot.clone());
            handle(&options.blanks, &Handling::Load { station, slot })
        }
        Command::Unload(blanks) => handle(blanks, &Handling::Unload),
        Command::Restock(blanks) => handle(blanks, &Handling::Restock),
        Command::Spoil(options) => {
            let cause = options.cause.clone();
            handle(&options.blanks, &Handling::Spoil { cause })
        }
        Command::Missing(options) => {
            let cause = options.cause.clone();
            handle(&options.blanks, &Handling::ReportMissing { cause })
        }
        Command::Return(options) => {
            let (witness, cause) = options.parts();
            handle(&options.what.blanks, &Handling::SendBack { witness, cause })
        }
        Command::Found(options) => {
            let (witness, cause) = options.parts();
            handle(&options.what.blanks, &Handling::Find { witness, cause })
        }
        Command::Destroy(options) => {
            let (witness, cause) = options.parts();
            handle(&options.what.blanks, &Handling::Destroy { witness, cause })
        }
        Command::Count(options) => counting::count(options, None),
        Command::Close(options) => counting::count(&options.count, Some(options)),
        Command::Check(place) => check(place),
        Command::List(place) => list(place),
        Command::AddPlace(options) => {
            let work = async |central: &central::Central, actor: api::Actor| {
                let code = &options.code;
                central.add_place(&actor, code, &options.name).await?;
                match options.place.json() {
                    true => output::json(&json!({ "place": code.as_str() })),
                    false => output::line(&format!("place {code} is in the books")),
                }
            };
            options.place.with_central("administrator", work)
        }
    }
}

impl WithWitness {
    fn parts(&self) -> (String, String) {
        (self.witness.clone(), self.what.cause.clone())
    }
}

/// Reads a delivery's list and books it.
pub(crate) fn receive(options: &Receive) -> Result<(), Failure> {
    let shown = options.list.display();
    let unread = |error: String| Failure::new(Kind::Usage, format!("cannot read {shown}: {error}"));
    let size = std::fs::metadata(&options.list).map_err(|error| unread(error.to_string()))?;
    if size.len() > MAX_LIST {
        return Err(unread(format!("it is longer than {MAX_LIST} bytes")));
    }
    let text = std::fs::read_to_string(&options.list).map_err(|error| unread(error.to_string()))?;
    let delivery = Delivery::parse(&text).or_fail(Kind::Usage)?;
    let receipt = Receipt {
        place: options.at.clone(),
        witness: options.witness.clone(),
        counted: options.counted,
        transport_kcv: options.kcv,
    };
    options
        .place
        .with_central("stock-keeper", async |central, actor| {
            let received = central.receive_blanks(&actor, &delivery, &receipt).await?;
            let (reference, blanks) = (&delivery.reference, received.blanks);
            if options.place.json() {
                output::json(&json!({
                    "delivery": reference, "blanks": blanks, "counted": receipt.counted,
                    "place": receipt.place.as_str(), "incident": received.incident,
                }))?;
            } else if received.incident.is_none() {
                output::line(&format!("{reference}: {blanks} blanks are in stock"))?;
            }
            match received.incident {
                None => Ok(()),
                Some(incident) => Err(Failure::new(
                    Kind::Refused,
                    format!(
                        "{reference}: {blanks} blanks are announced, and {} were counted; they are set apart, and incident {incident} is open",
                        receipt.counted
                    ),
                )
                .with_hint(
                    "book what is missing: zimogs central stock missing; then the rest: zimogs central stock accept",
                )),
            }
        })
}

fn handle(blanks: &Blanks, handling: &Handling) -> Result<(), Failure> {
    let work = async |central: &central::Central, actor: api::Actor| {
        let incidents = central
            .handle_blanks(&actor, &blanks.blanks, handling)
            .await?;
        if blanks.place.json() {
            return output::json(&json!({ "blanks": blanks.blanks, "incidents": incidents }));
        }
        output::line(&format!("{} blanks are booked", blanks.blanks.len()))?;
        for incident in incidents {
            output::line(&format!("incident {incident} is open"))?;
        }
        Ok(())
    };
    blanks.place.with_central("stock-keeper", work)
}

fn check(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let check = central.check_stock(&actor).await?;
        if place.json() {
            output::json(&json!({
                "blanks": check.blanks, "ribbons": check.ribbons, "movements": check.movements,
                "differences": check.differences,
            }))?;
        } else {
            for difference in &check.differences {
                output::line(difference)?;
            }
        }
        if !check.differences.is_empty() {
            return Err(Failure::new(
                Kind::Integrity,
                format!(
                    "journal and accounts differ in {} places",
                    check.differences.len()
                ),
            ));
        }
        match place.json() {
            true => Ok(()),
            false => output::line(&format!(
                "{} blanks, {} ribbons and {} movements: journals and accounts are one",
                check.blanks, check.ribbons, check.movements
            )),
        }
    })
}

fn list(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let accounts = central.stock(&actor).await?;
        let ribbons = central.ribbon_accounts(&actor).await?;
        let mut deliveries = Vec::new();
        loop {
            let after = deliveries.last().map_or("", |line: &DeliveryAccount| &line.reference);
            let page = central.deliveries_after(&actor, after, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            deliveries.extend(page);
            if is_last {
                break;
            }
        }
        let days = central.days(&actor).await?;
        if place.json() {
            let account = |line: &StockAccount| {
                json!({
                    "place": line.place.as_str(), "item": line.item, "account": line.state,
                    "blanks": line.blanks,
                })
            };
            let deliveries = deliveries.iter().map(|line| {
                let accounts = line.accounts.iter();
                let accounts = accounts.map(|(state, blanks)| (state.name().to_owned(), json!(blanks)));
                json!({
                    "delivery": line.reference, "delivered": line.delivered, "counted": line.counted,
                    "accepted": line.accepted,
                    "accounts": accounts.collect::<serde_json::Map<_, _>>(),
                })
            });
            let of_ribbons = ribbons.iter().map(|line| {
                json!({
                    "place": line.place.as_str(), "item": line.item, "state": line.state,
                    "ribbons": line.ribbons,
                })
            });
            let days = days.iter().map(|line| {
                json!({
                    "place": line.place.code.as_str(), "name": line.place.name,
                    "closed": line.closed, "overdue": line.overdue,
                })
            });
            return output::json(&json!({
                "accounts": accounts.iter().map(account).collect::<Vec<_>>(),
                "ribbons": of_ribbons.collect::<Vec<_>>(),
                "deliveries": deliveries.collect::<Vec<_>>(),
                "days": days.collect::<Vec<_>>(),
            }));
        }
        let mut table = Table::new();
        table
            .load_preset(UTF8_FULL_CONDENSED)
            .set_header(["place", "item", "account", "blanks"]);
        for line in &accounts {
            table.add_row([
                line.place.to_string(),
                line.item.clone(),
                line.state.to_string(),
                line.blanks.to_string(),
            ]);
        }
        output::line(&table.to_string())?;
        if !ribbons.is_empty() {
            let mut table = Table::new();
            table
                .load_preset(UTF8_FULL_CONDENSED)
                .set_header(["place", "ribbon", "state", "ribbons"]);
            for line in &ribbons {
                table.add_row([
                    line.place.to_string(),
                    line.item.clone(),
                    line.state.to_string(),
                    line.ribbons.to_string(),
                ]);
            }
            output::line(&table.to_string())?;
        }
        for line in deliveries.iter().filter(|line| !line.accepted) {
            output::line(&format!(
                "delivery {}: {} announced, {} counted, not accepted yet",
                line.reference, line.delivered, line.counted
            ))?;
        }
        for line in &days {
            if let Some(day) = line.overdue {
                output::line(&format!("{} was not closed on {day}", line.place.code))?;
            }
        }
        Ok(())
    })
}

/// Books what a desk made of a blank.
pub(crate) fn produce(options: &Produce) -> Result<(), Failure> {
    let end = match &options.spoiled {
        None => DeskEnd::Made,
        Some(cause) => DeskEnd::Spoiled {
            cause: cause.clone(),
        },
    };
    options
        .place
        .with_central("operator", async |central, actor| {
            let number = central
                .produce(&actor, &options.application, &options.blank, &end)
                .await?;
            let state = match end {
                DeskEnd::Made => "personalized",
                DeskEnd::Spoiled { .. } => "spoiled",
            };
            if options.place.json() {
                output::json(&json!({
                    "application": options.application, "number": number.to_string(),
                    "blank": options.blank, "end": state,
                }))
            } else {
                output::line(&format!("{number} on blank {}: {state}", options.blank))
            }
        })
}
