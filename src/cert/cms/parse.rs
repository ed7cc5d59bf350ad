//! Reading a signed message.

use der::asn1::{AnyRef, OctetStringRef};
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};

use super::attributes::SignedAttributes;
use super::{EF_SOD, SIGNED_DATA};
use crate::certificate::{Certificate, CertificateError, Strictness};
use crate::hash::Hash;
use crate::name::DistinguishedName;
use crate::signature_algorithm::SignatureAlgorithm;

/// The longest message that is read, in bytes: the longest master lists have one or two million.
pub const MAX_SIGNED_DATA: usize = 16 << 20;

/// The most certificates beside the content; a document has one, a master list two.
const MAX_CERTIFICATES: usize = 64;
/// The most signers; there is one.
const MAX_SIGNERS: usize = 8;
/// The most digest algorithms announced.
const MAX_ALGORITHMS: usize = 32;

/// The arc of `rsaEncryption`, with which some name the signature: the hash is then the digest's
/// (*RFC 3370 §3.2*).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Why bytes were refused as a signed message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedDataError {
    /// Longer than any needs to be.
    #[error("a signed message is at most {MAX_SIGNED_DATA} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not CMS in DER.
    #[error("not a CMS message in DER")]
    Syntax(#[from] der::Error),
    /// CMS of another kind.
    #[error("the CMS message is not SignedData")]
    Kind,
    /// A version that no such message has.
    #[error("SignedData or SignerInfo has the unknown version {version}")]
    Version {
        /// The number.
        version: u8,
    },
    /// The content is elsewhere.
    #[error("the signed message has no content in it")]
    Detached,
    /// It has too many certificates.
    #[error("a signed message holds at most {MAX_CERTIFICATES} certificates")]
    Certificates,
    /// One of them does not read.
    #[error("certificate {place} of the signed message does not read")]
    Certificate {
        /// Which, counted from 1.
        place: usize,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// Nobody signed it, or too many did.
    #[error("a signed message has 1 to {MAX_SIGNERS} signers, not {count}")]
    Signers {
        /// How many, up to one too many.
        count: usize,
    },
    /// A signer is not named as one is: by issuer and serial number, or by key identifier.
    #[error("a signer of the message is not named by issuer and serial number or key identifier")]
    SignerId,
    /// An attribute that is signed is malformed, missing, or there twice.
    #[error("signed attribute {oid} is malformed, missing or repeated")]
    Attribute {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
}

/// A signed message, read; that anybody signed it is found by [`SignedData::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct SignedData {
    content_type: ObjectIdentifier,
    content: Vec<u8>,
    certificates: Vec<Certificate>,
    crls: Vec<Vec<u8>>,
    signers: Vec<SignerInfo>,
}

/// How a message names a signer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerId {
    /// By its issuer and serial number.
    IssuerAndSerial {
        /// The issuer.
        issuer: DistinguishedName,
        /// The serial number: big-endian, no leading zero byte.
        serial: Vec<u8>,
    },
    /// By its `subjectKeyIdentifier`.
    SubjectKey(Vec<u8>),
}

/// A signer of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct SignerInfo {
    pub(super) id: SignerId,
    pub(super) digest_oid: ObjectIdentifier,
    pub(super) digest: Option<Hash>,
    pub(super) attributes: Option<SignedAttributes>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
}

impl SignedData {
    /// Reads a message, `ContentInfo` in DER: EF.CardSecurity, a master list.
    ///
    /// # Errors
    /// [`SignedDataError`].
    pub fn parse(der: &[u8]) -> Result<Self, SignedDataError> {
        if der.len() > MAX_SIGNED_DATA {
            return Err(SignedDataError::TooLong { length: der.len() });
        }
        let mut info = inside(der, Tag::Sequence)?;
        if ObjectIdentifier::decode(&mut info)? != SIGNED_DATA {
            return Err(SignedDataError::Kind);
        }
        let explicit = element(&mut info, context(0))?;
        info.finish()?;
        let mut data = inside(
            whole_of(inside(explicit, context(0))?, Tag::Sequence)?,
            Tag::Sequence,
        )?;
        version(&mut data, &[1, 3, 4, 5])?;
        read_algorithms(element(&mut data, Tag::Set)?)?;
        let (content_type, content) = read_content(element(&mut data, Tag::Sequence)?)?;
        let mut certificates = Vec::new();
        if next_is(&data, context(0)) {
            certificates = read_certificates(element(&mut data, context(0))?)?;
        }
        let mut crls = Vec::new();
        if next_is(&data, context(1)) {
            let mut lists = inside(element(&mut data, context(1))?, context(1))?;
            while !lists.is_finished() {
                if crls.len() == MAX_CERTIFICATES {
                    return Err(SignedDataError::Certificates);
                }
                crls.push(lists.tlv_bytes()?.to_vec());
            }
        }
        let mut set = inside(element(&mut data, Tag::Set)?, Tag::Set)?;
        data.finish()?;
        let mut signers = Vec::new();
        while !set.is_finished() && signers.len() <= MAX_SIGNERS {
            signers.push(SignerInfo::read(element(&mut set, Tag::Sequence)?)?);
        }
        if !(1..=MAX_SIGNERS).contains(&signers.len()) {
            return Err(SignedDataError::Signers {
                count: signers.len(),
            });
        }
        Ok(Self {
            content_type,
            content,
            certificates,
            crls,
            signers,
        })
    }

    /// Reads EF.SOD as it lies on a chip: tag 77 around the message (*ICAO 9303-10 §4.6.2*).
    ///
    /// # Errors
    /// [`SignedDataError`].
    pub fn parse_ef_sod(file: &[u8]) -> Result<Self, SignedDataError> {
        if file.len() > MAX_SIGNED_DATA {
            return Err(SignedDataError::TooLong { length: file.len() });
        }
        Self::parse(whole_of(inside(file, EF_SOD)?, Tag::Sequence)?)
    }

    /// Returns what the content is.
    pub fn content_type(&self) -> ObjectIdentifier {
        self.content_type
    }

    /// Returns the content that is signed.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns the certificates that came with it; nothing vouches for them.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Returns the revocation lists that came with it, DER, not read; nothing vouches for them.
    pub fn crls(&self) -> impl Iterator<Item = &[u8]> {
        self.crls.iter().map(Vec::as_slice)
    }

    /// Returns the signers, one at least.
    pub fn signers(&self) -> &[SignerInfo] {
        &self.signers
    }
}

impl SignerInfo {
    /// Returns how the signer's certificate is named.
    pub fn id(&self) -> &SignerId {
        &self.id
    }

    /// Returns the hash of the content, if it is a known one.
    pub fn digest(&self) -> Option<Hash> {
        self.digest
    }

    /// Returns how the signer signed. SHA-1 is named where it was used.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns what was signed in the content's place, digest and all.
    pub fn signed_attributes(&self) -> Option<&SignedAttributes> {
        self.attributes.as_ref()
    }

    /// Returns when the signer says that it signed.
    pub fn signing_time(&self) -> Option<jiff::Timestamp> {
        self.attributes.as_ref()?.signing_time
    }

    /// Returns whether this is the certificate that the signer is named by.
    pub fn names(&self, certificate: &Certificate) -> bool {
        match &self.id {
            SignerId::IssuerAndSerial { issuer, serial } => {
                certificate.serial() == serial && certificate.issuer().is_same_as(issuer)
            }
            SignerId::SubjectKey(named) => match &certificate.extensions().subject_key_identifier {
                Some(own) => own == named,
                None => certificate
                    .public_key()
                    .key_identifier()
                    .is_ok_and(|own| own[..] == named[..]),
            },
        }
    }

    fn read(tlv: &[u8]) -> Result<Self, SignedDataError> {
        let mut info = inside(tlv, Tag::Sequence)?;
        version(&mut info, &[1, 3])?;
        let id = read_id(info.tlv_bytes()?)?;
        let digest = AlgorithmIdentifierRef::decode(&mut info)?;
        let mut attributes = None;
        if next_is(&info, context(0)) {
            let read = SignedAttributes::read(element(&mut info, context(0))?)?;
            attributes = Some(read);
        }
        let named = AlgorithmIdentifierRef::decode(&mut info)?;
        let signature = <&OctetStringRef>::decode(&mut info)?.as_bytes().to_vec();
        // What is not signed is not looked at.
        if next_is(&info, context(1)) {
            element(&mut info, context(1))?;
        }
        info.finish()?;
        let hash = digest
            .parameters
            .is_none_or(|any| any.is_null())
            .then(|| Hash::from_oid(digest.oid))
            .flatten();
        let algorithm = match (named.oid, hash) {
            (RSA_ENCRYPTION, Some(hash)) => SignatureAlgorithm::RsaPkcs1(hash),
            _ => SignatureAlgorithm::read_with_sha1(&named),
        };
        Ok(Self {
            id,
            digest_oid: digest.oid,
            digest: hash,
            attributes,
            algorithm,
            signature,
        })
    }
}

impl std::fmt::Debug for SignedData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.content.len();
        write!(f, "SignedData({}, {bytes} bytes)", self.content_type)
    }
}

impl std::fmt::Debug for SignerInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignerInfo({})", self.algorithm)
    }
}

fn read_id(tlv: &[u8]) -> Result<SignerId, SignedDataError> {
    const KEY: u8 = 0x80;
    match tlv.first() {
        Some(0x30) => {
            let mut id = inside(tlv, Tag::Sequence)?;
            let issuer = DistinguishedName::from_der(id.tlv_bytes()?);
            let serial = der::asn1::IntRef::decode(&mut id)?;
            id.finish()?;
            Ok(SignerId::IssuerAndSerial {
                issuer: issuer.map_err(|_| SignedDataError::SignerId)?,
                serial: Strictness::States
                    .serial(serial.as_bytes())
                    .map_err(|_| SignedDataError::SignerId)?,
            })
        }
        Some(&KEY) => {
            let named = AnyRef::from_der(tlv)?.value();
            match named.len() {
                1..=64 => Ok(SignerId::SubjectKey(named.to_vec())),
                _ => Err(SignedDataError::SignerId),
            }
        }
        _ => Err(SignedDataError::SignerId),
    }
}

fn version(reader: &mut SliceReader<'_>, known: &[u8]) -> Result<(), SignedDataError> {
    let version = u8::decode(reader)?;
    if known.contains(&version) {
        return Ok(());
    }
    Err(SignedDataError::Version { version })
}

/// Which digests there are is said by each signer; the announcement is read for form only.
fn read_algorithms(tlv: &[u8]) -> Result<(), SignedDataError> {
    let mut set = inside(tlv, Tag::Set)?;
    let mut count = 0;
    while !set.is_finished() {
        AlgorithmIdentifierRef::decode(&mut set)?;
        count += 1;
        if count > MAX_ALGORITHMS {
            return Err(SignedDataError::Syntax(Tag::Set.length_error().into()));
        }
    }
    Ok(())
}

fn read_content(tlv: &[u8]) -> Result<(ObjectIdentifier, Vec<u8>), SignedDataError> {
    let mut encapsulated = inside(tlv, Tag::Sequence)?;
    let kind = ObjectIdentifier::decode(&mut encapsulated)?;
    if encapsulated.is_finished() {
        return Err(SignedDataError::Detached);
    }
    let mut explicit = inside(element(&mut encapsulated, context(0))?, context(0))?;
    encapsulated.finish()?;
    let content = <&OctetStringRef>::decode(&mut explicit)?;
    explicit.finish()?;
    Ok((kind, content.as_bytes().to_vec()))
}

fn read_certificates(tlv: &[u8]) -> Result<Vec<Certificate>, SignedDataError> {
    let mut set = inside(tlv, context(0))?;
    let mut certificates = Vec::new();
    while !set.is_finished() {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(SignedDataError::Certificates);
        }
        let place = certificates.len() + 1;
        let read = Certificate::parse_of_state(set.tlv_bytes()?);
        certificates.push(read.map_err(|source| SignedDataError::Certificate { place, source })?);
    }
    Ok(certificates)
}

/// Returns a constructed context-specific tag.
pub(super) fn context(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    }
}

/// Returns a reader of the content of the one element that `der` is.
pub(crate) fn inside(der: &[u8], tag: Tag) -> Result<SliceReader<'_>, der::Error> {
    let mut reader = SliceReader::new(der)?;
    let header = Header::decode(&mut reader)?;
    header.tag().assert_eq(tag)?;
    let content = reader.read_slice(header.length())?;
    reader.finish()?;
    SliceReader::new(content)
}

/// Returns the next element, whole, which must have this tag.
pub(crate) fn element<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Result<&'a [u8], der::Error> {
    Tag::peek(reader)?.assert_eq(tag)?;
    reader.tlv_bytes()
}

/// Returns the only element that a reader has left.
fn whole_of<'a>(mut reader: SliceReader<'a>, tag: Tag) -> Result<&'a [u8], der::Error> {
    let found = element(&mut reader, tag)?;
    reader.finish()?;
    Ok(found)
}

fn next_is(reader: &SliceReader<'_>, tag: Tag) -> bool {
    !reader.is_finished() && Tag::peek(reader).is_ok_and(|next| next == tag)
}
