//! Bodies of requests and answers that may hold passwords and tokens: what this program holds of them
//! is wiped when nobody reads it any more.
//!
//! The buffers of the sockets and of TLS are the libraries', and are not.

use axum::body::Bytes;
use zeroize::{Zeroize, Zeroizing};

/// Bytes that are wiped when the last who shares them lets go.
pub(crate) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    /// Takes bytes over.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns them as a body, which copies nothing.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl From<Zeroizing<Vec<u8>>> for Wiped {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Copies what came, and wipes what it came in, where nobody else has it.
pub(crate) fn taken(came: Bytes) -> Zeroizing<Vec<u8>> {
    let copy = Zeroizing::new(came.to_vec());
    if let Ok(mut own) = came.try_into_mut() {
        own[..].zeroize();
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_copied_and_wiped() {
        let came = Bytes::from(b"a password".to_vec());
        let place = came.as_ptr();
        let shared = came.clone();
        assert_eq!(taken(came)[..], *b"a password");
        // Somebody else has it.
        assert_eq!(shared.as_ref(), b"a password");
        assert_eq!(shared.as_ptr(), place);
        let body = Wiped::new(b"a token".to_vec()).into_bytes();
        assert_eq!(body.clone().as_ref(), b"a token");
    }
}
