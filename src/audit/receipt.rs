//! Receipts: one text file that proves one entry, offline (*C2SP tlog-proof*).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Hash,
    checkpoint::{CheckpointError, SignedCheckpoint},
    decimal,
    key::VerifierKey,
    proof::{InclusionProof, ProofError},
};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^62 leaves has paths of 62 hashes.
const MAX_PATH: usize = 62;

/// Proves that an entry is in the log: its index, the path to the root, and the signed checkpoint.
/// Prints as a `.tlog-proof` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    proof: InclusionProof,
    checkpoint: SignedCheckpoint,
}

/// Says why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text is not a receipt.
    #[error("line {line} of the receipt is malformed")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// The checkpoint in it is refused.
    #[error("the receipt's checkpoint is refused")]
    Checkpoint(#[from] CheckpointError),
    /// The entry is not where the receipt says.
    #[error("the receipt does not prove this entry")]
    Proof(#[from] ProofError),
    /// Proof and checkpoint are about trees of different sizes.
    #[error("the proof is for {proof} entries, the checkpoint for {checkpoint}")]
    Sizes {
        /// The size that the proof is for.
        proof: u64,
        /// The size that was signed.
        checkpoint: u64,
    },
}

impl Receipt {
    /// Joins a proof and the checkpoint of the same size.
    ///
    /// # Errors
    /// [`ReceiptError::Sizes`].
    pub fn new(proof: InclusionProof, checkpoint: SignedCheckpoint) -> Result<Self, ReceiptError> {
        let size = checkpoint.checkpoint().size;
        if proof.size != size {
            return Err(ReceiptError::Sizes {
                proof: proof.size,
                checkpoint: size,
            });
        }
        Ok(Self { proof, checkpoint })
    }

    /// Reads a receipt and verifies everything that it says about `entry`, the bytes of the leaf.
    /// An `extra` line of another's log is skipped: nobody authenticates it.
    ///
    /// # Errors
    /// [`ReceiptError`]: malformed, not signed by `key`, or about another entry.
    pub fn open(text: &[u8], key: &VerifierKey, entry: &[u8]) -> Result<Self, ReceiptError> {
        let malformed = |line| ReceiptError::Line { line };
        let text = str::from_utf8(text).map_err(|_| malformed(1))?;
        let (head, note) = text.split_once("\n\n").ok_or(malformed(1))?;
        let mut lines = (1..).zip(head.split('\n')).peekable();
        lines
            .next_if(|(_, line)| *line == FIRST_LINE)
            .ok_or(malformed(1))?;
        if let Some((line, extra)) = lines.next_if(|(_, line)| line.starts_with("extra ")) {
            STANDARD.decode(&extra[6..]).map_err(|_| malformed(line))?;
        }
        let index = lines
            .next()
            .and_then(|(_, line)| decimal::parse(line.strip_prefix("index ")?))
            .ok_or(malformed(2))?;
        let mut path = Vec::new();
        for (line, hash) in lines {
            let bytes = STANDARD.decode(hash).map_err(|_| malformed(line))?;
            let hash = Hash::try_from(bytes.as_slice()).map_err(|_| malformed(line))?;
            if path.len() == MAX_PATH {
                return Err(malformed(line));
            }
            path.push(hash);
        }
        let checkpoint = SignedCheckpoint::open(note.as_bytes(), key)?;
        let size = checkpoint.checkpoint().size;
        let proof = InclusionProof { index, size, path };
        proof.verify(&Hash::of_leaf(entry), &checkpoint.checkpoint().root)?;
        Ok(Self { proof, checkpoint })
    }

    /// Returns the entry's index in the log, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.proof.index
    }

    /// Returns the checkpoint under which the entry stands.
    #[must_use]
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nindex {}", self.proof.index)?;
        for hash in &self.proof.path {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint.note())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::{CheckpointSigner as _, tests::TestSigner},
        vectors::{Rfc6962, SignedNotes},
    };

    /// The receipt of leaf 5 of the published tree of 8, put together from the vectors.
    fn published() -> (String, Vec<u8>) {
        let tree = Rfc6962::load();
        let row = tree
            .all_inclusion_proofs_8
            .iter()
            .find(|row| row.leaf_index == 5 && row.tree_size == 8)
            .unwrap();
        let path: String = row
            .proof
            .iter()
            .map(|hash| STANDARD.encode(hash.as_bytes()) + "\n")
            .collect();
        let note = SignedNotes::load().computed.checkpoint;
        let text = format!("c2sp.org/tlog-proof@v1\nindex 5\n{path}\n{note}");
        (text, hex::decode(&tree.leaves[5]).unwrap())
    }

    #[test]
    fn a_receipt_proves_its_entry_and_prints_back() {
        let (text, entry) = published();
        let log = TestSigner::log();
        let receipt = Receipt::open(text.as_bytes(), log.key(), &entry).unwrap();
        assert_eq!(receipt.index(), 5);
        assert_eq!(receipt.to_string(), text);
        let extra = text.replace("\nindex", "\nextra AAAA\nindex");
        assert_eq!(
            Receipt::open(extra.as_bytes(), log.key(), &entry),
            Ok(receipt)
        );
    }

    #[test]
    fn no_changed_byte_passes() {
        let (text, entry) = published();
        let log = TestSigner::log();
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let opened = Receipt::open(&changed, log.key(), &entry);
            assert!(opened.is_err(), "byte {at}");
        }
        let opened = Receipt::open(text.as_bytes(), log.key(), b"another entry");
        assert_eq!(opened, Err(ReceiptError::Proof(ProofError::Root)));
    }
}
