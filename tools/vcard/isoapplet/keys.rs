//! MANAGE SECURITY ENVIRONMENT and GENERATE ASYMMETRIC KEY PAIR (ISO/IEC 7816-8 §11).

use card::tlv::{self, Tlv};
use card::{Command, Status};
use openssl::error::ErrorStack;

use super::Version;
use super::applet::{DATA_INVALID, Environment, IsoApplet, Outcome};
use super::memory::{Key, MOST_KEYS};
use crate::applet::{KeyWork, Work};
use crate::curve::Curve;
use crate::objects::object;
use crate::rsa::{BITS, RsaKey};

/// Algorithm: make or import an EC key.
pub(super) const EC_KEY: u8 = 0xEC;
/// Algorithm: make or import an RSA key of 2048 bits.
pub(super) const RSA_KEY: u8 = 0xF3;
/// Algorithm: an RSA key of 4096 bits, which version 1 prepares and does not make.
const RSA_4096_KEY: u8 = 0xF5;
/// Algorithm: RSA with the padding of PKCS#1 v1.5.
pub(super) const RSA_PKCS1: u8 = 0x11;
/// Algorithm: RSA-PSS.
pub(super) const RSA_PSS: u8 = 0x12;
/// Algorithm: ECDSA.
pub(super) const ECDSA: u8 = 0x21;
/// The working memory of the applet: more in one command does not go in.
pub(super) const BUFFER: usize = 660;

impl IsoApplet {
    /// `00 22 41 <00 key pair | B6 signature | B8 decipherment>  80 01 <algorithm>
    /// 84 01 <key>`.
    pub(super) fn manage_security_environment(&mut self, command: &Command) -> Outcome {
        self.verified()?;
        let objects = tlv::parse_all(command.data()).map_err(|_| DATA_INVALID)?;
        let one = |tag| match get(&objects, tag) {
            Some([byte]) => Ok(*byte),
            _ => Err(DATA_INVALID),
        };
        let (algorithm, reference) = match command.p1() {
            0x41 => {
                let algorithm = one(0x80)?;
                let reference = one(0x84)?;
                // References are signed to the applet: 80 to FE pass here, and fail later.
                if (MOST_KEYS..0x80).contains(&usize::from(reference)) {
                    return Err(DATA_INVALID);
                }
                (algorithm, reference)
            }
            0xF3 => (0, 0xFF),
            _ => return Err(Status::FUNCTION_NOT_SUPPORTED),
        };
        let key = usize::from(reference);
        let v1 = self.build.version == Version::V1;
        match command.p2() {
            0x00 => {
                let known =
                    matches!(algorithm, EC_KEY | RSA_KEY) || (v1 && algorithm == RSA_4096_KEY);
                if !known {
                    return Err(Status::FUNCTION_NOT_SUPPORTED);
                }
                if reference > 0x7F {
                    return Err(DATA_INVALID);
                }
            }
            0xB6 | 0xB8 => {
                let signing = command.p2() == 0xB6;
                if signing && reference == 0xFF {
                    return Err(DATA_INVALID);
                }
                let wants_ec = match algorithm {
                    RSA_PKCS1 => false,
                    RSA_PSS if signing && v1 => false,
                    ECDSA if signing => true,
                    _ => return Err(Status::FUNCTION_NOT_SUPPORTED),
                };
                if reference == 0xFF {
                    return Err(DATA_INVALID);
                }
                // A key that is not there is an exception to the applet.
                let is_ec = matches!(self.key(key)?, Key::Ec { .. });
                if is_ec != wants_ec {
                    return Err(DATA_INVALID);
                }
            }
            _ => return Err(Status::FUNCTION_NOT_SUPPORTED),
        }
        self.session.environment = Some(Environment { algorithm, key });
        Ok(Vec::new())
    }

    /// Returns a key.
    pub(super) fn key(&self, reference: usize) -> Result<&Key, Status> {
        let key = self.memory.keys.get(reference).and_then(Option::as_ref);
        key.ok_or(Status::UNKNOWN)
    }

    /// Puts a key into its place.
    pub(super) fn keep(&mut self, reference: usize, key: Key, work: &mut Work) -> Outcome {
        let cost = match key {
            Key::Ec { .. } => 320,
            Key::Rsa { .. } => 1300,
        };
        self.room(cost)?;
        let place = self.memory.keys.get_mut(reference);
        *place.ok_or(Status::UNKNOWN)? = Some(key);
        work.written += cost;
        Ok(Vec::new())
    }

    /// `00 46 42 00` makes an RSA key, `00 46 00 00 <domain parameters>` an EC key, where
    /// MSE SET prepared it. Answers the public key, `7F49 { … }`.
    pub(super) fn generate_key_pair(&mut self, command: &Command, work: &mut Work) -> Outcome {
        self.verified()?;
        let environment = self.session.environment;
        let environment = environment.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let parameters = (command.p1(), command.p2());
        let public = match environment.algorithm {
            RSA_KEY if parameters == (0x42, 0x00) => {
                work.key = Some(KeyWork::Rsa(BITS));
                let (key, public) = make_rsa().map_err(|_| Status::UNKNOWN)?;
                self.keep(environment.key, key, work)?;
                public
            }
            EC_KEY if parameters == (0x00, 0x00) => {
                if command.data().len() > BUFFER {
                    return Err(self.overflow());
                }
                let objects = tlv::parse_all(command.data()).map_err(|_| DATA_INVALID)?;
                let curve = domain(&objects)?;
                work.key = Some(curve.work());
                let (private, public) = curve.generate().map_err(|_| Status::UNKNOWN)?;
                let answer = ec_public(curve, &public).map_err(|_| Status::UNKNOWN)?;
                let key = Key::Ec {
                    curve,
                    private,
                    public,
                };
                self.keep(environment.key, key, work)?;
                answer
            }
            RSA_KEY | EC_KEY => return Err(Status::WRONG_P1_P2),
            _ => return Err(Status::CONDITIONS_NOT_SATISFIED),
        };
        Ok(public)
    }

    /// What a command gets that is longer than the applet's buffer.
    pub(super) fn overflow(&self) -> Status {
        match self.build.version {
            Version::V0 => Status::WRONG_LENGTH,
            Version::V1 => Status::UNKNOWN,
        }
    }
}

/// Reads the domain parameters, which must be those of a curve that the chip has: 81 p, 82 a,
/// 83 b, 84 G, 85 n, 87 cofactor.
pub(super) fn domain(objects: &[Tlv<'_>]) -> Result<Curve, Status> {
    let need = |tag| get(objects, tag).ok_or(DATA_INVALID);
    let curve = match need(0x81)?.len() {
        32 => Curve::P256,
        48 => Curve::P384,
        _ => return Err(Status::FUNCTION_NOT_SUPPORTED),
    };
    let given = [
        need(0x81)?,
        need(0x82)?,
        need(0x83)?,
        need(0x84)?,
        need(0x85)?,
    ];
    let known = curve.domain().map_err(|_| Status::UNKNOWN)?;
    let cofactor = matches!(need(0x87)?, [1] | [0, 1]);
    if cofactor && known.iter().zip(given).all(|(known, given)| known == given) {
        Ok(curve)
    } else {
        Err(DATA_INVALID)
    }
}

/// Encodes an EC public key with its domain parameters (ISO/IEC 7816-8 table 3).
fn ec_public(curve: Curve, public: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let [p, a, b, generator, order] = curve.domain()?;
    Ok(object::<0x7F49>(
        &[
            object::<0x81>(&p),
            object::<0x82>(&a),
            object::<0x83>(&b),
            object::<0x84>(&generator),
            object::<0x85>(&order),
            object::<0x86>(public),
            object::<0x87>(&[0x00, 0x01]),
        ]
        .concat(),
    ))
}

fn make_rsa() -> Result<(Key, Vec<u8>), ErrorStack> {
    let key = RsaKey::generate()?;
    let modulus = object::<0x81>(&key.modulus());
    let exponent = object::<0x82>(&key.exponent());
    let public = object::<0x7F49>(&[modulus, exponent].concat());
    let private = key.to_der()?;
    Ok((Key::Rsa { private }, public))
}

/// Returns the value of the first object with this tag.
pub(super) fn get<'a>(objects: &[Tlv<'a>], tag: u32) -> Option<&'a [u8]> {
    let found = objects.iter().find(|object| object.tag.value() == tag);
    found.map(|object| object.value)
}
