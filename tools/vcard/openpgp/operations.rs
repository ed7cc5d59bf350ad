//! What the keys do: PERFORM SECURITY OPERATION and INTERNAL AUTHENTICATE (*§7.2.10 to
//! §7.2.13*).

use card::{Command, Status};

use super::keys::Role;
use super::{OpenPgp, Outcome, allowed, parameters};
use crate::applet::Work;

/// Where the signature counter stays.
const MOST_SIGNATURES: u32 = 0xFF_FFFF;

impl OpenPgp {
    /// `00 2A 9E 9A <DigestInfo or hash> 00`, `00 2A 80 86 <cryptogram> 00`.
    pub(super) fn perform_security_operation(
        &mut self,
        command: &Command,
        work: &mut Work,
    ) -> Outcome {
        match (command.p1(), command.p2()) {
            (0x9E, 0x9A) => self.sign(command, work),
            (0x80, 0x86) => {
                allowed(self.session.other)?;
                let key = self.memory.key(Role::Decipher)?;
                let plain = key.decipher(command.data())?;
                work.signed = Some(key.work());
                Ok(plain.into())
            }
            _ => Err(Status::WRONG_PARAMETERS),
        }
    }

    /// Signs, counts, and forgets PW1 where it is good for one signature.
    fn sign(&mut self, command: &Command, work: &mut Work) -> Outcome {
        allowed(self.session.sign)?;
        let key = self.memory.key(Role::Sign)?;
        let signature = key.sign(command.data())?;
        work.signed = Some(key.work());
        work.written += 3;
        self.memory.signatures = MOST_SIGNATURES.min(self.memory.signatures + 1);
        self.session.sign = self.memory.several;
        Ok(signature.into())
    }

    /// `00 88 00 00 <DigestInfo or hash> 00`.
    pub(super) fn internal_authenticate(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        allowed(self.session.other)?;
        let key = self.memory.key(Role::Authenticate)?;
        let signature = key.sign(command.data())?;
        work.signed = Some(key.work());
        Ok(signature.into())
    }
}
