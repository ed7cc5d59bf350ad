//! INITIALIZE UPDATE and EXTERNAL AUTHENTICATE (GP Amendment D §7.1), answered by both
//! applications with the issuer security domain's keys.

use card::{Command, Status};

use crate::eid::scp03::{Level, Offer, card_challenge};
use crate::eid::turn::{Outcome, Reply, SecureChannel, Turn, broken, exactly};
use crate::identity::ChipSerial;

/// Failed authentications in a row after which the chip opens no channel any more.
pub(crate) const MOST_FAILURES: u8 = 10;
/// Protocol and its variant: pseudo-random challenge, R-MAC and R-ENC.
pub(crate) const SCP03_I70: [u8; 2] = [0x03, 0x70];
/// Largest value of the 3-byte sequence counter.
const LAST_COUNTER: u32 = 0x00FF_FFFF;

/// `80 50 <version> 00 08 <host challenge> 00`.
pub(crate) fn initialize_update(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    turn.volatile.channel = SecureChannel::Closed;
    if command.p2() != 0 {
        return Err(Status::WRONG_P1_P2);
    }
    let host_challenge: [u8; 8] = exactly(command)?;
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
    // Raised before it is used, so that a torn command cannot repeat a challenge.
    if set.counter >= LAST_COUNTER {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    set.counter += 1;
    let keys = set.keys();
    let challenge = card_challenge(&keys, set.counter(), aid).map_err(broken)?;
    let offer = Offer::new(&keys, set.version, &host_challenge, &challenge).map_err(broken)?;
    let answer = [
        &serial.as_bytes()[..],
        &[set.version],
        &SCP03_I70,
        &challenge,
        &offer.card_cryptogram(),
        &set.counter(),
    ]
    .concat();
    turn.volatile.channel = SecureChannel::Offered(Box::new(offer));
    Ok(answer.into())
}

/// `84 82 <level> 00 10 <host cryptogram> <MAC>`.
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
    let level = Level::new(command.p1()).filter(|_| command.p2() == 0);
    let level = level.ok_or(Status::WRONG_P1_P2)?;
    exactly::<16>(command)?;
    // Counted before the comparison: taking the power away must not save a guess.
    turn.state.failures = turn.state.failures.saturating_add(1);
    turn.commit()?;
    let session = offer.accept(command, level).map_err(broken)?;
    let session = session.ok_or(Status::AUTHENTICATION_FAILED)?;
    turn.state.failures = 0;
    turn.volatile.channel = SecureChannel::Open(Box::new(session));
    Ok(Reply::done())
}
