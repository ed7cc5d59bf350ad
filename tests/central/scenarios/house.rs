//! An installation for a test: its own token, database, clock and people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use api::{Actor, ApiError, Centre, ClaimRequest, Lease, LeaseRequest};
use audit::{Entry, Outcome};
use card::gp::Key;
use document::{DocumentNumber, Environment, Role};
use hsm::{Token, test_support};
use jiff::{SignedDuration, Timestamp};
use profile::Shelf;
use sqlx::{AssertSqlSafe, Row};
use tempfile::TempDir;
use vcard::{Chip, ChipNumber, Memory, Product, TransportMasterKey};

use super::cluster;
use super::judged::Listener;
use crate::{
    Central, CentralError, CertificateShelf, Clock, Config, DatabaseSource, DeliveredBlank,
    DeliveredChip, Delivery, KeyLabels, Receipt,
};

pub(super) const PRODUCT: &str = "lateid-v2";
pub(super) const MAKER: [u8; 16] = *b"maker's transpor";

/// A clock that stands until it is moved.
pub(super) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    fn new() -> Self {
        Self(Mutex::new("2026-11-20T08:00:00Z".parse().unwrap()))
    }

    pub(super) fn pass(&self, time: SignedDuration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// An installation.
pub(super) struct House {
    pub(super) central: Central,
    pub(super) clock: Arc<TestClock>,
    pub(super) token: Arc<Token>,
    pub(super) folder: Arc<TempDir>,
    pub(super) database: DatabaseSource,
    adapt: fn(&mut Config),
    /// Whether its books were changed behind the store's back.
    is_meddled: Arc<AtomicBool>,
}

/// Runs a test with an installation, in a process with a token of its own: on SQLite, and where
/// PostgreSQL is installed on that too. `test` is the test's
/// full name.
pub(super) fn with_house(test: &str, body: impl AsyncFnOnce(House)) {
    with_adapted_house(test, |_| {}, body);
}

/// As [`with_adapted_house`], of one whose books are in a file: for what is about that file.
pub(super) fn with_file_house(test: &str, adapt: fn(&mut Config), body: impl AsyncFnOnce(House)) {
    run(test, || vec![test_support::Environment::new()], adapt, body);
}

/// As [`with_house`], of an installation that differs.
pub(super) fn with_adapted_house(
    test: &str,
    adapt: fn(&mut Config),
    body: impl AsyncFnOnce(House),
) {
    run(test, cluster::environments, adapt, body);
}

fn run(
    test: &str,
    environments: fn() -> Vec<test_support::Environment>,
    adapt: fn(&mut Config),
    body: impl AsyncFnOnce(House),
) {
    test_support::with_private_tokens_in(test, environments, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = Listener::default();
        let listening = tracing::subscriber::set_default(listener.clone());
        runtime.block_on(async {
            let house = House::new(adapt).await;
            let (central, folder) = (house.central.clone(), Arc::clone(&house.folder));
            let (database, is_meddled) = (house.database.clone(), Arc::clone(&house.is_meddled));
            body(house).await;
            if !is_meddled.load(Ordering::Relaxed) {
                audited(&central).await;
            }
            central.close().await;
            drop(folder);
            cluster::drop_own(&database).await;
        });
        drop(listening);
        assert_eq!(listener.faults(), Vec::<String>::new());
    });
}

/// Demands that everything holds that must hold of the books, whatever a test did. A store that was
/// closed is not asked.
async fn audited(central: &Central) {
    match central.audit_books(&actor("auditor")).await {
        Ok(audit) => assert_eq!(audit.faults(), Vec::<String>::new()),
        Err(CentralError::Database(sqlx::Error::PoolClosed)) => {}
        Err(error) => panic!("the books cannot be audited: {error}"),
    }
}

pub(super) fn product_file(path: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path),
    )
    .unwrap()
}

/// Returns the bytes of a sample application.
pub(super) fn sample(path: &str) -> Vec<u8> {
    std::fs::read(samples().join(format!("{path}.json"))).unwrap()
}

pub(super) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/samples")
}

pub(super) fn actor(person: &str) -> Actor {
    Actor {
        station: "desk-1".into(),
        person: person.into(),
    }
}

pub(super) fn operator() -> Actor {
    Actor {
        station: "station-1".into(),
        person: "operator".into(),
    }
}

const PEOPLE: [(&str, Role); 8] = [
    ("clerk", Role::Clerk),
    ("approver", Role::Approver),
    ("operator", Role::Operator),
    ("quality", Role::Quality),
    ("keeper", Role::StockKeeper),
    ("envelopes", Role::EnvelopeClerk),
    ("officer", Role::SecurityOfficer),
    ("auditor", Role::Auditor),
];

impl House {
    async fn new(adapt: fn(&mut Config)) -> Self {
        let token = Arc::new(test_support::token("central"));
        let labels = KeyLabels::default();
        token
            .import_master_key("transport-master", &Key::new(&MAKER).unwrap())
            .unwrap();
        labels.generate_missing(&token).unwrap();
        assert!(
            labels.generate_missing(&token).unwrap().is_empty(),
            "a second call makes nothing"
        );
        let folder = Arc::new(TempDir::new().unwrap());
        let clock = Arc::new(TestClock::new());
        let database = cluster::another(folder.path(), "central").await;
        let mut config = config(&database, &token, &clock);
        adapt(&mut config);
        let central = Central::establish(config).await.unwrap().on_own_machine();
        let house = Self {
            central,
            clock,
            token,
            folder,
            database,
            adapt,
            is_meddled: Arc::default(),
        };
        house.found().await;
        house
    }

    /// Founds another installation with the same token, in a database of this name and with a clock
    /// of its own.
    pub(super) async fn elsewhere(&self, name: &str) -> Self {
        let clock = Arc::new(TestClock::new());
        let database = self.another(name).await;
        let mut config = config(&database, &self.token, &clock);
        (self.adapt)(&mut config);
        let house = Self {
            clock,
            database,
            ..self.with(Central::establish(config).await.unwrap().on_own_machine())
        };
        house.found().await;
        house
    }

    /// Opens the same books a second time.
    pub(super) async fn beside(&self) -> Self {
        self.with(Central::open(self.config()).await.unwrap().on_own_machine())
    }

    fn with(&self, central: Central) -> Self {
        Self {
            central,
            clock: Arc::clone(&self.clock),
            token: Arc::clone(&self.token),
            folder: Arc::clone(&self.folder),
            database: self.database.clone(),
            adapt: self.adapt,
            is_meddled: Arc::clone(&self.is_meddled),
        }
    }

    /// Makes the accounts of a new installation.
    pub(super) async fn found(&self) {
        let (central, administrator) = (&self.central, actor("administrator"));
        central.found(&administrator).await.unwrap();
        for (name, role) in PEOPLE {
            central
                .add_account(&administrator, name, &[role])
                .await
                .unwrap();
        }
    }

    pub(super) fn config(&self) -> Config {
        let mut config = config(&self.database, &self.token, &self.clock);
        (self.adapt)(&mut config);
        config
    }

    /// Returns the file of the books, where they are in one.
    pub(super) fn file(&self) -> std::path::PathBuf {
        match &self.database {
            DatabaseSource::Sqlite(file) => file.clone(),
            DatabaseSource::Postgres(address) => panic!("{address} is no file"),
        }
    }

    /// Returns a database of this name for another installation.
    pub(super) async fn another(&self, name: &str) -> DatabaseSource {
        cluster::another(self.folder.path(), name).await
    }

    /// Imports and approves a sample.
    pub(super) async fn prepared(&self, name: &str) -> DocumentNumber {
        let reference = self
            .central
            .import(&actor("clerk"), &sample(&format!("applications/{name}")))
            .await
            .unwrap();
        self.central
            .approve(&actor("approver"), reference.as_str())
            .await
            .unwrap()
            .expect("a number from the series")
    }

    /// Makes a blank and books it into the store.
    pub(super) async fn blank(&self) -> Chip {
        let chip = unbooked();
        self.book(&chip).await;
        chip
    }

    pub(super) async fn book(&self, chip: &Chip) {
        self.book_blank(&printed(chip), &[(PRODUCT, chip)]).await;
    }

    /// Books a blank of these chips.
    pub(super) async fn book_blank(&self, serial: &str, chips: &[(&str, &Chip)]) {
        let chips = chips.iter().map(|(product, chip)| delivered(product, chip));
        let delivery = Delivery {
            reference: format!("D-{serial}"),
            blanks: vec![DeliveredBlank::of_chips(serial, chips.collect())],
        };
        let received = self
            .central
            .receive_blanks(&actor("keeper"), &delivery, &receipt(1))
            .await
            .unwrap();
        assert_eq!((received.blanks, received.incident), (1, None));
    }

    pub(super) async fn lease(&self, slot: &str) -> Option<Lease> {
        self.lease_for(slot, &[PRODUCT]).await
    }

    pub(super) async fn lease_for(&self, slot: &str, products: &[&str]) -> Option<Lease> {
        let request = request(slot, products);
        self.central.lease(&operator(), &request).await.unwrap()
    }

    /// Claims a chip for a lease.
    pub(super) async fn claim(&self, lease: &Lease, chip: &str) -> Result<(), ApiError> {
        self.claim_beside(lease, chip, &[]).await
    }

    /// Claims a chip for a lease, with others at the same slot.
    pub(super) async fn claim_beside(
        &self,
        lease: &Lease,
        chip: &str,
        beside: &[&str],
    ) -> Result<(), ApiError> {
        let request = ClaimRequest {
            lease: lease.id,
            chip: chip.into(),
            beside: beside.iter().map(|&chip| chip.into()).collect(),
            printed: None,
        };
        self.central.claim(&operator(), &request).await
    }

    /// Returns every audit entry in the order of commit.
    pub(super) async fn entries(&self) -> Vec<Entry> {
        let mut tx = self.central.read().await.unwrap();
        let rows = sqlx::query("SELECT entry FROM audit_entry ORDER BY id")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        rows.iter()
            .map(|row| Entry::decode(row.get("entry")).unwrap())
            .collect()
    }

    /// Returns how many entries of an action ended so.
    pub(super) async fn count(&self, action: &str, outcome: Outcome) -> usize {
        let entries = self.entries().await;
        entries
            .iter()
            .filter(|entry| entry.action.as_str() == action && entry.outcome == outcome)
            .count()
    }

    /// Returns the state that a query gives.
    pub(super) async fn scalar(&self, sql: &'static str) -> String {
        let mut tx = self.central.read().await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap()
    }

    pub(super) async fn scalars(&self, sql: &'static str) -> Vec<String> {
        let mut tx = self.central.read().await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut *tx).await.unwrap()
    }

    pub(super) async fn bytes(&self, sql: &'static str) -> Vec<u8> {
        let mut tx = self.central.read().await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap()
    }

    pub(super) async fn number(&self, sql: &'static str) -> i64 {
        let mut tx = self.central.read().await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap()
    }

    /// Returns the text that this test's database reads.
    pub(super) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.database {
            DatabaseSource::Sqlite(_) => sqlite,
            DatabaseSource::Postgres(_) => postgres,
        }
    }

    /// Lets every insertion into a table fail, by a trigger named `broken_` and the table.
    pub(super) async fn break_inserts(&self, table: &str) {
        let sql = match self.database {
            DatabaseSource::Sqlite(_) => format!(
                "CREATE TRIGGER broken_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            ),
            DatabaseSource::Postgres(_) => format!(
                "CREATE FUNCTION fail_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$;
                 CREATE TRIGGER broken_{table} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail_{table}()"
            ),
        };
        self.meddle_by(sql).await;
    }

    pub(super) async fn drop_trigger(&self, trigger: &str, table: &str) {
        let sql = match self.database {
            DatabaseSource::Sqlite(_) => format!("DROP TRIGGER {trigger}"),
            DatabaseSource::Postgres(_) => format!("DROP TRIGGER {trigger} ON {table}"),
        };
        self.meddle_by(sql).await;
    }

    async fn meddle_by(&self, sql: String) {
        self.is_meddled.store(true, Ordering::Relaxed);
        let mut tx = self.central.write().await.unwrap();
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Changes the database behind the store's back.
    pub(super) async fn meddle(&self, sql: &'static str) {
        self.is_meddled.store(true, Ordering::Relaxed);
        let mut tx = self.central.write().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// A delivery that came to the central store, and of which two counted so many.
pub(super) fn receipt(counted: usize) -> Receipt {
    Receipt {
        place: document::OfficeCode::parse(crate::CENTRAL_STORE).unwrap(),
        witness: "quality".into(),
        counted,
        transport_kcv: None,
    }
}

/// What a slot asks for.
pub(super) fn request(slot: &str, products: &[&str]) -> LeaseRequest {
    LeaseRequest {
        environment: Environment::Test,
        slot: slot.into(),
        products: products.iter().map(|&product| product.into()).collect(),
        article: None,
        office: None,
        chips: Vec::new(),
        among: Vec::new(),
        again: None,
        printer: None,
    }
}

/// Returns what is printed on the blank of one chip.
pub(super) fn printed(chip: &Chip) -> String {
    format!("B-{}", chip.serial())
}

/// Returns a chip as a delivery lists it.
pub(super) fn delivered(product: &str, chip: &Chip) -> DeliveredChip {
    DeliveredChip::new(product, chip.serial().to_string())
}

/// Makes a blank that is in no books.
pub(super) fn unbooked() -> Chip {
    let product = Product::find(PRODUCT).unwrap();
    Chip::blank(
        product,
        ChipNumber::random().unwrap(),
        &TransportMasterKey::new(MAKER),
        Memory,
    )
    .unwrap()
}

fn config(database: &DatabaseSource, token: &Arc<Token>, clock: &Arc<TestClock>) -> Config {
    let (mut chips, mut documents, mut certificates) = (
        Shelf::default(),
        Shelf::default(),
        CertificateShelf::default(),
    );
    chips.put(
        PRODUCT,
        product_file("firmware-profiles/chips/lateid-v2.toml"),
    );
    documents.put(
        "eid-card",
        product_file("tests/profiles/one-chip/eid-card.toml"),
    );
    for name in [
        "pilot-ca",
        "eid-authentication",
        "eid-signature",
        "piv-authentication",
        "piv-card-authentication",
        "piv-signature",
    ] {
        certificates.put(name, product_file(&format!("certs/{name}.toml")));
    }
    Config {
        database: database.clone(),
        environment: Environment::Test,
        token: Arc::clone(token),
        keys: KeyLabels::default(),
        chips,
        documents,
        releases: profile::ReleaseShelf::default(),
        certificates,
        authority: "pilot-ca".into(),
        authorities: BTreeMap::new(),
        travel: crate::TravelConfig::default(),
        envelope_printer: None,
        channels_a_minute: 2_400,
        series: "XA".into(),
        calendar: document::Calendar::default(),
        own_stations: Default::default(),
        origin: "test.example/central".into(),
        station: "central".into(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    }
}

pub(super) fn is_refused<T>(result: &Result<T, CentralError>) -> bool {
    matches!(result, Err(CentralError::Refused { .. }))
}

pub(super) fn is_conflict<T>(result: &Result<T, CentralError>) -> bool {
    matches!(result, Err(CentralError::Conflict { .. }))
}
