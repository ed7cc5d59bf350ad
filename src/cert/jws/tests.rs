use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::*;
use crate::{PublicKey, ecdsa_der_to_raw, ecdsa_raw_to_der};

const MOST: usize = 1 << 20;

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/jws");
    serde_json::from_slice(&fs::read(path.join(name)).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

/// Returns the key of a JWK.
fn key_of(jwk: &Value) -> JwsKey {
    let number = |member| URL_SAFE_NO_PAD.decode(text(jwk, member)).unwrap();
    let spki = match text(jwk, "crv") {
        "P-256" => {
            let point = [vec![4], number("x"), number("y")].concat();
            let key = PublicKey::from_point(crate::Curve::P256, &point).unwrap();
            key.to_spki_der().unwrap()
        }
        _ => [
            hex::decode("302a300506032b6570032100").unwrap(),
            number("x"),
        ]
        .concat(),
    };
    JwsKey::from_spki_der(&spki).unwrap()
}

/// Turns the compact form of a vector into the flattened one.
fn flattened(compact: &str) -> Vec<u8> {
    let parts: Vec<_> = compact.split('.').collect();
    let [protected, payload, signature] = parts[..] else {
        panic!("three parts")
    };
    json!({"protected": protected, "payload": payload, "signature": signature})
        .to_string()
        .into_bytes()
}

/// Puts a header over a payload; the signature is none.
fn with_header(header: &str) -> Vec<u8> {
    json!({"protected": URL_SAFE_NO_PAD.encode(header), "payload": "", "signature": ""})
        .to_string()
        .into_bytes()
}

fn refusal(bytes: &[u8]) -> JwsError {
    Jws::parse(bytes, MOST).err().unwrap()
}

#[test]
fn published_signatures_verify_under_their_keys_and_no_other() {
    let (es256, ed25519) = (vector("rfc7515-a3.json"), vector("rfc8037-a.json"));
    for (this, other) in [(&es256, &ed25519), (&ed25519, &es256)] {
        let jws = Jws::parse(&flattened(text(this, "jws")), MOST).unwrap();
        assert_eq!(jws.payload, text(this, "payload").as_bytes());
        let key = key_of(this);
        jws.check_signature(&key).unwrap();
        assert_eq!(
            jws.check_signature(&key_of(other)),
            Err(JwsError::Algorithm {
                expected: key_of(other).algorithm()
            })
        );
        // The vectors have no type, so that they pass for nothing that this house reads.
        let untyped = jws.verify(&key, "zimogs-application+json");
        assert!(matches!(untyped, Err(JwsError::Type { .. })));

        let mut altered = Jws::parse(&flattened(text(this, "jws")), MOST).unwrap();
        altered.input.push('A');
        assert_eq!(altered.check_signature(&key), Err(JwsError::Signature));
    }
    assert_eq!(key_of(&ed25519).thumbprint(), text(&ed25519, "thumbprint"));
}

#[test]
fn nothing_outside_the_signature_is_taken() {
    let outside = vector("rfc7515-a7.json").to_string();
    assert!(
        matches!(refusal(outside.as_bytes()), JwsError::Form(reason) if reason.contains("outside"))
    );
    let several = json!({"payload": "", "signatures": []}).to_string();
    assert!(
        matches!(refusal(several.as_bytes()), JwsError::Form(reason) if reason.contains("list"))
    );
    let null = json!({"protected": "e30", "payload": "", "signature": "", "header": null});
    assert!(matches!(
        refusal(null.to_string().as_bytes()),
        JwsError::Form(_)
    ));
    let twice = br#"{"protected":"e30","payload":"","payload":"","signature":""}"#;
    assert!(matches!(refusal(twice), JwsError::Form(_)));
}

#[test]
fn a_header_says_only_what_is_understood() {
    for (header, reason) in [
        (r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, "critical"),
        (r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, "critical"),
        (r#"{"alg":"ES256","jwk":{}}"#, "along"),
        (r#"{"alg":"ES256","jku":"https://a.example"}"#, "along"),
        (r#"{"alg":"ES256","x5c":[]}"#, "along"),
        (r#"{"alg":"ES256","alg":"none"}"#, "once"),
        (r#"{"typ":"JWT"}"#, "no algorithm"),
        (r#"{"alg":["ES256"]}"#, "no text"),
        ("[]", "once"),
    ] {
        let refused = refusal(&with_header(header));
        assert!(
            matches!(refused, JwsError::Header(said) if said.contains(reason)),
            "{header}: {refused}"
        );
    }
    let long = format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(MAX_HEADER));
    assert_eq!(
        refusal(&with_header(&long)),
        JwsError::Header("it is too long")
    );
    // RFC 7515 §4: an unknown member that is not critical does not matter.
    assert!(Jws::parse(&with_header(r#"{"alg":"ES256","iat":5}"#), MOST).is_ok());
    // The header never chooses: not "none", not HMAC under the public key.
    let key = key_of(&vector("rfc7515-a3.json"));
    for algorithm in ["none", "HS256", "ES384", "EdDSA", "es256"] {
        let jws = with_header(&json!({"alg": algorithm}).to_string());
        let judged = Jws::parse(&jws, MOST).unwrap().check_signature(&key);
        assert!(
            matches!(judged, Err(JwsError::Algorithm { .. })),
            "{algorithm}"
        );
    }
}

#[test]
fn what_is_cut_off_is_told_from_what_is_wrong() {
    let whole = flattened(text(&vector("rfc7515-a3.json"), "jws"));
    for end in 0..whole.len() {
        assert_eq!(refusal(&whole[..end]), JwsError::CutOff, "{end} bytes");
    }
    assert!(matches!(refusal(b"PK\x03\x04"), JwsError::Form(_)));
    assert!(matches!(
        refusal(&[&whole[..], b"}"].concat()),
        JwsError::Form(_)
    ));
    let one_less = Jws::parse(&whole, whole.len() - 1);
    assert!(matches!(one_less.err(), Some(JwsError::TooLarge { .. })));
    // Padding, and bits that decode to nothing, would be a second spelling.
    for payload in ["YQ==", "YR", "Y", "Y+8"] {
        let jws = json!({"protected": "e30", "payload": payload, "signature": ""}).to_string();
        assert!(Jws::parse(jws.as_bytes(), MOST).is_err(), "{payload}");
    }
}

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    let mut run = Command::new("openssl");
    run.args(arguments).current_dir(folder);
    run.output().unwrap().status.success()
}

/// openssl makes the keys and the signatures that are read here, and judges that what was put
/// together here is signed as it says.
#[test]
fn openssl_signs_and_judges_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (algorithm, generate, curve) in [
        (
            JwsAlgorithm::Es256,
            &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
            Some(crate::Curve::P256),
        ),
        (
            JwsAlgorithm::Es384,
            &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"][..],
            Some(crate::Curve::P384),
        ),
        (JwsAlgorithm::EdDsa, &["ED25519"][..], None),
    ] {
        let arguments = [&["genpkey", "-out", "key.pem", "-algorithm"][..], generate].concat();
        assert!(openssl(folder.path(), &arguments));
        assert!(openssl(
            folder.path(),
            &[
                "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der"
            ]
        ));
        let key = JwsKey::from_spki_der(&fs::read(at("key.der")).unwrap()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.spki_der(), fs::read(at("key.der")).unwrap());

        let digest = match algorithm {
            JwsAlgorithm::Es256 => &["-digest", "sha256"][..],
            JwsAlgorithm::Es384 => &["-digest", "sha384"][..],
            JwsAlgorithm::EdDsa => &[][..],
        };
        let unsigned = Unsigned::new(&key, "zimogs-answer+json", b"{\"a\":1}");
        fs::write(at("input"), unsigned.signing_input()).unwrap();
        let sign = [
            &[
                "pkeyutl",
                "-sign",
                "-rawin",
                "-inkey",
                "key.pem",
                "-in",
                "input",
                "-out",
                "signature",
            ][..],
            digest,
        ]
        .concat();
        assert!(openssl(folder.path(), &sign));
        let signature = fs::read(at("signature")).unwrap();
        let raw = match curve {
            Some(curve) => ecdsa_der_to_raw(curve, &signature).unwrap(),
            None => signature,
        };
        let mut wrong = raw.clone();
        wrong[40] ^= 1;
        let refused = Unsigned::new(&key, "zimogs-answer+json", b"{\"a\":1}").assemble(&wrong);
        assert_eq!(refused, Err(JwsError::Signature));
        let jws = unsigned.assemble(&raw).unwrap();

        let read = Jws::parse(&jws, MOST).unwrap();
        assert_eq!(read.key_id(), Some(&*key.thumbprint()));
        assert_eq!(
            read.verify(&key, "zimogs-answer+json").unwrap(),
            b"{\"a\":1}"
        );
        let read = Jws::parse(&jws, MOST).unwrap();
        assert!(matches!(
            read.verify(&key, "zimogs-report+json"),
            Err(JwsError::Type { .. })
        ));

        // The object as it stands, taken apart without this module, judged by openssl.
        let object: Value = serde_json::from_slice(&jws).unwrap();
        let input = format!(
            "{}.{}",
            text(&object, "protected"),
            text(&object, "payload")
        );
        let raw = URL_SAFE_NO_PAD.decode(text(&object, "signature")).unwrap();
        let signature = match curve {
            Some(curve) => ecdsa_raw_to_der(curve, &raw).unwrap(),
            None => raw,
        };
        fs::write(at("signature"), signature).unwrap();
        let verify = [
            &[
                "pkeyutl",
                "-verify",
                "-rawin",
                "-pubin",
                "-inkey",
                "key.der",
                "-keyform",
                "DER",
                "-in",
                "input",
                "-sigfile",
                "signature",
            ][..],
            digest,
        ]
        .concat();
        fs::write(at("input"), &input).unwrap();
        assert!(openssl(folder.path(), &verify));
        fs::write(at("input"), format!("{input}A")).unwrap();
        assert!(!openssl(folder.path(), &verify));
    }
}

#[test]
fn other_keys_do_not_serve() {
    // P-521, a truncated and a weak Ed25519 key.
    let folder = tempfile::tempdir().unwrap();
    let generate = [
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-521",
        "-out",
        "key.pem",
    ];
    assert!(openssl(folder.path(), &generate));
    assert!(openssl(
        folder.path(),
        &[
            "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der"
        ]
    ));
    let p521 = fs::read(folder.path().join("key.der")).unwrap();
    let ed25519 = |key: &[u8]| [&hex::decode("302a300506032b6570032100").unwrap(), key].concat();
    let mut weak = [0; 32];
    weak[0] = 1;
    for der in [p521, ed25519(&[7; 31]), ed25519(&weak), Vec::new()] {
        assert_eq!(JwsKey::from_spki_der(&der), Err(JwsKeyError));
    }
}
