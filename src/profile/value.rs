//! Values that templates work on, and where they come from.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// One value of a variable. Its `Debug` shows kind and length, never content, since a
/// variable may hold a PIN or personal data.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Bytes, ready to stand in a command.
    Bytes(Zeroizing<Vec<u8>>),
    /// A number; a template says how wide it is written (`u8(…)`, `u16(…)`).
    Number(u64),
    /// Text; a template says how it is encoded (`ascii(…)`, `utf8(…)`).
    Text(Zeroizing<String>),
}

impl Value {
    /// Makes a value of bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Zeroizing::new(bytes.into()))
    }

    /// Makes a value of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Zeroizing::new(text.into()))
    }

    /// Returns the bytes, if the value is bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Number(_) => f.write_str("a number"),
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
        }
    }
}

/// Where a template finds the variables it names.
pub trait Scope {
    /// Returns the value of `name`, or nothing while it is not known.
    fn value(&self, name: &str) -> Option<Value>;
}

/// What is known so far of one document on one chip: `document.number`,
/// `key.authentication.public`, `certificate.signature`, `pin.pin1.value`…
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, Value>);

impl Variables {
    /// Sets `name`, replacing what it was.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.0.insert(name.into(), value);
    }

    /// Forgets `name`; its memory is wiped.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Returns every variable that is known, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns whether `name` is known.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the bytes of `name`, if it is known and holds bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).and_then(Value::as_bytes)
    }
}

impl Scope for Variables {
    fn value(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

/// Looks in the first scope, then in the second: an object's own attributes before what
/// is known of the document.
pub struct Nested<'a>(pub &'a dyn Scope, pub &'a dyn Scope);

impl Scope for Nested<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        self.0.value(name).or_else(|| self.1.value(name))
    }
}
