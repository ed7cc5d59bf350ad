//! The folder of the key protocol: one file an entry, `000001.protocol` and on, never changed.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use audit::VerifierKey;
use hsm::{Act, Entry, ProtocolError, ProtocolReport, SignedEntry, Stage, TokenRecord};
use jiff::Timestamp;

use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::officers::refused;
use crate::cli::releases;

/// The ending of an entry's file.
const ENDING: &str = "protocol";

/// The folder of a key protocol.
pub(crate) struct Ledger {
    folder: PathBuf,
}

impl Ledger {
    /// Opens a folder, which is made where it is missing.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Verifies the whole protocol.
    pub(crate) fn verify(&self, known: &[VerifierKey]) -> Result<ProtocolReport, Failure> {
        let files = files(&self.folder)?;
        hsm::verify_protocol(files.iter().map(Vec::as_slice), known).map_err(|e| refused(&e))
    }

    /// Adds an entry, and returns its number.
    pub(crate) fn append(
        &self,
        officers: Vec<String>,
        token: TokenRecord,
        act: Act,
        stage: Stage,
        sign: impl FnOnce(Entry) -> Result<SignedEntry, ProtocolError>,
    ) -> Result<u64, Failure> {
        let lock = self.folder.join("lock");
        let turn = fs::File::create(&lock).map_err(|error| unwritable(&lock, &error))?;
        turn.lock().map_err(|error| unwritable(&lock, &error))?;
        let files = files(&self.folder)?;
        let time = Timestamp::now().to_string();
        let previous = files.last().map(Vec::as_slice);
        let entry = Entry::after(previous, time, officers, token, act, stage);
        let signed = entry.and_then(sign).map_err(|error| refused(&error))?;
        let number = signed.entry().number;
        let path = self.folder.join(name_of(number));
        let write = || {
            let mut options = fs::OpenOptions::new();
            // Everybody may read an entry; none is ever written over.
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&path)?;
            file.write_all(signed.to_string().as_bytes())?;
            file.sync_all()?;
            fs::File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| unwritable(&path, &error))?;
        Ok(number)
    }
}

fn name_of(number: u64) -> String {
    format!("{number:06}.{ENDING}")
}

/// Reads the entries of a folder, or one entry's file, in their order.
pub(crate) fn files(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    if path.is_file() {
        return Ok(vec![releases::read(path)?]);
    }
    let mut files = Vec::new();
    loop {
        let next = path.join(name_of(files.len() as u64 + 1));
        match fs::symlink_metadata(&next) {
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            _ => files.push(releases::read(&next)?),
        }
    }
    // A gap is not an end.
    let entries = fs::read_dir(path).map_err(|error| unwritable(path, &error))?;
    let is_entry = |path: &Path| path.extension().is_some_and(|ending| ending == ENDING);
    let found = entries.flatten().filter(|entry| is_entry(&entry.path()));
    let found = found.count();
    if found == files.len() {
        return Ok(files);
    }
    let fault = format!(
        "the key protocol in {} has {found} entries, and number {} is missing",
        path.display(),
        files.len() + 1
    );
    Err(Failure::new(Kind::Integrity, fault).with_hint("restore the missing entry"))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let fault = format!(
        "the key protocol {} cannot be kept: {error}",
        path.display()
    );
    Failure::new(Kind::Failed, fault)
}
