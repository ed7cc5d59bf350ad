//! The journal's tables, and how one of an earlier form becomes one of today's.

use jiff::Timestamp;
use rusqlite::Connection;

/// The first form.
pub(super) const FIRST_FORM: &str = "
    CREATE TABLE IF NOT EXISTS run (
        lease TEXT PRIMARY KEY, slot TEXT NOT NULL, started TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS line (
        number INTEGER PRIMARY KEY, lease TEXT NOT NULL REFERENCES run(lease),
        at TEXT NOT NULL, step TEXT NOT NULL, moment TEXT NOT NULL, evidence TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS line_of_lease ON line(lease);
    CREATE TABLE IF NOT EXISTS outbox (
        sequence INTEGER PRIMARY KEY, lease TEXT NOT NULL UNIQUE REFERENCES run(lease),
        report TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0
    ) STRICT;";

/// What the journal's second form has beside the first: which number a document had, when a report
/// was acknowledged, and which life of the centre this station knows.
const SECOND_FORM: &str = "
    ALTER TABLE run ADD COLUMN number TEXT;
    ALTER TABLE outbox ADD COLUMN sent_at TEXT;
    CREATE TABLE centre (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL) STRICT;
    PRAGMA user_version = 2;";

/// What the third form has beside the second: what people did at the station itself.
const THIRD_FORM: &str = "
    CREATE TABLE act (
        number INTEGER PRIMARY KEY, at TEXT NOT NULL, person TEXT NOT NULL, act TEXT NOT NULL, slot TEXT
    ) STRICT;
    PRAGMA user_version = 3;";

/// What the fourth form has beside the third: which document a run was for, whatever number it had,
/// when it ended, and how many certificates were made for it.
const FOURTH_FORM: &str = "
    ALTER TABLE run ADD COLUMN document TEXT;
    ALTER TABLE outbox ADD COLUMN ended TEXT;
    ALTER TABLE outbox ADD COLUMN certificates INTEGER NOT NULL DEFAULT 0;
    PRAGMA user_version = 4;";

/// What the fifth form has beside the fourth: what people did waits in the outbox too, under no lease.
const FIFTH_FORM: &str = "
    CREATE TABLE waiting (
        sequence INTEGER PRIMARY KEY, lease TEXT UNIQUE REFERENCES run(lease),
        report TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0, sent_at TEXT, ended TEXT,
        certificates INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO waiting SELECT sequence, lease, report, sent, sent_at, ended, certificates FROM outbox;
    DROP TABLE outbox;
    ALTER TABLE waiting RENAME TO outbox;
    PRAGMA user_version = 5;";

/// What the sixth form has beside the fifth: in which life of the machine it was written last, and how
/// often the disk was waited for with nothing else to write.
const SIXTH_FORM: &str = "
    CREATE TABLE boot (
        id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, hardened INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    PRAGMA user_version = 6;";

/// Brings a journal of an earlier form into the present one.
pub(super) fn bring_forward(database: &mut Connection) -> rusqlite::Result<()> {
    let form: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let transaction = database.transaction()?;
    if form < 2 {
        transaction.execute_batch(SECOND_FORM)?;
        transaction.execute(
            "UPDATE outbox SET sent_at = ?1 WHERE sent = 1",
            [Timestamp::now().to_string()],
        )?;
    }
    for (number, changes) in [
        (3, THIRD_FORM),
        (4, FOURTH_FORM),
        (5, FIFTH_FORM),
        (6, SIXTH_FORM),
    ] {
        if form < number {
            transaction.execute_batch(changes)?;
        }
    }
    transaction.commit()
}
