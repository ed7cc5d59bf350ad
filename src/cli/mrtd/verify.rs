//! `zimogs mrtd verify`: judges files that somebody else read.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mrtd::inspection::{Files, inspect};

use crate::cli::failure::Failure;
use crate::cli::mrtd::folder;
use crate::cli::mrtd::report::Report;
use crate::cli::mrtd::save::SaveOptions;
use crate::cli::mrtd::trust::TrustOptions;

/// Options of `mrtd verify`.
#[derive(Args)]
pub(crate) struct Verify {
    /// The folder with the files: EF_COM.bin, EF_SOD.bin, Datagroup1.bin, dg2.bin…
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    save: SaveOptions,
    /// One JSON value instead of a table.
    #[arg(long)]
    json: bool,
}

/// Judges the files.
pub(crate) fn run(options: &Verify) -> Result<ExitCode, Failure> {
    let found = folder::read(&options.folder)?;
    let (trust, trusted) = options.trust.read()?;
    let at = options.trust.at();
    let files = Files {
        lds: &found.lds,
        unread: &found.unread,
    };
    let inspection = inspect(&files, &trust, at);
    let written = options.save.save(&found.lds)?;
    Report::of(&inspection, &found.lds, at)
        .trusting(trusted)
        .ignoring(found.ignored)
        .writing(written)
        .show(options.json)
}
