//! `zimogs station`: at a station, its key and certificate.
//!
//! ```text
//! FOLDER/station.key   its own key, which never leaves (this user only)
//!        station.csr   the request that goes to the centre
//!        station.pem   the certificate that comes back, its authority's behind it
//! ```

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use pem_rfc7468::LineEnding;
use serde_json::json;
use station::{RemoteCentre, RemoteConfig, StationKey};

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::serving::write_secret;
use crate::cli::{files, output, secret_file, telemetry};

/// Works at a station: its key and certificate.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes the station's key, and the request that the centre signs. Example:
    /// zimogs station enroll riga-1 --folder /etc/zimogs/station
    Enroll(Enroll),
    /// Asks the centre how it knows this station. Example:
    /// zimogs station status --folder /etc/zimogs/station --server https://centre.example:8443
    Status(Connected),
    /// Gets the next certificate, for a new key, before the present one ends. Example:
    /// zimogs station renew --folder /etc/zimogs/station --server https://centre.example:8443
    Renew(Connected),
}

/// A station that is not enrolled yet.
#[derive(Args)]
pub(crate) struct Enroll {
    /// The name it is to have: 1 to 64 of a-z 0-9 . _ -
    name: String,
    /// Where its key and certificate are kept.
    #[arg(long)]
    folder: PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// A station that is enrolled.
#[derive(Args)]
pub(crate) struct Connected {
    /// Where its key and certificate are kept.
    #[arg(long)]
    folder: PathBuf,
    /// The centre: https://HOST:PORT
    #[arg(long)]
    server: String,
    /// The certificate that the server's own is looked for under, PEM. By default the authority in
    /// station.pem, as for a pilot's own server.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Enroll(options) => enroll(options),
        Command::Status(options) => status(options),
        Command::Renew(options) => renew(options),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn enroll(options: &Enroll) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(&options.folder).or_fail(Kind::Failed)?;
    let path = |name: &str| options.folder.join(name);
    files::be_free(&path("station.key"))?;
    let key = StationKey::generate().or_fail(Kind::Failed)?;
    let request = key.request(&options.name).or_fail(Kind::Usage)?;
    let request = pem_rfc7468::encode_string("CERTIFICATE REQUEST", LineEnding::LF, &request)
        .or_fail(Kind::Failed)?;
    write_secret(&path("station.key"), &key.to_pem().or_fail(Kind::Failed)?)?;
    fs::write(path("station.csr"), request).or_fail(Kind::Failed)?;
    let digest = hex::encode(key.digest().or_fail(Kind::Failed)?);
    match options.json {
        true => output::json(&json!({
            "station": options.name, "key": digest, "request": path("station.csr"),
        })),
        false => output::line(&format!(
            "the key of {} is {digest}\ntake {} to the centre, and what comes back to {}",
            options.name,
            path("station.csr").display(),
            path("station.pem").display()
        )),
    }
}

/// Brings a renewal to its end that was cut off between its two files.
fn settle(folder: &Path) -> Result<(), Failure> {
    let next = folder.join("station-next.pem");
    if !next.exists() {
        return Ok(());
    }
    let text = secret_file::read(&folder.join("station.key"), "the station's key")?;
    let key = StationKey::from_pem(&text).or_fail(Kind::Usage)?;
    let found = pem::read(&next)?;
    match found
        .first()
        .is_some_and(|certificate| key.fits(certificate))
    {
        true => fs::rename(&next, folder.join("station.pem")).or_fail(Kind::Failed),
        false => Ok(()),
    }
}

/// Returns how a station with these files reaches its centre.
pub(crate) fn remote(
    folder: &Path,
    server: &str,
    authority: Option<&Path>,
) -> Result<RemoteCentre, Failure> {
    settle(folder)?;
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

impl Connected {
    fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(RemoteCentre) -> Result<T, api::ApiError>,
    ) -> Result<T, Failure> {
        let centre = remote(&self.folder, &self.server, self.authority.as_deref())?;
        let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
        runtime.block_on(ask(centre)).map_err(|error| {
            let kind = match error {
                api::ApiError::Unavailable { .. } => Kind::Failed,
                _ => Kind::Refused,
            };
            Failure::of(kind, &error)
        })
    }
}

fn status(options: &Connected) -> Result<(), Failure> {
    let own = options.ask(async |centre| centre.own().await)?;
    match options.json {
        true => output::json(&own),
        false => output::line(&format!(
            "the centre ({}) knows this station as {}, until {}",
            own.environment, own.name, own.not_after
        )),
    }
}

/// Renews key and certificate. The new key is on disk before it is certified, and takes the old
/// one's place when its certificate is there: cut off anywhere, the same again brings it to its end.
fn renew(options: &Connected) -> Result<(), Failure> {
    let path = |name: &str| options.folder.join(name);
    let own = options.ask(async |centre| centre.own().await)?;
    let (next_key, next) = (path("station-next.key"), path("station-next.pem"));
    let key = match next_key.exists() {
        true => {
            let text = secret_file::read(&next_key, "the station's next key")?;
            StationKey::from_pem(&text).or_fail(Kind::Usage)?
        }
        false => {
            let key = StationKey::generate().or_fail(Kind::Failed)?;
            write_secret(&next_key, &key.to_pem().or_fail(Kind::Failed)?)?;
            key
        }
    };
    let request = key.request(&own.name).or_fail(Kind::Failed)?;
    let der = options.ask(async |centre| centre.renew(request).await)?;
    let made = cert::Certificate::parse(&der).or_fail(Kind::Failed)?;
    if !key.fits(&made) {
        return Err(Failure::new(
            Kind::Integrity,
            "the centre's certificate is for another key",
        ));
    }
    let mut text = pem::encode(&der).or_fail(Kind::Failed)?;
    for authority in pem::read(&path("station.pem"))?.iter().skip(1) {
        text.push_str(&pem::encode(authority.as_der()).or_fail(Kind::Failed)?);
    }
    crate::cli::card::runs::write_whole(&next, text.as_bytes()).or_fail(Kind::Failed)?;
    // The old pair holds until the new one is shown; what is cut off between these two lines is
    // settled when the files are read next.
    fs::rename(&next_key, path("station.key")).or_fail(Kind::Failed)?;
    fs::rename(&next, path("station.pem")).or_fail(Kind::Failed)?;
    let until = made.validity().not_after;
    match options.json {
        true => output::json(&json!({ "station": own.name, "not_after": until })),
        false => output::line(&format!("{} is certified until {until}", own.name)),
    }
}
