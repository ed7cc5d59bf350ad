//! PUT KEY (GP §11.8, Amendment D §7.2) and DELETE KEY (GP §11.2).

use card::{Command, Status};

use crate::applet::broken;
use crate::command::parameters;
use crate::eid::session::{Session, StaticKeys};
use crate::eid::state::{KeySet, State, TRANSPORT_VERSION};
use crate::eid::turn::{Outcome, Reply, Turn};
use crate::objects::Objects;
use crate::secret::Secret;

/// Key sets that the chip has room for.
const MOST_SETS: usize = 3;
/// `80 D8 <P1> 81  <new version> ‖ 3 × (<type and lengths> <key> 03 <check value>)`, the type
/// and lengths `88 11 10` (AES) under SCP03, `80 10` (triple DES) under SCP02.
pub(crate) fn put_key(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    // SCP02 encrypts keys under a key that only this session has; SCP03's is the static one.
    let session = match turn.state.scp.is_scp02() {
        true => turn.session()?,
        false => turn.confidential()?,
    };
    if command.p2() != 0x81 {
        return Err(Status::WRONG_P1_P2);
    }
    let (keys, answer) = parse(session, command.data())?;
    let version = answer.first().copied().unwrap_or_default();
    place(&mut turn.state, command.p1(), KeySet::new(version, keys))?;
    Ok(answer.into())
}

/// Decrypts the three keys and proves their check values; returns them with the answer.
fn parse(session: &dyn Session, data: &[u8]) -> Result<(StaticKeys, Vec<u8>), Status> {
    let (version, blocks) = data.split_first().ok_or(Status::WRONG_LENGTH)?;
    // The key of 16 bytes, its check value's length, its check value.
    let block = session.key_field().len() + 16 + 4;
    if !matches!(version, 0x01..=0x7F) || blocks.len() != 3 * block {
        return Err(Status::WRONG_DATA);
    }
    let mut answer = vec![*version];
    let mut keys = blocks.chunks(block).map(|block| {
        let (key, value) = key(session, block)?;
        answer.extend(value);
        Ok(key)
    });
    let mut next = || keys.next().unwrap_or(Err(Status::WRONG_DATA));
    let keys = StaticKeys {
        enc: next()?,
        mac: next()?,
        dek: next()?,
    };
    Ok((keys, answer))
}

fn key(session: &dyn Session, block: &[u8]) -> Result<(Secret, [u8; 3]), Status> {
    let sealed = block.strip_prefix(session.key_field());
    let sealed = sealed.ok_or(Status::WRONG_DATA)?;
    let Some((sealed, [0x03, value @ ..])) = sealed.split_at_checked(16) else {
        return Err(Status::WRONG_DATA);
    };
    let key = session.decrypt_key(sealed).map_err(broken)?;
    let expected = session.check_value(&key).map_err(broken)?;
    if value == expected {
        Ok((key, expected))
    } else {
        Err(Status::WRONG_DATA)
    }
}

/// Adds a set (P1 00) or puts it in another's place. The maker's set gives way to the first
/// set added: it never stands beside the owner's.
fn place(state: &mut State, replaced: u8, new: KeySet) -> Result<(), Status> {
    let sets = &mut state.key_sets;
    let taken = |set: &KeySet| set.version == new.version && set.version != replaced;
    if sets.iter().any(taken) {
        return Err(Status::WRONG_DATA);
    }
    let only_initial = |set: &KeySet| set.version == TRANSPORT_VERSION;
    let place = match replaced {
        0 if sets.iter().all(only_initial) => sets.first_mut(),
        0 if sets.len() >= MOST_SETS => return Err(Status::NOT_ENOUGH_MEMORY),
        0 => None,
        version => {
            let found = sets.iter_mut().find(|set| set.version == version);
            Some(found.ok_or(Status::REFERENCE_NOT_FOUND)?)
        }
    };
    match place {
        Some(place) => *place = new,
        None => sets.push(new),
    }
    Ok(())
}

/// `80 E4 00 00  D2 01 <version>`: a whole set.
pub(crate) fn delete_key(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    let in_use = turn.session()?.key_version();
    parameters(command, 0x00, 0x00)?;
    let version = Objects::parse(command.data(), &[0xD2])?.byte(0xD2)?;
    let sets = &mut turn.state.key_sets;
    let mut places = sets.iter();
    let place = places.position(|set| set.version == version);
    let place = place.ok_or(Status::REFERENCE_NOT_FOUND)?;
    if version == in_use || sets.len() == 1 {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    sets.remove(place);
    // Length of the confirmation that a delegated deletion would carry: none.
    Ok(Reply::from(vec![0x00]))
}
