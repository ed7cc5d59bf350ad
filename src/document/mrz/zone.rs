//! A machine readable zone and what it says.

use std::fmt;

use zeroize::Zeroizing;

use super::{Field, Format, MrzInformation, Names, ZoneDate};
use crate::{Nationality, Sex};

/// A machine readable zone: the characters of a [`Format`].
///
/// Personal data: `Debug` shows the format only, and memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Mrz {
    format: Format,
    /// All lines, one after another: ASCII, as many as the format has.
    text: Zeroizing<String>,
}

/// A document number as a zone carries it.
pub(super) struct Number<'a> {
    /// The nine characters of its own field.
    pub(super) start: &'a str,
    /// What follows them at the beginning of the optional data, without the check digit.
    pub(super) rest: &'a str,
    /// Its check digit, wherever that stands.
    pub(super) check: &'a str,
}

impl Mrz {
    /// Takes characters that have the form of the format.
    pub(super) const fn new(format: Format, text: Zeroizing<String>) -> Self {
        Self { format, text }
    }

    /// Returns the format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let width = self.format.width();
        (0..self.format.lines()).map(move |line| {
            let range = line * width..(line + 1) * width;
            self.text.get(range).unwrap_or_default()
        })
    }

    /// Returns all characters without line breaks, as DG1 carries them in its object 5F1F
    /// (*ICAO Doc 9303-10 §4.7.1*): 90 bytes of a TD1, 72 of a TD2, 88 of a TD3.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns a field with its fillers; nothing where the format lacks it.
    #[must_use]
    pub fn field(&self, field: Field) -> &str {
        let place = self.format.place(field);
        place.map_or("", |place| {
            let offset = self.format.offset(place);
            let range = offset..offset + place.len();
            self.text.get(range).unwrap_or_default()
        })
    }

    fn filled(&self, field: Field) -> &str {
        self.field(field).trim_end_matches('<')
    }

    /// Returns the document code, one letter or two.
    #[must_use]
    pub fn document_code(&self) -> &str {
        self.filled(Field::DocumentCode)
    }

    /// Returns the code of the issuing state or organization, without fillers; Germany's is `D`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.filled(Field::Issuer)
    }

    /// Returns the code of the nationality, without fillers; Germany's is `D`.
    #[must_use]
    pub fn nationality_code(&self) -> &str {
        self.filled(Field::Nationality)
    }

    /// Returns the nationality where its code is a person's: neither a specimen's `UTO` nor an
    /// organization's.
    #[must_use]
    pub fn nationality(&self) -> Option<Nationality> {
        match self.nationality_code() {
            "D" => Nationality::parse("DEU").ok(),
            code => Nationality::parse(code).ok(),
        }
    }

    /// Returns the whole document number without trailing fillers, also where a part of it stands
    /// in the optional data.
    #[must_use]
    pub fn document_number(&self) -> Zeroizing<String> {
        let number = self.number();
        let mut whole = Zeroizing::new(String::with_capacity(32));
        whole.push_str(number.start);
        whole.push_str(number.rest);
        let length = whole.trim_end_matches('<').len();
        whole.truncate(length);
        whole
    }

    /// Returns the names.
    #[must_use]
    pub fn names(&self) -> Names {
        Names::of_field(self.field(Field::Names))
    }

    /// Returns the date of birth; none where it is faulty.
    #[must_use]
    pub fn birth_date(&self) -> Option<ZoneDate> {
        ZoneDate::parse(self.field(Field::BirthDate)).ok()
    }

    /// Returns the date of expiry; none where it is faulty.
    #[must_use]
    pub fn expiry_date(&self) -> Option<ZoneDate> {
        ZoneDate::parse(self.field(Field::ExpiryDate)).ok()
    }

    /// Returns the sex; none where it is faulty.
    #[must_use]
    pub fn sex(&self) -> Option<Sex> {
        match self.field(Field::Sex) {
            "F" => Some(Sex::Female),
            "M" => Some(Sex::Male),
            "<" => Some(Sex::Unspecified),
            _ => None,
        }
    }

    /// Returns the optional data without trailing fillers and without the rest of a long document
    /// number: of line 1 in a TD1, the personal number in a TD3.
    #[must_use]
    pub fn optional_data(&self) -> &str {
        let data = self.field(Field::OptionalData);
        let number = self.number();
        let data = match number.rest.len() {
            0 => data,
            // The rest, its check digit and a filler.
            rest => data.get(rest + 2..).unwrap_or_default(),
        };
        data.trim_end_matches('<')
    }

    /// Returns the optional data of line 2 in a TD1, without trailing fillers.
    #[must_use]
    pub fn second_optional_data(&self) -> &str {
        self.filled(Field::SecondOptionalData)
    }

    /// Returns what the keys of BAC and PACE are derived from: number, date of birth and date of
    /// expiry, each with its check digit, as they are printed.
    #[must_use]
    pub fn mrz_information(&self) -> MrzInformation {
        let number = self.number();
        MrzInformation::joined(&[
            number.start,
            number.rest,
            number.check,
            self.field(Field::BirthDate),
            self.field(Field::BirthDateCheck),
            self.field(Field::ExpiryDate),
            self.field(Field::ExpiryDateCheck),
        ])
    }

    /// Returns the fields in which two zones differ, all where their formats do.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Field> {
        let fields = self.format.places().iter().map(|place| place.field);
        fields
            .filter(|&field| self.format != other.format || self.field(field) != other.field(field))
            .collect()
    }

    /// Returns the number in its parts. A number of more than nine characters has `<` for a check
    /// digit, and its rest with the check digit at the beginning of the optional data
    /// (*ICAO Doc 9303-5 §4.2.2, note j*).
    pub(super) fn number(&self) -> Number<'_> {
        let start = self.field(Field::DocumentNumber);
        let check = self.field(Field::DocumentNumberCheck);
        let short = Number {
            start,
            rest: "",
            check,
        };
        if !self.format.continues_numbers() || check != "<" {
            return short;
        }
        let data = self.field(Field::OptionalData);
        let continued = data.split('<').next().unwrap_or_default();
        match continued.split_at_checked(continued.len().saturating_sub(1)) {
            Some((rest, check)) if !rest.is_empty() => Number { start, rest, check },
            _ => short,
        }
    }
}

impl fmt::Debug for Mrz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mrz({}, …)", self.format)
    }
}

/// The lines with a line feed between them, and none after the last.
impl fmt::Display for Mrz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(line)?;
        }
        Ok(())
    }
}
