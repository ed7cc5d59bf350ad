//! Batches as an operator runs them: looked at, stopped, killed, gone on with, and told.

use std::fs;
use std::io::{BufRead, BufReader, PipeWriter};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::server::At;
use crate::station::{PASSWORD, PATIENCE, REFERENCES, Scene, set_up, state_of};
use crate::world::{Ran, json as told, project, run, text, zimogs};

/// What the tests of batches begin with: a scene, an enrolled station, and its operator's password.
struct Batches {
    scene: Scene,
    at: At,
    password: PathBuf,
}

impl Batches {
    fn set(station: &'static str) -> Option<Self> {
        let scene = Scene::set()?;
        let at = At::enrolled(&scene.demo, station);
        set_up(
            &scene.demo,
            &at,
            &scene.served.address,
            &scene.farm.readers()[0],
        );
        let password = scene.folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        Some(Self {
            scene,
            at,
            password,
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command.arg("batch").args(arguments);
        command.args(["--account", "operator", "--json", "--folder"]);
        let password = [Path::new("--password-file"), &self.password];
        command.arg(self.at.folder()).args(password);
        command.env("PCSCLITE_CSOCK_NAME", self.scene.farm.pcsc());
        command
    }
}

/// A pipe that is full: whoever writes to it waits until somebody reads.
fn fill(pipe: &PipeWriter) {
    // Opened anew, so that the end which the other process has still waits.
    let own = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK;
    let own = rustix::fs::open(own, flags, Mode::empty()).unwrap();
    for size in [1 << 16, 4096, 1] {
        while rustix::io::write(&own, &vec![b'.'; size]).is_ok() {}
    }
}

/// A batch whose command is killed when a document is made and reported, and its line is not written:
/// the command waits at its full standard error, its slot does not.
#[test]
fn a_batch_that_was_killed_knows_what_it_made() {
    let Some(batches) = Batches::set("riga-3") else {
        return;
    };
    let scene = &batches.scene;
    let list = scene.folder.path().join("killed.txt");
    fs::write(&list, REFERENCES.join("\n")).unwrap();
    let plan = scene.folder.path().join("killed.batch.json");
    let results = scene.folder.path().join("killed.results.jsonl");
    let (what, written) = (list.to_str().unwrap(), plan.to_str().unwrap());
    let blank = |n: usize| scene.demo.data.join(format!("cards/{n:05}.json"));
    let mut hands = scene.farm.client().unwrap();

    let (read, write) = std::io::pipe().unwrap();
    let mut killed = batches
        .command(&["run", what, "--plan", written])
        .stdout(Stdio::null())
        .stderr(write.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(read);
    let mut line = String::new();
    while !line.contains("put blanks into the slots") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended early");
    }
    fill(&write);
    hands.insert(0, &blank(7), None).unwrap();
    let begun = Instant::now();
    while state_of(&scene.demo, REFERENCES[0]) != "personalized" {
        assert!(begun.elapsed() < PATIENCE, "the first document is not made");
    }
    assert_eq!(killed.try_wait().unwrap(), None);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(fs::read_to_string(&results).unwrap(), "");

    // The same blank still lies there, and is none any more; the other document takes the next one.
    hands.remove(0).unwrap();
    hands.insert(0, &blank(8), None).unwrap();
    let resumed = batches.command(&["resume", written]).output().unwrap();
    let resumed = Ran::of(resumed).ends(0);
    assert!(
        resumed.err.contains("1 blanks ended that had no line"),
        "{}",
        resumed.err
    );
    let summary = resumed.json();
    assert_eq!(
        (&summary["made"], &summary["blanks"], &summary["elsewhere"]),
        (&json!(2), &json!(2), &json!(0)),
        "{summary}"
    );
    let lines: Vec<Value> = fs::read_to_string(&results)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (line, reference) in lines.iter().zip(REFERENCES) {
        assert_eq!(
            (&line["application"], &line["end"], &line["certificates"]),
            (&json!(reference), &json!("personalized"), &json!(2)),
            "{line}"
        );
    }

    // A batch of what another station made meanwhile, as that one's lost results.
    fs::remove_file(&results).unwrap();
    for journal in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let path = batches.at.folder().join(journal);
        assert!(!path.exists() || fs::remove_file(path).is_ok());
    }
    let other = At::enrolled(&scene.demo, "riga-4");
    set_up(
        &scene.demo,
        &other,
        &scene.served.address,
        &scene.farm.readers()[0],
    );
    let elsewhere = Batches {
        at: other,
        ..batches
    };
    let ended = elsewhere.command(&["resume", written]).output().unwrap();
    let summary = Ran::of(ended).ends(0).json();
    assert_eq!(
        (&summary["made"], &summary["made_elsewhere"]),
        (&json!(0), &json!(2)),
        "{summary}"
    );
}

/// A batch of a list: looked at, begun, ended by a signal, gone on with, and told.
#[test]
fn a_batch_is_stopped_and_gone_on_with() {
    let Some(batches) = Batches::set("riga-2") else {
        return;
    };
    let Scene {
        folder, farm, demo, ..
    } = &batches.scene;
    let list = folder.path().join("today.txt");
    let plan = folder.path().join("today.batch.json");
    let batch = |arguments: &[&str]| batches.command(arguments);
    let (what, written) = (list.to_str().unwrap(), plan.to_str().unwrap());

    // What is not in the queue is named, and nothing is begun.
    fs::write(&list, format!("{}\nAPP-NOT-THERE\n", REFERENCES[0])).unwrap();
    let refused = Ran::of(batch(&["run", what, "--plan", written]).output().unwrap()).ends(2);
    assert!(refused.err.contains("APP-NOT-THERE"), "{}", refused.err);
    assert!(!plan.exists());
    fs::write(&list, REFERENCES.join("\n")).unwrap();
    let dry = Ran::of(batch(&["run", what, "--dry-run"]).output().unwrap()).ends(0);
    assert_eq!(
        dry.json(),
        json!({ "documents": 2, "kinds": { "id-card": 2 } })
    );

    // The same of a document that no slot here has blanks for; it is left out where that is said.
    let strange = "APP-OF-NO-CHIP";
    let sample = project("tests/samples/applications/27-repressed-person.json");
    let mut value: Value = serde_json::from_slice(&fs::read(sample).unwrap()).unwrap();
    value["reference"] = strange.into();
    let file = folder.path().join("strange.json");
    fs::write(&file, value.to_string()).unwrap();
    run(&mut demo.central(&["import", file.to_str().unwrap()]));
    run(&mut demo.central(&["approve", strange]));
    let mixed = folder.path().join("mixed.txt");
    fs::write(&mixed, format!("{strange}\n{}", REFERENCES.join("\n"))).unwrap();
    let mixed = mixed.to_str().unwrap();
    let refused = Ran::of(batch(&["run", mixed]).output().unwrap()).ends(2);
    assert!(
        refused.err.contains(strange) && !refused.err.contains(REFERENCES[0]),
        "{}",
        refused.err
    );
    let dry = |limit| {
        let arguments = ["run", mixed, "--dry-run", "--skip", "--limit", limit];
        Ran::of(batch(&arguments).output().unwrap()).ends(0).json()
    };
    assert_eq!(
        dry("9"),
        json!({ "documents": 2, "kinds": { "id-card": 2 } })
    );
    assert_eq!(dry("1")["documents"], 1);

    // The first blank lies there; after it there is none, and the batch is told to stop.
    let mut hands = farm.client().unwrap();
    let blank = |n: usize| demo.data.join(format!("cards/{n:05}.json"));
    hands.insert(0, &blank(7), None).unwrap();
    let mut running = batch(&["run", what, "--plan", written])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(running.stderr.take().unwrap()).lines();
    let said = said.map(Result::unwrap);
    let finished = said.into_iter().find(|line| line.contains("finished in"));
    assert!(finished.unwrap().ends_with("commands; 1 of 2"));
    let results = folder.path().join("today.results.jsonl");
    let status = || told(zimogs().args(["batch", "status", "--json"]).arg(&plan));
    assert_eq!(
        (&status()["documents"], &status()["made"]),
        (&json!(2), &json!(1))
    );
    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    kill_process(id.unwrap(), Signal::INT).unwrap();
    let ended = Ran::of(running.wait_with_output().unwrap()).ends(1);
    assert_eq!(
        (&ended.json()["made"], &ended.json()["yield"]),
        (&json!(1), &json!(1.0))
    );
    // A plan is not made twice.
    Ran::of(batch(&["run", what, "--plan", written]).output().unwrap()).ends(4);

    // The other one is made, whatever else is in the queue.
    hands.remove(0).unwrap();
    hands.insert(0, &blank(8), None).unwrap();
    let ended = Ran::of(batch(&["resume", written]).output().unwrap()).ends(0);
    let summary = ended.json();
    assert_eq!(
        (&summary["made"], &summary["spoiled"]),
        (&json!(2), &json!(0)),
        "{summary}"
    );
    for reference in REFERENCES {
        assert_eq!(state_of(demo, reference), "personalized");
    }
    let again = Ran::of(batch(&["resume", written]).output().unwrap()).ends(0);
    assert_eq!(again.json()["blanks"], 2);
    let mut report = zimogs();
    let shown = text(report.args(["batch", "report"]).arg(&plan));
    assert!(shown.contains("2 of 2 documents made"), "{shown}");
    let mut status = zimogs();
    let shown = text(status.args(["batch", "status"]).arg(&plan));
    for part in ["2 of 2 documents made, ", " an hour", "left slot"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let lines = fs::read_to_string(&results).unwrap();
    assert_eq!(lines.lines().count(), 2);
    for secret in [PASSWORD, "Bērziņ"] {
        assert!(!lines.contains(secret), "{secret}");
    }
}
