//! Where key pairs are: algorithm attributes (*§4.4.3.9*), GENERATE ASYMMETRIC KEY PAIR
//! (*§7.2.14*), import (*§4.4.3.12*).

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::key_pair::KeyPair;
use super::life::Memory;
use super::{OpenPgp, Outcome};
use crate::applet::{Answer, KeyWork, Work, broken};
use crate::curve::Curve;
use crate::objects::{Objects, object};
use crate::rsa::BITS;

/// What a key pair is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sign,
    Decipher,
    Authenticate,
}

impl Role {
    const ALL: [Self; 3] = [Self::Sign, Self::Decipher, Self::Authenticate];

    /// Reads a control reference template, alone or with its key's number.
    fn parse(template: &[u8]) -> Result<Self, Status> {
        match template {
            [0xB6, 0x00] | [0xB6, 0x03, 0x84, 0x01, 0x01] => Ok(Self::Sign),
            [0xB8, 0x00] | [0xB8, 0x03, 0x84, 0x01, 0x02] => Ok(Self::Decipher),
            [0xA4, 0x00] | [0xA4, 0x03, 0x84, 0x01, 0x03] => Ok(Self::Authenticate),
            _ => Err(Status::WRONG_DATA),
        }
    }
}

/// An algorithm of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    /// RSA, 2048 bits; the exponent as e, p, q, and at most so many bits.
    Rsa { exponent: u16 },
    /// ECDSA, or ECDH for decryption.
    Curve(Curve),
}

impl Algorithm {
    const ALL: [Self; 4] = [
        Self::Rsa { exponent: 17 },
        Self::Rsa { exponent: 32 },
        Self::Curve(Curve::P256),
        Self::Curve(Curve::P384),
    ];

    /// Returns the attributes: algorithm, and lengths or the curve's object identifier.
    fn attributes(self, role: Role) -> Vec<u8> {
        let identifier: &[u8] = match self {
            Self::Rsa { exponent } => {
                let ([m0, m1], [e0, e1]) = (BITS.to_be_bytes(), exponent.to_be_bytes());
                return vec![0x01, m0, m1, e0, e1, 0x00];
            }
            Self::Curve(Curve::P256) => &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
            Self::Curve(Curve::P384) => &[0x2B, 0x81, 0x04, 0x00, 0x22],
        };
        let algorithm = match role {
            Role::Decipher => 0x12,
            Role::Sign | Role::Authenticate => 0x13,
        };
        [&[algorithm], identifier].concat()
    }

    /// Returns what the timing model calls it.
    pub(super) fn work(self) -> KeyWork {
        match self {
            Self::Rsa { .. } => KeyWork::Rsa(BITS),
            Self::Curve(curve) => curve.work(),
        }
    }
}

/// Returns the content of FA: every algorithm of every key (*§4.4.3.11*).
pub(super) fn every_algorithm() -> Vec<u8> {
    let list = |role: Role| {
        Algorithm::ALL.map(|algorithm| {
            let attributes = algorithm.attributes(role);
            match role {
                Role::Sign => object::<0xC1>(&attributes),
                Role::Decipher => object::<0xC2>(&attributes),
                Role::Authenticate => object::<0xC3>(&attributes),
            }
        })
    };
    Role::ALL.map(|role| list(role).concat()).concat()
}

/// A place for one key pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    algorithm: Algorithm,
    key: Option<KeyPair>,
}

impl Default for Slot {
    fn default() -> Self {
        let algorithm = Algorithm::Rsa { exponent: 17 };
        Self {
            algorithm,
            key: None,
        }
    }
}

impl Memory {
    fn slot(&self, role: Role) -> &Slot {
        let [sign, decipher, authenticate] = &self.slots;
        match role {
            Role::Sign => sign,
            Role::Decipher => decipher,
            Role::Authenticate => authenticate,
        }
    }

    fn slot_mut(&mut self, role: Role) -> &mut Slot {
        let [sign, decipher, authenticate] = &mut self.slots;
        match role {
            Role::Sign => sign,
            Role::Decipher => decipher,
            Role::Authenticate => authenticate,
        }
    }

    /// Returns a key pair that must be there.
    pub(super) fn key(&self, role: Role) -> Result<&KeyPair, Status> {
        let key = self.slot(role).key.as_ref();
        key.ok_or(Status::REFERENCE_NOT_FOUND)
    }

    /// Returns a key's algorithm attributes.
    pub(super) fn attributes(&self, role: Role) -> Vec<u8> {
        self.slot(role).algorithm.attributes(role)
    }

    /// Sets a key's algorithm attributes; other ones than before destroy the key.
    pub(super) fn set_attributes(&mut self, role: Role, value: &[u8]) -> Result<(), Status> {
        let mut known = Algorithm::ALL.into_iter();
        let algorithm = known.find(|a| a.attributes(role) == value);
        let algorithm = algorithm.ok_or(Status::WRONG_DATA)?;
        let slot = self.slot_mut(role);
        if slot.algorithm != algorithm {
            *slot = Slot {
                algorithm,
                key: None,
            };
        }
        Ok(())
    }

    /// Returns the key information (*§4.4.3.8*): number; none 00, generated 01, imported 02.
    pub(super) fn key_information(&self) -> Vec<u8> {
        let of = |role, number| {
            let key = self.slot(role).key.as_ref();
            [number, key.map_or(0, |key| 1 + u8::from(key.imported))]
        };
        [
            of(Role::Sign, 1),
            of(Role::Decipher, 2),
            of(Role::Authenticate, 3),
        ]
        .concat()
    }

    /// Puts a key pair into its place. A new signature key has signed nothing.
    fn place(&mut self, role: Role, key: KeyPair, work: &mut Work) {
        work.written += key.size();
        self.slot_mut(role).key = Some(key);
        if role == Role::Sign {
            self.signatures = 0;
        }
    }
}

/// Cuts the concatenated key data 5F48 as the template 7F48 says: tags and lengths without
/// values.
fn parts<'a>(mut template: &[u8], mut data: &'a [u8]) -> Option<Vec<(u8, &'a [u8])>> {
    let mut parts = Vec::new();
    while let [tag, rest @ ..] = template {
        let (length, rest) = match rest {
            [length @ 0x00..=0x7F, rest @ ..] => (usize::from(*length), rest),
            [0x81, length, rest @ ..] => (usize::from(*length), rest),
            [0x82, high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]).into(), rest),
            _ => return None,
        };
        let (part, left) = data.split_at_checked(length)?;
        parts.push((*tag, part));
        (template, data) = (rest, left);
    }
    data.is_empty().then_some(parts)
}

impl OpenPgp {
    /// `00 47 <80 | 81> 00  <B6 | B8 | A4> 00  00`: makes a key pair, with PW3 verified, or
    /// reads the public key.
    pub(super) fn key_pair(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let makes = match (command.p1(), command.p2()) {
            (0x80, 0x00) => true,
            (0x81, 0x00) => false,
            _ => return Err(Status::WRONG_PARAMETERS),
        };
        if makes {
            self.admin()?;
        }
        let role = Role::parse(command.data())?;
        if makes {
            let algorithm = self.memory.slot(role).algorithm;
            let key = KeyPair::generate(algorithm).map_err(broken)?;
            work.key = Some(algorithm.work());
            self.memory.place(role, key, work);
        }
        Ok(self.memory.key(role)?.public()?.into())
    }

    /// `00 DB 3F FF  4D { <B6 | B8 | A4> 00, 7F48 { … }, 5F48 … }`, with PW3 verified.
    pub(super) fn import(&mut self, command: &Command, work: &mut Work) -> Outcome {
        super::parameters(command, 0x3F, 0xFF)?;
        self.admin()?;
        let list = Objects::single(command.data(), 0x4D)?;
        let list = Objects::parse(list, &[0xB6, 0xB8, 0xA4, 0x7F48, 0x5F48])?;
        let mut roles = [
            (0xB6, Role::Sign),
            (0xB8, Role::Decipher),
            (0xA4, Role::Authenticate),
        ]
        .into_iter()
        .filter(|(tag, _)| list.get(*tag).is_some());
        let (Some((tag, role)), None) = (roles.next(), roles.next()) else {
            return Err(Status::WRONG_DATA);
        };
        let reference = u8::try_from(tag).unwrap_or_default();
        let template = list.need(tag)?;
        let length = u8::try_from(template.len()).unwrap_or(u8::MAX);
        Role::parse(&[&[reference, length], template].concat())?;
        let parts = parts(list.need(0x7F48)?, list.need(0x5F48)?).ok_or(Status::WRONG_DATA)?;
        let key = KeyPair::from_parts(self.memory.slot(role).algorithm, &parts)?;
        self.memory.place(role, key, work);
        Ok(Answer::done())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_data_is_cut_as_its_template_says() {
        let cut = |template: &[u8]| parts(template, &[1, 2, 3]);
        assert_eq!(
            cut(&[0x91, 0x01, 0x92, 0x81, 0x02]),
            Some(vec![(0x91, &[1][..]), (0x92, &[2, 3])])
        );
        assert_eq!(cut(&[0x91, 0x82, 0x00, 0x03]).unwrap()[0].1, [1, 2, 3]);
        for wrong in [&[0x91, 0x02][..], &[0x91, 0x04], &[0x91], &[0x91, 0x83]] {
            assert_eq!(cut(wrong), None, "{wrong:02X?}");
        }
    }
}
