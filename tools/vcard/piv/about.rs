//! What the card says of itself: GET VERSION, GET SERIAL, GET METADATA. YubiKey commands that
//! PivApplet answers, so that yubico-piv-tool knows what it talks to.

use crate::command::{no_data, parameters};
use crate::objects::object;
use card::{Command, Status};

use super::references::Reference;
use super::slots::Slot;
use super::{Outcome, Piv, factory};

/// The YubiKey firmware whose commands PivApplet 0.9 has.
const VERSION: [u8; 3] = [0x05, 0x04, 0x00];

impl Piv {
    /// `00 FD 00 00 03`.
    pub(super) fn get_version(&self, command: &Command) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        no_data(command)?;
        Ok(VERSION.to_vec().into())
    }

    /// `00 F8 00 00 04`.
    pub(super) fn get_serial(&self, command: &Command) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        no_data(command)?;
        Ok(self.memory.serial.to_vec().into())
    }

    /// `00 F7 00 <reference> 00`.
    pub(super) fn get_metadata(&self, command: &Command) -> Outcome {
        if command.p1() != 0x00 {
            return Err(Status::WRONG_P1_P2);
        }
        no_data(command)?;
        let memory = &self.memory;
        match command.p2() {
            0x80 => Ok(reference_metadata(&memory.pin, &factory::PIN).into()),
            0x81 => Ok(reference_metadata(&memory.puk, &factory::PUK).into()),
            0x9B => {
                let key = &memory.management;
                let content = [
                    object::<0x01>(&[key.cipher().number()]),
                    object::<0x05>(&[u8::from(key.is_default())]),
                    // Used without PIN and without touch, not imported.
                    object::<0x02>(&[0x01, 0x01]),
                    object::<0x03>(&[0x00]),
                ];
                Ok(content.concat().into())
            }
            slot => slot_metadata(memory.slot(slot)?),
        }
    }
}

fn reference_metadata(reference: &Reference, default: &[u8]) -> Vec<u8> {
    let is_default = u8::from(reference.is(default));
    [
        object::<0x05>(&[is_default]),
        object::<0x06>(&[reference.most(), reference.left()]),
    ]
    .concat()
}

fn slot_metadata(slot: &Slot) -> Outcome {
    let key = slot.key.as_ref();
    let mut content = Vec::new();
    if let Some(key) = key {
        content.extend(object::<0x01>(&[key.algorithm().number()]));
    }
    content.extend(object::<0x02>(&[slot.policy.number(), 0x01]));
    let imported = key.is_some_and(|key| key.is_imported());
    content.extend(object::<0x03>(&[u8::from(imported)]));
    if let Some(key) = key {
        content.extend(object::<0x04>(&key.public()?));
    }
    Ok(content.into())
}
