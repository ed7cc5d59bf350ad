//! The fuzzers' corpora, replayed: what was once an input is one for ever.

#[path = "../../fuzz/targets.rs"]
mod targets;

use crate::world::project;

#[test]
fn every_corpus_passes_its_target() {
    for (name, _) in targets::TARGETS {
        let corpus = project("fuzz/corpus").join(name);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&corpus)
            .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        {
            targets::run(name, &std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has a corpus");
    }
}

#[test]
fn every_sample_file_survives_every_target() {
    let mut inputs = Vec::new();
    for folder in [
        "tests/samples/applications",
        "tests/samples/malformed",
        "firmware-profiles/chips",
        "certs",
        "certs/country",
    ] {
        for entry in std::fs::read_dir(project(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                inputs.push(std::fs::read(path).unwrap());
            }
        }
    }
    for (name, _) in targets::TARGETS {
        inputs.iter().for_each(|input| targets::run(name, input));
    }
}
