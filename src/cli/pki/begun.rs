//! A key in the token, and then files about it: cut off between them, the same command goes on.
//!
//! ```text
//!   mark ─► the key, by two officers ─► files ─► no mark
//! ```
//!
//! The mark is made while the label is free: a key that is there with it is the one that was begun.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hsm::Token;

use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::{NewKey, OfficerChoice, TokenChoice, make};

/// The work on a key whose files are not all written yet.
pub(super) struct Begun {
    mark: PathBuf,
    is_resumed: bool,
}

impl Begun {
    /// Makes a key by two officers, or goes on with the one that a call before this one made: nobody
    /// orders that a second time.
    pub(super) fn key(
        mark: PathBuf,
        (token, officers): (&TokenChoice, &OfficerChoice),
        kind: NewKey,
        label: &str,
    ) -> Result<(Self, Token), Failure> {
        let place = token.place()?;
        let word = format!("{} {label}\n", kind.name());
        let begun = read(&mark)?;
        let has = |token: &Token, label: &str| {
            let keys = token.keys().or_fail(Kind::Device)?;
            Ok::<_, Failure>(keys.iter().any(|key| key.label == label))
        };
        if let Some(begun) = &begun {
            let token = place.open()?;
            let (_, other) = begun.trim_end().split_once(' ').unwrap_or_default();
            match has(&token, other)? {
                true if *begun == word => {
                    let is_resumed = true;
                    return Ok((Self { mark, is_resumed }, token));
                }
                true => {
                    let fault = format!("{} says that another key was begun", mark.display());
                    let hint = format!("go on with it first: {}", begun.trim_end());
                    return Err(Failure::new(Kind::Refused, fault).with_hint(hint));
                }
                false => {}
            }
        }
        let officers = officers.open(&place)?;
        let token = place.open()?;
        if !has(&token, label)? {
            let folder = mark.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).or_fail(Kind::Failed)?;
            write_whole(&mark, word.as_bytes()).or_fail(Kind::Failed)?;
            token.remove_half_made(label).or_fail(Kind::Device)?;
        }
        make(&token, &officers, kind, label)?;
        let is_resumed = begun.is_some();
        Ok((Self { mark, is_resumed }, token))
    }

    /// Takes up what was written whole, but for its mark; nothing where there is none of this label.
    pub(super) fn written(mark: PathBuf, label: &str) -> Result<Option<Self>, Failure> {
        let is_own = |begun: &String| {
            begun
                .trim_end()
                .split_once(' ')
                .is_some_and(|(_, own)| own == label)
        };
        let begun = read(&mark)?.filter(is_own);
        Ok(begun.map(|_| Self {
            mark,
            is_resumed: true,
        }))
    }

    /// Writes a file, in the place of the one that was written before all was cut off.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        match self.is_resumed {
            true => write_whole(path, bytes).map_err(|error| {
                let fault = format!("{} cannot be written: {error}", path.display());
                Failure::new(Kind::Failed, fault)
            }),
            false => files::write_new(path, bytes),
        }
    }

    /// Says that everything is written.
    pub(super) fn end(self) -> Result<(), Failure> {
        fs::remove_file(&self.mark).or_fail(Kind::Failed)
    }
}

/// Reads a mark: which key was begun, and its label.
fn read(mark: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(mark) {
        Ok(begun) => Ok(Some(begun)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let fault = format!("{} cannot be read: {error}", mark.display());
            Err(Failure::new(Kind::Failed, fault))
        }
    }
}
