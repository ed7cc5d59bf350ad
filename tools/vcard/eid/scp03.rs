//! The chip's end of the secure channel: SCP03, i = 70 (GP Amendment D).
//!
//! ```text
//! Closed ──INITIALIZE UPDATE──► Offer ──EXTERNAL AUTHENTICATE──► Session
//!    ▲                            │ 6300                            │ wrong MAC, clear command,
//!    └────────────────────────────┴─────────────────────────────────┘ SELECT by AID, reset
//! ```

use card::{Command, Status};
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

use crate::aes::{self, BLOCK};
use crate::secret::{Secret, same};
use crate::transmission::Form;

/// Bytes of a MAC on the wire; the whole 16 are chained (Amendment D §6.2.4).
const MAC: usize = 8;
/// Class bit of GlobalPlatform secure messaging.
const SECURED: u8 = 0x04;

/// The derivation constants of Amendment D §4.1.5, table 4-1.
mod purpose {
    pub(super) const CARD_CRYPTOGRAM: u8 = 0x00;
    pub(super) const HOST_CRYPTOGRAM: u8 = 0x01;
    pub(super) const CARD_CHALLENGE: u8 = 0x02;
    pub(super) const ENC: u8 = 0x04;
    pub(super) const MAC: u8 = 0x06;
    pub(super) const RMAC: u8 = 0x07;
}

/// The static keys of one key set, AES.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StaticKeys {
    pub(crate) enc: Secret,
    pub(crate) mac: Secret,
    pub(crate) dek: Secret,
}

/// Derives `bits` bits: SP 800-108 in counter mode with CMAC (Amendment D §4.1.5).
fn derive(key: &Secret, purpose: u8, context: &[u8], bits: u16) -> Result<Secret, ErrorStack> {
    let mut output = Zeroizing::new(Vec::new());
    let length = usize::from(bits / 8);
    for counter in 1_u8.. {
        if output.len() >= length {
            break;
        }
        let [high, low] = bits.to_be_bytes();
        let label = [&[0; 11][..], &[purpose, 0x00, high, low, counter]].concat();
        output.extend(aes::cmac(key.bytes(), &[&label, context])?);
    }
    output.truncate(length);
    Ok(Secret::new(output.to_vec()))
}

fn derive_eight(key: &Secret, purpose: u8, context: &[u8]) -> Result<[u8; 8], ErrorStack> {
    let derived = derive(key, purpose, context, 64)?;
    let mut out = [0; 8];
    for (to, from) in out.iter_mut().zip(derived.bytes()) {
        *to = *from;
    }
    Ok(out)
}

/// Computes the pseudo-random card challenge (Amendment D §6.2.2.1).
pub(crate) fn card_challenge(
    keys: &StaticKeys,
    counter: [u8; 3],
    aid: &[u8],
) -> Result<[u8; 8], ErrorStack> {
    let context = [&counter[..], aid].concat();
    derive_eight(&keys.enc, purpose::CARD_CHALLENGE, &context)
}

/// A security level of EXTERNAL AUTHENTICATE (Amendment D §7.1.2, table 7-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level(u8);

impl Level {
    /// Accepts 01, 03, 11, 13 and 33.
    pub(crate) fn new(value: u8) -> Option<Self> {
        matches!(value, 0x01 | 0x03 | 0x11 | 0x13 | 0x33).then_some(Self(value))
    }

    /// Says whether commands are encrypted.
    pub(crate) fn decrypts_commands(self) -> bool {
        self.0 & 0x02 != 0
    }

    fn macs_responses(self) -> bool {
        self.0 & 0x10 != 0
    }

    fn encrypts_responses(self) -> bool {
        self.0 & 0x20 != 0
    }
}

/// What INITIALIZE UPDATE offered: waits for the host to prove itself.
pub(crate) struct Offer {
    session: Session,
    host_cryptogram: [u8; 8],
    card_cryptogram: [u8; 8],
}

impl Offer {
    /// Derives session keys and both cryptograms (Amendment D §6.2.1, §6.2.2).
    pub(crate) fn new(
        keys: &StaticKeys,
        key_version: u8,
        host_challenge: &[u8; 8],
        card_challenge: &[u8; 8],
    ) -> Result<Self, ErrorStack> {
        let context = [&host_challenge[..], card_challenge].concat();
        let bits = |key: &Secret| u16::try_from(key.bytes().len() * 8).unwrap_or(128);
        let enc = derive(&keys.enc, purpose::ENC, &context, bits(&keys.enc))?;
        let mac = derive(&keys.mac, purpose::MAC, &context, bits(&keys.mac))?;
        let rmac = derive(&keys.mac, purpose::RMAC, &context, bits(&keys.mac))?;
        Ok(Self {
            host_cryptogram: derive_eight(&mac, purpose::HOST_CRYPTOGRAM, &context)?,
            card_cryptogram: derive_eight(&mac, purpose::CARD_CRYPTOGRAM, &context)?,
            session: Session {
                enc,
                mac,
                rmac,
                dek: keys.dek.clone(),
                key_version,
                level: Level(0),
                chaining: [0; BLOCK],
                counter: 0,
            },
        })
    }

    /// Returns the card cryptogram.
    pub(crate) fn card_cryptogram(&self) -> [u8; 8] {
        self.card_cryptogram
    }

    /// Judges EXTERNAL AUTHENTICATE: C-MAC first, then the host cryptogram.
    /// `None` where either is wrong.
    pub(crate) fn accept(
        mut self,
        command: &Command,
        level: Level,
    ) -> Result<Option<Session>, ErrorStack> {
        let Some(cryptogram) = self.session.check_mac(command, Form::Short)? else {
            return Ok(None);
        };
        self.session.level = level;
        Ok(same(cryptogram, &self.host_cryptogram).then_some(self.session))
    }
}

/// An open session.
pub(crate) struct Session {
    enc: Secret,
    mac: Secret,
    rmac: Secret,
    dek: Secret,
    key_version: u8,
    level: Level,
    chaining: [u8; BLOCK],
    counter: u128,
}

impl Session {
    /// Returns the security level.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Says whether no command has come through it yet.
    pub(crate) fn is_new(&self) -> bool {
        self.counter == 0
    }

    /// Returns the version of the key set that opened the session.
    pub(crate) fn key_version(&self) -> u8 {
        self.key_version
    }

    /// Decrypts key material under the static data encryption key (Amendment D §6.2.8).
    pub(crate) fn decrypt_key(&self, blocks: &[u8]) -> Result<Secret, ErrorStack> {
        aes::cbc_decrypt(self.dek.bytes(), &[0; BLOCK], blocks).map(Secret::new)
    }

    /// Takes the secure messaging off a command: checks C-MAC, decrypts (Amendment D §6.2.4,
    /// §6.2.6). The outer `Err` is openssl's, `Ok(None)` says: end the session, answer 6988.
    pub(crate) fn unwrap(
        &mut self,
        command: &Command,
        form: Form,
    ) -> Result<Option<Command>, ErrorStack> {
        let Some(data) = self.check_mac(command, form)? else {
            return Ok(None);
        };
        // The counter counts every command, with data or without (Amendment D §6.2.6).
        self.counter += 1;
        let mut clear = Zeroizing::new(data.to_vec());
        if self.level.decrypts_commands() && !data.is_empty() {
            if !data.len().is_multiple_of(BLOCK) {
                return Ok(None);
            }
            let iv = aes::encrypt_block(self.enc.bytes(), &self.counter.to_be_bytes())?;
            clear = Zeroizing::new(aes::cbc_decrypt(self.enc.bytes(), &iv, data)?);
            let Some(length) = unpadded(&clear) else {
                return Ok(None);
            };
            clear.truncate(length);
        }
        let plain = Command::from_header(command.header()).with_cla(command.cla() & !SECURED);
        let plain = plain.with_data(clear.to_vec());
        Ok(Some(match command.le() {
            Some(le) => plain.with_le(le),
            None => plain,
        }))
    }

    /// Puts the secure messaging on a response: R-ENC, then R-MAC (Amendment D §6.2.5,
    /// §6.2.7). Error status words go bare.
    pub(crate) fn wrap(&self, data: &[u8], status: Status) -> Result<Vec<u8>, ErrorStack> {
        let protected = status.is_ok() || matches!(status.value() >> 8, 0x62 | 0x63);
        if !protected || !self.level.macs_responses() {
            return Ok(data.to_vec());
        }
        let mut out = data.to_vec();
        if self.level.encrypts_responses() && !data.is_empty() {
            let mut padded = Zeroizing::new(data.to_vec());
            padded.push(0x80);
            let whole = padded.len().next_multiple_of(BLOCK);
            padded.resize(whole, 0);
            let block = (self.counter | 0x80 << 120).to_be_bytes();
            let iv = aes::encrypt_block(self.enc.bytes(), &block)?;
            out = aes::cbc_encrypt(self.enc.bytes(), &iv, &padded)?;
        }
        let word = status.value().to_be_bytes();
        let mac = aes::cmac(self.rmac.bytes(), &[&self.chaining, &out, &word])?;
        out.extend(mac.iter().take(MAC));
        Ok(out)
    }

    /// Checks the C-MAC at the end of the data and returns what stands before it.
    fn check_mac<'a>(
        &mut self,
        command: &'a Command,
        form: Form,
    ) -> Result<Option<&'a [u8]>, ErrorStack> {
        let data = command.data();
        let Some((body, mac)) = data.len().checked_sub(MAC).map(|at| data.split_at(at)) else {
            return Ok(None);
        };
        // Lc is authenticated as it was sent; that of a chain's whole is long or short.
        let [.., high, low] = data.len().to_be_bytes();
        let length: &[u8] = if high != 0 || form == Form::Extended {
            &[0, high, low]
        } else {
            &[low]
        };
        let expected = aes::cmac(
            self.mac.bytes(),
            &[&self.chaining, &command.header(), length, body],
        )?;
        if !same(mac, expected.get(..MAC).unwrap_or_default()) {
            return Ok(None);
        }
        self.chaining = expected;
        Ok(Some(body))
    }
}

/// Returns the length before the padding 80 00…00.
fn unpadded(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().rposition(|&byte| byte != 0)?;
    (bytes.get(end) == Some(&0x80) && bytes.len() - end <= BLOCK).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Row, load, unhex};

    fn keys(row: &Row) -> StaticKeys {
        StaticKeys {
            enc: Secret::new(row.bytes("static_enc")),
            mac: Secret::new(row.bytes("static_mac")),
            dek: Secret::new(row.bytes("static_dek")),
        }
    }

    /// Opens the session of a vector as the chip would; also judges the card cryptogram.
    fn open(row: &Row, response: &[u8]) -> Session {
        let challenge: [u8; 8] = response[13..21].try_into().unwrap();
        let host: [u8; 8] = row.bytes("host_challenge").try_into().unwrap();
        let offer = Offer::new(&keys(row), response[10], &host, &challenge).unwrap();
        assert_eq!(offer.card_cryptogram()[..], response[21..29]);
        let authenticate = Command::parse(&row.bytes("external_authenticate")).unwrap();
        let level = Level::new(authenticate.p1()).unwrap();
        let session = offer.accept(&authenticate, level).unwrap();
        session.expect("the host is genuine")
    }

    #[test]
    fn recorded_sessions_are_followed() {
        let file = load("globalplatform/scp03.json");
        let mut commands = 0;
        for row in file.rows("recorded") {
            let response = row.row("initialize_update").bytes("response");
            let mut session = open(&row, &response);
            for exchange in row.rows("exchanges") {
                let wrapped = Command::parse(&exchange.bytes("wrapped")).unwrap();
                let plain = session
                    .unwrap(&wrapped, Form::Short)
                    .unwrap()
                    .expect("MAC holds");
                // A published DELETE was sent without Le: compare what the MAC covers.
                let expected = Command::parse(&exchange.bytes("plain")).unwrap();
                assert_eq!(plain.header(), expected.header());
                assert_eq!(plain.data(), expected.data());
                if exchange.has("response_plain") {
                    let clear = exchange.bytes("response_plain");
                    let sealed = exchange.bytes("response");
                    let out = session.wrap(&clear, Status::OK).unwrap();
                    assert_eq!(out, sealed[..sealed.len() - 2]);
                }
                commands += 1;
            }
        }
        assert_eq!(commands, 9);
    }

    #[test]
    fn computed_sessions_are_followed_for_every_key_length() {
        let file = load("globalplatform/scp03.json");
        for row in file.row("computed").rows("sessions") {
            let response = row.bytes("initialize_update_response");
            let challenge = card_challenge(
                &keys(&row),
                response[29..32].try_into().unwrap(),
                &row.bytes("aid"),
            );
            assert_eq!(challenge.unwrap()[..], response[13..21]);
            let mut session = open(&row, &response);
            for exchange in row.rows("exchanges") {
                let wrapped = Command::parse(&exchange.bytes("wrapped")).unwrap();
                let plain = session
                    .unwrap(&wrapped, Form::Short)
                    .unwrap()
                    .expect("MAC holds");
                let expected = exchange.bytes("plain");
                assert_eq!(plain.encode().unwrap()[..], expected[..]);
                assert_eq!(session.chaining[..], exchange.bytes("mac_chaining_after"));
                let clear = exchange.bytes("response_plain");
                let (data, _) = clear.split_at(clear.len() - 2);
                let mut out = session.wrap(data, Status::OK).unwrap();
                out.extend([0x90, 0x00]);
                assert_eq!(out, exchange.bytes("response_wrapped"));
            }
        }
    }

    #[test]
    fn one_flipped_bit_anywhere_ends_the_session() {
        let file = load("globalplatform/scp03.json");
        let row = file.row("computed").rows("sessions").remove(0);
        let response = row.bytes("initialize_update_response");
        let wrapped = row.rows("exchanges").remove(0).bytes("wrapped");
        for index in (0..wrapped.len() - 1).filter(|index| *index != 4) {
            let mut bad = wrapped.clone();
            bad[index] ^= 1;
            let bad = Command::parse(&bad).unwrap();
            assert!(
                open(&row, &response)
                    .unwrap(&bad, Form::Short)
                    .unwrap()
                    .is_none()
            );
        }
    }

    #[test]
    fn a_wrong_host_is_refused() {
        let file = load("globalplatform/scp03.json");
        let row = file.row("computed").rows("sessions").remove(0);
        let response = row.bytes("initialize_update_response");
        let challenge = response[13..21].try_into().unwrap();
        let authenticate = row.bytes("external_authenticate");
        for index in 5..authenticate.len() {
            let mut bad = authenticate.clone();
            bad[index] ^= 1;
            let host = row.bytes("host_challenge").try_into().unwrap();
            let offer = Offer::new(&keys(&row), 0x30, &host, &challenge).unwrap();
            let bad = Command::parse(&bad).unwrap();
            assert!(offer.accept(&bad, Level(0x33)).unwrap().is_none());
        }
    }

    #[test]
    fn errors_go_bare_and_warnings_do_not() {
        let file = load("globalplatform/scp03.json");
        let row = file.row("computed").rows("sessions").remove(0);
        let session = open(&row, &row.bytes("initialize_update_response"));
        assert!(session.wrap(&[], Status::WRONG_DATA).unwrap().is_empty());
        let warned = session.wrap(&[], Status::new(0x63C2)).unwrap();
        assert_eq!(warned.len(), MAC);
    }

    #[test]
    fn padding_is_iso_9797_method_2() {
        assert_eq!(unpadded(&unhex("31328000")), Some(2));
        assert_eq!(unpadded(&unhex("80000000")), Some(0));
        assert_eq!(unpadded(&unhex("00000000")), None);
        assert_eq!(unpadded(&unhex("31320000")), None);
    }
}
