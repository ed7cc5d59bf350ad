//! `zimogs central audit-books`: whether everything holds that must hold of the store as a whole.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;
use crate::cli::progress::Bar;

/// Audits the books and tells what breaks them; exit code 5 where anything does.
pub(crate) fn run(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let shown = Bar::new();
        let audit = central
            .audit_books_watched(&actor, &|progress| {
                shown.show(progress.part.name(), progress.done, progress.total);
            })
            .await;
        shown.end();
        let audit = audit?;
        if place.json() {
            let invariants = audit.invariants.iter().map(|invariant| {
                json!({
                    "name": invariant.name, "demands": invariant.demands,
                    "checked": invariant.checked, "faults": invariant.faults,
                    "unnamed": invariant.unnamed,
                })
            });
            output::json(&json!({
                "at": audit.at.to_string(), "sound": audit.is_sound(),
                "invariants": invariants.collect::<Vec<_>>(),
            }))?;
        } else {
            let mut table = Table::new();
            table
                .load_preset(UTF8_FULL_CONDENSED)
                .set_header(["", "checked", "faults", "what must hold"]);
            for invariant in &audit.invariants {
                let faults = invariant.faults.len() as u64 + invariant.unnamed;
                table.add_row([
                    invariant.name.to_owned(),
                    invariant.checked.to_string(),
                    faults.to_string(),
                    invariant.demands.to_owned(),
                ]);
            }
            output::line(&table.to_string())?;
            for fault in audit.faults() {
                output::line(&fault)?;
            }
        }
        match audit.is_sound() {
            true => Ok(()),
            false => Err(Failure::new(
                Kind::Integrity,
                "the books do not hold; treat this as an incident, and change nothing before it is understood",
            )),
        }
    })
}
