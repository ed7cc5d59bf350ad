//! What the life cycles promise to write into the log is what the store writes.

use std::collections::BTreeSet;
use std::path::Path;

use document::LifeCycle;
use document::life_cycle::{
    CertificateState, DocumentState, EnvelopeState, LeaseState, ParcelState,
};

/// Returns the actions that a life cycle names.
fn promised<S: LifeCycle>() -> BTreeSet<&'static str> {
    let transitions = S::transitions().into_iter();
    transitions
        .flat_map(|one| one.rule.evidence)
        .copied()
        .collect()
}

#[test]
fn every_action_that_a_life_cycle_names_is_one_of_the_stores() {
    let mut sources = String::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(file).unwrap());
        }
    }
    let mut promised_at_all = promised::<DocumentState>();
    promised_at_all.extend(promised::<ParcelState>());
    promised_at_all.extend(promised::<CertificateState>());
    promised_at_all.extend(promised::<EnvelopeState>());
    promised_at_all.extend(promised::<LeaseState>());
    assert!(promised_at_all.len() > 40, "{}", promised_at_all.len());
    let missing: Vec<_> = promised_at_all
        .into_iter()
        .filter(|action| !sources.contains(&format!("\"{action}\"")))
        .collect();
    assert!(missing.is_empty(), "nothing writes {missing:?}");
}
