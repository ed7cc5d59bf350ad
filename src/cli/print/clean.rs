//! `zimogs print clean`: a card printer's own cleaning.

use std::process::ExitCode;

use clap::Args;
use print::{Bin, PrinterError};
use serde_json::json;

use super::device::{self, Device, Opened};
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// Options of `print clean`.
#[derive(Args)]
pub(crate) struct Clean {
    #[command(flatten)]
    device: Device,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Has a printer clean itself, and says what it has counted before and after.
pub(crate) fn run(options: &Clean) -> Result<ExitCode, Failure> {
    let profile = options.device.profile()?;
    let Opened::Cards(mut printer) = options.device.open(profile)? else {
        let fault = "a printer of pages or labels cleans itself; only one of cards is ordered to";
        return Err(Failure::new(Kind::Usage, fault));
    };
    let failed = |error: PrinterError| device::card(&error);
    // Whatever is inside is nobody's, and stands in the way of the cleaning card.
    printer.eject(Bin::Reject).map_err(failed)?;
    let before = printer.consumables().map_err(failed)?;
    printer.clean().map_err(failed)?;
    let after = printer.consumables().map_err(failed)?;
    if options.json {
        output::json(&json!({
            "printer": options.device.at, "profile": options.device.printer,
            "cleanings": after.cleanings, "cleanings_before": before.cleanings, "cards": after.cards,
        }))?;
    } else {
        let number = |number: Option<u64>| number.map_or("unknown".into(), |one| one.to_string());
        output::line(&format!(
            "{}: cleaned; cleanings {}, cards {}",
            options.device.at,
            number(after.cleanings),
            number(after.cards)
        ))?;
    }
    // A printer that does not count it did not do it.
    match (before.cleanings, after.cleanings) {
        (Some(before), Some(after)) if after <= before => {
            let fault = format!("the printer counts {after} cleanings, as before: look at it");
            Err(Failure::new(Kind::Device, fault)
                .with_hint("put the cleaning card in, and say it again"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
