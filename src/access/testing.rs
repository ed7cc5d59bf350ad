//! The published vectors and a scripted randomness, for the unit tests of this crate.

use std::collections::VecDeque;

use serde_json::Value;

use crate::crypto_error::CryptoError;
use crate::random::Random;

/// Returns the vector file of this name, seen from `tests/vectors`.
pub(crate) fn vectors(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Returns the bytes that a JSON string gives in hexadecimal.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"));
    hex::decode(text).unwrap()
}

/// Randomness that is written down: each draw takes the next value whole.
#[derive(Default)]
pub(crate) struct Scripted(VecDeque<Vec<u8>>);

impl Scripted {
    pub(crate) fn new(values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Random for Scripted {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        let value = self.0.pop_front().ok_or(CryptoError::random("none left"))?;
        assert_eq!(value.len(), bytes.len(), "another value was written down");
        bytes.copy_from_slice(&value);
        Ok(())
    }
}
