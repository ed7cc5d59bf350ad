//! Bytes from anywhere; what answers mean is judged beside openssl in `pki`.

use proptest::prelude::*;

use super::{CertId, MAX_IDS, OcspError, OcspRequest, OcspResponse, Refusal, refusal};
use crate::certificate::Certificate;
use crate::testing::{Folder, issue, openssl, run};

const CA: &str = "subjectKeyIdentifier=hash\n";

/// Makes an authority, and what openssl's client asks it about certificate 0x80FF.
fn asked(arguments: &[&str]) -> (Certificate, Vec<u8>) {
    let folder = Folder::new();
    let root = issue(&folder, "Root", None, "P-256", CA);
    let arguments = [
        &["ocsp", "-issuer", "Root.pem", "-reqout", "request"],
        arguments,
    ]
    .concat();
    openssl(&folder, &arguments);
    (root, folder.read("request"))
}

#[test]
fn openssl_s_requests_are_read_and_written() {
    let (root, der) = asked(&[
        "-no_nonce",
        "-serial",
        "0x80FF",
        "-sha256",
        "-serial",
        "0x01",
    ]);
    let read = OcspRequest::parse(&der).unwrap();
    assert_eq!(read.ids.len(), 2);
    assert_eq!(read.ids[0].serial(), [0x80, 0xFF]);
    assert!(read.ids.iter().all(|id| id.is_issued_by(&root)));
    assert_eq!(read.nonce, None);
    assert_eq!(read.to_der().unwrap(), der);
    assert_eq!(read.ids[0], CertId::new(&root, &[0x80, 0xFF]).unwrap());

    let (root, der) = asked(&["-nonce", "-serial", "0x01"]);
    let read = OcspRequest::parse(&der).unwrap();
    assert_eq!(read.nonce.as_ref().map(Vec::len), Some(16));
    assert_eq!(read.to_der().unwrap(), der);
    let other = issue(&Folder::new(), "Root", None, "P-256", CA);
    assert!(!read.ids[0].is_issued_by(&other));
    for length in 0..der.len() {
        assert!(OcspRequest::parse(&der[..length]).is_err());
    }
    assert!(root.extensions().subject_key_identifier.is_some());
}

#[test]
fn limits_are_kept() {
    let root = issue(&Folder::new(), "Root", None, "P-256", CA);
    let id = CertId::new(&root, &[1]).unwrap();
    let with = |count, nonce: Option<usize>| OcspRequest {
        ids: vec![id.clone(); count],
        nonce: nonce.map(|length| vec![7; length]),
    };
    assert!(with(MAX_IDS, Some(128)).to_der().is_ok());
    assert_eq!(with(0, None).to_der(), Err(OcspError::Count { count: 0 }));
    assert_eq!(
        with(MAX_IDS + 1, None).to_der(),
        Err(OcspError::Count { count: MAX_IDS + 1 })
    );
    assert_eq!(with(1, Some(0)).to_der(), Err(OcspError::Nonce));
    assert_eq!(with(1, Some(129)).to_der(), Err(OcspError::Nonce));
    let long = vec![0; 70_000];
    let too_long = OcspError::TooLong { length: 70_000 };
    assert_eq!(OcspRequest::parse(&long), Err(too_long));
    assert!(OcspResponse::parse(&long).is_err());
}

#[test]
fn refusals_are_read_as_openssl_reads_them() {
    let folder = Folder::new();
    for (fault, name) in [
        (Refusal::Malformed, "malformedrequest (1)"),
        (Refusal::Internal, "internalerror (2)"),
        (Refusal::TryLater, "trylater (3)"),
        (Refusal::SignatureRequired, "sigrequired (5)"),
        (Refusal::Unauthorized, "unauthorized (6)"),
    ] {
        let der = refusal(fault);
        assert!(OcspResponse::parse(&der).is_ok_and(|read| read.is_err_and(|r| r == fault)));
        folder.write("answer", &der);
        // A refusal is a failure to openssl.
        let (_, said) = run(&folder, &["ocsp", "-respin", "answer", "-noverify"]);
        assert!(said.contains(name), "{said}");
    }
    assert!(OcspResponse::parse(&[0x30, 3, 0x0A, 1, 0]).is_err());
    assert!(OcspResponse::parse(&[0x30, 3, 0x0A, 1, 4]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(OcspRequest::parse(&bytes).is_err());
        let _ = OcspResponse::parse(&bytes);
    }

    #[test]
    fn requests_round_trip(
        serials in prop::collection::vec(prop::collection::vec(1_u8.., 1..20), 1..MAX_IDS),
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 1..128)),
    ) {
        let hash = vec![9; 20];
        let ids = serials.into_iter().map(|serial| CertId {
            algorithm: spki::AlgorithmIdentifierOwned {
                oid: crate::hash::Hash::Sha1.oid(),
                parameters: Some(der::Any::null()),
            },
            name_hash: hash.clone(),
            key_hash: hash.clone(),
            serial,
        });
        let request = OcspRequest { ids: ids.collect(), nonce };
        let der = request.to_der().unwrap();
        prop_assert_eq!(OcspRequest::parse(&der).unwrap(), request);
    }
}
