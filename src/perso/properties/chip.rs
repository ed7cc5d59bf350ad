//! A chip that keeps what is written to it, until its mood changes.

use std::collections::BTreeMap;
use std::fmt::Write;

use card::cipher::{Key, aes_cbc_decrypt, aes_cbc_encrypt, aes_cmac, aes_ecb_encrypt};
use card::gp::{HostChallenge, InitializeUpdate, SessionKeys, StaticKeys, kdf};
use card::trace::Veil;
use card::{Channel, ChannelError, Command, Limits};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

use super::case::{Case, Mood, Way};
use super::{KEY, LEVELS, POINT};

pub(super) fn key() -> Key {
    Key::new(&KEY).unwrap()
}

fn xor(block: &mut [u8], with: &[u8]) {
    block
        .iter_mut()
        .zip(with)
        .for_each(|(byte, with)| *byte ^= with);
}

/// The chip's side of SCP03 (*GP Amendment D §6.2*).
struct Session {
    keys: SessionKeys,
    level: u8,
    mac: usize,
    chaining: Vec<u8>,
    counter: u128,
}

impl Session {
    fn icv(&self, response: bool) -> Zeroizing<Vec<u8>> {
        let marked = if response { 1 << 127 } else { 0 };
        aes_ecb_encrypt(&self.keys.enc, &(self.counter | marked).to_be_bytes()).unwrap()
    }

    /// Verifies a command and gives its plain data.
    fn open(&mut self, command: &Command) -> Option<Vec<u8>> {
        let sealed = command.data().len().checked_sub(self.mac)?;
        let (data, mac) = command.data().split_at(sealed);
        let length = command.data().len();
        let [cla, ins, p1, p2] = command.header();
        let mut input = self.chaining.clone();
        input.extend([cla & !0x10, ins, p1, p2]);
        match (command.needs_extended(), u8::try_from(length)) {
            (false, Ok(length)) => input.push(length),
            _ => {
                input.push(0);
                input.extend(&u32::try_from(length).unwrap().to_be_bytes()[2..]);
            }
        }
        input.extend(data);
        self.chaining = aes_cmac(&self.keys.mac, &input).to_vec();
        if mac != &self.chaining[..self.mac] {
            return None;
        }
        if ins == 0x82 {
            return Some(data.to_vec());
        }
        self.counter += 1;
        if self.level & 0x02 == 0 || data.is_empty() {
            return Some(data.to_vec());
        }
        let mut plain = aes_cbc_decrypt(&self.keys.enc, data).unwrap().to_vec();
        xor(&mut plain, &self.icv(false));
        let end = plain.iter().rposition(|byte| *byte == 0x80).unwrap();
        plain.truncate(end);
        Some(plain)
    }

    fn close(&self, data: Vec<u8>) -> Vec<u8> {
        if self.level & 0x10 == 0 {
            return data;
        }
        let mut sealed = data;
        if self.level & 0x20 != 0 && !sealed.is_empty() {
            sealed.push(0x80);
            sealed.resize(sealed.len().next_multiple_of(16), 0);
            xor(&mut sealed, &self.icv(true));
            sealed = aes_cbc_encrypt(&self.keys.enc, &sealed).unwrap().to_vec();
        }
        let input = [&self.chaining[..], &sealed, &[0x90, 0x00]].concat();
        sealed.extend(&aes_cmac(&self.keys.rmac, &input)[..self.mac]);
        sealed
    }
}

/// A chip that keeps what is written, until its mood changes.
pub(super) struct Chip {
    case: Case,
    sent: usize,
    chain: Vec<u8>,
    pending: Vec<u8>,
    handshake: Option<SessionKeys>,
    session: Option<Session>,
    current: String,
    pub(super) written: BTreeMap<String, Vec<u8>>,
    /// The length that the latest answer corrected to, if it did.
    corrected: Option<usize>,
    veil: Veil,
    pub(super) shown: String,
}

impl Chip {
    pub(super) fn new(case: &Case) -> Self {
        Self {
            case: case.clone(),
            sent: 0,
            chain: Vec::new(),
            pending: Vec::new(),
            handshake: None,
            session: None,
            current: String::new(),
            written: BTreeMap::new(),
            corrected: None,
            veil: Veil::default(),
            shown: String::new(),
        }
    }

    /// Asserts what the limits say of every command that reaches a reader.
    fn fits(&self, command: &Command) {
        let Limits {
            command: most,
            response,
            extended,
            ..
        } = self.case.limits;
        assert!(
            command.data().len() <= most,
            "{command:?} is longer than {most}"
        );
        let le = command.le().unwrap_or(0) as usize;
        // Which length is right the chip itself says by 6Cxx.
        assert!(
            le <= response || Some(le) == self.corrected,
            "{command:?} asks for more than {response}"
        );
        assert!(
            extended || !command.needs_extended(),
            "{command:?} is extended"
        );
    }

    /// Returns whether it does what it likes, and so cannot rely on what it was told before.
    fn is_angry(&self) -> bool {
        self.case.moods.is_some()
    }

    fn mood(&self) -> Mood {
        match &self.case.moods {
            Some((from, moods)) if self.sent > *from => moods[self.sent % moods.len()].clone(),
            _ => Mood::Obeys,
        }
    }

    fn obey(&mut self, command: &Command) -> Vec<u8> {
        if command.ins() == 0xC0 {
            return self.part(command.le());
        }
        if command.cla() & 0x10 != 0 {
            self.chain.extend_from_slice(command.data());
            return vec![0x90, 0x00];
        }
        let mut whole = std::mem::take(&mut self.chain);
        whole.extend_from_slice(command.data());
        let whole = command.clone().with_data(whole);
        let secured = command.cla() & 0x04 != 0;
        if !secured && command.ins() == 0xA4 {
            self.session = None;
        }
        if command.ins() == 0x82 && secured {
            let (level, mac) = match self.case.scp03() {
                Some((level, s16)) => (LEVELS[level].1, if s16 { 16 } else { 8 }),
                None => (0, 8),
            };
            assert_eq!(command.p1(), level);
            self.session = self.handshake.take().map(|keys| Session {
                keys,
                level,
                mac,
                chaining: vec![0; 16],
                counter: 0,
            });
        }
        let data = match (&mut self.session, secured) {
            (Some(session), true) => match session.open(&whole) {
                Some(data) => data,
                None => {
                    assert!(self.is_angry(), "the MAC of {whole:?} is right");
                    return vec![0x69, 0x82];
                }
            },
            (None, true) => return vec![0x69, 0x85],
            _ => whole.data().to_vec(),
        };
        let answer = self.does(&whole, &data);
        self.pending = match &self.session {
            Some(session) if secured && command.ins() != 0x82 => session.close(answer),
            _ => answer,
        };
        self.part(command.le())
    }

    /// Gives as much of what is pending as was asked for.
    fn part(&mut self, le: Option<u32>) -> Vec<u8> {
        let most = self.pending.len().min(le.unwrap_or(0) as usize);
        let rest = self.pending.split_off(most);
        let mut answer = std::mem::replace(&mut self.pending, rest);
        match u8::try_from(self.pending.len()) {
            Ok(0) => answer.extend([0x90, 0x00]),
            Ok(left) => answer.extend([0x61, left]),
            Err(_) => answer.extend([0x61, 0x00]),
        }
        answer
    }

    fn does(&mut self, command: &Command, data: &[u8]) -> Vec<u8> {
        let offset = usize::from(command.p1()) << 8 | usize::from(command.p2());
        let [kind, number] = [data.first(), data.get(1)].map(|byte| byte.copied().unwrap_or(0));
        match (command.ins(), command.p1()) {
            (0xCA, _) => vec![7; 8],
            (0x50, version) => self.initialize(version, data),
            (0x84, _) => vec![9; 16],
            (0x82, _) => {
                let proof = aes_ecb_encrypt(&key(), &[9; 16]).unwrap();
                match (self.case.way, data.split_at_checked(16)) {
                    (Way::Challenge { mutual }, Some((given, host))) => {
                        assert!(self.is_angry() || given == &proof[..], "the issuer's proof");
                        let answer = aes_ecb_encrypt(&key(), host).unwrap().to_vec();
                        if mutual { answer } else { Vec::new() }
                    }
                    _ => Vec::new(),
                }
            }
            (0xE0, _) => {
                self.current = format!("f{}", data[3]);
                self.written.insert(self.current.clone(), Vec::new());
                Vec::new()
            }
            (0xA4, 0x02) => {
                self.current = format!("f{number}");
                Vec::new()
            }
            (0xDB, 0x00) | (0xDD, _) => {
                self.current = format!("d{number}");
                if command.ins() == 0xDB {
                    self.written.insert(self.current.clone(), Vec::new());
                }
                Vec::new()
            }
            (0xDB, _) => {
                // An angry chip did not keep every piece of the chain.
                assert!(self.is_angry() || kind == 0x5C, "a tag list comes first");
                if let Some([id, content]) = self.objects(data) {
                    self.written.insert(format!("d{}", id[1]), content);
                }
                Vec::new()
            }
            (0xD6, _) => {
                self.write(offset, data);
                Vec::new()
            }
            (0xD7, _) => {
                if let Some([offset, content]) = self.objects(data) {
                    let offset = offset
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                    assert!(offset >= 32_768, "near offsets are spelled otherwise");
                    self.write(offset, &content);
                }
                Vec::new()
            }
            (0xD2 | 0xDC, _) => {
                let end = self.written.get(&self.current).map_or(0, Vec::len);
                self.write(end, data);
                Vec::new()
            }
            (0xB0, _) => {
                let asked = command.le().unwrap_or(0) as usize;
                let held = self
                    .written
                    .get(&self.current)
                    .map_or(&[][..], Vec::as_slice);
                let rest = held.get(offset..).unwrap_or_default();
                rest[..asked.min(rest.len())].to_vec()
            }
            (0x2A, _) => {
                let signed = EcdsaSig::sign(data, &signing_key().ec_key().unwrap()).unwrap();
                let [r, s] = [signed.r(), signed.s()].map(|part| part.to_vec_padded(32).unwrap());
                [r, s].concat()
            }
            (0xCF, _) => vec![3],
            (0x47, _) => hex::decode(format!("7F4943{}{POINT}", "8641")).unwrap(),
            _ => Vec::new(),
        }
    }

    /// Reads the two objects of a command; an angry chip may have missed a piece of it.
    fn objects(&self, data: &[u8]) -> Option<[Vec<u8>; 2]> {
        let objects = card::tlv::parse_all(data).unwrap_or_default();
        let values: Vec<_> = objects.iter().map(|object| object.value.to_vec()).collect();
        let found = <[Vec<u8>; 2]>::try_from(values).ok();
        assert!(self.is_angry() || found.is_some(), "two whole objects");
        found
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let is_angry = self.is_angry();
        let held = self.written.entry(self.current.clone()).or_default();
        assert!(
            is_angry || held.len() == offset,
            "a gap or an overlap at {offset}"
        );
        held.extend_from_slice(data);
    }

    fn initialize(&mut self, version: u8, host: &[u8]) -> Vec<u8> {
        let Some((_, s16)) = self.case.scp03() else {
            return Vec::new();
        };
        let length = if s16 { 16 } else { 8 };
        let mut answer = vec![0; 10];
        answer.extend([version, 3, if s16 { 0x01 } else { 0x00 } | 0x60]);
        answer.extend(vec![5; length]);
        let blank = [&answer[..], &vec![0; length]].concat();
        let keys = session(&blank, host).unwrap();
        let context = [host, &vec![5; length]].concat();
        let bits = u16::try_from(8 * length).unwrap();
        answer.extend(&kdf(&keys.mac, 0x00, &context, bits).unwrap()[..]);
        self.handshake = Some(keys);
        answer
    }
}

impl Channel for Chip {
    fn transmit(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let command = Command::parse(bytes).unwrap();
        self.fits(&command);
        writeln!(self.shown, "{}", self.veil.command(bytes)).unwrap();
        self.sent += 1;
        let answer = match self.mood() {
            Mood::Obeys => self.obey(&command),
            Mood::Says(data, status) => [&data[..], &status.to_be_bytes()].concat(),
            Mood::Announces(left) => vec![0x61, left],
            Mood::Corrects(le) => vec![0x6C, le],
            Mood::Garbles(bytes) => bytes,
            Mood::Mute => return Err(ChannelError::Removed),
        };
        self.corrected = match answer[..] {
            [0x6C, 0] => Some(256),
            [0x6C, le] => Some(le.into()),
            _ => None,
        };
        let shown = self.veil.response(bytes, &answer);
        // What a hostile chip sends is no secret of ours, and long.
        if self.case.moods.is_none() {
            writeln!(self.shown, "{shown}").unwrap();
        }
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        &[0x3B, 0x00]
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        Ok(self.atr().to_vec())
    }
}

/// The private key of [`POINT`], the base point: one.
pub(super) fn signing_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let one = BigNum::from_u32(1).unwrap();
    let key = EcKey::from_private_components(&group, &one, group.generator_opt().unwrap()).unwrap();
    PKey::from_ec_key(key).unwrap()
}

pub(super) fn session(update: &[u8], host: &[u8]) -> Option<SessionKeys> {
    let keys = StaticKeys {
        enc: key(),
        mac: key(),
        dek: key(),
    };
    let host = HostChallenge::try_from(host).ok()?;
    let update = InitializeUpdate::parse(update).ok()?;
    update.session_keys(&keys, &host).ok()
}
