//! The protocol of keys: who made, imported or destroyed which key, signed by two people.
//!
//! An entry is a signed note (*C2SP signed-note*) whose text is JSON. Two people sign the order
//! before anything is done, and what came of it afterwards; each entry names the digest of the one
//! before, so that none can be taken out or changed unnoticed.
//!
//! ```text
//!   1 ordered ◄─┐   2 done ◄─┐   3 ordered ◄─┐   4 failed
//!     anna      └─ previous  └─  previous    └─  previous
//!     juris        order 1                       order 3
//! ```
//!
//! The last entries can be cut off together: the digest of the last one is what an auditor keeps.

use std::collections::BTreeSet;
use std::fmt;

use audit::{CheckpointSigner, NoteError, SignError, SignedNote, VerifierKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The people who have to sign an entry.
pub const OFFICERS_NEEDED: usize = 2;

/// What stands first in every entry.
const FORMAT: &str = "zimogs-key-protocol/v1";
/// The most bytes that an entry may have.
const MAX_ENTRY: usize = 64 * 1024;
/// The most signatures that an entry may have.
const MAX_SIGNATURES: usize = 8;

/// Why an entry cannot be made, or is not to be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The bytes are no signed note.
    #[error("entry {number} of the key protocol is damaged: it is no signed note")]
    Note {
        /// The entry's number.
        number: u64,
        /// What is malformed.
        #[source]
        source: NoteError,
    },
    /// The text is no entry.
    #[error("entry {number} of the key protocol is damaged: {reason}")]
    Form {
        /// The entry's number.
        number: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The entry does not continue the one before.
    #[error("entry {number} of the key protocol does not continue the one before: {reason}")]
    Broken {
        /// The entry's number.
        number: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// Too few of those who may have signed.
    #[error(
        "entry {number} of the key protocol is signed by {} of {OFFICERS_NEEDED} officers{}",
        people.len(), named(people)
    )]
    TooFew {
        /// The entry's number.
        number: u64,
        /// Who signed.
        people: Vec<String>,
    },
    /// A signature in an officer's name does not hold.
    #[error("entry {number} of the key protocol is false")]
    FalseSignature {
        /// The entry's number.
        number: u64,
        /// Whose signature.
        #[source]
        source: NoteError,
    },
    /// The same person or key twice.
    #[error("{person} and {other} are not two people: each officer has a key of their own")]
    OnePerson {
        /// Who signs.
        person: String,
        /// Who also signs.
        other: String,
    },
    /// The person is not among the officers.
    #[error("the key of {person} is not in the list of officers")]
    NotListed {
        /// Who wanted to sign.
        person: String,
    },
    /// A key did not sign.
    #[error("the key protocol could not be signed")]
    Sign(#[source] SignError),
}

fn named(people: &[String]) -> String {
    match people {
        [] => String::new(),
        people => format!(" ({})", people.join(", ")),
    }
}

impl ProtocolError {
    /// Says whether something was altered, rather than not allowed.
    pub const fn is_alteration(&self) -> bool {
        !matches!(
            self,
            Self::OnePerson { .. } | Self::NotListed { .. } | Self::Sign(_)
        )
    }
}

/// What is said in an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    format: String,
    /// Its number, from 1.
    pub number: u64,
    /// SHA-256 of the file of the entry before, in hexadecimal digits; none in the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When, as the host's clock has it (*RFC 3339*).
    pub time: String,
    /// The two officers.
    pub officers: Vec<String>,
    /// The token, as it describes itself.
    pub token: TokenRecord,
    /// What is ordered, or was done.
    pub act: Act,
    /// How far it is.
    pub stage: Stage,
}

/// Which token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Its label.
    pub label: String,
    /// Its serial number; none before it is initialized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What two people order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// A token is initialized.
    Initialize,
    /// A key is made in the token.
    Generate {
        /// Its label.
        label: String,
        /// What it is.
        key: String,
    },
    /// A supplier's key is unwrapped.
    Import {
        /// Its label.
        label: String,
        /// What it is.
        key: String,
        /// What it is for.
        role: String,
        /// The zone key's label.
        zone: String,
        /// The check value that was sent with it.
        kcv: String,
        /// How the supplier computes it.
        kcv_method: String,
        /// SHA-256 of what was sent.
        wrapped: String,
    },
    /// A key is destroyed.
    Destroy {
        /// Its label.
        label: String,
    },
    /// A key is made outside of the token's keys, split among custodians and imported.
    Split {
        /// Its label.
        label: String,
        /// What it is.
        key: String,
        /// What it is for.
        role: String,
        /// How many custodians bring it back.
        threshold: u8,
        /// The custodians, in the order of their numbers.
        custodians: Vec<String>,
    },
    /// A key is put together from custodians' shares and imported.
    Join {
        /// Its label.
        label: String,
        /// What it is for.
        role: String,
        /// The custodians who came.
        custodians: Vec<String>,
    },
    /// A key is put together from a supplier's components and imported.
    Components {
        /// Its label.
        label: String,
        /// What it is.
        key: String,
        /// What it is for.
        role: String,
        /// The check value of the whole.
        kcv: String,
        /// How the supplier computes it.
        kcv_method: String,
        /// Those who typed the components.
        custodians: Vec<String>,
    },
    /// A token is restored from a backup.
    Restore {
        /// SHA-256 of the backup.
        backup: String,
        /// The custodians who came.
        custodians: Vec<String>,
    },
}

/// How far an act is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Stage {
    /// Two people ordered it; nothing is done.
    Ordered,
    /// It is done.
    Done {
        /// The number of the order.
        order: u64,
        /// The keys that it is about, as the token described them afterwards.
        keys: Vec<KeyRecord>,
        /// The shares that were given out, or that came.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shares: Vec<ShareRecord>,
    },
    /// It was not done.
    Failed {
        /// The number of the order.
        order: u64,
        /// Why.
        fault: String,
    },
}

/// A key, as its token describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its label.
    pub label: String,
    /// What it is.
    pub key: String,
    /// A secret key's check value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kcv: Option<String>,
    /// SHA-256 of a key pair's public key (`SubjectPublicKeyInfo` in DER).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// `generated` or `imported`.
    pub origin: String,
    /// `CKA_SENSITIVE`.
    pub sensitive: bool,
    /// `CKA_ALWAYS_SENSITIVE`.
    pub always_sensitive: bool,
    /// `CKA_EXTRACTABLE`.
    pub extractable: bool,
    /// `CKA_NEVER_EXTRACTABLE`.
    pub never_extractable: bool,
}

/// A share, told without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRecord {
    /// Its number.
    pub number: u8,
    /// Whose it is.
    pub custodian: String,
    /// The ceremony's random number.
    pub set: String,
    /// A random salt.
    pub salt: String,
    /// SHA-256 over the salt and the share.
    pub fingerprint: String,
}

impl Entry {
    /// Begins an entry that continues `previous`, the last one's file.
    ///
    /// # Errors
    /// [`ProtocolError`] where the last one cannot be read.
    pub fn after(
        previous: Option<&[u8]>,
        time: String,
        officers: Vec<String>,
        token: TokenRecord,
        act: Act,
        stage: Stage,
    ) -> Result<Self, ProtocolError> {
        let number = match previous {
            Some(file) => SignedEntry::parse(file)?.entry.number + 1,
            None => 1,
        };
        Ok(Self {
            format: FORMAT.to_owned(),
            number,
            previous: previous.map(sha256_hex),
            time,
            officers,
            token,
            act,
            stage,
        })
    }

    fn text(&self) -> Result<String, ProtocolError> {
        let fault = |_| self.form("it cannot be written");
        let mut text = serde_json::to_string_pretty(self).map_err(fault)?;
        text.push('\n');
        Ok(text)
    }

    fn form(&self, reason: &'static str) -> ProtocolError {
        let number = self.number;
        ProtocolError::Form { number, reason }
    }
}

/// Returns SHA-256 of some bytes in hexadecimal digits, as entries name each other.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An entry with its signatures. Reading one proves nothing: see [`SignedEntry::verify`].
#[derive(Clone, Debug)]
pub struct SignedEntry {
    entry: Entry,
    note: SignedNote,
}

impl SignedEntry {
    /// Has two officers sign an entry, who are both in the list.
    ///
    /// # Errors
    /// [`ProtocolError::OnePerson`], [`ProtocolError::NotListed`], [`ProtocolError::Sign`].
    pub fn sign(
        entry: Entry,
        signers: [&dyn CheckpointSigner; OFFICERS_NEEDED],
        officers: &[VerifierKey],
    ) -> Result<Self, ProtocolError> {
        check_officers(signers, officers)?;
        let number = entry.number;
        let note = SignedNote::new(entry.text()?);
        let mut note = note.map_err(|source| ProtocolError::Note { number, source })?;
        for signer in signers {
            note.sign(signer).map_err(ProtocolError::Sign)?;
        }
        let signed = Self { entry, note };
        if signed.to_string().len() > MAX_ENTRY {
            return Err(signed.entry.form("it is too long"));
        }
        Ok(signed)
    }

    /// Reads an entry strictly: printed again, it gives the same bytes. Nothing is verified.
    ///
    /// # Errors
    /// What is malformed; the number in it is 0 where none was read.
    pub fn parse(file: &[u8]) -> Result<Self, ProtocolError> {
        let form = |number, reason| Err(ProtocolError::Form { number, reason });
        if file.len() > MAX_ENTRY {
            return form(0, "it is too long");
        }
        let note = SignedNote::parse(file);
        let note = note.map_err(|source| ProtocolError::Note { number: 0, source })?;
        let Ok(entry) = serde_json::from_str::<Entry>(note.text()) else {
            return form(0, "it has not the fields of an entry");
        };
        let number = entry.number;
        if entry.format != FORMAT {
            return form(number, "it is of another format");
        }
        if entry.text()? != note.text() {
            return form(
                number,
                "it is written in another way than this program writes it",
            );
        }
        if (number <= 1) != entry.previous.is_none() || number == 0 {
            return form(number, "its number and what it continues do not fit");
        }
        if note.signers().count() > MAX_SIGNATURES {
            return form(number, "it has too many signatures");
        }
        Ok(Self { entry, note })
    }

    /// Returns what it says. Nobody vouches for it before [`SignedEntry::verify`].
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Verifies that two of the officers signed, each with a key of their own, and that they are
    /// the ones whom the entry names.
    ///
    /// # Errors
    /// [`ProtocolError::FalseSignature`] or [`ProtocolError::TooFew`].
    pub fn verify(&self, officers: &[VerifierKey]) -> Result<Vec<String>, ProtocolError> {
        let number = self.entry.number;
        let mut people = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for key in officers {
            match self.note.verify(key) {
                // One key under two names is one person.
                Ok(_) if !keys.insert(key.public_key()) => {}
                Ok(_) if self.entry.officers.iter().any(|name| name == key.name()) => {
                    people.insert(key.name().to_owned());
                }
                Ok(_) | Err(NoteError::NotSigned { .. }) => {}
                Err(source) => return Err(ProtocolError::FalseSignature { number, source }),
            }
        }
        let people: Vec<_> = people.into_iter().collect();
        if people.len() < OFFICERS_NEEDED {
            return Err(ProtocolError::TooFew { number, people });
        }
        Ok(people)
    }
}

impl fmt::Display for SignedEntry {
    /// Writes the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// Demands two people, each with a key of their own, who are both in the list of officers.
///
/// # Errors
/// [`ProtocolError::OnePerson`], [`ProtocolError::NotListed`].
pub fn check_officers(
    signers: [&dyn CheckpointSigner; OFFICERS_NEEDED],
    officers: &[VerifierKey],
) -> Result<(), ProtocolError> {
    let [one, other] = signers.map(CheckpointSigner::key);
    if one.name() == other.name() || one.public_key() == other.public_key() {
        return Err(ProtocolError::OnePerson {
            person: one.name().to_owned(),
            other: other.name().to_owned(),
        });
    }
    for key in [one, other] {
        if !officers.contains(key) {
            return Err(ProtocolError::NotListed {
                person: key.name().to_owned(),
            });
        }
    }
    Ok(())
}

/// What a protocol proves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtocolReport {
    /// How many entries there are.
    pub entries: u64,
    /// The digest of the last one.
    pub last: Option<String>,
    /// The numbers of orders of which nothing is known to have come: the program was cut off.
    pub open: Vec<u64>,
}

/// Verifies a whole protocol: the files in order, from the first on.
///
/// # Errors
/// The first entry that is wrong.
pub fn verify_protocol<'a>(
    files: impl IntoIterator<Item = &'a [u8]>,
    officers: &[VerifierKey],
) -> Result<ProtocolReport, ProtocolError> {
    let mut report = ProtocolReport::default();
    let mut open: Vec<(u64, Act)> = Vec::new();
    for file in files {
        let number = report.entries + 1;
        let signed = SignedEntry::parse(file).map_err(|error| at(error, number))?;
        let entry = signed.entry();
        let broken = |reason| Err(ProtocolError::Broken { number, reason });
        if entry.number != number {
            return broken("its number is another one");
        }
        if entry.previous != report.last {
            return broken("it names another digest");
        }
        match &entry.stage {
            Stage::Ordered => open.push((number, entry.act.clone())),
            Stage::Done { order, .. } | Stage::Failed { order, .. } => {
                let ordered = |(number, act): &(u64, Act)| number == order && *act == entry.act;
                let Some(at) = open.iter().position(ordered) else {
                    return broken("it is about no order that is open");
                };
                open.remove(at);
            }
        }
        signed.verify(officers)?;
        report.entries = number;
        report.last = Some(sha256_hex(file));
    }
    report.open = open.into_iter().map(|(number, _)| number).collect();
    Ok(report)
}

/// Tells in which entry a fault is whose number could not be read.
fn at(error: ProtocolError, number: u64) -> ProtocolError {
    match error {
        ProtocolError::Note { source, .. } => ProtocolError::Note { number, source },
        ProtocolError::Form { reason, .. } => ProtocolError::Form { number, reason },
        other => other,
    }
}

#[cfg(test)]
#[path = "../../tests/hsm/protocol.rs"]
mod tests;
