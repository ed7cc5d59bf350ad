//! A person's key: Ed25519, in a file that only its owner can read or in a PKCS#11 token.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use audit::{CheckpointSigner, KeyKind, SignerFault, VerifierKey};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use hsm::{SignatureAlgorithm, Signer, Token, TokenSigner};
use pem_rfc7468::LineEnding;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::cli::card::desk_keys::{TokenPart, open_token};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::releases;

/// What a key in a token looks like, for `--help`.
pub(crate) const KEY_FILES: &str = "\
KEY is a file: an Ed25519 key as PKCS#8 in PEM (mode 600), or, where it ends in .toml, where the \
key is in a PKCS#11 token:

  key = \"anna\"                # the key's label

  [token]
  label = \"zimogs\"
  pin_file = \"pin\"            # beside this file, mode 600
  kind = \"softhsm2\"           # this one, or the file of another token kind";

/// How a private key is told from other PEM files, *RFC 7468 §10*.
const LABEL: &str = "PRIVATE KEY";
/// The DER of an Ed25519 private key before its 32 bytes: version 0, *RFC 8410 §7*.
const PREFIX: [u8; 16] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// The most bytes of a key file that are read.
const LONGEST: u64 = 16 * 1024;

/// A person's key.
pub(crate) struct PersonKey {
    key: VerifierKey,
    private: Private,
}

enum Private {
    File(Box<SigningKey>),
    Token(TokenSigner),
}

/// Where in a token a key is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    key: String,
    token: TokenPart,
}

impl PersonKey {
    /// Opens the key of a file as this person's.
    pub(crate) fn open(person: &str, path: &Path) -> Result<Self, Failure> {
        if is_token(path) {
            let (token, label) = token(path)?;
            return Self::in_token(person, &token, &label);
        }
        let key = read_pem(path)?;
        Self::in_file(person, key)
    }

    /// Makes a key: the file, or in the token that the file names.
    pub(crate) fn make(person: &str, path: &Path) -> Result<Self, Failure> {
        if is_token(path) {
            // The name is judged before a key is made for it.
            Self::in_file(person, SigningKey::from_bytes(&[1; 32]))?;
            let (token, label) = token(path)?;
            token.generate_ed25519(&label).or_fail(Kind::Device)?;
            return Self::in_token(person, &token, &label);
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())
            .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        let made = Self::in_file(person, SigningKey::from_bytes(&seed))?;
        let der = Zeroizing::new([&PREFIX[..], &seed[..]].concat());
        let pem = pem_rfc7468::encode_string(LABEL, LineEnding::LF, &der).or_fail(Kind::Failed)?;
        write_new(path, &Zeroizing::new(pem)).map_err(|error| {
            let fault = format!("{} cannot be made: {error}", path.display());
            match error.kind() {
                ErrorKind::AlreadyExists => Failure::new(Kind::Refused, fault)
                    .with_hint("name another file: a key is never written over"),
                _ => Failure::new(Kind::Failed, fault),
            }
        })?;
        Ok(made)
    }

    fn in_file(person: &str, key: SigningKey) -> Result<Self, Failure> {
        let public = key.verifying_key();
        Ok(Self {
            key: verifier(person, public.as_bytes())?,
            private: Private::File(Box::new(key)),
        })
    }

    fn in_token(person: &str, token: &Token, label: &str) -> Result<Self, Failure> {
        let signer = token.signer(label).or_fail(Kind::Device)?;
        // RFC 8410 §4: the key is the last 32 bytes.
        let public = signer
            .public_key_spki_der()
            .last_chunk()
            .filter(|_| signer.algorithm() == SignatureAlgorithm::Ed25519);
        let public = public.ok_or_else(|| {
            let fault = format!("the key \"{label}\" in the token is no Ed25519 key");
            Failure::new(Kind::Usage, fault)
        })?;
        Ok(Self {
            key: verifier(person, public)?,
            private: Private::Token(signer),
        })
    }
}

impl CheckpointSigner for PersonKey {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerFault> {
        match &self.private {
            Private::File(key) => Ok(ed25519_dalek::Signer::sign(&**key, message).to_bytes()),
            Private::Token(signer) => {
                let signature = signer.sign(message)?;
                let short = |_| "the token's signature does not have 64 bytes";
                Ok(signature.try_into().map_err(short)?)
            }
        }
    }
}

fn verifier(person: &str, public: &[u8; 32]) -> Result<VerifierKey, Failure> {
    VerifierKey::new(KeyKind::Log, person, public).map_err(|error| {
        Failure::of(Kind::Usage, &error)
            .with_hint("--as PERSON: as in anna.berzina or anna@office.example")
    })
}

fn is_token(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml")
}

fn token(path: &Path) -> Result<(Token, String), Failure> {
    let fault = |reason: String| {
        Failure::new(Kind::Usage, format!("{}: {reason}", path.display()))
            .with_hint("zimogs profile sign --help shows the form")
    };
    let text = String::from_utf8(releases::read(path)?).map_err(|_| fault("is no text".into()))?;
    let file: TokenFile =
        toml::from_str(&text).map_err(|error| fault(error.to_string().trim_end().to_owned()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok((open_token(&file.token, folder)?, file.key))
}

/// Reads a private key that nobody but its owner can read.
fn read_pem(path: &Path) -> Result<SigningKey, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::new(Kind::Usage, format!("key {shown} cannot be read: {error}"))
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let fault = format!("key {shown} can be read by others");
        return Err(Failure::new(Kind::Refused, fault).with_hint(format!("chmod 600 {shown}")));
    }
    // Its whole length at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST as usize));
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    SigningKey::from_pkcs8_pem(&text).map_err(|_| {
        let fault = format!("{shown} holds no Ed25519 key as PKCS#8 in PEM");
        let failure = Failure::new(Kind::Usage, fault);
        if text.contains("ENCRYPTED") {
            failure.with_hint(
                "it is encrypted: keep the key in a token, or decrypt it into a file of mode 600",
            )
        } else {
            failure.with_hint("zimogs profile sign --new-key FILE --as PERSON makes one")
        }
    })
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example key of *RFC 8410 §10.3*, version 0 and, with its public key, version 1.
    const RFC8410: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    const RFC8410_WITH_PUBLIC: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

    fn private_file(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        write_new(&path, text).unwrap();
        path
    }

    fn refused(path: &Path) -> String {
        match PersonKey::open("anna", path) {
            Err(failure) => format!("{failure:?}"),
            Ok(_) => panic!("{} was taken", path.display()),
        }
    }

    #[test]
    fn the_published_key_is_read_in_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        // RFC 8410 §10.1 prints its public key.
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        for (name, text) in [("0", RFC8410), ("1", RFC8410_WITH_PUBLIC)] {
            let path = private_file(folder.path(), name, text);
            let key = PersonKey::open("anna", &path).unwrap_or_else(|error| panic!("{error:?}"));
            assert_eq!(hex::encode(key.key().public_key()), public);
            assert_eq!(key.key().name(), "anna");
        }
    }

    #[test]
    fn a_made_key_is_its_owners_only_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anna.pem");
        assert!(PersonKey::make("an na", &path).is_err() && !path.exists());
        let made = PersonKey::make("anna", &path).unwrap_or_else(|error| panic!("{error:?}"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = fs::read(&path).unwrap();
        assert!(PersonKey::make("anna", &path).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
        let opened = PersonKey::open("anna", &path).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(opened.key(), made.key());
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620] {
            let path = private_file(folder.path(), &format!("{mode:o}"), RFC8410);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(refused(&path).contains("read by others"));
        }
        let encrypted = RFC8410.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let path = private_file(folder.path(), "encrypted", &encrypted);
        assert!(refused(&path).contains("it is encrypted"));
        let other = RFC8410.replace("K2Vw", "K2Vv");
        let endless = format!("{}{RFC8410}", "# \n".repeat(20_000));
        for (name, text) in [("other", &*other), ("none", ""), ("endless", &endless)] {
            let path = private_file(folder.path(), name, text);
            assert!(refused(&path).contains("no Ed25519 key"), "{name}");
        }
        assert!(refused(&folder.path().join("nowhere")).contains("cannot be read"));
    }
}
