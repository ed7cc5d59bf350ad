//! How a lease ended.

use std::collections::BTreeMap;

use document::DocumentNumber;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::LeaseId;

/// The most bytes of a cause.
pub const CAUSE_LIMIT: usize = 400;

/// Returns a text as a cause: on one line, and at most [`CAUSE_LIMIT`] bytes long.
///
/// A report that the centre cannot take would hold up all that come after it.
pub fn cause_of(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let line = line.trim();
    let end = (0..=line.len().min(CAUSE_LIMIT))
        .rev()
        .find(|end| line.is_char_boundary(*end));
    match line.get(..end.unwrap_or(0)) {
        Some(cause) if !cause.is_empty() => cause.to_owned(),
        _ => "no cause is known".to_owned(),
    }
}

/// Where a blank ends: in exactly one of these. Under a lease for new PINs the blank is the document
/// before and after; there they say whether it has the new PINs, whether their setting was begun and
/// failed, or whether nothing was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum BlankEnd {
    /// It is the document now, and was verified.
    Personalized,
    /// Something that lasts was begun on it, and it failed.
    Spoiled {
        /// Why.
        cause: String,
    },
    /// Nothing that lasts was begun on it.
    Untouched {
        /// Why it was not used.
        cause: String,
    },
}

/// What was done on one chip, in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedChip {
    /// `contact` or `contactless`.
    pub interface: String,
    /// The chip profile.
    pub product: String,
    /// The chip's serial number, if it said one.
    pub serial: Option<String>,
    /// The version of its operating system, if it said one.
    pub os: Option<String>,
    /// How many C-APDUs were sent.
    pub commands: u64,
    /// How many bytes went to the chip and came from it.
    pub bytes: u64,
}

/// One line of the station's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// When.
    pub at: Timestamp,
    /// The step.
    pub step: String,
    /// `intent`, `outcome`, or `withdrawn`: the step of the intent before was not begun after all.
    pub moment: String,
    /// The evidence.
    pub evidence: BTreeMap<String, String>,
}

impl JournalLine {
    /// The moment before a step that changes something for good: from then on it may have been done.
    pub const INTENT: &str = "intent";
    /// The moment of a step that was announced and not begun: nothing of it reached the chip.
    pub const WITHDRAWN: &str = "withdrawn";

    /// Tells whether a journal's lines begin anything that lasts. Only its first intent is ever withdrawn,
    /// while the blank is untouched.
    #[must_use]
    pub fn begin_anything(lines: &[Self]) -> bool {
        let of = |moment| lines.iter().filter(|line| line.moment == moment).count();
        of(Self::INTENT) > of(Self::WITHDRAWN)
    }

    /// Tells whether a journal's lines withdraw what they announced.
    #[must_use]
    pub fn withdraw_all(lines: &[Self]) -> bool {
        let mut moments = lines.iter().map(|line| &*line.moment);
        moments.any(|moment| moment == Self::WITHDRAWN) && !Self::begin_anything(lines)
    }

    /// The step in which a slot's printer prints a card's faces: from its intent on they may be on the
    /// ribbon.
    pub const PRINT_FACES: &str = "print faces";

    /// Evidence: in which slot's printer a card is.
    pub const SLOT: &str = "slot";
    /// Evidence: what ribbon is in the printer, as it said behind the card.
    pub const RIBBON: &str = "ribbon";
    /// Evidence: for how many cards the printer's ribbon lasts, as it said behind the card.
    pub const RIBBON_LEFT: &str = "ribbon-left";
}

/// How a lease ended. The pair of station and sequence makes a repeated report known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The lease.
    pub lease: LeaseId,
    /// The station's running number, without gaps.
    pub sequence: u64,
    /// The number that the document had: a store that does not know the lease knows by it what
    /// stands on the blank. None from a journal that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<DocumentNumber>,
    /// Where the blank ended.
    #[serde(flatten)]
    pub end: BlankEnd,
    /// The chips of the blank.
    pub chips: Vec<ReportedChip>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What was written down on the way.
    pub journal: Vec<JournalLine>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_cause() {
        assert_eq!(cause_of("torn\nout"), "torn out");
        assert_eq!(cause_of(" \u{7} "), "no cause is known");
        let long = "ž".repeat(300);
        assert_eq!(cause_of(&long).len(), CAUSE_LIMIT);
        assert_eq!(cause_of(&format!("x{long}")).len(), CAUSE_LIMIT - 1);
    }
}
