//! What is printed for a parcel of finished documents.

use std::fs;

use serde_json::Value;
use vprinter::label::VirtualLabelPrinter;

use crate::world::{Ran, judged};

#[test]
fn a_sealed_parcel_gets_its_list_and_its_label() {
    let demo = judged();
    let folder = tempfile::tempdir().unwrap();
    let central = |arguments: &[&str]| Ran::of(demo.central(arguments).output().unwrap());
    let json = |arguments: &[&str]| -> Value {
        let ran = central(&[arguments, &["--json"]].concat());
        ran.ends(0).json()
    };
    let number = demo.with_certificates(1)["number"].as_str().unwrap();
    central(&["quality", "pass", number]).ends(0);
    let opened = json(&["parcel", "open", "DAUGAVPILS-1"]);
    let parcel = opened["parcel"].as_str().unwrap();
    central(&["parcel", "add", parcel, number]).ends(0);
    let out = folder.path().join("list.pdf");
    let out = out.to_str().unwrap();
    let list = ["parcel", "dispatch-list", parcel, "--out", out];
    central(&list).ends(4);
    central(&["parcel", "seal", parcel, number]).ends(0);
    let said = json(&list);
    assert_eq!(said["documents"], 1);
    assert!(fs::read(out).unwrap().starts_with(b"%PDF-"));
    // Nothing that is there is written over.
    central(&list).ends(4);

    let picture = folder.path().join("label.png");
    let label = ["parcel", "label", parcel];
    let to_file = ["--out", picture.to_str().unwrap()];
    json(&[&label[..], &to_file].concat());
    assert!(fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    let labels = VirtualLabelPrinter::start(&folder.path().join("labels"), None).unwrap();
    let at = labels.address();
    let to_printer = ["--printer", "zpl-300", "--at", &at];
    json(&[&label[..], &to_printer].concat());
    assert_eq!(labels.labels().len(), 1);
    assert_eq!(labels.complaints(), [""; 0]);
    let to_pages = ["--printer", "ipp-a4", "--at", "ipp://127.0.0.1:1/"];
    for paper in ["label", "dispatch-list"] {
        central(&[&["parcel", paper, parcel][..], &to_pages].concat()).ends(3);
    }
}
