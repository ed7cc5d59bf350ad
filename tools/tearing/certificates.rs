//! Which certificates are left, in the store and at the authority outside.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use crate::Failure;
use crate::authority::Outside;

/// What is left of certificates.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// How many are on hold or usable, of the documents' own.
    pub(crate) own: usize,
    /// Those that may be usable and are no document's, in words.
    pub(crate) orphans: Vec<String>,
}

/// A certificate as the store's file has it.
struct Row {
    serial: Option<String>,
    chip: String,
    state: String,
    standing: String,
}

fn rows(store: &Path) -> Result<Vec<Row>, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = Connection::open_with_flags(store, flags)?;
    let mut rows = file.prepare("SELECT serial, chip, state, standing FROM certificate")?;
    let rows = rows.query_map([], |row| {
        Ok(Row {
            serial: row.get(0)?,
            chip: row.get(1)?,
            state: row.get(2)?,
            standing: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Looks for certificates that are not revoked, and that are for no chip of a document: `chips` are
/// theirs. What the authority outside issued while the store's books were written that it `forgot`, and
/// that stand in them no more, people have revoked there.
pub(crate) fn left(
    store: &Path,
    outside: &Outside,
    chips: &BTreeSet<&str>,
    forgot: Option<(Timestamp, Timestamp)>,
) -> Result<Left, Failure> {
    let (mut left, mut live, mut booked) = (Left::default(), BTreeSet::new(), BTreeSet::new());
    for row in rows(store)? {
        booked.extend(row.serial.as_deref().map(str::to_ascii_lowercase));
        let named = row.serial.as_deref().unwrap_or("without a number");
        let is_over = row.state.starts_with("revoked") || row.state == "abandoned";
        match (is_over, chips.contains(row.chip.as_str())) {
            (false, true) => {
                left.own += 1;
                live.extend(row.serial);
            }
            (false, false) => {
                let told = format!("certificate {named} is {} for chip {}", row.state, row.chip);
                left.orphans.push(told);
            }
            (true, _) if !matches!(&*row.standing, "revoked" | "none") => {
                let told = format!(
                    "certificate {named} is {} and its authority has it {}",
                    row.state, row.standing
                );
                left.orphans.push(told);
            }
            (true, _) => {}
        }
    }
    for (serial, since) in outside.live() {
        let is_known = live.iter().any(|known| known.eq_ignore_ascii_case(&serial));
        let is_forgotten = forgot.is_some_and(|(from, until)| (from..=until).contains(&since))
            && !booked.contains(&serial.to_ascii_lowercase());
        if !is_known && !is_forgotten {
            let told = format!("the authority outside has certificate {serial}, and nobody else");
            left.orphans.push(told);
        }
    }
    Ok(left)
}
