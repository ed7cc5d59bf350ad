//! Stock and numbers: deliveries, blanks, the account of the numbers.

use central::{BlankEntry, Delivery, Receipt};
use document::{Act, OfficeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::call::{Call, page_of};
use crate::people::named::{AccountName, BlankStateName, Cursor, Limit, PlaceCode};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A blank.
#[derive(Serialize, JsonSchema)]
struct BlankShown {
    /// What is printed on it.
    serial: String,
    /// What it is, where its chips do not say it.
    article: Option<String>,
    /// The delivery it came with.
    delivery: String,
    /// The account it is in.
    state: BlankStateName,
    /// The document number that stands on it.
    number: Option<String>,
}

impl BlankShown {
    fn of(entry: BlankEntry) -> Self {
        Self {
            serial: entry.serial,
            article: entry.article,
            delivery: entry.delivery,
            state: BlankStateName(entry.state),
            number: entry.number,
        }
    }
}

/// What was booked.
#[derive(Serialize, JsonSchema)]
struct Booked {
    /// The delivery's reference.
    delivery: String,
    /// How many blanks its list has.
    blanks: usize,
    /// The incident that is open, where another number was counted.
    incident: Option<i64>,
}

/// A delivery, as two people counted it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDelivery {
    /// The maker's list, JSON Lines: one line for the delivery and one for each blank.
    list: String,
    /// The place that it came to.
    place: PlaceCode,
    /// The second person, who counted too.
    witness: AccountName,
    /// How many blanks the two counted.
    counted: u32,
    /// The check value of its transport key, where the maker told it: six hexadecimal digits.
    #[schemars(regex(pattern = "^[0-9A-F]{6}$"))]
    transport_kcv: Option<String>,
}

/// The account of the numbers: every one that was given is in exactly one of the figures.
#[derive(Serialize, JsonSchema)]
struct Numbers {
    /// The letters of the series.
    prefix: String,
    /// The next number to be given; null when the series is used up.
    next: Option<String>,
    /// Given to documents that are not made yet.
    allotted: u64,
    /// Carried by documents that were made.
    issued: u64,
    /// On numbered blanks that came back untouched.
    returned: u64,
    /// Spoiled with a blank.
    spoiled: u64,
    /// Given up with a document.
    cancelled: u64,
}

const LIST: &str = "blanks";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let found = call
        .central
        .blanks_after(call.actor()?, &after, limit + 1)
        .await?;
    let key = |entry: &BlankEntry| entry.serial.clone();
    Answer::json(&page_of(LIST, found, limit, key, BlankShown::of))
}

async fn receive(call: Call) -> Result<Answer, Problem> {
    let new: NewDelivery = call.json()?;
    let invalid = |what: &str| Problem::new(Fault::Invalid, what);
    let delivery = Delivery::parse(&new.list).map_err(|error| invalid(&error.to_string()))?;
    let transport_kcv = match new.transport_kcv.map(hex::decode).transpose() {
        Ok(kcv) => kcv.map(|kcv| kcv.try_into()).transpose().map_err(|_| ()),
        Err(_) => Err(()),
    }
    .map_err(|()| invalid("a check value is six hexadecimal digits"))?;
    let receipt = Receipt {
        place: OfficeCode::parse(&new.place.0)
            .map_err(|_| invalid("this is no code of a place"))?,
        witness: new.witness.0,
        counted: new.counted as usize,
        transport_kcv,
    };
    let received = call
        .central
        .receive_blanks(call.actor()?, &delivery, &receipt)
        .await?;
    let booked = Booked {
        delivery: delivery.reference,
        blanks: received.blanks,
        incident: received.incident,
    };
    Answer::created("/v1/blanks".to_owned(), &booked)
}

async fn numbers(call: Call) -> Result<Answer, Problem> {
    let account = call.central.numbers(call.actor()?).await?;
    Answer::json(&Numbers {
        prefix: account.prefix,
        next: account.next,
        allotted: account.allotted,
        issued: account.issued,
        returned: account.returned,
        spoiled: account.spoiled,
        cancelled: account.cancelled,
    })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    of(
        "stock",
        vec![
            Operation::get("/v1/blanks", "listBlanks", "Lists the blanks by what is printed on them.")
                .read(Act::ViewReports, "blank.listed", "blank")
                .field::<Limit>("limit", "The most items of the page.", 50)
                .field::<Cursor>("cursor", "The next of the page before.", "AWJsYW5rcwBC")
                .gives::<Page<BlankShown>>(
                    200,
                    "A page.",
                    json!({ "items": [{
                        "serial": "LV-0001", "article": null, "delivery": "D-2026-17",
                        "state": "in-stock", "number": null,
                    }], "next": null }),
                )
                .runs(list),
            Operation::post("/v1/deliveries", "receiveBlanks", "Books a delivery, whole or not at all.")
                .act(Act::ReceiveBlanks, "blanks.received", "delivery")
                .once()
                .witnessed()
                .takes::<NewDelivery>(json!({
                    "list": "{\"format\":\"zimogs-delivery/v1\",\"delivery\":\"D-2026-17\",\"blanks\":1}\n{\"blank\":\"B-00077\",\"article\":\"booklet\",\"number\":\"PB0000077\"}\n",
                    "place": "CENTRAL", "witness": "quality", "counted": 1,
                }))
                .gives::<Booked>(201, "It is booked.", json!({ "delivery": "D-2026-17", "blanks": 1, "incident": null }))
                .runs(receive),
            Operation::get("/v1/numbers", "showNumbers", "Shows the account of the document numbers.")
                .read(Act::ViewReports, "number.listed", "stock")
                .gives::<Numbers>(
                    200,
                    "The account.",
                    json!({
                        "prefix": "XA", "next": "XA0000003", "allotted": 1, "issued": 1,
                        "returned": 0, "spoiled": 0, "cancelled": 0,
                    }),
                )
                .runs(numbers),
        ],
    )
}
