use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::civil::date;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{Kind, Nationality, Record, Sex, Transliteration};

/// The Latvian specimen of 2012.
const SPECIMEN: &str = "\
I<LVAPA99929216121282<88882<<<
8212122M1703054LVA<<<<<<<<<<<0
PARAUDZINS<<ANDRIS<<<<<<<<<<<<";

const PASSPORT: &str = "\
P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<
L898902C36UTO7408122F1204159ZE184226B<<<<<10";

fn names_of(surname: &str, given_names: &str) -> Names {
    Names::primary_only(surname, Transliteration::LATVIAN)
        .unwrap()
        .with_secondary(given_names, Transliteration::LATVIAN)
        .unwrap()
}

/// Builds a zone from what a sound one says.
fn rebuilt(zone: &Mrz) -> Mrz {
    let unused_check = match zone.field(Field::OptionalDataCheck) {
        "0" => UnusedCheck::Zero,
        _ => UnusedCheck::Filler,
    };
    Mrz::build(&Parts {
        format: zone.format(),
        code: zone.document_code(),
        issuer: zone.issuer(),
        names: &zone.names(),
        number: &zone.document_number(),
        nationality: zone.nationality_code(),
        birth_date: zone.birth_date().unwrap(),
        sex: zone.sex().unwrap(),
        expiry_date: zone.expiry_date().unwrap(),
        optional_data: zone.optional_data(),
        second_optional_data: zone.second_optional_data(),
        unused_check,
    })
    .unwrap()
}

#[derive(Deserialize)]
struct Vectors {
    check_digits: Vec<Digit>,
    documents: Vec<Document>,
}

#[derive(Deserialize)]
struct Digit {
    format: Option<String>,
    input: Option<String>,
    line1: Option<String>,
    line2_1_29: Option<String>,
    line2_1_35: Option<String>,
    line2_1_43: Option<String>,
    composite_input: Option<String>,
    check_digit: char,
}

#[derive(Deserialize)]
struct Document {
    format: String,
    lines: Vec<String>,
    document_number: String,
    document_number_check: char,
    birth: String,
    sex: String,
    expiry: String,
    nationality: String,
    issuer: String,
    names: String,
    primary: String,
    secondary: String,
    composite: Option<String>,
    optional: Option<String>,
    optional_check: Option<String>,
    mrz_information: Option<String>,
}

fn vectors() -> Vectors {
    let text = include_str!("../../../tests/vectors/mrz/documents.json");
    serde_json::from_str(text).unwrap()
}

fn format(name: &str) -> Format {
    name.to_lowercase().parse().unwrap()
}

#[test]
fn published_check_digits_come_out() {
    let mut composites = 0;
    for row in vectors().check_digits {
        let expected = u8::try_from(row.check_digit).unwrap();
        let Some(input) = row.input else {
            let input = row.composite_input.unwrap();
            assert_eq!(check_digit(input.as_bytes()), expected);
            let name = "TEST<<TEST";
            let text = match format(&row.format.unwrap()) {
                Format::Td1 => format!(
                    "{}\n{}{}\n{name:<<30}",
                    row.line1.unwrap(),
                    row.line2_1_29.unwrap(),
                    row.check_digit
                ),
                Format::Td2 => format!(
                    "I<YTO{name:<<31}\n{}{}",
                    row.line2_1_35.unwrap(),
                    row.check_digit
                ),
                _ => format!(
                    "P<YTO{name:<<39}\n{}{}",
                    row.line2_1_43.unwrap(),
                    row.check_digit
                ),
            };
            let zone = Mrz::read(&text).unwrap();
            assert_eq!(zone.composite(), expected);
            assert!(zone.checks().contains(&Check {
                field: Field::CompositeCheck,
                fits: true
            }));
            composites += 1;
            continue;
        };
        assert_eq!(check_digit(input.as_bytes()), expected, "{input}");
    }
    assert_eq!(composites, 3);
}

#[test]
fn published_documents_are_read_and_rebuilt() {
    let documents = vectors().documents;
    assert_eq!(documents.len(), 9);
    for row in documents {
        let zone = Mrz::parse(&row.lines.join("\n")).unwrap();
        assert_eq!(zone, Mrz::parse(&row.lines.concat()).unwrap());
        assert_eq!(zone.format(), format(&row.format));
        assert_eq!(zone.as_bytes(), row.lines.concat().as_bytes());
        assert_eq!(*zone.document_number(), row.document_number);
        assert_eq!(zone.number().check, row.document_number_check.to_string());
        assert_eq!(zone.birth_date().unwrap().to_string(), row.birth);
        assert_eq!(zone.expiry_date().unwrap().to_string(), row.expiry);
        assert_eq!(zone.field(Field::Sex), row.sex);
        assert_eq!(zone.field(Field::Nationality), row.nationality);
        assert_eq!(zone.field(Field::Issuer), row.issuer);
        assert_eq!(zone.field(Field::Names), row.names);
        assert_eq!(*zone.names().primary(), row.primary);
        assert_eq!(*zone.names().secondary(), row.secondary);
        assert_eq!(
            zone.field(Field::CompositeCheck),
            row.composite.unwrap_or_default()
        );
        if let Some(optional) = row.optional {
            assert_eq!(zone.field(Field::OptionalData), optional);
        }
        if let Some(check) = row.optional_check {
            assert_eq!(zone.field(Field::OptionalDataCheck), check);
        }
        if let Some(information) = row.mrz_information {
            assert_eq!(zone.information().as_bytes(), information.as_bytes());
            let typed = MrzInformation::of(
                &row.document_number,
                zone.birth_date().unwrap(),
                zone.expiry_date().unwrap(),
            );
            assert_eq!(typed, Ok(zone.information()));
        }
        assert_eq!(rebuilt(&zone).to_string(), row.lines.join("\n"));
    }
}

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
fn shows(field: &str, names: &Names) -> bool {
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
    let text = include_str!("../../../tests/vectors/mrz/names.json");
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
    let ukrainian = Transliteration::LATVIAN.with_language(crate::Language::Ukrainian);
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

fn record(kind: Kind, nationality: &str) -> Record {
    let json = format!(
        r#"{{"number":"PA9992921","kind":"{kind}","issued":"2012-03-06","expires":"2017-03-05",
        "holder":{{"surname":"Paraudziņš","given_names":"Andris","personal_code":"121282-88882",
        "birth_date":"1982-12-12","sex":"M","nationality":"{nationality}"}},"certificates":false}}"#
    );
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_latvian_specimen_comes_out_of_its_record() {
    let record = record(Kind::IdCard, "LVA");
    let zone = Mrz::of(&record, &Conventions::of(Kind::IdCard).unwrap()).unwrap();
    assert_eq!(zone.to_string(), SPECIMEN);
    assert_eq!(zone.optional_data(), "121282<88882");
    assert_eq!(zone.nationality(), Some(Nationality::LATVIA));
    assert_eq!(zone.sex(), Some(Sex::Male));
    let birth = zone.birth_date().unwrap().birth_by(date(2026, 11, 22));
    assert_eq!(birth, Some(date(1982, 12, 12)));
}

#[test]
fn a_passport_has_the_personal_code_where_its_profile_says() {
    let record = record(Kind::Passport, "LVA");
    let mut conventions = Conventions::of(Kind::Passport).unwrap();
    let zone = Mrz::of(&record, &conventions).unwrap();
    let lines: Vec<&str> = zone.lines().collect();
    // Composed by hand from the specimen's fields; 4 and 6 computed by weights 7, 3, 1 on paper.
    assert_eq!(lines[0], "P<LVAPARAUDZINS<<ANDRIS<<<<<<<<<<<<<<<<<<<<<");
    assert!(lines[1].starts_with("PA99929216LVA8212122M1703054121282<88882<<"));
    conventions.personal_code = PersonalCodePlace::Nowhere;
    "PP".clone_into(&mut conventions.code);
    let zone = Mrz::of(&record, &conventions).unwrap();
    assert_eq!(zone.document_code(), "PP");
    assert_eq!(zone.field(Field::OptionalData), "<<<<<<<<<<<<<<");
    assert_eq!(zone.field(Field::OptionalDataCheck), "<");
    conventions.unused_check = UnusedCheck::Zero;
    let zone = Mrz::of(&record, &conventions).unwrap();
    assert_eq!(zone.field(Field::OptionalDataCheck), "0");
    conventions.personal_code = PersonalCodePlace::SecondOptionalData;
    assert_eq!(
        Mrz::of(&record, &conventions),
        Err(BuildError::TooLong {
            field: Field::SecondOptionalData,
            found: 12,
            room: 0
        })
    );
}

#[test]
fn every_kind_with_a_zone_has_one_and_no_other() {
    for &kind in Kind::ALL {
        let Some(conventions) = Conventions::of(kind) else {
            assert_eq!(kind.mrz(), None);
            continue;
        };
        let nationality = ["LVA", "XXA", "XXB"]
            .into_iter()
            .find(|code| kind.admits(Nationality::parse(code).unwrap()))
            .unwrap();
        let record = record(kind, nationality);
        for code in kind.document_codes() {
            let conventions = Conventions {
                code: (*code).to_owned(),
                ..conventions.clone()
            };
            let zone = Mrz::of(&record, &conventions).unwrap();
            assert_eq!(zone.document_code(), *code);
            assert_eq!(zone.nationality_code(), nationality);
            assert_eq!(Mrz::parse(&zone.to_string()), Ok(zone));
        }
    }
}

#[test]
fn parts_that_do_not_fit_are_named() {
    let names = names_of("Eriksson", "Anna");
    let parts = Parts {
        format: Format::Td1,
        code: "I",
        issuer: "UTO",
        names: &names,
        number: "D23145890",
        nationality: "UTO",
        birth_date: ZoneDate::parse("7408<<").unwrap(),
        sex: Sex::Unspecified,
        expiry_date: ZoneDate::parse("120415").unwrap(),
        optional_data: "",
        second_optional_data: "",
        unused_check: UnusedCheck::Filler,
    };
    assert_eq!(
        Mrz::build(&parts).unwrap().field(Field::BirthDate),
        "7408<<"
    );
    for (changed, message) in [
        (
            Parts {
                code: "IDX",
                ..parts.clone()
            },
            "document code: 3 characters, but only 2 fit",
        ),
        (
            Parts {
                code: "P",
                ..parts.clone()
            },
            "line 1, column 1, document code: expected one of ACI",
        ),
        (
            Parts {
                code: "IV",
                ..parts.clone()
            },
            "line 1, column 2, document code: expected a letter other than V, and other than I after A, or <",
        ),
        (
            Parts {
                issuer: "",
                ..parts.clone()
            },
            "line 1, column 3, issuing state: expected a letter",
        ),
        (
            Parts {
                number: "",
                ..parts.clone()
            },
            "line 1, column 6, document number: expected a letter or a digit",
        ),
        (
            Parts {
                number: "d2",
                ..parts.clone()
            },
            "document number: character 1 is not allowed; expected capital letters, digits, space and hyphen",
        ),
        (
            Parts {
                number: "ABCDEFGHI<1",
                ..parts.clone()
            },
            "document number: character 10 is not allowed; expected capital letters, digits, space and hyphen",
        ),
        (
            Parts {
                number: "ABCDEFGHIJKLMNOPQRSTUVW",
                ..parts.clone()
            },
            "document number: 23 characters, but only 22 fit",
        ),
        (
            Parts {
                number: "ABCDEFGHIJKLMNOPQRSTU",
                optional_data: "12",
                ..parts.clone()
            },
            "optional data: 2 characters, but only 1 fit",
        ),
        (
            Parts {
                optional_data: "ā",
                ..parts.clone()
            },
            "optional data: character 1 is not allowed; expected capital letters, digits, space and hyphen",
        ),
        (
            Parts {
                expiry_date: parts.birth_date,
                ..parts.clone()
            },
            "line 2, column 13, date of expiry: expected a digit: the date of expiry is known in every part",
        ),
        (
            Parts {
                format: Format::Td3,
                code: "P",
                number: "D231458907",
                ..parts.clone()
            },
            "document number: 10 characters, but only 9 fit",
        ),
    ] {
        assert_eq!(Mrz::build(&changed).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_lenient_reader_sees_the_zone_and_each_fault() {
    // Name, sex and three check digits of a foreign document.
    let text = PASSPORT
        .replace("F1204159", "X1204158")
        .replace("<<<10", "<<<21");
    let zone = Mrz::read(&text).unwrap();
    let faults: Vec<String> = zone.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "line 2, column 21, sex: expected F, M or <",
            "line 2, column 28, check digit of the date of expiry: expected 9",
            "line 2, column 43, check digit of the optional data: expected 1",
            "line 2, column 44, composite check digit: expected 0",
        ]
    );
    assert_eq!(*zone.names().primary(), "ERIKSSON");
    assert_eq!(zone.sex(), None);
    let verdicts: Vec<(Field, bool)> = zone.checks().iter().map(|c| (c.field, c.fits)).collect();
    assert_eq!(
        verdicts,
        [
            (Field::DocumentNumberCheck, true),
            (Field::BirthDateCheck, true),
            (Field::ExpiryDateCheck, false),
            (Field::OptionalDataCheck, false),
            (Field::CompositeCheck, false),
        ]
    );
    let sound = Mrz::parse(PASSPORT).unwrap();
    assert_eq!(
        zone.differences(&sound),
        [
            Field::Sex,
            Field::ExpiryDateCheck,
            Field::OptionalDataCheck,
            Field::CompositeCheck
        ]
    );
    assert_eq!(sound.differences(&sound), []);
}

#[test]
fn nothing_personal_is_shown() {
    let zone = Mrz::parse(PASSPORT).unwrap();
    assert_eq!(format!("{zone:?}"), "Mrz(td3, …)");
    assert_eq!(format!("{:?}", zone.names()), "Names(…)");
    assert_eq!(format!("{:?}", zone.information()), "MrzInformation(…)");
}

/// Every file of the malformed corpus and the fault that it is named for.
const MALFORMED: &[(&str, &str)] = &[
    (
        "empty",
        "0 line(s), the first of 0 characters; expected 3 lines of 30 (TD1), 2 of 36 (TD2) or 2 of 44 (TD3)",
    ),
    (
        "far-too-long",
        "a machine readable zone has at most 90 characters; this text has 300 bytes",
    ),
    (
        "one-line",
        "1 line(s), the first of 44 characters; expected 3 lines of 30 (TD1), 2 of 36 (TD2) or 2 of 44 (TD3)",
    ),
    (
        "four-lines",
        "4 line(s), the first of 30 characters; expected 3 lines of 30 (TD1), 2 of 36 (TD2) or 2 of 44 (TD3)",
    ),
    ("line-too-short", "line 2 has 43 characters; expected 44"),
    ("line-too-long", "line 3 has 31 characters; expected 30"),
    (
        "small-letter",
        "line 1, column 19: 'a'; expected A to Z, 0 to 9 or <",
    ),
    (
        "space",
        "line 1, column 20: ' '; expected A to Z, 0 to 9 or <",
    ),
    (
        "letter-with-mark",
        "line 1, column 24: 'Ī'; expected A to Z, 0 to 9 or <",
    ),
    (
        "document-code-of-another-format",
        "line 1, column 1, document code: expected one of P",
    ),
    (
        "document-code-second-digit",
        "line 1, column 2, document code: expected a letter or <",
    ),
    (
        "document-code-reserved",
        "line 1, column 2, document code: expected a letter other than V, and other than I after A, or <",
    ),
    (
        "issuer-empty",
        "line 1, column 3, issuing state: expected a letter",
    ),
    (
        "issuer-digit",
        "line 1, column 5, issuing state: expected a letter or <",
    ),
    (
        "issuer-gap",
        "line 1, column 5, issuing state: expected < to the end of the field",
    ),
    (
        "nationality-digit",
        "line 2, column 11, nationality: expected a letter",
    ),
    ("names-empty", "line 1, column 6, names: expected a letter"),
    (
        "names-begin-with-filler",
        "line 1, column 6, names: expected a letter",
    ),
    (
        "names-digit",
        "line 1, column 12, names: expected a letter or <",
    ),
    (
        "names-three-fillers",
        "line 1, column 17, names: expected < to the end: one << divides the names, one < their parts",
    ),
    (
        "names-divided-twice",
        "line 1, column 22, names: expected < to the end: one << divides the names, one < their parts",
    ),
    (
        "number-empty",
        "line 2, column 1, document number: expected a letter or a digit",
    ),
    (
        "number-check-digit",
        "line 2, column 10, check digit of the document number: expected 6",
    ),
    (
        "number-check-digit-letter",
        "line 2, column 10, check digit of the document number: expected 6",
    ),
    (
        "number-long-in-td3",
        "line 2, column 10, check digit of the document number: expected 6",
    ),
    (
        "number-rest-missing",
        "line 1, column 15, check digit of the document number: expected 7",
    ),
    (
        "number-rest-too-short",
        "line 1, column 15, check digit of the document number: expected the rest of the number, its check digit and <",
    ),
    (
        "number-rest-without-check-digit",
        "line 1, column 19, check digit of the document number: expected the rest of the number, its check digit and <",
    ),
    (
        "number-rest-check-digit",
        "line 1, column 19, check digit of the document number: expected 9",
    ),
    (
        "number-rest-without-filler",
        "line 1, column 30, check digit of the document number: expected the rest of the number, its check digit and <",
    ),
    (
        "birth-date-month",
        "line 2, column 16, date of birth: expected a month, 01 to 12",
    ),
    (
        "birth-date-day",
        "line 2, column 18, date of birth: expected a day that the month has",
    ),
    (
        "birth-date-half-unknown",
        "line 2, column 15, date of birth: expected two digits, or << for a part that is unknown",
    ),
    (
        "birth-date-letter",
        "line 2, column 16, date of birth: expected two digits, or << for a part that is unknown",
    ),
    (
        "birth-date-check-digit",
        "line 2, column 20, check digit of the date of birth: expected 2",
    ),
    ("sex-x", "line 2, column 21, sex: expected F, M or <"),
    (
        "expiry-date-unknown",
        "line 2, column 26, date of expiry: expected a digit: the date of expiry is known in every part",
    ),
    (
        "expiry-date-no-leap-year",
        "line 2, column 26, date of expiry: expected a day that the month has",
    ),
    (
        "expiry-date-check-digit",
        "line 2, column 28, check digit of the date of expiry: expected 9",
    ),
    (
        "optional-data-check-digit",
        "line 2, column 43, check digit of the optional data: expected 1",
    ),
    (
        "optional-data-check-digit-filler",
        "line 2, column 43, check digit of the optional data: expected 1",
    ),
    (
        "optional-data-unused-check-digit",
        "line 2, column 43, check digit of the optional data: expected 0 or <, as the field that it checks is empty",
    ),
    (
        "composite-check-digit",
        "line 2, column 44, composite check digit: expected 0",
    ),
    (
        "composite-check-digit-of-a-card",
        "line 2, column 30, composite check digit: expected 6",
    ),
];

#[test]
fn every_malformed_zone_is_refused_for_its_one_fault() {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/mrz/malformed");
    let files: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let known: BTreeSet<String> = MALFORMED
        .iter()
        .map(|(name, _)| format!("{name}.txt"))
        .collect();
    assert_eq!(files, known);
    for (name, message) in MALFORMED {
        let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        assert_eq!(
            Mrz::parse(&text).unwrap_err().to_string(),
            *message,
            "{name}"
        );
        if let Ok(zone) = Mrz::read(&text) {
            assert_eq!(zone.faults().len(), 1, "{name}: {:?}", zone.faults());
        }
    }
}

fn any_parts() -> impl Strategy<Value = (Format, String, String, String, String, Sex, String)> {
    (
        prop::sample::select(Format::ALL),
        "[A-Z0-9]{1,22}",
        "[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,20}([ -][A-ZŠÜß]{1,12}){0,2}",
        "([A-ZĀŠ]{1,12}([ '-][A-ZÅ]{1,12}){0,3}){0,1}",
        "[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])",
        prop::sample::select(Sex::ALL),
        "([A-Z0-9][A-Z0-9 -]{0,5}[A-Z0-9]){0,1}",
    )
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,95}") {
        prop_assert!(Mrz::read(&text).is_err());
    }

    #[test]
    fn any_characters_of_a_zone_are_read_and_judged(
        text in prop_oneof!["[A-Z0-9<]{90}", "[A-Z0-9<]{72}", "[A-Z0-9<]{88}",
            "[ACI<][A-Z<]{29}[0-9<]{60}", "[PV<][A-Z<]{43}[0-9<]{44}"],
    ) {
        let zone = Mrz::read(&text).unwrap();
        prop_assert_eq!(Mrz::read(&zone.to_string()).unwrap(), zone.clone());
        prop_assert_eq!(zone.faults().is_empty(), Mrz::parse(&text).is_ok());
        let _ = (zone.names(), zone.information(), zone.optional_data(), zone.document_number());
    }

    #[test]
    fn what_is_built_says_what_it_was_built_from(
        (format, number, surname, given, day, sex, data) in any_parts(),
    ) {
        let names = names_of(&surname, &given);
        let parts = Parts {
            format,
            code: &format.first_letters()[..1],
            issuer: "LVA",
            names: &names,
            number: &number,
            nationality: "D",
            birth_date: ZoneDate::parse(&day).unwrap(),
            sex,
            expiry_date: ZoneDate::parse(&day).unwrap(),
            optional_data: &data,
            second_optional_data: "",
            unused_check: UnusedCheck::Filler,
        };
        let Ok(zone) = Mrz::build(&parts) else {
            // Only a number too long for its format is refused, or data that it leaves no room.
            prop_assert!(number.len() > 9);
            return Ok(());
        };
        let read = Mrz::parse(&zone.to_string()).unwrap();
        prop_assert_eq!(&*read.document_number(), &number);
        prop_assert_eq!(read.optional_data(), data.replace([' ', '-'], "<"));
        prop_assert_eq!(read.sex(), Some(sex));
        prop_assert!(shows(read.field(Field::Names), &names), "{}", read);
        prop_assert_eq!(
            read.information(),
            MrzInformation::of(&number, parts.birth_date, parts.expiry_date).unwrap()
        );
        prop_assert_eq!(rebuilt(&read), zone);
    }

    #[test]
    fn a_changed_digit_never_passes(place in 0_usize..90, by in 1_u8..10) {
        let mut characters = SPECIMEN.replace('\n', "").into_bytes();
        prop_assume!(characters[place].is_ascii_digit());
        characters[place] = b'0' + (characters[place] - b'0' + by) % 10;
        prop_assert!(Mrz::parse(&String::from_utf8(characters).unwrap()).is_err());
    }
}
