//! The committed schema is that of the code, and boon, another's validator, judges with it as the loader
//! does.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::printer_schema;
use crate::PrinterProfile;

/// Set to write the committed schema anew.
const RENEW: &str = "ZIMOGS_RENEW";

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../firmware-profiles")
}

struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler
            .add_resource("zimogs.json", printer_schema())
            .unwrap();
        let index = compiler.compile("zimogs.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn takes(&self, text: &str) -> bool {
        let value: Value = toml::from_str(text).unwrap();
        self.schemas.validate(&value, self.index).is_ok()
    }
}

#[test]
fn the_committed_schema_is_that_of_the_code() {
    let path = shipped().join("printer.schema.json");
    let text = serde_json::to_string_pretty(&printer_schema()).unwrap() + "\n";
    if std::env::var_os(RENEW).is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "firmware-profiles/printer.schema.json is not that of the code: run this test with {RENEW}=1"
    );
}

#[test]
fn the_schema_takes_what_is_shipped_and_refuses_what_the_loader_refuses() {
    let judge = Judge::new();
    let mut texts = Vec::new();
    for entry in fs::read_dir(shipped().join("printers")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("#:schema ../printer.schema.json\n"),
            "{path:?}"
        );
        assert!(judge.takes(&text), "{path:?}");
        PrinterProfile::parse(&text).unwrap();
        texts.push(text);
    }
    assert!(texts.len() >= 5);
    let mut refused = 0;
    for (from, to) in [
        ("title = ", "titel = "),
        ("protocol = \"esc\"", "protocol = \"esk\""),
        ("protocol = \"ipp\"", "protocol = \"zpl\""),
        ("levels = 32", "levels = 33"),
        ("front = \"ymcko\"", "front = \"ymko\""),
        ("turn = \"clockwise\"", "turn = \"left\""),
        ("feed = \"Si\"", "feed = \"S i\""),
        ("means = \"card-fault\"", "means = \"broken\""),
        ("panel = 60", "panel = 1000"),
        ("baud = 115200", "baud = 100"),
        ("resolution = 300", "resolution = 100"),
        ("media = \"iso_a4_210x297mm\"", "media = \"ISO A4\""),
        ("stations = [\"contact\"", "stations = [\"swallow\""),
    ] {
        for text in texts.iter().filter(|text| text.contains(from)) {
            let wrong = text.replacen(from, to, 1);
            assert!(PrinterProfile::parse(&wrong).is_err(), "{to}");
            assert!(!judge.takes(&wrong), "{to}");
            refused += 1;
        }
    }
    assert!(refused >= 13, "{refused}");
}
