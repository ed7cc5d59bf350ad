//! The hash by which a confirmation names its certificate (*RFC 9810 §5.3.18*).

use cert::{Certificate, Hash};
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier};

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// Returns a certificate's hash and, where the certificate's own signature names no hash, the
/// algorithm to be said beside it (`hashAlg`, which only version 3 has).
pub(crate) fn certificate_hash(
    certificate: &Certificate,
) -> (Vec<u8>, Option<AlgorithmIdentifierOwned>) {
    match certificate.signature_algorithm().hash() {
        Some(hash) => (hash.digest(certificate.as_der()), None),
        None => (
            Hash::Sha256.digest(certificate.as_der()),
            Some(AlgorithmIdentifierOwned {
                oid: SHA256,
                parameters: None,
            }),
        ),
    }
}

/// Returns a certificate's hash by the algorithm that a confirmation names, or by the
/// certificate's own; nothing where that is none that is known.
pub(crate) fn named_hash(
    certificate: &Certificate,
    named: Option<&AlgorithmIdentifierOwned>,
) -> Option<Vec<u8>> {
    let hash = match named.map(|algorithm| algorithm.oid) {
        None => certificate.signature_algorithm().hash()?,
        Some(SHA256) => Hash::Sha256,
        Some(SHA384) => Hash::Sha384,
        Some(SHA512) => Hash::Sha512,
        Some(_) => return None,
    };
    Some(hash.digest(certificate.as_der()))
}
