//! What others published and what others' program says.

mod malformed;
mod openpace;
mod round_trip;
mod worked_example;

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::{RsaPssSaltlen, Signer};

use crate::algorithm::Curve;
use crate::cvc::{CvAlgorithm, CvContent, CvPublicKey, HolderReference, Parameters};
use crate::hash::Hash;
use crate::public_key::PublicKey;
use crate::signature::ecdsa_der_to_raw;
use crate::testing::EC_CURVES;

/// A private key of openssl's with which tests sign.
pub(super) struct Pair {
    pub(super) private: PKey<Private>,
    pub(super) public: PublicKey,
    pub(super) algorithm: CvAlgorithm,
}

impl Pair {
    pub(super) fn ec(curve: Curve, algorithm: CvAlgorithm) -> Self {
        let (_, nid) = EC_CURVES
            .into_iter()
            .find(|(known, _)| *known == curve)
            .unwrap();
        let group = EcGroup::from_curve_name(nid).unwrap();
        let key = EcKey::generate(&group).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let point = key
            .public_key()
            .to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
            .unwrap();
        Self {
            private: PKey::from_ec_key(key).unwrap(),
            public: PublicKey::from_point(curve, &point).unwrap(),
            algorithm,
        }
    }

    pub(super) fn rsa(algorithm: CvAlgorithm) -> Self {
        let key = Rsa::generate(2048).unwrap();
        let public = PublicKey::from_rsa(&key.n().to_vec(), &key.e().to_vec()).unwrap();
        Self {
            private: PKey::from_rsa(key).unwrap(),
            public,
            algorithm,
        }
    }

    pub(super) fn key(&self, parameters: Parameters) -> CvPublicKey {
        CvPublicKey::new(&self.public, self.algorithm, parameters).unwrap()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = match self.algorithm.hash() {
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha224 => MessageDigest::sha224(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        };
        let mut signer = Signer::new(digest, &self.private).unwrap();
        if self.algorithm.is_pss() {
            signer
                .set_rsa_padding(openssl::rsa::Padding::PKCS1_PSS)
                .unwrap();
            signer
                .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
                .unwrap();
        }
        let signature = signer.sign_oneshot_to_vec(message).unwrap();
        match self.public.curve() {
            Some(curve) => ecdsa_der_to_raw(curve, &signature).unwrap(),
            None => signature,
        }
    }

    pub(super) fn issue(&self, content: &CvContent) -> Vec<u8> {
        let body = content.body().unwrap();
        CvContent::assemble(&body, &self.sign(&body))
    }
}

pub(super) fn reference(text: &str) -> HolderReference {
    text.parse().unwrap()
}
