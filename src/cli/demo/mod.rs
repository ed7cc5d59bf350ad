//! `zimogs demo`: everything on this machine, over real PC/SC: a private pcscd with virtual
//! readers and chips, a SoftHSM token, an embedded authority, a central store, one station.
//!
//! ```text
//! demo ── starts ──► vcard farm (pcscd, virtual chips)
//!   └─── starts ──► demo, inside: with the environment of that pcscd and of the token
//! ```

mod blanks;
mod farm;
mod inside;
mod report;
mod stocks;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use document::Environment;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::installation::{Asked, Extras, Installation};
use crate::cli::shipped;
use farm::Farm;
use stocks::{Stock, stocks};

/// Personalizes sample documents on virtual chips in a real PC/SC service.
///
/// Example: zimogs demo --exit-when-done --json
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How many documents; the samples are used again and again. Default: each sample once.
    #[arg(long)]
    documents: Option<usize>,
    /// How many slots the station has; more, where the documents are made of more sorts of blank.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    slots: u8,
    /// End when the last document is finished. Without it the cards stay in their readers, to
    /// be looked at, until Ctrl-C.
    #[arg(long)]
    exit_when_done: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Keep everything that the run wrote in this folder, which must be empty or not there.
    /// Without it a temporary folder is used and removed.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The chip profile of the blanks, for the chips that may be of it. Default: the first that
    /// each document profile takes for each of its chips.
    #[arg(long)]
    product: Option<String>,
    /// A folder with chips/ and documents/ whose profiles are laid over the shipped ones.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// What the installation gets besides, in TOML: [authorities] outside, [envelopes].
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// How the station reaches the store: in the same process, or over HTTPS with a certificate of
    /// its own, on the loopback interface.
    #[arg(long, value_enum, default_value_t = Over::Process)]
    over: Over,
    /// The environment variable that holds the chip maker's transport master key, 32
    /// hexadecimal digits. Without it the maker makes one.
    #[arg(long, value_name = "VARIABLE")]
    transport_key_env: Option<String>,
    /// What the outer process found: the farm's announcement.
    #[arg(long, hide = true)]
    inside: Option<String>,
}

/// How the station reaches the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Over {
    /// In the same process.
    Process,
    /// Over HTTPS.
    Https,
}

impl Arguments {
    /// Returns how many documents are made.
    fn count(&self) -> usize {
        let samples = || shipped::applications().count();
        self.documents.unwrap_or_else(samples)
    }
}

/// Demands a folder with nothing in it, or none.
fn be_empty(folder: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(
            Kind::Failed,
            format!("cannot make anything in {}: {error}", folder.display()),
        )),
        Ok(mut there) => match there.next() {
            None => Ok(()),
            Some(_) => Err(
                Failure::new(Kind::Usage, format!("{} is not empty", folder.display()))
                    .with_hint("name a new folder, or remove this one"),
            ),
        },
    }
}

/// Runs the demo.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(announcement) = &arguments.inside {
        return inside::run(arguments, announcement);
    }
    let profiles = shipped::profiles(arguments.profiles.as_deref())?;
    let (count, slots) = (arguments.count(), usize::from(arguments.slots));
    let stocks = stocks(&profiles, count, slots, arguments.product.as_deref())?;
    let readers = stocks.iter().map(Stock::readers).sum::<usize>().max(1);
    let temporary = match &arguments.data {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("zimogs-demo-")
                .tempdir()
                .or_fail(Kind::Failed)?,
        ),
    };
    let folder = match (&arguments.data, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.path().join("data"),
        (None, None) => {
            return Err(Failure::new(
                Kind::Failed,
                "there is no folder for the demo",
            ));
        }
    };
    let extras = match &arguments.settings {
        Some(file) => Extras::read(file)?,
        None => Extras::default(),
    };
    be_empty(&folder)?;
    let asked = Asked {
        environment: Some(Environment::Test),
        extras,
        ..Asked::default()
    };
    let installation = Installation::planned(&folder, asked)?.write()?;
    let farm = Farm::start(&installation.folder().join("farm"), readers)?;

    let mut command = Command::new(std::env::current_exe().or_fail(Kind::Failed)?);
    command.args(std::env::args_os().skip(1));
    command.arg("--inside").arg(farm.announcement());
    command.env("ZIMOGS_DEMO_DATA", installation.folder());
    command.env("PCSCLITE_CSOCK_NAME", farm.pcsc());
    installation.apply(&mut command)?;
    // Ctrl-C reaches both processes; the inner one ends its work, this one waits for it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .or_fail(Kind::Failed)?;
    let status = runtime.block_on(async {
        let mut child = tokio::process::Command::from(command).spawn()?;
        loop {
            tokio::select! {
                status = child.wait() => return status,
                _ = tokio::signal::ctrl_c() => {}
            }
        }
    });
    let status = status.or_fail(Kind::Failed)?;
    drop(farm);
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
