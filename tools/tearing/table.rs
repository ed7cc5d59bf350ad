//! What came of the cases, as people and programs read it.

use std::collections::BTreeMap;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use serde::Serialize;

use crate::case::Tried;
use crate::fault::Fault;
use crate::judge::Verdict;

/// How many cases came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All of them.
    pub tried: u64,
    /// The blank became the document, or went back unharmed, and the document was made.
    pub survived: u64,
    /// The blank is accounted for as spoiled, and the document was made of the next.
    pub spoiled: u64,
    /// A document, its PINs or a blank were lost.
    pub lost: u64,
    /// There was something twice.
    pub duplicated: u64,
    /// A certificate was left over.
    pub orphans: u64,
    /// The books did not agree.
    pub unsound: u64,
}

impl Totals {
    /// Counts the cases whose fault was met.
    pub fn of<'a>(all: impl IntoIterator<Item = &'a Tried>) -> Self {
        let mut totals = Self::default();
        for tried in all.into_iter().filter(|tried| tried.is_met) {
            totals.tried += 1;
            *match tried.verdict {
                Verdict::Survived => &mut totals.survived,
                Verdict::Spoiled => &mut totals.spoiled,
                Verdict::Lost => &mut totals.lost,
                Verdict::Duplicated => &mut totals.duplicated,
                Verdict::Orphaned => &mut totals.orphans,
                Verdict::Unsound => &mut totals.unsound,
            } += 1;
        }
        totals
    }

    /// Tells whether nothing is there that must not be.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.tried == self.survived + self.spoiled
    }

    fn cells(&self) -> [String; 7] {
        let Self {
            tried,
            survived,
            spoiled,
            lost,
            duplicated,
            orphans,
            unsound,
        } = *self;
        [tried, survived, spoiled, lost, duplicated, orphans, unsound].map(|n| n.to_string())
    }
}

/// Returns a table by fault, one by recipe, and what there is in all.
#[must_use]
pub fn table(all: &[Tried]) -> String {
    let mut by_fault: BTreeMap<Option<Fault>, Vec<&Tried>> = BTreeMap::new();
    let mut by_recipe: BTreeMap<String, Vec<&Tried>> = BTreeMap::new();
    for tried in all {
        let fault = tried.point.map(|point| point.fault);
        by_fault.entry(fault).or_default().push(tried);
        let recipe = format!("{} ({})", tried.recipe, tried.chip);
        by_recipe.entry(recipe).or_default().push(tried);
    }
    let by_fault = by_fault.into_iter().map(|(fault, tried)| {
        let name = fault.map_or("none", Fault::name);
        (name.to_owned(), tried)
    });
    let mut text = String::new();
    for (head, rows) in [
        ("fault", by_fault.collect()),
        ("document", by_recipe.into_iter().collect::<Vec<_>>()),
    ] {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        let names = [
            "tried",
            "survived",
            "spoiled",
            "lost",
            "duplicated",
            "orphans",
            "unsound",
        ];
        table.set_header([head].into_iter().chain(names));
        for (name, tried) in rows {
            let cells = Totals::of(tried).cells();
            table.add_row([name].into_iter().chain(cells));
        }
        let cells = Totals::of(all).cells();
        table.add_row(["all".to_owned()].into_iter().chain(cells));
        text.push_str(&format!("{table}\n"));
    }
    text
}
