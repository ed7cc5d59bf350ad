//! Keys in use: MSE SET, INTERNAL AUTHENTICATE, PSO (ISO/IEC 7816-4 §11.5, 7816-8 §11).

use card::{Command, Status};
use openssl::rand::rand_bytes;

use crate::applet::broken;
use crate::command::{no_data, parameters};
use crate::eid::access::Mode;
use crate::eid::keys;
use crate::eid::state::{KeyPair, Usage};
use crate::eid::turn::{Environment, Operation, Outcome, Reply, Turn};
use crate::objects::Objects;

/// `00 22 41 <A4 | B6 | B8>  80 <algorithm> 84 01 <key>`.
pub(crate) fn manage_security_environment(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    let (operation, algorithms): (_, &[&[u8]]) = match (command.p1(), command.p2()) {
        (0x41, 0xA4) => (
            Operation::Authenticate,
            &[&[0x04], &[0xFF, 0x20, 0x08, 0x00]],
        ),
        (0x41, 0xB6) => (Operation::Sign, &[&[0x54], &[0xFF, 0x15, 0x08, 0x00]]),
        (0x41, 0xB8) => (Operation::Agree, &[&[0x0B], &[0xFF, 0x30, 0x04, 0x00]]),
        _ => return Err(Status::WRONG_P1_P2),
    };
    let template = Objects::parse(command.data(), &[0x80, 0x84])?;
    if !algorithms.contains(&template.need(0x80)?) {
        return Err(Status::WRONG_DATA);
    }
    let key = template.byte(0x84)?;
    if keys::find(turn, key)?.usage != operation.usage() {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    turn.volatile.environment = Some(Environment { operation, key });
    Ok(Reply::done())
}

/// `00 88 00 00 <hash> 00`.
pub(crate) fn internal_authenticate(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    parameters(command, 0x00, 0x00)?;
    sign(turn, Operation::Authenticate, command.data())
}

/// `00 2A 9E 9A <hash> 00` signs, `00 2A 80 86 A6 { 7F49 { 86 <point> } } 00` agrees.
pub(crate) fn perform_security_operation(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    match (command.p1(), command.p2()) {
        (0x9E, 0x9A) => sign(turn, Operation::Sign, command.data()),
        (0x80, 0x86) => agree(turn, command.data()),
        _ => Err(Status::WRONG_P1_P2),
    }
}

/// `00 84 00 00 Le`.
pub(crate) fn get_challenge(_: &mut Turn<'_>, command: &Command) -> Outcome {
    parameters(command, 0x00, 0x00)?;
    no_data(command)?;
    let wanted = command.le().filter(|le| *le <= 256);
    let wanted = wanted.ok_or(Status::WRONG_LENGTH)?;
    let mut challenge = vec![0; wanted as usize];
    rand_bytes(&mut challenge).map_err(broken)?;
    Ok(challenge.into())
}

fn sign(turn: &mut Turn<'_>, operation: Operation, hash: &[u8]) -> Outcome {
    let key = prepared(turn, operation)?;
    let width = key.curve.width();
    if hash.len() != width {
        return Err(Status::WRONG_LENGTH);
    }
    let signature = key.curve.sign(&key.private, &key.public, hash);
    let signature = signature.map_err(broken)?;
    let work = Some(key.curve.work());
    // A qualified signature wants its PIN each time (EN 419 211-2, sole control).
    let used_up = match key.usage {
        Usage::Signature => key.rule.pin(Mode::Use),
        Usage::Authentication => None,
    };
    if let Some(pin) = used_up.and_then(|number| turn.visible_pin(number)) {
        turn.forget(pin);
    }
    turn.work.signed = work;
    Ok(signature.into())
}

fn agree(turn: &mut Turn<'_>, data: &[u8]) -> Outcome {
    let key = prepared(turn, Operation::Agree)?;
    let work = Some(key.curve.work());
    let other = Objects::single(Objects::single(data, 0xA6)?, 0x7F49)?;
    let other = Objects::single(other, 0x86)?;
    let shared = key.curve.agree(&key.private, &key.public, other);
    let shared = shared.map_err(broken)?.ok_or(Status::WRONG_DATA)?;
    turn.work.signed = work;
    Ok(shared.into())
}

/// Returns the key that MSE SET prepared for this, where its rule allows its use.
fn prepared<'a>(turn: &'a Turn<'_>, operation: Operation) -> Result<&'a KeyPair, Status> {
    let environment = turn.volatile.environment;
    let environment = environment.filter(|environment| environment.operation == operation);
    let environment = environment.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
    let key = keys::find(turn, environment.key)?;
    if key.rule.allows(Mode::Use, turn) {
        Ok(key)
    } else {
        Err(Status::SECURITY_STATUS_NOT_SATISFIED)
    }
}
