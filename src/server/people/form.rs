//! The form of a body: what the OpenAPI document says of it is what is enforced.

use std::sync::OnceLock;

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};
use zeroize::Zeroize;

use crate::problem::{Fault, Problem};

/// What a body is described by, and judged by.
pub(crate) struct Form {
    schema: fn(&mut SchemaGenerator) -> Schema,
    validator: OnceLock<Option<Validator>>,
}

impl Form {
    pub(crate) fn new(schema: fn(&mut SchemaGenerator) -> Schema) -> Self {
        Self {
            schema,
            validator: OnceLock::new(),
        }
    }

    /// Returns its schema for a document, whose definitions the generator gathers.
    pub(crate) fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// Judges a body. What is wrong is told by its place and the keyword of JSON Schema that it
    /// breaks (*JSON Schema 2020-12 Validation §6*): a body may hold secrets.
    ///
    /// # Errors
    /// A [`Problem`] for what is no JSON, or not of this form.
    pub(crate) fn judge(&self, body: &[u8]) -> Result<(), Problem> {
        let value = serde_json::from_slice(body).map(Wiped).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let detail = format!("the body is no JSON, at line {line}, column {column}");
            Problem::new(Fault::Invalid, detail)
        })?;
        let Some(validator) = self.validator() else {
            let detail = "the schema of this address cannot be read; tell who runs the server";
            return Err(Problem::new(Fault::Unavailable, detail));
        };
        validator.validate(&value.0).map_err(|error| {
            let place = match error.instance_path().as_str() {
                "" => "/",
                place => place,
            };
            let keyword = error.kind().keyword();
            let detail = format!(
                "the body is not what this address takes: {place} does not keep {keyword}, \
                 see /v1/openapi.json"
            );
            Problem::new(Fault::Invalid, detail)
        })
    }

    /// Returns what judges it; nothing where its schema is none, which a test rules out.
    pub(crate) fn validator(&self) -> Option<&Validator> {
        let made = self.validator.get_or_init(|| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/$defs".into();
            });
            let mut generator = settings.into_generator();
            let schema = self.schema(&mut generator);
            let root = json!({ "allOf": [schema], "$defs": generator.take_definitions(true) });
            jsonschema::draft202012::new(&root).ok()
        });
        made.as_ref()
    }
}

/// JSON whose texts are wiped when it is no longer used.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}
