//! Tables: named columns, and cells that know what they are.

use serde_json::{Map, Value, json};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What programs call it: never changed, in no language.
    pub key: &'static str,
    /// What people read.
    pub heading: String,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// Something that has a name for programs, and another for people.
    Named {
        /// What programs call it, in no language.
        name: String,
        /// What people read.
        shown: String,
    },
    /// A count.
    Count(u64),
    /// A part of a whole; nothing where the whole is nothing.
    Share {
        /// The part.
        part: u64,
        /// The whole.
        of: u64,
    },
    /// Nothing to say.
    Nothing,
}

impl Cell {
    pub(crate) fn named(name: impl Into<String>, shown: impl Into<String>) -> Self {
        Self::Named {
            name: name.into(),
            shown: shown.into(),
        }
    }

    /// Returns it as a person reads it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Named { shown, .. } => shown.clone(),
            Self::Count(count) => grouped(*count),
            Self::Share { part, of } => match permille(*part, *of) {
                Some(permille) => {
                    format!("{}.{} %", grouped(permille / 10), permille % 10)
                }
                None => String::new(),
            },
            Self::Nothing => String::new(),
        }
    }

    /// Returns it as a program reads it: plain digits, a share as a fraction of one with four places.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Named { name, .. } => name.clone(),
            Self::Count(count) => count.to_string(),
            Self::Share { part, of } => match fraction(*part, *of) {
                Some(parts) => format!("{}.{:04}", parts / 10_000, parts % 10_000),
                None => String::new(),
            },
            Self::Nothing => String::new(),
        }
    }

    /// Tells whether it is a figure, which stands at the right.
    #[must_use]
    pub const fn is_figure(&self) -> bool {
        matches!(self, Self::Count(_) | Self::Share { .. })
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Named { name, .. } => json!(name),
            Self::Count(count) => json!(count),
            // Four places, as in CSV.
            Self::Share { part, of } => match fraction(*part, *of) {
                Some(parts) => json!(parts as f64 / 10_000.0),
                None => Value::Null,
            },
            Self::Nothing => Value::Null,
        }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What programs call it.
    pub name: &'static str,
    /// What people read above it.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows: a cell a column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Makes a table without rows.
    pub(crate) fn new(
        name: &'static str,
        title: impl Into<String>,
        columns: &[(&'static str, &str)],
    ) -> Self {
        let column = |&(key, heading): &(&'static str, &str)| Column {
            key,
            heading: heading.to_owned(),
        };
        Self {
            name,
            title: title.into(),
            columns: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Returns its rows as JSON objects, by the columns' keys.
    #[must_use]
    pub fn json(&self) -> Value {
        let row = |cells: &Vec<Cell>| {
            let fields = self.columns.iter().zip(cells);
            let fields: Map<_, _> = fields
                .map(|(column, cell)| (column.key.to_owned(), cell.json()))
                .collect();
            Value::Object(fields)
        };
        Value::Array(self.rows.iter().map(row).collect())
    }
}

/// Returns a count with its thousands apart, by spaces that no line breaks at.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// Returns a share in thousandths, rounded half up.
fn permille(part: u64, of: u64) -> Option<u64> {
    rounded(part, of, 1_000)
}

/// Returns a share in ten thousandths, rounded half up.
fn fraction(part: u64, of: u64) -> Option<u64> {
    rounded(part, of, 10_000)
}

/// Returns `part / of` in parts of `unit`, rounded half up; none of nothing.
pub(crate) fn rounded(part: u64, of: u64, unit: u64) -> Option<u64> {
    let (part, of, unit) = (u128::from(part), u128::from(of), u128::from(unit));
    let parts = (part * unit * 2 + of).checked_div(of * 2)?;
    u64::try_from(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_alike_for_people_and_programs() {
        let share = |part, of| Cell::Share { part, of };
        for (cell, shown, plain) in [
            (Cell::Count(1_234_567), "1\u{a0}234\u{a0}567", "1234567"),
            (Cell::Count(999), "999", "999"),
            (share(2, 3), "66.7 %", "0.6667"),
            (share(1, 1), "100.0 %", "1.0000"),
            (share(10_500, 10_000), "105.0 %", "1.0500"),
            (share(0, 0), "", ""),
            (Cell::Nothing, "", ""),
            (Cell::Text("ab".into()), "ab", "ab"),
        ] {
            assert_eq!((cell.shown(), cell.plain()), (shown.into(), plain.into()));
        }
        assert_eq!(share(2, 3).json(), json!(0.6667));
        assert_eq!(share(1, 0).json(), Value::Null);
    }
}
