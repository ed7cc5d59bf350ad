//! The embedded authority over HTTP, judged by openssl: its list, its responder, its CMP endpoint.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{Demo, JUDGED, SAMPLES, json, project, run, zimogs};

/// A served authority; it is told to stop when this is dropped.
struct Served {
    child: Child,
    address: String,
}

impl Served {
    fn start(demo: &Demo, options: &[&str]) -> Self {
        Self::start_at(demo, "127.0.0.1:0", options)
    }

    fn start_at(demo: &Demo, address: &str, options: &[&str]) -> Self {
        let arguments = [
            &["pki", "ca", "serve", "--listen", address, "--json"],
            options,
        ]
        .concat();
        let mut child = demo
            .command(&arguments)
            .arg("--data")
            .arg(&demo.data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // The object is told over several lines, and ends with its brace.
        while !told.trim_end().ends_with('}') {
            assert!(out.read_line(&mut told).unwrap() > 0, "{told}");
        }
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        Self {
            address: told["listening"].as_str().unwrap().to_owned(),
            child,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let told = id.map(|id| kill_process(id, Signal::TERM));
        assert!(matches!(told, Some(Ok(()))) || std::thread::panicking());
        let ended = self.child.wait().unwrap();
        assert!(ended.success() || std::thread::panicking(), "{ended}");
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let ran = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (
        ran.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn pem(folder: &Path, name: &str, der: &[u8]) {
    fs::write(folder.join("in.der"), der).unwrap();
    let arguments = ["x509", "-inform", "DER", "-in", "in.der", "-out", name];
    assert!(openssl(folder, &arguments).0);
}

#[test]
fn openssl_enrols_over_cmp_and_asks_over_ocsp() {
    let demo = &*JUDGED;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("secret"), "correct horse battery staple\n").unwrap();
    fs::set_permissions(at.join("secret"), Permissions::from_mode(0o600)).unwrap();
    fs::write(
        at.join("cmp.toml"),
        r#"
profiles = ["piv-authentication"]
default_profile = "piv-authentication"
[[client]]
name = "another registration authority"
registration_authority = true
credential.mac = { reference = "ra-1", secret_file = "secret" }
"#,
    )
    .unwrap();
    let cmp = at.join("cmp.toml");
    let served = Served::start(demo, &["--cmp", cmp.to_str().unwrap()]);
    let url = format!("http://{}", served.address);

    let ca = json(
        demo.command(&["pki", "ca", "show", "--json"])
            .arg("--data")
            .arg(&demo.data),
    );
    assert_eq!(ca["environment"], "test");
    let before = ca["issued"]["on_hold"].as_u64().unwrap();
    pem(
        at,
        "ca.pem",
        &fs::read(demo.data.join("authority.der")).unwrap(),
    );

    // A stranger's key is certified, on hold, once.
    let (done, said) = openssl(
        at,
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            "new.key",
        ],
    );
    assert!(done, "{said}");
    let subject = "/C=LV/CN=ANNA PARAUGA/SN=PARAUGA/GN=ANNA/serialNumber=PNOLV-321234-56781";
    let ir = |secret: &str| {
        let server = format!("{}/.well-known/cmp", served.address);
        let arguments = [
            "cmp",
            "-cmd",
            "ir",
            "-server",
            &server,
            "-ref",
            "ra-1",
            "-secret",
            secret,
            "-newkey",
            "new.key",
            "-subject",
            subject,
            "-certout",
            "new.pem",
            "-unprotected_errors",
        ];
        openssl(at, &arguments)
    };
    let (done, said) = ir("pass:guessed");
    assert!(!done, "{said}");
    let (done, said) = ir("pass:correct horse battery staple");
    assert!(done, "{said}");
    let (done, said) = openssl(at, &["verify", "-CAfile", "ca.pem", "new.pem"]);
    assert!(done, "{said}");

    // The responder and the list say the same of it.
    let ocsp = |certificate: &str| {
        let arguments = [
            "ocsp",
            "-issuer",
            "ca.pem",
            "-cert",
            certificate,
            "-url",
            &url,
            "-CAfile",
            "ca.pem",
        ];
        openssl(at, &arguments)
    };
    let (done, said) = ocsp("new.pem");
    assert!(done && said.contains("Response verify OK"), "{said}");
    assert!(
        said.contains("revoked") && said.contains("certificateHold"),
        "{said}"
    );
    let crl = at.join("ca.crl");
    run(demo
        .command(&["pki", "crl"])
        .arg("--out")
        .arg(&crl)
        .arg("--data")
        .arg(&demo.data));
    let (done, said) = openssl(
        at,
        &[
            "crl", "-inform", "DER", "-in", "ca.crl", "-noout", "-text", "-CAfile", "ca.pem",
        ],
    );
    assert!(done && said.contains("verify OK"), "{said}");
    let (_, serial) = openssl(at, &["x509", "-in", "new.pem", "-noout", "-serial"]);
    let serial = serial.trim().trim_start_matches("serial=");
    assert!(said.contains(serial), "{serial}: {said}");

    let (done, said) = openssl(
        at,
        &[
            "cmp",
            "-cmd",
            "rr",
            "-server",
            &format!("{}/.well-known/cmp", served.address),
            "-ref",
            "ra-1",
            "-secret",
            "pass:correct horse battery staple",
            "-oldcert",
            "new.pem",
            "-revreason",
            "4",
        ],
    );
    assert!(done, "{said}");
    let (_, said) = ocsp("new.pem");
    assert!(said.contains("superseded"), "{said}");
    let after = json(
        demo.command(&["pki", "ca", "show", "--json"])
            .arg("--data")
            .arg(&demo.data),
    );
    assert_eq!(after["issued"]["on_hold"].as_u64().unwrap(), before);
    assert_eq!(after["issued"]["revoked"], 1);
}

/// Two installations: one is the registration authority of the other's certification authority.
#[test]
fn documents_get_their_certificates_from_another_house_over_cmp() {
    let theirs = &*SAMPLES;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let write = |name: &str, text: &str| {
        fs::write(at.join(name), text).unwrap();
        fs::set_permissions(at.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("secret", "correct horse battery staple\n");
    write(
        "endpoint.toml",
        r#"
profiles = ["eid-authentication"]
default_profile = "eid-authentication"
[[client]]
name = "the other house"
registration_authority = true
credential.mac = { reference = "ra-2", secret_file = "secret" }
"#,
    );
    let endpoint = at.join("endpoint.toml");
    let served = Served::start(theirs, &["--cmp", endpoint.to_str().unwrap()]);
    pem(
        at,
        "ca.pem",
        &fs::read(theirs.data.join("authority.der")).unwrap(),
    );
    write(
        "cmp.toml",
        &format!(
            r#"
url = "http://{}/.well-known/cmp"
request = "cr"
profile_naming = "path"
issues_on_hold = true
finds_again = true
chain_file = "ca.pem"
[protection.mac]
reference = "ra-2"
secret_file = "secret"
"#,
            served.address
        ),
    );
    write(
        "settings.toml",
        "[authorities.outside]\nenvironment = \"test\"\nprotocol = \"cmp\"\nconfig = \"cmp.toml\"\n",
    );
    fs::create_dir_all(at.join("profiles/certificates")).unwrap();
    let profile = fs::read_to_string(project("certs/eid-authentication.toml")).unwrap();
    let profile = profile.replace(
        "kind = \"leaf\"",
        "kind = \"leaf\"\nauthority = \"outside\"",
    );
    fs::write(
        at.join("profiles/certificates/eid-authentication.toml"),
        profile,
    )
    .unwrap();

    let profiles = at.join("profiles");
    let profiles = ["--profiles", profiles.to_str().unwrap()];
    let settings = at.join("settings.toml");
    let options = [
        &["--documents", "1", "--settings", settings.to_str().unwrap()],
        &profiles[..],
    ]
    .concat();
    let ours = Demo::run(&options);
    let document = &ours.documents()[0];
    assert_eq!(
        (&document["state"], &document["verified"]),
        (&"personalized".into(), &true.into())
    );
    let number = document["number"].as_str().unwrap();
    let issued = |by: &Demo, options: &[&str]| {
        let mut command = zimogs();
        command
            .args(["pki", "ca", "show", "--json", "--data"])
            .arg(&by.data);
        let shown = json(command.args(options));
        let of = |state: &str| shown["issued"][state].as_u64().unwrap();
        (of("on_hold"), of("good"))
    };
    let theirs_issued = || issued(theirs, &[]);
    assert_eq!(
        issued(&ours, &profiles),
        (1, 0),
        "the signature key's, from its own authority"
    );
    let (held, used) = theirs_issued();
    let central = |arguments: &[&str]| {
        let mut command = zimogs();
        command
            .arg("central")
            .args(arguments)
            .arg("--data")
            .arg(&ours.data)
            .args(profiles);
        command
    };
    run(&mut central(&["pass", number]));
    // Their endpoint is away when the document is handed over: it hears of it later.
    let address = served.address.clone();
    drop(served);
    run(&mut central(&["hand-over", number]));
    assert_eq!(theirs_issued(), (held, used));
    let left = central(&["certificates", "--json"]).output().unwrap();
    assert_eq!(left.status.code(), Some(1));
    let left: serde_json::Value = serde_json::from_slice(&left.stdout).unwrap();
    assert_eq!(left["left"][0]["authority"], "outside");
    assert_eq!(left["left"][0]["standing"], "on-hold");
    let options = ["--cmp", endpoint.to_str().unwrap()];
    let _served = Served::start_at(theirs, &address, &options);
    run(&mut central(&["certificates", "--sweep"]));
    assert_eq!(theirs_issued(), (held - 1, used + 1));
}
