//! What grows with the store and what does not: leases, reports, lists and the audit of the books at
//! ten thousand, a hundred thousand, a million documents.
//!
//! ```text
//!   true lives, through the acts ─► × copies, in SQL ─► acts and lists as the store does them,
//!                                                       beside bare statements on the same database
//! ```
//!
//! Each size and database is measured in a process of its own, and filled by another one. What memory
//! the store takes under load, and for an audit, is that of a process that does nothing else. Nothing
//! else works beside it but the sequencer.

mod alone;
mod copies;
pub(crate) mod house;
mod looks;
pub(crate) mod station;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Write as _, stderr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::Centre;
use central::{Central, DatabaseSource, PostgresAddress};
use hsm::SoftHsmFolder;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor};

use self::alone::Taken;
pub(crate) use self::alone::{Part, run};
use self::copies::Engine;
use self::house::{EID_CARD, House, SET};
use self::station::Station;
use crate::postgres::Postgres;
use crate::{Measured, Row, Wanted};

/// Documents that are leased, made and reported while it is measured.
const MEASURED: u32 = if cfg!(test) { 3 } else { 300 };

/// How often a list is asked for: the fastest counts.
const ASKED: usize = 3;

/// What a figure is compared with.
const ACT: &str = "a row read by its key and a row committed, alone";
const READ: &str = "a row read by its key, alone";
const PASS: &str = "one walk over the events of all documents";
const ROWS: &str = "the rows of the same tables, read and nothing else";

const SMALLEST: &str = "the same in the smallest of the stores";

/// The figures, in the order in which they are given: name, unit, limit.
const FIGURES: [(&str, &str, Option<&str>); 21] = [
    ("lease, p50", "ms", Some(ACT)),
    ("lease, p99", "ms", Some(ACT)),
    ("report, p50", "ms", Some(ACT)),
    ("report, p99", "ms", Some(ACT)),
    ("memory under load", "MB", Some(SMALLEST)),
    ("a document by its number", "ms", Some(READ)),
    ("a person by their code", "ms", Some(ACT)),
    ("a page of applications to approve", "ms", Some(READ)),
    ("a page of queued documents", "ms", Some(READ)),
    ("a page of leases", "ms", Some(READ)),
    ("a page of parcels under way", "ms", Some(READ)),
    ("a page of deliveries", "ms", Some(READ)),
    ("stock by account", "ms", Some(PASS)),
    ("numbers by account", "ms", Some(PASS)),
    ("what waits", "ms", Some(PASS)),
    ("a year's issued documents", "ms", Some(PASS)),
    ("a year's turnaround", "ms", Some(PASS)),
    ("audit of the books", "s", Some(ROWS)),
    ("memory of the audit", "MB", Some(SMALLEST)),
    ("filling the store", "s", None),
    ("size of the store", "GB", None),
];

type Done<T> = Result<T, Box<dyn Error>>;

/// A figure and its limit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Figure(f64, Option<f64>);

fn name(engine: &str, figure: &str) -> String {
    format!("growth {engine}: {figure}")
}

/// Returns the names of the rows; each has its number of documents after it.
pub(crate) fn names() -> Vec<String> {
    let engines = ["SQLite", "PostgreSQL"].into_iter();
    engines
        .flat_map(|engine| FIGURES.map(|(figure, _, _)| name(engine, figure)))
        .collect()
}

/// Measures stores of so many documents each.
pub(crate) fn rows(wanted: Wanted<'_>, sizes: &[u32]) -> Measured {
    let mut rows = Vec::new();
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    // By engine: the figures of the smallest of the stores.
    let mut smallest: BTreeMap<&str, Vec<Figure>> = BTreeMap::new();
    let mut put = |engine, documents, figures: Vec<Figure>| {
        // The largest store takes long: what is known before it is said.
        for (Figure(value, _), (figure, unit, _)) in figures.iter().zip(FIGURES) {
            let name = name(engine, figure);
            let _ = writeln!(stderr(), "{name}, {documents} documents: {value:.3} {unit}");
        }
        let least = smallest.entry(engine).or_insert_with(|| figures.clone());
        rows.extend(named(engine, documents, &figures, least));
    };
    let is_wanted = |engine| {
        let names = FIGURES.map(|(figure, _, _)| name(engine, figure));
        wanted.has_one(&names)
    };
    for documents in sizes {
        if is_wanted("SQLite") {
            let folder = tempfile::tempdir()?;
            let url = format!("sqlite://{}/central.db?mode=rwc", folder.path().display());
            put("SQLite", documents, in_token(&url, documents)?);
        }
        if is_wanted("PostgreSQL")
            && let Some(server) = Postgres::start()?
        {
            put("PostgreSQL", documents, in_token(&server.url(), documents)?);
        }
    }
    Ok(rows)
}

fn named(engine: &str, documents: u32, figures: &[Figure], smallest: &[Figure]) -> Vec<Row> {
    let all = FIGURES.iter().zip(figures).zip(smallest);
    let rows = all.map(
        |((&(figure, unit, limit_is), &Figure(value, limit)), least)| {
            let limit = match limit_is {
                Some(SMALLEST) => Some(least.0),
                _ => limit,
            };
            Row {
                name: format!("{}, {documents} documents", name(engine, figure)),
                value,
                unit,
                limit,
                limit_is,
                ratio: limit.map(|limit| value / limit),
                recorded: None,
            }
        },
    );
    rows.collect()
}

/// Measures in a process of its own: SoftHSM2 learns its folder when it starts.
fn in_token(url: &str, documents: u32) -> Done<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let tokens = SoftHsmFolder::prepare(folder.path())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--growth").arg(url);
    command.arg("--sizes").arg(documents.to_string());
    let output = tokens.apply(&mut command).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Fills a database with copies: what a process of its own does.
pub(crate) fn fill(url: &str, copies: u32) -> Done<String> {
    // The store installs its own where it is opened before.
    sqlx::any::install_default_drivers();
    fill_here(url, copies)?;
    Ok(String::new())
}

fn fill_here(url: &str, copies: u32) -> Done<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(copies::fill(url, engine(url), copies))
}

fn engine(url: &str) -> Engine {
    match url.starts_with("sqlite:") {
        true => Engine::Sqlite,
        false => Engine::Postgres,
    }
}

/// Returns the file of a SQLite database's URL.
fn file(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite://")?;
    path.split('?').next()
}

/// Measures a store of so many documents, with its keys in SoftHSM2, which has a folder here, and
/// returns the figures in JSON.
pub(crate) fn measure(url: &str, documents: u32) -> Done<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut house = runtime.block_on(async {
        let (mut house, central) =
            House::found(database(url)?, &label(documents), &EID_CARD).await?;
        house.live(&central).await?;
        central.close().await;
        Done::Ok(house)
    })?;
    let copies = documents.saturating_sub(SET).div_ceil(SET).max(1);
    let started = Instant::now();
    filled(url, copies)?;
    let filling = started.elapsed().as_secs_f64();

    let central = runtime.block_on(house.open())?;
    let mut bare = runtime.block_on(Bare::open(url))?;
    let acts = runtime.block_on(acts(&mut house, &central, &mut bare))?;
    let lists = runtime.block_on(looks::lists(&central, &mut bare))?;
    runtime.block_on(central.close());
    let load = alone::measure(Part::Load, url, documents, &house)?;
    let audit = alone::measure(Part::Audit, url, documents, &house)?;
    let rows = runtime.block_on(bare.rows())?;
    let size = runtime.block_on(bare.size())?;

    let Acts {
        lease,
        report,
        least,
    } = acts;
    let mut figures = Vec::new();
    for all in [lease, report] {
        for part in [50, 99] {
            figures.push(Figure(of(&all, part), Some(of(&least, part))));
        }
    }
    figures.push(Figure(load.memory, None));
    figures.extend(lists);
    let Taken { seconds, memory } = audit;
    figures.push(Figure(seconds, Some(rows)));
    figures.push(Figure(memory, None));
    figures.push(Figure(filling, None));
    figures.push(Figure(size, None));
    Ok(serde_json::to_string(&figures)?)
}

/// Returns the name of the token whose store has so many documents.
fn label(documents: u32) -> String {
    format!("grown-{documents}")
}

fn database(url: &str) -> Done<DatabaseSource> {
    Ok(match file(url) {
        Some(file) => DatabaseSource::Sqlite(file.into()),
        None => DatabaseSource::Postgres(PostgresAddress::parse(url, None)?),
    })
}

/// Fills the database in another process.
#[cfg(not(test))]
fn filled(url: &str, copies: u32) -> Done<()> {
    let mut command = Command::new(std::env::current_exe()?);
    let command = command.arg("--fill").arg(url);
    let output = command.arg("--copies").arg(copies.to_string()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// A test's program is another one.
#[cfg(test)]
fn filled(url: &str, copies: u32) -> Done<()> {
    fill_here(url, copies)
}

/// Returns the value in milliseconds below which so many in a hundred are.
fn of(all: &[Duration], part: usize) -> f64 {
    let mut all: Vec<_> = all.iter().map(Duration::as_secs_f64).collect();
    all.sort_by(f64::total_cmp);
    let at = (all.len() * part).div_ceil(100).saturating_sub(1);
    all.get(at).copied().unwrap_or(f64::NAN) * 1e3
}

/// What acts took, one by one, and what bare statements took between them.
#[derive(Default)]
struct Acts {
    lease: Vec<Duration>,
    report: Vec<Duration>,
    least: Vec<Duration>,
}

/// Leases documents, makes and reports them, while the sequencer works.
async fn acts(house: &mut House, central: &Central, bare: &mut Bare) -> Done<Acts> {
    let laid = house.prepare(central, MEASURED, true).await?;
    let mut station = Station::new("station-measured", 0)?;
    let ended = Arc::new(AtomicBool::new(false));
    let sequencer = {
        let (central, ended) = (central.clone(), Arc::clone(&ended));
        tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                central.sequence().await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            central.sequence().await.map(drop)
        })
    };
    let mut acts = Acts::default();
    for chip in laid.into_iter().flatten() {
        let started = Instant::now();
        let lease = central.lease(&station.actor, &Station::request()).await?;
        acts.lease.push(started.elapsed());
        let lease = lease.ok_or("the queue is empty")?;
        let report = station.make(central, &lease, chip).await?;
        let started = Instant::now();
        central.report(&station.actor, &report).await?;
        acts.report.push(started.elapsed());
        let number = lease.record.number.to_string();
        let started = Instant::now();
        bare.read(&number).await?;
        bare.commit().await?;
        acts.least.push(started.elapsed());
    }
    ended.store(true, Ordering::Relaxed);
    sequencer.await??;
    Ok(acts)
}

/// A connection beside the store's, for bare statements.
struct Bare {
    connection: AnyConnection,
    url: String,
}

impl Bare {
    async fn open(url: &str) -> Done<Self> {
        let mut connection = AnyConnection::connect(url).await?;
        if engine(url) == Engine::Sqlite {
            // As the store's own.
            let settings = "PRAGMA busy_timeout = 30000; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768";
            connection.execute(sqlx::raw_sql(settings)).await?;
        }
        let table = "CREATE TABLE bare (id BIGINT PRIMARY KEY, text TEXT NOT NULL)";
        connection.execute(table).await?;
        Ok(Self {
            connection,
            url: url.to_owned(),
        })
    }

    /// Reads one document by its number.
    async fn read(&mut self, number: &str) -> Done<()> {
        sqlx::query("SELECT id, state, due FROM document WHERE number = $1")
            .bind(number)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Commits one row.
    async fn commit(&mut self) -> Done<()> {
        sqlx::query(
            "INSERT INTO bare (id, text) SELECT count(*), 'one row' FROM (SELECT id FROM bare) b",
        )
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Walks over the events of all documents.
    async fn pass(&mut self) -> Done<()> {
        let sql = "SELECT count(*) FROM document_event WHERE cause IS NULL AND due >= ''";
        let _: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Reads the rows of every table that a document has rows in, and returns the seconds.
    async fn rows(&mut self) -> Done<f64> {
        let started = Instant::now();
        for table in copies::names() {
            // Every page of it, without a row leaving the database.
            let sql = format!("SELECT count(*) FROM (SELECT * FROM {table} ORDER BY 1, 2) t");
            let _: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut self.connection)
                .await?;
        }
        Ok(started.elapsed().as_secs_f64())
    }

    /// Returns the gigabytes that the store takes on the disk.
    async fn size(&mut self) -> Done<f64> {
        if let Some(file) = file(&self.url) {
            return Ok(fs::metadata(file)?.len() as f64 / 1e9);
        }
        let sql = "SELECT pg_database_size(current_database())";
        let bytes: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(bytes as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use hsm::test_support;

    use super::*;

    fn check(url: &str) {
        let figures = measure(url, 40).unwrap();
        let figures: Vec<Figure> = serde_json::from_str(&figures).unwrap();
        assert_eq!(figures.len(), FIGURES.len());
        for (Figure(value, limit), (name, _, limit_is)) in figures.iter().zip(FIGURES) {
            assert!(value.is_finite(), "{name}");
            let is_known = limit_is.is_some_and(|limit_is| limit_is != SMALLEST);
            assert_eq!(limit.is_some(), is_known, "{name}");
        }
    }

    #[test]
    fn a_store_of_copies_keeps_its_books_and_is_measured() {
        let test = "growth::tests::a_store_of_copies_keeps_its_books_and_is_measured";
        test_support::with_private_tokens(test, || {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("central.db");
            check(&format!("sqlite://{}?mode=rwc", file.display()));
        });
    }

    #[test]
    fn a_store_of_copies_is_measured_on_postgresql() {
        let test = "growth::tests::a_store_of_copies_is_measured_on_postgresql";
        test_support::with_private_tokens(test, || {
            if let Some(server) = Postgres::start().unwrap() {
                check(&server.url());
            }
        });
    }

    #[test]
    fn memory_is_beside_that_of_the_smallest_store() {
        let figures = |value| vec![Figure(value, None); FIGURES.len()];
        let rows = named("SQLite", 20, &figures(3.0), &figures(2.0));
        let (with, without): (Vec<_>, Vec<_>) = rows
            .iter()
            .partition(|row| row.name.contains("memory") && row.name.ends_with("20 documents"));
        assert_eq!(with.len(), 2);
        assert!(with.iter().all(|row| row.ratio == Some(1.5)));
        assert!(without.iter().all(|row| row.ratio.is_none()));
    }

    #[test]
    fn parts_of_a_hundred_are_of_what_was_taken() {
        let all: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!((of(&all, 50), of(&all, 99)), (100.0, 198.0));
        assert_eq!(of(&all[..1], 99), 200.0);
    }
}
