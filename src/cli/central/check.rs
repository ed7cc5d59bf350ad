//! `zimogs central check`: whether an installation is set up soundly, and can go on working.
//!
//! ```text
//! installation.toml ─► keys known? ─► files, permissions ─► disk, drop folder
//!                          └► token, its keys ─► database, its form ─► the store opens ─► terms, clock
//! ```
//!
//! Each thing is looked at whatever became of the one before, as far as it can be. The command ends
//! with the highest exit code of what failed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use central::{Central, WrappingKeyDifferences};
use cert::Certificate;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::findings::Findings;
use crate::cli::installation::{Installation, SETTINGS};
use crate::cli::shipped;
use crate::cli::unknown_keys::{self, UnknownKey};

/// How far the clock may be behind the newest entry of the log.
const BEHIND: SignedDuration = SignedDuration::from_secs(60);

/// What to look at.
#[derive(Args)]
pub(crate) struct Check {
    /// The installation's folder.
    #[arg(long)]
    data: PathBuf,
    /// A folder with chips/ and documents/ whose profiles are laid over the shipped ones.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// A certificate that ends within so many days is told.
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u16,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Looks at an installation.
pub(crate) fn run(options: &Check) -> Result<(), Failure> {
    // This program starts itself again to find the token: nothing is told before.
    if let Ok(installation) = Installation::open(&options.data) {
        installation.enter()?;
    }
    let mut found = Findings::default();
    settings(&options.data, &mut found);
    found.disk(&options.data);
    match Installation::open(&options.data) {
        Err(failure) => found.fault("settings", &failure),
        Ok(installation) => {
            files(&installation, &mut found);
            drop_folder(&installation, &mut found);
            server_certificate(&installation, options.days, &mut found);
            token(&installation, &mut found);
            let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
            runtime.block_on(store(&installation, options, &mut found));
        }
    }
    found.tell(options.json)
}

/// Looks whether every key of the settings is one that this program knows.
fn settings(folder: &Path, found: &mut Findings) {
    let path = folder.join(SETTINGS);
    let Ok(text) = fs::read_to_string(&path) else {
        // What there is to be said of it is said when it is opened.
        return;
    };
    let unknown = unknown_keys::find(&text, |text| Installation::parse(text).map(drop));
    if unknown.is_empty() {
        return found.passed("settings", format!("every key of {SETTINGS} is known"));
    }
    for UnknownKey { key, line, nearest } in unknown {
        let next = match nearest {
            Some(nearest) => format!("is \"{nearest}\" meant?"),
            None => "remove it; docs/operation.md says which there are".to_owned(),
        };
        let said = format!("{SETTINGS}, line {line}: there is no key \"{key}\"");
        found.failed("settings", Kind::Usage, said, &next);
    }
}

/// Looks whether nobody else reads what is this user's alone.
fn files(installation: &Installation, found: &mut Findings) {
    let folder = installation.folder();
    let mut private = vec![folder.to_owned(), folder.join("central.db")];
    match installation.token_secrets() {
        Ok(secrets) => private.extend(secrets),
        Err(failure) => found.fault("files", &failure),
    }
    if let Some(key) = installation.served().and_then(|served| served.key.as_ref()) {
        private.push(folder.join(key));
    }
    let mut sound = 0;
    for path in &private {
        match fs::metadata(path) {
            Err(_) if path.ends_with("central.db") => {}
            Err(error) => {
                let said = format!("{} cannot be read: {error}", path.display());
                found.failed("files", Kind::Usage, said, "bring it back");
            }
            Ok(file) if file.permissions().mode() & 0o077 != 0 => {
                let said = format!("{} can be reached by others", path.display());
                let next = format!("chmod go= {}", path.display());
                found.failed("files", Kind::Refused, said, &next);
            }
            Ok(_) => sound += 1,
        }
    }
    if let Some(served) = installation.served() {
        for named in [&served.certificate, &served.key].into_iter().flatten() {
            let path = folder.join(named);
            if !path.is_file() {
                let said = format!("[serve] names {}, which is no file", path.display());
                found.failed("files", Kind::Usage, said, "name one that is there");
            }
        }
    }
    found.passed("files", format!("{sound} are this user's alone"));
}

/// Looks whether the folder can be served where registers lay their packages down.
fn drop_folder(installation: &Installation, found: &mut Findings) {
    let folder = installation.folder().join("registers");
    match fs::metadata(&folder) {
        Err(_) => found.passed("drop folder", "there is none"),
        Ok(file) if !file.is_dir() => {
            let said = format!("{} is no folder", folder.display());
            found.failed("drop folder", Kind::Usage, said, "move it away");
        }
        Ok(_) => match rustix::fs::access(
            &folder,
            rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
        ) {
            Ok(()) => found.passed("drop folder", format!("{} is served", folder.display())),
            Err(_) => {
                let said = format!("{} cannot be read and written", folder.display());
                found.failed("drop folder", Kind::Usage, said, "make it this user's");
            }
        },
    }
}

/// Looks for how long the server's certificate still holds.
fn server_certificate(installation: &Installation, days: u16, found: &mut Findings) {
    let Some(named) = installation
        .served()
        .and_then(|served| served.certificate.as_ref())
    else {
        return found.passed("server's certificate", "the server makes its own");
    };
    match pem::read(&installation.folder().join(named)) {
        Err(failure) => found.fault("server's certificate", &failure),
        Ok(chain) => {
            for certificate in &chain {
                term("server's certificate", certificate, days, found);
            }
        }
    }
}

fn term(check: &'static str, certificate: &Certificate, days: u16, found: &mut Findings) {
    let (now, ends) = (Timestamp::now(), certificate.validity().not_after);
    let soon = now + SignedDuration::from_hours(24 * i64::from(days));
    let said = format!("it holds until {ends}");
    if ends < now {
        let said = format!("it ended {ends}");
        found.failed(check, Kind::Failed, said, "get the next one");
    } else if ends < soon {
        found.warned(check, said, "get the next one in time");
    } else {
        found.passed(check, said);
    }
}

/// Looks whether the token opens and has every key.
fn token(installation: &Installation, found: &mut Findings) {
    let keys = installation
        .token()
        .and_then(|token| token.keys().or_fail(Kind::Device));
    match keys {
        Err(failure) => found.fault("token", &failure),
        Ok(keys) => {
            let there: Vec<_> = keys.into_iter().map(|key| key.label).collect();
            let labels = installation.labels();
            let missing: Vec<_> = labels
                .all()
                .filter(|label| !there.contains(*label))
                .map(String::as_str)
                .collect();
            match missing.is_empty() {
                true => found.passed("token", format!("it opens, and has {} keys", there.len())),
                false => {
                    let said = format!("it has no key {}", missing.join(", "));
                    let next = "make them (zimogs hsm generate), or bring the token back (zimogs hsm restore)";
                    found.failed("token", Kind::Device, said, next);
                }
            }
        }
    }
}

/// Looks whether the store opens with what is there, and what it says of itself.
async fn store(installation: &Installation, options: &Check, found: &mut Findings) {
    let source = match installation.database() {
        Ok(source) => source,
        Err(failure) => return found.fault("database", &failure),
    };
    match central::database_form(&source).await {
        Err(error) => return found.fault("database", &error.into()),
        Ok(form) if form.unknown > 0 => {
            let said = format!(
                "it has {} changes of form that this program does not know",
                form.unknown
            );
            let next = "run the newer program that made them";
            return found.failed("database", Kind::Failed, said, next);
        }
        Ok(form) if !form.is_founded => {
            let said = "no store was founded in it";
            let next = "zimogs central init, or bring one back (zimogs central restore)";
            return found.failed("database", Kind::Refused, said, next);
        }
        Ok(form) if form.pending > 0 => {
            // Opening it would change it, which a check does not.
            let said = format!(
                "{} changes of form are made at the next start",
                form.pending
            );
            return found.warned("database", said, "make a backup before");
        }
        Ok(form) => found.passed("database", format!("it is of form {}", form.applied)),
    }
    let opened = async {
        let token = installation.token()?;
        let profiles = shipped::profiles(options.profiles.as_deref())?;
        installation.central(token, &profiles).await
    };
    match opened.await {
        Err(failure) => found.fault("store", &failure),
        Ok(central) => {
            opened_store(&central, options.days, found).await;
            central.close().await;
        }
    }
}

async fn opened_store(central: &Central, days: u16, found: &mut Findings) {
    found.passed("store", "it opens: profiles, keys and books fit");
    match central.prove_statements().await {
        Err(error) => found.fault("statements", &error.into()),
        Ok(()) => found.passed("statements", "the database takes each of them"),
    }
    match central.readiness().await {
        Err(error) => found.fault("readiness", &error.into()),
        Ok(ready) if ready.overdue => found.warned(
            "readiness",
            "audit entries wait for longer than a minute for their place in the tree",
            "start the server, or zimogs audit export",
        ),
        Ok(_) => found.passed("readiness", "the database and the token answer"),
    }
    wrapping_keys(central, found).await;
    match Certificate::parse(central.authority_certificate()) {
        Ok(certificate) => term("embedded authority", &certificate, days, found),
        Err(error) => found.fault("embedded authority", &Failure::of(Kind::Integrity, &error)),
    }
    // An installation without stations elsewhere has no authority for them.
    if let Ok(der) = central.station_authority_certificate().await
        && let Ok(certificate) = Certificate::parse(&der)
    {
        term("authority of stations", &certificate, days, found);
    }
    match central.last_entry().await {
        Err(error) => found.fault("clock", &error.into()),
        Ok(Some(last)) if Timestamp::now() + BEHIND < last => {
            let said = format!("the newest entry of the log is of {last}: this clock is behind");
            found.failed(
                "clock",
                Kind::Failed,
                said,
                "set the clock by a time service",
            );
        }
        Ok(_) => found.passed("clock", "it is not behind the log"),
    }
}

/// Looks whether token and books have the same keys of personal data.
async fn wrapping_keys(central: &Central, found: &mut Findings) {
    let check = "wrapping keys";
    let differences = match central.compare_wrapping_keys().await {
        Ok(differences) => differences,
        Err(error) => return found.fault(check, &error.into()),
    };
    if differences == WrappingKeyDifferences::default() {
        return found.passed(check, "token and books have the same");
    }
    if !differences.missing.is_empty() {
        let said = format!("the token has no key {}", differences.missing.join(", "));
        let next = "bring back the token's backup that has them (zimogs hsm restore); docs/data-protection.md";
        found.failed(check, Kind::Device, said, next);
    }
    if !differences.unknown.is_empty() {
        let said = format!(
            "the books do not know {} of the token: data under them is not erased in backups",
            differences.unknown.join(", ")
        );
        let next = "where no other installation uses this token, destroy them when nothing of that time is to be restored (zimogs hsm destroy); docs/data-protection.md";
        found.warned(check, said, next);
    }
}
