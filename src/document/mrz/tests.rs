mod malformed;
mod names;
mod properties;

use jiff::civil::date;
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
            assert_eq!(zone.mrz_information().as_bytes(), information.as_bytes());
            let typed = MrzInformation::of(
                &row.document_number,
                zone.birth_date().unwrap(),
                zone.expiry_date().unwrap(),
            );
            assert_eq!(typed, Ok(zone.mrz_information()));
        }
        assert_eq!(rebuilt(&zone).to_string(), row.lines.join("\n"));
    }
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
    // Number and dates are the specimen's own; the Python package `mrz` 0.6 gives the same lines.
    assert_eq!(lines[0], "P<LVAPARAUDZINS<<ANDRIS<<<<<<<<<<<<<<<<<<<<<");
    assert_eq!(lines[1], "PA99929216LVA8212122M1703054121282<88882<<86");
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
    assert_eq!(format!("{:?}", zone.mrz_information()), "MrzInformation(…)");
}
