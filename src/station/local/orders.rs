//! Orders to slots. Each is written into the station's journal before it is carried out.

use api::StationAct;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::board::SlotState;
use crate::journal::PersonsAct;
use crate::local::Local;
use crate::local::problem::LocalProblem;

type Done = Result<StatusCode, LocalProblem>;

/// What a slot is told.
#[derive(Clone, Copy)]
enum Told {
    Pause,
    Start,
}

impl Told {
    const fn act(self) -> &'static str {
        match self {
            Self::Pause => StationAct::SLOT_PAUSED,
            Self::Start => StationAct::SLOT_STARTED,
        }
    }
}

pub(crate) async fn pause(local: State<Local>, slot: Path<String>, headers: HeaderMap) -> Done {
    one(&local, &slot, &headers, Told::Pause)
}

pub(crate) async fn start(local: State<Local>, slot: Path<String>, headers: HeaderMap) -> Done {
    one(&local, &slot, &headers, Told::Start)
}

pub(crate) async fn pause_all(local: State<Local>, headers: HeaderMap) -> Done {
    all(&local, &headers, Told::Pause)
}

pub(crate) async fn start_all(local: State<Local>, headers: HeaderMap) -> Done {
    all(&local, &headers, Told::Start)
}

/// Gives up the card that a slot holds while the centre is away: its blank is accounted for as what it
/// is then.
pub(crate) async fn give_up(
    State(local): State<Local>,
    Path(slot): Path<String>,
    headers: HeaderMap,
) -> Done {
    let visitor = local.0.visitors.demand(&headers)?;
    visitor.operates()?;
    let state = {
        let board = local.board();
        let view = board.slots().find(|view| view.slot == slot);
        view.map(|view| view.state)
            .ok_or_else(|| LocalProblem::no_slot(&slot))?
    };
    if state != SlotState::Parked {
        return Err(LocalProblem::conflict(format!(
            "slot {slot:?} holds no card for the centre"
        )));
    }
    local.note(&visitor.person, StationAct::CARD_GIVEN_UP, Some(&slot))?;
    local.0.station.give_up(&slot);
    Ok(StatusCode::NO_CONTENT)
}

fn one(local: &Local, slot: &str, headers: &HeaderMap, told: Told) -> Done {
    let visitor = local.0.visitors.demand(headers)?;
    visitor.operates()?;
    if !local.board().slots().any(|view| view.slot == slot) {
        return Err(LocalProblem::no_slot(slot));
    }
    local.note(&visitor.person, told.act(), Some(slot))?;
    local.0.station.order(slot, matches!(told, Told::Start));
    Ok(StatusCode::NO_CONTENT)
}

fn all(local: &Local, headers: &HeaderMap, told: Told) -> Done {
    let visitor = local.0.visitors.demand(headers)?;
    visitor.operates()?;
    let slots: Vec<_> = local
        .board()
        .slots()
        .map(|view| view.slot.clone())
        .collect();
    for slot in slots {
        local.note(&visitor.person, told.act(), Some(&slot))?;
        local.0.station.order(&slot, matches!(told, Told::Start));
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Local {
    /// Writes down what a person does.
    pub(crate) fn note(
        &self,
        person: &str,
        act: &str,
        slot: Option<&str>,
    ) -> Result<(), LocalProblem> {
        let act = PersonsAct {
            at: Timestamp::now(),
            person: person.to_owned(),
            act: act.to_owned(),
            slot: slot.map(str::to_owned),
        };
        Ok(self.0.station.note_act(&act)?)
    }
}
