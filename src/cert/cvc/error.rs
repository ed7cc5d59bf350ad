//! Why bytes are no certificate.

use spki::ObjectIdentifier;

use crate::algorithm::Curve;
use crate::cvc::object::MAX_CVC;
use crate::cvc::reference::ReferenceError;

/// Why bytes were refused as a card-verifiable certificate or request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CvcError {
    /// Longer than any certificate needs to be.
    #[error("a CV certificate is at most {MAX_CVC} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Another object stands where this one must.
    #[error("the {object} is missing, or not in its place")]
    Missing {
        /// Its name and tag.
        object: &'static str,
    },
    /// The length is not in DER, or reaches past the end.
    #[error("the length of the {object} is not in its shortest form, or past the end")]
    Length {
        /// Its name and tag.
        object: &'static str,
    },
    /// Bytes follow where an object ends.
    #[error("bytes follow inside or behind the {object}")]
    Trailing {
        /// Its name and tag.
        object: &'static str,
    },
    /// Not version 1, which is 00.
    #[error("certificate profile {0:02X} is not known; version 1 is 00")]
    Profile(u8),
    /// A reference does not read.
    #[error("the {object} is malformed")]
    Reference {
        /// Its name and tag.
        object: &'static str,
        /// What is wrong.
        #[source]
        source: ReferenceError,
    },
    /// Bytes that are no object identifier.
    #[error("an object identifier is malformed")]
    ObjectIdentifier,
    /// Not an algorithm of terminal authentication.
    #[error("{0} is no algorithm of terminal authentication")]
    Algorithm(ObjectIdentifier),
    /// A number has leading zeros, or none of its digits.
    #[error("the {object} is not a positive number without leading zeros")]
    Number {
        /// Its name and tag.
        object: &'static str,
    },
    /// The domain parameters are not those of a curve that is known here.
    #[error("the domain parameters are those of no curve that is known here")]
    UnknownCurve,
    /// Some domain parameters are there and others not.
    #[error("the domain parameters are incomplete")]
    IncompleteParameters,
    /// The public point is not an uncompressed point of the curve.
    #[error("the public point is not an uncompressed point of {curve}")]
    Point {
        /// The curve.
        curve: Curve,
    },
    /// The public point has a length that no curve has.
    #[error("the public point is not an uncompressed point of a known curve")]
    PointForm,
    /// The RSA key cannot be used.
    #[error("the RSA key cannot be used: {reason}")]
    Rsa {
        /// What is wrong.
        reason: &'static str,
    },
    /// A key was given for another kind of algorithm.
    #[error("the algorithm is for another kind of key")]
    KeyKind,
    /// Not a terminal type that is known here.
    #[error("{0} is no terminal type that is known here")]
    TerminalType(ObjectIdentifier),
    /// The authorization has a wrong length for its type.
    #[error("an authorization of this type is {expected} bytes long, not {actual}")]
    Authorization {
        /// The length in bytes.
        expected: usize,
        /// The length found.
        actual: usize,
    },
    /// Not six digits that are a date.
    #[error("the {object} is not a date of six digits")]
    Date {
        /// Its name and tag.
        object: &'static str,
    },
    /// The expiration comes before the effective date.
    #[error("the certificate expires before it is effective")]
    Validity,
    /// An extension does not read.
    #[error("an extension is malformed: {reason}")]
    Extension {
        /// What is wrong.
        reason: &'static str,
    },
    /// The signature is empty or too long.
    #[error("the signature is not of 1 to 512 bytes")]
    Signature,
    /// A file of references is malformed.
    #[error("EF.CVCA is malformed: {reason}")]
    EfCvca {
        /// What is wrong.
        reason: &'static str,
    },
}
