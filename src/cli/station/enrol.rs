//! `zimogs station enroll | renew`: the station's key and certificate.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use pem_rfc7468::LineEnding;
use serde_json::json;
use station::StationKey;

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::serving::write_secret;
use crate::cli::station::Connected;
use crate::cli::{files, output, secret_file};

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

/// Makes a key and a request for its certificate.
pub(crate) fn enroll(options: &Enroll) -> Result<(), Failure> {
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
pub(crate) fn settle(folder: &Path) -> Result<(), Failure> {
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

/// Renews key and certificate. The new key is on disk before it is certified, and takes the old
/// one's place when its certificate is there: cut off anywhere, the same again brings it to its end.
pub(crate) fn renew(options: &Connected) -> Result<(), Failure> {
    let path = |name: &str| options.folder().join(name);
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
