//! References and office codes: short texts that also go into file names and logs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FaultCode;
use super::fault::Coded;

/// Why a text is no reference or office code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {limit} characters of A to Z, 0 to 9 and hyphens between them")]
pub struct CodeError {
    limit: usize,
}

impl Coded for CodeError {
    fn code(&self) -> FaultCode {
        FaultCode::BadForm
    }
}

fn check(text: &str, limit: usize) -> Result<(), CodeError> {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    let good = (1..=limit).contains(&text.len())
        && text.bytes().all(allowed)
        && text.split('-').all(|part| !part.is_empty());
    if good {
        Ok(())
    } else {
        Err(CodeError { limit })
    }
}

macro_rules! code_type {
    ($(#[$meta:meta])* $name:ident, $limit:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads it as it stands.
            ///
            /// # Errors
            ///
            /// [`CodeError`] when a character or the length is not allowed.
            pub fn parse(text: &str) -> Result<Self, CodeError> {
                check(text, $limit).map(|()| Self(text.to_owned()))
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = CodeError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = CodeError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                check(&text, $limit).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }
    };
}

code_type! {
    /// The sender's reference of an application, for example `APP-2026-000001`: at
    /// most 40 characters. Not personal data: senders must not put any into it.
    Reference, 40
}

code_type! {
    /// An office, for example `RIGA-1`: at most 16 characters.
    OfficeCode, 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_exact() {
        assert_eq!(
            Reference::parse("APP-2026-000001").unwrap().to_string(),
            "APP-2026-000001"
        );
        assert!(Reference::parse(&"A".repeat(40)).is_ok());
        assert!(OfficeCode::parse("7").is_ok());
        for text in [
            "", "-", "A-", "-A", "A--B", "a", "A B", "Ā", "A/B", "..", "A_B",
        ] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
        assert!(Reference::parse(&"A".repeat(41)).is_err());
        assert!(OfficeCode::parse(&"A".repeat(17)).is_err());
    }

    #[test]
    fn serde_judges_too() {
        let office: OfficeCode = serde_json::from_str("\"RIGA-1\"").unwrap();
        assert_eq!(serde_json::to_string(&office).unwrap(), "\"RIGA-1\"");
        assert!(serde_json::from_str::<OfficeCode>("\"riga\"").is_err());
    }
}
