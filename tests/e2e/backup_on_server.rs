//! Backups of an installation whose books are on a PostgreSQL server: the server brings them back to a
//! moment, and nothing is made of what lies beside them before that is judged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use api::{
    Actor, ApiError, BlankEnd, Centre, Hello, Lease, LeaseRequest, Report, Standing, Welcome,
};
use document::Environment;
use serde_json::Value;
use station::RemoteCentre;
use tokio::runtime::Runtime;

use crate::postgres::{Cluster, Server, url};
use crate::server::{At, Served};
use crate::world::{Demo, Ran, json, project, run, zimogs};

/// An installation with its books on a server, whose socket is where a link leads.
struct Office {
    folder: tempfile::TempDir,
    server: Cluster,
}

impl Office {
    /// Makes one, and a document in it; none where PostgreSQL is not installed.
    fn found() -> Option<Self> {
        let server = Cluster::start(Server::Archived)?;
        server.ask("CREATE DATABASE books");
        let folder = tempfile::tempdir().unwrap();
        let office = Self { folder, server };
        office.lead_to(&office.server);
        let settings = office.path("settings.toml");
        let database = format!("[database]\nurl = \"{}\"\n", url(&office.socket(), "books"));
        fs::write(&settings, database).unwrap();
        let mut demo = zimogs();
        demo.args(["demo", "--documents", "1", "--exit-when-done", "--json"]);
        demo.arg("--settings").arg(settings).arg("--data");
        run(demo.arg(office.data()));
        assert!(!office.data().join("central.db").exists());
        Some(office)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn socket(&self) -> PathBuf {
        self.path("socket")
    }

    /// Puts a server in the place of the one before.
    fn lead_to(&self, server: &Cluster) {
        let _ = fs::remove_file(self.socket());
        symlink(&server.folder, self.socket()).unwrap();
    }

    /// Exports the log; returns its checkpoint.
    fn seen(&self, name: &str) -> PathBuf {
        let mut export = zimogs();
        export.args(["audit", "export", "--data"]).arg(self.data());
        run(export.arg("--out").arg(self.path(name)));
        self.path(name).join("checkpoint")
    }

    /// Backs up what lies beside the books.
    fn back_up(&self, name: &str) -> (PathBuf, Value) {
        let out = self.path(name);
        let mut make = zimogs();
        make.args(["central", "backup", "--json", "--data"]);
        let made = json(make.arg(self.data()).arg("--out").arg(&out));
        assert!(out.join("checkpoint").exists() && !out.join("central.db").exists());
        (out, made)
    }

    fn import(&self, sample: &str) {
        let sample = project(&format!("tests/samples/applications/{sample}.json"));
        let mut import = zimogs();
        import.args(["central", "import"]).arg(sample).arg("--data");
        run(import.arg(self.data()));
    }

    fn verify(&self, witness: &Path) -> Ran {
        let mut verify = zimogs();
        verify.args(["central", "verify", "--json", "--data"]);
        verify.arg(self.data()).arg("--witness").arg(witness);
        Ran::of(verify.output().unwrap())
    }

    fn restore(&self, backup: &Path, witness: &Path, to: &str, how: &[&str]) -> Ran {
        let mut restore = zimogs();
        restore.args(["central", "restore", "--json"]).args(how);
        restore.arg(backup).arg("--witness").arg(witness);
        restore.arg("--data").arg(self.path(to));
        Ran::of(restore.output().unwrap())
    }

    /// Brings the token to a restored installation: it comes back by another way.
    fn bring_token(&self, to: &str) {
        let token = self.data().join("token");
        run(Command::new("cp").arg("-a").arg(token).arg(self.path(to)));
    }
}

/// `zimogs central` on an installation, as JSON.
fn central(data: &Path, what: &[&str]) -> Value {
    let mut command = zimogs();
    command.arg("central").args(what).args(["--json", "--data"]);
    json(command.arg(data))
}

/// What a station does that takes a document and gives it back.
struct Work {
    at: At,
    actor: Actor,
    runtime: Runtime,
}

impl Work {
    fn new(at: At) -> Self {
        Self {
            at,
            actor: Actor {
                station: "what it says itself".into(),
                person: "operator".into(),
            },
            runtime: Runtime::new().unwrap(),
        }
    }

    fn hello(&self, remote: &RemoteCentre) -> Welcome {
        let mut hello = Hello {
            acknowledged: 1,
            last: 1,
            in_work: 0,
            epoch: None,
        };
        let mut say = |epoch| {
            hello.epoch = epoch;
            let said = remote.hello(&self.actor, &hello);
            self.runtime.block_on(said).unwrap()
        };
        // It hears of a restoration before it speaks of it.
        let heard = say(None);
        say(heard.epoch)
    }

    fn lease(&self, remote: &RemoteCentre) -> Result<Option<Lease>, ApiError> {
        let request = LeaseRequest {
            environment: Environment::Test,
            slot: "slot 1".into(),
            products: vec!["lateid-v2".into()],
            article: None,
            office: None,
            chips: Vec::new(),
            among: Vec::new(),
            again: None,
            printer: None,
        };
        self.runtime.block_on(remote.lease(&self.actor, &request))
    }

    fn report(&self, remote: &RemoteCentre, lease: &Lease) {
        let report = Report {
            lease: lease.id,
            sequence: 1,
            number: Some(lease.record.number),
            end: BlankEnd::Untouched {
                cause: "the test goes on".into(),
            },
            chips: Vec::new(),
            milliseconds: 1,
            journal: Vec::new(),
        };
        let said = remote.report(&self.actor, &report);
        self.runtime.block_on(said).unwrap();
    }
}

/// A station says again what the restored books have forgotten, and gets no work before people have
/// ended the reconciliation.
fn reconcile(data: &Path, work: &Work, lease: &Lease) {
    let demo = Demo::at(data.to_owned());
    let served = Served::start(&demo, "127.0.0.1:0");
    let remote = work.at.remote(&demo, &served.address);
    let welcome = work.hello(&remote);
    assert_eq!(
        (welcome.standing, welcome.reports),
        (Standing::Reconciling, 0)
    );
    work.report(&remote, lease);
    work.lease(&remote).unwrap_err();
    let welcome = work.hello(&remote);
    assert_eq!(
        (welcome.standing, welcome.reports),
        (Standing::Reconciling, 1)
    );
    let status = central(data, &["reconcile", "status"]);
    assert_eq!(status["finished"], Value::Null);
    for station in status["stations"].as_array().unwrap() {
        let is_here = station["station"] == "riga-5";
        assert_eq!(station["reconciled"].is_string(), is_here, "{station}");
    }
    let unknown = &status["quarantined"];
    assert_eq!(unknown.as_array().unwrap().len(), 1, "{unknown}");
    assert_eq!(unknown[0]["lease"], lease.id.to_string());
    let end = ["reconcile", "end", "--witness", "auditor", "--without"];
    let ended = [&end[..], &["demo-station", "--cause", "the demo is over"]].concat();
    assert_eq!(
        central(data, &ended)["renumbered"],
        1,
        "the one that waited"
    );
    assert_eq!(work.hello(&remote).standing, Standing::Known);
    let again = work.lease(&remote).unwrap().unwrap();
    assert_ne!(again.record.number, lease.record.number);
    assert_eq!(again.record.holder, lease.record.holder);
}

#[test]
fn books_on_a_server_come_back_with_what_lies_beside_them() {
    let Some(office) = Office::found() else {
        return;
    };
    let demo = Demo::at(office.data());
    let alien = project("tests/samples/applications/09-alien.json");
    run(&mut demo.central(&["import", alien.to_str().unwrap()]));
    run(&mut demo.central(&["approve", "APP-2026-000009"]));
    let work = Work::new(At::enrolled(&demo, "riga-5"));
    let copy = office.server.base_backup();
    let again = office.server.base_backup();
    let third = office.server.base_backup();
    let (morning, made) = office.back_up("morning");
    let seen = office.seen("seen");
    let documents = central(&office.data(), &["documents"]);
    assert_eq!(documents.as_array().unwrap().len(), 2);
    office.server.restore_point("noon");
    let noon = office.server.moment();
    let served = Served::start(&demo, "127.0.0.1:0");
    let remote = work.at.remote(&demo, &served.address);
    let lease = work.lease(&remote).unwrap().unwrap();
    work.report(&remote, &lease);
    drop(served);
    office.import("05-nineteen");
    let later = office.seen("later");
    let (evening, _) = office.back_up("evening");
    office.server.restore_point("night");
    let whole = office.verify(&later).ends(0).json();

    let server = Cluster::restored(copy, "noon");
    office.lead_to(&server);
    // Judged where they are, and nothing is changed by it.
    let judged = office.verify(&seen).ends(0).json();
    assert!(judged["entries"].as_u64() >= made["entries"].as_u64());
    assert!(judged["entries"].as_u64() < whole["entries"].as_u64());
    let lacking = office.verify(&later).ends(5);
    assert!(lacking.err.contains("is lost"), "{}", lacking.err);
    let kept = evening.join("checkpoint");
    office.verify(&kept).ends(5);

    // Nothing is made where somebody has seen more, and the later backup itself has.
    for (backup, witness) in [(&morning, &later), (&evening, &seen)] {
        let lacking = office.restore(backup, witness, "restored", &[]).ends(5);
        assert!(lacking.err.contains("is lost"), "{}", lacking.err);
        assert!(!office.path("restored").exists());
    }
    let altered = morning.join("installation/installation.toml");
    let text = fs::read_to_string(&altered).unwrap();
    fs::write(&altered, text.replace("\"XA\"", "\"XB\"")).unwrap();
    let refused = office.restore(&morning, &seen, "restored", &[]).ends(5);
    assert!(refused.err.contains("installation.toml"), "{}", refused.err);
    fs::write(&altered, text).unwrap();

    let restored = office.restore(&morning, &seen, "restored", &[]).ends(0);
    assert_eq!(restored.json()["entries"], judged["entries"]);
    office.bring_token("restored");
    let data = office.path("restored");
    assert_eq!(central(&data, &["documents"]), documents);
    reconcile(&data, &work, &lease);
    run(zimogs()
        .args(["central", "series", "check", "--data"])
        .arg(&data));
    assert!(!says_lost(&server));

    // By the clock it is the same moment: nothing was committed between.
    let server = Cluster::restored_at(third, &noon);
    office.lead_to(&server);
    let by_time = office.verify(&seen).ends(0).json();
    assert_eq!(by_time["entries"], judged["entries"]);
    assert_eq!(by_time["checkpoint"], judged["checkpoint"]);
    assert!(office.verify(&later).ends(5).err.contains("is lost"));

    // Where nothing later is left, it is accepted by name, and the log says so.
    let server = Cluster::restored(again, "noon");
    office.lead_to(&server);
    office
        .restore(&evening, &later, "short", &["--accept-loss"])
        .ends(0);
    office.bring_token("short");
    assert_eq!(central(&office.path("short"), &["documents"]), documents);
    assert!(says_lost(&server));
}

/// Tells whether the log of a server's books says that entries are lost.
fn says_lost(server: &Cluster) -> bool {
    let sql = "SELECT count(*) FROM audit_entry WHERE position('entries-lost'::bytea IN entry) > 0";
    server.ask_in("books", sql) == "1"
}
