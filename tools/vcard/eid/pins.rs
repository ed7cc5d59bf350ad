//! PINs in use: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (ISO/IEC 7816-4 §11.6).

use card::{Command, Status};

use crate::command::{exactly, no_data};
use crate::eid::access::Mode;
use crate::eid::pin_objects::FIELD;
use crate::eid::state::Pin;
use crate::eid::turn::{Outcome, Reply, Turn};
use crate::secret::Secret;

/// Reference of the PUK.
const PUK: u8 = 0x02;

/// `00 20 00 <reference> <PIN>`; without PIN asks; `00 20 FF <reference>` forgets.
pub(crate) fn verify(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    let index = turn.pin(command.p2())?;
    match (command.p1(), command.data().len()) {
        (0xFF, 0) => {
            turn.forget(index);
            Ok(Reply::done())
        }
        (0x00, 0) => {
            let verified = turn.volatile.verified.contains(&index);
            let pin = turn.pin_at(index)?;
            match usable(pin)? {
                _ if verified => Ok(Reply::done()),
                left => Err(wrong(left)),
            }
        }
        (0x00, _) => {
            permitted(turn, index, Mode::Verify)?;
            prove(turn, index, &exactly(command)?)?;
            turn.volatile.verified.push(index);
            Ok(Reply::done())
        }
        (0xFF, _) => Err(Status::WRONG_LENGTH),
        _ => Err(Status::WRONG_P1_P2),
    }
}

/// `00 24 00 <reference> <old> <new>`, or `00 24 01 <reference> <new>` by the issuer.
pub(crate) fn change_reference_data(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    match command.p1() {
        0x00 => {
            let index = turn.pin(command.p2())?;
            let (old, new) = pair(command)?;
            permitted(turn, index, Mode::Change)?;
            let new = acceptable(turn.pin_at(index)?, &new)?;
            prove(turn, index, &old)?;
            turn.pin_at(index)?.value = Some(new);
        }
        0x01 => {
            turn.confidential()?;
            turn.personalizing()?;
            let index = turn.pin(command.p2())?;
            let new = exactly(command)?;
            replace(turn, index, Some(&new))?;
        }
        _ => return Err(Status::WRONG_P1_P2),
    }
    Ok(Reply::done())
}

/// `00 2C <00 PUK and new | 01 PUK | 02 new | 03> <reference> …`.
pub(crate) fn reset_retry_counter(turn: &mut Turn<'_>, command: &Command) -> Outcome {
    if command.p1() > 0x03 {
        return Err(Status::WRONG_P1_P2);
    }
    let index = turn.pin(command.p2())?;
    match command.p1() {
        0x00 => {
            let (puk, new) = pair(command)?;
            encrypted_in_session(turn)?;
            let resetting = resetting(turn, index)?;
            acceptable(turn.pin_at(index)?, &new)?;
            prove(turn, resetting, &puk)?;
            replace(turn, index, Some(&new))?;
        }
        0x01 => {
            let puk = exactly(command)?;
            encrypted_in_session(turn)?;
            let resetting = resetting(turn, index)?;
            // Before the PUK is tried: there are no tries to give back without a value.
            has_value(turn.pin_at(index)?)?;
            prove(turn, resetting, &puk)?;
            replace(turn, index, None)?;
        }
        0x02 => {
            let new = exactly(command)?;
            encrypted_in_session(turn)?;
            permitted(turn, index, Mode::Reset)?;
            replace(turn, index, Some(&new))?;
        }
        _ => {
            no_data(command)?;
            permitted(turn, index, Mode::Reset)?;
            replace(turn, index, None)?;
        }
    }
    Ok(Reply::done())
}

/// Wants a session, where there is one, to encrypt the values that the command carries.
fn encrypted_in_session(turn: &Turn<'_>) -> Result<(), Status> {
    if turn.session().is_ok() {
        turn.confidential()?;
    }
    Ok(())
}

/// Finds the PUK for another PIN; a PUK does not reset itself.
fn resetting(turn: &Turn<'_>, index: usize) -> Result<usize, Status> {
    let puk = turn.pin(PUK)?;
    if puk == index {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    Ok(puk)
}

/// Gives a PIN its tries back, and a new value; it has to be verified anew.
fn replace(turn: &mut Turn<'_>, index: usize, new: Option<&[u8; FIELD]>) -> Result<(), Status> {
    let pin = turn.pin_at(index)?;
    match new {
        Some(new) => pin.value = Some(acceptable(pin, new)?),
        None => has_value(pin)?,
    }
    pin.left = pin.max;
    turn.forget(index);
    Ok(())
}

/// Compares a PIN. The try is taken and written before the comparison, and given back after
/// it: taking the power away in between costs the try.
fn prove(turn: &mut Turn<'_>, index: usize, given: &[u8; FIELD]) -> Result<(), Status> {
    turn.forget(index);
    // Only the counter may be written ahead, not what the command has changed so far.
    debug_assert!(
        turn.state == *turn.committed,
        "nothing changes before the PIN is proved"
    );
    let pin = turn.pin_at(index)?;
    let left = usable(pin)? - 1;
    pin.left = left;
    turn.commit()?;
    let pin = turn.pin_at(index)?;
    if !pin.value.as_ref().is_some_and(|value| value.matches(given)) {
        return Err(wrong(left));
    }
    pin.left = pin.max;
    Ok(())
}

/// Returns the tries left of a PIN that can be tried.
fn usable(pin: &Pin) -> Result<u8, Status> {
    match (&pin.value, pin.left) {
        (None, _) => Err(Status::REFERENCE_DATA_NOT_USABLE),
        (_, 0) => Err(Status::AUTHENTICATION_BLOCKED),
        (_, left) => Ok(left),
    }
}

fn has_value(pin: &Pin) -> Result<(), Status> {
    match pin.value {
        Some(_) => Ok(()),
        None => Err(Status::REFERENCE_DATA_NOT_USABLE),
    }
}

fn wrong(left: u8) -> Status {
    Status::new(0x63C0 | u16::from(left))
}

fn permitted(turn: &Turn<'_>, index: usize, mode: Mode) -> Result<(), Status> {
    let pin = turn.state.pins.get(index).ok_or(Status::UNKNOWN)?;
    if pin.rule.allows(mode, turn) {
        Ok(())
    } else {
        Err(Status::SECURITY_STATUS_NOT_SATISFIED)
    }
}

fn pair(command: &Command) -> Result<([u8; FIELD], [u8; FIELD]), Status> {
    let both: [u8; 2 * FIELD] = exactly(command)?;
    let (first, second) = both.split_at(FIELD);
    let half = |half: &[u8]| half.try_into().map_err(|_| Status::WRONG_LENGTH);
    Ok((half(first)?, half(second)?))
}

/// Accepts a new value: at least so many digits as the PIN wants, then FF.
fn acceptable(pin: &Pin, field: &[u8; FIELD]) -> Result<Secret, Status> {
    let digits = field
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let padding = field.iter().skip(digits).all(|byte| *byte == 0xFF);
    if digits >= usize::from(pin.minimum) && padding {
        Ok(Secret::new(field.to_vec()))
    } else {
        Err(Status::WRONG_DATA)
    }
}
