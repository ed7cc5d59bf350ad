//! PIN envelopes, from the printer to the holder. What is in one is printed by `zimogs central
//! envelope print` at the printer's side, and is not served here.

use central::EnvelopeLine;
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{AccountName, CauseText, EnvelopeSerial, EnvelopeStateName, Moment};
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
}

impl EnvelopeShown {
    fn of(line: EnvelopeLine) -> Self {
        Self {
            serial: line.serial,
            number: line.number,
            state: EnvelopeStateName(line.state),
            way: line.way,
            since: Moment(line.since),
        }
    }
}

/// The envelopes.
#[derive(Serialize, JsonSchema)]
struct Envelopes {
    /// All of them.
    items: Vec<EnvelopeShown>,
}

/// How it is sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Way {
    /// A consignment's number, say.
    way: CauseText,
}

/// Before whom, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Destruction {
    /// The account of the witness.
    witness: AccountName,
    /// Why.
    cause: CauseText,
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let lines = call.central.envelopes(call.actor()?).await?;
    let items = lines.into_iter().map(EnvelopeShown::of).collect();
    Answer::json(&Envelopes { items })
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
    let how: Destruction = call.json()?;
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
            Operation::get("/v1/envelopes", "listEnvelopes", "Lists the PIN envelopes.")
                .read(Act::PrintEnvelope, "envelope.listed", "envelope")
                .gives::<Envelopes>(200, "The envelopes.", json!({ "items": [] }))
                .runs(list),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/printed",
                "notePrinted",
                "Notes that an envelope came out whole, where the program that printed it could not say so.",
            ))
            .act(Act::PrintEnvelope, "envelope.printed", "envelope")
            .runs(printed),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/dispatch",
                "dispatchEnvelope",
                "Notes that an envelope was sent, another way than its card.",
            ))
            .act(Act::DispatchEnvelope, "envelope.dispatched", "envelope")
            .takes::<Way>(json!({ "way": "RR123456785LV" }))
            .runs(dispatch),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/delivery",
                "deliverEnvelope",
                "Notes that the holder has the envelope.",
            ))
            .act(Act::DispatchEnvelope, "envelope.delivered", "envelope")
            .runs(deliver),
            of_one(Operation::post(
                "/v1/envelopes/{envelope}/destruction",
                "destroyEnvelope",
                "Notes that an envelope was destroyed before a witness.",
            ))
            .act(Act::DispatchEnvelope, "envelope.destroyed", "envelope")
            .witnessed()
            .takes::<Destruction>(json!({ "witness": "keeper", "cause": "printer jam" }))
            .runs(destroy),
        ],
    )
}
