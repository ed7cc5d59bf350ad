//! Parcels: finished documents on their way to their office.

use central::{CountedIn, ParcelLine, Thing};
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::{Because, Before};
use crate::people::call::{Call, page_of};
use crate::people::named::{
    Cursor, Limit, Moment, Number, ParcelSerial, ParcelStateName, PlaceCode, WayText,
};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// A document in a parcel.
#[derive(Serialize, JsonSchema)]
struct PackedShown {
    /// Its number.
    number: String,
    /// What became of it: `packed`, `arrived` or `missing`.
    state: String,
}

/// A parcel.
#[derive(Serialize, JsonSchema)]
struct ParcelShown {
    /// Its serial number, which stands on it.
    parcel: String,
    /// The office that it goes to.
    office: String,
    /// Its state.
    state: ParcelStateName,
    /// When it was opened.
    opened: Moment,
    /// How it went.
    way: Option<String>,
    /// When it left.
    sent: Option<Moment>,
    /// When it was counted in.
    received: Option<Moment>,
    /// What is in it, by number.
    documents: Vec<PackedShown>,
    /// What `If-Match` takes, in quotation marks.
    tag: String,
}

impl ParcelShown {
    fn of(line: ParcelLine) -> Self {
        let packed = |(number, state)| PackedShown { number, state };
        Self {
            tag: line.tag(),
            parcel: line.serial,
            office: line.office,
            state: ParcelStateName(line.state),
            opened: Moment(line.opened),
            way: line.way,
            sent: line.sent.map(Moment),
            received: line.received.map(Moment),
            documents: line.documents.into_iter().map(packed).collect(),
        }
    }
}

/// A parcel to open.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewParcel {
    /// The office that it goes to.
    office: PlaceCode,
}

/// A parcel that is open.
#[derive(Serialize, JsonSchema)]
struct Opened {
    /// Its serial number.
    parcel: String,
}

/// What was counted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountedNumbers {
    /// The numbers of the documents.
    #[schemars(length(max = 1000))]
    counted: Vec<Number>,
}

impl CountedNumbers {
    fn numbers(self) -> Vec<String> {
        self.counted.into_iter().map(|number| number.0).collect()
    }
}

/// How it is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Way {
    /// A consignment's number, say.
    way: WayText,
}

/// How many documents.
#[derive(Serialize, JsonSchema)]
struct HowMany {
    /// How many.
    documents: usize,
}

/// What was found when a parcel was counted in.
#[derive(Serialize, JsonSchema)]
struct Received {
    /// At the office now.
    arrived: Vec<String>,
    /// In the books and not in the parcel.
    missing: Vec<String>,
    /// In the parcel and not in the books: to be set aside.
    surplus: Vec<String>,
    /// The incident that a difference opened.
    incident: Option<i64>,
}

impl Received {
    fn of(counted: CountedIn) -> Self {
        Self {
            arrived: counted.arrived,
            missing: counted.missing,
            surplus: counted.surplus,
            incident: counted.incident,
        }
    }
}

const LIST: &str = "parcels";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let all = call.field::<bool>("all")?.unwrap_or(false);
    let found = call
        .central
        .parcels_after(call.actor()?, all, &after, limit + 1)
        .await?;
    let key = |line: &ParcelLine| line.serial.clone();
    Answer::json(&page_of(LIST, found, limit, key, ParcelShown::of))
}

async fn open(call: Call) -> Result<Answer, Problem> {
    let new: NewParcel = call.json()?;
    let parcel = call
        .central
        .open_parcel(call.actor()?, &new.office.0)
        .await?;
    Answer::created("/v1/parcels".to_owned(), &Opened { parcel })
}

async fn pack(call: Call) -> Result<Answer, Problem> {
    call.central
        .pack(call.actor()?, call.part("parcel"), call.part("number"))
        .await?;
    Ok(Answer::nothing())
}

async fn unpack(call: Call) -> Result<Answer, Problem> {
    call.central
        .unpack(call.actor()?, call.part("parcel"), call.part("number"))
        .await?;
    Ok(Answer::nothing())
}

async fn seal(call: Call) -> Result<Answer, Problem> {
    let counted = call.json::<CountedNumbers>()?.numbers();
    let documents = call
        .central
        .seal_parcel(call.actor()?, call.part("parcel"), &counted)
        .await?;
    Answer::json(&HowMany { documents })
}

async fn reopen(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (actor, parcel) = (call.actor()?, call.part("parcel"));
    call.central
        .reopen_parcel(actor, parcel, &before.witness.0, &before.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn discard(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    let (actor, parcel) = (call.actor()?, call.part("parcel"));
    call.central
        .discard_parcel(actor, parcel, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn send(call: Call) -> Result<Answer, Problem> {
    let way: Way = call.json()?;
    call.central
        .send_parcel(call.actor()?, call.part("parcel"), &way.way.0)
        .await?;
    Ok(Answer::nothing())
}

async fn receive(call: Call) -> Result<Answer, Problem> {
    let counted = call.json::<CountedNumbers>()?.numbers();
    let found = call
        .central
        .receive_parcel(call.actor()?, call.part("parcel"), &counted)
        .await?;
    Answer::json(&Received::of(found))
}

async fn lose(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (actor, parcel) = (call.actor()?, call.part("parcel"));
    let documents = call
        .central
        .lose_parcel(actor, parcel, &before.witness.0, &before.cause.0)
        .await?;
    Answer::json(&HowMany { documents })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let parcel = json!({
        "parcel": "PA0000001", "office": "RIGA-1", "state": "under-way",
        "opened": "2026-11-20T08:00:00Z", "way": "RR123456785LV",
        "sent": "2026-11-20T12:00:00Z", "received": null,
        "documents": [{ "number": "XA0000001", "state": "packed" }],
        "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
    });
    let of_one = |operation: Operation| {
        operation.parameter::<ParcelSerial>("parcel", "The parcel's serial number.", "PA0000001")
    };
    let with_document = |operation: Operation| {
        of_one(operation).parameter::<Number>("number", "The document's number.", "XA0000001")
    };
    let packing = Act::PackParcel;
    of(
        "parcels",
        vec![
            Operation::get("/v1/parcels", "listParcels", "Lists the parcels that did not arrive yet, by serial number.")
                .read(Act::ViewDocument, "parcel.listed", "parcel")
                .field::<bool>("all", "Also those that arrived, were lost or given up.", false)
                .field::<Limit>("limit", "The most items of the page.", 50)
                .field::<Cursor>("cursor", "The next of the page before.", "AXBhcmNlbHMAUEEwMDAwMDAx")
                .gives::<Page<ParcelShown>>(200, "A page.", json!({ "items": [parcel], "next": null }))
                .runs(list),
            Operation::post("/v1/parcels", "openParcel", "Opens an empty parcel for an office.")
                .act(packing, "parcel.opened", "parcel")
                .once()
                .takes::<NewParcel>(json!({ "office": "RIGA-1" }))
                .gives::<Opened>(201, "It is open.", json!({ "parcel": "PA0000001" }))
                .runs(open),
            with_document(Operation::put(
                "/v1/parcels/{parcel}/documents/{number}",
                "packDocument",
                "Puts a document that quality has passed into an open parcel.",
            ))
            .act(packing, "parcel.packed", "document")
            .conditional(Thing::Parcel, "parcel")
            .runs(pack),
            with_document(Operation::delete(
                "/v1/parcels/{parcel}/documents/{number}",
                "unpackDocument",
                "Takes a document out of an open parcel again.",
            ))
            .act(packing, "parcel.unpacked", "document")
            .conditional(Thing::Parcel, "parcel")
            .runs(unpack),
            of_one(Operation::post(
                "/v1/parcels/{parcel}/seal",
                "sealParcel",
                "Closes a parcel, with the numbers of the documents that were counted into it.",
            ))
            .act(packing, "parcel.sealed", "parcel")
            .conditional(Thing::Parcel, "parcel")
            .takes::<CountedNumbers>(json!({ "counted": ["XA0000001"] }))
            .gives::<HowMany>(200, "How many are in it.", json!({ "documents": 1 }))
            .runs(seal),
            of_one(Operation::post(
                "/v1/parcels/{parcel}/reopening",
                "reopenParcel",
                "Opens a sealed parcel again before it leaves, before a witness.",
            ))
            .act(packing, "parcel.reopened", "parcel")
            .conditional(Thing::Parcel, "parcel")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "one more" }))
            .runs(reopen),
            of_one(Operation::post("/v1/parcels/{parcel}/discarding", "discardParcel", "Gives an empty parcel up."))
                .act(packing, "parcel.discarded", "parcel")
                .conditional(Thing::Parcel, "parcel")
                .takes::<Because>(json!({ "cause": "not needed" }))
                .runs(discard),
            of_one(Operation::post(
                "/v1/parcels/{parcel}/dispatch",
                "sendParcel",
                "Notes that a sealed parcel left, another way than the PIN envelopes of its cards.",
            ))
            .act(packing, "parcel.sent", "parcel")
            .conditional(Thing::Parcel, "parcel")
            .takes::<Way>(json!({ "way": "RR123456785LV" }))
            .runs(send),
            of_one(Operation::post(
                "/v1/parcels/{parcel}/receipt",
                "receiveParcel",
                "Counts a parcel in at its office, by somebody who neither packed nor sealed nor sent it.",
            ))
            .act(Act::ReceiveParcel, "parcel.received", "parcel")
            .conditional(Thing::Parcel, "parcel")
            .takes::<CountedNumbers>(json!({ "counted": ["XA0000001"] }))
            .gives::<Received>(
                200,
                "What was found.",
                json!({ "arrived": ["XA0000001"], "missing": [], "surplus": [], "incident": null }),
            )
            .runs(receive),
            of_one(Operation::post(
                "/v1/parcels/{parcel}/loss",
                "loseParcel",
                "Notes, before a witness, that a parcel never arrived: all in it is made again.",
            ))
            .act(Act::ReportMishap, "parcel.lost", "parcel")
            .conditional(Thing::Parcel, "parcel")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "the van burnt" }))
            .gives::<HowMany>(200, "How many were in it.", json!({ "documents": 1 }))
            .runs(lose),
        ],
    )
}
