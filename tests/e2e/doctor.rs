//! What `zimogs station doctor` finds at a station where nothing is as it should be: each fault has its
//! check, and each check says what to do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::server::{At, Served};
use crate::station::set_up;
use crate::world::{Ran, json as told, judged, zimogs};

/// What was found, by check: the verdict, and what to do.
type Found = BTreeMap<String, (String, Option<String>)>;

fn looked(folder: &Path) -> Found {
    let mut doctor = zimogs();
    doctor.args(["station", "doctor", "--json", "--folder"]);
    doctor.arg(folder);
    // No service listens there.
    doctor.env("PCSCLITE_CSOCK_NAME", folder.join("no-service"));
    let found = Ran::of(doctor.output().unwrap());
    assert_ne!(found.code, 0, "{}", found.out);
    let found = found.json();
    let found = found.as_array().unwrap().iter().map(|one| {
        let text = |name: &str| one[name].as_str().map(str::to_owned);
        let (check, verdict) = (text("check").unwrap(), text("verdict").unwrap());
        (check, (verdict, text("next")))
    });
    found.collect()
}

#[test]
fn each_fault_is_told_with_what_to_do() {
    let demo = judged();
    let served = Served::start(&demo, "127.0.0.1:0");
    let at = At::enrolled(&demo, "riga-6");
    set_up(&demo, &at, &served.address, "a reader");
    let setup = at.folder().join("station.toml");
    let written = fs::read_to_string(&setup).unwrap();
    let written = format!(
        r#"{written}
[[slots]]
name = "press"
chips = [{{ product = "esteid-2018", reader = "another" }}]
[slots.printer]
profile = "esc-ymckok"
at = "tcp://127.0.0.1:9"

[[slots]]
name = "fed"
chips = [{{ product = "esteid-2018", reader = "a third" }}]
scanner = "serial:/dev/no-such-scanner"
[slots.feeder]
at = "tcp://127.0.0.2:9"
feed = "F"
fed = "OK"
empty = "EMPTY"
jam = "JAM"
good = "G"
reject = "R"
out = "OUT"
"#
    );
    fs::write(&setup, &written).unwrap();
    // Whatever fails says what to do; the checks of these names fail, and those do not.
    let judge = |failing: &[&str], passing: &[&str]| {
        let found = looked(at.folder());
        for (check, (verdict, next)) in &found {
            let is_told = next.as_ref().is_some_and(|next| !next.is_empty());
            assert!(verdict == "passed" || is_told, "{check}: {found:?}");
        }
        for (checks, expected) in [(failing, "failed"), (passing, "passed")] {
            for check in checks {
                let verdict = found.get(*check).map(|(verdict, _)| &**verdict);
                assert_eq!(verdict, Some(expected), "{check}: {found:?}");
            }
        }
    };
    let devices = [
        "card service",
        "printer of press",
        "feeder of fed",
        "scanner of fed",
    ];
    let files = ["station.toml", "certificate", "journal", "profiles"];
    judge(&devices, &["centre", "clock"]);
    judge(&devices, &files);

    // The key of another station, a journal that is none, chips that nobody knows.
    let other = tempfile::tempdir().unwrap();
    let mut enroll = zimogs();
    enroll.args(["station", "enroll", "other", "--json", "--folder"]);
    let _: Value = told(enroll.arg(other.path()));
    let key = |folder: &Path| folder.join("station.key");
    let own = fs::read(key(at.folder())).unwrap();
    fs::copy(key(other.path()), key(at.folder())).unwrap();
    let journal = at.folder().join("journal.db");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    fs::write(&setup, written.replace("esteid-2018", "no-such-chip")).unwrap();
    judge(&["certificate", "centre", "journal", "profiles"], &[]);
    fs::write(key(at.folder()), own).unwrap();

    // A centre that is gone, and settings that nobody can read.
    drop(served);
    judge(&["centre"], &["certificate"]);
    fs::write(&setup, "slots = 7").unwrap();
    judge(&["station.toml"], &["certificate"]);
}
