use serde::Deserialize;

use super::{format, names_of};
use crate::mrz::{Field, NameFault, Names};
use crate::{Language, Transliteration};

#[derive(Deserialize)]
struct NameVectors {
    examples: Vec<NameExample>,
}

#[derive(Deserialize)]
struct NameExample {
    format: String,
    viz: String,
    field: String,
}

/// Tells whether a field shows names by the rules: components in order, each by its first
/// letters, primary ones all before `<<`, and a letter at the end if anything is cut.
pub(super) fn shows(field: &str, names: &Names) -> bool {
    let read = Names::of_field(field);
    let is_beginning = |shown: &str, whole: &str| {
        let shown: Vec<&str> = shown.split(' ').filter(|part| !part.is_empty()).collect();
        let whole: Vec<&str> = whole.split(' ').filter(|part| !part.is_empty()).collect();
        shown.len() <= whole.len()
            && shown
                .iter()
                .zip(&whole)
                .all(|(shown, whole)| whole.starts_with(shown))
    };
    let is_whole = read.primary() == names.primary() && read.secondary() == names.secondary();
    is_beginning(&read.primary(), &names.primary())
        && is_beginning(&read.secondary(), &names.secondary())
        && read.secondary().is_empty() == names.secondary().is_empty()
        && (is_whole || read.may_be_truncated())
}

#[test]
fn published_names_are_read_and_written() {
    let text = include_str!("../../../../tests/vectors/mrz/names.json");
    let examples = serde_json::from_str::<NameVectors>(text).unwrap().examples;
    assert_eq!(examples.len(), 59);
    let mut whole = 0;
    for example in examples {
        let (primary, secondary) = example.viz.split_once(", ").unwrap_or((&example.viz, ""));
        let names = names_of(primary, secondary);
        assert!(shows(&example.field, &names), "{}", example.field);
        let width = example.field.len();
        assert_eq!(
            Some(width),
            format(&example.format).place(Field::Names).map(|p| p.len())
        );
        let own = names.field(width);
        assert_eq!(own.len(), width);
        assert!(shows(&own, &names), "{}", *own);
        let needed = names.primary().len() + 2 + names.secondary().len();
        if names.secondary().is_empty() || needed <= width {
            assert_eq!(*own, example.field);
            whole += 1;
        }
    }
    assert!(whole > 30, "{whole} are not truncated");
}

#[test]
fn names_are_cut_as_little_as_the_rules_allow() {
    for (surname, given_names, field) in [
        // Cut at the end, in the middle of a component.
        (
            "Nilavadhanananda",
            "Chayapa Dejthamrong Krasuang",
            "NILAVADHANANANDA<<CHAYAPA<DEJT",
        ),
        // The cut falls behind a filler: the longest component before it gives a letter.
        (
            "Kļaviņš-Bērzkalns",
            "Aleksandrs Jo",
            "KLAVINS<BERZKALNS<<ALEKSANDR<J",
        ),
        // The surname gives way to one letter of the given names.
        (
            "Neiedomājamiizdomātsuzvārdsgarš",
            "Anna",
            "NEIEDOMAJAMIIZDOMATSUZVARDS<<A",
        ),
        (
            "Bezvārdaizdomātiesgaraisuz-Vārdsons",
            "B",
            "BEZVARDAIZDOMATIESGARAISU<V<<B",
        ),
        // One identifier alone takes the whole field.
        (
            "Neiedomājami Izdomāts Uzvārds Garš",
            "",
            "NEIEDOMAJAM<IZDOMATS<UZVARDS<G",
        ),
    ] {
        let own = names_of(surname, given_names).field(30);
        let filled = own.trim_end_matches('<');
        assert_eq!(filled, field, "{surname}");
    }
}

#[test]
fn punctuation_falls_away_or_divides() {
    for (name, written) in [
        ("D'Artagnan", "DARTAGNAN"),
        ("D\u{2019}Artagnan", "DARTAGNAN"),
        ("Marie-Elise", "MARIE ELISE"),
        ("Anna, Maria", "ANNA MARIA"),
        ("St. Clair", "ST CLAIR"),
        ("  Anna  ", "ANNA"),
        ("Größe", "GROESSE"),
        ("Иванов", "IVANOV"),
    ] {
        assert_eq!(*names_of(name, "").primary(), written);
    }
    let ukrainian = Transliteration::LATVIAN.with_language(Language::Ukrainian);
    let names = Names::primary_only("Ющенко-Їжакевич", ukrainian).unwrap();
    assert_eq!(*names.primary(), "YUSHCHENKO YIZHAKEVYCH");
    for (name, fault) in [
        ("", NameFault::Empty),
        ("-'-", NameFault::Empty),
        ("Anna2", NameFault::Digit { position: 5 }),
        (
            "Αννα",
            NameFault::Letter {
                character: 'Α',
                position: 1,
            },
        ),
    ] {
        assert_eq!(
            Names::primary_only(name, Transliteration::LATVIAN),
            Err(fault)
        );
    }
    let long = "a".repeat(257);
    assert_eq!(
        Names::primary_only(&long, Transliteration::LATVIAN),
        Err(NameFault::TooLong { found: 257 })
    );
}
