//! A test border, as its people set it up: CVCA, document verifier, terminal; OpenPACE judges.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::missing;
use crate::world::{Ran, json, run, text, zimogs};

const OFFICERS: [&str; 2] = ["anna", "juris"];

/// One token for all three, with two officers.
pub(crate) struct Border {
    folder: tempfile::TempDir,
}

impl Border {
    pub(crate) fn new() -> Self {
        let border = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let mut officers = String::new();
        for person in OFFICERS {
            let key = border.path(&format!("{person}.pem"));
            officers += &text(
                zimogs()
                    .args(["profile", "sign", "--as", person, "--new-key"])
                    .arg(key),
            );
        }
        fs::write(border.path("officers.txt"), officers).unwrap();
        let token = "label = \"border\"\npin_file = \"pin\"\ntokens = \"softhsm\"\n\
                     officers = \"officers.txt\"\nprotocol = \"protocol\"\n";
        fs::write(border.path("token.toml"), token).unwrap();
        run(&mut border.by_officers("hsm init --so-pin-file so-pin"));
        border
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = zimogs();
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// A command at the token.
    pub(crate) fn at_token(&self, line: &str) -> Command {
        self.command(&format!("{line} --token token.toml"))
    }

    /// A command at the token that both officers sign.
    pub(crate) fn by_officers(&self, line: &str) -> Command {
        let named = OFFICERS.map(|person| format!(" --officer {person}={person}.pem"));
        self.at_token(&format!("{line}{}", named.concat()))
    }

    fn ends(&self, mut command: Command, code: i32) -> Ran {
        Ran::of(command.output().unwrap()).ends(code)
    }

    /// Requests as a holder, and returns the request's digest.
    pub(crate) fn request(&self, line: &str) -> String {
        let said = json(&mut self.by_officers(&format!("{line} --json")));
        said["sha256"].as_str().unwrap().to_owned()
    }
}

impl Border {
    /// Has the three authorities make their first keys and certificates: those of a terminal that
    /// may read fingerprints are in `is`.
    pub(crate) fn with_terminal() -> Self {
        let border = Self::new();
        run(&mut border.by_officers("pki cvca init --folder cvca --holder LVCVCA"));
        let root = "cvca/own/LVCVCA00001.cvcert";
        for (kind, name, authority, issuer) in [
            ("dv", "LVDVLV", "LVCVCA00001", "cvca"),
            ("is", "LVIS", "LVDVLV00001", "dv"),
        ] {
            let asked = format!("--holder {name} --authority {authority} --out {kind}.cvreq");
            let digest = border.request(&format!("pki {kind} request --folder {kind} {asked}"));
            let issue = format!("pki {issuer} issue {kind}.cvreq --folder {issuer}");
            let issue = format!("{issue} --in-person {digest} --out {kind}.cvcert");
            run(&mut border.at_token(&issue));
            let verifier = if kind == "is" { "dv.cvcert" } else { "" };
            let import = format!("pki {kind} import --folder {kind} {kind}.cvcert {verifier}");
            run(&mut border.command(&format!("{import} {root} --trust")));
        }
        border
    }
}

#[test]
fn a_border_is_set_up_renewed_and_judged() {
    let border = Border::new();
    let made = json(&mut border.by_officers("pki cvca init --folder cvca --holder LVCVCA --json"));
    assert_eq!(made[0]["holder"], "LVCVCA00001");
    assert_eq!(made[0]["rights"], serde_json::json!(["dg3"]));
    let root = "cvca/own/LVCVCA00001.cvcert";

    // The first request is compared in person, a wrong digest is noticed.
    let digest = border.request(
        "pki dv request --folder dv --holder LVDVLV --authority LVCVCA00001 --out dv1.cvreq",
    );
    let issue = "pki cvca issue dv1.cvreq --folder cvca --out dv1.cvcert";
    let unvouched = border.ends(border.at_token(issue), 4);
    assert!(unvouched.err.contains("--in-person"), "{}", unvouched.err);
    let wrong = format!("{issue} --in-person {}", "0".repeat(64));
    border.ends(border.at_token(&wrong), 5);
    let issue = format!("{issue} --in-person {digest}");
    run(&mut border.at_token(&issue));
    let again = issue.replace("dv1.cvcert", "again.cvcert");
    let again = border.ends(border.at_token(&again), 4);
    assert!(again.err.contains("certified before"), "{}", again.err);

    // Nothing is taken in before a person trusts the root.
    let import = format!("pki dv import --folder dv dv1.cvcert {root}");
    border.ends(border.command(&import), 4);
    run(&mut border.command(&format!("{import} --trust")));

    let digest = border.request(
        "pki is request --folder is --holder LVIS --authority LVDVLV00001 --out is1.cvreq",
    );
    let issue = format!("pki dv issue is1.cvreq --folder dv --in-person {digest} --out is1.cvcert");
    let more = border.ends(border.at_token(&format!("{issue} --rights dg3,dg4")), 4);
    assert!(more.err.contains("more rights"), "{}", more.err);
    let longer = border.ends(border.at_token(&format!("{issue} --days 32")), 4);
    assert!(longer.err.contains("1 day to 1 month"), "{}", longer.err);
    run(&mut border.at_token(&issue));
    let import = format!("pki is import --folder is is1.cvcert dv1.cvcert {root} --trust");
    run(&mut border.command(&import));
    // Again is no fault, and changes nothing.
    run(&mut border.command(&import));

    // The next keys: by the earlier ones, without anybody's word.
    run(&mut border.by_officers("pki cvca renew --folder cvca"));
    border.request("pki dv request --folder dv --authority LVCVCA00002 --out dv2.cvreq");
    run(&mut border.at_token("pki cvca issue dv2.cvreq --folder cvca --out dv2.cvcert"));
    let link = "cvca/own/LVCVCA00002.by.LVCVCA00001.cvcert";
    let import = "pki dv import --folder dv dv2.cvcert";
    border.ends(border.command(import), 4);
    run(&mut border.command(&format!("{import} {link}")));

    let shown = json(&mut border.command("pki dv show --folder dv --json"));
    for row in shown.as_array().unwrap() {
        let signature = row["signature"].as_str().unwrap();
        assert!(
            ["its own", "verified", "has its key"].contains(&signature),
            "{row:#}"
        );
    }
    // An altered file is found.
    let mut altered = fs::read(border.path("is1.cvcert")).unwrap();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(border.path("altered.cvcert"), altered).unwrap();
    border.ends(border.command("pki is show --folder is altered.cvcert"), 5);
    // Nothing is written over.
    let digest =
        border.request("pki is request --folder is --authority LVDVLV00002 --out is2.cvreq");
    let issue = format!("pki dv issue is2.cvreq --folder dv --in-person {digest} --out");
    border.ends(border.at_token(&format!("{issue} is1.cvcert")), 4);
    // And nothing was given out for it.
    run(&mut border.at_token(&format!("{issue} is2.cvcert")));

    openpace(&border);
}

/// OpenPACE verifies each certificate, and reads each request.
fn openpace(border: &Border) {
    let trusted = border.path("openpace");
    fs::create_dir(&trusted).unwrap();
    for (file, name) in [
        ("cvca/own/LVCVCA00001.cvcert", "LVCVCA00001"),
        ("cvca/own/LVCVCA00002.cvcert", "LVCVCA00002"),
        ("dv1.cvcert", "LVDVLV00001"),
        ("dv2.cvcert", "LVDVLV00002"),
    ] {
        fs::copy(border.path(file), trusted.join(name)).unwrap();
    }
    let print = |argument: String| {
        Command::new("cvc-print")
            .args([argument, "--cvc-dir=openpace".to_owned()])
            .current_dir(border.folder.path())
            .output()
    };
    for file in [
        "cvca/own/LVCVCA00001.cvcert",
        "cvca/own/LVCVCA00002.cvcert",
        "cvca/own/LVCVCA00002.by.LVCVCA00001.cvcert",
        "dv1.cvcert",
        "dv2.cvcert",
        "is1.cvcert",
    ] {
        let Ok(output) = print(format!("--cvc={file}")) else {
            return missing::program("OpenPACE (cvc-print)");
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("certificate verified"), "{file}: {said}");
    }
    let said = print("--csr=dv1.cvreq".to_owned()).unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("CHR: LVDVLV00001"));
}

#[test]
fn keys_are_made_by_two_and_taken_up_again() {
    let border = Border::new();
    let init = "pki cvca init --folder cvca --holder LVCVCA --kind p384";
    // Nobody, and one alone.
    border.ends(border.at_token(init), 2);
    border.ends(
        border.at_token(&format!("{init} --officer anna=anna.pem")),
        4,
    );
    border.ends(border.by_officers(&format!("{init} --days 90")), 4);
    border.ends(
        border.by_officers("pki cvca init --folder cvca --holder LVCVCA --kind aes128"),
        2,
    );
    // The key was made, and the program cut off before the certificate.
    run(&mut border.by_officers("hsm generate p384 --label LVCVCA00001"));
    border.ends(border.by_officers(init), 3);
    run(&mut border.at_token(&format!("{init} --existing-key")));
    border.ends(border.at_token(&format!("{init} --existing-key")), 4);
    let shown = json(&mut border.command("pki cvca show --folder cvca --json"));
    assert_eq!(shown[0]["curve"], "P-384");
    let verified = border.command("hsm ceremony verify protocol --officers officers.txt");
    border.ends(verified, 0);
}
