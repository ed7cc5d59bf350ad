//! Where key pairs are: GENERATE ASYMMETRIC KEY PAIR (*SP 800-73-4 Part 2 §3.3.2*), and
//! PivApplet's IMPORT ASYMMETRIC KEY.

use std::collections::BTreeMap;

use card::tlv::Tlv;
use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::factory::Memory;
use super::key_pair::{Algorithm, KeyPair};
use super::{Outcome, Piv, objects, single};
use crate::applet::{Answer, Work};
use crate::objects::object;

/// When a key wants the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PinPolicy {
    Never,
    /// Verified at some time in this session.
    Once,
    /// Verified by the command just before.
    Always,
}

impl PinPolicy {
    /// Returns the policy that the standard gives a slot (*Part 1 §5.1*).
    fn of(reference: u8) -> Self {
        match reference {
            0x9E => Self::Never,
            0x9C => Self::Always,
            _ => Self::Once,
        }
    }

    /// Reads the value of object `AA`; `00` means the slot's own.
    fn from_number(number: u8, reference: u8) -> Option<Self> {
        match number {
            0x00 => Some(Self::of(reference)),
            0x01 => Some(Self::Never),
            0x02 => Some(Self::Once),
            0x03 => Some(Self::Always),
            _ => None,
        }
    }

    /// Returns the value as in object `AA`.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Never => 0x01,
            Self::Once => 0x02,
            Self::Always => 0x03,
        }
    }
}

/// A place for one key pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    pub(super) policy: PinPolicy,
    pub(super) key: Option<KeyPair>,
}

/// Returns the slots of a blank: 9A, 9C, 9D, 9E, and 82 to 8C for retired keys.
pub(super) fn empty() -> BTreeMap<u8, Slot> {
    let references = [0x9A, 0x9C, 0x9D, 0x9E].into_iter().chain(0x82..=0x8C);
    let slot = |reference| {
        let policy = PinPolicy::of(reference);
        (reference, Slot { policy, key: None })
    };
    references.map(slot).collect()
}

impl Memory {
    /// Finds a slot; another reference is a wrong P2.
    pub(super) fn slot(&self, reference: u8) -> Result<&Slot, Status> {
        self.slots.get(&reference).ok_or(Status::WRONG_P1_P2)
    }

    fn slot_mut(&mut self, reference: u8) -> Result<&mut Slot, Status> {
        self.slots.get_mut(&reference).ok_or(Status::WRONG_P1_P2)
    }
}

/// Returns the value of a one-byte object.
fn byte(object: &Tlv<'_>) -> Result<u8, Status> {
    match *object.value {
        [byte] => Ok(byte),
        _ => Err(Status::WRONG_DATA),
    }
}

/// Reads PIN policy `AA` and touch policy `AB`. The card has nothing to touch: only "never"
/// and "default" will do.
fn policy(object: &Tlv<'_>, reference: u8) -> Result<Option<PinPolicy>, Status> {
    let value = byte(object)?;
    if object.tag.value() == 0xAB {
        return match value {
            0x00 | 0x01 => Ok(None),
            _ => Err(Status::FUNCTION_NOT_SUPPORTED),
        };
    }
    let policy = PinPolicy::from_number(value, reference);
    policy.map(Some).ok_or(Status::FUNCTION_NOT_SUPPORTED)
}

impl Piv {
    /// `00 47 00 <slot>  AC { 80 <algorithm>, AA <PIN policy>, AB <touch policy> }  00` →
    /// `7F49 { 86 <point> }` or `7F49 { 81 <modulus>, 82 <exponent> }`.
    pub(super) fn generate(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if command.p1() != 0x00 {
            return Err(Status::WRONG_P1_P2);
        }
        let reference = command.p2();
        self.memory.slot(reference)?;
        self.managed()?;
        let mut algorithm = None;
        let mut new_policy = None;
        for object in objects(single(command.data(), 0xAC)?)? {
            match object.tag.value() {
                0x80 if algorithm.is_none() => {
                    let number = byte(&object)?;
                    algorithm = Some(Algorithm::from_number(number).ok_or(Status::WRONG_DATA)?);
                }
                // The exponent that is wanted; the card has its own.
                0x81 => {}
                0xAA | 0xAB => new_policy = policy(&object, reference)?.or(new_policy),
                _ => return Err(Status::WRONG_DATA),
            }
        }
        let algorithm = algorithm.ok_or(Status::WRONG_DATA)?;
        let pair = KeyPair::generate(algorithm)?;
        let public = object::<0x7F49>(&pair.public()?);
        work.key = Some(algorithm.work());
        self.place(reference, pair, new_policy, work)?;
        Ok(public.into())
    }

    /// `00 FE <algorithm> <slot>` with `06` scalar, or `01` p, `02` q, `03` dp, `04` dq, `05`
    /// inverse of q; and `AA`, `AB` as for a generated key.
    pub(super) fn import(&mut self, command: &Command, work: &mut Work) -> Outcome {
        self.managed()?;
        let reference = command.p2();
        self.memory.slot(reference)?;
        let algorithm = Algorithm::from_number(command.p1()).ok_or(Status::WRONG_P1_P2)?;
        let mut parts = BTreeMap::new();
        let mut new_policy = None;
        for object in objects(command.data())? {
            match object.tag.value() {
                tag @ 0x01..=0x06 => {
                    if parts.insert(tag, object.value).is_some() {
                        return Err(Status::WRONG_DATA);
                    }
                }
                0xAA | 0xAB => new_policy = policy(&object, reference)?.or(new_policy),
                _ => return Err(Status::WRONG_DATA),
            }
        }
        let parts: Vec<_> = parts.into_iter().collect();
        let pair = match (algorithm, parts.as_slice()) {
            (Algorithm::P256 | Algorithm::P384, &[(0x06, scalar)]) => {
                KeyPair::from_scalar(algorithm, scalar)?
            }
            (
                Algorithm::Rsa2048,
                &[
                    (0x01, p),
                    (0x02, q),
                    (0x03, dp),
                    (0x04, dq),
                    (0x05, inverse),
                ],
            ) => KeyPair::from_factors([p, q, dp, dq, inverse])?,
            _ => return Err(Status::WRONG_DATA),
        };
        self.place(reference, pair, new_policy, work)?;
        Ok(Answer::done())
    }

    /// Puts a key pair into its slot. The slot's policy stays where the command names none.
    fn place(
        &mut self,
        reference: u8,
        pair: KeyPair,
        new_policy: Option<PinPolicy>,
        work: &mut Work,
    ) -> Result<(), Status> {
        let slot = self.memory.slot_mut(reference)?;
        work.written += pair.size();
        slot.key = Some(pair);
        slot.policy = new_policy.unwrap_or(slot.policy);
        Ok(())
    }
}
