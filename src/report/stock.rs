//! Blanks, by what they are and the account that they are in.

use crate::chart::{Chart, accounts};
use crate::figures::{RibbonTally, StockLine};
use crate::report::Report;
use crate::table::{Cell, Table};
use crate::words::{Language, Word};

/// Reports how many blanks of each article are in each account, as it stands.
#[must_use]
pub fn stock(lines: &[StockLine], ribbons: &[RibbonTally], language: Language) -> Report {
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
    let mut second = Table::new(
        "ribbons",
        of(Word::RibbonsTitle),
        &[
            ("ribbon", of(Word::Ribbon)),
            ("account", of(Word::Account)),
            ("ribbons", of(Word::Ribbons)),
            ("cards", of(Word::Cards)),
        ],
    );
    for line in ribbons {
        second.rows.push(vec![
            Cell::Text(line.item.clone()),
            Cell::named(&line.account, language.account(&line.account)),
            Cell::Count(line.ribbons),
            Cell::Count(line.cards),
        ]);
    }
    let parts = lines
        .iter()
        .map(|line| (&*line.article, &*line.account, line.blanks));
    Report {
        name: "stock",
        span: None,
        by: None,
        tables: vec![table, second],
        chart: Chart {
            title: of(Word::StockTitle).to_owned(),
            panels: accounts(parts, of(Word::Blanks), language),
            language,
        },
    }
}
