//! Chip keys from master keys in the token: for a station's challenge, and for putting other keys.
//! Knows no lease and no person: the store judges those before it asks here, and whoever works
//! alone with a card and a token has nobody else to ask.

use std::sync::Arc;

use api::{ChannelGrant, ChannelOpening, PutKeyGrant, Secret};
use card::Command;
use card::cipher::{self, KeyAlgorithm};
use card::gp::{
    Dek, Diversification, Handshake, HostChallenge, InitializeUpdate, Key, NewKeyType, SessionKeys,
    StaticKeys, put_key_set,
};
use hsm::Token;
use profile::{
    Challenge, ChipProfile, Cipher, Dialect, KeySet, KeySource, ObjectKind, Protocol, Renderer,
    Value, Variables,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::config::KeyLabels;
use crate::error::{CentralError, Result};

/// The name of a chip's answer to INITIALIZE UPDATE in an opening.
const INITIALIZE_UPDATE: &str = "initialize_update";

/// The chip keys of an installation.
#[derive(Clone)]
pub struct KeyService {
    token: Arc<Token>,
    labels: KeyLabels,
}

/// What opens a channel.
pub enum Opened {
    /// Session keys, with which the chip's cryptogram was checked.
    Session(Box<SessionKeys>),
    /// The issuer's proof.
    Proof(Proof),
}

/// The issuer's proof to a chip.
pub struct Proof {
    /// What the chip is shown.
    pub proof: Zeroizing<Vec<u8>>,
    /// What it must answer, if it proves anything.
    pub answer: Option<Zeroizing<Vec<u8>>>,
}

/// Commands that put another key set on a chip.
pub struct PutKeys {
    /// The commands, not yet protected.
    pub commands: Vec<Command>,
    /// What the chip must answer to the last, if it answers anything.
    pub answer: Option<Vec<u8>>,
    /// The key check values of the new keys, one after another.
    pub kcv: Vec<u8>,
}

impl Opened {
    /// Returns what a station gets of it: no static key, and no key that encrypts others.
    #[must_use]
    pub fn into_grant(self) -> ChannelGrant {
        let secret = |key: &Key| Secret::new(key.as_bytes());
        match self {
            Self::Session(session) => ChannelGrant::SessionKeys {
                enc: secret(&session.enc),
                mac: secret(&session.mac),
                rmac: secret(&session.rmac),
            },
            Self::Proof(proof) => ChannelGrant::Proof {
                proof: Secret::new(&proof.proof[..]),
                answer: proof.answer.map(|answer| Secret::new(&answer[..])),
            },
        }
    }
}

impl PutKeys {
    /// Returns what a station gets of it.
    ///
    /// # Errors
    /// [`CentralError::Invalid`] for a command that no APDU can hold.
    pub fn into_grant(self) -> Result<PutKeyGrant> {
        let commands = self.commands.iter().map(|command| {
            let encoded = command
                .encode()
                .map_err(|error| CentralError::invalid(error.to_string()))?;
            Ok(Secret::new(encoded.to_vec()))
        });
        Ok(PutKeyGrant {
            commands: commands.collect::<Result<_>>()?,
            answer: self.answer,
            kcv: self.kcv,
        })
    }
}

impl KeyService {
    /// Makes a key service over the master keys of a token.
    pub fn new(token: Arc<Token>, labels: KeyLabels) -> Self {
        Self { token, labels }
    }

    /// Opens a channel to a chip: derives the session keys, and checks the chip's cryptogram with
    /// them, so that keys that do not fit are found out without using one of the chip's tries; or
    /// computes the issuer's proof. `serial` is the chip's in the books, in hexadecimal. Blocks
    /// on the token.
    ///
    /// # Errors
    /// [`CentralError::WrongKeys`]; [`CentralError::Refused`] where the chip answered for another
    /// key version; [`CentralError::Invalid`] for an unknown key set or a malformed answer; the
    /// token's failures.
    pub fn open(
        &self,
        chip: &ChipProfile,
        serial: &str,
        opening: &ChannelOpening,
    ) -> Result<Opened> {
        let set = set(chip, &opening.key_set)?;
        match set.protocol.challenge() {
            Some(challenge) => {
                let proof = self.proof(chip, challenge, serial, opening)?;
                Ok(Opened::Proof(proof))
            }
            None if set.protocol.is_global_platform() => {
                let session = self.session_keys(chip, opening)?;
                Ok(Opened::Session(Box::new(session)))
            }
            None => Err(no_channel()),
        }
    }

    /// Derives session keys; see [`KeyService::open`].
    pub(crate) fn session_keys(
        &self,
        chip: &ChipProfile,
        opening: &ChannelOpening,
    ) -> Result<SessionKeys> {
        let update = answer(chip, opening)?;
        let host = host_challenge(chip, opening)?;
        let keys = self.static_keys(chip, &opening.key_set, update.diversification())?;
        let session = update
            .session_keys(&keys, &host)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        // The handshake consumes its keys; what is given on is a copy, wiped by whoever gets it.
        Handshake::new(session.clone(), host, &update).map_err(|_| CentralError::WrongKeys)?;
        Ok(session)
    }

    fn proof(
        &self,
        chip: &ChipProfile,
        challenge: &Challenge,
        serial: &str,
        opening: &ChannelOpening,
    ) -> Result<Proof> {
        check_host(chip, opening)?;
        let key = self.single_key(chip, &opening.key_set, serial)?;
        let mut known = Variables::default();
        for (name, value) in &opening.answers {
            known.set(name.clone(), Value::bytes(value.as_slice()));
        }
        known.set("channel.host", Value::bytes(&opening.host_challenge[..]));
        known.set("channel.key", Value::Bytes(key));
        let told = |what: &str, error: profile::RenderError| {
            CentralError::refused(format!(
                "the {what} of key set \"{}\" cannot be made: {error}; correct the chip profile",
                opening.key_set
            ))
        };
        let proof = challenge.proof.render(&known);
        let proof = proof.map_err(|error| told("proof", error))?;
        let answer = challenge.answer.as_ref();
        let answer = answer.map(|answer| answer.render(&known)).transpose();
        let answer = answer.map_err(|error| told("chip's answer", error))?;
        Ok(Proof { proof, answer })
    }

    /// Makes the commands that put key set `new` on a chip whose channel was opened so: in the
    /// place of the channel's own, or beside it. Blocks on the token.
    ///
    /// # Errors
    /// [`CentralError::Invalid`] for an unknown key set, or one that would replace itself;
    /// [`CentralError::Refused`] for keys that the protocol cannot put; the token's failures.
    pub fn put_keys(
        &self,
        chip: &ChipProfile,
        serial: &str,
        opening: &ChannelOpening,
        new: &str,
        adds: bool,
    ) -> Result<PutKeys> {
        if opening.key_set == new {
            return Err(CentralError::invalid("a key set does not replace itself"));
        }
        let protocol = &set(chip, &opening.key_set)?.protocol;
        if protocol.name() != set(chip, new)?.protocol.name() {
            return Err(CentralError::refused(format!(
                "key set \"{new}\" opens another kind of channel than \"{}\"",
                opening.key_set
            )));
        }
        match protocol {
            Protocol::Challenge(_) if adds => Err(CentralError::refused(
                "this chip holds one key: it can be replaced, and none added",
            )),
            Protocol::Challenge(_) => self.put_single_key(chip, serial, new),
            Protocol::Scp02 { .. } | Protocol::Scp03 { .. } => {
                self.put_key_set(chip, opening, new, adds)
            }
            Protocol::None => Err(no_channel()),
        }
    }

    fn put_key_set(
        &self,
        chip: &ChipProfile,
        opening: &ChannelOpening,
        new: &str,
        adds: bool,
    ) -> Result<PutKeys> {
        let update = answer(chip, opening)?;
        let diversification = update.diversification();
        let (old_set, new_set) = (set(chip, &opening.key_set)?, set(chip, new)?);
        if new_set.is_initial() {
            // GP Card Specification 2.3 §11.8.2.1: PUT KEY names versions 01 to 7F.
            return Err(CentralError::refused(format!(
                "key set \"{new}\" is the maker's first, and no command puts that version again"
            )));
        }
        if adds && old_set.version == new_set.version {
            return Err(CentralError::refused(format!(
                "key sets \"{}\" and \"{new}\" have the same version: one can replace the other, not stand beside it",
                opening.key_set
            )));
        }
        let keys = self.static_keys(chip, new, diversification)?;
        let replaced = match adds {
            true => 0,
            false => old_set.replaced_version(),
        };
        let kind = match new_set.cipher {
            Cipher::Aes(_) => NewKeyType::Aes,
            Cipher::Des3 => NewKeyType::Des,
        };
        let refused = |error: cipher::CipherError| CentralError::refused(error.to_string());
        let put = if let Protocol::Scp02 { .. } = old_set.protocol {
            let session = self.session_keys(chip, opening)?;
            let dek = session.dek.as_ref().ok_or(CentralError::WrongKeys)?;
            put_key_set(
                Dek::Scp02Session(dek),
                replaced,
                new_set.version,
                kind,
                &keys,
            )
        } else {
            let old = self.static_keys(chip, &opening.key_set, diversification)?;
            put_key_set(
                Dek::Scp03Static(&old.dek),
                replaced,
                new_set.version,
                kind,
                &keys,
            )
        }
        .map_err(refused)?;
        let kcv = put.kcvs.concat();
        // PUT KEY answers the new version and the key check values (GP 2.3 §11.8.3.1).
        let answer = [&[put.new_version], &kcv[..]].concat();
        Ok(PutKeys {
            commands: vec![put.command],
            answer: Some(answer),
            kcv,
        })
    }

    /// Returns the key under which an open channel of GlobalPlatform carries other keys: the
    /// static Key-DEK of SCP03, the session's of SCP02. It never leaves the centre. Blocks on the
    /// token.
    pub(crate) fn dek(
        &self,
        chip: &ChipProfile,
        opening: &ChannelOpening,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let protocol = &set(chip, &opening.key_set)?.protocol;
        let dek = if let Protocol::Scp02 { .. } = protocol {
            self.session_keys(chip, opening)?
                .dek
                .ok_or(CentralError::WrongKeys)?
        } else {
            let update = answer(chip, opening)?;
            self.static_keys(chip, &opening.key_set, update.diversification())?
                .dek
        };
        Ok(Zeroizing::new(dek.as_bytes().to_vec()))
    }

    fn put_single_key(&self, chip: &ChipProfile, serial: &str, new: &str) -> Result<PutKeys> {
        let object = chip.object(ObjectKind::KeySet, new);
        let object = object.ok_or_else(unknown_set)?;
        let key = self.single_key(chip, new, serial)?;
        let algorithm = match set(chip, new)?.cipher {
            Cipher::Aes(_) => KeyAlgorithm::Aes,
            Cipher::Des3 => KeyAlgorithm::TripleDes,
        };
        let unsuited = |why: String| CentralError::refused(format!("key set \"{new}\": {why}"));
        let single = Key::new(&key).map_err(|error| unsuited(error.to_string()))?;
        let kcv = cipher::kcv(&single, algorithm).map_err(|error| unsuited(error.to_string()))?;
        let commands = Renderer::new(chip, &chip.limits, None).operation_in(
            Dialect::PutKey,
            object,
            &[("key_set.key", Value::Bytes(key))],
            &of_chip(serial),
        )?;
        Ok(PutKeys {
            commands: commands
                .into_iter()
                .map(|rendered| rendered.command)
                .collect(),
            answer: None,
            kcv: kcv.to_vec(),
        })
    }

    /// Returns the three keys of a key set of a security domain.
    fn static_keys(
        &self,
        chip: &ChipProfile,
        name: &str,
        diversification: &[u8; 10],
    ) -> Result<StaticKeys> {
        let set = set(chip, name)?;
        let keys = match &set.source {
            KeySource::Known(bytes) => {
                let key = Key::new(bytes).map_err(|_| CentralError::damaged("a known key"))?;
                StaticKeys {
                    enc: key.clone(),
                    mac: key.clone(),
                    dek: key,
                }
            }
            KeySource::Diversified(how) => {
                let master = self.labels.master_of(&chip.name, name)?;
                self.token.diversify_by(*how, master, diversification)?
            }
        };
        match set.cipher.fits(keys.enc.as_bytes().len()) {
            true => Ok(keys),
            false => Err(unfit(name, set.cipher)),
        }
    }

    /// Returns the one key of a chip that is opened by challenge.
    fn single_key(
        &self,
        chip: &ChipProfile,
        name: &str,
        serial: &str,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let set = set(chip, name)?;
        let key = match (&set.source, &set.context) {
            (KeySource::Known(bytes), _) => bytes.clone(),
            (KeySource::Diversified(how), context) => {
                let context = match context {
                    Some(context) => context.render(&of_chip(serial))?,
                    None => Zeroizing::new(Vec::new()),
                };
                let master = self.labels.master_of(&chip.name, name)?;
                let key = self.token.diversify_one(*how, master, &context)?;
                Zeroizing::new(key.as_bytes().to_vec())
            }
        };
        if !set.cipher.fits(key.len()) {
            return Err(unfit(name, set.cipher));
        }
        let mut key = key;
        if set.cipher == Cipher::Des3 && key.len() == 16 {
            // Two-key triple DES: the first key stands again at the end.
            let first = Zeroizing::new(key.get(..8).unwrap_or_default().to_vec());
            key.extend_from_slice(&first);
        }
        Ok(key)
    }

    /// Derives a chip's value of an issuer's PIN from a master key: decimal digits, without bias,
    /// the same whenever it is asked for. Blocks on the token.
    pub(crate) fn issuer_pin(
        &self,
        master: &str,
        serial: &str,
        reference: u8,
        digits: usize,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let label = self.labels.master(master)?;
        let chip = Sha256::digest(serial.as_bytes());
        let chip = chip.get(..24).unwrap_or_default();
        let mut pin = Zeroizing::new(Vec::with_capacity(digits));
        for block in 0..=u8::MAX {
            let context = [b"PIN", &[reference, block][..], chip].concat();
            let how = Diversification::Kdf3;
            let bytes = self.token.diversify_one(how, label, &context)?;
            // From 250 on a byte would favour the low digits.
            let fair = bytes.as_bytes().iter().filter(|byte| **byte < 250);
            for byte in fair {
                if pin.len() == digits {
                    return Ok(pin);
                }
                pin.push(b'0' + byte % 10);
            }
        }
        Ok(pin)
    }

    /// Checks that the token holds a master key.
    pub(crate) fn check_master(&self, name: &str) -> Result<()> {
        let label = self.labels.master(name)?;
        Ok(self.token.kcv(label).map(drop)?)
    }

    /// Checks that the token derives keys of a set that are of the set's cipher, for a chip that
    /// there is not.
    pub(crate) fn check_key_set(&self, chip: &ChipProfile, name: &str) -> Result<()> {
        const NOBODYS: [u8; 10] = [0; 10];
        let set = set(chip, name)?;
        match &set.source {
            KeySource::Known(_) => Ok(()),
            KeySource::Diversified(_) if set.protocol.is_global_platform() => {
                self.static_keys(chip, name, &NOBODYS).map(drop)
            }
            KeySource::Diversified(how) => {
                let master = self.labels.master_of(&chip.name, name)?;
                let key = self.token.diversify_one(*how, master, &NOBODYS)?;
                match set.cipher.fits(key.as_bytes().len()) {
                    true => Ok(()),
                    false => Err(unfit(name, set.cipher)),
                }
            }
        }
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }
}

/// Returns what the books know of a chip, as templates name it.
pub(crate) fn of_chip(serial: &str) -> Variables {
    let mut known = Variables::default();
    known.set("chip.serial", Value::text(serial));
    known
}

/// Reads a chip's answer to INITIALIZE UPDATE, which must be for the opening's key set.
pub(crate) fn answer(chip: &ChipProfile, opening: &ChannelOpening) -> Result<InitializeUpdate> {
    let invalid = |error: card::gp::ScpError| CentralError::invalid(error.to_string());
    let bytes = opening.answers.get(INITIALIZE_UPDATE);
    let bytes = bytes.ok_or_else(|| {
        CentralError::invalid("the chip's answer to INITIALIZE UPDATE is missing")
    })?;
    let mut update = InitializeUpdate::parse(bytes).map_err(invalid)?;
    let set = set(chip, &opening.key_set)?;
    let protocol = &set.protocol;
    if let Protocol::Scp02 { i, .. } = protocol {
        update = update.with_i(*i).map_err(invalid)?;
    }
    let spoken = protocol.protection().map(|protection| protection.mode);
    if Some(update.options().mode()) != spoken {
        // The same key must never serve two protocols.
        return Err(CentralError::refused(format!(
            "the chip answered for another protocol or mode than {protocol} of its profile"
        )));
    }
    if update.key_version() == set.version {
        Ok(update)
    } else {
        Err(CentralError::refused(format!(
            "the chip answered for key version {:02X}, key set \"{}\" is version {:02X}",
            update.key_version(),
            opening.key_set,
            set.version
        )))
    }
}

/// Returns the host challenge of an opening of GlobalPlatform.
pub(crate) fn host_challenge(
    chip: &ChipProfile,
    opening: &ChannelOpening,
) -> Result<HostChallenge> {
    check_host(chip, opening)?;
    HostChallenge::try_from(&opening.host_challenge[..])
        .map_err(|error| CentralError::invalid(error.to_string()))
}

/// Demands that the host's challenge is as long as the chip's protocol has it.
fn check_host(chip: &ChipProfile, opening: &ChannelOpening) -> Result<()> {
    let set = set(chip, &opening.key_set)?;
    let wanted = match set.protocol.challenge() {
        Some(challenge) => challenge.host,
        None => set.protocol.host_challenge(),
    };
    let found = opening.host_challenge.len();
    if found == wanted {
        Ok(())
    } else {
        Err(CentralError::invalid(format!(
            "the host challenge has {found} bytes; this chip's has {wanted}"
        )))
    }
}

fn no_channel() -> CentralError {
    CentralError::invalid("this chip has no issuer's channel")
}

/// Returns a key set of a chip profile.
pub(crate) fn set<'a>(chip: &'a ChipProfile, name: &str) -> Result<&'a KeySet> {
    match chip.channel.keys.is_empty() {
        true => Err(no_channel()),
        false => chip.channel.keys.get(name).ok_or_else(unknown_set),
    }
}

fn unknown_set() -> CentralError {
    CentralError::invalid("the chip profile has no key set of this name")
}

fn unfit(name: &str, cipher: Cipher) -> CentralError {
    CentralError::refused(format!(
        "the master key of key set \"{name}\" makes no keys of {cipher}; take a master key of the right length, or correct the chip profile"
    ))
}
