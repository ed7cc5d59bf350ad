//! SCP03 up to the open channel: INITIALIZE UPDATE, session keys, EXTERNAL AUTHENTICATE
//! (*GP Amendment D §6.2, §7.1*). S8 mode: challenges, cryptograms and MACs of 8 bytes.
//!
//! ```text
//!   Key-ENC ─ 04 ──► S-ENC                       context: host ‖ card challenge
//!   Key-MAC ─ 06 ──► S-MAC ─ 00 ──► card cryptogram
//!           │             └─ 01 ──► host cryptogram
//!           └ 07 ──► S-RMAC
//! ```

use std::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;

use super::aes::cmac;
use super::kdf::derive;
use super::key::{Key, StaticKeys};
use super::secured::Secured;
use crate::apdu::{ApduError, Command, Response};
use crate::status::Status;

/// Derivation constants (*GP Amendment D §4.1.5*).
const CARD_CRYPTOGRAM: u8 = 0x00;
const HOST_CRYPTOGRAM: u8 = 0x01;
const S_ENC: u8 = 0x04;
const S_MAC: u8 = 0x06;
const S_RMAC: u8 = 0x07;

/// Identifier of SCP03 in INITIALIZE UPDATE.
const PROTOCOL: u8 = 0x03;
/// Bits of the parameter "i" (*GP Amendment D §5.1*).
const I_S16: u8 = 0x01;
const I_PSEUDO_RANDOM: u8 = 0x10;
const I_RMAC: u8 = 0x20;
const I_RMAC_RENC: u8 = 0x60;

/// Says why a secure channel is not opened or no longer open.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Scp03Error {
    /// The answer to INITIALIZE UPDATE has a length that S8 mode does not know.
    #[error("INITIALIZE UPDATE answered with {0} bytes; SCP03 in S8 mode has 29 or 32")]
    InitializeUpdate(usize),
    /// The card speaks another protocol.
    #[error(
        "card offers secure channel protocol {protocol:02X} i={i:02X}; only SCP03 in S8 mode is spoken"
    )]
    Protocol {
        /// Protocol identifier.
        protocol: u8,
        /// Parameter "i", 0 where the card sent none.
        i: u8,
    },
    /// The card proved other keys than ours. Cards count such failures.
    #[error(
        "card cryptogram wrong: the card has other keys; check key version and diversification before trying again, cards block after some failures"
    )]
    CardCryptogram,
    /// The security level is not one of the five of Amendment D.
    #[error("{0:02X} is no SCP03 security level; 01, 03, 11, 13 and 33 are")]
    Level(u8),
    /// The card refused EXTERNAL AUTHENTICATE.
    #[error("card refused EXTERNAL AUTHENTICATE: {0}")]
    Refused(Status),
    /// The command is too long once wrapped, or its Le is impossible. The channel is as before.
    #[error("command cannot be wrapped")]
    Command(#[source] ApduError),
    /// A response came that no wrapped command waits for. The channel is as before.
    #[error("response to unwrap without a wrapped command before it")]
    Unexpected,
    /// The response's MAC is wrong or missing: somebody changed it. The channel is closed.
    #[error("response MAC wrong; secure channel closed")]
    ResponseMac,
    /// The decrypted response is badly padded. The channel is closed.
    #[error("response padding wrong; secure channel closed")]
    Padding,
    /// An error status came with data, which nothing protects. The channel is closed.
    #[error("error status {0} with unprotected data; secure channel closed")]
    UnprotectedData(Status),
    /// An earlier failure closed the channel and wiped its keys.
    #[error("secure channel closed by an earlier failure; open it again")]
    Terminated,
}

/// The host's challenge: eight bytes, fresh from a random source for every channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostChallenge([u8; 8]);

impl HostChallenge {
    /// Returns the challenge of these random bytes.
    pub const fn new(random: [u8; 8]) -> Self {
        Self(random)
    }

    /// Returns the eight bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl From<[u8; 8]> for HostChallenge {
    fn from(random: [u8; 8]) -> Self {
        Self(random)
    }
}

/// The keys of one channel (*GP Amendment D §6.2.1*).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionKeys {
    /// S-ENC: encrypts command and response data.
    pub enc: Key,
    /// S-MAC: authenticates commands, makes the cryptograms.
    pub mac: Key,
    /// S-RMAC: authenticates responses.
    pub rmac: Key,
}

impl SessionKeys {
    /// Derives the session keys from the static keys and both challenges.
    pub fn derive(keys: &StaticKeys, host: &HostChallenge, card: &[u8; 8]) -> Self {
        let context = context(host, card);
        let session = |key: &Key, constant| key.sibling(|out| derive(key, constant, &context, out));
        Self {
            enc: session(&keys.enc, S_ENC),
            mac: session(&keys.mac, S_MAC),
            rmac: session(&keys.mac, S_RMAC),
        }
    }

    fn cryptogram(&self, constant: u8, host: &HostChallenge, card: &[u8; 8]) -> [u8; 8] {
        let mut cryptogram = [0; 8];
        derive(&self.mac, constant, &context(host, card), &mut cryptogram);
        cryptogram
    }
}

fn context(host: &HostChallenge, card: &[u8; 8]) -> [u8; 16] {
    let mut context = [0; 16];
    for (to, from) in context.iter_mut().zip(host.0.iter().chain(card)) {
        *to = *from;
    }
    context
}

/// Returns INITIALIZE UPDATE for a key version, 0 for the card's first choice
/// (*GP Amendment D §7.1.1*).
pub fn initialize_update(key_version: u8, host: &HostChallenge) -> Command {
    Command::new(0x80, 0x50, key_version, 0x00)
        .with_data(host.0)
        .with_le(256)
}

/// The card's answer to INITIALIZE UPDATE (*GP Amendment D §7.1.1*).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InitializeUpdate {
    diversification: [u8; 10],
    key_version: u8,
    i: u8,
    card_challenge: [u8; 8],
    card_cryptogram: [u8; 8],
    sequence_counter: Option<[u8; 3]>,
}

impl InitializeUpdate {
    /// Parses the response's data field, without status word.
    ///
    /// # Errors
    /// [`Scp03Error::Protocol`] where the card speaks another protocol or S16 mode,
    /// [`Scp03Error::InitializeUpdate`] for a length that S8 mode does not know.
    pub fn parse(data: &[u8]) -> Result<Self, Scp03Error> {
        let length = Scp03Error::InitializeUpdate(data.len());
        let (&diversification, rest) = data.split_first_chunk().ok_or(length.clone())?;
        // The protocol first: an SCP02 card's answer of 28 bytes deserves the better message.
        let (&[key_version, protocol], rest) = rest.split_first_chunk().ok_or(length.clone())?;
        if protocol != PROTOCOL {
            return Err(Scp03Error::Protocol { protocol, i: 0 });
        }
        let (&[i], rest) = rest.split_first_chunk().ok_or(length.clone())?;
        if i & I_S16 != 0 {
            return Err(Scp03Error::Protocol { protocol, i });
        }
        let (&card_challenge, rest) = rest.split_first_chunk().ok_or(length.clone())?;
        let (&card_cryptogram, rest) = rest.split_first_chunk().ok_or(length.clone())?;
        let sequence_counter = match *rest {
            [] if i & I_PSEUDO_RANDOM == 0 => None,
            [a, b, c] => Some([a, b, c]),
            _ => return Err(length),
        };
        Ok(Self {
            diversification,
            key_version,
            i,
            card_challenge,
            card_cryptogram,
            sequence_counter,
        })
    }

    /// Returns the ten key diversification bytes, by which the card's keys are found.
    pub fn diversification(&self) -> &[u8; 10] {
        &self.diversification
    }

    /// Returns the version of the keys that the card uses.
    pub fn key_version(&self) -> u8 {
        self.key_version
    }

    /// Returns the protocol's parameter "i".
    pub fn i_parameter(&self) -> u8 {
        self.i
    }

    /// Returns the card's challenge.
    pub fn card_challenge(&self) -> &[u8; 8] {
        &self.card_challenge
    }

    /// Returns the card's cryptogram; [`Handshake::new`] checks it.
    pub fn card_cryptogram(&self) -> &[u8; 8] {
        &self.card_cryptogram
    }

    /// Returns the sequence counter, `None` where the card's challenge is truly random.
    pub fn sequence_counter(&self) -> Option<[u8; 3]> {
        self.sequence_counter
    }

    /// Says whether the card announces that it can serve a security level.
    pub fn supports(&self, level: SecurityLevel) -> bool {
        let needed = match (level.has_rmac(), level.has_renc()) {
            (_, true) => I_RMAC_RENC,
            (true, false) => I_RMAC,
            (false, false) => 0,
        };
        self.i & needed == needed
    }
}

/// What protects commands and responses (*GP Amendment D §7.1.2*).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecurityLevel(u8);

impl SecurityLevel {
    /// `01`: C-MAC.
    pub const MAC: Self = Self(0x01);
    /// `03`: C-DECRYPTION and C-MAC.
    pub const ENC_MAC: Self = Self(0x03);
    /// `11`: C-MAC and R-MAC.
    pub const MAC_RMAC: Self = Self(0x11);
    /// `13`: C-DECRYPTION, C-MAC and R-MAC.
    pub const ENC_MAC_RMAC: Self = Self(0x13);
    /// `33`: C-DECRYPTION, C-MAC, R-ENCRYPTION and R-MAC.
    pub const FULL: Self = Self(0x33);

    /// Returns the level with this value.
    ///
    /// # Errors
    /// [`Scp03Error::Level`] unless it is 01, 03, 11, 13 or 33: `00` authenticates and then
    /// protects nothing, and is not served.
    pub const fn new(value: u8) -> Result<Self, Scp03Error> {
        match value {
            0x01 | 0x03 | 0x11 | 0x13 | 0x33 => Ok(Self(value)),
            _ => Err(Scp03Error::Level(value)),
        }
    }

    /// Returns the level as P1 of EXTERNAL AUTHENTICATE.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Says whether command data are encrypted.
    pub const fn has_cenc(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// Says whether responses carry a MAC.
    pub const fn has_rmac(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Says whether response data are encrypted.
    pub const fn has_renc(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Returns the most bytes that wrapping adds to a command's data: the MAC of 8, and up
    /// to 16 of padding.
    pub const fn overhead(self) -> usize {
        if self.has_cenc() { 8 + 16 } else { 8 }
    }

    /// Returns the most plain data bytes that fit a wrapped data field of `limit` bytes
    /// (239 for 255 under encryption, 247 without).
    pub const fn command_capacity(self, limit: usize) -> usize {
        let sealed = limit.saturating_sub(8);
        if self.has_cenc() {
            // At least one byte of padding, whole blocks.
            (sealed / 16 * 16).saturating_sub(1)
        } else {
            sealed
        }
    }

    /// Returns the most plain data bytes that fit a wrapped response data field of `limit`
    /// bytes.
    pub const fn response_capacity(self, limit: usize) -> usize {
        if self.has_renc() {
            (limit.saturating_sub(8) / 16 * 16).saturating_sub(1)
        } else if self.has_rmac() {
            limit.saturating_sub(8)
        } else {
            limit
        }
    }
}

impl TryFrom<u8> for SecurityLevel {
    type Error = Scp03Error;

    fn try_from(value: u8) -> Result<Self, Scp03Error> {
        Self::new(value)
    }
}

impl fmt::Debug for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecurityLevel({:02X})", self.0)
    }
}

/// A channel whose card has proved its keys, and whose host has not yet.
pub struct Handshake {
    session: SessionKeys,
    host_cryptogram: [u8; 8],
}

impl Handshake {
    /// Checks the card's cryptogram, in constant time.
    ///
    /// # Errors
    /// [`Scp03Error::CardCryptogram`] where the card has other keys; the session keys are
    /// wiped.
    pub fn new(
        session: SessionKeys,
        host: HostChallenge,
        update: &InitializeUpdate,
    ) -> Result<Self, Scp03Error> {
        let card = &update.card_challenge;
        let expected = session.cryptogram(CARD_CRYPTOGRAM, &host, card);
        if !bool::from(expected.ct_eq(&update.card_cryptogram)) {
            return Err(Scp03Error::CardCryptogram);
        }
        let host_cryptogram = session.cryptogram(HOST_CRYPTOGRAM, &host, card);
        Ok(Self {
            session,
            host_cryptogram,
        })
    }

    /// Returns EXTERNAL AUTHENTICATE for a security level (*GP Amendment D §7.1.2*) and
    /// the channel that waits for its answer. The command is already wrapped.
    pub fn external_authenticate(self, level: SecurityLevel) -> (Command, Opening) {
        let header = [0x84, 0x82, level.value(), 0x00];
        // The first command's MAC chaining value is sixteen zero bytes (§6.2.3).
        let mac = cmac(
            &self.session.mac,
            &[&[0; 16], &header, &[16], &self.host_cryptogram],
        );
        let [a, b, c, d, e, f, g, h, ..] = mac;
        let mut data = self.host_cryptogram.to_vec();
        data.extend_from_slice(&[a, b, c, d, e, f, g, h]);
        let opening = Opening {
            session: self.session,
            chaining: mac,
            level,
        };
        (Command::from_header(header).with_data(data), opening)
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(hidden)")
    }
}

/// A channel that waits for the answer to EXTERNAL AUTHENTICATE.
pub struct Opening {
    session: SessionKeys,
    chaining: [u8; 16],
    level: SecurityLevel,
}

impl Opening {
    /// Opens the channel if the card accepted. The answer itself is never protected.
    ///
    /// # Errors
    /// [`Scp03Error::Refused`] with the card's status; the session keys are wiped.
    pub fn complete(self, response: &Response) -> Result<Secured, Scp03Error> {
        if !response.status().is_ok() {
            return Err(Scp03Error::Refused(response.status()));
        }
        Ok(Secured::open(self.session, self.chaining, self.level))
    }

    /// Opens the channel without having seen the answer, for a key service that wraps
    /// commands in advance while another machine talks to the card. A card that refused
    /// refuses every such command as well.
    pub fn assume_accepted(self) -> Secured {
        Secured::open(self.session, self.chaining, self.level)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gp::testing::{hex, key, vectors};
    use serde_json::Value;

    fn sessions() -> Vec<Value> {
        let file = vectors("scp03.json");
        let mut rows = file["recorded"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 5);
        let computed = file["computed"]["sessions"].as_array().unwrap();
        assert_eq!(computed.len(), 3);
        rows.extend(computed.iter().cloned());
        rows
    }

    fn initialize_response(row: &Value) -> Response {
        let hex_field = match &row["initialize_update"] {
            Value::Null => &row["initialize_update_response"],
            update => &update["response"],
        };
        Response::parse(&hex(hex_field)).unwrap()
    }

    #[test]
    fn every_session_opens_as_recorded() {
        for row in sessions() {
            let host = HostChallenge::new(hex(&row["host_challenge"]).try_into().unwrap());
            if let Some(command) = row["initialize_update"].get("command") {
                let command = hex(command);
                let ours = initialize_update(command[2], &host).encode().unwrap();
                assert_eq!(*ours, command);
            }
            let response = initialize_response(&row);
            let update = InitializeUpdate::parse(response.data()).unwrap();
            if let Some(counter) = row.get("sequence_counter") {
                assert_eq!(update.sequence_counter().unwrap()[..], hex(counter));
                assert_eq!(update.card_challenge()[..], hex(&row["card_challenge"]));
                assert_eq!(update.card_cryptogram()[..], hex(&row["card_cryptogram"]));
                assert_eq!(
                    [update.key_version(), 3, update.i_parameter()][..],
                    hex(&row["key_info"])
                );
            }
            let keys = StaticKeys {
                enc: key(&row["static_enc"]),
                mac: key(&row["static_mac"]),
                dek: key(&row["static_dek"]),
            };
            let session = SessionKeys::derive(&keys, &host, update.card_challenge());
            assert_eq!(session.enc, key(&row["S_ENC"]));
            assert_eq!(session.mac, key(&row["S_MAC"]));
            assert_eq!(session.rmac, key(&row["S_RMAC"]));

            // The challenge of a pseudo-random card is a derivation of its own (§6.2.2.1).
            let matches = &row["card_challenge_matches"];
            if matches.as_bool() != Some(false) {
                let aid = hex(row.get("aid_for_card_challenge").unwrap_or(&row["aid"]));
                let context = [&update.sequence_counter().unwrap()[..], &aid].concat();
                let challenge = crate::gp::kdf(&keys.enc, 0x02, &context, 64).unwrap();
                assert_eq!(challenge[..], update.card_challenge()[..]);
            }

            let level = SecurityLevel::new(hex(&row["security_level"])[0]).unwrap();
            let handshake = Handshake::new(session, host, &update).unwrap();
            let (command, _) = handshake.external_authenticate(level);
            assert_eq!(
                *command.encode().unwrap(),
                hex(&row["external_authenticate"])
            );
        }
    }

    #[test]
    fn a_card_with_other_keys_is_refused() {
        let row = &sessions()[0];
        let host = HostChallenge::new(hex(&row["host_challenge"]).try_into().unwrap());
        let good = initialize_response(row);
        let session = SessionKeys {
            enc: key(&row["S_ENC"]),
            mac: key(&row["S_MAC"]),
            rmac: key(&row["S_RMAC"]),
        };
        // Every bit of challenge and cryptogram counts.
        for bit in 13 * 8..29 * 8 {
            let mut data = good.data().to_vec();
            data[bit / 8] ^= 1 << (bit % 8);
            let update = InitializeUpdate::parse(&data).unwrap();
            let refused = Handshake::new(session.clone(), host, &update);
            assert_eq!(refused.err(), Some(Scp03Error::CardCryptogram), "bit {bit}");
        }
    }

    #[test]
    fn answers_of_other_protocols_and_lengths_are_refused() {
        let good = initialize_response(&sessions()[0]);
        let good = good.data();
        for length in (0..32).chain(33..40) {
            let mut data = good.to_vec();
            data.resize(length, 0);
            let refused = InitializeUpdate::parse(&data).err();
            assert_eq!(refused, Some(Scp03Error::InitializeUpdate(length)));
        }
        let mut truly_random = good[..29].to_vec();
        truly_random[12] = 0x60;
        let update = InitializeUpdate::parse(&truly_random).unwrap();
        assert_eq!(update.sequence_counter(), None);
        assert!(update.supports(SecurityLevel::FULL));
        let mut scp02 = good[..28].to_vec();
        scp02[11] = 0x02;
        assert_eq!(
            InitializeUpdate::parse(&scp02).err(),
            Some(Scp03Error::Protocol { protocol: 2, i: 0 })
        );
        let mut s16 = good.to_vec();
        s16[12] = 0x71;
        assert_eq!(
            InitializeUpdate::parse(&s16).err(),
            Some(Scp03Error::Protocol {
                protocol: 3,
                i: 0x71
            })
        );
    }

    #[test]
    fn levels_are_the_five_of_the_standard() {
        let known: Vec<u8> = (0..=255)
            .filter(|&v| SecurityLevel::new(v).is_ok())
            .collect();
        assert_eq!(known, [0x01, 0x03, 0x11, 0x13, 0x33]);
        assert_eq!(SecurityLevel::ENC_MAC.command_capacity(255), 239);
        assert_eq!(SecurityLevel::MAC.command_capacity(255), 247);
        assert_eq!(SecurityLevel::FULL.command_capacity(10), 0);
        assert_eq!(SecurityLevel::FULL.response_capacity(256), 239);
    }

    #[test]
    fn a_refusal_closes_the_channel() {
        let row = &sessions()[0];
        let host = HostChallenge::new(hex(&row["host_challenge"]).try_into().unwrap());
        let update = InitializeUpdate::parse(initialize_response(row).data()).unwrap();
        let session = SessionKeys {
            enc: key(&row["S_ENC"]),
            mac: key(&row["S_MAC"]),
            rmac: key(&row["S_RMAC"]),
        };
        let handshake = Handshake::new(session, host, &update).unwrap();
        assert_eq!(format!("{handshake:?}"), "Handshake(hidden)");
        let (_, opening) = handshake.external_authenticate(SecurityLevel::MAC);
        let refused = Response::new([], Status::AUTHENTICATION_FAILED);
        assert_eq!(
            opening.complete(&refused).err(),
            Some(Scp03Error::Refused(Status::AUTHENTICATION_FAILED))
        );
    }
}
