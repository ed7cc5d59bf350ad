//! Base32 (*RFC 4648 §6*): what people type, and what authenticator apps take.

use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Returns bytes in base32, without padding.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(5) * 8));
    let (mut held, mut bits) = (0_u16, 0);
    for byte in bytes {
        held = (held << 8) | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(value: u16) -> char {
    char::from(ALPHABET[usize::from(value & 31)])
}

#[cfg(test)]
mod tests {
    use super::encode;

    /// *RFC 4648 §10*, without the padding.
    #[test]
    fn the_vectors_of_the_rfc() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(*encode(plain.as_bytes()), encoded);
        }
    }
}
