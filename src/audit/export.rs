//! Publishing a log as files that others' tools can check (*C2SP tlog-tiles*).

use crate::{
    Hash,
    checkpoint::SignedCheckpoint,
    entry::MAX_ENTRY,
    tile::{CHECKPOINT_PATH, TILE_HEIGHT, TILE_WIDTH, Tile, full_tile_root},
    tree::fold_peaks,
};

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFile {
    /// Its path below the export's folder, with slashes: `tile/0/000`, `checkpoint`.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Says why a log cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// An entry does not fit the format.
    #[error("entry {index} has {length} bytes, more than {MAX_ENTRY}")]
    TooLong {
        /// Its index in the log.
        index: u64,
        /// Its length in bytes.
        length: usize,
    },
    /// The entries are not those of the checkpoint. Nothing that is stored is to be trusted until
    /// it is known which of them changed.
    #[error(
        "the entries do not give the signed checkpoint: \
         {size} entries with root {root}, but {signed_size} with {signed_root} were signed"
    )]
    NotTheSignedLog {
        /// The number of entries given.
        size: u64,
        /// The root over them.
        root: Hash,
        /// The number of entries signed.
        signed_size: u64,
        /// The root signed.
        signed_root: Hash,
    },
}

/// Turns entries, in their order, into the files of an export. It holds one tile a level and one
/// bundle, whatever the size of the log.
///
/// ```text
///   entry ─► bundle ──256──► tile/entries/N
///      └─hash─► level 0 ──256──► tile/0/N
///                  └─root─► level 1 ──256──► tile/1/N  …      finish: what is left, partial,
///                                                             then `checkpoint` as the last
/// ```
#[derive(Debug, Clone, Default)]
pub struct Exporter {
    size: u64,
    bundle: Vec<u8>,
    /// The hashes of the tile in progress at each level, from level 0.
    levels: Vec<Vec<Hash>>,
}

impl Exporter {
    /// Starts the export of a log at its first entry.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            bundle: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// Takes the next entry's bytes, and returns the files that it completed: mostly none.
    ///
    /// # Errors
    /// [`ExportError::TooLong`]; the entry is then not taken.
    pub fn push(&mut self, entry: &[u8]) -> Result<Vec<ExportFile>, ExportError> {
        let length = u16::try_from(entry.len()).map_err(|_| ExportError::TooLong {
            index: self.size,
            length: entry.len(),
        })?;
        let mut files = Vec::new();
        self.bundle.extend(length.to_be_bytes());
        self.bundle.extend(entry);
        self.size += 1;
        if self.size.is_multiple_of(u64::from(TILE_WIDTH)) {
            let tile = Tile::entries((self.size - 1) >> TILE_HEIGHT, TILE_WIDTH);
            // The next bundle is likely of the same length.
            let next = Vec::with_capacity(self.bundle.len());
            files.push(file(tile, std::mem::replace(&mut self.bundle, next)));
        }

        let mut hash = Hash::of_leaf(entry);
        let mut index = (self.size - 1) >> TILE_HEIGHT;
        for (level, hashes) in (0..).zip(&mut self.levels) {
            hashes.push(hash);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return Ok(files);
            }
            hash = full_tile_root(hashes);
            files.push(file(Tile::hashes(level, index, TILE_WIDTH), concat(hashes)));
            hashes.clear();
            index >>= TILE_HEIGHT;
        }
        // Every level there is was completed: the tree grows a new one.
        self.levels.push(vec![hash]);
        Ok(files)
    }

    /// Ends the export, and returns the partial tiles and, as the last file, the checkpoint: an
    /// export that was interrupted has none.
    ///
    /// # Errors
    /// [`ExportError::NotTheSignedLog`] if the entries are not those of `checkpoint`.
    pub fn finish(self, checkpoint: &SignedCheckpoint) -> Result<Vec<ExportFile>, ExportError> {
        let from_the_top = (0_u8..)
            .zip(&self.levels)
            .collect::<Vec<_>>()
            .into_iter()
            .rev();
        let edge = from_the_top.flat_map(|(level, hashes)| {
            hashes.iter().map(move |hash| (level * TILE_HEIGHT, *hash))
        });
        let root = fold_peaks(edge);
        let signed = checkpoint.checkpoint();
        if (self.size, root) != (signed.size, signed.root) {
            return Err(ExportError::NotTheSignedLog {
                size: self.size,
                root,
                signed_size: signed.size,
                signed_root: signed.root,
            });
        }

        let mut files = Vec::new();
        let width = (self.size % u64::from(TILE_WIDTH)) as u16;
        if width > 0 {
            let tile = Tile::entries(self.size >> TILE_HEIGHT, width);
            files.push(file(tile, self.bundle));
        }
        for tile in Tile::edge(self.size).into_iter().rev() {
            let crate::tile::TileKind::Hashes { level } = tile.kind else {
                continue;
            };
            if let Some(hashes) = self.levels.get(usize::from(level)) {
                files.push(file(tile, concat(hashes)));
            }
        }
        files.push(ExportFile {
            path: CHECKPOINT_PATH.to_owned(),
            bytes: checkpoint.note().to_string().into_bytes(),
        });
        Ok(files)
    }
}

/// Exports a whole log at once, for logs that fit memory. [`Exporter`] takes any.
///
/// # Errors
/// [`ExportError`].
pub fn export<E: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = E>,
    checkpoint: &SignedCheckpoint,
) -> Result<Vec<ExportFile>, ExportError> {
    let mut exporter = Exporter::new();
    let mut files = Vec::new();
    for entry in entries {
        files.extend(exporter.push(entry.as_ref())?);
    }
    files.extend(exporter.finish(checkpoint)?);
    Ok(files)
}

fn file(tile: Tile, bytes: Vec<u8>) -> ExportFile {
    ExportFile {
        path: tile.to_string(),
        bytes,
    }
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    let hashes: Vec<&[u8]> = hashes
        .iter()
        .map(|hash| hash.as_bytes().as_slice())
        .collect();
    hashes.concat()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::{Tree, key::tests::TestSigner};

    #[derive(Deserialize)]
    struct Vectors {
        exports: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        size: u64,
        root: String,
        files: usize,
        listing_sha256: String,
        partial: Vec<String>,
    }

    pub(crate) fn signed(entries: impl IntoIterator<Item = Vec<u8>>) -> SignedCheckpoint {
        let mut tree = Tree::new();
        for entry in entries {
            tree.append(Hash::of_leaf(&entry));
        }
        SignedCheckpoint::sign(&tree, &TestSigner::log()).unwrap()
    }

    pub(crate) fn numbered(size: u64) -> impl Iterator<Item = Vec<u8>> + Clone {
        (0..size).map(|index| format!("entry {index}").into_bytes())
    }

    /// The export of [`numbered`] entries, by path.
    pub(crate) fn exported(size: u64) -> BTreeMap<String, Vec<u8>> {
        let files = export(numbered(size), &signed(numbered(size))).unwrap();
        assert_eq!(files.last().unwrap().path, "checkpoint");
        let count = files.len();
        let files: BTreeMap<_, _> = files.into_iter().map(|f| (f.path, f.bytes)).collect();
        assert_eq!(files.len(), count);
        files
    }

    #[test]
    fn files_are_those_computed_from_the_formula() {
        let text = include_str!("../../tests/vectors/merkle/tiles.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        for vector in vectors.exports {
            let mut files = exported(vector.size);
            files.remove("checkpoint").unwrap();
            let listing: String = files
                .iter()
                .map(|(path, bytes)| format!("{path} {}\n", hex::encode(Sha256::digest(bytes))))
                .collect();
            assert_eq!(files.len(), vector.files);
            let partial: Vec<_> = files.keys().filter(|path| path.contains(".p/")).collect();
            assert_eq!(partial, vector.partial.iter().collect::<Vec<_>>());
            let digest = hex::encode_upper(Sha256::digest(listing));
            assert_eq!(digest, vector.listing_sha256, "{} entries", vector.size);
            let root = signed(numbered(vector.size)).checkpoint().root;
            assert_eq!(root.to_string().to_uppercase(), vector.root);
        }
    }

    #[test]
    fn entries_that_are_not_the_signed_ones_are_not_exported() {
        let refused = export(numbered(299), &signed(numbered(300)));
        assert!(matches!(refused, Err(ExportError::NotTheSignedLog { .. })));
        let mut changed: Vec<_> = numbered(300).collect();
        changed[7] = b"entry 8".to_vec();
        let refused = export(changed, &signed(numbered(300)));
        assert!(matches!(refused, Err(ExportError::NotTheSignedLog { .. })));
    }

    #[test]
    fn an_entry_too_long_is_not_taken() {
        let mut exporter = Exporter::new();
        let refused = exporter.push(&vec![0; MAX_ENTRY + 1]);
        assert!(matches!(
            refused,
            Err(ExportError::TooLong { index: 0, .. })
        ));
        let longest = vec![0; MAX_ENTRY];
        exporter.push(&longest).unwrap();
        exporter.finish(&signed([longest])).unwrap();
    }
}
