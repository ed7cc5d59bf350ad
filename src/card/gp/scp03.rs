//! SCP03: keys, cryptograms, and the chain of MACs (*GP Amendment D §6.2*).
//!
//! ```text
//!   Key-ENC ─ 04 ──► S-ENC                       context: host ‖ card challenge
//!           └ 02 ──► card challenge              context: sequence counter ‖ AID
//!   Key-MAC ─ 06 ──► S-MAC ─ 00 ──► card cryptogram
//!           │             └─ 01 ──► host cryptogram
//!           └ 07 ──► S-RMAC
//!
//!   command   CLA+SM INS P1 P2 │ Lc │ AES-CBC(S-ENC, ICV = E(S-ENC, n), data ‖ 80…) │ C-MAC
//!             C-MAC  = first 8 or 16 of M(n) = CMAC(S-MAC, M(n-1) ‖ header ‖ Lc ‖ data)
//!   response  AES-CBC(S-ENC, ICV = E(S-ENC, 80… n), data ‖ 80…) │ R-MAC │ SW
//!             R-MAC  = first 8 or 16 of CMAC(S-RMAC, M(n) ‖ data ‖ SW)
//! ```

use super::initialize::Octets;
use super::kdf::derive;
use super::keys::{SessionKeys, StaticKeys};
use super::level::SecurityLevel;
use super::secured::{authenticated_class, sent_length};
use crate::cipher::padding::pad;
use crate::cipher::{AES_BLOCK, Key, cbc_decrypt, cbc_encrypt, cmac, encrypt_block};
use crate::status::Status;

/// Derivation constants (*GP Amendment D §4.1.5*).
const CARD_CRYPTOGRAM: u8 = 0x00;
const HOST_CRYPTOGRAM: u8 = 0x01;
const CARD_CHALLENGE: u8 = 0x02;
const S_ENC: u8 = 0x04;
const S_MAC: u8 = 0x06;
const S_RMAC: u8 = 0x07;

/// Derives the session keys (*§6.2.1*).
pub(super) fn session_keys(keys: &StaticKeys, host: &[u8], card: &[u8]) -> SessionKeys {
    let context = [host, card].concat();
    let session = |key: &Key, constant| key.sibling(|out| derive(key, constant, &context, out));
    SessionKeys {
        enc: session(&keys.enc, S_ENC),
        mac: session(&keys.mac, S_MAC),
        rmac: session(&keys.mac, S_RMAC),
        dek: None,
    }
}

/// Returns card and host cryptogram, each as long as the mode's MAC (*§6.2.2*).
pub(super) fn cryptograms(
    session: &SessionKeys,
    host: &[u8],
    card: &[u8],
    length: usize,
) -> (Octets, Octets) {
    let context = [host, card].concat();
    let cryptogram = |constant| derived(&session.mac, constant, &context, length);
    (cryptogram(CARD_CRYPTOGRAM), cryptogram(HOST_CRYPTOGRAM))
}

/// Returns the card's challenge, where it is pseudo-random (*§6.2.2.1*).
pub(super) fn card_challenge(
    keys: &StaticKeys,
    counter: &[u8],
    aid: &[u8],
    length: usize,
) -> Octets {
    derived(&keys.enc, CARD_CHALLENGE, &[counter, aid].concat(), length)
}

fn derived(key: &Key, constant: u8, context: &[u8], length: usize) -> Octets {
    let mut out = [0; 16];
    let out = out.get_mut(..length).unwrap_or_default();
    derive(key, constant, context, out);
    Octets::new(out)
}

/// The state of an open channel.
pub(super) struct Chain {
    session: SessionKeys,
    /// MAC chaining value: the latest command's MAC in full.
    chaining: [u8; AES_BLOCK],
    /// Commands wrapped so far; the first one is number 1.
    counter: u64,
    /// Bytes of a MAC as sent.
    mac_length: usize,
}

/// What a response is verified and decrypted with.
pub(super) struct Pending {
    counter: u64,
    chaining: [u8; AES_BLOCK],
}

impl Chain {
    /// Begins the chain: the first MAC chaining value is sixteen zero bytes (*§6.2.3*).
    pub(super) fn new(session: SessionKeys, mac_length: usize) -> Self {
        Self {
            session,
            chaining: [0; AES_BLOCK],
            counter: 0,
            mac_length,
        }
    }

    /// Appends the C-MAC to the data of a command, which stay as they are; `extended` says
    /// that Lc is sent in its extended form whatever the length.
    pub(super) fn authenticate(&mut self, header: [u8; 4], data: &mut Vec<u8>, extended: bool) {
        let [cla, ins, p1, p2] = header;
        let (lc, skip) = sent_length(data.len() + self.mac_length, extended);
        self.chaining = cmac(
            &self.session.mac,
            &[
                &self.chaining,
                &[authenticated_class(cla), ins, p1, p2],
                lc.get(skip..).unwrap_or_default(),
                data,
            ],
        );
        data.extend(self.chaining.iter().take(self.mac_length));
    }

    /// Encrypts and authenticates the data of a command (*§6.2.4, §6.2.6*).
    pub(super) fn protect(
        &mut self,
        header: [u8; 4],
        data: &mut Vec<u8>,
        extended: bool,
        level: SecurityLevel,
    ) -> Pending {
        self.counter += 1;
        if level.has_cenc() && !data.is_empty() {
            pad(data, AES_BLOCK);
            let icv = encrypt_block(&self.session.enc, counter_block(self.counter, false));
            cbc_encrypt(&self.session.enc, icv, data);
        }
        self.authenticate(header, data, extended);
        Pending {
            counter: self.counter,
            chaining: self.chaining,
        }
    }

    /// Returns the R-MAC of a response (*§6.2.5*).
    pub(super) fn response_mac(&self, pending: &Pending, sealed: &[u8], status: Status) -> Octets {
        let mac = cmac(
            &self.session.rmac,
            &[&pending.chaining, sealed, &status.value().to_be_bytes()],
        );
        Octets::new(mac.get(..self.mac_length).unwrap_or_default())
    }

    /// Decrypts the whole blocks of a response in place (*§6.2.7*).
    pub(super) fn decrypt(&self, pending: &Pending, data: &mut [u8]) {
        let icv = encrypt_block(&self.session.enc, counter_block(pending.counter, true));
        cbc_decrypt(&self.session.enc, icv, data);
    }
}

/// Returns the block whose encryption is the ICV of command `counter` or of its response.
fn counter_block(counter: u64, response: bool) -> [u8; AES_BLOCK] {
    let marked = if response { 1u128 << 127 } else { 0 };
    (u128::from(counter) | marked).to_be_bytes()
}
