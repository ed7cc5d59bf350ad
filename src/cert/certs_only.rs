//! Certificates in a CMS message that nobody signed (*RFC 5652 §5*, "certs-only"): how EST and
//! issuers' addresses hand certificates out (*RFC 7030 §4.1.3*, *RFC 5280 §4.2.2.1*).

use der::asn1::Any;
use der::{Decode, Encode, Sequence, Tag, Tagged};
use spki::ObjectIdentifier;

use crate::certificate::{Certificate, CertificateError};

/// The longest message that is read, in bytes.
pub const MAX_CERTS_ONLY: usize = 262_144;

/// The most certificates that are read of one.
const MAX_CERTIFICATES: usize = 32;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// Why bytes were refused as certificates in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertsOnlyError {
    /// Longer than any needs to be.
    #[error("a certs-only message is at most {MAX_CERTS_ONLY} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not CMS in DER.
    #[error("not a CMS message in DER")]
    Syntax(#[source] der::Error),
    /// Another kind of message: with a content, or signed by somebody.
    #[error("the CMS message holds more than certificates")]
    Kind,
    /// It holds no certificate, or too many.
    #[error("a certs-only message holds 1 to {MAX_CERTIFICATES} certificates, not {count}")]
    Count {
        /// How many.
        count: usize,
    },
    /// One of them does not read.
    #[error("certificate {place} of the message does not read")]
    Certificate {
        /// Which, counted from 1.
        place: usize,
        /// Why.
        #[source]
        source: CertificateError,
    },
}

#[derive(Sequence)]
struct ContentInfo {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: SignedData,
}

#[derive(Sequence)]
struct SignedData {
    version: u8,
    digest_algorithms: Any,
    content: EncapsulatedContent,
    // A SET OF, whose order its makers do not always keep.
    #[asn1(
        context_specific = "0",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    certificates: Option<Vec<Any>>,
    #[asn1(
        context_specific = "1",
        tag_mode = "IMPLICIT",
        constructed = "true",
        optional = "true"
    )]
    lists: Option<Vec<Any>>,
    signers: Any,
}

#[derive(Sequence)]
struct EncapsulatedContent {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<Any>,
}

/// Returns the certificates of a certs-only message, in its order. Nothing vouches for them or for
/// their being complete.
///
/// # Errors
/// [`CertsOnlyError`].
pub fn certs_only(der: &[u8]) -> Result<Vec<Certificate>, CertsOnlyError> {
    if der.len() > MAX_CERTS_ONLY {
        return Err(CertsOnlyError::TooLong { length: der.len() });
    }
    let message = ContentInfo::from_der(der).map_err(CertsOnlyError::Syntax)?;
    let data = message.content;
    let is_plain = message.kind == SIGNED_DATA
        && data.version == 1
        && data.digest_algorithms.tag() == Tag::Set
        && data.content.kind == DATA
        && data.content.content.is_none()
        && data.signers.tag() == Tag::Set
        && data.signers.value().is_empty();
    if !is_plain {
        return Err(CertsOnlyError::Kind);
    }
    let certificates = data.certificates.unwrap_or_default();
    let count = certificates.len();
    if !(1..=MAX_CERTIFICATES).contains(&count) {
        return Err(CertsOnlyError::Count { count });
    }
    let read = |(place, certificate): (usize, &Any)| {
        let der = certificate.to_der().map_err(CertsOnlyError::Syntax)?;
        Certificate::parse(&der).map_err(|source| CertsOnlyError::Certificate {
            place: place + 1,
            source,
        })
    };
    certificates.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CertsOnlyError, certs_only};
    use crate::certificate::CertificateError;
    use crate::testing::{Folder, issue, openssl};

    #[test]
    fn openssl_s_messages_are_read() {
        let folder = Folder::new();
        let one = issue(&folder, "One", None, "P-256", "subjectKeyIdentifier=hash\n");
        let two = issue(
            &folder,
            "Two",
            Some("One"),
            "P-384",
            "subjectKeyIdentifier=hash\n",
        );
        let message = |arguments: &[&str]| {
            let common = ["crl2pkcs7", "-nocrl", "-outform", "DER", "-out", "message"];
            openssl(&folder, &[&common, arguments].concat());
            folder.read("message")
        };
        let der = message(&["-certfile", "Two.pem", "-certfile", "One.pem"]);
        assert_eq!(certs_only(&der).unwrap(), [two, one]);
        for length in 0..der.len() {
            assert!(certs_only(&der[..length]).is_err());
        }
        for place in 0..der.len() {
            let mut altered = der.clone();
            altered[place] ^= 0x55;
            let _ = certs_only(&altered);
        }
        assert_eq!(
            certs_only(&message(&[])),
            Err(CertsOnlyError::Count { count: 0 })
        );
        // One that is signed is another thing.
        folder.write("text", b"text");
        openssl(
            &folder,
            &[
                "cms", "-sign", "-in", "text", "-signer", "One.pem", "-inkey", "One.key",
                "-outform", "DER", "-out", "signed",
            ],
        );
        assert_eq!(
            certs_only(&folder.read("signed")),
            Err(CertsOnlyError::Kind)
        );
        assert!(matches!(
            certs_only(&vec![0; 300_000]),
            Err(CertsOnlyError::TooLong { length: 300_000 })
        ));
    }

    #[test]
    fn recorded_messages_are_read() {
        let text = include_str!("../../tests/vectors/est/messages.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let message = |name: &str| {
            let text = vectors[name].as_str().unwrap().replace('\n', "");
            ::openssl::base64::decode_block(&text).unwrap()
        };
        let read = certs_only(&message("cacerts")).unwrap();
        let subject = vectors["cacerts_subject"].as_str().unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].subject().to_string(), subject);
        // What it holds is none of today's certificates.
        let old = CertsOnlyError::Certificate {
            place: 1,
            source: CertificateError::Version,
        };
        assert_eq!(certs_only(&message("simpleenroll_response")), Err(old));
        let asked = message("simpleenroll_request");
        crate::request::Request::parse_and_verify(&asked).unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(certs_only(&bytes).is_err());
        }
    }
}
