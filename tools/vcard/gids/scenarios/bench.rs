//! A terminal at the application, without a chip around it.

use card::{Command, Status};
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::symm::{Cipher, Crypter, Mode};

use crate::applet::{Applet, Entropy, KeyWork, Work};
use crate::gids::{AID, start};
use crate::vectors::unhex;

pub(super) const ADMIN: &str = "a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8";
pub(super) const VERIFY: &str = "0020008004 31323334";
pub(super) const ASK: &str = "00200080";
pub(super) const FORGET: &str = "00200082";
pub(super) const ACTIVATE: &str = "00440000";
pub(super) const APPLICATION: &str = "00A4000C02 3FFF";
pub(super) const CHOOSE_ADMIN: &str = "0022C1A403 830180";
pub(super) const KEY_81: &str = "00E0000049 6247 820118 8302B081 8C058F10101000 A537 \
                      B809800107830181950140 B809800187830181950140 B809800147830181950140 \
                      B609800117830181950140 B609800157830181950140";
pub(super) const GENERATE_81: &str = "0047000008 AC06 800107 830181 00";
pub(super) const READ_81: &str = "00CB3FFF0A 7008 840181 A5037F4980 00";

/// The application and who talks to it.
pub(super) struct Bench {
    pub(super) applet: Box<dyn Applet + Send>,
    pub(super) entropy: Entropy,
    /// What the last command cost.
    pub(super) work: Work,
}

impl Bench {
    /// Takes one as installed, and selects it.
    pub(super) fn blank() -> Self {
        Self::at(start(None).unwrap())
    }

    /// Takes one with PIN 1234, the files of a Windows card and the administrator's key,
    /// activated.
    pub(super) fn new() -> Self {
        let mut bench = Self::blank();
        bench.ok("0024018004 31323334");
        for (file, rules) in [
            ("A000", "033000"),
            ("A010", "033000"),
            ("A011", "0330FF"),
            ("A012", "032000"),
            ("A013", "033030"),
            ("A014", "032020"),
        ] {
            bench.ok(&format!("00E000000E 620C 820139 8302{file} 8C03{rules}"));
            bench.ok(ACTIVATE);
        }
        bench.ok("00E000001C 621A 820118 8302B080 8C04870020FF A50B A4098001028301809501C0");
        bench.ok(ACTIVATE);
        let key = format!("00DB3FFF26 7024 840180 A51F 8718{ADMIN} 8803B073DC");
        bench.ok(&key);
        bench.ok(APPLICATION);
        bench.ok(ACTIVATE);
        bench
    }

    /// The same, with an RSA key at 81, and the PIN verified.
    pub(super) fn with_key() -> (Self, PKey<Public>) {
        let mut bench = Self::new();
        bench.ok(VERIFY);
        bench.ok(KEY_81);
        bench.ok(ACTIVATE);
        let public = public(&bench.ok(GENERATE_81));
        assert_eq!(bench.work.key, Some(KeyWork::Rsa(2048)));
        (bench, public)
    }

    pub(super) fn at(applet: Box<dyn Applet + Send>) -> Self {
        let mut bench = Self {
            applet,
            entropy: Entropy::default(),
            work: Work::default(),
        };
        bench.select();
        bench
    }

    pub(super) fn select(&mut self) {
        let select = Command::new(0x00, 0xA4, 0x04, 0x00).with_data(AID);
        let answer = self.applet.select(&select).unwrap();
        assert_eq!(answer.status, Status::OK);
    }

    /// Cuts the power and lets the application wake from its memory.
    pub(super) fn woken(&self) -> Self {
        Self::at(start(Some(self.memory())).unwrap())
    }

    pub(super) fn memory(&self) -> serde_json::Value {
        self.applet.memory().unwrap()
    }

    pub(super) fn transmit(&mut self, command: &Command) -> (Vec<u8>, Status) {
        self.work = Work::default();
        let Self {
            applet,
            entropy,
            work,
        } = self;
        match applet.process(command, entropy, work) {
            Ok(answer) => (answer.data, answer.status),
            Err(status) => (Vec::new(), status),
        }
    }

    pub(super) fn send(&mut self, text: &str) -> (Vec<u8>, u16) {
        let (data, status) = self.transmit(&Command::parse(&unhex(text)).expect(text));
        (data, status.value())
    }

    pub(super) fn ok(&mut self, text: &str) -> Vec<u8> {
        let (data, status) = self.send(text);
        assert_eq!(format!("{status:04X}"), "9000", "{text}");
        data
    }

    /// Sends a command that must be refused so, and must not change the memory.
    pub(super) fn refused(&mut self, text: &str, status: u16) {
        let before = self.memory();
        let (data, given) = self.send(text);
        assert_eq!(format!("{given:04X}"), format!("{status:04X}"), "{text}");
        assert!(data.is_empty() && self.memory() == before, "{text}");
    }

    /// Sends a command whose data field has any length, and wants an answer.
    pub(super) fn whole(&mut self, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
        let command = Command::from_header(header).with_data(data).with_le(256);
        let (data, status) = self.transmit(&command);
        (data, status.value())
    }

    /// Authenticates the administrator one way.
    pub(super) fn authenticate(&mut self, key: &str) -> u16 {
        self.ok(CHOOSE_ADMIN);
        let drawn = self.ok("0087000004 7C02 8100 00");
        assert_eq!(drawn[..4], [0x7C, 0x0A, 0x81, 0x08]);
        let response = cbc(Mode::Encrypt, key, &drawn[4..]);
        let data = [&[0x7C, 0x0A, 0x82, 0x08][..], &response].concat();
        self.whole([0x00, 0x87, 0x00, 0x00], &data).1
    }
}

pub(super) fn cbc(mode: Mode, key: &str, blocks: &[u8]) -> Vec<u8> {
    let cipher = Cipher::des_ede3_cbc();
    let mut crypter = Crypter::new(cipher, mode, &unhex(key), Some(&[0; 8])).unwrap();
    crypter.pad(false);
    let mut out = vec![0; blocks.len() + 8];
    let length = crypter.update(blocks, &mut out).unwrap();
    out.truncate(length);
    out
}

/// Reads `7F49 { 81 <modulus>, 82 <exponent> }`.
pub(super) fn public(answer: &[u8]) -> PKey<Public> {
    assert_eq!(answer[..9], unhex("7F49820109 81820100"));
    let (modulus, exponent) = answer[9..].split_at(256);
    assert_eq!(exponent, unhex("8203010001"));
    let number = |bytes| openssl::bn::BigNum::from_slice(bytes).unwrap();
    let key = Rsa::from_public_components(number(modulus), number(&exponent[2..]));
    PKey::from_rsa(key.unwrap()).unwrap()
}
