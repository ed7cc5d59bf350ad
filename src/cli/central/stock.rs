//! `zimogs central receive` and `produce`: blanks come in, and become documents at a desk.

use std::path::PathBuf;

use central::{Delivery, DeskEnd};
use clap::Args;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// The longest delivery list, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// A delivery to book.
#[derive(Args)]
pub(crate) struct Receive {
    /// The delivery's list: JSON Lines, one line a blank.
    list: PathBuf,
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

/// Books a delivery.
pub(crate) fn receive(options: &Receive) -> Result<(), Failure> {
    let shown = options.list.display();
    let unread = |error: String| Failure::new(Kind::Usage, format!("cannot read {shown}: {error}"));
    let size = std::fs::metadata(&options.list).map_err(|error| unread(error.to_string()))?;
    if size.len() > MAX_LIST {
        return Err(unread(format!("it is longer than {MAX_LIST} bytes")));
    }
    let text = std::fs::read_to_string(&options.list).map_err(|error| unread(error.to_string()))?;
    let delivery = Delivery::parse(&text).or_fail(Kind::Usage)?;
    options
        .place
        .with_central("stock-keeper", async |central, actor| {
            let blanks = central.receive_blanks(&actor, &delivery).await?;
            let reference = &delivery.reference;
            if options.place.json() {
                output::json(&json!({ "delivery": reference, "blanks": blanks }))
            } else {
                output::line(&format!("{reference}: {blanks} blanks are in stock"))
            }
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
