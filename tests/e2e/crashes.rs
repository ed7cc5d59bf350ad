//! Two servers of one installation and the people at its desks, all ended by SIGKILL again and again
//! in the middle of what they do: whatever was said stays, nothing is done twice, and the books hold.
//! Where the books are on a PostgreSQL server, that is killed too, whole and by one of its processes.
//!
//! `ZIMOGS_CRASHES` says how often something is killed (default: 10, and 12 with a PostgreSQL server),
//! `ZIMOGS_CRASH_SEED` where the dice begin.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use api::{Actor, ApiError, BlankEnd, Centre, ClaimRequest, LeaseRequest, Report};
use document::Environment;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use station::RemoteCentre;

use crate::postgres::{Cluster, Server, url};
use crate::server::{At, Served};
use crate::world::{Demo, Ran, project, run};

/// The stations, each with blanks of its own.
const STATIONS: [&str; 3] = ["crash-1", "crash-2", "crash-3"];

/// The documents that they take turns with.
const DOCUMENTS: usize = 4;

/// How many blanks each has.
const BLANKS: usize = 400;

/// What the people at the desk do with a certificate that has no chip.
const DESK: [&[&str]; 5] = [
    &["import", "{file}"],
    &["approve", "{application}"],
    &["produce", "{application}", "--blank", "{blank}"],
    &["pass", "{number}"],
    &["hand-over", "{number}"],
];

/// Marsaglia's xorshift: a run is repeated by its seed, as far as processes run alike.
struct Dice(u64);

impl Dice {
    fn new(more: u64) -> Self {
        Self(told("ZIMOGS_CRASH_SEED", 0x5eed_1234_5678_9abc) ^ (more << 17))
    }

    fn throw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % below
    }
}

fn told(name: &str, otherwise: u64) -> u64 {
    let told = std::env::var(name).ok().and_then(|text| text.parse().ok());
    told.unwrap_or(otherwise)
}

/// Writes a sample down under a reference of its own.
fn application(folder: &Path, sample: &str, reference: &str) -> String {
    let sample = project(&format!("tests/samples/applications/{sample}.json"));
    let mut value: Value = serde_json::from_slice(&fs::read(sample).unwrap()).unwrap();
    value["reference"] = reference.into();
    let file = folder.join(format!("{reference}.json"));
    fs::write(&file, value.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

fn chip(station: usize, blank: usize) -> String {
    format!("4090786199{station:02}{blank:08}")
}

/// Books the blanks of the stations, and sheets for the desk.
fn deliver(demo: &Demo, folder: &Path, product: &str) {
    let mut blanks = Vec::new();
    for (station, name) in STATIONS.iter().enumerate() {
        for at in 0..BLANKS {
            let chips = json!([{ "product": product, "serial": chip(station, at) }]);
            let serial = format!("{}-{at:05}", name.to_uppercase());
            blanks.push(json!({ "blank": serial, "chips": chips }));
        }
    }
    for at in 0..BLANKS {
        let serial = format!("SHEET-{at:05}");
        let number = format!("XW{:07}", at + 1);
        blanks.push(json!({ "blank": serial, "article": "war-participant", "number": number }));
    }
    let first =
        json!({ "format": "zimogs-delivery/v1", "delivery": "D-CRASH", "blanks": blanks.len() });
    let lines: Vec<_> = std::iter::once(&first)
        .chain(&blanks)
        .map(Value::to_string)
        .collect();
    let list = folder.join("delivery.jsonl");
    fs::write(&list, lines.join("\n")).unwrap();
    let counted = blanks.len().to_string();
    let receive = ["receive", list.to_str().unwrap(), "--counted", &counted];
    run(&mut demo.central(&[&receive[..], &["--witness", "quality"]].concat()));
}

/// What is killed in one round of a run.
#[derive(Clone, Copy)]
enum Victim {
    /// One of the two servers of the store.
    Store,
    /// The PostgreSQL server as a whole.
    Postmaster,
    /// A process of it that works in the books: it takes the server's memory with it.
    Backend,
}

/// Whoever works in the books.
const ANYBODY: &str = "SELECT pid FROM pg_stat_activity WHERE datname = 'books'
    AND backend_type = 'client backend' ORDER BY random() LIMIT 1";

/// Kills a process; tells whether it was there still.
fn kill(process: i32) -> bool {
    let killed = kill_process(Pid::from_raw(process).unwrap(), Signal::KILL);
    assert!(matches!(killed, Ok(()) | Err(Errno::SRCH)), "{killed:?}");
    killed.is_ok()
}

/// Kills a PostgreSQL server, or one of its processes, and waits until it serves again.
fn strike(cluster: &Cluster, victim: Victim) {
    match victim {
        Victim::Store => {}
        Victim::Postmaster => {
            assert!(kill(cluster.postmaster()));
            cluster.restart();
        }
        Victim::Backend => {
            // One that served a command of the desk may be gone by itself.
            let process = std::iter::repeat_with(|| cluster.ask(ANYBODY).parse())
                .filter_map(Result::ok)
                .find(|process| kill(*process))
                .unwrap();
            cluster.recovered_from(process);
        }
    }
}

/// What the tasks of a run share.
#[derive(Default)]
struct Work {
    /// Whether what the store keeps its books in may go away, too.
    is_struck: bool,
    answers: Mutex<u64>,
    answered: Condvar,
    lives: AtomicU64,
    /// How often nobody could answer.
    unanswered: AtomicU64,
    is_over: AtomicBool,
}

impl Work {
    fn answer(&self) {
        *self.answers.lock().unwrap() += 1;
        self.answered.notify_all();
    }

    /// Waits for so many more answers, or until there is no sense in it any more.
    fn hear(&self, more: u64, mut is_idle: impl FnMut() -> bool) {
        let mut answers = self.answers.lock().unwrap();
        let until = *answers + more;
        while *answers < until && !is_idle() {
            let waited = self
                .answered
                .wait_timeout(answers, Duration::from_millis(20));
            answers = waited.unwrap().0;
        }
    }
}

/// Ends the run where it is dropped.
struct Over<'a>(&'a Work);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Asks until there is an answer. Where the books may go away, the store says so, and is asked the
/// same again.
macro_rules! insist {
    ($work:ident, $asked:expr) => {
        loop {
            match $asked.await {
                Ok(answer) => {
                    $work.answer();
                    break answer;
                }
                Err(ApiError::Unavailable { .. }) if $work.is_struck => {
                    $work.unanswered.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
                Err(refused) => panic!("{refused}"),
            }
        }
    };
}

/// A station that takes documents, claims blanks and reports, whoever is killed meanwhile. Every
/// answer must be one that makes sense to somebody who asked once.
async fn work(remote: RemoteCentre, at: usize, product: String, work: Arc<Work>) {
    let mut dice = Dice::new(at as u64 + 1);
    let actor = Actor {
        station: "what it says itself".into(),
        person: "operator".into(),
    };
    let request = LeaseRequest {
        environment: Environment::Test,
        slot: "slot 1".into(),
        products: vec![product],
        article: None,
        office: None,
        chips: Vec::new(),
        among: Vec::new(),
        again: None,
        printer: None,
    };
    let (mut sequence, mut blank) = (0, 0);
    while !work.is_over.load(Ordering::Relaxed) && blank < BLANKS {
        let lease = insist!(work, remote.lease(&actor, &request));
        let Some(lease) = lease else {
            tokio::task::yield_now().await;
            continue;
        };
        let is_claimed = dice.throw(3) > 0;
        if is_claimed {
            let claim = ClaimRequest {
                lease: lease.id,
                chip: chip(at, blank),
                beside: Vec::new(),
                printed: None,
            };
            blank += 1;
            insist!(work, remote.claim(&actor, &claim));
        }
        sequence += 1;
        let cause = "the run goes on".to_owned();
        let report = Report {
            lease: lease.id,
            sequence,
            number: None,
            end: match dice.throw(2) {
                0 => BlankEnd::Untouched { cause },
                _ => BlankEnd::Spoiled { cause },
            },
            chips: Vec::new(),
            milliseconds: 1,
            journal: Vec::new(),
        };
        insist!(work, remote.report(&actor, &report));
        work.lives.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a command says whose books go away.
const AWAY: [&str; 3] = [
    "the database failed",
    "cannot be opened; see that the server",
    // The server was killed while a store was opened that it had let in.
    "error communicating with database",
];

/// Runs a command of the desk, and kills it at any moment first, sometimes: it was done, or it was
/// not, and said again it says so.
fn say(mut command: Command, dice: &mut Dice, work: &Work) -> Ran {
    if dice.throw(2) == 0 {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut killed = command.spawn().unwrap();
        work.hear(dice.throw(60), || killed.try_wait().unwrap().is_some());
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    answered(command, work)
}

/// Runs a command; where the books may go away under it, again and again until they did not.
fn answered(mut command: Command, work: &Work) -> Ran {
    loop {
        let ran = Ran::of(command.output().unwrap());
        let is_away = ran.code == 1 && AWAY.iter().any(|away| ran.err.contains(away));
        if !(work.is_struck && is_away) {
            return ran;
        }
        work.unanswered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Brings certificates without a chip from their application to their holders. Returns how many.
fn desk(demo: &Demo, folder: &Path, work: &Work) -> usize {
    let mut dice = Dice::new(99);
    let mut done = 0;
    while !work.is_over.load(Ordering::Relaxed) {
        let reference = format!("APP-DESK-{done:04}");
        let file = application(folder, "29-war-participant", &reference);
        let blank = format!("SHEET-{done:05}");
        let mut number = String::new();
        for step in DESK {
            let arguments: Vec<_> = step
                .iter()
                .map(|argument| {
                    let argument = argument.replace("{file}", &file);
                    let argument = argument.replace("{application}", &reference);
                    let argument = argument.replace("{number}", &number);
                    argument.replace("{blank}", &blank)
                })
                .collect();
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let ran = say(demo.central(&arguments), &mut dice, work);
            // What was done before it was killed is refused the second time.
            assert!(matches!(ran.code, 0 | 1 | 4), "{arguments:?}: {}", ran.err);
            if ran.code != 0 {
                let known = ["there already", "does not admit", "not in the queue"];
                let is_done = known.iter().any(|known| ran.err.contains(known));
                assert!(is_done, "{arguments:?}: {}", ran.err);
            }
            if step[0] == "produce" {
                number = number_of(demo, &reference, work);
            }
        }
        done += 1;
    }
    done
}

fn documents(demo: &Demo, work: &Work) -> Vec<Value> {
    let said = answered(demo.central(&["documents", "--json"]), work);
    let listed = said.ends(0).json();
    listed.as_array().unwrap().clone()
}

fn number_of(demo: &Demo, reference: &str, work: &Work) -> String {
    let all = documents(demo, work);
    let found = all.iter().find(|one| one["application"] == reference);
    found.unwrap()["number"].as_str().unwrap().to_owned()
}

/// Demands that the books hold, whoever works on them.
fn audit(demo: &Demo) {
    let said = Ran::of(demo.central(&["audit-books", "--json"]).output().unwrap());
    let sound = said.json()["sound"] == true;
    assert!(sound && said.code == 0, "{}\n{}", said.out, said.err);
}

#[test]
fn whoever_is_killed_whenever_the_books_hold() {
    let demo = Demo::run(&["--documents", "1", "--slots", "1"]);
    judge(&demo, None, told("ZIMOGS_CRASHES", 10));
}

#[test]
fn whoever_is_killed_whenever_the_books_on_a_server_hold() {
    let Some(cluster) = Cluster::start(Server::Durable) else {
        return;
    };
    cluster.ask("CREATE DATABASE books");
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.toml");
    let database = format!("[database]\nurl = \"{}\"\n", url(&cluster.folder, "books"));
    fs::write(&settings, database).unwrap();
    let settings = ["--settings", settings.to_str().unwrap()];
    let demo = Demo::run(&[&["--documents", "1", "--slots", "1"], &settings[..]].concat());
    assert!(!demo.data.join("central.db").exists());
    judge(&demo, Some(&cluster), told("ZIMOGS_CRASHES", 12));
}

/// Has stations and people work while so many times something is killed, and demands that the books
/// hold then, and all along.
fn judge(demo: &Demo, cluster: Option<&Cluster>, crashes: u64) {
    let folder = tempfile::tempdir().unwrap();
    let product = "lateid-v2";
    deliver(demo, folder.path(), product);
    let mut references = Vec::new();
    let mut import = vec!["import".to_owned()];
    for at in 0..DOCUMENTS {
        references.push(format!("APP-CRASH-{at}"));
        import.push(application(folder.path(), "09-alien", &references[at]));
    }
    let import: Vec<_> = import.iter().map(String::as_str).collect();
    run(&mut demo.central(&import));
    for reference in &references {
        run(&mut demo.central(&["approve", reference]));
    }
    let stations = STATIONS.map(|name| At::enrolled(demo, name));
    let mut served = Vec::new();
    for _ in 0..2 {
        served.push(Served::start(demo, "127.0.0.1:0"));
    }
    let shared = Arc::new(Work {
        is_struck: cluster.is_some(),
        ..Work::default()
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks: Vec<_> = stations
        .iter()
        .enumerate()
        .map(|(at, station)| {
            let remote = station.remote(demo, &served[at % 2].address);
            runtime.spawn(work(remote, at, product.to_owned(), Arc::clone(&shared)))
        })
        .collect();
    let done = std::thread::scope(|scope| {
        let people = scope.spawn(|| desk(demo, folder.path(), &shared));
        // Whoever works ends where this thread does, however that is.
        let over = Over(&shared);
        let mut dice = Dice::new(0);
        let mut victims = Vec::new();
        for _ in 0..crashes {
            let is_idle = || tasks.iter().all(tokio::task::JoinHandle::is_finished);
            shared.hear(3 + dice.throw(40), is_idle);
            if let Some(cluster) = cluster {
                // Each as often as the others, in any order.
                if victims.is_empty() {
                    victims = vec![Victim::Store, Victim::Postmaster, Victim::Backend];
                }
                let at = usize::try_from(dice.throw(victims.len() as u64)).unwrap();
                let victim = victims.swap_remove(at);
                if !matches!(victim, Victim::Store) {
                    strike(cluster, victim);
                    if dice.throw(3) == 0 {
                        audit(demo);
                    }
                    continue;
                }
            }
            let at = usize::try_from(dice.throw(2)).unwrap();
            let address = served.swap_remove(at).killed();
            if dice.throw(3) == 0 {
                audit(demo);
            }
            served.insert(at, Served::start(demo, &address));
        }
        drop(over);
        people.join().unwrap()
    });
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    drop(served);
    audit(demo);
    let all = documents(demo, &shared);
    let state_of = |reference: &str| {
        let found = all.iter().find(|one| one["application"] == reference);
        found.unwrap()["state"].clone()
    };
    for at in 0..done {
        assert_eq!(state_of(&format!("APP-DESK-{at:04}")), "handed-over");
    }
    for reference in &references {
        assert_eq!(state_of(reference), "queued");
    }
    let lives = shared.lives.load(Ordering::Relaxed);
    assert!(
        lives >= 20 && done > 0,
        "{lives} leases, {done} at the desk"
    );
    let unanswered = shared.unanswered.load(Ordering::Relaxed);
    assert_eq!(unanswered > 0, cluster.is_some(), "{unanswered} unanswered");
}
