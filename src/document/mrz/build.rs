//! Builds a zone from its parts.

use thiserror::Error;
use zeroize::Zeroizing;

use super::check_digit::check_digit;
use super::{Fault, Field, Format, Mrz, NameFault, Names, ZoneDate};
use crate::Sex;
use crate::named::named;

/// Characters of the document number's own field.
const NUMBER: usize = 9;

named! {
    /// What stands in the check digit of optional data that are not used: the state's choice
    /// (*ICAO Doc 9303-4 §4.2.2*).
    "unused check digit" enum UnusedCheck {
        /// `<`.
        Filler = "filler",
        /// `0`.
        Zero = "zero",
    }
}

/// What a zone is built from. Fillers are added, check digits computed.
///
/// In numbers and optional data a space and a hyphen become `<`.
#[derive(Clone)]
pub struct Parts<'a> {
    /// The format.
    pub format: Format,
    /// The document code, one letter or two.
    pub code: &'a str,
    /// The state or organization that issues, one to three letters.
    pub issuer: &'a str,
    /// The names of the holder.
    pub names: &'a Names,
    /// The document number: at most 9 characters, but 22 in a TD1 and 14 in a TD2, whose optional
    /// data hold the rest.
    pub number: &'a str,
    /// The nationality of the holder, one to three letters.
    pub nationality: &'a str,
    /// The date of birth.
    pub birth_date: ZoneDate,
    /// The sex of the holder.
    pub sex: Sex,
    /// The date of expiry, known in every part.
    pub expiry_date: ZoneDate,
    /// Optional data: of line 1 in a TD1; the personal number in a TD3.
    pub optional_data: &'a str,
    /// Optional data of line 2 in a TD1; empty in other formats.
    pub second_optional_data: &'a str,
    /// The check digit of a TD3's optional data where there are none.
    pub unused_check: UnusedCheck,
}

/// Why no zone can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The primary identifier cannot be written.
    #[error("surname: {0}")]
    Primary(#[source] NameFault),
    /// The secondary identifier cannot be written.
    #[error("given names: {0}")]
    Secondary(#[source] NameFault),
    /// A value has more characters than its field.
    #[error("{}: {found} characters, but only {room} fit", .field.title())]
    TooLong {
        /// The field.
        field: Field,
        /// Characters found.
        found: usize,
        /// Characters that fit.
        room: usize,
    },
    /// A value holds a character that its field cannot.
    #[error(
        "{}: character {position} is not allowed; expected capital letters, digits, space and hyphen",
        .field.title()
    )]
    Character {
        /// The field.
        field: Field,
        /// Position of the character, from 1.
        position: usize,
    },
    /// What was built is no sound zone.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Mrz {
    /// Builds a zone. The same parts always give the same characters.
    ///
    /// # Errors
    ///
    /// [`BuildError`] with the field at fault: what it cannot hold, or what [`Mrz::parse`] would
    /// refuse in it.
    pub fn build(parts: &Parts<'_>) -> Result<Self, BuildError> {
        let format = parts.format;
        let mut zone = Builder::new(format);
        zone.put(Field::DocumentCode, parts.code)?;
        zone.put(Field::Issuer, parts.issuer)?;
        zone.put(Field::Nationality, parts.nationality)?;
        zone.put_number(parts.number, parts.optional_data)?;
        zone.put(Field::BirthDate, parts.birth_date.as_str())?;
        zone.put(Field::ExpiryDate, parts.expiry_date.as_str())?;
        let sex = match parts.sex {
            Sex::Female => "F",
            Sex::Male => "M",
            Sex::Unspecified => "<",
        };
        zone.put(Field::Sex, sex)?;
        zone.put(Field::SecondOptionalData, parts.second_optional_data)?;
        if let Some(place) = format.place(Field::Names) {
            zone.put(Field::Names, &parts.names.field(place.len()))?;
        }
        zone.check(Field::BirthDate);
        zone.check(Field::ExpiryDate);
        if !parts.optional_data.is_empty() || parts.unused_check == UnusedCheck::Zero {
            zone.check(Field::OptionalData);
        }
        let zone = zone.finish();
        match zone.faults().first() {
            Some(&fault) => Err(fault.into()),
            None => Ok(zone),
        }
    }
}

/// A zone that is being filled.
struct Builder {
    format: Format,
    characters: Zeroizing<Vec<u8>>,
}

impl Builder {
    fn new(format: Format) -> Self {
        Self {
            format,
            characters: Zeroizing::new(vec![b'<'; format.lines() * format.width()]),
        }
    }

    fn slice(&mut self, field: Field) -> &mut [u8] {
        let Some(place) = self.format.place(field) else {
            return &mut [];
        };
        let offset = self.format.offset(place);
        let range = offset..offset + place.len();
        self.characters.get_mut(range).unwrap_or_default()
    }

    /// Writes a value at the beginning of its field.
    fn put(&mut self, field: Field, value: &str) -> Result<(), BuildError> {
        let found = value.chars().count();
        let slots = self.slice(field);
        if found > slots.len() {
            return Err(BuildError::TooLong {
                field,
                found,
                room: slots.len(),
            });
        }
        for ((slot, character), position) in slots.iter_mut().zip(value.chars()).zip(1..) {
            *slot = match character {
                ' ' | '-' => b'<',
                'A'..='Z' | '0'..='9' | '<' => u8::try_from(character).unwrap_or(b'<'),
                _ => return Err(BuildError::Character { field, position }),
            };
        }
        Ok(())
    }

    /// Writes the number with its check digit, and the optional data behind its rest.
    fn put_number(&mut self, number: &str, optional: &str) -> Result<(), BuildError> {
        let continued = match number.char_indices().nth(NUMBER) {
            Some((cut, _)) if self.format.continues_numbers() => number.split_at_checked(cut),
            _ => None,
        };
        let Some((start, rest)) = continued else {
            self.put(Field::DocumentNumber, number)?;
            self.check(Field::DocumentNumber);
            return self.put(Field::OptionalData, optional);
        };
        // The rest ends at its first filler, and so can hold none.
        for (position, character) in (NUMBER + 1..).zip(rest.chars()) {
            if !character.is_ascii_uppercase() && !character.is_ascii_digit() {
                let field = Field::DocumentNumber;
                return Err(BuildError::Character { field, position });
            }
        }
        // Its check digit and a filler follow the rest.
        let room = self.slice(Field::OptionalData).len().saturating_sub(2);
        if rest.len() > room {
            return Err(BuildError::TooLong {
                field: Field::DocumentNumber,
                found: number.chars().count(),
                room: NUMBER + room,
            });
        }
        if optional.chars().count() > room - rest.len() {
            return Err(BuildError::TooLong {
                field: Field::OptionalData,
                found: optional.chars().count(),
                room: room - rest.len(),
            });
        }
        self.put(Field::DocumentNumber, start)?;
        let mut whole = Zeroizing::new(Vec::with_capacity(NUMBER + rest.len()));
        whole.extend_from_slice(self.slice(Field::DocumentNumber));
        whole.extend_from_slice(rest.as_bytes());
        let mut data = Zeroizing::new(String::with_capacity(rest.len() + 2 + optional.len()));
        data.push_str(rest);
        data.push(char::from(check_digit(&whole)));
        data.push('<');
        data.push_str(optional);
        self.put(Field::OptionalData, &data)
    }

    /// Writes the check digit of a field, where the format has one.
    fn check(&mut self, field: Field) {
        let digit = check_digit(self.slice(field));
        if let Some(check) = field.check() {
            self.slice(check).fill(digit);
        }
    }

    /// Writes the composite check digit.
    fn finish(self) -> Mrz {
        let text = |characters: &[u8]| {
            Zeroizing::new(characters.iter().copied().map(char::from).collect())
        };
        let mut whole = Self {
            format: self.format,
            characters: self.characters.clone(),
        };
        let zone = Mrz::new(self.format, text(&self.characters));
        whole.slice(Field::CompositeCheck).fill(zone.composite());
        Mrz::new(self.format, text(&whole.characters))
    }
}
