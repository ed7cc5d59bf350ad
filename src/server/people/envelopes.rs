//! PIN envelopes, from the printer to the holder. What is in one is printed by `zimogs central
//! envelope print` at the printer's side, and is not served here.

use central::{EnvelopeLine, Thing};
use document::Act;
use document::life_cycle::EnvelopeState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::Before;
use crate::people::call::{Call, page_of};
use crate::people::named::{Cursor, EnvelopeSerial, EnvelopeStateName, Limit, Moment, WayText};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// A PIN envelope.
#[derive(Serialize, JsonSchema)]
struct EnvelopeShown {
    /// Its serial number.
    serial: String,
    /// The number of its document at that time.
    number: String,
    /// Where it stands.
    state: EnvelopeStateName,
    /// How it was sent.
    way: Option<String>,
    /// Since when it stands there.
    since: Moment,
    /// What `If-Match` takes, in quotation marks.
    tag: String,
}

impl EnvelopeShown {
    fn of(line: EnvelopeLine) -> Self {
        Self {
            tag: line.tag(),
            serial: line.serial,
            number: line.number,
            state: EnvelopeStateName(line.state),
            way: line.way,
            since: Moment(line.since),
        }
    }
}

/// How it is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Way {
    /// A consignment's number, say.
    way: WayText,
}

const LIST: &str = "envelopes";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let state = call.field::<EnvelopeState>("state")?;
    let found = call
        .central
        .envelopes_after(call.actor()?, state, &after, limit + 1)
        .await?;
    let key = |line: &EnvelopeLine| line.serial.clone();
    Answer::json(&page_of(LIST, found, limit, key, EnvelopeShown::of))
}

async fn printed(call: Call) -> Result<Answer, Problem> {
    let (actor, serial) = (call.actor()?, call.part("envelope"));
    call.central.envelope_printed(actor, serial).await?;
    Ok(Answer::nothing())
}

async fn dispatch(call: Call) -> Result<Answer, Problem> {
    let way: Way = call.json()?;
    let (actor, serial) = (call.actor()?, call.part("envelope"));
    call.central
        .dispatch_envelope(actor, serial, &way.way.0)
        .await?;
    Ok(Answer::nothing())
}

async fn deliver(call: Call) -> Result<Answer, Problem> {
    let (actor, serial) = (call.actor()?, call.part("envelope"));
    call.central.deliver_envelope(actor, serial).await?;
    Ok(Answer::nothing())
}

async fn destroy(call: Call) -> Result<Answer, Problem> {
    let how: Before = call.json()?;
    let (actor, serial) = (call.actor()?, call.part("envelope"));
    call.central
        .destroy_envelope(actor, serial, &how.witness.0, &how.cause.0)
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let of_one = |operation: Operation| {
        operation.parameter::<EnvelopeSerial>(
            "envelope",
            "The envelope's serial number.",
            "PE0000001",
        )
    };
    of(
        "envelopes",
        vec![
            Operation::get("/v1/envelopes", "listEnvelopes", "Lists the PIN envelopes by serial number.")
                .read(Act::DispatchEnvelope, "envelope.listed", "envelope")
                .or(Act::ViewReports)
                .field::<EnvelopeStateName>("state", "Only those in this state.", "printed")
                .field::<Limit>("limit", "The most items of the page.", 50)
                .field::<Cursor>("cursor", "The next of the page before.", "AWVudmVsb3BlcwAw")
                .gives::<Page<EnvelopeShown>>(200, "A page.", json!({ "items": [], "next": null }))
                .runs(list),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/printed",
                "notePrinted",
                "Notes that an envelope came out whole, where the program that printed it could not say so.",
            ))
            .act(Act::PrintEnvelope, "envelope.printed", "envelope")
            .conditional(Thing::Envelope, "envelope")
            .runs(printed),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/dispatch",
                "dispatchEnvelope",
                "Notes that an envelope was sent, another way than its card.",
            ))
            .act(Act::DispatchEnvelope, "envelope.dispatched", "envelope")
            .conditional(Thing::Envelope, "envelope")
            .takes::<Way>(json!({ "way": "RR123456785LV" }))
            .runs(dispatch),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/delivery",
                "deliverEnvelope",
                "Notes that the holder has the envelope.",
            ))
            .act(Act::DispatchEnvelope, "envelope.delivered", "envelope")
            .conditional(Thing::Envelope, "envelope")
            .runs(deliver),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/destruction",
                "destroyEnvelope",
                "Notes that an envelope was destroyed before a witness.",
            ))
            .act(Act::DispatchEnvelope, "envelope.destroyed", "envelope")
            .conditional(Thing::Envelope, "envelope")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "printer jam" }))
            .runs(destroy),
        ],
    )
}
