//! Inclusion and consistency proofs: made from stored nodes, verified from nothing but hashes.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::{
    Hash,
    tree::{MAX_SIZE, NodeError, NodeId, Nodes, fold_right, subtrees},
};

/// Shows that a leaf stands at an index of a tree (*RFC 9162 §2.1.3*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionProof {
    /// The leaf's index, from 0.
    pub index: u64,
    /// The number of leaves of the tree.
    pub size: u64,
    /// The siblings from the leaf up to the root's child.
    pub path: Vec<Hash>,
}

/// Shows that a tree is the beginning of a later one (*RFC 9162 §2.1.4*).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The number of leaves of the older tree.
    pub old_size: u64,
    /// The number of leaves of the newer tree.
    pub new_size: u64,
    /// The hashes that rebuild both roots. Empty when the sizes are equal or the older tree is
    /// empty.
    pub path: Vec<Hash>,
}

/// Says why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    Index {
        /// The leaf's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The tree became smaller.
    #[error("the tree went back from {old} to {new} leaves")]
    Shrunk {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// The proof has more or fewer hashes than its sizes call for.
    #[error("the proof has {found} hashes, which does not fit its tree sizes")]
    Length {
        /// The number of hashes in the proof.
        found: usize,
    },
    /// The leaf and its path do not lead to the root.
    #[error("the leaf is not under this root")]
    Root,
    /// The path does not rebuild the older root.
    #[error("the proof does not rebuild the older root: the history was changed")]
    OldRoot,
    /// The path does not rebuild the newer root.
    #[error("the proof does not rebuild the newer root: the history was changed")]
    NewRoot,
}

impl InclusionProof {
    /// Lists the stored nodes that the proof of `index` in a tree of `size` needs.
    ///
    /// # Errors
    /// [`NodeError::Index`] or [`NodeError::Size`].
    pub fn nodes(index: u64, size: u64) -> Result<Vec<NodeId>, NodeError<Infallible>> {
        Ok(inclusion_ranges(index, size)?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Makes the proof that leaf `index` is in the tree of `size` leaves (*RFC 9162 §2.1.3.1*),
    /// reading O(log n) nodes.
    ///
    /// # Errors
    /// [`NodeError::Index`] or [`NodeError::Size`] when there is no such proof;
    /// [`NodeError::Store`] when a node cannot be read.
    pub fn make<N: Nodes>(index: u64, size: u64, nodes: &N) -> Result<Self, NodeError<N::Error>> {
        let path = read_path(inclusion_ranges(index, size)?, nodes)?;
        Ok(Self { index, size, path })
    }

    /// Verifies that the leaf with hash `leaf` is under `root` (*RFC 9162 §2.1.3.2*).
    ///
    /// # Errors
    /// [`ProofError`]: what does not fit.
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> Result<(), ProofError> {
        if self.index >= self.size {
            return Err(ProofError::Index {
                index: self.index,
                size: self.size,
            });
        }
        let length = ProofError::Length {
            found: self.path.len(),
        };
        let (mut at, mut last) = (self.index, self.size - 1);
        let mut hash = *leaf;
        for sibling in &self.path {
            if last == 0 {
                return Err(length);
            }
            if at & 1 == 1 || at == last {
                hash = Hash::of_node(sibling, &hash);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                hash = Hash::of_node(&hash, sibling);
            }
            at >>= 1;
            last >>= 1;
        }
        if last != 0 {
            return Err(length);
        }
        if hash != *root {
            return Err(ProofError::Root);
        }
        Ok(())
    }
}

impl ConsistencyProof {
    /// Lists the stored nodes that the proof from `old_size` to `new_size` needs.
    ///
    /// # Errors
    /// [`NodeError::Order`] or [`NodeError::Size`].
    pub fn nodes(old_size: u64, new_size: u64) -> Result<Vec<NodeId>, NodeError<Infallible>> {
        Ok(consistency_ranges(old_size, new_size)?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Makes the proof that the tree of `new_size` begins with the tree of `old_size` (*RFC 9162
    /// §2.1.4.1*), reading O(log n) nodes.
    ///
    /// # Errors
    /// [`NodeError::Order`] or [`NodeError::Size`] when there is no such proof;
    /// [`NodeError::Store`] when a node cannot be read.
    pub fn make<N: Nodes>(
        old_size: u64,
        new_size: u64,
        nodes: &N,
    ) -> Result<Self, NodeError<N::Error>> {
        let path = read_path(consistency_ranges(old_size, new_size)?, nodes)?;
        Ok(Self {
            old_size,
            new_size,
            path,
        })
    }

    /// Verifies that the tree with `new_root` begins with the tree with `old_root` (*RFC 9162
    /// §2.1.4.2*). Every tree begins with the empty one, whose root is [`Hash::EMPTY_ROOT`].
    ///
    /// # Errors
    /// [`ProofError`]: what does not fit.
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> Result<(), ProofError> {
        let (old, new) = (self.old_size, self.new_size);
        if old > new {
            return Err(ProofError::Shrunk { old, new });
        }
        let length = ProofError::Length {
            found: self.path.len(),
        };
        if old == 0 || old == new {
            if !self.path.is_empty() {
                return Err(length);
            }
            if old == 0 && *old_root != Hash::EMPTY_ROOT {
                return Err(ProofError::OldRoot);
            }
            if old == new && old_root != new_root {
                return Err(ProofError::NewRoot);
            }
            return Ok(());
        }

        let (mut at, mut last) = (old - 1, new - 1);
        while at & 1 == 1 {
            at >>= 1;
            last >>= 1;
        }
        let mut rest = self.path.iter();
        // An older tree that is one complete subtree stands in the newer one as it is: its root is
        // the start, and the proof leaves it out.
        let start = if old.is_power_of_two() {
            old_root
        } else {
            rest.next().ok_or(length)?
        };
        let (mut old_hash, mut new_hash) = (*start, *start);
        for hash in rest {
            if last == 0 {
                return Err(length);
            }
            if at & 1 == 1 || at == last {
                old_hash = Hash::of_node(hash, &old_hash);
                new_hash = Hash::of_node(hash, &new_hash);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                new_hash = Hash::of_node(&new_hash, hash);
            }
            at >>= 1;
            last >>= 1;
        }
        if last != 0 {
            return Err(length);
        }
        if old_hash != *old_root {
            return Err(ProofError::OldRoot);
        }
        if new_hash != *new_root {
            return Err(ProofError::NewRoot);
        }
        Ok(())
    }
}

/// The path of *RFC 9162 §2.1.3.1*, leaf first: each element as the complete subtrees under it.
fn inclusion_ranges<E>(index: u64, size: u64) -> Result<Vec<Vec<NodeId>>, NodeError<E>> {
    if size > MAX_SIZE {
        return Err(NodeError::Size { size });
    }
    if index >= size {
        return Err(NodeError::Index { index, size });
    }
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + left_size(end - start);
        if index < middle {
            ranges.push(subtrees(middle, end));
            end = middle;
        } else {
            ranges.push(subtrees(start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The path of *RFC 9162 §2.1.4.1* in its order, each element as its complete subtrees.
fn consistency_ranges<E>(old: u64, new: u64) -> Result<Vec<Vec<NodeId>>, NodeError<E>> {
    if new > MAX_SIZE {
        return Err(NodeError::Size { size: new });
    }
    if old > new {
        return Err(NodeError::Order { old, new });
    }
    let mut ranges = Vec::new();
    if old == 0 {
        return Ok(ranges);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + left_size(end - start);
        if old <= middle {
            ranges.push(subtrees(middle, end));
            end = middle;
        } else {
            ranges.push(subtrees(start, middle));
            start = middle;
        }
    }
    // At the left edge the verifier knows this subtree: it is the whole older tree.
    if start != 0 {
        ranges.push(subtrees(start, end));
    }
    ranges.reverse();
    Ok(ranges)
}

/// The largest power of two smaller than `size`, for a size of at least 2.
const fn left_size(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn read_path<N: Nodes>(
    ranges: Vec<Vec<NodeId>>,
    nodes: &N,
) -> Result<Vec<Hash>, NodeError<N::Error>> {
    ranges
        .into_iter()
        .map(|range| {
            let hashes: Vec<Hash> = range
                .into_iter()
                .map(|node| nodes.node(node).map_err(NodeError::Store))
                .collect::<Result<_, _>>()?;
            Ok(fold_right(&hashes))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{tree::Tree, vectors::Rfc6962};

    type Stored = BTreeMap<NodeId, Hash>;

    /// A tree of `size` leaves: its nodes, and its root at every size.
    fn grown(leaves: impl IntoIterator<Item = Hash>) -> (Stored, Vec<Hash>) {
        let mut tree = Tree::new();
        let mut stored = Stored::new();
        let mut roots = vec![tree.root()];
        for leaf in leaves {
            stored.extend(tree.append(leaf).iter().map(|row| (row.node, row.hash)));
            roots.push(tree.root());
        }
        (stored, roots)
    }

    fn numbered(size: u64) -> impl Iterator<Item = Hash> {
        (0..size).map(|n| Hash::of_leaf(&n.to_be_bytes()))
    }

    #[test]
    fn proofs_are_those_of_the_vectors() {
        let vectors = Rfc6962::load();
        let (stored, _) = grown(vectors.leaf_hashes.clone());
        assert_eq!(vectors.all_inclusion_proofs_8.len(), 36);
        for row in &vectors.all_inclusion_proofs_8 {
            let proof = InclusionProof::make(row.leaf_index, row.tree_size, &stored).unwrap();
            assert_eq!(proof.path, row.proof);
        }
        assert_eq!(vectors.all_consistency_proofs_8.len(), 36);
        for row in &vectors.all_consistency_proofs_8 {
            let proof = ConsistencyProof::make(row.size1, row.size2, &stored).unwrap();
            assert_eq!(proof.path, row.proof);
        }
    }

    #[test]
    fn inclusion_verdicts_are_those_of_the_vectors() {
        let vectors = Rfc6962::load();
        assert_eq!(vectors.inclusion_tests.len(), 97);
        for row in &vectors.inclusion_tests {
            let (path, leaf, root) = row.hashes();
            let proof = InclusionProof {
                index: row.leaf_index,
                size: row.tree_size,
                path,
            };
            let verdict = proof.verify(&leaf, &root);
            assert_eq!(verdict.is_err(), row.want_error, "{}", row.desc);
        }
    }

    #[test]
    fn consistency_verdicts_are_those_of_the_vectors() {
        let vectors = Rfc6962::load();
        assert_eq!(vectors.consistency_tests.len(), 95);
        for row in &vectors.consistency_tests {
            let (path, old_root, new_root) = row.hashes();
            let proof = ConsistencyProof {
                old_size: row.size1,
                new_size: row.size2,
                path,
            };
            let verdict = proof.verify(&old_root, &new_root);
            assert_eq!(verdict.is_err(), row.want_error, "{}", row.desc);
        }
    }

    #[test]
    fn every_pair_of_small_sizes_is_consistent() {
        let (stored, roots) = grown(numbered(70));
        for new in 0..=70 {
            for old in 0..=new {
                let proof = ConsistencyProof::make(old, new, &stored).unwrap();
                let (old_root, new_root) = (&roots[old as usize], &roots[new as usize]);
                assert_eq!(proof.verify(old_root, new_root), Ok(()), "{old} to {new}");
            }
        }
    }

    #[test]
    fn what_cannot_be_proved_is_refused() {
        let (stored, _) = grown(numbered(5));
        assert_eq!(
            InclusionProof::make(5, 5, &stored),
            Err(NodeError::Index { index: 5, size: 5 })
        );
        assert_eq!(
            ConsistencyProof::make(5, 4, &stored),
            Err(NodeError::Order { old: 5, new: 4 })
        );
        assert!(matches!(
            ConsistencyProof::make(1, u64::MAX, &stored),
            Err(NodeError::Size { .. })
        ));
        assert!(matches!(
            InclusionProof::make(0, 9, &stored),
            Err(NodeError::Store(_))
        ));
    }

    #[test]
    fn the_listed_nodes_are_enough() {
        let (stored, roots) = grown(numbered(300));
        let only = |nodes: Vec<NodeId>| -> Stored {
            nodes
                .into_iter()
                .map(|node| (node, stored[&node]))
                .collect()
        };
        let few = only(InclusionProof::nodes(123, 299).unwrap());
        let proof = InclusionProof::make(123, 299, &few).unwrap();
        let leaf = Hash::of_leaf(&123_u64.to_be_bytes());
        assert_eq!(proof.verify(&leaf, &roots[299]), Ok(()));
        let few = only(ConsistencyProof::nodes(123, 299).unwrap());
        let proof = ConsistencyProof::make(123, 299, &few).unwrap();
        assert_eq!(proof.verify(&roots[123], &roots[299]), Ok(()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_leaf_is_proved_and_no_other(size in 1_u64..700, seed: u64, wrong: u64) {
            let (stored, roots) = grown(numbered(size));
            let index = seed % size;
            let root = &roots[size as usize];
            let proof = InclusionProof::make(index, size, &stored).unwrap();
            let leaf = Hash::of_leaf(&index.to_be_bytes());
            prop_assert_eq!(proof.verify(&leaf, root), Ok(()));

            let other = wrong % size;
            prop_assume!(other != index);
            let moved = InclusionProof { index: other, ..proof.clone() };
            prop_assert!(moved.verify(&leaf, root).is_err());
            let leaf = Hash::of_leaf(&other.to_be_bytes());
            prop_assert!(proof.verify(&leaf, root).is_err());
        }

        #[test]
        fn any_two_sizes_are_consistent_and_a_fork_is_not(
            new in 2_u64..700, a: u64, changed: u64, bit in 0_usize..256,
        ) {
            let (stored, roots) = grown(numbered(new));
            let old = 1 + a % (new - 1);
            let (old_root, new_root) = (&roots[old as usize], &roots[new as usize]);
            let proof = ConsistencyProof::make(old, new, &stored).unwrap();
            prop_assert_eq!(proof.verify(old_root, new_root), Ok(()));

            // The same history with one early leaf rewritten.
            let changed = changed % old;
            let forged = (0..new).map(|n| {
                if n == changed { Hash::of_leaf(b"forged") } else { Hash::of_leaf(&n.to_be_bytes()) }
            });
            let (forged_nodes, forged_roots) = grown(forged);
            let fork = ConsistencyProof::make(old, new, &forged_nodes).unwrap();
            prop_assert!(fork.verify(old_root, &forged_roots[new as usize]).is_err());
            prop_assert!(proof.verify(old_root, &forged_roots[new as usize]).is_err());

            // One bit of the proof.
            let mut bent = proof.clone();
            let at = (changed as usize) % bent.path.len();
            let mut bytes = *bent.path[at].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bent.path[at] = Hash::from_bytes(bytes);
            prop_assert!(bent.verify(old_root, new_root).is_err());
        }
    }
}
