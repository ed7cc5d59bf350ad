//! Names of people, as the visual zone prints them.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest surname in characters, spaces included (Cabinet Regulation 134, 2.1.1).
pub const SURNAME_LIMIT: usize = 32;

/// Longest given names in characters, spaces included (Cabinet Regulation 134, 2.1.2).
pub const GIVEN_NAMES_LIMIT: usize = 36;

/// Why a text is no name. Positions count characters from 1; the text itself is
/// not repeated, but for the one character at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing, or no letter at all.
    #[error("must hold at least one letter")]
    Empty,
    /// More characters than the document has room for.
    #[error("must be at most {limit} characters with spaces, not {found}")]
    TooLong {
        /// Most characters allowed.
        limit: usize,
        /// Characters found.
        found: usize,
    },
    /// A letter and its diacritic are two characters: the text is not in NFC.
    #[error(
        "the diacritic at character {position} stands apart from its letter; send Unicode NFC, one character per letter"
    )]
    NotComposed {
        /// Position of the combining mark.
        position: usize,
    },
    /// A character that no name has, or that the MRZ could not carry.
    #[error(
        "character {position} ({character:?}) is not allowed; expected Latin letters, hyphen, apostrophe (') and space"
    )]
    Character {
        /// The character.
        character: char,
        /// Its position.
        position: usize,
    },
    /// A space or hyphen at an end, or beside another one.
    #[error("the space, hyphen or apostrophe at character {position} must stand between letters")]
    Separator {
        /// Position of the separator.
        position: usize,
    },
}

/// Tells whether a letter may stand in a name: A to Z, and the Latin letters for
/// which *ICAO Doc 9303-3 §6* has a transliteration, in either case. All Latvian
/// letters are among them.
#[must_use]
pub const fn is_name_letter(character: char) -> bool {
    match character {
        'A'..='Z' | 'a'..='z' | 'ẞ' => true,
        '×' | '÷' | 'ĸ' | 'ŉ' => false,
        'À'..='ž' => true,
        _ => false,
    }
}

/// Judges characters, separators and length of a name or place. `also` names
/// characters that are allowed wherever a letter is.
pub(crate) fn check(text: &str, limit: usize, also: &str) -> Result<(), NameError> {
    let found = text.chars().count();
    let mut letters = 0;
    let mut previous = ' ';
    for (position, character) in (1..).zip(text.chars()) {
        match character {
            _ if is_name_letter(character) => letters += 1,
            _ if also.contains(character) => {}
            '\u{300}'..='\u{36f}' => return Err(NameError::NotComposed { position }),
            // A name may begin with an apostrophe ('t Hart), and end with one.
            '\'' if previous != '\'' => {}
            ' ' | '-' if position < found && !matches!(previous, ' ' | '-') => {}
            ' ' | '-' | '\'' => return Err(NameError::Separator { position }),
            _ => {
                return Err(NameError::Character {
                    character,
                    position,
                });
            }
        }
        previous = character;
    }
    if letters == 0 {
        return Err(NameError::Empty);
    }
    if found > limit {
        return Err(NameError::TooLong { limit, found });
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$meta:meta])* $name:ident, $limit:expr, $also:literal) => {
        $(#[$meta])*
        ///
        /// Personal data: `Debug` prints a placeholder, and memory is wiped on drop.
        #[derive(Clone, PartialEq, Eq, Hash, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads it as it stands; nothing is trimmed, folded or composed.
            ///
            /// # Errors
            ///
            /// [`NameError`] with the position of the first character at fault.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                $crate::name::check(text, $limit, $also).map(|()| Self(text.to_owned()))
            }

            /// Returns the text as it was read.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the text in capitals, as documents and certificates print it.
            /// It may be longer: `ß` becomes `SS`.
            #[must_use]
            pub fn upper(&self) -> String {
                self.0.to_uppercase()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(mut text: String) -> Result<Self, Self::Error> {
                let name = Self::parse(&text);
                zeroize::Zeroize::zeroize(&mut text);
                name
            }
        }

        impl From<$name> for String {
            fn from(mut name: $name) -> Self {
                std::mem::take(&mut name.0)
            }
        }
    };
}

pub(crate) use name_type;

name_type! {
    /// A surname of at most [`SURNAME_LIMIT`] characters.
    Surname, SURNAME_LIMIT, ""
}

name_type! {
    /// Given names, separated by spaces, of at most [`GIVEN_NAMES_LIMIT`] characters.
    GivenNames, GIVEN_NAMES_LIMIT, ""
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Deserialize)]
    struct Table {
        letters: Vec<Row>,
    }

    #[derive(Deserialize)]
    struct Row {
        letter: char,
        small: Vec<char>,
    }

    #[test]
    fn letters_are_exactly_those_of_doc_9303() {
        let text = include_str!("../../tests/vectors/names/letters.json");
        let table: Table = serde_json::from_str(text).unwrap();
        let expected: BTreeSet<char> = table
            .letters
            .into_iter()
            .flat_map(|row| row.small.into_iter().chain([row.letter]))
            .collect();
        let accepted: BTreeSet<char> = ('\u{80}'..=char::MAX)
            .filter(|&character| is_name_letter(character))
            .collect();
        assert_eq!(accepted, expected);
    }

    #[test]
    fn names_as_people_have_them_are_accepted() {
        for name in [
            "Izdomāts",
            "ĀČĒĢĪĶĻŅŠŪŽ āčēģīķļņšūž",
            "Ozoliņa-Neīstā",
            "O'Paraugs",
            "'t Hart",
            "Ŗŗ Ōō",
            "Größe",
            "X",
        ] {
            assert_eq!(Surname::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn faults_are_precise() {
        use NameError::{Character, Empty, NotComposed, Separator, TooLong};
        for (name, error) in [
            ("", Empty),
            ("'", Empty),
            (" Anna", Separator { position: 1 }),
            ("Anna ", Separator { position: 5 }),
            ("Anna  Marta", Separator { position: 6 }),
            ("Anna- Marta", Separator { position: 6 }),
            ("-Anna", Separator { position: 1 }),
            ("Anna-", Separator { position: 5 }),
            ("O''Anna", Separator { position: 3 }),
            ("A\u{304}boliņa", NotComposed { position: 2 }),
            (
                "O\u{2019}Anna",
                Character {
                    character: '\u{2019}',
                    position: 2,
                },
            ),
            (
                "Anna2",
                Character {
                    character: '2',
                    position: 5,
                },
            ),
            (
                "Анна",
                Character {
                    character: 'А',
                    position: 1,
                },
            ),
            (
                "An\u{a0}na",
                Character {
                    character: '\u{a0}',
                    position: 3,
                },
            ),
            (
                "Anna\n",
                Character {
                    character: '\n',
                    position: 5,
                },
            ),
            (
                "A×B",
                Character {
                    character: '×',
                    position: 2,
                },
            ),
        ] {
            assert_eq!(Surname::parse(name), Err(error), "{name:?}");
        }
        assert_eq!(
            Surname::parse(&"ā".repeat(33)),
            Err(TooLong {
                limit: 32,
                found: 33
            })
        );
        assert!(Surname::parse(&"ā".repeat(32)).is_ok());
        assert_eq!(
            GivenNames::parse(&"ā".repeat(37)),
            Err(TooLong {
                limit: 36,
                found: 37
            })
        );
        assert!(GivenNames::parse(&"ā".repeat(36)).is_ok());
    }

    #[test]
    fn debug_shows_no_name() {
        assert_eq!(
            format!("{:?}", Surname::parse("Izdomāts").unwrap()),
            "Surname(…)"
        );
        assert_eq!(
            format!("{:?}", GivenNames::parse("Anna").unwrap()),
            "GivenNames(…)"
        );
    }

    #[test]
    fn capitals_keep_every_latvian_diacritic() {
        assert_eq!(
            Surname::parse("āčēģīķļņšūž").unwrap().upper(),
            "ĀČĒĢĪĶĻŅŠŪŽ"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_a_fault(text in "\\PC{0,40}") {
            if let Ok(name) = Surname::parse(&text) {
                let json = serde_json::to_string(&name).unwrap();
                prop_assert_eq!(serde_json::from_str::<Surname>(&json).unwrap(), name);
            }
        }
    }
}
