//! The kinds of key that chips bring.

use std::fmt;

use spki::ObjectIdentifier;

use crate::domain::DomainParameters;
use crate::hash::Hash;
use crate::signature_algorithm::SignatureAlgorithm;

/// An elliptic curve over a prime field, of cofactor 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
    /// NIST P-521, secp521r1.
    P521,
    /// brainpoolP256r1 (*RFC 5639 §3.4*).
    BrainpoolP256r1,
    /// brainpoolP384r1 (*RFC 5639 §3.6*).
    BrainpoolP384r1,
    /// brainpoolP512r1 (*RFC 5639 §3.7*).
    BrainpoolP512r1,
}

impl Curve {
    /// All curves.
    pub const ALL: [Self; 6] = [
        Self::P256,
        Self::P384,
        Self::P521,
        Self::BrainpoolP256r1,
        Self::BrainpoolP384r1,
        Self::BrainpoolP512r1,
    ];

    /// Returns the length of a coordinate, and of r and of s, in bytes: 32, 48, 64 or, for P-521,
    /// 66.
    pub fn field_length(self) -> usize {
        match self {
            Self::P256 | Self::BrainpoolP256r1 => 32,
            Self::P384 | Self::BrainpoolP384r1 => 48,
            Self::BrainpoolP512r1 => 64,
            Self::P521 => 66,
        }
    }

    /// Returns the hash of the curve's strength, with which requests and certificates are signed
    /// here: SHA-256, SHA-384 or SHA-512.
    pub fn hash(self) -> Hash {
        match self {
            Self::P256 | Self::BrainpoolP256r1 => Hash::Sha256,
            Self::P384 | Self::BrainpoolP384r1 => Hash::Sha384,
            Self::P521 | Self::BrainpoolP512r1 => Hash::Sha512,
        }
    }

    /// Returns the curve's object identifier (*RFC 5480 §2.1.1.1, RFC 5639 §4.1*).
    pub fn oid(self) -> ObjectIdentifier {
        const fn oid(text: &str) -> ObjectIdentifier {
            ObjectIdentifier::new_unwrap(text)
        }
        match self {
            Self::P256 => const { oid("1.2.840.10045.3.1.7") },
            Self::P384 => const { oid("1.3.132.0.34") },
            Self::P521 => const { oid("1.3.132.0.35") },
            Self::BrainpoolP256r1 => const { oid("1.3.36.3.3.2.8.1.1.7") },
            Self::BrainpoolP384r1 => const { oid("1.3.36.3.3.2.8.1.1.11") },
            Self::BrainpoolP512r1 => const { oid("1.3.36.3.3.2.8.1.1.13") },
        }
    }

    /// Returns the curve that an object identifier names.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.oid() == oid)
    }

    /// Returns the curve's domain parameters, for chips that want them in a command.
    pub fn domain_parameters(self) -> DomainParameters {
        DomainParameters::of(self)
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::BrainpoolP256r1 => "brainpoolP256r1",
            Self::BrainpoolP384r1 => "brainpoolP384r1",
            Self::BrainpoolP512r1 => "brainpoolP512r1",
        })
    }
}

/// The length of an RSA modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RsaLength {
    /// 1024 bits. For ICAO active authentication by documents that are in the field only: too
    /// short for signatures, which are neither requested, certified nor verified with it.
    Bits1024,
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl RsaLength {
    /// All lengths, the shortest first.
    pub const ALL: [Self; 4] = [
        Self::Bits1024,
        Self::Bits2048,
        Self::Bits3072,
        Self::Bits4096,
    ];

    /// Returns the length in bits.
    pub fn bits(self) -> usize {
        match self {
            Self::Bits1024 => 1024,
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }

    /// Returns the length in bytes, which is also that of a signature.
    pub fn bytes(self) -> usize {
        self.bits() / 8
    }
}

/// A kind of key: a curve, or RSA of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// A key on an elliptic curve.
    Ec(Curve),
    /// An RSA key.
    Rsa(RsaLength),
}

impl KeyAlgorithm {
    /// All kinds of key.
    pub const ALL: [Self; 10] = [
        Self::Ec(Curve::P256),
        Self::Ec(Curve::P384),
        Self::Ec(Curve::P521),
        Self::Ec(Curve::BrainpoolP256r1),
        Self::Ec(Curve::BrainpoolP384r1),
        Self::Ec(Curve::BrainpoolP512r1),
        Self::Rsa(RsaLength::Bits1024),
        Self::Rsa(RsaLength::Bits2048),
        Self::Rsa(RsaLength::Bits3072),
        Self::Rsa(RsaLength::Bits4096),
    ];

    /// Returns the name that profiles use: `p256`, `p384`, `p521`, `bp256r1`, `bp384r1`,
    /// `bp512r1`, `rsa1024`, `rsa2048`, `rsa3072` or `rsa4096`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec(Curve::P256) => "p256",
            Self::Ec(Curve::P384) => "p384",
            Self::Ec(Curve::P521) => "p521",
            Self::Ec(Curve::BrainpoolP256r1) => "bp256r1",
            Self::Ec(Curve::BrainpoolP384r1) => "bp384r1",
            Self::Ec(Curve::BrainpoolP512r1) => "bp512r1",
            Self::Rsa(RsaLength::Bits1024) => "rsa1024",
            Self::Rsa(RsaLength::Bits2048) => "rsa2048",
            Self::Rsa(RsaLength::Bits3072) => "rsa3072",
            Self::Rsa(RsaLength::Bits4096) => "rsa4096",
        }
    }

    /// Returns the kind of key of that [`KeyAlgorithm::name`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// Returns the curve of an elliptic-curve key.
    pub fn curve(self) -> Option<Curve> {
        match self {
            Self::Ec(curve) => Some(curve),
            Self::Rsa(_) => None,
        }
    }

    /// Returns the length of a coordinate in bytes, for an elliptic-curve key.
    pub fn field_length(self) -> Option<usize> {
        self.curve().map(Curve::field_length)
    }

    /// Returns the length of the modulus in bytes, for an RSA key.
    pub fn modulus_length(self) -> Option<usize> {
        match self {
            Self::Ec(_) => None,
            Self::Rsa(length) => Some(length.bytes()),
        }
    }

    /// Returns the length of a signature in bytes: r ‖ s, or as long as the modulus.
    pub fn signature_length(self) -> usize {
        match self {
            Self::Ec(curve) => 2 * curve.field_length(),
            Self::Rsa(length) => length.bytes(),
        }
    }

    /// Returns the curve's object identifier, for an elliptic-curve key.
    pub fn curve_oid(self) -> Option<ObjectIdentifier> {
        self.curve().map(Curve::oid)
    }

    /// Returns the curve's domain parameters, for an elliptic-curve key.
    pub fn domain_parameters(self) -> Option<DomainParameters> {
        self.curve().map(Curve::domain_parameters)
    }

    /// Returns the hash that suits the key's strength (*SP 800-57 part 1 §5.6.1*): SHA-256 for
    /// every RSA length.
    pub fn hash(self) -> Hash {
        match self {
            Self::Ec(curve) => curve.hash(),
            Self::Rsa(_) => Hash::Sha256,
        }
    }

    /// Returns how such a key signs where nothing else is said: ECDSA, or RSA with PKCS#1 v1.5,
    /// which every chip has, over [`KeyAlgorithm::hash`].
    pub fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Ec(_) => SignatureAlgorithm::Ecdsa(self.hash()),
            Self::Rsa(_) => SignatureAlgorithm::RsaPkcs1(self.hash()),
        }
    }

    /// Returns whether signatures by such a key are worth something: not by RSA with 1024 bits.
    pub fn may_sign(self) -> bool {
        self != Self::Rsa(RsaLength::Bits1024)
    }
}

impl From<Curve> for KeyAlgorithm {
    fn from(curve: Curve) -> Self {
        Self::Ec(curve)
    }
}

impl From<RsaLength> for KeyAlgorithm {
    fn from(length: RsaLength) -> Self {
        Self::Rsa(length)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ec(curve) => curve.fmt(f),
            Self::Rsa(length) => write!(f, "RSA-{}", length.bits()),
        }
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Object;
    use openssl::ec::EcGroup;

    use super::{Curve, KeyAlgorithm, RsaLength};
    use crate::testing::EC_CURVES;

    #[test]
    fn names_are_unique_and_found() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(KeyAlgorithm::named(algorithm.name()), Some(algorithm));
        }
        for unknown in ["", "P256", "p-256", "rsa", "rsa512", "ed25519"] {
            assert_eq!(KeyAlgorithm::named(unknown), None);
        }
        assert_eq!(
            KeyAlgorithm::named("rsa3072").unwrap().modulus_length(),
            Some(384)
        );
        assert_eq!(
            KeyAlgorithm::named("p521").unwrap().field_length(),
            Some(66)
        );
        let weak: Vec<_> = KeyAlgorithm::ALL
            .into_iter()
            .filter(|algorithm| !algorithm.may_sign())
            .collect();
        assert_eq!(weak, [KeyAlgorithm::Rsa(RsaLength::Bits1024)]);
    }

    #[test]
    fn openssl_knows_the_curves_by_these_identifiers_and_degrees() {
        for (curve, nid) in EC_CURVES {
            let degree = EcGroup::from_curve_name(nid).unwrap().degree();
            let object = Asn1Object::from_str(&curve.oid().to_string()).unwrap();
            assert_eq!(object.nid(), nid);
            assert_eq!(curve.field_length(), degree.div_ceil(8) as usize);
            assert_eq!(Curve::from_oid(curve.oid()), Some(curve));
        }
    }
}
