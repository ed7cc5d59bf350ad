//! Published and computed test vectors, read from the repository's `tests/vectors`.

use std::path::Path;

use serde_json::Value;

/// One JSON object of a vector file.
pub(crate) struct Row(Value);

/// Loads a vector file.
pub(crate) fn load(name: &str) -> Row {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let text = std::fs::read_to_string(path.join(name)).expect(name);
    Row(serde_json::from_str(&text).expect(name))
}

/// Decodes hexadecimal.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).expect("hexadecimal")
}

impl Row {
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.get(field).is_some()
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().expect(field)
    }

    pub(crate) fn bytes(&self, field: &str) -> Vec<u8> {
        unhex(self.text(field))
    }

    pub(crate) fn row(&self, field: &str) -> Row {
        Row(self.0[field].clone())
    }

    pub(crate) fn rows(&self, field: &str) -> Vec<Row> {
        let rows = self.0[field].as_array().expect(field);
        rows.iter().cloned().map(Row).collect()
    }

    pub(crate) fn list(&self, field: &str) -> Vec<Vec<u8>> {
        let items = self.0[field].as_array().expect(field);
        items
            .iter()
            .map(|item| unhex(item.as_str().expect(field)))
            .collect()
    }
}
