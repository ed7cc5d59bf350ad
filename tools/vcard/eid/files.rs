//! Files: CREATE FILE (ISO/IEC 7816-9 §6.1), READ BINARY and UPDATE BINARY
//! (ISO/IEC 7816-4 §11.3).

use card::{Command, Status};

use crate::command::{no_data, parameters};
use crate::eid::access::{AccessRule, Mode};
use crate::eid::state::{Body, File};
use crate::eid::turn::{Outcome, Reply, Turn};
use crate::objects::Objects;

/// Directories within directories, counted from the MF.
const MOST_DEPTH: usize = 4;
/// Largest file: what 15 bits of offset reach.
const LARGEST: u16 = 0x7FFF;
/// Identifiers that ISO/IEC 7816-4 §7.1.2 keeps for itself.
const RESERVED: [u16; 4] = [0x0000, 0x3F00, 0x3FFF, 0xFFFF];

/// `00 E0 00 00  62 { 80?, 82, 83, 84?, 8C?, 8A? }`, in the current DF.
pub(crate) fn create_file(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.personalizing()?;
    parameters(command, 0x00, 0x00)?;
    let file = parse(
        Objects::single(command.data(), 0x62)?,
        turn.volatile.directory,
    )?;
    let id = file.id;
    let directory = turn.volatile.directory;
    let taken = turn
        .state
        .children(directory)
        .any(|(_, other)| other.id == id);
    if taken || RESERVED.contains(&id) {
        return Err(Status::FILE_EXISTS);
    }
    let cost = match &file.body {
        Body::Directory { name } => {
            let mut names = turn.state.files.iter().filter_map(File::name);
            if names.any(|other| other == name) {
                return Err(Status::NAME_EXISTS);
            }
            if turn.state.depth(directory) + 1 >= MOST_DEPTH {
                return Err(Status::CONDITIONS_NOT_SATISFIED);
            }
            64
        }
        Body::Elementary { content } => content.len() + 32,
    };
    turn.room(cost)?;
    turn.work.written += cost;
    let index = turn.state.files.len();
    let is_directory = file.is_directory();
    turn.state.files.push(file);
    if is_directory {
        turn.enter(index, None);
    } else {
        turn.enter(directory, Some(index));
    }
    Ok(Reply::done())
}

fn parse(template: &[u8], parent: usize) -> Result<File, Status> {
    let objects = Objects::parse(template, &[0x80, 0x82, 0x83, 0x84, 0x8A, 0x8C])?;
    let id = u16::from_be_bytes(objects.array(0x83)?);
    let body = match (objects.byte(0x82)?, objects.get(0x80), objects.get(0x84)) {
        (0x38, None, Some(name)) if matches!(name.len(), 1..=16) => Body::Directory {
            name: name.to_vec(),
        },
        (0x01, Some(size), None) => {
            let size = size.try_into().map_err(|_| Status::WRONG_DATA)?;
            let size = u16::from_be_bytes(size);
            if !(1..=LARGEST).contains(&size) {
                return Err(Status::WRONG_DATA);
            }
            Body::Elementary {
                content: vec![0; usize::from(size)],
            }
        }
        _ => return Err(Status::WRONG_DATA),
    };
    if objects.get(0x8A).is_some() && !matches!(objects.byte(0x8A)?, 0x01 | 0x03 | 0x05) {
        return Err(Status::WRONG_DATA);
    }
    let rule = objects.get(0x8C).map(AccessRule::parse).transpose()?;
    let rule = match body {
        Body::Directory { .. } => rule,
        Body::Elementary { .. } => rule.or_else(|| Some(AccessRule::readable())),
    };
    Ok(File {
        id,
        parent,
        body,
        rule,
    })
}

/// `00 B0 <offset> Le`.
pub(crate) fn read_binary(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    no_data(command)?;
    let (index, offset) = addressed(turn, command)?;
    let issuer_at_work = turn.open_for_personalization() && turn.session().is_ok();
    if !issuer_at_work && !allowed(turn, index, Mode::Read)? {
        return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
    }
    turn.volatile.elementary = Some(index);
    let content = content(turn.state.file(index)?)?;
    let left = content.get(offset..).filter(|left| !left.is_empty());
    let left = left.ok_or(Status::WRONG_PARAMETERS)?;
    // Le 00 asks for "all there is", up to 256 or 65536 bytes.
    let le = command.le().unwrap_or(256);
    let wanted = usize::try_from(le).map_err(|_| Status::WRONG_LENGTH)?;
    let short = wanted > left.len() && !matches!(le, 256 | 65_536);
    Ok(Reply {
        data: left.iter().take(wanted).copied().collect(),
        status: if short {
            Status::END_OF_FILE
        } else {
            Status::OK
        },
    })
}

/// `00 D6 <offset> <data>`.
pub(crate) fn update_binary(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.session()?;
    let (index, offset) = addressed(turn, command)?;
    if !turn.open_for_personalization() && !allowed(turn, index, Mode::Update)? {
        return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
    }
    let data = command.data();
    if data.is_empty() {
        return Err(Status::WRONG_LENGTH);
    }
    turn.volatile.elementary = Some(index);
    let file = turn.state.files.get_mut(index).ok_or(Status::UNKNOWN)?;
    let Body::Elementary { content } = &mut file.body else {
        return Err(Status::NO_CURRENT_FILE);
    };
    if offset > content.len() {
        return Err(Status::WRONG_PARAMETERS);
    }
    let end = offset + data.len();
    let place = content.get_mut(offset..end);
    place
        .ok_or(Status::NOT_ENOUGH_MEMORY)?
        .copy_from_slice(data);
    turn.work.written += data.len();
    Ok(Reply::done())
}

/// Returns the EF and the offset that P1-P2 name.
fn addressed(turn: &Turn<'_>, command: &Command) -> Result<(usize, usize), Status> {
    let (p1, p2) = (command.p1(), command.p2());
    if p1 & 0x80 == 0 {
        let index = turn.volatile.elementary.ok_or(Status::NO_CURRENT_FILE)?;
        return Ok((index, usize::from(u16::from_be_bytes([p1, p2]))));
    }
    let identifier = u16::from(p1 & 0x1F);
    if p1 & 0x60 != 0 || identifier == 0 || identifier == 0x1F {
        return Err(Status::WRONG_P1_P2);
    }
    let mut children = turn.state.children(turn.volatile.directory);
    let found = children.find(|(_, file)| !file.is_directory() && file.id & 0x1F == identifier);
    let (index, _) = found.ok_or(Status::FILE_NOT_FOUND)?;
    Ok((index, usize::from(p2)))
}

fn allowed(turn: &Turn<'_>, index: usize, mode: Mode) -> Result<bool, Status> {
    let rule = turn.state.file(index)?.rule.as_ref();
    Ok(rule.is_some_and(|rule| rule.allows(mode, turn)))
}

fn content(file: &File) -> Result<&[u8], Status> {
    match &file.body {
        Body::Elementary { content } => Ok(content),
        Body::Directory { .. } => Err(Status::NO_CURRENT_FILE),
    }
}
