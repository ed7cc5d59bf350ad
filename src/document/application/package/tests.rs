use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{FingerPosition, Kind, Priority, Sex, Source};

#[path = "../../../../tests/missing/missing.rs"]
mod missing;

const TODAY: Date = date(2026, 11, 20);

fn product(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn sample(name: &str) -> Value {
    let path = product(&format!("tests/samples/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn package(entries: Value) -> Value {
    json!({
        "format": 1, "source": "population-register", "package": "PR-1", "sequence": 1,
        "created": "2026-11-20T07:00:00Z", "environment": "test", "applications": entries,
    })
}

/// One entry of each kind.
fn whole() -> Value {
    package(json!([
        {"action": "new", "application": sample("applications/01-adult")},
        {"action": "replace", "reference": "APP-OLD", "application": sample("applications/06-twenty")},
        {"action": "withdraw", "reference": "APP-GONE", "cause": "the holder has died"},
    ]))
}

fn read(package: &Value) -> Result<Package, Vec<Fault>> {
    Package::parse(package.to_string().as_bytes(), TODAY)
}

fn told(faults: &[Fault]) -> Vec<(&str, FaultCode)> {
    let told = faults.iter().map(|fault| (&*fault.field, fault.code));
    told.collect()
}

#[test]
fn a_package_has_its_entries_in_order() {
    let package = read(&whole()).ok().unwrap();
    assert_eq!(package.source.as_str(), "population-register");
    assert_eq!((package.id.as_str(), package.sequence), ("PR-1", 1));
    assert_eq!(package.created.to_string(), "2026-11-20T07:00:00Z");
    let about: Vec<_> = package
        .entries
        .iter()
        .map(|entry| entry.reference.clone())
        .collect();
    let expected = [
        sample("applications/01-adult")["reference"].clone(),
        sample("applications/06-twenty")["reference"].clone(),
        json!("APP-GONE"),
    ];
    for (about, expected) in about.iter().zip(&expected) {
        assert_eq!(about.as_ref().map(Reference::as_str), expected.as_str());
    }
    let mut actions = package
        .entries
        .into_iter()
        .map(|entry| entry.action.ok().unwrap());
    assert!(matches!(actions.next(), Some(Action::New(_))));
    assert!(
        matches!(actions.next(), Some(Action::Replace { old, .. }) if old.as_str() == "APP-OLD")
    );
    assert!(
        matches!(actions.next(), Some(Action::Withdraw { cause, .. }) if cause.as_str() == "the holder has died")
    );
}

#[test]
fn one_bad_application_does_not_hide_another() {
    let package = package(json!([
        {"action": "new", "application": sample("malformed/many-faults")},
        {"action": "new", "application": sample("applications/01-adult")},
        {"action": "revoke"},
        {"action": "withdraw", "reference": "app", "cause": "two\nlines"},
        {"action": "new", "reference": "APP-1", "application": sample("applications/06-twenty")},
        7,
    ]));
    let package = read(&package).ok().unwrap();
    let faults = |at: usize| {
        package.entries[at]
            .action
            .as_ref()
            .err()
            .map_or(&[][..], Vec::as_slice)
    };
    assert!(faults(0).len() > 3);
    assert!(faults(1).is_empty());
    assert_eq!(told(faults(2)), [("action", FaultCode::UnknownValue)]);
    assert_eq!(
        told(faults(3)),
        [
            ("reference", FaultCode::BadForm),
            ("cause", FaultCode::BadForm)
        ]
    );
    assert_eq!(told(faults(4)), [("reference", FaultCode::UnknownField)]);
    assert_eq!(told(faults(5)), [("", FaultCode::WrongType)]);
}

#[test]
fn a_package_that_does_not_read_is_refused_whole() {
    let set = |field: &str, value: Value| {
        let mut package = whole();
        package[field] = value;
        package
    };
    for (field, value, code) in [
        ("format", json!(2), FaultCode::UnsupportedFormat),
        ("source", json!("Population Register"), FaultCode::BadForm),
        ("package", json!("pr 1"), FaultCode::BadForm),
        ("sequence", json!(0), FaultCode::BadForm),
        ("sequence", json!(u64::MAX), FaultCode::BadForm),
        ("sequence", json!("1"), FaultCode::WrongType),
        ("sequence", json!(-1), FaultCode::WrongType),
        ("created", json!("2026-11-20 07:00:00Z"), FaultCode::BadForm),
        (
            "created",
            json!("2026-11-20T07:00:00+02:00"),
            FaultCode::BadForm,
        ),
        ("created", json!("2026-02-30T07:00:00Z"), FaultCode::BadForm),
        ("environment", json!("pilot"), FaultCode::UnknownValue),
        ("applications", json!([]), FaultCode::Empty),
        ("applications", json!({}), FaultCode::WrongType),
        (
            "applications",
            json!(vec![0; MAX_PACKAGE_ENTRIES + 1]),
            FaultCode::TooMany,
        ),
        ("note", json!("x"), FaultCode::UnknownField),
    ] {
        let faults = read(&set(field, value)).err().unwrap();
        assert_eq!(told(&faults), [(field, code)]);
    }
    let mut missing = whole();
    missing.as_object_mut().unwrap().remove("sequence");
    let faults = read(&missing).err().unwrap();
    assert_eq!(told(&faults), [("sequence", FaultCode::Missing)]);
    assert_eq!(
        told(&Package::parse(b"{", TODAY).err().unwrap()),
        [("", FaultCode::NotJson)]
    );
}

#[test]
fn the_asylum_seeker_register_asks_for_no_alien_card() {
    let mut alien = sample("applications/09-alien");
    alien["source"] = json!("asylum-seeker-register");
    let faults = Application::parse(alien.to_string().as_bytes(), TODAY).unwrap_err();
    assert_eq!(told(&faults), [("kind", FaultCode::KindNotForSource)]);
    let mut refugee = sample("applications/23-refugee");
    refugee["source"] = json!("asylum-seeker-register");
    assert!(Application::parse(refugee.to_string().as_bytes(), TODAY).is_ok());
}

fn schema(name: &str) -> Value {
    let path = product(&format!("docs/schemas/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn names<T: std::fmt::Display>(all: &[T]) -> Value {
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn the_schemas_have_the_closed_sets_and_bounds_of_the_code() {
    let application = schema("application-1");
    let field = |path: &str| application.pointer(&format!("/properties{path}")).unwrap();
    assert_eq!(field("/kind/enum"), &names(Kind::ALL));
    assert_eq!(field("/source/enum"), &names(Source::ALL));
    assert_eq!(field("/priority/enum"), &names(Priority::ALL));
    assert_eq!(field("/holder/properties/sex/enum"), &names(Sex::ALL));
    let finger = field("/fingerprints/items/properties/finger/enum");
    assert_eq!(finger, &names(FingerPosition::ALL));
    for (pictures, limits) in [
        ("/portrait", crate::PORTRAIT_LIMITS),
        ("/signature", crate::SIGNATURE_LIMITS),
        ("/fingerprints/items", crate::FINGERPRINT_LIMITS),
    ] {
        let formats = field(&format!("{pictures}/properties/media_type/enum"));
        let formats: Vec<_> = formats
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        let mut known: Vec<_> = limits.formats.iter().map(|format| format.name()).collect();
        known.sort_by_key(|name| formats.iter().position(|format| format == name));
        assert_eq!(formats, known);
    }
    let package = schema("package-1");
    let field = |path: &str| package.pointer(&format!("/properties{path}")).unwrap();
    assert_eq!(field("/applications/maxItems"), MAX_PACKAGE_ENTRIES);
    let verbs: Vec<_> = field("/applications/items/oneOf")
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["action"]["const"].clone())
        .collect();
    assert_eq!(Value::Array(verbs), names(PackageVerb::ALL));
    assert_eq!(
        field("/applications/items/oneOf/2/properties/cause/maxLength"),
        MAX_CAUSE
    );
}

/// Reads schemas and instances from the standard input; answers whether each instance is valid.
const VALIDATOR: &str = r#"
import json, sys, warnings
warnings.simplefilter("ignore")
import jsonschema
asked = json.load(sys.stdin)
stored = {schema["$id"]: schema for schema in asked["schemas"]}
answers = []
for name, instance in asked["instances"]:
    schema = next(s for i, s in stored.items() if i.endswith("/" + name + ".json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    resolver = jsonschema.RefResolver(schema["$id"], schema, store=stored)
    answers.append(jsonschema.Draft202012Validator(schema, resolver=resolver).is_valid(instance))
json.dump(answers, sys.stdout)
"#;

/// Has Python's jsonschema judge instances by the schemas of these names; none where it is not
/// here.
fn judged(instances: &[(&str, Value)]) -> Option<Vec<bool>> {
    use std::io::Write;
    let schemas: Vec<_> = ["application-1", "package-1", "answer-1", "report-1"]
        .map(schema)
        .into();
    let asked = json!({ "schemas": schemas, "instances": instances });
    let mut python = Command::new("python3")
        .args(["-c", VALIDATOR])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .ok()?;
    // One that has no jsonschema ends before it has read all.
    let _ = python
        .stdin
        .take()
        .unwrap()
        .write_all(asked.to_string().as_bytes());
    let answer = python.wait_with_output().unwrap();
    if !answer.status.success() {
        return None;
    }
    Some(serde_json::from_slice(&answer.stdout).unwrap())
}

#[test]
fn an_independent_validator_agrees_with_the_reader() {
    let mut instances = vec![("package-1", whole())];
    for file in std::fs::read_dir(product("tests/samples/applications")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        instances.push(("application-1", serde_json::from_slice(&bytes).unwrap()));
    }
    let sound = instances.len();
    // What a schema can say of what is wrong.
    for name in [
        "format-as-text",
        "unsupported-format",
        "unknown-field",
        "unknown-field-of-holder",
        "missing-format",
        "missing-holder",
        "missing-surname",
        "missing-portrait-data",
        "holder-as-list",
        "unknown-kind",
        "unknown-source",
        "unknown-priority",
        "unknown-sex",
        "consent-as-text",
        "office-too-long",
        "reference-with-space",
        "fingerprints-three",
        "fingerprint-jpeg",
        "birth-date-form",
        "personal-code-form",
        "nationality-form",
        "not-an-object",
    ] {
        instances.push(("application-1", sample(&format!("malformed/{name}"))));
    }
    for (field, value) in [
        ("sequence", json!(0)),
        ("environment", json!("pilot")),
        ("applications", json!([])),
    ] {
        let mut package = whole();
        package[field] = value;
        instances.push(("package-1", package));
    }
    for entry in [
        json!({"action": "new", "reference": "APP-1", "application": sample("applications/01-adult")}),
        json!({"action": "withdraw", "reference": "APP-1"}),
        json!({"action": "new", "application": sample("malformed/missing-surname")}),
    ] {
        instances.push(("package-1", package(json!([entry]))));
    }
    let Some(verdicts) = judged(&instances) else {
        return missing::program("python3 with jsonschema");
    };
    for (at, ((name, instance), valid)) in instances.iter().zip(verdicts).enumerate() {
        assert_eq!(valid, at < sound, "{name} {at}");
        let bytes = instance.to_string();
        let read = match *name {
            "package-1" => Package::parse(bytes.as_bytes(), TODAY)
                .is_ok_and(|package| package.entries.iter().all(|entry| entry.action.is_ok())),
            _ => Application::parse(bytes.as_bytes(), TODAY).is_ok(),
        };
        assert_eq!(read, valid, "{name} {at}");
    }
}

proptest! {
    #[test]
    fn names_of_sources_are_what_the_schema_says(text in "[a-zA-Z0-9_ -]{0,44}") {
        let parts_are_good = text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
        });
        prop_assert_eq!(SourceName::parse(&text).is_ok(), parts_are_good && text.len() <= 40);
    }

    #[test]
    fn bytes_of_a_stranger_never_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(faults) = Package::parse(&bytes, TODAY) {
            prop_assert!(!faults.is_empty());
        }
    }
}
