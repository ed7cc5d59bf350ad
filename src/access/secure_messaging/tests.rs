use openssl::symm::{Cipher as Ssl, Crypter, Mode};
use proptest::prelude::*;

use super::*;
use crate::testing::{bytes, vectors};

fn sets() -> Vec<(serde_json::Value, SecureMessaging)> {
    let file = vectors("access/secure_messaging.json");
    let sets = file["sets"].as_array().unwrap().clone();
    assert_eq!(sets.len(), 4);
    sets.into_iter()
        .map(|set| {
            let (encryption, mac) = (bytes(&set["KS_enc"]), bytes(&set["KS_mac"]));
            let cipher = match (set["alg"].as_str().unwrap(), encryption.len()) {
                ("3DES", 16) => Cipher::TripleDes,
                (_, 16) => Cipher::Aes128,
                (_, 24) => Cipher::Aes192,
                _ => Cipher::Aes256,
            };
            let counter = u128::from_str_radix(set["SSC_start"].as_str().unwrap(), 16).unwrap();
            let keys = SessionKeys::new(cipher, &encryption, &mac).unwrap();
            let messaging = SecureMessaging::with_counter(keys, counter);
            (set, messaging)
        })
        .collect()
}

#[test]
fn published_and_computed_exchanges_come_out() {
    for (set, mut messaging) in sets() {
        for step in set["exchanges"].as_array().unwrap() {
            let plain = Command::parse(&bytes(&step["plain_command"])).unwrap();
            let wrapped = messaging.wrap(&plain).unwrap();
            assert_eq!(
                *wrapped.encode().unwrap(),
                bytes(&step["command"]["protected"]),
                "{}",
                step["step"]
            );
            let response = Response::parse(&bytes(&step["response"]["protected"])).unwrap();
            let opened = messaging.unwrap(&response).unwrap();
            assert_eq!(
                *opened.encode(),
                bytes(&step["plain_response"]),
                "{}",
                step["step"]
            );
        }
    }
}

#[test]
fn the_worked_example_of_eac_comes_out() {
    let file = vectors("access/eac_worked_examples.json");
    let (pace, row) = (&file["ecdh"]["pace"], &file["ecdh"]["secure_messaging_aes"]);
    let keys = SessionKeys::new(
        Cipher::Aes128,
        &bytes(&pace["KS_enc"]),
        &bytes(&pace["KS_mac"]),
    );
    let mut messaging = SecureMessaging::new(keys.unwrap());
    let command = Command::new(0, 0x22, 0x81, 0xB6).with_data(bytes(&row["plain"]));
    let wrapped = messaging.wrap(&command).unwrap();
    assert_eq!(wrapped.data()[3..19], bytes(&row["cipher"]));
    let objects = [
        &bytes(&row["mac_input"])[..],
        &[0x8E, 8],
        &bytes(&row["mac"]),
    ]
    .concat();
    let opened = messaging.unwrap(&Response::new(objects, Status::OK));
    assert_eq!(opened.unwrap(), Response::new([], Status::OK));
}

/// A chip's answer, made by openssl alone.
pub(crate) struct Chip {
    pub(crate) cipher: Cipher,
    pub(crate) encryption: Vec<u8>,
    pub(crate) authentication: Vec<u8>,
}

impl Chip {
    pub(crate) fn new(cipher: Cipher) -> Self {
        Self {
            cipher,
            encryption: (1..=cipher.key_length() as u8).collect(),
            authentication: (101..=100 + cipher.key_length() as u8).collect(),
        }
    }

    pub(crate) fn terminal(&self, counter: u128) -> SecureMessaging {
        let keys = SessionKeys::new(self.cipher, &self.encryption, &self.authentication);
        SecureMessaging::with_counter(keys.unwrap(), counter)
    }

    fn counter(&self, counter: u128) -> Vec<u8> {
        counter.to_be_bytes()[16 - self.cipher.block_length()..].to_vec()
    }

    fn run(ssl: Ssl, mode: Mode, key: &[u8], iv: Option<&[u8]>, data: &[u8]) -> Vec<u8> {
        let mut crypter = Crypter::new(ssl, mode, key, iv).unwrap();
        crypter.pad(false);
        let mut out = vec![0; data.len() + ssl.block_size()];
        let count = crypter.update(data, &mut out).unwrap();
        let last = crypter.finalize(&mut out[count..]).unwrap();
        out.truncate(count + last);
        out
    }

    fn cbc(&self, mode: Mode, counter: u128, data: &[u8]) -> Vec<u8> {
        let block = self.counter(counter);
        let (cbc, ecb) = match self.cipher {
            Cipher::TripleDes => {
                let key = [&self.encryption[..], &self.encryption[..8]].concat();
                return Self::run(Ssl::des_ede3_cbc(), mode, &key, Some(&[0; 8]), data);
            }
            Cipher::Aes128 => (Ssl::aes_128_cbc(), Ssl::aes_128_ecb()),
            Cipher::Aes192 => (Ssl::aes_192_cbc(), Ssl::aes_192_ecb()),
            Cipher::Aes256 => (Ssl::aes_256_cbc(), Ssl::aes_256_ecb()),
        };
        let iv = Self::run(ecb, Mode::Encrypt, &self.encryption, None, &block);
        Self::run(cbc, mode, &self.encryption, Some(&iv), data)
    }

    /// Returns the first half of a CMAC.
    pub(crate) fn cmac(&self, message: &[u8]) -> Vec<u8> {
        let ssl = match self.cipher {
            Cipher::Aes128 => Ssl::aes_128_cbc(),
            Cipher::Aes192 => Ssl::aes_192_cbc(),
            _ => Ssl::aes_256_cbc(),
        };
        let key = openssl::pkey::PKey::cmac(&ssl, &self.authentication).unwrap();
        let mut signer = openssl::sign::Signer::new_without_digest(&key).unwrap();
        signer.update(message).unwrap();
        signer.sign_to_vec().unwrap()[..8].to_vec()
    }

    fn mac(&self, message: &[u8]) -> Vec<u8> {
        if self.cipher != Cipher::TripleDes {
            return self.cmac(&Self::pad(message, 16));
        }
        // ISO/IEC 9797-1 algorithm 3: DES under the first half through CBC, then D and E. With
        // three times the same key, triple DES is DES.
        let triple = |key: &[u8]| [key, key, key].concat();
        let (first, second) = self.authentication.split_at(8);
        let message = Self::pad(message, 8);
        let chained = Self::run(
            Ssl::des_ede3_cbc(),
            Mode::Encrypt,
            &triple(first),
            Some(&[0; 8]),
            &message,
        );
        let last = &chained[chained.len() - 8..];
        let opened = Self::run(
            Ssl::des_ede3_cbc(),
            Mode::Decrypt,
            &triple(second),
            Some(&[0; 8]),
            last,
        );
        Self::run(
            Ssl::des_ede3_cbc(),
            Mode::Encrypt,
            &triple(first),
            Some(&[0; 8]),
            &opened,
        )
    }

    /// Opens a command: its data without padding; nothing where its MAC is wrong.
    pub(crate) fn open(&self, counter: u128, command: &Command) -> Option<Vec<u8>> {
        let (covered, mac) = command
            .data()
            .split_at(command.data().len().checked_sub(10)?);
        let block = self.cipher.block_length();
        let header = Self::pad(&command.header(), block);
        let message = [&self.counter(counter)[..], &header, covered].concat();
        if mac[2..] != self.mac(&message) {
            return None;
        }
        let sealed = match tlv::parse_all(covered).ok()?.first() {
            Some(object) if object.tag.value() == 0x87 => object.value[1..].to_vec(),
            Some(object) if object.tag.value() == 0x85 => object.value.to_vec(),
            _ => return Some(Vec::new()),
        };
        let mut plain = self.cbc(Mode::Decrypt, counter, &sealed);
        while plain.pop()? != 0x80 {}
        Some(plain)
    }

    fn pad(data: &[u8], block: usize) -> Vec<u8> {
        let mut padded = [data, &[0x80]].concat();
        while padded.len() % block != 0 {
            padded.push(0);
        }
        padded
    }

    pub(crate) fn answer(&self, counter: u128, ins: u8, data: &[u8], status: u16) -> Vec<u8> {
        let mut objects = Vec::new();
        if !data.is_empty() {
            let padded = Self::pad(data, self.cipher.block_length());
            let sealed = self.cbc(Mode::Encrypt, counter, &padded);
            let (tag, value) = match ins & 1 {
                1 => (0x85, sealed),
                _ => (0x87, [&[1], &sealed[..]].concat()),
            };
            objects.push(tag);
            match value.len() {
                short @ 0..=0x7F => objects.push(short as u8),
                long @ 0x80..=0xFF => objects.extend([0x81, long as u8]),
                long => {
                    objects.push(0x82);
                    objects.extend((long as u16).to_be_bytes());
                }
            }
            objects.extend(value);
        }
        objects.extend([0x99, 2]);
        objects.extend(status.to_be_bytes());
        let mac = self.mac(&[&self.counter(counter)[..], &objects].concat());
        objects.extend([0x8E, 8]);
        objects.extend(mac);
        objects
    }
}

fn ciphers() -> impl Strategy<Value = Cipher> {
    prop_oneof![
        Just(Cipher::TripleDes),
        Just(Cipher::Aes128),
        Just(Cipher::Aes192),
        Just(Cipher::Aes256)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn openssl_opens_what_is_wrapped(
        cipher in ciphers(),
        counter in any::<u128>(),
        header in (0u8..4, any::<u8>(), any::<u8>(), any::<u8>()),
        data in prop::collection::vec(any::<u8>(), 0..700),
        le in prop::option::of(1u32..=65_536),
    ) {
        let chip = Chip::new(cipher);
        let mut terminal = chip.terminal(counter);
        let mut command = Command::new(header.0, header.1, header.2, header.3).with_data(data.clone());
        if let Some(le) = le {
            command = command.with_le(le);
        }
        let wrapped = terminal.wrap(&command).unwrap();
        prop_assert_eq!(wrapped.cla(), header.0 | 0x0C);
        prop_assert_eq!(&wrapped.header()[1..], &command.header()[1..]);
        prop_assert_eq!(wrapped.le(), Some(if wrapped.needs_extended() { 65_536 } else { 256 }));
        let count = counter.wrapping_add(1);
        let (covered, mac) = wrapped.data().split_at(wrapped.data().len() - 10);
        let block = cipher.block_length();
        let message = [
            &chip.counter(count)[..],
            &Chip::pad(&wrapped.header(), block),
            covered,
        ].concat();
        prop_assert_eq!(&mac[..2], &[0x8E, 8]);
        prop_assert_eq!(&mac[2..], &chip.mac(&message)[..]);
        let mut objects = tlv::parse_all(covered).unwrap();
        match (le, objects.last()) {
            (None, _) => {}
            (Some(le), Some(object)) => {
                prop_assert_eq!(object.tag.value(), 0x97);
                let zeros = if le <= 256 { 256 } else { 65_536 };
                let read = object.value.iter().fold(0, |read, byte| read << 8 | u32::from(*byte));
                prop_assert_eq!(if read == 0 { zeros } else { read }, le);
                objects.pop();
            }
            (Some(_), None) => prop_assert!(false, "Le is lost"),
        }
        match objects[..] {
            [] => prop_assert!(data.is_empty()),
            [object] => {
                let odd = header.1 & 1 == 1;
                prop_assert_eq!(object.tag.value(), if odd { 0x85 } else { 0x87 });
                let sealed = if odd { object.value } else { &object.value[1..] };
                let plain = chip.cbc(Mode::Decrypt, count, sealed);
                prop_assert_eq!(plain, Chip::pad(&data, block));
            }
            _ => prop_assert!(false, "more objects than belong there"),
        }
    }

    #[test]
    fn what_openssl_makes_is_opened(
        cipher in ciphers(),
        counter in any::<u128>(),
        ins in any::<u8>(),
        data in prop::collection::vec(any::<u8>(), 0..700),
        status in any::<u16>(),
        outer in any::<u16>(),
    ) {
        let chip = Chip::new(cipher);
        let mut terminal = chip.terminal(counter);
        terminal.wrap(&Command::new(0, ins, 0, 0)).unwrap();
        let answer = chip.answer(counter.wrapping_add(2), ins, &data, status);
        let opened = terminal.unwrap(&Response::new(answer, Status::new(outer))).unwrap();
        prop_assert_eq!(opened, Response::new(data, Status::new(status)));
        prop_assert!(!terminal.is_terminated());
    }

    #[test]
    fn one_changed_bit_ends_the_session(
        cipher in ciphers(),
        data in prop::collection::vec(any::<u8>(), 1..40),
        place in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let chip = Chip::new(cipher);
        let mut terminal = chip.terminal(0);
        terminal.wrap(&Command::new(0, 0xB0, 0, 0)).unwrap();
        let mut answer = chip.answer(2, 0xB0, &data, 0x9000);
        let place = place.index(answer.len());
        answer[place] ^= 1 << bit;
        prop_assert!(terminal.unwrap(&Response::new(answer, Status::OK)).is_err());
        prop_assert!(terminal.is_terminated());
    }

    #[test]
    fn capacities_are_exact(cipher in ciphers(), limit in 0usize..5000) {
        let terminal = || Chip::new(cipher).terminal(0);
        let capacity = terminal().command_capacity(limit);
        let wrapped = |length| {
            let command = Command::new(0, 0xD6, 0, 0).with_data(vec![7; length]).with_le(65_536);
            terminal().wrap(&command).unwrap().data().len()
        };
        prop_assert!(capacity == 0 || wrapped(capacity) <= limit);
        // What does not fit is out of reach by one more byte.
        prop_assert!(wrapped(capacity + 1) > limit);
        let capacity = terminal().response_capacity(limit);
        let sealed = |length| Chip::new(cipher).answer(2, 0xB0, &vec![7; length], 0x9000).len();
        prop_assert!(capacity == 0 || sealed(capacity) <= limit);
        prop_assert!(sealed(capacity + 1) > limit);
    }
}

#[test]
fn malformed_answers_are_named_and_end_the_session() {
    use SecureMessagingError::{Mac, Malformed, Unprotected};
    let chip = Chip::new(Cipher::Aes128);
    let mut objects = chip.answer(2, 0xB0, &[1, 2, 3], 0x9000);
    let right = objects.clone();
    let mac_of = |objects: &[u8]| {
        let mac = chip.mac(&[&chip.counter(2)[..], objects].concat());
        [objects, &[0x8E, 8], &mac].concat()
    };
    objects.truncate(right.len() - 10);
    let status = [0x99, 2, 0x90, 0];
    let one = |tag: u8, value: &[u8]| [&[tag, value.len() as u8], value].concat();
    let cases: Vec<(Vec<u8>, SecureMessagingError)> = vec![
        (vec![], Unprotected(Status::OK)),
        (vec![0x87], Malformed("data objects are cut short")),
        (
            right[..right.len() - 1].to_vec(),
            Malformed("data objects are cut short"),
        ),
        (objects.clone(), Malformed("data objects are cut short")),
        (
            [&right[..], &[0]].concat(),
            Malformed("bytes follow the MAC"),
        ),
        (mac_of(&right[..19]), Malformed("no status word in it")),
        (
            mac_of(&one(0x99, &[0x90])),
            Malformed("no status word in it"),
        ),
        (mac_of(&one(0x81, &[1])), Malformed("no status word in it")),
        (
            [&status[..], &one(0x8E, &[0; 7])].concat(),
            Malformed("no MAC in it"),
        ),
        (
            [&status[..], &one(0x8F, &[0; 8])].concat(),
            Malformed("no MAC in it"),
        ),
        ([&status[..], &one(0x8E, &[0; 8])].concat(), Mac),
        (
            mac_of(&[&one(0x87, &[]), &status[..]].concat()),
            Malformed("padding indicator is not 01"),
        ),
        (
            mac_of(&[&one(0x87, &[2; 17]), &status[..]].concat()),
            Malformed("padding indicator is not 01"),
        ),
        (
            mac_of(&[&one(0x87, &[1]), &status[..]].concat()),
            Malformed("cryptogram is no whole blocks"),
        ),
        (
            mac_of(&[&one(0x87, &[1; 16]), &status[..]].concat()),
            Malformed("cryptogram is no whole blocks"),
        ),
        (
            mac_of(&[&one(0x85, &[1; 16]), &status[..]].concat()),
            Malformed("data has no padding"),
        ),
        (
            mac_of(&[&status[..], &right[..19]].concat()),
            Malformed("no MAC in it"),
        ),
    ];
    for (data, expected) in cases {
        let mut terminal = chip.terminal(0);
        let command = Command::new(0, 0xB0, 0, 0).with_le(4);
        terminal.wrap(&command).unwrap();
        let error = terminal
            .unwrap(&Response::new(data, Status::OK))
            .unwrap_err();
        assert_eq!(error.to_string(), expected.to_string());
        assert!(terminal.is_terminated());
        let refused = terminal.wrap(&command).unwrap_err();
        assert!(matches!(refused, SecureMessagingError::Terminated));
    }
}

#[test]
fn an_answer_counts_once_and_in_its_order() {
    let chip = Chip::new(Cipher::TripleDes);
    let mut terminal = chip.terminal(0);
    let command = Command::new(0, 0xB0, 0, 0).with_le(4);
    terminal.wrap(&command).unwrap();
    assert!(matches!(
        terminal.wrap(&command),
        Err(SecureMessagingError::Order)
    ));
    let first = Response::new(chip.answer(2, 0xB0, &[1], 0x9000), Status::OK);
    terminal.unwrap(&first).unwrap();
    terminal.wrap(&command).unwrap();
    assert!(matches!(
        terminal.unwrap(&first),
        Err(SecureMessagingError::Mac)
    ));
    let mut terminal = chip.terminal(0);
    assert!(matches!(
        terminal.unwrap(&first),
        Err(SecureMessagingError::Order)
    ));
    assert!(terminal.is_terminated());
}

#[test]
fn what_cannot_be_wrapped_leaves_the_session() {
    let mut terminal = Chip::new(Cipher::Aes256).terminal(0);
    let plain = |cla| Command::new(cla, 0xB0, 0, 0);
    for cla in [0x0C, 0x04, 0x08, 0x8C, 0x60] {
        let refused = terminal.wrap(&plain(cla)).unwrap_err();
        assert!(matches!(refused, SecureMessagingError::Class(named) if named == cla));
    }
    for le in [0, 65_537] {
        let refused = terminal.wrap(&plain(0).with_le(le)).unwrap_err();
        assert!(matches!(
            refused,
            SecureMessagingError::Command(ApduError::Le(_))
        ));
    }
    let capacity = terminal.command_capacity(usize::MAX);
    let refused = terminal.wrap(&plain(0).with_data(vec![0; capacity + 1]));
    assert!(matches!(refused, Err(SecureMessagingError::Command(_))));
    for (cla, secured) in [(0x00, 0x0C), (0x13, 0x1F), (0x80, 0x8C), (0x41, 0x61)] {
        let mut terminal = Chip::new(Cipher::Aes256).terminal(0);
        assert_eq!(terminal.wrap(&plain(cla)).unwrap().cla(), secured);
    }
    assert!(
        terminal
            .wrap(&plain(0).with_data(vec![0; capacity]))
            .is_ok()
    );
}
