//! What waits for a second person: asked for by one, confirmed by another in a session of their own,
//! and then done by the first.

use central::Awaited;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{Moment, Object};
use crate::people::operation::{Operation, Trace, of};
use crate::problem::{Fault, Problem};

/// A request that waits for its second person, or for its first once it is confirmed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Confirmation {
    /// Its identity.
    id: String,
    /// Who asked.
    account: String,
    /// Who confirms.
    witness: String,
    /// The operation, as this document names it.
    operation: String,
    /// The address that it was sent to.
    address: String,
    /// When it was asked for.
    asked: Moment,
    /// Until when it may be confirmed, and done.
    expires: Moment,
    /// When it was confirmed.
    confirmed: Option<Moment>,
}

impl Confirmation {
    fn of(awaited: Awaited) -> Self {
        Self {
            id: awaited.id,
            account: awaited.person,
            witness: awaited.witness,
            operation: awaited.operation,
            address: awaited.address,
            asked: Moment(awaited.asked),
            expires: Moment(awaited.expires),
            confirmed: awaited.confirmed.map(Moment),
        }
    }
}

/// What waits.
#[derive(Serialize, JsonSchema)]
struct Confirmations {
    /// What this person is to confirm, and what they asked for; the oldest first.
    items: Vec<Confirmation>,
}

/// A request with what was sent.
#[derive(Serialize, JsonSchema)]
struct ConfirmationWhole {
    #[serde(flatten)]
    confirmation: Confirmation,
    /// What was sent.
    request: Object,
}

/// A request's identity.
struct ConfirmationId;

impl JsonSchema for ConfirmationId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfirmationId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// Answers that a request waits.
pub(crate) fn awaited(awaited: Awaited) -> Result<Answer, Problem> {
    let at = format!("/v1/confirmations/{}", awaited.id);
    Answer::awaited(at, &Confirmation::of(awaited))
}

/// Returns one that waits.
pub(crate) fn example() -> Value {
    json!({
        "id": "0192f0c1-2b3c-7d4e-8f50-617283940a1b", "account": "keeper", "witness": "quality",
        "operation": "destroyDocument", "address": "/v1/documents/XA0000001/destruction",
        "asked": "2026-11-20T08:00:00Z", "expires": "2026-11-20T09:00:00Z", "confirmed": null,
    })
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let found = call.central.awaited(call.session()?).await?;
    let items = found.into_iter().map(Confirmation::of).collect();
    Answer::json(&Confirmations { items })
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let id = call.part("confirmation");
    let found = call.central.awaited_one(call.session()?, id).await?;
    let damaged = |_| Problem::new(Fault::Damaged, "what was asked for cannot be read");
    Answer::json(&ConfirmationWhole {
        request: serde_json::from_slice(&found.body).map_err(damaged)?,
        confirmation: Confirmation::of(found),
    })
}

async fn confirm(call: Call) -> Result<Answer, Problem> {
    let id = call.part("confirmation");
    call.central.confirm_as_second(call.session()?, id).await?;
    Ok(Answer::nothing())
}

async fn withdraw(call: Call) -> Result<Answer, Problem> {
    let id = call.part("confirmation");
    call.central.withdraw_asked(call.session()?, id).await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let of_one = |operation: Operation| {
        operation.parameter::<ConfirmationId>(
            "confirmation",
            "The request's identity.",
            "0192f0c1-2b3c-7d4e-8f50-617283940a1b",
        )
    };
    let mut whole = example();
    if let Some(members) = whole.as_object_mut() {
        members.insert("request".into(), json!({ "witness": "quality" }));
    }
    of(
        "confirmations",
        vec![
            Operation::get(
                "/v1/confirmations",
                "listConfirmations",
                "Lists what one is to confirm as the second person, and what one waits for.",
            )
            .for_session(Trace::Nothing)
            .gives::<Confirmations>(200, "What waits.", json!({ "items": [example()] }))
            .runs(list),
            of_one(Operation::get(
                "/v1/confirmations/{confirmation}",
                "showConfirmation",
                "Shows what was asked for, to who asked and to who is to confirm it.",
            ))
            .for_session(Trace::Nothing)
            .gives::<ConfirmationWhole>(200, "The request.", whole)
            .runs(show),
            of_one(Operation::post(
                "/v1/confirmations/{confirmation}/confirmation",
                "confirmRequest",
                "Confirms as the second person what another asked for, who then sends it again.",
            ))
            .for_session(Trace::Act("confirmation.given"))
            .conflicting()
            .runs(confirm),
            of_one(Operation::delete(
                "/v1/confirmations/{confirmation}",
                "withdrawConfirmation",
                "Withdraws what was asked for, or does not confirm it.",
            ))
            .for_session(Trace::Act("confirmation.withdrawn"))
            .runs(withdraw),
        ],
    )
}
