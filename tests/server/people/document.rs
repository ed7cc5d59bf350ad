//! The OpenAPI document: it is that of the code, and whole.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::openapi;
use crate::people::operation::Access;
use crate::people::operations;

/// Writes the committed document anew.
const RENEW: &str = "ZIMOGS_RENEW";

#[test]
fn the_committed_document_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(openapi()).unwrap());
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "docs/openapi.json is not that of the code: run this test with {RENEW}=1"
    );
}

#[test]
fn every_operation_has_a_name_security_errors_and_examples() {
    let document = openapi();
    let mut names = BTreeSet::new();
    for operation in operations() {
        assert!(
            names.insert(operation.id),
            "{} is there twice",
            operation.id
        );
        let method = operation.method.as_str().to_lowercase();
        let described = &document["paths"][operation.path][&method];
        assert_eq!(described["operationId"], operation.id);
        assert!(
            described["summary"]
                .as_str()
                .is_some_and(|text| text.ends_with('.'))
        );
        let open = operation.access == Access::Anybody;
        assert_eq!(described["security"].as_array().unwrap().is_empty(), open);
        let answers = described["responses"].as_object().unwrap();
        assert!(
            answers.contains_key("400") && answers.contains_key("429"),
            "{}",
            operation.id
        );
        assert!(open || answers.contains_key("401"), "{}", operation.id);
        let right = matches!(operation.access, Access::Right(_) | Access::Either(..));
        assert!(!right || answers.contains_key("403"), "{}", operation.id);
        if let Some(body) = &operation.takes {
            let text = body.example.to_string();
            let kept = body.form.judge(text.as_bytes());
            assert!(kept.is_ok(), "{}: {kept:?}", operation.id);
            let example = (body.fits)(&body.example) || body.media != "application/json";
            assert!(
                example,
                "the example of {} is not what it takes",
                operation.id
            );
        }
        for part in &operation.parameters {
            let named = format!("{{{}}}", part.name);
            assert!(operation.path.contains(&named), "{}", operation.id);
        }
        let wanted = operation.path.matches('{').count();
        assert_eq!(operation.parameters.len(), wanted, "{}", operation.id);
    }
}

/// The lists that have no pages, and why they stay short however long the store works.
const SHORT: [(&str, &str); 11] = [
    ("listCertificates", "one document's: one for each key"),
    (
        "listConfirmations",
        "what waits for one person, for a day at most",
    ),
    (
        "listPlaces",
        "the offices of a country, and the central store",
    ),
    ("listSeries", "a series has up to ten million numbers"),
    (
        "listSessions",
        "they end, and are one for each person at a desk",
    ),
    ("listSources", "the registers of a country"),
    ("listStations", "the rooms in which documents are made"),
    ("listStock", "places times items times accounts, not blanks"),
    ("searchApplications", "beyond a hundred it is refused"),
    (
        "showJournal",
        "one document's: what its stations wrote of its blanks",
    ),
    (
        "showRetention",
        "the classes of data, which the program has",
    ),
];

#[test]
fn every_list_has_pages_or_stays_short() {
    let listed = operations().into_iter().filter(|operation| {
        let body = operation.gives.body.as_ref();
        body.is_some_and(|body| body.example["items"].is_array())
    });
    let mut short = BTreeSet::new();
    for operation in listed {
        let takes = |name| operation.query.iter().any(|field| field.name == name);
        assert_eq!(takes("cursor"), takes("limit"), "{}", operation.id);
        if !takes("cursor") {
            short.insert(operation.id);
        }
    }
    assert_eq!(short, SHORT.iter().map(|(name, _)| *name).collect());
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.push(reference.clone());
                }
                members.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(openapi(), &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(openapi().pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn what_a_schema_forbids_is_refused_with_its_place_and_without_its_text() {
    let operations = operations();
    let takes = |id: &str| {
        let found = operations.iter().find(|one| one.id == id).unwrap();
        found.takes.as_ref().unwrap()
    };
    let refused = |id: &str, body: Value| {
        let problem = takes(id)
            .form
            .judge(body.to_string().as_bytes())
            .unwrap_err();
        let text = format!("{problem:?}");
        assert!(!text.contains("sesame"), "{text}");
        text
    };
    let line = json!({ "item": "", "state": "loaded", "blanks": 3 });
    let text = refused("countPlace", json!({ "counted": [line] }));
    assert!(
        text.contains("/counted/0/item does not keep minLength"),
        "{text}"
    );
    let line = json!({ "item": "0", "state": "loaded", "blanks": 1_000_000_001 });
    let text = refused("countPlace", json!({ "counted": [line] }));
    assert!(
        text.contains("/counted/0/blanks does not keep maximum"),
        "{text}"
    );
    let long = "sesame".repeat(50);
    let text = refused("signIn", json!({ "account": "clerk", "password": long }));
    assert!(text.contains("/password does not keep maxLength"), "{text}");
    let text = refused(
        "signIn",
        json!({ "account": "clerk", "password": "x", "sesame": 1 }),
    );
    assert!(
        text.contains("/ does not keep additionalProperties"),
        "{text}"
    );
    let none = takes("signIn")
        .form
        .judge(b"{\"account\": \"sesame")
        .unwrap_err();
    let text = format!("{none:?}");
    assert!(
        text.contains("no JSON, at line 1") && !text.contains("sesame"),
        "{text}"
    );
}
