//! The shift: who takes it, hands it over and ends it.

use api::{Actor, StationAct};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::journal::PersonsAct;
use crate::local::Local;
use crate::local::problem::LocalProblem;

/// How many acts are shown.
const SHOWN: u32 = 200;

/// Takes the shift, from whoever has it: their documents in work stay theirs.
pub(crate) async fn begin(
    State(local): State<Local>,
    headers: HeaderMap,
) -> Result<StatusCode, LocalProblem> {
    let visitor = local.0.visitors.demand(&headers)?;
    visitor.operates()?;
    if local
        .0
        .station
        .shift()
        .is_some_and(|actor| actor.person == visitor.person)
    {
        return Ok(StatusCode::NO_CONTENT);
    }
    local.note(&visitor.person, StationAct::SHIFT_BEGUN, None)?;
    local.0.centre.admit(&visitor.person, visitor.token);
    local.0.station.begin_shift(Actor {
        station: local.0.name.clone(),
        person: visitor.person,
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one's own shift: documents in work are finished, and nothing more is begun.
pub(crate) async fn end(
    State(local): State<Local>,
    headers: HeaderMap,
) -> Result<StatusCode, LocalProblem> {
    let visitor = local.0.visitors.demand(&headers)?;
    local.end_shift_of(&visitor.person)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows what people did at the station, the newest first.
pub(crate) async fn acts(
    State(local): State<Local>,
    headers: HeaderMap,
) -> Result<Json<Vec<PersonsAct>>, LocalProblem> {
    local.0.visitors.demand(&headers)?;
    Ok(Json(local.0.station.acts(SHOWN)?))
}

impl Local {
    /// Ends a person's shift, where it is theirs.
    fn end_shift_of(&self, person: &str) -> Result<(), LocalProblem> {
        let shift = self.0.station.shift();
        if shift.is_some_and(|actor| actor.person == person) {
            self.note(person, StationAct::SHIFT_ENDED, None)?;
            self.0.station.end_shift();
        }
        Ok(())
    }

    /// Lets a person go: their shift ends. Refused while a document is in work in their name, which
    /// their session is needed for.
    pub(crate) fn let_go(&self, person: &str) -> Result<(), LocalProblem> {
        self.end_shift_of(person)?;
        let slots = self.0.station.in_hand_of(person);
        match slots.is_empty() {
            true => Ok(()),
            false => Err(LocalProblem::conflict(format!(
                "documents of {person} are in work at {}; the shift is over, sign out again when they are finished",
                slots.join(", ")
            ))),
        }
    }
}
