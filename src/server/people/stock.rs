//! The accounts of blanks and ribbons, deliveries and places.

use central::{DeliveryAccount, PlaceDays, RibbonAccount, StockAccount, StockCheck, Thing};
use document::{Act, OfficeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::call::{Call, page_of};
use crate::people::named::{
    AccountName, BlankStateName, Cursor, Day, Limit, PlaceCode, RibbonStateName,
};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// An account of blanks.
#[derive(Serialize, JsonSchema)]
struct AccountLine {
    /// The place; of blanks on their way, where they go.
    place: String,
    /// What they are: their article, or the products of their chips joined by `+`.
    item: String,
    /// The account.
    state: BlankStateName,
    /// How many there are.
    blanks: u64,
}

impl AccountLine {
    fn of(account: StockAccount) -> Self {
        Self {
            place: account.place.to_string(),
            item: account.item,
            state: BlankStateName(account.state),
            blanks: account.blanks,
        }
    }
}

/// An account of ribbons.
#[derive(Serialize, JsonSchema)]
struct RibbonAccountLine {
    /// The place; of ribbons on their way, where they go.
    place: String,
    /// What they are.
    item: String,
    /// Their state.
    state: RibbonStateName,
    /// How many there are.
    ribbons: u64,
}

impl RibbonAccountLine {
    fn of(account: RibbonAccount) -> Self {
        Self {
            place: account.place.to_string(),
            item: account.item,
            state: RibbonStateName(account.state),
            ribbons: account.ribbons,
        }
    }
}

/// The accounts.
#[derive(Serialize, JsonSchema)]
struct Accounts {
    /// Those of blanks that are not empty.
    items: Vec<AccountLine>,
    /// Those of ribbons that are not empty.
    ribbons: Vec<RibbonAccountLine>,
}

/// How many blanks of a delivery are in one account.
#[derive(Serialize, JsonSchema)]
struct DeliveredTo {
    /// The account.
    state: BlankStateName,
    /// How many.
    blanks: u64,
}

/// What became of a delivery.
#[derive(Serialize, JsonSchema)]
struct DeliveryShown {
    /// Its reference.
    delivery: String,
    /// How many blanks its list has.
    delivered: u64,
    /// How many were counted when it came.
    counted: u64,
    /// Whether it was accepted.
    accepted: bool,
    /// Where its blanks are now.
    accounts: Vec<DeliveredTo>,
    /// What `If-Match` takes, in quotation marks.
    tag: String,
}

impl DeliveryShown {
    fn of(delivery: DeliveryAccount) -> Self {
        let line = |(state, blanks)| DeliveredTo {
            state: BlankStateName(state),
            blanks,
        };
        Self {
            tag: delivery.tag(),
            delivery: delivery.reference,
            delivered: delivery.delivered,
            counted: delivery.counted,
            accepted: delivery.accepted,
            accounts: delivery.accounts.into_iter().map(line).collect(),
        }
    }
}

/// The rest of a delivery, as two people counted it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rest {
    /// The second person, who counted too and confirms it in a session of their own.
    witness: AccountName,
    /// How many of its blanks that are set apart the two counted.
    counted: u32,
}

/// How many blanks are in stock now.
#[derive(Serialize, JsonSchema)]
struct Accepted {
    /// How many.
    blanks: usize,
}

/// A place with its days.
#[derive(Serialize, JsonSchema)]
struct PlaceShown {
    /// Its code.
    place: String,
    /// Its name.
    name: String,
    /// The last day that was closed.
    closed: Option<Day>,
    /// The first day with movements that is over and was not closed.
    overdue: Option<Day>,
    /// What `If-Match` takes, in quotation marks; a day that is overdue leaves it as it is.
    tag: String,
}

impl PlaceShown {
    fn of(days: PlaceDays) -> Self {
        Self {
            tag: days.tag(),
            place: days.place.code.to_string(),
            name: days.place.name,
            closed: days.closed.map(Day),
            overdue: days.overdue.map(Day),
        }
    }
}

/// The places.
#[derive(Serialize, JsonSchema)]
struct Places {
    /// All of them, by code.
    items: Vec<PlaceShown>,
}

/// A place's name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlaceName {
    /// The name.
    #[schemars(length(min = 1, max = 100))]
    name: String,
}

/// What a check of the stock found.
#[derive(Serialize, JsonSchema)]
struct CheckShown {
    /// How many blanks were ever delivered.
    blanks: u64,
    /// How many ribbons were ever received.
    ribbons: u64,
    /// How many lines the two journals have.
    movements: u64,
    /// Every difference, in words; none where journal and states are one.
    differences: Vec<String>,
}

impl CheckShown {
    fn of(check: StockCheck) -> Self {
        Self {
            blanks: check.blanks,
            ribbons: check.ribbons,
            movements: check.movements,
            differences: check.differences,
        }
    }
}

const DELIVERIES: &str = "deliveries";

async fn accounts(call: Call) -> Result<Answer, Problem> {
    let found = call.central.stock(call.actor()?).await?;
    let items = found.into_iter().map(AccountLine::of).collect();
    let ribbons = call.central.ribbon_accounts(call.actor()?).await?;
    let ribbons = ribbons.into_iter().map(RibbonAccountLine::of).collect();
    Answer::json(&Accounts { items, ribbons })
}

async fn check(call: Call) -> Result<Answer, Problem> {
    let found = call.central.check_stock(call.actor()?).await?;
    Answer::json(&CheckShown::of(found))
}

async fn deliveries(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(DELIVERIES)?;
    let found = call
        .central
        .deliveries_after(call.actor()?, &after, limit + 1)
        .await?;
    let key = |one: &DeliveryAccount| one.reference.clone();
    Answer::json(&page_of(DELIVERIES, found, limit, key, DeliveryShown::of))
}

async fn accept(call: Call) -> Result<Answer, Problem> {
    let rest: Rest = call.json()?;
    let (actor, delivery) = (call.actor()?, call.part("delivery"));
    let blanks = call
        .central
        .accept_delivery(actor, delivery, &rest.witness.0, rest.counted as usize)
        .await?;
    Answer::json(&Accepted { blanks })
}

async fn places(call: Call) -> Result<Answer, Problem> {
    let found = call.central.days(call.actor()?).await?;
    let items = found.into_iter().map(PlaceShown::of).collect();
    Answer::json(&Places { items })
}

async fn name_place(call: Call) -> Result<Answer, Problem> {
    let named: PlaceName = call.json()?;
    let invalid = |_| {
        Problem::new(
            Fault::NotFound,
            "a code of a place has 1 to 16 of A-Z, 0-9 and -",
        )
    };
    let code = OfficeCode::parse(call.part("place")).map_err(invalid)?;
    call.central
        .add_place(call.actor()?, &code, &named.name)
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let of_place = |operation: Operation| {
        operation.parameter::<PlaceCode>("place", "The code of the place.", "CENTRAL")
    };
    of(
        "stock",
        vec![
            Operation::get("/v1/stock", "listStock", "Lists the accounts of blanks and ribbons that are not empty.")
                .read(Act::ViewReports, "stock.listed", "stock")
                .gives::<Accounts>(
                    200,
                    "The accounts.",
                    json!({ "items": [{ "place": "CENTRAL", "item": "booklet", "state": "in-stock", "blanks": 120 }], "ribbons": [{ "place": "CENTRAL", "item": "ymcko", "state": "in-stock", "ribbons": 4 }] }),
                )
                .runs(accounts),
            Operation::get(
                "/v1/stock/check",
                "checkStock",
                "Proves that the journals of blanks and ribbons and their states are one.",
            )
            .read(Act::ViewReports, "stock.checked", "stock")
            .gives::<CheckShown>(200, "What was found.", json!({ "blanks": 1, "ribbons": 0, "movements": 2, "differences": [] }))
            .runs(check),
            Operation::get("/v1/deliveries", "listDeliveries", "Lists the deliveries with what became of them.")
                .read(Act::ViewReports, "delivery.listed", "delivery")
                .field::<Limit>("limit", "The most items of the page.", 50)
                .field::<Cursor>("cursor", "The next of the page before.", "AWRlbGl2ZXJpZXMARA")
                .gives::<Page<DeliveryShown>>(
                    200,
                    "A page, by reference.",
                    json!({ "items": [{
                        "delivery": "D-2026-17", "delivered": 1, "counted": 1, "accepted": true,
                        "accounts": [{ "state": "in-stock", "blanks": 1 }],
                        "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
                    }], "next": null }),
                )
                .runs(deliveries),
            Operation::post(
                "/v1/deliveries/{delivery}/acceptance",
                "acceptDelivery",
                "Puts the rest of a delivery into stock whose count differed at first, by two persons.",
            )
            .parameter::<DeliveryReference>("delivery", "The delivery's reference.", "D-2026-17")
            .act(Act::ReceiveBlanks, "delivery.accepted", "delivery")
            .conditional(Thing::Delivery, "delivery")
            .witnessed()
            .takes::<Rest>(json!({ "witness": "quality", "counted": 499 }))
            .gives::<Accepted>(200, "They are in stock.", json!({ "blanks": 499 }))
            .runs(accept),
            Operation::get(
                "/v1/places",
                "listPlaces",
                "Lists the places, with the last day that was closed there and the first that should have been.",
            )
            .read(Act::ViewReports, "place.listed", "place")
            .gives::<Places>(
                200,
                "The places.",
                json!({ "items": [{ "place": "CENTRAL", "name": "Central store", "closed": "2026-11-19", "overdue": null, "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31" }] }),
            )
            .runs(places),
            of_place(Operation::put("/v1/places/{place}", "namePlace", "Adds an office or a store, or names one otherwise."))
                .act(Act::ManagePlaces, "place.added", "place")
                .conditional(Thing::Place, "place")
                .takes::<PlaceName>(json!({ "name": "Riga, first office" }))
                .runs(name_place),
        ],
    )
}

/// A delivery's reference.
struct DeliveryReference;

impl JsonSchema for DeliveryReference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DeliveryReference".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$" })
    }
}
