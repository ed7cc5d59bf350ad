//! What a token says of a key: whether it can leave, where it was made, what it may do.

use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;

use crate::error::{HsmError, device};

/// Where a key came into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// In the token (`CKA_LOCAL`).
    Generated,
    /// Elsewhere: others may hold copies.
    Imported,
}

/// A key's attributes as read back from the token, not as they were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAttributes {
    /// `CKA_SENSITIVE`: its value cannot be read.
    pub sensitive: bool,
    /// `CKA_ALWAYS_SENSITIVE`: it never could.
    pub always_sensitive: bool,
    /// `CKA_EXTRACTABLE`: it can be wrapped out.
    pub extractable: bool,
    /// `CKA_NEVER_EXTRACTABLE`: it never could.
    pub never_extractable: bool,
    /// `CKA_LOCAL`.
    pub origin: KeyOrigin,
    /// `CKA_SIGN`: signatures and MACs.
    pub sign: bool,
    /// `CKA_DERIVE`: key agreement.
    pub derive: bool,
    /// `CKA_UNWRAP`: other keys come in under it.
    pub unwrap: bool,
}

impl KeyAttributes {
    /// Returns the first attribute that lets the key leave the token, if any.
    ///
    /// A key made in the token must also never have been able to leave it.
    pub fn fault(&self) -> Option<&'static str> {
        let generated = self.origin == KeyOrigin::Generated;
        [
            (!self.sensitive, "CKA_SENSITIVE false"),
            (self.extractable, "CKA_EXTRACTABLE true"),
            (
                generated && !self.always_sensitive,
                "CKA_ALWAYS_SENSITIVE false",
            ),
            (
                generated && !self.never_extractable,
                "CKA_NEVER_EXTRACTABLE false",
            ),
        ]
        .into_iter()
        .find_map(|(wrong, attribute)| wrong.then_some(attribute))
    }

    /// Reads a key's attributes. One that the token does not tell counts as the unsafe value.
    pub(crate) fn read(session: &Session, key: ObjectHandle) -> Result<Self, HsmError> {
        let told = session
            .get_attributes(
                key,
                &[
                    AttributeType::Sensitive,
                    AttributeType::AlwaysSensitive,
                    AttributeType::Extractable,
                    AttributeType::NeverExtractable,
                    AttributeType::Local,
                    AttributeType::Sign,
                    AttributeType::Derive,
                    AttributeType::Unwrap,
                ],
            )
            .map_err(device("read a key's attributes"))?;
        let mut read = Self {
            sensitive: false,
            always_sensitive: false,
            extractable: true,
            never_extractable: false,
            origin: KeyOrigin::Imported,
            sign: false,
            derive: false,
            unwrap: false,
        };
        for attribute in told {
            match attribute {
                Attribute::Sensitive(value) => read.sensitive = value,
                Attribute::AlwaysSensitive(value) => read.always_sensitive = value,
                Attribute::Extractable(value) => read.extractable = value,
                Attribute::NeverExtractable(value) => read.never_extractable = value,
                Attribute::Local(true) => read.origin = KeyOrigin::Generated,
                Attribute::Sign(value) => read.sign = value,
                Attribute::Derive(value) => read.derive = value,
                Attribute::Unwrap(value) => read.unwrap = value,
                _ => {}
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyAttributes, KeyOrigin};

    #[test]
    fn every_way_out_is_a_fault() {
        let good = KeyAttributes {
            sensitive: true,
            always_sensitive: true,
            extractable: false,
            never_extractable: true,
            origin: KeyOrigin::Generated,
            sign: true,
            derive: false,
            unwrap: false,
        };
        assert_eq!(good.fault(), None);
        let imported = KeyAttributes {
            origin: KeyOrigin::Imported,
            always_sensitive: false,
            never_extractable: false,
            ..good
        };
        assert_eq!(imported.fault(), None);
        for bad in [
            KeyAttributes {
                sensitive: false,
                ..good
            },
            KeyAttributes {
                extractable: true,
                ..good
            },
            KeyAttributes {
                always_sensitive: false,
                ..good
            },
            KeyAttributes {
                never_extractable: false,
                ..good
            },
            KeyAttributes {
                extractable: true,
                ..imported
            },
        ] {
            assert!(bad.fault().is_some());
        }
    }
}
