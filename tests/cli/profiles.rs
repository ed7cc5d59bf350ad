//! Shipped profiles and those of a folder, found by name.

use super::*;

#[test]
fn a_file_extends_its_neighbour_or_a_shipped_profile() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    write("parent.toml", "extends = \"lateid-v2\"\nname = \"parent\"");
    let child = write("child.toml", "extends = \"parent\"\nname = \"child\"");
    assert_eq!(chip(&child).unwrap().name, "child");
    assert_eq!(chip("lateid-v2").unwrap().name, "lateid-v2");
    assert!(chip("nowhere").is_err());
    assert!(chip("nowhere.toml").is_err());
}

#[test]
fn a_shipped_document_is_found_by_what_it_makes() {
    let found = shipped_document_for(document::Kind::IdCard, "lateid-v2").unwrap();
    assert_eq!(found.name, "id-card");
    assert!(shipped_document_for(document::Kind::IdCard, "other").is_err());
}
