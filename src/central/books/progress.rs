//! How far an audit of the books is: a store of years takes minutes.

use sqlx::Row;

use crate::database::Connection;
use crate::error::Result;
use crate::statements::sql;

/// A part of an audit of the books, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditPart {
    /// The accounts of blanks and numbers.
    Accounts,
    /// Each document with all that belongs to it.
    Documents,
    /// What is judged over all documents.
    Registers,
    /// The log, and the books by it.
    Log,
    /// What is encrypted.
    Protection,
}

impl AuditPart {
    /// Returns its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Documents => "documents",
            Self::Registers => "registers",
            Self::Log => "log",
            Self::Protection => "protection",
        }
    }
}

/// How far an audit of the books is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditProgress {
    /// What it looks at now.
    pub part: AuditPart,
    /// How many documents, entries of the log and data keys it has looked at.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// Tells somebody how far it is.
pub(super) struct Watched<'a> {
    watch: &'a (dyn Fn(AuditProgress) + Sync),
    progress: AuditProgress,
}

impl<'a> Watched<'a> {
    /// Counts what is to be looked at.
    pub(super) async fn new(
        tx: &mut Connection,
        watch: &'a (dyn Fn(AuditProgress) + Sync),
    ) -> Result<Self> {
        let row = sqlx::query(sql!("SELECT (SELECT count(*) FROM document) AS documents, (SELECT count(*) FROM audit_entry) AS entries,
                    (SELECT count(*) FROM data_key) AS data_keys"))
        .fetch_one(tx)
        .await?;
        let counted = ["documents", "entries", "data_keys"];
        let counted = counted.map(|column| row.get::<i64, _>(column).unsigned_abs());
        Ok(Self {
            watch,
            progress: AuditProgress {
                part: AuditPart::Accounts,
                done: 0,
                total: counted.iter().sum(),
            },
        })
    }

    pub(super) fn begin(&mut self, part: AuditPart) {
        self.progress.part = part;
        (self.watch)(self.progress);
    }

    pub(super) fn passed(&mut self, count: u64) {
        self.progress.done += count;
        (self.watch)(self.progress);
    }
}
