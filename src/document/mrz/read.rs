//! Reads a zone.

use std::str::FromStr;

use zeroize::Zeroizing;

use super::{Format, Mrz, MrzError, ReadError};

/// Most bytes that are looked at: the longest zone with line breaks, and some room for a text
/// whose lines are a little too long to be told so.
const MOST: usize = 256;

impl Mrz {
    /// Reads a zone and demands that it is sound: form, content and check digits.
    ///
    /// The lines stand one after another, or each ends with a line break.
    ///
    /// # Errors
    ///
    /// [`MrzError`] with the place of the first fault and what was expected there.
    pub fn parse(text: &str) -> Result<Self, MrzError> {
        let zone = Self::read(text)?;
        match zone.faults().first() {
            Some(&fault) => Err(fault.into()),
            None => Ok(zone),
        }
    }

    /// Reads a zone by its form alone; [`Mrz::faults`] then says what is wrong with its content.
    /// For those who look at documents that others made.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the text has not the lines of a format, or holds other characters.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        if text.len() > MOST {
            return Err(ReadError::TooLong { found: text.len() });
        }
        let (format, lines) = shaped(text)?;
        let mut zone = Zeroizing::new(String::with_capacity(format.lines() * format.width()));
        for (line, characters) in (1..).zip(lines) {
            for (column, character) in (1..).zip(characters.chars()) {
                if !matches!(character, 'A'..='Z' | '0'..='9' | '<') {
                    return Err(ReadError::Character {
                        line,
                        column,
                        character,
                    });
                }
                zone.push(character);
            }
        }
        Ok(Self::new(format, zone))
    }
}

impl FromStr for Mrz {
    type Err = MrzError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Finds the format by the number and lengths of the lines, and a visa by its code.
fn shaped(text: &str) -> Result<(Format, Vec<&str>), ReadError> {
    let mut lines: Vec<&str> = text.lines().collect();
    if let [only] = lines[..] {
        let width = match only.len() {
            90 => 30,
            72 => 36,
            88 => 44,
            _ => only.len(),
        };
        // A character of several bytes across the cut is no zone's: the text then stays one line.
        if let Some((first, rest)) = only.split_at_checked(width) {
            lines = match rest.split_at_checked(width) {
                Some((second, third)) if !third.is_empty() => vec![first, second, third],
                _ if rest.is_empty() => vec![first],
                _ => vec![first, rest],
            };
        }
    }
    let length = |line: &str| line.chars().count();
    let widths: Vec<usize> = lines.iter().copied().map(length).collect();
    let is_visa = text.starts_with('V');
    let shape = ReadError::Shape {
        lines: lines.len(),
        first: widths.first().copied().unwrap_or_default(),
    };
    // One line may be too long or too short by a slip; the other then tells the format.
    let format = match widths[..] {
        [_, _, _] if widths.contains(&30) => Format::Td1,
        [first, second] => match [first, second].into_iter().find(|w| matches!(w, 36 | 44)) {
            Some(36) if is_visa => Format::MrvB,
            Some(36) => Format::Td2,
            Some(44) if is_visa => Format::MrvA,
            Some(44) => Format::Td3,
            _ => return Err(shape),
        },
        _ => return Err(shape),
    };
    for (line, &found) in (1..).zip(&widths) {
        if found != format.width() {
            return Err(ReadError::LineLength {
                line,
                found,
                expected: format.width(),
            });
        }
    }
    Ok((format, lines))
}
