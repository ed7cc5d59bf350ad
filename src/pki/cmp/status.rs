//! What an authority says of a request: `PKIStatusInfo` (*RFC 9810 §5.2.3*).

use std::fmt;

use der::Sequence;
use der::asn1::BitString;

/// `PKIStatus`: granted as asked.
pub(crate) const ACCEPTED: u8 = 0;
/// `PKIStatus`: granted, and something is not as asked.
pub(crate) const GRANTED_WITH_MODS: u8 = 1;
/// `PKIStatus`: not granted.
pub(crate) const REJECTION: u8 = 2;
/// `PKIStatus`: it takes time; poll.
pub(crate) const WAITING: u8 = 3;

/// The longest part of an authority's own words that goes into an error.
const MAX_WORDS: usize = 300;

/// A bit of `PKIFailureInfo`: why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Failure {
    /// An algorithm is not known or not supported.
    BadAlg = 0,
    /// The protection does not verify.
    BadMessageCheck = 1,
    /// The transaction is not permitted or not supported.
    BadRequest = 2,
    /// The message's time is too far from the receiver's clock.
    BadTime = 3,
    /// No certificate matches.
    BadCertId = 4,
    /// The data have the wrong form.
    BadDataFormat = 5,
    /// It is meant for another authority.
    WrongAuthority = 6,
    /// The requester's data are wrong.
    IncorrectData = 7,
    /// A time stamp is missing.
    MissingTimeStamp = 8,
    /// The proof of possession failed.
    BadPop = 9,
    /// The certificate is revoked already.
    CertRevoked = 10,
    /// The certificate is confirmed already.
    CertConfirmed = 11,
    /// Protected by a MAC where a signature is wanted, or the reverse.
    WrongIntegrity = 12,
    /// The recipient's nonce is missing or wrong.
    BadRecipientNonce = 13,
    /// The time source does not serve.
    TimeNotAvailable = 14,
    /// A policy is not accepted.
    UnacceptedPolicy = 15,
    /// An extension is not accepted.
    UnacceptedExtension = 16,
    /// Additional information is not there.
    AddInfoNotAvailable = 17,
    /// The sender's nonce is missing or of a wrong length.
    BadSenderNonce = 18,
    /// The template asks for what is not issued, or lacks something.
    BadCertTemplate = 19,
    /// The signer is not trusted.
    SignerNotTrusted = 20,
    /// The transaction's name is in use.
    TransactionIdInUse = 21,
    /// The version is not supported.
    UnsupportedVersion = 22,
    /// The sender may not ask for it.
    NotAuthorized = 23,
    /// The system does not serve for now.
    SystemUnavail = 24,
    /// The system failed.
    SystemFailure = 25,
    /// The certificate exists already.
    DuplicateCertReq = 26,
}

impl Failure {
    const ALL: [Self; 27] = [
        Self::BadAlg,
        Self::BadMessageCheck,
        Self::BadRequest,
        Self::BadTime,
        Self::BadCertId,
        Self::BadDataFormat,
        Self::WrongAuthority,
        Self::IncorrectData,
        Self::MissingTimeStamp,
        Self::BadPop,
        Self::CertRevoked,
        Self::CertConfirmed,
        Self::WrongIntegrity,
        Self::BadRecipientNonce,
        Self::TimeNotAvailable,
        Self::UnacceptedPolicy,
        Self::UnacceptedExtension,
        Self::AddInfoNotAvailable,
        Self::BadSenderNonce,
        Self::BadCertTemplate,
        Self::SignerNotTrusted,
        Self::TransactionIdInUse,
        Self::UnsupportedVersion,
        Self::NotAuthorized,
        Self::SystemUnavail,
        Self::SystemFailure,
        Self::DuplicateCertReq,
    ];

    /// Returns the bit's name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadAlg => "badAlg",
            Self::BadMessageCheck => "badMessageCheck",
            Self::BadRequest => "badRequest",
            Self::BadTime => "badTime",
            Self::BadCertId => "badCertId",
            Self::BadDataFormat => "badDataFormat",
            Self::WrongAuthority => "wrongAuthority",
            Self::IncorrectData => "incorrectData",
            Self::MissingTimeStamp => "missingTimeStamp",
            Self::BadPop => "badPOP",
            Self::CertRevoked => "certRevoked",
            Self::CertConfirmed => "certConfirmed",
            Self::WrongIntegrity => "wrongIntegrity",
            Self::BadRecipientNonce => "badRecipientNonce",
            Self::TimeNotAvailable => "timeNotAvailable",
            Self::UnacceptedPolicy => "unacceptedPolicy",
            Self::UnacceptedExtension => "unacceptedExtension",
            Self::AddInfoNotAvailable => "addInfoNotAvailable",
            Self::BadSenderNonce => "badSenderNonce",
            Self::BadCertTemplate => "badCertTemplate",
            Self::SignerNotTrusted => "signerNotTrusted",
            Self::TransactionIdInUse => "transactionIdInUse",
            Self::UnsupportedVersion => "unsupportedVersion",
            Self::NotAuthorized => "notAuthorized",
            Self::SystemUnavail => "systemUnavail",
            Self::SystemFailure => "systemFailure",
            Self::DuplicateCertReq => "duplicateCertReq",
        }
    }

    /// Returns the bit alone, as a named bit list has it in DER: no zero bits at the end
    /// (*X.690 §11.2.2*).
    fn alone(self) -> der::Result<BitString> {
        let bit = self as u8;
        let mut bytes = vec![0; usize::from(bit / 8)];
        bytes.push(0x80 >> (bit % 8));
        BitString::new(7 - bit % 8, bytes)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `PKIStatusInfo`.
#[derive(Clone, PartialEq, Eq, Sequence)]
pub(crate) struct PkiStatusInfo {
    pub(crate) status: u8,
    #[asn1(optional = "true")]
    pub(crate) status_string: Option<Vec<String>>,
    #[asn1(optional = "true")]
    pub(crate) fail_info: Option<BitString>,
}

impl PkiStatusInfo {
    /// Returns a status by itself.
    pub(crate) fn plain(status: u8) -> Self {
        Self {
            status,
            status_string: None,
            fail_info: None,
        }
    }

    /// Returns a rejection.
    pub(crate) fn rejected(failure: Failure, words: &str) -> Self {
        Self {
            status: REJECTION,
            status_string: Some(vec![words.to_owned()]),
            fail_info: failure.alone().ok(),
        }
    }

    /// Returns whether the request was granted, with changes or without.
    pub(crate) fn is_granted(&self) -> bool {
        matches!(self.status, ACCEPTED | GRANTED_WITH_MODS)
    }

    /// Returns whether a bit is set.
    pub(crate) fn has(&self, failure: Failure) -> bool {
        let bit = failure as u8;
        let byte = self
            .fail_info
            .as_ref()
            .and_then(|bits| bits.raw_bytes().get(usize::from(bit / 8)).copied());
        byte.is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
    }
}

/// The authority's own words, cut and without what could steer a terminal.
impl fmt::Display for PkiStatusInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        for failure in Failure::ALL
            .into_iter()
            .filter(|failure| self.has(*failure))
        {
            write!(f, " {failure}")?;
        }
        let words: Vec<&str> = self
            .status_string
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        if words.is_empty() {
            return Ok(());
        }
        f.write_str(": ")?;
        for character in words.join("; ").chars().take(MAX_WORDS) {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use der::Encode;

    use super::{Failure, PkiStatusInfo};

    #[test]
    fn failures_are_named_bits() {
        for failure in Failure::ALL {
            let status = PkiStatusInfo::rejected(failure, "no");
            for other in Failure::ALL {
                assert_eq!(status.has(other), other == failure);
            }
            assert_eq!(status.to_string(), format!("status 2 {failure}: no"));
        }
        // RFC 9810 §5.2.3: badPOP is bit 9, so that two bytes have six unused bits.
        let bits = Failure::BadPop.alone().unwrap().to_der().unwrap();
        assert_eq!(bits, [0x03, 0x03, 0x06, 0x00, 0x40]);
    }

    #[test]
    fn words_cannot_steer_a_terminal() {
        let status = PkiStatusInfo::rejected(Failure::BadRequest, "a\u{1b}[2Jb");
        assert_eq!(status.to_string(), "status 2 badRequest: a\\u{1b}[2Jb");
        let long = PkiStatusInfo::rejected(Failure::BadRequest, &"x".repeat(10_000));
        assert!(long.to_string().len() < 400);
    }
}
