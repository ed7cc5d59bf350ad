//! The protection of holders' data: how long it is kept, what should have been erased, and the keys
//! under which it lies.

use central::{Overdue, Turned};
use document::{Act, DataClass};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::call::{Call, page_of};
use crate::people::cursor;
use crate::people::named::{Cursor, Limit, Moment};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// A class of data.
#[derive(Serialize, JsonSchema)]
struct ClassShown {
    /// Its name.
    class: String,
    /// How many days it is kept after what ended its purpose; null where it is kept for good.
    days: Option<u16>,
    /// What ends its purpose.
    ends: String,
}

/// How long what is kept.
#[derive(Serialize, JsonSchema)]
struct Retention {
    /// Every class of data.
    items: Vec<ClassShown>,
}

/// Something that should have been erased.
#[derive(Serialize, JsonSchema)]
struct OverdueShown {
    /// A class of data, `wrapping-key`, `unknown-wrapping-key`, or `erasure`, which did not run.
    what: String,
    /// Its pseudonymous reference.
    reference: String,
    /// Since when, where that is known.
    since: Option<Moment>,
}

impl OverdueShown {
    fn of(one: Overdue) -> Self {
        Self {
            what: one.what,
            reference: one.reference,
            since: one.since.map(Moment),
        }
    }
}

/// What was done with the token's keys.
#[derive(Serialize, JsonSchema)]
struct TurnedShown {
    /// Made.
    made: u64,
    /// Taken into use.
    taken: u64,
    /// Data keys that were wrapped anew.
    wrapped: u64,
    /// Destroyed.
    destroyed: u64,
    /// Data keys under one that the token has no more: what they encrypt is lost.
    lost: u64,
}

impl TurnedShown {
    fn of(turned: Turned) -> Self {
        Self {
            made: turned.made,
            taken: turned.taken,
            wrapped: turned.wrapped,
            destroyed: turned.destroyed,
            lost: turned.lost,
        }
    }
}

async fn retention(_: Call) -> Result<Answer, Problem> {
    let class = |class: &DataClass| ClassShown {
        class: class.name().to_owned(),
        days: class.days(),
        ends: class.ends().to_owned(),
    };
    let items = DataClass::ALL.iter().map(class).collect();
    Answer::json(&Retention { items })
}

const LIST: &str = "overdue";

async fn overdue(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let found = call.central.overdue_after(&after, limit + 1).await?;
    Answer::json(&page_of(
        LIST,
        found,
        limit,
        Overdue::place,
        OverdueShown::of,
    ))
}

async fn turn(call: Call) -> Result<Answer, Problem> {
    let turned = call
        .central
        .turn_wrapping_keys(call.actor()?, &|_| {})
        .await?;
    Answer::json(&TurnedShown::of(turned))
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    of(
        "protection",
        vec![
            Operation::get(
                "/v1/protection/retention",
                "showRetention",
                "Shows how long each class of data is kept.",
            )
            .read(Act::ViewReports, "retention.read", "central")
            .gives::<Retention>(
                200,
                "The classes.",
                json!({ "items": [{ "class": "record", "days": 90, "ends": "the document is out of use for good" }] }),
            )
            .runs(retention),
            Operation::get(
                "/v1/protection/overdue",
                "listOverdue",
                "Lists what should have been erased by now and was not.",
            )
            .read(Act::ViewReports, "overdue.listed", "central")
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>("cursor", "The next of the page before.", cursor::encode(LIST, "data identity 0 0"))
            .gives::<Page<OverdueShown>>(200, "A page.", json!({ "items": [], "next": null }))
            .runs(overdue),
            Operation::post(
                "/v1/protection/key-turning",
                "turnKeys",
                "Takes new keys of the token into use for all personal data at once: where one may have become known.",
            )
            .act(Act::ManageKeys, "wrapping-key.turned", "installation")
            .gives::<TurnedShown>(
                200,
                "What was done.",
                json!({ "made": 4, "taken": 4, "wrapped": 12, "destroyed": 0, "lost": 0 }),
            )
            .runs(turn),
        ],
    )
}
