//! Messages: what stands before the document in a request, and all of an answer (*RFC 8010 §3*).

use thiserror::Error;

/// Delimiters (*RFC 8010 §3.5.1*).
const OPERATION: u8 = 0x01;
const JOB: u8 = 0x02;
const END: u8 = 0x03;
/// Value tags (*§3.5.2*).
const INTEGER: u8 = 0x21;
const BOOLEAN: u8 = 0x22;
const ENUM: u8 = 0x23;
const BEGIN_COLLECTION: u8 = 0x34;
const END_COLLECTION: u8 = 0x37;
const NAME: u8 = 0x42;
const KEYWORD: u8 = 0x44;
const URI: u8 = 0x45;
const CHARSET: u8 = 0x47;
const LANGUAGE: u8 = 0x48;
const MEDIA_TYPE: u8 = 0x49;
/// The most values of an answer.
const MOST: usize = 20_000;

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// Begins a request of version 2.0.
    pub(super) fn new(operation: u16, id: i32, printer: &str) -> Self {
        let mut request = Self(vec![2, 0]);
        request.0.extend(operation.to_be_bytes());
        request.0.extend(id.to_be_bytes());
        request.0.push(OPERATION);
        request.value(CHARSET, "attributes-charset", b"utf-8");
        request.value(LANGUAGE, "attributes-natural-language", b"en");
        request.value(URI, "printer-uri", printer.as_bytes());
        request
    }

    /// Adds an attribute: of a job, its number; of a user, the name.
    pub(super) fn integer(mut self, name: &str, value: i32) -> Self {
        self.value(INTEGER, name, &value.to_be_bytes());
        self
    }

    pub(super) fn boolean(mut self, name: &str, value: bool) -> Self {
        self.value(BOOLEAN, name, &[u8::from(value)]);
        self
    }

    pub(super) fn name(mut self, name: &str, value: &str) -> Self {
        self.value(NAME, name, value.as_bytes());
        self
    }

    pub(super) fn media_type(mut self, name: &str, value: &str) -> Self {
        self.value(MEDIA_TYPE, name, value.as_bytes());
        self
    }

    /// Adds keywords: the first with the name, the others behind it (*§3.1.5*).
    pub(super) fn keywords(mut self, name: &str, values: &[&str]) -> Self {
        for (at, value) in values.iter().enumerate() {
            self.value(KEYWORD, if at == 0 { name } else { "" }, value.as_bytes());
        }
        self
    }

    /// Begins the attributes of the job.
    pub(super) fn job(mut self) -> Self {
        self.0.push(JOB);
        self
    }

    /// Ends the attributes; a document may follow.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.push(END);
        self.0
    }

    fn value(&mut self, tag: u8, name: &str, value: &[u8]) {
        self.0.push(tag);
        for part in [name.as_bytes(), value] {
            // Names and values here are short: no more than an address.
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            self.0.extend(length.to_be_bytes());
            self.0.extend(part.iter().take(usize::from(length)));
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IppMessage {
    /// The status (*RFC 8011 appendix B*), or the operation of a request.
    pub code: u16,
    /// The number of the request.
    pub id: i32,
    /// What its attributes are, whatever group they are in. Members of collections are left out.
    attributes: Vec<(String, Value)>,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Integer(i32),
    Boolean(bool),
    Text(String),
    Other,
}

/// Bytes that are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IppMessageError {
    /// They end too early.
    #[error("the answer ends in the middle")]
    Short,
    /// They are of another protocol.
    #[error("the answer is of version {0}.{1}, and not of IPP 1 or 2")]
    Version(u8, u8),
    /// There are more values than any printer has.
    #[error("the answer has more than {MOST} values")]
    Endless,
    /// A value has a wrong length, or no name.
    #[error("a value of the answer is malformed")]
    Value,
}

impl IppMessage {
    /// Reads an answer. What stands behind its attributes is no concern.
    ///
    /// # Errors
    /// [`IppMessageError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, IppMessageError> {
        let mut rest = Rest(bytes);
        let [major, minor] = rest.array()?;
        if !matches!(major, 1 | 2) {
            return Err(IppMessageError::Version(major, minor));
        }
        let code = u16::from_be_bytes(rest.array()?);
        let id = i32::from_be_bytes(rest.array()?);
        let mut attributes: Vec<(String, Value)> = Vec::new();
        // Flat, however deep collections are: what is deep can be no stack of ours.
        let (mut depth, mut values) = (0_usize, 0);
        let mut named = false;
        loop {
            let [tag] = rest.array()?;
            if tag == END {
                break;
            }
            if tag < 0x10 {
                named = false;
                continue;
            }
            values += 1;
            if values > MOST {
                return Err(IppMessageError::Endless);
            }
            let name = rest.field()?;
            let value = rest.field()?;
            match tag {
                BEGIN_COLLECTION => depth += 1,
                END_COLLECTION => {
                    depth = depth.checked_sub(1).ok_or(IppMessageError::Value)?;
                    continue;
                }
                _ => {}
            }
            let outermost = depth == 0 || (depth == 1 && tag == BEGIN_COLLECTION);
            if !outermost {
                continue;
            }
            let name = match (name, attributes.last()) {
                // One more value of the attribute before.
                ([], Some((last, _))) if named => last.clone(),
                ([], _) => return Err(IppMessageError::Value),
                (name, _) => String::from_utf8_lossy(name).into_owned(),
            };
            named = true;
            attributes.push((name, read(tag, value)?));
        }
        Ok(Self {
            code,
            id,
            attributes,
        })
    }

    /// Tells whether it was done (*RFC 8011 appendix B.1.2*).
    #[must_use]
    pub const fn is_successful(&self) -> bool {
        self.code < 0x0100
    }

    /// Returns the first number of an attribute.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i32> {
        self.values(name).find_map(|value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })
    }

    /// Returns the first truth of an attribute.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.values(name).find_map(|value| match value {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        })
    }

    /// Returns the texts of an attribute.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &Value> {
        let found = self.attributes.iter();
        found.filter_map(move |(found, value)| (found == name).then_some(value))
    }
}

fn read(tag: u8, value: &[u8]) -> Result<Value, IppMessageError> {
    Ok(match tag {
        INTEGER | ENUM => {
            let bytes = value.try_into().map_err(|_| IppMessageError::Value)?;
            Value::Integer(i32::from_be_bytes(bytes))
        }
        BOOLEAN => match value {
            [byte] => Value::Boolean(*byte != 0),
            _ => return Err(IppMessageError::Value),
        },
        // Character strings.
        0x40..=0x5F => Value::Text(String::from_utf8_lossy(value).into_owned()),
        _ => Value::Other,
    })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], IppMessageError> {
        let (found, rest) = self.0.split_first_chunk().ok_or(IppMessageError::Short)?;
        self.0 = rest;
        Ok(*found)
    }

    fn field(&mut self) -> Result<&'a [u8], IppMessageError> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let split = self.0.split_at_checked(length);
        let (found, rest) = split.ok_or(IppMessageError::Short)?;
        self.0 = rest;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// *RFC 8010 appendix A.1* has a request of this form: Print-Job, 1.1, of a printer.
    #[test]
    fn a_request_is_the_standard_s() {
        let bytes = Request::new(0x0005, 1, "ipp://printer/ipp")
            .name("job-name", "list")
            .keywords("requested-attributes", &["job-state", "job-id"])
            .job()
            .integer("copies", 1)
            .end();
        let expected: &[&[u8]] = &[
            &[2, 0, 0, 5, 0, 0, 0, 1, 1],
            b"\x47\x00\x12attributes-charset\x00\x05utf-8",
            b"\x48\x00\x1Battributes-natural-language\x00\x02en",
            b"\x45\x00\x0Bprinter-uri\x00\x11ipp://printer/ipp",
            b"\x42\x00\x08job-name\x00\x04list",
            b"\x44\x00\x14requested-attributes\x00\x09job-state",
            b"\x44\x00\x00\x00\x06job-id",
            b"\x02\x21\x00\x06copies\x00\x04\x00\x00\x00\x01\x03",
        ];
        assert_eq!(bytes, expected.concat());
        let message = IppMessage::parse(&bytes).unwrap();
        assert_eq!((message.code, message.id), (5, 1));
        assert_eq!(message.integer("copies"), Some(1));
        let asked: Vec<_> = message.texts("requested-attributes").collect();
        assert_eq!(asked, ["job-state", "job-id"]);
    }

    #[test]
    fn collections_are_skipped_however_deep_they_are() {
        let mut bytes = vec![1, 1, 0, 0, 0, 0, 0, 7, 4];
        bytes.extend(b"\x34\x00\x01m\x00\x00");
        for _ in 0..5000 {
            bytes.extend(b"\x4A\x00\x00\x00\x01x\x34\x00\x00\x00\x00");
        }
        for _ in 0..5001 {
            bytes.extend(b"\x37\x00\x00\x00\x00");
        }
        bytes.extend(b"\x23\x00\x0Dprinter-state\x00\x04\x00\x00\x00\x03\x03");
        let message = IppMessage::parse(&bytes).unwrap();
        assert_eq!(message.integer("printer-state"), Some(3));
        assert_eq!(message.texts("x").count(), 0);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (bytes, error) in [
            (b"".as_slice(), IppMessageError::Short),
            (b"HTTP/1.1 200", IppMessageError::Version(b'H', b'T')),
            (&[2, 0, 0, 0, 0, 0, 0, 1, 1], IppMessageError::Short),
            (
                &[2, 0, 0, 0, 0, 0, 0, 1, 1, 0x44, 0, 0, 0, 0, 3],
                IppMessageError::Value,
            ),
            (
                &[2, 0, 0, 0, 0, 0, 0, 1, 1, 0x21, 0, 1, b'a', 0, 1, 0, 3],
                IppMessageError::Value,
            ),
            (
                &[2, 0, 0, 0, 0, 0, 0, 1, 1, 0x37, 0, 0, 0, 0, 3],
                IppMessageError::Value,
            ),
        ] {
            assert_eq!(IppMessage::parse(bytes), Err(error), "{bytes:?}");
        }
    }
}
