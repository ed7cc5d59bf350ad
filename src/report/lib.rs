//! Reports: what an office counts, as tables and charts.
//!
//! ```text
//!   figures (sums that a database made) ─┐
//!   Plan, Calendar ──────────────────────┼─► kpi, turnaround, quality, stock, numbers ─► Report
//!   Span, By, Language ──────────────────┘                                                 │
//!                                                   Table ─► rows, CSV, JSON    Chart ─► SVG
//! ```
//!
//! Pure: nothing here reads a clock, a file or a database. What is counted, and on which day, is in
//! `docs/reports.md`.

mod by;
mod chart;
mod csv;
mod figures;
mod kpi;
mod numbers;
mod plan;
mod quality;
mod report;
mod span;
mod stock;
mod table;
mod turnaround;
mod words;

pub use by::By;
pub use chart::{Chart, Mark, Panel, Series, Style};
pub use csv::csv;
pub use figures::{
    CauseLine, ChipLine, Delay, NumberLine, QualityTally, RibbonTally, StationLine, StockLine,
    Tally, Waiting,
};
pub use kpi::kpi;
pub use numbers::numbers;
pub use plan::{MAX_GROUPS, Plan, PlanError};
pub use quality::{Quality, quality};
pub use report::Report;
pub use span::{Span, SpanError};
pub use stock::stock;
pub use table::{Cell, Column, Table};
pub use turnaround::turnaround;
pub use words::Language;
