//! The PIV applet over a real pcscd, judged by yubico-piv-tool, OpenSC and openssl, none of
//! which knows that the card is virtual.

use crate::Desk;

const NEW_KEY: &str = "a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8";

const TOOLS: &[&str] = &["yubico-piv-tool", "pkcs15-tool", "pkcs11-tool", "openssl"];

impl Desk {
    fn yubico(&self, arguments: &str) -> String {
        self.good("yubico-piv-tool", &format!("-r zimogs {arguments}"))
    }

    fn yubico_refused(&self, arguments: &str) -> String {
        self.refused("yubico-piv-tool", &format!("-r zimogs {arguments}"))
    }

    /// Has a certificate made for the public key in `<slot>.pub`, into `<slot>.pem`.
    fn certify_slot(&self, slot: &str) {
        self.good(
            "openssl",
            &format!(
                "x509 -new -force_pubkey {slot}.pub -subj /CN=Slot-{slot} -CA ca.pem \
                 -CAkey ca.key -days 20 -out {slot}.pem"
            ),
        );
    }
}

#[test]
fn foreign_tools_personalize_and_use_the_card() {
    let Some(desk) = Desk::with("piv", TOOLS) else {
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
    let status = desk.yubico("-a status");
    assert!(status.contains("PIN tries left:\t5"), "{status}");

    // The tool's own certificate requests fail with openssl 3 before they reach any card
    // (yubico-piv-tool 2.2.0): the authority takes the public key instead.
    for (slot, algorithm, hash) in [
        ("9a", "ECCP256", "SHA256"),
        ("9c", "RSA2048", "SHA256"),
        ("9d", "ECCP384", "SHA384"),
        ("9e", "ECCP384", "SHA384"),
    ] {
        desk.yubico(&format!(
            "-a generate -s {slot} -A {algorithm} -o {slot}.pub"
        ));
        desk.certify_slot(slot);
        desk.yubico(&format!("-a import-certificate -s {slot} -i {slot}.pem"));
        desk.yubico(&format!("-a read-certificate -s {slot} -o {slot}.read"));
        let read = |end| std::fs::read(desk.path(&format!("{slot}.{end}"))).unwrap();
        assert_eq!(read("read"), read("pem"));
        let test = format!("-a test-signature -s {slot} -H {hash} -i {slot}.pem");
        if slot == "9e" {
            desk.yubico(&test);
        } else {
            desk.yubico_refused(&test);
            desk.yubico(&format!("-a verify-pin -P 123456 {test}"));
        }
    }
    desk.yubico("-a verify-pin -P 123456 -a test-decipher -s 9d -i 9d.pem");
    desk.good("openssl", "genrsa -out own.key 2048");
    desk.good(
        "openssl",
        "req -x509 -new -key own.key -subj /CN=Own -days 20 -out own.pem",
    );
    desk.yubico("-a import-key -s 82 -i own.key --pin-policy=never");
    desk.yubico("-a test-signature -s 82 -i own.pem");

    let content = desk.good("pkcs15-tool", "--dump");
    for expected in [
        "PIV AUTH key",
        "SIGN key",
        "KEY MAN key",
        "CARD AUTH key",
        "Certificate for Digital Signature",
        "Discovery Object",
    ] {
        assert!(content.contains(expected), "no {expected}: {content}");
    }
    std::fs::write(desk.path("message"), b"a message to be signed").unwrap();
    desk.good("openssl", "dgst -sha256 -binary -out hash message");
    desk.good(
        "pkcs11-tool",
        "--login --pin 123456 --sign -m ECDSA --id 01 -i hash -o ecdsa --signature-format openssl",
    );
    desk.good(
        "openssl",
        "pkeyutl -verify -pubin -inkey 9a.pub -in hash -sigfile ecdsa",
    );
    desk.good(
        "pkcs11-tool",
        "--login --pin 123456 --sign -m SHA256-RSA-PKCS --id 02 -i message -o rsa",
    );
    desk.good(
        "openssl",
        "dgst -sha256 -verify 9c.pub -signature rsa message",
    );
    let said = desk.good("pkcs11-tool", "--test --login --pin 123456");
    assert!(said.contains("No errors"), "{said}");
}

#[test]
fn foreign_tools_manage_pins_and_keys() {
    let Some(desk) = Desk::with("piv", TOOLS) else {
        return;
    };
    desk.yubico("-a change-pin -P 123456 -N 654321");
    desk.yubico("-a change-puk -P 12345678 -N 87654321");
    let said = desk.yubico_refused("-a verify-pin -P 123456");
    assert!(said.contains("4 tries left"), "{said}");
    desk.yubico("-a unblock-pin -P 87654321 -N 112233");
    desk.yubico("-a verify-pin -P 112233");
    desk.yubico(&format!("-a set-mgm-key -n {NEW_KEY}"));
    desk.yubico_refused("-a set-chuid");
    desk.yubico(&format!("-k{NEW_KEY} -a set-chuid -a set-ccc"));
    desk.yubico(&format!(
        "-k{NEW_KEY} -a verify-pin -P 112233 -a pin-retries --pin-retries=2 --puk-retries=1"
    ));
    desk.yubico_refused("-a reset");
    desk.yubico("-a verify-pin -P 123456");
    for _ in 0..2 {
        desk.yubico_refused("-a verify-pin -P 999999");
    }
    let said = desk.yubico_refused("-a verify-pin -P 123456");
    assert!(said.contains("blocked"), "{said}");
    desk.yubico_refused("-a unblock-pin -P 99999999 -N 123456");
    desk.yubico_refused("-a unblock-pin -P 12345678 -N 123456");
    desk.yubico("-a reset");
    let status = desk.yubico("-a status");
    assert!(status.contains("PIN tries left:\t5"), "{status}");
    desk.yubico("-a set-chuid");
}
