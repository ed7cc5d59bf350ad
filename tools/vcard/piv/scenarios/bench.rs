//! A terminal at the application, without a chip around it.

use card::{Command, Response, Status};
use openssl::symm::{self, Crypter, Mode};

use crate::applet::{Applet, Entropy, Work};
use crate::piv::{AID, Piv, factory::Memory, start};
use crate::vectors::unhex;

/// The management key of a blank.
pub(crate) const DEFAULT_KEY: &str = "010203040506070801020304050607080102030405060708";
/// VERIFY with the PIN of a blank.
pub(crate) const VERIFY: &str = "0020008008 313233343536FFFF";

/// The application and who talks to it.
pub(crate) struct Bench {
    applet: Box<dyn Applet + Send>,
    entropy: Entropy,
    /// What the last command cost.
    pub(crate) work: Work,
}

impl Bench {
    /// Takes a blank and selects it.
    pub(crate) fn new() -> Self {
        Self::at(start(None).unwrap())
    }

    fn at(applet: Box<dyn Applet + Send>) -> Self {
        let mut bench = Self {
            applet,
            entropy: Entropy::default(),
            work: Work::default(),
        };
        bench.select();
        bench
    }

    /// Selects the application.
    pub(crate) fn select(&mut self) {
        let select = Command::new(0x00, 0xA4, 0x04, 0x00).with_data(AID);
        assert_eq!(self.transmit(&select).1, Status::OK);
    }

    /// Cuts the power and lets the application wake from its memory.
    pub(crate) fn woken(&self) -> Self {
        Self::at(start(Some(self.memory())).unwrap())
    }

    /// The same, with the PIN of a blank verified.
    pub(crate) fn woken_and_verified(&self) -> Self {
        let mut woken = self.woken();
        woken.ok(VERIFY);
        woken
    }

    /// Returns the persistent memory.
    pub(crate) fn memory(&self) -> serde_json::Value {
        self.applet.memory().unwrap()
    }

    pub(crate) fn foresee(&mut self, command: &Command, answer: &Response) {
        self.applet.foresee(command, answer, &mut self.entropy);
    }

    /// Sends a whole command.
    pub(crate) fn transmit(&mut self, command: &Command) -> (Vec<u8>, Status) {
        self.work = Work::default();
        let selects = command.header()[..3] == [0x00, 0xA4, 0x04];
        let outcome = if selects && self.applet.is_named(command.data()) {
            self.applet.select(command)
        } else {
            let Self {
                applet,
                entropy,
                work,
            } = self;
            applet.process(command, entropy, work)
        };
        match outcome {
            Ok(answer) => (answer.data, answer.status),
            Err(status) => (Vec::new(), status),
        }
    }

    /// Sends a command in hexadecimal, returns data and status word.
    pub(crate) fn send(&mut self, text: &str) -> (Vec<u8>, u16) {
        let (data, status) = self.transmit(&Command::parse(&unhex(text)).expect(text));
        (data, status.value())
    }

    /// Sends a command that must succeed.
    pub(crate) fn ok(&mut self, text: &str) -> Vec<u8> {
        let (data, status) = self.send(text);
        assert_eq!(status, 0x9000, "{text}");
        data
    }

    /// Sends a command that must be refused so, and must not change the memory.
    pub(crate) fn refused(&mut self, text: &str, status: u16) {
        let before = self.memory();
        let (data, given) = self.send(text);
        assert_eq!(
            format!("{given:04X}"),
            format!("{status:04X}"),
            "{text}: {data:02X?}"
        );
        assert!(data.is_empty() && self.memory() == before, "{text}");
    }

    /// Sends a command whose data field has any length.
    pub(crate) fn whole(&mut self, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
        let command = Command::from_header(header).with_data(data);
        let (data, status) = self.transmit(&command);
        (data, status.value())
    }

    /// Authenticates with the management key in the external way.
    pub(crate) fn authenticate(&mut self, algorithm: u8, key: &str) -> u16 {
        let drawn = self.ok(&format!("0087{algorithm:02X}9B04 7C02 8100 00"));
        let challenge = &drawn[4..];
        let response = [
            &[0x7C, drawn[1], 0x82, drawn[3]][..],
            &encrypt(algorithm, key, challenge),
        ];
        self.whole([0x00, 0x87, algorithm, 0x9B], &response.concat())
            .1
    }

    /// Authenticates as a blank's issuer.
    pub(crate) fn manage(&mut self) {
        assert_eq!(self.authenticate(0x03, DEFAULT_KEY), 0x9000);
    }
}

/// Encrypts blocks as the terminal does.
pub(crate) fn encrypt(algorithm: u8, key: &str, block: &[u8]) -> Vec<u8> {
    run(algorithm, Mode::Encrypt, key, block)
}

/// Decrypts blocks as the terminal does.
pub(crate) fn decrypt(algorithm: u8, key: &str, block: &[u8]) -> Vec<u8> {
    run(algorithm, Mode::Decrypt, key, block)
}

fn run(algorithm: u8, mode: Mode, key: &str, block: &[u8]) -> Vec<u8> {
    let cipher = match algorithm {
        0x08 => symm::Cipher::aes_128_ecb(),
        0x0A => symm::Cipher::aes_192_ecb(),
        0x0C => symm::Cipher::aes_256_ecb(),
        _ => symm::Cipher::des_ede3(),
    };
    let mut crypter = Crypter::new(cipher, mode, &unhex(key), None).unwrap();
    crypter.pad(false);
    let mut out = vec![0; block.len() + 16];
    let length = crypter.update(block, &mut out).unwrap();
    out.truncate(length);
    out
}

/// A blank's memory, for what no command can reach.
#[test]
fn a_memory_wakes_as_it_was() {
    let memory = Memory::blank(&mut Entropy::default()).unwrap();
    let piv = Piv::new(memory);
    let json = piv.memory().unwrap();
    let woken = start(Some(json.clone())).unwrap();
    assert_eq!(woken.memory().unwrap(), json);
    assert!(start(Some(serde_json::json!({}))).is_err());
    assert!(
        !format!("{:?}", piv.memory).contains("3132333435"),
        "no PIN shows"
    );
}
