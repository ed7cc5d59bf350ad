//! A whole report: its tables and its chart.

use serde_json::{Map, Value, json};

use crate::by::By;
use crate::chart::Chart;
use crate::span::Span;
use crate::table::Table;

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What programs call it.
    pub name: &'static str,
    /// The days that it is about; none where it is about how things stand.
    pub span: Option<Span>,
    /// What its lines are told apart by.
    pub by: Option<By>,
    /// Its tables; the first is what it is about.
    pub tables: Vec<Table>,
    /// Its first tables as a picture.
    pub chart: Chart,
}

impl Report {
    /// Returns it as one JSON object: `report`, `from`, `until`, `by`, and under `tables` the rows of
    /// each by its name.
    #[must_use]
    pub fn json(&self) -> Value {
        let tables: Map<_, _> = self
            .tables
            .iter()
            .map(|table| (table.name.to_owned(), table.json()))
            .collect();
        json!({
            "report": self.name,
            "from": self.span.map(|span| span.from().to_string()),
            "until": self.span.map(|span| span.until().to_string()),
            "by": self.by.map(By::name),
            "tables": tables,
        })
    }

    /// Returns the table of this name; the first where none is named.
    #[must_use]
    pub fn table(&self, name: Option<&str>) -> Option<&Table> {
        match name {
            None => self.tables.first(),
            Some(name) => self.tables.iter().find(|table| table.name == name),
        }
    }
}
