//! The Latvian personal code, old style and new.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Weights of the old style's check digit, for its first ten digits.
const WEIGHTS: [u32; 10] = [10, 5, 8, 4, 2, 1, 6, 3, 7, 9];

/// Why a text is no personal code. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PersonalCodeError {
    /// Not six digits, a hyphen and five digits.
    #[error("personal code must be six digits, a hyphen and five digits")]
    Form,
    /// The seventh digit of an old-style code names no century.
    #[error(
        "the seventh digit of a personal code with a birth date must be 0, 1 or 2 (18xx, 19xx, 20xx)"
    )]
    Century,
    /// The first six digits are neither a date nor the start of a new-style code.
    #[error("personal code must begin with a date DDMMYY, or with 32 to 39")]
    Date,
}

/// A personal code: `DDMMYY-CNNNN`, or since 1 July 2017 eleven digits that
/// begin with 3 and 2 to 9 and otherwise say nothing.
///
/// In the old style `C` is the century: 0 for 18xx, 1 for 19xx, 2 for 20xx. The
/// authority's own specimen of 2012 (121282-88882) has an 8 there, which is
/// nobody's century: such a code is a *specimen*, never a person's.
/// The two styles cannot be mistaken for each other: no month has a 32nd day.
///
/// Parsing does not demand the check digit, for no public source of the
/// authority states its rule; [`PersonalCode::check_digit_valid`] judges it, and an
/// [`Application`](crate::Application) must satisfy it: a code that does not is far more likely
/// mistyped than genuine, and a refusal can be cleared up at the register.
///
/// Personal data: `Debug` prints a placeholder, and memory is wiped on drop.
#[derive(
    Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Zeroize, ZeroizeOnDrop, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct PersonalCode([u8; 11]);

impl PersonalCode {
    /// Reads a code, with its hyphen or without.
    ///
    /// # Errors
    ///
    /// [`PersonalCodeError`] when the form, the century or the date is wrong.
    pub fn parse(text: &str) -> Result<Self, PersonalCodeError> {
        let bytes = text.as_bytes();
        let (first, last) = match bytes.len() {
            12 if bytes.get(6) == Some(&b'-') => (bytes.get(..6), bytes.get(7..)),
            11 => (bytes.get(..6), bytes.get(6..)),
            _ => return Err(PersonalCodeError::Form),
        };
        let mut digits = [0_u8; 11];
        let source = first.into_iter().chain(last).flatten();
        for (digit, &byte) in digits.iter_mut().zip(source) {
            if !byte.is_ascii_digit() {
                return Err(PersonalCodeError::Form);
            }
            *digit = byte - b'0';
        }
        let code = Self(digits);
        match code.century() {
            _ if code.is_new_style() => {}
            Some(century) => {
                code.date_in(century)?;
            }
            // Of a specimen only day, month and the year's last digits can be judged.
            None if code.is_specimen() => {
                code.date_in(1900).or_else(|_| code.date_in(2000))?;
            }
            None => return Err(PersonalCodeError::Century),
        }
        Ok(code)
    }

    /// Tells whether this is a code without a birth date, as given since 1 July 2017.
    #[must_use]
    pub fn is_new_style(&self) -> bool {
        let [first, second, ..] = self.0;
        first == 3 && second >= 2
    }

    /// Tells whether this is a specimen's code, which belongs to nobody. An
    /// installation for production accepts none.
    #[must_use]
    pub fn is_specimen(&self) -> bool {
        let [.., century, _, _, _, _] = self.0;
        !self.is_new_style() && century == 8
    }

    /// Returns the birth date that an old-style code carries; none in the new
    /// style, nor of a specimen, whose century is unknown.
    #[must_use]
    pub fn birth_date(&self) -> Option<Date> {
        self.century()
            .and_then(|century| self.date_in(century).ok())
    }

    /// Tells whether a holder with this code may have been born on `birth_date`:
    /// always in the new style, on the same date in the old, on the same date but
    /// for the century in a specimen.
    #[must_use]
    pub fn agrees_with(&self, birth_date: Date) -> bool {
        let century = birth_date.year().div_euclid(100) * 100;
        self.is_new_style()
            || (self.is_specimen() || self.century() == Some(century))
                && self.date_in(century) == Ok(birth_date)
    }

    /// Judges the check digit of an old-style code; none in the new style, which has no check.
    ///
    /// The last digit is `((1 + Σ wᵢ·dᵢ) mod 11) mod 10` over the first ten digits,
    /// with the weights 10, 5, 8, 4, 2, 1, 6, 3, 7, 9.
    #[must_use]
    pub fn check_digit_valid(&self) -> Option<bool> {
        if self.is_new_style() {
            return None;
        }
        let [first_ten @ .., last] = self.0;
        Some(check_digit(&first_ten) == u32::from(last))
    }

    /// Returns the eleven digits without the hyphen.
    #[must_use]
    pub fn digits(&self) -> String {
        self.0
            .iter()
            .map(|digit| char::from(b'0' + digit))
            .collect()
    }

    /// Returns the first year of the century that an old-style code names.
    fn century(&self) -> Option<i16> {
        let [.., century, _, _, _, _] = self.0;
        (century <= 2 && !self.is_new_style()).then(|| 1800 + i16::from(century) * 100)
    }

    fn date_in(&self, century: i16) -> Result<Date, PersonalCodeError> {
        let [d1, d2, m1, m2, y1, y2, ..] = self.0;
        let two = |tens: u8, ones: u8| i8::try_from(tens * 10 + ones).unwrap_or(i8::MAX);
        Date::new(century + i16::from(two(y1, y2)), two(m1, m2), two(d1, d2))
            .map_err(|_| PersonalCodeError::Date)
    }
}

fn check_digit(first_ten: &[u8; 10]) -> u32 {
    let sum: u32 = WEIGHTS
        .iter()
        .zip(first_ten)
        .map(|(w, d)| w * u32::from(*d))
        .sum();
    (1 + sum) % 11 % 10
}

impl fmt::Display for PersonalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        let (first, last) = digits.split_at(6);
        write!(f, "{first}-{last}")
    }
}

impl fmt::Debug for PersonalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalCode(…)")
    }
}

impl FromStr for PersonalCode {
    type Err = PersonalCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PersonalCode {
    type Error = PersonalCodeError;

    fn try_from(mut text: String) -> Result<Self, Self::Error> {
        let code = Self::parse(&text);
        text.zeroize();
        code
    }
}

impl From<PersonalCode> for String {
    fn from(code: PersonalCode) -> Self {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn specimen_of_the_2012_card_holds_and_is_nobodys() {
        let code = PersonalCode::parse("121282-88882").unwrap();
        assert_eq!(code.check_digit_valid(), Some(true));
        assert!(code.is_specimen());
        assert_eq!(code.birth_date(), None);
        // The specimen card's MRZ gives 821212 as the birth date.
        assert!(code.agrees_with(date(1982, 12, 12)));
        assert!(!code.agrees_with(date(1982, 12, 11)));
        assert!(!PersonalCode::parse("121282-18882").unwrap().is_specimen());
        assert!(!PersonalCode::parse("321282-88882").unwrap().is_specimen());
    }

    #[derive(Deserialize)]
    struct Vectors {
        codes: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        code: String,
        birth_date: Option<Date>,
        check_digit: Option<bool>,
    }

    #[test]
    fn python_stdnum_agrees_on_check_digits_and_birth_dates() {
        let text = include_str!("../../tests/vectors/names/personal-codes.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert!(vectors.codes.len() >= 40);
        for vector in vectors.codes {
            let code = PersonalCode::parse(&vector.code).unwrap();
            assert_eq!(code.birth_date(), vector.birth_date, "{}", vector.code);
            assert_eq!(
                code.check_digit_valid(),
                vector.check_digit,
                "{}",
                vector.code
            );
        }
    }

    #[test]
    fn century_digit_places_the_year() {
        let born = |text: &str| PersonalCode::parse(text).unwrap().birth_date();
        assert_eq!(born("010199-00000"), Some(date(1899, 1, 1)));
        assert_eq!(born("010199-10000"), Some(date(1999, 1, 1)));
        assert_eq!(born("290200-20000"), Some(date(2000, 2, 29)));
        let code = PersonalCode::parse("010199-10000").unwrap();
        assert!(code.agrees_with(date(1999, 1, 1)));
        assert!(!code.agrees_with(date(1899, 1, 1)));
        assert!(
            PersonalCode::parse("329999-10000")
                .unwrap()
                .agrees_with(date(1899, 1, 1))
        );
    }

    #[test]
    fn new_style_has_neither_date_nor_check_digit() {
        for text in ["320000-00000", "399999-99999", "32845612345"] {
            let code = PersonalCode::parse(text).unwrap();
            assert!(code.is_new_style());
            assert_eq!(code.birth_date(), None);
            assert_eq!(code.check_digit_valid(), None);
        }
    }

    #[test]
    fn what_is_neither_style_is_refused() {
        use PersonalCodeError::{Century, Date, Form};
        for (text, error) in [
            ("", Form),
            ("120190 12345", Form),
            ("120190-1234", Form),
            ("120190-123456", Form),
            ("12019O-12345", Form),
            ("1201901-2345", Form),
            ("12019۰-1234", Form),
            ("120190-32345", Century),
            ("120190-72345", Century),
            ("320290_12345", Form),
            ("310290-82345", Date),
            ("310290-12345", Date),
            ("000190-12345", Date),
            ("121390-12345", Date),
            ("290200-12345", Date),
        ] {
            assert_eq!(PersonalCode::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn debug_and_errors_never_show_the_code() {
        let code = PersonalCode::parse("32845612345").unwrap();
        assert_eq!(format!("{code:?}"), "PersonalCode(…)");
        let error = serde_json::from_str::<PersonalCode>("\"310290-12345\"").unwrap_err();
        assert!(!error.to_string().contains("310290"));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_panic(text in "\\PC{0,14}") {
            let _ = PersonalCode::parse(&text);
        }

        #[test]
        fn hyphenated_form_is_read_back(text in "(0[1-9]|1[0-9]|2[0-8])(0[1-9]|1[0-2])[0-9]{2}-[0-2][0-9]{4}|3[2-9][0-9]{4}-[0-9]{5}") {
            let code = PersonalCode::parse(&text).unwrap();
            prop_assert_eq!(code.to_string(), text.clone());
            prop_assert_eq!(PersonalCode::parse(&code.digits()).unwrap(), code.clone());
            let json = serde_json::to_string(&code).unwrap();
            prop_assert_eq!(&json, &format!("\"{text}\""));
            prop_assert_eq!(serde_json::from_str::<PersonalCode>(&json).unwrap(), code);
        }

        #[test]
        fn one_wrong_digit_among_the_first_ten_is_caught_or_leaves_a_known_alias(
            digits in prop::array::uniform10(0_u8..10), at in 0_usize..10, by in 1_u8..10,
        ) {
            // Remainders 0 and 10 share the digit 0, so the rule catches all but that pair.
            let mut wrong = digits;
            wrong[at] = (wrong[at] + by) % 10;
            if check_digit(&digits) != 0 {
                prop_assert_ne!(check_digit(&digits), check_digit(&wrong));
            }
        }
    }
}
