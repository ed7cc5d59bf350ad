//! An issuing station as an operator has it: the daemon, its own interface, a real PC/SC service with
//! virtual chips, and a store that is killed in the middle of a card.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Zoned;
use serde_json::{Value, json};
use vcard::farm::Farm;

use crate::missing;
use crate::server::{At, Served, curl};
use crate::terminal::typed;
use crate::world::{Demo, Ran, json as told, judged, project, run, text, zimogs};

pub(crate) const PASSWORD: &str = "a long enough password of the operator";
/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
pub(crate) const REFERENCES: [&str; 2] = ["APP-STATION-1", "APP-STATION-2"];

/// The station's own interface, by curl, with a token where there is one.
pub(crate) struct Desk {
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Desk {
    /// The interface of a station that runs, where nobody has signed in.
    pub(crate) fn at(daemon: &Served) -> Self {
        Self {
            address: daemon.address.clone(),
            token: "none".to_owned(),
        }
    }

    /// Signs the operator in, who takes the shift.
    pub(crate) fn take_shift(&mut self) {
        self.token = self.sign_in("operator");
        self.done("POST", "/v1/station/shift");
    }

    fn ask(&self, method: &str, path: &str, options: &[&str]) -> (u16, Value) {
        let bearer = format!("Authorization: Bearer {}", self.token);
        let output = Command::new("curl")
            .args([
                "-sS",
                "--max-time",
                "60",
                "-w",
                "\n%{http_code}",
                "-X",
                method,
            ])
            .args(["-H", &bearer])
            .args(options)
            .arg(format!("http://{}{path}", self.address))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap();
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (status.parse().unwrap(), body)
    }

    /// Signs somebody in; returns the session's token.
    pub(crate) fn sign_in(&self, account: &str) -> String {
        let shown = json!({ "account": account, "password": PASSWORD }).to_string();
        let (status, inside) = self.ask("POST", "/v1/sign-ins", &["--json", &shown]);
        assert_eq!((status, &inside["state"]), (200, &json!("signed-in")));
        inside["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn done(&self, method: &str, path: &str) {
        let (status, body) = self.ask(method, path, &[]);
        assert_eq!(status, 204, "{method} {path}: {body}");
    }

    pub(crate) fn overview(&self) -> Value {
        let (status, body) = self.ask("GET", "/v1/station", &[]);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Follows the stream until the slot is in one of these states; returns it.
    pub(crate) fn slot(&self, states: &[&str]) -> Value {
        self.slot_when(|slot| states.iter().any(|state| slot["state"] == *state))
    }

    /// Follows the stream until the slot is as it is waited for; returns it.
    pub(crate) fn slot_when(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        self.slot_at(0, is_so)
    }

    /// As [`Desk::slot_when`], of the slot at this place in the order of names.
    pub(crate) fn slot_at(&self, place: usize, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (host, token) = (&self.address, &self.token);
        let request = format!(
            "GET /v1/station/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let begun = Instant::now();
        for line in BufReader::new(stream).lines() {
            let line = line.unwrap();
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            let overview: Value = serde_json::from_str(data).unwrap();
            let slot = overview["slots"][place].clone();
            if is_so(&slot) {
                return slot;
            }
            assert!(begun.elapsed() < PATIENCE, "{slot}");
        }
        panic!("the stream ended before that");
    }
}

/// What tests of stations begin with: readers, an installation with two documents in its queue and an
/// operator with a password, and its store served.
pub(crate) struct Scene {
    // Ended before its files are removed.
    pub(crate) served: Served,
    pub(crate) farm: Farm,
    pub(crate) demo: Demo,
    pub(crate) folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn set() -> Option<Self> {
        Self::with_readers(1)
    }

    pub(crate) fn with_readers(readers: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let Some(program) = Farm::program_beside_current() else {
            missing::program("the program vcard (cargo build -p vcard)");
            return None;
        };
        let farm = match Farm::start(&program, &folder.path().join("farm"), readers) {
            Err(error) if error.is_lack() => {
                missing::program(&error.to_string());
                return None;
            }
            farm => farm.unwrap(),
        };
        let demo = judged();
        order(&demo, folder.path());
        let served = Served::start(&demo, "127.0.0.1:0");
        enrol(&demo, &served, "operator");
        Some(Self {
            folder,
            farm,
            demo,
            served,
        })
    }
}

/// Imports and approves documents that the station is to make.
fn order(demo: &Demo, folder: &Path) {
    let sample = fs::read(project("tests/samples/applications/01-adult.json")).unwrap();
    for reference in REFERENCES {
        let mut value: Value = serde_json::from_slice(&sample).unwrap();
        value["reference"] = reference.into();
        let file = folder.join(format!("{reference}.json"));
        fs::write(&file, value.to_string()).unwrap();
        run(&mut demo.central(&["import", file.to_str().unwrap()]));
        run(&mut demo.central(&["approve", reference]));
    }
}

/// Runs the station of a folder with the readers of a farm, until it says where it listens.
pub(crate) fn daemon_of(at: &At, farm: &Farm) -> Served {
    let mut serve = zimogs();
    serve.args(["station", "serve", "--json", "--folder"]);
    serve.arg(at.folder());
    serve.env("PCSCLITE_CSOCK_NAME", farm.pcsc());
    Served::run(&mut serve)
}

/// Writes station.toml with one slot.
pub(crate) fn set_up(demo: &Demo, at: &At, centre: &str, reader: &str) {
    let setup = json!({
        "environment": "test", "server": format!("https://{centre}"), "listen": "127.0.0.1:0",
        "authority": demo.data.join("serve/stations.pem"),
        "profiles": project("tests/profiles"),
    });
    let reader = json!(reader);
    let setup = setup.as_object().unwrap().iter();
    let setup: String = setup
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    let slot = "[[slots]]\nname = \"left slot\"\nchips = [{ product = \"esteid-2018\", reader = ";
    fs::write(
        at.folder().join("station.toml"),
        format!("{setup}{slot}{reader} }}]\n"),
    )
    .unwrap();
}

/// Gives an account a password.
pub(crate) fn enrol(demo: &Demo, served: &Served, account: &str) {
    let issued = told(&mut demo.central(&["user", "code", account, "--json"]));
    let body = json!({ "account": account, "code": issued["code"], "password": PASSWORD });
    let options = ["--json".to_owned(), body.to_string()];
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let (status, said) = curl(demo, served, "/v1/enrolments", &options);
    assert_eq!(
        (status, &said["state"]),
        (200, &json!("enrolled")),
        "{said}"
    );
}

pub(crate) fn state_of(demo: &Demo, reference: &str) -> String {
    let all = told(&mut demo.central(&["documents", "--json"]));
    let all = all.as_array().unwrap().iter();
    let mut found = all.filter(|one| one["application"] == reference);
    found.next().unwrap()["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_station_from_its_first_shift_to_its_last() {
    let Some(scene) = Scene::set() else { return };
    let Scene {
        folder: _folder,
        farm,
        demo,
        served,
    } = scene;
    let centre = served.address.clone();
    let at = At::enrolled(&demo, "riga-1");
    let station = |arguments: &[&str]| {
        let mut command = zimogs();
        command.arg("station").args(arguments);
        command.arg("--folder").arg(at.folder());
        command.env("PCSCLITE_CSOCK_NAME", farm.pcsc());
        command
    };

    // Nothing is set up yet: the doctor says what to do, and the daemon does not start.
    let lame = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(2);
    assert!(lame.out.contains("station.toml"), "{}", lame.out);
    let refused = Ran::of(station(&["serve"]).output().unwrap());
    assert_ne!(refused.code, 0);
    set_up(&demo, &at, &centre, &farm.readers()[0]);
    let sound = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(0);
    assert!(sound.out.contains("slot left slot"), "{}", sound.out);

    let daemon = Served::run(&mut station(&["serve", "--json"]));
    let mut desk = Desk::at(&daemon);
    desk.slot(&["nobody-on-shift"]);
    // Whoever has not signed in moves nothing, and nobody gets in by another host's name.
    assert_eq!(desk.ask("POST", "/v1/station/shift", &[]).0, 401);
    assert_eq!(desk.ask("POST", "/v1/station/pause", &[]).0, 401);
    let (status, _) = desk.ask("GET", "/v1/station", &["-H", "Host: evil.example"]);
    assert_eq!(status, 403);
    // What a station asks of the centre is not asked through it.
    assert_eq!(
        desk.ask("POST", "/v1/station/lease", &["--json", "{}"]).0,
        404
    );

    for other_form in ["/v1/a/../station/lease", "/v1/a/%2e%2e/station/lease"] {
        let plain = ["--path-as-is", "--json", "{}"];
        assert_eq!(desk.ask("POST", other_form, &plain).0, 400, "{other_form}");
    }

    desk.take_shift();
    desk.slot(&["waiting-for-card"]);
    assert_eq!(desk.overview()["shift"], "operator");
    // A person's own request goes on to the centre.
    let (status, session) = desk.ask("GET", "/v1/session", &[]);
    assert_eq!((status, &session["account"]), (200, &json!("operator")));

    // A paused slot leaves the blank alone until it is started.
    desk.done("POST", "/v1/station/slots/left%20slot/pause");
    desk.slot(&["paused"]);
    assert_eq!(desk.ask("POST", "/v1/station/slots/none/pause", &[]).0, 404);
    let blank = |n: usize| demo.data.join(format!("cards/{n:05}.json"));
    let mut hands = farm.client().unwrap();
    // The demo's own documents took the first blanks of its stock.
    hands.insert(0, &blank(7), None).unwrap();
    desk.slot(&["paused"]);
    desk.done("POST", "/v1/station/start");
    let done = desk.slot(&["done", "needs-person"]);
    assert_eq!(
        (&done["state"], &done["made"]),
        (&json!("done"), &json!(1)),
        "{done}"
    );
    assert_eq!(state_of(&demo, REFERENCES[0]), "personalized");
    // Without a session the same is seen, and no number of a document.
    assert!(done["number"].is_string());
    let stranger = Desk {
        address: desk.address.clone(),
        token: "none".to_owned(),
    };
    assert!(stranger.overview()["slots"][0].get("number").is_none());

    // The centre is killed under the second card: it is held, and finished when the centre is back.
    hands.remove(0).unwrap();
    desk.slot(&["waiting-for-card"]);
    hands.insert(0, &blank(8), None).unwrap();
    desk.slot(&["working"]);
    // At once: what was sealed for a card is lost with the centre's memory.
    served.killed();
    desk.slot(&["parked"]);
    let (status, why) = desk.ask("DELETE", "/v1/session", &[]);
    assert_eq!(status, 409, "{why}");
    desk.done("POST", "/v1/station/shift");
    // A drain waits for the card, and says so where it may not wait longer.
    let setup = at.folder().join("station.toml");
    let written = fs::read_to_string(&setup).unwrap();
    fs::write(&setup, written.replace("127.0.0.1:0", &daemon.address)).unwrap();
    let drain = |within: &str| {
        let mut command = station(&["drain", "--slot", "left slot", "--within", within]);
        command.env("ZIMOGS_STATION_TOKEN", &desk.token);
        command
    };
    let held = Ran::of(drain("1").output().unwrap()).ends(1);
    assert!(held.err.contains("its card is held"), "{}", held.err);
    let waiting = drain("90").stdout(Stdio::piped()).spawn().unwrap();
    let served = Served::start(&demo, &centre);
    Ran::of(waiting.wait_with_output().unwrap()).ends(0);
    let done = desk.slot(&["done", "needs-person"]);
    desk.done("POST", "/v1/station/start");
    assert_eq!(
        (&done["state"], &done["made"]),
        (&json!("done"), &json!(2)),
        "{done}"
    );
    hands.remove(0).unwrap();
    desk.slot(&["waiting-for-card"]);
    assert_eq!(state_of(&demo, REFERENCES[1]), "personalized");
    assert_eq!(desk.overview()["waiting_reports"], 0);

    // What people did is written down; the table says the same as the interface.
    let (_, acts) = desk.ask("GET", "/v1/station/acts", &[]);
    let acts: Vec<_> = acts
        .as_array()
        .unwrap()
        .iter()
        .map(|act| &act["act"])
        .collect();
    for act in ["shift.begun", "slot.paused", "slot.started", "shift.ended"] {
        assert!(acts.iter().any(|one| **one == act), "{act}: {acts:?}");
    }
    let status = told(&mut station(&["status", "--json"]));
    assert_eq!(status["centre"]["name"], "riga-1");
    assert_eq!(status["running"]["pace"]["made"], 2);
    let busy = Ran::of(station(&["doctor", "--json"]).output().unwrap()).ends(0);
    assert!(busy.out.contains("the station is running"), "{}", busy.out);

    desk.done("DELETE", "/v1/session");
    desk.slot(&["nobody-on-shift"]);
    assert_eq!(desk.ask("POST", "/v1/station/shift", &[]).0, 401);
    drop(daemon);
    let gone = text(&mut station(&["status"]));
    assert!(gone.contains("not running"), "{gone}");
    drop(served);
    // The centre's log has it too, under who did it.
    let log = demo.log();
    for act in ["shift.begun", "slot.paused", "slot.started", "shift.ended"] {
        assert!(log.contains(act), "{act}");
    }
    assert_eq!(log.matches("slot.paused").count(), 3);
}

/// What people do at the centre from the station, by commands of their own.
#[test]
fn verdicts_blanks_and_the_close_of_the_day_are_said_at_the_station() {
    let Some(scene) = Scene::set() else { return };
    let (demo, served) = (&scene.demo, &scene.served);
    for account in ["quality", "stock-keeper"] {
        enrol(demo, served, account);
    }
    let at = At::enrolled(demo, "riga-5");
    set_up(demo, &at, &served.address, &scene.farm.readers()[0]);
    let daemon = daemon_of(&at, &scene.farm);
    // Commands find it by station.toml.
    let setup = at.folder().join("station.toml");
    let written = fs::read_to_string(&setup).unwrap();
    fs::write(&setup, written.replace("127.0.0.1:0", &daemon.address)).unwrap();
    let desk = Desk::at(&daemon);
    let [operator, quality, keeper] =
        ["operator", "quality", "stock-keeper"].map(|account| desk.sign_in(account));
    let said = |token: &str, arguments: &[&str]| {
        let mut command = zimogs();
        command.arg("station").args(arguments);
        command.arg("--json").arg("--folder").arg(at.folder());
        command.env("ZIMOGS_STATION_TOKEN", token);
        Ran::of(command.output().unwrap())
    };

    // A document that the demo made: who made it does not judge it.
    let all = told(&mut demo.central(&["documents", "--json"]));
    let made = all.as_array().unwrap().iter();
    let mut made = made.filter(|one| one["state"] == "personalized");
    let number = made.next().unwrap()["number"].as_str().unwrap().to_owned();
    let verdict = ["verdict", &number, "--pass"];
    said(&operator, &verdict).ends(4);
    assert_eq!(said(&quality, &verdict).ends(0).json()["done"], true);
    said(&quality, &["verdict", &number]).ends(2);
    said(&quality, &["verdict", &number, "--pass", "--fail", "no"]).ends(2);
    let bad = made.next().unwrap()["number"].as_str().unwrap().to_owned();
    let fault = ["verdict", &bad, "--hold", "a pale corner"];
    said(&quality, &fault).ends(0);
    let state = |number: &str| {
        let all = told(&mut demo.central(&["documents", "--json"]));
        let found = all
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["number"] == number);
        found.unwrap()["state"].clone()
    };
    assert_eq!(
        (state(&number), state(&bad)),
        (json!("quality-passed"), json!("quality-failed"))
    );

    // Nothing is in work: the slots are drained as soon as they have heard it.
    said(&keeper, &["drain"]).ends(4);
    desk.slot(&["nobody-on-shift"]);
    let drained = said(&operator, &["drain", "--within", "60"]).ends(0).json();
    assert_eq!(drained["drained"], true);
    desk.slot(&["paused"]);
    said(&operator, &["start"]).ends(0);
    desk.slot(&["nobody-on-shift"]);

    // Blanks go into a slot and out of it again.
    let stock = |path: &str| {
        let desk = Desk {
            address: desk.address.clone(),
            token: keeper.clone(),
        };
        let (status, body) = desk.ask("GET", path, &[]);
        assert_eq!(status, 200, "{body}");
        body["items"].as_array().unwrap().clone()
    };
    let blanks = stock("/v1/blanks?limit=200");
    let mut idle = blanks.iter().filter(|blank| blank["state"] == "in-stock");
    let blank = idle.next().unwrap()["serial"].as_str().unwrap();
    let loaded = said(&keeper, &["load", "left slot", blank]).ends(0).json();
    assert_eq!(loaded["answer"]["blanks"], 1, "{loaded}");
    said(&keeper, &["unload", blank]).ends(0);
    said(&operator, &["load", "left slot", "NO-SUCH"]).ends(4);
    // One that is bad is spoiled, by whoever keeps the stock, and why is in the log.
    let why = "the corner is bent";
    said(&operator, &["spoil", blank, "--cause", why]).ends(4);
    said(&keeper, &["spoil", blank]).ends(2);
    let spoiled = said(&keeper, &["spoil", blank, "--cause", why])
        .ends(0)
        .json();
    assert_eq!(spoiled["answer"]["blanks"], 1, "{spoiled}");
    let blanks = stock("/v1/blanks?limit=200");
    let spoiled = blanks.iter().find(|one| one["serial"] == blank).unwrap();
    assert_eq!(spoiled["state"], "spoiled");
    assert!(demo.log().contains(why));

    // A day is closed by two: the second confirms in a session of their own, then it is said again.
    // Yesterday there was nothing.
    let yesterday = Zoned::now().yesterday().unwrap().date().to_string();
    let close = [
        "close-day",
        "CENTRAL",
        "--witness",
        "quality",
        "--day",
        &yesterday,
    ];
    let asked = said(&keeper, &close).ends(1).json();
    assert_eq!(asked["confirmation"]["witness"], "quality", "{asked}");
    let id = asked["confirmation"]["id"].as_str().unwrap();
    assert_ne!(said(&operator, &["confirm", id]).code, 0);
    said(&quality, &["confirm", id]).ends(0);
    let closed = said(&keeper, &close).ends(0).json();
    assert_eq!(closed["answer"]["agrees"], true, "{closed}");

    // Or the second is here, and says their password at the same terminal.
    let counts: Vec<_> = stock("/v1/stock")
        .iter()
        .filter(|line| line["place"] == "CENTRAL" && line["state"] != "personalized")
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            format!("{}/{}={}", text("item"), text("state"), line["blanks"])
        })
        .collect();
    let mut close = vec!["close-day", "CENTRAL", "--witness", "quality"];
    for count in &counts {
        close.extend(["--count", count]);
    }
    close.push("--here");
    let here = |close: &[&str], password: &str| {
        let mut command = zimogs();
        command.arg("station").args(close);
        command.arg("--json").arg("--folder").arg(at.folder());
        command.env("ZIMOGS_STATION_TOKEN", &keeper);
        typed(&command, &[("password of quality: ", password)])
    };
    let wrong = here(&close, "not the password of quality");
    assert_ne!(wrong.code, 0, "{}", wrong.out);
    let closed = here(&close, PASSWORD).ends(0);
    assert!(!closed.out.contains(PASSWORD), "a password is never shown");
    let (begin, end) = (
        closed.out.find('{').unwrap(),
        closed.out.rfind('}').unwrap(),
    );
    let answer: Value = serde_json::from_str(&closed.out[begin..=end]).unwrap();
    assert_eq!(
        (&answer["done"], &answer["answer"]["agrees"]),
        (&json!(true), &json!(true)),
        "{answer}"
    );
    // It is closed: nobody is asked for anything.
    let twice = said(&keeper, &close);
    assert_ne!(twice.code, 0, "{}", twice.out);
    drop(daemon);
}
