//! What is remembered of readers and cards between runs: what they carry, and how often a key or
//! a PIN may still be tried. One folder a person, so that every command keeps the same budget.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use card::Limits;
use card::attempts::AttemptError;
use clap::Args;
use profile::ChipProfile;
use reader::{AttemptFile, Capabilities, CapabilityCache, CapabilityKey, Connection, ProbePlan};

use card::Channel;

use crate::cli::failure::{Failure, Kind, OrFail};

/// Names the folder.
const VARIABLE: &str = "ZIMOGS_STATE";

/// Where it is remembered.
#[derive(Args)]
pub(crate) struct StateOption {
    /// Folder that remembers between runs what readers carry and which attempts were made. Without
    /// it ZIMOGS_STATE, else zimogs in the user's state folder.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// The folder, open.
pub(crate) struct State {
    folder: PathBuf,
}

impl StateOption {
    /// Opens the folder, making it where it is missing.
    pub(crate) fn open(&self) -> Result<State, Failure> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = self
            .state
            .clone()
            .or_else(|| set(VARIABLE).map(PathBuf::from))
            .or_else(|| set("XDG_STATE_HOME").map(|state| PathBuf::from(state).join("zimogs")))
            .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/state/zimogs")));
        let folder = folder.ok_or_else(|| {
            Failure::new(Kind::Usage, "there is no folder to remember attempts in")
                .with_hint("name one: --state DIR")
        })?;
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        made.map_err(|error| {
            let fault = format!(
                "the state folder {} cannot be made: {error}",
                folder.display()
            );
            Failure::new(Kind::Failed, fault).with_hint("name another: --state DIR")
        })?;
        Ok(State { folder })
    }
}

impl State {
    /// Returns what the card in a connection and its reader carry: as measured before, or now.
    /// Before any session: measuring resets the card.
    pub(crate) fn capabilities(
        &self,
        connection: &mut Connection,
        product: &str,
        limits: &Limits,
        fresh: bool,
    ) -> Result<Capabilities, Failure> {
        let (mut cache, warning) = CapabilityCache::open(self.folder.join("readers.json"));
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
        let key = CapabilityKey::new(connection.reader(), connection.atr(), product);
        if fresh && let Err(error) = cache.forget(&key) {
            tracing::warn!("{error}");
        }
        let active = connection.protocol();
        let plan = ProbePlan::new(*limits);
        let (found, unkept) = cache
            .get_or_probe(&key, connection, active, &plan)
            .or_fail(Kind::Device)?;
        if let Some(error) = unkept {
            tracing::warn!("{error}");
        }
        Ok(found)
    }

    /// Returns what chip and reader take together.
    pub(crate) fn limits(
        &self,
        connection: &mut Connection,
        chip: &ChipProfile,
    ) -> Result<Limits, Failure> {
        let found = self.capabilities(connection, &chip.name, &chip.limits, false)?;
        Ok(found.narrow(&chip.limits))
    }

    /// Opens the ledger of attempts.
    pub(crate) fn ledger(&self) -> Result<AttemptFile, Failure> {
        AttemptFile::open(&self.folder.join("attempts.sqlite")).map_err(|error| refused(&error))
    }
}

/// Returns the failure of an attempt that was not made.
pub(crate) fn refused(error: &AttemptError) -> Failure {
    match error {
        AttemptError::Exhausting(_) => Failure::of(Kind::Refused, error).with_hint(
            "find out why the attempts before failed; --force makes this one, and may lock the card for good",
        ),
        _ => Failure::of(Kind::Failed, error)
            .with_hint("without the ledger nothing is tried; name another folder: --state DIR"),
    }
}
