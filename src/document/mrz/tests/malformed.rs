use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::Mrz;

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
