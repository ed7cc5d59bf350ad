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

#[cfg(test)]
mod tests {
    use cert::{Certificate, Hash};

    use super::{certificate_hash, named_hash};
    use crate::testing::Folder;

    fn certificate(key: &[&str]) -> Certificate {
        let folder = Folder::new();
        let request = [
            "req", "-x509", "-nodes", "-subj", "/CN=R", "-outform", "DER",
        ];
        let files = ["-keyout", "k", "-out", "c"];
        folder.openssl(&[&request[..], key, &files].concat());
        Certificate::parse(&folder.read("c")).unwrap()
    }

    #[test]
    fn the_hash_is_the_signature_s_or_named() {
        let usual = certificate(&["-newkey", "rsa:2048", "-sha384"]);
        let (hash, named) = certificate_hash(&usual);
        assert_eq!(hash, Hash::Sha384.digest(usual.as_der()));
        assert!(named.is_none());
        assert_eq!(named_hash(&usual, None), Some(hash));
        // Ed25519 signs the message itself.
        let edwards = certificate(&["-newkey", "ed25519"]);
        let (hash, named) = certificate_hash(&edwards);
        assert_eq!(hash, Hash::Sha256.digest(edwards.as_der()));
        assert_eq!(named_hash(&edwards, None), None);
        assert_eq!(named_hash(&edwards, named.as_ref()), Some(hash));
        let mut unknown = named.unwrap();
        unknown.oid = spki::ObjectIdentifier::new_unwrap("1.2.3");
        assert_eq!(named_hash(&edwards, Some(&unknown)), None);
    }
}
