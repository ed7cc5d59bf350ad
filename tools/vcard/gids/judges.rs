//! The GIDS applet over a real pcscd, judged by OpenSC and openssl, neither of which knows
//! that the card is virtual.

use crate::Desk;

const ADMIN: &str = "a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8";
const NEW_ADMIN: &str = "0102030405060708111213141516171821222324252627f8";
const SERIAL: &str = "00112233445566778899aabbccddeeff";

const TOOLS: &[&str] = &["gids-tool", "pkcs15-tool", "pkcs11-tool", "openssl"];

impl Desk {
    /// Reads a data object as the card has it, in hexadecimal.
    fn object(&self, file: &str, tag: &str) -> String {
        let select = "-s 00:A4:04:00:0B:A0:00:00:03:97:42:54:46:59:02:01";
        let said = self.good(
            "opensc-tool",
            &format!("-c default {select} -s 00:CB:{file}:04:5C:02:{tag}:00"),
        );
        let (_, answer) = said.rsplit_once("SW2=0x00):\n").unwrap();
        // Rows of sixteen, `DF 1F … characters`: the characters stand from column 48 on.
        let rows = answer
            .lines()
            .filter_map(|row| row.as_bytes().get(..48.min(row.len())));
        let pairs = rows.flat_map(|row| row.chunks(3));
        let pairs = pairs.take_while(|pair| pair.len() == 3 && pair.get(2) == Some(&b' '));
        pairs
            .filter_map(|pair| std::str::from_utf8(pair.get(..2)?).ok())
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .collect()
    }

    /// Initializes the card as `gids-tool` does it: PIN 1234, administrator's key, serial.
    fn initialize(&self) {
        let said = self.good(
            "gids-tool",
            &format!("--initialize --admin-key {ADMIN} --pin 1234 --serial-number {SERIAL}"),
        );
        assert!(!said.contains("failed"), "{said}");
    }
}

#[test]
fn opensc_personalizes_and_uses_the_card() {
    let Some(desk) = Desk::with("gids", TOOLS) else {
        return;
    };
    desk.initialize();
    let user = "--login --pin 1234";
    desk.good(
        "pkcs11-tool",
        &format!("{user} --keypairgen --key-type rsa:2048 --label Signature"),
    );
    desk.good(
        "pkcs11-tool",
        "--read-object --type pubkey --id 00 -o key.der",
    );
    desk.good(
        "openssl",
        "pkey -pubin -inform DER -in key.der -out key.pem",
    );
    desk.good(
        "openssl",
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=Authority -out ca.pem",
    );
    desk.good(
        "openssl",
        "x509 -new -force_pubkey key.pem -subj /CN=PARAUGS,ANNA -CA ca.pem -CAkey ca.key \
         -days 20 -outform DER -out cert.der",
    );
    desk.good(
        "pkcs11-tool",
        &format!("{user} --write-object cert.der --type cert --id 00 --label Signature"),
    );

    let content = desk.good("pkcs15-tool", "--dump");
    for expected in [
        "GIDS card",
        "UserPIN",
        "Private RSA Key",
        "X.509 Certificate",
        "Key ref        : 129",
        "ModLength      : 2048",
        &format!("Serial number  : {SERIAL}"),
    ] {
        assert!(content.contains(expected), "no {expected}: {content}");
    }
    desk.good("pkcs15-tool", "--read-certificate 00 -o read.pem");
    desk.good("openssl", "x509 -in read.pem -outform DER -out read.der");
    assert_eq!(desk.read("read.der"), desk.read("cert.der"));
    let listed = desk.good("gids-tool", "-v");
    for file in [
        "cardid",
        "cardapps",
        "cardcf",
        "mscp\\cmapfile",
        "mscp\\kxc00",
    ] {
        assert!(listed.contains(file), "no {file}: {listed}");
    }

    // The manual's layouts, as OpenSC wrote them.
    let object = |file: &str, tag: &str| desk.object(file, tag);
    let directory = object("A0:00", "DF:1F");
    assert!(directory.starts_with("DF1F81A901"), "{directory}");
    let record = "6D7363700000000000 6B7863303000000000 0000 24DF0000 10A00000".replace(' ', "");
    assert!(directory.ends_with(&record), "{directory}");
    assert_eq!(
        object("A0:12", "DF:20"),
        format!("DF2010{}", SERIAL.to_uppercase())
    );
    assert_eq!(object("A0:10", "DF:21"), "DF21086D73637000000000");
    let containers = object("A0:10", "DF:23");
    assert!(containers.starts_with("DF2356530069006700"), "{containers}");
    assert!(containers.ends_with("030000000008"), "{containers}");
    assert_eq!(object("A0:00", "DF:20"), "DF200D0101000000079A81B0FFFF0000");
    let length = u16::try_from(desk.read("cert.der").len()).unwrap();
    let header = format!("0100{:04X}78", length.swap_bytes());
    let certificate = object("A0:10", "DF:24");
    assert_eq!(certificate.get(10..20), Some(&header[..]), "{certificate}");

    desk.write("message", b"a message to be signed");
    desk.good(
        "pkcs11-tool",
        &format!("{user} --sign -m SHA256-RSA-PKCS --id 00 -i message -o signature"),
    );
    desk.good(
        "openssl",
        "dgst -sha256 -verify key.pem -signature signature message",
    );
    desk.good(
        "openssl",
        "pkeyutl -encrypt -pubin -inkey key.pem -in message -out sealed",
    );
    desk.good(
        "pkcs11-tool",
        &format!("{user} --decrypt -m RSA-PKCS --id 00 -i sealed -o opened"),
    );
    assert_eq!(desk.read("opened"), desk.read("message"));
    // The applet draws no random numbers for the terminal; all else in OpenSC's test goes.
    let (_, said) = desk.run("pkcs11-tool", &format!("--test {user}"));
    let failed = said.lines().filter(|line| line.contains("ERR"));
    assert_eq!(failed.count(), 1, "{said}");
    assert!(said.contains("C_GenerateRandom failed"), "{said}");
    assert!(said.contains("1 errors"), "{said}");
}

#[test]
fn opensc_imports_deletes_and_administers() {
    let Some(desk) = Desk::with("gids", TOOLS) else {
        return;
    };
    desk.initialize();
    // A second time there is a file system already.
    let again = format!("--initialize --admin-key {ADMIN} --pin 9999 --serial-number {SERIAL}");
    let (_, said) = desk.run("gids-tool", &again);
    assert!(said.contains("failed"), "{said}");

    let user = "--login --pin 1234";
    desk.good("openssl", "genrsa -traditional -out own.key 2048");
    desk.good("openssl", "rsa -in own.key -outform DER -out own.der");
    desk.good("openssl", "rsa -in own.key -pubout -out own.pub");
    desk.good(
        "pkcs11-tool",
        &format!("{user} --write-object own.der --type privkey --id 02 --label Own"),
    );
    desk.write("message", b"another message");
    desk.good(
        "pkcs11-tool",
        &format!("{user} --sign -m SHA256-RSA-PKCS --label Own -i message -o signature"),
    );
    desk.good(
        "openssl",
        "dgst -sha256 -verify own.pub -signature signature message",
    );
    desk.good(
        "pkcs11-tool",
        &format!("{user} --delete-object --type privkey --label Own"),
    );
    let content = desk.good("pkcs15-tool", "--dump");
    // OpenSC lists the emptied container still, without name, usage or length.
    assert!(!content.contains("Own"), "{content}");

    desk.good(
        "pkcs11-tool",
        "--login --pin 1234 --change-pin --new-pin 567890",
    );
    for _ in 0..3 {
        desk.refused("pkcs11-tool", "--login --pin 1234 --list-objects");
    }
    desk.refused("pkcs11-tool", "--login --pin 567890 --list-objects");
    let (_, said) = desk.run(
        "gids-tool",
        &format!("--unblock --admin-key {NEW_ADMIN} --pin 2468"),
    );
    assert!(said.contains("failed"), "{said}");
    desk.good(
        "gids-tool",
        &format!("--unblock --admin-key {ADMIN} --pin 2468"),
    );
    desk.good("pkcs11-tool", "--login --pin 2468 --list-objects");
    desk.good(
        "gids-tool",
        &format!("--change-admin-key --admin-key {ADMIN} --new-admin-key {NEW_ADMIN}"),
    );
    let said = desk.good(
        "gids-tool",
        &format!("--unblock --admin-key {NEW_ADMIN} --pin 1357"),
    );
    assert!(said.contains("successfully"), "{said}");
    desk.good("pkcs11-tool", "--login --pin 1357 --list-objects");
}
