//! The holder's PIN, reference 80: 4 to 16 bytes, three tries, no PUK.

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::{Gids, NOT_ALLOWED, Outcome};
use crate::applet::{Answer, Work};
use crate::objects::object;
use crate::secret::Secret;

/// Lengths of a PIN, bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=16;
/// Tries of a PIN.
const TRIES: u8 = 3;

/// The PIN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    value: Option<Secret>,
    left: u8,
}

impl Default for Pin {
    fn default() -> Self {
        Self {
            value: None,
            left: TRIES,
        }
    }
}

impl Pin {
    /// Returns tries left and tries, as GET DATA 7F71 has them.
    pub(super) fn tries(&self) -> Vec<u8> {
        [object::<0x97>(&[self.left]), object::<0x93>(&[TRIES])].concat()
    }

    /// Returns 63Cx.
    fn left(&self) -> Status {
        Status::new(0x63C0 | u16::from(self.left))
    }

    fn length(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.bytes().len())
    }

    /// Takes a new value over; all tries are back.
    fn set(&mut self, value: &[u8], work: &mut Work) {
        work.written += value.len() + 1;
        self.value = Some(Secret::new(value));
        self.left = TRIES;
    }

    /// Compares: the try is gone first, and comes back with all others where it was right.
    fn check(&mut self, value: &[u8], work: &mut Work) -> Result<(), Status> {
        if self.left == 0 {
            return Err(Status::AUTHENTICATION_BLOCKED);
        }
        work.written += 1;
        self.left -= 1;
        let right = self.value.as_ref();
        if !right.is_some_and(|right| right.matches(value)) {
            return Err(self.left());
        }
        self.left = TRIES;
        Ok(())
    }
}

/// Wants a PIN reference.
fn reference(p2: u8) -> Result<(), Status> {
    if matches!(p2, 0x00 | 0x80) {
        Ok(())
    } else {
        Err(Status::REFERENCE_NOT_FOUND)
    }
}

/// Wants a length that a PIN may have.
fn acceptable(value: &[u8]) -> Result<(), Status> {
    if LENGTHS.contains(&value.len()) {
        Ok(())
    } else {
        Err(Status::WRONG_LENGTH)
    }
}

impl Gids {
    /// `00 20 00 80 <PIN>`; without data asks for the tries; P2 82 forgets everybody.
    pub(super) fn verify(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if command.p1() != 0x00 {
            return Err(Status::WRONG_P1_P2);
        }
        if command.p2() == 0x82 {
            self.session.deauthenticate();
            return Ok(Answer::done());
        }
        reference(command.p2())?;
        let pin = &mut self.memory.pin;
        if pin.left == 0 {
            return Err(Status::AUTHENTICATION_BLOCKED);
        }
        let data = command.data();
        if data.is_empty() && !self.memory.operational {
            return Ok(Answer::done());
        }
        if !LENGTHS.contains(&data.len()) {
            return Err(pin.left());
        }
        self.session.verified = false;
        pin.check(data, work)?;
        self.session.verified = true;
        Ok(Answer::done())
    }

    /// `00 24 00 80 <old> <new>`, or `00 24 01 80 <new>`: before the activation, or by the
    /// verified user.
    pub(super) fn change_reference_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let data = command.data();
        match command.p1() {
            0x00 => {
                reference(command.p2())?;
                let pin = &mut self.memory.pin;
                if !(LENGTHS.start() * 2..=LENGTHS.end() * 2).contains(&data.len()) {
                    return Err(pin.left());
                }
                let (old, new) = data.split_at(pin.length().min(data.len()));
                self.session.verified = false;
                pin.check(old, work)?;
                self.session.verified = true;
                acceptable(new)?;
                pin.set(new, work);
            }
            0x01 => {
                reference(command.p2())?;
                acceptable(data)?;
                if self.memory.operational && !self.session.verified {
                    return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
                }
                self.memory.pin.set(data, work);
                self.session.verified = false;
            }
            _ => return Err(Status::WRONG_P1_P2),
        }
        Ok(Answer::done())
    }

    /// `00 2C 02 80 <new>`, by the administrator, who is forgotten afterwards.
    pub(super) fn reset_retry_counter(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if !self.memory.operational {
            return Err(NOT_ALLOWED);
        }
        match (command.p1(), command.p2()) {
            (0x02, 0x80) => {}
            (0x02, _) => return Err(Status::REFERENCE_NOT_FOUND),
            _ => return Err(Status::WRONG_P1_P2),
        }
        if !self.session.administrator.is_proved() {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        acceptable(command.data())?;
        self.memory.pin.set(command.data(), work);
        self.session.deauthenticate();
        Ok(Answer::done())
    }
}
