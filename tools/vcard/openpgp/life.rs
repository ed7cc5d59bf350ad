//! What outlasts the power, what a blank holds of it, and the way back to a blank: TERMINATE
//! DF and ACTIVATE FILE (*§7.2.16, §7.2.17*).

use std::collections::BTreeMap;

use card::{Command, Status};
use serde::{Deserialize, Serialize};

use super::keys::Slot;
use super::passwords::{Kind, Password};
use super::{AID, OpenPgp, Outcome, Session, allowed, parameters};
use crate::applet::{Answer, Entropy, Work};
use crate::command::no_data;
use crate::secret::{Secret, hexadecimal};

/// Version 3.4, and a manufacturer of the range whose serials are random (*§4.2.1*).
const VERSION_AND_MANUFACTURER: [u8; 4] = [0x03, 0x04, 0xFF, 0xFE];

/// Everything that outlasts the power.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(with = "hexadecimal")]
    pub(super) serial: [u8; 4],
    pub(super) terminated: bool,
    pub(super) pw1: Password,
    pub(super) pw3: Password,
    pub(super) resetting_code: Option<Password>,
    /// PW1 is good for several signatures (first byte of C4).
    pub(super) several: bool,
    /// Digital signature counter.
    pub(super) signatures: u32,
    /// Signature, decryption, authentication.
    pub(super) slots: [Slot; 3],
    /// Cardholder certificates in the order of their occurrences: authentication,
    /// decryption, signature.
    pub(super) certificates: [Secret; 3],
    /// Other contents by tag: personal data, hence not shown.
    pub(super) objects: BTreeMap<u16, Secret>,
}

impl Memory {
    /// Returns a blank's.
    pub(super) fn blank(entropy: &mut Entropy) -> Result<Self, Status> {
        let mut serial = [0; 4];
        entropy.draw(&mut serial)?;
        Ok(Self::with_serial(serial))
    }

    /// Returns a blank's with the serial that the card keeps for its life.
    fn with_serial(serial: [u8; 4]) -> Self {
        let objects = [(0x5F2D, Secret::new(*b"en")), (0x5F35, Secret::new(*b"9"))];
        Self {
            serial,
            terminated: false,
            pw1: Password::new(*b"123456", Kind::Pw1),
            pw3: Password::new(*b"12345678", Kind::Pw3),
            resetting_code: None,
            several: false,
            signatures: 0,
            slots: Default::default(),
            certificates: [(); 3].map(|()| Secret::new([])),
            objects: objects.into(),
        }
    }

    /// Returns the application's whole name, 16 bytes.
    pub(super) fn name(&self) -> Vec<u8> {
        [AID, &VERSION_AND_MANUFACTURER, &self.serial, &[0, 0]].concat()
    }
}

impl OpenPgp {
    /// `00 E6 00 00`: with PW3 verified, or where PW1 and PW3 are both blocked.
    pub(super) fn terminate(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        no_data(command)?;
        let lost = self.memory.pw1.left() == 0 && self.memory.pw3.left() == 0;
        allowed(self.session.admin || lost)?;
        self.memory.terminated = true;
        self.session = Session::default();
        work.written += 1;
        Ok(Answer::done())
    }

    /// `00 44 00 00`: makes a blank of a terminated application; nothing else happens.
    pub(super) fn activate(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0x00, 0x00)?;
        no_data(command)?;
        if self.memory.terminated {
            self.memory = Memory::with_serial(self.memory.serial);
            self.session = Session::default();
            work.written += 64;
        }
        Ok(Answer::done())
    }
}
