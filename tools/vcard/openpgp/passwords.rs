//! PW1, PW3 and the resetting code: VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER
//! (*§4.3, §7.2.2 to §7.2.4*).

use std::ops::RangeInclusive;

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::{OpenPgp, Outcome};
use crate::applet::{Answer, Work};
use crate::secret::Secret;

/// Tries after a success.
const TRIES: u8 = 3;
/// Longest password, bytes.
pub(super) const LONGEST: u8 = 127;
/// PW1 for signatures; also what CHANGE and RESET mean PW1 by.
const PW1_SIGN: u8 = 0x81;
/// PW1 for everything else.
const PW1_OTHER: u8 = 0x82;
/// PW3.
const PW3: u8 = 0x83;

/// What a password is for; its length depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Pw1,
    Pw3,
    ResettingCode,
}

impl Kind {
    fn shortest(self) -> usize {
        match self {
            Self::Pw1 => 6,
            Self::Pw3 | Self::ResettingCode => 8,
        }
    }

    fn lengths(self) -> RangeInclusive<usize> {
        self.shortest()..=usize::from(LONGEST)
    }

    /// Wants a value to be as long as such a password may be.
    pub(super) fn fits(self, value: &[u8]) -> Result<(), Status> {
        if self.lengths().contains(&value.len()) {
            Ok(())
        } else {
            Err(Status::WRONG_LENGTH)
        }
    }
}

/// A password with its error counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Password {
    value: Secret,
    kind: Kind,
    left: u8,
}

impl Password {
    /// Makes a password with all its tries.
    pub(super) fn new(value: impl Into<Vec<u8>>, kind: Kind) -> Self {
        let value = Secret::new(value);
        let left = TRIES;
        Self { value, kind, left }
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
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        self.left = TRIES;
        work.written += 1;
        Ok(())
    }

    /// Cuts `this password ‖ a new one`: as long as this one, and the rest.
    fn cut<'a>(&self, data: &'a [u8], new: Kind) -> Result<(&'a [u8], &'a [u8]), Status> {
        self.usable()?;
        if data.len() < self.kind.shortest() + new.shortest() {
            return Err(Status::WRONG_LENGTH);
        }
        let at = self.value.bytes().len().min(data.len());
        Ok(data.split_at(at))
    }

    /// Sets a new value, with all its tries.
    fn replace(&mut self, value: &[u8], work: &mut Work) {
        *self = Self::new(value, self.kind);
        work.written += value.len() + 1;
    }
}

impl OpenPgp {
    /// `00 20 00 <81 | 82 | 83> <password>`; without one asks; `00 20 FF <…>` forgets.
    pub(super) fn verify(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let (password, flag) = match command.p2() {
            PW1_SIGN => (&mut self.memory.pw1, &mut self.session.sign),
            PW1_OTHER => (&mut self.memory.pw1, &mut self.session.other),
            PW3 => (&mut self.memory.pw3, &mut self.session.admin),
            _ => return Err(Status::WRONG_PARAMETERS),
        };
        match (command.p1(), command.data()) {
            (0xFF, []) => *flag = false,
            (0x00, []) if *flag => {}
            (0x00, []) => return Err(Status::new(0x63C0 | u16::from(password.left))),
            (0xFF, _) => return Err(Status::WRONG_LENGTH),
            (0x00, given) => {
                password.kind.fits(given)?;
                let proved = password.prove(given, work);
                *flag = proved.is_ok();
                if proved.is_err() && command.p2() != PW3 {
                    self.forget_pw1();
                }
                proved?;
            }
            _ => return Err(Status::WRONG_PARAMETERS),
        }
        Ok(Answer::done())
    }

    /// `00 24 00 <81 | 83> <old> <new>`.
    pub(super) fn change_reference_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let password = match (command.p1(), command.p2()) {
            (0x00, PW1_SIGN) => &mut self.memory.pw1,
            (0x00, PW3) => &mut self.memory.pw3,
            _ => return Err(Status::WRONG_PARAMETERS),
        };
        let (old, new) = password.cut(command.data(), password.kind)?;
        let proved = password.prove(old, work);
        let changed = proved.and_then(|()| {
            password.kind.fits(new)?;
            password.replace(new, work);
            Ok(Answer::done())
        });
        if command.p2() == PW3 {
            self.session.admin = changed.is_ok();
        } else {
            self.forget_pw1();
        }
        changed
    }

    /// `00 2C 00 81 <resetting code> <new PW1>`, or with PW3 verified `00 2C 02 81 <new PW1>`.
    pub(super) fn reset_retry_counter(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let new = match (command.p1(), command.p2()) {
            (0x00, PW1_SIGN) => {
                let code = self.memory.resetting_code.as_mut();
                // No code, no tries: C4 says 0 then.
                let code = code.ok_or(Status::AUTHENTICATION_BLOCKED)?;
                let (given, new) = code.cut(command.data(), Kind::Pw1)?;
                code.prove(given, work)?;
                new
            }
            (0x02, PW1_SIGN) => {
                self.admin()?;
                command.data()
            }
            _ => return Err(Status::WRONG_PARAMETERS),
        };
        Kind::Pw1.fits(new)?;
        self.memory.pw1.replace(new, work);
        self.forget_pw1();
        Ok(Answer::done())
    }

    fn forget_pw1(&mut self) {
        self.session.sign = false;
        self.session.other = false;
    }
}
