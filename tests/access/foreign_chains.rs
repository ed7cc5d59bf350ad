//! Fingerprints by chains that another program made, RSA among them.

use std::error::Error;

use cert::cvc::CvCertificate;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;

use crate::TerminalKey;
use crate::border::Terminal;
use crate::inspection::{GENERIC, SHORT, inspect};
use crate::issuer::issue_guarded;
use crate::testing::{bytes, vectors};

/// A key of a chain that another program made.
struct Others {
    key: PKey<Private>,
    scheme: String,
}

impl TerminalKey for Others {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let digest = match self.scheme.as_str() {
            "ECDSA_SHA_384" => MessageDigest::sha384(),
            _ => MessageDigest::sha256(),
        };
        let mut signer = openssl::sign::Signer::new(digest, &self.key)?;
        if self.scheme.starts_with("RSA_PSS") {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        let signature = signer.sign_oneshot_to_vec(message)?;
        if self.scheme.starts_with("RSA") {
            return Ok(signature);
        }
        let width = if self.scheme == "ECDSA_SHA_384" {
            48
        } else {
            32
        };
        let signature = openssl::ecdsa::EcdsaSig::from_der(&signature)?;
        let [r, s] = [signature.r(), signature.s()].map(|n| n.to_vec_padded(width));
        Ok([r?, s?].concat())
    }
}

#[test]
fn chains_of_another_program_lead_there_too() {
    let rows = vectors("icao9303-11/chip_cv_chains.json");
    for row in rows["chains"].as_array().unwrap() {
        let scheme = row["scheme"].as_str().unwrap();
        let certificate = |name: &str| CvCertificate::parse(&bytes(&row[name])).unwrap();
        let private = PKey::private_key_from_pkcs8(&bytes(&row["terminal_private"])).unwrap();
        let terminal = Terminal {
            chain: vec![certificate("terminal"), certificate("verifier")],
            key: Box::new(Others {
                key: private,
                scheme: scheme.to_owned(),
            }),
        };
        let mut chip = issue_guarded(GENERIC, &certificate("cvca"));
        let extended = chip.limits;
        for limits in [extended, SHORT] {
            if scheme.starts_with("RSA") && !limits.extended {
                continue;
            }
            chip.limits = limits;
            let mut inspection = inspect(&mut chip);
            let proved = inspection.prove(&terminal);
            proved.unwrap_or_else(|error| panic!("{scheme}: {error}"));
            inspection.reads();
        }
    }
}
