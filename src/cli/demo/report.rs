//! What the demo made: one JSON object for a program, a table for a person.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

/// What the demo made. Fields may be added, never renamed.
#[derive(Debug, Serialize)]
pub(crate) struct DemoReport {
    /// How the chips were reached.
    pub(crate) channel: &'static str,
    /// The documents.
    pub(crate) documents: Vec<MadeDocument>,
    /// Sums.
    pub(crate) totals: Totals,
}

/// One document.
#[derive(Debug, Serialize)]
pub(crate) struct MadeDocument {
    /// The application's reference.
    pub(crate) application: String,
    /// The kind of document.
    pub(crate) kind: String,
    /// Its number.
    pub(crate) number: String,
    /// For the table only: personal data stays out of what programs collect.
    #[serde(skip)]
    pub(crate) holder: String,
    /// Its state in the central store.
    pub(crate) state: String,
    /// Whether it was read back and every signature verified.
    pub(crate) verified: bool,
    /// Its chips.
    pub(crate) chips: Vec<MadeChip>,
    /// Its certificates.
    pub(crate) certificates: Vec<MadeCertificate>,
    /// How long it took at the slot.
    pub(crate) seconds: f64,
    /// Why it failed, if it did.
    pub(crate) fault: Option<String>,
}

/// One chip of a document.
#[derive(Debug, Serialize)]
pub(crate) struct MadeChip {
    /// `contact` or `contactless`.
    pub(crate) interface: String,
    /// The chip profile.
    pub(crate) product: String,
    /// The version of its operating system.
    pub(crate) os: Option<String>,
    /// Its serial number.
    pub(crate) serial: Option<String>,
    /// C-APDUs sent.
    pub(crate) commands: u64,
    /// Bytes in both directions.
    pub(crate) bytes: u64,
}

/// One certificate of a document.
#[derive(Debug, Serialize)]
pub(crate) struct MadeCertificate {
    /// The key's name in the chip profile.
    pub(crate) key: String,
    /// Its serial number.
    pub(crate) serial: String,
    /// Its state: on hold until the hand-over.
    pub(crate) state: String,
}

/// Sums over the run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Totals {
    /// Documents asked for.
    pub(crate) documents: usize,
    /// Documents finished and verified.
    pub(crate) personalized: usize,
    /// Blanks spoiled.
    pub(crate) spoiled: usize,
    /// Blanks returned untouched.
    pub(crate) untouched: usize,
    /// Certificates issued for finished documents.
    pub(crate) certificates: usize,
    /// C-APDUs sent.
    pub(crate) commands: u64,
    /// Bytes in both directions.
    pub(crate) bytes: u64,
    /// From the first blank to the last.
    pub(crate) seconds: f64,
    /// Finished documents a minute.
    pub(crate) documents_per_minute: f64,
    /// Entries in the audit log.
    pub(crate) audit_entries: u64,
}

impl DemoReport {
    /// Returns the table for a person.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header([
            "number",
            "kind",
            "holder",
            "state",
            "chips",
            "certificates",
            "seconds",
            "commands",
            "bytes",
        ]);
        for document in &self.documents {
            let chips = &document.chips;
            let serials = chips.iter().filter_map(|chip| chip.serial.as_deref());
            table.add_row([
                document.number.clone(),
                document.kind.clone(),
                document.holder.clone(),
                document.state.clone(),
                serials.collect::<Vec<_>>().join(" "),
                document.certificates.len().to_string(),
                format!("{:.2}", document.seconds),
                chips
                    .iter()
                    .map(|chip| chip.commands)
                    .sum::<u64>()
                    .to_string(),
                chips.iter().map(|chip| chip.bytes).sum::<u64>().to_string(),
            ]);
        }
        for column in 5..=8 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}
