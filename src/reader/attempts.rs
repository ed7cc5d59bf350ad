//! The ledger of authentication attempts in a file that several programs share.

use std::path::Path;

use card::attempts::{Account, AttemptError, AttemptStore, Budget, Entry, Guarded, Outcome};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};

/// How long one program waits for another to finish its line.
const WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// A ledger in an SQLite file with full sync. Programs that open the same file share it.
pub struct AttemptFile {
    database: Connection,
    /// Whether it is a write-ahead log.
    is_log: bool,
}

type Result<T> = std::result::Result<T, AttemptError>;

fn at(context: &'static str) -> impl Fn(rusqlite::Error) -> AttemptError {
    move |source| AttemptError::Store {
        context,
        source: Box::new(source),
    }
}

impl AttemptFile {
    /// Opens the ledger, making it if it is not there.
    ///
    /// # Errors
    /// [`AttemptError::Store`]; then nothing may be tried.
    pub fn open(path: &Path) -> Result<Self> {
        let context = at("opening");
        let database = Connection::open(path).map_err(&context)?;
        database.busy_timeout(WAIT).map_err(&context)?;
        database
            .execute_batch(
                "PRAGMA synchronous = EXTRA;
                 BEGIN IMMEDIATE;
                 CREATE TABLE IF NOT EXISTS attempt (
                     card TEXT NOT NULL, secret TEXT NOT NULL,
                     failed INTEGER NOT NULL, pending INTEGER NOT NULL,
                     told INTEGER, since INTEGER NOT NULL,
                     PRIMARY KEY (card, secret)
                 ) STRICT, WITHOUT ROWID;
                 COMMIT;",
            )
            .map_err(&context)?;
        // One sync a line instead of four. A ledger that another program is at just now stays as it is:
        // whoever finds it alone changes it over, and those that have it open notice.
        let mode = database.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        let is_log = match mode {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => false,
            mode => mode.map(|mode: String| mode == "wal").map_err(&context)?,
        };
        Ok(Self { database, is_log })
    }

    /// Waits for the disk at every change, or leaves that to the next one.
    fn wait_for_disk(&self, waits: bool) -> Result<()> {
        let level = match waits || !self.is_log {
            true => "PRAGMA synchronous = EXTRA",
            false => "PRAGMA synchronous = NORMAL",
        };
        let set = self.database.execute_batch(level);
        set.map_err(at("choosing when to wait for the disk"))
    }

    /// Changes one account in one transaction that no other program comes between.
    fn change(
        &mut self,
        context: &'static str,
        what: &Guarded,
        change: impl FnOnce(&mut Account) -> Result<()>,
    ) -> Result<()> {
        let context = at(context);
        let transaction = Transaction::new(&mut self.database, TransactionBehavior::Immediate)
            .map_err(&context)?;
        let mut account = read(&transaction, what).map_err(&context)?;
        change(&mut account)?;
        let Account {
            failed,
            pending,
            told,
            since,
        } = account;
        transaction
            .execute(
                "INSERT INTO attempt (card, secret, failed, pending, told, since)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (card, secret) DO UPDATE SET
                     failed = ?3, pending = ?4, told = ?5, since = ?6",
                params![what.card, what.secret, failed, pending, told, since],
            )
            .map_err(&context)?;
        transaction.commit().map_err(&context)
    }
}

fn account(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Account> {
    Ok(Account {
        failed: row.get(first)?,
        pending: row.get(first + 1)?,
        told: row.get(first + 2)?,
        since: row.get(first + 3)?,
    })
}

fn read(database: &Connection, what: &Guarded) -> rusqlite::Result<Account> {
    database
        .query_row(
            "SELECT failed, pending, told, since FROM attempt WHERE card = ?1 AND secret = ?2",
            params![what.card, what.secret],
            |row| account(row, 0),
        )
        .optional()
        .map(Option::unwrap_or_default)
}

impl AttemptStore for AttemptFile {
    fn account(&mut self, what: &Guarded) -> Result<Account> {
        read(&self.database, what).map_err(at("reading"))
    }

    fn intend(&mut self, what: &Guarded, budget: &Budget, force: bool) -> Result<()> {
        self.change("beginning an attempt", what, |account| {
            if !force {
                account.may_try(what, budget)?;
            }
            account.intend();
            Ok(())
        })
    }

    fn settle(&mut self, what: &Guarded, outcome: Outcome) -> Result<()> {
        // An attempt that succeeded, and of which the machine without power forgets that, counts as
        // failed: one more is allowed too few, and none too many.
        self.wait_for_disk(!matches!(outcome, Outcome::Accepted))?;
        let settled = self.change("settling an attempt", what, |account| {
            account.settle(outcome);
            Ok(())
        });
        self.wait_for_disk(true)?;
        settled
    }

    fn learn(&mut self, what: &Guarded, left: u8) -> Result<()> {
        self.change("writing the tries left", what, |account| {
            account.learn(left);
            Ok(())
        })
    }

    fn entries(&mut self) -> Result<Vec<Entry>> {
        let context = at("reading");
        let mut statement = self
            .database
            .prepare(
                "SELECT card, secret, failed, pending, told, since FROM attempt
                 ORDER BY card, secret",
            )
            .map_err(&context)?;
        let rows = statement
            .query_map([], |row| {
                Ok(Entry {
                    what: Guarded {
                        card: row.get(0)?,
                        secret: row.get(1)?,
                    },
                    account: account(row, 2)?,
                })
            })
            .map_err(&context)?;
        rows.collect::<rusqlite::Result<_>>().map_err(&context)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const FILE: &str = "ZIMOGS_TEST_ATTEMPTS";

    fn key() -> Guarded {
        Guarded {
            card: "chip-a 0001".into(),
            secret: "keys/30".into(),
        }
    }

    /// Not a test of its own: what the other process does. It begins an attempt and crashes.
    #[test]
    fn another_process() {
        let Ok(path) = std::env::var(FILE) else {
            return;
        };
        let mut ledger = AttemptFile::open(Path::new(&path)).unwrap();
        match ledger.intend(&key(), &Budget::default(), false) {
            Ok(()) => std::process::abort(),
            Err(AttemptError::Exhausting(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn other_process(path: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "attempts::tests::another_process"])
            .env(FILE, path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command
    }

    #[test]
    fn processes_that_crash_at_the_same_time_share_one_budget() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts.sqlite");
        let children: Vec<_> = (0..5)
            .map(|_| other_process(&path).spawn().unwrap())
            .collect();
        let refused = children
            .into_iter()
            .filter_map(|mut child| child.wait().unwrap().success().then_some(()))
            .count();
        assert_eq!(refused, 3, "two of five may try");
        let mut ledger = AttemptFile::open(&path).unwrap();
        let expected = Account {
            pending: 2,
            ..Account::default()
        };
        assert_eq!(ledger.account(&key()).unwrap(), expected);
        assert!(matches!(
            ledger.intend(&key(), &Budget::default(), false),
            Err(AttemptError::Exhausting(_))
        ));
        ledger.learn(&key(), 10).unwrap();
        ledger.intend(&key(), &Budget::default(), false).unwrap();
        ledger
            .settle(&key(), Outcome::Refused { left: Some(9) })
            .unwrap();
        drop(ledger);
        let mut again = AttemptFile::open(&path).unwrap();
        let account = again.account(&key()).unwrap();
        assert_eq!((account.failed, account.left()), (3, Some(9)));
        again.settle(&key(), Outcome::Accepted).unwrap();
        assert_eq!(again.account(&key()).unwrap(), Account::default());
        assert_eq!(again.entries().unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_no_ledger_lets_nothing_be_tried() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts.sqlite");
        std::fs::write(&path, vec![0xA5; 8192]).unwrap();
        assert!(matches!(
            AttemptFile::open(&path),
            Err(AttemptError::Store {
                context: "opening",
                ..
            })
        ));
    }
}
