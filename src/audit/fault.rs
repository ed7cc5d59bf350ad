//! What a verification can find wrong with an export.

use std::{error::Error, fmt};

use crate::{Hash, checkpoint::CheckpointError, note::NoteError, reader::ReadFault, tile::Tile};

/// A part of an export that can be at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The entry of this index, from 0.
    Entry(u64),
    /// At least one of the entries `first..=last`: the tile that would tell which is missing.
    Entries {
        /// The first entry's index.
        first: u64,
        /// The last entry's index.
        last: u64,
    },
    /// A file of tree hashes.
    Tile(Tile),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(index) => write!(f, "entry {index}"),
            Self::Entries { first, last } => write!(f, "an entry between {first} and {last}"),
            Self::Tile(tile) => write!(f, "{tile}"),
        }
    }
}

/// One thing that is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityFault {
    /// The checkpoint is malformed, or not the log's.
    #[error("the checkpoint is refused")]
    Checkpoint(#[source] CheckpointError),
    /// A witness that must have cosigned the checkpoint has not, or its cosignature is false.
    #[error("the checkpoint is not witnessed")]
    Witness(#[source] NoteError),
    /// A file that the checkpoint calls for is missing.
    #[error("{path} is missing")]
    Missing {
        /// Its path in the export.
        path: String,
    },
    /// A file is longer than any of its kind can be.
    #[error("{path} is longer than {longest} bytes")]
    TooLong {
        /// Its path in the export.
        path: String,
        /// The most bytes that it may have.
        longest: usize,
    },
    /// A file of hashes has not the length that its width gives.
    #[error("{path} has {found} bytes in place of {expected}")]
    Length {
        /// Its path in the export.
        path: String,
        /// The length that it must have.
        expected: usize,
        /// The length that it has.
        found: usize,
    },
    /// A bundle ends in the middle of an entry.
    #[error("{tile} ends before entry {entry} is complete")]
    BundleEnds {
        /// The bundle.
        tile: Tile,
        /// The first entry that cannot be read.
        entry: u64,
    },
    /// A bundle has bytes after its last entry.
    #[error("{tile} has {bytes} bytes after its last entry")]
    BundleOverflows {
        /// The bundle.
        tile: Tile,
        /// How many bytes too many.
        bytes: usize,
    },
    /// This part was changed after it was signed: everything that proves it holds.
    #[error("{0} was changed after it was signed")]
    Altered(Part),
    /// A tile and what stands below it contradict each other, and nothing that is signed decides
    /// between them.
    #[error("{tile} and {below} contradict each other: at least one was changed")]
    Contradiction {
        /// The tile.
        tile: Tile,
        /// What it contradicts.
        below: Part,
    },
    /// The entries and tiles agree with each other, but not with the signed root.
    #[error("the entries give the root {computed}, but {signed} was signed")]
    Root {
        /// The root that the checkpoint signs.
        signed: Hash,
        /// The root over the entries, or over the tiles where entries are missing.
        computed: Hash,
    },
}

/// Says that an export could not be verified, or that it is not what was signed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file could not be read. This says nothing about the log.
    #[error("{path} could not be read")]
    Unreadable {
        /// Its path in the export.
        path: String,
        /// What the reader said.
        #[source]
        source: ReadFault,
    },
    /// The export is not what was signed: an integrity violation.
    #[error("{0}")]
    Faulty(FaultList),
}

/// The faults of an export: never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultList {
    faults: Vec<IntegrityFault>,
    complete: bool,
}

impl FaultList {
    pub(crate) const fn new(faults: Vec<IntegrityFault>, complete: bool) -> Self {
        Self { faults, complete }
    }

    /// Returns the faults: first what is wrong with files, then what was changed.
    #[must_use]
    pub fn faults(&self) -> &[IntegrityFault] {
        &self.faults
    }

    /// Says whether the whole export was gone through. After a thousand faults nobody reads on,
    /// and the verification ends.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}

impl fmt::Display for FaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause = self.faults.first().map(|first| first as &dyn Error);
        let mut between = "";
        while let Some(error) = cause {
            write!(f, "{between}{error}")?;
            (cause, between) = (error.source(), ": ");
        }
        let more = self.faults.len().saturating_sub(1);
        let least = if self.complete { "" } else { "at least " };
        if more > 0 {
            write!(f, " (and {least}{more} more)")?;
        }
        Ok(())
    }
}
