//! The JSON Schemas of the two formats, from which editors complete and check a file while it
//! is written. The loader proves more than a schema can say.
//!
//! ```text
//! chip_file.rs ──schemars──► fields and comments ─┐
//! the closed vocabularies ────────────────────────┴─► whole file │ child file (extends)
//! ```
//!
//! A child says only what differs from its parent, so that nothing is required of its tables.
//! Its arrays replace the parent's: what stands in them is whole.

use card::WeakRule;
use card::gp::Diversification;
use cert::KeyAlgorithm;
use document::{Kind, Purpose};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::chip_file::ChipFile;
use crate::document::DocumentFile;
use crate::document_pin::PinKind;
use crate::function::Function;
use crate::vocabulary::{Dialect, Verb};

#[cfg(test)]
mod tests;

/// Where the definitions of a schema stand.
const DEFS: &str = "$defs";

/// What is in front of the name of a definition for a child.
const CHILD: &str = "Child";

/// The definitions that stand in arrays, and are whole also in a child.
const IN_ARRAYS: [&str; 6] = [
    "CommandFile",
    "ExpectFile",
    "StageFile",
    "TakeTemplateFile",
    "DocumentChipFile",
    "DocumentFaceFile",
];

const HEXADECIMAL: &str = r"^[0-9A-Fa-f\s]*$";

/// Returns the JSON Schema (2020-12) of chip profiles.
pub fn chip_schema() -> Value {
    let mut schema = Draft::of(generator().into_root_schema_for::<ChipFile>());
    schema.templates(&[
        ("IdentifyFile", "serial"),
        ("IdentifyFile", "os"),
        ("ExpectFile", "value"),
        ("ChannelFile", "proof"),
        ("ChannelFile", "answer"),
        ("KeySetFile", "context"),
        ("FileFile", "content"),
        ("DataFile", "content"),
        ("CommandFile", "header"),
        ("CommandFile", "data"),
        ("TakeTemplateFile", "value"),
    ]);
    for (of, field) in [
        ("KeySetFile", "known"),
        ("ApplicationFile", "aid"),
        ("FileFile", "id"),
        ("DataFile", "id"),
    ] {
        schema.refine(of, field, json!({ "pattern": HEXADECIMAL }));
    }
    let equals = json!({ "pattern": HEXADECIMAL, "items": { "pattern": HEXADECIMAL } });
    schema.refine("ExpectFile", "equals", equals);
    let of_items = |more: Value| json!({ "items": more });
    let atr = of_items(json!({ "pattern": r"^([0-9A-Fa-f]{2}|XX|\s)+$" }));
    schema.refine("IdentifyFile", "atr", atr);
    let status = of_items(json!({ "pattern": "^[0-9A-Fa-fX]{4}$" }));
    schema.refine("CommandFile", "expect", status);
    schema.refine(
        "ChipFile",
        "status",
        json!({ "propertyNames": { "pattern": r"^[0-9A-Fa-f]{4}$" } }),
    );
    schema.refine(
        "StageFile",
        "steps",
        of_items(json!({ "pattern": steps() })),
    );
    schema.refine("ChipFile", "operations", operations());
    let format = json!({ "const": 1 });
    schema.refine("ChipFile", "format", format);
    for (of, field, names) in [
        (
            "ChannelFile",
            "protocol",
            vec!["scp02", "scp03", "challenge"],
        ),
        (
            "KeySetFile",
            "diversification",
            Diversification::ALL.iter().map(|how| how.name()).collect(),
        ),
        (
            "KeySetFile",
            "cipher",
            vec!["aes-128", "aes-192", "aes-256", "des3"],
        ),
        ("KeyFile", "algorithm", algorithms()),
        (
            "KeyFile",
            "hash",
            vec!["sha1", "sha256", "sha384", "sha512"],
        ),
        ("KeyFile", "signature", vec!["raw", "der"]),
        ("KeyFile", "padding", vec!["pkcs1", "pss"]),
        (
            "StageFile",
            "when",
            Purpose::ALL.iter().map(|purpose| purpose.name()).collect(),
        ),
    ] {
        schema.refine(of, field, json!({ "enum": names }));
    }
    let generate = json!({ "propertyNames": { "enum": algorithms() } });
    schema.refine("TimingFile", "generate", generate);
    let level = r"^\s*(c-mac|c-enc|r-mac|r-enc)(\s+(c-mac|c-enc|r-mac|r-enc))*\s*$";
    schema.refine("ChannelFile", "level", json!({ "pattern": level }));
    for (of, field, least, most) in [
        ("LimitsFile", "command", 16, 0xFFFF),
        ("LimitsFile", "response", 16, 0x1_0000),
        ("PinFile", "tries", 1, 15),
        ("PinFile", "minimum", 4, 255),
        ("ChannelFile", "host", 0, 64),
    ] {
        schema.refine(of, field, json!({ "minimum": least, "maximum": most }));
    }
    schema.finish("ChipFile", "A zimogs chip profile")
}

/// Returns the JSON Schema (2020-12) of document profiles.
pub fn document_schema() -> Value {
    let mut schema = Draft::of(generator().into_root_schema_for::<DocumentFile>());
    schema.refine("DocumentFile", "format", json!({ "const": 1 }));
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let kinds = json!({ "items": { "enum": kinds } });
    schema.refine("DocumentFile", "kinds", kinds);
    let digits = json!({ "minimum": 4, "maximum": 12 });
    schema.refine("DocumentPinFile", "digits", digits);
    let kinds: Vec<_> = PinKind::ALL.iter().map(|(_, name)| *name).collect();
    schema.refine("DocumentPinFile", "kind", json!({ "enum": kinds }));
    let rules: Vec<_> = WeakRule::ALL.iter().map(|(_, name, _)| *name).collect();
    let weak = json!({ "items": { "enum": rules }, "minItems": 1, "uniqueItems": true });
    schema.refine("DocumentPinFile", "weak", weak);
    schema.finish("DocumentFile", "A zimogs document profile")
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

fn algorithms() -> Vec<&'static str> {
    KeyAlgorithm::ALL
        .iter()
        .map(|algorithm| algorithm.name())
        .collect()
}

/// The pattern of a step: a verb and an object.
fn steps() -> String {
    let verbs: Vec<_> = Verb::ALL.iter().map(|(_, name, ..)| *name).collect();
    format!("^({}) .+$", verbs.join("|"))
}

/// The operations by name, each with what it does and what its templates may use.
fn operations() -> Value {
    let mut properties = Map::new();
    for (operation, name, kind, variables, what) in Dialect::ALL {
        let mut description = format!("{what} Knows {}.…", kind.word());
        for variable in *variables {
            description += ", ";
            description += variable;
        }
        if !operation.results().is_empty() {
            description += &format!("; gives {}", operation.results().join(", "));
        }
        let commands = json!({
            "description": description,
            "type": "array",
            "items": reference("CommandFile"),
        });
        properties.insert((*name).to_owned(), commands);
    }
    json!({ "properties": properties, "additionalProperties": false })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/{DEFS}/{name}") })
}

/// A schema on its way: the definitions by name, the whole file's among them.
struct Draft(Map<String, Value>);

impl Draft {
    fn of(root: schemars::Schema) -> Self {
        let mut root = root.to_value();
        strip(&mut root);
        let Value::Object(mut root) = root else {
            return Self(Map::new());
        };
        root.remove("$schema");
        let title = root.remove("title");
        let mut definitions = match root.remove(DEFS) {
            Some(Value::Object(definitions)) => definitions,
            _ => Map::new(),
        };
        if let Some(Value::String(name)) = title {
            definitions.insert(name, Value::Object(root));
        }
        Self(definitions)
    }

    /// Lays what is known of a field over what its type says.
    fn refine(&mut self, of: &str, field: &str, more: Value) {
        let found = self
            .0
            .get_mut(of)
            .and_then(|definition| definition.get_mut("properties"))
            .and_then(|properties| properties.get_mut(field));
        if let Some(found) = found {
            lay_over(found, more);
        }
    }

    /// Says of fields that they are templates.
    fn templates(&mut self, fields: &[(&str, &str)]) {
        for (of, field) in fields {
            let more = reference("Template");
            self.refine(of, field, more);
        }
        let mut description = String::from(
            "A template: upper-case hexadecimal, 'text', TAG { … } for a BER-TLV object, \
             lower-case variables, and calls of these functions:",
        );
        for (.., what) in Function::ALL {
            description += "\n- ";
            description += what;
        }
        let template = json!({ "type": "string", "description": description });
        self.0.insert("Template".into(), template);
    }

    /// Makes the whole schema: a file without parent, or a child that extends another.
    fn finish(mut self, root: &str, title: &str) -> Value {
        let children: Vec<(String, Value)> = self
            .0
            .iter()
            .filter(|(name, definition)| {
                definition.get("properties").is_some() && !IN_ARRAYS.contains(&name.as_str())
            })
            .map(|(name, definition)| {
                let mut child = definition.clone();
                without_required(&mut child);
                (format!("{CHILD}{name}"), child)
            })
            .collect();
        let names: Vec<String> = children
            .iter()
            .filter_map(|(name, _)| name.strip_prefix(CHILD).map(str::to_owned))
            .collect();
        for (name, mut child) in children {
            point_to_children(&mut child, &names);
            self.0.insert(name, child);
        }
        let child = format!("{CHILD}{root}");
        if let Some(definition) = self.0.get_mut(&child) {
            let extends = json!({
                "required": ["extends"],
                "properties": { "extends": {
                    "type": "string",
                    "description": "The profile over which this one is laid, value by value; arrays are replaced whole.",
                } },
            });
            lay_over(definition, extends);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            "anyOf": [reference(root), reference(&child)],
            DEFS: self.0,
        })
    }
}

/// Lays an object over another, member by member.
fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// Takes out what JSON knows and TOML does not: null, and Rust's widths of numbers.
fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // A field may have that name too: its schema is no text.
            if members.get("format").is_some_and(Value::is_string) {
                members.remove("format");
            }
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type") != Some(&json!("null")));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    members.remove("anyOf");
                    members.extend(only);
                }
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

fn without_required(definition: &mut Value) {
    if let Value::Object(members) = definition {
        members.remove("required");
    }
}

/// Makes every reference outside of arrays one to the child's definition.
fn point_to_children(value: &mut Value, names: &[String]) {
    let Value::Object(members) = value else {
        return;
    };
    if let Some(Value::String(target)) = members.get_mut("$ref") {
        let name = target.rsplit('/').next().unwrap_or_default().to_owned();
        if names.contains(&name) {
            *target = format!("#/{DEFS}/{CHILD}{name}");
        }
    }
    for (name, member) in members.iter_mut() {
        if name != "items" {
            point_to_children(member, names);
        }
    }
}
