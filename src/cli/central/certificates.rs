//! `zimogs central certificates`: what is not settled with a certification authority.

use central::Unsettled;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::central::listing::{PAGE, all};
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// What to do about certificates.
#[derive(Args)]
pub(crate) struct Certificates {
    /// Asks the authorities once more: what was given up before they answered is revoked.
    #[arg(long)]
    sweep: bool,
    /// Notes that an order in doubt was looked up at its authority by another way, and that nothing
    /// usable is left of it; --json shows the orders.
    #[arg(
        long,
        value_name = "ORDER",
        requires_all = ["cause", "witness"],
        conflicts_with = "sweep"
    )]
    clear: Option<String>,
    /// The account of who looked as well, where --clear is given.
    #[arg(long, value_name = "ACCOUNT")]
    witness: Option<String>,
    /// What was found, where --clear is given.
    #[arg(long)]
    cause: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Shows the certificates whose authority has them elsewhere than the books.
pub(crate) fn run(options: &Certificates) -> Result<(), Failure> {
    if let (Some(order), Some(witness), Some(cause)) =
        (&options.clear, &options.witness, &options.cause)
    {
        return options
            .place
            .with_central("security-officer", async |central, actor| {
                central.clear_doubt(&actor, order, witness, cause).await?;
                match options.place.json() {
                    true => output::json(&json!({ "order": order, "state": "abandoned" })),
                    false => output::line(&format!("order {order} is settled")),
                }
            });
    }
    options
        .place
        .with_central("auditor", async |central, actor| {
            let swept = match options.sweep {
                true => Some(central.sweep_certificates_now().await?),
                false => None,
            };
            let left = all(async |last: Option<&Unsettled>| {
                let after = last.map(Unsettled::place).unwrap_or_default();
                central.unsettled_after(&actor, &after, PAGE).await
            })
            .await?;
            if options.place.json() {
                let lines: Vec<_> = left
                    .iter()
                    .map(|one| {
                        json!({
                            "order": one.order, "number": one.number, "key": one.key,
                            "authority": one.authority, "serial": one.serial,
                            "state": one.state.to_string(), "standing": one.standing,
                            "tries": one.tries, "next_try": one.next_try, "trouble": one.trouble,
                        })
                    })
                    .collect();
                let settled = swept.map(|swept| swept.settled);
                output::json(&json!({ "settled": settled, "left": lines }))?;
            } else {
                if let Some(swept) = swept {
                    output::line(&format!("{} settled", swept.settled))?;
                }
                if left.is_empty() {
                    return output::line(
                        "every authority has every certificate where the books have it",
                    );
                }
                let mut table = Table::new();
                table.load_preset(UTF8_FULL_CONDENSED).set_header([
                    "document",
                    "key",
                    "authority",
                    "serial",
                    "books",
                    "authority's",
                    "tries",
                    "trouble",
                ]);
                for one in &left {
                    table.add_row([
                        one.number.clone(),
                        one.key.clone(),
                        one.authority.clone(),
                        one.serial.clone().unwrap_or_default(),
                        one.state.to_string(),
                        one.standing.clone(),
                        one.tries.to_string(),
                        one.trouble.clone().unwrap_or_default(),
                    ]);
                }
                output::line(&table.to_string())?;
            }
            match left.is_empty() {
                true => Ok(()),
                false => Err(Failure::new(
                    Kind::Failed,
                    format!("{} certificates are not settled", left.len()),
                )
                .with_hint("--sweep asks the authorities again")),
            }
        })
}
