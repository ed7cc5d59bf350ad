//! Messages of openssl's, read, verified and written again.

use cert::PublicKey;
use der::{Decode, Encode};
use proptest::prelude::*;
use serde_json::Value;

use super::{CmpMessage, CmpMessageError, MAX_MESSAGE};
use crate::cmp::protection::{ProtectionError, SharedSecret};

const VECTORS: &str = include_str!("../../../../tests/vectors/cmp/messages.json");

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn messages() -> Vec<(Value, Vec<u8>)> {
    let messages = vectors()["messages"].as_array().unwrap().clone();
    assert_eq!(messages.len(), 17);
    let with_der = messages.into_iter().map(|vector| {
        let der = bytes(vector["der"].as_str().unwrap());
        (vector, der)
    });
    with_der.collect()
}

#[test]
fn messages_are_read_and_written_byte_for_byte() {
    for (vector, der) in messages() {
        let message = CmpMessage::parse(&der).unwrap();
        assert_eq!(message.body.name(), vector["body"].as_str().unwrap());
        assert_eq!(
            u64::from(message.header.pvno),
            vector["pvno"].as_u64().unwrap()
        );
        assert_eq!(message.to_der().unwrap(), der, "{}", vector["file"]);
        // Protected parts are the same whether a message is read or made.
        let made = CmpMessage::bare(message.header.clone(), message.body.clone(), &[]).unwrap();
        assert_eq!(made.protected, message.protected);
    }
}

#[test]
fn protections_verify_and_altered_ones_do_not() {
    let certificates = &vectors()["certificates"];
    for (vector, der) in messages() {
        let message = CmpMessage::parse(&der).unwrap();
        let verify = |message: &CmpMessage, secret: &str| match vector["verified_with"].as_str() {
            Some(file) => {
                let der = bytes(certificates[file].as_str().unwrap());
                // Of version 1, which only openssl's mock server has.
                let certificate = x509_cert::Certificate::from_der(&der).unwrap();
                let tbs = certificate.tbs_certificate();
                let spki = tbs.subject_public_key_info().to_der().unwrap();
                message.verify_key(&PublicKey::from_spki_der(&spki).unwrap())
            }
            None => {
                let secret = SharedSecret::new(b"4321", secret.as_bytes()).unwrap();
                assert_eq!(message.header.key_identifier(), secret.reference());
                message.verify_mac(&secret)
            }
        };
        assert_eq!(message.is_mac_protected(), vector["secret"].is_string());
        verify(&message, "testsecret").unwrap();
        if message.is_mac_protected() {
            let wrong = verify(&message, "testsecres");
            assert!(matches!(wrong, Err(ProtectionError::Mac)));
        }
        let mut altered = message.clone();
        *altered.protected.last_mut().unwrap() ^= 1;
        let refused = verify(&altered, "testsecret");
        assert!(matches!(
            refused,
            Err(ProtectionError::Mac | ProtectionError::Signature(_))
        ));
        let mut bare = message.clone();
        bare.protection = None;
        let refused = verify(&bare, "testsecret");
        assert!(matches!(refused, Err(ProtectionError::Missing)));
    }
}

#[test]
fn a_stranger_does_not_choose_how_long_we_count() {
    let (_, der) = messages()
        .into_iter()
        .find(|(vector, _)| vector["file"] == "ir_pbm.der")
        .unwrap();
    let mut message = CmpMessage::parse(&der).unwrap();
    let algorithm = message.header.protection_alg.as_mut().unwrap();
    for count in [0, 99, 100_001, u32::MAX] {
        let parameters = algorithm.parameters.take().unwrap();
        let mut parameters: crate::cmp::body::PbmParameter = parameters.decode_as().unwrap();
        parameters.iteration_count = count;
        algorithm.parameters = Some(crate::cmp::header::any(&parameters).unwrap());
        let derived = crate::cmp::password_mac::PasswordMac::derive(algorithm, b"testsecret");
        assert!(matches!(
            derived.err(),
            Some(ProtectionError::Iterations { count: said }) if said == count
        ));
    }
}

#[test]
fn what_is_no_message_is_refused() {
    let (_, der) = messages().swap_remove(0);
    for end in 0..der.len() {
        assert!(CmpMessage::parse(&der[..end]).is_err());
    }
    let mut longer = der.clone();
    longer.push(0);
    assert!(matches!(
        CmpMessage::parse(&longer),
        Err(CmpMessageError::Syntax(_))
    ));
    let long = vec![0x30; MAX_MESSAGE + 1];
    let refused = CmpMessage::parse(&long);
    assert_eq!(
        refused,
        Err(CmpMessageError::TooLong { length: long.len() })
    );
}

#[test]
fn nothing_of_a_person_is_in_debug() {
    for (_, der) in messages() {
        let shown = format!("{:?}", CmpMessage::parse(&der).unwrap());
        assert!(!shown.contains("Device") && shown.len() < 30, "{shown}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = CmpMessage::parse(&bytes);
    }

    #[test]
    fn altered_messages_are_read_or_refused(
        which in 0_usize..17,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (vector, mut der) = messages().swap_remove(which);
        for (place, value) in &changes {
            *place.get_mut(&mut der) = *value;
        }
        if let Ok(message) = CmpMessage::parse(&der) {
            // What is no DER in its depth, as a default that is spelt out, is written as DER.
            let again = message.to_der().unwrap();
            prop_assert_eq!(CmpMessage::parse(&again).unwrap().to_der().unwrap(), again);
            let secret = SharedSecret::new(b"4321", b"testsecret").unwrap();
            let verified = message.verify_mac(&secret);
            prop_assert!(verified.is_err() || vector["secret"].is_string());
            let _ = (message.certificates(), message.header.time(), message.header.cert_profile());
        }
    }
}
