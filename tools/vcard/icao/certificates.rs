//! Card-verifiable certificates (BSI TR-03110-3 App. C, D), as a chip reads them.

use card::Status;
use card::tlv;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Verifier};
use serde::{Deserialize, Serialize};

use super::curve::{Curve, Stated};
use crate::applet::{KeyWork, broken};
use crate::objects::Objects;
use crate::secret::hexadecimal;

const BODY: u32 = 0x7F4E;
const SIGNATURE: u32 = 0x5F37;
/// id-TA: 0.4.0.127.0.7.2.2.2.
const TERMINAL_AUTHENTICATION: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02];
/// id-IS: 0.4.0.127.0.7.3.1.2.1, the inspection systems of travel documents.
const INSPECTION_SYSTEM: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x01];
/// The rights in an inspection system's template: irises, fingerprints.
const RIGHTS: u8 = 0x03;
/// Lengths of a reference: country, mnemonic, sequence number.
const REFERENCE: std::ops::RangeInclusive<usize> = 8..=16;
/// Bits of an RSA modulus.
const MODULUS: std::ops::RangeInclusive<i32> = 1024..=4096;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Scheme {
    Ecdsa(Digest),
    /// PKCS#1 v1.5.
    Rsa(Digest),
    RsaPss(Digest),
}

/// What is hashed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Digest {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    fn openssl(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }
}

impl Scheme {
    fn from_identifier(identifier: &[u8]) -> Option<Self> {
        let [kind, hash] = *identifier.strip_prefix(&TERMINAL_AUTHENTICATION)? else {
            return None;
        };
        Some(match (kind, hash) {
            (1, 1) => Self::Rsa(Digest::Sha1),
            (1, 2) => Self::Rsa(Digest::Sha256),
            (1, 3) => Self::RsaPss(Digest::Sha1),
            (1, 4) => Self::RsaPss(Digest::Sha256),
            (1, 5) => Self::Rsa(Digest::Sha512),
            (1, 6) => Self::RsaPss(Digest::Sha512),
            (2, 1) => Self::Ecdsa(Digest::Sha1),
            (2, 2) => Self::Ecdsa(Digest::Sha224),
            (2, 3) => Self::Ecdsa(Digest::Sha256),
            (2, 4) => Self::Ecdsa(Digest::Sha384),
            (2, 5) => Self::Ecdsa(Digest::Sha512),
            _ => return None,
        })
    }
}

/// A key that certificates, or a terminal's proof, are verified with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicKey {
    scheme: Scheme,
    number: Number,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Number {
    Point {
        curve: Curve,
        #[serde(with = "hexadecimal")]
        point: Vec<u8>,
    },
    Rsa {
        #[serde(with = "hexadecimal")]
        modulus: Vec<u8>,
        #[serde(with = "hexadecimal")]
        exponent: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads `7F49`'s value. A key without parameters of its own is on its issuer's curve
    /// (App. D.3.3); only a CVCA's has its own.
    fn read(template: &[u8], issuer: Option<&Self>) -> Result<Self, Status> {
        let tags = [0x06, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87];
        let objects = Objects::parse(template, &tags)?;
        let wrong = Status::WRONG_DATA;
        let scheme = Scheme::from_identifier(objects.need(0x06)?).ok_or(wrong)?;
        let number = match scheme {
            Scheme::Ecdsa(_) => {
                let curve = match (objects.get(0x81), issuer.map(|issuer| &issuer.number)) {
                    (Some(p), None) => stated(&objects, p)?,
                    (None, Some(Number::Point { curve, .. })) => *curve,
                    _ => return Err(wrong),
                };
                let point = objects.need(0x86)?;
                curve.decode(point).map_err(broken)?.ok_or(wrong)?;
                let parameters = [0x82, 0x83, 0x84, 0x85, 0x87];
                let has_some = parameters.iter().any(|tag| objects.get(*tag).is_some());
                if has_some != issuer.is_none() {
                    return Err(wrong);
                }
                let point = point.to_vec();
                Number::Point { curve, point }
            }
            Scheme::Rsa(_) | Scheme::RsaPss(_) => {
                let objects = Objects::parse(template, &[0x06, 0x81, 0x82])?;
                let (modulus, exponent) = (objects.need(0x81)?, objects.need(0x82)?);
                let bits = BigNum::from_slice(modulus).map_err(broken)?.num_bits();
                let exponent_bits = BigNum::from_slice(exponent).map_err(broken)?.num_bits();
                if !MODULUS.contains(&bits) || !(2..=64).contains(&exponent_bits) {
                    return Err(wrong);
                }
                Number::Rsa {
                    modulus: modulus.to_vec(),
                    exponent: exponent.to_vec(),
                }
            }
        };
        Ok(Self { scheme, number })
    }

    /// Says whether it is a key of this protocol.
    pub(super) fn is_of(&self, identifier: &[u8]) -> bool {
        Scheme::from_identifier(identifier) == Some(self.scheme)
    }

    /// Returns what a verification with it is, for the timing model: with RSA next to nothing.
    pub(super) fn work(&self) -> Option<KeyWork> {
        match &self.number {
            Number::Point { curve, .. } => Some(curve.work()),
            Number::Rsa { .. } => None,
        }
    }

    /// Verifies a signature. What is none is false.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = || match (&self.number, self.scheme) {
            (Number::Point { curve, point }, Scheme::Ecdsa(digest)) => {
                let hash = openssl::hash::hash(digest.openssl(), message)?;
                Ok(curve.verifies(point, &hash, signature))
            }
            (Number::Rsa { modulus, exponent }, Scheme::Rsa(digest) | Scheme::RsaPss(digest)) => {
                let (n, e) = (BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?);
                let key = PKey::from_rsa(Rsa::from_public_components(n, e)?)?;
                let mut verifier = Verifier::new(digest.openssl(), &key)?;
                if let Scheme::RsaPss(digest) = self.scheme {
                    verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                    verifier.set_rsa_mgf1_md(digest.openssl())?;
                    // TR-03110 leaves the salt's length open: whatever it is, it is found.
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::MAXIMUM_LENGTH)?;
                }
                verifier.verify_oneshot(signature, message)
            }
            _ => Ok::<bool, openssl::error::ErrorStack>(false),
        };
        verified().unwrap_or(false)
    }
}

fn stated(objects: &Objects<'_>, p: &[u8]) -> Result<Curve, Status> {
    let stated = Stated {
        p,
        a: objects.need(0x82)?,
        b: objects.need(0x83)?,
        generator: objects.need(0x84)?,
        order: objects.need(0x85)?,
        cofactor: objects.need(0x87)?,
    };
    let curve = Curve::stated(&stated).map_err(broken)?;
    curve.ok_or(Status::WRONG_DATA)
}

/// A holder's role (App. C.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Cvca,
    DomesticVerifier,
    ForeignVerifier,
    Terminal,
}

/// Reads a template of an inspection system: role and rights.
pub(super) fn holder(template: &[u8]) -> Result<(Role, u8), Status> {
    let objects = Objects::parse(template, &[0x06, 0x53])?;
    if objects.need(0x06)? != INSPECTION_SYSTEM {
        return Err(Status::WRONG_DATA);
    }
    let byte = objects.byte(0x53)?;
    let role = match byte >> 6 {
        0b11 => Role::Cvca,
        0b10 => Role::DomesticVerifier,
        0b01 => Role::ForeignVerifier,
        _ => Role::Terminal,
    };
    Ok((role, byte & RIGHTS))
}

/// A day: `YYMMDD`, each digit a byte.
pub(super) type Day = [u8; 6];

/// Reads a day; `None` where it is none.
pub(super) fn day(digits: &[u8]) -> Option<Day> {
    let day: Day = digits.try_into().ok()?;
    if day.iter().any(|digit| *digit > 9) {
        return None;
    }
    let [_, _, m1, m0, d1, d0] = day;
    let (month, date) = (m1 * 10 + m0, d1 * 10 + d0);
    ((1..=12).contains(&month) && (1..=31).contains(&date)).then_some(day)
}

/// A certificate whose signature is not verified yet.
pub(super) struct Certificate<'a> {
    /// What is signed: body with tag and length.
    signed: &'a [u8],
    key: &'a [u8],
    pub(super) authority: &'a [u8],
    pub(super) holder: &'a [u8],
    pub(super) role: Role,
    pub(super) rights: u8,
    pub(super) effective: Day,
    pub(super) expires: Day,
    signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads `7F4E ‖ 5F37`, as PSO:Verify Certificate carries it.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Status> {
        let wrong = Status::WRONG_DATA;
        let (body, rest) = tlv::parse(bytes).map_err(|_| wrong)?;
        let signed = bytes.get(..bytes.len() - rest.len()).unwrap_or_default();
        if body.tag.value() != BODY {
            return Err(wrong);
        }
        let signature = Objects::single(rest, SIGNATURE)?;
        let tags = [0x5F29, 0x42, 0x7F49, 0x5F20, 0x7F4C, 0x5F25, 0x5F24, 0x65];
        let objects = Objects::parse(body.value, &tags)?;
        if objects.byte(0x5F29)? != 0 {
            return Err(wrong);
        }
        let (role, rights) = holder(objects.need(0x7F4C)?)?;
        let (effective, expires) = (objects.need(0x5F25)?, objects.need(0x5F24)?);
        let certificate = Self {
            signed,
            key: objects.need(0x7F49)?,
            authority: objects.need(0x42)?,
            holder: objects.need(0x5F20)?,
            role,
            rights,
            effective: day(effective).ok_or(wrong)?,
            expires: day(expires).ok_or(wrong)?,
            signature,
        };
        let references = [certificate.authority, certificate.holder];
        let named = references
            .iter()
            .all(|name| REFERENCE.contains(&name.len()));
        (named && certificate.effective <= certificate.expires)
            .then_some(certificate)
            .ok_or(wrong)
    }

    /// Verifies it under its issuer's key, and returns its own: on the issuer's curve, unless
    /// it is a CVCA's. `None` where the signature is wrong.
    pub(super) fn verified(&self, issuer: &PublicKey) -> Result<Option<PublicKey>, Status> {
        let inherits = self.role != Role::Cvca;
        let key = PublicKey::read(self.key, inherits.then_some(issuer))?;
        Ok(issuer.verifies(self.signed, self.signature).then_some(key))
    }

    /// Verifies a self-signed certificate, and returns its key.
    pub(super) fn self_signed(&self) -> Result<Option<PublicKey>, Status> {
        let key = PublicKey::read(self.key, None)?;
        let own = self.role == Role::Cvca && self.authority == self.holder;
        Ok((own && key.verifies(self.signed, self.signature)).then_some(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{load, unhex};

    fn inside(raw: &[u8]) -> Vec<u8> {
        Objects::single(raw, 0x7F21).unwrap().to_vec()
    }

    /// Reads the key in a certificate's body, whatever its holder may do.
    fn key(body: &[u8], issuer: Option<&PublicKey>) -> PublicKey {
        let (body, _) = tlv::parse(body).unwrap();
        let objects = tlv::parse_all(body.value).unwrap();
        let key = objects.iter().find(|object| object.tag.value() == 0x7F49);
        PublicKey::read(key.unwrap().value, issuer).unwrap()
    }

    /// Verifies a certificate of the worked example, and returns its key.
    fn verified(raw: &[u8], issuer: Option<&PublicKey>) -> PublicKey {
        let inside = inside(raw);
        let (_, rest) = tlv::parse(&inside).unwrap();
        let (signed, _) = inside.split_at(inside.len() - rest.len());
        let own = key(signed, issuer);
        let signature = Objects::single(rest, SIGNATURE).unwrap();
        let issuer = issuer.unwrap_or(&own);
        assert!(issuer.verifies(signed, signature));
        assert!(!issuer.verifies(&signed[1..], signature));
        assert!(!issuer.verifies(signed, &signature[1..]));
        own
    }

    #[test]
    fn the_chains_of_the_worked_examples() {
        let file = load("icao9303-11/chip_eac.json");
        let chain = file.row("chain");
        let authority = verified(&chain.bytes("ecdh_cvca"), None);
        let verifier = verified(&chain.bytes("ecdh_dv"), Some(&authority));
        let terminal = verified(&chain.bytes("ecdh_terminal"), Some(&verifier));
        let row = file.row("terminal_authentication");
        let (message, proof) = (row.bytes("signed_message"), row.bytes("signature_plain"));
        assert!(terminal.verifies(&message, &proof));
        assert!(!terminal.verifies(&message[1..], &proof));
        let authority = verified(&chain.bytes("dh_cvca"), None);
        verified(&chain.bytes("dh_dv"), Some(&authority));
        // Their terminals are authentication terminals: no inspection system is among them.
        let raw = inside(&chain.bytes("ecdh_terminal"));
        assert_eq!(Certificate::read(&raw).err(), Some(Status::WRONG_DATA));
        // The root is one of inspection systems, and signs itself.
        let raw = inside(&chain.bytes("ecdh_cvca"));
        let root = Certificate::read(&raw).unwrap();
        assert_eq!((root.role, root.rights), (Role::Cvca, 0x03));
        assert!(root.self_signed().unwrap().is_some());
    }

    #[test]
    fn days_are_days() {
        assert_eq!(day(&unhex("020601020208")), Some([2, 6, 1, 2, 2, 8]));
        for wrong in ["020600000101", "020601030302", "02060101010A", "0206010101"] {
            assert_eq!(day(&unhex(wrong)), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None, ..Default::default()
        })]

        /// One byte changed anywhere: the certificate is refused, in one way or the other.
        #[test]
        fn a_changed_certificate_is_refused(at in 0usize..10_000, change in 1u8..=255) {
            let rows = load("icao9303-11/chip_cv_chains.json").rows("chains");
            let raw = inside(&rows[0].bytes("cvca"));
            let issuer = Certificate::read(&raw).unwrap().self_signed().unwrap().unwrap();
            let mut raw = inside(&rows[0].bytes("verifier"));
            let at = at % raw.len();
            raw[at] ^= change;
            let verified = Certificate::read(&raw).and_then(|one| one.verified(&issuer));
            proptest::prop_assert!(!matches!(verified, Ok(Some(_))), "byte {at}");
        }
    }
}
