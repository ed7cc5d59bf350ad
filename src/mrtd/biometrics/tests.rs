//! Data groups that others' decoders read, and each with one fault.

mod prepared;

use std::path::PathBuf;

use document::MediaType;
use serde_json::Value;

use super::*;

/// What is known of a valid sample: pictures, as their formats and fingers.
type Known = (&'static str, &'static [(MediaType, Option<FingerPosition>)]);

const JPEG: (MediaType, Option<FingerPosition>) = (MediaType::Jpeg, None);
const JP2: (MediaType, Option<FingerPosition>) = (MediaType::Jp2, None);

const fn finger(
    media_type: MediaType,
    position: FingerPosition,
) -> (MediaType, Option<FingerPosition>) {
    (media_type, Some(position))
}

/// Every valid sample, as its maker described it.
const SAMPLES: &[Known] = &[
    ("dg2_19794_min_jpeg", &[JPEG]),
    ("dg2_19794_rich_two_points_jp2", &[JP2]),
    ("dg2_19794_two_bits", &[JPEG, JPEG]),
    ("dg2_19794_one_record_two_faces", &[JPEG, JPEG]),
    ("dg2_19794_record_length_minus_8", &[JPEG]),
    (
        "dg3_19794_one_png",
        &[finger(MediaType::Png, FingerPosition::RightIndex)],
    ),
    (
        "dg3_19794_two_bits_jpeg_png",
        &[
            finger(MediaType::Jpeg, FingerPosition::LeftIndex),
            finger(MediaType::Png, FingerPosition::RightIndex),
        ],
    ),
    (
        "dg3_19794_one_wsq_code_opaque",
        &[finger(MediaType::Wsq, FingerPosition::RightThumb)],
    ),
    (
        "dg3_19794_record_length_minus_1",
        &[finger(MediaType::Png, FingerPosition::RightIndex)],
    ),
    ("dg2_39794_min_jpeg", &[JPEG]),
    ("dg2_39794_rich_icao_fallback", &[JPEG]),
    ("dg2_39794_rich_code_alternative", &[JPEG]),
    ("dg2_39794_min_jp2_lossless", &[JP2]),
    ("dg2_39794_landmark_variants", &[JPEG]),
    (
        "dg3_39794_one_min_png",
        &[finger(MediaType::Png, FingerPosition::RightIndex)],
    ),
    (
        "dg3_39794_two_bits_rich",
        &[
            finger(MediaType::Png, FingerPosition::RightIndex),
            finger(MediaType::Png, FingerPosition::LeftIndex),
        ],
    ),
    (
        "dg3_39794_one_wsq_code_opaque",
        &[finger(MediaType::Wsq, FingerPosition::RightThumb)],
    ),
    ("dg3_zero_instances", &[]),
    (
        "dg3_39794_single_element_lists",
        &[finger(MediaType::Png, FingerPosition::LeftIndex)],
    ),
    (
        "dg3_39794_fallback_alternative",
        &[finger(MediaType::Png, FingerPosition::RightIndex)],
    ),
];

pub(super) fn vectors(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors")
        .join(name)
}

pub(super) fn read(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(super) fn bytes(row: &Value) -> Vec<u8> {
    hex::decode(row["hex"].as_str().unwrap()).unwrap()
}

/// Every valid sample: its name, its deviation, its bytes.
pub(super) fn samples() -> Vec<(String, Option<String>, Vec<u8>)> {
    let mut samples = Vec::new();
    for file in ["biometrics/iso19794.json", "biometrics/iso39794.json"] {
        for row in read(&vectors(file)).as_array().unwrap() {
            samples.push((
                row["name"].as_str().unwrap().to_owned(),
                row["deviation"].as_str().map(str::to_owned),
                bytes(row),
            ));
        }
    }
    samples
}

pub(super) fn sample(name: &str) -> Vec<u8> {
    let found = samples().into_iter().find(|sample| sample.0 == name);
    found.unwrap().2
}

#[test]
fn valid_samples_are_read() {
    let samples = samples();
    assert_eq!(samples.len(), SAMPLES.len());
    for (name, deviation, bytes) in samples {
        let (_, expected) = SAMPLES.iter().find(|known| known.0 == name).unwrap();
        let (found, deviations): (Vec<_>, _) = if name.starts_with("dg2") {
            let group = FaceGroup::parse(&bytes).unwrap();
            let media_type = |face: &Face| (face.picture.media_type().unwrap(), None);
            (
                group.faces.iter().map(media_type).collect(),
                group.deviations,
            )
        } else {
            let group = FingerGroup::parse(&bytes).unwrap();
            let finger =
                |finger: &Finger| (finger.picture.media_type().unwrap(), Some(finger.position));
            (group.fingers.iter().map(finger).collect(), group.deviations)
        };
        assert_eq!(&found, expected, "{name}");
        let deviations: Vec<_> = deviations.iter().map(ToString::to_string).collect();
        assert_eq!(
            deviations,
            deviation.into_iter().collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn one_fault_is_enough() {
    let mut seen = 0;
    for entry in std::fs::read_dir(vectors("biometrics/malformed")).unwrap() {
        let path = entry.unwrap().path();
        let row = read(&path);
        let name = path.file_stem().unwrap().to_str().unwrap();
        let error = if name.starts_with("dg2") {
            FaceGroup::parse(&bytes(&row)).unwrap_err()
        } else {
            FingerGroup::parse(&bytes(&row)).unwrap_err()
        };
        assert_eq!(row["error"], error.to_string(), "{name}");
        seen += 1;
    }
    assert!(seen > 100, "{seen}");
}
