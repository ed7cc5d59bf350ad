//! The data objects of one command: which are allowed, which are there.

use card::Status;
use card::tlv::{self, Tag, Tlv};

/// A sequence of data objects, each tag at most once.
pub(crate) struct Objects<'a>(Vec<Tlv<'a>>);

impl<'a> Objects<'a> {
    /// Parses a sequence made of the allowed tags only; anything else is wrong data.
    pub(crate) fn parse(bytes: &'a [u8], allowed: &[u32]) -> Result<Self, Status> {
        let objects = tlv::parse_all(bytes).map_err(|_| Status::WRONG_DATA)?;
        for (index, object) in objects.iter().enumerate() {
            let repeated = objects
                .iter()
                .take(index)
                .any(|earlier| earlier.tag == object.tag);
            if repeated || !allowed.contains(&object.tag.value()) {
                return Err(Status::WRONG_DATA);
            }
        }
        Ok(Self(objects))
    }

    /// Parses exactly one object of this tag and returns its value.
    pub(crate) fn single(bytes: &'a [u8], tag: u32) -> Result<&'a [u8], Status> {
        Self::parse(bytes, &[tag])?.need(tag)
    }

    /// Returns the value of an object.
    pub(crate) fn get(&self, tag: u32) -> Option<&'a [u8]> {
        let found = self.0.iter().find(|object| object.tag.value() == tag);
        found.map(|object| object.value)
    }

    /// Returns the value of an object that must be there.
    pub(crate) fn need(&self, tag: u32) -> Result<&'a [u8], Status> {
        self.get(tag).ok_or(Status::WRONG_DATA)
    }

    /// Returns the value of an object that must be there and be so long.
    pub(crate) fn array<const N: usize>(&self, tag: u32) -> Result<[u8; N], Status> {
        self.need(tag)?.try_into().map_err(|_| Status::WRONG_DATA)
    }

    /// Returns the value of a one-byte object that must be there.
    pub(crate) fn byte(&self, tag: u32) -> Result<u8, Status> {
        self.array::<1>(tag).map(|[byte]| byte)
    }
}

/// Encodes one object.
pub(crate) fn object<const TAG: u32>(value: &[u8]) -> Vec<u8> {
    tlv::encode(Tag::known::<TAG>(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_and_repeated_objects_are_wrong_data() {
        let known = [0x80, 0x84];
        assert!(Objects::parse(&[0x80, 1, 4, 0x84, 1, 0x81], &known).is_ok());
        assert!(Objects::parse(&[0x80, 1, 4, 0x80, 1, 4], &known).is_err());
        assert!(Objects::parse(&[0x81, 1, 4], &known).is_err());
        assert!(Objects::parse(&[0x80, 2, 4], &known).is_err());
    }

    #[test]
    fn lengths_are_checked() {
        let objects = Objects::parse(&[0x80, 2, 1, 2], &[0x80]).unwrap();
        assert_eq!(objects.array::<2>(0x80), Ok([1, 2]));
        assert_eq!(objects.byte(0x80), Err(Status::WRONG_DATA));
        assert_eq!(objects.byte(0x84), Err(Status::WRONG_DATA));
    }
}
