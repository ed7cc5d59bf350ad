//! The keys of a card, and of one channel to it.

use super::initialize::HostChallenge;
use super::scp03;
use crate::cipher::Key;

/// The static keys of one key version (*GP Card Specification 2.3 §E.4.1;
/// Amendment D §4.1.2*): secrets of the issuer,
/// valid for the card's life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticKeys {
    /// Key-ENC: session encryption keys are derived from it.
    pub enc: Key,
    /// Key-MAC: session MAC keys are derived from it.
    pub mac: Key,
    /// Key-DEK: encrypts keys that are put on the card.
    pub dek: Key,
}

/// The keys of one channel (*GP Card Specification 2.3 §E.4.1; Amendment D §6.2.1*).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionKeys {
    /// S-ENC: encrypts command data, in SCP03 response data as well; in SCP02 it makes the
    /// cryptograms.
    pub enc: Key,
    /// S-MAC: authenticates commands; in SCP03 it makes the cryptograms.
    pub mac: Key,
    /// S-RMAC: authenticates responses.
    pub rmac: Key,
    /// S-DEK of SCP02: encrypts the keys of PUT KEY. A channel does not need it, and SCP03
    /// has none: there the static Key-DEK does this.
    pub dek: Option<Key>,
}

impl SessionKeys {
    /// Derives the session keys of SCP03 from the static keys and both challenges. Where the
    /// card's answer is at hand, [`InitializeUpdate::session_keys`] serves every protocol.
    ///
    /// [`InitializeUpdate::session_keys`]: super::InitializeUpdate::session_keys
    pub fn derive(keys: &StaticKeys, host: &HostChallenge, card: &[u8]) -> Self {
        scp03::session_keys(keys, host.as_bytes(), card)
    }
}
