//! X.509 certificates (*RFC 5280 §4*).

use std::fmt;

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Sequence};
use jiff::Timestamp;
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};
use x509_cert::certificate::Version;
use x509_cert::time::Time;

use crate::extensions::Extensions;
use crate::name::{DistinguishedName, NameError};
use crate::public_key::{PublicKey, PublicKeyError};
use crate::signature::SignatureError;
use crate::signature_algorithm::SignatureAlgorithm;

/// The longest certificate that is read, in bytes.
const MAX_CERTIFICATE: usize = 65_536;

/// Why bytes were refused as a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Longer than any certificate needs to be.
    #[error("a certificate is at most {MAX_CERTIFICATE} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not a certificate in DER.
    #[error("not an X.509 certificate in DER")]
    Syntax(#[source] der::Error),
    /// Not version 3.
    #[error("not a version 3 certificate")]
    Version,
    /// The serial number is zero or negative, or longer than 20 bytes (*§4.1.2.2*).
    #[error("the serial number is not a positive number of at most 20 bytes")]
    Serial,
    /// The algorithm beside the signature is not the one under it (*§4.1.1.2*).
    #[error("the signature algorithm is not the one that was signed")]
    AlgorithmMismatch,
    /// The end comes before the beginning, or a time is out of range.
    #[error("the validity is not a period")]
    Validity,
    /// Subject or issuer do not read.
    #[error("subject or issuer is malformed")]
    Name(#[source] NameError),
    /// The public key does not read.
    #[error("the public key is malformed")]
    PublicKey(#[source] PublicKeyError),
    /// An extension appears twice (*§4.2*).
    #[error("extension {oid} appears twice")]
    RepeatedExtension {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
    /// An extension that is understood here does not read.
    #[error("extension {oid} is malformed")]
    Extension {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
    /// There are more extensions than any certificate has.
    #[error("too many extensions")]
    TooManyExtensions,
}

/// The period in which a certificate holds, both ends included (*§4.1.2.5*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: Timestamp,
    /// The last second.
    pub not_after: Timestamp,
}

/// An X.509 certificate, read and checked for form; whether to trust it is
/// [`crate::PathVerifier`]'s business.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    serial: Vec<u8>,
    serial_der: Vec<u8>,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    validity: Validity,
    public_key: PublicKey,
    extensions: Extensions,
}

/// How much is asked of the form of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// All that *RFC 5280* asks.
    Strict,
    /// What states' certificates keep ([`Certificate::parse_of_state`]).
    States,
}

impl Strictness {
    /// Returns a serial number: the bytes of the INTEGER without a leading zero.
    pub(crate) fn serial(self, bytes: &[u8]) -> Result<Vec<u8>, CertificateError> {
        match (self, bytes) {
            (Self::Strict, _) => read_serial(bytes),
            (Self::States, [0, rest @ ..]) if (1..=20).contains(&rest.len()) => Ok(rest.to_vec()),
            (Self::States, _) if (1..=21).contains(&bytes.len()) => Ok(bytes.to_vec()),
            _ => Err(CertificateError::Serial),
        }
    }
}

/// The outer form of certificates and requests: the signed part is kept as it stands.
#[derive(Sequence)]
pub(crate) struct SignedData<'a> {
    pub(crate) tbs: AnyRef<'a>,
    pub(crate) algorithm: AlgorithmIdentifierRef<'a>,
    pub(crate) signature: BitStringRef<'a>,
}

impl Certificate {
    /// Reads a certificate from DER.
    ///
    /// # Errors
    /// [`CertificateError`]. Unknown critical extensions are no error here, see
    /// [`Extensions::unknown_critical`].
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        Self::read(der, Strictness::Strict)
    }

    /// Reads a certificate of another state's travel document PKI as [`Certificate::parse`] does,
    /// and takes what master lists hold and no new certificate may have: a serial number that is
    /// zero (VA), negative (KZ) or a byte too long, kept as it stands; TRUE that is not FF (UA).
    /// Its holder's own key answers for it, so that nothing rests on these.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn parse_of_state(der: &[u8]) -> Result<Self, CertificateError> {
        Self::read(der, Strictness::States)
    }

    fn read(der: &[u8], strictness: Strictness) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong { length: der.len() });
        }
        let read = |error| CertificateError::Syntax(error);
        let outer = SignedData::from_der(der).map_err(read)?;
        // DER has one encoding, so that this is what stands in `der`.
        let tbs = outer.tbs.to_der().map_err(read)?;
        let inner = x509_cert::TbsCertificate::from_der(&tbs).map_err(read)?;
        if inner.version() != Version::V3 {
            return Err(CertificateError::Version);
        }
        let signed = inner.signature();
        let same_parameters = match (&signed.parameters, &outer.algorithm.parameters) {
            (None, None) => true,
            (Some(inner), Some(outer)) => AnyRef::from(inner) == *outer,
            _ => false,
        };
        if signed.oid != outer.algorithm.oid || !same_parameters {
            return Err(CertificateError::AlgorithmMismatch);
        }
        let name = |name: &x509_cert::name::Name| {
            let der = name.to_der().map_err(read)?;
            DistinguishedName::from_der(&der).map_err(CertificateError::Name)
        };
        let spki = inner.subject_public_key_info().to_der().map_err(read)?;
        let extensions = inner.extensions().map_or(&[][..], |all| all.as_slice());
        Ok(Self {
            algorithm: SignatureAlgorithm::read(&outer.algorithm),
            signature: outer
                .signature
                .as_bytes()
                .ok_or_else(|| read(der::Tag::BitString.value_error().into()))?
                .to_vec(),
            serial: strictness.serial(inner.serial_number().as_bytes())?,
            serial_der: inner.serial_number().to_der().map_err(read)?,
            issuer: name(inner.issuer())?,
            subject: name(inner.subject())?,
            validity: Validity::read(inner.validity().not_before, inner.validity().not_after)?,
            public_key: PublicKey::from_spki_der(&spki).map_err(CertificateError::PublicKey)?,
            extensions: Extensions::read(extensions, strictness)?,
            der: der.to_vec(),
            tbs,
        })
    }

    /// Returns the certificate in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the serial number: big-endian, no leading zero byte.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Returns the serial number in hexadecimal, as errors and logs name a certificate.
    pub fn serial_hex(&self) -> String {
        hex::encode(&self.serial)
    }

    /// Returns the serial number as INTEGER in DER, as PKCS#15 files and CRLs have it.
    pub fn serial_der(&self) -> &[u8] {
        &self.serial_der
    }

    /// Returns the issuer's name.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Returns the subject's name.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Returns the period in which the certificate holds.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Returns the public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Returns the extensions.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Returns how the certificate is signed.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns whether subject and issuer are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Returns whether the certificate's key is this uncompressed point, 04 ‖ x ‖ y, as a card
    /// gives it.
    pub fn matches_public_key(&self, point: &[u8]) -> bool {
        self.public_key.point() == Some(point)
    }

    /// Returns whether the certificate is for this key, of whatever kind.
    pub fn matches(&self, key: &PublicKey) -> bool {
        self.public_key == *key
    }

    /// Verifies that the holder of `issuer_key` signed this certificate.
    ///
    /// # Errors
    /// [`SignatureError`]; SHA-1 is [`SignatureError::Unsupported`].
    pub fn verify_signature(&self, issuer_key: &PublicKey) -> Result<(), SignatureError> {
        issuer_key.verify(self.algorithm, &self.tbs, &self.signature)
    }
}

impl Validity {
    /// Returns whether `at` lies in the period.
    pub fn contains(&self, at: Timestamp) -> bool {
        // Certificates count whole seconds; the last one holds to its end.
        self.not_before <= at && at.as_second() <= self.not_after.as_second()
    }

    fn read(not_before: Time, not_after: Time) -> Result<Self, CertificateError> {
        let timestamp = |time: Time| {
            i64::try_from(time.to_unix_duration().as_secs())
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok())
                .ok_or(CertificateError::Validity)
        };
        let validity = Self {
            not_before: timestamp(not_before)?,
            not_after: timestamp(not_after)?,
        };
        if validity.not_before > validity.not_after {
            return Err(CertificateError::Validity);
        }
        Ok(validity)
    }
}

/// Takes the sign byte off a serial number and checks its range.
pub(crate) fn read_serial(bytes: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let magnitude = match bytes {
        [0, rest @ ..] => rest,
        [first, ..] if *first < 0x80 => bytes,
        _ => return Err(CertificateError::Serial),
    };
    if magnitude.is_empty() || magnitude.len() > 20 || bytes.len() > 20 {
        return Err(CertificateError::Serial);
    }
    Ok(magnitude.to_vec())
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate(serial {})", self.serial_hex())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Certificate, CertificateError, read_serial};
    use crate::algorithm::{Curve, KeyAlgorithm};
    use crate::hash::Hash;
    use crate::signature::SignatureError;
    use crate::signature_algorithm::SignatureAlgorithm;
    use crate::testing::{Folder, issue, openssl};

    const EXTENSIONS: &str = "\
        basicConstraints=critical,CA:TRUE,pathlen:3\n\
        keyUsage=critical,keyCertSign,cRLSign\n\
        extendedKeyUsage=clientAuth,emailProtection\n\
        certificatePolicies=0.4.0.2042.1.2,1.2.3.4\n\
        subjectKeyIdentifier=hash\n\
        authorityKeyIdentifier=keyid\n\
        crlDistributionPoints=URI:http://crl.example/ca.crl\n\
        authorityInfoAccess=OCSP;URI:http://ocsp.example,caIssuers;URI:http://ca.example/ca.cer\n";

    #[test]
    fn openssl_s_certificate_is_read() {
        let folder = Folder::new();
        let certificate = issue(&folder, "Root", None, "P-384", EXTENSIONS);
        let said = openssl(&folder, &["x509", "-in", "Root.pem", "-noout", "-serial"]);
        let serial = said.trim().strip_prefix("serial=").unwrap().to_lowercase();
        assert_eq!(certificate.serial_hex(), serial.trim_start_matches("00"));
        assert_eq!(certificate.subject().to_string(), "C=LV, CN=Root");
        assert!(certificate.is_self_issued());
        let validity = certificate.validity();
        let days = validity.not_after.as_second() - validity.not_before.as_second();
        assert_eq!(days, 30 * 86_400);
        let algorithm = certificate.signature_algorithm();
        assert_eq!(algorithm, SignatureAlgorithm::Ecdsa(Hash::Sha384));
        let key = certificate.public_key();
        assert_eq!(key.curve(), Some(Curve::P384));
        assert!(certificate.matches_public_key(key.point().unwrap()));
        assert!(!certificate.matches_public_key(&[4; 97]));
        certificate.verify_signature(key).unwrap();

        let extensions = certificate.extensions();
        assert!(extensions.ca);
        assert_eq!(extensions.path_length, Some(3));
        assert!(extensions.key_usage.unwrap().key_cert_sign());
        assert!(!extensions.key_usage.unwrap().digital_signature());
        assert_eq!(extensions.extended_key_usage.len(), 2);
        let policies: Vec<_> = extensions
            .policies
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(policies, ["0.4.0.2042.1.2", "1.2.3.4"]);
        assert_eq!(extensions.crl_urls, ["http://crl.example/ca.crl"]);
        assert_eq!(extensions.ocsp_urls, ["http://ocsp.example"]);
        assert_eq!(extensions.issuer_urls, ["http://ca.example/ca.cer"]);
        let leaf = issue(&folder, "Leaf", Some("Root"), "P-256", EXTENSIONS);
        assert_eq!(
            leaf.extensions().authority_key_identifier,
            extensions.subject_key_identifier
        );
        leaf.verify_signature(key).unwrap();
        assert!(extensions.subject_key_identifier.is_some());
        assert!(extensions.unknown_critical.is_empty());
    }

    /// Makes a self-signed certificate by openssl.
    fn self_signed(key: &[&str], signing: &[&str]) -> Certificate {
        let folder = Folder::new();
        let arguments = [
            &["req", "-x509", "-nodes", "-keyout", "k", "-subj", "/CN=R"],
            key,
            signing,
            &["-outform", "DER", "-out", "c"],
        ];
        openssl(&folder, &arguments.concat());
        Certificate::parse(&folder.read("c")).unwrap()
    }

    #[test]
    fn certificates_of_every_kind_of_key_verify() {
        let rsa = ["-newkey", "rsa:2048"];
        let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt"];
        let digest_salt = [&["-sha384"], &pss[..], &["rsa_pss_saltlen:-1"]].concat();
        let odd_salt = [&["-sha256"], &pss[..], &["rsa_pss_saltlen:17"]].concat();
        let ec = |curve| ["-newkey", "ec", "-pkeyopt", curve];
        for (key, signing, name, algorithm) in [
            (
                &rsa[..],
                &["-sha256"][..],
                "rsa2048",
                SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
            ),
            (
                &rsa,
                &digest_salt,
                "rsa2048",
                SignatureAlgorithm::rsa_pss(Hash::Sha384),
            ),
            (
                &rsa,
                &odd_salt,
                "rsa2048",
                SignatureAlgorithm::RsaPss {
                    hash: Hash::Sha256,
                    salt_length: 17,
                },
            ),
            (
                &ec("ec_paramgen_curve:brainpoolP384r1"),
                &["-sha384"],
                "bp384r1",
                SignatureAlgorithm::Ecdsa(Hash::Sha384),
            ),
            (
                &ec("ec_paramgen_curve:P-521"),
                &["-sha512"],
                "p521",
                SignatureAlgorithm::Ecdsa(Hash::Sha512),
            ),
        ] {
            let certificate = self_signed(key, signing);
            assert_eq!(certificate.signature_algorithm(), algorithm);
            let key = certificate.public_key();
            assert_eq!(key.algorithm(), KeyAlgorithm::named(name));
            certificate.verify_signature(key).unwrap();
            assert!(certificate.matches(key));
            // openssl's subjectKeyIdentifier is SHA-1 of the key's bits.
            let identifier = key.key_identifier().unwrap();
            let theirs = &certificate.extensions().subject_key_identifier;
            assert_eq!(theirs.as_deref(), Some(&identifier[..]));
        }
    }

    #[test]
    fn sha1_and_short_keys_are_read_and_not_trusted() {
        let sha1 = self_signed(&["-newkey", "rsa:2048"], &["-sha1"]);
        let oid = "1.2.840.113549.1.1.5".parse().unwrap();
        assert_eq!(sha1.signature_algorithm(), SignatureAlgorithm::Other(oid));
        assert_eq!(
            sha1.verify_signature(sha1.public_key()),
            Err(SignatureError::Unsupported)
        );
        let short = self_signed(&["-newkey", "rsa:1024"], &["-sha256"]);
        assert!(matches!(
            short.verify_signature(short.public_key()),
            Err(SignatureError::WeakKey { .. })
        ));
        assert!(!short.matches(sha1.public_key()));
    }

    #[test]
    fn parts_for_pkcs15_files_are_openssl_s() {
        let certificate = self_signed(&["-newkey", "rsa:2048"], &["-set_serial", "0x80FF"]);
        let theirs = openssl::x509::X509::from_der(certificate.as_der()).unwrap();
        assert_eq!(certificate.serial_der(), [2, 3, 0, 0x80, 0xFF]);
        let names = [
            (certificate.issuer(), theirs.issuer_name()),
            (certificate.subject(), theirs.subject_name()),
        ];
        for (ours, theirs) in names {
            assert_eq!(ours.as_der(), theirs.to_der().unwrap());
        }
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let folder = Folder::new();
        let good = issue(&folder, "Root", None, "P-256", EXTENSIONS);
        let der = good.as_der();
        for length in 0..der.len() {
            assert!(Certificate::parse(&der[..length]).is_err());
        }
        for place in 0..der.len() {
            let mut altered = der.to_vec();
            altered[place] ^= 0x55;
            if let Ok(read) = Certificate::parse(&altered) {
                assert!(
                    read.verify_signature(good.public_key()).is_err(),
                    "byte {place}"
                );
            }
        }
        let longer = [der, &[0]].concat();
        assert!(matches!(
            Certificate::parse(&longer),
            Err(CertificateError::Syntax(_))
        ));
        assert!(matches!(
            Certificate::parse(&vec![0; 70_000]),
            Err(CertificateError::TooLong { length: 70_000 })
        ));
    }

    #[test]
    fn serial_numbers_are_positive_and_short() {
        assert_eq!(read_serial(&[0, 0x80]).unwrap(), [0x80]);
        assert_eq!(read_serial(&[0x7f; 20]).unwrap(), [0x7f; 20]);
        for bad in [&[0][..], &[], &[0x80], &[0x7f; 21]] {
            assert_eq!(read_serial(bad), Err(CertificateError::Serial));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Certificate::parse(&bytes).is_err());
        }
    }
}
