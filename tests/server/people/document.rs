//! The OpenAPI document: it is that of the code, and whole.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

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
