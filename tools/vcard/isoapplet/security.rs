//! PERFORM SECURITY OPERATION: signatures and decipherment (ISO/IEC 7816-8 §11.4).

use card::{Command, Status};
use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey::PKey;
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sha::sha1;
use openssl::sign::RsaPssSaltlen;

use super::Version;
use super::applet::{IsoApplet, Outcome};
use super::keys::{BUFFER, ECDSA, RSA_PKCS1, RSA_PSS};
use super::memory::Key;
use crate::applet::{KeyWork, Work, broken};
use crate::curve;
use crate::rsa::{BITS, BYTES, RsaKey};

/// The first length that does not fit, which the padding refuses rather than the applet.
const TOO_MUCH: usize = MOST_FITTING + 1;
/// Most bytes that the applet lets through to the padding of PKCS#1 v1.5.
const MOST_PADDED: usize = 247;
/// Most bytes that fit under the padding of PKCS#1 v1.5.
const MOST_FITTING: usize = 245;

impl IsoApplet {
    /// `00 2A 9E 9A <data>` signs, `00 2A 80 86 00 <cryptogram>` deciphers.
    pub(super) fn perform_security_operation(
        &mut self,
        command: &Command,
        work: &mut Work,
    ) -> Outcome {
        self.verified()?;
        match (command.p1(), command.p2()) {
            (0x9E, 0x9A) => self.sign(command, work),
            (0x80, 0x86) => self.decipher(command, work),
            _ => Err(Status::WRONG_P1_P2),
        }
    }

    fn sign(&self, command: &Command, work: &mut Work) -> Outcome {
        let environment = self.session.environment;
        let environment = environment.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let data = command.data();
        match environment.algorithm {
            ECDSA => {
                let Key::Ec {
                    curve,
                    private,
                    public,
                } = self.key(environment.key)?
                else {
                    return Err(Status::UNKNOWN);
                };
                work.signed = Some(curve.work());
                let raw = match self.build.version {
                    Version::V0 => curve.sign(private, public, &sha1(data)),
                    Version::V1 => curve.sign(private, public, data),
                };
                curve::der(&raw.map_err(broken)?).map_err(broken)
            }
            RSA_PKCS1 | RSA_PSS => {
                let rsa = self.rsa(environment.key)?;
                let signature = if environment.algorithm == RSA_PKCS1 {
                    match data.len() {
                        ..=MOST_FITTING => {}
                        TOO_MUCH..=MOST_PADDED => return Err(Status::UNKNOWN),
                        _ => return Err(Status::WRONG_LENGTH),
                    }
                    rsa.sign_padded(data)
                } else {
                    let hash = match data.len() {
                        20 => Md::sha1(),
                        28 => Md::sha224(),
                        32 => Md::sha256(),
                        48 => Md::sha384(),
                        64 => Md::sha512(),
                        _ => return Err(Status::WRONG_LENGTH),
                    };
                    pss(rsa, hash, data)
                };
                if command.le().unwrap_or(0) < 256 {
                    return Err(Status::new(0x6C00));
                }
                work.signed = Some(KeyWork::Rsa(BITS));
                signature.map_err(broken)
            }
            _ => Err(Status::CONDITIONS_NOT_SATISFIED),
        }
    }

    fn decipher(&self, command: &Command, work: &mut Work) -> Outcome {
        let data = command.data();
        if data.len() > BUFFER {
            return Err(self.overflow());
        }
        // The first byte says how it is padded: 00, not told.
        let Some((0x00, cryptogram)) = data.split_first() else {
            return Err(Status::WRONG_DATA);
        };
        let environment = self.session.environment;
        let environment = environment.filter(|set| set.algorithm == RSA_PKCS1);
        let environment = environment.ok_or(Status::FUNCTION_NOT_SUPPORTED)?;
        let rsa = self.rsa(environment.key)?;
        if cryptogram.len() != BYTES {
            return Err(Status::WRONG_LENGTH);
        }
        work.signed = Some(KeyWork::Rsa(BITS));
        rsa.decipher_padded(cryptogram).ok_or(Status::WRONG_DATA)
    }

    fn rsa(&self, reference: usize) -> Result<RsaKey, Status> {
        let Key::Rsa { private } = self.key(reference)? else {
            return Err(Status::UNKNOWN);
        };
        RsaKey::from_der(private).map_err(|_| Status::UNKNOWN)
    }
}

fn pss(rsa: RsaKey, hash: &MdRef, data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::from_rsa(rsa.into_openssl())?;
    let mut context = PkeyCtx::new(&key)?;
    context.sign_init()?;
    context.set_rsa_padding(Padding::PKCS1_PSS)?;
    context.set_signature_md(hash)?;
    context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    let mut signature = Vec::new();
    context.sign_to_vec(data, &mut signature)?;
    Ok(signature)
}
