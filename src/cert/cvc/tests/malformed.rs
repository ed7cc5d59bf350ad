//! One fault a file: each is refused, and for its own reason.

use serde_json::Value;

use crate::cvc::{CvCertificate, CvRequest, EfCvca};

#[test]
fn each_fault_is_refused_for_its_own_reason() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/cvc/malformed"
    );
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let bytes = hex::decode(file["hex"].as_str().unwrap()).unwrap();
        let error = match file["kind"].as_str().unwrap() {
            "certificate" => CvCertificate::parse(&bytes).unwrap_err(),
            "request" => CvRequest::parse(&bytes).unwrap_err(),
            "ef-cvca" => EfCvca::parse(&bytes).unwrap_err(),
            other => panic!("{other}"),
        };
        assert_eq!(
            error.to_string(),
            file["error"].as_str().unwrap(),
            "{}",
            path.display()
        );
        found += 1;
    }
    assert!(found > 30, "only {found} files");
}
