//! Reads fields and gathers faults: one bad field never hides another.

use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use zeroize::Zeroizing;

use super::fault::Coded;
use super::tree::Tree;
use super::{Fault, FaultCode, MAX_FAULTS};
use crate::{FingerPosition, Image, ImageLimits, MediaType, UnknownName};

/// Longest part of an unknown field's name that a fault repeats.
const SHOWN_NAME: usize = 40;

/// Gathers faults, at most [`MAX_FAULTS`].
#[derive(Default)]
pub(super) struct Reader {
    faults: Vec<Fault>,
}

/// The fields of one object, by path.
pub(super) struct Fields {
    path: String,
    entries: Vec<(String, Tree)>,
}

impl Fields {
    /// Returns the path of a field of this object.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Takes the value of a field; of duplicates the first.
    pub(super) fn take(&mut self, name: &str) -> Option<Tree> {
        let at = self.entries.iter().position(|(entry, _)| entry == name)?;
        Some(self.entries.swap_remove(at).1)
    }
}

impl Reader {
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    pub(super) fn add(&mut self, field: &str, code: FaultCode, message: impl Display) {
        if self.faults.len() + 1 < MAX_FAULTS {
            let message = message.to_string();
            self.faults.push(Fault {
                field: field.to_owned(),
                code,
                message,
            });
        } else if self.faults.len() < MAX_FAULTS {
            let message = "there are more faults; mend these first".to_owned();
            self.faults.push(Fault {
                field: String::new(),
                code: FaultCode::More,
                message,
            });
        }
    }

    /// Reads JSON.
    pub(super) fn json(&mut self, bytes: &[u8]) -> Option<Tree> {
        serde_json::from_slice(bytes)
            .map_err(|error| {
                // The parser's own words might repeat what was sent.
                let (line, column) = (error.line(), error.column());
                let message =
                    format!("must be JSON in UTF-8; it is not at line {line}, column {column}");
                self.add("", FaultCode::NotJson, message);
            })
            .ok()
    }

    /// Opens an object; reports fields that are not `known` or there twice.
    pub(super) fn object(&mut self, tree: Tree, path: &str, known: &[&str]) -> Option<Fields> {
        let Tree::Object(entries) = tree else {
            self.wrong_type(path, "an object", &tree);
            return None;
        };
        let mut fields = Fields {
            path: path.to_owned(),
            entries: Vec::new(),
        };
        let mut seen = HashSet::new();
        for (name, value) in entries {
            let field = fields.path(&shown(&name));
            if !seen.insert(name.clone()) {
                self.add(
                    &field,
                    FaultCode::DuplicateField,
                    "is there more than once; expected once",
                );
            } else if known.contains(&name.as_str()) {
                fields.entries.push((name, value));
            } else {
                let expected = known.join(", ");
                self.add(
                    &field,
                    FaultCode::UnknownField,
                    format!("is not a field of format 1; expected only: {expected}"),
                );
            }
        }
        Some(fields)
    }

    /// Takes a field that must be there.
    pub(super) fn required(
        &mut self,
        fields: &mut Fields,
        name: &str,
        expected: &str,
    ) -> Option<Tree> {
        let value = fields.take(name);
        if value.is_none() {
            self.add(
                &fields.path(name),
                FaultCode::Missing,
                format!("is missing; expected {expected}"),
            );
        }
        value
    }

    /// Reads a string that must be there.
    pub(super) fn text(&mut self, fields: &mut Fields, name: &str) -> Option<Zeroizing<String>> {
        let tree = self.required(fields, name, "a string")?;
        self.as_text(&fields.path(name), tree)
    }

    fn as_text(&mut self, field: &str, tree: Tree) -> Option<Zeroizing<String>> {
        if let Tree::Text(text) = tree {
            return Some(text);
        }
        self.wrong_type(field, "a string", &tree);
        None
    }

    /// Reads a string that must be there, with the field's own parser.
    pub(super) fn parsed<T, E: Coded>(
        &mut self,
        fields: &mut Fields,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(fields, name)?;
        self.judged(&fields.path(name), parse(&text))
    }

    /// Reads a string that may be absent; the outer `None` is a fault.
    #[expect(
        clippy::option_option,
        reason = "a fault and an absence are different things"
    )]
    pub(super) fn optional<T, E: Coded>(
        &mut self,
        fields: &mut Fields,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let Some(tree) = fields.take(name) else {
            return Some(None);
        };
        let field = fields.path(name);
        let text = self.as_text(&field, tree)?;
        self.judged(&field, parse(&text)).map(Some)
    }

    /// Reads a name of a closed set.
    pub(super) fn named<T: FromStr<Err = UnknownName>>(
        &mut self,
        fields: &mut Fields,
        name: &str,
    ) -> Option<T> {
        self.parsed(fields, name, str::parse)
    }

    pub(super) fn boolean(&mut self, fields: &mut Fields, name: &str) -> Option<bool> {
        match self.required(fields, name, "true or false")? {
            Tree::Bool(value) => Some(value),
            other => {
                self.wrong_type(&fields.path(name), "true or false", &other);
                None
            }
        }
    }

    /// Reads a date `YYYY-MM-DD`.
    pub(super) fn date(&mut self, fields: &mut Fields, name: &str) -> Option<Date> {
        let text = self.text(fields, name)?;
        let field = fields.path(name);
        let Some((year, month, day)) = date_parts(&text) else {
            self.add(
                &field,
                FaultCode::BadForm,
                "must be a date of the form YYYY-MM-DD",
            );
            return None;
        };
        let date = Date::new(year, month, day).ok();
        if date.is_none() {
            self.add(
                &field,
                FaultCode::NoSuchDate,
                "must be a day that the calendar has",
            );
        }
        date
    }

    /// Reads `{"media_type", "data"}`, and judges the bytes.
    pub(super) fn image(&mut self, tree: Tree, path: &str, limits: ImageLimits) -> Option<Image> {
        let mut fields = self.object(tree, path, &["media_type", "data"])?;
        self.picture(&mut fields, limits)
    }

    /// Reads an image of a finger.
    pub(super) fn fingerprint(
        &mut self,
        tree: Tree,
        path: &str,
        limits: ImageLimits,
    ) -> Option<(FingerPosition, Image)> {
        let mut fields = self.object(tree, path, &["finger", "media_type", "data"])?;
        let position = self.named(&mut fields, "finger");
        let image = self.picture(&mut fields, limits);
        Some((position?, image?))
    }

    /// Opens a list of at most so many.
    pub(super) fn list(&mut self, tree: Tree, path: &str, most: usize) -> Option<Vec<Tree>> {
        match tree {
            Tree::List(list) if list.len() <= most => Some(list),
            Tree::List(list) => {
                let message = format!("has {} entries; expected at most {most}", list.len());
                self.add(path, FaultCode::TooMany, message);
                None
            }
            other => {
                self.wrong_type(path, "a list", &other);
                None
            }
        }
    }

    fn picture(&mut self, fields: &mut Fields, limits: ImageLimits) -> Option<Image> {
        let media_type: Option<MediaType> = self.named(fields, "media_type");
        let text = self.text(fields, "data");
        let (stated, text) = (media_type?, text?);
        let field = fields.path("data");
        // Four characters make three bytes; don't decode what is too large anyway.
        if text.len() > limits.bytes.div_ceil(3) * 4 {
            let error = crate::ImageError::TooLarge {
                limit: limits.bytes,
            };
            return self.judged(&field, Err(error));
        }
        let Ok(bytes) = STANDARD.decode(text.as_bytes()) else {
            self.add(
                &field,
                FaultCode::NotBase64,
                "must be base64 (RFC 4648 §4) with its padding, without line breaks",
            );
            return None;
        };
        let image = self.judged(&field, Image::recognise(bytes, limits))?;
        if image.media_type() != stated {
            self.add(
                &fields.path("media_type"),
                FaultCode::MediaTypeMismatch,
                format!("must be {}, as the data are", image.media_type()),
            );
            return None;
        }
        Some(image)
    }

    fn judged<T, E: Coded>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.add(field, error.code(), &error))
            .ok()
    }

    pub(super) fn wrong_type(&mut self, field: &str, expected: &str, found: &Tree) {
        let message = format!("must be {expected}, not {}", found.type_name());
        self.add(field, FaultCode::WrongType, message);
    }
}

/// Returns a stranger's field name, short and without control characters.
fn shown(name: &str) -> String {
    let mut shown: String = name
        .chars()
        .take(SHOWN_NAME)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(SHOWN_NAME).is_some() {
        shown.push('…');
    }
    shown
}

/// Splits `YYYY-MM-DD`; the day need not exist.
fn date_parts(text: &str) -> Option<(i16, i8, i8)> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.next().is_some()
        || (year.len(), month.len(), day.len()) != (4, 2, 2)
        || ![year, month, day].into_iter().all(digits)
    {
        return None;
    }
    Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
}
