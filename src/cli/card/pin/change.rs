//! `zimogs card pin change`: another value by the one that the PIN has.

use std::process::ExitCode;

use clap::Args;

use crate::cli::card::pin::presenting::{self, Deed, Options};
use crate::cli::failure::Failure;

/// Options of `card pin change`.
#[derive(Args)]
pub(crate) struct Change {
    #[command(flatten)]
    options: Options,
}

/// Changes a PIN.
pub(crate) fn run(options: &Change) -> Result<ExitCode, Failure> {
    presenting::run(&options.options, Deed::Change)
}
