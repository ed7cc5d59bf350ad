//! Keys that encrypt data in the host, wrapped under a key that never leaves the token.
//!
//! ```text
//!   wrapping key (token) ──► CKM_AES_GCM ──► iv(12) ‖ data key(32) ‖ tag(16)
//!                                 ▲
//!                           context: what the data key is for; another one does not unwrap it
//! ```
//!
//! Whoever destroys the wrapping key destroys every copy of what lies under it, wherever it is. AES
//! Key Wrap (*RFC 3394*) has no place for a context, and hands its result over as an object of the
//! token that has to be read and destroyed: GCM takes one call, and binds.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::Attribute;
use cryptoki::types::Ulong;
use zeroize::{Zeroize, Zeroizing};

use crate::config::{DataKeys, Diversification};
use crate::error::{HsmError, device};
use crate::handle::SecretKey;
use crate::inventory::KeyKind;
use crate::keys::{MasterKeySize, master_key_template};
use crate::token::Token;

/// The bytes of a data key: AES-256.
pub const DATA_KEY_LENGTH: usize = 32;

/// The bytes of a wrapped data key.
pub const WRAPPED_DATA_KEY_LENGTH: usize = IV + DATA_KEY_LENGTH + TAG;

/// *SP 800-38D §8.2.2*: a random one of 96 bits serves for 2^32 keys under one wrapping key.
const IV: usize = 12;
const TAG: usize = 16;
const TAG_BITS: u64 = 128;

impl Token {
    /// Makes an AES-256 key that wraps data keys, and cannot leave the token.
    ///
    /// # Errors
    /// As [`Token::generate_signing_key`].
    pub fn generate_wrapping_key(&self, label: &str) -> Result<(), HsmError> {
        self.check_data_keys()?;
        let mut template = master_key_template(label);
        for attribute in &mut template {
            match attribute {
                Attribute::Decrypt(decrypt) => *decrypt = true,
                Attribute::Sign(sign) => *sign = false,
                _ => {}
            }
        }
        self.generate_aes(label, &template, MasterKeySize::Aes256)
    }

    /// Wraps a data key under the wrapping key labelled `label`, for one context.
    ///
    /// # Errors
    /// [`HsmError::KeyNotFound`], [`HsmError::NotConfigured`], [`HsmError::KeyUnsuited`] for a key
    /// that could leave the token or is no AES-256 key, or the device's failure.
    pub fn wrap_data_key(
        &self,
        label: &str,
        key: &[u8; DATA_KEY_LENGTH],
        context: &[u8],
    ) -> Result<Vec<u8>, HsmError> {
        self.check_data_keys()?;
        let drawn = self.random(IV)?;
        self.with_session(|session| {
            let secret = wrapping(label, self.secret_key(session, label)?)?;
            let mut iv = drawn.to_vec();
            let parameters = GcmParams::new(&mut iv, context, Ulong::new(TAG_BITS))
                .map_err(device("wrap a data key"))?;
            let sealed = session
                .encrypt(&Mechanism::AesGcm(parameters), secret.handle, key)
                .map_err(device("wrap a data key"))?;
            let wrapped = [&drawn[..], &sealed].concat();
            if wrapped.len() != WRAPPED_DATA_KEY_LENGTH {
                return Err(HsmError::Answer {
                    operation: "wrap a data key",
                    reason: "a wrapped key of the wrong length",
                });
            }
            Ok(wrapped)
        })
    }

    /// Unwraps a data key under the wrapping key labelled `label`, for the context that it was
    /// wrapped for.
    ///
    /// # Errors
    /// [`HsmError::DataKey`] where it was altered, or was wrapped for another context or under
    /// another key; otherwise as [`Token::wrap_data_key`].
    pub fn unwrap_data_key(
        &self,
        label: &str,
        wrapped: &[u8],
        context: &[u8],
    ) -> Result<Zeroizing<[u8; DATA_KEY_LENGTH]>, HsmError> {
        self.check_data_keys()?;
        let refused = || HsmError::DataKey {
            label: label.to_owned(),
        };
        let (iv, sealed) = match wrapped.split_first_chunk::<IV>() {
            Some((iv, sealed)) if sealed.len() == DATA_KEY_LENGTH + TAG => (iv, sealed),
            _ => return Err(refused()),
        };
        self.with_session(|session| {
            let secret = wrapping(label, self.secret_key(session, label)?)?;
            let mut iv = *iv;
            let parameters = GcmParams::new(&mut iv, context, Ulong::new(TAG_BITS))
                .map_err(device("unwrap a data key"))?;
            let mut value = session
                .decrypt(&Mechanism::AesGcm(parameters), secret.handle, sealed)
                .map_err(|source| HsmError::of_data_key(label, source))?;
            let mut key = Zeroizing::new([0; DATA_KEY_LENGTH]);
            let fits = value.len() == DATA_KEY_LENGTH;
            if fits {
                key.copy_from_slice(&value);
            }
            value.zeroize();
            fits.then_some(key).ok_or(HsmError::Answer {
                operation: "unwrap a data key",
                reason: "a key of the wrong length",
            })
        })
    }

    /// Returns the AES-CMAC (*SP 800-38B*) of `data` under the AES master key labelled `label`:
    /// a digest that nobody makes without the token.
    ///
    /// # Errors
    /// As [`Token::wrap_data_key`].
    pub fn keyed_digest(&self, label: &str, data: &[u8]) -> Result<[u8; 16], HsmError> {
        if self.config().mechanisms().diversification == Diversification::None {
            return Err(self.not_configured("keyed digests"));
        }
        self.with_session(|session| {
            let secret = wrapping(label, self.secret_key(session, label)?)?;
            let mac = session
                .sign(&Mechanism::AesCMac, secret.handle, data)
                .map_err(device("compute an AES-CMAC"))?;
            mac.try_into().map_err(|_| HsmError::Answer {
                operation: "compute an AES-CMAC",
                reason: "a block of the wrong length",
            })
        })
    }

    fn check_data_keys(&self) -> Result<(), HsmError> {
        match self.config().mechanisms().data_keys {
            DataKeys::AesGcm => Ok(()),
            DataKeys::None => Err(self.not_configured("keys of personal data (data_keys)")),
        }
    }
}

/// Demands an AES-256 key that cannot leave the token.
fn wrapping(label: &str, secret: SecretKey) -> Result<SecretKey, HsmError> {
    let unsuited = |purpose| HsmError::KeyUnsuited {
        label: label.to_owned(),
        purpose,
    };
    if secret.can_leave {
        return Err(unsuited("personal data: it could leave the token"));
    }
    if secret.kind != KeyKind::Aes(MasterKeySize::Aes256) {
        return Err(unsuited("personal data: it is no AES-256 key"));
    }
    Ok(secret)
}

#[cfg(test)]
#[path = "../../tests/hsm/data_key.rs"]
mod tests;
