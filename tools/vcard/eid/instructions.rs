//! Which application answers which instruction, in which class.

use card::{Command, Status};

use super::{authentication, files, key_sets, keys, life_cycle, pin_objects, pins, registry};
use super::{select, signing};
use crate::eid::state::CardState;
use crate::eid::turn::{Application, Outcome, Turn};

type Handler = fn(&mut Turn<'_>, &Command) -> Outcome;

/// The class in which an instruction is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    Iso,
    Gp,
    Both,
}

const INITIALIZE_UPDATE: u8 = 0x50;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;
const SELECT: u8 = 0xA4;
const GET_DATA: u8 = 0xCA;
const SET_STATUS: u8 = 0xF0;
const GET_STATUS: u8 = 0xF2;

/// The issuer security domain's instructions.
const ISD: &[(u8, In, Handler)] = &[
    (SELECT, In::Iso, select::select),
    (INITIALIZE_UPDATE, In::Gp, authentication::initialize_update),
    (
        EXTERNAL_AUTHENTICATE,
        In::Gp,
        authentication::external_authenticate,
    ),
    (GET_DATA, In::Both, registry::get_data),
    (0xD8, In::Gp, key_sets::put_key),
    (0xE4, In::Gp, key_sets::delete_key),
    (SET_STATUS, In::Gp, life_cycle::set_status),
    (GET_STATUS, In::Gp, registry::get_status),
];

/// The eID application's instructions.
const EID: &[(u8, In, Handler)] = &[
    (SELECT, In::Iso, select::select),
    (INITIALIZE_UPDATE, In::Gp, authentication::initialize_update),
    (
        EXTERNAL_AUTHENTICATE,
        In::Gp,
        authentication::external_authenticate,
    ),
    (0xB0, In::Iso, files::read_binary),
    (0xD6, In::Iso, files::update_binary),
    (0xE0, In::Iso, files::create_file),
    (0xCB, In::Iso, pin_objects::get_data),
    (0xDB, In::Iso, pin_objects::put_data),
    (0x20, In::Iso, pins::verify),
    (0x24, In::Iso, pins::change_reference_data),
    (0x2C, In::Iso, pins::reset_retry_counter),
    (0x47, In::Iso, keys::generate),
    (0x22, In::Iso, signing::manage_security_environment),
    (0x2A, In::Iso, signing::perform_security_operation),
    (0x88, In::Iso, signing::internal_authenticate),
    (0x84, In::Iso, signing::get_challenge),
];

/// Executes one command that carries no secure messaging any more.
pub(crate) fn execute(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    if !answered_in(turn.state.card, command.ins()) {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    let table = match turn.volatile.application {
        Application::Isd => ISD,
        Application::Eid => EID,
    };
    let mut rows = table.iter();
    let Some((_, class, handler)) = rows.find(|(ins, ..)| *ins == command.ins()) else {
        return Err(Status::INSTRUCTION_NOT_SUPPORTED);
    };
    let proprietary = command.cla() & 0x80 != 0;
    match (class, proprietary) {
        (In::Both, _) | (In::Iso, false) | (In::Gp, true) => handler(turn, command),
        _ => Err(Status::CLASS_NOT_SUPPORTED),
    }
}

/// Says whether a card in this state hears an instruction at all (GP 2.3.1 §5.1.1, table
/// 11-1): a locked one lets its issuer look and unlock or end it, a terminated one tells its
/// name.
fn answered_in(card: CardState, ins: u8) -> bool {
    match card {
        CardState::Terminated => ins == GET_DATA,
        CardState::Locked => matches!(
            ins,
            SELECT | GET_DATA | GET_STATUS | INITIALIZE_UPDATE | EXTERNAL_AUTHENTICATE | SET_STATUS
        ),
        CardState::OpReady | CardState::Initialized | CardState::Secured => true,
    }
}

/// Says whether a command in clear may end a session rather than break it.
pub(crate) fn ends_session(command: &Command) -> bool {
    match command.cla() {
        0x00 => command.ins() == SELECT && command.p1() == 0x04,
        0x80 => command.ins() == INITIALIZE_UPDATE,
        _ => false,
    }
}
