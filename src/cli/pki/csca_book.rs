//! The folder of an embedded country signing CA.
//!
//! ```text
//!   csca-N.toml   its profiles           csca-N.cer   its certificates, one a key
//!   state.json    what it issued         link-N.cer   from key N-1 to key N
//!   begun         the key that was made and whose files are not all there yet
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cert::Certificate;
use hsm::Token;
use jiff::Timestamp;
use pki::country::{CountryAuthority, CountryProfile};
use serde::{Deserialize, Serialize};

use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::pki::country;

/// A certificate that was issued.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issued {
    pub(super) serial: String,
    pub(super) profile: String,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) revoked: Option<Timestamp>,
}

/// What the CSCA remembers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The labels of its keys in the token, the oldest first.
    pub(super) keys: Vec<String>,
    /// The number of its last revocation list.
    pub(super) list: u64,
    pub(super) issued: Vec<Issued>,
}

/// A folder, held by this process alone.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) state: State,
    _turn: File,
}

impl Folder {
    /// Opens the folder of a CSCA.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let turn = turn(path)?;
        let file = path.join("state.json");
        let damaged = || Failure::new(Kind::Integrity, format!("{} does not read", file.display()));
        let state: State =
            serde_json::from_slice(&files::read(&file, files::SHORT)?).map_err(|_| damaged())?;
        if state.keys.is_empty() {
            return Err(damaged());
        }
        Ok(Self {
            path: path.to_owned(),
            state,
            _turn: turn,
        })
    }

    /// Makes a new folder.
    pub(super) fn create(path: &Path, label: &str) -> Result<Self, Failure> {
        files::be_free(&path.join("state.json"))?;
        std::fs::create_dir_all(path).or_fail(Kind::Failed)?;
        Ok(Self {
            path: path.to_owned(),
            state: State {
                keys: vec![label.to_owned()],
                list: 0,
                issued: Vec::new(),
            },
            _turn: turn(path)?,
        })
    }

    /// Writes down what is remembered, before what it is about is given out.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&self.state).or_fail(Kind::Failed)?;
        write_whole(&self.path.join("state.json"), text.as_bytes()).or_fail(Kind::Failed)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the certificate of key `number`, counted from 1.
    pub(super) fn certificate(&self, number: usize) -> Result<Certificate, Failure> {
        let path = self.file(&format!("csca-{number}.cer"));
        let read = country::certificates(&path)?.into_iter().next();
        read.ok_or_else(|| Failure::new(Kind::Integrity, format!("{} is empty", path.display())))
    }

    pub(super) fn profile(&self) -> Result<CountryProfile, Failure> {
        let number = self.state.keys.len();
        let path = self.file(&format!("csca-{number}.toml"));
        country::profile(&path.to_string_lossy())
    }

    /// Opens the CSCA with its newest key.
    pub(super) fn authority(&self, token: &Token) -> Result<CountryAuthority, Failure> {
        let number = self.state.keys.len();
        let label = self.state.keys.last().map_or("", String::as_str);
        let signer = Arc::new(country::signer(token, label)?);
        CountryAuthority::open(
            &self.profile()?,
            self.certificate(number)?,
            signer,
            Arc::new(token.clone()),
        )
        .or_fail(Kind::Integrity)
    }
}

/// Waits for the folder: two processes would give out the same list number.
fn turn(path: &Path) -> Result<File, Failure> {
    let failed = |error: std::io::Error| {
        let fault = format!("{} cannot be used: {error}", path.display());
        Failure::new(Kind::Usage, fault).with_hint("zimogs pki csca init makes the folder")
    };
    let file = File::create(path.join("lock")).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}
