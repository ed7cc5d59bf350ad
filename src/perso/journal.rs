//! What is written down before and after every step that changes a chip for good.

use std::collections::BTreeMap;

/// One line of the journal. It holds evidence, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// The step as the plan names it, or `identify`.
    pub step: String,
    /// Before or after.
    pub moment: Moment,
    /// Chip serial, public key digest, key check value, file digest…, in hexadecimal.
    pub evidence: BTreeMap<&'static str, String>,
}

/// Whether a journal entry was written before or after its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The step is about to be done; afterwards it may have been done.
    Intent,
    /// The step was done, and the chip said so.
    Outcome,
    /// The step was announced, and then not begun: nothing of it reached the chip.
    Withdrawn,
}
