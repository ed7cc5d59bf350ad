//! Key pairs that are made at the centre for chips that cannot make their own: active
//! authentication of older passport chips. The private key lives here until its commands are
//! rendered, and nowhere else.

use std::fmt;

use cert::{Curve, KeyAlgorithm};
use openssl::bn::{BigNum, BigNumRef};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use profile::Value;
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};

/// A key pair on its way to a chip. Its `Debug` shows nothing of it.
pub(crate) struct ImportedKey {
    spki: Vec<u8>,
    values: Vec<(&'static str, Value)>,
}

impl ImportedKey {
    /// Makes a key pair.
    ///
    /// # Errors
    /// [`CentralError::Damaged`] where openssl fails.
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<Self> {
        let made = match algorithm {
            KeyAlgorithm::Rsa(length) => rsa(length.bits()),
            KeyAlgorithm::Ec(curve) => elliptic(curve),
        };
        made.map_err(|_| CentralError::damaged("a key pair that openssl was to make"))
    }

    /// Returns the public key, `SubjectPublicKeyInfo` in DER.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns what the operation `import_key` may write: big-endian numbers, each as long as its
    /// kind of key has them.
    pub(crate) fn values(&self) -> Vec<(&'static str, Value)> {
        self.values.clone()
    }
}

impl fmt::Debug for ImportedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedKey(hidden)")
    }
}

fn number(number: &BigNumRef, length: usize) -> std::result::Result<Value, ErrorStack> {
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    Ok(Value::Bytes(Zeroizing::new(number.to_vec_padded(length)?)))
}

fn rsa(bits: usize) -> std::result::Result<ImportedKey, ErrorStack> {
    let key = Rsa::generate(u32::try_from(bits).unwrap_or(u32::MAX))?;
    let (whole, half) = (bits / 8, bits / 16);
    let mut values = vec![
        ("key.modulus", number(key.n(), whole)?),
        ("key.exponent", Value::bytes(key.e().to_vec())),
        ("key.private", number(key.d(), whole)?),
    ];
    for (name, part) in [
        ("key.prime1", key.p()),
        ("key.prime2", key.q()),
        ("key.exponent1", key.dmp1()),
        ("key.exponent2", key.dmq1()),
        ("key.coefficient", key.iqmp()),
    ] {
        if let Some(part) = part {
            values.push((name, number(part, half)?));
        }
    }
    let spki = PKey::from_rsa(key)?.public_key_to_der()?;
    Ok(ImportedKey { spki, values })
}

fn elliptic(curve: Curve) -> std::result::Result<ImportedKey, ErrorStack> {
    let nid = match curve {
        Curve::P256 => Nid::X9_62_PRIME256V1,
        Curve::P384 => Nid::SECP384R1,
        Curve::P521 => Nid::SECP521R1,
        Curve::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
        Curve::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
        Curve::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
    };
    let group = EcGroup::from_curve_name(nid)?;
    let key = EcKey::generate(&group)?;
    let field = curve.field_length();
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    let mut context = openssl::bn::BigNumContext::new()?;
    key.public_key()
        .affine_coordinates(&group, &mut x, &mut y, &mut context)?;
    let length = i32::try_from(field).unwrap_or(i32::MAX);
    let point = [
        vec![0x04],
        x.to_vec_padded(length)?,
        y.to_vec_padded(length)?,
    ];
    let values = vec![
        ("key.public", Value::bytes(point.concat())),
        ("key.private", number(key.private_key(), field)?),
    ];
    let spki = PKey::from_ec_key(key)?.public_key_to_der()?;
    Ok(ImportedKey { spki, values })
}

#[cfg(test)]
mod tests {
    use cert::{PublicKey, RsaLength};

    use super::*;

    #[test]
    fn a_made_key_pair_belongs_together() {
        for algorithm in [
            KeyAlgorithm::Rsa(RsaLength::Bits1024),
            KeyAlgorithm::Ec(Curve::P256),
            KeyAlgorithm::Ec(Curve::BrainpoolP384r1),
        ] {
            let key = ImportedKey::generate(algorithm).unwrap();
            let public = PublicKey::from_spki_der(key.spki()).unwrap();
            assert_eq!(public.algorithm(), Some(algorithm));
            let value = |name: &str| {
                let values = key.values();
                let found = values.iter().find(|(known, _)| *known == name);
                found.and_then(|(_, value)| value.as_bytes().map(<[u8]>::to_vec))
            };
            match public.rsa() {
                Some(rsa) => {
                    assert_eq!(value("key.modulus").unwrap(), rsa.modulus());
                    assert_eq!(value("key.private").unwrap().len(), 128);
                    assert_eq!(value("key.prime1").unwrap().len(), 64);
                }
                None => assert_eq!(value("key.public").unwrap(), public.point().unwrap()),
            }
            assert_eq!(format!("{key:?}"), "ImportedKey(hidden)");
        }
    }
}
