//! `zimogs central series`: series of document numbers, and what became of each number.

use central::{NewSeries, NumbersOf, SeriesLine};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use document::{DocumentNumber, Kind as DocumentKind};
use serde_json::{Value, json};

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// Series of document numbers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Opens a series for some kinds, by two persons. Example:
    /// zimogs central series open PA --first 1 --last 500000 --kinds passport --witness ANNA --data FOLDER
    Open(Open),
    /// Closes a series, by two persons: it gives no more numbers. Example:
    /// zimogs central series close PA0000001 --cause "new model" --witness ANNA --data FOLDER
    Close(Close),
    /// Voids numbers that nobody has, by two persons. Example:
    /// zimogs central series void PA0000101 PA0000150 --cause "printed twice" --witness ANNA --data FOLDER
    Void(Void),
    /// Shows the series, and how long they last. Example:
    /// zimogs central series list --data FOLDER
    List(Place),
    /// Proves that every number is accounted for. Example:
    /// zimogs central series check --data FOLDER
    Check(Place),
}

/// A series to open.
#[derive(Args)]
pub(crate) struct Open {
    /// Its two capital letters; XA to XZ are for tests.
    prefix: String,
    /// Its first number.
    #[arg(long, default_value_t = 1)]
    first: u32,
    /// Its last number.
    #[arg(long, default_value_t = 9_999_999)]
    last: u32,
    /// The kinds that get their numbers from it.
    #[arg(long, value_delimiter = ',', required = true)]
    kinds: Vec<DocumentKind>,
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    place: Place,
}

/// A series to close.
#[derive(Args)]
pub(crate) struct Close {
    /// Its first number.
    series: String,
    /// Why.
    #[arg(long)]
    cause: String,
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    place: Place,
}

/// Numbers to void.
#[derive(Args)]
pub(crate) struct Void {
    /// The first of them.
    from: DocumentNumber,
    /// The last of them.
    to: DocumentNumber,
    /// Why.
    #[arg(long)]
    cause: String,
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Open(options) => {
            let series = NewSeries {
                prefix: options.prefix.clone(),
                first: options.first,
                last: options.last,
                kinds: options.kinds.clone(),
            };
            let work = async |central: &central::Central, actor: api::Actor| {
                let id = central
                    .open_series(&actor, &series, &options.witness)
                    .await?;
                tell(&options.place, &id, "open")
            };
            options.place.with_central("administrator", work)
        }
        Command::Close(options) => {
            let work = async |central: &central::Central, actor: api::Actor| {
                let (id, witness) = (&options.series, &options.witness);
                central
                    .close_series(&actor, id, witness, &options.cause)
                    .await?;
                tell(&options.place, id, "closed")
            };
            options.place.with_central("administrator", work)
        }
        Command::Void(options) => {
            let work = async |central: &central::Central, actor: api::Actor| {
                let (range, witness) = ((options.from, options.to), &options.witness);
                let numbers = central
                    .void_numbers(&actor, range, witness, &options.cause)
                    .await?;
                match options.place.json() {
                    true => output::json(&json!({ "void": numbers })),
                    false => output::line(&format!("{numbers} numbers are void")),
                }
            };
            options.place.with_central("administrator", work)
        }
        Command::List(place) => list(place),
        Command::Check(place) => check(place),
    }
}

fn tell(place: &Place, id: &str, state: &str) -> Result<(), Failure> {
    match place.json() {
        true => output::json(&json!({ "series": id, "state": state })),
        false => output::line(&format!("series {id} is {state}")),
    }
}

fn value(line: &SeriesLine) -> Value {
    json!({
        "series": line.id, "kinds": line.kinds, "last": line.last, "next": line.next,
        "open": line.open, "remaining": line.remaining, "pace_a_day": line.pace,
        "used_up": line.used_up, "nearly_used_up": line.nearly_used_up,
        "followed_by": line.followed_by,
    })
}

fn list(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let lines = central.series(&actor).await?;
        if place.json() {
            return output::json(&lines.iter().map(value).collect::<Vec<_>>());
        }
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header([
            "series", "kinds", "next", "last", "left", "a day", "used up", "state",
        ]);
        for line in &lines {
            let kinds: Vec<_> = line.kinds.iter().map(|kind| kind.name()).collect();
            table.add_row([
                line.id.clone(),
                kinds.join("\n"),
                line.next.clone().unwrap_or_else(|| "-".to_owned()),
                line.last.clone(),
                line.remaining.to_string(),
                format!("{:.1}", line.pace),
                line.used_up
                    .map_or_else(|| "-".to_owned(), |day| day.to_string()),
                if line.open { "open" } else { "closed" }.to_owned(),
            ]);
        }
        output::line(&table.to_string())?;
        for line in lines.iter().filter(|line| line.nearly_used_up) {
            let next = match &line.followed_by {
                Some(next) => format!("{next} follows"),
                None => "none follows for all of its kinds: open one".to_owned(),
            };
            output::line(&format!("series {} is nearly used up; {next}", line.id))?;
        }
        Ok(())
    })
}

fn account(line: &NumbersOf) -> Value {
    json!({
        "of": line.name, "on_blanks": line.on_blanks, "given": line.given, "waiting": line.waiting,
        "allotted": line.allotted, "issued": line.issued, "returned": line.returned,
        "spoiled": line.spoiled, "void": line.void,
    })
}

fn check(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let check = central.check_numbers(&actor).await?;
        if place.json() {
            let accounts: Vec<_> = check.accounts.iter().map(account).collect();
            output::json(&json!({ "accounts": accounts, "faults": check.faults }))?;
        } else {
            let mut table = Table::new();
            table.load_preset(UTF8_FULL_CONDENSED).set_header([
                "of", "given", "waiting", "allotted", "issued", "returned", "spoiled", "void",
            ]);
            for line in &check.accounts {
                let figures = [
                    line.given,
                    line.waiting,
                    line.allotted,
                    line.issued,
                    line.returned,
                    line.spoiled,
                    line.void,
                ];
                let mut row = vec![line.name.clone()];
                row.extend(figures.iter().map(u64::to_string));
                table.add_row(row);
            }
            output::line(&table.to_string())?;
            for fault in &check.faults {
                output::line(fault)?;
            }
        }
        match check.faults.len() {
            0 => Ok(()),
            faults => Err(Failure::new(
                Kind::Integrity,
                format!("{faults} faults in the account of numbers"),
            )),
        }
    })
}
