//! Ribbons of card printers: what was printed with one can be read from it.

use central::{RibbonHandling, RibbonLine, Thing};
use document::{Act, OfficeCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::{Because, Before};
use crate::people::call::{Call, page_of};
use crate::people::named::{
    Cursor, Limit, Moment, PlaceCode, RibbonItem, RibbonSerial, RibbonStateName,
};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A ribbon.
#[derive(Serialize, JsonSchema)]
struct RibbonShown {
    /// Its serial number, which stands on it.
    ribbon: String,
    /// What it is: its panels, say.
    item: String,
    /// Its state.
    state: RibbonStateName,
    /// Where it is; of one on its way, where it goes.
    place: String,
    /// The station whose printer it is in.
    station: Option<String>,
    /// The slot whose printer it is in.
    slot: Option<String>,
    /// When it was received.
    received: Moment,
    /// How many cards of documents were printed with it, as far as their stations told.
    cards: u64,
    /// How many cards its printer counted beside these, between the first of them and the last: test
    /// cards, and those of stations that never told of them.
    cards_beside: u64,
    /// How many cards more it is for, as its printer said last.
    cards_left: Option<u64>,
    /// What `If-Match` takes, in quotation marks; cards that are printed leave it as it is.
    tag: String,
}

impl RibbonShown {
    fn of(line: RibbonLine) -> Self {
        let tag = line.tag();
        let (station, slot) = line.slot.unzip();
        Self {
            ribbon: line.serial,
            item: line.item,
            state: RibbonStateName(line.state),
            place: line.place,
            station,
            slot,
            received: Moment(line.received),
            cards: line.cards,
            cards_beside: line.beside,
            cards_left: line.cards_left,
            tag,
        }
    }
}

/// New ribbons.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRibbons {
    /// What stands on them.
    #[schemars(length(min = 1, max = 1000))]
    ribbons: Vec<RibbonSerial>,
    /// What they are: their panels, say.
    item: RibbonItem,
    /// The place that they came to.
    place: PlaceCode,
}

/// How many are booked.
#[derive(Serialize, JsonSchema)]
struct Booked {
    /// How many ribbons.
    ribbons: usize,
}

/// Where a ribbon goes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// The place.
    to: PlaceCode,
}

/// Whose printer a ribbon is put into.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IntoPrinter {
    /// The station's name.
    #[schemars(length(min = 1, max = 128))]
    station: String,
    /// The slot's name.
    #[schemars(length(min = 1, max = 128))]
    slot: String,
}

/// What is open for it.
#[derive(Serialize, JsonSchema)]
struct Incident {
    /// The incident.
    incident: Option<i64>,
}

const LIST: &str = "ribbons";

fn place(code: &PlaceCode) -> Result<OfficeCode, Problem> {
    OfficeCode::parse(&code.0)
        .map_err(|_| Problem::new(Fault::Invalid, "this is no code of a place"))
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let all = call.field::<bool>("all")?.unwrap_or(false);
    let found = call
        .central
        .ribbons_after(call.actor()?, all, &after, limit + 1)
        .await?;
    let key = |line: &RibbonLine| line.serial.clone();
    Answer::json(&page_of(LIST, found, limit, key, RibbonShown::of))
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let line = call
        .central
        .ribbon(call.actor()?, call.part("ribbon"))
        .await?;
    let shown = RibbonShown::of(line);
    Ok(Answer::json(&shown)?.tagged(&shown.tag))
}

async fn receive(call: Call) -> Result<Answer, Problem> {
    let new: NewRibbons = call.json()?;
    let serials: Vec<String> = new.ribbons.into_iter().map(|serial| serial.0).collect();
    call.central
        .receive_ribbons(call.actor()?, &serials, &new.item.0, &place(&new.place)?)
        .await?;
    let ribbons = serials.len();
    Answer::created("/v1/ribbons".to_owned(), &Booked { ribbons })
}

async fn handle(call: &Call, handling: RibbonHandling) -> Result<Option<i64>, Problem> {
    let ribbon = [call.part("ribbon").to_owned()];
    let incidents = call
        .central
        .handle_ribbons(call.actor()?, &ribbon, &handling)
        .await?;
    Ok(incidents.first().copied())
}

async fn send(call: Call) -> Result<Answer, Problem> {
    let sent: Sent = call.json()?;
    let to = place(&sent.to)?;
    handle(&call, RibbonHandling::Send { to }).await?;
    Ok(Answer::nothing())
}

async fn take_in(call: Call) -> Result<Answer, Problem> {
    handle(&call, RibbonHandling::TakeIn).await?;
    Ok(Answer::nothing())
}

async fn load(call: Call) -> Result<Answer, Problem> {
    let IntoPrinter { station, slot } = call.json()?;
    handle(&call, RibbonHandling::Load { station, slot }).await?;
    Ok(Answer::nothing())
}

async fn unload(call: Call) -> Result<Answer, Problem> {
    handle(&call, RibbonHandling::Unload).await?;
    Ok(Answer::nothing())
}

async fn use_up(call: Call) -> Result<Answer, Problem> {
    let Because { cause } = call.json()?;
    let cause = cause.0;
    handle(&call, RibbonHandling::UseUp { cause }).await?;
    Ok(Answer::nothing())
}

async fn miss(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (witness, cause) = (before.witness.0, before.cause.0);
    let incident = handle(&call, RibbonHandling::ReportMissing { witness, cause }).await?;
    Answer::json(&Incident { incident })
}

async fn find(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (witness, cause) = (before.witness.0, before.cause.0);
    let incident = handle(&call, RibbonHandling::Find { witness, cause }).await?;
    Answer::json(&Incident { incident })
}

async fn destroy(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (witness, cause) = (before.witness.0, before.cause.0);
    handle(&call, RibbonHandling::Destroy { witness, cause }).await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let shown = json!({
        "ribbon": "R-0001", "item": "ymcko", "state": "loaded", "place": "CENTRAL",
        "station": "riga-1", "slot": "a", "received": "2026-11-20T08:00:00Z",
        "cards": 120, "cards_beside": 1, "cards_left": 79, "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
    });
    let of_one = |operation: Operation| {
        operation.parameter::<RibbonSerial>("ribbon", "What stands on it.", "R-0001")
    };
    let act = |path, id, summary, right, action| {
        of_one(Operation::post(path, id, summary))
            .act(right, action, "ribbon")
            .conditional(Thing::Ribbon, "ribbon")
    };
    let by_two = |operation: Operation, cause: &str| {
        operation
            .witnessed()
            .takes::<Before>(json!({ "witness": "quality", "cause": cause }))
    };
    of(
        "stock",
        vec![
            Operation::get(
                "/v1/ribbons",
                "listRibbons",
                "Lists the ribbons of printers that are not destroyed, by serial number.",
            )
            .read(Act::ViewReports, "ribbon.listed", "ribbon")
            .field::<bool>("all", "Also those that are destroyed.", false)
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>(
                "cursor",
                "The next of the page before.",
                "AXJpYmJvbnMAUi0wMDAx",
            )
            .gives::<Page<RibbonShown>>(
                200,
                "A page.",
                json!({ "items": [shown.clone()], "next": null }),
            )
            .runs(list),
            Operation::post(
                "/v1/ribbons",
                "receiveRibbons",
                "Books new ribbons that came to a place.",
            )
            .act(Act::KeepRibbons, "ribbon.received", "ribbon")
            .takes::<NewRibbons>(
                json!({ "ribbons": ["R-0001"], "item": "ymcko", "place": "CENTRAL" }),
            )
            .gives::<Booked>(201, "They are in stock.", json!({ "ribbons": 1 }))
            .runs(receive),
            of_one(Operation::get(
                "/v1/ribbons/{ribbon}",
                "showRibbon",
                "Shows a ribbon.",
            ))
            .read(Act::ViewReports, "ribbon.shown", "ribbon")
            .tagged()
            .gives::<RibbonShown>(200, "The ribbon.", shown)
            .runs(show),
            act(
                "/v1/ribbons/{ribbon}/sending",
                "sendRibbon",
                "Sends a new or a used ribbon to another place.",
                Act::KeepRibbons,
                "ribbon.sent",
            )
            .takes::<Sent>(json!({ "to": "RIGA-1" }))
            .runs(send),
            act(
                "/v1/ribbons/{ribbon}/taking-in",
                "takeRibbonIn",
                "Takes in a ribbon that another person sent here.",
                Act::KeepRibbons,
                "ribbon.taken-in",
            )
            .runs(take_in),
            act(
                "/v1/ribbons/{ribbon}/loading",
                "loadRibbon",
                "Notes that a ribbon was put into the printer of a slot, which has no other.",
                Act::ChangeRibbon,
                "ribbon.loaded",
            )
            .takes::<IntoPrinter>(json!({ "station": "riga-1", "slot": "a" }))
            .runs(load),
            act(
                "/v1/ribbons/{ribbon}/unloading",
                "unloadRibbon",
                "Notes that a ribbon was taken out of its printer before its end.",
                Act::ChangeRibbon,
                "ribbon.unloaded",
            )
            .runs(unload),
            act(
                "/v1/ribbons/{ribbon}/use-up",
                "useRibbonUp",
                "Notes that nothing more is printed with a ribbon: it waits for its destruction.",
                Act::ChangeRibbon,
                "ribbon.used",
            )
            .takes::<Because>(json!({ "cause": "at its end" }))
            .runs(use_up),
            by_two(
                act(
                    "/v1/ribbons/{ribbon}/loss",
                    "reportRibbonMissing",
                    "Books a ribbon as missing, before a witness: an incident.",
                    Act::ReportRibbonMissing,
                    "ribbon.missing",
                ),
                "not in its box",
            )
            .gives::<Incident>(200, "It is missing.", json!({ "incident": 3 }))
            .runs(miss),
            by_two(
                act(
                    "/v1/ribbons/{ribbon}/finding",
                    "findRibbon",
                    "Books a missing ribbon as found, before a witness: it is used no more.",
                    Act::KeepRibbons,
                    "ribbon.found",
                ),
                "behind the printer",
            )
            .gives::<Incident>(200, "It is found.", json!({ "incident": 4 }))
            .runs(find),
            by_two(
                act(
                    "/v1/ribbons/{ribbon}/destruction",
                    "destroyRibbon",
                    "Books a used ribbon as destroyed, before a witness.",
                    Act::DestroyRibbons,
                    "ribbon.destroyed",
                ),
                "shredded",
            )
            .runs(destroy),
        ],
    )
}
