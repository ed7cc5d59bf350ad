//! A transaction: what it changes, and the entries of the audit log that say so.
//!
//! Entries wait in memory until the commit, which writes them all by one statement: they stand in the
//! same transaction as before, and a server is asked once for all of an act's.

use std::ops::{Deref, DerefMut};

use sqlx::{Any, AssertSqlSafe, Transaction};

use crate::database::Connection;
use crate::many_rows::{runs, tuples};
use crate::statements::assembled;

/// A transaction that writes, or that reads one moment's state; dropped without commit, it leaves
/// nothing behind.
pub(crate) struct Write {
    transaction: Transaction<'static, Any>,
    entries: Vec<Waiting>,
    known: Option<Known>,
}

/// An entry as it is stored, and when it was made.
struct Waiting {
    entry: Vec<u8>,
    committed: i64,
}

/// An account that was looked up in this transaction.
struct Known {
    name: String,
    id: String,
}

impl Write {
    pub(crate) fn new(transaction: Transaction<'static, Any>) -> Self {
        Self {
            transaction,
            entries: Vec::new(),
            known: None,
        }
    }

    /// Adds an entry of the audit log, encoded, which is written with the commit.
    pub(crate) fn enter(&mut self, entry: Vec<u8>, committed: i64) {
        self.entries.push(Waiting { entry, committed });
    }

    /// Remembers, for this transaction, which account has a name, in lower case.
    pub(crate) fn remember(&mut self, name: &str, id: &str) {
        self.known = Some(Known {
            name: name.to_owned(),
            id: id.to_owned(),
        });
    }

    /// Returns the identity of the account of this name, if it was the last that was looked up here.
    pub(crate) fn remembered(&self, name: &str) -> Option<&str> {
        let known = self.known.as_ref().filter(|known| known.name == name);
        known.map(|known| &*known.id)
    }

    /// Ends it, and waits until the database has: nothing of it is left.
    #[cfg(test)]
    pub(crate) async fn rollback(self) -> sqlx::Result<()> {
        self.transaction.rollback().await
    }

    /// Writes the entries and commits.
    ///
    /// # Errors
    /// The database's failures; nothing is then committed.
    pub(crate) async fn commit(mut self) -> sqlx::Result<()> {
        for run in runs(&self.entries) {
            let mut statement = sqlx::query(AssertSqlSafe(written(run.len())));
            for waiting in run {
                statement = statement.bind(&waiting.entry[..]).bind(waiting.committed);
            }
            statement.execute(&mut *self.transaction).await?;
        }
        self.transaction.commit().await
    }
}

fn written(entries: usize) -> String {
    format!(
        "INSERT INTO audit_entry (entry, committed) VALUES {}",
        tuples(entries, 2)
    )
}

assembled!(written => |_| vec![written(1), written(2)]);

impl Deref for Write {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.transaction
    }
}
