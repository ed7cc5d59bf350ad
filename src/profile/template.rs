//! Templates: the small language in which a profile writes bytes.
//!
//! ```text
//! template = item*
//! item     = HEX                     literal bytes, upper case: 00 A4 04 0C
//!          | "'" text "'"            literal text, as UTF-8: 'eID'
//!          | TAG "{" template "}"    a BER-TLV object with its length computed
//!          | variable                lower case with dots: pin.reference
//!          | function "(" argument ("," argument)* ")"
//! ```
//!
//! Hexadecimal is upper case and names are lower case, so that the two never mix.
//! The functions are a closed set ([`Function`]); there is no scripting.

use std::ops::Range;

use card::tlv::{self, Tag};
use zeroize::Zeroizing;

use crate::error::RenderError;
use crate::function::{self, Function, Kind};
use crate::value::{Scope, Value};

/// How deep objects and calls may nest.
const MAX_DEPTH: usize = 12;

/// The most items that a template has, those inside objects and calls among them.
const MAX_ITEMS: usize = 1024;

/// The most bytes that a template may render: twice the largest file that a short offset
/// reaches.
pub(crate) const MAX_RENDERED: usize = 0x1_0000;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    items: Vec<Item>,
}

/// One item of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Literal(Vec<u8>),
    Object {
        tag: Tag,
        body: Template,
    },
    Variable {
        name: String,
        span: Range<usize>,
    },
    Call {
        function: Function,
        arguments: Vec<Argument>,
        span: Range<usize>,
    },
}

/// An argument of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Template(Template),
    Number(usize),
    Byte(u8),
}

/// What is wrong with a template's text, and where in it (byte offsets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFault {
    /// Where.
    pub span: Range<usize>,
    /// What.
    pub fault: String,
    /// What to do.
    pub hint: String,
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let mut parser = Parser {
            text,
            at: 0,
            count: 0,
        };
        let items = parser.items(0)?;
        match parser.peek()? {
            None => Ok(items),
            Some((span, word)) => Err(fault(
                span,
                format!("unexpected \"{word}\""),
                "an object is closed once too often",
            )),
        }
    }

    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Returns every variable that the template names, with its place in the text.
    pub fn variables(&self) -> Vec<(&str, Range<usize>)> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<(&'a str, Range<usize>)>) {
        for item in &self.items {
            match item {
                Item::Literal(_) => {}
                Item::Object { body, .. } => body.collect(found),
                Item::Variable { name, span } => found.push((name, span.clone())),
                Item::Call { arguments, .. } => {
                    for argument in arguments {
                        if let Argument::Template(template) = argument {
                            template.collect(found);
                        }
                    }
                }
            }
        }
    }

    /// Renders the template into bytes.
    ///
    /// # Errors
    /// A variable without value or of the wrong kind, or a function that cannot take it.
    pub fn render(&self, scope: &dyn Scope) -> Result<Zeroizing<Vec<u8>>, RenderError> {
        let mut out = Zeroizing::new(Vec::new());
        for item in &self.items {
            match item {
                Item::Literal(bytes) => out.extend_from_slice(bytes),
                Item::Object { tag, body } => {
                    let value = body.render(scope)?;
                    out.extend_from_slice(&Zeroizing::new(tlv::encode(*tag, &value)));
                }
                Item::Variable { name, .. } => match lookup(scope, name)? {
                    Value::Bytes(bytes) => out.extend_from_slice(&bytes),
                    Value::Number(_) => {
                        return Err(kind(name, "a number", "bytes, as from u8(…) or u16(…),"));
                    }
                    Value::Text(_) => {
                        return Err(kind(name, "text", "bytes, as from ascii(…) or utf8(…),"));
                    }
                },
                Item::Call {
                    function,
                    arguments,
                    ..
                } => {
                    out.extend_from_slice(&function::call(*function, arguments, scope)?);
                }
            }
            if out.len() > MAX_RENDERED {
                return Err(RenderError::TooLong {
                    length: out.len(),
                    limit: MAX_RENDERED,
                });
            }
        }
        Ok(out)
    }

    /// Returns how many bytes the template renders, where that does not depend on any value.
    pub(crate) fn fixed_length(&self) -> Option<usize> {
        self.items.iter().try_fold(0, |length, item| {
            let more = match item {
                Item::Literal(bytes) => bytes.len(),
                Item::Object { tag, body } => {
                    tlv::encode(*tag, &vec![0; body.fixed_length()?]).len()
                }
                Item::Variable { .. } => return None,
                Item::Call { function, .. } => function.width()?,
            };
            Some(length + more)
        })
    }

    /// Returns the fewest bytes that the template renders, whatever the values: those of its
    /// literal and fixed parts.
    pub(crate) fn least_length(&self) -> usize {
        let of = |item: &Item| match item {
            Item::Literal(bytes) => bytes.len(),
            Item::Object { tag, body } => object_length(*tag, body.least_length()),
            Item::Variable { .. } => 0,
            Item::Call {
                function,
                arguments,
                ..
            } => function.least_length(arguments),
        };
        self.items.iter().map(of).sum()
    }

    /// Returns whether the template names this variable.
    pub fn mentions(&self, variable: &str) -> bool {
        self.variables().iter().any(|(name, _)| *name == variable)
    }

    /// Returns the first place where this variable stands and no function hides its value.
    pub(crate) fn bare(&self, variable: &str) -> Option<Range<usize>> {
        self.items.iter().find_map(|item| match item {
            Item::Literal(_) => None,
            Item::Object { body, .. } => body.bare(variable),
            Item::Variable { name, span } => (name == variable).then(|| span.clone()),
            Item::Call {
                function,
                arguments,
                ..
            } => {
                let mut arguments = arguments.iter().enumerate();
                arguments.find_map(|(index, argument)| match argument {
                    Argument::Template(inner) if !function.hides(index) => inner.bare(variable),
                    _ => None,
                })
            }
        })
    }

    /// Makes a template of nothing but these bytes.
    pub(crate) fn literal(bytes: &[u8]) -> Self {
        Self {
            items: vec![Item::Literal(bytes.to_vec())],
        }
    }

    /// Returns the one variable that the template consists of, if it does.
    pub(crate) fn single_variable(&self) -> Option<&str> {
        match self.items.as_slice() {
            [Item::Variable { name, .. }] => Some(name),
            _ => None,
        }
    }
}

/// Returns how long a BER-TLV object with a value of `length` bytes is.
fn object_length(tag: Tag, length: usize) -> usize {
    // An empty object is its tag and one byte of length (ISO/IEC 8825-1 §8.1.3).
    let counted = match length {
        0..0x80 => 0,
        0x80..0x100 => 1,
        0x100..0x1_0000 => 2,
        _ => 3,
    };
    tlv::encode(tag, &[]).len() + counted + length
}

/// Returns the value of a variable.
pub(crate) fn lookup(scope: &dyn Scope, name: &str) -> Result<Value, RenderError> {
    scope.value(name).ok_or_else(|| RenderError::Unset {
        name: name.to_owned(),
    })
}

/// Says that a variable is of another kind than is needed.
pub(crate) fn kind(name: &str, found: &'static str, needed: &'static str) -> RenderError {
    RenderError::Kind {
        name: name.to_owned(),
        found,
        needed,
    }
}

#[cfg_attr(test, track_caller)]
fn fault(span: Range<usize>, fault: String, hint: &str) -> TemplateFault {
    #[cfg(test)]
    crate::reached::note(std::panic::Location::caller());
    TemplateFault {
        span,
        fault,
        hint: hint.to_owned(),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// How many items there were.
    count: usize,
}

impl<'a> Parser<'a> {
    /// Returns the next word or mark without consuming it.
    fn peek(&mut self) -> Result<Option<(Range<usize>, &'a str)>, TemplateFault> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        let start = self.at + (rest.len() - trimmed.len());
        let Some(first) = trimmed.chars().next() else {
            return Ok(None);
        };
        let length = match first {
            '{' | '}' | '(' | ')' | ',' => 1,
            '\'' => match trimmed[1..].find('\'') {
                Some(end) => end + 2,
                None => {
                    return Err(fault(
                        start..self.text.len(),
                        "a text has no end".into(),
                        "text stands between two apostrophes: 'eID'",
                    ));
                }
            },
            c if is_word(c) => trimmed.find(|c| !is_word(c)).unwrap_or(trimmed.len()),
            c => {
                return Err(fault(
                    start..start + c.len_utf8(),
                    format!("unexpected character \"{c}\""),
                    "a template has upper-case hexadecimal, lower-case names, and { } ( ) ,",
                ));
            }
        };
        Ok(Some((
            start..start + length,
            &self.text[start..start + length],
        )))
    }

    fn next(&mut self) -> Result<Option<(Range<usize>, &'a str)>, TemplateFault> {
        let found = self.peek()?;
        if let Some((span, _)) = &found {
            self.at = span.end;
        }
        Ok(found)
    }

    fn expect(&mut self, mark: &str, after: &str, hint: &str) -> Result<(), TemplateFault> {
        match self.next()? {
            Some((_, found)) if found == mark => Ok(()),
            Some((span, found)) => Err(fault(
                span,
                format!("\"{found}\" where \"{mark}\" {after} was expected"),
                hint,
            )),
            None => Err(fault(
                self.text.len()..self.text.len(),
                format!("the template ends before \"{mark}\" {after}"),
                hint,
            )),
        }
    }

    fn items(&mut self, depth: usize) -> Result<Template, TemplateFault> {
        let mut items = Vec::new();
        if depth > MAX_DEPTH {
            return Err(fault(
                self.at..self.at,
                format!("nested deeper than {MAX_DEPTH}"),
                "write the innermost objects as bytes, or as an attribute of the object",
            ));
        }
        while let Some((span, word)) = self.peek()? {
            match word {
                "}" | ")" | "," => break,
                "{" | "(" => {
                    let hint = "an object is TAG { … }, a call is name( … )";
                    return Err(fault(span, format!("\"{word}\" stands alone"), hint));
                }
                _ => {}
            }
            self.count += 1;
            if self.count > MAX_ITEMS {
                return Err(fault(
                    span,
                    format!("more than {MAX_ITEMS} items"),
                    "write the bytes of an item together: 00A40400; or split the content among objects",
                ));
            }
            self.at = span.end;
            let following = self.peek()?.map(|(_, word)| word);
            items.push(if let Some(text) = quoted(word) {
                Item::Literal(text.as_bytes().to_vec())
            } else if word.starts_with(|c: char| c.is_ascii_lowercase()) {
                if following == Some("(") {
                    self.call(span, word, depth)?
                } else {
                    variable(span, word)?
                }
            } else if following == Some("{") {
                self.object(span, word, depth)?
            } else {
                Item::Literal(hexadecimal(span, word)?)
            });
        }
        Ok(Template { items })
    }

    fn object(
        &mut self,
        span: Range<usize>,
        word: &str,
        depth: usize,
    ) -> Result<Item, TemplateFault> {
        let bytes = hexadecimal(span.clone(), word)?;
        let Ok((tag, [])) = Tag::parse(&bytes) else {
            let hint = "set the tag apart from the bytes before it: 00 62 { … }";
            return Err(fault(
                span,
                format!("\"{word}\" is not one BER-TLV tag"),
                hint,
            ));
        };
        // The opening brace, which the caller saw.
        self.next()?;
        let body = self.items(depth + 1)?;
        self.expect("}", &format!("of {word}"), "an object is TAG { … }")?;
        Ok(Item::Object { tag, body })
    }

    fn call(
        &mut self,
        span: Range<usize>,
        name: &str,
        depth: usize,
    ) -> Result<Item, TemplateFault> {
        let start = span.start;
        let Some((function, kinds)) = Function::named(name) else {
            let known: Vec<_> = Function::ALL.iter().map(|(name, ..)| *name).collect();
            return Err(fault(
                span,
                format!("there is no function \"{name}\""),
                &crate::error::nearest(name, known.into_iter()),
            ));
        };
        // The opening bracket, which the caller saw.
        self.next()?;
        let mut arguments = Vec::new();
        for (index, kind) in kinds.iter().enumerate() {
            if index > 0 {
                self.expect(
                    ",",
                    &format!("between the {} arguments of {name}", kinds.len()),
                    function.usage(),
                )?;
            }
            arguments.push(match kind {
                Kind::Template => Argument::Template(self.items(depth + 1)?),
                Kind::NumberOf | Kind::TextOf => {
                    let start = self.at;
                    let template = self.items(depth + 1)?;
                    if template.single_variable().is_none() {
                        return Err(fault(
                            start..self.at,
                            format!("{name} takes one variable"),
                            "for example u16(file.size), utf8(holder.surname)",
                        ));
                    }
                    Argument::Template(template)
                }
                Kind::Number => {
                    let (span, word) = self.word(function)?;
                    match word.parse() {
                        Ok(number) if number <= MAX_RENDERED => Argument::Number(number),
                        _ => {
                            return Err(fault(
                                span,
                                format!("\"{word}\" is not a length in decimal digits"),
                                &format!("0 to {MAX_RENDERED}"),
                            ));
                        }
                    }
                }
                Kind::Byte => {
                    let (span, word) = self.word(function)?;
                    match hexadecimal(span.clone(), word)?.as_slice() {
                        [byte] => Argument::Byte(*byte),
                        _ => {
                            return Err(fault(
                                span,
                                format!("\"{word}\" is not one byte"),
                                "write two hexadecimal digits",
                            ));
                        }
                    }
                }
            });
        }
        self.expect(")", &format!("of {name}"), function.usage())?;
        Ok(Item::Call {
            function,
            arguments,
            span: start..self.at,
        })
    }

    fn word(&mut self, of: Function) -> Result<(Range<usize>, &'a str), TemplateFault> {
        self.next()?.ok_or_else(|| {
            fault(
                self.text.len()..self.text.len(),
                format!("the arguments of {} end too early", of.name()),
                of.usage(),
            )
        })
    }
}

/// Returns what stands between the apostrophes of a literal text.
fn quoted(word: &str) -> Option<&str> {
    word.strip_prefix('\'')?.strip_suffix('\'')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '_'
}

fn variable(span: Range<usize>, word: &str) -> Result<Item, TemplateFault> {
    if word.chars().any(|c| c.is_ascii_uppercase()) || word.ends_with('.') || word.contains("..") {
        return Err(fault(
            span,
            format!("\"{word}\" is not a name"),
            "names are lower case, hexadecimal is upper case",
        ));
    }
    Ok(Item::Variable {
        name: word.to_owned(),
        span,
    })
}

fn hexadecimal(span: Range<usize>, word: &str) -> Result<Vec<u8>, TemplateFault> {
    if word.chars().any(|c| c.is_ascii_lowercase()) {
        return Err(fault(
            span,
            format!("\"{word}\" is not hexadecimal"),
            "hexadecimal is upper case, names are lower case",
        ));
    }
    hex::decode(word).map_err(|_| {
        fault(
            span,
            format!("\"{word}\" is not whole bytes of hexadecimal"),
            "two digits a byte",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Variables;
    use proptest::prelude::*;

    fn scope() -> Variables {
        let mut scope = Variables::default();
        scope.set("file.id", Value::bytes([0xD0, 0x03]));
        scope.set("file.size", Value::Number(11));
        scope.set("document.number", Value::text("PA1234567"));
        scope.set("pin.value", Value::bytes(*b"1234"));
        scope.set("pin.object", Value::bytes([0xBF, 0x81, 0x01]));
        scope
    }

    fn render(text: &str) -> String {
        hex::encode_upper(&Template::parse(text).unwrap().render(&scope()).unwrap()[..])
    }

    #[test]
    fn objects_variables_and_functions_become_bytes() {
        assert_eq!(
            render("62 { 80 { u16(file.size) } 82 { 01 } 83 { file.id } }"),
            "620B8002000B8201018302D003"
        );
        assert_eq!(
            render("04 { ascii(document.number) }"),
            "0409504131323334353637"
        );
        assert_eq!(render("pad(pin.value, 12, FF)"), "31323334FFFFFFFFFFFFFFFF");
        assert_eq!(render("left_pad(pin.value, 6, 00)"), "000031323334");
        assert_eq!(
            render("70 { tlv(pin.object, A0 { 9A { 03 } }) }"),
            "7009BF810105A0039A0103"
        );
        assert_eq!(render("slice(pin.value, 1, 2) 7F49{}"), "32337F4900");
        // FIPS 180-4 example: SHA-256 of "abc" starts with BA7816BF.
        assert!(render("sha256(616263)").starts_with("BA7816BF"));
    }

    #[test]
    fn faults_name_their_place() {
        for (text, start, word) in [
            ("00 A", 3, "whole bytes"),
            ("00 zz(00)", 3, "no function"),
            ("62 { 80 ", 8, "ends before"),
            ("62 } ", 3, "unexpected"),
            ("00a4", 0, "not hexadecimal"),
            ("pad(00, 4)", 9, "where \",\""),
            ("pad(00, X4, 00)", 8, "decimal"),
            ("left_pad(00, 9999999999, 00)", 13, "decimal"),
            ("6F15 { }", 0, "not one BER-TLV tag"),
            ("00 $", 3, "unexpected character"),
            ("00 'a", 3, "no end"),
            ("{ 00 }", 0, "stands alone"),
        ] {
            let fault = Template::parse(text).unwrap_err();
            assert_eq!(
                (fault.span.start, fault.fault.contains(word)),
                (start, true),
                "{text}: {fault:?}"
            );
        }
    }

    #[test]
    fn what_a_template_renders_is_bounded() {
        let text = "pad(00, 65536, FF) 00";
        let error = Template::parse(text).unwrap().render(&scope()).unwrap_err();
        assert!(matches!(error, RenderError::TooLong { length: 65_537, .. }));
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused_by_name() {
        for (text, word) in [
            ("file.size", "\"file.size\" is a number"),
            ("document.number", "\"document.number\" is text"),
            ("u8(document.number)", "needed"),
            ("nobody", "\"nobody\" has no value"),
            ("pad(pin.value, 2, FF)", "do not fit"),
            ("slice(pin.value, 3, 9)", "only 4 bytes"),
            ("tlv(00 00, 00)", "not one BER-TLV tag"),
        ] {
            let error = Template::parse(text)
                .unwrap()
                .render(&scope())
                .unwrap_err()
                .to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in "\\PC{0,60}") {
            if let Err(fault) = Template::parse(&text) {
                prop_assert!(fault.span.start <= text.len() && text.is_char_boundary(fault.span.start));
            }
        }

        #[test]
        fn literal_bytes_come_out_as_written(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let text = bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(&Template::parse(&text).unwrap().render(&Variables::default()).unwrap()[..], &bytes[..]);
        }
    }
}
