//! Bytes of which some are not shown.

use std::fmt;

use zeroize::Zeroizing;

use super::TraceFault;
use crate::status::Status;

/// Most bytes of an APDU: an extended command's header, lengths and data, or an answer; and
/// room for what a reader adds.
const LONGEST: usize = 65_546;

#[derive(Clone, PartialEq, Eq)]
enum Piece {
    Clear(Zeroizing<Vec<u8>>),
    Hidden(usize),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Clear(bytes) => bytes.len(),
            Self::Hidden(length) => *length,
        }
    }
}

/// Bytes of which some are known by their number only: a hidden byte is nowhere in it.
///
/// `Display` writes known bytes in hexadecimal and n hidden ones as `[n]`; `Debug` shows
/// lengths only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Veiled {
    pieces: Vec<Piece>,
}

impl Veiled {
    /// Returns bytes that are all known.
    pub fn clear(bytes: &[u8]) -> Self {
        let mut veiled = Self::default();
        veiled.show(bytes);
        veiled
    }

    /// Adds known bytes.
    pub fn show(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Clear(known)) => {
                // A growing vector would leave unwiped copies behind.
                let mut both = Zeroizing::new(Vec::with_capacity(known.len() + bytes.len()));
                both.extend_from_slice(known);
                both.extend_from_slice(bytes);
                *known = both;
            }
            _ => self
                .pieces
                .push(Piece::Clear(Zeroizing::new(bytes.to_vec()))),
        }
    }

    /// Adds hidden bytes.
    pub fn hide(&mut self, length: usize) {
        match self.pieces.last_mut() {
            _ if length == 0 => {}
            Some(Piece::Hidden(hidden)) => *hidden = hidden.saturating_add(length),
            _ => self.pieces.push(Piece::Hidden(length)),
        }
    }

    /// Returns how many bytes there are, known and hidden.
    pub fn len(&self) -> usize {
        self.pieces
            .iter()
            .fold(0, |sum: usize, piece| sum.saturating_add(piece.len()))
    }

    /// Says whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns how many bytes are hidden.
    pub fn hidden(&self) -> usize {
        self.pieces.iter().fold(0, |sum: usize, piece| match piece {
            Piece::Clear(_) => sum,
            Piece::Hidden(length) => sum.saturating_add(*length),
        })
    }

    /// Returns the bytes where none is hidden.
    pub fn known(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(&[]),
            [Piece::Clear(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// Returns CLA INS P1 P2 of a command, where they are known.
    pub fn header(&self) -> Option<[u8; 4]> {
        match self.pieces.first()? {
            Piece::Clear(bytes) => bytes.first_chunk().copied(),
            Piece::Hidden(_) => None,
        }
    }

    /// Returns the status word of an answer, where it is known.
    pub fn status(&self) -> Option<Status> {
        match self.pieces.last()? {
            Piece::Clear(bytes) => {
                let word = bytes.last_chunk().copied()?;
                Some(Status::new(u16::from_be_bytes(word)))
            }
            Piece::Hidden(_) => None,
        }
    }

    /// Returns the offset of the first byte in which `bytes` differ from the known ones, or
    /// of the end of the shorter; `None` where they agree. A hidden byte agrees with any.
    pub fn difference(&self, bytes: &[u8]) -> Option<usize> {
        let mut offset = 0;
        let mut rest = bytes;
        for piece in &self.pieces {
            let Some((part, next)) = rest.split_at_checked(piece.len()) else {
                return Some(match piece {
                    Piece::Clear(known) => offset + agreement(known, rest),
                    Piece::Hidden(_) => bytes.len(),
                });
            };
            if let Piece::Clear(known) = piece
                && agreement(known, part) < part.len()
            {
                return Some(offset + agreement(known, part));
            }
            offset += part.len();
            rest = next;
        }
        (!rest.is_empty()).then_some(offset)
    }

    /// Reads bytes from text whose first character stands in `column` of its line.
    pub(super) fn parse(text: &str, column: usize) -> Result<Self, TraceFault> {
        let mut veiled = Self::default();
        let mut known = Zeroizing::new(Vec::with_capacity(text.len() / 2));
        let mut total = 0_usize;
        let mut characters = (column..).zip(text.chars()).peekable();
        while let Some((column, character)) = characters.next() {
            match character {
                ' ' | '\t' => {}
                '[' => {
                    veiled.show(&known);
                    known.clear();
                    let mut length = 0_usize;
                    loop {
                        match characters.next().map(|(_, character)| character) {
                            Some(']') if length > 0 => break,
                            Some(digit @ '0'..='9') if length <= LONGEST => {
                                length = length * 10 + (digit as usize - '0' as usize);
                            }
                            _ => return Err(TraceFault::Hidden { column }),
                        }
                    }
                    if length > LONGEST {
                        return Err(TraceFault::Hidden { column });
                    }
                    veiled.hide(length);
                    total += length;
                }
                high => {
                    let digit = |character: char, column| {
                        character
                            .to_digit(16)
                            .and_then(|digit| u8::try_from(digit).ok())
                            .ok_or(TraceFault::Digit { character, column })
                    };
                    let high = digit(high, column)?;
                    match characters.next() {
                        Some((_, ' ' | '\t' | '[')) | None => {
                            return Err(TraceFault::Half { column });
                        }
                        Some((column, low)) => known.push(high << 4 | digit(low, column)?),
                    }
                    total += 1;
                }
            }
            if total > LONGEST {
                return Err(TraceFault::TooLong);
            }
        }
        veiled.show(&known);
        Ok(veiled)
    }
}

/// Returns how many bytes at the beginning are the same.
fn agreement(left: &[u8], right: &[u8]) -> usize {
    left.iter()
        .zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}

impl fmt::Display for Veiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, piece) in self.pieces.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            match piece {
                Piece::Clear(bytes) => {
                    for byte in bytes.iter() {
                        write!(f, "{byte:02x}")?;
                    }
                }
                Piece::Hidden(length) => write!(f, "[{length}]")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Veiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {} hidden", self.len(), self.hidden())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_bytes_agree_with_any() {
        let mut veiled = Veiled::clear(&[1, 2]);
        veiled.hide(2);
        veiled.show(&[5]);
        for (bytes, difference) in [
            (&[1, 2, 0, 0, 5][..], None),
            (&[1, 3, 0, 0, 5], Some(1)),
            (&[1, 2, 0, 0, 6], Some(4)),
            (&[1, 2, 0, 0], Some(4)),
            (&[1, 2, 0], Some(3)),
            (&[1], Some(1)),
            (&[1, 2, 0, 0, 5, 6], Some(5)),
        ] {
            assert_eq!(veiled.difference(bytes), difference, "{bytes:?}");
        }
        assert_eq!(
            format!("{veiled} / {veiled:?}"),
            "0102 [2] 05 / 5 bytes, 2 hidden"
        );
        assert_eq!(veiled.status(), None);
    }
}
