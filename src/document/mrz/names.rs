//! Names as a zone writes them (*ICAO Doc 9303-3 §4.6*).

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Transliteration;

/// Most characters of an identifier that are looked at.
const LONGEST: usize = 256;

/// Why a name cannot be written in a zone. Positions count characters from 1; the name itself is
/// not repeated, but for the one character at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameFault {
    /// No letter is left of a primary identifier.
    #[error("must hold at least one letter")]
    Empty,
    /// Longer than any name.
    #[error("must be at most {LONGEST} characters, not {found}")]
    TooLong {
        /// Characters found.
        found: usize,
    },
    /// A digit; numbers in names are written as words or Roman numerals.
    #[error("character {position} is a digit, which names in the zone cannot have")]
    Digit {
        /// Its position.
        position: usize,
    },
    /// A character that the transliteration does not know.
    #[error("character {position} ({character:?}) has no transliteration")]
    Letter {
        /// The character.
        character: char,
        /// Its position.
        position: usize,
    },
}

/// One identifier, primary or secondary, in the letters of the zone: its components in order.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
struct Identifier(Vec<String>);

/// The names of a holder in the letters of the zone: the primary identifier (surname) and the
/// secondary one (given names), which may be absent.
///
/// Personal data: `Debug` shows nothing of it, and memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Names {
    primary: Identifier,
    secondary: Identifier,
    may_be_truncated: bool,
}

impl Names {
    /// Writes a primary identifier in the letters of the zone, as yet without a secondary one.
    ///
    /// Letters are transliterated; an apostrophe falls away and joins what it stood between; a
    /// hyphen, a comma and a space divide components; other punctuation falls away.
    ///
    /// # Errors
    ///
    /// [`NameFault`] with the position of the first character at fault, or when no letter is left.
    pub fn primary_only(
        primary: &str,
        transliteration: Transliteration,
    ) -> Result<Self, NameFault> {
        let primary = Identifier::of(primary, transliteration)?;
        if primary.0.is_empty() {
            return Err(NameFault::Empty);
        }
        Ok(Self {
            primary,
            secondary: Identifier(Vec::new()),
            may_be_truncated: false,
        })
    }

    /// Adds the secondary identifier, written in the same way; one without a letter is none.
    ///
    /// # Errors
    ///
    /// [`NameFault`] with the position of the first character at fault.
    pub fn with_secondary(
        mut self,
        secondary: &str,
        transliteration: Transliteration,
    ) -> Result<Self, NameFault> {
        self.secondary = Identifier::of(secondary, transliteration)?;
        Ok(self)
    }

    /// Reads the field of a zone as far as it goes: what its faults are, the zone tells.
    pub(super) fn of_field(field: &str) -> Self {
        let (primary, secondary) = field.split_once("<<").unwrap_or((field, ""));
        let components = |text: &str| {
            let parts = text.split('<').filter(|part| !part.is_empty());
            Identifier(parts.map(str::to_owned).collect())
        };
        Self {
            primary: components(primary),
            secondary: components(secondary),
            may_be_truncated: !field.ends_with('<'),
        }
    }

    /// Returns the primary identifier with spaces between its components.
    #[must_use]
    pub fn primary(&self) -> Zeroizing<String> {
        Zeroizing::new(self.primary.0.join(" "))
    }

    /// Returns the secondary identifier with spaces between its components; empty where there is
    /// none.
    #[must_use]
    pub fn secondary(&self) -> Zeroizing<String> {
        Zeroizing::new(self.secondary.0.join(" "))
    }

    /// Tells whether names that were read may have been truncated: their field ends with a letter.
    #[must_use]
    pub const fn may_be_truncated(&self) -> bool {
        self.may_be_truncated
    }

    /// Returns the field of a zone, `width` characters.
    ///
    /// Names that fit are whole. Of others (*ICAO Doc 9303-4 and -5 §4.2.2*) the secondary
    /// identifier is cut at the end of the field. The primary one gives way only to the first
    /// letter of the secondary: three characters. The field then ends with a letter, so that the
    /// cut is seen: where a cut would fall behind a filler, the longest component before it loses
    /// a letter instead. Names of nothing but initials have none to lose; they may end with `<`.
    pub(super) fn field(&self, width: usize) -> Zeroizing<String> {
        let (primary, secondary) = (self.primary.length(), self.secondary.length());
        let mut field = Zeroizing::new(String::with_capacity(width + 1));
        if secondary == 0 {
            field.push_str(&self.primary.cut(width));
        } else {
            let is_cut = primary + 2 + secondary > width;
            let room = match is_cut {
                true => width.saturating_sub(3),
                false => primary,
            };
            let mut start = self.primary.cut(room);
            let mut rest = self.secondary.cut(width.saturating_sub(start.len() + 2));
            if is_cut && start.len() + 2 + rest.len() < width && start.len() > 1 {
                // The secondary identifier ends before the field does, or has no letter to lose:
                // the primary one loses a letter, and what follows moves up by one.
                start = self.primary.shortened().cut(room);
                rest = self.secondary.cut(width.saturating_sub(start.len() + 2));
            }
            field.push_str(&start);
            field.push_str("<<");
            field.push_str(&rest);
        }
        while field.len() < width {
            field.push('<');
        }
        field
    }
}

impl Identifier {
    fn of(text: &str, transliteration: Transliteration) -> Result<Self, NameFault> {
        let found = text.chars().count();
        if found > LONGEST {
            return Err(NameFault::TooLong { found });
        }
        let mut whole = Self(Vec::new());
        // No reallocation leaves a copy behind: four letters at most come of one.
        let mut component = Zeroizing::new(String::with_capacity(4 * found));
        for (position, character) in (1..).zip(text.chars()) {
            match character {
                ' ' | '-' | ',' => whole.end(&mut component),
                '0'..='9' => return Err(NameFault::Digit { position }),
                '\'' | '\u{2019}' | '\u{2bc}' => {}
                _ if character.is_ascii_punctuation() => {}
                _ => match transliteration.letter(character, component.is_empty()) {
                    Some(letters) => component.push_str(letters),
                    None => {
                        return Err(NameFault::Letter {
                            character,
                            position,
                        });
                    }
                },
            }
        }
        whole.end(&mut component);
        Ok(whole)
    }

    fn end(&mut self, component: &mut Zeroizing<String>) {
        if !component.is_empty() {
            self.0.push(component.as_str().to_owned());
            component.clear();
        }
    }

    /// Returns its length with one filler between components.
    fn length(&self) -> usize {
        let letters: usize = self.0.iter().map(String::len).sum();
        letters + self.0.len().saturating_sub(1)
    }

    /// Returns it in at most `width` characters. What is cut ends with a letter and fills the
    /// width, unless every component before the cut is an initial: then it is one shorter.
    fn cut(&self, width: usize) -> Zeroizing<String> {
        let mut joined = Zeroizing::new(self.0.join("<"));
        if joined.len() > width && joined.as_bytes().get(width.wrapping_sub(1)) == Some(&b'<') {
            joined = Zeroizing::new(self.shortened_within(width).0.join("<"));
        }
        let kept = joined.get(..width).unwrap_or(&joined);
        let length = kept.trim_end_matches('<').len();
        joined.truncate(length);
        joined
    }

    /// Takes a letter from the longest component; from none where all are initials.
    fn shortened(&self) -> Self {
        self.shortened_within(self.length())
    }

    /// Takes a letter from the longest of the components that end within `width` characters, the
    /// last of several.
    fn shortened_within(&self, width: usize) -> Self {
        let mut shortened = self.clone();
        let mut end = 0;
        let longest = shortened
            .0
            .iter_mut()
            .take_while(|component| {
                end += component.len();
                let is_within = end <= width;
                end += 1;
                is_within
            })
            .filter(|component| component.len() > 1)
            .max_by_key(|component| component.len());
        if let Some(component) = longest {
            component.pop();
        }
        shortened
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names(…)")
    }
}
