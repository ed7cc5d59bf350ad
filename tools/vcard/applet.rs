//! What a chip's operating system and an applet on it say to each other.

use std::collections::VecDeque;

use card::{Command, Response, Status};
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;

/// Where an applet's random bytes come from: openssl's generator, or first what a recorded
/// session says the chip drew, so that the session can be played to this chip again.
#[derive(Default)]
pub(crate) struct Entropy {
    foreseen: VecDeque<u8>,
}

impl Entropy {
    /// Fills `out`: with what was foreseen, in order, and with fresh bytes from there on.
    pub(crate) fn draw(&mut self, out: &mut [u8]) -> Result<(), Status> {
        let known = self.foreseen.len().min(out.len());
        let (first, fresh) = out.split_at_mut(known);
        for (byte, foreseen) in first.iter_mut().zip(self.foreseen.drain(..known)) {
            *byte = foreseen;
        }
        if fresh.is_empty() {
            return Ok(());
        }
        rand_bytes(fresh).map_err(|_| Status::UNKNOWN)
    }

    /// Says which bytes are drawn next.
    pub(crate) fn foresee(&mut self, bytes: &[u8]) {
        self.foreseen.extend(bytes);
    }

    /// Forgets what was foreseen and not drawn: it belonged to one command.
    pub(crate) fn forget(&mut self) {
        self.foreseen.clear();
    }
}

/// What the last command cost a real chip, for the timing model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Bytes written to persistent memory.
    pub(crate) written: usize,
    /// A key pair made.
    pub(crate) key: Option<KeyWork>,
    /// An operation with a private key.
    pub(crate) signed: Option<KeyWork>,
    /// Operations that cost as much as that one, beyond it.
    pub(crate) more: u8,
    /// Milliseconds that the chip waits so that guessing is slow.
    pub(crate) pause_ms: u32,
}

/// The kind of key that work was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyWork {
    /// Elliptic curve, 256 bits.
    P256,
    /// Elliptic curve, 384 bits.
    P384,
    /// Elliptic curve, so many bits.
    Curve(u16),
    /// RSA, so many bits.
    Rsa(u16),
}

/// What an applet answers on success, warnings included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The data field.
    pub(crate) data: Vec<u8>,
    /// The status word.
    pub(crate) status: Status,
}

impl Answer {
    /// Returns 9000 without data.
    pub(crate) fn done() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<u8>> for Answer {
    fn from(data: Vec<u8>) -> Self {
        let status = Status::OK;
        Self { data, status }
    }
}

/// Says "no precise diagnosis" for a failure of the chip's own cryptography.
pub(crate) fn broken(_: ErrorStack) -> Status {
    Status::UNKNOWN
}

/// An applet of a chip. Commands reach it whole: chains are joined and the transport's 61xx
/// is done outside; secure messaging is its own affair (class byte as received, chaining bit
/// cleared).
pub(crate) trait Applet {
    /// Returns whether SELECT by this DF name (whole or right-truncated) means this applet.
    fn is_named(&self, name: &[u8]) -> bool;

    /// Says whether it is selected after a reset (GP Card Specification §6.4.1).
    fn is_default(&self) -> bool {
        false
    }

    /// Says whether it hears its issuer through the secure channel that its security domain
    /// keeps for it (GP Card Specification §7.6.2): then its other commands are heard as well,
    /// while no such channel is open.
    fn serves_issuer(&self) -> bool {
        false
    }

    /// Is selected: forgets its session, answers SELECT.
    fn select(&mut self, command: &Command) -> Result<Answer, Status>;

    /// Answers any other command while it is selected. A SELECT whose name is no applet's
    /// comes here as well: under the Java Card runtime the selected applet gets it. On an
    /// error nothing in persistent memory has changed, but for counters that must survive;
    /// the memory is committed after a refused command as well.
    fn process(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Result<Answer, Status>;

    /// Answers a command that came through the issuer's channel, encrypted or not, without
    /// what protected it. Otherwise as [`Applet::process`].
    fn process_for_issuer(
        &mut self,
        _command: &Command,
        _confidential: bool,
        _entropy: &mut Entropy,
        _work: &mut Work,
    ) -> Result<Answer, Status> {
        Err(Status::SECURITY_STATUS_NOT_SATISFIED)
    }

    /// The issuer begins to open its channel, in plain: a reader's session is over.
    fn yield_to_issuer(&mut self) {}

    /// A command came and was refused before it reached the applet, which ends what holds
    /// for the very next command only.
    fn interrupt(&mut self) {}

    /// Power was cut: everything volatile is forgotten.
    fn reset(&mut self);

    /// Returns the persistent memory, **secrets in clear**; it is committed before the answer
    /// leaves.
    fn memory(&self) -> Result<serde_json::Value, serde_json::Error>;

    /// Learns from a recorded session what the chip answered to the command that comes next,
    /// so that what was random then can be drawn again: challenges, nonces, key material
    /// inside an encrypted answer.
    fn foresee(&mut self, _command: &Command, _answer: &Response, _entropy: &mut Entropy) {}
}
