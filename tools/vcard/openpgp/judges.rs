//! The OpenPGP application over a real pcscd, judged by OpenSC, openssl and, where it has its
//! smart card daemon, GnuPG; none of them knows that the card is virtual.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Desk, missing};

/// Names GnuPG's smart card daemon where it is not in its usual place.
const DAEMON: &str = "ZIMOGS_SCDAEMON";

const TOOLS: &[&str] = &[
    "opensc-tool",
    "openpgp-tool",
    "pkcs15-tool",
    "pkcs11-tool",
    "openssl",
];

impl Desk {
    /// Has a certificate made for the public key in `<key>.pub`, and puts it on the card.
    fn certify(&self, key: &str, occurrence: u8) {
        self.good(
            "openssl",
            &format!(
                "x509 -new -force_pubkey {key}.pub -subj /CN=Key-{key} -CA ca.pem \
                 -CAkey ca.key -days 20 -out {key}.pem"
            ),
        );
        self.good(
            "openssl",
            &format!("x509 -in {key}.pem -outform DER -out {key}.der"),
        );
        let certificate = std::fs::read(self.path(&format!("{key}.der"))).unwrap();
        let mut commands = vec![
            SELECT.to_owned(),
            VERIFY_PW3.to_owned(),
            format!("00A50{occurrence}040660045C027F21"),
        ];
        let pieces = certificate.chunks(200);
        let last = pieces.len() - 1;
        for (index, piece) in pieces.enumerate() {
            let class = if index == last { "00" } else { "10" };
            let length = piece.len();
            commands.push(format!("{class}DA7F21{length:02X}{}", hex::encode(piece)));
        }
        let commands: Vec<_> = commands.iter().map(String::as_str).collect();
        self.send(&commands);
    }

    /// Sends commands in one session of opensc-tool, each of which must get 9000.
    fn send(&self, commands: &[&str]) {
        let arguments: Vec<_> = commands.iter().map(|apdu| format!("-s {apdu}")).collect();
        let said = self.good("opensc-tool", &arguments.join(" "));
        let accepted = said.matches("SW1=0x90, SW2=0x00").count();
        assert_eq!(accepted, commands.len(), "{said}");
    }
}

const SELECT: &str = "00A4040006D27600012401";
const VERIFY_PW3: &str = "00200083083132333435363738";

#[test]
fn opensc_personalizes_and_uses_the_card() {
    let Some(desk) = Desk::with("openpgp", TOOLS) else {
        return;
    };
    desk.good(
        "openssl",
        "ecparam -name prime256v1 -genkey -noout -out ca.key",
    );
    desk.good(
        "openssl",
        "req -x509 -new -key ca.key -subj /CN=Authority -days 20 -out ca.pem",
    );
    let name = desk.good("opensc-tool", "-n");
    assert!(name.contains("OpenPGP"), "{name}");
    // Two keys on curves, the signature key RSA; PW1 good for several signatures.
    desk.send(&[
        SELECT,
        VERIFY_PW3,
        "00DA00C209122A8648CE3D030107",
        "00DA00C306132B81040022",
        "00DA00C40101",
        "00DA005B054D75733C41",
        "00DA5F2D046C76656E",
        "00DA5F350132",
    ]);
    let user = desk.good("openpgp-tool", "-U");
    assert!(user.contains("Mus"), "{user}");
    let card = desk.good("openpgp-tool", "-C");
    assert!(card.contains("3.4"), "{card}");
    desk.good(
        "openpgp-tool",
        "--verify CHV3 --pin 12345678 --gen-key 1 --key-type rsa2048",
    );
    // OpenSC shows keys that have a fingerprint.
    let fingerprint = |tag: &str, byte: &str| format!("00DA00{tag}14{}", byte.repeat(20));
    desk.send(&[
        SELECT,
        VERIFY_PW3,
        "0047800002B80000",
        "0047800002A40000",
        &fingerprint("C7", "A1"),
        &fingerprint("C8", "A2"),
        &fingerprint("C9", "A3"),
    ]);
    let keys = desk.good("openpgp-tool", "-K");
    for expected in ["ECDSA", "ECDH", "RSA2048", "a2:a2"] {
        assert!(keys.contains(expected), "no {expected}: {keys}");
    }
    for key in ["01", "02", "03"] {
        desk.good(
            "pkcs15-tool",
            &format!("--read-public-key {key} -o {key}.pub"),
        );
    }
    desk.certify("03", 0);
    desk.certify("01", 2);
    let content = desk.good("pkcs15-tool", "--dump");
    for expected in [
        "Signature key",
        "Encryption key",
        "Authentication key",
        "AUT certificate",
    ] {
        assert!(content.contains(expected), "no {expected}: {content}");
    }
    desk.good("pkcs15-tool", "--read-certificate 03 -o read.pem");
    let text = |name| desk.good("openssl", &format!("x509 -noout -fingerprint -in {name}"));
    assert_eq!(text("read.pem"), text("03.pem"));

    std::fs::write(desk.path("message"), b"a message to be signed").unwrap();
    desk.good("openssl", "dgst -sha384 -binary -out hash message");
    desk.good(
        "pkcs11-tool",
        "--login --pin 123456 --slot-index 1 --sign -m SHA256-RSA-PKCS --id 01 -i message -o rsa",
    );
    desk.good(
        "openssl",
        "dgst -sha256 -verify 01.pub -signature rsa message",
    );
    desk.good(
        "pkcs11-tool",
        "--login --pin 123456 --sign -m ECDSA --id 03 -i hash -o ecdsa --signature-format openssl",
    );
    desk.good(
        "openssl",
        "pkeyutl -verify -pubin -inkey 03.pub -in hash -sigfile ecdsa",
    );
    desk.good(
        "openssl",
        "ecparam -name prime256v1 -genkey -noout -out other.key",
    );
    desk.good(
        "openssl",
        "ec -in other.key -pubout -outform DER -out other.pub",
    );
    desk.good(
        "pkcs11-tool",
        "--login --pin 123456 --derive -m ECDH1-DERIVE --id 02 -i other.pub -o here",
    );
    desk.good(
        "openssl",
        "pkeyutl -derive -inkey other.key -peerkey 02.pub -out there",
    );
    let read = |name| std::fs::read(desk.path(name)).unwrap();
    assert_eq!(read("here"), read("there"));

    desk.good(
        "pkcs15-tool",
        "--change-pin --auth-id 01 --pin 123456 --new-pin 654321",
    );
    desk.good("pkcs15-tool", "--verify-pin --auth-id 01 --pin 654321");
    let (content, said) = desk.run("pkcs15-tool", "--verify-pin --auth-id 01 --pin 123456");
    assert!(!content, "{said}");
    desk.good("openpgp-tool", "--erase");
    desk.good("pkcs15-tool", "--verify-pin --auth-id 03 --pin 12345678");
}

#[test]
fn gnupg_makes_and_uses_keys() {
    let daemon = std::env::var(DAEMON).unwrap_or_else(|_| "/usr/lib/gnupg/scdaemon".into());
    if !Path::new(&daemon).is_file() {
        missing::program(&format!("scdaemon; {DAEMON} may name it"));
        return;
    }
    let Some(desk) = Desk::with("openpgp", TOOLS) else {
        return;
    };
    std::fs::create_dir(desk.path("gnupg")).unwrap();
    let mut server = Command::new("timeout")
        .args(["60", &daemon, "--server", "--disable-ccid"])
        .env("PCSCLITE_CSOCK_NAME", desk.farm.pcsc())
        .env("GNUPGHOME", desk.path("gnupg"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The daemon asks for a password where it needs one; the answers wait in line.
    let admin = "D 12345678%00\nEND\n";
    let user = "D 123456%00\nEND\n";
    let digest = "5A".repeat(32);
    let script = format!(
        "SERIALNO openpgp\nLEARN --force\nGENKEY 1\n{admin}GENKEY 2\nGENKEY 3\n\
         SETATTR DISP-NAME Liepa<<Anna\nSETDATA {digest}\n\
         PKSIGN --hash=sha256 OPENPGP.1\n{user}LEARN --force\nBYE\n"
    );
    let mut input = server.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let said = server.wait_with_output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(!said.contains("\nERR"), "{said}");
    for expected in [
        "DISP-NAME Liepa<<Anna",
        "SIG-COUNTER 1",
        "KEY-FPR 1 ",
        "KEY-FPR 3 ",
        "OPENPGP.2",
    ] {
        assert!(said.contains(expected), "no {expected}: {said}");
    }
}
