//! Secure messaging with triple DES (ICAO Doc 9303-11 §9.8): encrypt, then MAC, with a send
//! sequence counter on both sides.

use card::tlv::{self, Tag};
use card::{Command, Status};
use zeroize::Zeroizing;

use super::des::{BLOCK, Keys, pad, unpad};

const CRYPTOGRAM: Tag = Tag::known::<0x85>();
const PADDED_CRYPTOGRAM: Tag = Tag::known::<0x87>();
const EXPECTED_LENGTH: Tag = Tag::known::<0x97>();
const STATUS: Tag = Tag::known::<0x99>();
const MAC: Tag = Tag::known::<0x8E>();

/// An open session.
pub(super) struct Session {
    keys: Keys,
    counter: u64,
}

/// What a protected command carried.
pub(super) struct Opened {
    pub(super) data: Zeroizing<Vec<u8>>,
    /// The value of the length object, as it stands there; 0 without one.
    pub(super) le: usize,
}

impl Session {
    /// Starts with these keys and this send sequence counter.
    pub(super) fn new(keys: Keys, counter: u64) -> Self {
        Self { keys, counter }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    #[cfg(test)]
    pub(super) fn counter(&self) -> u64 {
        self.counter
    }

    /// Opens a protected command: [85 or 87] [97] 8E, in this order. After an error the
    /// session must not be used any more.
    pub(super) fn open(&mut self, command: &Command) -> Result<Opened, Status> {
        self.counter = self.counter.wrapping_add(1);
        let data = command.data();
        let (mut cryptogram, mut le, mut mac) = (None, None, None);
        let mut rest = data;
        let mut covered = data;
        while !rest.is_empty() {
            if mac.is_some() {
                return Err(Status::SECURE_MESSAGING_INCORRECT);
            }
            let so_far = data.len() - rest.len();
            let (object, after) =
                tlv::parse(rest).map_err(|_| Status::SECURE_MESSAGING_INCORRECT)?;
            match object.tag {
                CRYPTOGRAM | PADDED_CRYPTOGRAM if cryptogram.is_none() && le.is_none() => {
                    cryptogram = Some(object);
                }
                EXPECTED_LENGTH if le.is_none() => le = Some(expected(object.value)?),
                MAC => {
                    mac = Some(object.value);
                    covered = data.get(..so_far).unwrap_or_default();
                }
                _ => return Err(Status::SECURE_MESSAGING_INCORRECT),
            }
            rest = after;
        }
        let Some(mac) = mac else {
            return Err(Status::SECURE_MESSAGING_MISSING);
        };
        let message = [&self.prefix()[..], &pad(&command.header()), covered].concat();
        let right = self.keys.verifies(&message, mac);
        if !right.map_err(|_| Status::UNKNOWN)? {
            return Err(Status::SECURE_MESSAGING_INCORRECT);
        }
        let data = match cryptogram {
            Some(object) => self.decrypt(command.ins(), object)?,
            None => Zeroizing::default(),
        };
        let le = le.unwrap_or_default();
        Ok(Opened { data, le })
    }

    /// Seals the answer to a command with this instruction: [85 or 87] 99 8E.
    pub(super) fn seal(&mut self, ins: u8, data: &[u8], status: Status) -> Result<Vec<u8>, Status> {
        self.counter = self.counter.wrapping_add(1);
        let mut objects = Vec::new();
        if !data.is_empty() {
            let sealed = self.keys.encrypt(&pad(data)).map_err(|_| Status::UNKNOWN)?;
            objects = if is_odd(ins) {
                tlv::encode(CRYPTOGRAM, &sealed)
            } else {
                tlv::encode(PADDED_CRYPTOGRAM, &[&[0x01], &sealed[..]].concat())
            };
        }
        objects.extend(tlv::encode(STATUS, &status.value().to_be_bytes()));
        let message = [&self.prefix()[..], &objects].concat();
        let mac = self.keys.mac(&message).map_err(|_| Status::UNKNOWN)?;
        objects.extend(tlv::encode(MAC, &mac));
        Ok(objects)
    }

    fn prefix(&self) -> [u8; BLOCK] {
        self.counter.to_be_bytes()
    }

    fn decrypt(&self, ins: u8, object: tlv::Tlv<'_>) -> Result<Zeroizing<Vec<u8>>, Status> {
        let incorrect = Status::SECURE_MESSAGING_INCORRECT;
        // Odd instructions carry BER-TLV, whose cryptogram has no padding indicator
        // (ISO/IEC 7816-4 §10.2.1).
        let sealed = match (object.tag, object.value) {
            (CRYPTOGRAM, sealed) if is_odd(ins) => sealed,
            (PADDED_CRYPTOGRAM, [0x01, sealed @ ..]) if !is_odd(ins) => sealed,
            _ => return Err(incorrect),
        };
        if sealed.len() % BLOCK != 0 {
            return Err(incorrect);
        }
        let padded = self.keys.decrypt(sealed).map_err(|_| Status::UNKNOWN)?;
        let plain = unpad(&padded).ok_or(incorrect)?;
        Ok(Zeroizing::new(plain.to_vec()))
    }
}

fn is_odd(ins: u8) -> bool {
    ins & 0x01 == 0x01
}

fn expected(value: &[u8]) -> Result<usize, Status> {
    match *value {
        [le] => Ok(usize::from(le)),
        [high, low] => Ok(usize::from(u16::from_be_bytes([high, low]))),
        _ => Err(Status::SECURE_MESSAGING_INCORRECT),
    }
}

#[cfg(test)]
mod tests {
    use card::Response;
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::{Row, load};

    fn session(vector: &Row, counter: &str) -> Session {
        let keys = Keys::new(
            vector.bytes("KS_enc").try_into().unwrap(),
            vector.bytes("KS_mac").try_into().unwrap(),
        );
        let counter = vector.bytes(counter).try_into().unwrap();
        Session::new(keys, u64::from_be_bytes(counter))
    }

    fn plays(mut session: Session, exchanges: &[Row]) {
        for row in exchanges {
            let step = row.text("step");
            let plain = Command::parse(&row.bytes("plain_command")).unwrap();
            let command = Command::parse(&row.row("command").bytes("protected")).unwrap();
            let Ok(opened) = session.open(&command) else {
                panic!("{step} is refused");
            };
            assert_eq!(opened.data[..], *plain.data(), "{step}");
            // The length object's 00 and 0000 stand for the maximum.
            let le = plain.le().unwrap_or_default() as usize;
            assert!(opened.le == le || opened.le == 0 && le >= 256, "{step}");
            let answer = Response::parse(&row.bytes("plain_response")).unwrap();
            let sealed = session.seal(plain.ins(), answer.data(), answer.status());
            let whole = Response::new(sealed.unwrap(), answer.status()).encode();
            assert_eq!(*whole, row.row("response").bytes("protected"), "{step}");
        }
    }

    #[test]
    fn the_messages_of_appendix_d() {
        let vector = load("icao9303-11/bac.json");
        let exchanges = vector.rows("secure_messaging");
        assert_eq!(exchanges.len(), 3);
        plays(session(&vector, "SSC"), &exchanges);
    }

    #[test]
    fn longer_odd_and_failing_messages() {
        let vector = load("icao9303-11/secure_messaging_3des.json");
        let exchanges = vector.rows("exchanges");
        assert_eq!(exchanges.len(), 6);
        plays(session(&vector, "SSC_start"), &exchanges);
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_apart() {
        let vector = load("icao9303-11/bac.json");
        let refusal = |data: &str| {
            let command =
                Command::new(0x0C, 0xA4, 0x02, 0x0C).with_data(crate::vectors::unhex(data));
            session(&vector, "SSC").open(&command).err()
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
            let keys = Keys::new([0x23; 16], [0x45; 16]);
            let command = Command::new(0x0C, 0xB0, 0, 0).with_data(data);
            prop_assert!(Session::new(keys, 7).open(&command).is_err());
        }
    }
}
