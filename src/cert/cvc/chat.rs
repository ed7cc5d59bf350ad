//! Authorizations: who a certificate's holder is and what it may read (*TR-03110-3 §C.1.5, §C.4;
//! TR-03110-4 §2.2.3*).

use std::fmt;

use spki::ObjectIdentifier;

use crate::cvc::error::CvcError;
use crate::cvc::object::{CHAT, DISCRETIONARY, OID, Reader};

/// What kind of terminal a chain of certificates is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TerminalType {
    /// Inspection system: travel documents (id-IS).
    Inspection,
    /// Authentication terminal: the eID application (id-AT).
    Authentication,
    /// Signature terminal (id-ST).
    Signature,
}

/// The place in the chain: the two highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Country verifying certification authority, `11`.
    Cvca,
    /// Document verifier of the same country, `10`. (Of an authentication or signature terminal:
    /// an official one.)
    DomesticVerifier,
    /// Document verifier of another country, `01`. (Of an authentication or signature terminal:
    /// one that is not official, or foreign.)
    ForeignVerifier,
    /// A terminal, `00`.
    Terminal,
}

/// What an inspection system may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Read DG3: fingerprints.
    ReadFingerprints,
    /// Read DG4: iris.
    ReadIris,
}

/// A certificate holder authorization template: terminal type, role and rights.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Chat {
    terminal: TerminalType,
    bits: Vec<u8>,
}

impl TerminalType {
    /// All terminal types.
    pub const ALL: [Self; 3] = [Self::Inspection, Self::Authentication, Self::Signature];

    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        const fn oid(text: &str) -> ObjectIdentifier {
            ObjectIdentifier::new_unwrap(text)
        }
        match self {
            Self::Inspection => const { oid("0.4.0.127.0.7.3.1.2.1") },
            Self::Authentication => const { oid("0.4.0.127.0.7.3.1.2.2") },
            Self::Signature => const { oid("0.4.0.127.0.7.3.1.2.3") },
        }
    }

    /// Returns the length of an authorization in bytes.
    pub fn authorization_length(self) -> usize {
        match self {
            Self::Inspection | Self::Signature => 1,
            Self::Authentication => 5,
        }
    }
}

impl Role {
    fn bits(self) -> u8 {
        match self {
            Self::Cvca => 0xC0,
            Self::DomesticVerifier => 0x80,
            Self::ForeignVerifier => 0x40,
            Self::Terminal => 0x00,
        }
    }

    /// Returns whether it is a document verifier of either kind.
    pub fn is_verifier(self) -> bool {
        matches!(self, Self::DomesticVerifier | Self::ForeignVerifier)
    }

    /// Returns the name that programs read: `cvca`, `dv-domestic`, `dv-foreign` or `terminal`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cvca => "cvca",
            Self::DomesticVerifier => "dv-domestic",
            Self::ForeignVerifier => "dv-foreign",
            Self::Terminal => "terminal",
        }
    }
}

impl Right {
    /// All rights of an inspection system.
    pub const ALL: [Self; 2] = [Self::ReadFingerprints, Self::ReadIris];

    fn bit(self) -> u8 {
        match self {
            Self::ReadFingerprints => 0x01,
            Self::ReadIris => 0x02,
        }
    }

    /// Returns the name that programs read: `dg3` or `dg4`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadFingerprints => "dg3",
            Self::ReadIris => "dg4",
        }
    }
}

impl Chat {
    /// Returns the template of an inspection system's chain.
    pub fn inspection(role: Role, rights: &[Right]) -> Self {
        let bits = rights
            .iter()
            .fold(role.bits(), |bits, right| bits | right.bit());
        Self {
            terminal: TerminalType::Inspection,
            bits: vec![bits],
        }
    }

    /// Returns a template of these bytes: role in the two highest bits, rights below.
    ///
    /// # Errors
    /// [`CvcError::Authorization`] for a wrong length.
    pub fn new(terminal: TerminalType, bits: &[u8]) -> Result<Self, CvcError> {
        let expected = terminal.authorization_length();
        if bits.len() != expected {
            return Err(CvcError::Authorization {
                expected,
                actual: bits.len(),
            });
        }
        Ok(Self {
            terminal,
            bits: bits.to_vec(),
        })
    }

    /// Reads the value of a template.
    pub(crate) fn read(value: &[u8]) -> Result<Self, CvcError> {
        let mut reader = Reader::new(value);
        let oid = ObjectIdentifier::from_bytes(reader.take(OID)?)
            .map_err(|_| CvcError::ObjectIdentifier)?;
        let terminal = TerminalType::ALL
            .into_iter()
            .find(|known| known.oid() == oid)
            .ok_or(CvcError::TerminalType(oid))?;
        let chat = Self::new(terminal, reader.take(DISCRETIONARY)?)?;
        reader.end(CHAT)?;
        Ok(chat)
    }

    /// Returns the whole object, 7F4C, as PACE takes it too.
    pub fn to_der(&self) -> Vec<u8> {
        let oid = OID.encode(self.terminal.oid().as_bytes());
        CHAT.encode(&[oid, DISCRETIONARY.encode(&self.bits)].concat())
    }

    /// Returns the terminal type.
    pub fn terminal(&self) -> TerminalType {
        self.terminal
    }

    /// Returns the role.
    pub fn role(&self) -> Role {
        match self.bits.first().copied().unwrap_or(0) & 0xC0 {
            0xC0 => Role::Cvca,
            0x80 => Role::DomesticVerifier,
            0x40 => Role::ForeignVerifier,
            _ => Role::Terminal,
        }
    }

    /// Returns role and rights as they stand in the template: 1 or 5 bytes.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Returns whether an inspection system has this right; other terminals have none of these.
    pub fn allows(&self, right: Right) -> bool {
        let bits = self.bits.first().copied().unwrap_or(0);
        self.terminal == TerminalType::Inspection && bits & right.bit() != 0
    }

    /// Returns the rights of an inspection system.
    pub fn rights(&self) -> Vec<Right> {
        Right::ALL
            .into_iter()
            .filter(|right| self.allows(*right))
            .collect()
    }

    /// Returns what both allow, bit for bit (*§2.7*): the role comes out as the lower one. Nothing,
    /// where the terminal types differ.
    #[must_use]
    pub fn and(&self, other: &Self) -> Option<Self> {
        let same = self.terminal == other.terminal;
        let pairs = self.bits.iter().zip(&other.bits);
        same.then(|| Self {
            terminal: self.terminal,
            bits: pairs.map(|(one, other)| one & other).collect(),
        })
    }

    /// Returns whether every right here is one of `other`'s; roles do not count.
    pub fn is_within(&self, other: &Self) -> bool {
        let rights = |chat: &Self| {
            let mut bits = chat.bits.clone();
            if let Some(first) = bits.first_mut() {
                *first &= 0x3F;
            }
            bits
        };
        self.terminal == other.terminal
            && rights(self)
                .iter()
                .zip(rights(other))
                .all(|(mine, theirs)| mine & !theirs == 0)
    }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.terminal, hex::encode_upper(&self.bits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Chat, Right, Role, TerminalType};

    #[test]
    fn bits_are_those_of_the_standard() {
        // TR-03110-4 Table 1: an inspection system that reads both.
        let chat = Chat::inspection(Role::Cvca, &Right::ALL);
        assert_eq!(
            hex::encode_upper(chat.to_der()),
            "7F4C0E060904007F0007030102015301C3"
        );
        let verifier = Chat::inspection(Role::ForeignVerifier, &[Right::ReadFingerprints]);
        assert_eq!(verifier.bits(), [0x41]);
        assert_eq!(verifier.rights(), [Right::ReadFingerprints]);
        let effective = chat.and(&verifier).unwrap();
        assert_eq!(effective.role(), Role::ForeignVerifier);
        let eid = Chat::new(TerminalType::Authentication, &[0xFF; 5]).unwrap();
        assert!(eid.rights().is_empty());
        assert_eq!(eid.and(&chat), None);
        assert!(Chat::new(TerminalType::Authentication, &[0xFF]).is_err());
    }

    proptest! {
        #[test]
        fn what_both_allow_is_within_both(one: [u8; 5], other: [u8; 5]) {
            let chat = |bits: &[u8]| Chat::new(TerminalType::Authentication, bits).unwrap();
            let (one, other) = (chat(&one), chat(&other));
            let both = one.and(&other).unwrap();
            prop_assert!(both.is_within(&one) && both.is_within(&other));
            prop_assert_eq!(one.is_within(&other), {
                let rights = |chat: &Chat| chat.and(&chat_rights()).unwrap();
                rights(&both) == rights(&one)
            });
        }
    }

    fn chat_rights() -> Chat {
        Chat::new(
            TerminalType::Authentication,
            &[0x3F, 0xFF, 0xFF, 0xFF, 0xFF],
        )
        .unwrap()
    }
}
