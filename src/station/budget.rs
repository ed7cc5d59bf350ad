//! The budget of authentication attempts, kept where every command passes.
//!
//! ```text
//!   executor, inspector, centre ── command ──► Budgeted ──► card
//!                                                 │ presents a PIN or a key?
//!                                    intend (durable) … settle by the status word
//! ```
//!
//! A wrapper of the channel, since only there everything passes: what the executor does by itself,
//! what the centre sealed and nobody here can read, and what an inspector does without any plan.
//! A command is known by its header alone, so no secret has to be seen to be counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use card::attempts::{Account, AttemptError, AttemptStore, Budget, Guarded, Outcome};
use card::{Channel, ChannelError, Status};
use profile::{ChipProfile, Plan, Presentation, Verb};

/// CLA bit of a chain that goes on (*ISO/IEC 7816-4 §5.4.1*): its last piece is what counts.
const CHAINED: u8 = 0x10;
/// CLA and INS of INITIALIZE UPDATE (*GP Card Specification 2.3 §E.5.1*).
const INITIALIZE_UPDATE: [u8; 2] = [0x80, 0x50];
/// INS of EXTERNAL AUTHENTICATE (*GP Card Specification 2.3 §E.5.2*).
const EXTERNAL_AUTHENTICATE: u8 = 0x82;
/// Where the key version stands in the answer to INITIALIZE UPDATE.
const VERSION: usize = 10;
/// The longest answer to INITIALIZE UPDATE, in bytes (*GP Amendment D §7.1.1.6*, with S16).
const CHALLENGE: usize = 48;

/// Why an attempt was not made.
type Refused = Option<AttemptError>;

/// A channel that counts the attempts at a card's secrets, and refuses the one that could lock it.
pub struct Budgeted<C, S> {
    inner: C,
    store: S,
    card: String,
    presentations: Vec<Presentation>,
    /// The key sets of a GlobalPlatform channel by version, and how many failures lock each.
    versions: Vec<(u8, Option<u8>)>,
    /// What came so far of the chip's answer to INITIALIZE UPDATE.
    challenge: Option<Vec<u8>>,
    /// The version for which the chip gave its latest challenge.
    challenged: Option<u8>,
    force: bool,
    refused: Refused,
}

impl<C: Channel, S: AttemptStore> Budgeted<C, S> {
    /// Counts what passes through `inner` to the chip of this serial number; none for one that
    /// has none, and then all such chips share one account. `force` makes the attempt that could
    /// lock the card nevertheless.
    pub fn new(inner: C, store: S, chip: &ChipProfile, serial: Option<&str>, force: bool) -> Self {
        let sets = chip.channel.of_global_platform();
        let versions = sets.map(|(_, set)| (set.version, set.tries)).collect();
        Self {
            inner,
            store,
            card: account(chip, serial),
            presentations: chip.presentations(),
            versions,
            challenge: None,
            challenged: None,
            force,
            refused: None,
        }
    }

    /// Counts for the chip of this serial number from now on, which a plan is carried out on. The
    /// PINs that the plan makes have all their tries: what was tried before on a chip of this
    /// number was another value. Those with which the chip comes keep their account.
    ///
    /// # Errors
    /// [`AttemptError::Store`].
    pub(crate) fn identified(&mut self, serial: &str, plan: &Plan) -> Result<(), AttemptError> {
        self.account_for(serial, plan);
        let steps = plan.stages.iter().flat_map(|stage| &stage.steps);
        for step in steps.filter(|step| step.verb == Verb::CreatePin) {
            if let Some(rules) = plan.chip.pin_rules(&step.object) {
                self.learn_pin(&step.object, rules.tries)?;
            }
        }
        Ok(())
    }

    /// Counts for the chip of this serial number from now on, and forgets nothing of it.
    pub(crate) fn account_for(&mut self, serial: &str, plan: &Plan) {
        self.card = account(&plan.chip, Some(serial));
    }

    /// Returns the channel beneath.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    /// Returns why an attempt was not made, once.
    pub fn take_refusal(&mut self) -> Option<AttemptError> {
        self.refused.take()
    }

    /// Writes down that a PIN has all its tries: the card said so, or it is set anew before it is
    /// presented.
    ///
    /// # Errors
    /// [`AttemptError::Store`].
    pub fn learn_pin(&mut self, pin: &str, left: u8) -> Result<(), AttemptError> {
        let what = self.guarded(format!("pin/{pin}"));
        self.store.learn(&what, left)
    }

    fn guarded(&self, secret: String) -> Guarded {
        Guarded {
            card: self.card.clone(),
            secret,
        }
    }

    /// Returns the secret that a command presents, and how often it may be.
    fn presented(&self, command: &[u8]) -> Option<(Guarded, Budget)> {
        let [cla, ins, ..] = *command else {
            return None;
        };
        if cla & CHAINED != 0 {
            return None;
        }
        let budget = |tries: Option<u8>| Budget {
            limit: tries.map(u32::from),
            ..Budget::default()
        };
        if ins == EXTERNAL_AUTHENTICATE
            && let Some(version) = self.challenged
        {
            let set = self.versions.iter().find(|(known, _)| *known == version);
            let what = self.guarded(key(version));
            return Some((what, budget(set.and_then(|(_, tries)| *tries))));
        }
        let found = self.presentation(command)?;
        (!asks(command)).then(|| (self.guarded(found.secret.clone()), budget(found.tries)))
    }

    fn presentation(&self, command: &[u8]) -> Option<&Presentation> {
        let mut presentations = self.presentations.iter();
        presentations.find(|presentation| presentation.fits(command))
    }

    /// Takes the card's own word for how many tries are left, where it was asked.
    fn note_tries(&mut self, command: &[u8], answer: &[u8]) {
        let found = self.presentation(command).filter(|_| asks(command));
        let Some(what) = found.map(|found| self.guarded(found.secret.clone())) else {
            return;
        };
        if let Outcome::Refused { left: Some(left) } = outcome(answer)
            && let Err(error) = self.store.learn(&what, left)
        {
            tracing::warn!("what the card said of its tries was not written down: {error}");
        }
    }

    /// Follows the handshake up to the version of the keys for which the chip gave its challenge:
    /// that may come in pieces, as it does over T=0.
    fn note_challenge(&mut self, command: &[u8], answer: &[u8]) {
        let begins = command.first_chunk() == Some(&INITIALIZE_UPDATE) && !self.versions.is_empty();
        if begins {
            self.challenge = Some(Vec::new());
        } else if !is_get_response(command) {
            // Whatever comes between ends the handshake.
            self.challenge = None;
        }
        if !is_get_response(command) {
            self.challenged = None;
        }
        let Some(challenge) = &mut self.challenge else {
            return;
        };
        let room = CHALLENGE.saturating_sub(challenge.len());
        let data = answer.get(..answer.len().saturating_sub(2));
        challenge.extend(data.unwrap_or_default().iter().take(room));
        if is_ok(answer) {
            self.challenged = challenge.get(VERSION).copied();
            self.challenge = None;
        }
    }
}

/// Returns every secret of a chip whose attempts are counted, and what is known of it.
///
/// # Errors
/// [`AttemptError::Store`].
pub(crate) fn accounts(
    store: &mut impl AttemptStore,
    chip: &ChipProfile,
    serial: &str,
) -> Result<Vec<(Guarded, Account)>, AttemptError> {
    let pins = chip.presentations().into_iter().map(|one| one.secret);
    let keys = (chip.channel.of_global_platform()).map(|(_, set)| key(set.version));
    let secrets: BTreeSet<_> = pins.chain(keys).collect();
    let card = account(chip, Some(serial));
    let known = |secret| {
        let what = Guarded {
            card: card.clone(),
            secret,
        };
        store.account(&what).map(|account| (what, account))
    };
    secrets.into_iter().map(known).collect()
}

/// Counts for a chip that was in work at another station: what that one `told` of each secret, and one
/// attempt more, which it may have begun and not told.
///
/// # Errors
/// [`AttemptError::Store`].
pub(crate) fn take_over(
    store: &mut impl AttemptStore,
    chip: &ChipProfile,
    serial: &str,
    told: &BTreeMap<String, Account>,
) -> Result<(), AttemptError> {
    for (what, own) in accounts(store, chip, serial)? {
        let told = told.get(&what.secret).copied().unwrap_or_default();
        let left = [told.left(), own.left()].into_iter().flatten().min();
        let failures = match left {
            Some(left) => {
                let left = u8::try_from(left).unwrap_or(u8::MAX);
                store.learn(&what, left)?;
                0
            }
            None => told.failures(),
        };
        for _ in 0..=failures {
            store.intend(&what, &Budget::default(), true)?;
        }
    }
    Ok(())
}

/// Returns a card's name in the ledger.
fn account(chip: &ChipProfile, serial: Option<&str>) -> String {
    format!("{} {}", chip.name, serial.unwrap_or("-"))
}

/// Returns a GlobalPlatform key set's name in the ledger.
fn key(version: u8) -> String {
    format!("keys/{version:02X}")
}

fn is_ok(answer: &[u8]) -> bool {
    status(answer).is_some_and(Status::is_ok)
}

/// Returns whether a command that could present a secret has none: it asks for the tries left.
fn asks(command: &[u8]) -> bool {
    command.len() <= 5
}

fn is_get_response(command: &[u8]) -> bool {
    command.get(1) == Some(&0xC0)
}

fn status(answer: &[u8]) -> Option<Status> {
    let word = answer.last_chunk::<2>()?;
    Some(Status::new(u16::from_be_bytes(*word)))
}

/// Returns how the attempt ended, by the status word.
fn outcome(answer: &[u8]) -> Outcome {
    let Some(status) = status(answer) else {
        return Outcome::Unknown;
    };
    if status.is_ok() || status.more_available().is_some() {
        return Outcome::Accepted;
    }
    match (status, status.tries_left()) {
        (Status::AUTHENTICATION_BLOCKED, _) => Outcome::Refused { left: Some(0) },
        (_, Some(left)) => Outcome::Refused { left: Some(left) },
        (_, None) => Outcome::Refused { left: None },
    }
}

impl<C: Channel, S: AttemptStore + Send> Channel for Budgeted<C, S> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let presented = self.presented(command);
        if let Some((what, budget)) = &presented
            && let Err(error) = self.store.intend(what, budget, self.force)
        {
            let context = error.to_string();
            self.refused = Some(error);
            return Err(ChannelError::Device {
                context,
                source: None,
            });
        }
        // Without an answer the attempt stays open, and counts as failed.
        let answer = self.inner.transmit(command)?;
        if let Some((what, _)) = presented
            && let Err(error) = self.store.settle(&what, outcome(&answer))
        {
            tracing::warn!("an attempt stays open in the ledger, and counts as failed: {error}");
        }
        self.note_tries(command, &answer);
        self.note_challenge(command, &answer);
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.inner.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.challenge = None;
        self.challenged = None;
        self.inner.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        self.inner.set_patience(patience);
    }
}

#[cfg(test)]
#[path = "../../tests/station/budget.rs"]
mod tests;
