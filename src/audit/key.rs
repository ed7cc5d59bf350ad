//! The keys that sign checkpoints: the public side as text, the private side behind a trait.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// What a key's signatures say (*C2SP signed-note, "Signature types"*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Type `01`: Ed25519 over the note text. A log signs its checkpoints so, and a person the
    /// release of a profile.
    Log,
    /// Type `04`: Ed25519 with a time (*C2SP tlog-cosignature*, `cosignature/v1`). A witness says
    /// so that a checkpoint continues what it saw before.
    Witness,
}

impl KeyKind {
    const fn type_byte(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// A public key with its name, as a verifier is configured with it.
///
/// The text form is `name+id+key`: the name, the key ID as eight hex digits, and the base64 of the
/// type byte and the 32 key bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    key: VerifyingKey,
}

/// Says why something is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key name is empty, too long, or has a space, a plus or a control character.
    #[error("a key name has 1 to 255 bytes without spaces, plus signs and control characters")]
    Name,
    /// The text is not `name+id+key`.
    #[error("a verifier key reads name+id+key: eight hex digits, then base64")]
    Form,
    /// The type byte is of an algorithm that this log does not use.
    #[error("signature type {0:#04x} is not supported: 0x01 and 0x04 are (Ed25519)")]
    Type(u8),
    /// The bytes are no Ed25519 public key, or a weak one.
    #[error("the key bytes are not an acceptable Ed25519 public key")]
    Key,
    /// The ID in the text is not the one of the name and the key.
    #[error("the key id does not belong to this name and key: a character may be mistyped")]
    Id,
}

impl VerifierKey {
    /// Builds a verifier key from a name and the 32 bytes of an Ed25519 public key.
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::Key`].
    pub fn new(kind: KeyKind, name: &str, key: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| KeyError::Key)?;
        if key.is_weak() {
            return Err(KeyError::Key);
        }
        let digest = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', kind.type_byte()])
            .chain_update(key.as_bytes())
            .finalize();
        let mut id = [0; 4];
        id.copy_from_slice(&digest[..4]);
        Ok(Self {
            name: name.to_owned(),
            kind,
            id,
            key,
        })
    }

    /// Returns the key's name, which is also the origin of a log's checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the key signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the key ID: SHA-256(name ‖ `0A` ‖ type ‖ key), first four bytes.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Returns the 32 bytes of the Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Says whether `signature` over `message` is this key's. Weak points and other spellings of
    /// one signature are refused.
    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        self.key.verify_strict(message, &signature).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.type_byte()];
        bytes.extend(self.key.as_bytes());
        let (id, key) = (hex::encode(self.id), STANDARD.encode(bytes));
        write!(f, "{}+{id}+{key}", self.name)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // Base64 has plus signs of its own, a name has none.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (kind, key) = match bytes.split_first() {
            Some((1, key)) => (KeyKind::Log, key),
            Some((4, key)) => (KeyKind::Witness, key),
            Some((other, _)) => return Err(KeyError::Type(*other)),
            None => return Err(KeyError::Form),
        };
        let key = Self::new(kind, name, key.try_into().map_err(|_| KeyError::Key)?)?;
        let mut written = [0; 4];
        hex::decode_to_slice(id, &mut written).map_err(|_| KeyError::Form)?;
        if written != key.id {
            return Err(KeyError::Id);
        }
        Ok(key)
    }
}

/// Demands that a log or a person can have this name: 1 to 255 bytes without white space, control
/// characters and `+` (C2SP signed-note).
///
/// # Errors
/// [`KeyError::Name`].
pub fn check_name(name: &str) -> Result<(), KeyError> {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if (1..=255).contains(&name.len()) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(KeyError::Name)
    }
}

/// What went wrong inside a signer, in its own words.
pub type SignerFault = Box<dyn std::error::Error + Send + Sync>;

/// The private side of a [`VerifierKey`]. The key itself usually sits in an HSM.
pub trait CheckpointSigner {
    /// Returns the public key that the signatures verify under.
    fn key(&self) -> &VerifierKey;

    /// Signs `message` with Ed25519 (*RFC 8032 §5.1.6*, not prehashed): 64 bytes.
    ///
    /// # Errors
    /// Whatever keeps the token from signing.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault>;
}

/// Says why a signature could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The token or its driver failed.
    #[error("the key {name} could not sign")]
    Signer {
        /// The key's name.
        name: String,
        /// What the signer said.
        #[source]
        source: SignerFault,
    },
    /// The signature does not verify under the signer's own public key.
    #[error("the signature made by {name} does not verify: check that the public key is its own")]
    Unverifiable {
        /// The key's name.
        name: String,
    },
    /// A log key was asked to witness, or a witness key to sign as a log.
    #[error("the key {name} is of the wrong kind for this signature")]
    Kind {
        /// The key's name.
        name: String,
    },
}

/// Signs and checks the answer before anyone else sees it: a token that holds another key than
/// configured must not be noticed only by the auditor.
pub(crate) fn sign_checked(
    signer: &dyn CheckpointSigner,
    kind: KeyKind,
    message: &[u8],
) -> Result<[u8; 64], SignError> {
    let key = signer.key();
    let name = || key.name().to_owned();
    if key.kind() != kind {
        return Err(SignError::Kind { name: name() });
    }
    let signature = signer.sign(message).map_err(|source| SignError::Signer {
        name: name(),
        source,
    })?;
    if !key.accepts(message, &signature) {
        return Err(SignError::Unverifiable { name: name() });
    }
    Ok(signature)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;
    use crate::vectors::SignedNotes;

    /// A signer in memory, for tests only: in the product the key stays in a token.
    #[derive(Clone)]
    pub(crate) struct TestSigner {
        key: VerifierKey,
        secret: SigningKey,
    }

    impl TestSigner {
        pub(crate) fn new(kind: KeyKind, name: &str, seed_hex: &str) -> Self {
            let seed: [u8; 32] = hex::decode(seed_hex).unwrap().try_into().unwrap();
            let secret = SigningKey::from_bytes(&seed);
            let key = VerifierKey::new(kind, name, secret.verifying_key().as_bytes()).unwrap();
            Self { key, secret }
        }

        /// The log of the vectors.
        pub(crate) fn log() -> Self {
            static LOG: LazyLock<TestSigner> = LazyLock::new(|| {
                let seed = SignedNotes::load().computed.ed25519_seed;
                TestSigner::new(KeyKind::Log, "perso.example/tlog", &seed)
            });
            LOG.clone()
        }

        /// The witness of the vectors.
        pub(crate) fn witness() -> Self {
            let seed = SignedNotes::load().computed.witness_seed;
            Self::new(KeyKind::Witness, "witness.example/w1", &seed)
        }
    }

    impl CheckpointSigner for TestSigner {
        fn key(&self) -> &VerifierKey {
            &self.key
        }

        fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault> {
            Ok(self.secret.sign(message).to_bytes())
        }
    }

    #[test]
    fn keys_read_and_print_as_published() {
        let vectors = SignedNotes::load();
        for text in [
            &vectors.published.verifier_key,
            &vectors.computed.verifier_key,
        ] {
            assert_eq!(text.parse::<VerifierKey>().unwrap().to_string(), *text);
        }
        let log = TestSigner::log();
        assert_eq!(log.key().to_string(), vectors.computed.verifier_key);
    }

    #[test]
    fn a_mistyped_key_is_refused() {
        let text = SignedNotes::load().published.verifier_key;
        let parse = |text: String| text.parse::<VerifierKey>();
        assert_eq!(parse(text.replace("foo", "bar")), Err(KeyError::Id));
        assert_eq!(parse(text.replace("530d", "530e")), Err(KeyError::Id));
        // A changed character gives another key, or no point of the curve at all.
        let changed = parse(text.replace("+AekyeRrm", "+AekyeRrn"));
        assert!(matches!(changed, Err(KeyError::Id | KeyError::Key)));
        assert_eq!(
            parse(text.replace("+Aeky", "+Beky")),
            Err(KeyError::Type(5))
        );
        assert_eq!(parse(text.replace('+', "-")), Err(KeyError::Form));
        assert_eq!(
            parse(text.replace("example", "exam ple")),
            Err(KeyError::Name)
        );
        assert_eq!(parse(String::new()), Err(KeyError::Form));
        // The neutral point: every message has a valid signature under it.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let weak = VerifierKey::new(KeyKind::Log, "log", &neutral);
        assert_eq!(weak, Err(KeyError::Key));
    }

    #[test]
    fn a_signer_with_another_key_is_noticed() {
        struct Swapped(TestSigner, TestSigner);
        impl CheckpointSigner for Swapped {
            fn key(&self) -> &VerifierKey {
                self.0.key()
            }
            fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault> {
                self.1.sign(message)
            }
        }
        let swapped = Swapped(TestSigner::log(), TestSigner::witness());
        let answer = sign_checked(&swapped, KeyKind::Log, b"text\n");
        assert!(matches!(answer, Err(SignError::Unverifiable { .. })));
        let answer = sign_checked(&TestSigner::log(), KeyKind::Witness, b"text\n");
        assert!(matches!(answer, Err(SignError::Kind { .. })));
    }
}
