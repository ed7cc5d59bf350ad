//! Releasing profiles: two people sign, openssl judges their signatures, and an installation
//! that is in production opens with nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hsm::SoftHsmFolder;
use serde_json::Value;

use crate::world::{json, project, run, text, zimogs};

/// An office with profiles of its own.
struct Office {
    folder: tempfile::TempDir,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["chips", "documents"] {
            fs::create_dir(folder.path().join(kind)).unwrap();
        }
        let office = Self { folder };
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
        let tokens = self.path("installation/token");
        if tokens.exists() {
            SoftHsmFolder::prepare(&tokens).unwrap().apply(&mut command);
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

/// The shipped profiles by which documents are made.
const PROFILES: [&str; 9] = [
    "documents/eid-card.toml",
    "documents/id-card.toml",
    "documents/passport.toml",
    "documents/residence-permit.toml",
    "documents/repressed-person.toml",
    "documents/resistance-member.toml",
    "documents/war-participant.toml",
    "chips/lateid-v2.toml",
    "chips/icao-lds.toml",
];

#[test]
fn an_installation_in_production_opens_with_released_profiles_only() {
    let office = Office::new();
    let data = office.path("installation");
    let demo = [
        "demo",
        "--documents",
        "1",
        "--exit-when-done",
        "--json",
        "--data",
    ];
    run(zimogs().args(demo).arg(&data));
    // What is shipped is an example: whoever means it puts their own in.
    let own = office.path("own/certificates");
    fs::create_dir_all(&own).unwrap();
    for name in ["eid-authentication", "eid-signature", "pilot-ca"] {
        let text = fs::read_to_string(project("certs").join(format!("{name}.toml"))).unwrap();
        let text = text
            .replace("1.3.6.1.4.1.32473", "1.3.6.1.4.1.32061")
            .replace("example.org", "office.lv")
            .replace("NTRLV-00000000000", "NTRLV-40003011203")
            .replace("\"PILOT eID CA\"", "\"Office eID CA\"");
        fs::write(own.join(format!("{name}.toml")), text).unwrap();
    }
    let opened = |data: &Path, options: &[&str]| {
        let mut command = zimogs();
        let output = command
            .args(["central", "documents", "--data"])
            .arg(data)
            .args(options)
            .output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    };
    let folder = office.path("own");
    let documents = |data: &Path| opened(data, &["--profiles", folder.to_str().unwrap()]);
    assert_eq!(
        opened(&data, &[]).0,
        0,
        "a test installation demands nothing"
    );

    // What is altered runs nowhere.
    let releases = data.join("releases/documents");
    fs::create_dir_all(&releases).unwrap();
    fs::write(releases.join("eid-card.release"), "nonsense\n").unwrap();
    let (code, said) = opened(&data, &[]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("\"eid-card\""), "{said}");
    fs::remove_dir_all(data.join("releases")).unwrap();

    // The same keys, founded for production.
    for file in ["central.db", "central.db-wal", "central.db-shm"] {
        let _ = fs::remove_file(data.join(file));
    }
    let settings = fs::read_to_string(data.join("installation.toml")).unwrap();
    let settings = settings
        .replace("\"test\"", "\"production\"")
        .replace("\"XA\"", "\"PA\"");
    fs::write(data.join("installation.toml"), settings).unwrap();
    let (code, said) = documents(&data);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("\"eid-card\" has no release"), "{said}");

    // One key is in a file, the other in a token.
    office.hire("anna", "anna.pem");
    fs::write(
        office.path("juris.toml"),
        "key = \"juris\"\n[token]\nlabel = \"zimogs\"\npin_file = \"installation/token/pin\"\n",
    )
    .unwrap();
    office.hire("juris", "juris.toml");
    for (person, key) in [("anna", "anna.pem"), ("juris", "juris.toml")] {
        for profile in PROFILES {
            let file = project("firmware-profiles").join(profile);
            let release = data
                .join("releases")
                .join(profile)
                .with_extension("release");
            let (file, release) = (file.to_str().unwrap(), release.to_str().unwrap());
            let arguments = ["sign", file, "--as", person, "--key", key, "--out", release];
            office.ends(&arguments).with(0, "of 2 signatures");
        }
    }
    let (code, said) = documents(&data);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("no list of releasers"), "{said}");
    fs::copy(office.path("releasers.txt"), data.join("releasers.txt")).unwrap();

    // By which profiles certificates are issued is signed too.
    let (code, said) = documents(&data);
    assert_eq!(code, 4, "{said}");
    let lacking = "certificate profile \"eid-authentication\" has no release";
    assert!(said.contains(lacking), "{said}");
    for (person, key) in [("anna", "anna.pem"), ("juris", "juris.toml")] {
        for name in ["eid-authentication", "eid-signature", "pilot-ca"] {
            let file = format!("releases/certificates/{name}.release");
            let release = data.join(file);
            let release = release.to_str().unwrap();
            let text = own.join(format!("{name}.toml"));
            let text = text.to_str().unwrap();
            let arguments = ["sign", text, "--as", person, "--key", key, "--out", release];
            office.ends(&arguments).with(0, "kind certificate");
        }
    }
    // Who signs travel documents is a pilot's: the state names its own, or nobody.
    let (code, said) = documents(&data);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("PILOT CSCA"), "{said}");
    let settings = fs::read_to_string(data.join("installation.toml")).unwrap();
    let (settings, _) = settings.split_once("[travel]").unwrap();
    fs::write(data.join("installation.toml"), settings).unwrap();
    // The keys were a test's, and stay one.
    let (code, said) = documents(&data);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("bound to \"test\""), "{said}");
    // A token that is bound to nothing is what `zimogs hsm init` makes.
    let pin = fs::read_to_string(data.join("token/pin")).unwrap();
    let mut unbind = Command::new("pkcs11-tool");
    SoftHsmFolder::prepare(&data.join("token"))
        .unwrap()
        .apply(&mut unbind);
    let arguments = [
        "--token-label",
        "zimogs",
        "--login",
        "--pin",
        &pin,
        "--delete-object",
    ];
    let config = hsm::TokenConfig::parse(include_str!("../../hsm-config/softhsm2.toml")).unwrap();
    let module = config
        .modules()
        .iter()
        .find(|module| module.exists())
        .unwrap();
    unbind.arg("--module").arg(module).args(arguments);
    run(unbind.args(["--type", "data", "--label", "zimogs environment"]));
    // A store that nobody was given an account in opens, and refuses the one who asks.
    let (code, said) = documents(&data);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("no such account"), "{said}");

    // It is founded but for its first administrator.
    let mut init = zimogs();
    init.args(["central", "init", "--json", "--administrator", "anna"]);
    let init = init.arg("--data").arg(&data).arg("--profiles").arg(&folder);
    let told = json(init);
    assert_eq!(told["made"], serde_json::json!(["administrator"]));
    assert_eq!(told["environment"], "production");
    let mut users = zimogs();
    users.args(["central", "user", "list", "--json", "--as", "anna"]);
    let users = json(
        users
            .arg("--data")
            .arg(&data)
            .arg("--profiles")
            .arg(&folder),
    );
    assert_eq!(users[0]["account"], "anna");
}
