//! What follows a restoration of the store: which stations are awaited, and when work is given again.
//! The restoration itself is done on the machine, before a store is opened: `zimogs central restore`.

use std::collections::BTreeSet;

use central::{QuarantinedReport, Reconciliation, ReconcilingStation};
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{AccountName, CauseText, Moment, StationName};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// How many numbers of each series are passed over where the request says nothing: several days of a
/// busy office.
const PASS_OVER: u32 = 10_000;

/// A station in a reconciliation.
#[derive(Serialize, JsonSchema)]
struct StationBack {
    /// Its name.
    station: String,
    /// When the store had all of its reports again; null: it is awaited.
    reconciled: Option<Moment>,
}

impl StationBack {
    fn of(one: ReconcilingStation) -> Self {
        Self {
            station: one.station,
            reconciled: one.reconciled.map(Moment),
        }
    }
}

/// A report under a lease that the store does not know.
#[derive(Serialize, JsonSchema)]
struct ReportApart {
    /// The station.
    station: String,
    /// Its running number.
    sequence: u64,
    /// The lease.
    lease: String,
    /// The number that the document had.
    number: Option<String>,
    /// `personalized`, `spoiled` or `untouched`.
    end: String,
    /// The blanks that its chips are of, in the books.
    blanks: Vec<String>,
    /// When it came.
    received: Moment,
}

impl ReportApart {
    fn of(one: QuarantinedReport) -> Self {
        Self {
            station: one.station,
            sequence: one.sequence,
            lease: one.lease,
            number: one.number,
            end: one.end,
            blanks: one.blanks,
            received: Moment(one.received),
        }
    }
}

/// How far a reconciliation is.
#[derive(Serialize, JsonSchema)]
struct Reconciled {
    /// Which life of the store it is.
    epoch: String,
    /// When the store was restored.
    restored: Moment,
    /// When the backup was made, where that is known.
    copied: Option<Moment>,
    /// When people ended it; null: no work is given yet.
    finished: Option<Moment>,
    /// Every station that the store knows.
    stations: Vec<StationBack>,
    /// What came under leases that the store does not know.
    quarantined: Vec<ReportApart>,
}

impl Reconciled {
    fn of(found: Reconciliation) -> Self {
        Self {
            epoch: found.epoch.to_string(),
            restored: Moment(found.restored),
            copied: found.copied.map(Moment),
            finished: found.finished.map(Moment),
            stations: found.stations.into_iter().map(StationBack::of).collect(),
            quarantined: found.quarantined.into_iter().map(ReportApart::of).collect(),
        }
    }
}

/// The last reconciliation.
#[derive(Serialize, JsonSchema)]
struct LastReconciliation {
    /// How far it is; null where the store was never restored.
    reconciliation: Option<Reconciled>,
}

/// A restoration that the store does not know of.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// The account of the witness, who confirms it in a session of their own.
    witness: AccountName,
    /// As of when the database is, where that is known.
    #[serde(default)]
    copied: Option<Moment>,
    /// How many numbers of each series are passed over: more than may have been given since.
    #[serde(default = "pass_over")]
    #[schemars(range(max = 9_999_999))]
    pass_over: u32,
}

const fn pass_over() -> u32 {
    PASS_OVER
}

/// The new life of the store.
#[derive(Serialize, JsonSchema)]
struct Begun {
    /// Its name.
    epoch: String,
}

/// A reconciliation to end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct End {
    /// The account of the witness, who confirms it in a session of their own.
    witness: AccountName,
    /// Stations that will never report. Every document in the queue then gets another number: they may
    /// have made it.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    without: Vec<StationName>,
    /// Why those stations will never report; without a holder's data. It is wanted where there are some.
    #[serde(default)]
    cause: Option<CauseText>,
}

/// What the end of a reconciliation did.
#[derive(Serialize, JsonSchema)]
struct Ended {
    /// How many documents got another number.
    renumbered: usize,
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let found = call.central.reconciliation(call.actor()?).await?;
    let reconciliation = found.map(Reconciled::of);
    Answer::json(&LastReconciliation { reconciliation })
}

async fn begin(call: Call) -> Result<Answer, Problem> {
    let new: Begin = call.json()?;
    let (actor, copied) = (call.actor()?, new.copied.map(|copied| copied.0));
    let epoch = call
        .central
        .begin_reconciliation(actor, &new.witness.0, copied, new.pass_over)
        .await?;
    let epoch = epoch.to_string();
    Answer::created("/v1/reconciliation".to_owned(), &Begun { epoch })
}

async fn end(call: Call) -> Result<Answer, Problem> {
    let how: End = call.json()?;
    let without: BTreeSet<String> = how.without.into_iter().map(|name| name.0).collect();
    let cause = how.cause.map(|cause| cause.0).unwrap_or_default();
    let renumbered = call
        .central
        .end_reconciliation(call.actor()?, &how.witness.0, &without, &cause)
        .await?;
    Answer::json(&Ended { renumbered })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let epoch = "0192f0c1-2b3c-7d4e-8f50-617283940a1b";
    of(
        "reconciliation",
        vec![
            Operation::get(
                "/v1/reconciliation",
                "showReconciliation",
                "Shows what follows the store's last restoration: which stations are awaited, and what they reported that the store does not know.",
            )
            .read(Act::ViewReports, "reconciliation.read", "store")
            .gives::<LastReconciliation>(
                200,
                "How far it is.",
                json!({ "reconciliation": {
                    "epoch": epoch, "restored": "2026-12-01T08:00:00Z",
                    "copied": "2026-12-01T03:00:00Z", "finished": null,
                    "stations": [{ "station": "riga-1", "reconciled": null }], "quarantined": [],
                } }),
            )
            .runs(show),
            Operation::post(
                "/v1/reconciliation",
                "beginReconciliation",
                "Says, before a witness, that the database was restored by its own means: no work is given until the stations have reconciled.",
            )
            .act(Act::ReconcileStore, "store.restored", "store")
            .witnessed()
            .takes::<Begin>(json!({ "witness": "keeper", "copied": "2026-12-01T03:00:00Z", "pass_over": 10_000 }))
            .gives::<Begun>(201, "The store reconciles.", json!({ "epoch": epoch }))
            .runs(begin),
            Operation::post(
                "/v1/reconciliation/end",
                "endReconciliation",
                "Ends the reconciliation, before a witness: work is given again.",
            )
            .act(Act::ReconcileStore, "store.reconciled", "store")
            .witnessed()
            .takes::<End>(json!({ "witness": "keeper", "without": ["riga-1"], "cause": "it burnt" }))
            .gives::<Ended>(200, "Work is given again.", json!({ "renumbered": 0 }))
            .runs(end),
        ],
    )
}
