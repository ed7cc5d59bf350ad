//! `zimogs pki csca | ds | masterlist`: two authorities that exchange files; openssl judges them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::missing;
use crate::vault::Vault;
use crate::world::{Ran, json, project, run, zimogs};

/// Runs openssl among the files; returns whether it was content, and what it said.
pub(crate) fn openssl(vault: &Vault, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(vault.path("."))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

pub(crate) fn pem(vault: &Vault, kind: &str, from: &str, to: &str) {
    let (done, said) = openssl(vault, &[kind, "-inform", "DER", "-in", from, "-out", to]);
    assert!(done, "{from}: {said}");
}

/// The shipped profiles, curves named: openssl's paths take no others.
pub(crate) fn profiles(vault: &Vault) {
    for name in ["csca", "ds", "master-list-signer"] {
        let text = fs::read_to_string(project(&format!("certs/country/{name}.toml"))).unwrap();
        let text = text.replace("spelt-out", "named");
        fs::write(vault.path(&format!("{name}.toml")), text).unwrap();
    }
}

pub(crate) const INIT: [&str; 9] = [
    "pki",
    "csca",
    "init",
    "--csca",
    "csca",
    "--profile",
    "csca.toml",
    "--kind",
    "p384",
];

fn request(vault: &Vault, label: &str, kind: &str, profile: &str) {
    run(&mut vault.officers_do(&[
        "pki",
        "ds",
        "request",
        label,
        "--signers",
        "signers",
        "--kind",
        kind,
        "--profile",
        profile,
    ]));
}

fn issue(vault: &Vault, label: &str, profile: &str) -> Value {
    let (request, out) = (format!("signers/{label}.p10"), format!("{label}.cer"));
    json(&mut vault.command(&[
        "pki",
        "csca",
        "issue",
        &request,
        "--csca",
        "csca",
        "--profile",
        profile,
        "--out",
        &out,
        "--json",
    ]))
}

fn import(vault: &Vault, label: &str, certificate: &str, more: &[&str]) -> Ran {
    let common = [
        "pki",
        "ds",
        "import",
        label,
        certificate,
        "--signers",
        "signers",
        "--most",
        "5000",
        "--profile",
        "ds.toml",
        "--trust",
        "csca/csca-1.cer",
    ];
    Vault::ran(&mut vault.command(&[&common, more].concat()))
}

#[test]
fn signers_are_requested_issued_examined_and_revoked() {
    let vault = Vault::new();
    profiles(&vault);
    run(&mut vault.officers_do(&INIT));
    Vault::ran(&mut vault.officers_do(&INIT)).ends(4);
    request(&vault, "ds-1", "bp256r1", "ds.toml");
    request(&vault, "ds-2", "rsa2048", "ds.toml");
    let serial = issue(&vault, "ds-1", "ds.toml")["serial"]
        .as_str()
        .unwrap()
        .to_owned();
    issue(&vault, "ds-2", "ds.toml");
    import(&vault, "ds-2", "ds-1.cer", &[]).ends(4);
    for label in ["ds-1", "ds-2"] {
        import(&vault, label, &format!("{label}.cer"), &[]).ends(0);
        import(&vault, label, &format!("{label}.cer"), &[]).ends(4);
    }
    let list = |lead: &str| {
        let list = [
            "pki",
            "ds",
            "list",
            "--signers",
            "signers",
            "--json",
            "--lead",
            lead,
        ];
        json(zimogs().args(list).current_dir(vault.path(".")))
    };
    assert_eq!(list("21")["wanted"], false);
    assert_eq!(list("100")["wanted"], true);
    assert_eq!(list("21")["signers"].as_array().unwrap().len(), 2);

    pem(&vault, "x509", "csca/csca-1.cer", "csca.pem");
    let crl = |out: &str, more: &[&str]| {
        let common = ["pki", "csca", "crl", "--csca", "csca", "--out", out];
        run(&mut vault.command(&[&common, more].concat()));
        pem(&vault, "crl", out, &format!("{out}.pem"));
    };
    crl("one.crl", &[]);
    crl("two.crl", &["--revoke", &serial]);
    for (label, list, good) in [
        ("ds-1", "one.crl.pem", true),
        ("ds-1", "two.crl.pem", false),
        ("ds-2", "two.crl.pem", true),
    ] {
        pem(&vault, "x509", &format!("{label}.cer"), "signer.pem");
        let (done, said) = openssl(
            &vault,
            &[
                "verify",
                "-x509_strict",
                "-crl_check",
                "-CAfile",
                "csca.pem",
                "-CRLfile",
                list,
                "signer.pem",
            ],
        );
        assert_eq!(done, good, "{said}");
    }
    // What is revoked is not taken in.
    fs::remove_file(vault.path("signers/ds-1.cer")).unwrap();
    fs::remove_file(vault.path("signers/book.json")).unwrap();
    import(&vault, "ds-1", "ds-1.cer", &["--crl", "two.crl"]).ends(4);
}

#[test]
fn master_lists_follow_a_csca_to_its_new_key() {
    let vault = Vault::new();
    profiles(&vault);
    run(&mut vault.officers_do(&INIT));
    let renew = [
        "pki",
        "csca",
        "renew",
        "--csca",
        "csca",
        "--profile",
        "csca.toml",
        "--kind",
        "bp384r1",
    ];
    run(&mut vault.officers_do(&renew));
    request(&vault, "lists", "p384", "master-list-signer.toml");
    issue(&vault, "lists", "master-list-signer.toml");
    let make = [
        "pki",
        "masterlist",
        "make",
        "csca/csca-1.cer",
        "csca/csca-2.cer",
        "csca/link-2.cer",
        "--label",
        "lists",
        "--signer",
        "lists.cer",
        "--trust",
        "csca/csca-2.cer",
        "--out",
        "list.ml",
    ];
    run(&mut vault.command(&make));
    Vault::ran(&mut vault.command(&make)).ends(4);
    pem(&vault, "x509", "csca/csca-2.cer", "new.pem");
    let (done, said) = openssl(
        &vault,
        &[
            "cms", "-verify", "-inform", "DER", "-in", "list.ml", "-CAfile", "new.pem", "-purpose",
            "any", "-out", "content",
        ],
    );
    assert!(done, "{said}");
    let verify = |more: &[&str]| {
        let common = [
            "pki",
            "masterlist",
            "verify",
            "list.ml",
            "--json",
            "--trust",
        ];
        let arguments = [&common, more].concat();
        Ran::of(
            zimogs()
                .args(arguments)
                .current_dir(vault.path("."))
                .output()
                .unwrap(),
        )
    };
    let said = verify(&["csca/csca-2.cer"]).ends(0).json();
    assert_eq!(
        (&said["verified"], &said["certificates"]),
        (&true.into(), &3.into())
    );
    // Whoever has the old one only needs the link.
    verify(&["csca/csca-1.cer", "--link", "csca/link-2.cer"]).ends(0);
    verify(&["csca/csca-1.cer"]).ends(1);
    let mut altered = fs::read(vault.path("list.ml")).unwrap();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(vault.path("list.ml"), altered).unwrap();
    verify(&["csca/csca-2.cer"]).ends(5);
}

/// The Dutch master list of December 2021, under two of its country's certificates.
#[test]
fn a_state_s_list_is_judged() {
    let names = [
        "NL_MASTERLIST_20211207.mls",
        "CSCA_NL_serial6_2021.cer",
        "CSCA_NL_serial7_2024.cer",
    ];
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let Some(bytes) = missing::sample(&format!("csca/{name}")) else {
            return;
        };
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let verify = |trust: &str| {
        let arguments = [
            "pki",
            "masterlist",
            "verify",
            names[0],
            "--trust",
            trust,
            "--at",
            "2024-07-01T00:00:00Z",
            "--json",
        ];
        Ran::of(
            zimogs()
                .args(arguments)
                .current_dir(folder.path())
                .output()
                .unwrap(),
        )
    };
    assert_eq!(verify(names[1]).ends(0).json()["certificates"], 306);
    verify(names[2]).ends(1);
}
