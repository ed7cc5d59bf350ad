use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Tables {
    latin: Vec<Latin>,
    cyrillic: Vec<Cyrillic>,
}

#[derive(Deserialize)]
struct Latin {
    letter: char,
    small: Vec<char>,
    mrz: Vec<String>,
}

#[derive(Deserialize)]
struct Cyrillic {
    letter: char,
    small: char,
    mrz: String,
    by_language: BTreeMap<String, String>,
    begins_ukrainian_word: Option<String>,
}

fn tables() -> Tables {
    let text = include_str!("../../../tests/vectors/mrz/transliteration.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_latin_letter_is_written_in_each_way_that_the_table_has() {
    let latin = tables().latin;
    assert_eq!(latin.len(), 95);
    for row in latin {
        for &letter in row.small.iter().chain([&row.letter]) {
            let first = Transliteration::LATVIAN.letter(letter, true);
            assert_eq!(first, Some(row.mrz[0].as_str()), "{letter}");
            assert_eq!(transliterate(&letter.to_string()).as_ref(), row.mrz.first());
        }
        for writing in &row.mrz {
            let chosen = Transliteration::LATVIAN.with_letter(row.letter, writing);
            if row.mrz.len() == 1 {
                let letter = row.letter;
                assert_eq!(chosen, Err(ChoiceError::Letter { letter }));
            } else {
                assert_eq!(
                    chosen.unwrap().letter(row.letter, false),
                    Some(&writing[..])
                );
            }
        }
    }
    for letter in 'A'..='Z' {
        let plain = Transliteration::LATVIAN.letter(letter, false);
        assert_eq!(plain, Some(letter.to_string().as_str()));
    }
}

#[test]
fn every_cyrillic_letter_is_written_by_language() {
    let cyrillic = tables().cyrillic;
    assert_eq!(cyrillic.len(), 48);
    for row in cyrillic {
        for &language in Language::ALL {
            let writing = Transliteration::LATVIAN.with_language(language);
            let within = row.by_language.get(language.name()).unwrap_or(&row.mrz);
            let begins = match (&row.begins_ukrainian_word, language) {
                (Some(begins), Language::Ukrainian) => begins,
                _ => within,
            };
            for letter in [row.letter, row.small] {
                assert_eq!(
                    writing.letter(letter, false),
                    Some(within.as_str()),
                    "{letter}"
                );
                assert_eq!(
                    writing.letter(letter, true),
                    Some(begins.as_str()),
                    "{letter}"
                );
            }
        }
    }
}

#[test]
fn rows_beside_the_printed_table() {
    let of = |language| Transliteration::LATVIAN.with_language(language);
    assert_eq!(of(Language::Macedonian).letter('ѓ', false), Some("GJ"));
    assert_eq!(of(Language::General).letter('Ѓ', false), Some("G"));
    assert_eq!(of(Language::Serbian).letter('ћ', false), Some("C"));
    assert_eq!(of(Language::General).letter('ь', false), Some(""));
}

#[test]
fn other_scripts_and_marks_have_none() {
    for letter in ['α', 'א', '1', '-', '\u{304}', 'ŉ', 'Ț', '×'] {
        assert_eq!(
            Transliteration::LATVIAN.letter(letter, true),
            None,
            "{letter}"
        );
    }
}

#[test]
fn a_choice_is_of_the_table() {
    let writing = Transliteration::LATVIAN.with_letter('ü', "UXX").unwrap();
    assert_eq!(writing.letter('ü', false), Some("UXX"));
    assert_eq!(writing.letter('Ö', false), Some("OE"));
    let refused = Transliteration::LATVIAN.with_letter('Ü', "Y").unwrap_err();
    assert_eq!(refused.to_string(), "'Ü' may be written as UE, UXX, U");
}

#[test]
fn every_latvian_letter_loses_its_mark() {
    assert_eq!(transliterate("āčēģīķļņšūž").as_deref(), Some("ACEGIKLNSUZ"));
    assert_eq!(transliterate("Straße").as_deref(), Some("STRASSE"));
    assert_eq!(
        transliterate("O'Neill-Łukasz Æble").as_deref(),
        Some("O'NEILL-LUKASZ AEBLE")
    );
    assert_eq!(transliterate("Иван"), None);
}
