//! `zimogs central check`: what is sound passes, and each thing that is not is named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::world::{Ran, run, zimogs};

fn check(data: &Path, code: i32) -> Vec<Value> {
    let mut check = zimogs();
    check
        .args(["central", "check", "--json", "--data"])
        .arg(data);
    let ran = Ran::of(check.output().unwrap()).ends(code);
    ran.json().as_array().unwrap().clone()
}

/// Returns what failed, as its check and what was said.
fn failed(found: &[Value]) -> Vec<(&str, &str)> {
    let failed = found.iter().filter(|one| one["verdict"] == "failed");
    failed
        .map(|one| {
            (
                one["check"].as_str().unwrap(),
                one["said"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn an_installation_is_looked_at_from_its_settings_to_its_clock() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut demo = zimogs();
    demo.args(["demo", "--documents", "1", "--exit-when-done", "--json"]);
    run(demo.arg("--data").arg(&data));

    let found = check(&data, 0);
    assert_eq!(failed(&found), []);
    let looked: Vec<_> = found
        .iter()
        .map(|one| one["check"].as_str().unwrap())
        .collect();
    for wanted in [
        "settings",
        "disk",
        "files",
        "drop folder",
        "server's certificate",
        "token",
        "database",
        "store",
        "readiness",
        "embedded authority",
        "clock",
    ] {
        assert!(looked.contains(&wanted), "{wanted} of {looked:?}");
    }

    // Two typing errors, each with what was meant.
    let settings = data.join("installation.toml");
    let sound = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        format!("{sound}\n[serve]\nlsiten = \"127.0.0.1:1\"\ncertifcate = \"x\"\n"),
    )
    .unwrap();
    let found = check(&data, 2);
    let said: Vec<_> = failed(&found).into_iter().map(|one| one.1).collect();
    assert!(
        said.iter().any(|said| said.contains("\"lsiten\"")),
        "{said:?}"
    );
    assert!(
        said.iter().any(|said| said.contains("\"certifcate\"")),
        "{said:?}"
    );
    let next: Vec<_> = found
        .iter()
        .filter_map(|one| one["next"].as_str())
        .collect();
    assert!(
        next.iter().any(|next| next.contains("\"listen\"")),
        "{next:?}"
    );
    assert!(
        next.iter().any(|next| next.contains("\"certificate\"")),
        "{next:?}"
    );
    fs::write(&settings, &sound).unwrap();

    // A file that others reach.
    let pin = data.join("token/pin");
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o644)).unwrap();
    let found = check(&data, 4);
    assert!(matches!(failed(&found)[..], [("files", said)] if said.contains("token/pin")));
    fs::set_permissions(&pin, fs::Permissions::from_mode(0o600)).unwrap();

    // A token that is another.
    fs::write(&pin, "000000").unwrap();
    let found = check(&data, 3);
    let checks: Vec<_> = failed(&found).into_iter().map(|one| one.0).collect();
    assert_eq!(checks, ["token", "store"]);

    // No installation at all.
    let none = check(&folder.path().join("elsewhere"), 2);
    assert!(failed(&none).iter().any(|one| one.0 == "settings"));
}
