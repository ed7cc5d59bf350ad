//! The other end, for these tests: sends commands, plain or through the secure channel.

use card::Command;

use crate::aes;
use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::product::Product;
use crate::scp::Scp;
use crate::store::Memory;
use crate::transport::TransportMasterKey;
use crate::vectors::unhex;

/// The maker's master key in these tests.
pub(crate) const MASTER: [u8; 16] = *b"maker's test key";

/// Three static keys: ENC, MAC, DEK.
pub(crate) type Keys = [[u8; 16]; 3];

/// The issuer's keys in these tests.
pub(crate) const ISSUER: Keys = [
    *b"issuer's ENC key",
    *b"issuer's MAC key",
    *b"issuer's DEK key",
];

struct Session {
    enc: [u8; 16],
    mac: [u8; 16],
    rmac: [u8; 16],
    chaining: [u8; 16],
    counter: u128,
    level: u8,
}

/// A chip and what its host knows of it.
pub(crate) struct Host {
    pub(crate) chip: Chip,
    session: Option<Session>,
}

/// An answer: data and status word.
pub(crate) type Answer = (Vec<u8>, u16);

impl Host {
    /// Takes a fresh blank.
    pub(crate) fn blank() -> Self {
        Self::blank_of("lateid-v2")
    }

    /// Takes a fresh blank of a product, of a batch that speaks what this host speaks.
    pub(crate) fn blank_of(product: &str) -> Self {
        let product = Product::find(product).unwrap();
        let number = ChipNumber::new([0x12, 0x34], [0x01, 0x02, 0x03, 0x04]);
        let keys = TransportMasterKey::new(MASTER);
        let scp = Scp::SCP03_I70;
        Self::of(Chip::blank_speaking(scp, product, number, &keys, Memory).unwrap())
    }

    /// Takes a chip.
    pub(crate) fn of(chip: Chip) -> Self {
        Self {
            chip,
            session: None,
        }
    }

    /// Sends a command in clear and checks its status word.
    #[track_caller]
    pub(crate) fn expect(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let (data, got) = self.send(&unhex(hex));
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"), "{hex}");
        data
    }

    /// Sends a command through the session and checks its status word.
    #[track_caller]
    pub(crate) fn secure(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let (data, got) = self.wrapped(&unhex(hex));
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"), "{hex}");
        data
    }

    /// Sends a command in clear, gathering 61xx.
    pub(crate) fn send(&mut self, command: &[u8]) -> Answer {
        let mut gathered = Vec::new();
        let mut next = command.to_vec();
        loop {
            let mut answer = self.chip.process(&next);
            let word: [u8; 2] = answer.split_off(answer.len() - 2).try_into().unwrap();
            gathered.extend(answer);
            match word {
                [0x61, more] => next = vec![0x00, 0xC0, 0x00, 0x00, more],
                word => return (gathered, u16::from_be_bytes(word)),
            }
        }
    }

    /// Selects by AID.
    pub(crate) fn select(&mut self, aid: &[u8]) -> Answer {
        self.session = None;
        let command = Command::new(0x00, 0xA4, 0x04, 0x0C).with_data(aid);
        self.send(&command.encode().unwrap())
    }

    /// Selects the issuer security domain.
    pub(crate) fn isd(&mut self) -> &mut Self {
        assert_eq!(self.select(&unhex("A000000151000000")).1, 0x9000);
        self
    }

    /// Selects the eID application.
    pub(crate) fn eid(&mut self) -> &mut Self {
        assert_eq!(
            self.select(&unhex("A000000077010800070000FE00000100")).1,
            0x9000
        );
        self
    }

    /// Returns the transport keys of this chip.
    pub(crate) fn transport(&self) -> Keys {
        let serial = self.chip.serial();
        [1, 2, 3].map(|number| {
            let label = [1, 0, 0, 0, number, 0];
            aes::cmac(&MASTER, &[&label, serial.as_bytes()]).unwrap()
        })
    }

    /// Opens a session with the transport keys.
    pub(crate) fn open_transport(&mut self, level: u8) {
        let keys = self.transport();
        self.open(0xFF, &keys, level);
    }

    /// Opens a session.
    pub(crate) fn open(&mut self, version: u8, keys: &Keys, level: u8) {
        assert_eq!(self.try_open(version, keys, level), 0x9000);
    }

    /// Tries to open a session; returns the status word of the last command.
    pub(crate) fn try_open(&mut self, version: u8, keys: &Keys, level: u8) -> u16 {
        self.session = None;
        let host = *b"\x11\x22\x33\x44\x55\x66\x77\x88";
        let update = Command::new(0x80, 0x50, version, 0x00)
            .with_data(host)
            .with_le(256);
        let (answer, status) = self.send(&update.encode().unwrap());
        if status != 0x9000 {
            return status;
        }
        assert_eq!(answer.len(), 32);
        let context = [&host[..], &answer[13..21]].concat();
        let derive = |key: &[u8; 16], constant, bits: u8| {
            let label = [&[0; 11][..], &[constant, 0, 0, bits, 1]].concat();
            aes::cmac(key, &[&label, &context]).unwrap()
        };
        let mut session = Session {
            enc: derive(&keys[0], 4, 128),
            mac: derive(&keys[1], 6, 128),
            rmac: derive(&keys[1], 7, 128),
            chaining: [0; 16],
            counter: 0,
            level,
        };
        let cryptogram = derive(&session.mac, 1, 64);
        let authenticate = Command::new(0x84, 0x82, level, 0x00);
        let authenticate = session.mac(authenticate, &cryptogram[..8]);
        let (_, status) = self.send(&authenticate.encode().unwrap());
        if status == 0x9000 {
            let card = derive(&session.mac, 0, 64);
            assert_eq!(answer[21..29], card[..8], "card cryptogram");
            self.session = Some(session);
        }
        status
    }

    /// Returns the wrapped form of a command, as the open session would send it next.
    pub(crate) fn wrap(&mut self, plain: &[u8]) -> Command {
        let session = self.session.as_mut().expect("a session");
        let plain = Command::parse(plain).unwrap();
        session.counter += 1;
        let mut data = plain.data().to_vec();
        if session.level & 2 != 0 && !data.is_empty() {
            data.push(0x80);
            data.resize(data.len().next_multiple_of(16), 0);
            let counter = session.counter.to_be_bytes();
            let iv = aes::encrypt_block(&session.enc, &counter).unwrap();
            data = aes::cbc_encrypt(&session.enc, &iv, &data).unwrap();
        }
        let header = Command::from_header(plain.header()).with_cla(plain.cla() | 4);
        let header = plain.le().map_or(header.clone(), |le| header.with_le(le));
        session.mac(header, &data)
    }

    fn wrapped(&mut self, plain: &[u8]) -> Answer {
        let command = self.wrap(plain);
        let (mut data, status) = self.send(&command.encode().unwrap());
        let session = self.session.as_ref().expect("a session");
        let protected = session.level & 0x10 != 0 && matches!(status >> 8, 0x90 | 0x62 | 0x63);
        if protected {
            let mac = data.split_off(data.len() - 8);
            let word = status.to_be_bytes();
            let parts = [&session.chaining[..], &data, &word];
            assert_eq!(mac, aes::cmac(&session.rmac, &parts).unwrap()[..8], "R-MAC");
            if session.level & 0x20 != 0 && !data.is_empty() {
                let counter = (session.counter | 1 << 127).to_be_bytes();
                let iv = aes::encrypt_block(&session.enc, &counter).unwrap();
                data = aes::cbc_decrypt(&session.enc, &iv, &data).unwrap();
                let end = data.iter().rposition(|byte| *byte == 0x80).unwrap();
                data.truncate(end);
            }
        }
        (data, status)
    }

    /// PUT KEY of these keys in a plain command, encrypted under that DEK.
    pub(crate) fn put_key(dek: &[u8; 16], replaced: u8, version: u8, keys: &Keys) -> String {
        let blocks = keys.map(|key| {
            let sealed = aes::cbc_encrypt(dek, &[0; 16], &key).unwrap();
            let value = aes::check_value(&key).unwrap();
            format!("881110{}03{}", hex::encode(sealed), hex::encode(value))
        });
        format!("80D8{replaced:02X}8146{version:02X}{}00", blocks.concat())
    }
}

impl Session {
    fn mac(&mut self, header: Command, body: &[u8]) -> Command {
        let length = body.len() + 8;
        let lc = match u8::try_from(length) {
            Ok(short) if header.le().is_none_or(|le| le <= 256) => vec![short],
            _ => [&[0][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        let parts = [&self.chaining[..], &header.header(), &lc, body];
        self.chaining = aes::cmac(&self.mac, &parts).unwrap();
        header.with_data([body, &self.chaining[..8]].concat())
    }
}

/// One data object in hexadecimal.
pub(crate) fn tlv(tag: &str, value: &str) -> String {
    let length = value.len() / 2;
    if length < 128 {
        format!("{tag}{length:02X}{value}")
    } else {
        format!("{tag}81{length:02X}{value}")
    }
}

/// One short command in hexadecimal.
pub(crate) fn command(header: &str, data: &str) -> String {
    format!("{header}{:02X}{data}", data.len() / 2)
}

/// A PIN field: digits padded with FF to 12 bytes.
pub(crate) fn field(digits: &str) -> String {
    format!("{:F<24}", hex::encode_upper(digits))
}
