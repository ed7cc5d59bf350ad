//! A person's own card as second factor: its authentication key signs a challenge.

use cert::{CARD_AUTHENTICATION, Certificate, Curve, EcdsaSignature, PublicKey};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The longest certificate that is looked at.
const MAX_CERTIFICATE: usize = 8192;

/// Returns what is kept of a card's certificate: the SHA-256 of its public key, so that a renewed
/// certificate over the same key stays known.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn digest_of(certificate: &[u8], now: Timestamp) -> Result<Vec<u8>, &'static str> {
    read(certificate, now).map(|(digest, _)| digest)
}

/// Checks that the card of this digest signed the challenge.
///
/// # Errors
/// Why it is not proved.
pub(crate) fn check(
    certificate: &[u8],
    digest: &[u8],
    challenge: &str,
    signature: &[u8],
    now: Timestamp,
) -> Result<(), &'static str> {
    let (shown, key) = read(certificate, now)?;
    if !bool::from(shown.ct_eq(digest)) {
        return Err("it is another card");
    }
    let curve = key.curve().ok_or("its key is on no curve")?;
    let signature =
        EcdsaSignature::from_raw(curve, signature).map_err(|_| "the signature is malformed")?;
    // SHA-256 on P-256, SHA-384 on P-384, as authentication keys of cards sign.
    key.verify_message(curve.hash(), challenge.as_bytes(), &signature)
        .map_err(|_| "the signature is wrong")
}

fn read(certificate: &[u8], now: Timestamp) -> Result<(Vec<u8>, PublicKey), &'static str> {
    if certificate.len() > MAX_CERTIFICATE {
        return Err("the certificate is too long");
    }
    let certificate =
        Certificate::parse(certificate).map_err(|_| "the certificate cannot be read")?;
    if !certificate.validity().contains(now) {
        return Err("the certificate is not valid today");
    }
    let extensions = certificate.extensions();
    let signs = extensions
        .key_usage
        .is_none_or(|usage| usage.digital_signature());
    // A key that answers without its holder's PIN proves no holder.
    let without_pin = extensions.extended_key_usage.contains(&CARD_AUTHENTICATION);
    if extensions.ca || !extensions.unknown_critical.is_empty() || !signs || without_pin {
        return Err("the certificate is not one by which its holder authenticates");
    }
    let key = certificate.public_key().clone();
    if !matches!(key.curve(), Some(Curve::P256 | Curve::P384)) {
        return Err("its key is neither on P-256 nor on P-384");
    }
    let spki = key
        .to_spki_der()
        .map_err(|_| "the certificate's key cannot be read")?;
    Ok((Sha256::digest(&spki).to_vec(), key))
}
