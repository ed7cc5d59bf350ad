//! The growing tree: append a leaf, get the rows to store, know the root.

use crate::Hash;

/// The most leaves that a tree may have: 2^62. It keeps all index arithmetic inside 64 bits.
pub const MAX_SIZE: u64 = 1 << 62;

/// A complete subtree's place: `height` 0 is a leaf, and the subtree covers the leaves
/// `index << height .. (index + 1) << height`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// The height of the subtree, 0 to 62.
    pub height: u8,
    /// The position among the subtrees of this height, from the left, from 0.
    pub index: u64,
}

/// One row for the store: a complete subtree's hash. A row never changes once written, so a store
/// inserts and never updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRow {
    /// Where the node stands.
    pub node: NodeId,
    /// Its hash.
    pub hash: Hash,
}

/// Where proofs and restarts get the stored nodes from.
///
/// A store that must be awaited cannot be called from here: ask [`Tree::peaks_of`],
/// [`crate::InclusionProof::nodes`] or [`crate::ConsistencyProof::nodes`] which nodes are needed,
/// fetch those in one query, and pass them as a `BTreeMap<NodeId, Hash>`.
pub trait Nodes {
    /// What the store says when it cannot answer.
    type Error;

    /// Returns the hash of a complete subtree.
    ///
    /// # Errors
    /// Whatever keeps the store from giving that node, its absence included.
    fn node(&self, node: NodeId) -> Result<Hash, Self::Error>;
}

impl Nodes for std::collections::BTreeMap<NodeId, Hash> {
    type Error = NodeMissing;

    fn node(&self, node: NodeId) -> Result<Hash, NodeMissing> {
        self.get(&node).copied().ok_or(NodeMissing(node))
    }
}

/// Says which node a map of nodes lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tree node of height {} and index {} is not there", .0.height, .0.index)]
pub struct NodeMissing(pub NodeId);

/// An append-only Merkle tree, kept as its right edge: one hash per complete subtree, at most 62.
///
/// ```text
///            ·                 size 7 = 111b: three peaks,
///        ┌───┴───┐             the subtrees of 4, 2 and 1 leaves;
///      [4]       ·             the root folds them from the right
///     ┌─┴─┐    ┌─┴─┐
///    ┌┴┐ ┌┴┐  [2]  [1]
///    0 1 2 3  4 5   6
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    /// From left (largest) to right (smallest): one for each set bit of `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// Returns the tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            peaks: Vec::new(),
        }
    }

    /// Lists the nodes that a tree of `size` leaves is restored from: its peaks, left to right.
    #[must_use]
    pub fn peaks_of(size: u64) -> Vec<NodeId> {
        subtrees(0, size)
    }

    /// Restores the tree of `size` leaves from stored nodes: at most 62 are read.
    ///
    /// The nodes are believed: compare [`Tree::root`] with the last checkpoint before appending.
    ///
    /// # Errors
    /// [`NodeError::Size`] beyond [`MAX_SIZE`]; [`NodeError::Store`] when a node cannot be read.
    pub fn restore<N: Nodes>(size: u64, nodes: &N) -> Result<Self, NodeError<N::Error>> {
        if size > MAX_SIZE {
            return Err(NodeError::Size { size });
        }
        let peaks = Self::peaks_of(size)
            .into_iter()
            .map(|node| nodes.node(node).map_err(NodeError::Store))
            .collect::<Result<_, _>>()?;
        Ok(Self { size, peaks })
    }

    /// Returns the number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and returns the rows that the store inserts: the leaf, and every subtree
    /// that it completes, from the bottom up. Two rows a leaf on average.
    pub fn append(&mut self, leaf: Hash) -> Vec<NodeRow> {
        let mut rows = Vec::with_capacity(2);
        self.append_to(leaf, &mut rows);
        rows
    }

    /// Appends a leaf as [`Tree::append`] does, and adds the rows to `rows`: for a sequencer that
    /// inserts a whole batch at once.
    pub fn append_to(&mut self, leaf: Hash, rows: &mut Vec<NodeRow>) {
        let mut node = NodeId {
            height: 0,
            index: self.size,
        };
        let mut hash = leaf;
        rows.push(NodeRow { node, hash });
        while node.index & 1 == 1 {
            // A set bit of the size has its peak, so the stack cannot be empty here.
            let Some(left) = self.peaks.pop() else { break };
            hash = Hash::of_node(&left, &hash);
            node = NodeId {
                height: node.height + 1,
                index: node.index >> 1,
            };
            rows.push(NodeRow { node, hash });
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Returns the Merkle tree hash of all leaves (*RFC 9162 §2.1.1*).
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_right(&self.peaks)
    }
}

/// Says why nodes could not be read; `E` is the store's own error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError<E> {
    /// The size or index asked for makes no sense.
    #[error("a tree of {size} leaves is beyond the limit of 2^62")]
    Size {
        /// The size asked for.
        size: u64,
    },
    /// The leaf is not in the tree of this size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Index {
        /// The leaf asked for.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The older tree would be the larger one.
    #[error("a tree of {old} leaves cannot have grown into one of {new}")]
    Order {
        /// The size said to be older.
        old: u64,
        /// The size said to be newer.
        new: u64,
    },
    /// The store could not give a node.
    #[error("a stored tree node could not be read")]
    Store(#[source] E),
}

/// Splits the leaves `start..end` into complete subtrees, left to right. `start` is a multiple of
/// the power of two that is at least `end - start`, as for every right-hand subtree of *RFC 9162
/// §2.1*.
pub(crate) fn subtrees(start: u64, end: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    let mut at = start;
    while at < end {
        let height = (end - at).ilog2();
        nodes.push(NodeId {
            height: height as u8,
            index: at >> height,
        });
        at += 1 << height;
    }
    nodes
}

/// Folds the hashes of [`subtrees`] into the hash of their common range.
pub(crate) fn fold_right(peaks: &[Hash]) -> Hash {
    peaks
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| Hash::of_node(&left, &right))
        .unwrap_or(Hash::EMPTY_ROOT)
}

/// Folds complete subtrees of never growing height, left to right, into the root over them all:
/// equal neighbours join first, as in a binary counter.
pub(crate) fn fold_peaks(subtrees: impl IntoIterator<Item = (u8, Hash)>) -> Hash {
    let mut peaks: Vec<(u8, Hash)> = Vec::new();
    for (mut height, mut hash) in subtrees {
        while let Some((_, left)) = peaks.pop_if(|(left, _)| *left == height) {
            hash = Hash::of_node(&left, &hash);
            height += 1;
        }
        peaks.push((height, hash));
    }
    let hashes: Vec<Hash> = peaks.into_iter().map(|(_, hash)| hash).collect();
    fold_right(&hashes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::vectors::Rfc6962;

    #[test]
    fn roots_and_leaf_hashes_are_those_of_the_vectors() {
        let vectors = Rfc6962::load();
        let mut tree = Tree::new();
        assert_eq!(tree.root(), vectors.roots_by_size[0]);
        assert_eq!(tree.root(), Hash::EMPTY_ROOT);
        for (index, leaf) in vectors.leaves.iter().enumerate() {
            let hash = Hash::of_leaf(&hex::decode(leaf).unwrap());
            assert_eq!(hash, vectors.leaf_hashes[index]);
            tree.append(hash);
            assert_eq!(tree.root(), vectors.roots_by_size[index + 1]);
        }
    }

    #[test]
    fn rows_are_written_once_and_restore_the_tree() {
        let mut stored = BTreeMap::new();
        let mut tree = Tree::new();
        for leaf in 0_u64..600 {
            for row in tree.append(Hash::of_leaf(&leaf.to_be_bytes())) {
                assert_eq!(stored.insert(row.node, row.hash), None);
            }
            assert_eq!(Tree::restore(tree.size(), &stored).unwrap(), tree);
        }
        // A complete binary tree over n leaves has 2n minus (set bits of n) complete subtrees.
        assert_eq!(
            stored.len() as u64,
            2 * 600 - u64::from(600_u64.count_ones())
        );
    }

    #[test]
    fn restoring_names_the_missing_node() {
        let nodes = BTreeMap::new();
        let first = NodeId {
            height: 2,
            index: 0,
        };
        assert_eq!(
            Tree::restore(7, &nodes),
            Err(NodeError::Store(NodeMissing(first)))
        );
        assert!(matches!(
            Tree::restore(u64::MAX, &nodes),
            Err(NodeError::Size { .. })
        ));
    }

    #[test]
    fn peaks_of_any_shape_fold_to_the_same_root() {
        let leaves: Vec<Hash> = (0_u8..77).map(|n| Hash::of_leaf(&[n])).collect();
        let mut tree = Tree::new();
        for leaf in &leaves {
            tree.append(*leaf);
        }
        assert_eq!(
            fold_peaks(leaves.iter().map(|leaf| (0, *leaf))),
            tree.root()
        );
    }
}
