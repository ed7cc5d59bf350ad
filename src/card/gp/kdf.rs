//! Key derivation in counter mode with AES-CMAC (*NIST SP 800-108 §4.1*).

use thiserror::Error;
use zeroize::Zeroizing;

use crate::cipher::{AES_BLOCK, Key, cmac};

/// Longest output in bits: the counter has one byte.
const MAX_BITS: u16 = 255 * 128;

/// Says that no key of this length can be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("derivation of {0} bits; 8 to 32640 in whole bytes are possible")]
pub struct KdfError(pub u16);

/// Fills `out` with CMAC(key, before ‖ i ‖ after) for i = 1, 2, …: at most 255 blocks.
pub(super) fn counter_mode(key: &Key, before: &[u8], after: &[u8], out: &mut [u8]) {
    debug_assert!(out.len() <= 255 * AES_BLOCK);
    for (counter, piece) in (1..=u8::MAX).zip(out.chunks_mut(AES_BLOCK)) {
        let block = Zeroizing::new(cmac(key, &[before, &[counter], after]));
        for (to, from) in piece.iter_mut().zip(block.iter()) {
            *to = *from;
        }
    }
}

/// Fills `out`, at most 512 bytes, as *GP Amendment D §4.1.5* says: label of eleven bytes
/// `00` and the derivation constant, separator `00`, length in bits, counter, context.
pub(super) fn derive(key: &Key, constant: u8, context: &[u8], out: &mut [u8]) {
    let bits = u16::try_from(out.len() * 8).unwrap_or(u16::MAX);
    let [high, low] = bits.to_be_bytes();
    let mut before = [0; 15];
    before[11] = constant;
    before[13] = high;
    before[14] = low;
    counter_mode(key, &before, context, out);
}

/// Derives `bits` bits from a key, a derivation constant and a context (*GP Amendment D
/// §4.1.5*). Constants: `00` card cryptogram, `01` host cryptogram, `02` card challenge,
/// `04` S-ENC, `06` S-MAC, `07` S-RMAC.
///
/// # Errors
/// [`KdfError`] unless `bits` is a multiple of 8 from 8 to 32 640.
pub fn kdf(
    key: &Key,
    constant: u8,
    context: &[u8],
    bits: u16,
) -> Result<Zeroizing<Vec<u8>>, KdfError> {
    if bits == 0 || bits > MAX_BITS || !bits.is_multiple_of(8) {
        return Err(KdfError(bits));
    }
    let mut out = Zeroizing::new(vec![0; usize::from(bits / 8)]);
    derive(key, constant, context, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::testing::{hex, key, vectors};

    #[test]
    fn counter_mode_of_sp_800_108() {
        let file = vectors("sp800_108_cmac.json");
        let rows = file["vectors"].as_array().unwrap();
        assert_eq!(rows.len(), 7);
        for row in rows {
            let mut out = vec![0; row["L"].as_u64().unwrap() as usize / 8];
            counter_mode(&key(&row["KI"]), &[], &hex(&row["fixed_input"]), &mut out);
            assert_eq!(out, hex(&row["KO"]), "{row}");
        }
    }

    #[test]
    fn session_keys_over_a_given_context_have_the_published_check_values() {
        let file = vectors("put_key_aes.json");
        let published = &file["scp03_session_key_kcv"];
        let master = Key::new(&std::array::from_fn::<u8, 16, _>(|i| 0x40 + i as u8)).unwrap();
        assert_eq!(master.kcv()[..], hex(&file["kcv_aes_404142"]));
        for (constant, name) in [(0x04, "ENC"), (0x06, "MAC"), (0x07, "RMAC")] {
            let bytes = kdf(&master, constant, &hex(&published["context"]), 128).unwrap();
            assert_eq!(
                Key::new(&bytes).unwrap().kcv()[..],
                hex(&published[name]),
                "{name}"
            );
        }
    }

    #[test]
    fn impossible_lengths_are_refused() {
        let key = Key::new(&[0; 16]).unwrap();
        for bits in [0, 7, 129, 32641, 32648, 65535] {
            assert_eq!(kdf(&key, 4, &[], bits), Err(KdfError(bits)));
        }
        assert_eq!(kdf(&key, 4, &[], 32640).unwrap().len(), 4080);
    }
}
