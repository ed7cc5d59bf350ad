//! What is wrong with a zone's content.

use super::check_digit::{check_digit, over};
use super::format::Place;
use super::{Check, Fault, Field, Mrz, Wrong, ZoneDate};

/// A fault within a field: the characters before it, and what is wrong.
type Slip = (usize, Wrong);

impl Mrz {
    /// Returns everything that the standard does not allow, in the order of the places; of each
    /// field the first fault.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let places = self.format().places().iter();
        places.filter_map(|&place| self.fault(place)).collect()
    }

    /// Returns every check digit with its verdict, in the order of the places.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let places = self.format().places().iter();
        places
            .filter_map(|&place| {
                self.check_slip(place.field).map(|slip| Check {
                    field: place.field,
                    fits: slip.is_none(),
                })
            })
            .collect()
    }

    fn fault(&self, place: Place) -> Option<Fault> {
        let text = self.field(place.field);
        let (before, wrong) = match place.field {
            Field::DocumentCode => self.code(text),
            Field::Issuer | Field::Nationality => state(text),
            Field::Names => names(text),
            Field::DocumentNumber => text.starts_with('<').then_some((0, Wrong::NumberStart)),
            Field::BirthDate => date(text),
            Field::ExpiryDate => date(text).or_else(|| {
                let unknown = text.find('<');
                unknown.map(|before| (before, Wrong::UnknownExpiry))
            }),
            Field::Sex => (!matches!(text, "F" | "M" | "<")).then_some((0, Wrong::Sex)),
            Field::OptionalData | Field::SecondOptionalData => None,
            Field::DocumentNumberCheck => {
                return self.check_slip(place.field)?.map(|wrong| {
                    let rest = self.number().rest.len();
                    // The check digit of a longer number stands behind its rest.
                    match self.format().place(Field::OptionalData) {
                        Some(data) if rest > 0 => Fault {
                            field: place.field,
                            ..at(data, rest, wrong)
                        },
                        _ => at(place, 0, wrong),
                    }
                });
            }
            Field::OptionalDataCheck
            | Field::BirthDateCheck
            | Field::ExpiryDateCheck
            | Field::CompositeCheck => self.check_slip(place.field)?.map(|wrong| (0, wrong)),
        }?;
        Some(at(place, before, wrong))
    }

    fn code(&self, text: &str) -> Option<Slip> {
        let expected = self.format().first_letters();
        let mut letters = text.chars();
        let (first, second) = (letters.next()?, letters.next()?);
        if !expected.contains(first) {
            return Some((0, Wrong::CodeLetter { expected }));
        }
        match second {
            'V' if self.format().continues_numbers() => Some((1, Wrong::CodeReserved)),
            'I' if first == 'A' => Some((1, Wrong::CodeReserved)),
            'A'..='Z' | '<' => None,
            _ => Some((1, Wrong::LetterOrFiller)),
        }
    }

    /// Judges a check digit: nothing where the field is none, or this format lacks it.
    fn check_slip(&self, field: Field) -> Option<Option<Wrong>> {
        let found = self.field(field).bytes().next()?;
        let expected = match field {
            Field::DocumentNumberCheck => {
                let number = self.number();
                let digits = number.start.bytes().chain(number.rest.bytes());
                let expected = over(digits);
                let data = self.field(Field::OptionalData);
                // What stands where the number should go on has a rest, a digit and a filler.
                let is_continued =
                    self.format().continues_numbers() && found == b'<' && !data.starts_with('<');
                let check = number.check.bytes().next()?;
                let is_whole = !number.rest.is_empty() && check.is_ascii_digit();
                return Some(if is_continued && !(is_whole && data.contains('<')) {
                    Some(Wrong::NumberRest)
                } else if check != expected {
                    Some(Wrong::CheckDigit { expected })
                } else {
                    None
                });
            }
            Field::OptionalDataCheck => {
                let data = self.field(Field::OptionalData);
                if data.bytes().all(|character| character == b'<') {
                    return Some((!matches!(found, b'0' | b'<')).then_some(Wrong::UnusedCheck));
                }
                check_digit(data.as_bytes())
            }
            Field::BirthDateCheck => check_digit(self.field(Field::BirthDate).as_bytes()),
            Field::ExpiryDateCheck => check_digit(self.field(Field::ExpiryDate).as_bytes()),
            Field::CompositeCheck => self.composite(),
            _ => return None,
        };
        Some((found != expected).then_some(Wrong::CheckDigit { expected }))
    }

    /// Returns the composite check digit that fits.
    pub(super) fn composite(&self) -> u8 {
        let places = self.format().places().iter();
        let covered = places.filter(|place| place.field.is_covered());
        over(covered.flat_map(|place| self.field(place.field).bytes()))
    }
}

const fn at(place: Place, before: usize, wrong: Wrong) -> Fault {
    Fault {
        line: place.line,
        column: place.first + before,
        field: place.field,
        wrong,
    }
}

/// One to three letters, then fillers.
fn state(text: &str) -> Option<Slip> {
    if !text.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Some((0, Wrong::Letter));
    }
    ended(text, text.find('<'), Wrong::Filler)
}

fn date(text: &str) -> Option<Slip> {
    let error = ZoneDate::parse(text).err()?;
    Some((error.position() - 1, Wrong::Date(error)))
}

/// Letters and fillers that begin with a letter; one `<<` divides primary and secondary
/// identifier, one `<` the components (*ICAO Doc 9303-3 §4.6*).
fn names(text: &str) -> Option<Slip> {
    if !text.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Some((0, Wrong::Letter));
    }
    let filled = text.trim_end_matches('<');
    if filled.contains("<<<") {
        return ended(text, text.find("<<<"), Wrong::NameSeparator);
    }
    let second = filled.match_indices("<<").nth(1).map(|(before, _)| before);
    ended(text, second, Wrong::NameSeparator)
}

/// Tells of the first digit, or of the first character after `end` that is no filler.
fn ended(text: &str, end: Option<usize>, wrong: Wrong) -> Option<Slip> {
    for (before, character) in text.bytes().enumerate() {
        if character.is_ascii_digit() {
            return Some((before, Wrong::LetterOrFiller));
        }
        if character != b'<' && end.is_some_and(|end| before > end) {
            return Some((before, wrong));
        }
    }
    None
}
