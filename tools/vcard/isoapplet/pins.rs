//! PIN and PUK: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER.

use card::{Command, Status};
use zeroize::Zeroizing;

use super::Version;
use super::applet::{IsoApplet, NOT_ALLOWED, Outcome};
use super::memory::{Code, Phase};
use crate::applet::Work;

/// Longest PIN; every PIN is kept padded to it with 00.
const LONGEST: usize = 16;
const SHORTEST: usize = 4;
/// Length of the PUK, always.
const PUK: usize = 16;

impl IsoApplet {
    /// `00 20 00 01 <PIN>`; without data: how many tries are left.
    pub(super) fn verify(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if (command.p1(), command.p2()) != (0x00, 0x01) {
            return Err(Status::WRONG_P1_P2);
        }
        let pin = command.data();
        if pin.is_empty() {
            return match self.memory.phase {
                // Verified or not: that is not told.
                Phase::Activated => Err(tries_left(&self.memory.pin)),
                Phase::Creation | Phase::Initialisation => Ok(Vec::new()),
            };
        }
        let pin = padded(pin)?;
        work.written += 1;
        let right = self.memory.pin.check(&pin[..]);
        self.session.verified = right;
        self.session.authenticated = right;
        if right {
            Ok(Vec::new())
        } else {
            Err(tries_left(&self.memory.pin))
        }
    }

    /// `00 24 01 02 <PUK>` and `00 24 01 01 <PIN>` set, once; `00 24 00 01 <old> <new>`,
    /// both padded, changes the PIN.
    pub(super) fn change_reference_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let data = command.data();
        let parameters = (command.p1(), command.p2());
        match (self.memory.phase, parameters) {
            (Phase::Creation, (0x01, 0x02)) => {
                if data.len() != PUK {
                    return Err(Status::WRONG_LENGTH);
                }
                self.memory.puk.set(data);
                self.memory.phase = Phase::Initialisation;
            }
            (Phase::Creation | Phase::Initialisation, (0x01, 0x01)) => {
                let pin = padded(data)?;
                self.memory.pin.set(&pin[..]);
                self.memory.phase = Phase::Activated;
            }
            (Phase::Activated, (0x00, 0x01)) => {
                let Some((old, new)) = data.split_at_checked(LONGEST) else {
                    return Err(Status::WRONG_LENGTH);
                };
                if new.len() != LONGEST {
                    return Err(Status::WRONG_LENGTH);
                }
                // Right or wrong, the PIN does not count as verified afterwards: a wrong
                // value ends that, and so does a new one.
                self.session.verified = false;
                work.written += 1;
                if !self.memory.pin.check(old) {
                    return Err(tries_left(&self.memory.pin));
                }
                self.memory.pin.set(new);
            }
            _ => return Err(Status::WRONG_P1_P2),
        }
        work.written += LONGEST;
        Ok(Vec::new())
    }

    /// `00 2C 00 01 <PUK> <new PIN>`.
    pub(super) fn reset_retry_counter(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if self.memory.phase != Phase::Activated {
            return Err(NOT_ALLOWED);
        }
        let Some((puk, pin)) = command.data().split_at_checked(PUK) else {
            return Err(Status::WRONG_LENGTH);
        };
        let pin = padded(pin)?;
        if (command.p1(), command.p2()) != (0x00, 0x01) {
            return Err(Status::WRONG_P1_P2);
        }
        if self.build.version == Version::V1 && self.memory.puk.value.is_none() {
            return Err(Status::new(0x63C0));
        }
        work.written += 1;
        if !self.memory.puk.check(puk) {
            return Err(tries_left(&self.memory.puk));
        }
        self.memory.pin.set(&pin[..]);
        self.session.verified = false;
        work.written += LONGEST;
        Ok(Vec::new())
    }
}

/// Pads a PIN, where it has an allowed length.
fn padded(pin: &[u8]) -> Result<Zeroizing<[u8; LONGEST]>, Status> {
    if !(SHORTEST..=LONGEST).contains(&pin.len()) {
        return Err(Status::WRONG_LENGTH);
    }
    let mut padded = Zeroizing::new([0; LONGEST]);
    for (to, from) in padded.iter_mut().zip(pin) {
        *to = *from;
    }
    Ok(padded)
}

fn tries_left(code: &Code) -> Status {
    Status::new(0x63C0 | u16::from(code.left))
}
