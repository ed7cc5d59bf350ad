//! Groups in which terminal and chip agree on secrets, and how files name them.

use std::fmt;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader, Tag, Tagged};
use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::ec::{EcGroup, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use thiserror::Error;

use crate::crypto_error::CryptoError;
use crate::group::{Element, Group};

const STANDARDIZED: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.2");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");
const DH_PUBLIC_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10046.2.1");
const PKCS3_DH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1");

/// Says why domain parameters or a public key are not used.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DomainParametersError {
    /// The bytes are no parameters, or no key.
    #[error("not domain parameters or a public key in DER")]
    Syntax,
    /// The group is none of the standardized ones. Whoever chooses a group can choose a weak
    /// one, so that no other is used.
    #[error("the group is none of the standardized domain parameters")]
    Unknown,
    /// The public key is no element of its group.
    #[error("the public key is no element of its group")]
    PublicKey,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Standardized domain parameters (*ICAO 9303-11 §9.5.1*, *TR-03110-3 §A.2.1.1*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DomainParameters {
    /// 0: 1024 bits with a subgroup of 160 (*RFC 5114 §2.1*).
    Dh1024,
    /// 1: 2048 bits with a subgroup of 224 (*RFC 5114 §2.2*).
    Dh2048Order224,
    /// 2: 2048 bits with a subgroup of 256 (*RFC 5114 §2.3*).
    Dh2048Order256,
    /// 8: NIST P-192.
    P192,
    /// 9: brainpoolP192r1.
    BrainpoolP192r1,
    /// 10: NIST P-224. It has no integrated mapping.
    P224,
    /// 11: brainpoolP224r1.
    BrainpoolP224r1,
    /// 12: NIST P-256.
    P256,
    /// 13: brainpoolP256r1.
    BrainpoolP256r1,
    /// 14: brainpoolP320r1.
    BrainpoolP320r1,
    /// 15: NIST P-384.
    P384,
    /// 16: brainpoolP384r1.
    BrainpoolP384r1,
    /// 17: brainpoolP512r1.
    BrainpoolP512r1,
    /// 18: NIST P-521.
    P521,
}

/// Numbers, names, and object identifiers of the curves.
const TABLE: [(DomainParameters, u8, &str, &str); 14] = {
    use DomainParameters as D;
    [
        (D::Dh1024, 0, "DH 1024/160", ""),
        (D::Dh2048Order224, 1, "DH 2048/224", ""),
        (D::Dh2048Order256, 2, "DH 2048/256", ""),
        (D::P192, 8, "P-192", "1.2.840.10045.3.1.1"),
        (
            D::BrainpoolP192r1,
            9,
            "brainpoolP192r1",
            "1.3.36.3.3.2.8.1.1.3",
        ),
        (D::P224, 10, "P-224", "1.3.132.0.33"),
        (
            D::BrainpoolP224r1,
            11,
            "brainpoolP224r1",
            "1.3.36.3.3.2.8.1.1.5",
        ),
        (D::P256, 12, "P-256", "1.2.840.10045.3.1.7"),
        (
            D::BrainpoolP256r1,
            13,
            "brainpoolP256r1",
            "1.3.36.3.3.2.8.1.1.7",
        ),
        (
            D::BrainpoolP320r1,
            14,
            "brainpoolP320r1",
            "1.3.36.3.3.2.8.1.1.9",
        ),
        (D::P384, 15, "P-384", "1.3.132.0.34"),
        (
            D::BrainpoolP384r1,
            16,
            "brainpoolP384r1",
            "1.3.36.3.3.2.8.1.1.11",
        ),
        (
            D::BrainpoolP512r1,
            17,
            "brainpoolP512r1",
            "1.3.36.3.3.2.8.1.1.13",
        ),
        (D::P521, 18, "P-521", "1.3.132.0.35"),
    ]
};

#[derive(Sequence)]
pub(crate) struct AlgorithmIdentifier<'a> {
    pub(crate) algorithm: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
pub(crate) struct SubjectPublicKeyInfo<'a> {
    pub(crate) algorithm: AlgorithmIdentifier<'a>,
    pub(crate) key: BitStringRef<'a>,
}

/// Explicit parameters of a curve (*TR-03111 §5.2*, `ECParameters`).
#[derive(Sequence)]
struct EcParameters<'a> {
    version: u8,
    field: FieldId<'a>,
    curve: CurveCoefficients<'a>,
    base: &'a OctetStringRef,
    order: UintRef<'a>,
    cofactor: Option<UintRef<'a>>,
}

#[derive(Sequence)]
struct FieldId<'a> {
    kind: ObjectIdentifier,
    prime: UintRef<'a>,
}

#[derive(Sequence)]
struct CurveCoefficients<'a> {
    a: &'a OctetStringRef,
    b: &'a OctetStringRef,
    seed: Option<BitStringRef<'a>>,
}

impl DomainParameters {
    /// All of them, by number.
    pub const ALL: [Self; 14] = {
        let mut all = [Self::Dh1024; 14];
        let mut place = 0;
        while place < TABLE.len() {
            all[place] = TABLE[place].0;
            place += 1;
        }
        all
    };

    /// Returns the standardized number, 0 to 18.
    pub fn id(self) -> u8 {
        self.row().1
    }

    /// Returns the parameters with this number; there are none with 3 to 7 and above 18.
    pub fn from_id(id: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|each| u64::from(each.id()) == id)
    }

    /// Returns the name: `P-256`, `brainpoolP256r1`, `DH 2048/256`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Says whether the group is an elliptic curve.
    pub fn is_curve(self) -> bool {
        !self.row().3.is_empty()
    }

    fn row(self) -> &'static (Self, u8, &'static str, &'static str) {
        // Every variant has its row: a test counts them.
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[0])
    }

    /// Returns the `AlgorithmIdentifier` that names the group by its number.
    ///
    /// # Errors
    /// [`DomainParametersError::Syntax`], in theory only.
    pub fn to_algorithm_der(self) -> Result<Vec<u8>, DomainParametersError> {
        let number = [self.id()];
        let encode = || {
            AlgorithmIdentifier {
                algorithm: STANDARDIZED,
                parameters: Some(AnyRef::new(Tag::Integer, &number)?),
            }
            .to_der()
        };
        encode().map_err(|_| DomainParametersError::Syntax)
    }

    /// Returns the group that an `AlgorithmIdentifier` names: by number, by the curve's name, or
    /// explicitly, as long as it is a standardized one.
    ///
    /// # Errors
    /// [`DomainParametersError`].
    pub fn from_algorithm_der(der: &[u8]) -> Result<Self, DomainParametersError> {
        let algorithm =
            AlgorithmIdentifier::from_der(der).map_err(|_| DomainParametersError::Syntax)?;
        Self::of(&algorithm)
    }

    pub(crate) fn of(algorithm: &AlgorithmIdentifier<'_>) -> Result<Self, DomainParametersError> {
        let parameters = algorithm.parameters.ok_or(DomainParametersError::Syntax)?;
        match algorithm.algorithm {
            STANDARDIZED => {
                let id = parameters
                    .decode_as::<u64>()
                    .map_err(|_| DomainParametersError::Syntax)?;
                Self::from_id(id).ok_or(DomainParametersError::Unknown)
            }
            EC_PUBLIC_KEY => {
                if let Ok(name) = parameters.decode_as::<ObjectIdentifier>() {
                    return TABLE
                        .iter()
                        .find(|row| ObjectIdentifier::new(row.3).is_ok_and(|oid| oid == name))
                        .map(|row| row.0)
                        .ok_or(DomainParametersError::Unknown);
                }
                let explicit = parameters
                    .decode_as::<EcParameters<'_>>()
                    .map_err(|_| DomainParametersError::Syntax)?;
                Self::of_curve(&explicit)
            }
            DH_PUBLIC_NUMBER | PKCS3_DH => {
                let der = parameters
                    .to_der()
                    .map_err(|_| DomainParametersError::Syntax)?;
                let [p, g] = first_two(&der)?;
                let groups = Self::ALL.into_iter().filter(|each| !each.is_curve());
                for each in groups {
                    let known = each.dh().map_err(CryptoError::from)?;
                    if known.prime_p().to_vec() == p && known.generator().to_vec() == g {
                        return Ok(each);
                    }
                }
                Err(DomainParametersError::Unknown)
            }
            _ => Err(DomainParametersError::Unknown),
        }
    }

    fn of_curve(explicit: &EcParameters<'_>) -> Result<Self, DomainParametersError> {
        let cofactor = explicit.cofactor.as_ref().map(UintRef::as_bytes);
        let prime = explicit.field.prime.as_bytes();
        if explicit.version != 1
            || explicit.field.kind != PRIME_FIELD
            || !matches!(cofactor, None | Some([1]))
            || prime.len() > 66
        {
            return Err(DomainParametersError::Unknown);
        }
        let parts = [
            prime,
            explicit.curve.a.as_bytes(),
            explicit.curve.b.as_bytes(),
            explicit.order.as_bytes(),
        ]
        .map(significant);
        for each in Self::ALL.into_iter().filter(|each| each.is_curve()) {
            let (known, base) = each.curve_parts().map_err(CryptoError::from)?;
            if known.iter().zip(parts).all(|(known, part)| known == part)
                && base.iter().any(|form| form == explicit.base.as_bytes())
            {
                return Ok(each);
            }
        }
        Err(DomainParametersError::Unknown)
    }

    /// Returns p, a, b and n without leading zeros, and G in its two encodings.
    #[allow(clippy::type_complexity, reason = "read at once by its one caller")]
    fn curve_parts(self) -> Result<([Vec<u8>; 4], [Vec<u8>; 2]), ErrorStack> {
        use openssl::ec::PointConversionForm as Form;
        let group = self.curve()?;
        let mut context = openssl::bn::BigNumContext::new()?;
        let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
        group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
        let mut n = BigNum::new()?;
        group.order(&mut n, &mut context)?;
        let base = group.generator_opt().ok_or_else(ErrorStack::get)?;
        let forms = [
            base.to_bytes(&group, Form::UNCOMPRESSED, &mut context)?,
            base.to_bytes(&group, Form::COMPRESSED, &mut context)?,
        ];
        Ok(([p.to_vec(), a.to_vec(), b.to_vec(), n.to_vec()], forms))
    }

    /// Returns openssl's curve; an error for the others.
    pub(crate) fn curve(self) -> Result<EcGroup, ErrorStack> {
        EcGroup::from_curve_name(match self {
            Self::P192 => Nid::X9_62_PRIME192V1,
            Self::BrainpoolP192r1 => Nid::BRAINPOOL_P192R1,
            Self::P224 => Nid::SECP224R1,
            Self::BrainpoolP224r1 => Nid::BRAINPOOL_P224R1,
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
            Self::BrainpoolP320r1 => Nid::BRAINPOOL_P320R1,
            Self::P384 => Nid::SECP384R1,
            Self::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
            Self::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
            Self::P521 => Nid::SECP521R1,
            Self::Dh1024 | Self::Dh2048Order224 | Self::Dh2048Order256 => Nid::UNDEF,
        })
    }

    /// Returns openssl's group of numbers; the first for curves, which have none.
    pub(crate) fn dh(self) -> Result<Dh<openssl::pkey::Params>, ErrorStack> {
        match self {
            Self::Dh2048Order224 => Dh::get_2048_224(),
            Self::Dh2048Order256 => Dh::get_2048_256(),
            _ => Dh::get_1024_160(),
        }
    }
}

impl fmt::Display for DomainParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().2)
    }
}

/// A public key for key agreement, checked to be in its group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgreementKey {
    parameters: DomainParameters,
    encoded: Vec<u8>,
}

impl AgreementKey {
    /// Takes a key as protocols send it: an uncompressed point, or a number.
    ///
    /// # Errors
    /// [`DomainParametersError::PublicKey`].
    pub fn new(
        parameters: DomainParameters,
        encoded: &[u8],
    ) -> Result<Self, DomainParametersError> {
        Group::new(parameters)?.decode(encoded)?;
        Ok(Self {
            parameters,
            encoded: encoded.to_vec(),
        })
    }

    /// Takes a key out of its `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`DomainParametersError`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, DomainParametersError> {
        let spki =
            SubjectPublicKeyInfo::from_der(der).map_err(|_| DomainParametersError::Syntax)?;
        let parameters = DomainParameters::of(&spki.algorithm)?;
        let bits = spki.key.as_bytes().ok_or(DomainParametersError::Syntax)?;
        if parameters.is_curve() {
            return Self::new(parameters, bits);
        }
        let number = UintRef::from_der(bits).map_err(|_| DomainParametersError::Syntax)?;
        Self::new(parameters, number.as_bytes())
    }

    /// Returns the `SubjectPublicKeyInfo`, with the group named by its number.
    ///
    /// # Errors
    /// [`DomainParametersError::Syntax`], in theory only.
    pub fn to_spki_der(&self) -> Result<Vec<u8>, DomainParametersError> {
        let id = [self.parameters.id()];
        let encode = || {
            let number;
            let bits = if self.parameters.is_curve() {
                &self.encoded
            } else {
                number = UintRef::new(&self.encoded)?.to_der()?;
                &number
            };
            SubjectPublicKeyInfo {
                algorithm: AlgorithmIdentifier {
                    algorithm: STANDARDIZED,
                    parameters: Some(AnyRef::new(Tag::Integer, &id)?),
                },
                key: BitStringRef::from_bytes(bits)?,
            }
            .to_der()
        };
        encode().map_err(|_: der::Error| DomainParametersError::Syntax)
    }

    /// Returns the group.
    pub fn parameters(&self) -> DomainParameters {
        self.parameters
    }

    /// Returns the uncompressed point, or the number.
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    pub(crate) fn element(&self, group: &Group) -> Result<Element, DomainParametersError> {
        group.decode(&self.encoded)
    }
}

/// Reads p and g, which stand first in the parameters of *X9.42* and of *PKCS #3* alike.
fn first_two(der: &[u8]) -> Result<[Vec<u8>; 2], DomainParametersError> {
    let sequence = AnyRef::from_der(der).map_err(|_| DomainParametersError::Syntax)?;
    if sequence.tag() != Tag::Sequence {
        return Err(DomainParametersError::Syntax);
    }
    let read = || {
        let mut reader = SliceReader::new(sequence.value())?;
        let p = reader.decode::<UintRef<'_>>()?;
        let g = reader.decode::<UintRef<'_>>()?;
        Ok([p.as_bytes().to_vec(), g.as_bytes().to_vec()])
    };
    read().map_err(|_: der::Error| DomainParametersError::Syntax)
}

/// Returns a number's bytes from the first that is not zero.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Reads a point of a curve, uncompressed and on it.
pub(crate) fn point(group: &EcGroup, encoded: &[u8]) -> Result<EcPoint, DomainParametersError> {
    let length = group.degree().div_ceil(8) as usize;
    if encoded.len() != 1 + 2 * length || encoded.first() != Some(&4) {
        return Err(DomainParametersError::PublicKey);
    }
    let mut context = openssl::bn::BigNumContext::new().map_err(CryptoError::from)?;
    // It refuses what is not on the curve. All curves here have cofactor 1.
    EcPoint::from_bytes(group, encoded, &mut context).map_err(|_| DomainParametersError::PublicKey)
}

#[cfg(test)]
mod tests;
