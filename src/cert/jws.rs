//! JSON Web Signature, one signature over one payload, in the flattened JSON form
//! (*RFC 7515 §7.2.2*).
//!
//! ```text
//!   Jws::parse ──► key_id() ──► the key that was admitted ──► verify(key, type) ──► payload
//!
//!   Unsigned::new(key, type, payload) ──► signing_input() ──► the token signs ──► assemble()
//! ```
//!
//! The key says the algorithm, never the header: a header that names another is refused. So is one
//! that brings a key along, or that has anything critical in it (nothing critical is understood),
//! and whatever stands outside the signature.

mod key;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use key::{JwsAlgorithm, JwsKey, JwsKeyError};

/// Most characters of a protected header, in base64url.
const MAX_HEADER: usize = 4096;
/// Most characters of a key's name in a header.
const MAX_KEY_ID: usize = 128;

/// Why a signed object is not accepted. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// More bytes than such an object may have.
    #[error("it has more than {most} bytes")]
    TooLarge {
        /// The most.
        most: usize,
    },
    /// The bytes end before the JSON does.
    #[error("it ends in the middle: it is cut off, or not yet whole")]
    CutOff,
    /// The bytes are not such an object.
    #[error("it is no JWS in flattened JSON: {0}")]
    Form(&'static str),
    /// The header is not acceptable.
    #[error("its protected header is refused: {0}")]
    Header(&'static str),
    /// The header names an algorithm that is not the key's.
    #[error("its header does not name {expected}, the algorithm of this key")]
    Algorithm {
        /// The key's.
        expected: JwsAlgorithm,
    },
    /// The header names another type.
    #[error("its type is not {expected}")]
    Type {
        /// The one that was asked for.
        expected: &'static str,
    },
    /// It is not signed by this key.
    #[error("its signature does not verify under this key")]
    Signature,
}

/// An object as it was read. Nothing of it is believed before [`Jws::verify`].
pub struct Jws {
    header: Header,
    /// What the signature is over: header and payload, as they were written.
    input: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

struct Header {
    algorithm: String,
    key_id: Option<String>,
    media_type: Option<String>,
}

/// The members of the object (*RFC 7515 §7.2.2*); others are not understood and ignored.
#[derive(Deserialize)]
struct Flattened {
    protected: Option<String>,
    payload: String,
    signature: Option<String>,
    #[serde(default, deserialize_with = "present")]
    header: bool,
    #[serde(default, deserialize_with = "present")]
    signatures: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    protected: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// Notes that a member is there, whatever it is.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Jws {
    /// Reads an object of at most so many bytes.
    ///
    /// # Errors
    /// [`JwsError`] but [`JwsError::Algorithm`], [`JwsError::Type`], [`JwsError::Signature`].
    pub fn parse(bytes: &[u8], most: usize) -> Result<Self, JwsError> {
        if bytes.len() > most {
            return Err(JwsError::TooLarge { most });
        }
        let read: Flattened = serde_json::from_slice(bytes).map_err(|error| {
            if error.is_eof() {
                JwsError::CutOff
            } else if error.is_data() {
                JwsError::Form("a member is missing, twice there, or of another type")
            } else {
                JwsError::Form("it is not JSON")
            }
        })?;
        if read.signatures {
            return Err(JwsError::Form(
                "it has a list of signatures; one signature stands in \"signature\"",
            ));
        }
        if read.header {
            return Err(JwsError::Form(
                "it has a header outside the signature; everything stands in \"protected\"",
            ));
        }
        let (Some(protected), Some(signature)) = (read.protected, read.signature) else {
            return Err(JwsError::Form("\"protected\" or \"signature\" is missing"));
        };
        let header = Header::read(&protected)?;
        let payload = decode(&read.payload)?;
        let signature = decode(&signature)?;
        Ok(Self {
            header,
            input: format!("{protected}.{}", read.payload),
            payload,
            signature,
        })
    }

    /// Returns the key that the sender says it used. It only helps to find the key among those
    /// that were admitted.
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// Returns the payload, when it is signed by this key and of this type.
    ///
    /// # Errors
    /// [`JwsError::Algorithm`], [`JwsError::Type`], [`JwsError::Signature`].
    pub fn verify(self, key: &JwsKey, media_type: &'static str) -> Result<Vec<u8>, JwsError> {
        self.check_signature(key)?;
        // A media type is the same in capitals (RFC 2045 §5.1).
        let stated = self.header.media_type.as_deref();
        if !stated.is_some_and(|stated| stated.eq_ignore_ascii_case(media_type)) {
            return Err(JwsError::Type {
                expected: media_type,
            });
        }
        Ok(self.payload)
    }

    fn check_signature(&self, key: &JwsKey) -> Result<(), JwsError> {
        if !key.algorithm().is_named(&self.header.algorithm) {
            return Err(JwsError::Algorithm {
                expected: key.algorithm(),
            });
        }
        key.verify(self.input.as_bytes(), &self.signature)
    }
}

impl Header {
    fn read(protected: &str) -> Result<Self, JwsError> {
        if protected.len() > MAX_HEADER {
            return Err(JwsError::Header("it is too long"));
        }
        let bytes = decode(protected)?;
        let Members(members) = serde_json::from_slice(&bytes)
            .map_err(|_| JwsError::Header("it is not one JSON object, each member there once"))?;
        let mut header = Self {
            algorithm: String::new(),
            key_id: None,
            media_type: None,
        };
        for (name, value) in members {
            let text = |value: Value, fault| match value {
                Value::String(text) => Ok(text),
                _ => Err(JwsError::Header(fault)),
            };
            match name.as_str() {
                "alg" => header.algorithm = text(value, "its algorithm is no text")?,
                "kid" => {
                    let id = text(value, "its key id is no text")?;
                    if id.len() > MAX_KEY_ID {
                        return Err(JwsError::Header("its key id is too long"));
                    }
                    header.key_id = Some(id);
                }
                "typ" => header.media_type = Some(text(value, "its type is no text")?),
                // RFC 7515 §4.1.11: what is critical and not understood makes it invalid.
                "crit" => return Err(JwsError::Header("nothing critical is understood here")),
                "jku" | "jwk" | "x5u" | "x5c" => {
                    return Err(JwsError::Header(
                        "it brings a key along; only keys that were admitted count",
                    ));
                }
                // §4: what is not understood is ignored.
                _ => {}
            }
        }
        if header.algorithm.is_empty() {
            return Err(JwsError::Header("it names no algorithm"));
        }
        Ok(header)
    }
}

/// The members of a JSON object; one that is there twice is a fault (*RFC 7515 §4*).
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Gather;
        impl<'de> Visitor<'de> for Gather {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let (mut members, mut seen) = (Vec::new(), BTreeSet::new());
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom("a member is there twice"));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Gather)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, JwsError> {
    // RFC 7515 §2: without padding. One spelling only: bits that nobody needs are zero.
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| JwsError::Form("a member is not base64url without padding"))
}

/// An object that waits for its signature.
pub struct Unsigned<'a> {
    key: &'a JwsKey,
    protected: String,
    payload: String,
}

impl<'a> Unsigned<'a> {
    /// Prepares an object of a type, to be signed by a key.
    pub fn new(key: &'a JwsKey, media_type: &str, payload: &[u8]) -> Self {
        // The members need no escapes: an algorithm's name, base64url, a media type.
        let header = format!(
            r#"{{"alg":"{}","kid":"{}","typ":{}}}"#,
            key.algorithm(),
            key.thumbprint(),
            Value::from(media_type)
        );
        Self {
            key,
            protected: URL_SAFE_NO_PAD.encode(header),
            payload: URL_SAFE_NO_PAD.encode(payload),
        }
    }

    /// Returns what is to be signed (*RFC 7515 §5.1*), not hashed yet.
    pub fn signing_input(&self) -> Vec<u8> {
        format!("{}.{}", self.protected, self.payload).into_bytes()
    }

    /// Returns the object with its signature: r ‖ s for ECDSA (*RFC 7518 §3.4*), 64 bytes for
    /// Ed25519 (*RFC 8037 §3.1*).
    ///
    /// # Errors
    /// [`JwsError::Signature`] where it does not verify: nothing is given out that nobody accepts.
    pub fn assemble(self, signature: &[u8]) -> Result<Vec<u8>, JwsError> {
        self.key.verify(&self.signing_input(), signature)?;
        serde_json::to_vec(&Written {
            protected: &self.protected,
            payload: &self.payload,
            signature: &URL_SAFE_NO_PAD.encode(signature),
        })
        .map_err(|_| JwsError::Form("it cannot be written"))
    }
}

#[cfg(test)]
mod tests;
