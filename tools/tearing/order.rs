//! The order in which the chips of one blank are worked on, by what a station wrote down: what is sealed
//! cannot be taken back, and comes behind all that is written on the chips before it.

use std::collections::BTreeMap;
use std::path::Path;

use api::{BlankEnd, JournalLine, Report};
use profile::{ChipProfile, Verb};
use rusqlite::{Connection, OpenFlags};

use crate::Failure;

/// What is said of a chip that stopped because another one failed: never of a blank.
const CONSEQUENCE: &str = "another chip of the blank failed";

/// Looks for such a thing in all that a station reported, by its journal, and for a blank that ended by the
/// failure of another chip than the one that failed.
pub(crate) fn overtaken_in(
    profiles: &[ChipProfile],
    journal: &Path,
) -> Result<Option<String>, Failure> {
    let file = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut reports = file.prepare("SELECT report FROM outbox WHERE lease IS NOT NULL")?;
    let mut rows = reports.query([])?;
    while let Some(row) = rows.next()? {
        let report: Report = serde_json::from_str(&row.get::<_, String>(0)?)?;
        if let BlankEnd::Spoiled { cause } | BlankEnd::Untouched { cause } = &report.end
            && cause.contains(CONSEQUENCE)
        {
            return Ok(Some(format!("a blank ended by a consequence: {cause}")));
        }
        if let Some(told) = overtaken(profiles, &report.journal) {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// Looks for something that was begun on a chip although a later one's sealed stage was begun already.
/// `profiles` are those of the chips, in their order.
fn overtaken(profiles: &[ChipProfile], lines: &[JournalLine]) -> Option<String> {
    let mut places = BTreeMap::new();
    // The place of the chip whose sealed stage was begun, and the stage.
    let mut sealed: Option<(usize, &str)> = None;
    for line in lines {
        let Some(chip) = line.evidence.get("chip") else {
            continue;
        };
        if let Some(product) = line.evidence.get("product") {
            let place = profiles.iter().position(|one| one.name == *product);
            places.extend(place.map(|place| (chip, place)));
        }
        let Some(&place) = places.get(chip).filter(|_| line.moment == "intent") else {
            continue;
        };
        // What is begun and is no step is a sealed stage.
        match line.step.split(' ').next().and_then(Verb::named) {
            None => sealed = Some((place, &line.step)),
            Some(_) => {
                if let Some((after, stage)) = sealed.filter(|(after, _)| place < *after) {
                    let step = &line.step;
                    return Some(format!(
                        "\"{step}\" was begun on chip {place} behind \"{stage}\" on chip {after}"
                    ));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::recipe::RECIPES;

    fn line(step: &str, moment: &str, evidence: &[(&str, &str)]) -> JournalLine {
        let evidence = evidence.iter();
        JournalLine {
            at: Timestamp::UNIX_EPOCH,
            step: step.into(),
            moment: moment.into(),
            evidence: evidence
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn what_is_written_behind_a_later_seal_is_found() {
        let recipe = RECIPES.iter().find(|recipe| recipe.chips.len() == 2);
        let recipe = recipe.unwrap();
        let shelf = recipe.chip_shelf().unwrap();
        let profiles: Vec<_> = (recipe.chips.iter())
            .map(|chip| ChipProfile::load(&shelf, chip.profile).unwrap())
            .collect();
        let [first, second] = ["0102", "0304"];
        let identify = |chip: &str, at: usize| {
            let evidence = [("chip", chip), ("product", &*profiles[at].name)];
            line("identify", "outcome", &evidence)
        };
        let known = [identify(first, 0), identify(second, 1)];
        let intent = |chip: &str, step: &str| line(step, "intent", &[("chip", chip)]);
        let behind = |lines: &[JournalLine]| overtaken(&profiles, &[&known, lines].concat());
        let written = intent(first, "write_file dg1");
        let seal = intent(second, "set the holder's PINs");
        assert_eq!(behind(&[written.clone(), seal.clone()]), None);
        let own = intent(second, "write_file x");
        assert_eq!(behind(&[seal.clone(), own]), None);
        assert!(behind(&[seal, written]).is_some_and(|told| told.contains("dg1")));
    }
}
