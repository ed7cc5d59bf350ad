//! The formats, and where their fields stand.

use super::Field;
use crate::named::named;

named! {
    /// A format of the machine readable zone.
    "mrz format" enum Format {
        /// Three lines of 30: cards of the size ID-1 (*ICAO Doc 9303-5*).
        Td1 = "td1",
        /// Two lines of 36: documents of the size ID-2 (*ICAO Doc 9303-6*).
        Td2 = "td2",
        /// Two lines of 44: passports (*ICAO Doc 9303-4*).
        Td3 = "td3",
        /// Two lines of 44: visas that fill a page (*ICAO Doc 9303-7*).
        MrvA = "mrv-a",
        /// Two lines of 36: smaller visas (*ICAO Doc 9303-7*).
        MrvB = "mrv-b",
    }
}

/// Where a field stands, as the standard counts: lines and columns from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) field: Field,
    pub(super) line: usize,
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Place {
    /// Returns how many characters it has.
    pub(super) const fn len(self) -> usize {
        self.last + 1 - self.first
    }
}

const fn at(field: Field, line: usize, first: usize, last: usize) -> Place {
    Place {
        field,
        line,
        first,
        last,
    }
}

/// *ICAO Doc 9303-5 §4.2.2*.
const TD1: &[Place] = &[
    at(Field::DocumentCode, 1, 1, 2),
    at(Field::Issuer, 1, 3, 5),
    at(Field::DocumentNumber, 1, 6, 14),
    at(Field::DocumentNumberCheck, 1, 15, 15),
    at(Field::OptionalData, 1, 16, 30),
    at(Field::BirthDate, 2, 1, 6),
    at(Field::BirthDateCheck, 2, 7, 7),
    at(Field::Sex, 2, 8, 8),
    at(Field::ExpiryDate, 2, 9, 14),
    at(Field::ExpiryDateCheck, 2, 15, 15),
    at(Field::Nationality, 2, 16, 18),
    at(Field::SecondOptionalData, 2, 19, 29),
    at(Field::CompositeCheck, 2, 30, 30),
    at(Field::Names, 3, 1, 30),
];

/// Those that all formats of two lines share; the names fill line 1 to its end.
macro_rules! two_lines {
    ($width:literal; $($rest:expr),+ $(,)?) => {
        &[
            at(Field::DocumentCode, 1, 1, 2),
            at(Field::Issuer, 1, 3, 5),
            at(Field::Names, 1, 6, $width),
            at(Field::DocumentNumber, 2, 1, 9),
            at(Field::DocumentNumberCheck, 2, 10, 10),
            at(Field::Nationality, 2, 11, 13),
            at(Field::BirthDate, 2, 14, 19),
            at(Field::BirthDateCheck, 2, 20, 20),
            at(Field::Sex, 2, 21, 21),
            at(Field::ExpiryDate, 2, 22, 27),
            at(Field::ExpiryDateCheck, 2, 28, 28),
            $($rest),+
        ]
    };
}

/// *ICAO Doc 9303-6 §4.2.2*.
const TD2: &[Place] = two_lines!(36;
    at(Field::OptionalData, 2, 29, 35),
    at(Field::CompositeCheck, 2, 36, 36),
);

/// *ICAO Doc 9303-4 §4.2.2*.
const TD3: &[Place] = two_lines!(44;
    at(Field::OptionalData, 2, 29, 42),
    at(Field::OptionalDataCheck, 2, 43, 43),
    at(Field::CompositeCheck, 2, 44, 44),
);

/// *ICAO Doc 9303-7 §4.2.2*: no composite check digit.
const MRV_A: &[Place] = two_lines!(44; at(Field::OptionalData, 2, 29, 44));

/// *ICAO Doc 9303-7 §7.2.2*.
const MRV_B: &[Place] = two_lines!(36; at(Field::OptionalData, 2, 29, 36));

impl Format {
    /// Returns how many lines it has.
    #[must_use]
    pub const fn lines(self) -> usize {
        match self {
            Self::Td1 => 3,
            Self::Td2 | Self::Td3 | Self::MrvA | Self::MrvB => 2,
        }
    }

    /// Returns how many characters a line has.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::Td1 => 30,
            Self::Td2 | Self::MrvB => 36,
            Self::Td3 | Self::MrvA => 44,
        }
    }

    /// Returns the first letters that a document code may have.
    #[must_use]
    pub const fn first_letters(self) -> &'static str {
        match self {
            Self::Td1 | Self::Td2 => "ACI",
            Self::Td3 => "P",
            Self::MrvA | Self::MrvB => "V",
        }
    }

    /// Tells whether a document number of more than nine characters goes on in the optional data.
    #[must_use]
    pub const fn continues_numbers(self) -> bool {
        matches!(self, Self::Td1 | Self::Td2)
    }

    /// Returns its fields in the order of their places.
    pub(super) const fn places(self) -> &'static [Place] {
        match self {
            Self::Td1 => TD1,
            Self::Td2 => TD2,
            Self::Td3 => TD3,
            Self::MrvA => MRV_A,
            Self::MrvB => MRV_B,
        }
    }

    /// Returns where a field stands; none where the format lacks it.
    pub(super) fn place(self, field: Field) -> Option<Place> {
        let mut places = self.places().iter();
        places.find(|place| place.field == field).copied()
    }

    /// Returns where a field begins among all the characters, from 0.
    pub(super) const fn offset(self, place: Place) -> usize {
        (place.line - 1) * self.width() + place.first - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fill_every_line_without_gap_or_overlap() {
        for &format in Format::ALL {
            let mut next = 0;
            for &place in format.places() {
                assert!((1..=format.lines()).contains(&place.line));
                assert_eq!(format.offset(place), next, "{format} {}", place.field);
                next += place.len();
                assert!(place.last <= format.width());
            }
            assert_eq!(next, format.lines() * format.width(), "{format}");
        }
    }
}
