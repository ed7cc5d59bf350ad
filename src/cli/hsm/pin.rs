//! PINs of tokens: from a file that only its owner can read, or typed without echo. Never from the
//! environment or the command line, where others see them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hsm::Secret;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind};
use crate::cli::{secret_file, terminal};

/// Reads a PIN's file.
pub(crate) fn read(path: &Path) -> Result<Secret, Failure> {
    Ok(Secret::new(secret_file::read(path, "PIN")?.trim()))
}

/// Reads a PIN's file, or makes one with a random PIN where there is none.
pub(crate) fn read_or_make(path: &Path) -> Result<Secret, Failure> {
    if path.exists() {
        return read(path);
    }
    let mut random = Zeroizing::new([0; 16]);
    getrandom::fill(random.as_mut_slice())
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let pin = Zeroizing::new(hex::encode(random.as_slice()));
    let write = || {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(pin.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        let fault = format!("PIN file {} cannot be made: {error}", path.display());
        Failure::new(Kind::Failed, fault)
    })?;
    Ok(Secret::new(pin.as_str()))
}

/// Asks for a PIN at the terminal.
pub(crate) fn ask(prompt: &str) -> Result<Secret, Failure> {
    let typed = terminal::hidden(prompt).map_err(|error| {
        Failure::new(Kind::Usage, format!("no PIN could be asked for: {error}"))
            .with_hint("run it at a terminal, or name a PIN file (mode 600)")
    })?;
    let text = std::str::from_utf8(&typed)
        .map_err(|_| Failure::new(Kind::Usage, "what was typed is no text"))?;
    Ok(Secret::new(text))
}

/// Asks for a new PIN at the terminal, twice.
pub(crate) fn ask_new(what: &str) -> Result<Secret, Failure> {
    let first = ask(&format!("New PIN of {what}: "))?;
    if first == ask("The same again: ")? {
        return Ok(first);
    }
    Err(Failure::new(Kind::Usage, "the two PINs differ"))
}
