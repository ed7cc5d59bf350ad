//! A document from the hand-over to its end, and what goes wrong before it.

use central::{Followed, History, HistoryLine, Moved, Thing};
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::bodies::{Because, Before, Renumbered, Witness};
use crate::people::call::Call;
use crate::people::named::{
    CauseText, CertificateStateName, DocumentEventName, DocumentStateName, Moment, Number,
    RevocationCauseName,
};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// Where a certificate of a document is now.
#[derive(Serialize, JsonSchema)]
struct FollowedShown {
    /// Its serial number in hexadecimal.
    serial: String,
    /// The key's name in the chip profile.
    key: String,
    /// The authority's name.
    authority: String,
    /// Where the books have it.
    state: CertificateStateName,
    /// Where its authority has it: `on-hold`, `good` or `revoked`.
    standing: String,
    /// Whether both agree; where not, the server goes on trying.
    settled: bool,
    /// It must be changed at the authority itself: its connector cannot.
    by_hand: bool,
}

impl FollowedShown {
    fn of(one: Followed) -> Self {
        Self {
            serial: one.serial,
            key: one.key,
            authority: one.authority,
            state: CertificateStateName(one.state),
            standing: one.standing,
            settled: one.is_settled,
            by_hand: one.by_hand,
        }
    }
}

/// Where a document and its certificates are now.
#[derive(Serialize, JsonSchema)]
struct MovedShown {
    /// The document's number.
    number: String,
    /// Its state.
    state: DocumentStateName,
    /// Its certificates.
    certificates: Vec<FollowedShown>,
}

impl MovedShown {
    fn of(moved: Moved) -> Self {
        Self {
            number: moved.number,
            state: DocumentStateName(moved.state),
            certificates: moved
                .certificates
                .into_iter()
                .map(FollowedShown::of)
                .collect(),
        }
    }
}

/// Something that happened to a document.
#[derive(Serialize, JsonSchema)]
struct Happened {
    /// When.
    at: Moment,
    /// What.
    event: DocumentEventName,
    /// The state after it.
    state: DocumentStateName,
    /// Why, where a cause was given.
    cause: Option<String>,
}

impl Happened {
    fn of(line: HistoryLine) -> Self {
        Self {
            at: Moment(line.at),
            event: DocumentEventName(line.event),
            state: DocumentStateName(line.state),
            cause: line.cause,
        }
    }
}

/// A document with what became of it.
#[derive(Serialize, JsonSchema)]
struct HistoryShown {
    /// The reference of its application.
    application: String,
    /// Where it and its certificates are.
    now: MovedShown,
    /// The parcel that it is in, or was missed in.
    parcel: Option<String>,
    /// What happened to it, the first first.
    history: Vec<Happened>,
}

impl HistoryShown {
    fn of(history: History) -> Self {
        Self {
            application: history.application,
            now: MovedShown::of(history.now),
            parcel: history.parcel,
            history: history.lines.into_iter().map(Happened::of).collect(),
        }
    }
}

/// Why a document ends.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revocation {
    /// Why, for its certificates.
    why: RevocationCauseName,
    /// Why; without a holder's data.
    cause: CauseText,
}

/// What is wrong with a document that passes all the same.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Concession {
    /// What is wrong with it.
    defect: CauseText,
    /// What was done about it.
    action: CauseText,
}

async fn history(call: Call) -> Result<Answer, Problem> {
    let found = call
        .central
        .history(call.actor()?, call.part("number"))
        .await?;
    Answer::json(&HistoryShown::of(found))
}

async fn hold(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    call.central
        .hold_quality(call.actor()?, call.part("number"), &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn concede(call: Call) -> Result<Answer, Problem> {
    let how: Concession = call.json()?;
    let (actor, number) = (call.actor()?, call.part("number"));
    call.central
        .concede(actor, number, &how.defect.0, &how.action.0)
        .await?;
    Ok(Answer::nothing())
}

/// What takes a cause, and moves a document with its certificates.
macro_rules! moves {
    ($($name:ident),+) => {$(
        async fn $name(call: Call) -> Result<Answer, Problem> {
            let because: Because = call.json()?;
            let (actor, number) = (call.actor()?, call.part("number"));
            let moved = call.central.$name(actor, number, &because.cause.0).await?;
            Answer::json(&MovedShown::of(moved))
        }
    )+};
}
moves!(suspend, resume, report_lost, report_stolen, take_back);

async fn revoke(call: Call) -> Result<Answer, Problem> {
    let how: Revocation = call.json()?;
    let (actor, number) = (call.actor()?, call.part("number"));
    let moved = call
        .central
        .revoke_document(actor, number, how.why.0, &how.cause.0)
        .await?;
    Answer::json(&MovedShown::of(moved))
}

async fn destroy(call: Call) -> Result<Answer, Problem> {
    let before: Witness = call.json()?;
    let (actor, number) = (call.actor()?, call.part("number"));
    call.central
        .destroy_document(actor, number, &before.witness.0)
        .await?;
    Ok(Answer::nothing())
}

async fn damaged(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    let (actor, number) = (call.actor()?, call.part("number"));
    let number = call
        .central
        .document_damaged(actor, number, &because.cause.0)
        .await?;
    Answer::json(&Renumbered::of(number))
}

async fn missing(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (actor, number) = (call.actor()?, call.part("number"));
    let number = call
        .central
        .document_missing(actor, number, &before.witness.0, &before.cause.0)
        .await?;
    Answer::json(&Renumbered::of(number))
}

async fn arrive(call: Call) -> Result<Answer, Problem> {
    call.central
        .arrive_late(call.actor()?, call.part("number"))
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let of_one = |operation: Operation| {
        operation.parameter::<Number>("number", "The document's number.", "XA0000001")
    };
    let because = || json!({ "cause": "the holder telephoned" });
    let moved = |state: &str| {
        json!({ "number": "XA0000001", "state": state, "certificates": [{
            "serial": "1f", "key": "authentication", "authority": "embedded", "state": "on-hold",
            "standing": "on-hold", "settled": true, "by_hand": false,
        }] })
    };
    let moves = |operation: Operation, right: Act, action: &'static str, state: &str| {
        of_one(operation)
            .act(right, action, "document")
            .conditional(Thing::Document, "number")
            .takes::<Because>(because())
            .gives::<MovedShown>(200, "Where it is now.", moved(state))
    };
    of(
        "documents",
        vec![
            of_one(Operation::get(
                "/v1/documents/{number}/history",
                "showHistory",
                "Shows where a document is, its certificates and what happened to it, without its holder.",
            ))
            .read(Act::ViewDocument, "document.read", "document")
            .gives::<HistoryShown>(
                200,
                "The document.",
                json!({
                    "application": "APP-2026-000001", "now": moved("suspended"), "parcel": null,
                    "history": [{
                        "at": "2026-11-20T08:00:00Z", "event": "suspend", "state": "suspended",
                        "cause": "the holder telephoned",
                    }],
                }),
            )
            .runs(history),
            of_one(Operation::post(
                "/v1/documents/{number}/quality/hold",
                "holdQuality",
                "Fails a document and holds it, until it is failed for good, conceded or cancelled.",
            ))
            .act(Act::JudgeDocument, "quality.failed", "document")
            .conditional(Thing::Document, "number")
            .takes::<Because>(json!({ "cause": "a pale corner" }))
            .runs(hold),
            of_one(Operation::post(
                "/v1/documents/{number}/quality/concession",
                "concedeDocument",
                "Lets a held document pass, with what is wrong with it and what was done.",
            ))
            .act(Act::ConcedeDocument, "quality.conceded", "document")
            .conditional(Thing::Document, "number")
            .takes::<Concession>(json!({ "defect": "a pale corner", "action": "shown to the holder" }))
            .runs(concede),
            of_one(Operation::post(
                "/v1/documents/{number}/arrival",
                "arriveLate",
                "Notes that a document was found after its parcel was counted in without it.",
            ))
            .act(Act::ReceiveParcel, "document.arrived", "document")
            .conditional(Thing::Document, "number")
            .runs(arrive),
            moves(
                Operation::post(
                    "/v1/documents/{number}/suspension",
                    "suspendDocument",
                    "Takes a document out of use for a time: its certificates go on hold.",
                ),
                Act::SuspendDocument,
                "document.suspended",
                "suspended",
            )
            .runs(suspend),
            moves(
                Operation::post(
                    "/v1/documents/{number}/resumption",
                    "resumeDocument",
                    "Brings a document into use again that another person suspended.",
                ),
                Act::ResumeDocument,
                "document.resumed",
                "handed-over",
            )
            .runs(resume),
            moves(
                Operation::post(
                    "/v1/documents/{number}/loss",
                    "reportLost",
                    "Notes that a document is lost, as reported in writing: it is never in use again.",
                ),
                Act::ReportDocumentLost,
                "document.lost",
                "lost",
            )
            .runs(report_lost),
            moves(
                Operation::post(
                    "/v1/documents/{number}/theft",
                    "reportStolen",
                    "Notes that a document was stolen: it is never in use again.",
                ),
                Act::ReportDocumentLost,
                "document.stolen",
                "stolen",
            )
            .runs(report_stolen),
            moves(
                Operation::post(
                    "/v1/documents/{number}/return",
                    "takeBack",
                    "Takes a document back that is in hand: from its holder, a finder, or uncollected.",
                ),
                Act::TakeBackDocument,
                "document.returned",
                "returned",
            )
            .runs(take_back),
            of_one(Operation::post(
                "/v1/documents/{number}/revocation",
                "revokeDocument",
                "Ends a document that was handed over, and revokes its certificates for that reason.",
            ))
            .act(Act::RevokeDocument, "document.revoked", "document")
            .conditional(Thing::Document, "number")
            .takes::<Revocation>(json!({ "why": "data-changed", "cause": "marriage" }))
            .gives::<MovedShown>(200, "Where it is now.", moved("revoked"))
            .runs(revoke),
            of_one(Operation::post(
                "/v1/documents/{number}/destruction",
                "destroyDocument",
                "Destroys a document that came back, before a witness.",
            ))
            .act(Act::DestroyDocument, "document.destroyed", "document")
            .conditional(Thing::Document, "number")
            .witnessed()
            .takes::<Witness>(json!({ "witness": "auditor" }))
            .runs(destroy),
            of_one(Operation::post(
                "/v1/documents/{number}/damage",
                "documentDamaged",
                "Notes that a document was damaged in its parcel or at its office: it is made again.",
            ))
            .act(Act::ReportMishap, "document.damaged", "document")
            .conditional(Thing::Document, "number")
            .takes::<Because>(json!({ "cause": "bent" }))
            .gives::<Renumbered>(200, "Its new number.", json!({ "number": "XA0000002" }))
            .runs(damaged),
            of_one(Operation::post(
                "/v1/documents/{number}/absence",
                "documentMissing",
                "Notes, before a witness, that a document that nobody holds is missing: it is made again.",
            ))
            .act(Act::ReportMishap, "document.missing", "document")
            .conditional(Thing::Document, "number")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "not in its drawer" }))
            .gives::<Renumbered>(200, "Its new number.", json!({ "number": "XA0000002" }))
            .runs(missing),
        ],
    )
}
