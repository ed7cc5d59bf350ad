//! Checkpoints: the log's signed word on its size and root (*C2SP tlog-checkpoint*).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Hash, Tree, decimal,
    key::{CheckpointSigner, SignError, VerifierKey},
    note::{NoteError, SignedNote},
    tree::MAX_SIZE,
};

/// What a checkpoint says. By itself it is not signed: [`SignedCheckpoint`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, unique among all logs: the name of the key that signs it.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Extension lines of another's log. Ours writes none: nobody can audit them.
    pub extensions: Vec<String>,
}

/// Says why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it is malformed or not signed as it must be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not origin, size, root.
    #[error("line {line} of the checkpoint is malformed")]
    Line {
        /// The line, from 1.
        line: usize,
    },
    /// It speaks for another log than the key that signed it.
    #[error("the checkpoint is of {found}, not of {expected}")]
    Origin {
        /// The log that was expected: the key's name.
        expected: String,
        /// The log that the checkpoint names.
        found: String,
    },
}

impl Checkpoint {
    /// Returns the checkpoint of a tree.
    #[must_use]
    pub fn of(origin: &str, tree: &Tree) -> Self {
        Self {
            origin: origin.to_owned(),
            size: tree.size(),
            root: tree.root(),
            extensions: Vec::new(),
        }
    }

    /// Reads the note text of a checkpoint strictly.
    ///
    /// # Errors
    /// [`CheckpointError::Line`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = |line| CheckpointError::Line { line };
        let body = text.strip_suffix('\n').ok_or(malformed(1))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let size = lines.next().and_then(decimal::parse);
        let root = lines
            .next()
            .and_then(|line| STANDARD.decode(line).ok())
            .and_then(|bytes| Hash::try_from(bytes.as_slice()).ok());
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if let Some(empty) = extensions.iter().position(String::is_empty) {
            return Err(malformed(4 + empty));
        }
        Ok(Self {
            origin: origin.ok_or(malformed(1))?.to_owned(),
            size: size.filter(|size| *size <= MAX_SIZE).ok_or(malformed(2))?,
            root: root.ok_or(malformed(3))?,
            extensions,
        })
    }

    /// Returns the note text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root.as_bytes());
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.size);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// A checkpoint whose log signature was verified, or just made: there is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    pub(crate) note: SignedNote,
}

impl SignedCheckpoint {
    /// Signs the state of `tree` in the name of the signer's key.
    ///
    /// A log must never sign two histories: sign only a tree that grew from the one of the last
    /// checkpoint.
    ///
    /// # Errors
    /// [`SignError`]: the signer failed, or is not what it says.
    pub fn sign(tree: &Tree, signer: &dyn CheckpointSigner) -> Result<Self, SignError> {
        let checkpoint = Checkpoint::of(signer.key().name(), tree);
        let name = || signer.key().name().to_owned();
        // A verifier key's name has no control characters, so its text is always a note.
        let mut note = SignedNote::new(checkpoint.text()).map_err(|error| SignError::Signer {
            name: name(),
            source: error.into(),
        })?;
        note.sign(signer)?;
        Ok(Self { checkpoint, note })
    }

    /// Reads a signed checkpoint and verifies it under the log's key, whose name is the origin.
    ///
    /// # Errors
    /// [`CheckpointError`]: malformed, not signed by that key, falsely signed, or another log's.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(note)?;
        note.verify(key)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin {
                expected: key.name().to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(Self { checkpoint, note })
    }

    /// Returns what was signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the note, with every signature on it. It prints as the file `checkpoint`.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::tests::TestSigner,
        vectors::{Rfc6962, SignedNotes},
    };

    #[test]
    fn the_printed_shape_reads() {
        let example = SignedNotes::load().checkpoint_shape_example;
        let note = SignedNote::parse(example.as_bytes()).unwrap();
        let checkpoint = Checkpoint::parse(note.text()).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.text(), note.text());
        let root = STANDARD.decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
        assert_eq!(checkpoint.root.as_bytes().as_slice(), root.unwrap());
    }

    #[test]
    fn a_tree_signs_to_the_computed_checkpoint() {
        let expected = SignedNotes::load().computed.checkpoint;
        let mut tree = Tree::new();
        for leaf in Rfc6962::load().leaf_hashes {
            tree.append(leaf);
        }
        let log = TestSigner::log();
        let signed = SignedCheckpoint::sign(&tree, &log).unwrap();
        assert_eq!(signed.note().to_string(), expected);
        let opened = SignedCheckpoint::open(expected.as_bytes(), log.key()).unwrap();
        assert_eq!(opened, signed);
        assert_eq!(
            opened.checkpoint(),
            &Checkpoint::of("perso.example/tlog", &tree)
        );
    }

    #[test]
    fn malformed_lines_are_named() {
        let root = STANDARD.encode([7; 32]);
        let line = |text: String| match Checkpoint::parse(&text) {
            Err(CheckpointError::Line { line }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line(format!("\n1\n{root}\n")), 1);
        assert_eq!(line(format!("log\n01\n{root}\n")), 2);
        assert_eq!(line(format!("log\n-1\n{root}\n")), 2);
        assert_eq!(line(format!("log\n{}\n{root}\n", u64::MAX)), 2);
        assert_eq!(line("log\n1\n\n".to_owned()), 3);
        assert_eq!(line("log\n1\nAAAA\n".to_owned()), 3);
        assert_eq!(line(format!("log\n1\n{root}\n\n")), 4);
        let more = Checkpoint::parse(&format!("log\n1\n{root}\nmore\n")).unwrap();
        assert_eq!(more.extensions, ["more"]);
    }

    #[test]
    fn another_logs_checkpoint_is_refused_even_when_the_key_signed_it() {
        let log = TestSigner::log();
        let other = Checkpoint::of("other.example/log", &Tree::new());
        let mut note = SignedNote::new(other.text()).unwrap();
        note.sign(&log).unwrap();
        let opened = SignedCheckpoint::open(note.to_string().as_bytes(), log.key());
        assert!(matches!(opened, Err(CheckpointError::Origin { .. })));
    }
}
