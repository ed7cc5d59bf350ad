//! The JSON Schema of printer profiles, from which editors complete and check a file while it is written.
//! The loader proves more than a schema can say.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::esc::EscProfile;
use crate::printer_profile::{FolderProfile, IppProfile, ZplProfile};

/// Returns the JSON Schema (2020-12) of printer profiles.
#[must_use]
pub fn printer_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = [
        generator.subschema_for::<EscProfile>(),
        generator.subschema_for::<IppProfile>(),
        generator.subschema_for::<ZplProfile>(),
        generator.subschema_for::<FolderProfile>(),
    ];
    let definitions: Map<_, _> = generator.take_definitions(true).into_iter().collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A zimogs printer profile",
        "oneOf": kinds,
        "$defs": definitions,
    })
}

#[cfg(test)]
#[path = "../../tests/print/schema.rs"]
mod tests;
