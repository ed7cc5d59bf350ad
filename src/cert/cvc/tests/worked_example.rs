//! The certificates of the published worked example.

use jiff::civil::date;
use serde_json::Value;

use crate::algorithm::Curve;
use crate::cvc::{
    ChainError, CvAlgorithm, CvCertificate, CvVerifyError, CvVerifyingKey, Holder, Role, Strength,
    TerminalType, verify_chain,
};

const VECTORS: &str = include_str!("../../../../tests/vectors/cvc/worked_example.json");
const AUTHENTICATION: &str =
    include_str!("../../../../tests/vectors/cvc/terminal_authentication.json");

fn named(name: &str) -> CvCertificate {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let all = vectors["certificates"].as_array().unwrap();
    let found = all.iter().find(|entry| entry["name"] == name).unwrap();
    CvCertificate::parse(&bytes(&found["raw"])).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn fields_are_as_published() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    for entry in vectors["certificates"].as_array().unwrap() {
        let certificate = CvCertificate::parse(&bytes(&entry["raw"])).unwrap();
        let text = |field: &str| entry[field].as_str().unwrap().to_owned();
        assert_eq!(certificate.issuer().to_string(), text("car"));
        assert_eq!(certificate.holder().to_string(), text("chr"));
        let algorithm = certificate.public_key().algorithm();
        assert_eq!(algorithm.oid().to_string(), text("algorithm"));
        assert_eq!(
            certificate.chat().terminal().oid().to_string(),
            text("terminal_type")
        );
        assert_eq!(hex::encode_upper(certificate.chat().bits()), text("chat"));
        assert_eq!(certificate.effective().to_string(), text("effective"));
        assert_eq!(certificate.expiration().to_string(), text("expiration"));
        assert!(certificate.extensions().is_empty());
        // A chip gets what stands in 7F21.
        let whole = certificate.as_der();
        assert!(whole.ends_with(&certificate.verification_data()));
    }
}

#[test]
fn every_signature_holds_under_its_issuer() {
    for kind in ["dh", "ecdh"] {
        let [cvca, verifier, terminal] =
            ["cvca", "dv", "terminal"].map(|role| named(&format!("{kind}_{role}")));
        let root = cvca.public_key().resolve(None).unwrap();
        assert_eq!(
            root.curve(),
            (kind == "ecdh").then_some(Curve::BrainpoolP512r1)
        );
        cvca.verify_signature(&root, Strength::Legacy).unwrap();
        verifier.verify_signature(&root, Strength::Legacy).unwrap();
        let key = verifier.public_key().resolve(root.curve()).unwrap();
        terminal.verify_signature(&key, Strength::Legacy).unwrap();
        let wrong = terminal.verify_signature(&root, Strength::Legacy);
        assert_eq!(wrong, Err(CvVerifyError::Wrong));
    }
}

#[test]
fn sha1_counts_only_where_it_is_asked_for() {
    let cvca = named("dh_cvca");
    let key = cvca.public_key().resolve(None).unwrap();
    assert!(key.is_legacy());
    assert_eq!(
        cvca.verify_signature(&key, Strength::Current),
        Err(CvVerifyError::Weak {
            algorithm: CvAlgorithm::RsaPkcs1Sha1
        })
    );
    assert!(Holder::of_root(cvca.clone(), Strength::Current).is_err());
    assert!(Holder::of_root(cvca, Strength::Legacy).unwrap().is_legacy());
}

/// The published root is an inspection system's, and what it certifies an authentication
/// terminal's: as a chain it grants nothing.
#[test]
fn the_published_chain_mixes_terminal_types() {
    let root = Holder::of_root(named("ecdh_cvca"), Strength::Current).unwrap();
    assert_eq!(root.authorization().terminal(), TerminalType::Inspection);
    assert_eq!(root.certificate().role(), Role::Cvca);
    let chain = [named("ecdh_dv"), named("ecdh_terminal")];
    let refused = verify_chain(&root, &chain, date(2010, 10, 1)).unwrap_err();
    assert!(
        matches!(refused, ChainError::TerminalType { .. }),
        "{refused}"
    );
}

#[test]
fn the_terminal_s_signature_holds() {
    let vectors: Value = serde_json::from_str(AUTHENTICATION).unwrap();
    let cvca = CvCertificate::parse(&bytes(&vectors["cvca_certificate"])).unwrap();
    let terminal = CvCertificate::parse(&bytes(&vectors["terminal_certificate"])).unwrap();
    let key: CvVerifyingKey = terminal
        .public_key()
        .resolve(cvca.public_key().curve())
        .unwrap();
    let (message, signature) = (
        bytes(&vectors["signed_message"]),
        bytes(&vectors["signature"]),
    );
    key.verify(&message, &signature, Strength::Current).unwrap();
    assert_eq!(
        key.verify(&message[1..], &signature, Strength::Current),
        Err(CvVerifyError::Wrong)
    );
    assert_eq!(
        key.verify(&message, &signature[1..], Strength::Current),
        Err(CvVerifyError::Length {
            expected: 128,
            actual: 127
        })
    );
}
