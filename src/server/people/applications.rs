//! Applications: entered, read, decided.

use central::{ApplicationLine, DeskEnd, FoundApplication, PersonQuery, Thing};
use document::Act;
use document::life_cycle::ApplicationState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::Because;
use crate::people::call::{Call, page_of};
use crate::people::named::{
    ApplicationReference, ApplicationStateName, BlankSerial, CauseText, Cursor, DocumentStateName,
    KindName, Limit, Moment, Object,
};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// An application, without its holder.
#[derive(Serialize, JsonSchema)]
struct ApplicationShown {
    /// Its reference.
    reference: String,
    /// Its kind.
    kind: KindName,
    /// `normal` or `urgent`.
    priority: String,
    /// Its state.
    state: ApplicationStateName,
    /// When it was entered.
    entered: Moment,
    /// When it was decided.
    decided: Option<Moment>,
    /// Why it was refused.
    cause: Option<String>,
    /// The number of its document, where it has one now.
    document: Option<String>,
}

impl ApplicationShown {
    fn of(line: ApplicationLine) -> Self {
        Self {
            reference: line.reference,
            kind: KindName(line.kind),
            priority: line.priority,
            state: ApplicationStateName(line.state),
            entered: Moment(line.entered),
            decided: line.decided.map(Moment),
            cause: line.cause,
            document: line.document,
        }
    }
}

/// An application with its holder.
#[derive(Serialize, JsonSchema)]
struct ApplicationWhole {
    #[serde(flatten)]
    line: ApplicationShown,
    /// The application as it came in (format 1).
    content: Object,
}

/// What was taken in.
#[derive(Serialize, JsonSchema)]
struct TakenIn {
    /// The application's reference.
    reference: String,
}

/// What an approval gave.
#[derive(Serialize, JsonSchema)]
struct Approved {
    /// The number of the document; null where it comes with the blank.
    document: Option<String>,
}

/// A blank that was used at a desk.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Production {
    /// What is printed on the blank.
    blank: BlankSerial,
    /// Why it is spoiled; without this the document was made of it.
    #[serde(default)]
    spoiled: Option<CauseText>,
}

/// The number on a blank.
#[derive(Serialize, JsonSchema)]
struct Produced {
    /// The document's number, as it stands on the blank.
    number: String,
}

/// Whom to look for: by code, name or surname; a date of birth narrows it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The personal code, with its hyphen or without.
    #[serde(default)]
    #[schemars(length(max = 256))]
    code: Option<String>,
    /// All names, in any order.
    #[serde(default)]
    #[schemars(length(max = 256))]
    name: Option<String>,
    /// The surname alone.
    #[serde(default)]
    #[schemars(length(max = 256))]
    surname: Option<String>,
    /// The date of birth, ISO 8601.
    #[serde(default)]
    #[schemars(length(max = 10))]
    birth_date: Option<String>,
}

/// An application of somebody who was looked for.
#[derive(Serialize, JsonSchema)]
struct FoundShown {
    /// Its reference.
    reference: String,
    /// The kind of document.
    kind: KindName,
    /// Its state.
    state: ApplicationStateName,
    /// The number of its document.
    document: Option<String>,
    /// The state of its document.
    document_state: Option<DocumentStateName>,
}

impl FoundShown {
    fn of(found: FoundApplication) -> Self {
        Self {
            reference: found.application,
            kind: KindName(found.kind),
            state: ApplicationStateName(found.state),
            document: found.number,
            document_state: found.document.map(DocumentStateName),
        }
    }
}

/// What was found.
#[derive(Serialize, JsonSchema)]
struct FoundApplications {
    /// At most a hundred: more are refused.
    items: Vec<FoundShown>,
}

const LIST: &str = "applications";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let state = call.field::<ApplicationState>("state")?;
    let found = call
        .central
        .applications_after(call.actor()?, state, &after, limit + 1)
        .await?;
    let key = |line: &ApplicationLine| line.reference.clone();
    Answer::json(&page_of(LIST, found, limit, key, ApplicationShown::of))
}

async fn search(call: Call) -> Result<Answer, Problem> {
    let wanted: Wanted = call.json()?;
    let day = wanted.birth_date.map(|day| day.parse()).transpose();
    let birth_date = day.map_err(|_| Problem::new(Fault::Invalid, "birth_date is no day"))?;
    let query = PersonQuery {
        code: wanted.code,
        name: wanted.name,
        surname: wanted.surname,
        birth_date,
    };
    let found = call.central.search(call.actor()?, &query).await?;
    let items = found.into_iter().map(FoundShown::of).collect();
    Answer::json(&FoundApplications { items })
}

async fn import(call: Call) -> Result<Answer, Problem> {
    let reference = call.central.import(call.actor()?, &call.body).await?;
    let at = format!("/v1/applications/{reference}");
    let reference = reference.to_string();
    Answer::created(at, &TakenIn { reference })
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let found = call
        .central
        .application(call.actor()?, call.part("reference"))
        .await?;
    let damaged = |_| Problem::new(Fault::Damaged, "the stored application cannot be read");
    let shown = ApplicationWhole {
        line: ApplicationShown::of(found.line),
        content: serde_json::from_slice(&found.content).map_err(damaged)?,
    };
    Ok(Answer::json(&shown)?.tagged(&found.tag))
}

async fn approve(call: Call) -> Result<Answer, Problem> {
    let number = call
        .central
        .approve(call.actor()?, call.part("reference"))
        .await?;
    let document = number.map(|number| number.to_string());
    Answer::json(&Approved { document })
}

async fn refuse(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    call.central
        .reject(call.actor()?, call.part("reference"), &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn withdraw(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    let (actor, reference) = (call.actor()?, call.part("reference"));
    call.central
        .withdraw_application(actor, reference, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn cancel(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    let (actor, reference) = (call.actor()?, call.part("reference"));
    call.central
        .cancel_document(actor, reference, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn produce(call: Call) -> Result<Answer, Problem> {
    let done: Production = call.json()?;
    let end = match done.spoiled {
        None => DeskEnd::Made,
        Some(cause) => DeskEnd::Spoiled { cause: cause.0 },
    };
    let number = call
        .central
        .produce(call.actor()?, call.part("reference"), &done.blank.0, &end)
        .await?;
    let number = number.to_string();
    Answer::json(&Produced { number })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let line = json!({
        "reference": "APP-2026-000001", "kind": "id-card", "priority": "normal",
        "state": "received", "entered": "2026-11-20T08:00:00Z", "decided": null,
        "cause": null, "document": null,
    });
    let mut whole = line.clone();
    if let Some(members) = whole.as_object_mut() {
        members.insert(
            "content".into(),
            json!({ "format": 1, "reference": "APP-2026-000001" }),
        );
    }
    let of_one = |operation: Operation| {
        operation.parameter::<ApplicationReference>(
            "reference",
            "The application's reference.",
            "APP-2026-000001",
        )
    };
    of(
        "applications",
        vec![
            Operation::get(
                "/v1/applications",
                "listApplications",
                "Lists the applications by reference, without their holders.",
            )
            .read(Act::ViewApplication, "application.listed", "application")
            .field::<ApplicationStateName>("state", "Only those in this state.", "received")
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>("cursor", "The next of the page before.", "AWFwcGxpY2F0aW9ucwBB")
            .gives::<Page<ApplicationShown>>(200, "A page.", json!({ "items": [line], "next": null }))
            .runs(list),
            Operation::post(
                "/v1/applications",
                "importApplication",
                "Takes an application in (format 1), whole or not at all.",
            )
            .act(Act::EnterApplication, "application.imported", "application")
            .once()
            .judged()
            .takes::<Object>(json!({ "format": 1, "reference": "APP-2026-000001", "kind": "id-card" }))
            .gives::<TakenIn>(201, "It is taken in.", json!({ "reference": "APP-2026-000001" }))
            .runs(import),
            Operation::post(
                "/v1/applications/search",
                "searchApplications",
                "Finds the applications of a person, which leaves an entry. What is looked for stands in no address.",
            )
            .act(Act::ViewApplication, "application.searched", "application")
            .takes::<Wanted>(json!({ "surname": "Paraugs", "birth_date": "1990-01-31" }))
            .gives::<FoundApplications>(200, "What was found.", json!({ "items": [] }))
            .runs(search),
            of_one(Operation::get(
                "/v1/applications/{reference}",
                "showApplication",
                "Shows an application with its holder, which leaves an entry.",
            ))
            .personal(Act::ViewApplication, "application.read", "application")
            .tagged()
            .gives::<ApplicationWhole>(200, "The application.", whole)
            .runs(show),
            of_one(Operation::post(
                "/v1/applications/{reference}/approval",
                "approveApplication",
                "Approves an application that another person entered; its document is prepared.",
            ))
            .act(Act::ApproveApplication, "application.approved", "application")
            .conditional(Thing::Application, "reference")
            .judged()
            .gives::<Approved>(200, "Its document.", json!({ "document": "XA0000001" }))
            .runs(approve),
            of_one(Operation::post(
                "/v1/applications/{reference}/refusal",
                "refuseApplication",
                "Refuses an application that another person entered.",
            ))
            .act(Act::RefuseApplication, "application.rejected", "application")
            .conditional(Thing::Application, "reference")
            .takes::<Because>(json!({ "cause": "the portrait shows another person" }))
            .runs(refuse),
            of_one(Operation::post(
                "/v1/applications/{reference}/withdrawal",
                "withdrawApplication",
                "Withdraws an application of which no document was prepared yet; a register that sent it is told.",
            ))
            .act(Act::WithdrawApplication, "application.withdrawn", "application")
            .conditional(Thing::Application, "reference")
            .takes::<Because>(json!({ "cause": "ordered twice" }))
            .runs(withdraw),
            of_one(Operation::post(
                "/v1/applications/{reference}/cancellation",
                "cancelDocument",
                "Cancels the document of an application that nobody holds, and withdraws the application.",
            ))
            .act(Act::CancelDocument, "document.cancelled", "application")
            .conditional(Thing::Application, "reference")
            .takes::<Because>(json!({ "cause": "moved away" }))
            .runs(cancel),
            of_one(Operation::post(
                "/v1/applications/{reference}/production",
                "produceDocument",
                "Books that a document without a chip was made of a blank at a desk, or that the blank was spoiled.",
            ))
            .act(Act::PersonalizeDocument, "document.produced", "application")
            .judged()
            .takes::<Production>(json!({ "blank": "B-00077" }))
            .gives::<Produced>(200, "The number on the blank.", json!({ "number": "XB0000077" }))
            .runs(produce),
        ],
    )
}
