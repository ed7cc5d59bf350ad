//! One file per fault: each is refused for just that, beside its sound twin.

use std::path::Path;

use serde_json::Value;

use crate::lds::testing::bytes;
use crate::lds::{
    DataGroup, File, Group, LdsError, LdsSecurityObject, MAX_FILE, Remark, deviations,
};

fn read(file: &str, bytes: &[u8]) -> Result<Vec<Remark>, LdsError> {
    match File::from_file_name(file) {
        Some(file) => deviations(file, bytes),
        None if file == "LDSSecurityObject" => {
            LdsSecurityObject::parse(bytes).map(|read| read.remarks)
        }
        None => panic!("{file} is no file"),
    }
}

#[test]
fn each_fault_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/lds/malformed");
    let mut faults = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let row: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let file = row["file"].as_str().unwrap();
        assert_eq!(read(file, &bytes(&row["good"])), Ok(vec![]), "{path:?}");
        let error = read(file, &bytes(&row["bad"])).expect_err(&path.display().to_string());
        assert_eq!(
            error.to_string(),
            row["error"].as_str().unwrap(),
            "{path:?}"
        );
        faults += 1;
    }
    assert!(faults > 90, "{faults}");
}

#[test]
fn every_cut_of_every_file_is_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/lds/malformed");
    for entry in std::fs::read_dir(folder).unwrap() {
        let row = std::fs::read(entry.unwrap().path()).unwrap();
        let row: Value = serde_json::from_slice(&row).unwrap();
        let file = row["file"].as_str().unwrap();
        // What is a sequence of objects may end after each.
        if matches!(file, "EF.DIR" | "EF.ATR/INFO") {
            continue;
        }
        let good = bytes(&row["good"]);
        for length in 0..good.len() {
            assert!(read(file, &good[..length]).is_err(), "{file} {length}");
        }
    }
}

#[test]
fn no_file_is_longer_than_the_bound() {
    let content = vec![0; MAX_FILE];
    assert!(DataGroup::new(Group::Dg2, &content).is_err());
    for file in File::all() {
        let error = deviations(file, &content[..]).err();
        let within = deviations(file, &[content.as_slice(), &[0]].concat()).unwrap_err();
        assert_eq!(
            within.to_string(),
            format!("{file}: 262145 bytes; at most 262144 are allowed")
        );
        // One byte less is refused for what it is, except that of EF.CVCA nothing is read here.
        assert_eq!(error.is_none(), file == File::Cvca);
    }
}
