//! Curves that a key spells out instead of naming them (*X9.62 `SpecifiedECDomain`*, *SEC 1
//! §C.2*), as *ICAO 9303-12 §4.1.6.3* has country signing certificates do.
//!
//! What is spelt out must be a known curve, number by number: with parameters of one's own choice
//! anybody makes a private key for any public one.

use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{Encode, Sequence};
use spki::ObjectIdentifier;

use crate::algorithm::Curve;
use crate::domain::DomainParameters;

const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

#[derive(Sequence)]
struct Domain<'a> {
    version: u8,
    field: Field<'a>,
    curve: Coefficients<'a>,
    base: &'a OctetStringRef,
    order: UintRef<'a>,
    #[asn1(optional = "true")]
    cofactor: Option<UintRef<'a>>,
}

#[derive(Sequence)]
struct Field<'a> {
    kind: ObjectIdentifier,
    prime: AnyRef<'a>,
}

#[derive(Sequence)]
struct Coefficients<'a> {
    a: &'a OctetStringRef,
    b: &'a OctetStringRef,
    /// From where the coefficients came; it changes nothing.
    #[asn1(optional = "true")]
    seed: Option<BitStringRef<'a>>,
}

/// Returns the curve that parameters of a key spell out; none for another than ours.
pub(crate) fn curve(parameters: AnyRef<'_>) -> Option<Curve> {
    let domain: Domain<'_> = parameters.decode_as().ok()?;
    if !(1..=3).contains(&domain.version) || domain.field.kind != PRIME_FIELD {
        return None;
    }
    let prime: UintRef<'_> = domain.field.prime.decode_as().ok()?;
    Curve::ALL.into_iter().find(|curve| {
        let known = curve.domain_parameters();
        is(prime.as_bytes(), known.p)
            && is(domain.curve.a.as_bytes(), known.a)
            && is(domain.curve.b.as_bytes(), known.b)
            && is_base(domain.base.as_bytes(), &known)
            && is(domain.order.as_bytes(), known.n)
            && domain.cofactor.is_none_or(|h| is(h.as_bytes(), known.h))
    })
}

/// Returns the parameters of a curve, spelt out with the cofactor (*ICAO 9303-12 §4.1.6.3*).
pub(crate) fn parameters(curve: Curve) -> der::Result<Vec<u8>> {
    let known = curve.domain_parameters();
    let prime = UintRef::new(known.p)?.to_der()?;
    Domain {
        version: 1,
        field: Field {
            kind: PRIME_FIELD,
            prime: AnyRef::try_from(prime.as_slice())?,
        },
        curve: Coefficients {
            a: OctetStringRef::new(known.a)?,
            b: OctetStringRef::new(known.b)?,
            seed: None,
        },
        base: OctetStringRef::new(known.g)?,
        order: UintRef::new(known.n)?,
        cofactor: Some(UintRef::new(known.h)?),
    }
    .to_der()
}

/// Tells whether two numbers are the same; leading zeros do not count.
fn is(said: &[u8], known: &[u8]) -> bool {
    let significant = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        number.get(zeros..).unwrap_or_default().to_vec()
    };
    significant(said) == significant(known)
}

/// Tells whether a point, compressed or not, is the base point.
fn is_base(said: &[u8], known: &DomainParameters) -> bool {
    let compressed = || {
        let length = (known.g.len() - 1) / 2;
        let (x, y) = (known.g.get(1..=length)?, known.g.last()?);
        Some([&[2 | (y & 1)][..], x].concat())
    };
    said == known.g || compressed().as_deref() == Some(said)
}

#[cfg(test)]
mod tests {
    use openssl::ec::{Asn1Flag, EcGroup, EcKey};
    use openssl::pkey::PKey;

    use crate::public_key::PublicKey;
    use crate::testing::EC_CURVES;

    #[test]
    fn openssl_s_explicit_parameters_are_the_curves_they_spell_out() {
        for (curve, nid) in EC_CURVES {
            let mut group = EcGroup::from_curve_name(nid).unwrap();
            group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
            let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
            let der = key.public_key_to_der().unwrap();
            let read = PublicKey::from_spki_der(&der).unwrap();
            assert_eq!(read.curve(), Some(curve));
            // What is spelt out here, openssl reads as the same key.
            let ours = read.to_spki_der_spelt_out().unwrap();
            let theirs = PKey::public_key_from_der(&ours).unwrap();
            assert!(theirs.public_eq(&key));
            assert_eq!(PublicKey::from_spki_der(&ours).unwrap(), read);
            // Changed by one bit anywhere before the point, it is no key of ours.
            let point = read.point().unwrap().len();
            for place in 0..der.len() - point {
                let mut altered = der.clone();
                altered[place] ^= 1;
                let seed_or_version = PublicKey::from_spki_der(&altered)
                    .is_ok_and(|key| key.curve() == Some(curve) && key != read);
                assert!(!seed_or_version, "{curve}, byte {place}");
            }
        }
    }
}
