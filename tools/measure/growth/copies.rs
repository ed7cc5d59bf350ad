//! Copies of true lives: the rows of one set of documents, again and again under other keys, so that
//! a store of a million documents is there in minutes.
//!
//! ```text
//!   every table of a document ─► copied_TABLE ─► × copies (1, 2, 3 …), each key by its rule
//!                                                  days and moments up to two years back
//! ```
//!
//! Every count and reference of the books holds for copies as for the lives that they are of. What
//! cannot be copied: the log (each entry is under the signature of the whole), and what encrypts
//! (each key is bound to its application; a copied value does not open). Left out are the journals of
//! stations beyond their first lines, what certificates were asked for with, and images: they would
//! make the store large, and nothing that is measured reads them.

use std::error::Error;
use std::fmt::Write as _;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor, Row};

/// How many copies are made in one transaction.
const AT_ONCE: u32 = 400;

/// Over how many days the copies are spread, backwards.
const DAYS: u32 = 700;

/// The digits of a copy's number in a key.
const ROOM: u32 = 100_000_000;

type Done<T> = Result<T, Box<dyn Error>>;

/// Which of the two databases it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

/// How a value of a copy follows from the value that it is a copy of.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// A name: another one before it.
    Name,
    /// A UUID: other digits at its beginning.
    Uuid,
    /// Hexadecimal digits: others before them.
    Hex,
    /// A document number, or a serial number of two letters and seven digits: so many further.
    Count(Counted),
    /// A station's running number.
    Sequence,
    /// A moment, days back.
    Moment,
    /// A day, days back.
    Day,
    /// The day on which a document is due: what waits is due later than what is true.
    Due,
    /// A digest of which so many bytes are left.
    Digest(u32),
    /// Given by the database.
    Own,
}

/// What is numbered without gaps.
#[derive(Clone, Copy, Debug)]
enum Counted {
    Documents,
    Parcels,
}

use Rule::{Count, Day, Digest, Due, Hex, Moment, Name, Own, Sequence, Uuid};

const NUMBER: Rule = Count(Counted::Documents);
const PARCEL: Rule = Count(Counted::Parcels);

/// A table of which every document has rows: its name, which rows are copied, and the columns that
/// differ.
struct Table(
    &'static str,
    Option<&'static str>,
    &'static [(&'static str, Rule)],
);

/// What is not at its holder's yet.
const IN_WORK: &str =
    "application IN (SELECT application FROM copied_document WHERE state = 'queued')
     OR application NOT IN (SELECT application FROM copied_document)";

const TABLES: [Table; 23] = [
    Table(
        "application",
        None,
        &[
            ("reference", Name),
            ("entered", Moment),
            ("decided", Moment),
        ],
    ),
    Table(
        "document",
        None,
        &[
            ("id", Uuid),
            ("application", Name),
            ("number", NUMBER),
            ("due", Due),
            ("issued", Day),
            ("expires", Day),
            ("applied", Day),
        ],
    ),
    Table(
        "number",
        None,
        &[("number", NUMBER), ("document", Uuid), ("given", Moment)],
    ),
    Table(
        "delivery",
        None,
        &[
            ("reference", Name),
            ("received", Moment),
            ("accepted", Moment),
        ],
    ),
    Table(
        "blank",
        None,
        &[
            ("serial", Name),
            ("delivery", Name),
            ("document", Uuid),
            ("number", NUMBER),
            ("own_number", NUMBER),
        ],
    ),
    Table("chip", None, &[("serial", Hex), ("blank", Name)]),
    Table(
        "lease",
        None,
        &[
            ("id", Uuid),
            ("document", Uuid),
            ("number", NUMBER),
            ("blank", Name),
            ("opened", Moment),
            ("expires", Moment),
        ],
    ),
    Table("lease_chip", None, &[("lease", Uuid)]),
    Table(
        "channel",
        None,
        &[("chip", Hex), ("lease", Uuid), ("opened", Moment)],
    ),
    Table(
        "key_grant",
        None,
        &[("lease", Uuid), ("chip", Hex), ("given", Moment)],
    ),
    Table(
        "certificate",
        None,
        &[
            ("id", Uuid),
            ("document", Uuid),
            ("number", NUMBER),
            ("lease", Uuid),
            ("chip", Hex),
            ("public_key", Digest(12)),
            ("request", Digest(12)),
            ("exchange", Digest(12)),
            ("serial", Hex),
            ("changed", Moment),
        ],
    ),
    Table(
        "authority_register",
        None,
        &[("serial", Hex), ("exchange", Digest(12)), ("since", Moment)],
    ),
    Table(
        "sealed_stage",
        None,
        &[("lease", Uuid), ("chip", Hex), ("changed", Moment)],
    ),
    Table(
        "envelope",
        None,
        &[
            ("serial", Name),
            ("lease", Uuid),
            ("chip", Hex),
            ("document", Uuid),
            ("number", NUMBER),
            ("changed", Moment),
        ],
    ),
    Table(
        "report",
        None,
        &[
            ("sequence", Sequence),
            ("lease", Uuid),
            ("received", Moment),
            ("day", Day),
        ],
    ),
    Table(
        "reported_chip",
        None,
        &[("sequence", Sequence), ("serial", Hex)],
    ),
    Table("journal_line", Some("place < 2"), &[("sequence", Sequence)]),
    Table(
        "document_event",
        None,
        &[
            ("id", Own),
            ("document", Uuid),
            ("at", Moment),
            ("day", Day),
            ("applied", Day),
            ("due", Day),
        ],
    ),
    Table(
        "blank_movement",
        None,
        &[
            ("id", Own),
            ("blank", Name),
            ("moved", Moment),
            ("from_day", Day),
            ("to_day", Day),
            ("document", Uuid),
            ("lease", Uuid),
        ],
    ),
    Table(
        "parcel",
        None,
        &[
            ("serial", PARCEL),
            ("opened", Moment),
            ("sealed", Moment),
            ("sent", Moment),
            ("received", Moment),
        ],
    ),
    Table(
        "parcel_document",
        None,
        &[("parcel", PARCEL), ("document", Uuid), ("number", NUMBER)],
    ),
    Table("parcel_hand", None, &[("parcel", PARCEL)]),
    Table(
        "data_key",
        None,
        &[("subject", Name), ("id", Uuid), ("made", Moment)],
    ),
];

/// Those whose rows follow from the tables above.
const AFTER: [Table; 2] = [
    Table(
        "biometric_data",
        Some(IN_WORK),
        &[("application", Name), ("images", Digest(12))],
    ),
    Table(
        "blind_index",
        None,
        &[("application", Name), ("digest", Digest(4))],
    ),
];

fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().chain(&AFTER)
}

/// Returns the names of the tables that copies are made in.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    tables().map(|table| table.0)
}

/// How many numbers one set of lives used.
#[derive(Clone, Copy)]
struct Used {
    documents: i64,
    parcels: i64,
    reports: i64,
}

/// Fills a database with so many copies of all the lives in it. Nobody else has it open.
pub(super) async fn fill(url: &str, engine: Engine, copies: u32) -> Done<()> {
    let mut connection = AnyConnection::connect(url).await?;
    let settings = match engine {
        Engine::Sqlite => {
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
             PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -1000000; PRAGMA temp_store = FILE"
        }
        // Nothing of what the copies refer to is looked for, as it is not on SQLite either.
        Engine::Postgres => {
            "SET session_replication_role = replica; SET synchronous_commit = off;
             SET maintenance_work_mem = '512MB'; SET work_mem = '128MB'; SET jit = off"
        }
    };
    sqlx::raw_sql(settings).execute(&mut connection).await?;
    let used = used(&mut connection).await?;
    let indexes = indexes(&mut connection, engine).await?;
    for (name, _) in &indexes {
        run(&mut connection, format!("DROP INDEX {name}")).await?;
    }
    run(&mut connection, "CREATE TABLE copies (n BIGINT NOT NULL)").await?;
    for name in names() {
        let sql = format!("CREATE TABLE copied_{name} AS SELECT * FROM {name}");
        run(&mut connection, sql).await?;
    }
    let mut statements = Vec::new();
    for table in tables() {
        statements.push(statement(&mut connection, engine, table, used).await?);
    }
    for first in (1..=copies).step_by(AT_ONCE as usize) {
        let last = copies.min(first + AT_ONCE - 1);
        let mut tx = connection.begin().await?;
        tx.execute("DELETE FROM copies").await?;
        let sql = format!(
            "INSERT INTO copies (n) WITH RECURSIVE c (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM c WHERE n < {last}) SELECT n FROM c"
        );
        tx.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        for sql in &statements {
            tx.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone())))
                .await?;
        }
        tx.commit().await?;
    }
    let n = i64::from(copies);
    let Used {
        documents, parcels, ..
    } = used;
    for sql in [
        format!("UPDATE series SET next = next + {}", n * documents),
        format!("UPDATE parcel_series SET last = last + {}", n * parcels),
        "DROP TABLE copies".into(),
    ] {
        run(&mut connection, sql).await?;
    }
    for name in names() {
        run(&mut connection, format!("DROP TABLE copied_{name}")).await?;
    }
    for (_, sql) in indexes {
        run(&mut connection, sql).await?;
    }
    run(
        &mut connection,
        match engine {
            // The store makes no statistics there either.
            Engine::Sqlite => "PRAGMA journal_mode = WAL",
            Engine::Postgres => "VACUUM (ANALYZE)",
        },
    )
    .await?;
    if engine == Engine::Postgres {
        run(&mut connection, "CHECKPOINT").await?;
    }
    connection.close().await?;
    Ok(())
}

async fn run(connection: &mut AnyConnection, sql: impl Into<String>) -> Done<()> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
    sql.execute(connection).await?;
    Ok(())
}

/// Reads what one set of lives used of each series: all of it, from one on.
async fn used(connection: &mut AnyConnection) -> Done<Used> {
    let row = sqlx::query(
        "SELECT (SELECT CAST(max(next) - 1 AS BIGINT) FROM series) AS documents, (SELECT last FROM parcel_series) AS parcels,
                (SELECT max(sequence) FROM report) AS reports",
    )
    .fetch_one(connection)
    .await?;
    Ok(Used {
        documents: row.get("documents"),
        parcels: row.get("parcels"),
        reports: row.get("reports"),
    })
}

/// Returns the indexes that are no constraint's, with what makes them.
async fn indexes(connection: &mut AnyConnection, engine: Engine) -> Done<Vec<(String, String)>> {
    let rows = sqlx::query(match engine {
        Engine::Sqlite => {
            "SELECT name, tbl_name AS of_table, sql AS made FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
        }
        Engine::Postgres => {
            "SELECT CAST(indexname AS TEXT) AS name, CAST(tablename AS TEXT) AS of_table, indexdef AS made FROM pg_indexes
             WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint) ORDER BY 1"
        }
    })
    .fetch_all(connection)
    .await?;
    let filled = rows
        .iter()
        .filter(|row| names().any(|name| name == row.get::<&str, _>("of_table")));
    Ok(filled
        .map(|row| (row.get("name"), row.get("made")))
        .collect())
}

/// Returns the statement that copies a table's rows.
async fn statement(
    connection: &mut AnyConnection,
    engine: Engine,
    Table(name, which, rules): &Table,
    used: Used,
) -> Done<String> {
    let columns = sqlx::query(AssertSqlSafe(match engine {
        Engine::Sqlite => {
            format!("SELECT name FROM pragma_table_info('{name}') ORDER BY cid")
        }
        Engine::Postgres => format!(
            "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '{name}' ORDER BY ordinal_position"
        ),
    }))
    .fetch_all(connection)
    .await?;
    let (mut into, mut values, mut order) = (String::new(), String::new(), "c.n");
    for row in &columns {
        let column: &str = row.get("name");
        let rule = rules.iter().find(|(of, _)| *of == column);
        let value = match rule {
            Some((_, Own)) => {
                // In the order of the lives that they are of.
                order = "c.n, x.id";
                continue;
            }
            Some((_, rule)) => value(engine, *rule, &format!("x.{column}"), used),
            None => format!("x.{column}"),
        };
        let comma = if into.is_empty() { "" } else { ", " };
        write!(into, "{comma}{column}")?;
        write!(values, "{comma}{value}")?;
    }
    if let Some((missing, _)) = rules
        .iter()
        .find(|(of, _)| columns.iter().all(|row| row.get::<&str, _>("name") != *of))
    {
        return Err(format!("table {name} has no column {missing}").into());
    }
    let which = which.map_or_else(String::new, |which| format!(" WHERE {which}"));
    Ok(format!(
        "INSERT INTO {name} ({into}) SELECT {values} FROM copies c CROSS JOIN copied_{name} x{which} ORDER BY {order}"
    ))
}

/// Returns a copy's value as SQL.
fn value(engine: Engine, rule: Rule, of: &str, used: Used) -> String {
    let digits = format!("substr(CAST({ROOM} + c.n AS TEXT), 2)");
    let back = |days: &str| match engine {
        Engine::Sqlite => format!("date({of}, (-({days})) || ' days')"),
        Engine::Postgres => {
            format!("CAST(CAST({of} AS date) - CAST({days} AS integer) AS TEXT)")
        }
    };
    let days = format!("c.n % {DAYS}");
    match rule {
        Name => format!("'C' || {digits} || '-' || {of}"),
        Uuid => format!("{digits} || substr({of}, 9)"),
        Hex => format!("{digits} || {of}"),
        Count(counted) => {
            let every = match counted {
                Counted::Documents => used.documents,
                Counted::Parcels => used.parcels,
            };
            format!(
                "substr({of}, 1, 2) || substr(CAST(10000000 + c.n * {every} + CAST(substr({of}, 3) AS BIGINT) AS TEXT), 2)"
            )
        }
        Sequence => format!("c.n * {} + {of}", used.reports),
        Moment => format!("{of} - ({days}) * 86400000"),
        Day => back(&days),
        Due => format!(
            "CASE WHEN x.state = 'queued' THEN {} ELSE {} END",
            back("-60 - c.n % 30"),
            back(&days)
        ),
        Digest(bytes) => {
            let hex = 2 * bytes;
            match engine {
                Engine::Sqlite => {
                    format!("CAST(substr(hex({of}), 1, {hex}) || {digits} AS BLOB)")
                }
                Engine::Postgres => format!(
                    "convert_to(substr(upper(encode({of}, 'hex')), 1, {hex}) || {digits}, 'UTF8')"
                ),
            }
        }
        Own => of.to_owned(),
    }
}
