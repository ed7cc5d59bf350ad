//! Whole lives of documents in the issuance store, from the application to the holder, a second: on
//! SQLite and on PostgreSQL beside a bare loop that commits the same bytes as often into a database
//! of the same kind, on PostgreSQL beside pgbench's simple transactions on the same server too. And
//! how long a year's documents take at that rate.
//!
//! The documents have no chip: what a chip takes is measured elsewhere, and here only the store
//! works. Several people work at once, and the sequencer beside them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::Actor;
use central::{
    CENTRAL_STORE, Central, CentralError, CertificateShelf, Config, DatabaseSource, DeliveredBlank,
    Delivery, DeskEnd, KeyLabels, PostgresAddress, Receipt, SystemClock, TravelConfig,
};
use document::{DocumentNumber, Environment, OfficeCode, Role};
use hsm::{Secret, SoftHsmFolder, Token, TokenConfig};
use profile::{ReleaseShelf, Shelf};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AnyConnection, Connection};

use crate::postgres::Postgres;
use crate::{Measured, Row, Wanted};

const RATE: &str = "store lives of documents a second, SQLite";
const ACTS: &str = "store acts a second, SQLite";
const POSTGRES_RATE: &str = "store lives of documents a second, PostgreSQL";
const POSTGRES_ACTS: &str = "store acts a second, PostgreSQL";
const POSTGRES_BARE: &str = "store lives by a bare loop of as many bytes, PostgreSQL";
const YEAR: &str = "store a year's documents, SQLite";
const POSTGRES_YEAR: &str = "store a year's documents, PostgreSQL";
const TRANSITIONS: &str = "store audited transitions in a life";

/// The documents that an office plans for a year, in thousands: passports, cards and permits.
const A_YEAR: f64 = 580_000.0;

/// The fewest transitions of what is measured: fewer were no whole life.
const FEWEST: f64 = 10.0;

/// Lives in one run.
const LIVES: u32 = if cfg!(test) { 4 } else { 8_000 };

/// How many people of each role work at once.
const AT_ONCE: u32 = 8;

/// A document's acts: imported, approved, made, judged, handed over.
const A_LIFE: u32 = 5;

/// Names the database of a part's process that is a file of its own.
const SQLITE: &str = "sqlite";

const SAMPLE: &str = include_str!("../../tests/samples/applications/27-repressed-person.json");
const DOCUMENT: &str = include_str!("../../firmware-profiles/documents/repressed-person.toml");
const AUTHORITY: &str = include_str!("../../certs/pilot-ca.toml");

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    [
        RATE,
        ACTS,
        YEAR,
        TRANSITIONS,
        POSTGRES_RATE,
        POSTGRES_ACTS,
        POSTGRES_BARE,
        POSTGRES_YEAR,
    ]
    .map(str::to_owned)
    .into()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let mut rows = Vec::new();
    if [RATE, ACTS, YEAR, TRANSITIONS]
        .iter()
        .any(|name| wanted.has(name))
    {
        rows.append(&mut on_sqlite()?);
    }
    let on_server = [POSTGRES_RATE, POSTGRES_ACTS, POSTGRES_BARE, POSTGRES_YEAR];
    if on_server.iter().any(|name| wanted.has(name)) {
        rows.append(&mut on_postgres()?);
    }
    Ok(rows)
}

fn on_sqlite() -> Measured {
    let figures = in_token(None)?;
    let least = bare_commits(LIVES * A_LIFE, figures.bytes)?;
    let (lives, acts) = (f64::from(LIVES) / figures.seconds, f64::from(A_LIFE));
    let most = f64::from(LIVES) / least;
    let limit = "as many commits of as many bytes into a file of the same kind, nothing else";
    Ok(vec![
        Row::new(RATE, lives, "lives", most).beside(limit),
        Row::new(ACTS, lives * acts, "acts", most * acts).beside(limit),
        year(YEAR, lives),
        Row::new(TRANSITIONS, figures.transitions, "transitions", FEWEST)
            .beside("the fewest that are a whole life"),
    ])
}

/// Measures on a server of its own; no row where none is installed.
fn on_postgres() -> Measured {
    let Some(server) = Postgres::start()? else {
        return Ok(Vec::new());
    };
    let figures = in_token(Some(&server.url()))?;
    let most = server.pgbench(AT_ONCE)?;
    let commits = LIVES * A_LIFE;
    let bare = server.bare_commits(AT_ONCE, commits, figures.bytes / u64::from(commits))?;
    let (lives, acts) = (f64::from(LIVES) / figures.seconds, f64::from(A_LIFE));
    let limit = "pgbench's simple-update by as many clients; for lives, five of them each";
    let loop_is = "as many insertions of as many bytes by as many clients, nothing else";
    Ok(vec![
        Row::new(POSTGRES_RATE, lives, "lives", most / acts).beside(limit),
        Row::new(POSTGRES_ACTS, lives * acts, "acts", most).beside(limit),
        Row::new(POSTGRES_BARE, lives, "lives", bare / acts).beside(loop_is),
        year(POSTGRES_YEAR, lives),
    ])
}

/// Says how long a year's documents take at a rate.
fn year(name: &str, lives: f64) -> Row {
    Row::new(name, A_YEAR / lives / 60.0, "minutes", 60.0).beside("an hour")
}

/// What was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Figures {
    /// From the first application to the last hand-over.
    seconds: f64,
    /// By how much the database grew.
    bytes: u64,
    /// How often the state of a thing changed in a life: applications, documents, blanks, leases.
    transitions: f64,
}

/// Measures in a process of its own: SoftHSM2 learns its folder when it starts.
fn in_token(url: Option<&str>) -> Result<Figures, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let tokens = SoftHsmFolder::prepare(folder.path())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--lives").arg(url.unwrap_or(SQLITE));
    let output = tokens.apply(&mut command).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Measures with the store's keys in SoftHSM2, which has a folder here, and returns the figures in
/// JSON. `database`: a server's URL, or [`SQLITE`].
pub(crate) fn measure(database: &str) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let figures = runtime.block_on(lives(database))?;
    Ok(serde_json::to_string(&figures)?)
}

async fn lives(database: &str) -> Result<Figures, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("central.db");
    let source = match database {
        SQLITE => DatabaseSource::Sqlite(file.clone()),
        url => DatabaseSource::Postgres(PostgresAddress::parse(url, None)?),
    };
    let url = match database {
        SQLITE => format!("sqlite:{}", file.display()),
        url => url.to_owned(),
    };
    let store = store(source).await?;
    let central = &store.central;
    let delivery = Delivery {
        reference: "D-1".into(),
        blanks: (1..=LIVES).map(blank).collect::<Result<_, _>>()?,
    };
    let receipt = Receipt {
        place: OfficeCode::parse(CENTRAL_STORE)?,
        witness: "quality".into(),
        counted: delivery.blanks.len(),
        transport_kcv: None,
    };
    let keeper = actor("keeper");
    central.receive_blanks(&keeper, &delivery, &receipt).await?;
    let mut books = Books::open(&url).await?;
    let before = books.size(&file).await?;

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
    let started = Instant::now();
    let mut people = Vec::new();
    let numbers: Vec<_> = (1..=LIVES).collect();
    // Each has a box of blanks of their own, as at stations.
    for own in numbers.chunks(LIVES.div_ceil(AT_ONCE) as usize) {
        let (central, own) = (central.clone(), own.to_vec());
        people.push(tokio::spawn(async move {
            for number in own {
                live(&central, number).await?;
            }
            Ok::<_, CentralError>(())
        }));
    }
    for person in people {
        person.await??;
    }
    ended.store(true, Ordering::Relaxed);
    sequencer.await??;
    let seconds = started.elapsed().as_secs_f64();
    let bytes = books.size(&file).await?.saturating_sub(before);
    let transitions = books.transitions().await?;
    books.0.close().await?;
    central.close().await;
    Ok(Figures {
        seconds,
        bytes,
        transitions: transitions / f64::from(LIVES),
    })
}

/// Does an act, and again as often as the store says that others were in the way: its interface
/// answers 503 then, and whoever asked asks again.
macro_rules! asked_again {
    ($act:expr) => {
        loop {
            match $act.await {
                Err(CentralError::Busy { .. }) => {}
                done => break done,
            }
        }
    };
}

/// One document's life.
async fn live(central: &Central, number: u32) -> Result<(), CentralError> {
    let mut application: Value = serde_json::from_str(SAMPLE).unwrap_or_default();
    application["reference"] = reference(number).into();
    let bytes = application.to_string();
    let (clerk, operator) = (actor("clerk"), actor("operator"));
    asked_again!(central.import(&clerk, bytes.as_bytes()))?;
    let (reference, serial) = (reference(number), serial(number));
    let approver = actor("approver");
    asked_again!(central.approve(&approver, &reference))?;
    let made = DeskEnd::Made;
    let number = asked_again!(central.produce(&operator, &reference, &serial, &made))?.to_string();
    let quality = actor("quality");
    asked_again!(central.pass_quality(&quality, &number))?;
    asked_again!(central.hand_over(&clerk, &number))
}

fn reference(number: u32) -> String {
    format!("APP-2027-{number:06}")
}

fn serial(number: u32) -> String {
    format!("B-{number}")
}

fn blank(number: u32) -> Result<DeliveredBlank, Box<dyn Error>> {
    Ok(DeliveredBlank {
        serial: serial(number),
        article: Some("repressed-person".into()),
        number: Some(DocumentNumber::parse(&format!("XR{number:07}"))?),
        chips: Vec::new(),
    })
}

fn actor(person: &str) -> Actor {
    Actor {
        station: "desk-1".into(),
        person: person.into(),
    }
}

/// A connection of our own to the store's database, whose drivers are there once the store is open.
struct Books(AnyConnection);

impl Books {
    async fn open(url: &str) -> sqlx::Result<Self> {
        AnyConnection::connect(url).await.map(Self)
    }

    /// How many bytes the database has: a file of SQLite's, with what its write-ahead log still
    /// holds, or a server's.
    async fn size(&mut self, file: &Path) -> sqlx::Result<u64> {
        if self.0.backend_name() == "PostgreSQL" {
            let size = "SELECT pg_database_size(current_database())";
            let size: i64 = sqlx::query_scalar(size).fetch_one(&mut self.0).await?;
            return Ok(size.unsigned_abs());
        }
        let files = ["", "-wal"].map(|end| format!("{}{end}", file.display()));
        let sizes = files.iter().filter_map(|file| std::fs::metadata(file).ok());
        Ok(sizes.map(|file| file.len()).sum())
    }

    /// How often states changed: as documents and blanks have it in their journals; a lease begins
    /// open, and an application goes from received by approved and in-production to completed.
    async fn transitions(&mut self) -> sqlx::Result<f64> {
        let counted: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM document_event)
                  + (SELECT count(*) FROM blank_movement WHERE from_state <> to_state)
                  + (SELECT count(*) FROM lease WHERE state <> 'open')
                  + 3 * (SELECT count(*) FROM application WHERE state = 'completed')",
        )
        .fetch_one(&mut self.0)
        .await?;
        Ok(counted as f64)
    }
}

struct Store {
    central: Central,
}

async fn store(database: DatabaseSource) -> Result<Store, Box<dyn Error>> {
    let config = TokenConfig::parse(include_str!("../../hsm-config/softhsm2.toml"))?;
    let pin = Secret::new("user-739184620518");
    // A token for each database, which has its keys.
    let label = match &database {
        DatabaseSource::Sqlite(_) => "measured",
        DatabaseSource::Postgres(_) => "measured-server",
    };
    let token = Token::initialize(&config, label, &Secret::new("so-739184620518"), pin)?;
    let labels = KeyLabels::default();
    let transport = card::gp::Key::new(b"measured-transp.")?;
    token.import_master_key("transport-master", &transport)?;
    labels.generate_missing(&token)?;
    let mut documents = Shelf::default();
    documents.put("repressed-person", DOCUMENT);
    let mut certificates = CertificateShelf::default();
    certificates.put("pilot-ca", AUTHORITY);
    let central = Central::establish(Config {
        database,
        environment: Environment::Test,
        token: Arc::new(token),
        keys: labels,
        chips: Shelf::default(),
        documents,
        releases: ReleaseShelf::default(),
        certificates,
        authority: "pilot-ca".into(),
        authorities: BTreeMap::new(),
        travel: TravelConfig::default(),
        envelope_printer: None,
        channels_a_minute: 1,
        series: "XA".into(),
        calendar: document::Calendar::default(),
        own_stations: Default::default(),
        origin: "measured.example/central".into(),
        station: "central".into(),
        clock: Arc::new(SystemClock),
    })
    .await?
    .on_own_machine();
    let administrator = actor("administrator");
    central.found(&administrator).await?;
    for (name, role) in [
        ("clerk", Role::Clerk),
        ("approver", Role::Approver),
        ("operator", Role::Operator),
        ("quality", Role::Quality),
        ("keeper", Role::StockKeeper),
    ] {
        central.add_account(&administrator, name, &[role]).await?;
    }
    Ok(Store { central })
}

/// Commits so many rows, of so many bytes in all, and returns the seconds.
fn bare_commits(commits: u32, bytes: u64) -> Result<f64, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let row = vec![0x5A_u8; usize::try_from(bytes / u64::from(commits))?];
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut bare = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql("CREATE TABLE bare (id INTEGER PRIMARY KEY, row BLOB NOT NULL) STRICT")
            .execute(&mut bare)
            .await?;
        let started = Instant::now();
        for _ in 0..commits {
            sqlx::query("INSERT INTO bare (row) VALUES ($1)")
                .bind(&*row)
                .execute(&mut bare)
                .await?;
        }
        Ok(started.elapsed().as_secs_f64())
    })
}

#[cfg(test)]
mod tests {
    use hsm::test_support;

    #[test]
    fn lives_are_lived_to_their_end() {
        test_support::with_private_tokens("lives::tests::lives_are_lived_to_their_end", || {
            let figures = super::measure(super::SQLITE).unwrap();
            let figures: super::Figures = serde_json::from_str(&figures).unwrap();
            assert!(figures.seconds > 0.0 && figures.bytes > 0);
            assert!(figures.transitions >= super::FEWEST, "{figures:?}");
            assert!(super::bare_commits(3, 3_000).unwrap() > 0.0);
            if let Some(server) = super::Postgres::start().unwrap() {
                let figures = super::measure(&server.url()).unwrap();
                let figures: super::Figures = serde_json::from_str(&figures).unwrap();
                assert!(figures.seconds > 0.0 && figures.transitions >= super::FEWEST);
                assert!(server.pgbench(2).unwrap() > 0.0);
                assert!(server.bare_commits(2, 20, 100).unwrap() > 0.0);
            }
        });
    }
}
