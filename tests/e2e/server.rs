//! The store over HTTPS: a whole personalization, and what curl and openssl are answered.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use api::{Actor, ApiError, BlankEnd, Centre, LeaseRequest, Report};
use document::Environment;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use station::{RemoteCentre, RemoteConfig};
use zeroize::Zeroizing;

use crate::world::{Demo, SAMPLES, json, project, run, text, zimogs};

/// A served store; it is told to stop when this is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
}

impl Served {
    pub(crate) fn start(demo: &Demo, address: &str) -> Self {
        let mut serve = demo.command(&["central", "serve", "--listen", address, "--json"]);
        Self::run(serve.arg("--data").arg(&demo.data))
    }

    /// Runs a command that serves, until it says where.
    pub(crate) fn run(serve: &mut Command) -> Self {
        let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !told.trim_end().ends_with('}') {
            assert!(out.read_line(&mut told).unwrap() > 0, "{told}");
        }
        let told: Value = serde_json::from_str(&told).unwrap();
        Self {
            address: told["listening"].as_str().unwrap().to_owned(),
            child,
        }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.unwrap(), signal).unwrap();
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn killed(mut self) -> String {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        let address = self.address.clone();
        std::mem::forget(self);
        address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let ended = self.child.wait().unwrap();
        assert!(ended.success() || std::thread::panicking(), "{ended}");
    }
}

/// A station of a test, with its files.
pub(crate) struct At {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl At {
    /// Makes the station's key at the station, and has it let in.
    pub(crate) fn enrolled(demo: &Demo, name: &'static str) -> Self {
        let at = Self {
            folder: tempfile::tempdir().unwrap(),
            name,
        };
        let made = json(
            zimogs()
                .args(["station", "enroll", name, "--json", "--folder"])
                .arg(at.folder.path()),
        );
        let key = made["key"].as_str().unwrap();
        let (request, certificate) = (at.file("station.csr"), at.file("station.pem"));
        let ask = ["enroll", name, "--json", "--csr", &request];
        let asked = json(&mut demo.central(&ask));
        assert_eq!(
            (&asked["key"], &asked["state"]),
            (&key.into(), &"requested".into())
        );
        let confirm = [
            "station",
            "confirm",
            name,
            "--key",
            key,
            "--json",
            "--out",
            &certificate,
        ];
        assert_eq!(json(&mut demo.central(&confirm))["state"], "enrolled");
        at
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn remote(&self, demo: &Demo, address: &str) -> RemoteCentre {
        let read = |path: &Path| fs::read(path).unwrap();
        let key = String::from_utf8(read(&self.path("station.key"))).unwrap();
        let config = RemoteConfig::new(
            format!("https://{address}"),
            read(&demo.data.join("serve/stations.pem")),
            read(&self.path("station.pem")),
            Zeroizing::new(key),
        );
        RemoteCentre::new(&config).unwrap()
    }
}

/// curl, trusting the installation's own authority and nobody else.
pub(crate) fn curl(demo: &Demo, served: &Served, path: &str, options: &[&str]) -> (u16, Value) {
    let said = curl_raw(demo, served, path, options);
    let text = String::from_utf8(said.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (status.parse().unwrap(), body)
}

fn curl_raw(demo: &Demo, served: &Served, path: &str, options: &[&str]) -> Output {
    Command::new("curl")
        .args([
            "-sS",
            "--max-time",
            "30",
            "-w",
            "\n%{http_code}",
            "--cacert",
        ])
        .arg(demo.data.join("serve/stations.pem"))
        .args(options)
        .arg(format!("https://{}{path}", served.address))
        .output()
        .unwrap()
}

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let ran = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned()
}

#[test]
fn a_document_is_made_over_https() {
    let demo = Demo::run(&["--documents", "2", "--slots", "2", "--over", "https"]);
    assert_eq!(
        demo.report["totals"]["personalized"], 2,
        "{:#}",
        demo.report
    );
    for document in demo.documents() {
        assert_eq!(document["verified"], true, "{document:#}");
    }
    let stations = json(&mut demo.central(&["station", "list", "--json"]));
    assert_eq!(stations[0]["station"], "demo-station");
    assert_eq!(stations[0]["state"], "enrolled");
    assert!(stations[0]["seen"].is_string());
}

#[test]
fn curl_and_openssl_are_let_in_with_the_right_certificate_alone() {
    let demo = &*SAMPLES;
    let at = At::enrolled(demo, "riga-7");
    let folder = at.folder.path();
    let served = Served::start(demo, "127.0.0.1:0");
    let (certificate, key) = (at.file("station.pem"), at.file("station.key"));
    let with = ["--cert", &*certificate, "--key", &*key];
    let own = "/v1/station/self";

    let (status, ready) = curl(demo, &served, "/health/ready", &[]);
    assert_eq!((status, &ready["ready"]), (200, &true.into()), "{ready}");
    assert_eq!(curl(demo, &served, "/health/live", &[]).0, 200);
    let (status, known) = curl(demo, &served, own, &with);
    assert_eq!((status, &known["name"]), (200, &at.name.into()), "{known}");

    // Without a certificate, and with one of the same names that somebody else made.
    let (status, problem) = curl(demo, &served, own, &[]);
    assert_eq!(status, 403);
    assert_eq!(
        problem["type"],
        "https://zimogs.example/problems/certificate"
    );
    assert_eq!(
        (&problem["exit"], &problem["status"]),
        (&4.into(), &403.into())
    );
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "other.key",
            "-out",
            "other.pem",
            "-subj",
            "/CN=riga-7",
            "-days",
            "2",
        ],
    );
    let (other, other_key) = (at.file("other.pem"), at.file("other.key"));
    let foreign = ["--cert", &*other, "--key", &*other_key];
    let (status, problem) = curl(demo, &served, own, &foreign);
    assert_eq!(status, 403);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("another authority"), "{detail}");
    // The right certificate without its key is none.
    let stolen = ["--cert", &*certificate, "--key", &*other_key];
    assert!(!curl_raw(demo, &served, own, &stolen).status.success());

    // Who trusts other authorities does not talk to this server.
    let lost = Command::new("curl")
        .args(["-sS", &format!("https://{}{own}", served.address)])
        .output();
    assert!(!lost.unwrap().status.success());
    let connect = ["s_client", "-connect", &served.address];
    let old = openssl(folder, &[&connect[..], &["-tls1_2"]].concat());
    assert!(old.contains("alert protocol version"), "{old}");
    let authority = demo.data.join("serve/stations.pem");
    let verified = [
        "-tls1_3",
        "-verify_return_error",
        "-verify_hostname",
        "localhost",
    ];
    let trusting = ["-CAfile", authority.to_str().unwrap()];
    let new = openssl(folder, &[&connect[..], &verified, &trusting].concat());
    assert!(new.contains("Verification: OK"), "{new}");
    assert!(
        new.contains("CN = Station CA") || new.contains("CN=Station CA"),
        "{new}"
    );

    // What is not asked properly.
    let lease = "/v1/station/lease";
    let json_type = ["-H", "content-type: application/json"];
    let person = ["-H", "zimogs-person: operator"];
    let ask = |more: &[&str]| {
        curl(
            demo,
            &served,
            lease,
            &[&with[..], &json_type, &person, more].concat(),
        )
    };
    let (status, problem) = ask(&["-d", "{\"environment\":\"secret-7391\""]);
    assert_eq!(status, 400);
    assert!(!problem.to_string().contains("7391"), "{problem}");
    let (status, problem) = ask(&["-d", "{\"environment\":7391}"]);
    assert_eq!(status, 400);
    assert!(!problem.to_string().contains("7391"), "{problem}");
    fs::write(at.path("long"), vec![b' '; 3 << 20]).unwrap();
    let long = format!("@{}", at.file("long"));
    let (status, problem) = ask(&["--data-binary", &long]);
    assert_eq!((status, &problem["exit"]), (413, &2.into()), "{problem}");
    assert_eq!(ask(&["-X", "DELETE"]).0, 405);
    assert_eq!(
        curl(
            demo,
            &served,
            lease,
            &[&with[..], &person, &["-d", "x"]].concat()
        )
        .0,
        415
    );
    assert_eq!(curl(demo, &served, "/v1/nothing", &[]).0, 404);
    let order = "{\"environment\":\"test\",\"slot\":\"s\",\"products\":[\"lateid-v2\"]}";
    let nobody = [&with[..], &json_type, &["-d", order]].concat();
    assert_eq!(curl(demo, &served, lease, &nobody).0, 401);
    let (status, problem) = {
        let clerk = ["-H", "zimogs-person: clerk", "-d", order];
        curl(
            demo,
            &served,
            lease,
            &[&with[..], &json_type, &clerk].concat(),
        )
    };
    assert_eq!(
        (status, &problem["error"]),
        (403, &"refused".into()),
        "{problem}"
    );
    assert_eq!(ask(&["-d", order]).0, 200);

    // A new key; then the station is stopped while its connection could be open.
    let url = format!("https://{}", served.address);
    let station = |verb: &str| {
        let mut command = zimogs();
        command
            .args(["station", verb, "--server", &url, "--folder"])
            .arg(folder);
        command
    };
    let before = fs::read(at.path("station.pem")).unwrap();
    text(&mut station("renew"));
    assert_ne!(fs::read(at.path("station.pem")).unwrap(), before);
    text(&mut station("status"));
    fs::write(at.path("before.pem"), before).unwrap();
    let suspend = ["station", "suspend", at.name, "--cause", "broken into"];
    run(&mut demo.central(&suspend));
    let (status, problem) = curl(demo, &served, own, &with);
    assert_eq!(status, 403);
    assert!(
        problem["detail"].as_str().unwrap().contains("suspended"),
        "{problem}"
    );
    let refused = station("status").output().unwrap();
    assert_eq!(refused.status.code(), Some(4));
}

#[test]
fn a_station_goes_on_after_the_server_was_killed() {
    let profiles = project("tests/profiles");
    let profiles = ["--profiles", profiles.to_str().unwrap()];
    let demo = Demo::run(&[&["--documents", "1", "--slots", "1"], &profiles[..]].concat());
    let chips = demo.documents()[0]["chips"].as_array().unwrap().iter();
    let products = chips.map(|chip| chip["product"].as_str().unwrap().to_owned());
    let at = At::enrolled(&demo, "riga-9");
    let sample = project("tests/samples/applications/01-adult.json");
    let mut application: Value = serde_json::from_slice(&fs::read(sample).unwrap()).unwrap();
    application["reference"] = "APP-KILLED-1".into();
    fs::write(at.path("application.json"), application.to_string()).unwrap();
    run(&mut demo.central(&["import", &at.file("application.json")]));
    run(&mut demo.central(&["approve", "APP-KILLED-1"]));

    let served = Served::start(&demo, "127.0.0.1:0");
    let remote = at.remote(&demo, &served.address);
    let actor = Actor {
        station: "what it says itself".into(),
        person: "operator".into(),
    };
    let request = LeaseRequest {
        environment: Environment::Test,
        slot: "slot 1".into(),
        products: products.collect(),
        article: None,
        office: None,
        chips: Vec::new(),
        among: Vec::new(),
        again: None,
        printer: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lease = runtime.block_on(remote.lease(&actor, &request)).unwrap();
    let lease = lease.expect("a document is queued");

    let address = served.killed();
    // Asked while there is nobody, and answered when there is.
    let again = runtime.spawn({
        let (actor, request, remote) = (actor.clone(), request, at.remote(&demo, &address));
        async move { remote.lease(&actor, &request).await }
    });
    let served = Served::start(&demo, &address);
    let again = runtime.block_on(again).unwrap().unwrap();
    assert_eq!(again.expect("its open lease").id, lease.id);

    let report = Report {
        lease: lease.id,
        sequence: 1,
        number: None,
        end: BlankEnd::Untouched {
            cause: "the test ends".into(),
        },
        chips: Vec::new(),
        milliseconds: 1,
        journal: Vec::new(),
    };
    for _ in 0..2 {
        let reported = async {
            tokio::time::timeout(Duration::from_secs(60), remote.report(&actor, &report)).await
        };
        runtime.block_on(reported).unwrap().unwrap();
    }
    drop(served);
    let documents = json(&mut demo.central(&["documents", "--json"]));
    let states: Vec<_> = documents
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["state"])
        .collect();
    assert!(states.contains(&&Value::from("queued")), "{states:?}");
}

#[test]
fn a_station_that_asks_too_fast_waits_as_long_as_it_is_told() {
    let demo = Demo::run(&["--documents", "1", "--slots", "1"]);
    let at = At::enrolled(&demo, "riga-8");
    let settings = demo.data.join("installation.toml");
    let mut text = fs::read_to_string(&settings).unwrap();
    text += "\n[serve.pace]\nstation = { burst = 2, each_second = 1 }\n";
    fs::write(&settings, text).unwrap();
    let served = Served::start(&demo, "127.0.0.1:0");
    let remote = at.remote(&demo, &served.address);
    let begun = Instant::now();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for _ in 0..5 {
        let known = runtime.block_on(remote.own()).unwrap();
        assert_eq!(known.name, at.name);
    }
    // Two at once, and then one each second.
    assert!(begun.elapsed() >= Duration::from_secs(2));
    let (certificate, key) = (at.file("station.pem"), at.file("station.key"));
    let with = ["--cert", &*certificate, "--key", &*key];
    let told = |_| curl(&demo, &served, "/v1/station/self", &with);
    let (_, problem) = (0..20).map(told).find(|told| told.0 == 429).unwrap();
    let kind = problem["type"].as_str().unwrap();
    assert!(kind.ends_with("/too-many"), "{problem}");
    // Whoever does not wait is not answered.
    let hasty = at
        .remote(&demo, &served.address)
        .patient_for(Duration::ZERO);
    let asked = (0..20).map(|_| runtime.block_on(hasty.own()));
    let refused = asked.filter_map(Result::err).next().unwrap();
    assert!(matches!(refused, ApiError::Unavailable { .. }), "{refused}");
}
