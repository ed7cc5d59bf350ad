//! What outlasts the power, what a blank holds of it, and RESET.

use std::collections::BTreeMap;

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::management::ManagementKey;
use super::references::Reference;
use super::slots::{self, Slot};
use super::{Outcome, Piv, Session};
use crate::applet::{Answer, Entropy, Work};
use crate::command::{no_data, parameters};
use crate::objects::object;
use crate::secret::{Secret, hexadecimal};

/// PIN of a blank.
pub(super) const PIN: [u8; 8] = *b"123456\xFF\xFF";
/// PUK of a blank.
pub(super) const PUK: [u8; 8] = *b"12345678";
/// Tries of a blank's PIN.
const PIN_TRIES: u8 = 5;
/// Tries of a blank's PUK.
const PUK_TRIES: u8 = 3;

/// Everything that outlasts the power.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) pin: Reference,
    pub(super) puk: Reference,
    pub(super) management: ManagementKey,
    #[serde(with = "hexadecimal")]
    pub(super) serial: [u8; 4],
    /// By key reference; a slot is there whether it has a key or not.
    pub(super) slots: BTreeMap<u8, Slot>,
    /// Contents by tag, without their `53`: personal data, hence not shown.
    pub(super) objects: BTreeMap<u32, Secret>,
}

impl Memory {
    /// Returns a blank's.
    pub(super) fn blank(entropy: &mut Entropy) -> Result<Self, Status> {
        let mut serial = [0; 4];
        entropy.draw(&mut serial)?;
        // PivApplet's serials stay clear of those that a YubiKey has.
        serial[0] |= 0x80;
        Self::with_serial(serial, entropy)
    }

    /// Returns a blank's with the serial that the card keeps for its life.
    fn with_serial(serial: [u8; 4], entropy: &mut Entropy) -> Result<Self, Status> {
        let mut guid = [0; 16];
        entropy.draw(&mut guid)?;
        let mut identifier = [0; 14];
        entropy.draw(&mut identifier)?;
        let objects = [
            (0x5F_C102, holder_identifier(&guid)),
            (0x5F_C107, capabilities(&identifier)),
            (0x5F_C10C, key_history()),
        ];
        let objects = objects.map(|(tag, content)| (tag, Secret::new(content)));
        Ok(Self {
            pin: Reference::new(PIN, PIN_TRIES),
            puk: Reference::new(PUK, PUK_TRIES),
            management: ManagementKey::default(),
            serial,
            slots: slots::empty(),
            objects: objects.into(),
        })
    }
}

/// CHUID: FASC-N of zeroes, GUID, expiry 2050-01-01, no signature.
fn holder_identifier(guid: &[u8; 16]) -> Vec<u8> {
    [
        object::<0x30>(&[0; 25]),
        object::<0x34>(guid),
        object::<0x35>(b"20500101"),
        object::<0x3E>(&[]),
        object::<0xFE>(&[]),
    ]
    .concat()
}

/// Card capability container: a card identifier of GSC-IS, Java Card, and empty fields.
fn capabilities(identifier: &[u8; 14]) -> Vec<u8> {
    let fixed = [0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02];
    [
        object::<0xF0>(&[&fixed[..], identifier].concat()),
        object::<0xF1>(&[0x21]),
        object::<0xF2>(&[0x21]),
        object::<0xF3>(&[]),
        object::<0xF4>(&[]),
        object::<0xF5>(&[0x10]),
        object::<0xF6>(&[]),
        object::<0xF7>(&[]),
        object::<0xFA>(&[]),
        object::<0xFB>(&[]),
        object::<0xFC>(&[]),
        object::<0xFD>(&[]),
        object::<0xFE>(&[]),
    ]
    .concat()
}

/// Key history: no retired keys on the card, none off it.
fn key_history() -> Vec<u8> {
    [
        object::<0xC1>(&[0x00]),
        object::<0xC2>(&[0x00]),
        object::<0xFE>(&[]),
    ]
    .concat()
}

impl Piv {
    /// `00 FB 00 00`: a blank again, but for the serial. Only where PIN and PUK are blocked.
    pub(super) fn reset_application(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        no_data(command)?;
        if self.memory.pin.left() > 0 || self.memory.puk.left() > 0 {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        self.memory = Memory::with_serial(self.memory.serial, entropy)?;
        self.session = Session::default();
        let contents = self.memory.objects.values();
        work.written += contents.map(|content| content.bytes().len()).sum::<usize>();
        Ok(Answer::done())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_holds_what_was_recorded() {
        let guid = hex::decode("e75b938e7d2166fa55f6292c48422995").unwrap();
        let recorded = "301900000000000000000000000000000000000000000000000000\
                        3410e75b938e7d2166fa55f6292c48422995\
                        350832303530303130313e00fe00";
        let content = holder_identifier(&guid.try_into().unwrap());
        assert_eq!(hex::encode(content), recorded);
        assert_eq!(hex::encode(key_history()), "c10100c20100fe00");
        assert_eq!(capabilities(&[7; 14]).len(), 23 + 3 + 3 + 3 + 9 * 2);
    }
}
