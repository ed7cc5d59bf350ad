//! A backup made while an installation is in use, and an installation made of it.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::world::{Ran, json, run, zimogs};

#[test]
fn an_installation_comes_back_from_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, backup) = (path("data"), path("backup"));
    let mut demo = zimogs();
    demo.args(["demo", "--documents", "1", "--exit-when-done", "--json"]);
    run(demo.arg("--data").arg(&data));
    let export = |to: &str| {
        let mut export = zimogs();
        export.args(["audit", "export", "--data"]).arg(&data);
        run(export.arg("--out").arg(path(to)));
        path(to).join("checkpoint")
    };
    let seen = export("seen");
    let mut make = zimogs();
    make.args(["central", "backup", "--json", "--data"]);
    let made = json(make.arg(&data).arg("--out").arg(&backup));
    assert_eq!(made["sha256"].as_str().unwrap().len(), 64);
    assert!(!backup.join("installation/token").exists());
    let later = export("later");

    let restored = path("restored");
    let short = path("short");
    let restore = |witness: &std::path::Path| {
        let mut restore = zimogs();
        restore.args(["central", "restore"]).arg(&backup);
        restore.arg("--witness").arg(witness);
        Ran::of(restore.arg("--data").arg(&restored).output().unwrap())
    };
    // Somebody has seen entries that the backup lacks.
    let lacking = restore(&later).ends(5);
    assert!(lacking.err.contains("is lost"), "{}", lacking.err);
    assert!(!restored.exists());
    let settings = backup.join("installation/installation.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("\"XA\"", "\"XB\"")).unwrap();
    let altered = restore(&seen).ends(5);
    assert!(altered.err.contains("installation.toml"), "{}", altered.err);
    fs::write(&settings, text).unwrap();
    restore(&seen).ends(0);
    // Where nothing else is left, it is accepted by name, and the log says so.
    let mut lossy = zimogs();
    lossy.args(["central", "restore", "--accept-loss", "--witness"]);
    lossy.arg(&later).arg(&backup).arg("--data").arg(&short);
    run(&mut lossy);

    // The token comes back by another way.
    run(Command::new("cp")
        .arg("-a")
        .arg(data.join("token"))
        .arg(&restored));
    let documents = |data: &std::path::Path| -> Value {
        let mut documents = zimogs();
        json(
            documents
                .args(["central", "documents", "--json", "--data"])
                .arg(data),
        )
    };
    assert_eq!(documents(&restored), documents(&data));
    assert_eq!(documents(&restored).as_array().unwrap().len(), 1);

    // It says that it is restored, and awaits its station before it gives work.
    let reconcile = |what: &[&str]| {
        let mut reconcile = zimogs();
        reconcile.args(["central", "reconcile"]).args(what);
        reconcile.args(["--json", "--data"]).arg(&restored);
        reconcile
    };
    let status = json(&mut reconcile(&["status"]));
    assert_eq!(status["stations"][0]["station"], "demo-station");
    assert_eq!(status["stations"][0]["reconciled"], Value::Null);
    assert_eq!(status["finished"], Value::Null);
    let end = ["end", "--witness", "auditor"];
    let awaited = Ran::of(reconcile(&end).output().unwrap()).ends(4);
    assert!(awaited.err.contains("demo-station"), "{}", awaited.err);
    let given_up = ["--without", "demo-station", "--cause", "the demo is over"];
    let ended = json(&mut reconcile(&[&end[..], &given_up[..]].concat()));
    assert_eq!(ended["renumbered"], 0, "nothing waited");
    assert_ne!(json(&mut reconcile(&["status"]))["finished"], Value::Null);
    let mut series = zimogs();
    series.args(["central", "series", "check", "--data"]);
    run(series.arg(&restored));
}
