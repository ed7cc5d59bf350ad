//! What the centre gives, and what is done with it.

use std::collections::BTreeMap;

use profile::Value;

use super::{Answers, Asked, Executor, Running, plain};
use crate::channel::{Authenticate, ChannelState};
use crate::fault::Fault;
use crate::journal::Moment;
use crate::request::Grant;

impl Executor {
    pub(super) fn given(&mut self, id: u32, grant: Grant) -> Result<(), Fault> {
        let Some(asked) = self.outstanding.remove(&id) else {
            return Ok(());
        };
        if self.fault.is_some() {
            // A certificate that arrives after the fault is still one to revoke.
            if let (Asked::Certificate(key), Grant::Certificate(der)) = (asked, grant) {
                self.certificates.insert(key, der);
            }
            return Ok(());
        }
        match (asked, grant) {
            (Asked::Certificate(key), Grant::Certificate(der)) => self.certified(key, der),
            (Asked::Channel, grant) => {
                self.awaiting_grant = false;
                let level = self.plan.chip.channel.level;
                let command = self
                    .channel
                    .authenticate(grant, level)
                    .map_err(|why| match why {
                        Authenticate::Cryptogram => self.wrong_keys(),
                        Authenticate::OutOfTurn => self.out_of_turn(),
                    })?;
                self.running = Some(Running::Authenticate);
                self.commands.push_back(plain(command));
                Ok(())
            }
            (Asked::Seal, Grant::Sealed(commands)) => {
                self.awaiting_grant = false;
                self.channel = ChannelState::Carried;
                self.answers = Answers::default();
                self.running = Some(Running::Sealed);
                self.commands = commands.into_iter().map(plain).collect();
                Ok(())
            }
            (Asked::Confirm, Grant::Confirmed) => {
                self.awaiting_grant = false;
                self.done += self.pending.len();
                self.pending.clear();
                self.note(self.stage_name(), Moment::Outcome, BTreeMap::new());
                Ok(())
            }
            (Asked::Step(index), Grant::PutKey { command, kcvs }) => {
                self.awaiting_grant = false;
                let expected: Vec<u8> = kcvs.concat();
                self.variables.set("put_key.kcvs", Value::bytes(expected));
                self.running = Some(Running::Step { index });
                self.commands.push_back(plain(command));
                Ok(())
            }
            _ => Err(self.out_of_turn()),
        }
    }

    pub(super) fn out_of_turn(&self) -> Fault {
        Fault::Centre {
            step: self.what(),
            cause: "it answered something else than was asked".into(),
        }
    }

    pub(super) fn certified(&mut self, key: String, der: Vec<u8>) -> Result<(), Fault> {
        self.certificates.insert(key.clone(), der.clone());
        let point = self
            .variables
            .bytes(&format!("key.{key}.public"))
            .unwrap_or_default();
        let wrong = |cause: String| Fault::Certificate {
            key: key.clone(),
            cause,
        };
        let certificate =
            cert::Certificate::parse(&der).map_err(|error| wrong(error.to_string()))?;
        if !certificate.matches_public_key(point) {
            return Err(wrong(
                "its public key is not the one that the chip made".into(),
            ));
        }
        self.variables
            .set(format!("certificate.{key}"), Value::bytes(der));
        Ok(())
    }
}
