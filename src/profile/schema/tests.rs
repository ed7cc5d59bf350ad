//! The committed schemas are those of the code, and boon, another's validator, judges with them
//! as the loader does.

use std::fs;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use super::{chip_schema, document_schema};
use crate::malformed::{folder, project};

/// Set to write the committed schemas anew.
const RENEW: &str = "ZIMOGS_RENEW";

/// What a schema can see of the corpus of faults: names, shapes and closed sets.
const STRUCTURAL: [&str; 33] = [
    "algorithm-not-known",
    "answer-to-reset-of-one-byte-short",
    "attribute-of-floating-point",
    "challenge-of-sixty-five-bytes",
    "cipher-not-known",
    "data-number-in-letters",
    "diversification-not-known",
    "extends-a-number",
    "format-of-another-program",
    "hash-not-known",
    "interface-not-known",
    "length-expected-as-list",
    "length-expected-of-nothing",
    "level-in-capitals",
    "limit-of-eight-bytes",
    "missing-command-header",
    "number-as-text",
    "operation-not-known",
    "padding-not-known",
    "pin-of-three-digits",
    "protocol-not-known",
    "reference-beyond-a-byte",
    "result-without-path",
    "signature-form-not-known",
    "status-word-five-digits",
    "status-word-of-three-bytes",
    "step-without-object",
    "try-counter-of-sixteen",
    "unknown-field",
    "unknown-field-of-a-command",
    "verb-not-known",
    "whole-file-without-stages",
    "whole-file-that-is-empty",
];

struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new(schema: Value) -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.add_resource("zimogs.json", schema).unwrap();
        let index = compiler.compile("zimogs.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn refuses(&self, name: &str, text: &str) -> Option<String> {
        let value: Value = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let judged = self.schemas.validate(&value, self.index);
        judged.err().map(|error| format!("{name}: {error}"))
    }
}

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    for (name, schema) in [("chip", chip_schema()), ("document", document_schema())] {
        let path = project("firmware-profiles").join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os(RENEW).is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "firmware-profiles/{name}.schema.json is not that of the code: run this test with {RENEW}=1"
        );
    }
}

#[test]
fn good_profiles_pass_and_name_their_schema() {
    for (schema, kind, folders) in [
        (
            chip_schema(),
            "chip",
            ["firmware-profiles/chips", "tests/profiles/chips"],
        ),
        (
            document_schema(),
            "document",
            ["firmware-profiles/documents", "tests/profiles/documents"],
        ),
    ] {
        let judge = Judge::new(schema);
        for path in folders {
            for (name, text) in folder(path) {
                assert_eq!(judge.refuses(&name, &text), None);
                let hint = format!("#:schema ../{kind}.schema.json\n");
                let is_shipped = path.starts_with("firmware");
                assert!(!is_shipped || text.starts_with(&hint), "{name}: {hint}");
            }
        }
    }
}

/// Faults of shape that the corpus of the loader leaves to the schema's own test.
const MORE: [(&str, &str); 7] = [
    (
        "answer-to-reset-of-one-byte-short",
        "extends = \"minimal\"\n[identify]\natr = [\"3B X\"]\n",
    ),
    (
        "data-number-in-letters",
        "extends = \"minimal\"\n[data.object]\nid = \"5G01\"\n",
    ),
    (
        "level-in-capitals",
        "extends = \"minimal\"\n[channel]\nlevel = \"C-MAC\"\n",
    ),
    (
        "missing-command-header",
        "extends = \"minimal\"\n[[operations.select]]\ndata = \"application.aid\"\n",
    ),
    (
        "unknown-field-of-a-command",
        "extends = \"minimal\"\n[[operations.select]]\nheader = \"00 A4 04 00\"\nlc = 5\n",
    ),
    (
        "whole-file-without-stages",
        "format = 1\nname = \"whole\"\n",
    ),
    ("whole-file-that-is-empty", ""),
];

#[test]
fn faults_of_shape_are_refused_while_they_are_written() {
    let judge = Judge::new(chip_schema());
    let mut corpus = folder("tests/profiles/faults/chips");
    corpus.extend(MORE.map(|(name, text)| (name.to_owned(), text.to_owned())));
    for name in STRUCTURAL {
        let text = corpus.get(name).unwrap_or_else(|| panic!("{name}"));
        assert!(judge.refuses(name, text).is_some(), "{name} passes");
    }
    let judge = Judge::new(document_schema());
    let corpus = folder("tests/profiles/faults/documents");
    for name in [
        "format-of-another-program",
        "kind-not-known",
        "missing-field",
        "pin-of-thirteen-digits",
        "unknown-field",
    ] {
        assert!(
            judge.refuses(name, &corpus[name]).is_some(),
            "{name} passes"
        );
    }
}

#[test]
fn an_editor_finds_the_closed_vocabulary() {
    let schema = chip_schema();
    let operations = &schema["$defs"]["ChipFile"]["properties"]["operations"];
    assert!(operations["properties"]["open_channel"]["description"].is_string());
    assert_eq!(operations["additionalProperties"], json!(false));
    let template = schema["$defs"]["Template"]["description"].as_str().unwrap();
    assert!(template.contains("`retail_mac(key, bytes)`"), "{template}");
    let pin = &schema["$defs"]["PinFile"]["properties"]["tries"];
    assert_eq!((&pin["minimum"], &pin["maximum"]), (&json!(1), &json!(15)));
}
