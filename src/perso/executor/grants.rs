//! What the centre gives, and what is done with it.

use std::collections::BTreeMap;

use cert::PublicKey;
use profile::{ObjectKind, Protocol, Rendered, Value, set_certificate, set_public_key};
use zeroize::Zeroizing;

use super::{Answers, Asked, Executor, Running};
use crate::channel::{Authenticate, ChannelState};
use crate::fault::Fault;
use crate::journal::Moment;
use crate::request::Grant;
use crate::resume::PUBLIC_KEYS;
use crate::step::challenge_variable;

/// The least bytes of a challenge: fewer could have been signed before.
const LEAST_CHALLENGE: usize = 16;

impl Executor {
    pub(super) fn given(&mut self, id: u32, grant: Grant) -> Result<(), Fault> {
        let Some(asked) = self.outstanding.remove(&id) else {
            return Ok(());
        };
        if self.fault.is_some() {
            // A certificate that arrives after the fault is still one to revoke.
            if let (Asked::Certificate(key), Grant::Certificate { der, .. }) = (asked, grant) {
                self.certificates.insert(key, der);
            }
            return Ok(());
        }
        match (asked, grant) {
            (Asked::Certificate(key), Grant::Certificate { der, challenge }) => {
                self.certified(key, der, challenge)
            }
            (Asked::Proof, Grant::Proved) => Ok(()),
            (Asked::Lds, Grant::SignedLds { files }) => self.lds_signed(files),
            (Asked::Claim, Grant::Claimed) => {
                self.awaiting_grant = false;
                Ok(())
            }
            (Asked::Channel, Grant::Proof { proof, answer }) => self.prove(proof, answer),
            (Asked::Channel, grant) => self.authenticate(grant),
            (Asked::Seal, Grant::Sealed { commands, publics }) => {
                self.awaiting_grant = false;
                let written = publics.iter();
                let written =
                    written.map(|(key, spki)| format!("{key}={}", hex::encode_upper(spki)));
                self.sealed_keys = written.collect::<Vec<_>>().join(" ");
                self.begins_sealed();
                for (key, spki) in publics {
                    self.imported(&key, &spki)?;
                }
                self.channel = ChannelState::Carried;
                self.answers = Answers::default();
                self.running = Some(Running::Sealed);
                let commands = commands.into_iter();
                self.commands = commands
                    .map(|(command, expect)| Rendered {
                        expect,
                        secret: true,
                        ..Rendered::plain(command)
                    })
                    .collect();
                Ok(())
            }
            (Asked::Confirm, Grant::Confirmed) => {
                self.awaiting_grant = false;
                self.done += self.pending.len();
                self.pending.clear();
                let keys = std::mem::take(&mut self.sealed_keys);
                let keys = (!keys.is_empty()).then_some((PUBLIC_KEYS, keys));
                self.note(
                    self.stage_name(),
                    Moment::Outcome,
                    keys.into_iter().collect(),
                );
                Ok(())
            }
            (
                Asked::Step(index),
                Grant::PutKeys {
                    commands,
                    answer,
                    kcv,
                },
            ) => {
                self.awaiting_grant = false;
                self.keys_asked_for = None;
                self.begins(self.step_name(index));
                match answer {
                    Some(answer) => self.variables.set("put_key.answer", Value::bytes(answer)),
                    None => self.variables.forget("put_key.answer"),
                }
                self.variables.set("put_key.kcv", Value::bytes(kcv));
                self.running = Some(Running::Step { index });
                let commands = commands.into_iter();
                self.commands = commands
                    .map(|command| Rendered {
                        secret: true,
                        ..Rendered::plain(command)
                    })
                    .collect();
                Ok(())
            }
            _ => Err(self.out_of_turn()),
        }
    }

    fn authenticate(&mut self, grant: Grant) -> Result<(), Fault> {
        self.awaiting_grant = false;
        let key_set = self.stage_key_set();
        let protocol = self.plan.chip.channel.protocol(&key_set);
        let Some(level) = protocol.level() else {
            return Err(self.out_of_turn());
        };
        let i = match protocol {
            Protocol::Scp02 { i, .. } => Some(*i),
            _ => None,
        };
        let command = self
            .channel
            .authenticate(grant, level, i)
            .map_err(|why| match why {
                Authenticate::Cryptogram => self.wrong_keys(),
                Authenticate::OutOfTurn => self.out_of_turn(),
                Authenticate::Channel(source) => Fault::Channel {
                    step: self.what(),
                    source,
                },
            })?;
        self.running = Some(Running::Authenticate);
        self.commands.push_back(Rendered::plain(command));
        Ok(())
    }

    /// Shows the chip the issuer's proof.
    fn prove(
        &mut self,
        proof: Zeroizing<Vec<u8>>,
        answer: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<(), Fault> {
        self.awaiting_grant = false;
        if !self.channel.prove(answer) {
            return Err(self.out_of_turn());
        }
        self.variables.set("channel.proof", Value::Bytes(proof));
        let object = self.object(ObjectKind::KeySet, &self.stage_key_set())?;
        self.running = Some(Running::Authenticate);
        self.answers = Answers::default();
        self.commands = self.render(None, |renderer| {
            renderer.open_channel(&object, true, &self.variables)
        })?;
        self.variables.forget("channel.proof");
        Ok(())
    }

    /// Notes a key pair that the centre made, whose public key the chip's files may hold.
    pub(super) fn imported(&mut self, key: &str, spki: &[u8]) -> Result<(), Fault> {
        let unusable = |cause: String| Fault::Certificate {
            key: key.to_owned(),
            cause: format!("the imported public key cannot be used: {cause}"),
        };
        let public = PublicKey::from_spki_der(spki).map_err(|error| unusable(error.to_string()))?;
        set_public_key(&mut self.variables, key, &public)
            .map_err(|error| unusable(error.to_string()))
    }

    /// Takes the files that hold the chip's keys: all of them, and nothing that was prepared.
    fn lds_signed(&mut self, files: BTreeMap<String, Vec<u8>>) -> Result<(), Fault> {
        let wanted = self.plan.lds.as_ref().map(|lds| &lds.files);
        if !wanted.is_some_and(|wanted| wanted.iter().eq(files.keys())) {
            return Err(self.out_of_turn());
        }
        for (name, file) in files {
            self.variables
                .set(format!("prepared.{name}"), Value::bytes(file));
        }
        Ok(())
    }

    pub(super) fn out_of_turn(&self) -> Fault {
        Fault::Centre {
            step: self.what(),
            cause: "it answered something else than was asked".into(),
        }
    }

    pub(super) fn certified(
        &mut self,
        key: String,
        der: Vec<u8>,
        challenge: Vec<u8>,
    ) -> Result<(), Fault> {
        self.certificates.insert(key.clone(), der.clone());
        if challenge.len() < LEAST_CHALLENGE {
            return Err(Fault::Centre {
                step: self.what(),
                cause: "it gave no challenge for the chip to sign".into(),
            });
        }
        let wrong = |cause: String| Fault::Certificate {
            key: key.clone(),
            cause,
        };
        let certificate =
            cert::Certificate::parse(&der).map_err(|error| wrong(error.to_string()))?;
        let spki = self.variables.bytes(&format!("key.{key}.spki"));
        let public = PublicKey::from_spki_der(spki.unwrap_or_default())
            .map_err(|error| wrong(error.to_string()))?;
        if !certificate.matches(&public) {
            return Err(wrong(
                "its public key is not the one that the chip made".into(),
            ));
        }
        set_certificate(&mut self.variables, &key, &certificate);
        self.variables
            .set(challenge_variable(&key), Value::bytes(challenge));
        Ok(())
    }
}
