//! A person's account from the first day to the last, as an administrator keeps it on the machine, and
//! as the person signs in over the interface.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::server::{Served, curl};
use crate::world::{Demo, JUDGED, Ran, json as told};

const PASSWORD: &str = "a long enough password of berta";

/// `zimogs central user` as the administrator.
fn user(arguments: &[&str]) -> Ran {
    let arguments = [&["user"], arguments].concat();
    Ran::of(JUDGED.central(&arguments).output().unwrap())
}

fn account(name: &str) -> Value {
    let list = user(&["list", "--json"]).ends(0).json();
    let found = list.as_array().unwrap().iter();
    found
        .into_iter()
        .find(|one| one["account"] == name)
        .unwrap()
        .clone()
}

/// Posts JSON, which goes by a file: a password on a command line is read by others.
fn post(demo: &Demo, served: &Served, path: &str, body: &Value) -> (u16, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    fs::write(&file, body.to_string()).unwrap();
    let body = format!("@{}", file.display());
    let kind = "Content-Type: application/json";
    curl(demo, served, path, &["-H", kind, "--data-binary", &body])
}

/// The code that an app shows now, or so many steps later (*RFC 6238*), by openssl.
fn code(typed: &str, later: i64) -> String {
    let bits: String = typed
        .bytes()
        .map(|letter| match letter {
            b'A'..=b'Z' => letter - b'A',
            _ => letter - b'2' + 26,
        })
        .map(|five| format!("{five:05b}"))
        .collect();
    let octets = bits.as_bytes().chunks_exact(8);
    let key: Vec<u8> = octets
        .map(|octet| u8::from_str_radix(std::str::from_utf8(octet).unwrap(), 2).unwrap())
        .collect();
    let step = jiff::Timestamp::now().as_second() / 30 + later;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("step");
    fs::write(&file, step.to_be_bytes()).unwrap();
    let key = format!("hexkey:{}", hex::encode(key));
    let ran = Command::new("openssl")
        .args(["mac", "-digest", "SHA1", "-macopt", &key, "-in"])
        .arg(&file)
        .arg("HMAC")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let hash = hex::decode(String::from_utf8(ran.stdout).unwrap().trim()).unwrap();
    let at = usize::from(hash[19] & 15);
    let four: [u8; 4] = hash[at..at + 4].try_into().unwrap();
    let code = (u32::from_be_bytes(four) & 0x7FFF_FFFF) % 1_000_000;
    format!("{code:06}")
}

#[test]
fn an_account_from_its_first_day_to_its_last() {
    let demo = &*JUDGED;
    let added = user(&["add", "berta", "--role", "approver", "--json"]).ends(0);
    assert_eq!(added.json(), json!({ "account": "berta", "done": "added" }));
    let taken = user(&["add", "berta", "--role", "clerk"]).ends(4);
    assert!(taken.err.contains("already"), "{}", taken.err);
    let both = ["add", "carla", "--role", "approver", "--role", "operator"];
    user(&both).ends(4);
    user(&["add", "carla", "--role", "queen"]).ends(2);
    user(&["add", "Not A Name", "--role", "clerk"]).ends(2);
    user(&["add", "carla"]).ends(2);
    user(&["add", "carla", "--role", "clerk", "--as", "clerk"]).ends(4);
    let berta = account("berta");
    assert_eq!(berta["roles"], json!(["approver"]));
    assert_eq!(berta["needs_second_factor"], true);
    assert_eq!(berta["password_set"], Value::Null);
    let table = user(&["list"]).ends(0).out;
    let line = table.lines().find(|line| line.contains("berta")).unwrap();
    assert!(line.contains("missing") && line.contains("added"), "{line}");

    user(&["code", "nobody-here", "--json"]).ends(4);
    let issued = user(&["code", "berta", "--json"]).ends(0).json();
    assert!(account("berta")["code_expires"].is_string());

    // The person sets password and second factor over the interface, and signs in with both.
    let served = Served::start(demo, "127.0.0.1:0");
    let begun = json!({
        "account": "berta", "code": issued["code"], "password": PASSWORD, "second_factor": "totp",
    });
    let (status, begun) = post(demo, &served, "/v1/enrolments", &begun);
    assert_eq!(
        (status, &begun["state"]),
        (200, &json!("confirm")),
        "{begun}"
    );
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let wrong = json!({ "ticket": begun["ticket"], "code": "x" });
    let confirming = "/v1/enrolments/confirmations";
    assert_eq!(post(demo, &served, confirming, &wrong).0, 401);
    let used = code(&secret, 0);
    let right = json!({ "ticket": begun["ticket"], "code": used });
    assert_eq!(post(demo, &served, confirming, &right).0, 204);
    let sign_in = json!({ "account": "berta", "password": PASSWORD });
    let ticket = || {
        let (status, asked) = post(demo, &served, "/v1/sign-ins", &sign_in);
        assert_eq!((status, &asked["state"]), (200, &json!("second-factor")));
        asked["ticket"].clone()
    };
    let shown = |ticket: Value, code: String| {
        let shown = json!({ "ticket": ticket, "code": code });
        post(demo, &served, "/v1/sign-ins/second-factor", &shown)
    };
    let (status, _) = shown(ticket(), used);
    assert_eq!(status, 401, "a code is good once");
    // The clocks of apps go a step wrong.
    let (status, session) = shown(ticket(), code(&secret, 1));
    assert_eq!((status, &session["state"]), (200, &json!("signed-in")));
    let berta = account("berta");
    assert_eq!(berta["second_factor"], "totp");
    assert!(berta["password_set"].is_string());
    let sessions = user(&["sessions", "--json"]).ends(0).json();
    let own = sessions.as_array().unwrap().iter();
    let own: Vec<_> = own.filter(|one| one["account"] == "berta").collect();
    assert_eq!(own.len(), 1, "{sessions}");
    assert!(user(&["sessions"]).ends(0).out.contains("berta"));
    let id = own[0]["session"].as_str().unwrap();
    user(&["sessions", "--end", id, "--json"]).ends(0);
    user(&["sessions", "--end", id]).ends(4);

    ticket();
    user(&["lock", "berta", "--cause", "left the office", "--json"]).ends(0);
    assert!(account("berta")["locked"].is_string());
    assert_eq!(post(demo, &served, "/v1/sign-ins", &sign_in).0, 401);
    user(&["lock", "berta"]).ends(2);
    user(&["unlock", "berta"]).ends(0);
    assert_eq!(account("berta")["locked"], Value::Null);
    ticket();

    user(&["roles", "berta", "--role", "quality", "--role", "clerk"]).ends(0);
    assert_eq!(account("berta")["roles"], json!(["clerk", "quality"]));
    user(&["roles", "administrator", "--role", "clerk"]).ends(4);
    drop(served);

    // The log has every step, and no name, password, code or secret.
    let found = demo.log();
    for action in [
        "account.added",
        "account.enrolled",
        "account.locked",
        "account.unlocked",
    ] {
        assert!(found.contains(action), "{action}");
    }
    let given = issued["code"].as_str().unwrap();
    for secret in ["berta", PASSWORD, given, &secret] {
        assert!(!found.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn the_two_ways_to_a_document_tell_the_same() {
    let demo = &*JUDGED;
    let document = demo.with_certificates(0);
    let number = document["number"].as_str().unwrap();
    let lines = told(&mut demo.central(&["document", "journal", number, "--json"]));
    let steps = lines.as_array().unwrap();
    assert!(
        steps.iter().any(|line| line["moment"] == "intent"),
        "{lines}"
    );
    let table = Ran::of(
        demo.central(&["document", "journal", number])
            .output()
            .unwrap(),
    );
    let table = table.ends(0).out;
    assert!(
        table.contains(steps[0]["step"].as_str().unwrap()),
        "{table}"
    );
    let none = demo
        .central(&["document", "journal", "XZ9999999"])
        .output()
        .unwrap();
    Ran::of(none).ends(4);
    let as_one = ["document", "journal", number, "--as", "administrator"];
    Ran::of(demo.central(&as_one).output().unwrap()).ends(4);
}
