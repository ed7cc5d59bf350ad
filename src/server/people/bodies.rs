//! What many operations take or give.

use document::DocumentNumber;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::people::named::{AccountName, BlankSerial, CauseText};

/// Why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Because {
    /// Why; without a holder's data.
    pub(crate) cause: CauseText,
}

/// Before whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Witness {
    /// The account of the witness, who confirms it in a session of their own.
    pub(crate) witness: AccountName,
}

/// Before whom, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    /// The account of the witness, who confirms it in a session of their own.
    pub(crate) witness: AccountName,
    /// Why; without a holder's data.
    pub(crate) cause: CauseText,
}

/// Blanks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blanks {
    /// What is printed on them.
    #[schemars(length(min = 1, max = 1000))]
    pub(crate) blanks: Vec<BlankSerial>,
}

/// The number that a document has after its blank was given up.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Renumbered {
    /// The new number; null where it comes with the next blank.
    number: Option<String>,
}

impl Renumbered {
    pub(crate) fn of(number: Option<DocumentNumber>) -> Self {
        Self {
            number: number.map(|number| number.to_string()),
        }
    }
}
