//! Secure messaging with triple DES or AES (ICAO Doc 9303-11 §9.8): encrypt, then MAC, with a
//! send sequence counter on both sides.

use card::tlv::{self, Tag};
use card::{Command, Status};
use zeroize::Zeroizing;

use super::cipher::{Cipher, Keys, MAC as MAC_LENGTH};
use crate::applet::broken;

const CRYPTOGRAM: Tag = Tag::known::<0x85>();
const PADDED_CRYPTOGRAM: Tag = Tag::known::<0x87>();
const EXPECTED_LENGTH: Tag = Tag::known::<0x97>();
const STATUS: Tag = Tag::known::<0x99>();
const MAC: Tag = Tag::known::<0x8E>();

const INCORRECT: Status = Status::SECURE_MESSAGING_INCORRECT;

/// Keys and counter of an open session.
pub(crate) struct Messaging {
    keys: Keys,
    counter: u128,
}

/// What a protected command carried.
pub(crate) struct Opened {
    pub(crate) data: Zeroizing<Vec<u8>>,
    /// What the length object says; `None` without one.
    pub(crate) le: Option<ExpectedLength>,
}

/// The value of a length object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedLength {
    number: usize,
    most: usize,
}

impl ExpectedLength {
    fn read(value: &[u8]) -> Result<Self, Status> {
        let (number, most) = match *value {
            [le] => (usize::from(le), 0x100),
            [high, low] => (usize::from(u16::from_be_bytes([high, low])), 0x1_0000),
            _ => return Err(INCORRECT),
        };
        Ok(Self { number, most })
    }

    /// Returns the number as it stands: nought is nought.
    pub(crate) fn number(self) -> usize {
        self.number
    }

    /// Returns how many bytes the answer may have: nought stands for the most.
    pub(crate) fn most(self) -> usize {
        match self.number {
            0 => self.most,
            number => number,
        }
    }
}

impl Messaging {
    /// Starts with these keys and this send sequence counter.
    pub(crate) fn new(keys: Keys, counter: u128) -> Self {
        Self { keys, counter }
    }

    /// Returns keys and counter.
    #[cfg(test)]
    pub(crate) fn into_parts(self) -> (Keys, u128) {
        (self.keys, self.counter)
    }

    fn cipher(&self) -> Cipher {
        self.keys.cipher
    }

    /// Opens a protected command: [85 or 87] [97] 8E, in this order. After an error the
    /// session must not be used any more.
    pub(crate) fn open(&mut self, command: &Command) -> Result<Opened, Status> {
        self.counter = self.counter.wrapping_add(1);
        let data = command.data();
        let (mut cryptogram, mut le, mut mac) = (None, None, None);
        let mut rest = data;
        let mut covered = data;
        while !rest.is_empty() {
            if mac.is_some() {
                return Err(INCORRECT);
            }
            let so_far = data.len() - rest.len();
            let (object, after) = tlv::parse(rest).map_err(|_| INCORRECT)?;
            match object.tag {
                CRYPTOGRAM | PADDED_CRYPTOGRAM if cryptogram.is_none() && le.is_none() => {
                    cryptogram = Some(object);
                }
                EXPECTED_LENGTH if le.is_none() => le = Some(ExpectedLength::read(object.value)?),
                MAC => {
                    mac = Some(object.value);
                    covered = data.get(..so_far).unwrap_or_default();
                }
                _ => return Err(INCORRECT),
            }
            rest = after;
        }
        let Some(mac) = mac else {
            return Err(Status::SECURE_MESSAGING_MISSING);
        };
        let header = self.cipher().pad(&command.header());
        let message = [&self.prefix()[..], &header, covered].concat();
        let right = self.keys.verifies(&self.whole(&message), mac);
        if !right.map_err(broken)? {
            return Err(INCORRECT);
        }
        let data = match cryptogram {
            Some(object) => self.decrypt(command.ins(), object)?,
            None => Zeroizing::default(),
        };
        Ok(Opened { data, le })
    }

    /// Seals the answer to a command with this instruction: [85 or 87] 99 8E.
    pub(crate) fn seal(&mut self, ins: u8, data: &[u8], status: Status) -> Result<Vec<u8>, Status> {
        self.counter = self.counter.wrapping_add(1);
        let mut objects = Vec::new();
        if !data.is_empty() {
            let (cipher, iv) = (self.cipher(), self.vector()?);
            let sealed = cipher.encrypt(&self.keys.enc, &iv, &cipher.pad(data));
            let sealed = sealed.map_err(broken)?;
            objects = if is_odd(ins) {
                tlv::encode(CRYPTOGRAM, &sealed)
            } else {
                tlv::encode(PADDED_CRYPTOGRAM, &[&[0x01], &sealed[..]].concat())
            };
        }
        objects.extend(tlv::encode(STATUS, &status.value().to_be_bytes()));
        let message = [&self.prefix()[..], &objects].concat();
        let mac = self.keys.mac(&self.whole(&message)).map_err(broken)?;
        objects.extend(tlv::encode(MAC, &mac));
        Ok(objects)
    }

    /// Returns the most bytes of data that an answer of `room` bytes can carry sealed.
    pub(crate) fn capacity(&self, room: usize) -> usize {
        // 99 02 xxxx, 8E 08 and the MAC; 87, up to three bytes of length, the padding's mark.
        let objects = 4 + 2 + MAC_LENGTH;
        let around =
            1 + if room <= 0x7F {
                1
            } else if room <= 0x100 {
                2
            } else {
                3
            } + 1;
        let blocks = room.saturating_sub(objects + around) / self.cipher().block();
        (blocks * self.cipher().block()).saturating_sub(1)
    }

    /// Pads what the MAC is over, for the MAC that does not pad by itself.
    fn whole(&self, message: &[u8]) -> Zeroizing<Vec<u8>> {
        match self.cipher() {
            Cipher::TripleDes => Zeroizing::new(message.to_vec()),
            aes => aes.pad(message),
        }
    }

    /// Returns the counter as it stands before what the MAC covers: a block.
    fn prefix(&self) -> Vec<u8> {
        let counter = self.counter.to_be_bytes();
        let skipped = counter.len() - self.cipher().block();
        counter.get(skipped..).unwrap_or_default().to_vec()
    }

    /// Returns the initialization vector: zeros for triple DES, the encrypted counter for AES
    /// (§9.8.6.1).
    fn vector(&self) -> Result<Vec<u8>, Status> {
        let zeros = vec![0; self.cipher().block()];
        if self.cipher() == Cipher::TripleDes {
            return Ok(zeros);
        }
        let encrypted = self
            .cipher()
            .encrypt(&self.keys.enc, &zeros, &self.prefix());
        encrypted.map_err(broken)
    }

    fn decrypt(&self, ins: u8, object: tlv::Tlv<'_>) -> Result<Zeroizing<Vec<u8>>, Status> {
        // Odd instructions carry BER-TLV, whose cryptogram has no padding indicator
        // (ISO/IEC 7816-4 §10.2.1).
        let sealed = match (object.tag, object.value) {
            (CRYPTOGRAM, sealed) if is_odd(ins) => sealed,
            (PADDED_CRYPTOGRAM, [0x01, sealed @ ..]) if !is_odd(ins) => sealed,
            _ => return Err(INCORRECT),
        };
        if !sealed.len().is_multiple_of(self.cipher().block()) {
            return Err(INCORRECT);
        }
        let padded = self
            .cipher()
            .decrypt(&self.keys.enc, &self.vector()?, sealed);
        let padded = padded.map_err(broken)?;
        let plain = self.cipher().unpad(&padded).ok_or(INCORRECT)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }
}

fn is_odd(ins: u8) -> bool {
    ins & 0x01 == 0x01
}

#[cfg(test)]
mod tests {
    use card::Response;
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;
    use crate::vectors::{Row, load};

    fn messaging(cipher: Cipher, row: &Row, counter: &str) -> Messaging {
        let (enc, mac) = (row.bytes("KS_enc"), row.bytes("KS_mac"));
        let (enc, mac) = (Secret::new(enc), Secret::new(mac));
        let counter = row.bytes(counter);
        let counter = counter
            .iter()
            .fold(0, |so_far, byte| so_far << 8 | u128::from(*byte));
        Messaging::new(Keys { cipher, enc, mac }, counter)
    }

    fn plays(mut messaging: Messaging, exchanges: &[Row]) {
        for row in exchanges {
            let step = row.text("step");
            let plain = Command::parse(&row.bytes("plain_command")).unwrap();
            let command = Command::parse(&row.row("command").bytes("protected")).unwrap();
            let Ok(opened) = messaging.open(&command) else {
                panic!("{step} is refused");
            };
            assert_eq!(opened.data[..], *plain.data(), "{step}");
            let le = opened.le.map(ExpectedLength::most);
            assert_eq!(le, plain.le().map(|le| le as usize), "{step}");
            let answer = Response::parse(&row.bytes("plain_response")).unwrap();
            let sealed = messaging.seal(plain.ins(), answer.data(), answer.status());
            let whole = Response::new(sealed.unwrap(), answer.status()).encode();
            assert_eq!(*whole, row.row("response").bytes("protected"), "{step}");
        }
    }

    #[test]
    fn the_messages_of_appendix_d() {
        let row = load("icao9303-11/bac.json");
        let exchanges = row.rows("secure_messaging");
        plays(messaging(Cipher::TripleDes, &row, "SSC"), &exchanges);
        let row = load("icao9303-11/secure_messaging_3des.json");
        let exchanges = row.rows("exchanges");
        plays(messaging(Cipher::TripleDes, &row, "SSC_start"), &exchanges);
    }

    #[test]
    fn messages_with_aes_of_every_length() {
        let file = load("icao9303-11/chip_secure_messaging_aes.json");
        let ciphers = [Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];
        let sets = file.rows("sets");
        assert_eq!(sets.len(), ciphers.len());
        for (row, cipher) in sets.iter().zip(ciphers) {
            let exchanges = row.rows("exchanges");
            assert_eq!(exchanges.len(), 6);
            plays(messaging(cipher, row, "SSC_start"), &exchanges);
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_apart() {
        let row = load("icao9303-11/bac.json");
        let refusal = |data: &str| {
            let data = crate::vectors::unhex(data);
            let command = Command::new(0x0C, 0xA4, 0x02, 0x0C).with_data(data);
            let mut messaging = messaging(Cipher::TripleDes, &row, "SSC");
            messaging.open(&command).err()
        };
        let (missing, wrong) = (
            Some(Status::SECURE_MESSAGING_MISSING),
            Some(Status::SECURE_MESSAGING_INCORRECT),
        );
        let right = "8709016375432908C044F6 8E08BF8B92D635FF24F8";
        assert_eq!(refusal(right), None);
        assert_eq!(refusal(""), missing);
        assert_eq!(refusal("8709016375432908C044F6"), missing);
        for bad in [
            "8709016375432908C044F6 8E08BF8B92D635FF24F9",
            "8709016375432908C044F7 8E08BF8B92D635FF24F8",
            "8709016375432908C044F6 8E07BF8B92D635FF24",
            "8709016375432908C044F6 8E00",
            "8E08BF8B92D635FF24F8 8709016375432908C044F6",
            "8709016375432908C044F6 8E08BF8B92D635FF24F8 8E08BF8B92D635FF24F8",
            "970104 8709016375432908C044F6 8E08BF8B92D635FF24F8",
            "8709016375432908C044F6 9703000004 8E08BF8B92D635FF24F8",
            "8709016375432908C044F6 990104 8E08BF8B92D635FF24F8",
            "87FF",
        ] {
            assert_eq!(refusal(bad), wrong, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_objects_never_pass(data in prop::collection::vec(any::<u8>(), 0..64)) {
            for cipher in [Cipher::TripleDes, Cipher::Aes192] {
                let keys = Keys::derive(cipher, b"shared");
                let command = Command::new(0x0C, 0xB0, 0, 0).with_data(data.clone());
                prop_assert!(Messaging::new(keys, 7).open(&command).is_err());
            }
        }

        #[test]
        fn what_fits_never_passes_the_room(room in 64usize..5000) {
            for cipher in [Cipher::TripleDes, Cipher::Aes256] {
                let mut messaging = Messaging::new(Keys::derive(cipher, b"shared"), 0);
                let fits = messaging.capacity(room);
                let sealed = messaging.seal(0xB0, &vec![7; fits], Status::OK).unwrap();
                prop_assert!(sealed.len() <= room);
                // With another block it would not.
                let more = messaging.seal(0xB0, &vec![7; fits + cipher.block()], Status::OK);
                prop_assert!(more.unwrap().len() + 2 > room);
            }
        }
    }
}
