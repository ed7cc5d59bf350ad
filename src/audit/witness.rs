//! Witnessing: a second party says that a log only grew (*C2SP tlog-cosignature*).

use crate::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    key::{CheckpointSigner, SignError},
    proof::{ConsistencyProof, ProofError},
};

/// Says why a witness does not cosign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The checkpoint seen before is another log's.
    #[error("the checkpoint seen before is of {seen}, the new one of {new}")]
    Origin {
        /// The log seen before.
        seen: String,
        /// The log to witness.
        new: String,
    },
    /// The proof is about other sizes than the two checkpoints.
    #[error("the proof goes from {from} to {to} entries, the checkpoints from {seen} to {new}")]
    Sizes {
        /// The proof's older size.
        from: u64,
        /// The proof's newer size.
        to: u64,
        /// The size seen before, 0 for a log never seen.
        seen: u64,
        /// The size to witness.
        new: u64,
    },
    /// The log does not continue what was seen: its history forked or went back.
    #[error("the log does not continue the history seen before: treat this as an incident")]
    Forked(#[source] ProofError),
    /// The witness key could not sign.
    #[error("the checkpoint could not be cosigned")]
    Sign(#[from] SignError),
}

/// Checks that `new` continues the checkpoint `seen` last, and adds the witness's cosignature.
///
/// `seen` is `None` for a log never seen before (the proof is then from 0). `time` is in seconds
/// since 1970. The caller must have stored `new` as seen, for good, before the cosignature leaves:
/// else a restart forgets what was vouched for.
///
/// # Errors
/// [`WitnessError`]; `new` is then unchanged.
pub fn cosign(
    new: &mut SignedCheckpoint,
    seen: Option<&Checkpoint>,
    proof: &ConsistencyProof,
    witness: &dyn CheckpointSigner,
    time: u64,
) -> Result<(), WitnessError> {
    let head = new.checkpoint();
    let (seen_size, seen_root) = match seen {
        Some(seen) if seen.origin != head.origin => {
            return Err(WitnessError::Origin {
                seen: seen.origin.clone(),
                new: head.origin.clone(),
            });
        }
        Some(seen) => (seen.size, seen.root),
        None => (0, crate::Hash::EMPTY_ROOT),
    };
    if proof.old_size != seen_size || proof.new_size != head.size {
        return Err(WitnessError::Sizes {
            from: proof.old_size,
            to: proof.new_size,
            seen: seen_size,
            new: head.size,
        });
    }
    proof
        .verify(&seen_root, &head.root)
        .map_err(WitnessError::Forked)?;
    Ok(new.note.cosign(witness, time)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Hash, Tree, key::tests::TestSigner};

    /// A log that grew by the given leaves: its checkpoints at each size, and its nodes.
    fn log(leaves: &[&[u8]]) -> (Vec<SignedCheckpoint>, BTreeMap<crate::NodeId, Hash>) {
        let (mut tree, mut nodes) = (Tree::new(), BTreeMap::new());
        let mut heads = vec![SignedCheckpoint::sign(&tree, &TestSigner::log()).unwrap()];
        for leaf in leaves {
            let rows = tree.append(Hash::of_leaf(leaf));
            nodes.extend(rows.iter().map(|row| (row.node, row.hash)));
            heads.push(SignedCheckpoint::sign(&tree, &TestSigner::log()).unwrap());
        }
        (heads, nodes)
    }

    #[test]
    fn a_growing_log_is_cosigned_and_a_fork_is_not() {
        let (heads, nodes) = log(&[b"a", b"b", b"c", b"d", b"e"]);
        let (forked, forked_nodes) = log(&[b"a", b"b", b"X", b"d", b"e"]);
        let witness = TestSigner::witness();
        let seen = heads[3].checkpoint();

        let mut new = heads[5].clone();
        let proof = ConsistencyProof::make(3, 5, &nodes).unwrap();
        cosign(&mut new, Some(seen), &proof, &witness, 1_700_000_000).unwrap();
        assert_eq!(new.note().verify(witness.key()), Ok(Some(1_700_000_000)));
        assert_eq!(new.note().verify(TestSigner::log().key()), Ok(None));

        let mut new = forked[5].clone();
        for nodes in [&nodes, &forked_nodes] {
            let proof = ConsistencyProof::make(3, 5, nodes).unwrap();
            let refused = cosign(&mut new, Some(seen), &proof, &witness, 0);
            assert!(matches!(refused, Err(WitnessError::Forked(_))));
            assert_eq!(new, forked[5]);
        }
    }

    #[test]
    fn a_first_sight_a_rollback_and_a_stale_proof() {
        let (heads, nodes) = log(&[b"a", b"b", b"c"]);
        let witness = TestSigner::witness();
        let first = ConsistencyProof::make(0, 3, &nodes).unwrap();
        let mut new = heads[3].clone();
        cosign(&mut new, None, &first, &witness, 1).unwrap();

        let seen = heads[3].checkpoint();
        let mut back = heads[2].clone();
        let proof = ConsistencyProof {
            old_size: 3,
            new_size: 2,
            path: Vec::new(),
        };
        let refused = cosign(&mut back, Some(seen), &proof, &witness, 2);
        assert!(matches!(
            refused,
            Err(WitnessError::Forked(ProofError::Shrunk { .. }))
        ));
        let refused = cosign(&mut new, Some(seen), &first, &witness, 2);
        assert!(matches!(refused, Err(WitnessError::Sizes { .. })));
        let other = Checkpoint {
            origin: "other".to_owned(),
            ..seen.clone()
        };
        let refused = cosign(&mut new, Some(&other), &first, &witness, 2);
        assert!(matches!(refused, Err(WitnessError::Origin { .. })));
    }
}
