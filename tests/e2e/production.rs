//! A production installation from nothing: token, officers, a maker's key under a zone key, released
//! profiles, the first administrator, and the first delivery. Nothing of a test is on the way.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json as value;

use crate::init::made;
use crate::server::Served;
use crate::vault::{OFFICERS, Stage, Vault};
use crate::world::{Ran, SAMPLES, json, project, run, zimogs};

/// What a supplier of chips sends: a zone key in two letters, and the transport key under it. The
/// supplier's machine is openssl.
const LETTERS: [&str; 2] = [
    "6B0F1A9C53D2E48877A1C4590E3F2B6D",
    "D41E9A770C35B8F2619D0A4CE8732F95",
];
const TRANSPORT: &str = "4F8A31D2C6097BE51D24A8F36B90E75C";

/// The shipped profiles by which documents are made; in production two people release each.
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
const CERTIFICATES: [&str; 3] = ["eid-authentication", "eid-signature", "pilot-ca"];

/// An office that founds its installation: its vault, its own profiles, and the folder.
struct Office {
    vault: Vault,
}

impl Office {
    /// Makes the vault, and the certificate profiles: what is shipped is an example.
    fn new() -> Self {
        let office = Self {
            vault: Vault::new(),
        };
        let own = office.vault.path("own/certificates");
        fs::create_dir_all(&own).unwrap();
        for name in CERTIFICATES {
            let text = fs::read_to_string(project("certs").join(format!("{name}.toml"))).unwrap();
            let text = text
                .replace("1.3.6.1.4.1.32473", "1.3.6.1.4.1.32061")
                .replace("example.org", "office.lv")
                .replace("NTRLV-00000000000", "NTRLV-40003011203")
                .replace("\"PILOT eID CA\"", "\"Office eID CA\"");
            fs::write(own.join(format!("{name}.toml")), text).unwrap();
        }
        office
    }

    fn data(&self) -> PathBuf {
        self.vault.path("installation")
    }

    fn central(&self, arguments: &[&str]) -> Command {
        let mut command = zimogs();
        command.current_dir(self.vault.folder.path());
        command.arg("central").args(arguments);
        command.args(["--profiles", "own", "--data", "installation"]);
        command
    }

    fn ends(&self, code: i32, arguments: &[&str]) -> Ran {
        let output = self.central(arguments).stdin(Stdio::null()).output();
        Ran::of(output.unwrap()).ends(code)
    }

    /// `init` again, which needs nothing more than the officers.
    fn init(&self, code: i32, said: &str) -> Ran {
        let mut arguments = vec!["init", "--json", "--administrator", "anna"];
        arguments.extend(["--officer", "anna=anna.pem", "--officer", "juris=juris.pem"]);
        let ran = self.ends(code, &arguments);
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
        ran
    }

    /// Two people sign what the installation then runs.
    fn release(&self, profile: &Path, release: &str) {
        let release = self.data().join("releases").join(release);
        for person in OFFICERS {
            let mut sign = zimogs();
            sign.current_dir(self.vault.folder.path());
            sign.args(["profile", "sign", "--as", person, "--key"]);
            sign.arg(format!("{person}.pem")).arg(profile);
            run(sign.arg("--out").arg(&release));
        }
    }

    /// The custodians type the supplier's letters.
    fn join_zone_key(&self, zone: &str) {
        let kcv = kcv(zone);
        let mut arguments = vec!["hsm", "ceremony", "components", "--label", "zone"];
        arguments.extend(["--algorithm", "aes", "--kcv", &kcv]);
        arguments.extend(["--custodian", "ilze", "--custodian", "zane"]);
        let mut stage = Stage::new(&self.vault.officers_do(&arguments));
        for (custodian, letter) in ["ilze", "zane"].into_iter().zip(LETTERS) {
            stage.until(&format!("{custodian}: "));
            stage.until("Press Enter");
            stage.type_line("");
            stage.until("Component (nothing is shown): ");
            stage.type_line(letter);
            stage.until("Its check value: ");
            stage.type_line(&self::kcv(letter));
        }
        let (code, seen) = stage.end();
        assert_eq!(code, 0, "{seen}");
    }

    /// The supplier's key comes in under the zone key.
    fn import_transport_key(&self, zone: &str) {
        let iv = "A6A6A6A6A6A6A6A6";
        let wrap = ["enc", "-id-aes128-wrap", "-K", zone, "-iv", iv];
        let wrapped = hex::encode(openssl(&wrap, &hex::decode(TRANSPORT).unwrap()));
        let kcv = kcv(TRANSPORT);
        let mut import = vec!["hsm", "import", "--zmk", "zone", "--algorithm", "aes"];
        import.extend(["--wrapped", &wrapped, "--kcv", &kcv]);
        import.extend(["--label", "transport-master", "--as", "master"]);
        run(self.vault.officers_do(&import).stdin(Stdio::null()));
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    done.stdout
}

/// Returns the check value of an AES key: sixteen bytes 01 under it, the first three bytes.
fn kcv(key: &str) -> String {
    let encrypted = openssl(&["enc", "-aes-128-ecb", "-nopad", "-K", key], &[1; 16]);
    hex::encode_upper(&encrypted[..3])
}

#[test]
fn production_is_founded_from_nothing_and_takes_its_first_delivery() {
    let office = Office::new();
    let documents = ["documents"];
    office.ends(2, &documents);

    // Officers order every key of the token; the maker's they take in.
    let mut found = vec!["init", "--environment", "production", "--series", "PA"];
    found.extend(["--origin", "id.office.lv/central", "--token", "token.toml"]);
    found.extend(["--administrator", "anna"]);
    let refused = office.ends(4, &found);
    assert!(refused.err.contains("--officer"), "{}", refused.err);
    found.extend(["--officer", "anna=anna.pem", "--officer", "juris=juris.pem"]);
    let refused = office.ends(4, &found);
    for said in ["transport-master", "--as master"] {
        assert!(refused.err.contains(said), "{}", refused.err);
    }
    let refused = office.ends(4, &documents);
    assert!(
        refused.err.contains("zimogs central init"),
        "{}",
        refused.err
    );
    let checked = office.ends(4, &["check", "--json"]).json();
    let mut checked = checked.as_array().unwrap().iter();
    let database = checked.find(|one| one["check"] == "database");
    let next = database.unwrap()["next"].as_str().unwrap();
    assert!(next.contains("zimogs central init"), "{next}");
    assert!(!office.data().join("central.db").exists());
    let bytes = |at: usize| hex::decode(LETTERS[at]).unwrap().into_iter();
    let zone: Vec<u8> = bytes(0).zip(bytes(1)).map(|(a, b)| a ^ b).collect();
    let zone = hex::encode_upper(zone);
    office.join_zone_key(&zone);
    office.import_transport_key(&zone);

    // Two people release what runs.
    office.init(4, "\"eid-card\" has no release");
    for profile in PROFILES {
        let file = project("firmware-profiles").join(profile);
        office.release(&file, &profile.replace(".toml", ".release"));
    }
    office.init(4, "no list of releasers");
    let list = office.data().join("releasers.txt");
    fs::copy(office.vault.path("officers.txt"), list).unwrap();
    office.init(
        4,
        "certificate profile \"eid-authentication\" has no release",
    );
    for name in CERTIFICATES {
        let file = office.vault.path(&format!("own/certificates/{name}.toml"));
        office.release(&file, &format!("certificates/{name}.release"));
    }
    let told = office.init(0, "").json();
    assert_eq!(made(&told), ["store", "administrator"], "{told}");
    assert_eq!(
        (&told["environment"], &told["transport_key_of_no_maker"]),
        (&value!("production"), &value!(false))
    );
    assert_eq!(made(&office.init(0, "").json()), [""; 0]);
    let bound = office.vault.objects();
    assert!(bound.contains("zimogs environment"), "{bound}");

    // The administrator lets in who keeps the stock, and the second person.
    for (name, role) in [
        ("berta", "stock-keeper"),
        ("zane", "quality"),
        ("auditor", "auditor"),
    ] {
        let add = ["user", "add", name, "--role", role, "--as", "anna"];
        office.ends(0, &add);
        let code = ["user", "code", name, "--as", "anna", "--json"];
        let code = office.ends(0, &code).json();
        assert!(code["code"].as_str().unwrap().len() >= 8, "{code}");
    }
    let list = "zimogs-delivery/v1,D-2026-1,2\nblank,article,number,product,serial,key_version\n\
        LV-0001,,,lateid-v2,409078610A0B,FF\nLV-0001,,,icao-lds,409078610B0B,FF\n\
        LV-0002,,,lateid-v2,409078610A0C,FF\nLV-0002,,,icao-lds,409078610B0C,FF\n";
    fs::write(office.vault.path("delivery.csv"), list).unwrap();
    let receive = |code, kcv: &str, witness: &str| {
        let mut receive = vec!["stock", "receive", "delivery.csv", "--counted", "2"];
        receive.extend(["--kcv", kcv, "--witness", witness, "--as", "berta"]);
        office.ends(code, &[&receive[..], &["--json"]].concat())
    };
    let own = kcv(TRANSPORT);
    receive(4, &kcv(LETTERS[0]), "zane");
    receive(4, &own, "berta");
    assert_eq!(receive(0, &own, "zane").json()["blanks"], 2);

    // A production server answers by a certificate that somebody gave it.
    let serve = ["serve", "--json", "--listen", "127.0.0.1:0"];
    let refused = office.ends(4, &serve);
    assert!(refused.err.contains("certificate"), "{}", refused.err);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(office.data().join("serve"))
        .unwrap();
    let mut certificate = Command::new("openssl");
    certificate.current_dir(office.data().join("serve"));
    certificate.args(["req", "-x509", "-newkey", "ec", "-pkeyopt"]);
    certificate.args(["ec_paramgen_curve:P-256", "-nodes", "-days", "90"]);
    certificate.args(["-subj", "/CN=127.0.0.1", "-addext"]);
    certificate.args(["subjectAltName=IP:127.0.0.1", "-keyout", "chain.key"]);
    run(certificate.args(["-out", "chain.pem"]));
    let key = office.data().join("serve/chain.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = office.data().join("installation.toml");
    let mut words = fs::read_to_string(&settings).unwrap();
    words.push_str("\n[serve]\ncertificate = \"serve/chain.pem\"\nkey = \"serve/chain.key\"\n");
    fs::write(&settings, &words).unwrap();
    let served = Served::run(&mut office.central(&serve));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--cacert"])
        .arg(office.data().join("serve/chain.pem"))
        .arg(format!("https://{}/health/ready", served.address));
    run(&mut curl);
    drop(served);

    let checked = json(&mut office.central(&["check", "--json"]));
    for one in checked.as_array().unwrap() {
        assert_eq!(one["verdict"], "passed", "{one:#}");
    }
    run(&mut office.central(&["audit-books"]));
    let protocol = office.vault.protocol();
    assert_eq!(protocol["open"], value!([]));

    // A letter's layout is released as well: nothing is printed by another, and no printer is asked.
    let mut letter = vec!["envelope", "print", "PA0000001", "--as", "zane"];
    letter.extend(["--printer", "tcp://127.0.0.1:1"]);
    let refused = office.ends(4, &letter);
    let said = "sheet profile \"pin-envelope\" has no release";
    assert!(refused.err.contains(said), "{}", refused.err);
    let layout = project("firmware-profiles/sheets/pin-envelope.svg");
    office.release(&layout, "sheets/pin-envelope.release");
    let asked = office.ends(3, &letter);
    assert!(!asked.err.contains("release"), "{}", asked.err);

    // What is altered afterwards runs no more.
    let release = office.data().join("releases/documents/eid-card.release");
    let good = fs::read(&release).unwrap();
    fs::write(&release, "nonsense\n").unwrap();
    let refused = office.ends(5, &documents);
    assert!(refused.err.contains("\"eid-card\""), "{}", refused.err);
    fs::write(&release, good).unwrap();
    office.ends(0, &documents);

    // Who signs travel documents is a pilot's: the state names its own, or nobody.
    let pilot = "\n[travel]\nsigners = \"travel/signers\"\ntrust = [\"travel/csca.cer\"]\n";
    fs::write(&settings, words + pilot).unwrap();
    let refused = office.ends(4, &documents);
    assert!(refused.err.contains("a pilot makes"), "{}", refused.err);
    let mut copy = Command::new("cp");
    let travel = SAMPLES.data.join("travel");
    run(copy.arg("--recursive").arg(travel).arg(office.data()));
    let refused = office.ends(4, &documents);
    assert!(refused.err.contains("PILOT CSCA"), "{}", refused.err);
}
