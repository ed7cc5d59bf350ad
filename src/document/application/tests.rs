use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::{COMMON_NAME_LIMIT, FingerPosition, Sex, Validity};

const TODAY: Date = date(2026, 11, 20);

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/samples")
        .join(name)
}

fn names_in(name: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder(name)).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(folder("applications").join(format!("{name}.json"))).unwrap()
}

fn sample(name: &str) -> Application {
    Application::parse(&bytes_of(name), TODAY).unwrap()
}

fn faults_of(text: &str) -> Vec<(String, FaultCode)> {
    let faults = Application::parse(text.as_bytes(), TODAY).unwrap_err();
    faults
        .into_iter()
        .map(|fault| (fault.field, fault.code))
        .collect()
}

#[test]
fn every_sample_is_read_and_written_back() {
    let names = names_in("applications");
    assert!(names.len() >= 14);
    let mut references = BTreeSet::new();
    for name in names {
        let bytes = std::fs::read(folder("applications").join(&name)).unwrap();
        let application =
            Application::parse(&bytes, TODAY).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert!(references.insert(application.reference.clone()), "{name}");
        assert!(application.portrait.bytes().len() <= 12 * 1024, "{name}");
        let json = application.to_json().unwrap();
        assert_eq!(
            Application::parse(&json, TODAY).unwrap(),
            application,
            "{name}"
        );
        // Written back field by field as it was sent, in the same order.
        let sent: Tree = serde_json::from_slice(&bytes).unwrap();
        let written: Tree = serde_json::from_slice(&json).unwrap();
        assert_eq!(flat(&sent), flat(&written), "{name}");
    }
}

fn flat(tree: &Tree) -> String {
    match tree {
        Tree::Object(entries) => entries
            .iter()
            .map(|(name, value)| format!("{name}={};", flat(value)))
            .collect(),
        Tree::Text(text) => text.to_string(),
        Tree::Bool(value) => value.to_string(),
        Tree::Number(number) => format!("{number:?}"),
        Tree::List(list) => list.iter().map(flat).collect(),
        Tree::Null => tree.type_name().to_owned(),
    }
}

#[test]
fn samples_are_the_cases_that_their_names_say() {
    let age = |name| sample(name).holder.age_on(TODAY).unwrap();
    assert!(age("01-adult") >= 20);
    assert!(age("02-child-under-5") < 5);
    assert!((5..14).contains(&age("03-child-5-to-13")));
    assert_eq!(age("04-fourteen"), 14);
    assert_eq!(age("05-nineteen"), 19);
    assert_eq!(age("06-twenty"), 20);
    let letters = sample("07-every-latvian-diacritic").holder;
    for letter in "āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ".chars() {
        let names = [letters.surname.as_str(), letters.given_names.as_str()];
        assert!(names.iter().any(|name| name.contains(letter)), "{letter}");
    }
    assert!(
        sample("08-new-style-code")
            .holder
            .personal_code
            .is_new_style()
    );
    assert_eq!(sample("09-alien").kind, Kind::AlienIdCard);
    assert_eq!(sample("10-alien-stateless").holder.sex, Sex::Unspecified);
    assert!(sample("13-hyphens").holder.surname.as_str().contains('-'));
    assert!(
        sample("14-apostrophes")
            .holder
            .surname
            .as_str()
            .contains('\'')
    );
    assert!(!sample("17-without-certificates").certificates_consent);
    let fingers = sample("18-fingerprints").fingerprints;
    let fingers: Vec<_> = fingers.iter().map(|finger| finger.position).collect();
    assert_eq!(
        fingers,
        [FingerPosition::RightIndex, FingerPosition::LeftIndex]
    );
}

#[test]
fn samples_with_long_names_fill_the_limits_and_are_shortened() {
    let longest = sample("11-longest-names").holder;
    assert_eq!(longest.surname.as_str().chars().count(), 32);
    assert_eq!(longest.given_names.as_str().chars().count(), 36);
    assert_eq!(
        longest.common_name(),
        "PIRMAISIZDOMĀTAIS PĀRGARIZDOMĀTAIS-NEESOŠAISUZVĀRD"
    );
    let single = sample("12-one-long-given-name").holder;
    assert_eq!(single.common_name().chars().count(), COMMON_NAME_LIMIT);
    assert!(single.common_name().ends_with(&single.surname.upper()));
}

#[test]
fn certificates_go_by_age_on_the_day_of_issue_and_by_consent() {
    assert!(sample("01-adult").carries_certificates(TODAY));
    assert!(!sample("03-child-5-to-13").carries_certificates(TODAY));
    assert!(!sample("17-without-certificates").carries_certificates(TODAY));
    let fourteen = sample("04-fourteen");
    assert!(!fourteen.carries_certificates(date(2026, 10, 4)));
    assert!(fourteen.carries_certificates(date(2026, 10, 5)));
}

#[test]
fn validity_of_samples_follows_their_kind_and_age() {
    for (name, expires) in [
        ("01-adult", date(2036, 11, 19)),
        ("02-child-under-5", date(2028, 11, 19)),
        ("03-child-5-to-13", date(2031, 11, 19)),
        ("05-nineteen", date(2031, 11, 19)),
        ("06-twenty", date(2036, 11, 19)),
        ("09-alien", date(2031, 11, 19)),
    ] {
        let application = sample(name);
        let validity = Validity::of(application.kind, application.holder.birth_date, TODAY);
        assert_eq!(validity.unwrap().expires(), expires, "{name}");
    }
}

/// What each file of `tests/samples/malformed` must give, and nothing else.
const MALFORMED: &[(&str, &str, FaultCode)] = &[
    (
        "fingerprint-jpeg",
        "fingerprints[0].data",
        FaultCode::ImageUnrecognised,
    ),
    (
        "fingerprint-of-no-finger",
        "fingerprints[0].finger",
        FaultCode::UnknownValue,
    ),
    ("fingerprints-as-text", "fingerprints", FaultCode::WrongType),
    (
        "fingerprints-of-one-finger",
        "fingerprints[1].finger",
        FaultCode::Repeated,
    ),
    ("fingerprints-three", "fingerprints", FaultCode::TooMany),
    (
        "alien-card-for-a-citizen",
        "holder.nationality",
        FaultCode::NationalityNotForKind,
    ),
    ("birth-date-form", "holder.birth_date", FaultCode::BadForm),
    (
        "birth-date-in-future",
        "holder.birth_date",
        FaultCode::InFuture,
    ),
    (
        "birth-date-no-such-day",
        "holder.birth_date",
        FaultCode::NoSuchDate,
    ),
    (
        "birth-date-not-of-personal-code",
        "holder.birth_date",
        FaultCode::BirthDateMismatch,
    ),
    (
        "birth-date-too-long-ago",
        "holder.birth_date",
        FaultCode::TooLongAgo,
    ),
    (
        "birth-place-bad-character",
        "holder.birth_place",
        FaultCode::BadCharacter,
    ),
    (
        "birth-place-null",
        "holder.birth_place",
        FaultCode::WrongType,
    ),
    (
        "consent-as-text",
        "certificates_consent",
        FaultCode::WrongType,
    ),
    ("duplicate-field", "office", FaultCode::DuplicateField),
    ("format-as-text", "format", FaultCode::WrongType),
    (
        "given-names-too-long",
        "holder.given_names",
        FaultCode::TooLong,
    ),
    (
        "given-names-trailing-space",
        "holder.given_names",
        FaultCode::BadSeparator,
    ),
    ("holder-as-list", "holder", FaultCode::WrongType),
    ("missing-format", "format", FaultCode::Missing),
    ("missing-holder", "holder", FaultCode::Missing),
    ("missing-portrait-data", "portrait.data", FaultCode::Missing),
    ("missing-surname", "holder.surname", FaultCode::Missing),
    ("nationality-form", "holder.nationality", FaultCode::BadForm),
    (
        "nationality-not-for-kind",
        "holder.nationality",
        FaultCode::NationalityNotForKind,
    ),
    (
        "nationality-unknown",
        "holder.nationality",
        FaultCode::UnknownValue,
    ),
    ("not-an-object", "", FaultCode::NotJson),
    ("not-json", "", FaultCode::NotJson),
    ("office-too-long", "office", FaultCode::BadForm),
    (
        "personal-code-check-digit",
        "holder.personal_code",
        FaultCode::CheckDigit,
    ),
    (
        "personal-code-form",
        "holder.personal_code",
        FaultCode::BadForm,
    ),
    (
        "personal-code-no-century",
        "holder.personal_code",
        FaultCode::NoSuchCentury,
    ),
    (
        "personal-code-no-date",
        "holder.personal_code",
        FaultCode::NoSuchDate,
    ),
    (
        "portrait-arithmetic-jpeg",
        "portrait.data",
        FaultCode::ImageDamaged,
    ),
    ("portrait-cut-off", "portrait.data", FaultCode::ImageDamaged),
    (
        "portrait-gif",
        "portrait.data",
        FaultCode::ImageUnrecognised,
    ),
    ("portrait-lying", "portrait.data", FaultCode::ImageLying),
    (
        "portrait-media-type-mismatch",
        "portrait.media_type",
        FaultCode::MediaTypeMismatch,
    ),
    ("portrait-not-base64", "portrait.data", FaultCode::NotBase64),
    (
        "portrait-too-many-pixels",
        "portrait.data",
        FaultCode::ImageDimensions,
    ),
    (
        "portrait-too-small",
        "portrait.data",
        FaultCode::ImageDimensions,
    ),
    (
        "portrait-unknown-media-type",
        "portrait.media_type",
        FaultCode::UnknownValue,
    ),
    ("reference-with-space", "reference", FaultCode::BadForm),
    (
        "signature-too-large",
        "signature.data",
        FaultCode::ImageTooLarge,
    ),
    (
        "signature-too-small",
        "signature.data",
        FaultCode::ImageDimensions,
    ),
    (
        "surname-cyrillic",
        "holder.surname",
        FaultCode::BadCharacter,
    ),
    (
        "surname-decomposed",
        "holder.surname",
        FaultCode::NotComposed,
    ),
    ("surname-empty", "holder.surname", FaultCode::Empty),
    ("surname-too-long", "holder.surname", FaultCode::TooLong),
    (
        "surname-typographic-apostrophe",
        "holder.surname",
        FaultCode::BadCharacter,
    ),
    ("unknown-field", "shoe_size", FaultCode::UnknownField),
    (
        "unknown-field-of-holder",
        "holder.patronymic",
        FaultCode::UnknownField,
    ),
    ("unknown-kind", "kind", FaultCode::UnknownValue),
    ("unknown-priority", "priority", FaultCode::UnknownValue),
    ("unknown-sex", "holder.sex", FaultCode::UnknownValue),
    ("unknown-source", "source", FaultCode::UnknownValue),
    ("unsupported-format", "format", FaultCode::UnsupportedFormat),
];

fn malformed(name: &str) -> String {
    std::fs::read_to_string(folder("malformed").join(format!("{name}.json"))).unwrap()
}

#[test]
fn every_malformed_sample_gives_exactly_its_fault() {
    let mut listed = BTreeSet::from(["many-faults.json".to_owned()]);
    for &(name, field, code) in MALFORMED {
        assert_eq!(
            faults_of(&malformed(name)),
            [(field.to_owned(), code)],
            "{name}"
        );
        listed.insert(format!("{name}.json"));
    }
    assert_eq!(names_in("malformed"), listed);
}

#[test]
fn every_fault_code_has_its_case() {
    let covered: BTreeSet<_> = MALFORMED.iter().map(|&(_, _, code)| code).collect();
    // What packages have beside, or what is found only when an application is taken in.
    let elsewhere = [
        FaultCode::ApplicationTooLarge,
        FaultCode::KindNotForSource,
        FaultCode::OfficeNotForSource,
        FaultCode::SourceMismatch,
        FaultCode::ReferenceUsed,
        FaultCode::DuplicateApplication,
        FaultCode::NotThere,
        FaultCode::NotOpen,
        FaultCode::PackageTooLarge,
        FaultCode::NotSigned,
        FaultCode::KeyNotAdmitted,
        FaultCode::WrongSignature,
        FaultCode::EnvironmentMismatch,
        FaultCode::SequenceGap,
        FaultCode::SequenceUsed,
        FaultCode::PackageUsed,
        FaultCode::More,
    ];
    for &code in FaultCode::ALL {
        assert_ne!(covered.contains(&code), elsewhere.contains(&code), "{code}");
    }
}

#[test]
fn one_fault_hides_no_other() {
    use FaultCode::{
        BadForm, CheckDigit, Empty, InFuture, Missing, NotBase64, UnknownField, UnknownValue,
        WrongType,
    };
    let expected = [
        ("shoe_size", UnknownField),
        ("reference", BadForm),
        ("kind", UnknownValue),
        ("holder.surname", Empty),
        ("holder.given_names", WrongType),
        ("holder.nationality", UnknownValue),
        ("holder.personal_code", CheckDigit),
        ("holder.birth_date", FaultCode::BirthDateMismatch),
        ("holder.birth_date", InFuture),
        ("portrait.data", NotBase64),
        ("office", Missing),
        ("certificates_consent", WrongType),
    ];
    let expected = expected.map(|(field, code)| (field.to_owned(), code));
    assert_eq!(faults_of(&malformed("many-faults")), expected);
}

#[test]
fn messages_say_what_is_expected_and_repeat_no_value() {
    for (name, value) in [
        ("personal-code-check-digit", "120190"),
        ("personal-code-no-date", "310290"),
        ("surname-too-long", "AAA"),
        ("surname-decomposed", "daina"),
        ("birth-date-not-of-personal-code", "1990"),
        ("nationality-unknown", "SUN"),
        ("not-json", "Kļūdaina"),
    ] {
        let faults = Application::parse(malformed(name).as_bytes(), TODAY).unwrap_err();
        let text = format!("{faults:?} {}", faults[0]);
        assert!(!text.contains(value), "{text}");
    }
    let faults = Application::parse(
        malformed("surname-typographic-apostrophe").as_bytes(),
        TODAY,
    );
    assert_eq!(
        faults.unwrap_err()[0].to_string(),
        "holder.surname: character 2 ('’') is not allowed; expected Latin letters, hyphen, apostrophe (') and space"
    );
}

#[test]
fn pictures_that_are_as_long_as_each_may_be_fit_together() {
    let fingers = MAX_FINGERPRINTS * FINGERPRINT_LIMITS.bytes;
    let pictures = PORTRAIT_LIMITS.bytes + SIGNATURE_LIMITS.bytes + fingers;
    // In Base64; the rest is text.
    assert!(pictures.div_ceil(3) * 4 + 64 * 1024 <= MAX_APPLICATION_BYTES);
}

#[test]
fn size_is_judged_before_anything_is_read() {
    let large = vec![b' '; MAX_APPLICATION_BYTES + 1];
    let faults = Application::parse(&large, TODAY).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code, FaultCode::ApplicationTooLarge);
}

#[test]
fn a_flood_of_faults_is_cut_and_says_so() {
    let strange: String = (0..5000)
        .map(|n| format!("\"x{n}\\u0000{}\":1,", "y".repeat(60)))
        .collect();
    let faults = faults_of(&format!("{{{strange}\"format\":1}}"));
    assert_eq!(faults.len(), MAX_FAULTS);
    assert_eq!(faults.last().unwrap().1, FaultCode::More);
    assert!(
        faults
            .iter()
            .all(|(field, _)| field.len() < 60 && !field.contains('\0'))
    );
}

#[test]
fn application_made_otherwise_is_judged_alike() {
    let mut application = sample("01-adult");
    assert_eq!(application.faults(TODAY), []);
    application.kind = Kind::AlienIdCard;
    application.holder.birth_date = date(1990, 1, 13);
    let codes: Vec<_> = application
        .faults(TODAY)
        .into_iter()
        .map(|fault| fault.code)
        .collect();
    assert_eq!(
        codes,
        [
            FaultCode::BirthDateMismatch,
            FaultCode::NationalityNotForKind
        ]
    );
}

#[test]
fn birth_on_the_day_itself_is_not_in_the_future() {
    let mut application = sample("08-new-style-code");
    application.holder.birth_date = TODAY;
    assert_eq!(application.faults(TODAY), []);
    assert_eq!(
        application.faults(date(2026, 11, 19))[0].code,
        FaultCode::InFuture
    );
}

#[test]
fn debug_shows_reference_and_kind_only() {
    let shown = format!("{:?}", sample("01-adult"));
    assert_eq!(shown, "Application(APP-2026-000001, id-card, …)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_bytes_are_refused_with_at_least_one_fault(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!Application::parse(&bytes, TODAY).unwrap_err().is_empty());
    }

    #[test]
    fn one_changed_byte_never_panics(at in 0_usize..1500, byte: u8, from_end: bool) {
        let mut bytes = bytes_of("14-apostrophes");
        let at = if from_end { bytes.len().saturating_sub(1 + at) } else { at };
        bytes[at] = byte;
        match Application::parse(&bytes, TODAY) {
            Ok(application) => {
                let json = application.to_json().unwrap();
                prop_assert_eq!(Application::parse(&json, TODAY).unwrap(), application);
            }
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }
}
