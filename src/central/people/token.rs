//! Random tokens, of which only a digest is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};

/// The bytes of a token: nobody guesses 256 random bits.
const LENGTH: usize = 32;

/// The longest token that is looked at.
const MAX_TEXT: usize = 64;

/// Returns random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| CentralError::Random)?;
    Ok(bytes)
}

/// Makes a token: 256 random bits in base64url.
pub(crate) fn new_token() -> Result<Zeroizing<String>> {
    let bytes = random::<LENGTH>()?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Returns what is stored of a token: its SHA-256. Looking a digest up tells nothing of the
/// token by its time. None for what cannot be one.
pub(crate) fn digest_of(token: &str) -> Option<Vec<u8>> {
    let bytes = (token.len() <= MAX_TEXT)
        .then(|| URL_SAFE_NO_PAD.decode(token).ok())
        .flatten()
        .map(Zeroizing::new)?;
    (bytes.len() == LENGTH).then(|| Sha256::digest(token.as_bytes()).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_only_tokens_have_digests() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(digest_of(&one), digest_of(&other));
        assert_eq!(digest_of(&one).unwrap().len(), 32);
        for wrong in [
            "",
            "abc",
            &one[1..],
            &format!("{}=", &*one),
            &"A".repeat(100),
        ] {
            assert_eq!(digest_of(wrong), None);
        }
    }
}
