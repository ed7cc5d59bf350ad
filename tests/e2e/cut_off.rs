//! Keys that were made, and whose files were not: the same command goes on, from wherever it was cut
//! off, and nobody orders the key a second time.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::country::{INIT, openssl, pem, profiles};
use crate::vault::Vault;
use crate::world::{json, run};

const RENEW: [&str; 9] = [
    "pki",
    "csca",
    "renew",
    "--csca",
    "csca",
    "--profile",
    "csca.toml",
    "--kind",
    "p384",
];
const REQUEST: [&str; 10] = [
    "pki",
    "ds",
    "request",
    "ds-1",
    "--signers",
    "signers",
    "--kind",
    "p256",
    "--profile",
    "ds.toml",
];

/// How many keys of this label two officers ordered.
fn orders(vault: &Vault, label: &str) -> usize {
    let protocol = vault.protocol();
    let entries = protocol["entries"].as_array().unwrap().iter();
    let ordered = |entry: &&Value| entry["stage"]["is"] == "ordered";
    let own = |entry: &&Value| entry["act"]["label"] == label;
    entries.filter(ordered).filter(own).count()
}

/// Lets a folder stand where a file is to be written, so that the command fails there.
fn fails_at(vault: &Vault, command: &mut Command, file: &str) {
    fs::create_dir_all(vault.path(file)).unwrap();
    let ran = Vault::ran(command);
    // What is there is not written over, unless the command goes on.
    assert!(matches!(ran.code, 1 | 4), "{}: {}", ran.code, ran.err);
    fs::remove_dir(vault.path(file)).unwrap();
}

/// Kills the command as soon as the file is there.
fn killed_at(vault: &Vault, command: &mut Command, file: &str) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !vault.path(file).exists() && child.try_wait().unwrap().is_none() {}
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_country_signing_ca_goes_on_from_each_step() {
    let vault = Vault::new();
    profiles(&vault);
    // The key is ordered once, however often the command goes on.
    fails_at(&vault, &mut vault.officers_do(&INIT), "csca/csca-1.toml");
    let key = vault.objects();
    for file in ["csca/csca-1.cer", "csca/state.new"] {
        fails_at(&vault, &mut vault.officers_do(&INIT), file);
    }
    let made = json(&mut vault.officers_do(&[&INIT[..], &["--json"]].concat()));
    assert_eq!((vault.objects(), orders(&vault, "csca")), (key, 1));
    assert!(!vault.path("csca/begun").exists());
    pem(&vault, "x509", "csca/csca-1.cer", "csca-1.pem");
    let (done, said) = openssl(&vault, &["verify", "-CAfile", "csca-1.pem", "csca-1.pem"]);
    assert!(done, "{said}");
    Vault::ran(&mut vault.officers_do(&INIT)).ends(4);
    // All was written but that it is.
    fs::write(vault.path("csca/begun"), "p384 csca\n").unwrap();
    let told = json(&mut vault.officers_do(&[&INIT[..], &["--json"]].concat()));
    assert_eq!(told, made);
    Vault::ran(&mut vault.officers_do(&INIT)).ends(4);

    fails_at(&vault, &mut vault.officers_do(&RENEW), "csca/link-2.cer");
    fails_at(&vault, &mut vault.officers_do(&RENEW), "csca/state.new");
    run(&mut vault.officers_do(&RENEW));
    assert_eq!(orders(&vault, "csca-2"), 1);
    let show = ["pki", "csca", "show", "--csca", "csca", "--json"];
    let mut command = crate::world::zimogs();
    let shown = json(command.args(show).current_dir(vault.path(".")));
    assert_eq!(shown["certificates"].as_array().unwrap().len(), 2);
    pem(&vault, "x509", "csca/link-2.cer", "link-2.pem");
    let (done, said) = openssl(&vault, &["verify", "-CAfile", "csca-1.pem", "link-2.pem"]);
    assert!(done, "{said}");
}

#[test]
fn half_a_key_is_made_anew_and_another_begun_is_told() {
    let vault = Vault::new();
    profiles(&vault);
    fails_at(&vault, &mut vault.officers_do(&INIT), "csca/csca-1.toml");
    let other = [&INIT[..], &["--label", "other"]].concat();
    let refused = Vault::ran(&mut vault.officers_do(&other)).ends(4);
    assert!(refused.err.contains("p384 csca"), "{}", refused.err);
    vault.pkcs11_tool(&["--delete-object", "--type", "privkey", "--label", "csca"]);
    // There is no key: two officers order it.
    run(&mut vault.officers_do(&INIT));
    assert_eq!(orders(&vault, "csca"), 2);

    // Killed at whatever it is about to do.
    let vault = Vault::new();
    profiles(&vault);
    for file in ["begun", "csca-1.toml", "csca-1.cer", "state.json"] {
        let mut init = vault.officers_do(&INIT);
        killed_at(&vault, &mut init, &format!("csca/{file}"));
    }
    if vault.path("csca/begun").exists() {
        run(&mut vault.officers_do(&INIT));
    }
    let issued = ["pki", "csca", "crl", "--csca", "csca", "--out", "list.crl"];
    run(&mut vault.command(&issued));
}

#[test]
fn a_signers_request_goes_on_with_its_key() {
    let vault = Vault::new();
    profiles(&vault);
    for file in ["signers/ds-1.begun", "signers/ds-1.p10"] {
        killed_at(&vault, &mut vault.officers_do(&REQUEST), file);
    }
    if vault.path("signers/ds-1.begun").exists() || !vault.path("signers/ds-1.p10").exists() {
        run(&mut vault.officers_do(&REQUEST));
    }
    let (keys, ordered) = (vault.objects(), orders(&vault, "ds-1"));
    // The request is gone, and the mark says that it was never there.
    fs::remove_file(vault.path("signers/ds-1.p10")).unwrap();
    fs::write(vault.path("signers/ds-1.begun"), "p256 ds-1\n").unwrap();
    run(&mut vault.officers_do(&REQUEST));
    assert_eq!((vault.objects(), orders(&vault, "ds-1")), (keys, ordered));
    assert!(!vault.path("signers/ds-1.begun").exists());
    let verify = [
        "req",
        "-inform",
        "DER",
        "-in",
        "signers/ds-1.p10",
        "-verify",
        "-noout",
    ];
    let (done, said) = openssl(&vault, &verify);
    assert!(done, "{said}");
    // A request that is there is not made anew.
    Vault::ran(&mut vault.officers_do(&REQUEST)).ends(4);
}
