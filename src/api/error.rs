//! Why the centre does not do what a station asks.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ApiError {
    /// The request is malformed.
    #[error("the request is not valid: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// A rule or a missing right forbids it.
    #[error("refused: {reason}")]
    Refused {
        /// Which rule, and what to do.
        reason: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The thing is in another state than the request supposes.
    #[error("conflict: {reason}")]
    Conflict {
        /// What differs.
        reason: String,
    },
    /// The chip's cryptogram does not fit its keys: a wrong transport key, or a foreign chip.
    #[error("the keys of this chip are not ours: its cryptogram does not fit")]
    WrongKeys,
    /// The chips that lie at one slot are not those of one blank in the books: a crossed pair, or
    /// one beside a chip that is in no book. The blanks that they are booked to are put aside.
    #[error("the chips are not of one blank: {reason}")]
    NotOneBlank {
        /// Which chips of which blanks.
        reason: String,
    },
    /// The document's card was moved to another station: nothing more is to be done to it here.
    #[error("moved to another station: {reason}")]
    Moved {
        /// What was moved, and what to do with what lies here.
        reason: String,
    },
    /// A card that was begun at another station may lie here: the request is to be made again, with the
    /// serial numbers of the chips that lie in the slot.
    #[error("a card that was begun elsewhere is awaited; say which chips lie in the slot")]
    ChipsWanted,
    /// The centre cannot answer now; the same request may be repeated.
    #[error("the centre cannot answer now: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}
