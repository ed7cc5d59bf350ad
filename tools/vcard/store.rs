//! Where a chip's memory lies: a sealed file, or nowhere.
//!
//! A command's effects are committed before its answer leaves, whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::eid::state::State;

/// Says why a chip's memory cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is already a chip in this file, or this is the key of one.
    #[error("{0} exists already; a blank never overwrites a chip, nor its key")]
    Exists(PathBuf),
    /// The chip is running: a second run of it would undo what the first commits.
    #[error("{0} is in use: this chip runs already; take it out there first")]
    InUse(PathBuf),
    /// The file system refused.
    #[error("cannot {act} {path}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is no chip, is damaged, or its key file belongs to another chip.
    #[error("{path} is no whole chip state ({why})")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// The product of this chip is not in the table.
    #[error("unknown product {0:?}")]
    Product(String),
    /// The cipher or the random source failed.
    #[error("cannot seal the state")]
    Crypto(#[from] ErrorStack),
    /// The state cannot be encoded.
    #[error("cannot encode the state")]
    Encoding(#[source] serde_json::Error),
}

/// A chip's memory, ready to be kept.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// The operating system's part, the security domain's at least.
    state: &'a State,
    /// The applet's part, where there is one.
    applet: Option<&'a Value>,
}

/// The memory of a chip with an applet, as encoded. A chip without one is its state alone.
#[derive(Serialize, Deserialize)]
pub(crate) struct WithApplet<S, A> {
    pub(crate) product: String,
    pub(crate) domain: S,
    pub(crate) applet: A,
}

impl<'a> Image<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        let applet = None;
        Self { state, applet }
    }

    /// Returns the image with this applet's memory beside the state.
    pub(crate) fn with_applet(self, applet: &'a Value) -> Self {
        Self {
            applet: Some(applet),
            ..self
        }
    }

    /// Encodes the memory, **secrets in clear**: for a store that seals, or a test.
    ///
    /// # Errors
    /// [`StoreError::Encoding`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let bytes = match self.applet {
            None => serde_json::to_vec(self.state),
            Some(applet) => serde_json::to_vec(&WithApplet {
                product: self.state.product.clone(),
                domain: self.state,
                applet,
            }),
        };
        Ok(Zeroizing::new(bytes.map_err(StoreError::Encoding)?))
    }

    /// Returns what may stand in clear beside the sealed memory.
    fn header(&self) -> Header {
        Header {
            product: self.state.product.clone(),
            number: self.state.number.to_string(),
            card: self.state.card as u8,
            application: self.state.application as u8,
        }
    }
}

/// Keeps a chip's memory.
pub trait Store: Send {
    /// Makes the image the chip's memory, at once and for good.
    ///
    /// # Errors
    /// [`StoreError`]; then the former memory stands, unless the store is
    /// [unsettled](Store::is_unsettled).
    fn commit(&mut self, image: &Image<'_>) -> Result<(), StoreError>;

    /// Says that a commit failed at its very end, so that nobody knows which memory a chip
    /// would wake with. The chip answers nothing any more.
    fn is_unsettled(&self) -> bool {
        false
    }
}

/// Keeps nothing: the chip lives as long as its object. For tests and rehearsals.
#[derive(Debug, Default)]
pub struct Memory;

impl Store for Memory {
    fn commit(&mut self, _: &Image<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What people may see of a chip's file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    product: String,
    number: String,
    card: u8,
    application: u8,
}

/// The file: the header in clear, and the memory sealed with AES-256-GCM, bound to it.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    chip: Header,
    nonce: String,
    tag: String,
    memory: String,
}

/// Keeps a chip in a JSON file, sealed under a key in a file beside it (`<file>.key`, 0600).
/// The key file is locked as long as the store lives: a chip runs once at a time.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    key: crate::secret::Secret,
    key_file: File,
    unsettled: bool,
}

impl FileStore {
    /// Prepares a file for a new chip, with a fresh key.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where there is a chip or its key, or the file system's refusal.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            return Err(StoreError::Exists(path.to_owned()));
        }
        let mut key = Zeroizing::new([0; 32]);
        rand_bytes(&mut key[..])?;
        let beside = key_path(path);
        let text = Zeroizing::new(hex::encode(&key[..]));
        let failed = |source| StoreError::Io {
            act: "write",
            path: beside.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut key_file = options.open(&beside).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists(beside.clone()),
            _ => failed(error),
        })?;
        lock(&key_file, path)?;
        key_file.write_all(text.as_bytes()).map_err(failed)?;
        key_file.sync_all().map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            key: crate::secret::Secret::new(*key),
            key_file,
            unsettled: false,
        })
    }

    /// Opens an existing chip and returns its encoded memory.
    ///
    /// # Errors
    /// [`StoreError`] where it is missing, damaged or in use.
    pub fn open(path: &Path) -> Result<(Self, Zeroizing<Vec<u8>>), StoreError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io {
                act: "read",
                path,
                source,
            }
        };
        let damaged = |why| StoreError::Damaged {
            path: path.to_owned(),
            why,
        };
        let beside = key_path(path);
        let mut key_file = File::open(&beside).map_err(unread(&beside))?;
        lock(&key_file, path)?;
        let mut key = Zeroizing::new(Vec::new());
        key_file.read_to_end(&mut key).map_err(unread(&beside))?;
        let text = fs::read(path).map_err(unread(path))?;
        let key = hex::decode(key.trim_ascii()).map_err(|_| damaged("key file"))?;
        let key = crate::secret::Secret::new(key);
        let sealed: Sealed = serde_json::from_slice(&text).map_err(|_| damaged("JSON"))?;
        let decode = |text: &str| BASE64.decode(text).map_err(|_| damaged("base64"));
        let header = serde_json::to_vec(&sealed.chip).map_err(StoreError::Encoding)?;
        let (nonce, tag) = (decode(&sealed.nonce)?, decode(&sealed.tag)?);
        // openssl's wrapper panics on lengths that the cipher does not take.
        if (key.bytes().len(), nonce.len(), tag.len()) != (32, 12, 16) {
            return Err(damaged("lengths"));
        }
        let memory = decrypt_aead(
            Cipher::aes_256_gcm(),
            key.bytes(),
            Some(&nonce),
            &header,
            &decode(&sealed.memory)?,
            &tag,
        );
        let memory = memory.map_err(|_| damaged("seal"))?;
        let store = Self {
            path: path.to_owned(),
            key,
            key_file,
            unsettled: false,
        };
        Ok((store, Zeroizing::new(memory)))
    }

    fn seal(&self, image: &Image<'_>) -> Result<Vec<u8>, StoreError> {
        let chip = image.header();
        let header = serde_json::to_vec(&chip).map_err(StoreError::Encoding)?;
        let (mut nonce, mut tag) = ([0; 12], [0; 16]);
        rand_bytes(&mut nonce)?;
        let memory = encrypt_aead(
            Cipher::aes_256_gcm(),
            self.key.bytes(),
            Some(&nonce),
            &header,
            &image.encode()?,
            &mut tag,
        )?;
        let sealed = Sealed {
            chip,
            nonce: BASE64.encode(nonce),
            tag: BASE64.encode(tag),
            memory: BASE64.encode(memory),
        };
        serde_json::to_vec(&sealed).map_err(StoreError::Encoding)
    }
}

impl Store for FileStore {
    fn commit(&mut self, image: &Image<'_>) -> Result<(), StoreError> {
        let bytes = self.seal(image)?;
        let fresh = with_suffix(&self.path, ".new");
        let failed = |act| {
            let path = self.path.clone();
            move |source| StoreError::Io { act, path, source }
        };
        // Opened before anything is changed, so that as little as may be can fail after it.
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder),
            _ => File::open("."),
        };
        let folder = folder.map_err(failed("write"))?;
        let replace = || -> io::Result<()> {
            let mut file = File::create(&fresh)?;
            file.write_all(&bytes)?;
            file.sync_data()?;
            fs::rename(&fresh, &self.path)
        };
        replace().map_err(failed("write"))?;
        // The rename itself must outlast a power cut of the host.
        let settled = folder.sync_all().map_err(failed("settle"));
        self.unsettled = settled.is_err();
        settled
    }

    fn is_unsettled(&self) -> bool {
        self.unsettled
    }
}

impl Drop for FileStore {
    /// Unlocks at once: a child process that is just being started would else keep the lock
    /// a moment longer.
    fn drop(&mut self) {
        let _ = self.key_file.unlock();
    }
}

/// Locks a chip's key file, or says that the chip is in use.
fn lock(key_file: &File, chip: &Path) -> Result<(), StoreError> {
    key_file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::InUse(chip.to_owned()),
        TryLockError::Error(source) => StoreError::Io {
            act: "lock",
            path: key_path(chip),
            source,
        },
    })
}

fn key_path(path: &Path) -> PathBuf {
    with_suffix(path, ".key")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
