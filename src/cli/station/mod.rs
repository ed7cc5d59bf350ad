//! `zimogs station`: at an issuing station.
//!
//! ```text
//! FOLDER/station.toml  where the centre is, which slots there are
//!        station.key   its own key, which never leaves (this user only)
//!        station.csr   the request that goes to the centre
//!        station.pem   the certificate that comes back, its authority's behind it
//!        journal.db    what was done, and what is still to be reported
//! ```

mod at_centre;
pub(crate) mod daemon;
mod doctor;
mod drain;
mod enrol;
mod person;
mod serve;
pub(crate) mod setup;
mod status;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::ApiError;
use clap::{Args, Subcommand};
use station::{RemoteCentre, RemoteConfig};

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::station::setup::Setup;
use crate::cli::{files, secret_file, telemetry};

/// Works at an issuing station.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes the station's key, and the request that the centre signs. Example:
    /// zimogs station enroll riga-1 --folder /etc/zimogs/station
    Enroll(enrol::Enroll),
    /// Gets the next certificate, for a new key, before the present one ends. Example:
    /// zimogs station renew --folder /etc/zimogs/station
    Renew(Connected),
    /// Keeps the slots busy until it is told to stop; then documents in work are finished. Example:
    /// zimogs station serve --folder /etc/zimogs/station
    Serve(serve::Serve),
    /// Shows where each slot stands, and how the centre knows this station. Example:
    /// zimogs station status --folder /etc/zimogs/station
    Status(Connected),
    /// Looks whether everything that the station needs is there, and says what to do. Example:
    /// zimogs station doctor --folder /etc/zimogs/station
    Doctor(doctor::Doctor),
    /// Takes the shift, or hands it over: asks for the password and the second factor. Example:
    /// zimogs station shift begin --account berta
    #[command(subcommand)]
    Shift(person::Shift),
    /// Has a slot begin nothing more; without --slot all of them. Example:
    /// zimogs station pause --slot left --account berta
    Pause(person::Ordered),
    /// Lets a slot work again; without --slot all of them. Example:
    /// zimogs station start --account berta
    Start(person::Ordered),
    /// As `pause`, and waits until nothing is in work; of all slots also until the centre has every
    /// report, where somebody has the shift to tell it. Then the station may be switched off.
    ///
    /// Exit code 1 where that is not so within --within.
    ///
    /// Example: zimogs station drain --within 900 --account berta
    #[command(verbatim_doc_comment)]
    Drain(drain::Drain),
    /// Gives up the card that a slot holds while the centre is away: its blank is accounted for as it
    /// is. Example: zimogs station give-up left --account berta
    GiveUp(person::GiveUp),
    /// Shows what people did at the station itself, the newest first. Example:
    /// zimogs station acts --account berta
    Acts(person::Signed),
    /// Judges a document that somebody else made: good, bad, held, or good enough.
    ///
    /// Examples:
    /// zimogs station verdict XA0000001 --pass --account quality
    /// zimogs station verdict XA0000001 --fail "the portrait is blurred" --account quality
    #[command(verbatim_doc_comment)]
    Verdict(at_centre::Verdict),
    /// Books blanks into a slot of this station. Example:
    /// zimogs station load left LV-0001 LV-0002 --account keeper
    Load(at_centre::Load),
    /// Books blanks out of their slots, back into the store. Example:
    /// zimogs station unload LV-0002 --account keeper
    Unload(at_centre::Unload),
    /// Books blanks as spoiled that nobody works on, and why. Example:
    /// zimogs station spoil LV-0001 --cause "the corner is bent" --account keeper
    Spoil(at_centre::Spoil),
    /// Closes a day at a place, by two persons who counted. Without --here the second one confirms it in
    /// a session of their own (zimogs station confirm), and the same is said again. Exit code 1 while
    /// they have not, 5 where the count is not what the books say.
    ///
    /// Example: zimogs station close-day RIGA-1 --count booklet=120 --witness quality --here --account keeper
    #[command(verbatim_doc_comment)]
    CloseDay(at_centre::CloseDay),
    /// Confirms as the second person what another asked for. Example:
    /// zimogs station confirm 0192f0c1-2b3c-7d4e-8f50-617283940a1b --account quality
    Confirm(at_centre::Confirm),
}

/// A station that is enrolled.
#[derive(Args)]
pub(crate) struct Connected {
    /// Where its key, certificate and station.toml are kept.
    #[arg(long)]
    folder: PathBuf,
    /// The centre: https://HOST:PORT. By default what station.toml says.
    #[arg(long)]
    server: Option<String>,
    /// The certificate that the server's own is looked for under, PEM. By default what station.toml
    /// says, else the authority in station.pem, as for a pilot's own server.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Enroll(options) => enrol::enroll(options),
        Command::Renew(options) => enrol::renew(options),
        Command::Serve(options) => serve::run(options),
        Command::Status(options) => status::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Shift(shift) => person::shift(shift),
        Command::Pause(options) => person::order(options, "pause"),
        Command::Start(options) => person::order(options, "start"),
        Command::Drain(options) => drain::run(options),
        Command::GiveUp(options) => person::give_up(options),
        Command::Acts(options) => person::acts(options),
        Command::Verdict(options) => return at_centre::verdict(options),
        Command::Load(options) => return at_centre::load(options),
        Command::Unload(options) => return at_centre::unload(options),
        Command::Spoil(options) => return at_centre::spoil(options),
        Command::CloseDay(options) => return at_centre::close_day(options),
        Command::Confirm(options) => return at_centre::confirm(options),
    }?;
    Ok(ExitCode::SUCCESS)
}

impl Connected {
    fn folder(&self) -> &Path {
        &self.folder
    }

    /// Asks the centre.
    fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(RemoteCentre) -> Result<T, ApiError>,
    ) -> Result<T, Failure> {
        let setup = Setup::find(&self.folder)?;
        let named = setup.as_ref().map(|setup| setup.server.as_str());
        let server = self.server.as_deref().or(named).ok_or_else(|| {
            Failure::new(
                Kind::Usage,
                "there is no station.toml that names the centre",
            )
            .with_hint("name it: --server https://HOST:PORT")
        })?;
        let authority = setup.as_ref().and_then(Setup::authority);
        let authority = self.authority.clone().or(authority);
        let centre = remote(&self.folder, server, authority.as_deref())?;
        let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
        runtime.block_on(ask(centre)).map_err(|error| {
            let kind = match error {
                ApiError::Unavailable { .. } => Kind::Failed,
                _ => Kind::Refused,
            };
            Failure::of(kind, &error)
        })
    }
}

/// Returns how a station with these files reaches its centre.
fn remote(folder: &Path, server: &str, authority: Option<&Path>) -> Result<RemoteCentre, Failure> {
    enrol::settle(folder)?;
    let key = secret_file::read(&folder.join("station.key"), "the station's key")?;
    let certificate = files::read(&folder.join("station.pem"), files::SHORT)?;
    let authority = match authority {
        Some(file) => files::read(file, files::SHORT)?,
        None => {
            let mut found = pem::read(&folder.join("station.pem"))?.into_iter().skip(1);
            let authority = found.next().ok_or_else(|| {
                Failure::new(
                    Kind::Usage,
                    "station.pem holds no certificate of an authority",
                )
                .with_hint("name the one of the server's certificate: --authority FILE")
            })?;
            pem::encode(authority.as_der())
                .or_fail(Kind::Failed)?
                .into_bytes()
        }
    };
    let mut config = RemoteConfig::new(server, authority, certificate, key);
    config.traceparent = telemetry::traceparent;
    RemoteCentre::new(&config).or_fail(Kind::Usage)
}
