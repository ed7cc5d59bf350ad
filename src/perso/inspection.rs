//! A border's look at a travel chip that was just written.

use access::SystemRandom;
use card::{Channel, Limits};
use jiff::Timestamp;
use mrtd::inspection::{AccessKey, ReadError, Reading, Trust, read_back};
use mrtd::lds::{Dg1, File, Group, Lds};
use profile::Variables;
use thiserror::Error;

/// What was written to a travel chip, and what opens it.
#[derive(Debug)]
pub struct Written {
    lds: Lds,
    key: AccessKey,
}

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
    pub(crate) fn of(variables: &Variables) -> Option<Self> {
        let mut lds = Lds::new();
        for file in File::all() {
            let name = profile::prepared_file(file);
            let bytes = variables.bytes(&format!("prepared.{name}"));
            if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
                lds.insert(file, bytes.to_vec()).ok()?;
            }
        }
        let zone = Dg1::parse(lds.get(Group::Dg1)?).ok()?.content.mrz;
        let key = AccessKey::of_zone(&zone).ok()?;
        Some(Self { lds, key })
    }

    /// Resets the chip, reads it through a border's door, has it prove its keys, and compares every
    /// file that a border without rights reads. Whose signer it is was judged when it signed.
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
        let back = read_back(channel, reading, &self.lds, None)?;
        match back.fault() {
            None => Ok(()),
            Some(check) => Err(Unaccepted::Check {
                check: check.name.to_string(),
                reason: check.reason.clone(),
            }),
        }
    }
}
