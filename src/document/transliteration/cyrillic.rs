//! The Cyrillic letters (*ICAO Doc 9303-3 §6, table B*).
//!
//! Three rows are not in the printed table, for it has their letters wrongly or not at all:
//! - `Ѓ` and `Ћ`, whose shapes it prints beside the code points of `Ғ` and `Һ`, are written as
//!   those are;
//! - the soft sign `Ь`, which it leaves out, is left out.

use super::Language;
use super::Language::{Belarusian, Bulgarian, Macedonian, Serbian, Ukrainian};

/// A capital and what it becomes.
struct Row {
    letter: char,
    becomes: &'static str,
    /// In these languages it becomes something else.
    except: &'static [(Language, &'static str)],
    /// At the beginning of a Ukrainian word, where that differs.
    begins: Option<&'static str>,
}

const fn row(letter: char, becomes: &'static str) -> Row {
    Row {
        letter,
        becomes,
        except: &[],
        begins: None,
    }
}

impl Row {
    const fn except(self, except: &'static [(Language, &'static str)]) -> Self {
        Self { except, ..self }
    }

    const fn begins(self, begins: &'static str) -> Self {
        Self {
            begins: Some(begins),
            ..self
        }
    }
}

/// The rows by code point.
const LETTERS: &[Row] = &[
    row('Ё', "E").except(&[(Belarusian, "IO")]),
    row('Ђ', "D"),
    row('Ѓ', "G").except(&[(Macedonian, "GJ")]),
    row('Є', "IE").begins("YE"),
    row('Ѕ', "DZ"),
    row('І', "I"),
    row('Ї', "I").begins("YI"),
    row('Ј', "J"),
    row('Љ', "LJ"),
    row('Њ', "NJ"),
    row('Ћ', "C"),
    row('Ќ', "K").except(&[(Macedonian, "KJ")]),
    row('Ў', "U"),
    row('Џ', "DZ").except(&[(Macedonian, "DJ")]),
    row('А', "A"),
    row('Б', "B"),
    row('В', "V"),
    row('Г', "G").except(&[(Belarusian, "H"), (Serbian, "H"), (Ukrainian, "H")]),
    row('Д', "D"),
    row('Е', "E"),
    row('Ж', "ZH").except(&[(Serbian, "Z")]),
    row('З', "Z"),
    row('И', "I").except(&[(Ukrainian, "Y")]),
    row('Й', "I").begins("Y"),
    row('К', "K"),
    row('Л', "L"),
    row('М', "M"),
    row('Н', "N"),
    row('О', "O"),
    row('П', "P"),
    row('Р', "R"),
    row('С', "S"),
    row('Т', "T"),
    row('У', "U"),
    row('Ф', "F"),
    row('Х', "KH").except(&[(Macedonian, "H"), (Serbian, "H")]),
    row('Ц', "TS").except(&[(Macedonian, "C"), (Serbian, "C")]),
    row('Ч', "CH").except(&[(Serbian, "C")]),
    row('Ш', "SH").except(&[(Serbian, "S")]),
    row('Щ', "SHCH").except(&[(Bulgarian, "SHT")]),
    row('Ъ', "IE"),
    row('Ы', "Y"),
    row('Ь', ""),
    row('Э', "E"),
    row('Ю', "IU").begins("YU"),
    row('Я', "IA").begins("YA"),
    row('Ѫ', "U"),
    row('Ѵ', "Y"),
    row('Ґ', "G"),
    row('Ғ', "G").except(&[(Macedonian, "GJ")]),
    row('Һ', "C"),
];

/// Returns what a capital becomes in a language; nothing where the table lacks it.
pub(super) fn letter(capital: char, language: Language, begins_word: bool) -> Option<&'static str> {
    let found = LETTERS.binary_search_by_key(&capital, |row| row.letter);
    let row = LETTERS.get(found.ok()?)?;
    let begins = row.begins.filter(|_| begins_word && language == Ukrainian);
    let mut except = row.except.iter();
    let except = except.find(|(known, _)| *known == language);
    begins
        .or(except.map(|(_, becomes)| *becomes))
        .or(Some(row.becomes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(LETTERS.is_sorted_by(|a, b| a.letter < b.letter));
    }
}
