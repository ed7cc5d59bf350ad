//! BER-TLV data objects (*ISO/IEC 7816-4 §5.2.2; ITU-T X.690 §8.1*).
//!
//! Tags of up to three bytes, definite lengths of up to three bytes after the first
//! (`83`). Lengths need not be minimal: cards in the field send `81 05`. Nothing is
//! skipped; padding bytes `00` between objects are an error.

use std::fmt;

use thiserror::Error;

/// Deepest nesting that [`find`] follows; no card structure comes near it.
const MAX_DEPTH: usize = 16;

/// Says what is wrong with a BER-TLV structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlvError {
    /// The value is no tag of one to three bytes.
    #[error("{0:X} is no BER-TLV tag of one to three bytes")]
    Tag(u32),
    /// The bytes end inside a tag, length or value.
    #[error("data object cut short: {missing} more bytes announced than present")]
    Short {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// The length field has a form that is not accepted.
    #[error("length field starting with {0:02X}; only definite lengths up to 83 are accepted")]
    Length(u8),
    /// The nesting is deeper than sixteen levels.
    #[error("data objects nested {0} deep; at most 16 are accepted")]
    Depth(usize),
}

/// A BER-TLV tag as its bytes read as one number: `7F49` is `0x7F49`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(u32);

impl Tag {
    /// Returns the tag whose one to three bytes read as `value`.
    ///
    /// # Errors
    /// [`TlvError::Tag`] where the bytes are no well-formed tag.
    pub const fn new(value: u32) -> Result<Self, TlvError> {
        if well_formed(value) {
            Ok(Self(value))
        } else {
            Err(TlvError::Tag(value))
        }
    }

    /// Returns the tag `VALUE`, proved well-formed when compiling:
    /// `const PUBLIC_KEY: Tag = Tag::known::<0x7F49>();`
    pub const fn known<const VALUE: u32>() -> Self {
        const { assert!(well_formed(VALUE), "no BER-TLV tag of one to three bytes") };
        Self(VALUE)
    }

    /// Returns the tag at the start of `bytes` and what follows it.
    ///
    /// # Errors
    /// [`TlvError::Short`] where the bytes end within the tag, [`TlvError::Tag`] where it
    /// is longer than three bytes or starts with `00`.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), TlvError> {
        let mut value = 0;
        for (index, &byte) in bytes.iter().take(3).enumerate() {
            value = value << 8 | u32::from(byte);
            let last = match index {
                0 => byte & 0x1F != 0x1F,
                _ => byte & 0x80 == 0,
            };
            if last {
                return Ok((
                    Self::new(value)?,
                    bytes.get(index + 1..).unwrap_or_default(),
                ));
            }
        }
        if bytes.len() < 3 {
            Err(TlvError::Short { missing: 1 })
        } else {
            Err(TlvError::Tag(value))
        }
    }

    /// Returns the tag's bytes as a number.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Says whether the object's value is itself made of data objects.
    pub const fn is_constructed(self) -> bool {
        let first = match self.0 {
            0..=0xFF => self.0,
            0x100..=0xFFFF => self.0 >> 8,
            _ => self.0 >> 16,
        };
        first & 0x20 != 0
    }

    /// Returns the tag's one to three bytes.
    pub fn encode(self) -> Vec<u8> {
        significant(self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=0xFF => write!(f, "{:02X}", self.0),
            0x100..=0xFFFF => write!(f, "{:04X}", self.0),
            _ => write!(f, "{:06X}", self.0),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<u32> for Tag {
    type Error = TlvError;

    fn try_from(value: u32) -> Result<Self, TlvError> {
        Self::new(value)
    }
}

/// One data object, borrowed from the bytes that it was parsed from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag.
    pub tag: Tag,
    /// The value field.
    pub value: &'a [u8],
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values carry keys and personal data: the rule for traces holds here too.
        write!(f, "{} L {}", self.tag, self.value.len())
    }
}

/// Parses one data object and returns it with the bytes that follow.
///
/// # Errors
/// [`TlvError`] where tag or length is malformed or a length exceeds the bytes present.
pub fn parse(bytes: &[u8]) -> Result<(Tlv<'_>, &[u8]), TlvError> {
    let (tag, rest) = Tag::parse(bytes)?;
    let (&first, rest) = rest.split_first().ok_or(TlvError::Short { missing: 1 })?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x83 => {
            let count = usize::from(first & 0x0F);
            let (field, rest) = rest.split_at_checked(count).ok_or(TlvError::Short {
                missing: count.saturating_sub(rest.len()),
            })?;
            let length = field
                .iter()
                .fold(0, |length, &byte| length << 8 | usize::from(byte));
            (length, rest)
        }
        _ => return Err(TlvError::Length(first)),
    };
    let (value, rest) = rest.split_at_checked(length).ok_or(TlvError::Short {
        missing: length.saturating_sub(rest.len()),
    })?;
    Ok((Tlv { tag, value }, rest))
}

/// Parses a sequence of data objects up to the last byte; empty bytes are an empty
/// sequence.
///
/// # Errors
/// [`TlvError`] of the first object that is malformed.
pub fn parse_all(mut bytes: &[u8]) -> Result<Vec<Tlv<'_>>, TlvError> {
    let mut objects = Vec::new();
    while !bytes.is_empty() {
        let (object, rest) = parse(bytes)?;
        objects.push(object);
        bytes = rest;
    }
    Ok(objects)
}

/// Returns the value of the first object, in reading order, that stands at `path` (for
/// example `7F49`, `86`). An empty path returns all bytes.
///
/// Reading stops at the match: what follows it is not looked at.
///
/// # Errors
/// [`TlvError`] where an object before the match is malformed, [`TlvError::Depth`] for a
/// path of more than sixteen tags.
pub fn find<'a>(bytes: &'a [u8], path: &[Tag]) -> Result<Option<&'a [u8]>, TlvError> {
    if path.len() > MAX_DEPTH {
        return Err(TlvError::Depth(path.len()));
    }
    let Some((&tag, inner)) = path.split_first() else {
        return Ok(Some(bytes));
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let (object, after) = parse(rest)?;
        if object.tag == tag
            && let Some(found) = find(object.value, inner)?
        {
            return Ok(Some(found));
        }
        rest = after;
    }
    Ok(None)
}

/// Returns the data object with the shortest length field.
///
/// A value above 16 MiB, which no card takes, gets the form `84` that [`parse`] refuses.
pub fn encode(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend_from_slice(&tag.encode());
    bytes.extend_from_slice(&encode_length(value.len()));
    bytes.extend_from_slice(value);
    bytes
}

/// Returns the shortest length field for a value of `length` bytes.
pub fn encode_length(length: usize) -> Vec<u8> {
    match u32::try_from(length) {
        Ok(short @ 0..=0x7F) => vec![short.to_be_bytes()[3]],
        Ok(length) => {
            let digits = significant(length);
            let mut field = vec![0x80 | digits.len().to_be_bytes()[size_of::<usize>() - 1]];
            field.extend_from_slice(&digits);
            field
        }
        // 4 GiB in one object: the longest form says so, and every parser refuses it.
        Err(_) => vec![0x84, 0xFF, 0xFF, 0xFF, 0xFF],
    }
}

/// Returns the bytes of `value` from the first that is not zero, at least one.
fn significant(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let start = bytes.iter().position(|&byte| byte != 0).unwrap_or(3);
    bytes.get(start..).unwrap_or_default().to_vec()
}

/// Says whether the bytes of `value` are a tag: a first byte other than `00`, the long
/// form exactly where its five low bits are set, no leading zero digits after it.
const fn well_formed(value: u32) -> bool {
    match value {
        0x01..=0xFF => value & 0x1F != 0x1F,
        0x100..=0xFFFF => value >> 8 & 0x1F == 0x1F && value & 0x80 == 0,
        0x1_0000..=0xFF_FFFF => {
            value >> 16 & 0x1F == 0x1F
                && value & 0x8000 != 0
                && value & 0x7F00 != 0
                && value & 0x80 == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    #[test]
    fn tags_of_one_to_three_bytes() {
        for (value, constructed, text) in [
            (0x04, false, "04"),
            (0x7F49, true, "7F49"),
            (0x5F2F, false, "5F2F"),
            (0x5FC101, false, "5FC101"),
            (0xE3, true, "E3"),
            (0x7F8101, true, "7F8101"),
        ] {
            let tag = Tag::new(value).unwrap();
            assert_eq!(tag.is_constructed(), constructed, "{tag}");
            assert_eq!(tag.to_string(), text);
            assert_eq!(hex::encode_upper(tag.encode()), text);
            assert_eq!(Tag::parse(&tag.encode()).unwrap(), (tag, &[][..]));
        }
        for bad in [
            0x00,
            0x1F,
            0x7F,
            0x3049,
            0x7F81,
            0x7F_4901,
            0x7F_8001,
            0x7F_8181,
            0x7F81_8101,
        ] {
            assert_eq!(Tag::new(bad), Err(TlvError::Tag(bad)), "{bad:X}");
        }
        const PUBLIC_KEY: Tag = Tag::known::<0x7F49>();
        assert_eq!(PUBLIC_KEY.value(), 0x7F49);
    }

    #[test]
    fn lengths_in_every_accepted_form() {
        let tag = Tag::known::<0x04>();
        for (length, field) in [
            (0, "00"),
            (0x7F, "7F"),
            (0x80, "8180"),
            (0xFF, "81FF"),
            (0x100, "820100"),
            (0xFFFF, "82FFFF"),
            (0x1_0000, "83010000"),
        ] {
            let value = vec![7; length];
            let object = encode(tag, &value);
            assert_eq!(hex::encode_upper(&object[1..object.len() - length]), field);
            assert_eq!(
                parse(&object).unwrap(),
                (Tlv { tag, value: &value }, &[][..])
            );
        }
        assert_eq!(parse(&bytes("04820001AA")).unwrap().0.value, [0xAA]);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for (hex, error) in [
            ("", TlvError::Short { missing: 1 }),
            ("7F", TlvError::Short { missing: 1 }),
            ("04", TlvError::Short { missing: 1 }),
            ("0401", TlvError::Short { missing: 1 }),
            ("04820A", TlvError::Short { missing: 1 }),
            ("0483FFFFFFAA", TlvError::Short { missing: 0xFF_FFFE }),
            ("0480AA0000", TlvError::Length(0x80)),
            ("0484FFFFFFFF", TlvError::Length(0x84)),
            ("0000", TlvError::Tag(0)),
            ("7F818101", TlvError::Tag(0x7F8181)),
        ] {
            assert_eq!(parse(&bytes(hex)), Err(error), "{hex}");
        }
        assert!(parse_all(&bytes("04010000")).is_err());
    }

    #[test]
    fn paths_are_followed_to_the_first_match() {
        let path = [Tag::known::<0xE0>(), Tag::known::<0x82>()];
        // The first E0 has no 82: the second one's counts.
        let nested = bytes("E003810101E006810102820103");
        assert_eq!(find(&nested, &path), Ok(Some(&[3][..])));
        assert_eq!(find(&nested, &[]), Ok(Some(&nested[..])));
        assert_eq!(find(&bytes("E003810101"), &path), Ok(None));
        // Padding behind the match is not looked at, a lie before it is.
        let padded = [&nested[..], &[0, 0]].concat();
        assert_eq!(find(&padded, &path), Ok(Some(&[3][..])));
        let lying = bytes("E003817F01E003820103");
        assert_eq!(find(&lying, &path), Err(TlvError::Short { missing: 0x7E }));
    }

    #[test]
    fn recorded_file_control_information_is_read() {
        let text = include_str!("../../tests/vectors/iso7816/recorded.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        for row in file["fci"].as_array().unwrap() {
            let fci = bytes(row["fci"].as_str().unwrap());
            let objects = parse_all(&fci).unwrap();
            assert_eq!(objects.len(), 1);
            let again: Vec<u8> = parse_all(objects[0].value)
                .unwrap()
                .iter()
                .flat_map(|object| encode(object.tag, object.value))
                .collect();
            assert_eq!(encode(Tag::known::<0x6F>(), &again), fci);
        }
    }

    #[test]
    fn a_bomb_of_nested_objects_costs_no_more_than_its_bytes() {
        let mut bomb = Vec::new();
        for _ in 0..4000 {
            bomb = encode(Tag::known::<0xE0>(), &bomb);
        }
        let tag = Tag::known::<0xE0>();
        assert!(find(&bomb, &[tag; 16]).unwrap().is_some());
        assert_eq!(find(&bomb, &[tag; 17]), Err(TlvError::Depth(17)));
        let flat = [0x04, 0x00].repeat(32_768);
        assert_eq!(parse_all(&flat).unwrap().len(), 32_768);
    }

    fn any_tag() -> impl Strategy<Value = Tag> {
        prop_oneof![
            (0u32..=0xFF).prop_map(|byte| (byte & 0xE0) | (byte % 31)),
            (0u32..8, 0u32..0x80).prop_map(|(class, number)| class << 13 | 0x1F00 | number),
            (0u32..8, 1u32..0x80, 0u32..0x80)
                .prop_map(|(class, high, low)| class << 21 | 0x1F_8000 | high << 8 | low),
        ]
        .prop_filter_map("no tag", |value| Tag::new(value).ok())
    }

    proptest! {
        // A failure is printed; a file of it would land in the workspace's folder of crates.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn objects_survive_the_wire(
            objects in prop::collection::vec(
                (any_tag(), prop::collection::vec(any::<u8>(), 0..300)), 0..6),
        ) {
            let wire: Vec<u8> = objects.iter().flat_map(|(tag, value)| encode(*tag, value)).collect();
            let parsed = parse_all(&wire).unwrap();
            prop_assert_eq!(parsed.len(), objects.len());
            for (object, (tag, value)) in parsed.iter().zip(&objects) {
                prop_assert_eq!(object.tag, *tag);
                prop_assert_eq!(object.value, &value[..]);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_all(&bytes);
            let _ = find(&bytes, &[Tag::known::<0x30>(), Tag::known::<0x04>()]);
        }
    }
}
