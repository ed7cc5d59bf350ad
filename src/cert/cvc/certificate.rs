//! Certificates (*TR-03110-3 §C.1, Table 30*).

use std::fmt;

use jiff::civil::Date;

use crate::cvc::chat::{Chat, Role};
use crate::cvc::date;
use crate::cvc::error::CvcError;
use crate::cvc::extension::{self, CvExtension};
use crate::cvc::object::{
    BODY, CAR, CERTIFICATE, CHAT, CHR, EFFECTIVE, EXPIRATION, EXTENSIONS, MAX_CVC, Object, PROFILE,
    PUBLIC_KEY, Reader, SIGNATURE,
};
use crate::cvc::public_key::CvPublicKey;
use crate::cvc::reference::HolderReference;
use crate::cvc::verify::{CvVerifyError, CvVerifyingKey, Strength};

/// The longest signature, in bytes: RSA of 4096 bits.
const MAX_SIGNATURE: usize = 512;

/// A certificate, read and checked for form; whether to trust it, [`crate::cvc::Holder`] says.
#[derive(Clone, PartialEq, Eq)]
pub struct CvCertificate {
    der: Vec<u8>,
    body: Vec<u8>,
    car: HolderReference,
    public_key: CvPublicKey,
    chr: HolderReference,
    chat: Chat,
    effective: Date,
    expiration: Date,
    extensions: Vec<CvExtension>,
    signature: Vec<u8>,
}

impl CvCertificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`CvcError`].
    pub fn parse(der: &[u8]) -> Result<Self, CvcError> {
        let Parts {
            body_value,
            body,
            signature,
        } = parts(der)?;
        let mut reader = Reader::new(body_value);
        read_profile(&mut reader)?;
        let car = read_reference(&mut reader, CAR)?;
        let public_key = CvPublicKey::read(reader.take(PUBLIC_KEY)?)?;
        let chr = read_reference(&mut reader, CHR)?;
        let chat = Chat::read(reader.take(CHAT)?)?;
        let effective = date::read(reader.take(EFFECTIVE)?, EFFECTIVE)?;
        let expiration = date::read(reader.take(EXPIRATION)?, EXPIRATION)?;
        let extensions = reader
            .take_if(EXTENSIONS)?
            .map(extension::read)
            .transpose()?;
        reader.end(BODY)?;
        if expiration < effective {
            return Err(CvcError::Validity);
        }
        Ok(Self {
            der: der.to_vec(),
            body: body.to_vec(),
            car,
            public_key,
            chr,
            chat,
            effective,
            expiration,
            extensions: extensions.unwrap_or_default(),
            signature: signature.to_vec(),
        })
    }

    /// Returns the certificate as bytes.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the body with tag and length, 7F4E: what is signed, and what a chip is sent.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the signature: r ‖ s, or as long as the modulus.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Returns body and signature as objects: the data of PSO: Verify Certificate
    /// (*TR-03110-3 §B.11.5*).
    pub fn verification_data(&self) -> Vec<u8> {
        [self.body.clone(), SIGNATURE.encode(&self.signature)].concat()
    }

    /// Returns the issuer's reference (CAR).
    pub fn issuer(&self) -> &HolderReference {
        &self.car
    }

    /// Returns the holder's reference (CHR).
    pub fn holder(&self) -> &HolderReference {
        &self.chr
    }

    /// Returns the holder's public key.
    pub fn public_key(&self) -> &CvPublicKey {
        &self.public_key
    }

    /// Returns the holder's authorization by its issuer; what counts is the AND along the chain.
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// Returns the holder's role.
    pub fn role(&self) -> Role {
        self.chat.role()
    }

    /// Returns the day of issue.
    pub fn effective(&self) -> Date {
        self.effective
    }

    /// Returns the last day.
    pub fn expiration(&self) -> Date {
        self.expiration
    }

    /// Returns the extensions.
    pub fn extensions(&self) -> &[CvExtension] {
        &self.extensions
    }

    /// Returns whether issuer and holder are the same.
    pub fn is_self_issued(&self) -> bool {
        self.car == self.chr
    }

    /// Returns whether a CVCA certifies its next key: both are of the same holder, the key is not.
    pub fn is_link(&self) -> bool {
        self.role() == Role::Cvca && !self.is_self_issued()
    }

    /// Returns whether the certificate holds on that day.
    pub fn holds_on(&self, day: Date) -> bool {
        (self.effective..=self.expiration).contains(&day)
    }

    /// Verifies that the holder of `issuer_key` signed this certificate.
    ///
    /// # Errors
    /// [`CvVerifyError`].
    pub fn verify_signature(
        &self,
        issuer_key: &CvVerifyingKey,
        strength: Strength,
    ) -> Result<(), CvVerifyError> {
        issuer_key.verify(&self.body, &self.signature, strength)
    }
}

/// What a certificate or request is made of.
pub(crate) struct Parts<'a> {
    pub(crate) body_value: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// Reads the outer form of a certificate or request.
pub(crate) fn parts(der: &[u8]) -> Result<Parts<'_>, CvcError> {
    if der.len() > MAX_CVC {
        return Err(CvcError::TooLong { length: der.len() });
    }
    let mut outer = Reader::new(der);
    let mut inner = Reader::new(outer.take(CERTIFICATE)?);
    outer.end(CERTIFICATE)?;
    let (body_value, body) = inner.take_whole(BODY)?;
    let signature = read_signature(&mut inner)?;
    inner.end(CERTIFICATE)?;
    Ok(Parts {
        body_value,
        body,
        signature,
    })
}

pub(crate) fn read_signature<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CvcError> {
    let signature = reader.take(SIGNATURE)?;
    match signature.len() {
        1..=MAX_SIGNATURE => Ok(signature),
        _ => Err(CvcError::Signature),
    }
}

pub(crate) fn read_profile(reader: &mut Reader<'_>) -> Result<(), CvcError> {
    match reader.take(PROFILE)? {
        [0] => Ok(()),
        [other] => Err(CvcError::Profile(*other)),
        _ => Err(CvcError::Number {
            object: PROFILE.name(),
        }),
    }
}

pub(crate) fn read_reference(
    reader: &mut Reader<'_>,
    object: Object,
) -> Result<HolderReference, CvcError> {
    HolderReference::parse(reader.take(object)?).map_err(|source| CvcError::Reference {
        object: object.name(),
        source,
    })
}

impl fmt::Debug for CvCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CvCertificate({} by {})", self.chr, self.car)
    }
}
