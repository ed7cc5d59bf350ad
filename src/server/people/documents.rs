//! Documents: where they stand, what belongs to them, what is done with them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use central::{CertificateLine, DocumentEntry, Thing, Unsettled};
use document::Act;
use document::life_cycle::DocumentState;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::{Because, Before, Renumbered};
use crate::people::call::{Call, page_of};
use crate::people::cursor;
use crate::people::named::{
    CertificateStateName, Cursor, Day, DocumentStateName, KindName, Limit, Moment, Number, Object,
};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A document, without its holder.
#[derive(Serialize, JsonSchema)]
struct DocumentShown {
    /// Its identity, which stays when it gets another number.
    id: String,
    /// Its number now; null while it waits for a blank that has one.
    number: Option<String>,
    /// The reference of its application.
    application: String,
    /// Its kind.
    kind: KindName,
    /// Its state.
    state: DocumentStateName,
    /// Whether it is urgent.
    urgent: bool,
    /// The day it is due.
    due: Day,
    /// The day of issue; null while nothing is prepared.
    issued: Option<Day>,
    /// The day of expiry.
    expires: Option<Day>,
}

impl DocumentShown {
    fn of(entry: DocumentEntry) -> Self {
        Self {
            id: entry.id,
            number: entry.number,
            application: entry.application,
            kind: KindName(entry.kind),
            state: DocumentStateName(entry.state),
            urgent: entry.urgent,
            due: Day(entry.due),
            issued: entry.issued.map(Day),
            expires: entry.expires.map(Day),
        }
    }
}

/// A certificate.
#[derive(Serialize, JsonSchema)]
struct CertificateShown {
    /// Its serial number in hexadecimal.
    serial: String,
    /// The document number that it was issued under.
    number: String,
    /// The key's name in the chip profile.
    key: String,
    /// The certificate profile.
    profile: String,
    /// The name of the authority that issued it.
    authority: String,
    /// Its state.
    state: CertificateStateName,
    /// Where its authority has it: `on-hold`, `good` or `revoked`.
    standing: String,
    /// From when it holds.
    not_before: Moment,
    /// Until when.
    not_after: Moment,
    /// The certificate: DER in base64. It names the holder, and is null once that was erased.
    certificate: Option<String>,
}

impl CertificateShown {
    fn of(line: CertificateLine) -> Self {
        Self {
            serial: line.serial,
            number: line.number,
            key: line.key,
            profile: line.profile,
            authority: line.authority,
            state: CertificateStateName(line.state),
            standing: line.standing,
            not_before: Moment(line.not_before),
            not_after: Moment(line.not_after),
            certificate: line.der.map(|der| STANDARD.encode(der)),
        }
    }
}

/// A document's certificates.
#[derive(Serialize, JsonSchema)]
struct Certificates {
    /// Those of its spoiled blanks too.
    items: Vec<CertificateShown>,
}

/// What a station wrote down.
#[derive(Serialize, JsonSchema)]
struct JournalShown {
    /// When.
    at: Moment,
    /// The step.
    step: String,
    /// `begun`, `done` or how it failed.
    moment: String,
    /// What was noted of it.
    evidence: Object,
}

/// A document's journal.
#[derive(Serialize, JsonSchema)]
struct Journal {
    /// The lines, blank after blank.
    items: Vec<JournalShown>,
}

/// A certificate that is not settled with its authority.
#[derive(Serialize, JsonSchema)]
struct UnsettledShown {
    /// This house's name of the order.
    order: String,
    /// The document number.
    number: String,
    /// The key's name in the chip profile.
    key: String,
    /// The authority's name.
    authority: String,
    /// Its serial number, if it was issued.
    serial: Option<String>,
    /// Where the books have it.
    state: CertificateStateName,
    /// Where the authority has it.
    standing: String,
    /// How often the authority was asked in vain.
    tries: u32,
    /// When it is asked again.
    next_try: Moment,
}

impl UnsettledShown {
    fn of(one: Unsettled) -> Self {
        // What the authority said may name a holder.
        Self {
            order: one.order,
            number: one.number,
            key: one.key,
            authority: one.authority,
            serial: one.serial,
            state: CertificateStateName(one.state),
            standing: one.standing,
            tries: one.tries,
            next_try: Moment(one.next_try),
        }
    }
}

const LIST: &str = "documents-by-turn";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let state = call.field::<DocumentState>("state")?;
    let found = call
        .central
        .documents_after(call.actor()?, state, &after, limit + 1)
        .await?;
    let key = |entry: &DocumentEntry| entry.turn.clone();
    Answer::json(&page_of(LIST, found, limit, key, DocumentShown::of))
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let (entry, tag) = call
        .central
        .document(call.actor()?, call.part("number"))
        .await?;
    Ok(Answer::json(&DocumentShown::of(entry))?.tagged(&tag))
}

async fn certificates(call: Call) -> Result<Answer, Problem> {
    let lines = call
        .central
        .certificates(call.actor()?, call.part("number"))
        .await?;
    let items = lines.into_iter().map(CertificateShown::of).collect();
    Answer::json(&Certificates { items })
}

async fn journal(call: Call) -> Result<Answer, Problem> {
    let lines = call
        .central
        .journal(call.actor()?, call.part("number"))
        .await?;
    let mut items = Vec::new();
    for line in lines {
        let evidence = serde_json::to_value(&line.evidence)
            .ok()
            .and_then(|evidence| serde_json::from_value(evidence).ok())
            .ok_or_else(|| Problem::new(Fault::Damaged, "a journal line cannot be read"))?;
        items.push(JournalShown {
            at: Moment(line.at),
            step: line.step,
            moment: line.moment,
            evidence,
        });
    }
    Answer::json(&Journal { items })
}

async fn pass(call: Call) -> Result<Answer, Problem> {
    call.central
        .pass_quality(call.actor()?, call.part("number"))
        .await?;
    Ok(Answer::nothing())
}

async fn fail(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    let number = call
        .central
        .fail_quality(call.actor()?, call.part("number"), &because.cause.0)
        .await?;
    Answer::json(&Renumbered::of(number))
}

async fn hand_over(call: Call) -> Result<Answer, Problem> {
    call.central
        .hand_over(call.actor()?, call.part("number"))
        .await?;
    Ok(Answer::nothing())
}

/// How many certificates the own authority issued.
#[derive(Serialize, JsonSchema)]
struct IssuedCertificates {
    /// On hold.
    on_hold: u64,
    /// In use.
    good: u64,
    /// Revoked.
    revoked: u64,
}

const UNSETTLED: &str = "unsettled-certificates";

async fn unsettled(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(UNSETTLED)?;
    let found = call
        .central
        .unsettled_after(call.actor()?, &after, limit + 1)
        .await?;
    let page = page_of(
        UNSETTLED,
        found,
        limit,
        Unsettled::place,
        UnsettledShown::of,
    );
    Answer::json(&page)
}

async fn issued(call: Call) -> Result<Answer, Problem> {
    let issued = call.central.issued_by_authority(call.actor()?).await?;
    Answer::json(&IssuedCertificates {
        on_hold: issued.on_hold,
        good: issued.good,
        revoked: issued.revoked,
    })
}

async fn clear(call: Call) -> Result<Answer, Problem> {
    let found: Before = call.json()?;
    let (order, actor) = (call.part("order"), call.actor()?);
    call.central
        .clear_doubt(actor, order, &found.witness.0, &found.cause.0)
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let document = json!({
        "id": "0192f0c1-2b3c-7d4e-8f50-617283940a1b", "number": "XA0000001",
        "application": "APP-2026-000001", "kind": "id-card", "state": "queued", "urgent": false,
        "due": "2026-12-04", "issued": "2026-11-20", "expires": "2036-11-19",
    });
    let of_one = |operation: Operation| {
        operation.parameter::<Number>("number", "The document's number.", "XA0000001")
    };
    of(
        "documents",
        vec![
            Operation::get("/v1/documents", "listDocuments", "Lists the documents, the oldest first.")
                .read(Act::ViewDocument, "document.listed", "document")
                .field::<DocumentStateName>("state", "Only those in this state.", "queued")
                .field::<Limit>("limit", "The most items of the page.", 50)
                .field::<Cursor>("cursor", "The next of the page before.", "AWRvY3VtZW50cy1ieS10dXJuADA")
                .gives::<Page<DocumentShown>>(200, "A page.", json!({ "items": [document], "next": null }))
                .runs(list),
            of_one(Operation::get("/v1/documents/{number}", "showDocument", "Shows a document, without its holder."))
                .read(Act::ViewDocument, "document.read", "document")
                .tagged()
                .gives::<DocumentShown>(200, "The document.", document)
                .runs(show),
            of_one(Operation::get(
                "/v1/documents/{number}/certificates",
                "listCertificates",
                "Lists a document's certificates. They name the holder, so that reading them leaves an entry.",
            ))
            .personal(Act::ViewDocument, "certificate.read", "document")
            .gives::<Certificates>(200, "The certificates.", json!({ "items": [] }))
            .runs(certificates),
            of_one(Operation::get(
                "/v1/documents/{number}/journal",
                "showJournal",
                "Shows what stations wrote down of making a document.",
            ))
            .read(Act::ViewDocument, "journal.read", "document")
            .gives::<Journal>(200, "The journal.", json!({ "items": [] }))
            .runs(journal),
            of_one(Operation::post(
                "/v1/documents/{number}/quality/pass",
                "passQuality",
                "Notes that a person who did not make it judged a document and passed it.",
            ))
            .act(Act::JudgeDocument, "quality.passed", "document")
            .conditional(Thing::Document, "number")
            .runs(pass),
            of_one(Operation::post(
                "/v1/documents/{number}/quality/fail",
                "failQuality",
                "Fails a document: its blank is spoiled, and it goes back to the queue.",
            ))
            .act(Act::JudgeDocument, "quality.failed", "document")
            .conditional(Thing::Document, "number")
            .takes::<Because>(json!({ "cause": "the portrait is blurred" }))
            .gives::<Renumbered>(200, "Its new number.", json!({ "number": "XA0000002" }))
            .runs(fail),
            of_one(Operation::post(
                "/v1/documents/{number}/hand-over",
                "handOver",
                "Hands a document to its holder, who was identified: its certificates become active.",
            ))
            .act(Act::HandOverDocument, "document.handed-over", "document")
            .conditional(Thing::Document, "number")
            .runs(hand_over),
            Operation::get(
                "/v1/certificates/unsettled",
                "listUnsettledCertificates",
                "Lists the certificates that are not settled with their authorities, what is asked next first.",
            )
            .read(Act::ViewReports, "certificate.listed", "certificate")
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>("cursor", "The next of the page before.", cursor::encode(UNSETTLED, "0 0"))
            .gives::<Page<UnsettledShown>>(200, "A page.", json!({ "items": [], "next": null }))
            .runs(unsettled),
            Operation::get(
                "/v1/certificates/issued",
                "showIssuedCertificates",
                "Shows how many certificates the own authority issued, to whomever.",
            )
            .read(Act::ViewReports, "certificate.listed", "certificate")
            .gives::<IssuedCertificates>(
                200,
                "How many.",
                json!({ "on_hold": 12, "good": 4120, "revoked": 31 }),
            )
            .runs(issued),
            Operation::post(
                "/v1/certificates/orders/{order}/clearing",
                "clearOrder",
                "Says with a witness what became of an order that its authority cannot be asked about.",
            )
            .parameter::<OrderName>("order", "This house's name of the order.", "0192f0c1-2b3c-7d4e-8f50-617283940a1b")
            .act(Act::ClearCertificate, "certificate.doubt-cleared", "certificate")
            .witnessed()
            .takes::<Before>(json!({ "witness": "keeper", "cause": "revoked at their counter" }))
            .runs(clear),
        ],
    )
}

/// An order's name.
struct OrderName;

impl JsonSchema for OrderName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OrderName".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9A-Za-z-]{1,64}$" })
    }
}
