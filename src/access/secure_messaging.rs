//! Secure messaging: commands and responses encrypted, then authenticated, each with its own
//! number (*ICAO 9303-11 §9.8*).
//!
//! ```text
//!   CLA INS P1 P2 data Le ──wrap──► 0C INS P1 P2 { 87|85 sealed data } { 97 Le } 8E MAC  00
//!   data SW ◄─────────────unwrap── { 87|85 sealed data } 99 SW  8E MAC                   SW
//!                 SSC + 1 before each; MAC over SSC ‖ header ‖ objects
//! ```

use std::fmt;

use card::cipher::padding::{pad, unpadded};
use card::cipher::{
    aes_cbc_decrypt, aes_cbc_encrypt, aes_ecb_encrypt, des3_cbc_decrypt, des3_cbc_encrypt,
};
use card::tlv::{self, Tag, Tlv};
use card::{ApduError, Command, Response, Status};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::session_keys::{Cipher, SessionKeys};

/// The cryptogram of BER-TLV data: after an odd instruction.
const CRYPTOGRAM: Tag = Tag::known::<0x85>();
/// Padding indicator and cryptogram.
const MARKED_CRYPTOGRAM: Tag = Tag::known::<0x87>();
const MAC: Tag = Tag::known::<0x8E>();
const EXPECTED_LENGTH: Tag = Tag::known::<0x97>();
const STATUS: Tag = Tag::known::<0x99>();

/// Padding indicator: padding method 2 of *ISO/IEC 9797-1*.
const PADDED: u8 = 0x01;
/// Bytes of a MAC.
const MAC_LENGTH: usize = 8;
/// Bytes of the objects that every response has: 99 02 SW and 8E 08 MAC.
const RESPONSE_FRAME: usize = 4 + 10;
/// Most bytes of the objects around a command's data: 97 02 Le and 8E 08 MAC.
const COMMAND_FRAME: usize = 4 + 10;
/// Most bytes before a cryptogram: tag, length, padding indicator.
const CRYPTOGRAM_FRAME: usize = 1 + 3 + 1;
/// Largest data field of an APDU.
const MAX_DATA: usize = 0xFFFF;
/// Largest data field of a short command.
const SHORT_DATA: usize = 0xFF;
/// Largest expected length of a short command.
const SHORT_LE: u32 = 0x100;
/// Largest expected length of an extended command.
const EXTENDED_LE: u32 = 0x1_0000;

/// Says why a session carried nothing, or ended.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SecureMessagingError {
    /// The session ended earlier; its keys are wiped.
    #[error("the session with the chip has ended; open another")]
    Terminated,
    /// A command was to be wrapped while the response to the last one is awaited, or a
    /// response came that nothing asked for: the caller's fault.
    #[error("commands and responses of a session alternate")]
    Order,
    /// The command cannot be wrapped: the caller's fault.
    #[error("command cannot be protected")]
    Command(#[source] ApduError),
    /// The command is wrapped already, or its class has no such thing: the caller's fault.
    #[error("commands of class {0:02X} cannot be protected")]
    Class(u8),
    /// The response is not protected: the chip has ended the session, or another speaks for it.
    #[error("response is not protected: status {0}")]
    Unprotected(Status),
    /// The response's objects are not those of a protected response.
    #[error("protected response is malformed: {0}")]
    Malformed(&'static str),
    /// The response's MAC is wrong.
    #[error("response has a wrong MAC; it is not the chip's, or not the next")]
    Mac,
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// One end of a session: the terminal's. A response that is not as it should be wipes the keys;
/// from then on every call answers [`SecureMessagingError::Terminated`].
pub struct SecureMessaging {
    cipher: Cipher,
    state: State,
}

enum State {
    Open(Box<Open>),
    Terminated,
}

struct Open {
    keys: SessionKeys,
    /// The send sequence counter; its low bytes, as many as a block has, count.
    counter: u128,
    awaits_response: bool,
}

impl SecureMessaging {
    /// Starts with a send sequence counter of zero, as after PACE and chip authentication.
    pub fn new(keys: SessionKeys) -> Self {
        Self::with_counter(keys, 0)
    }

    /// Starts with this send sequence counter; of triple DES, the low eight bytes count.
    pub fn with_counter(keys: SessionKeys, counter: u128) -> Self {
        Self {
            cipher: keys.cipher(),
            state: State::Open(Box::new(Open {
                keys,
                counter,
                awaits_response: false,
            })),
        }
    }

    /// Returns the session's cipher.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Says whether the session has ended.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Ends the session and wipes its keys.
    pub fn terminate(&mut self) {
        self.state = State::Terminated;
    }

    /// Returns the most plain data bytes that fit a wrapped data field of `limit` bytes.
    pub fn command_capacity(&self, limit: usize) -> usize {
        self.capacity(limit.min(MAX_DATA), COMMAND_FRAME)
    }

    /// Returns the most plain data bytes that fit a wrapped response data field of `limit`
    /// bytes.
    pub fn response_capacity(&self, limit: usize) -> usize {
        self.capacity(limit, RESPONSE_FRAME)
    }

    fn capacity(&self, limit: usize, frame: usize) -> usize {
        let room = limit.saturating_sub(frame);
        // The length field of a cryptogram is as short as its length allows.
        let length_field = match room {
            0..=0x81 => 1,
            0x82..=0x102 => 2,
            _ => 3,
        };
        let sealed = room.saturating_sub(CRYPTOGRAM_FRAME - 3 + length_field);
        let block = self.cipher.block_length();
        (sealed / block * block).saturating_sub(1)
    }

    /// Encrypts and authenticates a command.
    ///
    /// The wrapped command expects a response of any length, since every response has a MAC:
    /// 256 bytes, or 65 536 where the data, or the protected form of Le bytes, need extended
    /// length. Lower Le to [`SecureMessaging::response_capacity`] of 256 where there is none.
    ///
    /// # Errors
    /// [`SecureMessagingError::Command`], [`SecureMessagingError::Class`] and
    /// [`SecureMessagingError::Order`] leave the session as it was;
    /// [`SecureMessagingError::Terminated`] after a failure.
    pub fn wrap(&mut self, command: &Command) -> Result<Command, SecureMessagingError> {
        let capacity = self.command_capacity(MAX_DATA);
        let short = self.response_capacity(SHORT_LE as usize) as u32;
        let State::Open(open) = &mut self.state else {
            return Err(SecureMessagingError::Terminated);
        };
        if open.awaits_response {
            return Err(SecureMessagingError::Order);
        }
        if command.data().len() > capacity {
            let fault = ApduError::DataLength(command.data().len());
            return Err(SecureMessagingError::Command(fault));
        }
        let expected = expected_length(command.le()).map_err(SecureMessagingError::Command)?;
        let cla = secured_class(command.cla()).ok_or(SecureMessagingError::Class(command.cla()))?;
        let [_, ins, p1, p2] = command.header();
        let wrapped = open.protect([cla, ins, p1, p2], command.data(), &expected);
        let wrapped = match wrapped {
            Ok(objects) => objects,
            Err(error) => {
                self.terminate();
                return Err(error.into());
            }
        };
        open.awaits_response = true;
        let extended = wrapped.len() > SHORT_DATA || command.le().is_some_and(|le| le > short);
        let le = if extended { EXTENDED_LE } else { SHORT_LE };
        Ok(Command::new(cla, ins, p1, p2)
            .with_data(wrapped)
            .with_le(le))
    }

    /// Verifies and decrypts the response to the command that was wrapped last. The status is
    /// the one that the chip authenticated, whatever stands beside it: an error under a right
    /// MAC is an answer, and the session goes on.
    ///
    /// # Errors
    /// Every error ends the session.
    pub fn unwrap(&mut self, response: &Response) -> Result<Response, SecureMessagingError> {
        let State::Open(open) = &mut self.state else {
            return Err(SecureMessagingError::Terminated);
        };
        let result = if std::mem::take(&mut open.awaits_response) {
            open.open(response)
        } else {
            Err(SecureMessagingError::Order)
        };
        if result.is_err() {
            self.terminate();
        }
        result
    }
}

impl Open {
    /// Counts one further and returns the counter as it is authenticated: one block.
    fn count(&mut self) -> Vec<u8> {
        self.counter = self.counter.wrapping_add(1);
        let counter = self.counter.to_be_bytes();
        let block = self.keys.cipher().block_length();
        counter
            .get(counter.len() - block..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Returns the MAC of a message, which is padded in any case (*ICAO 9303-11 §9.8.6.2, §9.8.7.2*): the
    /// retail MAC pads by itself, CMAC is given whole blocks.
    fn mac(&self, message: &[u8]) -> Result<[u8; MAC_LENGTH], CryptoError> {
        let mut message = message.to_vec();
        if self.keys.cipher() != Cipher::TripleDes {
            pad(&mut message, self.keys.cipher().block_length());
        }
        self.keys.mac(&message)
    }

    fn protect(
        &mut self,
        header: [u8; 4],
        data: &[u8],
        expected: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let counter = self.count();
        let block = counter.len();
        let mut message = counter.clone();
        message.extend_from_slice(&header);
        pad(&mut message, block);
        let objects_at = message.len();
        if !data.is_empty() {
            let [_, ins, ..] = header;
            message.extend(self.seal(&counter, ins, data)?);
        }
        if !expected.is_empty() {
            message.extend(tlv::encode(EXPECTED_LENGTH, expected));
        }
        let mac = self.mac(&message)?;
        let mut objects = message.split_off(objects_at);
        objects.extend(tlv::encode(MAC, &mac));
        Ok(objects)
    }

    fn seal(&self, counter: &[u8], ins: u8, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let block = counter.len();
        // One allocation: plain text must not stay behind in an outgrown one.
        let mut padded = Zeroizing::new(Vec::with_capacity(data.len() + block));
        padded.extend_from_slice(data);
        pad(&mut padded, block);
        let key = &self.keys.encryption;
        let sealed = match self.keys.cipher() {
            Cipher::TripleDes => des3_cbc_encrypt(key, &padded)?,
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                // An IV is what the first block is added to.
                add(&mut padded, &aes_ecb_encrypt(key, counter)?);
                aes_cbc_encrypt(key, &padded)?
            }
        };
        Ok(if ins & 1 == 1 {
            tlv::encode(CRYPTOGRAM, &sealed)
        } else {
            tlv::encode(MARKED_CRYPTOGRAM, &[&[PADDED], &sealed[..]].concat())
        })
    }

    fn open(&mut self, response: &Response) -> Result<Response, SecureMessagingError> {
        if response.data().is_empty() {
            return Err(SecureMessagingError::Unprotected(response.status()));
        }
        let parts = Parts::parse(response.data())?;
        let counter = self.count();
        let message = [&counter[..], parts.covered].concat();
        let mac = self.mac(&message)?;
        if !bool::from(mac[..].ct_eq(parts.mac)) {
            return Err(SecureMessagingError::Mac);
        }
        let Some(sealed) = parts.sealed else {
            return Ok(Response::new([], parts.status));
        };
        let mut plain = self.unseal(&counter, sealed)?;
        Ok(Response::new(std::mem::take(&mut *plain), parts.status))
    }

    /// Decrypts what is proved to be the chip's: how long that takes tells nobody anything.
    fn unseal(
        &self,
        counter: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SecureMessagingError> {
        let block = counter.len();
        if sealed.is_empty() || !sealed.len().is_multiple_of(block) {
            return Err(SecureMessagingError::Malformed(
                "cryptogram is no whole blocks",
            ));
        }
        let key = &self.keys.encryption;
        let mut plain = match self.keys.cipher() {
            Cipher::TripleDes => des3_cbc_decrypt(key, sealed).map_err(CryptoError::from)?,
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                let mut plain = aes_cbc_decrypt(key, sealed).map_err(CryptoError::from)?;
                let iv = aes_ecb_encrypt(key, counter).map_err(CryptoError::from)?;
                add(&mut plain, &iv);
                plain
            }
        };
        let length = unpadded(&plain, block)
            .ok_or(SecureMessagingError::Malformed("data has no padding"))?;
        plain.truncate(length);
        Ok(plain)
    }
}

/// The objects of a protected response, in their only order.
struct Parts<'a> {
    sealed: Option<&'a [u8]>,
    status: Status,
    /// What the MAC is over.
    covered: &'a [u8],
    mac: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(data: &'a [u8]) -> Result<Self, SecureMessagingError> {
        let malformed = SecureMessagingError::Malformed;
        let next = |bytes: &'a [u8]| -> Result<(Tlv<'a>, &'a [u8]), SecureMessagingError> {
            tlv::parse(bytes).map_err(|_| malformed("data objects are cut short"))
        };
        let (first, rest) = next(data)?;
        // The instruction decides between 85 and 87 (ISO/IEC 7816-4 §10.2.1), and not every
        // chip abides by it; the MAC covers which one it is.
        let (sealed, status, rest) = match first.tag {
            MARKED_CRYPTOGRAM => match first.value {
                [PADDED, sealed @ ..] => {
                    let (status, rest) = next(rest)?;
                    (Some(sealed), status, rest)
                }
                _ => return Err(malformed("padding indicator is not 01")),
            },
            CRYPTOGRAM => {
                let (status, rest) = next(rest)?;
                (Some(first.value), status, rest)
            }
            _ => (None, first, rest),
        };
        let &[sw1, sw2] = status.value else {
            return Err(malformed("no status word in it"));
        };
        if status.tag != STATUS {
            return Err(malformed("no status word in it"));
        }
        let covered = data.get(..data.len() - rest.len()).unwrap_or_default();
        let (mac, rest) = next(rest)?;
        if mac.tag != MAC || mac.value.len() != MAC_LENGTH {
            return Err(malformed("no MAC in it"));
        }
        if !rest.is_empty() {
            return Err(malformed("bytes follow the MAC"));
        }
        Ok(Self {
            sealed,
            status: Status::new(u16::from_be_bytes([sw1, sw2])),
            covered,
            mac: mac.value,
        })
    }
}

impl fmt::Debug for SecureMessaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureMessaging")
            .field("cipher", &self.cipher)
            .field("terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}

/// Adds one block to the first block of `data`.
fn add(data: &mut [u8], block: &[u8]) {
    for (to, from) in data.iter_mut().zip(block) {
        *to ^= from;
    }
}

/// Returns the value of the length object: nothing, one byte or two; zeros are the maximum.
fn expected_length(le: Option<u32>) -> Result<Vec<u8>, ApduError> {
    match le {
        None => Ok(Vec::new()),
        Some(le @ 1..=EXTENDED_LE) => {
            let [_, _, high, low] = le.to_be_bytes();
            Ok(if le <= SHORT_LE {
                vec![low]
            } else {
                vec![high, low]
            })
        }
        Some(le) => Err(ApduError::Le(le)),
    }
}

/// Returns the class byte with secure messaging, the header authenticated (*ISO/IEC 7816-4
/// §5.4.1*); nothing where the class says already that there is some.
fn secured_class(cla: u8) -> Option<u8> {
    let bits = if cla & 0x40 == 0 { 0x0C } else { 0x20 };
    (cla & bits == 0).then_some(cla | bits)
}

#[cfg(test)]
pub(crate) mod tests;
