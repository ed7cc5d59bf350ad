//! The chip's end of SCP02 with three keys, opened explicitly, the C-MAC over the modified
//! command (GP Card Specification 2.3, appendix E).
//!
//! The sequence counter alone makes the session keys: as long as no host has proved itself it
//! stays, and with it the keys, and a pseudo-random challenge.

use card::{Command, Status};
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use zeroize::Zeroizing;

use super::session::{self, Asked, Level, StaticKeys, is_protected, plain};
use crate::des::{BLOCK, Key, pad, unpad};
use crate::scp::Scp;
use crate::secret::{Secret, same};
use crate::transmission::Form;

/// Bytes of the card's challenge.
const CHALLENGE: usize = 6;

/// The derivation constants of §E.4.1, table E-7.
mod purpose {
    pub(super) const MAC: [u8; 2] = [0x01, 0x01];
    pub(super) const RMAC: [u8; 2] = [0x01, 0x02];
    pub(super) const DEK: [u8; 2] = [0x01, 0x81];
    pub(super) const ENC: [u8; 2] = [0x01, 0x82];
}

/// Derives a session key: CBC over constant ‖ counter ‖ twelve 00 (§E.4.1).
fn derive(key: &Secret, purpose: [u8; 2], counter: [u8; 2]) -> Result<Key, ErrorStack> {
    let mut seed = [0; 16];
    for (to, from) in seed.iter_mut().zip(purpose.into_iter().chain(counter)) {
        *to = from;
    }
    let derived = Zeroizing::new(two_key(key).cbc_encrypt(&seed)?);
    Ok(two_key_bytes(&derived))
}

fn two_key(key: &Secret) -> Key {
    two_key_bytes(key.bytes())
}

/// Takes 16 bytes: every key of a state that speaks SCP02 has them.
fn two_key_bytes(bytes: &[u8]) -> Key {
    Key::new(bytes.first_chunk().copied().unwrap_or_default())
}

/// Answers INITIALIZE UPDATE: 02 ‖ counter ‖ challenge ‖ cryptogram (§E.5.1).
pub(super) fn offer(asked: &Asked<'_>) -> Result<(Vec<u8>, Offer), ErrorStack> {
    let [_, _, counter @ ..] = asked.counter.to_be_bytes();
    let mut challenge = [0; CHALLENGE];
    if asked.scp.is_pseudo_random() {
        // The MAC over the AID, of which six bytes are taken (§E.4.2).
        let mac = derive(&asked.keys.mac, purpose::MAC, counter)?;
        let mac = mac.retail_mac(&[0; BLOCK], asked.aid)?;
        challenge = mac.first_chunk().copied().unwrap_or_default();
    } else {
        rand_bytes(&mut challenge)?;
    }
    let offer = Offer::new(asked, counter, challenge)?;
    let [protocol, _] = asked.scp.bytes();
    let answer = [
        &[protocol][..],
        &counter,
        &challenge,
        &offer.card_cryptogram,
    ]
    .concat();
    Ok((answer, offer))
}

/// What INITIALIZE UPDATE offered: waits for the host to prove itself.
pub(super) struct Offer {
    session: Session,
    host_cryptogram: [u8; BLOCK],
    card_cryptogram: [u8; BLOCK],
}

impl Offer {
    /// Derives session keys and both cryptograms (§E.4.1, §E.4.2).
    fn new(
        asked: &Asked<'_>,
        counter: [u8; 2],
        challenge: [u8; CHALLENGE],
    ) -> Result<Self, ErrorStack> {
        let StaticKeys { enc, mac, dek } = asked.keys;
        let enc = derive(enc, purpose::ENC, counter)?;
        let card = [&counter[..], &challenge].concat();
        let host = asked.host_challenge;
        Ok(Self {
            host_cryptogram: full_mac(&enc, &[&card, host].concat())?,
            card_cryptogram: full_mac(&enc, &[host, &card].concat())?,
            session: Session {
                enc,
                mac: derive(mac, purpose::MAC, counter)?,
                rmac: derive(mac, purpose::RMAC, counter)?,
                dek: derive(dek, purpose::DEK, counter)?,
                scp: asked.scp,
                key_version: asked.key_version,
                level: Level::NONE,
                last: None,
                last_response: [0; BLOCK],
                command: None,
            },
        })
    }
}

/// Returns the last block of CBC with triple DES throughout (§B.1.2.1).
fn full_mac(key: &Key, message: &[u8]) -> Result<[u8; BLOCK], ErrorStack> {
    let blocks = key.cbc_encrypt(&pad(message))?;
    Ok(blocks.last_chunk().copied().unwrap_or_default())
}

impl session::Offer for Offer {
    fn accept(
        mut self: Box<Self>,
        command: &Command,
        level: Level,
    ) -> Result<Option<Box<dyn session::Session>>, ErrorStack> {
        let Some((cryptogram, mac)) = command.data().split_last_chunk::<BLOCK>() else {
            return Ok(None);
        };
        let genuine = self.session.is_genuine(command.header(), cryptogram, mac)?;
        if !genuine || !same(cryptogram, &self.host_cryptogram) {
            return Ok(None);
        }
        self.session.level = level;
        // The first C-MAC begins the chain of R-MACs (§E.4.5).
        self.session.last_response = *mac;
        Ok(Some(Box::new(self.session)))
    }
}

/// An open session.
pub(super) struct Session {
    enc: Key,
    mac: Key,
    rmac: Key,
    dek: Key,
    scp: Scp,
    key_version: u8,
    level: Level,
    /// The latest C-MAC; none before the first.
    last: Option<[u8; BLOCK]>,
    /// The latest R-MAC, at first the C-MAC of EXTERNAL AUTHENTICATE.
    last_response: [u8; BLOCK],
    /// The latest command: class, header, Lc and data as they were before wrapping.
    command: Option<Zeroizing<Vec<u8>>>,
}

impl Session {
    /// Checks a C-MAC: over the header, the Lc that the MAC made longer, and the data in clear
    /// (§E.4.4).
    fn is_genuine(
        &mut self,
        header: [u8; 4],
        data: &[u8],
        mac: &[u8; BLOCK],
    ) -> Result<bool, ErrorStack> {
        let Ok(length) = u8::try_from(data.len() + BLOCK) else {
            return Ok(false);
        };
        let icv = match self.last {
            None => [0; BLOCK],
            Some(last) if self.scp.encrypts_icv() => self.mac.encrypt_single(&last)?,
            Some(last) => last,
        };
        let message = Zeroizing::new([&header[..], &[length], data].concat());
        let expected = self.mac.retail_mac(&icv, &message)?;
        self.last = Some(expected);
        Ok(same(mac, &expected))
    }
}

impl session::Session for Session {
    fn level(&self) -> Level {
        self.level
    }

    fn is_new(&self) -> bool {
        self.command.is_none()
    }

    fn key_version(&self) -> u8 {
        self.key_version
    }

    /// Triple DES, the mode implied (GP §11.1.8).
    fn key_field(&self) -> &'static [u8] {
        &[0x80, 0x10]
    }

    /// Under the session's data encryption key, each block alone (§E.4.7).
    fn decrypt_key(&self, blocks: &[u8]) -> Result<Secret, ErrorStack> {
        let key = self.dek.ecb_decrypt(blocks)?;
        Ok(Secret::new(key.to_vec()))
    }

    fn check_value(&self, key: &Secret) -> Result<[u8; 3], ErrorStack> {
        two_key(key).check_value()
    }

    /// Decrypts, then checks C-MAC (§E.4.4, §E.4.6). There is no C-MAC over an extended Lc.
    fn unwrap(&mut self, command: &Command, form: Form) -> Result<Option<Command>, ErrorStack> {
        let Some((data, mac)) = command.data().split_last_chunk::<BLOCK>() else {
            return Ok(None);
        };
        if form == Form::Extended || u8::try_from(command.data().len()).is_err() {
            return Ok(None);
        }
        let mut clear = Zeroizing::new(data.to_vec());
        if self.level.decrypts_commands() && !data.is_empty() {
            if !data.len().is_multiple_of(BLOCK) {
                return Ok(None);
            }
            let opened = self.enc.cbc_decrypt(data)?;
            let Some(unpadded) = unpad(&opened) else {
                return Ok(None);
            };
            clear = Zeroizing::new(unpadded.to_vec());
        }
        if !self.is_genuine(command.header(), &clear, mac)? {
            return Ok(None);
        }
        let plain = plain(command, &clear);
        let mut kept = Zeroizing::new(plain.header().to_vec());
        kept.push(u8::try_from(clear.len()).unwrap_or_default());
        kept.extend_from_slice(&clear);
        self.command = Some(kept);
        Ok(Some(plain))
    }

    /// R-MAC over command and answer (§E.4.5).
    fn wrap(&mut self, data: &[u8], status: Status) -> Result<Vec<u8>, ErrorStack> {
        let command = self
            .command
            .as_ref()
            .filter(|_| self.level.macs_responses());
        let (Some(command), true) = (command, is_protected(status)) else {
            return Ok(data.to_vec());
        };
        // The length modulo 256.
        let [.., length] = data.len().to_be_bytes();
        let word = status.value().to_be_bytes();
        let message = Zeroizing::new([&command[..], &[length], data, &word].concat());
        self.last_response = self.rmac.retail_mac(&self.last_response, &message)?;
        Ok([data, &self.last_response].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::session::Offer as _;
    use super::*;
    use crate::vectors::{Row, load, unhex};

    fn sessions() -> Vec<Row> {
        let mut rows = load("globalplatform/scp02.json").rows("sessions");
        rows.extend(load("globalplatform/scp_pysim.json").rows("scp02"));
        rows
    }

    fn keys(row: &Row) -> StaticKeys {
        let key = |name| match row.has(name) {
            true => Secret::new(row.bytes(name)),
            false => Secret::new(row.bytes("static_key")),
        };
        StaticKeys {
            enc: key("static_enc"),
            mac: key("static_mac"),
            dek: key("static_dek"),
        }
    }

    /// Offers what the card of a vector offered; also judges its cryptogram.
    fn offered(row: &Row) -> Offer {
        let response = row.row("initialize_update").bytes("response");
        let counter = [response[12], response[13]];
        let asked = Asked {
            scp: Scp::SCP02_I15,
            keys: &keys(row),
            key_version: response[10],
            counter: u16::from_be_bytes(counter).into(),
            aid: &[],
            host_challenge: &row.bytes("host_challenge"),
        };
        let challenge = response[14..20].try_into().unwrap();
        let offer = Offer::new(&asked, counter, challenge).unwrap();
        assert_eq!(offer.card_cryptogram[..], response[20..28]);
        offer
    }

    fn open(row: &Row) -> Box<dyn session::Session> {
        let authenticate = Command::parse(&row.bytes("external_authenticate")).unwrap();
        let level = Level::new(Scp::SCP02_I15, authenticate.p1()).unwrap();
        let session = Box::new(offered(row)).accept(&authenticate, level).unwrap();
        session.expect("the host is genuine")
    }

    #[test]
    fn recorded_sessions_are_followed() {
        let mut commands = 0;
        for row in sessions() {
            let mut session = open(&row);
            assert!(session.is_new());
            for exchange in row.rows("exchanges") {
                let wrapped = Command::parse(&exchange.bytes("wrapped")).unwrap();
                let plain = session.unwrap(&wrapped, Form::Short).unwrap();
                let plain = plain.expect("MAC and padding hold");
                let expected = Command::parse(&exchange.bytes("plain")).unwrap();
                assert_eq!(plain.header(), expected.header());
                assert_eq!(plain.data(), expected.data());
                assert_eq!(session.wrap(&[1], Status::OK).unwrap(), [1], "no R-MAC");
                commands += 1;
            }
            assert!(!session.is_new());
        }
        assert_eq!(commands, 1 + 6 + 4);
    }

    #[test]
    fn session_keys_and_put_key_as_published() {
        let published = load("globalplatform/put_key_des3.json");
        let values = published
            .row("published")
            .row("scp02_session_key_kcv_seq0000");
        let master = Secret::new((0x40..0x50).collect::<Vec<u8>>());
        for (name, purpose) in [
            ("ENC", purpose::ENC),
            ("MAC", purpose::MAC),
            ("DEK", purpose::DEK),
            ("RMAC", purpose::RMAC),
        ] {
            let key = derive(&master, purpose, [0, 0]).unwrap();
            assert_eq!(key.check_value().unwrap()[..], values.bytes(name), "{name}");
        }
        let row = published.rows("put_key").remove(0);
        assert_eq!(
            derive(&master, purpose::DEK, [0, 0]).unwrap().bytes(),
            row.bytes("dek")
        );
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused() {
        for row in sessions() {
            let authenticate = row.bytes("external_authenticate");
            let level = Level::new(Scp::SCP02_I15, authenticate[2]).unwrap();
            for at in (0..authenticate.len()).filter(|at| *at != 4) {
                let mut bad = authenticate.clone();
                bad[at] ^= 1;
                let bad = Command::parse(&bad).unwrap();
                let session = Box::new(offered(&row)).accept(&bad, level).unwrap();
                assert!(session.is_none(), "{at}");
            }
            let exchange = row.rows("exchanges").remove(0);
            let wrapped = exchange.bytes("wrapped");
            let end = 5 + usize::from(wrapped[4]);
            for at in (0..end).filter(|at| *at != 4) {
                let mut bad = wrapped.clone();
                bad[at] ^= 1;
                let bad = Command::parse(&bad).unwrap();
                let plain = open(&row).unwrap(&bad, Form::Short).unwrap();
                assert!(plain.is_none(), "{at}");
            }
        }
    }

    #[test]
    fn a_command_that_no_mac_covers_is_refused() {
        let row = sessions().remove(0);
        let wrapped = row.rows("exchanges").remove(0).bytes("wrapped");
        let command = Command::parse(&wrapped).unwrap();
        assert!(
            open(&row)
                .unwrap(&command, Form::Extended)
                .unwrap()
                .is_none()
        );
        let long = Command::from_header(command.header()).with_data([0; 256]);
        assert!(open(&row).unwrap(&long, Form::Short).unwrap().is_none());
        let bare = Command::parse(&unhex("84F28002024F00")).unwrap();
        assert!(open(&row).unwrap(&bare, Form::Short).unwrap().is_none());
    }
}
