//! What a person knows or reads: the passwords of PACE (*ICAO 9303-11 §4.4.4.1, §9.7.3*).

use std::fmt;

use card::cipher::Key;
use openssl::sha::sha1;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::mrz_information::MrzInformation;
use crate::session_keys::Cipher;

/// Longest password, characters.
const MAX_LENGTH: usize = 32;

/// Says that a text is no password. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// There is none, or it is too long.
    #[error("password of {0} characters; 1 to 32 are accepted")]
    Length(usize),
    /// A character is no printable one of ASCII.
    #[error("character {0} of the password is not printable ASCII")]
    Character(usize),
}

/// A password of PACE: never shown, wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Mrz(MrzInformation),
    Can(Zeroizing<Vec<u8>>),
    Pin(Zeroizing<Vec<u8>>),
    Puk(Zeroizing<Vec<u8>>),
}

impl Password {
    /// Takes the machine-readable zone.
    pub fn mrz(information: MrzInformation) -> Self {
        Self(Kind::Mrz(information))
    }

    /// Takes the card access number, as it is printed.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn can(text: &str) -> Result<Self, PasswordError> {
        secret(text).map(Kind::Can).map(Self)
    }

    /// Takes the holder's PIN.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn pin(text: &str) -> Result<Self, PasswordError> {
        secret(text).map(Kind::Pin).map(Self)
    }

    /// Takes the holder's PUK.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn puk(text: &str) -> Result<Self, PasswordError> {
        secret(text).map(Kind::Puk).map(Self)
    }

    /// Returns the reference: 1 MRZ, 2 CAN, 3 PIN, 4 PUK.
    pub(super) fn reference(&self) -> u8 {
        match self.0 {
            Kind::Mrz(_) => 1,
            Kind::Can(_) => 2,
            Kind::Pin(_) => 3,
            Kind::Puk(_) => 4,
        }
    }

    /// Derives the key that opens the nonce.
    pub(super) fn key(&self, cipher: Cipher) -> Result<Key, CryptoError> {
        match &self.0 {
            Kind::Mrz(information) => {
                let digest = Zeroizing::new(sha1(information.as_bytes()));
                cipher.password_key(&digest[..])
            }
            Kind::Can(text) | Kind::Pin(text) | Kind::Puk(text) => cipher.password_key(text),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Mrz(_) => "Password(MRZ, hidden)",
            Kind::Can(_) => "Password(CAN, hidden)",
            Kind::Pin(_) => "Password(PIN, hidden)",
            Kind::Puk(_) => "Password(PUK, hidden)",
        })
    }
}

fn secret(text: &str) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
    let length = text.chars().count();
    if !(1..=MAX_LENGTH).contains(&length) {
        return Err(PasswordError::Length(length));
    }
    if let Some(at) = text.chars().position(|each| !matches!(each, ' '..='~')) {
        return Err(PasswordError::Character(at + 1));
    }
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_bounded_and_hidden() {
        assert_eq!(Password::can(""), Err(PasswordError::Length(0)));
        assert_eq!(
            Password::pin(&"1".repeat(33)),
            Err(PasswordError::Length(33))
        );
        assert_eq!(Password::puk("12ā"), Err(PasswordError::Character(3)));
        assert_eq!(Password::can("12\n"), Err(PasswordError::Character(3)));
        let shown = format!("{:?}", Password::can("500540").unwrap());
        assert_eq!(shown, "Password(CAN, hidden)");
    }
}
