//! JSON as it was written: unlike `serde_json::Value`, with every duplicate field.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A JSON value. Numbers that no field has are not kept.
pub(super) enum Tree {
    Null,
    Bool(bool),
    Number(Option<u64>),
    Text(Zeroizing<String>),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Returns the text of a field of an object.
    pub(super) fn text_at(&self, name: &str) -> Option<&str> {
        let Self::Object(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(entry, _)| entry == name);
        match found {
            Some((_, Self::Text(text))) => Some(text),
            _ => None,
        }
    }

    /// Returns the JSON type with its article, for messages.
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(Some(value)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Number(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Number(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Tree::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = object.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_kept_and_every_type_is_told() {
        let json = br#"{"a":1,"a":"x","b":[1,{}],"c":null,"d":true,"e":-1,"f":1.5,"g":{}}"#;
        let Ok(Tree::Object(entries)) = serde_json::from_slice(json) else {
            panic!("an object")
        };
        let told: Vec<_> = entries
            .iter()
            .map(|(k, v)| (k.as_str(), v.type_name()))
            .collect();
        assert_eq!(
            told,
            [
                ("a", "a number"),
                ("a", "a string"),
                ("b", "a list"),
                ("c", "null"),
                ("d", "a boolean"),
                ("e", "a number"),
                ("f", "a number"),
                ("g", "an object"),
            ]
        );
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(serde_json::from_str::<Tree>(&deep).is_err());
    }
}
