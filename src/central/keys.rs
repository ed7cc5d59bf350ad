//! Chip keys from master keys in the token: for a station's challenge, and for PUT KEY. Knows no
//! lease and no person: the store judges those before it asks here, and whoever works alone with
//! a card and a token has nobody else to ask.

use std::sync::Arc;

use card::gp::{self, Handshake, HostChallenge, InitializeUpdate, PutKey, SessionKeys};
use hsm::Token;
use profile::{ChipProfile, Diversification, KeySet};

use crate::config::KeyLabels;
use crate::error::{CentralError, Result};

/// The version of the keys with which a chip leaves its maker. They are not replaced by version:
/// the first set that is added takes their place (*GP Card Specification 2.3 §11.8.2.1*: P1 is 01
/// to 7F, or 00 for a new set).
const INITIAL_KEYS: u8 = 0xFF;

/// The chip keys of an installation.
#[derive(Clone)]
pub struct KeyService {
    token: Arc<Token>,
    labels: KeyLabels,
}

impl KeyService {
    /// Makes a key service over the master keys of a token.
    pub fn new(token: Arc<Token>, labels: KeyLabels) -> Self {
        Self { token, labels }
    }

    /// Derives the session keys for a host challenge and a chip's answer to INITIALIZE UPDATE,
    /// and checks the chip's cryptogram with them: keys that do not fit are found out without
    /// using one of the chip's tries. Blocks on the token.
    ///
    /// # Errors
    /// [`CentralError::WrongKeys`]; [`CentralError::Refused`] where the chip answered for another
    /// key version; [`CentralError::Invalid`] for an unknown key set or a malformed answer; the
    /// token's failures.
    pub fn session_keys(
        &self,
        chip: &ChipProfile,
        key_set: &str,
        host: [u8; 8],
        initialize_update: &[u8],
    ) -> Result<SessionKeys> {
        let update = answer(chip, key_set, initialize_update)?;
        let host = HostChallenge::new(host);
        let keys = self
            .token
            .diversify(self.labels.master(key_set)?, update.diversification())?;
        let session = SessionKeys::derive(&keys, &host, update.card_challenge());
        // The handshake consumes its keys; what is given on is a copy, wiped by whoever gets it.
        Handshake::new(session.clone(), host, &update).map_err(|_| CentralError::WrongKeys)?;
        Ok(session)
    }

    /// Makes the PUT KEY command that replaces a key set by another, the new keys encrypted under
    /// the chip's present Key-DEK. Blocks on the token.
    ///
    /// # Errors
    /// [`CentralError::Invalid`] for an unknown key set, or one that would replace itself; the
    /// token's failures.
    pub fn put_key(
        &self,
        chip: &ChipProfile,
        current: &str,
        new: &str,
        diversification: &[u8; 10],
    ) -> Result<PutKey> {
        if current == new {
            return Err(CentralError::invalid("a key set does not replace itself"));
        }
        let (old_set, new_set) = (set(chip, current)?, set(chip, new)?);
        let old = self
            .token
            .diversify(self.labels.master(current)?, diversification)?;
        let keys = self
            .token
            .diversify(self.labels.master(new)?, diversification)?;
        let replaced = if old_set.version == INITIAL_KEYS {
            0
        } else {
            old_set.version
        };
        Ok(gp::put_key(&old.dek, replaced, new_set.version, &keys))
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }
}

/// Reads a chip's answer to INITIALIZE UPDATE, which must be for this key set.
pub(crate) fn answer(
    chip: &ChipProfile,
    key_set: &str,
    initialize_update: &[u8],
) -> Result<InitializeUpdate> {
    let update = InitializeUpdate::parse(initialize_update)
        .map_err(|error| CentralError::invalid(error.to_string()))?;
    let set = set(chip, key_set)?;
    if update.key_version() == set.version {
        Ok(update)
    } else {
        Err(CentralError::refused(format!(
            "the chip answered for key version {:02X}, key set \"{key_set}\" is version {:02X}",
            update.key_version(),
            set.version
        )))
    }
}

/// Returns a key set of a chip profile.
fn set<'a>(chip: &'a ChipProfile, name: &str) -> Result<&'a KeySet> {
    let set = chip
        .channel
        .keys
        .get(name)
        .ok_or_else(|| CentralError::invalid("the chip profile has no key set of this name"))?;
    // Every way there is, is served: another one does not compile here.
    let Diversification::Kdf3 = set.diversification;
    Ok(set)
}
