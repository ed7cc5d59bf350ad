//! The files of one document.

use std::collections::BTreeMap;
use std::fmt;

use cert::Hash;
use zeroize::Zeroizing;

use super::com::EfCom;
use super::data_group::DataGroup;
use super::error::{LdsError, LdsFault, within_bound};
use super::file::{File, Group};
use super::security_object::LdsSecurityObject;
use super::version::LdsVersion;

/// The longest that all files of a document are read together, in bytes.
pub const MAX_TOTAL: usize = 1_048_576;

/// How much a document may hold, as its profile says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LdsLimits {
    /// The longest file, in bytes.
    pub file: usize,
    /// All files together, in bytes.
    pub total: usize,
}

impl Default for LdsLimits {
    /// Files of 64 KiB and 128 KiB together: more than today's chips offer.
    fn default() -> Self {
        Self {
            file: 65_536,
            total: 131_072,
        }
    }
}

/// How a file that was read back is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// It was not read.
    #[error("{0} was written and not read back")]
    Missing(File),
    /// Nobody wrote it.
    #[error("{0} was read back and not written")]
    Added(File),
    /// It is shorter or longer.
    #[error("{file} has {read} bytes; {written} were written")]
    Length {
        /// The file.
        file: File,
        /// How many bytes were written.
        written: usize,
        /// How many were read.
        read: usize,
    },
    /// A byte is another one.
    #[error("{file} differs from byte {offset} on")]
    Content {
        /// The file.
        file: File,
        /// Where the first such byte stands, counted from 0.
        offset: usize,
    },
}

/// The files of one document: prepared to be written, or read from a chip or a folder. What is
/// read may be malformed; only lengths are checked until somebody looks. Wiped when dropped;
/// `Debug` shows lengths only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Lds {
    files: BTreeMap<File, Zeroizing<Vec<u8>>>,
}

impl Lds {
    /// Returns a document without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file as it was read or is to be written.
    ///
    /// # Errors
    /// [`LdsFault::Repeated`] for a file that is there, [`LdsFault::TooLong`] past
    /// [`super::MAX_FILE`], [`LdsFault::Total`] past [`MAX_TOTAL`].
    pub fn insert(&mut self, file: File, bytes: Vec<u8>) -> Result<(), LdsError> {
        let bytes = Zeroizing::new(bytes);
        within_bound(file, &bytes)?;
        if self.files.contains_key(&file) {
            return Err(LdsError::of(file, LdsFault::Repeated));
        }
        let length = self.total() + bytes.len();
        if length > MAX_TOTAL {
            return Err(LdsError::of(
                file,
                LdsFault::Total {
                    length,
                    limit: MAX_TOTAL,
                },
            ));
        }
        self.files.insert(file, bytes);
        Ok(())
    }

    /// Adds a data group.
    ///
    /// # Errors
    /// As [`Lds::insert`].
    pub fn insert_group(&mut self, group: &DataGroup) -> Result<(), LdsError> {
        self.insert(File::Dg(group.group()), group.bytes().to_vec())
    }

    /// Returns a file's bytes.
    #[must_use]
    pub fn get(&self, file: impl Into<File>) -> Option<&[u8]> {
        self.files.get(&file.into()).map(|bytes| &bytes[..])
    }

    /// Returns all files, in the order of [`File`].
    pub fn files(&self) -> impl Iterator<Item = (File, &[u8])> {
        self.files.iter().map(|(file, bytes)| (*file, &bytes[..]))
    }

    /// Returns the data groups by number.
    pub fn groups(&self) -> impl Iterator<Item = (Group, &[u8])> {
        self.files().filter_map(|(file, bytes)| match file {
            File::Dg(group) => Some((group, bytes)),
            _ => None,
        })
    }

    /// Returns how many bytes all files have together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.files.values().map(|bytes| bytes.len()).sum()
    }

    /// Checks that the document fits a chip.
    ///
    /// # Errors
    /// [`LdsFault::TooLong`] for the first file past its limit, [`LdsFault::Total`], naming the
    /// longest file.
    pub fn fits(&self, limits: LdsLimits) -> Result<(), LdsError> {
        for (file, bytes) in self.files() {
            if bytes.len() > limits.file {
                let (length, limit) = (bytes.len(), limits.file);
                return Err(LdsError::of(file, LdsFault::TooLong { length, limit }));
            }
        }
        let (length, limit) = (self.total(), limits.total);
        let longest = self.files().max_by_key(|(_, bytes)| bytes.len());
        match longest {
            Some((file, _)) if length > limit => {
                Err(LdsError::of(file, LdsFault::Total { length, limit }))
            }
            _ => Ok(()),
        }
    }

    /// Compares these files, as they were written, with those that were read back, byte for byte.
    #[must_use]
    pub fn differences(&self, read: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (file, written) in self.files() {
            match read.get(file) {
                None => differences.push(Difference::Missing(file)),
                Some(read) if read.len() != written.len() => {
                    differences.push(Difference::Length {
                        file,
                        written: written.len(),
                        read: read.len(),
                    });
                }
                Some(read) => {
                    let mut pairs = read.iter().zip(written);
                    let offset = pairs.position(|(read, written)| read != written);
                    let differs = |offset| Difference::Content { file, offset };
                    differences.extend(offset.map(differs));
                }
            }
        }
        let added = read.files().filter(|(file, _)| self.get(*file).is_none());
        differences.extend(added.map(|(file, _)| Difference::Added(file)));
        differences
    }

    /// Returns EF.COM for the data groups that are here.
    #[must_use]
    pub fn com(&self, lds_version: LdsVersion) -> EfCom {
        EfCom::new(lds_version, self.groups().map(|(group, _)| group))
    }

    /// Returns the security object over the data groups that are here, to be signed.
    ///
    /// # Errors
    /// [`LdsFault::Count`] for fewer than two data groups.
    pub fn security_object(
        &self,
        lds_version: LdsVersion,
        hash: Hash,
    ) -> Result<LdsSecurityObject, LdsError> {
        LdsSecurityObject::new(lds_version, hash, self.groups())
    }
}

impl fmt::Debug for Lds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lengths = self.files().map(|(file, bytes)| (file, bytes.len()));
        f.debug_map().entries(lengths).finish()
    }
}
