//! `zimogs station status`: where each slot stands, and how the centre knows this station.

use serde_json::json;
use station::{LocalClient, Overview, SlotView};

use crate::cli::card::tables::headed;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;
use crate::cli::station::Connected;
use crate::cli::station::setup::{LISTEN, Setup};

/// Shows both. Fails where the centre does not answer, or refuses.
pub(crate) fn run(options: &Connected) -> Result<(), Failure> {
    let listen = Setup::find(&options.folder)?.map_or(LISTEN, |setup| setup.listen());
    let client = LocalClient::new(listen, None).or_fail(Kind::Failed)?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    let daemon = runtime.block_on(client.overview()).ok();
    let centre = options.ask(async |centre| centre.own().await);
    if options.json {
        let known = match &centre {
            Ok(own) => json!(own),
            Err(failure) => json!({ "error": failure.message() }),
        };
        output::json(&json!({ "running": daemon, "centre": known }))?;
        return centre.map(|_| ());
    }
    match &daemon {
        Some(overview) => show(overview)?,
        None => output::line("the station is not running here (zimogs station serve)")?,
    }
    let own = centre?;
    output::line(&format!(
        "the centre ({}) knows this station as {}, until {}",
        own.environment, own.name, own.not_after
    ))
}

fn show(overview: &Overview) -> Result<(), Failure> {
    let mut table = headed([
        "slot",
        "state",
        "since",
        "step",
        "made",
        "spoiled",
        "untouched",
        "why",
    ]);
    for slot in &overview.slots {
        table.add_row(row(slot));
    }
    output::line(&table.to_string())?;
    let shift = overview.shift.as_deref().unwrap_or("nobody");
    output::line(&format!("shift: {shift}"))?;
    let pace = &overview.pace;
    let rate = pace.per_hour.map_or_else(
        || "no rate yet".to_owned(),
        |rate| format!("{rate:.0} an hour"),
    );
    let bottleneck = pace.bottleneck.map_or_else(String::new, |on| {
        format!(", waiting most for {}", name(&on))
    });
    output::line(&format!("{} made, {rate}{bottleneck}", pace.made))?;
    if let Some(reason) = &overview.centre.away {
        let reports = overview.waiting_reports;
        output::line(&format!(
            "the centre does not answer: {}; {reports} reports wait for it",
            reason
        ))?;
    }
    Ok(())
}

fn row(slot: &SlotView) -> [String; 8] {
    let step = match slot.total {
        0 => String::new(),
        total => format!("{} of {total}", slot.done),
    };
    [
        slot.slot.clone(),
        name(&slot.state),
        slot.since.strftime("%H:%M:%S").to_string(),
        step,
        slot.made.to_string(),
        slot.spoiled.to_string(),
        slot.untouched.to_string(),
        slot.reason.clone().unwrap_or_default(),
    ]
}

/// Returns a name as it stands on the wire, with spaces.
pub(crate) fn name(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(value).ok();
    let text = text
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .map(|text| text.replace('-', " "));
    text.unwrap_or_default()
}
