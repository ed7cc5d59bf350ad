//! The published vectors, for the unit tests of this crate.

use serde_json::Value;

use crate::cipher::Key;

/// Returns the vector file of this name.
pub(crate) fn vectors(name: &str) -> Value {
    let path = format!(
        "{}/../../tests/vectors/globalplatform/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// Returns the bytes that a JSON string gives in hexadecimal.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no hex string: {value}"));
    ::hex::decode(text).unwrap()
}

/// Returns the key that a JSON string gives in hexadecimal.
pub(crate) fn key(value: &Value) -> Key {
    Key::new(&hex(value)).unwrap()
}
