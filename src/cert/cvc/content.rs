//! What goes into a new certificate or request.

use jiff::civil::Date;

use crate::cvc::chat::Chat;
use crate::cvc::date;
use crate::cvc::error::CvcError;
use crate::cvc::extension::{self, CvExtension};
use crate::cvc::object::{BODY, CAR, CERTIFICATE, CHR, EFFECTIVE, EXPIRATION, PROFILE, SIGNATURE};
use crate::cvc::public_key::CvPublicKey;
use crate::cvc::reference::HolderReference;

/// The content of a certificate that is not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CvContent {
    /// The issuer's reference.
    pub issuer: HolderReference,
    /// The holder's reference.
    pub holder: HolderReference,
    /// The holder's key: with its domain parameters for a CVCA, without for others.
    pub public_key: CvPublicKey,
    /// Role and rights.
    pub chat: Chat,
    /// The day of issue.
    pub effective: Date,
    /// The last day.
    pub expiration: Date,
    /// Extensions, usually none.
    pub extensions: Vec<CvExtension>,
}

impl CvContent {
    /// Returns the body, 7F4E, that the issuer signs.
    ///
    /// # Errors
    /// [`CvcError::Date`] for a day that is not in 2000 to 2099; [`CvcError::Validity`].
    pub fn body(&self) -> Result<Vec<u8>, CvcError> {
        if self.expiration < self.effective {
            return Err(CvcError::Validity);
        }
        let digits = |day, object: super::object::Object| {
            let digits = date::write(day).ok_or(CvcError::Date {
                object: object.name(),
            })?;
            Ok(object.encode(&digits))
        };
        let objects = [
            PROFILE.encode(&[0]),
            CAR.encode(self.issuer.as_bytes()),
            self.public_key.encode(),
            CHR.encode(self.holder.as_bytes()),
            self.chat.to_der(),
            digits(self.effective, EFFECTIVE)?,
            digits(self.expiration, EXPIRATION)?,
            extension::encode(&self.extensions),
        ];
        Ok(BODY.encode(&objects.concat()))
    }

    /// Returns the body of a request, 7F4E, that the key itself signs. The key stands with its
    /// domain parameters.
    ///
    /// # Errors
    /// [`CvcError::IncompleteParameters`] for a key without them.
    pub fn request_body(
        authority: Option<&HolderReference>,
        holder: &HolderReference,
        public_key: &CvPublicKey,
    ) -> Result<Vec<u8>, CvcError> {
        if public_key.inherits_curve() {
            return Err(CvcError::IncompleteParameters);
        }
        let objects = [
            PROFILE.encode(&[0]),
            authority
                .map(|name| CAR.encode(name.as_bytes()))
                .unwrap_or_default(),
            public_key.encode(),
            CHR.encode(holder.as_bytes()),
        ];
        Ok(BODY.encode(&objects.concat()))
    }

    /// Returns the certificate or request, 7F21, of a body and its signature.
    pub fn assemble(body: &[u8], signature: &[u8]) -> Vec<u8> {
        CERTIFICATE.encode(&[body, &SIGNATURE.encode(signature)].concat())
    }
}
