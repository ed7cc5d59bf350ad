//! What a bar code scanner sends; no I/O.

use std::fmt;

use thiserror::Error;

/// The longest serial number of a blank.
const LONGEST: usize = 32;

/// A serial number as it is printed on a blank: 1 to 32 of A-Z, 0-9 and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlankSerial(String);

impl BlankSerial {
    /// Reads a serial number.
    ///
    /// # Errors
    /// [`ScanFault::NoSerial`].
    pub fn parse(text: &str) -> Result<Self, ScanFault> {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        match (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(ScanFault::NoSerial),
        }
    }

    /// Returns it as it is printed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlankSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with what a scanner sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScanFault {
    /// It is no serial number of a blank: another code was read.
    #[error("the code is no serial number of a blank (1 to 32 of A-Z, 0-9 and -)")]
    NoSerial,
    /// A byte that no text has: another line speed, or another device.
    #[error("the byte {0:02X} is no text: look at the scanner's line settings")]
    NoText(u8),
    /// A code that does not end.
    #[error("a code that does not end: let the scanner send CR behind each")]
    Endless,
}

/// Gathers what a scanner sends into codes. A code ends with CR, LF or both.
#[derive(Debug, Default)]
pub struct ScanEar {
    text: String,
}

impl ScanEar {
    /// Takes bytes, and returns the codes that are whole now, in order.
    ///
    /// # Errors
    /// [`ScanFault`]; what was heard so far is forgotten.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<BlankSerial>, ScanFault> {
        let mut codes = Vec::new();
        for byte in bytes {
            let fault = match *byte {
                b'\r' | b'\n' if self.text.is_empty() => continue,
                b'\r' | b'\n' => match BlankSerial::parse(&std::mem::take(&mut self.text)) {
                    Ok(serial) => {
                        codes.push(serial);
                        continue;
                    }
                    Err(fault) => fault,
                },
                0x20..=0x7E if self.text.len() <= LONGEST => {
                    self.text.push(char::from(*byte));
                    continue;
                }
                0x20..=0x7E => ScanFault::Endless,
                other => ScanFault::NoText(other),
            };
            self.text.clear();
            return Err(fault);
        }
        Ok(codes)
    }

    /// Tells whether a code has begun and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !self.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], piece: usize) -> Result<Vec<String>, ScanFault> {
        let mut ear = ScanEar::default();
        let mut codes = Vec::new();
        for piece in bytes.chunks(piece) {
            codes.extend(ear.take(piece)?);
        }
        Ok(codes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn codes_are_read_however_they_are_cut() {
        for piece in [1, 3, 100] {
            let codes = all(b"LV-0001\r\nLV-0002\r\rB-00077\nLV-00", piece).unwrap();
            assert_eq!(codes, ["LV-0001", "LV-0002", "B-00077"]);
        }
    }

    #[test]
    fn what_is_no_serial_number_is_refused() {
        for (bytes, fault) in [
            (b"lv-0001\r".as_slice(), ScanFault::NoSerial),
            (b"4006381333931 \r", ScanFault::NoSerial),
            (b"http://example/\r", ScanFault::NoSerial),
            (b"LV\xFF0001\r", ScanFault::NoText(0xFF)),
            (b"LV\x000001\r", ScanFault::NoText(0)),
            (&[b'A'; 40], ScanFault::Endless),
        ] {
            assert_eq!(all(bytes, 5), Err(fault), "{bytes:?}");
        }
    }
}
