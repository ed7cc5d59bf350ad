//! The letter with a holder's PINs.
//!
//! What is written here is all that ever holds the digits; each of it is wiped. The same letter
//! gives the same bytes: no clock, no random number.

use std::fmt;

use document::{DocumentNumber, Environment};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::face::{FaceError, Facts, TextField};
use crate::letter::Letter;
use crate::sheet::{SheetKind, SheetLayout};

/// The most lines of an address.
const LINES: usize = 7;
/// The most characters of a serial number: it names the print job as well.
const SERIAL: usize = 24;
/// The most characters of a line or a PIN's name, before it is measured.
const CHARACTERS: usize = 120;
/// What marks a PIN that must be changed.
const MARK: &str = "*";

/// A letter with a holder's PINs, before it is a PDF.
pub struct EnvelopeLetter {
    /// The envelope's own serial number: capital letters, digits and hyphens.
    pub serial: String,
    /// The document whose PINs they are.
    pub document: DocumentNumber,
    /// The holder's name and address, line by line, as the window shows them. A line that is too
    /// long goes on in the next one.
    pub lines: Zeroizing<Vec<String>>,
    /// The PINs in the order in which they are printed.
    pub pins: Vec<LetterPin>,
}

/// One PIN of a letter.
pub struct LetterPin {
    /// What the holder calls it: `PIN1`, `PUK`.
    pub title: String,
    /// Its digits in ASCII.
    pub digits: Zeroizing<Vec<u8>>,
    /// Whether the holder must change it before the first use.
    pub must_change: bool,
}

/// Why a letter cannot be made. No PIN is ever in it.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum LetterError {
    /// The serial number is none.
    #[error("an envelope's serial number has 1 to {SERIAL} capital letters, digits and hyphens")]
    Serial,
    /// Nothing to print, or more than there is room for.
    #[error("a letter has 1 to {most} {what}, and this one has {found}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// A PIN is none. It is not shown.
    #[error("\"{title}\" has something else than 4 to 12 decimal digits")]
    Pin {
        /// The PIN's name.
        title: String,
    },
    /// A text is longer than one is.
    #[error("{what} is empty or has more than {CHARACTERS} characters")]
    Length {
        /// Which.
        what: &'static str,
    },
    /// The layout is another sheet's.
    #[error("this is the layout of a {found}, and a {expected} is printed")]
    Sheet {
        /// What is printed.
        expected: SheetKind,
        /// What the layout is for.
        found: SheetKind,
    },
    /// A text cannot be printed by the rules of the layout.
    #[error(transparent)]
    Layout(#[from] FaceError),
}

impl fmt::Debug for EnvelopeLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EnvelopeLetter({}, {} PINs)",
            self.serial,
            self.pins.len()
        )
    }
}

impl fmt::Debug for LetterPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LetterPin({})", self.title)
    }
}

impl EnvelopeLetter {
    /// Makes the PDF by the layout of a PIN envelope.
    ///
    /// # Errors
    /// [`LetterError`]: then nothing was made.
    pub fn render(&self, layout: &SheetLayout) -> Result<Letter, LetterError> {
        self.check()?;
        of_kind(layout, SheetKind::PinEnvelope)?;
        let mut facts = Facts::default();
        facts.set(TextField::EnvelopeNumber, &*self.serial);
        facts.set(TextField::Number, self.document.to_string());
        facts.set(TextField::EnvelopeAddress, self.lines.join("\n"));
        specimen(&mut facts, &[self.document]);
        if self.pins.iter().any(|pin| pin.must_change) {
            facts.set(TextField::EnvelopeTransport, MARK);
        }
        let row = |(pin, number): (&LetterPin, usize)| {
            let mut row = Facts::default();
            row.set(TextField::Row, number.to_string());
            row.set(TextField::PinTitle, &*pin.title);
            let digits = pin.digits.iter().map(|digit| char::from(*digit));
            // As long as it will be, so that it does not grow.
            let mut text = String::with_capacity(pin.digits.len());
            text.extend(digits);
            row.set(TextField::PinDigits, text);
            if pin.must_change {
                row.set(TextField::PinTransport, MARK);
            }
            row
        };
        let rows: Vec<_> = self.pins.iter().zip(1..).map(row).collect();
        let pdf = layout.pages(&facts, &rows)?;
        Ok(Letter::new(self.serial.clone(), pdf))
    }

    fn check(&self) -> Result<(), LetterError> {
        let of_serial =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=SERIAL).contains(&self.serial.len()) || !self.serial.bytes().all(of_serial) {
            return Err(LetterError::Serial);
        }
        for (what, found, most) in [
            ("lines of address", self.lines.len(), LINES),
            ("PINs", self.pins.len(), SheetKind::PINS),
        ] {
            if !(1..=most).contains(&found) {
                return Err(LetterError::Count { what, found, most });
            }
        }
        for pin in &self.pins {
            let fits = (4..=SheetKind::DIGITS).contains(&pin.digits.len());
            if !fits || !pin.digits.iter().all(u8::is_ascii_digit) {
                return Err(LetterError::Pin {
                    title: pin.title.clone(),
                });
            }
        }
        let titles = self.pins.iter().map(|pin| ("a PIN's name", &pin.title));
        let lines = self.lines.iter().map(|line| ("the address", line));
        for (what, text) in titles.chain(lines) {
            if text.chars().count() > CHARACTERS || text.trim().is_empty() {
                return Err(LetterError::Length { what });
            }
        }
        Ok(())
    }
}

/// Demands the layout of a kind of sheet.
pub(crate) fn of_kind(layout: &SheetLayout, expected: SheetKind) -> Result<(), LetterError> {
    let found = layout.kind;
    match found == expected {
        true => Ok(()),
        false => Err(LetterError::Sheet { expected, found }),
    }
}

/// Marks what is about a test's documents.
pub(crate) fn specimen(facts: &mut Facts, documents: &[DocumentNumber]) {
    let mut prefixes = documents.iter().map(|number| number.prefix());
    if prefixes.any(|prefix| Environment::Test.owns(prefix)) {
        facts.set(TextField::Specimen, crate::face::SPECIMEN);
    }
}

#[cfg(test)]
#[path = "../../tests/print/envelope_letter.rs"]
mod tests;
