//! What was counted at a place, and the close of a day.

use central::{
    CountDifference, CountEnd, Counted, CountedRibbons, RibbonDifference, StockCount, Thing,
};
use document::{Act, OfficeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{
    AccountName, BlankStateName, Day, ItemText, PlaceCode, RibbonItem, RibbonStateName,
};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

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

/// How many ribbons of one sort lie there in one state.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RibbonCountLine {
    /// What they are.
    item: RibbonItem,
    /// Their state.
    state: RibbonStateName,
    /// How many there are.
    #[schemars(range(max = 1_000_000_000))]
    ribbons: u64,
}

/// What was counted at a place; what is not told counts as none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    /// The blanks.
    #[schemars(length(max = 1000))]
    counted: Vec<CountLine>,
    /// The ribbons of printers.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    ribbons: Vec<RibbonCountLine>,
}

/// What two people counted at the end of a day.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Close {
    /// The second person, who counted too and confirms it in a session of their own.
    witness: AccountName,
    /// The day.
    day: Day,
    /// The blanks.
    #[schemars(length(max = 1000))]
    counted: Vec<CountLine>,
    /// The ribbons of printers.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    ribbons: Vec<RibbonCountLine>,
}

fn counted(lines: Vec<CountLine>) -> Vec<Counted> {
    let line = |line: CountLine| Counted {
        item: line.item.0,
        state: line.state.0,
        blanks: line.blanks,
    };
    lines.into_iter().map(line).collect()
}

fn counted_ribbons(lines: Vec<RibbonCountLine>) -> Vec<CountedRibbons> {
    let line = |line: RibbonCountLine| CountedRibbons {
        item: line.item.0,
        state: line.state.0,
        ribbons: line.ribbons,
    };
    lines.into_iter().map(line).collect()
}

/// Where a count of ribbons and the books differ.
#[derive(Serialize, JsonSchema)]
struct RibbonDifferenceShown {
    /// What the ribbons are.
    item: String,
    /// Their state.
    state: RibbonStateName,
    /// How many were counted.
    counted: u64,
    /// How many the books have.
    booked: u64,
}

impl RibbonDifferenceShown {
    fn of(one: RibbonDifference) -> Self {
        Self {
            item: one.item,
            state: RibbonStateName(one.state),
            counted: one.counted,
            booked: one.booked,
        }
    }
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
    /// Each difference in blanks.
    differences: Vec<DifferenceShown>,
    /// Each difference in ribbons.
    ribbons: Vec<RibbonDifferenceShown>,
}

impl CountShown {
    fn of(end: CountEnd) -> Self {
        match end {
            CountEnd::Agrees => Self {
                agrees: true,
                incident: None,
                differences: Vec::new(),
                ribbons: Vec::new(),
            },
            CountEnd::Differs {
                incident,
                differences,
                ribbons,
            } => Self {
                agrees: false,
                incident: Some(incident),
                differences: differences.into_iter().map(DifferenceShown::of).collect(),
                ribbons: ribbons.into_iter().map(RibbonDifferenceShown::of).collect(),
            },
        }
    }
}

fn place_of(call: &Call) -> Result<OfficeCode, Problem> {
    OfficeCode::parse(call.part("place"))
        .map_err(|_| Problem::new(Fault::NotFound, "there is no place of this code"))
}

async fn count(call: Call) -> Result<Answer, Problem> {
    let told: Count = call.json()?;
    let (blanks, ribbons) = (counted(told.counted), counted_ribbons(told.ribbons));
    let count = StockCount {
        blanks: &blanks,
        ribbons: &ribbons,
    };
    let end = call
        .central
        .count_place(call.actor()?, &place_of(&call)?, count)
        .await?;
    Answer::json(&CountShown::of(end))
}

async fn close(call: Call) -> Result<Answer, Problem> {
    let told: Close = call.json()?;
    let (place, witness) = (place_of(&call)?, told.witness.0);
    let (blanks, ribbons) = (counted(told.counted), counted_ribbons(told.ribbons));
    let count = StockCount {
        blanks: &blanks,
        ribbons: &ribbons,
    };
    let end = call
        .central
        .close_day(call.actor()?, &place, told.day.0, &witness, count)
        .await?;
    Answer::json(&CountShown::of(end))
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let line = json!({ "item": "booklet", "state": "in-stock", "blanks": 120 });
    let ribbons = json!({ "item": "ymcko", "state": "used", "ribbons": 2 });
    let agrees = json!({ "agrees": true, "incident": null, "differences": [], "ribbons": [] });
    let of_place = |operation: Operation| {
        operation.parameter::<PlaceCode>("place", "The code of the place.", "CENTRAL")
    };
    of(
        "stock",
        vec![
            of_place(Operation::post(
                "/v1/places/{place}/count",
                "countPlace",
                "Compares what was counted at a place with the books; a difference opens an incident.",
            ))
            .act(Act::CountBlanks, "stock.counted", "place")
            .takes::<Count>(json!({ "counted": [line], "ribbons": [ribbons] }))
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
            .takes::<Close>(json!({ "witness": "quality", "day": "2026-11-20", "counted": [line], "ribbons": [ribbons] }))
            .gives::<CountShown>(200, "How it ended.", agrees)
            .runs(close),
        ],
    )
}
