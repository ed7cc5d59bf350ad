//! Verifying an export with nothing but its files and the public key.

use std::collections::BTreeSet;

use crate::{
    Hash,
    checkpoint::SignedCheckpoint,
    entry::MAX_ENTRY,
    fault::{FaultList, IntegrityFault, Part, VerifyError},
    key::VerifierKey,
    note::MAX_NOTE,
    reader::{ExportReader, ReadError},
    tile::{CHECKPOINT_PATH, TILE_HEIGHT, TILE_WIDTH, Tile, TileKind, full_tile_root},
    tree::fold_peaks,
};

/// After so many findings the verification ends.
const MAX_FINDINGS: usize = 1000;
const MAX_BUNDLE: usize = TILE_WIDTH as usize * (2 + MAX_ENTRY);

/// Whom a verification believes.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'k> {
    /// The key of the log; its name is the log's origin.
    pub log: &'k VerifierKey,
    /// The witnesses that must all have cosigned the checkpoint. Cosignatures of others are
    /// ignored.
    pub witnesses: &'k [VerifierKey],
}

/// What a verification found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportReport {
    /// The signed checkpoint, verified: size and root are those of the entries.
    pub checkpoint: SignedCheckpoint,
    /// The number of entries, each of which was read and hashed.
    pub entries: u64,
    /// The root, recomputed from the entries.
    pub root: Hash,
    /// When each witness cosigned, in seconds since 1970, in the order of [`Trust::witnesses`].
    /// A key of kind [`crate::KeyKind::Log`] among them signs without a time.
    pub witnessed: Vec<Option<u64>>,
}

/// Verifies an export: the signature, that every entry is the one that was signed, and that every
/// file of hashes is right. Each file is read once, each entry hashed once; memory holds one file a
/// level.
///
/// # Errors
/// [`VerifyError::Faulty`] names what was changed; [`VerifyError::Unreadable`] is no verdict.
pub fn verify_export(
    reader: &mut impl ExportReader,
    trust: Trust<'_>,
) -> Result<ExportReport, VerifyError> {
    verify_export_with(reader, trust, |_, _| {})
}

/// Verifies as [`verify_export`] does, and hands each entry's index and bytes to `each`, in order,
/// so that a search or a report needs no second reading. What `each` was given is to be thrown
/// away if the answer is an error.
///
/// ```text
///   checkpoint ══ signed root        Downwards: what the signed root proves proves what is below.
///        │                           Upwards: what the entries hash to.
///   partial tiles (right edge)       Where the two ways part, the part that is wrong is known
///        │  each hash = a full tile  if it is proved from above, or if all entries under a
///   full tiles, level by level       proved hash give that hash: then it is the tile between.
///        │
///   leaf hashes ══ entries
/// ```
///
/// # Errors
/// As [`verify_export`].
pub fn verify_export_with(
    reader: &mut impl ExportReader,
    trust: Trust<'_>,
    each: impl FnMut(u64, &[u8]),
) -> Result<ExportReport, VerifyError> {
    let mut walk = Walk {
        reader,
        each,
        faults: Vec::new(),
        altered: BTreeSet::new(),
        suspicions: Vec::new(),
        stopped: false,
    };
    let faulty = |fault| VerifyError::Faulty(FaultList::new(vec![fault], false));
    let Some(note) = walk.read(CHECKPOINT_PATH, MAX_NOTE)? else {
        return Err(VerifyError::Faulty(FaultList::new(walk.faults, false)));
    };
    let checkpoint = SignedCheckpoint::open(&note, trust.log)
        .map_err(|error| faulty(IntegrityFault::Checkpoint(error)))?;
    let mut witnessed = Vec::new();
    for witness in trust.witnesses {
        match checkpoint.note().verify(witness) {
            Ok(time) => witnessed.push(time),
            Err(error) => walk.faults.push(IntegrityFault::Witness(error)),
        }
    }
    let signed = checkpoint.checkpoint();
    walk.tree(signed.size, signed.root)?;
    let (entries, root) = (signed.size, signed.root);
    let faults = walk.into_faults();
    if !faults.faults().is_empty() {
        return Err(VerifyError::Faulty(faults));
    }
    Ok(ExportReport {
        checkpoint,
        entries,
        root,
        witnessed,
    })
}

/// What the level above says that a tile's hash must be.
#[derive(Clone, Copy)]
struct Claim {
    hash: Option<Hash>,
    /// Whether the signed root proves it.
    proved: bool,
    /// The tile that makes the claim.
    by: Tile,
}

/// A place where a tile and what stands below it disagree.
struct Suspicion {
    tile: Tile,
    below: Part,
    /// Whether the signed root proves the tile's hash there.
    proved: bool,
    /// Whether the tile's hash is not what the entries give, where that is known.
    tile_wrong: Option<bool>,
    /// The same of what stands below.
    below_wrong: Option<bool>,
}

struct Walk<'r, R, F> {
    reader: &'r mut R,
    each: F,
    faults: Vec<IntegrityFault>,
    altered: BTreeSet<Part>,
    suspicions: Vec<Suspicion>,
    stopped: bool,
}

impl<R: ExportReader, F: FnMut(u64, &[u8])> Walk<'_, R, F> {
    fn tree(&mut self, size: u64, signed: Hash) -> Result<(), VerifyError> {
        let mut edge = Vec::new();
        for tile in Tile::edge(size) {
            edge.push((tile, self.hashes(tile)?));
        }
        let claimed = fold_edge(edge.iter().map(|(tile, hashes)| (*tile, hashes.as_deref())));
        let proved = claimed == Some(signed);

        let mut given = Vec::new();
        for (tile, hashes) in edge {
            given.push((tile, self.below(tile, hashes.as_deref(), proved)?));
        }
        let computed = fold_edge(
            given
                .iter()
                .map(|(tile, hashes)| (*tile, hashes.as_deref())),
        );
        if computed == Some(signed) {
            self.settle(0);
        }
        if !proved
            && computed != Some(signed)
            && let Some(computed) = computed.or(claimed)
        {
            self.faults.push(IntegrityFault::Root { signed, computed });
        }
        Ok(())
    }

    /// Goes through a full tile and everything below it. The answer is the hash that its entries
    /// give, where all of them could be read.
    fn full_tile(&mut self, tile: Tile, claim: Claim) -> Result<Option<Hash>, VerifyError> {
        if self.stopped {
            return Ok(None);
        }
        let mark = self.suspicions.len();
        let hashes = self.hashes(tile)?;
        let own = hashes.as_deref().map(full_tile_root);
        let proved = claim.proved && own.is_some() && own == claim.hash;
        let given = self.below(tile, hashes.as_deref(), proved)?;
        let computed = if given == hashes {
            own
        } else {
            given.as_deref().map(full_tile_root)
        };

        if let Some(claimed) = claim.hash {
            let wrong = |hash| computed.map(|computed| computed != hash);
            let below = match own {
                Some(own) if own != claimed => Some((Part::Tile(tile), wrong(own))),
                None if wrong(claimed) == Some(true) => Some((entries_under(tile), Some(false))),
                _ => None,
            };
            if let Some((below, below_wrong)) = below {
                self.suspect(Suspicion {
                    tile: claim.by,
                    below,
                    proved: claim.proved,
                    tile_wrong: wrong(claimed),
                    below_wrong,
                });
            }
            if claim.proved && computed == Some(claimed) {
                self.settle(mark);
            }
        }
        Ok(computed)
    }

    /// Goes through what stands below a tile, full or partial: the tiles that its hashes stand
    /// for, or the entries. The answer is the hashes that the entries give.
    fn below(
        &mut self,
        tile: Tile,
        hashes: Option<&[Hash]>,
        proved: bool,
    ) -> Result<Option<Vec<Hash>>, VerifyError> {
        let level = match tile.kind {
            TileKind::Hashes { level: 0 } | TileKind::Entries => {
                return self.entries(tile, hashes, proved);
            }
            TileKind::Hashes { level } => level - 1,
        };
        let mut given = Some(Vec::with_capacity(usize::from(tile.width)));
        for slot in 0..tile.width {
            let index = (tile.index << TILE_HEIGHT) + u64::from(slot);
            let claim = Claim {
                hash: hash_at(hashes, slot),
                proved,
                by: tile,
            };
            let computed = self.full_tile(Tile::hashes(level, index, TILE_WIDTH), claim)?;
            given = given.zip(computed).map(|(mut given, hash)| {
                given.push(hash);
                given
            });
        }
        Ok(given)
    }

    fn entries(
        &mut self,
        tile: Tile,
        hashes: Option<&[Hash]>,
        proved: bool,
    ) -> Result<Option<Vec<Hash>>, VerifyError> {
        if self.stopped {
            return Ok(None);
        }
        let bundle = Tile::entries(tile.index, tile.width);
        let Some(bytes) = self.read(&bundle.to_string(), MAX_BUNDLE)? else {
            return Ok(None);
        };
        let first = tile.index << TILE_HEIGHT;
        let mut rest = bytes.as_slice();
        let mut given = Vec::with_capacity(usize::from(tile.width));
        for slot in 0..tile.width {
            let index = first + u64::from(slot);
            let Some((entry, after)) = split_entry(rest) else {
                self.faults.push(IntegrityFault::BundleEnds {
                    tile: bundle,
                    entry: index,
                });
                return Ok(None);
            };
            rest = after;
            (self.each)(index, entry);
            let hash = Hash::of_leaf(entry);
            if hash_at(hashes, slot).is_some_and(|claimed| claimed != hash) {
                self.suspect(Suspicion {
                    tile,
                    below: Part::Entry(index),
                    proved,
                    tile_wrong: Some(true),
                    below_wrong: Some(false),
                });
            }
            given.push(hash);
        }
        if !rest.is_empty() {
            self.faults.push(IntegrityFault::BundleOverflows {
                tile: bundle,
                bytes: rest.len(),
            });
        }
        Ok(Some(given))
    }

    fn hashes(&mut self, tile: Tile) -> Result<Option<Vec<Hash>>, VerifyError> {
        let path = tile.to_string();
        let expected = usize::from(tile.width) * Hash::LENGTH;
        let Some(bytes) = self.read(&path, expected)? else {
            return Ok(None);
        };
        if bytes.len() != expected {
            let found = bytes.len();
            self.faults.push(IntegrityFault::Length {
                path,
                expected,
                found,
            });
            return Ok(None);
        }
        let chunks = bytes.as_chunks::<{ Hash::LENGTH }>().0;
        Ok(Some(chunks.iter().copied().map(Hash::from_bytes).collect()))
    }

    fn read(&mut self, path: &str, longest: usize) -> Result<Option<Vec<u8>>, VerifyError> {
        let path = path.to_owned();
        let fault = match self.reader.read(&path, longest) {
            Ok(bytes) if bytes.len() <= longest => return Ok(Some(bytes)),
            Ok(_) | Err(ReadError::TooLong) => IntegrityFault::TooLong { path, longest },
            Err(ReadError::Missing) => IntegrityFault::Missing { path },
            Err(ReadError::Failed(source)) => {
                return Err(VerifyError::Unreadable { path, source });
            }
        };
        self.faults.push(fault);
        self.stop_when_enough();
        Ok(None)
    }

    fn suspect(&mut self, suspicion: Suspicion) {
        self.suspicions.push(suspicion);
        self.stop_when_enough();
    }

    fn stop_when_enough(&mut self) {
        let findings = self.faults.len() + self.altered.len() + self.suspicions.len();
        self.stopped |= findings >= MAX_FINDINGS;
    }

    /// Decides the suspicions since `mark`, now that all entries below them are proved: whatever
    /// is not what the entries give was changed.
    fn settle(&mut self, mark: usize) {
        for suspicion in self.suspicions.drain(mark..) {
            if suspicion.tile_wrong == Some(true) {
                self.altered.insert(Part::Tile(suspicion.tile));
            }
            if suspicion.below_wrong == Some(true) {
                self.altered.insert(suspicion.below);
            }
        }
    }

    /// Decides what is left: something proved from above is right, and what disagrees with it was
    /// changed.
    fn into_faults(mut self) -> FaultList {
        for Suspicion {
            tile,
            below,
            proved,
            ..
        } in self.suspicions
        {
            if proved {
                self.altered.insert(below);
            } else {
                self.faults
                    .push(IntegrityFault::Contradiction { tile, below });
            }
        }
        let altered = self.altered.into_iter().map(IntegrityFault::Altered);
        self.faults.extend(altered);
        FaultList::new(self.faults, !self.stopped)
    }
}

/// Folds the hashes of the partial tiles, from the highest level, into the root; `None` where one
/// is not known.
fn fold_edge<'h>(edge: impl Iterator<Item = (Tile, Option<&'h [Hash]>)>) -> Option<Hash> {
    let mut peaks = Vec::new();
    for (tile, hashes) in edge {
        let TileKind::Hashes { level } = tile.kind else {
            return None;
        };
        let height = level * TILE_HEIGHT;
        peaks.extend(hashes?.iter().map(|hash| (height, *hash)));
    }
    Some(fold_peaks(peaks))
}

fn hash_at(hashes: Option<&[Hash]>, slot: u16) -> Option<Hash> {
    hashes?.get(usize::from(slot)).copied()
}

/// The first entry of a bundle's rest, and what follows it.
fn split_entry(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The entries under a full tile of hashes.
fn entries_under(tile: Tile) -> Part {
    let level = match tile.kind {
        TileKind::Hashes { level } => level,
        TileKind::Entries => 0,
    };
    let height = TILE_HEIGHT * (level + 1);
    let first = tile.index << height;
    let last = first + ((1 << height) - 1);
    Part::Entries { first, last }
}

#[cfg(test)]
mod tests;
