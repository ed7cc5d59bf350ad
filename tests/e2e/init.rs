//! `zimogs central init`: from nothing to a store that answers, again, and from wherever it was cut
//! off.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::postgres::{Cluster, Server, url};
use crate::server::Served;
use crate::vault::{OFFICERS, Vault};
use crate::world::{Ran, json, project, run, text, zimogs};

/// What is made, in this order.
const STEPS: [&str; 5] = ["settings", "token", "keys", "store", "administrator"];

/// A place for an installation.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn central(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command.arg("central").args(arguments);
        command.arg("--data").arg(self.data());
        command
    }

    /// `init` with these options besides.
    fn init(&self, options: &[&str]) -> Ran {
        let mut init = self.central(&["init", "--json"]);
        let init = init.args(options).stdin(Stdio::null());
        Ran::of(init.output().unwrap())
    }

    fn test(&self, options: &[&str]) -> Ran {
        self.init(&[&["--environment", "test"], options].concat())
    }

    /// Demands that nothing of an installation is there.
    fn is_untouched(&self) {
        for name in ["installation.toml", "token/pin", "central.db"] {
            assert!(!self.data().join(name).exists(), "{name}");
        }
    }

    /// Demands that the installation is sound, and has its one account.
    fn is_whole(&self) {
        let found = json(&mut self.central(&["check", "--json"]));
        let found = found.as_array().unwrap();
        let failed: Vec<_> = found
            .iter()
            .filter(|one| one["verdict"] == "failed")
            .collect();
        assert!(failed.is_empty(), "{failed:?}");
        let users = ["user", "list", "--as", "anna", "--json"];
        let users = json(&mut self.central(&users));
        assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
        assert_eq!(users[0]["roles"], serde_json::json!(["administrator"]));
    }

    /// The keys of the token by label, with what tells one from another; without those of personal
    /// data, which books make for themselves.
    fn keys(&self) -> BTreeMap<String, String> {
        let mut list = zimogs();
        list.args(["hsm", "list", "--json", "--data"]);
        let list = json(list.arg(self.data()));
        let keys = list.as_array().unwrap().iter();
        keys.map(|key| (key["label"].as_str().unwrap().to_owned(), key.to_string()))
            .filter(|(label, _)| !label.starts_with("pd-"))
            .collect()
    }

    fn settings(&self) -> String {
        fs::read_to_string(self.data().join("installation.toml")).unwrap()
    }

    /// Forgets that the store was founded: its books, and what the token says of it.
    fn forget_store(&self) {
        self.lose_books();
        let label = ["--type", "data", "--label", "zimogs environment"];
        self.pkcs11_tool(&[&["--delete-object"], &label[..]].concat());
    }

    fn lose_books(&self) {
        for name in ["central.db", "central.db-wal", "central.db-shm"] {
            let _ = fs::remove_file(self.data().join(name));
        }
    }

    /// Another maker's program on the installation's own token.
    fn pkcs11_tool(&self, arguments: &[&str]) {
        let pin = fs::read_to_string(self.data().join("token/pin")).unwrap();
        let mut tool = Command::new("pkcs11-tool");
        tool.env("SOFTHSM2_CONF", self.data().join("token/softhsm2.conf"))
            .args(["--module", "/usr/lib/softhsm/libsofthsm2.so", "--login"])
            .args(["--token-label", "zimogs", "--pin", pin.trim()]);
        run(tool.args(arguments));
    }
}

pub(crate) fn made(told: &Value) -> Vec<&str> {
    let made = told["made"].as_array().unwrap().iter();
    made.map(|step| step.as_str().unwrap()).collect()
}

/// Asks a store whether it is ready.
fn health(served: &Served, authority: &Path) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--cacert"])
        .arg(authority)
        .arg(format!("https://{}/health/ready", served.address));
    serde_json::from_str(&text(&mut curl)).unwrap()
}

#[test]
fn from_nothing_to_a_store_that_answers() {
    let site = Site::new();
    let told = site.test(&["--administrator", "Anna"]).ends(0).json();
    assert_eq!(made(&told), STEPS, "{told}");
    assert_eq!(told["administrator"], "anna");
    assert_eq!(told["transport_key_of_no_maker"], true);
    assert!(told["keys"].as_array().unwrap().len() > 10, "{told}");
    let reached = |name: &str| fs::metadata(site.data().join(name)).unwrap().permissions();
    for name in ["", "token", "token/pin", "central.db"] {
        assert_eq!(reached(name).mode() & 0o077, 0, "{name}");
    }
    site.is_whole();

    // The first administrator gets a code, and adds the others.
    let code = ["user", "code", "anna", "--as", "anna", "--json"];
    let code = json(&mut site.central(&code));
    assert!(code["code"].as_str().unwrap().len() >= 8, "{code}");
    let add = ["user", "add", "berta", "--role", "clerk", "--as", "anna"];
    run(&mut site.central(&add));
    let sample = project("tests/samples/applications/01-adult.json");
    let import = ["import", sample.to_str().unwrap(), "--as", "berta"];
    run(&mut site.central(&import));
    let mut serve = site.central(&["serve", "--json", "--listen", "127.0.0.1:0"]);
    let served = Served::run(&mut serve);
    let ready = health(&served, &site.data().join("serve/stations.pem"));
    assert!(ready.is_object(), "{ready}");
    drop(served);

    // Again: whatever is asked, nothing changes.
    let (settings, keys) = (site.settings(), site.keys());
    let told = site.init(&[]).ends(0).json();
    assert_eq!(made(&told), [""; 0], "{told}");
    assert_eq!(told["administrator"], Value::Null);
    assert_eq!(
        made(&site.test(&["--series", "XA"]).ends(0).json()),
        [""; 0]
    );
    for other in [
        &["--series", "XB"][..],
        &["--origin", "other.example/central"],
        &["--environment", "production", "--series", "LV"],
        &["--database", "postgres:///books?host=/nowhere&user=zimogs"],
    ] {
        let refused = site.init(other).ends(4);
        assert!(
            refused.err.contains("nothing is changed"),
            "{}",
            refused.err
        );
    }
    assert_eq!((site.settings(), site.keys()), (settings, keys));
    let said = text(&mut site.central(&["init"]));
    assert!(said.contains("founded already"), "{said}");
}

#[test]
fn what_was_cut_off_goes_on() {
    // Killed as soon as it has written this, again and again in one folder.
    let site = Site::new();
    for sign in [
        "installation.toml",
        "token/pin-of-unfinished-token",
        "token/pin",
        "central.db",
        "travel/signers/book.json",
    ] {
        let mut init = site.central(&["init", "--environment", "test"]);
        init.args(["--administrator", "anna"]);
        let mut init = init.stdout(Stdio::null()).spawn().unwrap();
        // Some of these are there from the round before.
        while !site.data().join(sign).exists() && init.try_wait().unwrap().is_none() {}
        init.kill().unwrap();
        init.wait().unwrap();
    }
    site.test(&["--administrator", "anna"]).ends(0);
    site.is_whole();

    // Keys, and a store that was not founded yet.
    let keys = site.keys();
    site.forget_store();
    let told = site.init(&["--administrator", "anna"]).ends(0).json();
    assert_eq!(made(&told), ["store", "administrator"], "{told}");
    assert_eq!(site.keys(), keys);

    // A key whose making was cut off, and one that is missing.
    site.forget_store();
    let delete = |kind, label| {
        site.pkcs11_tool(&["--delete-object", "--type", kind, "--label", label]);
    };
    delete("privkey", "registers");
    delete("secrkey", "issuer-master");
    let told = site.init(&["--administrator", "anna"]).ends(0).json();
    assert_eq!(made(&told), ["keys", "store", "administrator"], "{told}");
    assert_eq!(
        told["keys"],
        serde_json::json!(["issuer-master", "registers"])
    );
    site.is_whole();

    // A token that was begun.
    site.forget_store();
    let token = site.data().join("token");
    fs::rename(token.join("pin"), token.join("pin-of-unfinished-token")).unwrap();
    fs::remove_dir_all(site.data().join("travel")).unwrap();
    let told = site.init(&["--administrator", "anna"]).ends(0).json();
    assert_eq!(made(&told), STEPS[1..], "{told}");
    site.is_whole();

    // Books that are gone are none that were not founded yet.
    site.lose_books();
    let refused = site.init(&[]).ends(4);
    assert!(refused.err.contains("has founded"), "{}", refused.err);
    assert!(!site.data().join("central.db").exists());

    // A PIN that is gone is no token that was begun: nothing is thrown away.
    fs::rename(token.join("pin"), site.path("pin")).unwrap();
    let refused = site.init(&[]).ends(4);
    assert!(refused.err.contains("no PIN"), "{}", refused.err);
    fs::rename(site.path("pin"), token.join("pin")).unwrap();
    assert!(site.keys().contains_key("registers"));
}

#[test]
fn what_cannot_be_is_said_before_anything_is_made() {
    let site = Site::new();
    for (options, code, said) in [
        (&[][..], 2, "--environment"),
        (&["--environment", "test", "--series", "AA"], 2, "XA to XZ"),
        (&["--environment", "test", "--origin", "no name"], 2, "name"),
        (
            &["--environment", "test", "--administrator", ""],
            2,
            "account",
        ),
        (
            &["--environment", "test", "--authority", "nobody"],
            2,
            "pilot-ca",
        ),
        (&["--environment", "production"], 2, "--token"),
        (
            &[
                "--environment",
                "test",
                "--database",
                "postgres:///books?host=/nowhere&user=zimogs",
            ],
            1,
            "books",
        ),
        (
            &[
                "--environment",
                "test",
                "--database",
                "postgres://zimogs:secret@localhost/books",
            ],
            1,
            "password",
        ),
    ] {
        let ran = site.init(options).ends(code);
        assert!(ran.err.contains(said), "{options:?}: {}", ran.err);
        assert!(!ran.err.contains("secret@"), "{}", ran.err);
        assert!(!site.data().exists(), "{options:?}");
    }

    // A transport key that others read, and one that is none.
    let key = site.path("transport");
    for (mode, value, code) in [(0o644, "00".repeat(16), 4), (0o600, "00".into(), 2)] {
        fs::write(&key, value).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        site.test(&["--transport-key", key.to_str().unwrap()])
            .ends(code);
    }
    site.is_untouched();

    // A folder that others reach, and one with somebody's books.
    fs::DirBuilder::new()
        .mode(0o755)
        .create(site.data())
        .unwrap();
    let refused = site.test(&[]).ends(4);
    assert!(refused.err.contains("chmod go="), "{}", refused.err);
    fs::set_permissions(site.data(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(site.data().join("central.db"), "books").unwrap();
    site.test(&[]).ends(4);
    assert_eq!(fs::read(site.data().join("central.db")).unwrap(), b"books");
    assert!(!site.data().join("installation.toml").exists());
}

#[test]
fn a_token_that_is_there_is_used() {
    let site = Site::new();
    let vault = Vault::new();
    let token = |name: &str, pin: &str, officers: &str| {
        let text =
            format!("label = \"vault\"\npin_file = \"{pin}\"\ntokens = \"softhsm\"\n{officers}");
        fs::write(vault.path(name), text).unwrap();
        vault.path(name).to_str().unwrap().to_owned()
    };
    let wrong = vault.path("wrong-pin");
    fs::write(&wrong, "000000").unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let file = token("wrong.toml", "wrong-pin", "");
    site.test(&["--token", &file]).ends(3);
    site.is_untouched();

    // Where officers keep the keys, two order each.
    let list = "officers = \"officers.txt\"\nprotocol = \"protocol\"\n";
    let kept = token("kept.toml", "pin", list);
    let refused = site.test(&["--token", &kept]).ends(4);
    assert!(
        refused.err.contains("--officer anna=anna.pem"),
        "{}",
        refused.err
    );
    assert!(!vault.objects().contains("registers"));
    let mut options = vec!["--token".to_owned(), kept];
    for person in OFFICERS {
        let key = vault.path(&format!("{person}.pem"));
        options.extend(["--officer".into(), format!("{person}={}", key.display())]);
    }
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let refused = site.init(&options).ends(4);
    assert!(refused.err.contains("transport-master"), "{}", refused.err);
    assert!(vault.objects().contains("registers"));
    let entries = vault.protocol();
    let entries = entries["entries"].as_array().unwrap();
    // The token itself, and ten keys: an order and an outcome each.
    assert_eq!(entries.len(), 2 + 2 * 10);

    // Without officers the same token takes a maker's key, and its keys are those that are there.
    let before = vault.objects();
    let other = Site::new();
    let free = token("free.toml", "pin", "");
    let key = other.path("transport");
    fs::write(&key, "9E3779B97F4A7C15F39CC0605CEDC834").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let key = key.to_str().unwrap();
    let options = [
        "--token",
        &free,
        "--transport-key",
        key,
        "--administrator",
        "anna",
    ];
    let told = other.test(&options).ends(0).json();
    assert_eq!(made(&told), ["settings", "keys", "store", "administrator"]);
    assert_eq!(told["keys"], serde_json::json!(["transport-master"]));
    assert_eq!(told["transport_key_of_no_maker"], false);
    assert!(before.lines().all(|line| vault.objects().contains(line)));
    assert!(!other.data().join("token").exists());
    other.is_whole();
    assert!(other.keys().contains_key("transport-master"));
    // It founds no second installation.
    let third = Site::new();
    let refused = third.test(&["--token", &free]).ends(4);
    assert!(refused.err.contains("has founded"), "{}", refused.err);
    third.is_untouched();
    // A PIN that a backup would take along is refused.
    let inside = other.data().join("pin");
    fs::copy(vault.path("pin"), &inside).unwrap();
    token("free.toml", inside.to_str().unwrap(), "");
    let refused = other.init(&[]).ends(4);
    assert!(refused.err.contains("backup"), "{}", refused.err);
}

#[test]
fn a_database_of_a_server_is_founded_once() {
    let Some(server) = Cluster::start(Server::Quick) else {
        return;
    };
    for name in ["books", "strangers"] {
        server.ask(&format!("CREATE DATABASE {name}"));
    }
    let place = |name: &str| url(&server.folder, name);
    let site = Site::new();
    let books = place("books");
    let options = ["--database", &books, "--administrator", "anna"];
    let told = site.test(&options).ends(0).json();
    assert_eq!(made(&told), STEPS, "{told}");
    assert!(!site.data().join("central.db").exists());
    site.is_whole();
    assert_eq!(made(&site.test(&options).ends(0).json()), [""; 0]);

    // Another installation does not take it, nor one whose token is gone.
    let entries = || server.ask_in("books", "SELECT count(*) FROM audit_entry");
    let before = entries();
    let other = Site::new();
    other.test(&options).ends(4);
    other.is_untouched();
    let (token, away) = (site.data().join("token"), site.path("away"));
    fs::rename(&token, &away).unwrap();
    site.init(&[]).ends(4);
    assert!(!token.join("pin").exists());
    let _ = fs::remove_dir_all(&token);
    fs::rename(&away, &token).unwrap();
    assert_eq!(made(&site.init(&[]).ends(0).json()), [""; 0]);
    assert_eq!(entries(), before);

    // Nor does a new one move in with somebody else.
    server.ask_in("strangers", "CREATE TABLE people (name TEXT)");
    let foreign = place("strangers");
    let refused = other.test(&["--database", &foreign]).ends(4);
    assert!(
        refused.err.contains("database of its own"),
        "{}",
        refused.err
    );
    other.is_untouched();
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server.ask_in("strangers", tables).trim(), "1");
}
