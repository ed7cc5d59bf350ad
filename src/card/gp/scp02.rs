//! SCP02: keys, cryptograms, and the chains of MACs (*GP Card Specification 2.3 §E.4*).
//!
//! ```text
//!   Key-ENC ─ 0182 ‖ counter ──► S-ENC ──► card and host cryptogram, command data
//!   Key-MAC ─ 0101 ‖ counter ──► S-MAC
//!           └ 0102 ‖ counter ──► S-RMAC
//!   Key-DEK ─ 0181 ‖ counter ──► S-DEK ──► keys of PUT KEY
//!
//!   command   CLA+SM INS P1 P2 │ Lc │ 3DES-CBC(S-ENC, data ‖ 80…) │ C-MAC
//!             C-MAC(n) = retail MAC(S-MAC, ICV = DES(S-MAC, C-MAC(n-1)), CLA' … Lc' ‖ data)
//!   response  data │ R-MAC │ SW
//!             R-MAC(n) = retail MAC(S-RMAC, ICV = R-MAC(n-1), CLA INS P1 P2 Lc ‖ command data
//!                                                            ‖ length ‖ data ‖ SW)
//! ```
//!
//! The first C-MAC, that of EXTERNAL AUTHENTICATE, has an ICV of zeros and is itself the
//! ICV of the first R-MAC.

use zeroize::Zeroizing;

use super::error::ScpError;
use super::initialize::Octets;
use super::keys::{SessionKeys, StaticKeys};
use super::level::SecurityLevel;
use super::options::ChannelOptions;
use super::secured::{authenticated_class, sent_length};
use crate::cipher::padding::pad;
use crate::cipher::{DES_BLOCK, Key, TripleDes};
use crate::status::Status;

/// Derivation constants (*§E.4.1*).
const S_MAC: u16 = 0x0101;
const S_RMAC: u16 = 0x0102;
const S_DEK: u16 = 0x0181;
const S_ENC: u16 = 0x0182;
/// Bytes of a MAC as sent.
const MAC: usize = 8;

fn two_key(key: &Key) -> Result<TripleDes, ScpError> {
    TripleDes::two_key(key).map_err(ScpError::Key)
}

/// Derives the session keys from the sequence counter of two bytes (*§E.4.1*).
pub(super) fn session_keys(keys: &StaticKeys, counter: &[u8]) -> Result<SessionKeys, ScpError> {
    Ok(SessionKeys {
        enc: session_key(&keys.enc, S_ENC, counter)?,
        mac: session_key(&keys.mac, S_MAC, counter)?,
        rmac: session_key(&keys.mac, S_RMAC, counter)?,
        dek: Some(session_key(&keys.dek, S_DEK, counter)?),
    })
}

fn session_key(key: &Key, constant: u16, counter: &[u8]) -> Result<Key, ScpError> {
    let cipher = two_key(key)?;
    Ok(key.sibling(|out| {
        let seed = constant.to_be_bytes();
        for (to, from) in out.iter_mut().zip(seed.iter().chain(counter)) {
            *to = *from;
        }
        cipher.cbc_encrypt(out);
    }))
}

/// Returns card and host cryptogram (*§E.4.2*).
pub(super) fn cryptograms(
    session: &SessionKeys,
    host: &[u8],
    counter: &[u8],
    card: &[u8],
) -> Result<(Octets, Octets), ScpError> {
    let enc = two_key(&session.enc)?;
    Ok((
        Octets::new(&enc.full_mac(&[host, counter, card])),
        Octets::new(&enc.full_mac(&[counter, card, host])),
    ))
}

/// Returns the card's challenge, where it is pseudo-random: the first six bytes of the MAC
/// of the application identifier under S-MAC (*§E.4.2*).
pub(super) fn card_challenge(
    keys: &StaticKeys,
    counter: &[u8],
    aid: &[u8],
) -> Result<Octets, ScpError> {
    let mac = two_key(&session_key(&keys.mac, S_MAC, counter)?)?;
    let [head @ .., _, _] = mac.retail_mac([0; DES_BLOCK], &[aid]);
    Ok(Octets::new(&head))
}

/// The state of an open channel.
pub(super) struct Chain {
    enc: TripleDes,
    mac: TripleDes,
    rmac: TripleDes,
    options: ChannelOptions,
    /// The latest C-MAC; none before the first.
    last: Option<[u8; MAC]>,
    /// The latest R-MAC, at first the C-MAC of EXTERNAL AUTHENTICATE.
    last_response: [u8; MAC],
}

/// What a response is verified with: the command without its protection, Lc always there.
pub(super) struct Pending(Zeroizing<Vec<u8>>);

impl Chain {
    pub(super) fn new(session: &SessionKeys, options: ChannelOptions) -> Result<Self, ScpError> {
        Ok(Self {
            enc: two_key(&session.enc)?,
            mac: two_key(&session.mac)?,
            rmac: two_key(&session.rmac)?,
            options,
            last: None,
            last_response: [0; MAC],
        })
    }

    /// Appends the C-MAC to the data of EXTERNAL AUTHENTICATE, and begins the chain of R-MACs
    /// with it.
    pub(super) fn authenticate(&mut self, header: [u8; 4], data: &mut Vec<u8>) {
        let mac = self.command_mac(header, data);
        self.last_response = mac;
        data.extend_from_slice(&mac);
    }

    /// Returns the C-MAC over the command as changed for secure messaging: class byte, Lc.
    fn command_mac(&mut self, header: [u8; 4], data: &[u8]) -> [u8; MAC] {
        let [cla, ins, p1, p2] = header;
        let cla = authenticated_class(cla);
        let icv = match self.last {
            None => [0; DES_BLOCK],
            Some(last) if self.options.encrypts_icv() => self.mac.encrypt_single(last),
            Some(last) => last,
        };
        let (lc, skip) = sent_length(data.len() + MAC, false);
        let lc = lc.get(skip..).unwrap_or_default();
        let mac = self.mac.retail_mac(icv, &[&[cla, ins, p1, p2], lc, data]);
        self.last = Some(mac);
        mac
    }

    /// Authenticates and encrypts the data of a command: the C-MAC covers the plain data
    /// (*§E.4.4, §E.4.6*).
    pub(super) fn protect(
        &mut self,
        header: [u8; 4],
        data: &mut Vec<u8>,
        level: SecurityLevel,
    ) -> Pending {
        let [cla, ins, p1, p2] = header;
        let mut plain = Zeroizing::new(Vec::new());
        if level.has_rmac() {
            let (lc, skip) = sent_length(data.len(), false);
            plain.reserve_exact(8 + data.len());
            plain.extend_from_slice(&[plain_class(cla), ins, p1, p2]);
            plain.extend_from_slice(lc.get(skip..).unwrap_or_default());
            plain.extend_from_slice(data);
        }
        let mac = self.command_mac(header, data);
        if level.has_cenc() && !data.is_empty() {
            pad(data, DES_BLOCK);
            self.enc.cbc_encrypt(data);
        }
        data.extend_from_slice(&mac);
        Pending(plain)
    }

    /// Returns the R-MAC of a response; `None` where its length has no place in the MAC
    /// (*§E.4.5*).
    pub(super) fn response_mac(
        &self,
        pending: &Pending,
        data: &[u8],
        status: Status,
    ) -> Option<[u8; MAC]> {
        let length = u8::try_from(data.len()).ok()?;
        let status = status.value().to_be_bytes();
        let parts: [&[u8]; 4] = [&pending.0, &[length], data, &status];
        Some(self.rmac.retail_mac(self.last_response, &parts))
    }

    /// Goes on with the chain of R-MACs after one that was verified.
    pub(super) fn accept(&mut self, mac: [u8; MAC]) {
        self.last_response = mac;
    }
}

/// Returns the class byte of a command without secure messaging on the basic channel.
fn plain_class(cla: u8) -> u8 {
    cla & 0x80
}
