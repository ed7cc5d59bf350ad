//! Ceremonies: custodians at a terminal, and what they leave in the token.

use std::fs;
use std::io::Write;

use serde_json::Value;

use crate::vault::{Stage, Vault, without_terminal};
use crate::world::{json, run};

fn join(vault: &Vault, label: &str, custodians: [&str; 2]) -> Stage {
    let mut arguments = vec![
        "hsm", "ceremony", "join", "--label", label, "--as", "master",
    ];
    for custodian in custodians {
        arguments.extend(["--custodian", custodian]);
    }
    Stage::new(&vault.officers_do(&arguments))
}

#[test]
fn custodians_bring_a_key_back() {
    let vault = Vault::new();
    let papers = vault.split("issuer", "aes256", "master");
    let kcv = vault.kcv("issuer");
    let list = json(&mut vault.command(&["hsm", "list", "--json"]));
    assert_eq!(list[0]["key"], "aes256");
    assert_eq!(list[0]["fault"], Value::Null);
    // What no share may ever stand in.
    let secret = papers[0].concat().replace(' ', "");
    for entry in fs::read_dir(vault.path("protocol")).unwrap() {
        let entry = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!entry.to_uppercase().contains(&secret[20..30]));
    }

    run(&mut vault.officers_do(&["hsm", "destroy", "issuer", "--kcv", &kcv]));
    assert!(!vault.objects().contains("issuer"));
    let mut stage = join(&vault, "again", ["peteris", "ilze"]);
    stage.bring("peteris", &papers[2]);
    stage.bring("ilze", &papers[0]);
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(vault.kcv("again"), kcv);
    // A share that is typed is not shown.
    assert!(!seen.to_uppercase().contains(papers[2][1].trim()), "{seen}");
    let objects = vault.objects();
    assert!(
        objects.contains("Secret Key Object; AES length 32"),
        "{objects}"
    );
    assert!(objects.contains("label:      again"), "{objects}");
    assert!(objects.contains("Access:     sensitive\n"), "{objects}");

    let protocol = vault.protocol();
    let entries = protocol["entries"].as_array().unwrap();
    let shares = |at: usize| entries[at]["stage"]["shares"].as_array().unwrap();
    assert_eq!((entries.len(), shares(3).len(), shares(7).len()), (8, 3, 2));
    assert_eq!(protocol["open"], serde_json::json!([]));
    assert_eq!(entries[3]["stage"]["keys"][0]["kcv"], Value::from(kcv));
}

#[test]
fn a_token_that_is_gone_in_the_middle_loses_nothing() {
    let vault = Vault::new();
    let mut stage = vault.splitting("issuer", "aes128", "master", &["ilze", "zane"]);
    let ilze = stage.write_down("ilze");
    let (here, away) = (vault.path("softhsm/tokens"), vault.path("away"));
    fs::rename(&here, &away).unwrap();
    let zane = stage.write_down("zane");
    let (code, seen) = stage.end();
    assert_eq!(code, 3, "{seen}");
    assert!(seen.contains("the shares are good"), "{seen}");
    fs::rename(&away, &here).unwrap();
    assert!(!vault.objects().contains("issuer"));

    let mut stage = join(&vault, "issuer", ["zane", "ilze"]);
    stage.bring("zane", &zane);
    stage.bring("ilze", &ilze);
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    let protocol = vault.protocol();
    let stages = protocol["entries"].as_array().unwrap().iter();
    let stages: Vec<_> = stages
        .map(|entry| entry["stage"]["is"].as_str().unwrap())
        .collect();
    assert_eq!(
        stages,
        ["ordered", "done", "ordered", "failed", "ordered", "done"]
    );
}

#[test]
fn wrong_shares_make_no_key() {
    let vault = Vault::new();
    let papers = vault.split("first", "aes128", "master");
    let others = vault.split("second", "aes128", "master");
    let mut stage = join(&vault, "joined", ["ilze", "zane"]);
    stage.bring("ilze", &papers[0]);
    stage.until("zane: ");
    stage.until("Press Enter");
    stage.type_line("");
    // Another ceremony's, her colleague's, one with two letters exchanged: each is told.
    stage.type_paper(&others[1]);
    stage.until("share 2 is from another ceremony");
    stage.type_paper(&papers[0]);
    stage.until("share 1 is there already");
    let mut wrong = papers[1].clone();
    let line = wrong[1].clone();
    let (a, b) = (&line[0..1], &line[1..2]);
    wrong[1] = format!("{b}{a}{}", &line[2..]);
    if wrong != papers[1] {
        stage.type_paper(&wrong);
        stage.until(&format!("  {}   ", papers[1].len() + 1));
        stage.type_line("");
        stage.until("checksum does not fit");
    }
    stage.type_paper(&papers[1]);
    let (code, seen) = stage.end();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(vault.kcv("joined"), vault.kcv("first"));

    // One custodian alone, and one who comes with another ceremony's and nothing else.
    let mut stage = join(&vault, "never", ["ilze", "zane"]);
    stage.bring("ilze", &papers[0]);
    stage.until("zane: ");
    stage.until("Press Enter");
    stage.type_line("");
    for _ in 0..5 {
        stage.type_paper(&others[1]);
        stage.until("another ceremony");
    }
    let (code, seen) = stage.end();
    assert_eq!(code, 4, "{seen}");
    assert!(!vault.objects().contains("never"));
    let protocol = vault.protocol();
    let last = protocol["entries"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(last["stage"]["is"], "failed");
}

#[test]
fn a_custodian_who_writes_nothing_down_stops_the_ceremony() {
    let vault = Vault::new();
    let mut stage = vault.splitting("old", "des3", "master", &["ilze", "zane"]);
    stage.write_down("ilze");
    stage.until("zane: ");
    stage.until("Press Enter");
    stage.type_line("");
    for _ in 0..5 {
        stage.until("last six characters of what you wrote: ");
        stage.type_line("");
    }
    let (code, seen) = stage.end();
    assert_eq!(code, 4, "{seen}");
    assert!(!vault.objects().contains("old"));
    for (arguments, code) in [
        (
            &["--threshold", "1", "--custodian", "a", "--custodian", "b"][..],
            2,
        ),
        (
            &["--threshold", "3", "--custodian", "a", "--custodian", "b"],
            2,
        ),
        (
            &["--threshold", "2", "--custodian", "a", "--custodian", "a"],
            2,
        ),
        // No terminal.
        (
            &["--threshold", "2", "--custodian", "a", "--custodian", "b"],
            2,
        ),
    ] {
        let split = [
            "hsm", "ceremony", "split", "aes128", "--label", "x", "--as", "master",
        ];
        let command = vault.officers_do(&[&split[..], arguments].concat());
        let ran = Vault::ran(&mut without_terminal(&command));
        assert_eq!(ran.code, code, "{}", ran.err);
    }
}

#[test]
fn a_ceremony_that_is_stopped_leaves_nothing_on_the_screen() {
    let vault = Vault::new();
    let mut stage = vault.splitting("stopped", "aes128", "master", &["ilze", "zane"]);
    stage.until("Press Enter");
    stage.type_line("");
    stage.until("Write it down");
    stage.until("last six characters");
    // What Ctrl-C types.
    stage.keyboard.write_all(&[3]).unwrap();
    stage.keyboard.flush().unwrap();
    stage.until("\x1b[3J\x1b[?1049l");
    let (code, seen) = stage.end();
    assert_eq!(code, 1, "{seen}");
    assert!(!vault.objects().contains("stopped"));
    assert_eq!(vault.protocol()["open"], serde_json::json!([3]));
    // The next act is ordered beside the one that stays open.
    run(&mut vault.officers_do(&["hsm", "generate", "aes128", "--label", "next"]));
    assert_eq!(vault.protocol()["open"], serde_json::json!([3]));
}
