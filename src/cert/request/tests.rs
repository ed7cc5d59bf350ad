//! Requests, judged by openssl.

use p384::ecdsa::signature::hazmat::PrehashSigner;
use p384::elliptic_curve::sec1::ToSec1Point;
use proptest::prelude::*;

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use openssl::x509::X509Req;

use super::{Request, RequestError, RequestInfo};
use crate::algorithm::{Curve, KeyAlgorithm, RsaLength};
use crate::hash::Hash;
use crate::name::{AttributeType, DistinguishedName};
use crate::public_key::PublicKey;
use crate::signature::{SignatureError, ecdsa_der_to_raw};
use crate::signature_algorithm::SignatureAlgorithm;
use crate::testing::{EC_CURVES, Folder, openssl};

fn holder(cn: &str) -> DistinguishedName {
    DistinguishedName::builder()
        .with(AttributeType::Country, "LV")
        .with(AttributeType::CommonName, cn)
        .with(AttributeType::SerialNumber, "PNOLV-121282-88882")
        .build()
        .unwrap()
}

/// Stands for the chip: it gets a digest and gives r ‖ s.
struct Chip(p384::ecdsa::SigningKey);

impl Chip {
    fn new(seed: u8) -> Self {
        Self(p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap())
    }

    fn point(&self) -> Vec<u8> {
        let key = p384::PublicKey::from(self.0.verifying_key());
        key.to_sec1_point(false).as_bytes().to_vec()
    }

    fn sign(&self, digest: &[u8]) -> Vec<u8> {
        let signature: p384::ecdsa::Signature = self.0.sign_prehash(digest).unwrap();
        signature.to_bytes().to_vec()
    }
}

#[test]
fn openssl_accepts_a_chip_s_request() {
    let chip = Chip::new(3);
    let info = RequestInfo::new(&holder("ANDRIS PARAUDZIŅŠ"), Curve::P384, &chip.point());
    let info = info.unwrap();
    let der = info.assemble(&chip.sign(&info.digest())).unwrap();
    let folder = Folder::new();
    folder.write("request", &der);
    let said = openssl(
        &folder,
        &[
            "req",
            "-inform",
            "DER",
            "-in",
            "request",
            "-verify",
            "-noout",
            "-subject",
            "-nameopt",
            "utf8,sep_comma_plus",
        ],
    );
    assert!(said.contains("self-signature verify OK"), "{said}");
    assert!(
        said.contains("C=LV,CN=ANDRIS PARAUDZIŅŠ,serialNumber=PNOLV-121282-88882"),
        "{said}"
    );
    let request = Request::parse_and_verify(&der).unwrap();
    assert!(*request.subject() == holder("ANDRIS PARAUDZIŅŠ"));
    assert_eq!(request.public_key().point().unwrap(), chip.point());
}

/// A chip of openssl: it hashes inside, and answers in DER or as long as the modulus.
fn sign(key: &PKey<Private>, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    let hash = match algorithm.hash().unwrap() {
        Hash::Sha1 => MessageDigest::sha1(),
        Hash::Sha224 => MessageDigest::sha224(),
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha384 => MessageDigest::sha384(),
        Hash::Sha512 => MessageDigest::sha512(),
    };
    let mut signer = Signer::new(hash, key).unwrap();
    if let SignatureAlgorithm::RsaPss { salt_length, .. } = algorithm {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        let salt = RsaPssSaltlen::custom(salt_length.into());
        signer.set_rsa_pss_saltlen(salt).unwrap();
    }
    signer.sign_oneshot_to_vec(message).unwrap()
}

fn public(key: &PKey<Private>) -> PublicKey {
    PublicKey::from_spki_der(&key.public_key_to_der().unwrap()).unwrap()
}

/// Assembles and hands to openssl and to the reader.
fn judge(info: &RequestInfo, signature: &[u8], key: &PublicKey) {
    let der = info.assemble(signature).unwrap();
    let theirs = X509Req::from_der(&der).unwrap();
    assert!(theirs.verify(&theirs.public_key().unwrap()).unwrap());
    let read = Request::parse_and_verify_allowing_sha1(&der).unwrap();
    assert_eq!(read.public_key(), key);
    assert_eq!(read.signature_algorithm(), info.signature_algorithm());
    let strict = Request::parse_and_verify(&der);
    if info.hash() == Hash::Sha1 {
        let refused = RequestError::Possession(SignatureError::Unsupported);
        assert_eq!(strict, Err(refused));
    } else {
        assert_eq!(strict, Ok(read));
    }
}

#[test]
fn openssl_verifies_requests_on_every_curve() {
    for (curve, nid) in EC_CURVES {
        let group = EcGroup::from_curve_name(nid).unwrap();
        let private = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let key = public(&private);
        for hash in Hash::ALL {
            let algorithm = SignatureAlgorithm::Ecdsa(hash);
            let info = RequestInfo::for_key(&holder("A"), &key, algorithm).unwrap();
            assert_eq!(info.digest(), hash.digest(info.to_be_signed()));
            let signature = sign(&private, algorithm, info.to_be_signed());
            judge(&info, &signature, &key);
            judge(&info, &ecdsa_der_to_raw(curve, &signature).unwrap(), &key);
            assert!(info.assemble(&signature[1..]).is_err());
        }
    }
}

#[test]
fn openssl_verifies_rsa_requests() {
    for bits in [2048, 3072] {
        let private = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        let key = public(&private);
        for hash in Hash::ALL {
            let other_salt = SignatureAlgorithm::RsaPss {
                hash,
                salt_length: 11,
            };
            for algorithm in [
                SignatureAlgorithm::RsaPkcs1(hash),
                SignatureAlgorithm::rsa_pss(hash),
                other_salt,
            ] {
                let info = RequestInfo::for_key(&holder("A"), &key, algorithm).unwrap();
                let signature = sign(&private, algorithm, info.to_be_signed());
                judge(&info, &signature, &key);
                assert!(matches!(
                    info.assemble(&signature[1..]),
                    Err(RequestError::Possession(SignatureError::RsaLength { .. }))
                ));
            }
        }
    }
}

#[test]
fn keys_that_do_not_sign_so_make_no_request() {
    let weak = public(&PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap());
    let ec = PublicKey::from_point(Curve::P384, &Chip::new(3).point()).unwrap();
    let odd = public(&PKey::from_rsa(Rsa::generate(1536).unwrap()).unwrap());
    let rsa = SignatureAlgorithm::RsaPkcs1(Hash::Sha256);
    let foreign = SignatureAlgorithm::Other(rsa.oid());
    for (key, algorithm) in [(&weak, rsa), (&ec, rsa), (&odd, rsa), (&ec, foreign)] {
        let refused = RequestInfo::for_key(&holder("A"), key, algorithm).unwrap_err();
        let expected = RequestError::Algorithm {
            key: key.algorithm(),
            algorithm,
        };
        assert_eq!(refused, expected);
    }
    assert_eq!(
        weak.algorithm(),
        Some(KeyAlgorithm::Rsa(RsaLength::Bits1024))
    );
    // One that somebody else signed with it is refused as well.
    let private = PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap();
    let mut theirs = X509Req::builder().unwrap();
    theirs.set_pubkey(&private).unwrap();
    theirs.sign(&private, MessageDigest::sha256()).unwrap();
    assert!(matches!(
        Request::parse_and_verify(&theirs.build().to_der().unwrap()),
        Err(RequestError::Possession(SignatureError::WeakKey { .. }))
    ));
}

#[test]
fn openssl_s_requests_are_read() {
    let folder = Folder::new();
    for curve in ["P-256", "P-384"] {
        openssl(
            &folder,
            &[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                &format!("ec_paramgen_curve:{curve}"),
                "-out",
                "key",
            ],
        );
        let hash = if curve == "P-256" {
            "-sha512"
        } else {
            "-sha256"
        };
        openssl(
            &folder,
            &[
                "req",
                "-new",
                hash,
                "-key",
                "key",
                "-subj",
                "/C=LV/CN=X",
                "-outform",
                "DER",
                "-out",
                "request",
                "-addext",
                "keyUsage=keyCertSign",
            ],
        );
        let request = Request::parse_and_verify(&folder.read("request")).unwrap();
        assert_eq!(request.subject().to_string(), "C=LV, CN=X");
    }
}

#[test]
fn possession_is_demanded() {
    let (chip, thief) = (Chip::new(3), Chip::new(4));
    let info = RequestInfo::new(&holder("A"), Curve::P384, &chip.point()).unwrap();
    let wrong = Err(RequestError::Possession(SignatureError::Wrong));
    let by_thief = info.assemble(&thief.sign(&info.digest())).unwrap();
    assert_eq!(Request::parse_and_verify(&by_thief), wrong);
    let zero = info.assemble(&[0; 96]).unwrap();
    assert_eq!(Request::parse_and_verify(&zero), wrong);
    assert!(info.assemble(&[1; 64]).is_err());
    // The name is signed too.
    let good = info.assemble(&chip.sign(&info.digest())).unwrap();
    let place = good.windows(6).position(|w| w == b"PNOLV-").unwrap();
    let mut renamed = good.clone();
    renamed[place + 6] = b'9';
    assert_eq!(Request::parse_and_verify(&renamed), wrong);
    let mut longer = good;
    longer.push(0);
    assert!(matches!(
        Request::parse_and_verify(&longer),
        Err(RequestError::Syntax(_))
    ));
}

#[test]
fn points_are_checked() {
    let mut point = Chip::new(3).point();
    point[96] ^= 1;
    assert!(RequestInfo::new(&holder("A"), Curve::P384, &point).is_err());
    assert!(RequestInfo::new(&holder("A"), Curve::P256, &Chip::new(3).point()).is_err());
    assert!(RequestInfo::new(&holder("A"), Curve::P384, &[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn requests_round_trip(seed in 1_u8..=0x7f, cn in "[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,64}") {
        let chip = Chip::new(seed);
        let info = RequestInfo::new(&holder(&cn), Curve::P384, &chip.point()).unwrap();
        let der = info.assemble(&chip.sign(&info.digest())).unwrap();
        let request = Request::parse_and_verify(&der).unwrap();
        prop_assert!(*request.subject() == holder(&cn));
        let point = chip.point();
        prop_assert_eq!(request.public_key().point(), Some(&point[..]));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Request::parse_and_verify(&bytes).is_err());
    }
}
