//! Document numbers, by series and the account that they are in.

use crate::chart::{Chart, accounts};
use crate::figures::NumberLine;
use crate::report::Report;
use crate::table::{Cell, Table};
use crate::words::{Language, Word};

/// Reports how many numbers of each series are in each account, as it stands: every number that was
/// given is in exactly one.
#[must_use]
pub fn numbers(lines: &[NumberLine], language: Language) -> Report {
    let of = |word| language.of(word);
    let mut table = Table::new(
        "numbers",
        of(Word::NumbersTitle),
        &[
            ("series", of(Word::Series)),
            ("account", of(Word::Account)),
            ("numbers", of(Word::Numbers)),
        ],
    );
    for line in lines {
        table.rows.push(vec![
            Cell::Text(line.prefix.clone()),
            Cell::named(&line.account, language.account(&line.account)),
            Cell::Count(line.numbers),
        ]);
    }
    let parts = lines
        .iter()
        .map(|line| (&*line.prefix, &*line.account, line.numbers));
    Report {
        name: "numbers",
        span: None,
        by: None,
        tables: vec![table],
        chart: Chart {
            title: of(Word::NumbersTitle).to_owned(),
            panels: accounts(parts, of(Word::Numbers), language),
            language,
        },
    }
}
