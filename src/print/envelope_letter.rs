//! The letter with a holder's PINs.
//!
//! What is written here is all that ever holds the digits: one content stream and one PDF, each of
//! its full size from the beginning, so that growing leaves no copy, and each wiped. The same
//! letter gives the same bytes: no clock, no random number.

use std::fmt;

use document::DocumentNumber;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::layout::{ADDRESS_WINDOW, PIN_FIELD, points};
use crate::letter::Letter;
use crate::sheet::{Sheet, pdf, wrap};
use crate::typeface::Typeface;
use crate::words::Language;

/// The most lines in the address window.
const LINES: usize = 7;
/// The most PINs of a document.
const PINS: usize = 8;
/// The most characters of a serial number: it names the print job as well.
const SERIAL: usize = 24;
/// The most characters of a line or a PIN's name, before it is measured.
const CHARACTERS: usize = 120;

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
    /// The languages in their order.
    pub languages: Vec<Language>,
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
#[derive(Clone, Debug, PartialEq, Eq, Error)]
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
    /// The typeface lacks a character.
    #[error("{what} has the character {character:?}, which the typeface lacks")]
    Character {
        /// Where it stands.
        what: &'static str,
        /// The character.
        character: char,
    },
    /// A text does not fit where it belongs.
    #[error("{what} is too long for its place")]
    Room {
        /// Which.
        what: &'static str,
    },
    /// The typefaces that were compiled in are damaged.
    #[error("the letter's typefaces are damaged")]
    Typeface,
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
    /// Makes the PDF.
    ///
    /// # Errors
    /// [`LetterError`]: then nothing was made.
    pub fn render(&self) -> Result<Letter, LetterError> {
        self.check()?;
        let (Some(book), Some(bold)) = (Typeface::book(), Typeface::bold()) else {
            return Err(LetterError::Typeface);
        };
        let mut page = Sheet::new();
        self.head(&mut page, &book, &bold)?;
        self.address(&mut page, &book)?;
        self.words(&mut page, &book)?;
        self.field(&mut page, &book, &bold)?;
        let content = page.finish();
        Ok(Letter::new(
            self.serial.clone(),
            pdf(&[content], &book, &bold),
        ))
    }

    fn check(&self) -> Result<(), LetterError> {
        let of_serial =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=SERIAL).contains(&self.serial.len()) || !self.serial.bytes().all(of_serial) {
            return Err(LetterError::Serial);
        }
        for (what, found, most) in [
            ("lines of address", self.lines.len(), LINES),
            ("PINs", self.pins.len(), PINS),
            ("languages", self.languages.len(), 2),
        ] {
            if !(1..=most).contains(&found) {
                return Err(LetterError::Count { what, found, most });
            }
        }
        for pin in &self.pins {
            let fits = (4..=12).contains(&pin.digits.len());
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
                return Err(LetterError::Room { what });
            }
        }
        Ok(())
    }

    fn head(&self, page: &mut Sheet, book: &Typeface, bold: &Typeface) -> Result<(), LetterError> {
        let titles = self.languages.iter().map(|language| language.words().title);
        let titles: Vec<_> = titles.collect();
        page.text(bold, 16.0, (20.0, 25.0), &titles.join(" / "), "the title")?;
        let mut top = 50.0;
        for (label, value) in [(0, self.serial.clone()), (1, self.document.to_string())] {
            let labels = self.languages.iter().map(|language| {
                let words = language.words();
                if label == 0 {
                    words.serial
                } else {
                    words.document
                }
            });
            let labels: Vec<_> = labels.collect();
            page.text(book, 8.0, (125.0, top), &labels.join(" / "), "a label")?;
            page.text(bold, 11.0, (125.0, top + 5.0), &value, "a number")?;
            top += 14.0;
        }
        Ok(())
    }

    fn address(&self, page: &mut Sheet, book: &Typeface) -> Result<(), LetterError> {
        const SIZE: f32 = 10.5;
        const LEADING: f32 = 5.2;
        let area = ADDRESS_WINDOW.inside(4.0);
        let what = "the address";
        let mut lines = Vec::new();
        for line in self.lines.iter() {
            lines.extend(wrap(book, SIZE, points(area.width), line, what)?);
        }
        if lines.len() > LINES {
            return Err(LetterError::Room { what });
        }
        let mut top = area.top + LEADING;
        for line in &lines {
            page.text(book, SIZE, (area.left, top), line, what)?;
            top += LEADING;
        }
        Ok(())
    }

    fn words(&self, page: &mut Sheet, book: &Typeface) -> Result<(), LetterError> {
        const SIZE: f32 = 9.5;
        const LEADING: f32 = 4.6;
        const WHAT: &str = "the text";
        let mut top = 108.0;
        let transport = self.pins.iter().any(|pin| pin.must_change);
        for language in &self.languages {
            let words = language.words();
            let mut paragraphs = words.paragraphs.to_vec();
            if transport {
                paragraphs.push(words.transport);
            }
            for paragraph in paragraphs {
                for line in wrap(book, SIZE, points(170.0), paragraph, WHAT)? {
                    page.text(book, SIZE, (20.0, top), &line, WHAT)?;
                    top += LEADING;
                }
                top += 1.6;
            }
            top += 3.0;
        }
        match top < PIN_FIELD.top {
            true => Ok(()),
            false => Err(LetterError::Room { what: WHAT }),
        }
    }

    /// Prints the PINs into the field that the printer covers, and nowhere else.
    fn field(&self, page: &mut Sheet, book: &Typeface, bold: &Typeface) -> Result<(), LetterError> {
        page.frame(PIN_FIELD);
        let area = PIN_FIELD.inside(5.0);
        // Eight rows fit.
        let row = area.height / 8.0;
        let mut top = area.top + row * 0.75;
        for pin in &self.pins {
            let title = &pin.title;
            let most = points(40.0);
            if bold.width(title, 11.0) > most {
                return Err(LetterError::Room {
                    what: "a PIN's name",
                });
            }
            page.text(bold, 11.0, (area.left, top), title, "a PIN's name")?;
            page.digits(bold, 13.0, (area.left + 45.0, top), &pin.digits);
            if pin.must_change {
                let words = self
                    .languages
                    .iter()
                    .map(|language| language.words().must_change);
                let words: Vec<_> = words.collect();
                let mut note_top = top;
                for (place, word) in words.iter().enumerate() {
                    let star = if place == 0 { "* " } else { "   " };
                    let text = format!("{star}{word}");
                    page.text(book, 7.5, (area.left + 95.0, note_top), &text, "a note")?;
                    note_top += 2.9;
                }
            }
            top += row;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "../../tests/print/envelope_letter.rs"]
mod tests;
