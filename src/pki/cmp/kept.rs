//! The form of an [`Exchange`]: the request as it goes out, and how far the transaction has come.

use der::asn1::OctetString;
use der::{Decode, Encode, Sequence};

use crate::authority::{AuthorityError, Exchange};
use crate::cmp::message::CmpMessage;

const VERSION: u8 = 1;

/// An exchange.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct Kept {
    version: u8,
    /// The name of the certificate profile in the address.
    profile: String,
    /// The request, a message in DER: each time the same bytes.
    pub(crate) request: OctetString,
    /// What the next poll answers.
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) poll: Option<Poll>,
}

/// A poll that is to be sent.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct Poll {
    pub(crate) cert_req_id: i32,
    /// The nonce of the authority's last answer; empty where it had none.
    pub(crate) nonce: OctetString,
}

impl Kept {
    /// Returns the exchange of a request that was not sent yet.
    pub(crate) fn new(profile: &str, request: &CmpMessage) -> der::Result<Self> {
        Ok(Self {
            version: VERSION,
            profile: profile.to_owned(),
            request: OctetString::new(request.to_der()?)?,
            poll: None,
        })
    }

    /// Reads an exchange, and the request in it.
    pub(crate) fn read(exchange: &Exchange) -> Result<(Self, CmpMessage), AuthorityError> {
        let kept = Self::from_der(exchange.as_bytes()).map_err(|_| AuthorityError::Exchange)?;
        if kept.version != VERSION {
            return Err(AuthorityError::Exchange);
        }
        let request = CmpMessage::parse(kept.request.as_bytes());
        let request = request.map_err(|_| AuthorityError::Exchange)?;
        Ok((kept, request))
    }

    /// Returns the bytes to be kept.
    pub(crate) fn exchange(&self) -> der::Result<Exchange> {
        self.to_der().map(Exchange::from_bytes)
    }

    pub(crate) fn profile(&self) -> &str {
        &self.profile
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Kept;
    use crate::authority::Exchange;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Kept::read(&Exchange::from_bytes(bytes)).is_err());
        }
    }
}
