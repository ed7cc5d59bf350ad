//! Certificate requests (*TR-03110-3 §C.2, Tables 31 and 32*).

use std::fmt;

use crate::cvc::certificate::{Parts, parts, read_profile, read_reference, read_signature};
use crate::cvc::error::CvcError;
use crate::cvc::extension::{self, CvExtension};
use crate::cvc::object::{
    AUTHENTICATION, BODY, CAR, CERTIFICATE, CHR, EXTENSIONS, MAX_CVC, PUBLIC_KEY, Reader, SIGNATURE,
};
use crate::cvc::public_key::CvPublicKey;
use crate::cvc::reference::HolderReference;
use crate::cvc::verify::{CvVerifyError, CvVerifyingKey, Strength};

/// A request, read and checked for form. It says which key its holder wants certified; what rights
/// and how long, the issuer says.
#[derive(Clone, PartialEq, Eq)]
pub struct CvRequest {
    der: Vec<u8>,
    body: Vec<u8>,
    authority: Option<HolderReference>,
    public_key: CvPublicKey,
    holder: HolderReference,
    extensions: Vec<CvExtension>,
    signature: Vec<u8>,
    outer: Option<OuterSignature>,
}

/// Who vouches for a request: the holder's earlier key, or another authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OuterSignature {
    /// The reference of the key that signed.
    pub signer: HolderReference,
    /// What is signed: the request and the signer's reference.
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl CvRequest {
    /// Reads a request, plain (7F21) or authenticated (67).
    ///
    /// # Errors
    /// [`CvcError`].
    pub fn parse(der: &[u8]) -> Result<Self, CvcError> {
        if der.len() > MAX_CVC {
            return Err(CvcError::TooLong { length: der.len() });
        }
        let whole = Reader::new(der);
        let (inner, outer) = match whole.sees(AUTHENTICATION) {
            true => read_authenticated(whole)?,
            false => (der, None),
        };
        let Parts {
            body_value,
            body,
            signature,
        } = parts(inner)?;
        let mut reader = Reader::new(body_value);
        read_profile(&mut reader)?;
        let authority = match reader.sees(CAR) {
            true => Some(read_reference(&mut reader, CAR)?),
            false => None,
        };
        let public_key = CvPublicKey::read(reader.take(PUBLIC_KEY)?)?;
        let holder = read_reference(&mut reader, CHR)?;
        let extensions = reader
            .take_if(EXTENSIONS)?
            .map(extension::read)
            .transpose()?;
        reader.end(BODY)?;
        // Without them nobody could verify the inner signature (§D.3).
        if public_key.inherits_curve() {
            return Err(CvcError::IncompleteParameters);
        }
        Ok(Self {
            der: der.to_vec(),
            body: body.to_vec(),
            authority,
            public_key,
            holder,
            extensions: extensions.unwrap_or_default(),
            signature: signature.to_vec(),
            outer,
        })
    }

    /// Returns the request as bytes.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the authority that is asked, if the request names one.
    pub fn authority(&self) -> Option<&HolderReference> {
        self.authority.as_ref()
    }

    /// Returns the reference that the holder wants.
    pub fn holder(&self) -> &HolderReference {
        &self.holder
    }

    /// Returns the key to be certified, with its curve.
    pub fn public_key(&self) -> &CvPublicKey {
        &self.public_key
    }

    /// Returns the extensions asked for.
    pub fn extensions(&self) -> &[CvExtension] {
        &self.extensions
    }

    /// Returns who vouches for the request.
    pub fn outer(&self) -> Option<&OuterSignature> {
        self.outer.as_ref()
    }

    /// Verifies the inner signature: whoever made the request has the private key.
    ///
    /// # Errors
    /// [`CvVerifyError`].
    pub fn verify(&self, strength: Strength) -> Result<(), CvVerifyError> {
        let key = self
            .public_key
            .resolve(None)
            .map_err(|_| CvVerifyError::Wrong)?;
        key.verify(&self.body, &self.signature, strength)
    }

    /// Verifies the outer signature under the key that the signer's certificate holds.
    ///
    /// # Errors
    /// [`CvVerifyError::Wrong`] also where there is none.
    pub fn verify_outer(
        &self,
        key: &CvVerifyingKey,
        strength: Strength,
    ) -> Result<(), CvVerifyError> {
        let outer = self.outer.as_ref().ok_or(CvVerifyError::Wrong)?;
        key.verify(&outer.message, &outer.signature, strength)
    }
}

fn read_authenticated(mut whole: Reader<'_>) -> Result<(&[u8], Option<OuterSignature>), CvcError> {
    let content = whole.take(AUTHENTICATION)?;
    whole.end(AUTHENTICATION)?;
    let mut reader = Reader::new(content);
    let (_, inner) = reader.take_whole(CERTIFICATE)?;
    let signer = read_reference(&mut reader, CAR)?;
    let signed = content.len() - reader.rest().len();
    let signature = read_signature(&mut reader)?;
    reader.end(AUTHENTICATION)?;
    let outer = OuterSignature {
        signer,
        message: content.get(..signed).unwrap_or_default().to_vec(),
        signature: signature.to_vec(),
    };
    Ok((inner, Some(outer)))
}

/// Returns what the outer signature of a plain request is made over: the request and the object of
/// the signer's reference.
pub fn outer_message(request: &[u8], signer: &HolderReference) -> Vec<u8> {
    [request, &CAR.encode(signer.as_bytes())].concat()
}

/// Returns the authenticated request: what [`outer_message`] gave, with its signature.
pub fn assemble_outer(message: &[u8], signature: &[u8]) -> Vec<u8> {
    AUTHENTICATION.encode(&[message, &SIGNATURE.encode(signature)].concat())
}

impl fmt::Debug for CvRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CvRequest({})", self.holder)
    }
}
