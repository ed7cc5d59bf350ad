//! `zimogs card pin unblock`: a new value by the PIN's PUK.

use std::process::ExitCode;

use clap::Args;

use crate::cli::card::pin::presenting::{self, Deed, Options};
use crate::cli::failure::Failure;

/// Options of `card pin unblock`.
#[derive(Args)]
pub(crate) struct Unblock {
    #[command(flatten)]
    options: Options,
}

/// Unblocks a PIN.
pub(crate) fn run(options: &Unblock) -> Result<ExitCode, Failure> {
    presenting::run(&options.options, Deed::Unblock)
}
