//! What a chip remembers without power.

use card::Status;
use serde::{Deserialize, Serialize};

use crate::curve::Curve;
use crate::eid::access::AccessRule;
use crate::eid::session::StaticKeys;
use crate::identity::ChipNumber;
use crate::scp::Scp;
use crate::secret::{Secret, hexadecimal};

/// AID of the issuer security domain.
pub(crate) const ISD_AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];
/// AID of the eID application, and name of its MF.
pub(crate) const MAIN_AID: [u8; 16] = [
    0xA0, 0x00, 0x00, 0x00, 0x77, 0x01, 0x08, 0x00, 0x07, 0x00, 0x00, 0xFE, 0x00, 0x00, 0x01, 0x00,
];
/// Index of the MF among the files.
pub(crate) const MF: usize = 0;
/// File identifier of the MF.
pub(crate) const MF_ID: u16 = 0x3F00;
/// Version of the maker's key set.
pub(crate) const TRANSPORT_VERSION: u8 = 0xFF;

/// Card life cycle (GP §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CardState {
    OpReady = 0x01,
    Initialized = 0x07,
    Secured = 0x0F,
    Locked = 0x7F,
    Terminated = 0xFF,
}

/// Application life cycle (GP §5.3), of the eID application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ApplicationState {
    Selectable = 0x07,
    Personalized = 0x0F,
}

/// One key set of the issuer security domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeySet {
    pub(crate) version: u8,
    enc: Secret,
    mac: Secret,
    dek: Secret,
    /// Secure channel sequence counter: under SCP03 the last one used, under SCP02 the one of
    /// the next session.
    pub(crate) counter: u32,
}

impl KeySet {
    pub(crate) fn new(version: u8, keys: StaticKeys) -> Self {
        let StaticKeys { enc, mac, dek } = keys;
        Self {
            version,
            enc,
            mac,
            dek,
            counter: 0,
        }
    }

    pub(crate) fn keys(&self) -> StaticKeys {
        StaticKeys {
            enc: self.enc.clone(),
            mac: self.mac.clone(),
            dek: self.dek.clone(),
        }
    }
}

/// A file: the MF, a DF or a transparent EF.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) id: u16,
    /// Index of the directory that holds it; the MF's is its own.
    pub(crate) parent: usize,
    pub(crate) body: Body,
    pub(crate) rule: Option<AccessRule>,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Body {
    Directory {
        #[serde(with = "hexadecimal")]
        name: Vec<u8>,
    },
    Elementary {
        #[serde(with = "hexadecimal")]
        content: Vec<u8>,
    },
}

impl File {
    /// Returns the DF name, of a directory.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Directory { name } => Some(name),
            Body::Elementary { .. } => None,
        }
    }

    /// Says whether the file is the MF or a DF.
    pub(crate) fn is_directory(&self) -> bool {
        self.name().is_some()
    }
}

/// A PIN object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pin {
    /// Index of the directory that holds it.
    pub(crate) home: usize,
    /// Reference & 0F.
    pub(crate) number: u8,
    pub(crate) max: u8,
    pub(crate) left: u8,
    pub(crate) minimum: u8,
    pub(crate) rule: AccessRule,
    /// Rule of the contactless interface, which this chip does not have.
    pub(crate) contactless: AccessRule,
    /// The padded field; none yet after creation.
    pub(crate) value: Option<Secret>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Usage {
    Authentication,
    Signature,
}

/// A key pair that the chip made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyPair {
    /// Index of the directory that holds it.
    pub(crate) home: usize,
    pub(crate) reference: u8,
    pub(crate) curve: Curve,
    pub(crate) usage: Usage,
    pub(crate) rule: AccessRule,
    /// The private scalar.
    pub(crate) private: Secret,
    /// 04 ‖ X ‖ Y.
    #[serde(with = "hexadecimal")]
    pub(crate) public: Vec<u8>,
}

/// Everything that outlasts the power.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) product: String,
    pub(crate) number: ChipNumber,
    /// The secure channel that its domain speaks.
    #[serde(default)]
    pub(crate) scp: Scp,
    pub(crate) card: CardState,
    pub(crate) application: ApplicationState,
    /// Failed authentications of the secure channel in a row.
    pub(crate) failures: u8,
    /// Oldest first; the first is the default.
    pub(crate) key_sets: Vec<KeySet>,
    /// The MF first, none where there is no eID application; nothing is ever deleted, so that indices stay.
    pub(crate) files: Vec<File>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) keys: Vec<KeyPair>,
}

impl State {
    /// Returns the state in which a blank leaves its maker.
    pub(crate) fn blank(product: &str, number: ChipNumber, scp: Scp, keys: StaticKeys) -> Self {
        Self {
            files: vec![File {
                id: MF_ID,
                parent: MF,
                body: Body::Directory {
                    name: MAIN_AID.to_vec(),
                },
                rule: None,
            }],
            ..Self::domain(product, number, scp, keys)
        }
    }

    /// Returns the state of a blank with a security domain and no eID application.
    pub(crate) fn domain(product: &str, number: ChipNumber, scp: Scp, keys: StaticKeys) -> Self {
        Self {
            product: product.to_owned(),
            number,
            scp,
            card: CardState::Initialized,
            application: ApplicationState::Selectable,
            failures: 0,
            key_sets: vec![KeySet::new(TRANSPORT_VERSION, keys)],
            files: Vec::new(),
            pins: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Returns a file.
    pub(crate) fn file(&self, index: usize) -> Result<&File, Status> {
        self.files.get(index).ok_or(Status::UNKNOWN)
    }

    /// Returns the files in a directory, with their indices.
    pub(crate) fn children(&self, directory: usize) -> impl Iterator<Item = (usize, &File)> {
        let files = self.files.iter().enumerate();
        files.filter(move |(index, file)| *index != MF && file.parent == directory)
    }

    /// Returns how many directories lie above a file.
    pub(crate) fn depth(&self, mut index: usize) -> usize {
        let mut depth = 0;
        while let Some(file) = self.files.get(index).filter(|_| index != MF) {
            index = file.parent;
            depth += 1;
        }
        depth
    }

    /// Returns the bytes of memory in use. Costs: see the manual, *Files*.
    pub(crate) fn memory_used(&self) -> usize {
        let files = self.files.iter().skip(1).map(|file| match &file.body {
            Body::Directory { .. } => 64,
            Body::Elementary { content } => content.len() + 32,
        });
        files.sum::<usize>() + self.pins.len() * 64 + self.keys.len() * 192
    }
}
