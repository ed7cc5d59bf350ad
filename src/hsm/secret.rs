//! The PIN of a token.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A token's PIN or pass phrase: wiped when dropped, never printed, compared in constant time.
///
/// It is boxed, so that moving it leaves no copy behind.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Returns a secret that holds `text`, which the caller need not keep.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into().into_boxed_str()))
    }

    /// Returns the secret text; the only way to it, so that its uses can be found by name.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the secret in the form that the PKCS#11 binding takes (also wiped when dropped).
    pub(crate) fn to_auth_pin(&self) -> cryptoki::types::AuthPin {
        cryptoki::types::AuthPin::from(self.expose())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("739184620518");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert!(secret == Secret::new("739184620518"));
        assert!(secret != Secret::new("739184620519"));
        assert!(secret != Secret::new("7391"));
    }
}
