//! What the life cycles promise to write into the log is what the store writes.

use std::collections::BTreeSet;
use std::path::Path;

use document::LifeCycle;
use document::life_cycle::{
    ApplicationState, BlankState, CertificateState, DocumentState, EnvelopeState, IncidentState,
    LeaseState, ParcelState, RibbonState, StationState,
};

/// Returns the actions that a life cycle names.
fn promised<S: LifeCycle>() -> BTreeSet<&'static str> {
    let transitions = S::transitions().into_iter();
    transitions
        .flat_map(|one| one.rule.evidence)
        .copied()
        .collect()
}

/// Returns the program's text in a folder of this crate, or of one beside it.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[test]
fn every_action_that_a_life_cycle_names_is_one_of_the_stores() {
    let central = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = [
        promised::<ApplicationState>(),
        promised::<DocumentState>(),
        promised::<ParcelState>(),
        promised::<BlankState>(),
        promised::<RibbonState>(),
        promised::<CertificateState>(),
        promised::<EnvelopeState>(),
        promised::<LeaseState>(),
        promised::<StationState>(),
        promised::<IncidentState>(),
    ];
    let machines = sources(&central.join("../document/life_cycle"));
    assert_eq!(
        all.len(),
        machines.matches("\nlife_cycle!(").count() + machines.matches("impl LifeCycle for").count(),
        "a life cycle is not in this list"
    );
    assert!(all.iter().all(|one| !one.is_empty()));
    let written = sources(central);
    let missing: Vec<_> = all
        .iter()
        .flatten()
        .filter(|action| !written.contains(&format!("\"{action}\"")))
        .collect();
    assert!(missing.is_empty(), "nothing writes {missing:?}");
}
