//! A reader: PACE, BAC and secure messaging, with openssl only.

use card::{Command, tlv};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::sha::{sha1, sha256};
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

use super::desk::{Answer, Desk};
use crate::vectors::unhex;

/// Keys and counter of the reader's end.
pub(super) struct Tunnel {
    pub(super) arc: u8,
    pub(super) enc: Vec<u8>,
    pub(super) mac: Vec<u8>,
    pub(super) counter: u128,
}

/// Derives a key: counter 1, 2 or 3.
pub(super) fn derive(arc: u8, secret: &[u8], counter: u8) -> Vec<u8> {
    let input = [secret, &[0, 0, 0, counter]].concat();
    let mut key = match arc {
        1 | 2 => sha1(&input)[..16].to_vec(),
        3 => sha256(&input)[..24].to_vec(),
        _ => sha256(&input).to_vec(),
    };
    if arc == 1 {
        // Parity is not looked at by triple DES.
        key.extend(key[..8].to_vec());
    }
    key
}

pub(super) fn crypt(arc: u8, mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Vec<u8> {
    let cipher = match arc {
        1 => Cipher::des_ede3_cbc(),
        2 => Cipher::aes_128_cbc(),
        3 => Cipher::aes_192_cbc(),
        _ => Cipher::aes_256_cbc(),
    };
    let mut crypter = Crypter::new(cipher, mode, key, Some(iv)).unwrap();
    crypter.pad(false);
    let mut out = vec![0; data.len() + 16];
    let length = crypter.update(data, &mut out).unwrap();
    out.truncate(length);
    out
}

fn block(arc: u8) -> usize {
    if arc == 1 { 8 } else { 16 }
}

fn pad(arc: u8, data: &[u8]) -> Vec<u8> {
    let mut out = [data, &[0x80]].concat();
    out.resize(out.len().next_multiple_of(block(arc)), 0);
    out
}

/// Computes a MAC of 8 bytes; triple DES pads by itself here, AES does not.
pub(super) fn mac(arc: u8, key: &[u8], data: &[u8]) -> Vec<u8> {
    if arc == 1 {
        let padded = pad(1, data);
        let single = [&key[..8], &key[..8], &key[..8]].concat();
        let (first, last) = padded.split_at(padded.len() - 8);
        let iv = [0; 8];
        let chained = match first {
            [] => iv.to_vec(),
            first => {
                let out = crypt(1, Mode::Encrypt, &single, &iv, first);
                out[out.len() - 8..].to_vec()
            }
        };
        return crypt(1, Mode::Encrypt, key, &chained, last);
    }
    let cipher = match arc {
        2 => Cipher::aes_128_cbc(),
        3 => Cipher::aes_192_cbc(),
        _ => Cipher::aes_256_cbc(),
    };
    let key = PKey::cmac(&cipher, key).unwrap();
    let mut signer = Signer::new_without_digest(&key).unwrap();
    signer.update(data).unwrap();
    signer.sign_to_vec().unwrap()[..8].to_vec()
}

pub(super) fn object(tag: &str, value: &[u8]) -> Vec<u8> {
    [unhex(tag), tlv::encode_length(value.len()), value.to_vec()].concat()
}

/// Returns the value at a path of tags.
#[track_caller]
pub(super) fn at(data: &[u8], path: &[u32]) -> Vec<u8> {
    let path: Vec<_> = path
        .iter()
        .map(|tag| tlv::Tag::new(*tag).unwrap())
        .collect();
    tlv::find(data, &path)
        .unwrap()
        .expect("the object")
        .to_vec()
}

impl Tunnel {
    pub(super) fn new(arc: u8, shared: &[u8]) -> Self {
        Self {
            arc,
            enc: derive(arc, shared, 1),
            mac: derive(arc, shared, 2),
            counter: 0,
        }
    }

    fn prefix(&self) -> Vec<u8> {
        self.counter.to_be_bytes()[16 - block(self.arc)..].to_vec()
    }

    fn iv(&self) -> Vec<u8> {
        let zeros = vec![0; block(self.arc)];
        if self.arc == 1 {
            return zeros;
        }
        crypt(self.arc, Mode::Encrypt, &self.enc, &zeros, &self.prefix())
    }

    fn authenticated(&self, data: &[u8]) -> Vec<u8> {
        if self.arc == 1 {
            data.to_vec()
        } else {
            pad(self.arc, data)
        }
    }

    /// Protects a command.
    pub(super) fn wrap(&mut self, header: [u8; 4], data: &[u8], le: Option<u16>) -> Command {
        self.counter += 1;
        let [cla, ins, p1, p2] = header;
        let header = [cla | 0x0C, ins, p1, p2];
        let mut objects = Vec::new();
        if !data.is_empty() {
            let padded = pad(self.arc, data);
            let sealed = crypt(self.arc, Mode::Encrypt, &self.enc, &self.iv(), &padded);
            objects = if ins & 1 == 1 {
                object("85", &sealed)
            } else {
                object("87", &[&[0x01], &sealed[..]].concat())
            };
        }
        if let Some(le) = le {
            let le = if le < 256 {
                vec![le as u8]
            } else {
                le.to_be_bytes().to_vec()
            };
            objects.extend(object("97", &le));
        }
        let message = [self.prefix(), pad(self.arc, &header), objects.clone()].concat();
        let mac = mac(self.arc, &self.mac, &self.authenticated(&message));
        objects.extend(object("8E", &mac));
        let le = if le.is_some_and(|le| le >= 256) {
            65536
        } else {
            256
        };
        Command::from_header(header).with_data(objects).with_le(le)
    }

    /// Opens an answer; the status word inside is the one outside.
    #[track_caller]
    pub(super) fn unwrap(&mut self, ins: u8, (data, status): Answer) -> Answer {
        self.counter += 1;
        let (body, tail) = data.split_at(data.len() - 10);
        let message = [self.prefix(), body.to_vec()].concat();
        let mac = mac(self.arc, &self.mac, &self.authenticated(&message));
        assert_eq!(tail, object("8E", &mac), "the MAC of {status:04X}");
        let objects = tlv::parse_all(body).unwrap();
        let (word, sealed) = objects.split_last().unwrap();
        assert_eq!(word.value, status.to_be_bytes());
        let plain = sealed.first().map(|object| {
            let sealed = if ins & 1 == 1 {
                object.value
            } else {
                &object.value[1..]
            };
            let padded = crypt(self.arc, Mode::Decrypt, &self.enc, &self.iv(), sealed);
            let end = padded.iter().rposition(|byte| *byte != 0).unwrap();
            assert_eq!(padded[end], 0x80);
            padded[..end].to_vec()
        });
        (plain.unwrap_or_default(), status)
    }
}

/// A reader at a chip.
pub(super) struct Reader {
    pub(super) desk: Desk,
    pub(super) tunnel: Tunnel,
    /// X of the chip's key in PACE, and of the reader's.
    pub(super) chip: Vec<u8>,
    pub(super) own: Vec<u8>,
    /// Chip authentication data, and the chip's key of the mapping.
    pub(super) proof: Option<(Vec<u8>, Vec<u8>)>,
}

pub(super) fn group(nid: Nid) -> EcGroup {
    EcGroup::from_curve_name(nid).unwrap()
}

pub(super) fn encode(group: &EcGroup, point: &EcPoint) -> Vec<u8> {
    let form = PointConversionForm::UNCOMPRESSED;
    point
        .to_bytes(group, form, &mut BigNumContext::new().unwrap())
        .unwrap()
}

pub(super) fn decode(group: &EcGroup, bytes: &[u8]) -> EcPoint {
    EcPoint::from_bytes(group, bytes, &mut BigNumContext::new().unwrap()).unwrap()
}

pub(super) fn times(group: &EcGroup, point: &EcPoint, scalar: &BigNum) -> EcPoint {
    let mut out = EcPoint::new(group).unwrap();
    let mut context = BigNumContext::new().unwrap();
    out.mul2(group, point, scalar, &mut context).unwrap();
    out
}

pub(super) fn x(point: &[u8]) -> Vec<u8> {
    point[1..=point.len() / 2].to_vec()
}

/// Draws a key pair.
pub(super) fn pair(group: &EcGroup) -> (BigNum, EcPoint) {
    let key = EcKey::generate(group).unwrap();
    let public = key.public_key().to_owned(group).unwrap();
    (key.private_key().to_owned().unwrap(), public)
}

/// Sends one step of GENERAL AUTHENTICATE, chained unless it is the last.
#[track_caller]
pub(super) fn step(desk: &mut Desk, last: bool, content: &[u8]) -> Vec<u8> {
    let cla = if last { 0x00 } else { 0x10 };
    let command = Command::new(cla, 0x86, 0, 0).with_data(object("7C", content));
    let (data, status) = desk.transmit(&command.with_le(256));
    assert_eq!(format!("{status:04X}"), "9000");
    at(&data, &[0x7C])
}

impl Reader {
    /// Opens a session by PACE with generic or chip authentication mapping.
    #[track_caller]
    pub(super) fn pace(mut desk: Desk, protocol: &str, number: u8, nid: Nid, can: bool) -> Self {
        let password = if can { b"123456".to_vec() } else { zone() };
        let arc = *unhex(protocol).last().unwrap();
        let (password_number, group) = (if can { "02" } else { "01" }, group(nid));
        let prepare = format!("0022C1A412 800A{protocol} 8301{password_number} 8401{number:02X}");
        desk.expect(&prepare, 0x9000);
        let sealed = at(&step(&mut desk, false, &[]), &[0x80]);
        let zeros = vec![0; block(arc)];
        let key = derive(arc, &password, 3);
        let nonce = crypt(arc, Mode::Decrypt, &key, &zeros, &sealed);
        let (private, public) = pair(&group);
        let sent = object("81", &encode(&group, &public));
        let mapped = at(&step(&mut desk, false, &sent), &[0x82]);
        let shared = times(&group, &decode(&group, &mapped), &private);
        let mut context = BigNumContext::new().unwrap();
        let mut multiple = EcPoint::new(&group).unwrap();
        let nonce = BigNum::from_slice(&nonce).unwrap();
        multiple
            .mul_generator2(&group, &nonce, &mut context)
            .unwrap();
        let mut generator = EcPoint::new(&group).unwrap();
        generator
            .add(&group, &multiple, &shared, &mut context)
            .unwrap();
        Self::finish(desk, protocol, &group, &generator, Some(&mapped))
    }

    /// Agrees over a mapped generator; `mapped` is the chip's key of the mapping.
    #[track_caller]
    pub(super) fn finish(
        mut desk: Desk,
        protocol: &str,
        group: &EcGroup,
        generator: &EcPoint,
        mapped: Option<&[u8]>,
    ) -> Self {
        let arc = *unhex(protocol).last().unwrap();
        let (private, _) = pair(group);
        let own = encode(group, &times(group, generator, &private));
        let chip = at(&step(&mut desk, false, &object("83", &own)), &[0x84]);
        let shared = times(group, &decode(group, &chip), &private);
        let tunnel = Tunnel::new(arc, &x(&encode(group, &shared)));
        let token = |point: &[u8]| {
            let content = [object("06", &unhex(protocol)), object("86", point)].concat();
            mac(arc, &tunnel.mac, &object("7F49", &content))
        };
        let answer = step(&mut desk, true, &object("85", &token(&chip)));
        assert_eq!(at(&answer, &[0x86]), token(&own));
        // Chip authentication mapping: the chip's key times the data is its mapping key.
        let proof = (unhex(protocol)[8] == 6).then(|| {
            let iv = crypt(arc, Mode::Encrypt, &tunnel.enc, &[0; 16], &[0xFF; 16]);
            let padded = crypt(arc, Mode::Decrypt, &tunnel.enc, &iv, &at(&answer, &[0x8A]));
            let end = padded.iter().rposition(|byte| *byte == 0x80).unwrap();
            (padded[..end].to_vec(), mapped.unwrap().to_vec())
        });
        let (chip, own) = (x(&chip), x(&own));
        Self {
            desk,
            tunnel,
            chip,
            own,
            proof,
        }
    }

    /// Opens a session by BAC.
    #[track_caller]
    pub(super) fn bac(mut desk: Desk) -> Self {
        desk.expect("00A4040C07A0000002471001", 0x9000);
        let challenge = desk.expect("0084000008", 0x9000);
        let seed = &zone()[..16];
        let (enc, mac_key) = (derive(1, seed, 1), derive(1, seed, 2));
        let message = [&[0x11; 8][..], &challenge, &[0x22; 16]].concat();
        let mut sealed = crypt(1, Mode::Encrypt, &enc, &[0; 8], &message);
        sealed.extend(mac(1, &mac_key, &sealed));
        let command = Command::new(0, 0x82, 0, 0).with_data(sealed).with_le(40);
        let (answer, status) = desk.transmit(&command);
        assert_eq!(status, 0x9000);
        assert_eq!(answer[32..], mac(1, &mac_key, &answer[..32]));
        let opened = crypt(1, Mode::Decrypt, &enc, &[0; 8], &answer[..32]);
        assert_eq!(opened[..8], challenge);
        let shared: Vec<u8> = opened[16..].iter().map(|byte| byte ^ 0x22).collect();
        let mut tunnel = Tunnel::new(1, &shared);
        let halves = [&challenge[4..], &[0x11; 4]].concat();
        tunnel.counter = u64::from_be_bytes(halves.try_into().unwrap()).into();
        Self {
            desk,
            tunnel,
            chip: b"T220001293".to_vec(),
            own: Vec::new(),
            proof: None,
        }
    }

    /// Sends a protected command.
    #[track_caller]
    pub(super) fn send(&mut self, header: &str, data: &[u8], le: Option<u16>) -> Answer {
        let header: [u8; 4] = unhex(header).try_into().unwrap();
        let command = self.tunnel.wrap(header, data, le);
        let answer = self.desk.transmit(&command);
        self.tunnel.unwrap(header[1], answer)
    }

    /// Sends a protected command and checks its status word.
    #[track_caller]
    pub(super) fn expect(&mut self, header: &str, data: &str, status: u16) {
        let (_, got) = self.send(header, &unhex(data), None);
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"), "{header}");
    }

    /// Enters the application.
    #[track_caller]
    pub(super) fn enter(&mut self) {
        self.expect("00A4040C", "A0000002471001", 0x9000);
    }

    /// Reads a file of so many bytes.
    #[track_caller]
    pub(super) fn read(&mut self, id: &str, length: usize) -> Vec<u8> {
        self.expect("00A4020C", id, 0x9000);
        let mut read = Vec::new();
        while read.len() < length {
            let offset = read.len();
            let piece = if offset < 0x8000 {
                let (piece, status) = self.send(&format!("00B0{offset:04X}"), &[], Some(0xDF));
                assert_eq!(status, 0x9000);
                piece
            } else {
                let place = unhex(&format!("5402{offset:04X}"));
                let (data, status) = self.send("00B10000", &place, Some(0xDF));
                assert_eq!(status, 0x9000);
                at(&data, &[0x53])
            };
            assert!(!piece.is_empty());
            read.extend(piece);
        }
        read
    }
}

/// Returns the hash of the MRZ information: PACE's password.
pub(super) fn zone() -> Vec<u8> {
    sha1(b"T22000129364081251010318").to_vec()
}
