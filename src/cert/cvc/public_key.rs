//! Public keys in certificates (*TR-03110-3 §D.3*).

use crate::algorithm::Curve;
use crate::cvc::algorithm::CvAlgorithm;
use crate::cvc::error::CvcError;
use crate::cvc::object::{
    A, B, BASE, COFACTOR, EXPONENT, MODULUS, OID, ORDER, Object, POINT, PRIME, PUBLIC_KEY, Reader,
};
use crate::cvc::verify::CvVerifyingKey;
use crate::public_key::{PublicKey, PublicKeyError};

/// Whether a key is written with the domain parameters of its curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// With them: certificates of a CVCA, and requests.
    Included,
    /// Without: certificates of document verifiers and terminals, whose curve is the issuer's.
    Inherited,
}

/// A public key as a certificate or request has it: with its algorithm, and with its curve or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CvPublicKey {
    algorithm: CvAlgorithm,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Whole: RSA, or a point on a curve that is named.
    Whole(PublicKey),
    /// A point on the issuer's curve.
    Point(Vec<u8>),
}

impl CvPublicKey {
    /// Returns the key for a certificate or request.
    ///
    /// # Errors
    /// [`CvcError::KeyKind`] where algorithm and key do not fit.
    pub fn new(
        key: &PublicKey,
        algorithm: CvAlgorithm,
        parameters: Parameters,
    ) -> Result<Self, CvcError> {
        let form = match (key, parameters) {
            (PublicKey::Ec(point), Parameters::Inherited) => Form::Point(point.point().to_vec()),
            _ => Form::Whole(key.clone()),
        };
        CvVerifyingKey::new(key.clone(), algorithm)?;
        Ok(Self { algorithm, form })
    }

    /// Reads the value of a public key object.
    pub(crate) fn read(value: &[u8]) -> Result<Self, CvcError> {
        let mut reader = Reader::new(value);
        let algorithm = CvAlgorithm::read(reader.take(OID)?)?;
        let form = match algorithm.is_ecdsa() {
            true => read_ec(&mut reader)?,
            false => read_rsa(&mut reader)?,
        };
        reader.end(PUBLIC_KEY)?;
        Ok(Self { algorithm, form })
    }

    /// Returns the whole object, 7F49.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = OID.encode(self.algorithm.oid().as_bytes());
        match &self.form {
            Form::Whole(PublicKey::Rsa(key)) => {
                value.extend(MODULUS.encode(key.modulus()));
                value.extend(EXPONENT.encode(key.exponent()));
            }
            Form::Whole(PublicKey::Ec(key)) => {
                let domain = key.curve().domain_parameters();
                value.extend(PRIME.encode(significant(domain.p)));
                value.extend(A.encode(significant(domain.a)));
                value.extend(B.encode(significant(domain.b)));
                value.extend(BASE.encode(domain.g));
                value.extend(ORDER.encode(significant(domain.n)));
                value.extend(POINT.encode(key.point()));
                value.extend(COFACTOR.encode(domain.h));
            }
            Form::Point(point) => value.extend(POINT.encode(point)),
            // No constructor lets such a key in.
            Form::Whole(PublicKey::Other { .. }) => {}
        }
        PUBLIC_KEY.encode(&value)
    }

    /// Returns the algorithm with which the key signs.
    pub fn algorithm(&self) -> CvAlgorithm {
        self.algorithm
    }

    /// Returns the curve, where the domain parameters stand here.
    pub fn curve(&self) -> Option<Curve> {
        match &self.form {
            Form::Whole(key) => key.curve(),
            Form::Point(_) => None,
        }
    }

    /// Returns whether the key needs the curve of its issuer.
    pub fn inherits_curve(&self) -> bool {
        matches!(self.form, Form::Point(_))
    }

    /// Returns the key, on the curve `inherited` where it names none itself.
    ///
    /// # Errors
    /// [`CvcError::UnknownCurve`] where the curve is neither here nor inherited;
    /// [`CvcError::Point`] for a point that is not on it.
    pub fn resolve(&self, inherited: Option<Curve>) -> Result<CvVerifyingKey, CvcError> {
        let key = match (&self.form, inherited) {
            (Form::Whole(key), _) => key.clone(),
            (Form::Point(point), Some(curve)) => {
                PublicKey::from_point(curve, point).map_err(|_| CvcError::Point { curve })?
            }
            (Form::Point(_), None) => return Err(CvcError::UnknownCurve),
        };
        CvVerifyingKey::new(key, self.algorithm)
    }
}

fn read_rsa(reader: &mut Reader<'_>) -> Result<Form, CvcError> {
    let modulus = number(reader.take(MODULUS)?, MODULUS)?;
    let exponent = number(reader.take(EXPONENT)?, EXPONENT)?;
    let key = PublicKey::from_rsa(modulus, exponent).map_err(|error| match error {
        PublicKeyError::Rsa { reason } => CvcError::Rsa { reason },
        _ => CvcError::KeyKind,
    })?;
    Ok(Form::Whole(key))
}

fn read_ec(reader: &mut Reader<'_>) -> Result<Form, CvcError> {
    if !reader.sees(PRIME) {
        let point = reader.take(POINT)?;
        // Which curve it is on, the issuer's certificate says.
        let known = |curve: Curve| point.len() == 1 + 2 * curve.field_length();
        if point.first() != Some(&4) || !Curve::ALL.into_iter().any(known) {
            return Err(CvcError::PointForm);
        }
        return match [A, B, BASE, ORDER, COFACTOR]
            .into_iter()
            .any(|object| reader.sees(object))
        {
            true => Err(CvcError::IncompleteParameters),
            false => Ok(Form::Point(point.to_vec())),
        };
    }
    let prime = number(reader.take(PRIME)?, PRIME)?;
    let a = number(reader.take(A)?, A)?;
    let b = number(reader.take(B)?, B)?;
    let base = reader.take(BASE)?;
    let order = number(reader.take(ORDER)?, ORDER)?;
    let point = reader.take(POINT)?;
    let cofactor = number(reader.take(COFACTOR)?, COFACTOR)?;
    // Explicit parameters are an old way to forge a key: only those of a known curve, all of them.
    let same = |curve: &Curve| {
        let known = curve.domain_parameters();
        significant(known.p) == prime
            && significant(known.a) == a
            && significant(known.b) == b
            && known.g == base
            && significant(known.n) == order
            && known.h == cofactor
    };
    let curve = Curve::ALL
        .into_iter()
        .find(same)
        .ok_or(CvcError::UnknownCurve)?;
    let key = PublicKey::from_point(curve, point).map_err(|_| CvcError::Point { curve })?;
    Ok(Form::Whole(key))
}

/// Demands an unsigned number in its shortest form (*§D.2.1.1*).
fn number(bytes: &[u8], object: Object) -> Result<&[u8], CvcError> {
    match bytes {
        [] | [0, ..] => Err(CvcError::Number {
            object: object.name(),
        }),
        _ => Ok(bytes),
    }
}

fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
