//! The open SCP03 channel: wrapping commands, unwrapping responses (*GP Amendment D §6.2.3
//! to §6.2.7*).
//!
//! ```text
//!   command   CLA+SM INS P1 P2 │ Lc │ AES-CBC(S-ENC, ICV = E(S-ENC, n), data ‖ 80…) │ C-MAC
//!             C-MAC  = first 8 of M(n) = CMAC(S-MAC, M(n-1) ‖ header ‖ Lc ‖ data)
//!   response  AES-CBC(S-ENC, ICV = E(S-ENC, 80… n), data ‖ 80…) │ R-MAC │ SW
//!             R-MAC  = first 8 of CMAC(S-RMAC, M(n) ‖ data ‖ SW)
//! ```

use std::collections::VecDeque;
use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::aes::{self, BLOCK, cmac};
use super::scp03::{Scp03Error, SecurityLevel, SessionKeys};
use crate::apdu::{ApduError, Command, Response};
use crate::status::Status;

/// Bytes of a MAC as sent in S8 mode.
const MAC: usize = 8;
/// Largest data field of an APDU.
const MAX_DATA: usize = 0xFFFF;
/// Start of padding method 2 (*ISO/IEC 9797-1 §6.3.3*).
const PADDING: u8 = 0x80;

/// An open channel. Every failure to verify a response wipes the keys; from then on every
/// call answers [`Scp03Error::Terminated`].
///
/// Commands may be wrapped ahead of their responses, as a key service does; responses are
/// then unwrapped in the order of their commands.
pub struct Secured {
    level: SecurityLevel,
    state: State,
}

enum State {
    Open(Box<Open>),
    Terminated,
}

struct Open {
    keys: SessionKeys,
    chaining: [u8; BLOCK],
    /// Commands wrapped so far; the first one is number 1.
    counter: u64,
    /// Commands whose responses are still to be unwrapped; kept only under R-MAC.
    pending: VecDeque<Pending>,
}

/// What a response is verified and decrypted with.
struct Pending {
    counter: u64,
    chaining: [u8; BLOCK],
}

impl Secured {
    pub(super) fn open(keys: SessionKeys, chaining: [u8; BLOCK], level: SecurityLevel) -> Self {
        Self {
            level,
            state: State::Open(Box::new(Open {
                keys,
                chaining,
                counter: 0,
                pending: VecDeque::new(),
            })),
        }
    }

    /// Returns the channel's security level.
    pub fn level(&self) -> SecurityLevel {
        self.level
    }

    /// Returns the most bytes that wrapping adds to a command's data.
    pub fn overhead(&self) -> usize {
        self.level.overhead()
    }

    /// Says whether a failure has closed the channel.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    /// Closes the channel and wipes its keys.
    pub fn terminate(&mut self) {
        self.state = State::Terminated;
    }

    /// Encrypts and authenticates a command (*GP Amendment D §6.2.4, §6.2.6*).
    ///
    /// Under R-MAC an Le is raised by what the protected response needs, to at most 256
    /// for a short Le; without Le none is added. The C-MAC covers Lc in the form (short or
    /// extended) that data and Le call for: pass Le as the card can serve it, see
    /// [`Limits::lower_le`](crate::Limits::lower_le). A wrapped command may be chained.
    ///
    /// # Errors
    /// [`Scp03Error::Command`] where the wrapped data exceed 65 535 bytes; the channel is
    /// as before. [`Scp03Error::Terminated`] after a failure.
    pub fn wrap(&mut self, command: &Command) -> Result<Command, Scp03Error> {
        let level = self.level;
        let open = self.open_state()?;
        let counter = open.counter + 1;
        let plain = command.data();
        if plain.len() > level.command_capacity(MAX_DATA) {
            let wrapped = plain.len() + level.overhead();
            return Err(Scp03Error::Command(ApduError::DataLength(wrapped)));
        }

        // One allocation for all steps: plain text must not stay behind in an outgrown one.
        let mut data = Zeroizing::new(Vec::with_capacity(plain.len() + level.overhead()));
        data.extend_from_slice(plain);
        if level.has_cenc() && !data.is_empty() {
            pad(&mut data);
            let icv = aes::encrypt_block(&open.keys.enc, counter_block(counter, false));
            aes::cbc_encrypt(&open.keys.enc, icv, &mut data);
        }

        let [cla, ins, p1, p2] = command.header();
        let mut wrapped = Command::new(secured_class(cla), ins, p1, p2);
        if let Some(le) = command.le() {
            wrapped = wrapped.with_le(raise_le(le, level));
        }
        let length = data.len() + MAC;
        // Lc is authenticated in the form in which it is sent.
        let [.., high, low] = length.to_be_bytes();
        let lc: &[u8] = if length > 0xFF || wrapped.needs_extended() {
            &[0, high, low]
        } else {
            &[low]
        };
        let chaining = cmac(
            &open.keys.mac,
            &[
                &open.chaining,
                &[authenticated_class(cla), ins, p1, p2],
                lc,
                &data,
            ],
        );
        data.extend(chaining.iter().take(MAC));

        open.counter = counter;
        open.chaining = chaining;
        if level.has_rmac() {
            open.pending.push_back(Pending { counter, chaining });
        }
        Ok(wrapped.with_data(std::mem::take(&mut *data)))
    }

    /// Verifies and decrypts the whole response to the earliest wrapped command that waits
    /// for one (*GP Amendment D §6.2.5, §6.2.7*). Without R-MAC responses pass unchanged.
    ///
    /// An error status is never protected: it passes if it comes without data. Anybody on
    /// the line can forge one, so an error is no proof that nothing was done.
    ///
    /// # Errors
    /// [`Scp03Error::ResponseMac`], [`Scp03Error::Padding`] and
    /// [`Scp03Error::UnprotectedData`] close the channel. [`Scp03Error::Unexpected`] where
    /// no command waits, [`Scp03Error::Terminated`] after a failure.
    pub fn unwrap(&mut self, response: Response) -> Result<Response, Scp03Error> {
        let level = self.level;
        let open = self.open_state()?;
        if !level.has_rmac() {
            return Ok(response);
        }
        let pending = open.pending.pop_front().ok_or(Scp03Error::Unexpected)?;
        let result = open.verify(&pending, &response, level);
        if result.is_err() {
            self.terminate();
        }
        result
    }

    fn open_state(&mut self) -> Result<&mut Open, Scp03Error> {
        match &mut self.state {
            State::Open(open) => Ok(open),
            State::Terminated => Err(Scp03Error::Terminated),
        }
    }
}

impl Open {
    fn verify(
        &self,
        pending: &Pending,
        response: &Response,
        level: SecurityLevel,
    ) -> Result<Response, Scp03Error> {
        let status = response.status();
        if !is_protected(status) {
            return if response.data().is_empty() {
                Ok(Response::new([], status))
            } else {
                Err(Scp03Error::UnprotectedData(status))
            };
        }
        let (sealed, received) = response
            .data()
            .split_last_chunk::<MAC>()
            .ok_or(Scp03Error::ResponseMac)?;
        let mac = cmac(
            &self.keys.rmac,
            &[&pending.chaining, sealed, &status.value().to_be_bytes()],
        );
        if !bool::from(mac.get(..MAC).unwrap_or_default().ct_eq(received)) {
            return Err(Scp03Error::ResponseMac);
        }
        if !level.has_renc() || sealed.is_empty() {
            return Ok(Response::new(sealed, status));
        }
        if !sealed.len().is_multiple_of(BLOCK) {
            return Err(Scp03Error::Padding);
        }
        let mut data = Zeroizing::new(sealed.to_vec());
        let icv = aes::encrypt_block(&self.keys.enc, counter_block(pending.counter, true));
        aes::cbc_decrypt(&self.keys.enc, icv, &mut data);
        // The MAC is verified: how long this takes tells an attacker nothing.
        let length = unpadded(&data).ok_or(Scp03Error::Padding)?;
        data.truncate(length);
        Ok(Response::new(std::mem::take(&mut *data), status))
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("level", &self.level)
            .field("terminated", &self.is_terminated())
            .finish_non_exhaustive()
    }
}

/// Says whether a response with this status carries an R-MAC: success and warnings do.
fn is_protected(status: Status) -> bool {
    status.is_ok() || status.is_warning()
}

/// Returns the class byte as sent: with the secure messaging bit of its kind (*GP Card
/// Specification 2.3 §11.1.4*).
fn secured_class(cla: u8) -> u8 {
    if cla & 0x40 == 0 {
        cla | 0x04
    } else {
        cla | 0x20
    }
}

/// Returns the class byte as authenticated: the basic logical channel's, whatever channel
/// the command goes to.
fn authenticated_class(cla: u8) -> u8 {
    cla & 0x80 | 0x04
}

/// Returns the Le that leaves room for the protected form of `le` plain response bytes.
fn raise_le(le: u32, level: SecurityLevel) -> u32 {
    if !level.has_rmac() {
        return le;
    }
    let most = if le <= 256 { 256 } else { 65_536 };
    let sealed = if level.has_renc() {
        (le / 16).saturating_add(1).saturating_mul(16)
    } else {
        le
    };
    // An impossible Le stays impossible, for `encode` to refuse.
    sealed.saturating_add(8).min(most).max(le)
}

/// Returns the block whose encryption is the ICV of command `counter` or of its response.
fn counter_block(counter: u64, response: bool) -> [u8; BLOCK] {
    let marked = if response { 1u128 << 127 } else { 0 };
    (u128::from(counter) | marked).to_be_bytes()
}

/// Pads to whole blocks with `80 00…`, at least one byte (*ISO/IEC 9797-1* method 2).
fn pad(data: &mut Vec<u8>) {
    let whole = (data.len() / BLOCK + 1) * BLOCK;
    data.push(PADDING);
    data.resize(whole, 0);
}

/// Returns how many bytes stand before the padding, `None` where there is none.
fn unpadded(data: &[u8]) -> Option<usize> {
    let last = data.iter().rposition(|&byte| byte != 0)?;
    (data.get(last) == Some(&PADDING) && data.len() - last <= BLOCK).then_some(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::gp::testing::{hex, key, vectors};
    use crate::gp::{Handshake, HostChallenge, InitializeUpdate, Key};

    /// Opens the channel of a vector row from the row's session keys.
    fn secured(row: &Value) -> Secured {
        let response = match &row["initialize_update"] {
            Value::Null => hex(&row["initialize_update_response"]),
            update => hex(&update["response"]),
        };
        let response = Response::parse(&response).unwrap();
        let update = InitializeUpdate::parse(response.data()).unwrap();
        let host = HostChallenge::new(hex(&row["host_challenge"]).try_into().unwrap());
        let session = SessionKeys {
            enc: key(&row["S_ENC"]),
            mac: key(&row["S_MAC"]),
            rmac: key(&row["S_RMAC"]),
        };
        let level = SecurityLevel::new(hex(&row["security_level"])[0]).unwrap();
        let (_, opening) = Handshake::new(session, host, &update)
            .unwrap()
            .external_authenticate(level);
        opening.complete(&Response::new([], Status::OK)).unwrap()
    }

    fn wrapped(channel: &mut Secured, plain: &Value) -> Vec<u8> {
        let command = Command::parse(&hex(plain)).unwrap();
        channel.wrap(&command).unwrap().encode().unwrap().to_vec()
    }

    fn response(value: &Value) -> Response {
        Response::parse(&hex(value)).unwrap()
    }

    fn computed() -> Vec<Value> {
        let file = vectors("scp03.json");
        let rows = file["computed"]["sessions"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 3);
        rows
    }

    #[test]
    fn recorded_sessions_wrap_and_unwrap_to_the_byte() {
        let file = vectors("scp03.json");
        let mut exchanges = 0;
        for row in file["recorded"].as_array().unwrap() {
            let mut channel = secured(row);
            for step in row["exchanges"].as_array().unwrap() {
                assert_eq!(wrapped(&mut channel, &step["plain"]), hex(&step["wrapped"]));
                let answer = channel.unwrap(response(&step["response"])).unwrap();
                match step.get("response_plain") {
                    Some(plain) => assert_eq!(answer.data(), hex(plain)),
                    None => assert_eq!(answer, response(&step["response"])),
                }
                exchanges += 1;
            }
        }
        assert_eq!(exchanges, 9);
    }

    #[test]
    fn computed_sessions_of_every_key_length_wrap_and_unwrap_to_the_byte() {
        for row in computed() {
            let mut channel = secured(&row);
            for step in row["exchanges"].as_array().unwrap() {
                assert_eq!(wrapped(&mut channel, &step["plain"]), hex(&step["wrapped"]));
                let State::Open(open) = &channel.state else {
                    panic!("terminated");
                };
                assert_eq!(open.counter, step["counter"].as_u64().unwrap());
                assert_eq!(open.chaining[..], hex(&step["mac_chaining_after"]));
                let answer = channel.unwrap(response(&step["response_wrapped"])).unwrap();
                assert_eq!(answer, response(&step["response_plain"]));
            }
        }
    }

    #[test]
    fn commands_wrapped_ahead_have_their_responses_unwrapped_in_order() {
        for row in computed() {
            let steps = row["exchanges"].as_array().unwrap();
            let mut channel = secured(&row);
            for step in steps {
                assert_eq!(wrapped(&mut channel, &step["plain"]), hex(&step["wrapped"]));
            }
            for step in steps {
                let answer = channel.unwrap(response(&step["response_wrapped"])).unwrap();
                assert_eq!(answer, response(&step["response_plain"]));
            }
            assert_eq!(
                channel.unwrap(Response::new([], Status::OK)).err(),
                Some(Scp03Error::Unexpected)
            );
            assert!(!channel.is_terminated());
        }
    }

    #[test]
    fn each_flipped_bit_of_a_response_is_refused_and_closes_the_channel() {
        for row in computed() {
            for (index, step) in row["exchanges"].as_array().unwrap().iter().enumerate() {
                let good = hex(&step["response_wrapped"]);
                for bit in 0..good.len() * 8 {
                    let mut channel = secured(&row);
                    for earlier in &row["exchanges"].as_array().unwrap()[..index] {
                        wrapped(&mut channel, &earlier["plain"]);
                        channel
                            .unwrap(response(&earlier["response_wrapped"]))
                            .unwrap();
                    }
                    wrapped(&mut channel, &step["plain"]);
                    let mut bad = good.clone();
                    bad[bit / 8] ^= 1 << (bit % 8);
                    let error = channel.unwrap(Response::parse(&bad).unwrap()).unwrap_err();
                    assert!(
                        matches!(
                            error,
                            Scp03Error::ResponseMac | Scp03Error::UnprotectedData(_)
                        ),
                        "bit {bit}: {error}"
                    );
                    assert!(channel.is_terminated());
                    let command = Command::new(0x80, 0xCA, 0, 0x66);
                    assert_eq!(channel.wrap(&command).err(), Some(Scp03Error::Terminated));
                    assert_eq!(
                        channel.unwrap(Response::parse(&good).unwrap()).err(),
                        Some(Scp03Error::Terminated)
                    );
                }
            }
        }
    }

    #[test]
    fn replayed_swapped_and_cut_responses_are_refused() {
        let row = &computed()[0];
        let steps = row["exchanges"].as_array().unwrap();
        let first = hex(&steps[0]["response_wrapped"]);
        let cut = [&first[..first.len() - 3], &[0x90, 0x00]].concat();
        let mut channel = secured(row);
        wrapped(&mut channel, &steps[0]["plain"]);
        wrapped(&mut channel, &steps[1]["plain"]);
        channel.unwrap(Response::parse(&first).unwrap()).unwrap();
        assert_eq!(
            channel.unwrap(Response::parse(&first).unwrap()).err(),
            Some(Scp03Error::ResponseMac)
        );
        for bad in [
            cut,
            vec![0x90, 0x00],
            vec![0x62, 0x83],
            vec![1, 2, 3, 0x90, 0x00],
        ] {
            let mut channel = secured(row);
            wrapped(&mut channel, &steps[0]["plain"]);
            assert_eq!(
                channel.unwrap(Response::parse(&bad).unwrap()).err(),
                Some(Scp03Error::ResponseMac)
            );
        }
    }

    #[test]
    fn errors_pass_without_data_and_never_with() {
        let row = &computed()[1];
        let steps = row["exchanges"].as_array().unwrap();
        let mut channel = secured(row);
        wrapped(&mut channel, &steps[0]["plain"]);
        let refused = Response::new([], Status::CONDITIONS_NOT_SATISFIED);
        assert_eq!(channel.unwrap(refused.clone()).unwrap(), refused);
        // The chain goes on: the next command and its answer are those of the vector.
        assert_eq!(
            wrapped(&mut channel, &steps[1]["plain"]),
            hex(&steps[1]["wrapped"])
        );
        channel
            .unwrap(response(&steps[1]["response_wrapped"]))
            .unwrap();
        wrapped(&mut channel, &steps[2]["plain"]);
        let smuggled = Response::new([1], Status::CONDITIONS_NOT_SATISFIED);
        assert_eq!(
            channel.unwrap(smuggled).err(),
            Some(Scp03Error::UnprotectedData(
                Status::CONDITIONS_NOT_SATISFIED
            ))
        );
        assert!(channel.is_terminated());
    }

    /// A channel over known keys, to look at what the vectors do not reach.
    fn plain_channel(level: SecurityLevel) -> Secured {
        let key = |byte| Key::new(&[byte; 16]).unwrap();
        let keys = SessionKeys {
            enc: key(1),
            mac: key(2),
            rmac: key(3),
        };
        Secured::open(keys, [0; 16], level)
    }

    #[test]
    fn long_commands_are_authenticated_with_their_extended_lc() {
        let mut channel = plain_channel(SecurityLevel::MAC);
        let command = Command::new(0x01, 0xDB, 0x3F, 0xFF).with_data(vec![7; 300]);
        let wrapped = channel.wrap(&command).unwrap();
        assert_eq!(wrapped.cla(), 0x05);
        let sent = wrapped.encode().unwrap();
        assert_eq!(sent[..7], [0x05, 0xDB, 0x3F, 0xFF, 0x00, 0x01, 0x34]);
        let mut authenticated = sent[..sent.len() - 8].to_vec();
        authenticated[0] = 0x04;
        let mac = cmac(&Key::new(&[2; 16]).unwrap(), &[&[0; 16], &authenticated]);
        assert_eq!(sent[sent.len() - 8..], mac[..8]);
        assert_eq!(secured_class(0xC1), 0xE1);
        assert_eq!(authenticated_class(0xC1), 0x84);
    }

    #[test]
    fn a_command_too_long_to_wrap_changes_nothing() {
        let mut channel = plain_channel(SecurityLevel::ENC_MAC);
        let long = Command::new(0x80, 0xE2, 0, 0).with_data(vec![0; 65_520]);
        assert!(matches!(channel.wrap(&long), Err(Scp03Error::Command(_))));
        let fits = Command::new(0x80, 0xE2, 0, 0).with_data(vec![0; 65_519]);
        let mut fresh = plain_channel(SecurityLevel::ENC_MAC);
        assert_eq!(channel.wrap(&fits).unwrap(), fresh.wrap(&fits).unwrap());
    }

    #[test]
    fn le_leaves_room_for_the_protected_answer() {
        for (level, le, raised) in [
            (SecurityLevel::ENC_MAC, 16, 16),
            (SecurityLevel::MAC_RMAC, 16, 24),
            (SecurityLevel::FULL, 15, 24),
            (SecurityLevel::FULL, 16, 40),
            (SecurityLevel::FULL, 250, 256),
            (SecurityLevel::FULL, 256, 256),
            (SecurityLevel::FULL, 65_536, 65_536),
        ] {
            let command = Command::new(0x80, 0xCA, 0, 0x66).with_le(le);
            assert_eq!(
                plain_channel(level).wrap(&command).unwrap().le(),
                Some(raised)
            );
        }
    }

    #[test]
    fn padding_is_strict() {
        assert_eq!(unpadded(&[0x80]), Some(0));
        assert_eq!(unpadded(&[1, 0x80, 0, 0]), Some(1));
        assert_eq!(unpadded(&[0x80, 0x80]), Some(1));
        assert_eq!(unpadded(&[1, 2, 3]), None);
        assert_eq!(unpadded(&[0; 16]), None);
        assert_eq!(unpadded(&[&[0x80][..], &[0; 16]].concat()), None);
        assert_eq!(unpadded(&[]), None);
    }

    proptest! {
        // A failure is printed; a file of it would land in the workspace's folder of crates.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_capacity_is_exact(limit in 24usize..2000, level in prop::sample::select(vec![
            SecurityLevel::MAC, SecurityLevel::ENC_MAC, SecurityLevel::FULL,
        ])) {
            let capacity = level.command_capacity(limit);
            for (length, fits) in [(capacity, true), (capacity + 1, false)] {
                let command = Command::new(0x80, 0xE2, 0, 0).with_data(vec![0xA5; length]);
                let wrapped = plain_channel(level).wrap(&command).unwrap();
                prop_assert_eq!(wrapped.data().len() <= limit, fits);
                prop_assert!(wrapped.data().len() <= length + level.overhead());
            }
        }

        #[test]
        fn arbitrary_answers_never_pass(
            bytes in prop::collection::vec(any::<u8>(), 1..80), warning: bool,
        ) {
            let mut channel = plain_channel(SecurityLevel::FULL);
            channel.wrap(&Command::new(0x80, 0xCA, 0, 0)).unwrap();
            let status = if warning { Status::END_OF_FILE } else { Status::OK };
            prop_assert!(channel.unwrap(Response::new(bytes, status)).is_err());
            prop_assert!(channel.is_terminated());
        }
    }
}
