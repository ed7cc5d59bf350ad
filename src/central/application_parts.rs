//! An application taken apart, and put together again: what it says of its holder, and its images.

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

/// The fields of an application that are biometrics.
const IMAGES: [&str; 3] = ["portrait", "signature", "fingerprints"];

/// JSON that is wiped when it is dropped.
type Text = Zeroizing<Vec<u8>>;

/// Takes an application, JSON, apart into what it says and its images; none where it is no object.
pub(crate) fn split(content: &[u8]) -> Option<(Text, Text)> {
    let mut fields: Map<String, Value> = serde_json::from_slice(content).ok()?;
    let mut images = Map::new();
    for name in IMAGES {
        images.extend(fields.remove(name).map(|image| (name.to_owned(), image)));
    }
    let (mut fields, mut images) = (Value::Object(fields), Value::Object(images));
    let written = (serde_json::to_vec(&fields), serde_json::to_vec(&images));
    wipe(&mut fields);
    wipe(&mut images);
    Some((
        Zeroizing::new(written.0.ok()?),
        Zeroizing::new(written.1.ok()?),
    ))
}

/// Puts the fields of two JSON objects, as this program writes them, into one.
pub(crate) fn join(one: &[u8], other: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(one.len() + other.len()));
    match (one.strip_suffix(b"}"), other.strip_prefix(b"{")) {
        (Some(first), Some(rest)) if first != b"{" && rest != b"}" => {
            whole.extend_from_slice(first);
            whole.push(b',');
            whole.extend_from_slice(rest);
        }
        (Some(b"{"), _) => whole.extend_from_slice(other),
        _ => whole.extend_from_slice(one),
    }
    whole
}

/// Wipes the texts of a JSON value.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| wipe(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_apart_comes_together() {
        let cases = [
            r#"{"a":1,"portrait":{"data":"x"},"z":"}"}"#,
            r#"{"a":{"portrait":"stays"}}"#,
            r#"{"portrait":"p","signature":"s","fingerprints":[]}"#,
            "{}",
        ];
        for case in cases {
            let (identity, images) = split(case.as_bytes()).unwrap();
            let joined: Value = serde_json::from_slice(&join(&identity, &images)).unwrap();
            assert_eq!(
                joined,
                serde_json::from_str::<Value>(case).unwrap(),
                "{case}"
            );
            let identity: Value = serde_json::from_slice(&identity).unwrap();
            assert!(IMAGES.iter().all(|name| identity.get(name).is_none()));
        }
        assert!(split(b"[]").is_none());
        assert!(split(b"").is_none());
    }
}
