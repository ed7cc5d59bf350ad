//! Incidents: what is not as the books say, until another person agrees why.

use central::{IncidentLine, Thing};
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::call::{Call, page_of};
use crate::people::named::{CauseText, Cursor, IncidentKindName, IncidentStateName, Limit, Moment};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// An incident.
#[derive(Serialize, JsonSchema)]
struct IncidentShown {
    /// Its number.
    incident: i64,
    /// Its kind.
    kind: IncidentKindName,
    /// What it is about, as the log names it.
    subject: String,
    /// What was found.
    text: String,
    /// Its state.
    state: IncidentStateName,
    /// Who found it; null where the store itself did.
    opened_by: Option<String>,
    /// When it was found.
    opened: Moment,
    /// Why it was so.
    explanation: Option<String>,
    /// Who explained it.
    explained_by: Option<String>,
    /// Who agreed.
    closed_by: Option<String>,
    /// When it was closed.
    closed: Option<Moment>,
    /// What `If-Match` takes, in quotation marks.
    tag: String,
}

impl IncidentShown {
    fn of(line: IncidentLine) -> Self {
        Self {
            tag: line.tag(),
            incident: line.number,
            kind: IncidentKindName(line.kind),
            subject: line.subject,
            text: line.text,
            state: IncidentStateName(line.state),
            opened_by: line.opened_by,
            opened: Moment(line.opened),
            explanation: line.explanation,
            explained_by: line.explained_by,
            closed_by: line.closed_by,
            closed: line.closed.map(Moment),
        }
    }
}

/// An incident to open.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewIncident {
    /// Its kind.
    kind: IncidentKindName,
    /// What it is about, as the log names it: a kind, a slash and a reference.
    #[schemars(length(min = 1, max = 128))]
    subject: String,
    /// What was found; without a holder's data.
    text: CauseText,
}

/// An explanation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Explanation {
    /// Why it was so; without a holder's data.
    text: CauseText,
}

/// An incident that is open.
#[derive(Serialize, JsonSchema)]
struct OpenedIncident {
    /// Its number.
    incident: i64,
}

/// An incident's number.
struct IncidentNumber;

impl JsonSchema for IncidentNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IncidentNumber".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_i64 })
    }
}

const LIST: &str = "incidents";

fn number_of(call: &Call) -> Result<i64, Problem> {
    let none = |_| Problem::new(Fault::NotFound, "there is no incident of this number");
    call.part("incident").parse().map_err(none)
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let after: i64 = match after.as_str() {
        "" => 0,
        number => number
            .parse()
            .map_err(|_| Problem::new(Fault::Invalid, "the cursor is not one of this list"))?,
    };
    let all = call.field::<bool>("all")?.unwrap_or(false);
    let found = call
        .central
        .incidents_after(call.actor()?, all, after, limit + 1)
        .await?;
    let key = |line: &IncidentLine| line.number.to_string();
    Answer::json(&page_of(LIST, found, limit, key, IncidentShown::of))
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let line = call
        .central
        .incident(call.actor()?, number_of(&call)?)
        .await?;
    let shown = IncidentShown::of(line);
    Ok(Answer::json(&shown)?.tagged(&shown.tag))
}

async fn open(call: Call) -> Result<Answer, Problem> {
    let new: NewIncident = call.json()?;
    let incident = call
        .central
        .report_incident(call.actor()?, new.kind.0, &new.subject, &new.text.0)
        .await?;
    let at = format!("/v1/incidents/{incident}");
    Answer::created(at, &OpenedIncident { incident })
}

async fn explain(call: Call) -> Result<Answer, Problem> {
    let why: Explanation = call.json()?;
    call.central
        .explain_incident(call.actor()?, number_of(&call)?, &why.text.0)
        .await?;
    Ok(Answer::nothing())
}

async fn close(call: Call) -> Result<Answer, Problem> {
    call.central
        .close_incident(call.actor()?, number_of(&call)?)
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let incident = json!({
        "incident": 3, "kind": "count-differs", "subject": "place/RIGA-1",
        "text": "booklet in-stock: 119 counted, 120 in the books", "state": "open",
        "opened_by": "keeper", "opened": "2026-11-20T16:00:00Z", "explanation": null,
        "explained_by": null, "closed_by": null, "closed": null,
        "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
    });
    let of_one = |operation: Operation| {
        operation.parameter::<IncidentNumber>("incident", "The incident's number.", 3)
    };
    of(
        "incidents",
        vec![
            Operation::get(
                "/v1/incidents",
                "listIncidents",
                "Lists the incidents that are not closed, by number.",
            )
            .read(Act::ViewReports, "incident.listed", "incident")
            .field::<bool>("all", "The closed ones too.", false)
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>("cursor", "The next of the page before.", "AWluY2lkZW50cwAz")
            .gives::<Page<IncidentShown>>(
                200,
                "A page.",
                json!({ "items": [incident], "next": null }),
            )
            .runs(list),
            Operation::post(
                "/v1/incidents",
                "openIncident",
                "Opens an incident that no other operation opens.",
            )
            .act(Act::ReportIncident, "incident.opened", "incident")
            .once()
            .takes::<NewIncident>(json!({
                "kind": "other", "subject": "blank/LV-0001", "text": "found in the corridor",
            }))
            .gives::<OpenedIncident>(201, "It is open.", json!({ "incident": 3 }))
            .runs(open),
            of_one(Operation::get(
                "/v1/incidents/{incident}",
                "showIncident",
                "Shows an incident.",
            ))
            .read(Act::ViewReports, "incident.read", "incident")
            .gives::<IncidentShown>(200, "The incident.", incident)
            .tagged()
            .runs(show),
            of_one(Operation::post(
                "/v1/incidents/{incident}/explanation",
                "explainIncident",
                "Says why an incident is.",
            ))
            .act(Act::ReportIncident, "incident.explained", "incident")
            .conditional(Thing::Incident, "incident")
            .takes::<Explanation>(json!({ "text": "counted twice" }))
            .runs(explain),
            of_one(Operation::post(
                "/v1/incidents/{incident}/close",
                "closeIncident",
                "Closes an incident: another person agrees with the explanation.",
            ))
            .act(Act::CloseIncident, "incident.closed", "incident")
            .conditional(Thing::Incident, "incident")
            .runs(close),
        ],
    )
}
