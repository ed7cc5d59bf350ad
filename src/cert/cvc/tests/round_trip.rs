//! What is written is read again, and chains grant what all of them allow.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::{Pair, reference};
use crate::algorithm::Curve;
use crate::cvc::{
    ChainError, Chat, CvAlgorithm, CvCertificate, CvContent, CvRequest, CvcError, EfCvca, Holder,
    HolderReference, Parameters, Right, Role, Strength, assemble_outer, outer_message,
    verify_chain,
};

fn content(issuer: &str, holder: &str, key: &Pair, role: Role, rights: &[Right]) -> CvContent {
    let parameters = match role {
        Role::Cvca => Parameters::Included,
        _ => Parameters::Inherited,
    };
    CvContent {
        issuer: reference(issuer),
        holder: reference(holder),
        public_key: key.key(parameters),
        chat: Chat::inspection(role, rights),
        effective: date(2026, 3, 1),
        expiration: date(2026, 6, 1),
        extensions: Vec::new(),
    }
}

fn certificate(der: &[u8]) -> CvCertificate {
    CvCertificate::parse(der).unwrap()
}

/// Root, link, document verifier and terminal of one kind of key.
fn chain_of(make: impl Fn() -> Pair) -> (CvCertificate, [CvCertificate; 3]) {
    let (first, second, verifier, terminal) = (make(), make(), make(), make());
    let (old, new) = ("LVCVCA00001", "LVCVCA00002");
    let (dv, is) = ("LVDVLV00001", "LVIS00001");
    let all = &Right::ALL;
    let root = first.issue(&content(old, old, &first, Role::Cvca, all));
    let link = first.issue(&content(old, new, &second, Role::Cvca, all));
    let role = Role::DomesticVerifier;
    let dv_rights = [Right::ReadFingerprints];
    let dv_certificate = second.issue(&content(new, dv, &verifier, role, &dv_rights));
    let is_certificate = verifier.issue(&content(dv, is, &terminal, Role::Terminal, all));
    let chain = [link, dv_certificate, is_certificate].map(|der| certificate(&der));
    (certificate(&root), chain)
}

const DAY: Date = date(2026, 4, 1);

#[test]
fn chains_of_every_algorithm_verify() {
    let ec = [
        (Curve::P256, CvAlgorithm::EcdsaSha256),
        (Curve::P256, CvAlgorithm::EcdsaSha512),
        (Curve::P384, CvAlgorithm::EcdsaSha384),
        (Curve::P384, CvAlgorithm::EcdsaSha224),
        (Curve::P521, CvAlgorithm::EcdsaSha512),
        (Curve::BrainpoolP256r1, CvAlgorithm::EcdsaSha256),
        (Curve::BrainpoolP384r1, CvAlgorithm::EcdsaSha384),
        (Curve::BrainpoolP512r1, CvAlgorithm::EcdsaSha512),
    ];
    for (curve, algorithm) in ec {
        verifies(chain_of(|| Pair::ec(curve, algorithm)));
    }
    for algorithm in [
        CvAlgorithm::RsaPkcs1Sha256,
        CvAlgorithm::RsaPkcs1Sha512,
        CvAlgorithm::RsaPssSha256,
        CvAlgorithm::RsaPssSha512,
    ] {
        verifies(chain_of(|| Pair::rsa(algorithm)));
    }
}

fn verifies((root, chain): (CvCertificate, [CvCertificate; 3])) {
    let root = Holder::of_root(root, Strength::Current).unwrap();
    let last = verify_chain(&root, &chain, DAY).unwrap();
    assert_eq!(last.certificate().holder().to_string(), "LVIS00001");
    // The terminal was given DG4, and its document verifier was not.
    assert_eq!(last.authorization().rights(), [Right::ReadFingerprints]);
    assert_eq!(last.authorization().role(), Role::Terminal);
}

#[test]
fn a_link_holds_past_its_day_and_nothing_else() {
    let (root, [link, dv, is]) = chain_of(|| Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha256));
    let root = Holder::of_root(root, Strength::Current).unwrap();
    let later = date(2026, 6, 2);
    let second = root.accepts(link.clone(), later).unwrap();
    let expired = second.accepts(dv.clone(), later).unwrap_err();
    assert!(matches!(expired, ChainError::Expired { .. }), "{expired}");
    let early = root.accepts(link.clone(), date(2026, 2, 28)).unwrap_err();
    assert!(matches!(early, ChainError::NotYet { .. }));
    // The last day counts whole.
    verify_chain(
        &root,
        &[link.clone(), dv.clone(), is.clone()],
        date(2026, 6, 1),
    )
    .unwrap();
    // Out of order, and past a step.
    let refused = verify_chain(&root, &[dv.clone(), is.clone()], DAY).unwrap_err();
    assert!(matches!(refused, ChainError::Issuer { .. }));
    let many = vec![link; 33];
    let refused = verify_chain(&root, &many, DAY).unwrap_err();
    assert_eq!(refused, ChainError::TooLong { length: 33 });
}

#[test]
fn roles_certify_only_the_next() {
    let pair = Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha256);
    let new = || Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha256);
    let (cvca, dv) = ("LVCVCA00001", "LVDVLV00001");
    let own = certificate(&pair.issue(&content(cvca, cvca, &pair, Role::Cvca, &[])));
    let root = Holder::of_root(own, Strength::Current).unwrap();
    let terminal = pair.issue(&content(cvca, "LVIS00001", &new(), Role::Terminal, &[]));
    let refused = root.accepts(certificate(&terminal), DAY).unwrap_err();
    assert!(matches!(
        refused,
        ChainError::Role {
            issuer: Role::Cvca,
            role: Role::Terminal,
            ..
        }
    ));
    let key = new();
    let verifier = pair.issue(&content(cvca, dv, &key, Role::ForeignVerifier, &[]));
    let verifier = root.accepts(certificate(&verifier), DAY).unwrap();
    for role in [Role::Cvca, Role::DomesticVerifier, Role::ForeignVerifier] {
        let other = key.issue(&content(dv, "LVOTHER00001", &new(), role, &[]));
        let refused = verifier.accepts(certificate(&other), DAY).unwrap_err();
        assert!(matches!(refused, ChainError::Role { .. }), "{refused}");
    }
    // A document verifier's certificate is no root, nor is a CVCA's that another key signed.
    assert!(Holder::of_root(verifier.certificate().clone(), Strength::Current).is_err());
    let forged = new().issue(&content(cvca, cvca, &pair, Role::Cvca, &[]));
    let refused = Holder::of_root(certificate(&forged), Strength::Current).unwrap_err();
    assert!(matches!(refused, ChainError::Signature { .. }));
}

#[test]
fn algorithms_and_parameters_are_the_root_s() {
    let pair = Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha256);
    let (cvca, dv) = ("LVCVCA00001", "LVDVLV00001");
    let own = certificate(&pair.issue(&content(cvca, cvca, &pair, Role::Cvca, &[])));
    let root = Holder::of_root(own, Strength::Current).unwrap();
    let role = Role::DomesticVerifier;
    let other = Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha512);
    let refused = pair.issue(&content(cvca, dv, &other, role, &[]));
    let refused = root.accepts(certificate(&refused), DAY).unwrap_err();
    assert!(matches!(refused, ChainError::Algorithm { .. }));
    let brainpool = Pair::ec(Curve::BrainpoolP256r1, CvAlgorithm::EcdsaSha256);
    let refused = pair.issue(&content(cvca, dv, &brainpool, role, &[]));
    let refused = root.accepts(certificate(&refused), DAY).unwrap_err();
    assert!(matches!(
        refused,
        ChainError::Key {
            source: CvcError::Point { .. },
            ..
        }
    ));
    let mut with = content(cvca, dv, &pair, role, &[]);
    with.public_key = pair.key(Parameters::Included);
    let refused = root
        .accepts(certificate(&pair.issue(&with)), DAY)
        .unwrap_err();
    assert!(matches!(refused, ChainError::Parameters { .. }));
    // A link may change both.
    let link = pair.issue(&content(cvca, "LVCVCA00002", &brainpool, Role::Cvca, &[]));
    root.accepts(certificate(&link), DAY).unwrap();
}

#[test]
fn requests_prove_possession_and_who_asks() {
    let (own, earlier) = (
        Pair::ec(Curve::P384, CvAlgorithm::EcdsaSha384),
        Pair::ec(Curve::P384, CvAlgorithm::EcdsaSha384),
    );
    let holder = reference("LVDVLV00002");
    let cvca = reference("LVCVCA00001");
    let key = own.key(Parameters::Included);
    let body = CvContent::request_body(Some(&cvca), &holder, &key).unwrap();
    let der = CvContent::assemble(&body, &own.sign(&body));
    let request = CvRequest::parse(&der).unwrap();
    request.verify(Strength::Current).unwrap();
    assert_eq!(request.holder(), &holder);
    assert_eq!(request.authority(), Some(&cvca));
    assert!(request.outer().is_none());
    let stolen = CvContent::assemble(&body, &earlier.sign(&body));
    assert!(
        CvRequest::parse(&stolen)
            .unwrap()
            .verify(Strength::Current)
            .is_err()
    );

    let signer = reference("LVDVLV00001");
    let message = outer_message(&der, &signer);
    let outer = assemble_outer(&message, &earlier.sign(&message));
    let request = CvRequest::parse(&outer).unwrap();
    request.verify(Strength::Current).unwrap();
    assert_eq!(request.outer().map(|outer| &outer.signer), Some(&signer));
    let known = earlier.key(Parameters::Included).resolve(None).unwrap();
    request.verify_outer(&known, Strength::Current).unwrap();
    let unknown = own.key(Parameters::Included).resolve(None).unwrap();
    assert!(request.verify_outer(&unknown, Strength::Current).is_err());
    assert!(
        CvRequest::parse(&der)
            .unwrap()
            .verify_outer(&known, Strength::Current)
            .is_err()
    );
    let inherited = own.key(Parameters::Inherited);
    assert!(CvContent::request_body(None, &holder, &inherited).is_err());
}

fn some_reference() -> impl Strategy<Value = HolderReference> {
    "[A-Z]{2}[ -~]{0,9}[0-9A-Za-z]{5}".prop_map(|text| reference(&text))
}

fn some_day() -> impl Strategy<Value = Date> {
    (2000_i16..2100, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| date(year, month, day))
}

proptest! {
    #[test]
    fn content_survives_its_encoding(
        issuer in some_reference(),
        holder in some_reference(),
        role in prop::sample::select(vec![Role::Cvca, Role::ForeignVerifier, Role::Terminal]),
        curve in prop::sample::select(Curve::ALL.to_vec()),
        (one, other) in (some_day(), some_day()),
        content in prop::collection::vec(any::<u8>(), 0..40),
        signature in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let base = crate::public_key::PublicKey::from_point(curve, curve.domain_parameters().g);
        let algorithm = CvAlgorithm::usual(base.as_ref().unwrap()).unwrap();
        let parameters = match role {
            Role::Cvca => Parameters::Included,
            _ => Parameters::Inherited,
        };
        let written = CvContent {
            issuer,
            holder,
            public_key: super::CvPublicKey::new(&base.unwrap(), algorithm, parameters).unwrap(),
            chat: Chat::inspection(role, &[Right::ReadIris]),
            effective: one.min(other),
            expiration: one.max(other),
            extensions: vec![crate::cvc::CvExtension {
                oid: spki::ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.3.1"),
                content,
            }],
        };
        let der = CvContent::assemble(&written.body().unwrap(), &signature);
        let read = CvCertificate::parse(&der).unwrap();
        prop_assert_eq!(read.body(), &written.body().unwrap()[..]);
        prop_assert_eq!(read.as_der(), &der[..]);
        prop_assert_eq!(read.signature(), &signature[..]);
        let again = CvContent {
            issuer: read.issuer().clone(),
            holder: read.holder().clone(),
            public_key: read.public_key().clone(),
            chat: read.chat().clone(),
            effective: read.effective(),
            expiration: read.expiration(),
            extensions: read.extensions().to_vec(),
        };
        prop_assert_eq!(again, written);
    }

    #[test]
    fn no_altered_byte_passes(place in any::<prop::sample::Index>(), change in 1_u8..) {
        static ROOT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let der = ROOT.get_or_init(|| {
            let pair = Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha256);
            let name = "LVCVCA00001";
            pair.issue(&content(name, name, &pair, Role::Cvca, &Right::ALL))
        });
        let mut altered = der.clone();
        altered[place.index(der.len())] ^= change;
        if let Ok(read) = CvCertificate::parse(&altered) {
            prop_assert!(Holder::of_root(read, Strength::Current).is_err());
        }
        let _ = CvRequest::parse(&altered);
        let _ = EfCvca::parse(&altered);
    }

    #[test]
    fn files_of_references_survive(current in some_reference(), previous in prop::option::of(some_reference())) {
        let file = EfCvca { current, previous };
        let bytes = file.to_bytes();
        prop_assert_eq!(bytes.len(), 36);
        prop_assert_eq!(EfCvca::parse(&bytes), Ok(file));
    }
}

#[test]
fn ef_cvca_is_as_long_as_the_standard_says() {
    // TR-03110-3 Table 6: two references of 14 characters and padding.
    let file = EfCvca {
        current: reference("DECVCAePass012"),
        previous: None,
    };
    let expected = format!(
        "420E{}{}",
        hex::encode_upper("DECVCAePass012"),
        "00".repeat(20)
    );
    assert_eq!(hex::encode_upper(file.to_bytes()), expected);
    for wrong in ["", "00", "4200", "420E44", "420B4C564356434130303030 3101"] {
        let bytes = hex::decode(wrong.replace(' ', "")).unwrap();
        assert!(EfCvca::parse(&bytes).is_err(), "{wrong}");
    }
}
