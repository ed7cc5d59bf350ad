//! Key blocks: a key with what it may be used for, as suppliers send it (*ANSI X9.143*, "TR-31",
//! version D: AES key derivation binding).
//!
//! ```text
//!   D0112P0AE00E0000   82679114…          4DC34…
//!   header, in clear   AES-CBC(KBEK)      AES-CMAC(KBAK) of header and plain data; the IV as well
//!
//!   zone key ── AES-CMAC, in the token ──► KBEK, KBAK
//! ```
//!
//! No token of ours unwraps one: the two keys of the block are derived in the token, and **the key
//! passes host memory**, where it is wiped.

use std::fmt;

use card::cipher::{Key, KeyAlgorithm, aes_cmac, aes_ecb_decrypt};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The most characters of a block that are looked at: room for many optional blocks.
const LONGEST: usize = 2048;
const HEADER: usize = 16;
const BLOCK: usize = 16;

/// Why a key block is not read or not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyBlockError {
    /// The text is no key block of version D.
    #[error("this is no key block of version D: {0}")]
    Form(&'static str),
    /// It was made under another zone key, or altered.
    #[error("the key block's MAC does not fit: another zone key, or altered")]
    Mac,
    /// What is in it is no key of the algorithm that the header names.
    #[error("the key block holds no key of the algorithm that its header names")]
    Content,
}

/// A key block of version D, as it was sent. Its header is not to be believed before it is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyBlock {
    /// The header with its optional blocks: what the MAC covers in clear.
    header: String,
    algorithm: KeyAlgorithm,
    sealed: Vec<u8>,
    mac: [u8; BLOCK],
}

/// What one of the two keys of a block is for.
#[derive(Clone, Copy)]
enum Part {
    Encryption = 0,
    Authentication = 1,
}

impl KeyBlock {
    /// Reads a key block.
    ///
    /// # Errors
    /// [`KeyBlockError::Form`].
    pub fn parse(text: &str) -> Result<Self, KeyBlockError> {
        let form = KeyBlockError::Form;
        let text = text.trim();
        if text.len() > LONGEST || !text.is_ascii() {
            return Err(form("it is too long, or has characters that no block has"));
        }
        let head = text.get(..HEADER).ok_or(form("it is too short"))?;
        if !head.starts_with('D') {
            return Err(form("its version is another one; ask for version D (AES)"));
        }
        let number = |from: usize, to: usize| {
            let digits = head
                .get(from..to)
                .filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<usize>().ok())
        };
        if number(1, 5) != Some(text.len()) {
            return Err(form("its length is not the one that it names"));
        }
        let algorithm = match head.as_bytes().get(7) {
            Some(b'A') => KeyAlgorithm::Aes,
            Some(b'T') => KeyAlgorithm::TripleDes,
            _ => return Err(form("its key is neither an AES nor a triple DES key")),
        };
        let mut end = HEADER;
        for _ in 0..number(12, 14).ok_or(form("its optional blocks are not counted"))? {
            let length = text.get(end + 2..end + 4);
            let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            // 00 would announce a longer length: no block of a key for us needs that.
            let length = length.filter(|length| *length >= 4);
            end += length.ok_or(form("an optional block has no length"))?;
        }
        let header = text
            .get(..end)
            .ok_or(form("its optional blocks do not end"))?;
        if !end.is_multiple_of(BLOCK) {
            return Err(form("its optional blocks are not padded"));
        }
        let bytes = unhex(text.get(end..).unwrap_or_default());
        let bytes = bytes.ok_or(form("what follows the header are no hexadecimal digits"))?;
        let (sealed, mac) = bytes
            .split_last_chunk::<BLOCK>()
            .ok_or(form("it is too short"))?;
        if sealed.is_empty() || !sealed.len().is_multiple_of(BLOCK) {
            return Err(form("its key is no whole blocks"));
        }
        Ok(Self {
            header: header.to_owned(),
            algorithm,
            sealed: sealed.to_vec(),
            mac: *mac,
        })
    }

    /// Returns what kind of key the header names.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Opens it; `cmac` computes AES-CMACs under the zone key, whose length in bytes is `length`.
    pub(crate) fn open<E: From<KeyBlockError>>(
        &self,
        length: usize,
        mut cmac: impl FnMut(&[u8]) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Key, E> {
        let mut derive = |part: Part| -> Result<Key, E> {
            let mut key = Zeroizing::new(Vec::with_capacity(length + BLOCK));
            for counter in 1..=length.div_ceil(BLOCK) {
                key.extend_from_slice(&cmac(&derivation(counter, part, length)?)?);
            }
            key.truncate(length);
            Ok(Key::new(&key).map_err(|_| KeyBlockError::Content)?)
        };
        let (encryption, authentication) =
            (derive(Part::Encryption)?, derive(Part::Authentication)?);
        // CBC by hand: the IV is the MAC, and comes before the first block.
        let mut plain =
            aes_ecb_decrypt(&encryption, &self.sealed).map_err(|_| KeyBlockError::Content)?;
        let before = self.mac.iter().chain(&self.sealed);
        for (byte, before) in plain.iter_mut().zip(before) {
            *byte ^= before;
        }
        let covered = Zeroizing::new([self.header.as_bytes(), &plain].concat());
        let mac = aes_cmac(&authentication, &covered);
        if !bool::from(mac.ct_eq(&self.mac)) {
            return Err(KeyBlockError::Mac.into());
        }
        Ok(self.key(&plain)?)
    }

    /// Takes the key out of the plain data: its length in bits, itself, random padding.
    fn key(&self, plain: &[u8]) -> Result<Key, KeyBlockError> {
        let wrong = KeyBlockError::Content;
        let (bits, rest) = plain.split_first_chunk::<2>().ok_or(wrong)?;
        let bits = usize::from(u16::from_be_bytes(*bits));
        let fits = match self.algorithm {
            KeyAlgorithm::Aes => matches!(bits, 128 | 192 | 256),
            KeyAlgorithm::TripleDes => matches!(bits, 128 | 192),
        };
        let key = rest.get(..bits / 8).filter(|_| fits).ok_or(wrong)?;
        Key::new(key).map_err(|_| wrong)
    }
}

impl fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyBlock").field(&self.header).finish()
    }
}

/// What the zone key's CMAC is computed over: counter, usage, separator, algorithm and length of
/// the derived key.
fn derivation(counter: usize, part: Part, length: usize) -> Result<[u8; 8], KeyBlockError> {
    let algorithm = match length {
        16 => 2,
        24 => 3,
        32 => 4,
        _ => return Err(KeyBlockError::Content),
    };
    let bits = u16::try_from(8 * length).map_err(|_| KeyBlockError::Content)?;
    let [high, low] = bits.to_be_bytes();
    let counter = u8::try_from(counter).map_err(|_| KeyBlockError::Content)?;
    Ok([counter, 0, part as u8, 0, 0, algorithm, high, low])
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let digits = str::from_utf8(pair).ok()?;
        let is_digit = |byte: u8| byte.is_ascii_hexdigit();
        let digits = Some(digits).filter(|digits| digits.bytes().all(is_digit))?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
#[path = "../../tests/hsm/key_block.rs"]
mod tests;
