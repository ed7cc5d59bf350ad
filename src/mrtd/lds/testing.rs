//! The published files that the tests of this folder read.

use serde_json::Value;

/// Returns a row of the vector file.
pub(crate) fn vector(name: &str) -> Value {
    let text = include_str!("../../../tests/vectors/lds/files.json");
    let mut file: Value = serde_json::from_str(text).unwrap();
    file[name].take()
}

/// Returns the bytes of a text in hex.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}
