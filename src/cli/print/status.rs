//! `zimogs print status`: how a printer is.

use std::process::ExitCode;

use clap::Args;
use print::{Panel, PrinterError};
use serde::Serialize;

use super::device::{self, Device, Opened};
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// Options of `print status`.
#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    device: Device,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// How a printer is. Fields may be added, never renamed.
#[derive(Serialize)]
struct Shown {
    printer: String,
    profile: String,
    protocol: &'static str,
    title: String,
    model: String,
    /// Whether it takes a job now.
    ready: bool,
    /// What it says of itself.
    conditions: Vec<String>,
    /// Of a printer of cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    cards: Option<Cards>,
}

#[derive(Serialize)]
struct Cards {
    serial_number: String,
    firmware: String,
    ribbon: Option<String>,
    /// Cards for which the ribbon lasts.
    ribbon_left: Option<u64>,
    cards: Option<u64>,
    panels: Option<u64>,
    cleanings: Option<u64>,
    resolution: u16,
    front: Vec<&'static str>,
    back: Vec<&'static str>,
    stations: Vec<&'static str>,
}

/// Asks a printer how it is.
pub(crate) fn run(options: &Status) -> Result<ExitCode, Failure> {
    let profile = options.device.profile()?;
    let mut shown = Shown {
        printer: options.device.at.clone(),
        profile: options.device.printer.clone(),
        protocol: profile.protocol(),
        title: profile.title().to_owned(),
        model: String::new(),
        ready: false,
        conditions: Vec::new(),
        cards: None,
    };
    match options.device.open(profile)? {
        Opened::Cards(mut printer) => {
            let failed = |error: PrinterError| device::card(&error);
            let identity = printer.identity().map_err(failed)?;
            let status = printer.status().map_err(failed)?;
            let consumables = printer.consumables().map_err(failed)?;
            let names = |panels: &[Panel]| panels.iter().map(|panel| panel.name()).collect();
            let capabilities = printer.capabilities();
            shown.model = identity.model;
            shown.ready = status.is_ready();
            let told = status.conditions.iter();
            shown.conditions = told.map(|condition| condition.name().to_owned()).collect();
            shown.cards = Some(Cards {
                serial_number: identity.serial,
                firmware: identity.firmware,
                ribbon: consumables.ribbon,
                ribbon_left: consumables.ribbon_left,
                cards: consumables.cards,
                panels: consumables.panels,
                cleanings: consumables.cleanings,
                resolution: capabilities.resolution,
                front: names(&capabilities.front),
                back: names(&capabilities.back),
                stations: capabilities.stations.iter().map(|at| at.name()).collect(),
            });
        }
        Opened::Pages(mut printer, _) => {
            let state = printer.look().map_err(|error| device::page(&error))?;
            shown.model = state.model;
            shown.ready = state.ready;
            shown.conditions = state.conditions;
        }
    }
    match options.json {
        true => output::json(&shown)?,
        false => show(&shown)?,
    }
    match shown.ready {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::from(Kind::Device as u8)),
    }
}

fn show(shown: &Shown) -> Result<(), Failure> {
    let ready = if shown.ready { "ready" } else { "not ready" };
    output::line(&format!("{}: {ready} ({})", shown.printer, shown.model))?;
    for condition in &shown.conditions {
        output::line(&format!("  {condition}"))?;
    }
    let Some(cards) = &shown.cards else {
        return Ok(());
    };
    let number = |number: Option<u64>| number.map_or("unknown".into(), |found| found.to_string());
    let ribbon = cards.ribbon.as_deref().unwrap_or("unknown");
    for line in [
        format!("serial number {}", cards.serial_number),
        format!("firmware {}", cards.firmware),
        format!("ribbon {ribbon}, for {} cards", number(cards.ribbon_left)),
        format!(
            "counted: cards {}, panels {}, cleanings {}",
            number(cards.cards),
            number(cards.panels),
            number(cards.cleanings)
        ),
        format!("prints {} on the front", list(&cards.front)),
        format!("prints {} on the back", list(&cards.back)),
        format!("chip stations: {}", list(&cards.stations)),
    ] {
        output::line(&format!("  {line}"))?;
    }
    Ok(())
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}
