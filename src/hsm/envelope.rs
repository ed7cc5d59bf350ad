//! PIN envelopes: sealed to a public key at once, opened only through the token.
//!
//! HPKE (*RFC 9180*), base mode, single shot: DHKEM(P-384, HKDF-SHA384), HKDF-SHA384,
//! AES-256-GCM; sealed form `enc` ‖ `ct`. The plaintext is padded to one length, so that the
//! sealed form does not tell how many PINs are in it, or how long they are.
//!
//! ```text
//!   sealing (anyone)                         opening (token)
//!   ephemeral key ── ECDH ── public key      private key ── CKM_ECDH1_DERIVE ── enc
//!                     └──► HKDF ──► AES-256-GCM ◄── HKDF ◄──┘
//! ```

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use cryptoki::types::Ulong;
use hkdf::Hkdf;
use p384::PublicKey;
use p384::ecdh::EphemeralSecret;
use p384::elliptic_curve::Generate;
use p384::elliptic_curve::sec1::ToSec1Point;
use sha2::Sha384;
use spki::{DecodePublicKey, EncodePublicKey};
use zeroize::{Zeroize, Zeroizing};

use crate::config::Envelope;
use crate::error::{HsmError, device};
use crate::handle::KeyClass;
use crate::inventory::value_of;
use crate::token::Token;

/// The largest number of bytes that an envelope holds.
pub const ENVELOPE_CAPACITY: usize = 254;

/// The length of every sealed envelope in bytes: point, padded plaintext, GCM tag.
pub const SEALED_LENGTH: usize = POINT + PADDED + TAG;

const POINT: usize = 97;
const PADDED: usize = ENVELOPE_CAPACITY + 2;
const TAG: usize = 16;
const HASH: usize = 48;

/// "KEM", DHKEM(P-384, HKDF-SHA384) (*RFC 9180 §7.1*).
const KEM_SUITE: &[u8] = b"KEM\x00\x11";
/// "HPKE", that KEM, HKDF-SHA384 (*§7.2*), AES-256-GCM (*§7.3*).
const SUITE: &[u8] = b"HPKE\x00\x11\x00\x02\x00\x02";
/// The `info` of the key schedule: keeps these envelopes apart from any other use of the key.
const INFO: &[u8] = b"zimogs PIN envelope 1";

/// Why an envelope was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The public key is no P-384 key.
    #[error("the envelope key is not a P-384 public key")]
    PublicKey,
    /// The content does not fit.
    #[error("an envelope holds at most {ENVELOPE_CAPACITY} bytes")]
    TooLong,
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// It was sealed to another key, for another context, or was altered.
    #[error("the envelope does not open: sealed to another key or for another purpose, or altered")]
    Unopened,
    /// The token failed.
    #[error("the envelope key's token does not serve")]
    Token(#[source] HsmError),
}

/// The public key to which envelopes are sealed; its private key is in a token
/// ([`Token::generate_envelope_key`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeKey(PublicKey);

impl EnvelopeKey {
    /// Returns the key that `spki` (`SubjectPublicKeyInfo` in DER) holds.
    ///
    /// # Errors
    /// [`EnvelopeError::PublicKey`] for other curves, and for points off the curve.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, EnvelopeError> {
        PublicKey::from_public_key_der(spki)
            .map(Self)
            .map_err(|_| EnvelopeError::PublicKey)
    }

    /// Returns the key as `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`EnvelopeError::PublicKey`] where it cannot be encoded.
    pub fn to_spki_der(&self) -> Result<Vec<u8>, EnvelopeError> {
        let document = self.0.to_public_key_der();
        Ok(document
            .map_err(|_| EnvelopeError::PublicKey)?
            .as_bytes()
            .to_vec())
    }

    /// Seals `content`, at most [`ENVELOPE_CAPACITY`] bytes; returns [`SEALED_LENGTH`] bytes.
    ///
    /// `context` says what the envelope is for (a document's reference, say); it is not in the
    /// envelope, and the envelope opens for the same context only.
    ///
    /// # Errors
    /// [`EnvelopeError::TooLong`], [`EnvelopeError::Random`].
    pub fn seal(&self, content: &[u8], context: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let padded = pad(content)?;
        let ephemeral = EphemeralSecret::try_generate().map_err(|_| EnvelopeError::Random)?;
        let enc = ephemeral.public_key().to_sec1_point(false);
        let secret = ephemeral.diffie_hellman(&self.0);
        let recipient = self.0.to_sec1_point(false);
        let schedule = KeySchedule::new(
            secret.raw_secret_bytes(),
            enc.as_bytes(),
            recipient.as_bytes(),
        )?;
        let sealed = schedule.cipher()?.encrypt(
            &schedule.nonce(),
            Payload {
                msg: &padded,
                aad: context,
            },
        );
        let sealed = sealed.map_err(|_| EnvelopeError::TooLong)?;
        Ok([enc.as_bytes(), &sealed].concat())
    }

    /// Opens an envelope, the shared secret being `agree`'s work.
    fn open_with(
        &self,
        sealed: &[u8],
        context: &[u8],
        agree: impl FnOnce(&[u8]) -> Result<Zeroizing<Vec<u8>>, HsmError>,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if sealed.len() != SEALED_LENGTH {
            return Err(EnvelopeError::Unopened);
        }
        let (enc, sealed) = sealed
            .split_at_checked(POINT)
            .ok_or(EnvelopeError::Unopened)?;
        // The token is not asked about points off the curve.
        PublicKey::from_sec1_bytes(enc).map_err(|_| EnvelopeError::Unopened)?;
        let secret = agree(enc).map_err(EnvelopeError::Token)?;
        let recipient = self.0.to_sec1_point(false);
        let schedule = KeySchedule::new(&secret, enc, recipient.as_bytes())?;
        let padded = schedule.cipher()?.decrypt(
            &schedule.nonce(),
            Payload {
                msg: sealed,
                aad: context,
            },
        );
        unpad(Zeroizing::new(padded.map_err(|_| EnvelopeError::Unopened)?))
    }
}

impl Token {
    /// Opens an envelope that was sealed to the key labelled `label` for this `context`.
    ///
    /// # Errors
    /// [`EnvelopeError::Unopened`], or [`EnvelopeError::Token`].
    pub fn open_envelope(
        &self,
        label: &str,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if self.config().mechanisms().envelope == Envelope::None {
            return Err(EnvelopeError::Token(self.not_configured("PIN envelopes")));
        }
        let spki = self.public_key(label).map_err(EnvelopeError::Token)?;
        EnvelopeKey::from_spki_der(&spki)?.open_with(sealed, context, |enc| self.agree(label, enc))
    }

    /// Returns the x coordinate of private key × `point` (*SEC 1 §3.3.1*).
    fn agree(&self, label: &str, point: &[u8]) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::ValueLen(COORDINATE),
            Attribute::Token(false),
            // Read at once: it opens one envelope, whose content passes here as well.
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
        ];
        self.with_session(|session| {
            let key = self.handle(session, KeyClass::Private, label)?;
            let mechanism = Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), point));
            let secret = session
                .derive_key(&mechanism, key, &template)
                .map_err(device("agree on a shared secret"))?;
            let value = value_of(session, secret, AttributeType::Value).map(Zeroizing::new);
            session
                .destroy_object(secret)
                .map_err(device("destroy a shared secret"))?;
            let value = value?;
            if value.len() == HASH {
                Ok(value)
            } else {
                Err(HsmError::Answer {
                    operation: "agree on a shared secret",
                    reason: "a secret of the wrong length",
                })
            }
        })
    }
}

/// The length of a P-384 coordinate; by chance that of a SHA-384 value too.
const COORDINATE: Ulong = Ulong::new(48);

/// Key and nonce of one envelope (*RFC 9180 §5.1*), mode base, sequence number 0.
struct KeySchedule {
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; 12],
}

impl KeySchedule {
    fn new(secret: &[u8], enc: &[u8], recipient: &[u8]) -> Result<Self, EnvelopeError> {
        // §4.1, ExtractAndExpand.
        let mut shared = Zeroizing::new([0; HASH]);
        extract(KEM_SUITE, &[], b"eae_prk", secret).expand(
            b"shared_secret",
            &[enc, recipient],
            &mut *shared,
        )?;
        // §5.1, KeySchedule; without a pre-shared key psk and psk_id are empty.
        let psk_id_hash = extract(SUITE, &[], b"psk_id_hash", &[]).value;
        let info_hash = extract(SUITE, &[], b"info_hash", INFO).value;
        let context = [&[0][..], &psk_id_hash[..], &info_hash[..]];
        let secret = extract(SUITE, &*shared, b"secret", &[]);
        let mut schedule = Self {
            key: Zeroizing::new([0; 32]),
            nonce: [0; 12],
        };
        secret.expand(b"key", &context, &mut *schedule.key)?;
        secret.expand(b"base_nonce", &context, &mut schedule.nonce)?;
        Ok(schedule)
    }

    fn cipher(&self) -> Result<Aes256Gcm, EnvelopeError> {
        Aes256Gcm::new_from_slice(&*self.key).map_err(|_| EnvelopeError::Unopened)
    }

    fn nonce(&self) -> Nonce<aes_gcm::aead::consts::U12> {
        self.nonce.into()
    }
}

/// A pseudorandom key of HKDF, bound to its suite.
struct Extracted {
    suite: &'static [u8],
    value: Zeroizing<[u8; HASH]>,
    hkdf: Hkdf<Sha384>,
}

/// *RFC 9180 §4*, LabeledExtract.
fn extract(suite: &'static [u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Extracted {
    let labelled = Zeroizing::new([b"HPKE-v1", suite, label, ikm].concat());
    let (mut value, hkdf) = Hkdf::<Sha384>::extract(Some(salt), &labelled);
    let mut kept = Zeroizing::new([0; HASH]);
    kept.copy_from_slice(&value);
    value.as_mut_slice().zeroize();
    Extracted {
        suite,
        value: kept,
        hkdf,
    }
}

impl Extracted {
    /// *RFC 9180 §4*, LabeledExpand.
    fn expand(&self, label: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), EnvelopeError> {
        // At most 48 bytes are ever asked for.
        let length = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut parts: Vec<&[u8]> = vec![&length, b"HPKE-v1", self.suite, label];
        parts.extend_from_slice(info);
        self.hkdf
            .expand_multi_info(&parts, out)
            .map_err(|_| EnvelopeError::Unopened)
    }
}

fn pad(content: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if content.len() > ENVELOPE_CAPACITY {
        return Err(EnvelopeError::TooLong);
    }
    let length = u16::try_from(content.len()).map_err(|_| EnvelopeError::TooLong)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(PADDED));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(PADDED, 0);
    Ok(padded)
}

fn unpad(padded: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let (length, rest) = padded.split_first_chunk().ok_or(EnvelopeError::Unopened)?;
    let (content, filler) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .ok_or(EnvelopeError::Unopened)?;
    if filler.iter().any(|byte| *byte != 0) {
        return Err(EnvelopeError::Unopened);
    }
    Ok(Zeroizing::new(content.to_vec()))
}

#[cfg(test)]
mod tests {
    use p384::SecretKey;
    use p384::ecdh::diffie_hellman;
    use p384::elliptic_curve::sec1::ToSec1Point;
    use proptest::prelude::*;
    use serde_json::Value;
    use zeroize::Zeroizing;

    use super::{ENVELOPE_CAPACITY, EnvelopeError, EnvelopeKey, SEALED_LENGTH, pad, unpad};
    use crate::test_support::{token, with_private_tokens};

    fn field(vector: &Value, name: &str) -> Vec<u8> {
        hex::decode(vector[name].as_str().unwrap()).unwrap()
    }

    /// Envelopes that another implementation of RFC 9180 sealed.
    #[test]
    fn foreign_envelopes_open() {
        let file = include_str!("../../tests/vectors/hpke/p384_sha384_aes256gcm.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 3);
        for vector in vectors {
            let secret = SecretKey::from_slice(&field(vector, "private_scalar")).unwrap();
            let key = EnvelopeKey::from_spki_der(&field(vector, "spki")).unwrap();
            let mut sealed = field(vector, "enc");
            sealed.extend(field(vector, "ct"));
            let opened = key
                .open_with(&sealed, &field(vector, "context"), |enc| {
                    let point = p384::PublicKey::from_sec1_bytes(enc).unwrap();
                    let shared = diffie_hellman(secret.to_nonzero_scalar(), point.as_affine());
                    Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
                })
                .unwrap();
            assert_eq!(*opened, field(vector, "content"));
        }
    }

    #[test]
    fn token_opens_what_was_sealed_to_it() {
        with_private_tokens("envelope::tests::token_opens_what_was_sealed_to_it", || {
            let token = token("envelopes");
            let spki = token.generate_envelope_key("pin").unwrap();
            token.generate_envelope_key("other").unwrap();
            let key = EnvelopeKey::from_spki_der(&spki).unwrap();
            assert_eq!(key.to_spki_der().unwrap(), spki);

            // One shared secret in 256 starts with a zero byte, which a token must keep.
            let mut with_zero = 0;
            for n in 2..900_u16 {
                let mut scalar = [0; 48];
                scalar[46..].copy_from_slice(&n.to_be_bytes());
                let secret = SecretKey::from_slice(&scalar).unwrap();
                let point = secret.public_key().to_sec1_point(false);
                let agreed = token.agree("pin", point.as_bytes()).unwrap();
                if agreed[0] == 0 {
                    with_zero += 1;
                    let own = diffie_hellman(secret.to_nonzero_scalar(), key.0.as_affine());
                    assert_eq!(**own.raw_secret_bytes(), **agreed);
                }
            }
            println!("{with_zero} shared secrets started with zero");

            let sealed = key.seal(b"\x04PIN1\x044829", b"document 1").unwrap();
            assert_eq!(sealed.len(), SEALED_LENGTH);
            let refused = |label: &str, sealed: &[u8], context: &[u8]| {
                matches!(
                    token.open_envelope(label, sealed, context),
                    Err(EnvelopeError::Unopened)
                )
            };
            assert!(!refused("pin", &sealed, b"document 1"));
            assert!(refused("pin", &sealed, b"document 2"));
            assert!(refused("other", &sealed, b"document 1"));
            assert!(refused("pin", &sealed[1..], b"document 1"));
            for place in [0, 1, 96, 97, 200, SEALED_LENGTH - 1] {
                let mut altered = sealed.clone();
                altered[place] ^= 1;
                assert!(refused("pin", &altered, b"document 1"), "byte {place}");
            }
            assert!(matches!(
                token.open_envelope("none", &sealed, b"document 1"),
                Err(EnvelopeError::Token(_))
            ));
        });
    }

    #[test]
    fn too_long_is_refused() {
        let secret = SecretKey::from_slice(&[5; 48]).unwrap();
        let key = EnvelopeKey(secret.public_key());
        assert!(key.seal(&[0; ENVELOPE_CAPACITY], b"").is_ok());
        assert!(matches!(
            key.seal(&[0; ENVELOPE_CAPACITY + 1], b""),
            Err(EnvelopeError::TooLong)
        ));
        assert!(EnvelopeKey::from_spki_der(b"nonsense").is_err());
    }

    proptest! {
        #[test]
        fn padding_is_undone(content in prop::collection::vec(any::<u8>(), 0..=ENVELOPE_CAPACITY)) {
            let padded = pad(&content).unwrap();
            prop_assert_eq!(padded.len(), 256);
            prop_assert_eq!(&*unpad(padded).unwrap(), &content);
        }

        #[test]
        fn any_padding_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..=300)) {
            let _ = unpad(Zeroizing::new(bytes));
        }
    }
}
