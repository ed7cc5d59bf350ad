//! The data objects: tags in a fixed order, lengths in DER (*TR-03110-3 §D.2*).

use crate::cvc::error::CvcError;

/// The longest certificate, request or authenticated request that is read, in bytes. A CVCA with
/// RSA of 4096 bits needs some 1 200.
pub const MAX_CVC: usize = 8192;

/// A data object's tag, and its name for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    tag: &'static [u8],
    name: &'static str,
}

macro_rules! objects {
    ($($constant:ident = $tag:expr, $name:expr;)*) => {
        $(pub(crate) const $constant: Object = Object { tag: &$tag, name: $name };)*
    };
}

objects! {
    CERTIFICATE = [0x7F, 0x21], "CV certificate (7F21)";
    BODY = [0x7F, 0x4E], "certificate body (7F4E)";
    PROFILE = [0x5F, 0x29], "certificate profile identifier (5F29)";
    CAR = [0x42], "certification authority reference (42)";
    PUBLIC_KEY = [0x7F, 0x49], "public key (7F49)";
    CHR = [0x5F, 0x20], "certificate holder reference (5F20)";
    CHAT = [0x7F, 0x4C], "certificate holder authorization template (7F4C)";
    EFFECTIVE = [0x5F, 0x25], "certificate effective date (5F25)";
    EXPIRATION = [0x5F, 0x24], "certificate expiration date (5F24)";
    EXTENSIONS = [0x65], "certificate extensions (65)";
    EXTENSION = [0x73], "certificate extension (73)";
    SIGNATURE = [0x5F, 0x37], "signature (5F37)";
    AUTHENTICATION = [0x67], "authentication template (67)";
    OID = [0x06], "object identifier (06)";
    DISCRETIONARY = [0x53], "discretionary data (53)";
    MODULUS = [0x81], "modulus (81)";
    EXPONENT = [0x82], "public exponent (82)";
    PRIME = [0x81], "prime modulus (81)";
    A = [0x82], "first coefficient (82)";
    B = [0x83], "second coefficient (83)";
    BASE = [0x84], "base point (84)";
    ORDER = [0x85], "order of the base point (85)";
    POINT = [0x86], "public point (86)";
    COFACTOR = [0x87], "cofactor (87)";
}

impl Object {
    /// Returns the object with this value.
    pub(crate) fn encode(self, value: &[u8]) -> Vec<u8> {
        let mut bytes = self.tag.to_vec();
        let length = value.len().to_be_bytes();
        let zeros = length.iter().take_while(|byte| **byte == 0).count();
        let digits = length.get(zeros..).unwrap_or_default();
        match value.len() {
            0..=0x7F => bytes.push(digits.first().copied().unwrap_or(0)),
            _ => {
                bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7F));
                bytes.extend_from_slice(digits);
            }
        }
        bytes.extend_from_slice(value);
        bytes
    }

    /// Returns the object's name, with its tag.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }
}

/// Reads objects one after another.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Says whether the next object has this tag.
    pub(crate) fn sees(&self, object: Object) -> bool {
        self.rest.starts_with(object.tag)
    }

    /// Returns the value of the next object, which has this tag.
    pub(crate) fn take(&mut self, object: Object) -> Result<&'a [u8], CvcError> {
        self.take_whole(object).map(|(value, _)| value)
    }

    /// Returns the value of the next object and the whole object, tag and length included.
    pub(crate) fn take_whole(&mut self, object: Object) -> Result<(&'a [u8], &'a [u8]), CvcError> {
        let start = self.rest;
        let rest = start.strip_prefix(object.tag).ok_or(CvcError::Missing {
            object: object.name,
        })?;
        let (length, rest) = length(rest).ok_or(CvcError::Length {
            object: object.name,
        })?;
        let (value, rest) = rest.split_at_checked(length).ok_or(CvcError::Length {
            object: object.name,
        })?;
        self.rest = rest;
        let whole = start.get(..start.len() - rest.len()).unwrap_or_default();
        Ok((value, whole))
    }

    /// Returns the value of the next object, if it has this tag.
    pub(crate) fn take_if(&mut self, object: Object) -> Result<Option<&'a [u8]>, CvcError> {
        self.sees(object).then(|| self.take(object)).transpose()
    }

    /// Returns everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Demands that nothing is left inside of this object.
    pub(crate) fn end(&self, object: Object) -> Result<(), CvcError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(CvcError::Trailing {
                object: object.name,
            }),
        }
    }
}

/// Reads a length of up to 65 535 in its shortest form (*X.690 §10.1*).
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short @ 0..=0x7F, rest @ ..] => Some((usize::from(*short), rest)),
        [0x81, length @ 0x80..=0xFF, rest @ ..] => Some((usize::from(*length), rest)),
        [0x82, high @ 1..=0xFF, low, rest @ ..] => {
            Some((usize::from(*high) << 8 | usize::from(*low), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{BODY, CAR, Reader};
    use crate::cvc::CvcError;

    #[test]
    fn lengths_are_minimal_and_inside() {
        for length in [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF] {
            let value = vec![7; length];
            let object = BODY.encode(&value);
            let mut reader = Reader::new(&object);
            assert_eq!(reader.take_whole(BODY).unwrap(), (&value[..], &object[..]));
            reader.end(BODY).unwrap();
        }
        for wrong in [
            "",
            "42",
            "4201",
            "428101AA",
            "42820001AA",
            "4280",
            "4283000001AA",
        ] {
            let bytes = hex::decode(wrong).unwrap();
            assert!(Reader::new(&bytes).take(CAR).is_err(), "{wrong}");
        }
        let mut reader = Reader::new(&[0x42, 0, 9]);
        reader.take(CAR).unwrap();
        assert_eq!(
            reader.end(CAR),
            Err(CvcError::Trailing { object: CAR.name() })
        );
    }
}
