//! A register's packages by files: its key proposed and admitted, a package taken once, the answer read.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{JUDGED, Ran, project, run, text, zimogs};

fn central(arguments: &[&str]) -> Ran {
    Ran::of(JUDGED.central(arguments).output().unwrap())
}

fn register(arguments: &[&str]) -> Ran {
    let mut command = zimogs();
    Ran::of(command.arg("register").args(arguments).output().unwrap())
}

/// A private key of this algorithm, by openssl, for its owner only.
fn key(folder: &Path, name: &str) -> String {
    let file = folder.join(name);
    let mut openssl = std::process::Command::new("openssl");
    openssl
        .args(["genpkey", "-algorithm", "ed25519", "-out"])
        .arg(&file)
        .stdin(Stdio::null());
    run(&mut openssl);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&file, mode).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_registers_package_is_taken_once_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (own, other) = (
        key(folder.path(), "own.key"),
        key(folder.path(), "other.key"),
    );
    let public = file("own.pem");
    let shown = register(&["key", &own, "--out", &public, "--json"])
        .ends(0)
        .json();
    let thumbprint = shown["thumbprint"].as_str().unwrap();
    assert_eq!(shown["algorithm"], "EdDSA");
    register(&["key", &own, "--out", &public]).ends(4);
    register(&["key", "/no/such/file"]).ends(2);

    let source = "test-register";
    let add = [
        "source",
        "add",
        source,
        "--register",
        "population-register",
        "--kind",
        "id-card",
    ];
    central(&add).ends(0);
    central(&add).ends(4);
    central(&["source", "key", "propose", source, &public, "--days", "30"]).ends(0);
    let store = file("central.pem");
    fs::write(&store, text(&mut JUDGED.central(&["source", "own-key"]))).unwrap();

    let sample = project("tests/samples/applications/16-born-on-leap-day.json");
    let application: Value = serde_json::from_slice(&fs::read(sample).unwrap()).unwrap();
    let mut application = application;
    application["reference"] = "APP-2099-000001".into();
    application["source"] = "population-register".into();
    let new = file("application.json");
    fs::write(&new, application.to_string()).unwrap();
    let make = |key: &str, out: &str| {
        let some = ["make", "--source", source, "--sequence", "1", "--key", key];
        register(&[&some[..], &["--new", &new, "--out", out]].concat())
    };
    let package = file("package.json");
    make(&own, &package).ends(0);
    make(&own, &package).ends(4);
    let take = |package: &str, answer: &str| {
        central(&["register", "take", source, package, "--out", answer])
    };
    let read = |answer: &str| {
        let said = register(&["read", answer, "--key", &store]).ends(0);
        said.json()
    };

    // A key that nobody admitted signs nothing.
    let early = file("early.json");
    take(&package, &early).ends(0);
    assert_ne!(read(&early)["state"], "taken");
    let admit = ["source", "key", "admit", thumbprint];
    central(&[&admit[..], &["--as", "administrator"]].concat()).ends(4);
    central(&admit).ends(0);
    let listed = central(&["source", "list", "--json"]).ends(0);
    assert!(listed.out.contains(thumbprint) && listed.out.contains(source));
    assert!(central(&["source", "list"]).ends(0).out.contains(source));

    let answer = file("answer.json");
    take(&package, &answer).ends(0);
    let said = read(&answer);
    assert_eq!(
        said["applications"][0]["reference"], "APP-2099-000001",
        "{said:#}"
    );
    assert_eq!(said["applications"][0]["state"], "taken", "{said:#}");
    take(&package, &answer).ends(4);
    // Sent again it is the same answer, and nothing twice.
    let again = file("again.json");
    take(&package, &again).ends(0);
    assert_eq!(read(&again)["applications"], said["applications"]);

    // Another's signature, and an answer that was touched.
    let forged = file("forged.json");
    make(&other, &forged).ends(0);
    let refused = file("refused.json");
    take(&forged, &refused).ends(0);
    assert_ne!(read(&refused)["state"], "taken");
    let touched = file("touched.json");
    let bytes = fs::read_to_string(&answer).unwrap();
    let at = bytes.find("\"payload\":\"").unwrap() + 20;
    let letter = if bytes.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let bytes = format!("{}{letter}{}", &bytes[..at], &bytes[at + 1..]);
    fs::write(&touched, bytes).unwrap();
    register(&["read", &touched, "--key", &store]).ends(5);
    register(&["read", &answer, "--key", &public]).ends(5);

    central(&["register", "acknowledge", source, "999999"]);
    let drop = folder.path().join("drop");
    let drop = drop.to_str().unwrap();
    let pass = central(&["register", "run", "--once", "--folder", drop, "--json"]).ends(0);
    assert!(pass.json()["packages"].as_array().unwrap().is_empty());
    central(&["source", "remove", source, "--cause", "a test"]).ends(0);
    central(&["source", "remove", source]).ends(2);
    take(&package, &file("late.json"));
}
