//! What the applet remembers without power.

use serde::{Deserialize, Serialize};

use crate::curve::Curve;
use crate::secret::{Secret, hexadecimal};

/// Index of the MF among the files.
pub(super) const MF: usize = 0;
/// File identifier of the MF.
pub(super) const MF_ID: u16 = 0x3F00;
/// Key references: 00 to 0F.
pub(super) const MOST_KEYS: usize = 16;
/// Tries of the PIN.
pub(super) const PIN_TRIES: u8 = 3;
/// Tries of the PUK.
pub(super) const PUK_TRIES: u8 = 5;

/// Life cycle of the applet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Neither PUK nor PIN.
    Creation,
    /// A PUK, no PIN yet.
    Initialisation,
    /// A PIN.
    Activated,
}

/// A PIN or PUK.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Code {
    /// Padded to 16 bytes with 00; none before it is set.
    pub(super) value: Option<Secret>,
    pub(super) left: u8,
    pub(super) tries: u8,
}

impl Code {
    fn unset(tries: u8) -> Self {
        Self {
            value: None,
            left: tries,
            tries,
        }
    }

    /// Compares; the counter is lowered before, and restored after a success.
    pub(super) fn check(&mut self, candidate: &[u8]) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let matches = self
            .value
            .as_ref()
            .is_some_and(|value| value.matches(candidate));
        if matches {
            self.left = self.tries;
        }
        matches
    }

    /// Sets a new value, which restores the tries.
    pub(super) fn set(&mut self, value: &[u8]) {
        self.value = Some(Secret::new(value));
        self.left = self.tries;
    }
}

/// What a file is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Body {
    Directory,
    Transparent {
        #[serde(with = "hexadecimal")]
        content: Vec<u8>,
    },
    /// A record file: it can be made, but no command reaches its records.
    Records,
}

/// A file; nothing moves, a deleted one leaves its place empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct File {
    pub(super) id: u16,
    /// Index of the directory that holds it; the MF's is its own.
    pub(super) parent: usize,
    /// File control information as it came, tag included.
    #[serde(with = "hexadecimal")]
    pub(super) control: Vec<u8>,
    /// Access byte of deletion, creation of DFs and writing, creation of EFs and updating,
    /// reading; none: everything is free.
    pub(super) access: Option<[u8; 8]>,
    /// DF name (84).
    #[serde(with = "hexadecimal")]
    pub(super) name: Vec<u8>,
    /// Short file identifier (88).
    pub(super) short_id: Option<u8>,
    pub(super) body: Body,
}

/// A private key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Key {
    Ec {
        curve: Curve,
        /// The private scalar.
        private: Secret,
        /// 04 ‖ X ‖ Y.
        #[serde(with = "hexadecimal")]
        public: Vec<u8>,
    },
    Rsa {
        /// PKCS#1 in DER.
        private: Secret,
    },
}

/// The applet's memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) phase: Phase,
    pub(super) pin: Code,
    pub(super) puk: Code,
    /// The MF first.
    pub(super) files: Vec<Option<File>>,
    /// By reference.
    pub(super) keys: Vec<Option<Key>>,
}

impl Default for Memory {
    fn default() -> Self {
        let mf = File {
            id: MF_ID,
            parent: MF,
            control: vec![0x6F, 0x07, 0x82, 0x01, 0x38, 0x83, 0x02, 0x3F, 0x00],
            access: None,
            name: Vec::new(),
            short_id: None,
            body: Body::Directory,
        };
        Self {
            phase: Phase::Creation,
            pin: Code::unset(PIN_TRIES),
            puk: Code::unset(PUK_TRIES),
            files: vec![Some(mf)],
            keys: vec![None; MOST_KEYS],
        }
    }
}

impl Memory {
    /// Returns a file.
    pub(super) fn file(&self, index: usize) -> Option<&File> {
        self.files.get(index).and_then(Option::as_ref)
    }

    /// Returns the files with their indices.
    pub(super) fn files(&self) -> impl Iterator<Item = (usize, &File)> {
        let places = self.files.iter().enumerate();
        places.filter_map(|(index, file)| Some((index, file.as_ref()?)))
    }

    /// Returns the files in a directory, with their indices.
    pub(super) fn children(&self, directory: usize) -> impl Iterator<Item = (usize, &File)> {
        let inside = move |(index, file): &(usize, &File)| *index != MF && file.parent == directory;
        self.files().filter(inside)
    }

    /// Says whether a file lies in a directory, however deep.
    pub(super) fn is_under(&self, mut index: usize, directory: usize) -> bool {
        while index != MF {
            match self.file(index) {
                Some(file) if file.parent == directory => return true,
                Some(file) => index = file.parent,
                None => return false,
            }
        }
        false
    }

    /// Returns the bytes in use: content, control information and 64 for a file; 320 for an
    /// EC key, 1300 for an RSA key.
    pub(super) fn used(&self) -> usize {
        let files = self.files().map(|(_, file)| {
            let content = match &file.body {
                Body::Transparent { content } => content.len(),
                Body::Directory | Body::Records => 0,
            };
            content + file.control.len() + 64
        });
        let keys = self.keys.iter().flatten().map(|key| match key {
            Key::Ec { .. } => 320,
            Key::Rsa { .. } => 1300,
        });
        files.sum::<usize>() + keys.sum::<usize>()
    }
}
