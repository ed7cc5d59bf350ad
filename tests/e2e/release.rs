//! Releasing profiles: two people sign, and openssl judges their signatures. That production opens
//! with nothing else is in `production`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hsm::SoftHsmFolder;
use serde_json::Value;

use crate::vault::Vault;
use crate::world::{run, text, zimogs};

/// An office with profiles of its own.
struct Office {
    folder: tempfile::TempDir,
    /// Where somebody has a key in a token.
    vault: Option<Vault>,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["chips", "documents"] {
            fs::create_dir(folder.path().join(kind)).unwrap();
        }
        let office = Self {
            folder,
            vault: None,
        };
        let variant = "extends = \"lateid-v2\"\nname = \"office-chip\"\n";
        fs::write(office.path("chips/office-chip.toml"), variant).unwrap();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command.current_dir(self.folder.path()).arg("profile");
        command.args(arguments);
        if let Some(vault) = &self.vault {
            let tokens = SoftHsmFolder::prepare(&vault.path("softhsm")).unwrap();
            tokens.apply(&mut command);
        }
        command
    }

    /// Makes a person's key and puts the person on the list.
    fn hire(&self, person: &str, key: &str) {
        let line = text(&mut self.command(&["sign", "--new-key", key, "--as", person]));
        let mut list = fs::read_to_string(self.path("releasers.txt")).unwrap_or_default();
        list.push_str(&line);
        fs::write(self.path("releasers.txt"), list).unwrap();
    }

    fn sign(&self, person: &str, key: &str) -> Ran {
        let file = "chips/office-chip.toml";
        self.ends(&["sign", file, "--as", person, "--key", key])
    }

    fn ends(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            code: output.status.code().unwrap(),
            said: format!(
                "{}{}",
                String::from_utf8(output.stdout).unwrap(),
                String::from_utf8(output.stderr).unwrap()
            ),
        }
    }

    fn released(&self) -> (i32, Value) {
        let arguments = ["office-chip", "--releasers", "releasers.txt", "--json"];
        let mut command = self.command(&["released", "--profiles", "."]);
        let output = command.args(arguments).output().unwrap();
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), list[0].clone())
    }
}

struct Ran {
    code: i32,
    said: String,
}

impl Ran {
    fn with(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{}", self.said);
        assert!(self.said.contains(words), "{words}: {}", self.said);
    }
}

const RELEASE: &str = "releases/chips/office-chip.release";

#[test]
fn two_people_release_a_profile_and_a_change_takes_it_back() {
    let office = Office::new();
    office.hire("anna", "anna.pem");
    office.hire("juris", "juris.pem");
    assert_eq!(office.released().0, 4, "nobody signed yet");

    office
        .sign("anna", "anna.pem")
        .with(0, "1 of 2 signatures (anna); 1 more needed");
    let (code, verdict) = office.released();
    assert_eq!((code, &verdict["state"]), (4, &"not released".into()));
    assert_eq!(verdict["people"], serde_json::json!(["anna"]));
    let before = fs::read(office.path(RELEASE)).unwrap();
    office
        .sign("anna", "juris.pem")
        .with(4, "somebody else has to");
    office
        .sign("maija", "anna.pem")
        .with(4, "a key of their own");
    assert_eq!(fs::read(office.path(RELEASE)).unwrap(), before);

    office
        .sign("juris", "juris.pem")
        .with(0, "2 of 2 signatures (anna, juris)");
    let (code, verdict) = office.released();
    assert_eq!((code, &verdict["state"]), (0, &"released".into()));
    assert_eq!(verdict["people"], serde_json::json!(["anna", "juris"]));
    assert_eq!(verdict["extends"], serde_json::json!(["lateid-v2"]));
    let mode = fs::metadata(office.path(RELEASE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);
    judged_by_openssl(&office);

    let good = fs::read_to_string(office.path(RELEASE)).unwrap();
    let at = good.rfind("juris ").unwrap() + 20;
    let other = if good[at..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let altered = format!("{}{other}{}", &good[..at], &good[at + 1..]);
    fs::write(office.path(RELEASE), altered).unwrap();
    let (code, verdict) = office.released();
    assert_eq!((code, &verdict["state"]), (5, &"altered".into()));
    fs::write(office.path(RELEASE), good).unwrap();

    let profile = office.path("chips/office-chip.toml");
    let changed = fs::read_to_string(&profile).unwrap() + "# one more line\n";
    fs::write(&profile, changed).unwrap();
    assert_eq!(office.released().0, 5);
    office.hire("ilze", "ilze.pem");
    office
        .sign("ilze", "ilze.pem")
        .with(4, "not about these texts: its digest");
    fs::remove_file(office.path(RELEASE)).unwrap();
    office.sign("ilze", "ilze.pem").with(0, "1 of 2");
}

/// Has openssl judge every signature over the text of the release.
fn judged_by_openssl(office: &Office) {
    let release = fs::read_to_string(office.path(RELEASE)).unwrap();
    let (words, lines) = release.rsplit_once("\n\n").unwrap();
    fs::write(office.path("text"), format!("{words}\n")).unwrap();
    for line in lines.lines() {
        let [_, person, signature] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        // Four bytes say which key it is.
        let signature = &STANDARD.decode(signature).unwrap()[4..];
        fs::write(office.path("signature"), signature).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.current_dir(office.folder.path());
        openssl.args(["pkeyutl", "-verify", "-rawin", "-in", "text"]);
        openssl.args(["-sigfile", "signature", "-inkey", &format!("{person}.pem")]);
        run(&mut openssl);
    }
}

#[test]
fn a_key_of_openssl_signs_and_one_that_others_can_read_does_not() {
    let office = Office::new();
    let mut openssl = Command::new("openssl");
    openssl.current_dir(office.folder.path());
    run(openssl.args(["genpkey", "-algorithm", "ed25519", "-out", "openssl.pem"]));
    let mode =
        |mode| fs::set_permissions(office.path("openssl.pem"), fs::Permissions::from_mode(mode));
    mode(0o644).unwrap();
    office
        .sign("anna", "openssl.pem")
        .with(4, "can be read by others");
    assert!(!office.path(RELEASE).exists());
    mode(0o600).unwrap();
    office.sign("anna", "openssl.pem").with(0, "1 of 2");
    office
        .ends(&["sign", "--new-key", "openssl.pem", "--as", "anna"])
        .with(4, "never written over");
    office
        .ends(&["sign", "--new-key", "x.pem", "--as", "anna berzina"])
        .with(2, "without spaces");
    office.ends(&["sign", "--help"]).with(0, "pin_file");
}

#[test]
fn an_unsound_profile_is_not_signed() {
    let office = Office::new();
    office.hire("anna", "anna.pem");
    fs::write(
        office.path("chips/office-chip.toml"),
        "extends = \"lateid-v2\"\nname = \"office-chip\"\ntitel = \"x\"\n",
    )
    .unwrap();
    office
        .sign("anna", "anna.pem")
        .with(2, "office-chip.toml:3:1");
    assert!(!office.path("releases").exists());
    for (arguments, code, words) in [
        (
            &["sign", "nowhere", "--as", "anna", "--key", "anna.pem"][..],
            2,
            "known are",
        ),
        (
            &["released", "--releasers", "anna.pem"],
            2,
            "line 1 of the list of releasers",
        ),
        (
            &["released", "nowhere", "--releasers", "releasers.txt"],
            2,
            "no profile is named",
        ),
        (&["sign", "lateid-v2", "--as", "anna"], 2, "--key"),
    ] {
        office.ends(arguments).with(code, words);
    }
}

#[test]
fn a_key_in_a_token_signs_beside_one_in_a_file() {
    let mut office = Office::new();
    let vault = Vault::new();
    let pin = vault.path("pin");
    let file = format!(
        "key = \"juris\"\n[token]\nlabel = \"vault\"\npin_file = \"{}\"\n",
        pin.display()
    );
    fs::write(office.path("juris.toml"), file).unwrap();
    office.vault = Some(vault);
    office.hire("anna", "anna.pem");
    office.hire("juris", "juris.toml");
    office.sign("anna", "anna.pem").with(0, "1 of 2");
    office.sign("juris", "juris.toml").with(0, "2 of 2");
    let (code, verdict) = office.released();
    assert_eq!((code, &verdict["state"]), (0, &"released".into()));
}
