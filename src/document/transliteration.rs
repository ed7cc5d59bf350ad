//! Letters of the Latin and the Cyrillic script in A to Z, as machine-readable zones and chips that
//! hold seven bits write them (*ICAO Doc 9303-3 §6, tables A and B*).
//!
//! Where the tables leave a choice, the state that issues makes it once and keeps to it: a
//! [`Transliteration`] is that choice. Latvia's, the default, takes the first of every row: Å is
//! AA, Ä is AE, Ñ is N, Ö is OE, Ü is UE.

mod cyrillic;
mod latin;

use thiserror::Error;

use crate::named::named;

named! {
    /// The language by which Cyrillic letters are read. The table names these; all others are
    /// read as `general`.
    "language" enum Language {
        /// Russian, and every language that the table does not name.
        General = "general",
        /// Belarusian.
        Belarusian = "be",
        /// Bulgarian.
        Bulgarian = "bg",
        /// Macedonian.
        Macedonian = "mk",
        /// Serbian.
        Serbian = "sr",
        /// Ukrainian, which also has letters of its own at the beginning of a word.
        Ukrainian = "uk",
    }
}

/// A choice that the table does not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChoiceError {
    /// A letter that is written in one way only, or not at all.
    #[error("{letter:?} leaves no choice; the letters that do are Ä, Å, Ñ, Ö and Ü")]
    Letter {
        /// The letter.
        letter: char,
    },
    /// The table does not have this for the letter.
    #[error("{letter:?} may be written as {}", .allowed.join(", "))]
    Writing {
        /// The letter.
        letter: char,
        /// What the table has.
        allowed: &'static [&'static str],
    },
}

/// How letters are written in A to Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transliteration {
    language: Language,
    /// For each letter of [`latin::CHOICES`], which of its writings.
    choices: [u8; latin::CHOICES.len()],
}

impl Transliteration {
    /// Latvia's: the first of every row, Cyrillic as in general.
    pub const LATVIAN: Self = Self {
        language: Language::General,
        choices: [0; latin::CHOICES.len()],
    };

    /// Reads Cyrillic letters by this language.
    #[must_use]
    pub const fn with_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// Chooses how a letter, in either case, is written where the table leaves a choice: `('Ü', "UXX")`.
    ///
    /// # Errors
    ///
    /// [`ChoiceError`] where it leaves none, or not this one.
    pub fn with_letter(mut self, letter: char, writing: &str) -> Result<Self, ChoiceError> {
        let mut rows = latin::CHOICES.iter().zip(&mut self.choices);
        let found = rows.find(|((known, _), _)| Some(*known) == capital(letter));
        let Some(((_, allowed), choice)) = found else {
            return Err(ChoiceError::Letter { letter });
        };
        let place = allowed.iter().position(|&known| known == writing);
        match place.and_then(|place| u8::try_from(place).ok()) {
            Some(place) => *choice = place,
            None => return Err(ChoiceError::Writing { letter, allowed }),
        }
        Ok(self)
    }

    /// Returns the language by which Cyrillic letters are read.
    #[must_use]
    pub const fn language(self) -> Language {
        self.language
    }

    /// Returns what a letter in either case becomes: up to four letters of A to Z, none for the
    /// soft sign. `begins_word` tells whether no letter stands before it in its word.
    ///
    /// Nothing where neither table has it.
    #[must_use]
    pub fn letter(self, letter: char, begins_word: bool) -> Option<&'static str> {
        let letter = capital(letter)?;
        let chosen = latin::CHOICES.iter().zip(self.choices);
        for ((known, writings), choice) in chosen {
            if *known == letter {
                return writings.get(usize::from(choice)).copied();
            }
        }
        latin::letter(letter).or_else(|| cyrillic::letter(letter, self.language, begins_word))
    }
}

impl Default for Transliteration {
    fn default() -> Self {
        Self::LATVIAN
    }
}

/// Returns the capital of a letter; of `ß` the capital that Unicode added later, since its usual
/// one is two letters. Nothing where there is no single one.
fn capital(letter: char) -> Option<char> {
    if letter == 'ß' {
        return Some('ẞ');
    }
    let mut capitals = letter.to_uppercase();
    capitals.next().filter(|_| capitals.next().is_none())
}

/// Returns a text of the Latin script in capitals without marks, by Latvia's choice: `BĒRZIŅŠ`
/// becomes `BERZINS`. What is ASCII stays. Nothing where a letter is of another script.
#[must_use]
pub fn transliterate(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            plain.push(character.to_ascii_uppercase());
        } else {
            let letter = capital(character)?;
            let chosen = latin::CHOICES.iter().find(|(known, _)| *known == letter);
            let first = chosen.and_then(|(_, writings)| writings.first().copied());
            plain.push_str(first.or_else(|| latin::letter(letter))?);
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests;
