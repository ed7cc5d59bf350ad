//! Whole lives of documents in the issuance store, from the application to the holder, a second: on
//! SQLite beside a bare loop that commits the same bytes as often into a file of the same kind, on
//! PostgreSQL beside pgbench's simple transactions on the same server.
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
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use crate::postgres::Postgres;
use crate::{Measured, Row, Wanted};

const RATE: &str = "store lives of documents a second, SQLite";
const ACTS: &str = "store acts a second, SQLite";
const POSTGRES_RATE: &str = "store lives of documents a second, PostgreSQL";
const POSTGRES_ACTS: &str = "store acts a second, PostgreSQL";

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
    [RATE, ACTS, POSTGRES_RATE, POSTGRES_ACTS]
        .map(str::to_owned)
        .into()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let mut rows = Vec::new();
    if wanted.has(RATE) || wanted.has(ACTS) {
        rows.append(&mut on_sqlite()?);
    }
    if wanted.has(POSTGRES_RATE) || wanted.has(POSTGRES_ACTS) {
        rows.append(&mut on_postgres()?);
    }
    Ok(rows)
}

fn on_sqlite() -> Measured {
    let Figures { seconds, bytes } = in_token(None)?;
    let least = bare_commits(LIVES * A_LIFE, bytes)?;
    let lives = f64::from(LIVES);
    let limit = "as many commits of as many bytes into a file of the same kind, nothing else";
    Ok(vec![
        Row::new(RATE, lives / seconds, "lives", lives / least).beside(limit),
        Row::new(
            ACTS,
            lives * f64::from(A_LIFE) / seconds,
            "acts",
            lives * f64::from(A_LIFE) / least,
        )
        .beside(limit),
    ])
}

/// Measures on a server of its own; no row where none is installed.
fn on_postgres() -> Measured {
    let Some(server) = Postgres::start()? else {
        return Ok(Vec::new());
    };
    let Figures { seconds, .. } = in_token(Some(&server.url()))?;
    let most = server.pgbench(AT_ONCE)?;
    let (lives, acts) = (f64::from(LIVES) / seconds, f64::from(A_LIFE));
    let limit = "pgbench's simple-update by as many clients; for lives, five of them each";
    Ok(vec![
        Row::new(POSTGRES_RATE, lives, "lives", most / acts).beside(limit),
        Row::new(POSTGRES_ACTS, lives * acts, "acts", most).beside(limit),
    ])
}

/// What was measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Figures {
    /// From the first application to the last hand-over.
    seconds: f64,
    /// By how much the file grew; nothing for a server's.
    bytes: u64,
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
    let before = size(&file);

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
    // What the write-ahead log still holds is counted too.
    let bytes = size(&file).saturating_sub(before);
    central.close().await;
    Ok(Figures { seconds, bytes })
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

/// How many bytes a SQLite database has, with its write-ahead log.
fn size(file: &Path) -> u64 {
    let files = ["", "-wal"].map(|end| format!("{}{end}", file.display()));
    let sizes = files.iter().filter_map(|file| std::fs::metadata(file).ok());
    sizes.map(|file| file.len()).sum()
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
            assert!(super::bare_commits(3, 3_000).unwrap() > 0.0);
            if let Some(server) = super::Postgres::start().unwrap() {
                let figures = super::measure(&server.url()).unwrap();
                let figures: super::Figures = serde_json::from_str(&figures).unwrap();
                assert!(figures.seconds > 0.0);
                assert!(server.pgbench(2).unwrap() > 0.0);
            }
        });
    }
}
