//! Blanks, by what they are and the account that they are in.

use crate::chart::{Chart, accounts};
use crate::figures::StockLine;
use crate::report::Report;
use crate::table::{Cell, Table};
use crate::words::{Language, Word};

/// Reports how many blanks of each article are in each account, as it stands.
#[must_use]
pub fn stock(lines: &[StockLine], language: Language) -> Report {
    let of = |word| language.of(word);
    let mut table = Table::new(
        "stock",
        of(Word::StockTitle),
        &[
            ("article", of(Word::Article)),
            ("account", of(Word::Account)),
            ("blanks", of(Word::Blanks)),
        ],
    );
    for line in lines {
        table.rows.push(vec![
            Cell::Text(line.article.clone()),
            Cell::named(&line.account, language.account(&line.account)),
            Cell::Count(line.blanks),
        ]);
    }
    let parts = lines
        .iter()
        .map(|line| (&*line.article, &*line.account, line.blanks));
    Report {
        name: "stock",
        span: None,
        by: None,
        tables: vec![table],
        chart: Chart {
            title: of(Word::StockTitle).to_owned(),
            panels: accounts(parts, of(Word::Blanks), language),
            language,
        },
    }
}
