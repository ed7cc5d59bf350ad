//! Stations: an administrator asks that one be let in, a security officer confirms its key, and both
//! watch it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use central::{Central, StationLine, Thing};
use document::Act;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::bodies::Because;
use crate::people::call::Call;
use crate::people::named::{Moment, PlaceCode, StationName, StationStateName};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

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
    /// What `If-Match` takes, in quotation marks; that it is heard of leaves it as it is.
    tag: String,
}

impl StationShown {
    fn of(line: StationLine) -> Self {
        Self {
            tag: line.tag(),
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

async fn list(call: Call) -> Result<Answer, Problem> {
    let lines = call.central.stations(call.actor()?).await?;
    let items = lines.into_iter().map(StationShown::of).collect();
    Answer::json(&Stations { items })
}

/// A station to let in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    /// Its name.
    station: StationName,
    /// The office whose own station it is; without it, it works for all other offices.
    #[serde(default)]
    office: Option<PlaceCode>,
    /// Its certification request: PKCS#10, DER in base64.
    #[schemars(length(min = 1, max = 16384), extend("contentEncoding" = "base64"))]
    request: String,
}

/// The key that is asked for.
#[derive(Serialize, JsonSchema)]
struct AskedKey {
    /// The SHA-256 of its key, which the station shows, too.
    key: String,
}

/// The key that was compared at the station.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ComparedKey {
    /// The SHA-256 of its key, as the station shows it: hexadecimal.
    #[schemars(length(min = 1, max = 128))]
    key: String,
}

/// What a station gets.
#[derive(Serialize, JsonSchema)]
struct Credential {
    /// Its certificate: DER in base64.
    certificate: String,
    /// The certificate of the authority that signed it.
    authority: String,
}

/// Where a station stands.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Stands {
    /// The office; null for none.
    office: Option<PlaceCode>,
}

async fn ask(call: Call) -> Result<Answer, Problem> {
    let new: Enrolment = call.json()?;
    let request = STANDARD
        .decode(&new.request)
        .map_err(|_| Problem::new(Fault::Invalid, "the request is no base64"))?;
    let office = new.office.as_ref().map(|office| office.0.as_str());
    let key = call
        .central
        .ask_station(call.actor()?, &new.station.0, office, &request)
        .await?;
    Answer::created("/v1/stations".to_owned(), &AskedKey { key })
}

async fn confirm(call: Call) -> Result<Answer, Problem> {
    let compared: ComparedKey = call.json()?;
    let (actor, station) = (call.actor()?, call.part("station"));
    let given = call
        .central
        .confirm_station(actor, station, &compared.key)
        .await?;
    Answer::json(&Credential {
        certificate: STANDARD.encode(given.certificate),
        authority: STANDARD.encode(given.authority),
    })
}

async fn place(call: Call) -> Result<Answer, Problem> {
    let stands: Stands = call.json()?;
    let office = stands.office.as_ref().map(|office| office.0.as_str());
    call.central
        .place_station(call.actor()?, call.part("station"), office)
        .await?;
    Ok(Answer::nothing())
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
            .conditional(Thing::Station, "station")
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
                        "seen": "2026-11-20T08:00:00Z", "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
                    }] }),
            )
            .runs(list),
            Operation::post(
                "/v1/stations",
                "askStation",
                "Asks that a station be let in by its request; a security officer confirms the key.",
            )
            .act(Act::ManageStations, "station.asked", "station")
            .takes::<Enrolment>(json!({ "station": "riga-1", "office": "RIGA-1", "request": "MIIB" }))
            .gives::<AskedKey>(201, "It waits for the confirmation of this key.", json!({ "key": "9f86d081" }))
            .runs(ask),
            Operation::post(
                "/v1/stations/{station}/confirmation",
                "confirmStation",
                "Lets a station in that another person asked for, by the key that was compared at the station.",
            )
            .parameter::<StationName>("station", "The station's name.", "riga-1")
            .act(Act::ConfirmStation, "station.enrolled", "station")
            .conditional(Thing::Station, "station")
            .takes::<ComparedKey>(json!({ "key": "9f86d081" }))
            .gives::<Credential>(200, "Its certificate.", json!({ "certificate": "MIIB", "authority": "MIIB" }))
            .runs(confirm),
            Operation::put(
                "/v1/stations/{station}/office",
                "placeStation",
                "Books in which office a station stands.",
            )
            .parameter::<StationName>("station", "The station's name.", "riga-1")
            .act(Act::ManageStations, "station.placed", "station")
            .conditional(Thing::Station, "station")
            .takes::<Stands>(json!({ "office": "RIGA-1" }))
            .runs(place),
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
