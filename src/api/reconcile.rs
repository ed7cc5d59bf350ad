//! What a station and the store tell each other before any work: whether the store still has all
//! that it acknowledged.
//!
//! A store that was restored from a backup has forgotten what came after it. It says so by another
//! [`Epoch`], and its stations send their reports again.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which life of the store this is: each restoration begins another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub Uuid);

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a station says of its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The highest sequence number whose report a store ever acknowledged; 0: none.
    pub acknowledged: u64,
    /// The highest sequence number of any report, sent or not; 0: none.
    pub last: u64,
    /// How many documents are in work and not reported.
    pub in_work: u64,
    /// The life of the store that this station last heard of: what it said before that, and what came late or
    /// twice, says nothing of what a restored store lacks. None: it never heard of a restoration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
}

/// How a station stands with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing is missing: it may ask for work.
    Known,
    /// The store was restored. The station sends every report that the store lacks, and gets no
    /// work until people have ended the reconciliation.
    Reconciling,
    /// The store lacks reports that it acknowledged, and nobody told it that it was restored. The
    /// station sends nothing and gets no work until somebody does.
    Behind,
}

/// What the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Which life of the store this is; none: it was never restored.
    pub epoch: Option<Epoch>,
    /// The highest sequence number of this station's reports that the store has; 0: none.
    pub reports: u64,
    /// How the station stands.
    pub standing: Standing,
}
