//! `zimogs card list`: readers, cards, and which chip profile fits.

use std::process::ExitCode;

use clap::Args;
use profile::ChipProfile;
use reader::Readers;
use serde::Serialize;

use crate::cli::card::profiles::More;
use crate::cli::card::tables;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Options of `card list`.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    more: More,
    /// One JSON value instead of a table.
    #[arg(long)]
    json: bool,
}

/// One reader. Fields may be added, never renamed.
#[derive(Serialize)]
struct Line {
    reader: String,
    /// Whether there is a card.
    card: bool,
    /// Whether another program holds the card for itself.
    in_use: bool,
    /// The card's answer to reset in hexadecimal.
    atr: Option<String>,
    /// The chip profiles that this answer fits. It does not prove the product: see `card info`.
    profiles: Vec<String>,
}

/// Lists the readers.
pub(crate) fn run(options: &List) -> Result<ExitCode, Failure> {
    let chips = options.more.chips()?;
    let readers = Readers::new().or_fail(Kind::Device)?;
    let lines: Vec<Line> = readers
        .list()
        .or_fail(Kind::Device)?
        .into_iter()
        .map(|reader| Line {
            reader: reader.name,
            card: reader.atr.is_some(),
            in_use: reader.in_use,
            profiles: reader
                .atr
                .as_deref()
                .map(|atr| fitting(&chips, atr))
                .unwrap_or_default(),
            atr: reader.atr.map(hex::encode_upper),
        })
        .collect();
    if options.json {
        output::json(&lines)?;
    } else if lines.is_empty() {
        output::line("no reader is plugged in")?;
    } else {
        let mut table = tables::headed(["reader", "card", "answer to reset", "fits"]);
        for line in &lines {
            let card = match (line.card, line.in_use) {
                (false, _) => "-",
                (true, false) => "yes",
                (true, true) => "in use",
            };
            table.add_row([
                line.reader.as_str(),
                card,
                line.atr.as_deref().unwrap_or_default(),
                &line.profiles.join(", "),
            ]);
        }
        output::line(&table.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the profiles that an answer to reset fits: those that name it; only where none does,
/// those that take any, as applets do that live on many cards.
fn fitting(chips: &[ChipProfile], atr: &[u8]) -> Vec<String> {
    let fits = |chip: &&ChipProfile| chip.identify.may_answer(atr);
    let names = |named: bool| {
        let found = chips.iter().filter(fits);
        let found = found.filter(|chip| chip.identify.atr.is_empty() != named);
        found.map(|chip| chip.name.clone()).collect::<Vec<_>>()
    };
    match names(true) {
        none if none.is_empty() => names(false),
        named => named,
    }
}
