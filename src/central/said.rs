//! What a chip said before its channel opens, and what makes the answer to it of use: for that, one
//! challenge is answered for one purpose.

use std::collections::BTreeSet;

use api::{ChannelOpening, LeaseId};
use card::gp::Diversification;
use profile::{ChipProfile, KeySet, KeySource, Protocol, Template};
use sha2::{Digest, Sha256};

use crate::channels::Purpose;
use crate::error::{CentralError, Result};
use crate::keys::{answer, of_chip, set};

/// What makes what a station gets of use to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Both challenges: session keys of SCP03 follow from them together (*GP Amendment D
    /// §6.2.1*).
    Pair,
    /// The chip's sequence counter: session keys of SCP02 follow from it alone, and it stays
    /// until a channel is really opened (*GP Card Specification 2.3 §E.4.1*).
    Counter,
    /// What the chip said that the proof answers, whatever the host says beside it.
    Challenge,
    /// Nothing: the proof is always the same.
    Nothing,
}

/// What a chip said before its channel opens, as the books keep it: one challenge is answered for
/// one purpose.
pub(crate) struct Said {
    pub(crate) binding: Binding,
    pub(crate) books: Vec<u8>,
    /// A digest of all that the chip's own proof answers, the host's challenge with it: one proof
    /// is of use once. None where the chip proves nothing, or always the same.
    pub(crate) answers_to: Option<Vec<u8>>,
}

impl Said {
    /// Judges what a chip said.
    pub(crate) fn read(
        chip: &ChipProfile,
        (lease, serial): (LeaseId, &str),
        opening: &ChannelOpening,
        purpose: Purpose,
    ) -> Result<Self> {
        let set = set(chip, &opening.key_set)?;
        if set.protocol.is_global_platform() {
            let update = answer(chip, opening)?;
            belongs(set, serial, update.diversification())?;
            let challenge = update.card_challenge();
            return Ok(match (&set.protocol, update.sequence_counter()) {
                (Protocol::Scp02 { .. }, Some(counter)) => Self {
                    binding: Binding::Counter,
                    books: [counter, challenge].concat(),
                    answers_to: None,
                },
                _ => Self {
                    binding: Binding::Pair,
                    books: challenge.to_vec(),
                    answers_to: None,
                },
            });
        }
        let Some(challenge) = set.protocol.challenge() else {
            return Err(CentralError::invalid("this chip has no issuer's channel"));
        };
        let is_the_chips =
            |name: &String| name.starts_with("channel.") && !OF_THE_HOST.contains(&name.as_str());
        if !opening.answers.keys().all(is_the_chips) {
            return Err(CentralError::invalid(
                "what the chip said has names that no chip can say",
            ));
        }
        // Only what the proof answers: else another word beside it would make it another one.
        let mut answered = words(&challenge.proof);
        answered.retain(|name| !OF_THE_HOST.contains(name));
        let mut hash = Sha256::new();
        add_words(&mut hash, &answered, opening)?;
        let binding = if answered.is_empty() {
            for part in [lease.to_string().as_str(), &opening.key_set, purpose.name()] {
                add(&mut hash, part.as_bytes());
            }
            Binding::Nothing
        } else {
            Binding::Challenge
        };
        let mut proved = challenge.answer.as_ref().map(words).unwrap_or_default();
        let has_host = !opening.host_challenge.is_empty();
        proved.retain(|name| (*name == HOST && has_host) || !OF_THE_HOST.contains(name));
        let answers_to = match proved.is_empty() {
            true => None,
            false => {
                let mut hash = Sha256::new();
                add_words(&mut hash, &proved, opening)?;
                Some(hash.finalize().to_vec())
            }
        };
        Ok(Self {
            binding,
            books: hash.finalize().to_vec(),
            answers_to,
        })
    }

    /// Returns the part that no other purpose may have.
    pub(crate) fn bound(&self) -> &[u8] {
        match self.binding {
            Binding::Counter => self.books.get(..2).unwrap_or_default(),
            _ => &self.books,
        }
    }
}

/// The host's challenge in a channel's templates.
const HOST: &str = "channel.host";

/// What stands in a channel's templates and is not from the chip.
const OF_THE_HOST: [&str; 3] = [HOST, "channel.key", "channel.proof"];

/// Returns the names of what a template is made of, each once.
fn words(template: &Template) -> Vec<&str> {
    let names: BTreeSet<_> = template
        .variables()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.into_iter().collect()
}

fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

/// Adds what was said, each word behind its name.
fn add_words(hash: &mut Sha256, names: &[&str], opening: &ChannelOpening) -> Result<()> {
    for name in names {
        let said = match *name {
            HOST => &opening.host_challenge,
            name => opening.answers.get(name).ok_or_else(|| {
                CentralError::invalid(format!("the chip's \"{name}\" is missing"))
            })?,
        };
        add(hash, name.as_bytes());
        add(hash, said);
    }
    Ok(())
}

/// Demands that diversification data are this chip's, as its profile says that they follow from its
/// serial number: no station gets keys for another chip by claiming to hold it. Where the keys do
/// not follow from them they bind nothing.
fn belongs(set: &KeySet, serial: &str, said: &[u8; 10]) -> Result<()> {
    let fits = match (&set.context, &set.source) {
        (Some(context), _) => *context.render(&of_chip(serial))? == said[..],
        (None, KeySource::Known(_) | KeySource::Diversified(Diversification::None)) => true,
        (None, KeySource::Diversified(_)) => hex::encode_upper(said) == serial,
    };
    match fits {
        true => Ok(()),
        false => Err(CentralError::refused(format!(
            "the chip's diversification data {} do not follow from its serial number {serial} as the profile says",
            hex::encode_upper(said)
        ))),
    }
}
