//! INITIALIZE UPDATE and EXTERNAL AUTHENTICATE (GP Card Specification 2.3 §E.5; Amendment D
//! §7.1), answered by both applications with the issuer security domain's keys.

use card::{Command, Status};

use crate::applet::broken;
use crate::eid::session::{Asked, Level, offer};
use crate::eid::turn::{Outcome, Reply, SecureChannel, Turn};
use crate::identity::ChipSerial;

/// Failed authentications in a row after which the chip opens no channel any more.
pub(crate) const MOST_FAILURES: u8 = 10;

/// `80 50 <version> 00 <08 | 10> <host challenge> 00`.
pub(crate) fn initialize_update(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.volatile.channel = SecureChannel::Closed;
    if command.p2() != 0 {
        return Err(Status::WRONG_P1_P2);
    }
    let scp = turn.state.scp;
    if command.data().len() != scp.length() {
        return Err(Status::WRONG_LENGTH);
    }
    if turn.state.failures >= MOST_FAILURES {
        return Err(Status::AUTHENTICATION_BLOCKED);
    }
    let aid = turn.selected_aid();
    let serial = ChipSerial::of(turn.product, turn.state.number);
    let mut sets = turn.state.key_sets.iter_mut();
    let set = match command.p1() {
        0 => sets.next(),
        version => sets.find(|set| set.version == version),
    };
    let set = set.ok_or(Status::REFERENCE_NOT_FOUND)?;
    if set.counter >= scp.last_counter() {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    // SCP03's is raised before it is used, so that a torn command cannot repeat a challenge;
    // SCP02's when the host has proved itself (GP §E.1.2.2).
    if !scp.is_scp02() {
        set.counter += 1;
    }
    let (answer, offer) = offer(&Asked {
        scp,
        keys: &set.keys(),
        key_version: set.version,
        counter: set.counter,
        aid,
        host_challenge: command.data(),
    })
    .map_err(broken)?;
    let answer = [&serial.as_bytes()[..], &[set.version], &answer].concat();
    turn.volatile.channel = SecureChannel::Offered(offer);
    Ok(answer.into())
}

/// `84 82 <level> 00 <10 | 20> <host cryptogram> <MAC>`.
pub(crate) fn external_authenticate(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    let offered = std::mem::replace(&mut turn.volatile.channel, SecureChannel::Closed);
    let offer = match offered {
        SecureChannel::Offered(offer) => offer,
        other => {
            turn.volatile.channel = other;
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
    };
    if command.cla() != 0x84 {
        return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
    }
    let scp = turn.state.scp;
    let level = Level::new(scp, command.p1()).filter(|_| command.p2() == 0);
    let level = level.ok_or(Status::WRONG_P1_P2)?;
    if command.data().len() != 2 * scp.length() {
        return Err(Status::WRONG_LENGTH);
    }
    // Counted before the comparison: taking the power away must not save a guess.
    turn.state.failures = turn.state.failures.saturating_add(1);
    turn.commit()?;
    let session = offer.accept(command, level).map_err(broken)?;
    let session = session.ok_or(Status::AUTHENTICATION_FAILED)?;
    turn.state.failures = 0;
    if scp.is_scp02() {
        let mut sets = turn.state.key_sets.iter_mut();
        let set = sets.find(|set| set.version == session.key_version());
        set.ok_or(Status::UNKNOWN)?.counter += 1;
    }
    turn.volatile.channel = SecureChannel::Open(session);
    Ok(Reply::done())
}
