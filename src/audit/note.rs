//! Signed notes: a text and lines of signatures under it (*C2SP signed-note*).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::key::{CheckpointSigner, KeyKind, SignError, VerifierKey, check_name, sign_checked};

/// The most bytes that a note may have. Post-quantum signatures of others take 5 kB each.
pub(crate) const MAX_NOTE: usize = 256 * 1024;
/// The most signatures that a note may have; the specification asks for at least 16.
const MAX_SIGNATURES: usize = 32;
const LINE_START: &str = "\u{2014} ";

/// A text with signatures. Reading one proves nothing: see [`SignedNote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// Says why a note is not well formed, or not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is longer than any honest one.
    #[error("the note has {length} bytes, more than {MAX_NOTE}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The bytes are not UTF-8 text, or have control characters.
    #[error("the note is not UTF-8 text without control characters")]
    NotText,
    /// No text, blank line and signature lines, in that order.
    #[error("the note has no text followed by a blank line and signatures")]
    Form,
    /// A signature line does not read `— name base64`.
    #[error("signature line {line} of the note is malformed")]
    SignatureLine {
        /// The line, from 1, among the signature lines.
        line: usize,
    },
    /// There are more signatures than a verifier will look at.
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// The key that the verifier trusts did not sign.
    #[error("the note is not signed by {name}")]
    NotSigned {
        /// The key's name.
        name: String,
    },
    /// A signature that names the trusted key is false.
    #[error("the signature of {name} is false: the note or the signature was changed")]
    FalseSignature {
        /// The key's name.
        name: String,
    },
}

impl SignedNote {
    /// Starts a note without signatures. The text must end with a newline and hold no control
    /// characters but newlines.
    ///
    /// # Errors
    /// [`NoteError::NotText`] or [`NoteError::TooLong`].
    pub fn new(text: String) -> Result<Self, NoteError> {
        check_text(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::NotText);
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a note strictly: printed again, it gives the same bytes.
    ///
    /// # Errors
    /// [`NoteError`]: what is malformed. Signatures are not verified here.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLong {
                length: bytes.len(),
            });
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        check_text(note)?;
        // The text may have empty lines itself: the last one divides.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            let malformed = NoteError::SignatureLine { line: number + 1 };
            signatures.push(NoteSignature::parse(line).ok_or(malformed)?);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }

    /// Returns the signed text, its last newline included. Nobody vouches for it before
    /// [`SignedNote::verify`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the name and the key ID of each signature line, in the order of the lines. Whether
    /// the signatures hold is not known before [`SignedNote::verify`].
    pub fn signers(&self) -> impl Iterator<Item = (&str, [u8; 4])> {
        self.signatures
            .iter()
            .map(|line| (line.name.as_str(), line.id))
    }

    /// Adds the signature of a key of type `01` over the text.
    ///
    /// # Errors
    /// [`SignError`]: the signer failed, or is not what it says.
    pub fn sign(&mut self, signer: &dyn CheckpointSigner) -> Result<(), SignError> {
        let signature = sign_checked(signer, KeyKind::Log, self.text.as_bytes())?;
        self.add(signer.key(), signature.to_vec());
        Ok(())
    }

    /// Adds the cosignature of a witness key: `time` is in seconds since 1970 (*C2SP
    /// tlog-cosignature, "Ed25519 signed message"*). [`crate::cosign`] is the guarded way.
    pub(crate) fn cosign(
        &mut self,
        signer: &dyn CheckpointSigner,
        time: u64,
    ) -> Result<(), SignError> {
        let signature = sign_checked(
            signer,
            KeyKind::Witness,
            self.cosigned_message(time).as_bytes(),
        )?;
        let mut bytes = time.to_be_bytes().to_vec();
        bytes.extend(signature);
        self.add(signer.key(), bytes);
        Ok(())
    }

    /// Verifies that `key` signed the text. Signatures of other keys are ignored, as the
    /// specification asks: that is what lets keys change and witnesses join. For a witness key the
    /// answer is the time of its newest cosignature, in seconds since 1970.
    ///
    /// # Errors
    /// [`NoteError::NotSigned`], or [`NoteError::FalseSignature`] if any signature in that key's
    /// name does not hold.
    pub fn verify(&self, key: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let own = |line: &&NoteSignature| line.name == key.name() && line.id == key.id();
        let mut newest = None;
        let mut found = false;
        for line in self.signatures.iter().filter(own) {
            let time =
                self.verify_line(key, &line.bytes)
                    .ok_or_else(|| NoteError::FalseSignature {
                        name: key.name().to_owned(),
                    })?;
            newest = newest.max(time);
            found = true;
        }
        if !found {
            return Err(NoteError::NotSigned {
                name: key.name().to_owned(),
            });
        }
        Ok(newest)
    }

    fn verify_line(&self, key: &VerifierKey, bytes: &[u8]) -> Option<Option<u64>> {
        match key.kind() {
            KeyKind::Log => {
                let signature = bytes.try_into().ok()?;
                key.accepts(self.text.as_bytes(), signature).then_some(None)
            }
            KeyKind::Witness => {
                let (time, signature) = bytes.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                let message = self.cosigned_message(time);
                let signature = signature.try_into().ok()?;
                key.accepts(message.as_bytes(), signature)
                    .then_some(Some(time))
            }
        }
    }

    fn cosigned_message(&self, time: u64) -> String {
        format!("cosignature/v1\ntime {time}\n{}", self.text)
    }

    fn add(&mut self, key: &VerifierKey, bytes: Vec<u8>) {
        let signature = NoteSignature {
            name: key.name().to_owned(),
            id: key.id(),
            bytes,
        };
        // A key that signs again replaces its own line: notes must not grow with each witnessing.
        self.signatures
            .retain(|line| line.name != signature.name || line.id != signature.id);
        self.signatures.push(signature);
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [&signature.id, signature.bytes.as_slice()].concat();
            let NoteSignature { name, .. } = signature;
            writeln!(f, "{LINE_START}{name} {}", STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        check_name(name).ok()?;
        let bytes = STANDARD.decode(bytes).ok()?;
        let (id, bytes) = bytes.split_first_chunk()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            id: *id,
            bytes: bytes.to_vec(),
        })
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE {
        return Err(NoteError::TooLong { length: text.len() });
    }
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::NotText);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::tests::TestSigner, vectors::SignedNotes};

    #[test]
    fn the_published_note_verifies_and_prints_back() {
        let published = SignedNotes::load().published;
        let key = published.verifier_key.parse().unwrap();
        let note = SignedNote::parse(published.note.as_bytes()).unwrap();
        assert_eq!(note.text(), published.text);
        assert_eq!(note.verify(&key), Ok(None));
        assert_eq!(note.to_string(), published.note);
        let signers: Vec<_> = note.signers().collect();
        assert_eq!(signers, [("example.com/foo", [0x53, 0x0d, 0x90, 0x3a])]);
    }

    #[test]
    fn another_text_key_or_signature_is_noticed() {
        let published = SignedNotes::load().published;
        let key: VerifierKey = published.verifier_key.parse().unwrap();
        let verify = |note: String| SignedNote::parse(note.as_bytes()).unwrap().verify(&key);
        let name = "example.com/foo".to_owned();
        assert_eq!(
            verify(published.note.replace("message", "massage")),
            Err(NoteError::FalseSignature { name: name.clone() })
        );
        assert_eq!(
            verify(published.note.replace("foo Uw2QO", "foo Uw2RO")),
            Err(NoteError::NotSigned { name: name.clone() })
        );
        assert_eq!(
            verify(published.note.replace("kn8sr", "kn8ss")),
            Err(NoteError::FalseSignature { name })
        );
    }

    #[test]
    fn signing_gives_the_computed_bytes() {
        let computed = SignedNotes::load().computed;
        let text = computed.checkpoint.split_once("\n\n").unwrap().0;
        let mut note = SignedNote::new(format!("{text}\n")).unwrap();
        note.sign(&TestSigner::log()).unwrap();
        assert_eq!(note.to_string(), computed.checkpoint);

        assert_eq!(
            note.cosigned_message(1_700_000_000),
            computed.cosigned_message
        );
        note.cosign(&TestSigner::witness(), 1_700_000_000).unwrap();
        let with_line = format!("{}{}\n", computed.checkpoint, computed.cosignature_line);
        assert_eq!(note.to_string(), with_line);
        let time = note.verify(TestSigner::witness().key());
        assert_eq!(time, Ok(Some(1_700_000_000)));

        note.cosign(&TestSigner::witness(), 1_700_000_001).unwrap();
        assert_eq!(note.signatures.len(), 2);
        assert_eq!(note.verify(TestSigner::log().key()), Ok(None));
    }

    #[test]
    fn text_may_have_empty_lines() {
        let mut note = SignedNote::new("one\n\ntwo\n\n".to_owned()).unwrap();
        note.sign(&TestSigner::log()).unwrap();
        assert_eq!(
            SignedNote::parse(note.to_string().as_bytes()).unwrap(),
            note
        );
    }

    #[test]
    fn malformed_notes_are_refused() {
        let good = SignedNotes::load().published.note;
        let parse = |note: &str| SignedNote::parse(note.as_bytes()).unwrap_err();
        assert_eq!(parse(""), NoteError::Form);
        assert_eq!(parse("text\n"), NoteError::Form);
        assert_eq!(parse(good.trim_end()), NoteError::Form);
        assert_eq!(parse(&good.replace("This", "Th\tis")), NoteError::NotText);
        assert_eq!(SignedNote::parse(&[0xff, 10, 10]), Err(NoteError::NotText));
        for (from, to) in [
            ("\u{2014} ", "- "),
            ("com/foo", "com/f+o"),
            ("com/foo", "com/\u{2003}foo"),
            ("aQM=\n", "aQM\n"),
            // The last base64 digit carries two unused bits: only one spelling is right.
            ("aQM=\n", "aQN=\n"),
            ("aQM=\n", "aQM=\nmore\n"),
        ] {
            let line = if to.contains("more") { 2 } else { 1 };
            let bad = good.replace(from, to);
            assert_eq!(parse(&bad), NoteError::SignatureLine { line }, "{to}");
        }
        let line = good.lines().last().unwrap();
        let many = format!("text\n\n{}", format!("{line}\n").repeat(33));
        assert_eq!(parse(&many), NoteError::TooManySignatures);
        let long = "a".repeat(MAX_NOTE + 1);
        assert!(matches!(parse(&long), NoteError::TooLong { .. }));
    }
}
