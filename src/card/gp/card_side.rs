//! The card's side of a secure channel, over openssl: the judge of the host's side. It is
//! written from the specifications for plainness, and shares nothing with what it judges but
//! the APDU types.

use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};
use proptest::prelude::*;

use super::{
    ChannelOptions, Handshake, HostChallenge, InitializeUpdate, Key, ScpError, Secured,
    SecurityLevel, StaticKeys, initialize_update,
};
use crate::apdu::{Command, Response};
use crate::status::Status;

fn run(cipher: Cipher, mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Vec<u8> {
    let iv = cipher.iv_len().map(|_| iv);
    let mut crypter = Crypter::new(cipher, mode, key, iv).unwrap();
    crypter.pad(false);
    let mut out = vec![0; data.len() + 32];
    let done = crypter.update(data, &mut out).unwrap();
    let done = done + crypter.finalize(&mut out[done..]).unwrap();
    out.truncate(done);
    out
}

fn des3(mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Vec<u8> {
    let three = [key, &key[..24 - key.len()]].concat();
    run(Cipher::des_ede3_cbc(), mode, &three, iv, data)
}

/// Single DES is triple DES with three keys alike.
fn des(mode: Mode, key: &[u8], block: &[u8]) -> Vec<u8> {
    let three = [&key[..8], &key[..8], &key[..8]].concat();
    run(Cipher::des_ede3(), mode, &three, &[], block)
}

fn aes(mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Vec<u8> {
    let cipher = match key.len() {
        16 => Cipher::aes_128_cbc(),
        24 => Cipher::aes_192_cbc(),
        _ => Cipher::aes_256_cbc(),
    };
    run(cipher, mode, key, iv, data)
}

fn cmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let cipher = match key.len() {
        16 => Cipher::aes_128_cbc(),
        24 => Cipher::aes_192_cbc(),
        _ => Cipher::aes_256_cbc(),
    };
    let key = PKey::cmac(&cipher, key).unwrap();
    let mut signer = Signer::new_without_digest(&key).unwrap();
    signer.update(data).unwrap();
    signer.sign_to_vec().unwrap()
}

fn padded(data: &[u8], block: usize) -> Vec<u8> {
    let mut data = [data, &[0x80]].concat();
    while data.len() % block != 0 {
        data.push(0);
    }
    data
}

fn unpadded(mut data: Vec<u8>) -> Vec<u8> {
    while data.pop().unwrap() != 0x80 {}
    data
}

/// CBC-MAC with single DES, triple DES at the end.
fn retail(key: &[u8], icv: &[u8], data: &[u8]) -> Vec<u8> {
    let mut state = icv.to_vec();
    for block in padded(data, 8).chunks(8) {
        let mixed: Vec<u8> = state.iter().zip(block).map(|(a, b)| a ^ b).collect();
        state = des(Mode::Encrypt, &key[..8], &mixed);
    }
    let state = des(Mode::Decrypt, &key[8..], &state);
    des(Mode::Encrypt, &key[..8], &state)
}

fn kdf(key: &[u8], constant: u8, context: &[u8], length: usize) -> Vec<u8> {
    let bits = (length * 8) as u16;
    let mut out = Vec::new();
    for counter in 1..=2 {
        let head = [
            &[0; 11][..],
            &[constant, 0],
            &bits.to_be_bytes(),
            &[counter],
        ]
        .concat();
        out.extend(cmac(key, &[&head, context].concat()));
    }
    out.truncate(length);
    out
}

/// A card that was asked INITIALIZE UPDATE.
pub(super) struct CardSide {
    options: ChannelOptions,
    enc: Vec<u8>,
    mac: Vec<u8>,
    rmac: Vec<u8>,
    host_cryptogram: Vec<u8>,
    level: u8,
    chain: Vec<u8>,
    response_chain: Vec<u8>,
    counter: u64,
}

impl CardSide {
    /// Answers INITIALIZE UPDATE.
    pub(super) fn answer(
        options: ChannelOptions,
        keys: &StaticKeys,
        host: &[u8],
        challenge: &[u8; 16],
        counter: [u8; 3],
    ) -> (Self, Vec<u8>) {
        let (kenc, kmac) = (keys.enc.as_bytes(), keys.mac.as_bytes());
        let mut answer = vec![7; 10];
        let (enc, mac, rmac, card, cryptograms) = if options.protocol() == 2 {
            let derive = |key: &[u8], constant: [u8; 2]| {
                let seed = [&constant[..], &counter[1..], &[0; 12]].concat();
                des3(Mode::Encrypt, key, &[0; 8], &seed)
            };
            let (enc, mac) = (derive(kenc, [1, 0x82]), derive(kmac, [1, 1]));
            let card = [&counter[1..], &challenge[..6]].concat();
            let last = |data: &[u8]| {
                let sealed = des3(Mode::Encrypt, &enc, &[0; 8], &padded(data, 8));
                sealed[sealed.len() - 8..].to_vec()
            };
            let both = (last(&[host, &card].concat()), last(&[&card, host].concat()));
            answer.extend([0x20, 2]);
            answer.extend(&card);
            (enc, mac, derive(kmac, [1, 2]), card, both)
        } else {
            let length = if options.i() & 1 == 0 { 8 } else { 16 };
            let card = challenge[..length].to_vec();
            let context = [host, &card].concat();
            let enc = kdf(kenc, 4, &context, kenc.len());
            let mac = kdf(kmac, 6, &context, kmac.len());
            let both = (
                kdf(&mac, 0, &context, length),
                kdf(&mac, 1, &context, length),
            );
            answer.extend([0x30, 3, options.i()]);
            answer.extend(&card);
            (enc, mac, kdf(kmac, 7, &context, kmac.len()), card, both)
        };
        assert!(!card.is_empty());
        answer.extend(&cryptograms.0);
        if options.protocol() == 3 && options.i() & 0x10 != 0 {
            answer.extend(counter);
        }
        let block = if options.protocol() == 2 { 8 } else { 16 };
        let card = Self {
            options,
            enc,
            mac,
            rmac,
            host_cryptogram: cryptograms.1,
            level: 1,
            chain: vec![0; block],
            response_chain: Vec::new(),
            counter: 0,
        };
        (card, answer)
    }

    fn mac_length(&self) -> usize {
        self.host_cryptogram.len()
    }

    /// Checks EXTERNAL AUTHENTICATE.
    pub(super) fn authenticate(&mut self, command: &Command) {
        assert_eq!((command.cla(), command.ins()), (0x84, 0x82));
        let plain = self.verify(command);
        assert_eq!(plain.data(), self.host_cryptogram);
        self.level = command.p1();
        self.counter = 0;
        self.response_chain = self.chain.clone();
    }

    /// Checks a command and returns it as it was.
    pub(super) fn unprotect(&mut self, command: &Command) -> Command {
        self.counter += 1;
        self.verify(command)
    }

    fn verify(&mut self, command: &Command) -> Command {
        let length = self.mac_length();
        let (sealed, received) = command.data().split_at(command.data().len() - length);
        let encrypted = self.level & 2 != 0 && !sealed.is_empty();
        let [cla, ins, p1, p2] = command.header();
        let plain_cla = if cla & 0x40 == 0 {
            cla & !4
        } else {
            cla & !0x20
        };
        let plain = if self.options.protocol() == 2 {
            let plain = if encrypted {
                unpadded(des3(Mode::Decrypt, &self.enc, &[0; 8], sealed))
            } else {
                sealed.to_vec()
            };
            let icv = if self.chain == [0; 8] || self.options.i() & 0x10 == 0 {
                self.chain.clone()
            } else {
                des(Mode::Encrypt, &self.mac[..8], &self.chain)
            };
            let head = [cla & 0x80 | 4, ins, p1, p2, plain.len() as u8 + 8];
            self.chain = retail(&self.mac, &icv, &[&head[..], &plain].concat());
            plain
        } else {
            let extended = command.needs_extended();
            let mut head = vec![cla & 0x80 | 4, ins, p1, p2];
            let lc = command.data().len() as u32;
            head.extend(&lc.to_be_bytes()[if extended { 1 } else { 3 }..]);
            self.chain = cmac(&self.mac, &[&self.chain, &head[..], sealed].concat());
            if encrypted {
                let counter = u128::from(self.counter).to_be_bytes();
                let icv = aes(Mode::Encrypt, &self.enc, &[0; 16], &counter);
                unpadded(aes(Mode::Decrypt, &self.enc, &icv, sealed))
            } else {
                sealed.to_vec()
            }
        };
        assert_eq!(received, &self.chain[..length], "C-MAC");
        Command::new(plain_cla, ins, p1, p2).with_data(plain)
    }

    /// Protects the response to a command that was unprotected.
    pub(super) fn protect(&mut self, command: &Command, data: &[u8], status: u16) -> Response {
        let mut data = data.to_vec();
        if self.level & 0x10 != 0 {
            let sw = status.to_be_bytes();
            let mac = if self.options.protocol() == 2 {
                let [cla, ins, p1, p2] = command.header();
                let lc = command.data().len() as u8;
                let head = [cla & 0x80, ins, p1, p2, lc];
                let text = [&head[..], command.data(), &[data.len() as u8], &data, &sw];
                self.response_chain = retail(&self.rmac, &self.response_chain, &text.concat());
                self.response_chain.clone()
            } else {
                if self.level & 0x20 != 0 && !data.is_empty() {
                    let mut counter = u128::from(self.counter).to_be_bytes();
                    counter[0] = 0x80;
                    let icv = aes(Mode::Encrypt, &self.enc, &[0; 16], &counter);
                    data = aes(Mode::Encrypt, &self.enc, &icv, &padded(&data, 16));
                }
                cmac(&self.rmac, &[&self.chain, &data[..], &sw].concat())
            };
            data.extend(&mac[..self.mac_length()]);
        }
        Response::new(data, Status::new(status))
    }
}

/// Opens a channel between host and card.
pub(super) fn opened(
    options: ChannelOptions,
    keys: &StaticKeys,
    level: SecurityLevel,
    random: [u8; 16],
) -> (Secured, CardSide) {
    let challenge = &random[..options.mode().host_challenge_length()];
    let host = HostChallenge::try_from(challenge).unwrap();
    let (mut card, answer) =
        CardSide::answer(options, keys, host.as_bytes(), &[0xC5; 16], [0, 1, 0x2F]);
    let command = initialize_update(0, &host);
    assert_eq!(command.data(), challenge);
    let update = InitializeUpdate::parse(&answer).unwrap();
    let update = update.with_i(options.i()).unwrap();
    let session = update.session_keys(keys, &host).unwrap();
    let handshake = Handshake::new(session, host, &update).unwrap();
    let (command, opening) = handshake.external_authenticate(level).unwrap();
    card.authenticate(&command);
    let channel = opening.complete(&Response::new([], Status::OK)).unwrap();
    (channel, card)
}

pub(super) fn keys(length: usize) -> StaticKeys {
    let key = |byte| Key::new(&vec![byte; length]).unwrap();
    StaticKeys {
        enc: Key::new(&(0x40..0x40 + length as u8).collect::<Vec<_>>()).unwrap(),
        mac: key(0x5B),
        dek: key(0x6D),
    }
}

/// Every way of protecting: options, key length and level that go together.
pub(super) fn ways() -> Vec<(ChannelOptions, usize, SecurityLevel)> {
    let mut ways = Vec::new();
    for (protocol, i, lengths) in [
        (2, 0x15, &[16][..]),
        (2, 0x55, &[16]),
        (2, 0x04, &[16]),
        (2, 0x05, &[16]),
        (2, 0x35, &[16]),
        (2, 0x75, &[16]),
        (3, 0x00, &[16, 24, 32]),
        (3, 0x30, &[16, 24, 32]),
        (3, 0x60, &[16, 24, 32]),
        (3, 0x70, &[16, 24, 32]),
        (3, 0x11, &[16, 24, 32]),
        (3, 0x61, &[16, 24, 32]),
        (3, 0x71, &[16, 24, 32]),
    ] {
        let options = ChannelOptions::new(protocol, i).unwrap();
        for &length in lengths {
            for level in [0x01, 0x03, 0x11, 0x13, 0x33] {
                let level = SecurityLevel::new(level).unwrap();
                if options.supports(level) {
                    ways.push((options, length, level));
                }
            }
        }
    }
    ways
}

#[test]
fn every_bit_of_a_response_counts_in_every_way() {
    for (options, length, level) in ways() {
        if !level.has_rmac() {
            continue;
        }
        let keys = keys(length);
        let (mut channel, mut card) = opened(options, &keys, level, [3; 16]);
        let command = Command::new(0x80, 0xCA, 0, 0x66).with_le(256);
        let plain = card.unprotect(&channel.wrap(&command).unwrap());
        let good = card.protect(&plain, b"answer", 0x9000).encode();
        for bit in 0..good.len() * 8 {
            let (mut channel, _) = opened(options, &keys, level, [3; 16]);
            channel.wrap(&command).unwrap();
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = channel.unwrap(Response::parse(&bad).unwrap()).unwrap_err();
            assert!(
                matches!(error, ScpError::ResponseMac | ScpError::UnprotectedData(_)),
                "{options:?} {level:?} bit {bit}: {error}"
            );
            assert!(channel.is_terminated());
            assert_eq!(channel.wrap(&command), Err(ScpError::Terminated));
            let again = channel.unwrap(Response::parse(&good).unwrap());
            assert_eq!(again, Err(ScpError::Terminated));
        }
        let answer = channel.unwrap(Response::parse(&good).unwrap()).unwrap();
        assert_eq!(answer.data(), b"answer");
    }
}

#[test]
fn scp02_errors_pass_bare_or_with_a_right_mac() {
    let options = ChannelOptions::new(2, 0x35).unwrap();
    let keys = keys(16);
    let command = Command::new(0x80, 0xE4, 0, 0).with_data([1, 2, 3]);
    let (mut channel, mut card) = opened(options, &keys, SecurityLevel::ENC_MAC_RMAC, [4; 16]);
    channel.wrap(&command).unwrap();
    let bare = Response::new([], Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(channel.unwrap(bare.clone()), Ok(bare.clone()));

    let (mut channel, _) = opened(options, &keys, SecurityLevel::ENC_MAC_RMAC, [4; 16]);
    let plain = card.unprotect(&channel.wrap(&command).unwrap());
    let response = card.protect(&plain, &[], 0x6985);
    assert_eq!(channel.unwrap(response), Ok(bare));
    // Both chains went on.
    let plain = card.unprotect(&channel.wrap(&command).unwrap());
    let response = card.protect(&plain, &[9; 20], 0x9000);
    assert_eq!(channel.unwrap(response).unwrap().data(), [9; 20]);

    channel.wrap(&command).unwrap();
    let forged = Response::new([0; 8], Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(channel.unwrap(forged), Err(ScpError::ResponseMac));
}

#[test]
fn absurd_responses_are_refused_in_every_way() {
    for (options, length, level) in ways() {
        if !level.has_rmac() || length != 16 {
            continue;
        }
        for size in [
            0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 263, 264, 65_535, 70_000,
        ] {
            let (mut channel, _) = opened(options, &keys(16), level, [8; 16]);
            channel.wrap(&Command::new(0x80, 0xCA, 0, 0)).unwrap();
            let refused = channel.unwrap(Response::new(vec![0; size], Status::OK));
            assert_eq!(refused, Err(ScpError::ResponseMac), "{options:?} {size}");
        }
    }
}

#[test]
fn scp02_commands_stay_short() {
    let options = ChannelOptions::SCP02_DEFAULT;
    for (level, most) in [(SecurityLevel::MAC, 247), (SecurityLevel::ENC_MAC, 239)] {
        let (mut channel, mut card) = opened(options, &keys(16), level, [1; 16]);
        let long = Command::new(0x80, 0xE2, 0, 0).with_data(vec![5; most + 1]);
        assert!(matches!(channel.wrap(&long), Err(ScpError::Command(_))));
        let greedy = Command::new(0x80, 0xCA, 0, 0).with_le(257);
        assert!(matches!(channel.wrap(&greedy), Err(ScpError::Command(_))));
        let fits = Command::new(0x80, 0xE2, 0, 0).with_data(vec![5; most]);
        // The refusals changed nothing: the card still understands.
        assert_eq!(card.unprotect(&channel.wrap(&fits).unwrap()), fits);
    }
}

#[test]
fn a_card_with_other_keys_is_refused_in_every_way() {
    for (options, length, _) in ways() {
        let challenge = &[6; 16][..options.mode().host_challenge_length()];
        let host = HostChallenge::try_from(challenge).unwrap();
        let (_, answer) =
            CardSide::answer(options, &keys(length), challenge, &[0xC5; 16], [0, 1, 2]);
        let mut other = keys(length);
        // The session's cryptograms hang on ENC in SCP02, on MAC in SCP03.
        let key = Key::new(&vec![0x11; length]).unwrap();
        if options.protocol() == 2 {
            other.enc = key;
        } else {
            other.mac = key;
        }
        let update = InitializeUpdate::parse(&answer).unwrap();
        let session = update.session_keys(&other, &host).unwrap();
        assert_eq!(
            Handshake::new(session, host, &update).err(),
            Some(ScpError::CardCryptogram)
        );
        // A challenge of the wrong length is told before anything is derived.
        let wrong: HostChallenge = if challenge.len() == 8 {
            [1; 16].into()
        } else {
            [1; 8].into()
        };
        let session = update.session_keys(&keys(length), &host).unwrap();
        for refused in [
            update.session_keys(&keys(length), &wrong).err(),
            Handshake::new(session, wrong, &update).err(),
        ] {
            assert!(matches!(refused, Some(ScpError::HostChallenge { .. })));
        }
    }
}

#[test]
fn levels_that_a_card_does_not_announce_are_not_asked_for() {
    for (options, length, _) in ways() {
        for level in [SecurityLevel::MAC_RMAC, SecurityLevel::FULL] {
            let challenge = &[6; 16][..options.mode().host_challenge_length()];
            let host = HostChallenge::try_from(challenge).unwrap();
            let keys = keys(length);
            let (_, answer) = CardSide::answer(options, &keys, challenge, &[2; 16], [0, 1, 2]);
            let update = InitializeUpdate::parse(&answer).unwrap();
            let update = update.with_i(options.i()).unwrap();
            let session = update.session_keys(&keys, &host).unwrap();
            let handshake = Handshake::new(session, host, &update).unwrap();
            let asked = handshake.external_authenticate(level);
            assert_eq!(asked.is_ok(), options.supports(level));
        }
    }
}

#[test]
fn pseudo_random_challenges_are_checked() {
    let aid = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];
    let counter = [0, 1, 0x2F];
    for (protocol, i, length) in [(2, 0x55, 16), (3, 0x10, 24), (3, 0x70, 32), (3, 0x71, 16)] {
        let options = ChannelOptions::new(protocol, i).unwrap();
        let keys = keys(length);
        let host = vec![4; options.mode().host_challenge_length()];
        let mut challenge = [0; 16];
        let made = if protocol == 2 {
            let seed = [&[1, 1][..], &counter[1..], &[0; 12]].concat();
            let mac = des3(Mode::Encrypt, keys.mac.as_bytes(), &[0; 8], &seed);
            retail(&mac, &[0; 8], &aid)[..6].to_vec()
        } else {
            let context = [&counter[..], &aid].concat();
            kdf(keys.enc.as_bytes(), 2, &context, host.len())
        };
        challenge[..made.len()].copy_from_slice(&made);
        let (_, answer) = CardSide::answer(options, &keys, &host, &challenge, counter);
        let update = InitializeUpdate::parse(&answer).unwrap().with_i(i).unwrap();
        assert_eq!(update.card_challenge(), made);
        assert_eq!(update.verify_pseudo_random(&keys, &aid), Ok(()));
        assert_eq!(
            update.verify_pseudo_random(&keys, &aid[..7]),
            Err(ScpError::CardChallenge)
        );
        challenge[0] ^= 1;
        let (_, answer) = CardSide::answer(options, &keys, &host, &challenge, counter);
        let update = InitializeUpdate::parse(&answer).unwrap().with_i(i).unwrap();
        assert_eq!(
            update.verify_pseudo_random(&keys, &aid),
            Err(ScpError::CardChallenge)
        );
    }
    // Truly random: nothing to check.
    let options = ChannelOptions::new(3, 0x60).unwrap();
    let (_, answer) = CardSide::answer(options, &keys(16), &[4; 8], &[9; 16], counter);
    let update = InitializeUpdate::parse(&answer).unwrap();
    assert_eq!(update.verify_pseudo_random(&keys(16), &aid), Ok(()));
}

proptest! {
    // A failure is printed; a file of it would land in the workspace's folder of crates.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn host_and_card_understand_each_other_in_every_way(
        way in prop::sample::select(ways()),
        random in any::<[u8; 16]>(),
        exchanges in prop::collection::vec(
            (
                any::<[u8; 3]>(), 0u8..4, prop::collection::vec(any::<u8>(), 0..400),
                prop::collection::vec(any::<u8>(), 0..300), prop::option::of(1u32..300), any::<bool>(),
            ),
            1..5,
        ),
    ) {
        let (options, length, level) = way;
        let (mut channel, mut card) = opened(options, &keys(length), level, random);
        prop_assert_eq!(channel.mode(), options.mode());
        for ([ins, p1, p2], logical, mut data, mut answer, le, warning) in exchanges {
            let short = options.protocol() == 2;
            data.truncate(channel.command_capacity(if short { 255 } else { 65_535 }));
            answer.truncate(if short { 247 } else { 300 });
            let mut command = Command::new(0x80 | logical, ins, p1, p2).with_data(data);
            if let Some(le) = le {
                command = command.with_le(if short { le.min(256) } else { le });
            }
            let wrapped = channel.wrap(&command).unwrap();
            prop_assert_eq!(wrapped.cla(), 0x84 | logical);
            prop_assert!(wrapped.data().len() <= command.data().len() + channel.overhead());
            let plain = card.unprotect(&wrapped);
            prop_assert_eq!(plain.header(), command.header());
            prop_assert_eq!(plain.data(), command.data());
            let status = if warning { 0x6282 } else { 0x9000 };
            let response = card.protect(&plain, &answer, status);
            let opened = channel.unwrap(response).unwrap();
            prop_assert_eq!(opened.data(), &answer[..]);
            prop_assert_eq!(opened.status().value(), status);
        }
    }

    #[test]
    fn capacities_are_exact_in_every_way(way in prop::sample::select(ways()), limit in 32usize..255) {
        let (options, length, level) = way;
        let (mut channel, _) = opened(options, &keys(length), level, [0; 16]);
        let capacity = channel.command_capacity(limit);
        for (length, fits) in [(capacity, true), (capacity + 1, false)] {
            let command = Command::new(0x80, 0xE2, 0, 0).with_data(vec![0xA5; length]);
            match channel.wrap(&command) {
                Ok(wrapped) => prop_assert_eq!(wrapped.data().len() <= limit, fits),
                Err(_) => prop_assert!(!fits),
            }
        }
    }

    #[test]
    fn arbitrary_answers_to_initialize_update_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..80), protocol in 0u8..5,
    ) {
        if let Some(byte) = bytes.get_mut(11) {
            *byte = protocol;
        }
        if let Ok(update) = InitializeUpdate::parse(&bytes) {
            prop_assert!(matches!(bytes.len(), 28 | 29 | 32 | 45 | 48));
            prop_assert!(matches!(update.options().protocol(), 2 | 3));
        }
    }
}
