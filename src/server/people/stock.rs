//! The accounts of blanks, deliveries, places, and the close of a day.

use central::{
    CountDifference, CountEnd, Counted, DeliveryAccount, PlaceDays, StockAccount, StockCheck, Thing,
};
use document::{Act, OfficeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::call::{Call, page_of};
use crate::people::named::{AccountName, BlankStateName, Cursor, Day, ItemText, Limit, PlaceCode};
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

/// The accounts.
#[derive(Serialize, JsonSchema)]
struct Accounts {
    /// Those that are not empty.
    items: Vec<AccountLine>,
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

/// How many blanks of one sort lie in one account.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountLine {
    /// What they are, as the accounts name it.
    item: ItemText,
    /// The account.
    state: BlankStateName,
    /// How many there are.
    #[schemars(range(max = 1_000_000_000))]
    blanks: u64,
}

/// What was counted at a place; what is not told counts as none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    /// The lines.
    #[schemars(length(max = 1000))]
    counted: Vec<CountLine>,
}

/// What two people counted at the end of a day.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Close {
    /// The second person, who counted too and confirms it in a session of their own.
    witness: AccountName,
    /// The day.
    day: Day,
    /// The lines.
    #[schemars(length(max = 1000))]
    counted: Vec<CountLine>,
}

fn counted(lines: Vec<CountLine>) -> Vec<Counted> {
    let line = |line: CountLine| Counted {
        item: line.item.0,
        state: line.state.0,
        blanks: line.blanks,
    };
    lines.into_iter().map(line).collect()
}

/// Where a count and the books differ.
#[derive(Serialize, JsonSchema)]
struct DifferenceShown {
    /// What the blanks are.
    item: String,
    /// The account.
    state: BlankStateName,
    /// How many were counted.
    counted: u64,
    /// How many the books have.
    booked: u64,
}

impl DifferenceShown {
    fn of(one: CountDifference) -> Self {
        Self {
            item: one.item,
            state: BlankStateName(one.state),
            counted: one.counted,
            booked: one.booked,
        }
    }
}

/// How a count ended.
#[derive(Serialize, JsonSchema)]
struct CountShown {
    /// Whether it is what the books say; a day is closed only then.
    agrees: bool,
    /// The incident that is open where not.
    incident: Option<i64>,
    /// Each difference.
    differences: Vec<DifferenceShown>,
}

impl CountShown {
    fn of(end: CountEnd) -> Self {
        match end {
            CountEnd::Agrees => Self {
                agrees: true,
                incident: None,
                differences: Vec::new(),
            },
            CountEnd::Differs {
                incident,
                differences,
            } => Self {
                agrees: false,
                incident: Some(incident),
                differences: differences.into_iter().map(DifferenceShown::of).collect(),
            },
        }
    }
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
    /// How many lines the journal has.
    movements: u64,
    /// Every difference, in words; none where journal and states are one.
    differences: Vec<String>,
}

impl CheckShown {
    fn of(check: StockCheck) -> Self {
        Self {
            blanks: check.blanks,
            movements: check.movements,
            differences: check.differences,
        }
    }
}

const DELIVERIES: &str = "deliveries";

async fn accounts(call: Call) -> Result<Answer, Problem> {
    let found = call.central.stock(call.actor()?).await?;
    let items = found.into_iter().map(AccountLine::of).collect();
    Answer::json(&Accounts { items })
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

fn place_of(call: &Call) -> Result<OfficeCode, Problem> {
    OfficeCode::parse(call.part("place"))
        .map_err(|_| Problem::new(Fault::NotFound, "there is no place of this code"))
}

async fn count(call: Call) -> Result<Answer, Problem> {
    let told: Count = call.json()?;
    let end = call
        .central
        .count_place(call.actor()?, &place_of(&call)?, &counted(told.counted))
        .await?;
    Answer::json(&CountShown::of(end))
}

async fn close(call: Call) -> Result<Answer, Problem> {
    let told: Close = call.json()?;
    let (place, witness) = (place_of(&call)?, told.witness.0);
    let counted = counted(told.counted);
    let end = call
        .central
        .close_day(call.actor()?, &place, told.day.0, &witness, &counted)
        .await?;
    Answer::json(&CountShown::of(end))
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
    let line = json!({ "item": "booklet", "state": "in-stock", "blanks": 120 });
    let agrees = json!({ "agrees": true, "incident": null, "differences": [] });
    let of_place = |operation: Operation| {
        operation.parameter::<PlaceCode>("place", "The code of the place.", "CENTRAL")
    };
    of(
        "stock",
        vec![
            Operation::get("/v1/stock", "listStock", "Lists the accounts of blanks that are not empty.")
                .read(Act::ViewReports, "stock.listed", "stock")
                .gives::<Accounts>(
                    200,
                    "The accounts.",
                    json!({ "items": [{ "place": "CENTRAL", "item": "booklet", "state": "in-stock", "blanks": 120 }] }),
                )
                .runs(accounts),
            Operation::get(
                "/v1/stock/check",
                "checkStock",
                "Proves that the journal of blanks and their states are one.",
            )
            .read(Act::ViewReports, "stock.checked", "stock")
            .gives::<CheckShown>(200, "What was found.", json!({ "blanks": 1, "movements": 2, "differences": [] }))
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
            of_place(Operation::post(
                "/v1/places/{place}/count",
                "countPlace",
                "Compares what was counted at a place with the books; a difference opens an incident.",
            ))
            .act(Act::CountBlanks, "stock.counted", "place")
            .takes::<Count>(json!({ "counted": [line] }))
            .gives::<CountShown>(200, "How it ended.", agrees.clone())
            .runs(count),
            of_place(Operation::post(
                "/v1/places/{place}/close",
                "closeDay",
                "Closes a day at a place, by two persons who counted.",
            ))
            .act(Act::CountBlanks, "stock.closed", "place")
            .conditional(Thing::Place, "place")
            .witnessed()
            .takes::<Close>(json!({ "witness": "quality", "day": "2026-11-20", "counted": [line] }))
            .gives::<CountShown>(200, "How it ended.", agrees)
            .runs(close),
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
