//! A slot with two readers over a real pcscd: cards whose chips are no pair, and cards of which one
//! chip is dead. Nothing is done to either chip, and each ends in one report. Without pcscd, vpcd,
//! namespaces or the built farm the tests say so and pass, except in `tools/test`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{
    Actor, ApiError, BlankEnd, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelRequest,
    ClaimRequest, ConfirmRequest, Hello, JournalKept, JournalPart, Lease, LeaseId, LeaseRequest,
    ProfilePin, ProveRequest, PutKeyGrant, PutKeyRequest, Report, SealGrant, SealRequest,
    SignLdsGrant, SignLdsRequest, Standing, StationAct, Welcome,
};
use async_trait::async_trait;
use document::{Environment, Purpose};
use profile::{ChipProfile, DocumentProfile, Shelf};
use vcard::farm::Farm;
use vcard::{Chip, ChipNumber, FileStore, Product, TransportMasterKey};

use crate::{Catalogue, Happening, SlotChip, SlotConfig, Station, StationConfig};

#[path = "../missing/missing.rs"]
mod missing;

/// Names the readers to the process that sees the farm's pcscd.
const READERS: &str = "ZIMOGS_TEST_READERS";
/// How long a slot may take for one card.
const PATIENCE: Duration = Duration::from_secs(60);
const PRODUCTS: [&str; 2] = ["mrtd-trial", "lateid-v2"];

/// Lets `inside`, a test that looks for the readers, run where it sees a farm's pcscd, with a blank
/// chip for each product in its reader.
fn over_farm(inside: &str, products: &[&str]) {
    let Some(program) = Farm::program_beside_current() else {
        missing::program("the program vcard (cargo build -p vcard)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let farm = match Farm::start(&program, &folder.path().join("farm"), PRODUCTS.len()) {
        Ok(farm) => farm,
        Err(error) if error.is_lack() => {
            missing::program(&error.to_string());
            return;
        }
        Err(error) => panic!("{error}"),
    };
    for (reader, product) in products.iter().enumerate() {
        let state = folder.path().join(format!("chip{reader}.json"));
        Chip::blank(
            Product::find(product).unwrap(),
            ChipNumber::new([0, 1], [0, 0, 0, reader as u8]),
            &TransportMasterKey::new([0x55; 16]),
            FileStore::create(&state).unwrap(),
        )
        .unwrap();
        farm.client().unwrap().insert(reader, &state, None).unwrap();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", inside, "--nocapture"])
        .env("PCSCLITE_CSOCK_NAME", farm.pcsc())
        .env(READERS, farm.readers().join("\n"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_crossed_pair_gets_nothing() {
    over_farm(
        "two_readers::inside_with_a_crossed_pair",
        &["mrtd-applet", "lateid-v2"],
    );
}

#[test]
fn a_card_with_a_dead_chip_gets_nothing() {
    over_farm("two_readers::inside_with_a_dead_chip", &["mrtd-applet"]);
}

/// A centre in whose books every pair is crossed.
#[derive(Default)]
struct Crossed {
    lease: Mutex<Option<Lease>>,
    claims: Mutex<Vec<ClaimRequest>>,
    reports: Mutex<Vec<Report>>,
}

fn never<T>() -> Result<T, ApiError> {
    panic!("keys or certificates are asked for, and nothing was matched")
}

#[async_trait]
impl Centre for Crossed {
    async fn hello(&self, _: &Actor, hello: &Hello) -> Result<Welcome, ApiError> {
        Ok(Welcome {
            epoch: None,
            reports: hello.acknowledged,
            standing: Standing::Known,
        })
    }

    async fn lease(&self, _: &Actor, _: &LeaseRequest) -> Result<Option<Lease>, ApiError> {
        Ok(self.lease.lock().unwrap().take())
    }

    async fn claim(&self, _: &Actor, request: &ClaimRequest) -> Result<(), ApiError> {
        self.claims.lock().unwrap().push(request.clone());
        Err(ApiError::NotOneBlank {
            reason: "one of blank LV-A, one of blank LV-B".into(),
        })
    }

    async fn open_channel(&self, _: &Actor, _: &ChannelRequest) -> Result<ChannelGrant, ApiError> {
        never()
    }

    async fn put_keys(&self, _: &Actor, _: &PutKeyRequest) -> Result<PutKeyGrant, ApiError> {
        never()
    }

    async fn certify(&self, _: &Actor, _: &CertifyRequest) -> Result<CertifyGrant, ApiError> {
        never()
    }

    async fn prove(&self, _: &Actor, _: &ProveRequest) -> Result<(), ApiError> {
        never()
    }

    async fn sign_lds(&self, _: &Actor, _: &SignLdsRequest) -> Result<SignLdsGrant, ApiError> {
        never()
    }

    async fn seal(&self, _: &Actor, _: &SealRequest) -> Result<SealGrant, ApiError> {
        never()
    }

    async fn confirm(&self, _: &Actor, _: &ConfirmRequest) -> Result<(), ApiError> {
        never()
    }

    async fn tell(&self, _: &Actor, part: &JournalPart) -> Result<JournalKept, ApiError> {
        Ok(JournalKept {
            lines: part.first - 1 + part.lines.len() as u64,
        })
    }

    async fn report(&self, _: &Actor, report: &Report) -> Result<(), ApiError> {
        self.reports.lock().unwrap().push(report.clone());
        Ok(())
    }

    async fn act(&self, _: &Actor, _: &StationAct) -> Result<(), ApiError> {
        never()
    }
}

fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

fn shelves() -> (Shelf, Shelf) {
    let (mut chips, mut documents) = (Shelf::default(), Shelf::default());
    for name in ["mrtd-applet", "lateid-v2"] {
        chips.put(name, text(&format!("firmware-profiles/chips/{name}.toml")));
    }
    chips.put("mrtd-trial", text("tests/two-chips/chips/mrtd-trial.toml"));
    documents.put("id-card", text("tests/two-chips/documents/id-card.toml"));
    (chips, documents)
}

fn lease() -> Lease {
    let (chips, documents) = shelves();
    let pin = |name: &str, digest| ProfilePin {
        name: name.into(),
        digest,
    };
    let document = DocumentProfile::load(&documents, "id-card").unwrap();
    let chips = PRODUCTS.map(|product| {
        let chip = ChipProfile::load(&chips, product).unwrap();
        pin(product, chip.digest)
    });
    let mut record: document::Record = serde_json::from_str(profile::SPECIMEN).unwrap();
    record.kind = document::Kind::IdCard;
    Lease {
        identity: uuid::Uuid::nil(),
        id: LeaseId(uuid::Uuid::now_v7()),
        purpose: Purpose::Personalization,
        environment: Environment::Test,
        record,
        chips: chips.into(),
        document: pin("id-card", document.digest),
        subjects: BTreeMap::new(),
        pictures: None,
        begun: None,
        confirmed: Vec::new(),
        expires: jiff::Timestamp::MAX,
    }
}

/// Runs a station over the farm's readers until its first card has ended; returns the report and
/// what was claimed.
fn one_card() -> Option<(Report, Vec<ClaimRequest>)> {
    let readers = std::env::var(READERS).ok()?;
    let folder = tempfile::tempdir().unwrap();
    let (chips, documents) = shelves();
    let places = PRODUCTS.iter().zip(readers.lines());
    let config = StationConfig {
        environment: Environment::Test,
        office: None,
        shift: Some(Actor {
            station: "station-1".into(),
            person: "operator".into(),
        }),
        parking: Duration::ZERO,
        journal: folder.path().join("journal.db"),
        slots: vec![SlotConfig {
            name: "slot 1".into(),
            article: None,
            chips: places
                .map(|(product, reader)| SlotChip {
                    product: (*product).into(),
                    reader: reader.into(),
                })
                .collect(),
            printer: None,
            feeder: None,
            scanner: None,
        }],
        catalogue: Catalogue::new(chips, documents),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let centre = Arc::new(Crossed::default());
    *centre.lease.lock().unwrap() = Some(lease());
    let serving = Arc::clone(&centre) as Arc<dyn Centre>;
    let station = Station::start(config, serving, runtime.handle().clone()).unwrap();
    let mut events = station.watch();
    runtime.block_on(async {
        let finished = async {
            loop {
                if let Happening::Finished { .. } = events.recv().await.unwrap().happening {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, finished).await.unwrap();
    });
    station.stop();
    let mut reports = centre.reports.lock().unwrap().clone();
    assert_eq!(reports.len(), 1, "one report for the blank");
    let claims = centre.claims.lock().unwrap().clone();
    Some((reports.remove(0), claims))
}

/// Not a test of its own.
#[test]
fn inside_with_a_crossed_pair() {
    let Some((report, claims)) = one_card() else {
        return;
    };
    let BlankEnd::Untouched { cause } = &report.end else {
        panic!("{:?}", report.end)
    };
    assert!(
        cause.contains("not of one blank") && cause.contains("LV-B"),
        "{cause}"
    );
    let named: Vec<_> = report
        .chips
        .iter()
        .map(|chip| chip.serial.clone().unwrap())
        .collect();
    let interfaces: Vec<_> = report.chips.iter().map(|chip| &*chip.interface).collect();
    assert_eq!(interfaces, ["contactless", "contact"]);
    // Both chips work at the same time; whichever claim comes first names both.
    assert!(!claims.is_empty());
    for claim in &claims {
        let mut claimed = vec![claim.chip.clone()];
        claimed.extend(claim.beside.clone());
        let mut named = named.clone();
        claimed.sort();
        named.sort();
        assert_eq!(claimed, named);
    }
    assert!(report.journal.iter().all(|line| line.step == "identify"));
}

/// Not a test of its own: nothing answers in the second reader.
#[test]
fn inside_with_a_dead_chip() {
    let Some((report, claims)) = one_card() else {
        return;
    };
    assert!(
        matches!(report.end, BlankEnd::Untouched { .. }),
        "{:?}",
        report.end
    );
    // The chip that lives said which blank it is.
    assert_eq!(report.chips.len(), 1);
    assert!(report.chips[0].serial.is_some());
    assert!(claims.is_empty());
}
