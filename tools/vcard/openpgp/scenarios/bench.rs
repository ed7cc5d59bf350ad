//! A terminal at the application, without a chip around it.

use card::Command;

use crate::applet::{Applet, Entropy, Work};
use crate::openpgp::start;
use crate::vectors::unhex;

pub(super) const PW1_SIGN: &str = "0020008106 313233343536";
pub(super) const PW1_OTHER: &str = "0020008206 313233343536";
pub(super) const PW3: &str = "0020008308 3132333435363738";
pub(super) const WRONG_PW1: &str = "0020008106 393939393939";
pub(super) const WRONG_PW3: &str = "0020008308 3939393939393939";
pub(super) const P256: &str = "2A8648CE3D030107";
pub(super) const P384: &str = "2B81040022";
pub(super) const HASH: &str = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F";

/// The application and who talks to it.
pub(super) struct Bench {
    pub(super) applet: Box<dyn Applet + Send>,
    entropy: Entropy,
    pub(super) work: Work,
}

impl Bench {
    /// Takes a blank and selects it.
    pub(super) fn new() -> Self {
        Self::at(start(None).unwrap())
    }

    /// The same with PW3 verified.
    pub(super) fn admin() -> Self {
        let mut bench = Self::new();
        bench.ok(PW3);
        bench
    }

    pub(super) fn at(applet: Box<dyn Applet + Send>) -> Self {
        let (entropy, work) = (Entropy::default(), Work::default());
        let mut bench = Self {
            applet,
            entropy,
            work,
        };
        bench.select();
        bench
    }

    /// Selects the application, returns the status word.
    pub(super) fn select(&mut self) -> u16 {
        self.send("00A4040006 D27600012401").1
    }

    /// Cuts the power and lets the application wake from its memory.
    pub(super) fn woken(&self) -> Self {
        Self::at(start(Some(self.applet.memory().unwrap())).unwrap())
    }

    pub(super) fn transmit(&mut self, command: &Command) -> (Vec<u8>, u16) {
        self.work = Work::default();
        let selects = command.header()[..3] == [0x00, 0xA4, 0x04];
        let outcome = if selects && self.applet.is_named(command.data()) {
            self.applet.select(command)
        } else {
            self.applet
                .process(command, &mut self.entropy, &mut self.work)
        };
        match outcome {
            Ok(answer) => (answer.data, answer.status.value()),
            Err(status) => (Vec::new(), status.value()),
        }
    }

    /// Sends a command in hexadecimal, returns data and status word.
    pub(super) fn send(&mut self, text: &str) -> (Vec<u8>, u16) {
        self.transmit(&Command::parse(&unhex(text)).expect(text))
    }

    /// Sends a command with any length of data, returns data and status word.
    pub(super) fn whole(&mut self, header: &str, data: &[u8]) -> (Vec<u8>, u16) {
        let header = unhex(header).try_into().unwrap();
        self.transmit(&Command::from_header(header).with_data(data))
    }

    /// Sends a command that must succeed.
    pub(super) fn ok(&mut self, text: &str) -> Vec<u8> {
        let (data, status) = self.send(text);
        assert_eq!(format!("{status:04X}"), "9000", "{text}");
        data
    }

    /// Sends a command that must be refused so, and must not change the memory.
    pub(super) fn refused(&mut self, text: &str, status: u16) {
        let before = self.applet.memory().unwrap();
        let (data, given) = self.send(text);
        assert_eq!(format!("{given:04X}"), format!("{status:04X}"), "{text}");
        assert!(data.is_empty(), "{text}");
        assert_eq!(self.applet.memory().unwrap(), before, "{text}");
    }

    /// Returns the seven password status bytes.
    pub(super) fn status(&mut self) -> Vec<u8> {
        self.ok("00CA00C400")
    }
}
