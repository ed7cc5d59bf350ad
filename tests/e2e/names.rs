//! A new chip is a file: the program knows none by name.

use std::path::{Path, PathBuf};

use crate::world::project;

/// Returns the names of the shipped chip profiles.
fn chips() -> Vec<String> {
    let entries = std::fs::read_dir(project("firmware-profiles/chips")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Says whether a name stands in a line as a word of its own.
fn names(line: &str, name: &str) -> bool {
    let in_word = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    line.match_indices(name).any(|(at, _)| {
        !line[..at].ends_with(in_word) && !line[at + name.len()..].starts_with(in_word)
    })
}

#[test]
fn no_rust_file_of_the_program_names_a_chip() {
    let (chips, mut files) = (chips(), Vec::new());
    assert!(!chips.is_empty(), "there are chip profiles");
    rust_files(&project("src"), &mut files);
    assert!(files.len() > 100, "{} files", files.len());
    let mut found = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (line, number) in text.lines().zip(1..) {
            let named = chips.iter().filter(|chip| names(line, chip));
            found.extend(named.map(|chip| format!("{}:{number} names {chip}", path.display())));
        }
    }
    assert!(
        found.is_empty(),
        "a chip is a file; a test that needs one stands in tests/:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_name_is_a_word_of_its_own() {
    for line in [
        "piv",
        "\"piv\"",
        "card piv 1",
        "chips/piv.toml",
        "é-piv-x piv",
    ] {
        assert!(names(line, "piv"), "{line}");
    }
    for line in [
        "PIV",
        "pivot",
        "piv-authentication",
        "by_piv",
        "nist-piv",
        "",
    ] {
        assert!(!names(line, "piv"), "{line}");
    }
}
