//! The chip's end of SCP03 (GP Amendment D), with MACs of 8 bytes or, in S16 mode, of 16.

use card::{Command, Status};
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use zeroize::Zeroizing;

use super::session::{self, Asked, Level, StaticKeys, is_protected, plain};
use crate::aes::{self, BLOCK};
use crate::secret::{Secret, same};
use crate::transmission::Form;

/// The derivation constants of Amendment D §4.1.5, table 4-1.
mod purpose {
    pub(super) const CARD_CRYPTOGRAM: u8 = 0x00;
    pub(super) const HOST_CRYPTOGRAM: u8 = 0x01;
    pub(super) const CARD_CHALLENGE: u8 = 0x02;
    pub(super) const ENC: u8 = 0x04;
    pub(super) const MAC: u8 = 0x06;
    pub(super) const RMAC: u8 = 0x07;
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

/// Derives a challenge or a cryptogram of so many bytes.
fn derive_bytes(
    key: &Secret,
    purpose: u8,
    context: &[u8],
    length: usize,
) -> Result<Vec<u8>, ErrorStack> {
    let bits = u16::try_from(length * 8).unwrap_or_default();
    Ok(derive(key, purpose, context, bits)?.bytes().to_vec())
}

/// Computes the pseudo-random card challenge (Amendment D §6.2.2.1).
fn card_challenge(
    keys: &StaticKeys,
    counter: [u8; 3],
    aid: &[u8],
    length: usize,
) -> Result<Vec<u8>, ErrorStack> {
    let context = [&counter[..], aid].concat();
    derive_bytes(&keys.enc, purpose::CARD_CHALLENGE, &context, length)
}

/// Answers INITIALIZE UPDATE: 03 ‖ i ‖ challenge ‖ cryptogram, and the counter where the
/// challenge follows from it (Amendment D §7.1.1).
pub(super) fn offer(asked: &Asked<'_>) -> Result<(Vec<u8>, Offer), ErrorStack> {
    let length = asked.scp.length();
    let [_, counter @ ..] = asked.counter.to_be_bytes();
    let challenge = if asked.scp.is_pseudo_random() {
        card_challenge(asked.keys, counter, asked.aid, length)?
    } else {
        let mut random = vec![0; length];
        rand_bytes(&mut random)?;
        random
    };
    let offer = Offer::new(
        asked.keys,
        asked.key_version,
        asked.host_challenge,
        &challenge,
    )?;
    let mut answer = asked.scp.bytes().to_vec();
    answer.extend(&challenge);
    answer.extend(&offer.card_cryptogram);
    if asked.scp.is_pseudo_random() {
        answer.extend(counter);
    }
    Ok((answer, offer))
}

/// What INITIALIZE UPDATE offered: waits for the host to prove itself.
pub(super) struct Offer {
    session: Session,
    host_cryptogram: Vec<u8>,
    card_cryptogram: Vec<u8>,
}

impl Offer {
    /// Derives session keys and both cryptograms (Amendment D §6.2.1, §6.2.2), as long as the
    /// challenges.
    fn new(
        keys: &StaticKeys,
        key_version: u8,
        host_challenge: &[u8],
        card_challenge: &[u8],
    ) -> Result<Self, ErrorStack> {
        let context = [host_challenge, card_challenge].concat();
        let length = card_challenge.len();
        let bits = |key: &Secret| u16::try_from(key.bytes().len() * 8).unwrap_or(128);
        let enc = derive(&keys.enc, purpose::ENC, &context, bits(&keys.enc))?;
        let mac = derive(&keys.mac, purpose::MAC, &context, bits(&keys.mac))?;
        let rmac = derive(&keys.mac, purpose::RMAC, &context, bits(&keys.mac))?;
        Ok(Self {
            host_cryptogram: derive_bytes(&mac, purpose::HOST_CRYPTOGRAM, &context, length)?,
            card_cryptogram: derive_bytes(&mac, purpose::CARD_CRYPTOGRAM, &context, length)?,
            session: Session {
                enc,
                mac,
                rmac,
                dek: keys.dek.clone(),
                key_version,
                level: Level::NONE,
                mac_length: length,
                chaining: [0; BLOCK],
                counter: 0,
            },
        })
    }
}

impl session::Offer for Offer {
    /// C-MAC first, then the host cryptogram.
    fn accept(
        mut self: Box<Self>,
        command: &Command,
        level: Level,
    ) -> Result<Option<Box<dyn session::Session>>, ErrorStack> {
        let Some(cryptogram) = self.session.check_mac(command, Form::Short)? else {
            return Ok(None);
        };
        if !same(cryptogram, &self.host_cryptogram) {
            return Ok(None);
        }
        self.session.level = level;
        Ok(Some(Box::new(self.session)))
    }
}

/// An open session.
pub(super) struct Session {
    enc: Secret,
    mac: Secret,
    rmac: Secret,
    dek: Secret,
    key_version: u8,
    level: Level,
    /// Bytes of a MAC on the wire; the whole 16 are chained (Amendment D §6.2.4).
    mac_length: usize,
    chaining: [u8; BLOCK],
    counter: u128,
}

impl session::Session for Session {
    fn level(&self) -> Level {
        self.level
    }

    fn is_new(&self) -> bool {
        self.counter == 0
    }

    fn key_version(&self) -> u8 {
        self.key_version
    }

    /// AES; in the field a length of its own before the key's 16 bytes (Amendment D §7.2).
    fn key_field(&self) -> &'static [u8] {
        &[0x88, 0x11, 0x10]
    }

    /// Under the static data encryption key (Amendment D §6.2.8).
    fn decrypt_key(&self, blocks: &[u8]) -> Result<Secret, ErrorStack> {
        aes::cbc_decrypt(self.dek.bytes(), &[0; BLOCK], blocks).map(Secret::new)
    }

    fn check_value(&self, key: &Secret) -> Result<[u8; 3], ErrorStack> {
        aes::check_value(key.bytes())
    }

    /// Checks C-MAC, decrypts (Amendment D §6.2.4, §6.2.6).
    fn unwrap(&mut self, command: &Command, form: Form) -> Result<Option<Command>, ErrorStack> {
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
        Ok(Some(plain(command, &clear)))
    }

    /// R-ENC, then R-MAC (Amendment D §6.2.5, §6.2.7).
    fn wrap(&mut self, data: &[u8], status: Status) -> Result<Vec<u8>, ErrorStack> {
        if !is_protected(status) || !self.level.macs_responses() {
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
        out.extend(mac.iter().take(self.mac_length));
        Ok(out)
    }
}

impl Session {
    /// Checks the C-MAC at the end of the data and returns what stands before it.
    fn check_mac<'a>(
        &mut self,
        command: &'a Command,
        form: Form,
    ) -> Result<Option<&'a [u8]>, ErrorStack> {
        let data = command.data();
        let Some(at) = data.len().checked_sub(self.mac_length) else {
            return Ok(None);
        };
        let (body, mac) = data.split_at(at);
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
        if !same(mac, expected.get(..self.mac_length).unwrap_or_default()) {
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
    use super::session::Offer as _;
    use super::*;
    use crate::scp::Scp;
    use crate::vectors::{Row, load, unhex};

    const I70: Scp = Scp::SCP03_I70;
    const MAC: usize = 8;

    fn keys(row: &Row) -> StaticKeys {
        StaticKeys {
            enc: Secret::new(row.bytes("static_enc")),
            mac: Secret::new(row.bytes("static_mac")),
            dek: Secret::new(row.bytes("static_dek")),
        }
    }

    /// Opens the session of a vector as the chip would; also judges the card cryptogram.
    fn open(row: &Row, response: &[u8]) -> Box<dyn session::Session> {
        let host = row.bytes("host_challenge");
        let offer = Offer::new(&keys(row), response[10], &host, &response[13..21]).unwrap();
        assert_eq!(offer.card_cryptogram[..], response[21..29]);
        let authenticate = Command::parse(&row.bytes("external_authenticate")).unwrap();
        let level = Level::new(I70, authenticate.p1()).unwrap();
        let session = Box::new(offer).accept(&authenticate, level).unwrap();
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
                8,
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
        let authenticate = row.bytes("external_authenticate");
        for index in 5..authenticate.len() {
            let mut bad = authenticate.clone();
            bad[index] ^= 1;
            let host = row.bytes("host_challenge");
            let offer = Offer::new(&keys(&row), 0x30, &host, &response[13..21]).unwrap();
            let bad = Command::parse(&bad).unwrap();
            let level = Level::new(I70, 0x33).unwrap();
            assert!(Box::new(offer).accept(&bad, level).unwrap().is_none());
        }
    }

    #[test]
    fn errors_go_bare_and_warnings_do_not() {
        let file = load("globalplatform/scp03.json");
        let row = file.row("computed").rows("sessions").remove(0);
        let mut session = open(&row, &row.bytes("initialize_update_response"));
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
