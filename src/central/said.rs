//! What a chip said before its channel opens, and what makes the answer to it of use: for that, one
//! challenge is answered for one purpose.

use api::{ChannelOpening, LeaseId};
use profile::{ChipProfile, Protocol};
use sha2::{Digest, Sha256};

use crate::channels::Purpose;
use crate::error::{CentralError, Result};
use crate::keys::{answer, set};

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
}

impl Said {
    /// Judges what a chip said.
    pub(crate) fn read(
        chip: &ChipProfile,
        (lease, serial): (LeaseId, &str),
        opening: &ChannelOpening,
        purpose: Purpose,
    ) -> Result<Self> {
        if chip.channel.protocol.is_global_platform() {
            let update = answer(chip, opening)?;
            belongs(serial, update.diversification())?;
            let challenge = update.card_challenge();
            return Ok(match (&chip.channel.protocol, update.sequence_counter()) {
                (Protocol::Scp02 { .. }, Some(counter)) => Self {
                    binding: Binding::Counter,
                    books: [counter, challenge].concat(),
                },
                _ => Self {
                    binding: Binding::Pair,
                    books: challenge.to_vec(),
                },
            });
        }
        set(chip, &opening.key_set)?;
        let Some(challenge) = &set(chip, &opening.key_set)?.challenge else {
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
        let mut answered: Vec<_> = challenge.proof.variables().into_iter().collect();
        answered.retain(|(name, _)| !OF_THE_HOST.contains(name));
        answered.sort_unstable_by_key(|(name, _)| *name);
        answered.dedup_by_key(|(name, _)| *name);
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        for (name, _) in &answered {
            let said = opening.answers.get(*name).ok_or_else(|| {
                CentralError::invalid(format!("the chip's \"{name}\" is missing"))
            })?;
            add(name.as_bytes());
            add(said);
        }
        let binding = if answered.is_empty() {
            for part in [lease.to_string().as_str(), &opening.key_set, purpose.name()] {
                add(part.as_bytes());
            }
            Binding::Nothing
        } else {
            Binding::Challenge
        };
        Ok(Self {
            binding,
            books: hash.finalize().to_vec(),
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

/// What stands in a channel's templates and is not from the chip.
const OF_THE_HOST: [&str; 3] = ["channel.host", "channel.key", "channel.proof"];

/// Demands that diversification data are this chip's: for the products that are known, they are
/// its serial number.
fn belongs(serial: &str, diversification: &[u8; 10]) -> Result<()> {
    if hex::encode_upper(diversification) == serial {
        Ok(())
    } else {
        Err(CentralError::refused(
            "the diversification data are not those of the chip that was named",
        ))
    }
}
