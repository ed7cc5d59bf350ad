//! Active Authentication (ICAO Doc 9303-11 §6.1): ISO/IEC 9796-2 scheme 1 with RSA, or plain
//! ECDSA.

use card::Status;
use zeroize::Zeroizing;

use super::document::{Document, Outcome, Request, Way};
use super::key_objects::{Hash, Private};
use crate::applet::{Entropy, KeyWork, Work, broken};
use crate::rsa::{BITS, BYTES, RsaKey};

/// Bytes of the reader's challenge, RND.IFD.
const CHALLENGE: usize = 8;

impl Document {
    /// `88 00 00 08 <challenge>`.
    pub(super) fn internal_authenticate(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        request.no_parameters()?;
        if request.way != Way::Session {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let key = self.memory.keys.active();
        let key = key.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let challenge: &[u8; CHALLENGE] =
            request.data.try_into().map_err(|_| Status::WRONG_LENGTH)?;
        match &key.private {
            Private::Curve { curve, scalar } => {
                work.signed = Some(curve.work());
                curve.sign(scalar, &key.hash.of(challenge)).map_err(broken)
            }
            Private::Rsa(der) => {
                work.signed = Some(KeyWork::Rsa(BITS));
                let trailer = trailer(key.hash);
                let length = BYTES - 1 - key.hash.of(&[]).len() - trailer.len();
                let mut first = Zeroizing::new(vec![0; length]);
                entropy.draw(&mut first)?;
                let block = representative(&first, challenge, key.hash);
                let signature = RsaKey::from_der(der).map_err(broken)?.raise(&block);
                Ok(signature.ok_or(Status::UNKNOWN)?.to_vec())
            }
        }
    }
}

/// Returns the trailer that names the hash (ISO/IEC 9796-2; ISO/IEC 10118-3).
fn trailer(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha1 => &[0xBC],
        Hash::Sha224 => &[0x38, 0xCC],
        Hash::Sha256 => &[0x34, 0xCC],
        Hash::Sha384 => &[0x36, 0xCC],
        Hash::Sha512 => &[0x35, 0xCC],
    }
}

/// Returns 6A ‖ M1 ‖ H(M1 ‖ challenge) ‖ trailer: recovery is partial.
fn representative(first: &[u8], challenge: &[u8], hash: Hash) -> Zeroizing<Vec<u8>> {
    let digest = hash.of(&[first, challenge].concat());
    Zeroizing::new([&[0x6A], first, &digest, trailer(hash)].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::load;

    #[test]
    fn the_representative_of_appendix_f() {
        let row = load("icao9303-11/active_authentication.json");
        let built = representative(&row.bytes("M1"), &row.bytes("RND_IFD"), Hash::Sha1);
        assert_eq!(**built, row.bytes("F"));
    }
}
