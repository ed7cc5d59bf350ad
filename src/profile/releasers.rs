//! The list of the people whose signatures release a profile.

use audit::{KeyError, KeyKind, VerifierKey};
use thiserror::Error;

/// The most bytes that a list may have.
const MAX_LIST: usize = 64 * 1024;
/// The most keys that a list may have.
const MAX_KEYS: usize = 256;

/// The people whose signatures release a profile: one verifier key a line (`name+id+key`, as
/// *C2SP signed-note* writes it). Empty lines and lines that begin with `#` are passed over.
///
/// No key stands there twice, so that nobody is two people. A person may have several keys, say
/// an old one and its successor, and is one person all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Releasers {
    keys: Vec<VerifierKey>,
}

/// Why a list of releasers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line} of the list of releasers")]
pub struct ReleasersError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub fault: ReleasersFault,
}

/// What is wrong with a line of a list of releasers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReleasersFault {
    /// It is no verifier key.
    #[error("it holds no verifier key")]
    Key(#[from] KeyError),
    /// The key is a witness's: its signatures say that a log only grew.
    #[error("the key of {name} is a witness's (type 04); a releaser's is of type 01")]
    Witness {
        /// The key's name.
        name: String,
    },
    /// The key is in the list already.
    #[error(
        "the key of {name} is the one of {other} in line {line}: each person has a key of their own"
    )]
    SameKey {
        /// The name in this line.
        name: String,
        /// The name in the other line.
        other: String,
        /// The other line.
        line: usize,
    },
    /// The list is longer than any honest one.
    #[error("the list goes on past {MAX_KEYS} keys or {MAX_LIST} bytes")]
    TooLong,
}

impl Releasers {
    /// Reads a list.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ReleasersError> {
        if text.len() > MAX_LIST {
            let line = text.bytes().take(MAX_LIST).filter(|&b| b == b'\n').count() + 1;
            let fault = ReleasersFault::TooLong;
            return Err(ReleasersError { line, fault });
        }
        let mut keys: Vec<(usize, VerifierKey)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let (at, line) = (at + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = key_of(line, &keys).map_err(|fault| ReleasersError { line: at, fault })?;
            keys.push((at, key));
        }
        let keys = keys.into_iter().map(|(_, key)| key).collect();
        Ok(Self { keys })
    }

    /// Returns the keys, in the order of the list.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }
}

fn key_of(text: &str, known: &[(usize, VerifierKey)]) -> Result<VerifierKey, ReleasersFault> {
    if known.len() == MAX_KEYS {
        return Err(ReleasersFault::TooLong);
    }
    let key: VerifierKey = text.parse()?;
    let name = key.name().to_owned();
    if key.kind() != KeyKind::Log {
        return Err(ReleasersFault::Witness { name });
    }
    let same = |(_, other): &&(usize, VerifierKey)| other.public_key() == key.public_key();
    match known.iter().find(same) {
        Some((line, other)) => Err(ReleasersFault::SameKey {
            name,
            other: other.name().to_owned(),
            line: *line,
        }),
        None => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example key of *C2SP signed-note*.
    const PUBLISHED: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    fn key(kind: KeyKind, name: &str, seed: u8) -> VerifierKey {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        VerifierKey::new(kind, name, secret.verifying_key().as_bytes()).unwrap()
    }

    #[test]
    fn comments_are_passed_over_and_a_person_may_have_two_keys() {
        let (old, new) = (key(KeyKind::Log, "anna", 1), key(KeyKind::Log, "anna", 2));
        let text = format!("# Who releases\r\n\n  {PUBLISHED}  \r\n{old}\n# since May\n{new}");
        let list = Releasers::parse(&text).unwrap();
        assert_eq!(list.keys(), [PUBLISHED.parse().unwrap(), old, new]);
        assert_eq!(
            Releasers::parse("# nobody\n").unwrap(),
            Releasers::default()
        );
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let (anna, again) = (key(KeyKind::Log, "anna", 1), key(KeyKind::Log, "maija", 1));
        let witness = key(KeyKind::Witness, "witness", 3);
        let same = ReleasersFault::SameKey {
            name: "maija".into(),
            other: "anna".into(),
            line: 2,
        };
        let not_hers = PUBLISHED.replace("foo", "bar");
        let many: String = (0..257).map(|n| format!("{}\n", numbered(n))).collect();
        for (text, line, fault) in [
            (format!("#\n{anna}\n\n{again}\n"), 4, same),
            (
                format!("{anna}\n{witness}\n"),
                2,
                ReleasersFault::Witness {
                    name: "witness".into(),
                },
            ),
            (not_hers, 1, ReleasersFault::Key(KeyError::Id)),
            ("anna\n".into(), 1, ReleasersFault::Key(KeyError::Form)),
            (many, 257, ReleasersFault::TooLong),
            ("#\n".repeat(40_000), 32_769, ReleasersFault::TooLong),
        ] {
            assert_eq!(
                Releasers::parse(&text),
                Err(ReleasersError { line, fault }),
                "{}",
                &text[..text.len().min(200)]
            );
        }
    }

    fn numbered(n: u16) -> VerifierKey {
        let mut seed = [9; 32];
        seed[..2].copy_from_slice(&n.to_be_bytes());
        let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = secret.verifying_key();
        VerifierKey::new(KeyKind::Log, "anna", public.as_bytes()).unwrap()
    }
}
