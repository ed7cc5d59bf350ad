//! The text of profile files: parsing with inheritance, and where a byte stands.
//!
//! A profile that says `extends = "parent"` is laid over its parent value by value, and
//! every value keeps the place where it was written. All texts share one axis of offsets:
//! each file has its own range, so that one span names file, line and column.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::ProfileError;
use crate::placed::Placed;

/// How many parents a profile may have, one above the other.
pub(crate) const MAX_ANCESTORS: usize = 8;

/// The most bytes of one profile's text: many times what a card needs.
pub(crate) const MAX_TEXT: usize = 0x4_0000;

/// A file, line and column, each counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the file as it was given to the loader.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The profile texts at hand, by name (file name without `.toml`), and the layouts of faces that
/// they may name (without `.svg`).
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    texts: BTreeMap<String, String>,
    layouts: BTreeMap<String, String>,
}

impl Shelf {
    /// Puts a text on the shelf under its name.
    pub fn put(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.texts.insert(name.into(), text.into());
    }

    /// Returns the names on the shelf, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// Returns the text of a name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Puts a layout on the shelf under its name.
    pub fn put_layout(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.layouts.insert(name.into(), text.into());
    }

    /// Returns the layout of a name.
    pub fn layout(&self, name: &str) -> Option<&str> {
        self.layouts.get(name).map(String::as_str)
    }

    /// Returns the names of the layouts, in order.
    pub fn layouts(&self) -> impl Iterator<Item = &str> {
        self.layouts.keys().map(String::as_str)
    }
}

/// The texts of one profile and its ancestors on one axis of offsets.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    files: Vec<(String, &'a str, usize)>,
    end: usize,
    /// Where the first file says what it extends.
    extends: Option<Range<usize>>,
}

impl<'a> Sources<'a> {
    /// Parses `name` from the shelf with all that it extends.
    pub(crate) fn parse(
        shelf: &'a Shelf,
        name: &str,
    ) -> Result<(Self, Spanned<DeTable<'a>>), ProfileError> {
        let mut sources = Self {
            files: Vec::new(),
            end: 0,
            extends: None,
        };
        let table = sources.parse_with_ancestors(shelf, name)?;
        Ok((sources, table))
    }

    fn parse_with_ancestors(
        &mut self,
        shelf: &'a Shelf,
        name: &str,
    ) -> Result<Spanned<DeTable<'a>>, ProfileError> {
        let mut layers: Vec<Spanned<DeTable<'a>>> = Vec::new();
        let mut next = Some((name.to_owned(), None));
        while let Some((name, asked_at)) = next.take() {
            if layers.len() > MAX_ANCESTORS || self.files.iter().any(|(file, _, _)| *file == name) {
                return Err(self.error(
                    asked_at.unwrap_or(0..0),
                    format!("profile \"{name}\" extends itself, or has more than {MAX_ANCESTORS} ancestors"),
                    "a profile extends at most one other, and the chain ends",
                ));
            }
            let Some(text) = shelf.text(&name) else {
                return Err(match asked_at {
                    Some(span) => self.error(
                        span,
                        format!("no profile is named \"{name}\""),
                        "put its file beside this one, or correct the name",
                    ),
                    None => ProfileError::Unknown {
                        name,
                        known: shelf.names().map(str::to_owned).collect(),
                    },
                });
            };
            let base = self.add(&name, text);
            if text.len() > MAX_TEXT {
                let end = base + MAX_TEXT;
                return Err(self.error(
                    end..end,
                    format!("the profile is longer than {MAX_TEXT} bytes"),
                    "move what other profiles share into one that this one extends",
                ));
            }
            let table = DeTable::parse(text).map_err(|error| {
                let span = error.span().unwrap_or(0..0);
                self.error(
                    span.start + base..span.end + base,
                    error.message().to_owned(),
                    "the grammar is TOML's: text in quotes, tables in brackets, each name once",
                )
            })?;
            let mut table = shift_table(table, base);
            if let Some((_, parent)) = remove(table.get_mut(), "extends") {
                let span = parent.span();
                let DeValue::String(parent) = parent.into_inner() else {
                    return Err(self.error(
                        span,
                        "\"extends\" is not text".into(),
                        "write extends = \"name-of-the-parent\"",
                    ));
                };
                self.extends.get_or_insert(span.clone());
                next = Some((parent.into_owned(), Some(span)));
            }
            layers.push(table);
        }
        let mut layers = layers.into_iter().rev();
        // The loop above ran at least once, so there is a first layer.
        let mut merged = layers
            .next()
            .unwrap_or_else(|| Spanned::new(0..0, DeTable::new()));
        for layer in layers {
            lay_over(merged.get_mut(), layer.into_inner());
        }
        Ok(merged)
    }

    fn add(&mut self, name: &str, text: &'a str) -> usize {
        let base = self.end;
        self.files.push((name.to_owned(), text, base));
        // One byte apart, so that the end of a text is not the start of the next.
        self.end += text.len() + 1;
        base
    }

    /// Returns the file, line and column of an offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let found = self.files.iter().rev().find(|(_, _, base)| *base <= offset);
        let Some((file, text, base)) = found else {
            return Place {
                file: String::new(),
                line: 1,
                column: 1,
            };
        };
        let mut within = (offset - base).min(text.len());
        while !text.is_char_boundary(within) {
            within -= 1;
        }
        let before = &text[..within];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            file: format!("{file}.toml"),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// Returns where the content of a quoted string starts, given the span of the string.
    /// Exact for strings without escapes; profiles have no reason to use them.
    pub(crate) fn inside(&self, span: Range<usize>) -> usize {
        let found = self
            .files
            .iter()
            .rev()
            .find(|(_, _, base)| *base <= span.start);
        let rest = found
            .and_then(|(_, text, base)| text.get(span.start - base..))
            .unwrap_or("");
        let opening = ["\"\"\"\n", "'''\n", "\"\"\"", "'''"]
            .into_iter()
            .find(|opening| rest.starts_with(opening));
        span.start + opening.map_or(1, str::len)
    }

    /// Demands that a profile call itself as its file is called, not as what it extends: by its
    /// name documents and stock know it.
    pub(crate) fn named(&self, name: &Placed<String>) -> Result<(), ProfileError> {
        let Some((file, text, _)) = self.files.first() else {
            return Ok(());
        };
        if name.get_ref() == file {
            return Ok(());
        }
        let is_own = name.span().start < text.len();
        let inherited = self.extends.clone().filter(|_| !is_own);
        Err(self.error(
            inherited.unwrap_or(name.span()),
            format!("the profile in {file}.toml is named \"{}\"", name.get_ref()),
            &format!("write name = \"{file}\", or call the file as the profile"),
        ))
    }

    /// Returns the names of the ancestors, the nearest first.
    pub(crate) fn ancestors(&self) -> Vec<String> {
        let names = self.files.iter().skip(1);
        names.map(|(name, _, _)| name.clone()).collect()
    }

    /// Returns the digest of all texts, the child first, and of what it names behind them.
    pub(crate) fn digest_with<'t>(&'t self, named: impl Iterator<Item = &'t str>) -> [u8; 32] {
        let texts = self.files.iter().map(|(_, text, _)| *text);
        digest_of(texts.chain(named))
    }

    /// Returns the digest of all texts, the child first.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest_with(std::iter::empty())
    }

    /// Makes the error for a file that has not the form of a profile.
    pub(crate) fn unreadable(&self, error: &toml::de::Error) -> ProfileError {
        let message = in_plain_words(error.message());
        let hint = match message.split_once(' ') {
            Some(("unknown", _)) => "correct the name, or leave it out",
            Some(("missing", _)) => "write it; the JSON Schema of the format says what it is",
            _ => "the JSON Schema of the format says what belongs here",
        };
        self.error(error.span().unwrap_or(0..0), message, hint)
    }

    /// Makes the error for a fault at `span`.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn error(&self, span: Range<usize>, fault: String, hint: &str) -> ProfileError {
        #[cfg(test)]
        crate::reached::note(std::panic::Location::caller());
        ProfileError::Invalid {
            place: self.place(span.start),
            fault,
            hint: hint.to_owned(),
        }
    }
}

/// Returns the SHA-256 over a profile's texts, each behind its length.
pub(crate) fn digest_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// Returns a deserializer's message without the names of Rust's types.
fn in_plain_words(message: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("expected u8", "expected a number from 0 to 255"),
        ("expected u16", "expected a number from 0 to 65535"),
        ("expected u32", "expected a whole number"),
        ("expected usize", "expected a whole number"),
        ("expected f64", "expected a number"),
    ];
    let mut message = message.to_owned();
    for (rust, plain) in WORDS {
        message = message.replace(rust, plain);
    }
    message
}

fn remove<'a>(table: &mut DeTable<'a>, key: &str) -> Option<(String, Spanned<DeValue<'a>>)> {
    let found = table.keys().find(|name| name.get_ref() == key)?.clone();
    table.remove(&found).map(|value| (key.to_owned(), value))
}

/// Lays a child's table over its parent's: tables merge, anything else is replaced.
fn lay_over<'a>(parent: &mut DeTable<'a>, child: DeTable<'a>) {
    for (key, value) in child {
        let merged = match (remove(parent, key.get_ref()), value) {
            (Some((_, below)), above) => {
                let span = above.span();
                match (below.into_inner(), above.into_inner()) {
                    (DeValue::Table(mut below), DeValue::Table(above)) => {
                        lay_over(&mut below, above);
                        Spanned::new(span, DeValue::Table(below))
                    }
                    (_, above) => Spanned::new(span, above),
                }
            }
            (None, above) => above,
        };
        parent.insert(key, merged);
    }
}

fn shift_table(table: Spanned<DeTable<'_>>, base: usize) -> Spanned<DeTable<'_>> {
    let span = table.span();
    let shifted = table
        .into_inner()
        .into_iter()
        .map(|(key, value)| {
            let key_span = key.span();
            (
                Spanned::new(key_span.start + base..key_span.end + base, key.into_inner()),
                shift_value(value, base),
            )
        })
        .collect();
    Spanned::new(span.start + base..span.end + base, shifted)
}

fn shift_value(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let span = span.start + base..span.end + base;
    let inner = match value.into_inner() {
        DeValue::Table(table) => {
            DeValue::Table(shift_table(Spanned::new(0..0, table), base).into_inner())
        }
        DeValue::Array(array) => DeValue::Array(
            array
                .into_iter()
                .map(|item| shift_value(item, base))
                .collect(),
        ),
        plain => plain,
    };
    Spanned::new(span, inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> Shelf {
        let mut shelf = Shelf::default();
        shelf.put("parent", "a = 1\n[t]\nx = \"one\"\ny = \"two\"\n");
        shelf.put("child", "extends = \"parent\"\n[t]\ny = \"ż three\"\n");
        shelf.put("loop", "extends = \"loop\"\n");
        shelf.put("lost", "\nextends = \"nobody\"\n");
        shelf
    }

    fn span_of(table: &DeTable<'_>, path: [&str; 2]) -> (Range<usize>, String) {
        let (_, inner) = table
            .iter()
            .find(|(key, _)| key.get_ref() == path[0])
            .unwrap();
        let DeValue::Table(inner) = inner.get_ref() else {
            panic!("not a table")
        };
        let (_, value) = inner
            .iter()
            .find(|(key, _)| key.get_ref() == path[1])
            .unwrap();
        (value.span(), value.get_ref().as_str().unwrap().to_owned())
    }

    #[test]
    fn a_child_overrides_value_by_value_and_each_keeps_its_place() {
        let shelf = shelf();
        let (sources, table) = Sources::parse(&shelf, "child").unwrap();
        let (span, value) = span_of(table.get_ref(), ["t", "y"]);
        assert_eq!(value, "ż three");
        assert_eq!(sources.place(span.start).to_string(), "child.toml:3:5");
        let (span, value) = span_of(table.get_ref(), ["t", "x"]);
        assert_eq!(value, "one");
        assert_eq!(sources.place(span.start).to_string(), "parent.toml:3:5");
    }

    #[test]
    fn a_profile_that_extends_itself_or_nobody_is_refused_with_its_place() {
        let shelf = shelf();
        for (name, place) in [("loop", "loop.toml:1:11"), ("lost", "lost.toml:2:11")] {
            let error = Sources::parse(&shelf, name).unwrap_err();
            let ProfileError::Invalid { place: at, .. } = error else {
                panic!("{error}")
            };
            assert_eq!(at.to_string(), place);
        }
    }
}
