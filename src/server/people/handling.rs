//! What a stock-keeper does with blanks that nobody works on: all of those that are named, or none.

use central::Handling;
use document::{Act, OfficeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::people::answer::Answer;
use crate::people::bodies::Blanks;
use crate::people::call::Call;
use crate::people::named::{AccountName, BlankSerial, CauseText, PlaceCode};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// Blanks that go to another place.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// What is printed on them.
    #[schemars(length(min = 1, max = 1000))]
    blanks: Vec<BlankSerial>,
    /// Where they go.
    to: PlaceCode,
}

/// Blanks that go into a slot.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Loaded {
    /// What is printed on them.
    #[schemars(length(min = 1, max = 1000))]
    blanks: Vec<BlankSerial>,
    /// The station's name.
    #[schemars(length(min = 1, max = 128))]
    station: String,
    /// The slot's name.
    #[schemars(length(min = 1, max = 128))]
    slot: String,
}

/// Blanks, and what is known of them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Explained {
    /// What is printed on them.
    #[schemars(length(min = 1, max = 1000))]
    blanks: Vec<BlankSerial>,
    /// Why, or what is known.
    cause: CauseText,
}

/// Blanks, what is known of them, and the second person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Witnessed {
    /// What is printed on them.
    #[schemars(length(min = 1, max = 1000))]
    blanks: Vec<BlankSerial>,
    /// The account of the second person, who confirms it in a session of their own.
    witness: AccountName,
    /// Why, or how.
    cause: CauseText,
}

/// What was booked.
#[derive(Serialize, JsonSchema)]
struct Handled {
    /// How many blanks.
    blanks: usize,
    /// The incidents that are open for it.
    incidents: Vec<i64>,
}

async fn handle(
    call: &Call,
    blanks: Vec<BlankSerial>,
    handling: Handling,
) -> Result<Answer, Problem> {
    let serials: Vec<String> = blanks.into_iter().map(|serial| serial.0).collect();
    let incidents = call
        .central
        .handle_blanks(call.actor()?, &serials, &handling)
        .await?;
    let blanks = serials.len();
    Answer::json(&Handled { blanks, incidents })
}

async fn send(call: Call) -> Result<Answer, Problem> {
    let sent: Sent = call.json()?;
    let to = OfficeCode::parse(&sent.to.0)
        .map_err(|_| Problem::new(Fault::Invalid, "this is no code of a place"))?;
    handle(&call, sent.blanks, Handling::Send { to }).await
}

async fn take_in(call: Call) -> Result<Answer, Problem> {
    let here: Blanks = call.json()?;
    handle(&call, here.blanks, Handling::TakeIn).await
}

async fn load(call: Call) -> Result<Answer, Problem> {
    let loaded: Loaded = call.json()?;
    let (station, slot) = (loaded.station, loaded.slot);
    handle(&call, loaded.blanks, Handling::Load { station, slot }).await
}

async fn unload(call: Call) -> Result<Answer, Problem> {
    let here: Blanks = call.json()?;
    handle(&call, here.blanks, Handling::Unload).await
}

async fn restock(call: Call) -> Result<Answer, Problem> {
    let here: Blanks = call.json()?;
    handle(&call, here.blanks, Handling::Restock).await
}

async fn spoil(call: Call) -> Result<Answer, Problem> {
    let told: Explained = call.json()?;
    let cause = told.cause.0;
    handle(&call, told.blanks, Handling::Spoil { cause }).await
}

async fn miss(call: Call) -> Result<Answer, Problem> {
    let told: Explained = call.json()?;
    let cause = told.cause.0;
    handle(&call, told.blanks, Handling::ReportMissing { cause }).await
}

async fn send_back(call: Call) -> Result<Answer, Problem> {
    let told: Witnessed = call.json()?;
    let (witness, cause) = (told.witness.0, told.cause.0);
    handle(&call, told.blanks, Handling::SendBack { witness, cause }).await
}

async fn find(call: Call) -> Result<Answer, Problem> {
    let told: Witnessed = call.json()?;
    let (witness, cause) = (told.witness.0, told.cause.0);
    handle(&call, told.blanks, Handling::Find { witness, cause }).await
}

async fn destroy(call: Call) -> Result<Answer, Problem> {
    let told: Witnessed = call.json()?;
    let (witness, cause) = (told.witness.0, told.cause.0);
    handle(&call, told.blanks, Handling::Destroy { witness, cause }).await
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let gives = |operation: Operation| {
        operation.gives::<Handled>(
            200,
            "It is booked.",
            json!({ "blanks": 1, "incidents": [] }),
        )
    };
    let plain = |path, id, summary, right, action| {
        gives(Operation::post(path, id, summary))
            .act(right, action, "blank")
            .takes::<Blanks>(json!({ "blanks": ["LV-0001"] }))
    };
    let told = |path, id, summary, right, action, cause: &str| {
        gives(Operation::post(path, id, summary))
            .act(right, action, "blank")
            .takes::<Explained>(json!({ "blanks": ["LV-0001"], "cause": cause }))
    };
    let by_two = |path, id, summary, right, action, cause: &str| {
        let body: Value = json!({ "blanks": ["LV-0001"], "witness": "quality", "cause": cause });
        gives(Operation::post(path, id, summary))
            .act(right, action, "blank")
            .witnessed()
            .takes::<Witnessed>(body)
    };
    of(
        "stock",
        vec![
            gives(Operation::post(
                "/v1/blanks/sending",
                "sendBlanks",
                "Sends blanks to another place.",
            ))
            .act(Act::MoveBlanks, "blank.sent", "blank")
            .takes::<Sent>(json!({ "blanks": ["LV-0001"], "to": "RIGA-1" }))
            .runs(send),
            plain(
                "/v1/blanks/taking-in",
                "takeBlanksIn",
                "Takes in blanks that another person sent here.",
                Act::MoveBlanks,
                "blank.taken-in",
            )
            .runs(take_in),
            gives(Operation::post(
                "/v1/blanks/loading",
                "loadBlanks",
                "Puts blanks into a slot of a station.",
            ))
            .act(Act::MoveBlanks, "blank.loaded", "blank")
            .takes::<Loaded>(json!({ "blanks": ["LV-0001"], "station": "riga-1", "slot": "a" }))
            .runs(load),
            plain(
                "/v1/blanks/unloading",
                "unloadBlanks",
                "Takes blanks out of their slots, back into the store.",
                Act::MoveBlanks,
                "blank.unloaded",
            )
            .runs(unload),
            plain(
                "/v1/blanks/restocking",
                "restockBlanks",
                "Counts blanks that a station gave back untouched into the store again.",
                Act::CountBlanks,
                "blank.restocked",
            )
            .runs(restock),
            told(
                "/v1/blanks/spoiling",
                "spoilBlanks",
                "Books blanks as spoiled that nobody works on.",
                Act::MoveBlanks,
                "blank.spoiled",
                "water",
            )
            .runs(spoil),
            told(
                "/v1/blanks/missing",
                "reportBlanksMissing",
                "Books blanks as missing: an incident for each.",
                Act::ReportBlankMissing,
                "blank.missing",
                "not in its box",
            )
            .runs(miss),
            by_two(
                "/v1/blanks/sending-back",
                "sendBlanksBack",
                "Sends blanks back to their maker, by two persons.",
                Act::MoveBlanks,
                "blank.sent-back",
                "wrong print",
            )
            .runs(send_back),
            by_two(
                "/v1/blanks/finding",
                "findBlanks",
                "Books missing blanks as found, by two persons: they are spoiled.",
                Act::CountBlanks,
                "blank.found",
                "behind the shelf",
            )
            .runs(find),
            by_two(
                "/v1/blanks/destruction",
                "destroyBlanks",
                "Books spoiled blanks as destroyed, before a witness.",
                Act::DestroyBlanks,
                "blank.destroyed",
                "shredded",
            )
            .runs(destroy),
        ],
    )
}
