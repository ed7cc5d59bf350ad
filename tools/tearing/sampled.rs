//! A sample of the matrix, with a seed: every fault and every document at least once.

use std::collections::BTreeSet;

use hsm::test_support;
use tearing::{Choice, Fault, Matrix, RECIPES, Stop, Totals, table};

/// Every fault twice.
const CASES: usize = 2 * Fault::ALL.len();
const SEED: u64 = 20_261_123;
const WORKERS: usize = 4;

#[test]
fn wherever_it_is_torn_there_is_one_document_and_every_blank_is_accounted_for() {
    let test = "wherever_it_is_torn_there_is_one_document_and_every_blank_is_accounted_for";
    test_support::with_private_tokens(test, || {
        let choice = Choice::Sample {
            cases: CASES,
            seed: SEED,
        };
        let stop = Stop::default();
        let matrix = Matrix::found(&choice, WORKERS, &stop, &mut |_| {}).unwrap();
        let tried = matrix.run(&choice, None, &stop, &mut |_| {}).unwrap();
        let totals = Totals::of(&tried);
        let found: Vec<_> = tried
            .iter()
            .filter(|tried| !tried.verdict.is_well())
            .map(|tried| format!("tools/tear --case {}: {:?}", tried.id(), tried.findings))
            .collect();
        println!("{}", table(&tried));
        assert_eq!(found, Vec::<String>::new());
        // A run may be shorter by a command or two than the one that was counted.
        let met = usize::try_from(totals.tried).unwrap();
        assert!(totals.is_well() && met + 2 >= CASES, "{totals:?}");
        // Some faults do no harm, and some cost a blank: else none was met.
        assert!(totals.survived > 0 && totals.spoiled > 0, "{totals:?}");
        let faults: BTreeSet<_> = tried.iter().filter_map(|tried| tried.point).collect();
        let faults: BTreeSet<_> = faults.iter().map(|point| point.fault).collect();
        assert_eq!(faults.len(), Fault::ALL.len());
        let recipes: BTreeSet<_> = tried.iter().map(|tried| tried.recipe).collect();
        assert_eq!(recipes.len(), RECIPES.len());
    });
}
