//! The chip's own keys: for active authentication, for chip authentication, for PACE with
//! chip authentication mapping.

use card::Status;
use serde::{Deserialize, Serialize};

use super::curve::Curve;
use crate::applet::{Entropy, KeyWork, Work, broken};
use crate::inspection::cipher::Cipher;
use crate::objects::{Objects, object};
use crate::rsa::{BITS, RsaKey};
use crate::secret::{Secret, hexadecimal};

/// The algorithm number of RSA, beside those of the curves.
const RSA: u8 = 0x40;
/// Most keys that the chip holds.
const MOST: usize = 6;
/// Bytes that a key takes of the memory.
const COST: usize = 192;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Usage {
    ActiveAuthentication,
    ChipAuthentication,
    /// Chip authentication mapping of PACE.
    Mapping,
}

/// A hash that active authentication signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Sha1),
            2 => Some(Self::Sha224),
            3 => Some(Self::Sha256),
            4 => Some(Self::Sha384),
            5 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Computes it.
    pub(super) fn of(self, message: &[u8]) -> Vec<u8> {
        use openssl::sha;
        match self {
            Self::Sha1 => sha::sha1(message).to_vec(),
            Self::Sha224 => sha::sha224(message).to_vec(),
            Self::Sha256 => sha::sha256(message).to_vec(),
            Self::Sha384 => sha::sha384(message).to_vec(),
            Self::Sha512 => sha::sha512(message).to_vec(),
        }
    }
}

/// A private key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Private {
    Curve {
        curve: Curve,
        scalar: Secret,
    },
    /// RSA-2048, in DER.
    Rsa(Secret),
}

/// A key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyObject {
    pub(super) reference: u8,
    pub(super) usage: Usage,
    /// What active authentication hashes with.
    pub(super) hash: Hash,
    /// What chip authentication may establish: bit n is the cipher with arc n + 1.
    ciphers: u8,
    pub(super) private: Private,
    /// `86` with the point, or `81` and `82` with modulus and exponent.
    #[serde(with = "hexadecimal")]
    public: Vec<u8>,
}

impl KeyObject {
    /// Says whether chip authentication with it may establish this cipher.
    pub(super) fn serves(&self, cipher: Cipher) -> bool {
        let arc = match cipher {
            Cipher::TripleDes => 0,
            Cipher::Aes128 => 1,
            Cipher::Aes192 => 2,
            Cipher::Aes256 => 3,
        };
        self.usage == Usage::ChipAuthentication && self.ciphers >> arc & 1 == 1
    }
}

/// What GENERATE and the import of a key say of it.
struct Wanted {
    reference: u8,
    usage: Usage,
    hash: Hash,
    ciphers: u8,
    curve: Option<Curve>,
}

/// Tags that say it: algorithm, reference, hash, ciphers, usage.
const ABOUT: [u32; 5] = [0x80, 0x84, 0x90, 0x8B, 0x95];

impl Wanted {
    fn read(objects: &Objects<'_>) -> Result<Self, Status> {
        let wrong = Status::WRONG_DATA;
        let curve = match objects.byte(0x80)? {
            RSA => None,
            number => Some(Curve::from_number(number).ok_or(wrong)?),
        };
        let usage = match objects.byte(0x95)? {
            0x01 => Usage::ActiveAuthentication,
            0x02 => Usage::ChipAuthentication,
            0x04 => Usage::Mapping,
            _ => return Err(wrong),
        };
        if curve.is_none() && usage != Usage::ActiveAuthentication {
            return Err(wrong);
        }
        let usual = match curve.map(Curve::bits) {
            None => Hash::Sha256,
            Some(..=224) => Hash::Sha224,
            Some(225..=256) => Hash::Sha256,
            Some(257..=384) => Hash::Sha384,
            Some(_) => Hash::Sha512,
        };
        let hash = match objects.get(0x90) {
            Some(&[number]) if usage == Usage::ActiveAuthentication => {
                Hash::from_number(number).ok_or(wrong)?
            }
            Some(_) => return Err(wrong),
            None => usual,
        };
        let ciphers = match objects.get(0x8B) {
            Some(&[ciphers @ 0x01..=0x0F]) if usage == Usage::ChipAuthentication => ciphers,
            Some(_) => return Err(wrong),
            // Every AES.
            None => 0x0E,
        };
        Ok(Self {
            reference: objects.byte(0x84)?,
            usage,
            hash,
            ciphers,
            curve,
        })
    }

    fn with(self, private: Private, public: Vec<u8>) -> KeyObject {
        KeyObject {
            reference: self.reference,
            usage: self.usage,
            hash: self.hash,
            ciphers: self.ciphers,
            private,
            public,
        }
    }
}

/// All keys.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeyObjects(Vec<KeyObject>);

impl KeyObjects {
    /// Makes a key pair: `AC { 80 <algorithm> 84 <reference> 95 <usage> [90 <hash>]
    /// [8B <ciphers>] }`; returns its public key `7F49`.
    pub(super) fn generate(
        &mut self,
        data: &[u8],
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Vec<u8>, Status> {
        let template = Objects::single(data, 0xAC)?;
        let wanted = Wanted::read(&Objects::parse(template, &ABOUT)?)?;
        self.has_room(&wanted)?;
        let (private, public) = match wanted.curve {
            Some(curve) => {
                work.key = Some(curve.work());
                let scalar = curve.draw(entropy)?;
                of_curve(curve, scalar)?
            }
            None => {
                work.key = Some(KeyWork::Rsa(BITS));
                of_rsa(&RsaKey::generate().map_err(broken)?)?
            }
        };
        Ok(self.keep(wanted.with(private, public), work))
    }

    /// Takes a key pair: `7F48 { … as above; of a curve 87 <scalar>; of RSA 82 <e> 92 <p>
    /// 93 <q> }`; returns its public key `7F49`.
    pub(super) fn import(&mut self, data: &[u8], work: &mut Work) -> Result<Vec<u8>, Status> {
        let template = Objects::single(data, 0x7F48)?;
        let [a, b, c, d, e] = ABOUT;
        let objects = Objects::parse(template, &[a, b, c, d, e, 0x82, 0x87, 0x92, 0x93])?;
        let wanted = Wanted::read(&objects)?;
        self.has_room(&wanted)?;
        let wrong = Status::WRONG_DATA;
        let numbers = [0x82, 0x92, 0x93].map(|tag| objects.get(tag));
        let (private, public) = match (wanted.curve, objects.get(0x87), numbers) {
            (Some(curve), Some(scalar), [None, None, None]) => {
                if !curve.takes(scalar).map_err(broken)? {
                    return Err(wrong);
                }
                of_curve(curve, Secret::new(scalar))?
            }
            (None, None, [Some(e), Some(p), Some(q)]) => {
                of_rsa(&RsaKey::from_primes(e, p, q).ok_or(wrong)?)?
            }
            _ => return Err(wrong),
        };
        Ok(self.keep(wanted.with(private, public), work))
    }

    /// Reads a public key: `AC { 84 <reference> }`.
    pub(super) fn read(&self, data: &[u8]) -> Result<Vec<u8>, Status> {
        let template = Objects::single(data, 0xAC)?;
        let reference = Objects::parse(template, &[0x84])?.byte(0x84)?;
        let key = self.0.iter().find(|key| key.reference == reference);
        let key = key.ok_or(Status::REFERENCE_NOT_FOUND)?;
        Ok(object::<0x7F49>(&key.public))
    }

    /// A reference names one key; it may be made anew for the same use.
    fn has_room(&self, wanted: &Wanted) -> Result<(), Status> {
        match self.0.iter().find(|key| key.reference == wanted.reference) {
            Some(key) if key.usage != wanted.usage => Err(Status::WRONG_DATA),
            None if self.0.len() >= MOST => Err(Status::NOT_ENOUGH_MEMORY),
            // One key signs for active authentication, one serves each curve's mapping.
            None if wanted.usage == Usage::ActiveAuthentication && self.active().is_some() => {
                Err(Status::WRONG_DATA)
            }
            _ => Ok(()),
        }
    }

    fn keep(&mut self, key: KeyObject, work: &mut Work) -> Vec<u8> {
        let public = object::<0x7F49>(&key.public);
        work.written += COST;
        self.0.retain(|earlier| earlier.reference != key.reference);
        self.0.push(key);
        public
    }

    /// Returns the key of active authentication.
    pub(super) fn active(&self) -> Option<&KeyObject> {
        let mut keys = self.0.iter();
        keys.find(|key| key.usage == Usage::ActiveAuthentication)
    }

    /// Returns the keys of chip authentication.
    pub(super) fn of_chip(&self) -> impl Iterator<Item = &KeyObject> {
        let keys = self.0.iter();
        keys.filter(|key| key.usage == Usage::ChipAuthentication)
    }

    /// Returns the key of chip authentication mapping over a curve.
    pub(super) fn for_mapping(&self, wanted: Curve) -> Option<&Secret> {
        self.0.iter().find_map(|key| match &key.private {
            Private::Curve { curve, scalar } => {
                (key.usage == Usage::Mapping && *curve == wanted).then_some(scalar)
            }
            Private::Rsa(_) => None,
        })
    }
}

fn of_curve(curve: Curve, scalar: Secret) -> Result<(Private, Vec<u8>), Status> {
    let public = curve.multiply(None, &scalar).map_err(broken)?;
    let public = object::<0x86>(&curve.encode(&public).map_err(broken)?);
    Ok((Private::Curve { curve, scalar }, public))
}

fn of_rsa(key: &RsaKey) -> Result<(Private, Vec<u8>), Status> {
    let public = [
        object::<0x81>(&key.modulus()),
        object::<0x82>(&key.exponent()),
    ];
    Ok((Private::Rsa(key.to_der().map_err(broken)?), public.concat()))
}
