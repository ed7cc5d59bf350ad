//! What tests share: profiles, a chip, a CA in a throw-away token, and openssl.

use std::process::Command;
use std::sync::Arc;

use cert::request::{Request, RequestInfo};
use cert::{Curve, Hash, KeyAlgorithm, PublicKey};
use hsm::{Curve as TokenCurve, test_support};
use jiff::Timestamp;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use p384::ecdsa::signature::hazmat::PrehashSigner;
use p384::elliptic_curve::sec1::ToSec1Point;

use crate::{CertificateOrder, CertificateProfile, EmbeddedCa, Holder};

pub(crate) const AUTHENTICATION: &str = include_str!("../../certs/eid-authentication.toml");
pub(crate) const SIGNATURE: &str = include_str!("../../certs/eid-signature.toml");
pub(crate) const PIV: &str = include_str!("../../certs/piv-authentication.toml");
pub(crate) const CARD: &str = include_str!("../../certs/piv-card-authentication.toml");
pub(crate) const CA: &str = include_str!("../../certs/pilot-ca.toml");

pub(crate) const OCSP: &str = include_str!("../../certs/pilot-ocsp.toml");
pub(crate) const QUALIFIED_AUTHENTICATION: &str =
    include_str!("../../certs/qualified-authentication.toml");
pub(crate) const QUALIFIED_SIGNATURE: &str = include_str!("../../certs/qualified-signature.toml");
pub(crate) const ALIEN_AUTHENTICATION: &str = include_str!("../../certs/alien-authentication.toml");
pub(crate) const ALIEN_SIGNATURE: &str = include_str!("../../certs/alien-signature.toml");

pub(crate) fn profile(text: &str) -> CertificateProfile {
    CertificateProfile::parse(text).unwrap()
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An invented person.
pub(crate) fn holder() -> Holder {
    Holder::new(
        "LV",
        "PARAUDZIŅŠ",
        "ANDRIS JĀNIS",
        "121282-88882",
        "XA0000001",
    )
}

/// Stands for the chip that makes a request.
pub(crate) fn request(seed: u8) -> (Request, Vec<u8>) {
    let read = Request::parse_and_verify(&request_der(seed)).unwrap();
    let point = read.public_key().point().unwrap().to_vec();
    (read, point)
}

/// Returns that request as the chip makes it.
pub(crate) fn request_der(seed: u8) -> Vec<u8> {
    let key = p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap();
    let public = p384::PublicKey::from(key.verifying_key());
    let point = public.to_sec1_point(false).as_bytes().to_vec();
    let name = profile(AUTHENTICATION).subject(Some(&holder())).unwrap();
    let info = RequestInfo::new(&name, Curve::P384, &point).unwrap();
    let signature: p384::ecdsa::Signature = key.sign_prehash(&info.digest()).unwrap();
    info.assemble(&signature.to_bytes()).unwrap()
}

/// Stands for a chip of openssl's, with a key of this kind; it signs in DER.
pub(crate) fn request_of(algorithm: KeyAlgorithm) -> Request {
    let private = match algorithm {
        KeyAlgorithm::Ec(curve) => {
            let nid = match curve {
                Curve::P256 => Nid::X9_62_PRIME256V1,
                Curve::P384 => Nid::SECP384R1,
                Curve::P521 => Nid::SECP521R1,
                Curve::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
                Curve::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
                Curve::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
            };
            let group = EcGroup::from_curve_name(nid).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        }
        KeyAlgorithm::Rsa(length) => {
            let bits = u32::try_from(length.bits()).unwrap();
            PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
        }
    };
    let key = PublicKey::from_spki_der(&private.public_key_to_der().unwrap()).unwrap();
    let name = profile(AUTHENTICATION).subject(Some(&holder())).unwrap();
    let info = RequestInfo::for_key(&name, &key, algorithm.signature_algorithm()).unwrap();
    let hash = match info.hash() {
        Hash::Sha1 => MessageDigest::sha1(),
        Hash::Sha224 => MessageDigest::sha224(),
        Hash::Sha256 => MessageDigest::sha256(),
        Hash::Sha384 => MessageDigest::sha384(),
        Hash::Sha512 => MessageDigest::sha512(),
    };
    let mut signer = Signer::new(hash, &private).unwrap();
    let signature = signer.sign_oneshot_to_vec(info.to_be_signed()).unwrap();
    Request::parse_and_verify(&info.assemble(&signature).unwrap()).unwrap()
}

/// Makes a CA as of the beginning of 2026; only within `with_private_tokens`.
pub(crate) fn ca(label: &str) -> EmbeddedCa {
    let token = test_support::token(label);
    token.generate_signing_key("ca", TokenCurve::P384).unwrap();
    let signer = Arc::new(token.signer("ca").unwrap());
    EmbeddedCa::create(
        &profile(CA),
        signer,
        Arc::new(token),
        time("2026-01-01T00:00:00Z"),
    )
    .unwrap()
}

/// When orders are given.
pub(crate) const AT: &str = "2026-03-02T08:00:00Z";

pub(crate) fn order(
    profile: &CertificateProfile,
    request: &Request,
    holder: &Holder,
) -> CertificateOrder {
    CertificateOrder {
        profile: Arc::new(profile.clone()),
        public_key: request.public_key().clone(),
        request: None,
        subject: profile.subject(Some(holder)).unwrap(),
        not_after: time("2036-03-01T23:59:59Z"),
    }
}

/// A client that trusts no server: for plain HTTP on this machine.
pub(crate) fn http_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    /// Writes a file for its owner alone.
    pub(crate) fn write_secret(&self, name: &str, bytes: &[u8]) {
        self.write(name, bytes);
        self.permit(name, 0o600);
    }

    pub(crate) fn permit(&self, name: &str, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.path(name), mode).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).unwrap()
    }

    /// Runs a program here; returns whether it succeeded, and what it said on both streams.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    pub(crate) fn openssl(&self, arguments: &[&str]) -> String {
        let (done, said) = self.run("openssl", arguments);
        assert!(done, "openssl {arguments:?}: {said}");
        said
    }
}
