//! A backup made while an installation is in use, and an installation made of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
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

/// Makes a backup of an installation, as of so many days ago.
fn backup_of(data: &Path, out: &Path, days: i64) {
    let mut make = zimogs();
    make.args(["central", "backup", "--data"]).arg(data);
    run(make.arg("--out").arg(out));
    let file = out.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let made: Timestamp = manifest["made"].as_str().unwrap().parse().unwrap();
    let made = made - SignedDuration::from_hours(24 * days);
    manifest["made"] = made.to_string().into();
    fs::write(&file, manifest.to_string()).unwrap();
}

#[test]
fn backups_are_pruned_and_the_last_that_verifies_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backups) = (folder.path().join("data"), folder.path().join("backups"));
    let mut demo = zimogs();
    demo.args(["demo", "--documents", "1", "--exit-when-done", "--json"]);
    run(demo.arg("--data").arg(&data));
    fs::create_dir(&backups).unwrap();
    for days in 0..5 {
        backup_of(&data, &backups.join(format!("day-{days}")), days);
    }
    // One that is being made, one that is somebody else's, and a link to what is none of ours.
    fs::create_dir(backups.join("unfinished")).unwrap();
    fs::write(backups.join("unfinished/central.db"), "half").unwrap();
    backup_of(&data, &backups.join("foreign"), 99);
    let foreign = backups.join("foreign/installation/installation.toml");
    let text = fs::read_to_string(&foreign).unwrap();
    fs::write(
        &foreign,
        text.replace("test.zimogs.example", "other.example"),
    )
    .unwrap();
    let elsewhere = folder.path().join("elsewhere");
    backup_of(&data, &elsewhere, 99);
    std::os::unix::fs::symlink(&elsewhere, backups.join("link")).unwrap();
    let apart = ["foreign", "link", "unfinished"];
    let prune = |what: &[&str]| {
        let mut prune = zimogs();
        prune.args(["central", "prune", "--json"]).args(what);
        prune.arg("--data").arg(&data).arg(&backups);
        Ran::of(prune.output().unwrap())
    };
    let left = || {
        let entries = fs::read_dir(&backups).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.retain(|name| !apart.contains(&name.as_str()));
        names.sort();
        names
    };
    let all = ["day-0", "day-1", "day-2", "day-3", "day-4"];

    // Nobody said what is kept.
    assert_eq!(prune(&[]).ends(0).json()["pruned"], serde_json::json!([]));
    let tried = prune(&["--keep", "4", "--dry-run"]).ends(0).json();
    assert_eq!(tried["pruned"], serde_json::json!(["day-4"]));
    assert_eq!(left(), all);
    let by_count = prune(&["--keep", "4"]).ends(0).json();
    assert_eq!(by_count["pruned"], serde_json::json!(["day-4"]));
    assert_eq!(by_count["verified"], "day-0");
    // The settings say it for the timer.
    let settings = data.join("installation.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}\n[backups]\ndays = 2\n")).unwrap();
    assert_eq!(prune(&[]).ends(0).json()["kept"], 2);
    assert_eq!(left(), all[..2]);

    // The newest is damaged: what is over its time and good is all that there is, and stays.
    let damage = |name: &str| {
        let file = backups.join(name).join("central.db");
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xA5);
        fs::write(&file, bytes).unwrap();
    };
    damage("day-0");
    let kept = prune(&["--keep", "1"]).ends(0).json();
    assert_eq!(kept["verified"], "day-1");
    assert_eq!(kept["faults"].as_array().unwrap().len(), 1);
    assert_eq!(left(), all[..2]);
    damage("day-1");
    let none = prune(&["--keep", "1"]).ends(5);
    assert!(none.err.contains("nothing is pruned"), "{}", none.err);
    assert_eq!(left(), all[..2]);
    for name in apart {
        assert!(backups.join(name).exists(), "{name}");
    }
    assert!(elsewhere.join("manifest.json").exists());
    let books = rusqlite::Connection::open(data.join("central.db")).unwrap();
    let sql = "SELECT count(*) FROM audit_entry WHERE instr(entry, CAST('store.backups-pruned' AS BLOB)) > 0";
    let noted: i64 = books.query_row(sql, (), |row| row.get(0)).unwrap();
    assert_eq!(noted, 2);
}
