//! The station's own interface without a centre: what it shows, and what it refuses.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use api::Actor;
use document::Environment;
use jiff::Timestamp;
use profile::Shelf;
use tokio::net::TcpListener;

use crate::{
    Board, Catalogue, Local, LocalClient, LocalError, RemoteCentre, RemoteConfig, SlotChip,
    SlotConfig, SlotState, Station, StationConfig, serve_local,
};

/// A centre that nobody reaches, behind a key and a certificate that serve.
fn nobody() -> RemoteCentre {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
        ])
        .args(["-subj", "/CN=s", "-keyout", "key.pem", "-out", "own.pem"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let key = String::from_utf8(read("key.pem")).unwrap();
    // Port 9 of this machine: nothing answers there.
    let server = "https://127.0.0.1:9";
    let mut config = RemoteConfig::new(server, read("own.pem"), read("own.pem"), key.into());
    config.patience = Duration::ZERO;
    RemoteCentre::new(&config).unwrap()
}

#[test]
fn a_station_without_centre_and_readers_says_so_and_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let slot = SlotConfig {
        name: "a slot/1".into(),
        article: None,
        chips: vec![SlotChip {
            product: "none".into(),
            reader: "no such reader".into(),
        }],
        printer: None,
        feeder: None,
        scanner: None,
    };
    let config = StationConfig {
        environment: Environment::Test,
        office: None,
        shift: Some(Actor {
            station: "s".into(),
            person: "operator".into(),
        }),
        parking: Duration::ZERO,
        journal: folder.path().join("journal.db"),
        slots: vec![slot],
        catalogue: Catalogue::new(Shelf::default(), Shelf::default()),
    };
    let centre = Arc::new(nobody());
    let handle = runtime.handle().clone();
    let station = Station::start(config, centre.clone(), handle).unwrap();
    let events = station.watch();
    let board = Board::new(["a slot/1".to_owned()], Timestamp::now());
    let local = Local::new("s".into(), Environment::Test, None, station, centre, board);
    runtime.block_on(async {
        let following = tokio::spawn(local.clone().follow(events));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve_local(listener, local.clone(), stopped));
        let mut client = LocalClient::new(address, None).unwrap();
        // Whether there is a PC/SC service or not: the slot says why it stands.
        let stands = [SlotState::OutOfService, SlotState::CentreAway];
        let waiting = async {
            loop {
                let overview = client.overview().await.unwrap();
                let slot = &overview.slots[0];
                if stands.contains(&slot.state) && slot.reason.is_some() {
                    break overview;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let overview = tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .unwrap();
        assert_eq!(overview.shift.as_deref(), Some("operator"));
        assert!(!overview.in_work);
        let exit = |error: LocalError| match error {
            LocalError::Problem { exit, .. } => exit,
            other => panic!("{other}"),
        };
        assert_eq!(
            exit(client.order(Some("a slot/1"), "pause").await.unwrap_err()),
            4
        );
        assert_eq!(exit(client.begin_shift().await.unwrap_err()), 4);
        assert_eq!(exit(client.acts().await.unwrap_err()), 4);
        // Nobody can judge a password here.
        assert_eq!(
            exit(client.sign_in("operator", "secret").await.unwrap_err()),
            1
        );
        let _ = stop.send(());
        serving.await.unwrap().unwrap();
        following.abort();
    });
    let station = local.clone();
    station.station().stop();
}

#[test]
fn others_than_this_machine_are_not_served() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = StationConfig {
            environment: Environment::Test,
            office: None,
            shift: None,
            parking: Duration::ZERO,
            journal: folder.path().join("journal.db"),
            slots: Vec::new(),
            catalogue: Catalogue::new(Shelf::default(), Shelf::default()),
        };
        let centre = Arc::new(nobody());
        let handle = tokio::runtime::Handle::current();
        let station = Station::start(config, centre.clone(), handle).unwrap();
        let board = Board::new([], Timestamp::now());
        let local = Local::new("s".into(), Environment::Test, None, station, centre, board);
        serve_local(listener, local, std::future::pending()).await
    });
    assert!(refused.unwrap_err().to_string().contains("loopback"));
}
