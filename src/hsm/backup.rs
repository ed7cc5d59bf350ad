//! A copy of a token's files, sealed under a key that custodians bring back.
//!
//! ```text
//!   backup key, in the token ── KDF3 (salt) ──► data key ── AES-256-GCM ──► sealed files
//!        │  split among custodians                ▲
//!        └─ shares ── joined on another host ─────┘ restore
//! ```
//!
//! Making a backup needs nobody but the token; opening one needs a quorum. The manifest, what keys
//! there were, stands in clear before the sealed part and is bound to it.

use std::collections::BTreeSet;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use card::cipher::Key;
use card::gp::{self, Diversification};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::HsmError;
use crate::protocol::{KeyRecord, TokenRecord};
use crate::share::hex;
use crate::token::Token;

/// What stands first in a manifest.
const FORMAT: &str = "zimogs-hsm-backup/v1";
/// The most bytes of a backup. A token of a thousand keys has some megabytes.
pub const MAX_BACKUP: usize = 64 * 1024 * 1024;
const MAX_MANIFEST: usize = 4 * 1024 * 1024;
const MAX_FILES: usize = 65_536;
/// A salt makes each backup's data key another one, so that the nonce may be always the same.
const SALT: usize = 32;
const NONCE: [u8; 12] = [0; 12];

/// Why a backup is not made or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is none, or was cut off.
    #[error("this is no backup: {reason}")]
    Form {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is more than a backup holds, or a name that it cannot hold.
    #[error("the token's files cannot be backed up: {reason}")]
    Content {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The backup key is no AES-256 key.
    #[error("the backup key {label:?} is no AES-256 key")]
    BackupKey {
        /// Its label.
        label: String,
    },
    /// The shares are of another key.
    #[error(
        "the backup is sealed under key {label:?} with check value {expected}, not under one with {found}"
    )]
    OtherKey {
        /// The label of its key.
        label: String,
        /// The check value of its key.
        expected: String,
        /// The check value of the key that was brought.
        found: String,
    },
    /// The backup was altered.
    #[error("the backup does not open: it was altered")]
    Altered,
    /// The token failed.
    #[error("the token does not serve")]
    Token(#[from] HsmError),
}

/// What a backup says of itself in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: String,
    /// When it was made, as the host's clock had it (*RFC 3339*).
    pub time: String,
    /// Of which token.
    pub token: TokenRecord,
    /// The keys that were in it.
    pub keys: Vec<KeyRecord>,
    /// The label of the key under which it is sealed.
    pub backup_key: String,
    /// That key's check value.
    pub backup_key_kcv: String,
    salt: String,
}

/// One file of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupFile {
    /// Its path in the token's folder: names between slashes.
    pub path: String,
    /// What is in it.
    pub content: Zeroizing<Vec<u8>>,
}

/// A sealed backup.
#[derive(Clone, PartialEq, Eq)]
pub struct Backup {
    manifest: Manifest,
    /// The manifest as it was written, which is bound to the sealed part.
    header: Vec<u8>,
    sealed: Vec<u8>,
}

impl Backup {
    /// Seals a token's files under the AES-256 key labelled `backup_key` in it.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn seal(
        token: &Token,
        backup_key: &str,
        time: String,
        files: &[BackupFile],
    ) -> Result<Self, BackupError> {
        let wrong_key = || BackupError::BackupKey {
            label: backup_key.to_owned(),
        };
        let salt = token.random(SALT)?;
        let key = token.diversify_one(Diversification::Kdf3, backup_key, &salt)?;
        let info = token.info();
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            time,
            token: TokenRecord {
                label: info.label.clone(),
                serial: Some(info.serial.clone()),
                model: Some(info.model.clone()),
            },
            keys: token.key_records()?,
            backup_key: backup_key.to_owned(),
            backup_key_kcv: hex(&token.kcv(backup_key)?),
            salt: hex(&salt),
        };
        let mut header = serde_json::to_vec(&manifest).map_err(|_| BackupError::Content {
            reason: "the manifest cannot be written",
        })?;
        header.push(b'\n');
        let archive = pack(files)?;
        let cipher = Aes256Gcm::new_from_slice(key.as_bytes()).map_err(|_| wrong_key())?;
        let payload = Payload {
            msg: &archive,
            aad: &header,
        };
        let sealed = cipher.encrypt(&Nonce::from(NONCE), payload);
        let sealed = sealed.map_err(|_| BackupError::Content {
            reason: "there is too much",
        })?;
        if header.len() > MAX_MANIFEST || header.len() + sealed.len() > MAX_BACKUP {
            return Err(BackupError::Content {
                reason: "there is too much",
            });
        }
        Ok(Self {
            manifest,
            header,
            sealed,
        })
    }

    /// Reads a backup; nothing in it is to be believed before [`Backup::open`].
    ///
    /// # Errors
    /// [`BackupError::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BackupError> {
        let form = |reason| BackupError::Form { reason };
        if bytes.len() > MAX_BACKUP {
            return Err(form("it is too long"));
        }
        let start = &bytes[..bytes.len().min(MAX_MANIFEST)];
        let end = start.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or(form("it has no manifest"))?;
        let (header, sealed) = bytes.split_at(end + 1);
        let manifest: Manifest =
            serde_json::from_slice(header).map_err(|_| form("it has no manifest"))?;
        if manifest.format != FORMAT {
            return Err(form("it is of another format"));
        }
        if unhex::<SALT>(&manifest.salt).is_none() {
            return Err(form("its salt is none"));
        }
        Ok(Self {
            manifest,
            header: header.to_vec(),
            sealed: sealed.to_vec(),
        })
    }

    /// Returns the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.sealed].concat()
    }

    /// Returns what it says of itself.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Opens it with the backup key, as custodians brought it back.
    ///
    /// # Errors
    /// [`BackupError::OtherKey`], [`BackupError::Altered`].
    pub fn open(&self, backup_key: &Key) -> Result<Vec<BackupFile>, BackupError> {
        let manifest = &self.manifest;
        let found = hex(&backup_key.kcv());
        if found != manifest.backup_key_kcv {
            return Err(BackupError::OtherKey {
                label: manifest.backup_key.clone(),
                expected: manifest.backup_key_kcv.clone(),
                found,
            });
        }
        let salt = unhex::<SALT>(&manifest.salt).ok_or(BackupError::Altered)?;
        let wrong_key = || BackupError::BackupKey {
            label: manifest.backup_key.clone(),
        };
        let key =
            gp::diversify_one(Diversification::Kdf3, backup_key, &salt).map_err(|_| wrong_key())?;
        let cipher = Aes256Gcm::new_from_slice(key.as_bytes()).map_err(|_| wrong_key())?;
        let payload = Payload {
            msg: &self.sealed,
            aad: &self.header,
        };
        let archive = cipher.decrypt(&Nonce::from(NONCE), payload);
        let archive = Zeroizing::new(archive.map_err(|_| BackupError::Altered)?);
        unpack(&archive)
    }
}

/// Writes files one behind another: length of the path (2), of the content (4), both.
fn pack(files: &[BackupFile]) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let content = |reason| BackupError::Content { reason };
    let length: usize = files
        .iter()
        .map(|f| 6 + f.path.len() + f.content.len())
        .sum();
    if length > MAX_BACKUP || files.len() > MAX_FILES {
        return Err(content("there is too much"));
    }
    let mut archive = Zeroizing::new(Vec::with_capacity(length));
    for file in files {
        if !is_path(&file.path) {
            return Err(content("a file has a name that is none of a token's"));
        }
        let too_long = |_| content("a file is too long");
        let path = u16::try_from(file.path.len()).map_err(|_| content("a path is too long"))?;
        archive.extend(path.to_be_bytes());
        archive.extend(
            u32::try_from(file.content.len())
                .map_err(too_long)?
                .to_be_bytes(),
        );
        archive.extend_from_slice(file.path.as_bytes());
        archive.extend_from_slice(&file.content);
    }
    Ok(archive)
}

fn unpack(mut archive: &[u8]) -> Result<Vec<BackupFile>, BackupError> {
    let mut files = Vec::new();
    let mut paths = BTreeSet::new();
    while !archive.is_empty() {
        let file = next_file(&mut archive)
            .filter(|file| paths.len() < MAX_FILES && paths.insert(file.path.clone()));
        files.push(file.ok_or(BackupError::Form {
            reason: "its files are not what this program writes",
        })?);
    }
    Ok(files)
}

fn next_file(archive: &mut &[u8]) -> Option<BackupFile> {
    let (path, rest) = archive.split_first_chunk::<2>()?;
    let (content, rest) = rest.split_first_chunk::<4>()?;
    let (path, rest) = rest.split_at_checked(u16::from_be_bytes(*path).into())?;
    let content = usize::try_from(u32::from_be_bytes(*content)).ok()?;
    let (content, rest) = rest.split_at_checked(content)?;
    *archive = rest;
    let path = str::from_utf8(path).ok().filter(|path| is_path(path))?;
    Some(BackupFile {
        path: path.to_owned(),
        content: Zeroizing::new(content.to_vec()),
    })
}

/// Says whether a path stays in its folder: names of letters, digits, dots, hyphens and
/// underscores, none of which is only dots.
fn is_path(path: &str) -> bool {
    let is_name = |name: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        name.chars().all(letter) && name.chars().any(|c| c != '.')
    };
    path.len() <= 255 && path.split('/').count() <= 8 && path.split('/').all(is_name)
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "../../tests/hsm/backup.rs"]
mod tests;
