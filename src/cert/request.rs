//! Certification requests (PKCS#10, *RFC 2986*) that a chip signs.
//!
//! The chip never sees the request: it gets the digest of [`RequestInfo::to_be_signed`] and answers
//! r ‖ s. Names and usages come from the application and the profile, never from the request;
//! what a request proves is that the chip has the private key.

use der::asn1::{AnyRef, BitStringRef, SetOfVec};
use der::{Decode, Encode, Sequence};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::attr::Attribute;

use crate::certificate::{SignedData, verify_signed};
use crate::name::{DistinguishedName, NameError};
use crate::public_key::{Curve, PublicKey, PublicKeyError};
use crate::signature::{EcdsaSignature, Hash, SignatureAlgorithm, SignatureError};

/// The longest request that is read, in bytes.
const MAX_REQUEST: usize = 16_384;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than any request needs to be.
    #[error("a request is at most {MAX_REQUEST} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not a request in DER.
    #[error("not a PKCS#10 request in DER")]
    Syntax(#[source] der::Error),
    /// Its version is not 0 (*RFC 2986 §4.1*).
    #[error("not a version 1 request")]
    Version,
    /// Its subject does not read.
    #[error("the request's subject is malformed")]
    Subject(#[source] NameError),
    /// Its public key does not read.
    #[error("the request's public key is malformed")]
    PublicKey(#[source] PublicKeyError),
    /// The requester does not have the private key, or the request was altered.
    #[error("the request does not prove possession of its private key")]
    Possession(#[source] SignatureError),
}

#[derive(Sequence)]
struct CertificationRequestInfo<'a> {
    version: u8,
    subject: AnyRef<'a>,
    public_key: SubjectPublicKeyInfoRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    attributes: SetOfVec<Attribute>,
}

/// What a chip is to sign: name and public key.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    curve: Curve,
    to_be_signed: Vec<u8>,
}

impl RequestInfo {
    /// Returns the request for this name and this uncompressed point, 04 ‖ x ‖ y.
    ///
    /// # Errors
    /// [`RequestError::PublicKey`] for a point that is not on the curve.
    pub fn new(
        subject: &DistinguishedName,
        curve: Curve,
        point: &[u8],
    ) -> Result<Self, RequestError> {
        let spki = PublicKey::from_point(curve, point)
            .and_then(|key| key.to_spki_der())
            .map_err(RequestError::PublicKey)?;
        let encode = || {
            CertificationRequestInfo {
                version: 0,
                subject: AnyRef::from_der(subject.as_der())?,
                public_key: SubjectPublicKeyInfoRef::from_der(&spki)?,
                attributes: SetOfVec::new(),
            }
            .to_der()
        };
        Ok(Self {
            curve,
            to_be_signed: encode().map_err(RequestError::Syntax)?,
        })
    }

    /// Returns the bytes that the signature is over.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// Returns the hash that the signature uses: that of the curve's strength.
    pub fn hash(&self) -> Hash {
        self.curve.hash()
    }

    /// Returns the digest that a chip is given to sign: 32 bytes for P-256, 48 for P-384.
    pub fn digest(&self) -> Vec<u8> {
        self.hash().digest(&self.to_be_signed)
    }

    /// Returns the request in DER, with r ‖ s as the chip answered it. The signature is not judged
    /// here; [`Request::parse_and_verify`] does that, on both ends.
    ///
    /// # Errors
    /// [`RequestError::Possession`] for a signature of the wrong length.
    pub fn assemble(&self, raw_signature: &[u8]) -> Result<Vec<u8>, RequestError> {
        let signature = EcdsaSignature::from_raw(self.curve, raw_signature)
            .and_then(|signature| signature.to_der())
            .map_err(RequestError::Possession)?;
        let encode = || {
            SignedData {
                tbs: AnyRef::from_der(&self.to_be_signed)?,
                algorithm: SignatureAlgorithm::Ecdsa(self.hash()).identifier(),
                signature: BitStringRef::from_bytes(&signature)?,
            }
            .to_der()
        };
        encode().map_err(RequestError::Syntax)
    }
}

/// A request whose sender has the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    subject: DistinguishedName,
    public_key: PublicKey,
}

impl Request {
    /// Reads a request from DER and verifies its signature under its own key.
    ///
    /// Attributes are allowed and not looked at: whoever asks does not decide what is certified.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse_and_verify(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_REQUEST {
            return Err(RequestError::TooLong { length: der.len() });
        }
        let outer = SignedData::from_der(der).map_err(RequestError::Syntax)?;
        let tbs = outer.tbs.to_der().map_err(RequestError::Syntax)?;
        let info = CertificationRequestInfo::from_der(&tbs).map_err(RequestError::Syntax)?;
        if info.version != 0 {
            return Err(RequestError::Version);
        }
        let subject = info.subject.to_der().map_err(RequestError::Syntax)?;
        let subject = DistinguishedName::from_der(&subject).map_err(RequestError::Subject)?;
        let spki = info.public_key.to_der().map_err(RequestError::Syntax)?;
        let public_key = PublicKey::from_spki_der(&spki).map_err(RequestError::PublicKey)?;
        let has_parameters = outer.algorithm.parameters.is_some();
        let algorithm = SignatureAlgorithm::read(outer.algorithm.oid, has_parameters);
        let signature = outer
            .signature
            .as_bytes()
            .ok_or_else(|| RequestError::Syntax(der::Tag::BitString.value_error().into()))?;
        verify_signed(&public_key, algorithm, &tbs, signature).map_err(RequestError::Possession)?;
        Ok(Self {
            subject,
            public_key,
        })
    }

    /// Returns the name that the request asks for.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Returns the public key whose private key signed the request.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

#[cfg(test)]
mod tests {
    use p384::ecdsa::signature::hazmat::PrehashSigner;
    use p384::elliptic_curve::sec1::ToSec1Point;
    use proptest::prelude::*;

    use super::{Request, RequestError, RequestInfo};
    use crate::name::{AttributeType, DistinguishedName};
    use crate::public_key::Curve;
    use crate::signature::SignatureError;
    use crate::testing::{Folder, openssl};

    fn holder(cn: &str) -> DistinguishedName {
        DistinguishedName::builder()
            .with(AttributeType::Country, "LV")
            .with(AttributeType::CommonName, cn)
            .with(AttributeType::SerialNumber, "PNOLV-121282-88882")
            .build()
            .unwrap()
    }

    /// Stands for the chip: it gets a digest and gives r ‖ s.
    struct Chip(p384::ecdsa::SigningKey);

    impl Chip {
        fn new(seed: u8) -> Self {
            Self(p384::ecdsa::SigningKey::from_slice(&[seed; 48]).unwrap())
        }

        fn point(&self) -> Vec<u8> {
            let key = p384::PublicKey::from(self.0.verifying_key());
            key.to_sec1_point(false).as_bytes().to_vec()
        }

        fn sign(&self, digest: &[u8]) -> Vec<u8> {
            let signature: p384::ecdsa::Signature = self.0.sign_prehash(digest).unwrap();
            signature.to_bytes().to_vec()
        }
    }

    #[test]
    fn openssl_accepts_a_chip_s_request() {
        let chip = Chip::new(3);
        let info = RequestInfo::new(&holder("ANDRIS PARAUDZIŅŠ"), Curve::P384, &chip.point());
        let info = info.unwrap();
        let der = info.assemble(&chip.sign(&info.digest())).unwrap();
        let folder = Folder::new();
        folder.write("request", &der);
        let said = openssl(
            &folder,
            &[
                "req",
                "-inform",
                "DER",
                "-in",
                "request",
                "-verify",
                "-noout",
                "-subject",
                "-nameopt",
                "utf8,sep_comma_plus",
            ],
        );
        assert!(said.contains("self-signature verify OK"), "{said}");
        assert!(
            said.contains("C=LV,CN=ANDRIS PARAUDZIŅŠ,serialNumber=PNOLV-121282-88882"),
            "{said}"
        );
        let request = Request::parse_and_verify(&der).unwrap();
        assert!(*request.subject() == holder("ANDRIS PARAUDZIŅŠ"));
        assert_eq!(request.public_key().point().unwrap(), chip.point());
    }

    #[test]
    fn openssl_s_requests_are_read() {
        let folder = Folder::new();
        for curve in ["P-256", "P-384"] {
            openssl(
                &folder,
                &[
                    "genpkey",
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    &format!("ec_paramgen_curve:{curve}"),
                    "-out",
                    "key",
                ],
            );
            let hash = if curve == "P-256" {
                "-sha512"
            } else {
                "-sha256"
            };
            openssl(
                &folder,
                &[
                    "req",
                    "-new",
                    hash,
                    "-key",
                    "key",
                    "-subj",
                    "/C=LV/CN=X",
                    "-outform",
                    "DER",
                    "-out",
                    "request",
                    "-addext",
                    "keyUsage=keyCertSign",
                ],
            );
            let request = Request::parse_and_verify(&folder.read("request")).unwrap();
            assert_eq!(request.subject().to_string(), "C=LV, CN=X");
        }
    }

    #[test]
    fn possession_is_demanded() {
        let (chip, thief) = (Chip::new(3), Chip::new(4));
        let info = RequestInfo::new(&holder("A"), Curve::P384, &chip.point()).unwrap();
        let wrong = Err(RequestError::Possession(SignatureError::Wrong));
        let by_thief = info.assemble(&thief.sign(&info.digest())).unwrap();
        assert_eq!(Request::parse_and_verify(&by_thief), wrong);
        let zero = info.assemble(&[0; 96]).unwrap();
        assert_eq!(Request::parse_and_verify(&zero), wrong);
        assert!(info.assemble(&[1; 64]).is_err());
        // The name is signed too.
        let good = info.assemble(&chip.sign(&info.digest())).unwrap();
        let place = good.windows(6).position(|w| w == b"PNOLV-").unwrap();
        let mut renamed = good.clone();
        renamed[place + 6] = b'9';
        assert_eq!(Request::parse_and_verify(&renamed), wrong);
        let mut longer = good;
        longer.push(0);
        assert!(matches!(
            Request::parse_and_verify(&longer),
            Err(RequestError::Syntax(_))
        ));
    }

    #[test]
    fn points_are_checked() {
        let mut point = Chip::new(3).point();
        point[96] ^= 1;
        assert!(RequestInfo::new(&holder("A"), Curve::P384, &point).is_err());
        assert!(RequestInfo::new(&holder("A"), Curve::P256, &Chip::new(3).point()).is_err());
        assert!(RequestInfo::new(&holder("A"), Curve::P384, &[]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn requests_round_trip(seed in 1_u8..=0x7f, cn in "[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,64}") {
            let chip = Chip::new(seed);
            let info = RequestInfo::new(&holder(&cn), Curve::P384, &chip.point()).unwrap();
            let der = info.assemble(&chip.sign(&info.digest())).unwrap();
            let request = Request::parse_and_verify(&der).unwrap();
            prop_assert!(*request.subject() == holder(&cn));
            let point = chip.point();
            prop_assert_eq!(request.public_key().point(), Some(&point[..]));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Request::parse_and_verify(&bytes).is_err());
        }
    }
}
