//! Leases: what stations have in work, and what one that is gone had.

use api::LeaseId;
use central::{LeaseLine, Thing};
use document::Act;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::{Before, Renumbered};
use crate::people::call::{Call, page_of};
use crate::people::named::{Cursor, LeaseStateName, Limit, Moment, PurposeName};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A lease that no report has ended.
#[derive(Serialize, JsonSchema)]
struct LeaseShown {
    /// Its identity.
    lease: String,
    /// What it is for.
    purpose: PurposeName,
    /// The document's number.
    number: String,
    /// The station that it was given to.
    station: String,
    /// The station's slot.
    slot: String,
    /// The blank that is bound to it.
    blank: Option<String>,
    /// Its state: `open` or `expired`.
    state: LeaseStateName,
    /// When its time passes, or passed.
    expires: Moment,
    /// What `If-Match` takes, in quotation marks.
    tag: String,
}

impl LeaseShown {
    fn of(line: LeaseLine) -> Self {
        Self {
            tag: line.tag(),
            lease: line.id.to_string(),
            purpose: PurposeName(line.purpose),
            number: line.number,
            station: line.station,
            slot: line.slot,
            blank: line.blank,
            state: LeaseStateName(line.state),
            expires: Moment(line.expires),
        }
    }
}

/// A lease's identity.
struct LeaseIdentity;

impl JsonSchema for LeaseIdentity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LeaseId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "uuid" })
    }
}

const LIST: &str = "leases-by-turn";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let found = call
        .central
        .leases_after(call.actor()?, &after, limit + 1)
        .await?;
    let key = |line: &LeaseLine| line.turn.clone();
    Answer::json(&page_of(LIST, found, limit, key, LeaseShown::of))
}

fn lease_of(call: &Call) -> Result<LeaseId, Problem> {
    let lease: Uuid = call
        .part("lease")
        .parse()
        .map_err(|_| Problem::new(Fault::NotFound, "there is no lease of this identity"))?;
    Ok(LeaseId(lease))
}

async fn give_up(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let lease = lease_of(&call)?;
    let (actor, witness, cause) = (call.actor()?, &before.witness.0, &before.cause.0);
    let number = call
        .central
        .give_up_lease(actor, lease, witness, cause)
        .await?;
    Answer::json(&Renumbered::of(number))
}

async fn carry(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let lease = lease_of(&call)?;
    let (actor, witness, cause) = (call.actor()?, &before.witness.0, &before.cause.0);
    call.central
        .move_lease(actor, lease, witness, cause)
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let id = "01932c07-d7fe-7d3f-a1d2-6d2f3d0c1a55";
    let lease = json!({
        "lease": id, "purpose": "personalization", "number": "XA0000001", "station": "riga-1",
        "slot": "a", "blank": "LV-0001", "state": "open", "expires": "2026-11-20T09:00:00Z",
        "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
    });
    of(
        "leases",
        vec![
            Operation::get("/v1/leases", "listLeases", "Lists the leases that no report has ended.")
                .read(Act::ViewDocument, "lease.listed", "lease")
                .field::<Limit>("limit", "The most items of the page.", 50)
                .field::<Cursor>("cursor", "The next of the page before.", "AWxlYXNlcy1ieS10dXJuADA")
                .gives::<Page<LeaseShown>>(200, "A page.", json!({ "items": [lease], "next": null }))
                .runs(list),
            Operation::post(
                "/v1/leases/{lease}/giving-up",
                "giveUpLease",
                "Ends, before a witness, the expired lease of a station that will never report: its blank is missing, and the document is made again.",
            )
            .parameter::<LeaseIdentity>("lease", "The lease's identity.", id)
            .act(Act::GiveUpLease, "lease.given-up", "lease")
            .conditional(Thing::Lease, "lease")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "the station burnt" }))
            .gives::<Renumbered>(200, "The document's new number.", json!({ "number": "XA0000002" }))
            .runs(give_up),
            Operation::post(
                "/v1/leases/{lease}/moving",
                "moveLease",
                "Takes a lease from its station, before a witness, so that another one goes on with its card.",
            )
            .parameter::<LeaseIdentity>("lease", "The lease's identity.", id)
            .act(Act::MoveLease, "lease.moved", "lease")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "its computer is broken" }))
            .runs(carry),
        ],
    )
}
