//! Pictures that others' programs wrote, and each with one fault.

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Every format, every size.
const ANY: ImageLimits = ImageLimits {
    formats: MediaType::ALL,
    bytes: 1 << 20,
    least: (1, 1),
    greatest: (u16::MAX, u16::MAX),
    upright: false,
};

fn vectors() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/images"
    ))
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(row: &Value) -> Vec<u8> {
    hex::decode(row["hex"].as_str().unwrap()).unwrap()
}

fn pictures() -> Vec<Value> {
    let Value::Array(rows) = read(&vectors().join("images.json")) else {
        panic!("a list");
    };
    rows
}

#[test]
fn pictures_of_other_programs_are_recognised() {
    for row in pictures() {
        let image = Image::recognise(bytes(&row), ANY).unwrap();
        let name = row["name"].as_str().unwrap();
        assert_eq!(row["media_type"], image.media_type().name(), "{name}");
        assert_eq!(row["width"], image.width(), "{name}");
        assert_eq!(row["height"], image.height(), "{name}");
        assert_eq!(row["colour"], image.is_colour(), "{name}");
        assert_eq!(row["lossless"], image.is_lossless(), "{name}");
    }
}

#[test]
fn one_fault_is_enough() {
    let mut seen = 0;
    for entry in std::fs::read_dir(vectors().join("malformed")).unwrap() {
        let path = entry.unwrap().path();
        let row = read(&path);
        let error = Image::recognise(bytes(&row), ANY).unwrap_err();
        assert_eq!(row["error"], error.to_string(), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn every_cut_and_every_tail_is_noticed() {
    for row in pictures() {
        let whole = bytes(&row);
        for end in 0..whole.len() {
            let cut = Image::recognise(whole[..end].to_vec(), ANY);
            assert!(cut.is_err(), "{} cut at {end}", row["name"]);
        }
        let longer = [&whole[..], &[0]].concat();
        assert!(Image::recognise(longer, ANY).is_err(), "{}", row["name"]);
    }
}

#[test]
fn each_use_has_its_formats() {
    for row in pictures() {
        let finger = Image::recognise(bytes(&row), FINGERPRINT_LIMITS);
        match row["name"].as_str().unwrap() {
            "finger.wsq" => assert!(finger.is_ok()),
            _ => assert!(matches!(finger, Err(ImageError::Dimensions { .. }))),
        }
        let portrait = Image::recognise(bytes(&row), PORTRAIT_LIMITS);
        assert!(matches!(portrait, Err(ImageError::Format { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_never_panic(which in 0_usize..5, at: prop::sample::Index, value: u8, end: prop::sample::Index) {
        let mut bytes = bytes(&pictures()[which]);
        // Faults in the headers are worth more than faults in the pixels.
        let header = at.index(bytes.len().min(200));
        bytes[header] = value;
        let _ = Image::recognise(bytes.clone(), ANY);
        bytes.truncate(end.index(bytes.len()));
        let _ = Image::recognise(bytes, ANY);
    }
}
