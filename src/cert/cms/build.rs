//! Building a signed message; the signature comes from whoever has the key.

use der::asn1::{OctetStringRef, SetOfVec};
use der::{Any, Encode, Header, Length, Tag};
use jiff::Timestamp;
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};
use x509_cert::time::Time;

use super::parse::context;
use super::{CONTENT_TYPE, EF_SOD, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_TIME};
use crate::certificate::Certificate;
use crate::hash::Hash;
use crate::signature_algorithm::SignatureAlgorithm;

/// `subjectKeyIdentifier`, [0] IMPLICIT.
const KEY_IDENTIFIER: Tag = Tag::ContextSpecific {
    constructed: false,
    number: der::TagNumber(0),
};

/// Why a signed message was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The signer's certificate has no key identifier to be named by.
    #[error("the signer's certificate has no key identifier")]
    NoKeyIdentifier,
    /// The signer's key does not sign so, or with SHA-1.
    #[error("the certificate's key does not sign with {0}")]
    Algorithm(SignatureAlgorithm),
    /// The time of signing lies outside what certificates can say.
    #[error("the signing time is out of range")]
    Time,
    /// What was built does not encode.
    #[error("the signed message does not encode")]
    Encoding(#[from] der::Error),
}

/// How a message names its signer's certificate (*RFC 5652 §5.3*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignerNaming {
    /// By issuer and serial number: recommended for documents (*ICAO 9303-10 §4.6.2*).
    #[default]
    IssuerAndSerial,
    /// By key identifier: recommended for master lists (*ICAO 9303-12 §9.1*).
    SubjectKey,
}

/// What is to be signed, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// What the content is.
    pub content_type: ObjectIdentifier,
    /// The content, DER.
    pub content: &'a [u8],
    /// The signer's certificate; it goes into the message first.
    pub signer: &'a Certificate,
    /// Other certificates that go into the message: for a master list the signer's issuer (*ICAO
    /// 9303-12 §9*); for a document none.
    pub others: &'a [Certificate],
    /// How the signer's certificate is named.
    pub naming: SignerNaming,
    /// How the signer signs.
    pub algorithm: SignatureAlgorithm,
    /// When; none to say nothing of it.
    pub signing_time: Option<Timestamp>,
}

/// A message that wants its signature.
#[derive(Clone, PartialEq, Eq)]
pub struct UnsignedMessage {
    /// `SignedData` up to the signers.
    head: Vec<u8>,
    /// `SignerInfo` up to the signed attributes.
    signer: Vec<u8>,
    /// The attributes as SET OF, which is what is signed.
    attributes: Vec<u8>,
    algorithm: Vec<u8>,
    hash: Hash,
}

impl Message<'_> {
    /// Prepares the message; the content's digest is by the signature's hash.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn prepare(&self) -> Result<UnsignedMessage, BuildError> {
        let refused = BuildError::Algorithm(self.algorithm);
        let key = self.signer.public_key().algorithm().ok_or(refused)?;
        let hash = self.algorithm.hash().ok_or(refused)?;
        if !self.algorithm.fits(key) || hash == Hash::Sha1 {
            return Err(refused);
        }
        // SHA-2 has no parameters here (RFC 5754 §2).
        let digest = AlgorithmIdentifierRef {
            oid: hash.oid(),
            parameters: None,
        }
        .to_der()?;
        let content = tlv(Tag::OctetString, &[self.content])?;
        let kind = self.content_type.to_der()?;
        let explicit = tlv(context(0), &[&content])?;
        let certificates = self.certificates()?;
        let head = [
            // Version 3: the content is not plain data (§5.1).
            3_u8.to_der()?,
            tlv(Tag::Set, &[&digest])?,
            tlv(Tag::Sequence, &[&kind, &explicit])?,
            tlv(context(0), &[&certificates])?,
        ]
        .concat();
        // The version says how the signer is named (§5.3).
        let (version, id) = match self.naming {
            SignerNaming::IssuerAndSerial => {
                let issuer = self.signer.issuer().as_der();
                let id = tlv(Tag::Sequence, &[issuer, self.signer.serial_der()])?;
                (1_u8, id)
            }
            SignerNaming::SubjectKey => {
                let own = self.signer.extensions().subject_key_identifier.as_deref();
                let own = own.ok_or(BuildError::NoKeyIdentifier)?;
                (3, tlv(KEY_IDENTIFIER, &[own])?)
            }
        };
        Ok(UnsignedMessage {
            head,
            signer: [version.to_der()?, id, digest].concat(),
            attributes: self.attributes(hash)?,
            algorithm: self.algorithm.to_der()?,
            hash,
        })
    }

    /// Returns the certificates in the order of a SET OF.
    fn certificates(&self) -> Result<Vec<u8>, BuildError> {
        let mut all = vec![self.signer.as_der()];
        all.extend(self.others.iter().map(Certificate::as_der));
        all.sort_unstable();
        all.dedup();
        Ok(all.concat())
    }

    fn attributes(&self, hash: Hash) -> Result<Vec<u8>, BuildError> {
        let digest = hash.digest(self.content);
        let mut all = vec![
            attribute(CONTENT_TYPE, &self.content_type)?,
            attribute(MESSAGE_DIGEST, &OctetStringRef::new(&digest)?)?,
        ];
        if let Some(at) = self.signing_time {
            all.push(attribute(SIGNING_TIME, &time(at).ok_or(BuildError::Time)?)?);
        }
        let mut set = SetOfVec::<Any>::new();
        for attribute in &all {
            let any: Any = der::Decode::from_der(attribute)?;
            set.insert(any)?;
        }
        Ok(set.to_der()?)
    }
}

impl UnsignedMessage {
    /// Returns what is signed: the attributes as SET OF (*§5.4*).
    pub fn to_be_signed(&self) -> &[u8] {
        &self.attributes
    }

    /// Returns the digest of what is signed, for keys that take one.
    pub fn digest(&self) -> Vec<u8> {
        self.hash.digest(&self.attributes)
    }

    /// Returns the message, `ContentInfo` in DER, around a signature in the form of certificates:
    /// ECDSA in DER, RSA as long as the modulus. That it verifies is not looked at here.
    ///
    /// # Errors
    /// [`BuildError::Encoding`].
    pub fn assemble(&self, signature: &[u8]) -> Result<Vec<u8>, BuildError> {
        let mut attributes = self.attributes.clone();
        // [0] IMPLICIT takes the place of the SET's tag.
        if let Some(tag) = attributes.first_mut() {
            *tag = 0xA0;
        }
        let signature = tlv(Tag::OctetString, &[signature])?;
        let parts = [&self.signer, &attributes, &self.algorithm, &signature];
        let signer = tlv(Tag::Sequence, &parts.map(Vec::as_slice))?;
        let signers = tlv(Tag::Set, &[&signer])?;
        let data = tlv(Tag::Sequence, &[&self.head, &signers])?;
        let kind = SIGNED_DATA.to_der()?;
        let explicit = tlv(context(0), &[&data])?;
        Ok(tlv(Tag::Sequence, &[&kind, &explicit])?)
    }

    /// Returns EF.SOD: the message in tag 77 (*ICAO 9303-10 §4.6.2*).
    ///
    /// # Errors
    /// [`BuildError::Encoding`].
    pub fn assemble_ef_sod(&self, signature: &[u8]) -> Result<Vec<u8>, BuildError> {
        Ok(tlv(EF_SOD, &[&self.assemble(signature)?])?)
    }
}

impl std::fmt::Debug for UnsignedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnsignedMessage({} bytes)", self.head.len())
    }
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> der::Result<Vec<u8>> {
    let values = tlv(Tag::Set, &[&value.to_der()?])?;
    tlv(Tag::Sequence, &[&oid.to_der()?, &values])
}

/// Returns an element with a content of these parts.
pub(crate) fn tlv(tag: Tag, parts: &[&[u8]]) -> der::Result<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Header::new(tag, Length::try_from(length)?).to_der()?;
    out.reserve_exact(length);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    Ok(out)
}

/// Returns a time as certificates have it: whole seconds, UTCTime through 2049 (*§11.3*).
fn time(at: Timestamp) -> Option<Time> {
    let seconds = u64::try_from(at.as_second()).ok()?;
    let time = der::DateTime::from_unix_duration(std::time::Duration::from_secs(seconds)).ok()?;
    Some(if time.year() < 2050 {
        Time::UtcTime(der::asn1::UtcTime::from_date_time(time).ok()?)
    } else {
        Time::GeneralTime(der::asn1::GeneralizedTime::from_date_time(time))
    })
}
