//! SELECT (ISO/IEC 7816-4 §11.2.2, GP §11.9).

use card::{Command, Status};

use crate::command::no_data;
use crate::eid::state::{Body, CardState, ISD_AID, MF, MF_ID, State};
use crate::eid::turn::{Application, Outcome, Reply, Turn, Volatile};
use crate::objects::object;

/// What of the control information is to be returned: P2's b4-b3.
#[derive(Clone, Copy)]
enum Information {
    Fci,
    Fcp,
    Nothing,
}

/// `00 A4 <P1> <P2> …`.
pub(crate) fn select(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    let information = match command.p2() & 0xFC {
        0x00 => Information::Fci,
        0x04 => Information::Fcp,
        0x0C => Information::Nothing,
        _ => return Err(Status::WRONG_P1_P2),
    };
    let occurrence = command.p2() & 0x03;
    if command.p1() == 0x04 {
        return by_aid(turn, command.data(), occurrence, information);
    }
    if turn.volatile.application == Application::Isd || occurrence != 0 {
        return Err(Status::WRONG_P1_P2);
    }
    let found = find(turn, command)?;
    if turn.state.file(found)?.is_directory() {
        turn.enter(found, None);
    } else {
        let parent = turn.state.file(found)?.parent;
        turn.enter(parent, Some(found));
    }
    let control = control_information(&turn.state, found, information)?;
    Ok(control.into())
}

/// Selects an application by its AID, or by what the AID begins with. Ends whatever the
/// application before it had going, found or not.
fn by_aid(turn: &mut Turn<'_>, aid: &[u8], occurrence: u8, information: Information) -> Outcome {
    if aid.len() > 16 {
        return Err(Status::WRONG_LENGTH);
    }
    let current = (turn.volatile.application, turn.volatile.directory);
    *turn.volatile = Volatile::selecting(current.0, current.1);
    let mut candidates = vec![(Application::Isd, MF, &ISD_AID[..])];
    let directories = turn.state.files.iter().enumerate();
    candidates.extend(directories.filter_map(|(index, file)| {
        let name = file.name()?;
        Some((Application::Eid, index, name))
    }));
    let after = match occurrence {
        0x00 => 0,
        0x02 => {
            let mut places = candidates.iter();
            let place = places.position(|(app, index, _)| (*app, *index) == current);
            place.map_or(0, |place| place + 1)
        }
        _ => return Err(Status::WRONG_P1_P2),
    };
    let mut matching = candidates.iter().skip(after);
    let found = matching.find(|(_, _, name)| name.starts_with(aid));
    let &(application, directory, _) = found.ok_or(Status::FILE_NOT_FOUND)?;
    let locked = turn.state.card == CardState::Locked;
    if locked && application == Application::Eid {
        return Err(Status::FILE_NOT_FOUND);
    }
    let data = match (application, information) {
        (_, Information::Nothing) => Vec::new(),
        (Application::Isd, Information::Fcp) => object::<0x62>(&object::<0x84>(&ISD_AID)),
        (Application::Isd, Information::Fci) => {
            // 9F65: most data bytes in one short command.
            let proprietary = object::<0xA5>(&object::<0x9F65>(&[0xFF]));
            object::<0x6F>(&[object::<0x84>(&ISD_AID), proprietary].concat())
        }
        (Application::Eid, _) => control_information(&turn.state, directory, information)?,
    };
    *turn.volatile = Volatile::selecting(application, directory);
    let status = if locked {
        Status::DEACTIVATED
    } else {
        Status::OK
    };
    Ok(Reply { data, status })
}

fn find(turn: &Turn<'_>, command: &Command) -> Result<usize, Status> {
    let state = &turn.state;
    let here = turn.volatile.directory;
    let parent = state.file(here)?.parent;
    let data = command.data();
    let is_directory = |index: &usize| state.file(*index).is_ok_and(|file| file.is_directory());
    let found = match command.p1() {
        0x00 if data.is_empty() => Some(MF),
        0x00 => {
            let id = identifier(data)?;
            let same = |index: &usize| state.file(*index).is_ok_and(|file| file.id == id);
            child(state, here, id)
                .or_else(|| Some(MF).filter(|_| id == MF_ID))
                .or_else(|| Some(parent).filter(same))
                .or_else(|| child(state, parent, id).filter(is_directory))
        }
        0x01 => child(state, here, identifier(data)?).filter(is_directory),
        0x02 => child(state, here, identifier(data)?).filter(|index| !is_directory(index)),
        0x03 => {
            no_data(command)?;
            Some(parent).filter(|_| here != MF)
        }
        0x08 => path(state, MF, data)?,
        0x09 => path(state, here, data)?,
        _ => return Err(Status::WRONG_P1_P2),
    };
    found.ok_or(Status::FILE_NOT_FOUND)
}

fn identifier(data: &[u8]) -> Result<u16, Status> {
    let id = data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
    Ok(u16::from_be_bytes(id))
}

fn child(state: &State, directory: usize, id: u16) -> Option<usize> {
    let mut children = state.children(directory);
    children
        .find(|(_, file)| file.id == id)
        .map(|(index, _)| index)
}

fn path(state: &State, from: usize, ids: &[u8]) -> Result<Option<usize>, Status> {
    if ids.is_empty() || !ids.len().is_multiple_of(2) {
        return Err(Status::WRONG_LENGTH);
    }
    let mut at = Some(from);
    for id in ids.chunks(2) {
        let id = identifier(id)?;
        at = at.and_then(|directory| child(state, directory, id));
    }
    Ok(at)
}

/// Encodes a file's control information: for an EF its size and nothing more, as the
/// Latvian card does.
fn control_information(
    state: &State,
    index: usize,
    information: Information,
) -> Result<Vec<u8>, Status> {
    let file = state.file(index)?;
    let objects = match &file.body {
        Body::Directory { name } => {
            [object::<0x83>(&file.id.to_be_bytes()), object::<0x84>(name)].concat()
        }
        Body::Elementary { content } => {
            let size = u16::try_from(content.len()).map_err(|_| Status::UNKNOWN)?;
            object::<0x80>(&size.to_be_bytes())
        }
    };
    Ok(match information {
        Information::Fci => object::<0x6F>(&objects),
        Information::Fcp => object::<0x62>(&objects),
        Information::Nothing => Vec::new(),
    })
}
