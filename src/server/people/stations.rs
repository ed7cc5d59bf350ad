//! Stations, as an administrator and a security officer watch them. They are let in by `zimogs
//! central enroll`, where both compare the key.

use central::{Central, StationLine};
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::{CauseText, Moment, StationName, StationStateName};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// A station.
#[derive(Serialize, JsonSchema)]
struct StationShown {
    /// Its name.
    station: String,
    /// The office that it stands in.
    office: Option<String>,
    /// Its state.
    state: StationStateName,
    /// The SHA-256 of the key that waits for a certificate.
    waiting_key: Option<String>,
    /// The office that it moves to with that key.
    waiting_office: Option<String>,
    /// The serial number of its certificate, in hexadecimal.
    serial: Option<String>,
    /// Until when that holds.
    not_after: Option<Moment>,
    /// When it was heard of last, to a minute.
    seen: Option<Moment>,
}

impl StationShown {
    fn of(line: StationLine) -> Self {
        Self {
            station: line.name,
            office: line.office.map(|office| office.to_string()),
            state: StationStateName(line.state),
            waiting_key: line.waiting_key,
            waiting_office: line.waiting_office.map(|office| office.to_string()),
            serial: line.serial,
            not_after: line.not_after.map(Moment),
            seen: line.seen.map(Moment),
        }
    }
}

/// The stations.
#[derive(Serialize, JsonSchema)]
struct Stations {
    /// All of them, by name.
    items: Vec<StationShown>,
}

/// Why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Because {
    /// Why.
    cause: CauseText,
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let lines = call.central.stations(call.actor()?).await?;
    let items = lines.into_iter().map(StationShown::of).collect();
    Answer::json(&Stations { items })
}

async fn suspend(call: Call) -> Result<Answer, Problem> {
    let (because, central): (Because, &Central) = (call.json()?, &call.central);
    let (actor, station) = (call.actor()?, call.part("station"));
    central
        .suspend_station(actor, station, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn resume(call: Call) -> Result<Answer, Problem> {
    let (because, central): (Because, &Central) = (call.json()?, &call.central);
    let (actor, station) = (call.actor()?, call.part("station"));
    central
        .resume_station(actor, station, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn remove(call: Call) -> Result<Answer, Problem> {
    let (because, central): (Because, &Central) = (call.json()?, &call.central);
    let (actor, station) = (call.actor()?, call.part("station"));
    central
        .remove_station(actor, station, &because.cause.0)
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let changes = |operation: Operation, right: Act, action: &'static str| {
        operation
            .parameter::<StationName>("station", "The station's name.", "riga-1")
            .act(right, action, "station")
            .takes::<Because>(json!({ "cause": "it was stolen" }))
    };
    of(
        "stations",
        vec![
            Operation::get(
                "/v1/stations",
                "listStations",
                "Lists the stations by name.",
            )
            .read(Act::WatchStations, "station.listed", "station")
            .gives::<Stations>(
                200,
                "The stations.",
                json!({ "items": [{
                        "station": "riga-1", "office": "RIGA-1", "state": "enrolled",
                        "waiting_key": null, "waiting_office": null, "serial": "1f", "not_after": "2027-11-20T08:00:00Z",
                        "seen": "2026-11-20T08:00:00Z",
                    }] }),
            )
            .runs(list),
            changes(
                Operation::post(
                    "/v1/stations/{station}/suspension",
                    "suspendStation",
                    "Turns a station away at once.",
                ),
                Act::WatchStations,
                "station.suspended",
            )
            .runs(suspend),
            changes(
                Operation::post(
                    "/v1/stations/{station}/resumption",
                    "resumeStation",
                    "Lets a station in again that another person suspended.",
                ),
                Act::ConfirmStation,
                "station.resumed",
            )
            .runs(resume),
            changes(
                Operation::post(
                    "/v1/stations/{station}/removal",
                    "removeStation",
                    "Removes a station for good.",
                ),
                Act::ManageStations,
                "station.removed",
            )
            .runs(remove),
        ],
    )
}
