//! PIN and PUK: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER (*SP 800-73-4 Part 2
//! §3.2.1 to §3.2.3*), and PivApplet's SET PIN RETRIES.

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::{Outcome, Piv, factory};
use crate::applet::{Answer, Work};
use crate::command::no_data;
use crate::secret::Secret;

/// Length of a PIN or PUK as sent, bytes.
const FIELD: usize = 8;
/// Key reference of the PIN.
const PIN: u8 = 0x80;
/// Key reference of the PUK.
const PUK: u8 = 0x81;
/// Fewest digits of a PIN or PUK.
const FEWEST: usize = 6;

/// A PIN or PUK with its retry counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reference {
    value: Secret,
    /// Tries after a success.
    most: u8,
    left: u8,
}

impl Reference {
    /// Makes a reference with all its tries.
    pub(super) fn new(value: [u8; FIELD], most: u8) -> Self {
        let value = Secret::new(value);
        let left = most;
        Self { value, most, left }
    }

    /// Says whether this is the value, for the question whether it is the default.
    pub(super) fn is(&self, value: &[u8]) -> bool {
        self.value.matches(value)
    }

    /// Returns the tries after a success.
    pub(super) fn most(&self) -> u8 {
        self.most
    }

    /// Returns the tries left.
    pub(super) fn left(&self) -> u8 {
        self.left
    }

    /// Wants at least one try left.
    fn usable(&self) -> Result<(), Status> {
        match self.left {
            0 => Err(Status::AUTHENTICATION_BLOCKED),
            _ => Ok(()),
        }
    }

    /// Compares. The try is taken before the comparison and given back after it.
    fn prove(&mut self, given: &[u8], work: &mut Work) -> Result<(), Status> {
        self.usable()?;
        self.left -= 1;
        work.written += 1;
        if !self.value.matches(given) {
            return Err(self.wrong());
        }
        self.left = self.most;
        work.written += 1;
        Ok(())
    }

    /// Sets a new value, with all its tries.
    fn replace(&mut self, value: Secret, work: &mut Work) {
        self.value = value;
        self.left = self.most;
        work.written += FIELD + 1;
    }

    fn wrong(&self) -> Status {
        Status::new(0x63C0 | u16::from(self.left & 0x0F))
    }
}

/// Accepts a new value (*SP 800-73-4 Part 2 §2.4.3*): six to eight digits, then FF. PivApplet
/// wants the PUK so, too.
fn acceptable(field: &[u8]) -> Result<Secret, Status> {
    let digits = field.iter().take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    let padding = field.iter().skip(digits).all(|byte| *byte == 0xFF);
    if field.len() == FIELD && digits >= FEWEST && padding {
        Ok(Secret::new(field))
    } else {
        Err(Status::WRONG_DATA)
    }
}

/// Cuts a data field of two values.
fn pair(command: &Command) -> Result<(&[u8], &[u8]), Status> {
    match command.data().split_at_checked(FIELD) {
        Some((first, second)) if second.len() == FIELD => Ok((first, second)),
        _ => Err(Status::WRONG_DATA),
    }
}

impl Piv {
    /// `00 20 00 80 08 <PIN>`; without PIN asks; `00 20 FF 80` forgets.
    pub(super) fn verify(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if !matches!(command.p1(), 0x00 | 0xFF) {
            return Err(Status::WRONG_P1_P2);
        }
        if command.p2() != PIN {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        self.memory.pin.usable()?;
        match (command.p1(), command.data().len()) {
            (0xFF, 0) => self.session.verified = false,
            (0x00, 0) if self.session.verified => {}
            (0x00, 0) => return Err(self.memory.pin.wrong()),
            (0x00, FIELD) => {
                self.prove_pin(command.data(), work)?;
                self.session.verified = true;
                self.session.just_verified = true;
            }
            _ => return Err(Status::WRONG_DATA),
        }
        Ok(Answer::done())
    }

    /// `00 24 00 <80 | 81> 10 <old> <new>`. A PIN has to be verified anew.
    pub(super) fn change_reference_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if command.p1() != 0x00 {
            return Err(Status::WRONG_P1_P2);
        }
        let is_pin = match command.p2() {
            PIN => true,
            PUK => false,
            _ => return Err(Status::REFERENCE_NOT_FOUND),
        };
        let (old, new) = pair(command)?;
        if is_pin {
            self.memory.pin.usable()?;
            let new = acceptable(new)?;
            self.prove_pin(old, work)?;
            self.memory.pin.replace(new, work);
        } else {
            self.memory.puk.usable()?;
            let new = acceptable(new)?;
            self.prove_puk(old, work)?;
            self.memory.puk.replace(new, work);
        }
        Ok(Answer::done())
    }

    /// `00 2C 00 80 10 <PUK> <new PIN>`. The PIN has to be verified anew.
    pub(super) fn reset_retry_counter(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if command.p1() != 0x00 {
            return Err(Status::WRONG_P1_P2);
        }
        if command.p2() != PIN {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        let (puk, new) = pair(command)?;
        self.memory.puk.usable()?;
        let new = acceptable(new)?;
        self.prove_puk(puk, work)?;
        self.session.verified = false;
        self.memory.pin.replace(new, work);
        Ok(Answer::done())
    }

    /// `00 FA <PIN tries> <PUK tries>`: new tries, and the default PIN and PUK again.
    pub(super) fn set_retries(&mut self, command: &Command, work: &mut Work) -> Outcome {
        self.managed()?;
        if !self.session.verified {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        no_data(command)?;
        // A status word has four bits for the tries left.
        let tries = 1..=0x0F;
        if !tries.contains(&command.p1()) || !tries.contains(&command.p2()) {
            return Err(Status::WRONG_P1_P2);
        }
        self.session.verified = false;
        self.memory.pin = Reference::new(factory::PIN, command.p1());
        self.memory.puk = Reference::new(factory::PUK, command.p2());
        work.written += 2 * (FIELD + 2);
        Ok(Answer::done())
    }

    fn prove_pin(&mut self, given: &[u8], work: &mut Work) -> Result<(), Status> {
        self.session.verified = false;
        let outcome = self.memory.pin.prove(given, work);
        self.destroy_keys_if_blocked(work);
        outcome
    }

    fn prove_puk(&mut self, given: &[u8], work: &mut Work) -> Result<(), Status> {
        let outcome = self.memory.puk.prove(given, work);
        self.destroy_keys_if_blocked(work);
        outcome
    }

    /// Destroys the private keys where neither PIN nor PUK can be tried any more: only RESET
    /// gives such a card back, to anybody.
    fn destroy_keys_if_blocked(&mut self, work: &mut Work) {
        if self.memory.pin.left == 0 && self.memory.puk.left == 0 {
            for slot in self.memory.slots.values_mut() {
                work.written += usize::from(slot.key.take().is_some());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_value_is_digits_and_padding() {
        for good in [&b"123456\xFF\xFF"[..], b"1234567\xFF", b"12345678"] {
            assert!(acceptable(good).is_ok(), "{good:?}");
        }
        for bad in [
            &b"12345\xFF\xFF\xFF"[..],
            b"123456\xFF7",
            b"12345a\xFF\xFF",
            b"123456\x00\x00",
            b"1234567",
        ] {
            assert_eq!(acceptable(bad), Err(Status::WRONG_DATA), "{bad:?}");
        }
    }
}
