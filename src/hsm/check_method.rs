//! How others compute check values: suppliers do not all use GlobalPlatform's.

use card::cipher::{CipherError, Key, KeyAlgorithm, aes_cmac, aes_ecb_encrypt, kcv};

/// How the check value of an AES key is computed. That of a triple DES key is always the first
/// three bytes of eight bytes 00 encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckMethod {
    /// Sixteen bytes 01 encrypted (*GP Card Specification 2.3, appendix B*).
    #[default]
    GlobalPlatform,
    /// Sixteen bytes 00 encrypted (*PKCS#11*, `CKA_CHECK_VALUE`).
    Zeros,
    /// The AES-CMAC of sixteen bytes 00 (*ANSI X9.24-1*, and key blocks).
    Cmac,
}

/// The check value that was sent with a key, and how it was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckValue {
    /// How it was computed.
    pub method: CheckMethod,
    /// Its three bytes.
    pub value: [u8; 3],
}

impl CheckMethod {
    /// Returns the first three bytes of a key's check value.
    ///
    /// # Errors
    /// [`CipherError::KeyLength`] for a triple DES key of 32 bytes.
    pub fn value(self, key: &Key, algorithm: KeyAlgorithm) -> Result<[u8; 3], CipherError> {
        match (algorithm, self) {
            (KeyAlgorithm::TripleDes, _) | (_, Self::GlobalPlatform) => kcv(key, algorithm),
            (KeyAlgorithm::Aes, Self::Zeros) => {
                let block = aes_ecb_encrypt(key, &[0; 16])?;
                Ok(block.first_chunk().copied().unwrap_or_default())
            }
            (KeyAlgorithm::Aes, Self::Cmac) => {
                let [a, b, c, ..] = aes_cmac(key, &[0; 16]);
                Ok([a, b, c])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use card::cipher::{Key, KeyAlgorithm};

    use super::CheckMethod;

    #[test]
    fn openssl_computes_the_same() {
        // KEY=000102…0F; openssl enc -aes-128-ecb -nopad -K $KEY over 16 bytes 01 and over zeros;
        // openssl mac -cipher AES-128-CBC -macopt hexkey:$KEY CMAC over zeros.
        let key = Key::new(&std::array::from_fn::<u8, 16, _>(|at| at as u8)).unwrap();
        for (method, expected) in [
            (CheckMethod::GlobalPlatform, [0xC3, 0x52, 0x80]),
            (CheckMethod::Zeros, [0xC6, 0xA1, 0x3B]),
            (CheckMethod::Cmac, [0xBE, 0x7E, 0xD6]),
        ] {
            assert_eq!(method.value(&key, KeyAlgorithm::Aes).unwrap(), expected);
        }
        let des = |method: CheckMethod| method.value(&key, KeyAlgorithm::TripleDes).unwrap();
        assert_eq!(des(CheckMethod::Cmac), des(CheckMethod::GlobalPlatform));
    }
}
