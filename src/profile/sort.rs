//! What sort of value a variable holds, as far as that is known before it has one.

use std::ops::Range;

use crate::error::RenderError;
use crate::function::{self, Function, Kind};
use crate::template::{Argument, Item, Template};
use crate::value::{Scope, Value};

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Bytes, which stand by themselves.
    Bytes,
    /// A number, whose width a function says.
    Number,
    /// Text, whose encoding a function says.
    Text,
    /// It differs from object to object.
    Any,
}

impl Sort {
    /// Returns what a variable holds that is no object's own.
    pub(crate) fn of(name: &str) -> Self {
        let is_place = [
            "offset",
            "length",
            "block",
            "record",
            "file.size",
            "data.size",
        ];
        let is_of_an_object = name.starts_with("key.") || name.starts_with("pin.");
        let is_number = name.ends_with(".reference") || name.ends_with(".bits");
        match name.split('.').next() {
            Some("document" | "holder") => Self::Text,
            _ if name == "chip.serial" => Self::Text,
            _ if is_place.contains(&name) || (is_of_an_object && is_number) => Self::Number,
            _ => Self::Bytes,
        }
    }

    /// Returns what a value is.
    pub(crate) fn of_value(value: &Value) -> Self {
        match value {
            Value::Bytes(_) => Self::Bytes,
            Value::Number(_) => Self::Number,
            Value::Text(_) => Self::Text,
        }
    }
}

/// A variable that stands where its sort does not belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misuse {
    /// Where in the template's text.
    pub(crate) span: Range<usize>,
    /// What is wrong.
    pub(crate) fault: String,
    /// What to write instead.
    pub(crate) hint: String,
}

impl Template {
    /// Returns the first variable that stands where its sort does not belong.
    pub(crate) fn misuse(&self, sort: &dyn Fn(&str) -> Sort) -> Option<Misuse> {
        self.items().iter().find_map(|item| match item {
            Item::Literal(_) => None,
            Item::Object { body, .. } => body.misuse(sort),
            Item::Variable { name, span } => misused(Kind::Template, name, span, sort(name)),
            Item::Call {
                function,
                arguments,
                ..
            } => {
                let kinds = Function::named(function.name()).map_or(&[][..], |(_, kinds)| kinds);
                let mut arguments = arguments.iter().zip(kinds);
                arguments.find_map(|(argument, kind)| match (argument, kind) {
                    (Argument::Template(template), Kind::NumberOf | Kind::TextOf) => {
                        let (name, span) = template.variables().into_iter().next()?;
                        misused(*kind, name, &span, sort(name))
                    }
                    (Argument::Template(template), _) => template.misuse(sort),
                    _ => None,
                })
            }
        })
    }

    /// Returns the first call that fails whatever else is known: by what it names of `scope`, or
    /// by what is written in it.
    pub(crate) fn failing(&self, scope: &dyn Scope) -> Option<(Range<usize>, RenderError)> {
        self.items().iter().find_map(|item| match item {
            Item::Literal(_) | Item::Variable { .. } => None,
            Item::Object { body, .. } => body.failing(scope),
            Item::Call {
                function,
                arguments,
                span,
            } => {
                let inner = arguments.iter().find_map(|argument| match argument {
                    Argument::Template(template) => template.failing(scope),
                    _ => None,
                });
                inner.or_else(|| {
                    let error = function::failing(*function, arguments, scope)?;
                    Some((span.clone(), error))
                })
            }
        })
    }
}

/// Says how a variable is misused where this kind of argument is wanted, if it is.
fn misused(wanted: Kind, name: &str, span: &Range<usize>, sort: Sort) -> Option<Misuse> {
    let (is, wants, hint) = match (wanted, sort) {
        (Kind::NumberOf, Sort::Bytes) => (
            "bytes",
            "a number",
            format!("bytes stand by themselves: {name}"),
        ),
        (Kind::NumberOf, Sort::Text) => (
            "text",
            "a number",
            format!("text is written by ascii({name}) or utf8({name})"),
        ),
        (Kind::TextOf, Sort::Number) => (
            "a number",
            "text",
            format!("a number is written by u8({name}) or u16({name})"),
        ),
        (Kind::Template, Sort::Number) => (
            "a number",
            "bytes",
            format!("write u8({name}) or u16({name}): how wide it is"),
        ),
        (Kind::Template, Sort::Text) => (
            "text",
            "bytes",
            format!("write ascii({name}), utf8({name}) or hex_bytes({name}): how it is encoded"),
        ),
        _ => return None,
    };
    Some(Misuse {
        span: span.clone(),
        fault: format!("variable \"{name}\" is {is}, and this place wants {wants}"),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Variables;

    #[test]
    fn a_value_of_another_sort_is_found_where_it_stands() {
        for (text, found) in [
            (
                "62 { offset }",
                Some((5, "\"offset\" is a number, and this place wants bytes")),
            ),
            (
                "u8(holder.surname)",
                Some((3, "is text, and this place wants a number")),
            ),
            (
                "00 u16(certificate.a)",
                Some((7, "is bytes, and this place wants a number")),
            ),
            (
                "sha1(utf8(key.a.reference))",
                Some((10, "is a number, and this place wants text")),
            ),
            (
                "size8(chip.serial)",
                Some((6, "is text, and this place wants bytes")),
            ),
            (
                "u8(key.a.bits) hex_bytes(chip.serial) yymmdd(prepared.day) key.a.oid",
                None,
            ),
        ] {
            let template = Template::parse(text).unwrap();
            let misuse = template.misuse(&Sort::of);
            let said = misuse
                .as_ref()
                .map(|misuse| (misuse.span.start, misuse.fault.as_str()));
            match (said, found) {
                (None, None) => {}
                (Some((at, said)), Some((start, words))) => {
                    assert!(at == start && said.contains(words), "{text}: {at} {said}");
                }
                (said, _) => panic!("{text}: {said:?}"),
            }
        }
    }

    #[test]
    fn a_call_that_fails_whatever_comes_is_found() {
        let mut scope = Variables::default();
        scope.set("data.id", Value::bytes([0x5F, 0xC1]));
        scope.set("pin.reference", Value::Number(300));
        for (text, start) in [
            ("00 slice(0102, 1, 2)", Some(3)),
            ("sha1(slice(data.id, 1, 2))", Some(5)),
            ("u8(pin.reference)", Some(0)),
            ("pad(010203, 2, FF)", Some(0)),
            (
                "slice(certificate.a, 1, 2) slice(data.id, 1, 1) u16(pin.reference)",
                None,
            ),
        ] {
            let template = Template::parse(text).unwrap();
            let failing = template.failing(&scope).map(|(span, _)| span.start);
            assert_eq!(failing, start, "{text}");
        }
    }
}
