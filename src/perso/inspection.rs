//! A border's look at a travel chip that was just written.

use access::SystemRandom;
use card::{Channel, Limits};
use document::Mrz;
use jiff::Timestamp;
use mrtd::inspection::{AccessKey, CheckName, ReadError, Reading, Trust, read_back};
use mrtd::lds::{File, Lds};
use profile::{Plan, Variables};
use thiserror::Error;

/// What was written to a travel chip, and what opens it.
#[derive(Debug)]
pub struct Written {
    lds: Lds,
    /// The zone of the document's face.
    printed: Mrz,
    key: AccessKey,
}

/// What a chip has to do wherever it can: that it might is not enough for a document that leaves.
const PROOFS: [CheckName; 5] = [
    CheckName::Session,
    CheckName::Access,
    CheckName::ChipAuthenticationMapping,
    CheckName::ChipAuthentication,
    CheckName::ActiveAuthentication,
];

/// Why a border would not accept a chip.
#[derive(Debug, Error)]
pub enum Unaccepted {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Read(#[from] ReadError),
    /// A check failed.
    #[error("{check}: {reason}")]
    Check {
        /// The check.
        check: String,
        /// What was found.
        reason: String,
    },
    /// The chip could not be reset.
    #[error("the chip could not be reset: {0}")]
    Reset(#[from] card::ChannelError),
}

impl Written {
    /// Gathers what a plan wrote; nothing where that is no travel document.
    pub(crate) fn of(plan: &Plan, variables: &Variables) -> Option<Self> {
        let mut lds = Lds::new();
        for file in File::all() {
            let name = profile::prepared_file(file);
            let bytes = variables.bytes(&format!("prepared.{name}"));
            if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
                lds.insert(file, bytes.to_vec()).ok()?;
            }
        }
        let printed = plan.zone.clone()?;
        let key = AccessKey::of_zone(&printed).ok()?;
        Some(Self { lds, printed, key })
    }

    /// Resets the chip, reads it through a border's door, has it prove its keys, and compares every
    /// file that a border without rights reads, and its zone with the one on the face. Whose signer
    /// it is was judged when it signed.
    ///
    /// # Errors
    /// [`Unaccepted`].
    pub fn inspect(
        &self,
        channel: &mut dyn Channel,
        limits: &Limits,
        at: Timestamp,
    ) -> Result<(), Unaccepted> {
        channel.reset()?;
        let reading = Reading {
            limits: *limits,
            key: &self.key,
            terminal: None,
            also: &[],
            trust: &Trust::default(),
            at,
            random: &mut SystemRandom,
            progress: &mut |_| {},
        };
        let back = read_back(channel, reading, &self.lds, &self.printed)?;
        let unproved = || back.open().find(|check| PROOFS.contains(&check.name));
        match back.fault().or_else(unproved) {
            None => Ok(()),
            Some(check) => Err(Unaccepted::Check {
                check: check.name.to_string(),
                reason: check.reason.clone(),
            }),
        }
    }
}
