//! What a running personalization asks of the centre, and what it gets.

use card::Command;
use card::gp::SessionKeys;

/// Something that only the centre (or the local key service of a stand-alone station) can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Session keys for a secure channel.
    OpenChannel {
        /// The key set's name in the chip profile.
        key_set: String,
        /// The host challenge that the chip was given.
        host_challenge: [u8; 8],
        /// The chip's answer to INITIALIZE UPDATE.
        initialize_update: Vec<u8>,
    },
    /// A ready PUT KEY command that replaces the open channel's key set.
    ReplaceKeys {
        /// The key set that is on the chip now.
        current: String,
        /// The key set that shall be.
        new: String,
        /// The chip's diversification data.
        diversification: [u8; 10],
    },
    /// A certificate for a key that the chip made.
    Certify {
        /// The key's name in the chip profile.
        key: String,
        /// The certificate profile.
        profile: String,
        /// The certification request, DER, signed by the chip (RFC 2986).
        request: Vec<u8>,
    },
    /// The ready commands of a sealed stage, whose channel keys stay at the centre.
    Seal {
        /// The stage's name in the plan.
        stage: String,
        /// The key set's name.
        key_set: String,
        /// The host challenge that the chip was given.
        host_challenge: [u8; 8],
        /// The chip's answer to INITIALIZE UPDATE.
        initialize_update: Vec<u8>,
    },
    /// The chip's answers to the commands of a sealed stage, for their R-MACs to be checked.
    Confirm {
        /// The stage's name in the plan.
        stage: String,
        /// The answers, each data ‖ SW1 SW2, the one to EXTERNAL AUTHENTICATE first.
        answers: Vec<Vec<u8>>,
    },
}

/// What the centre gives. It has no `Debug`: it may hold session keys.
pub enum Grant {
    /// To [`Request::OpenChannel`].
    SessionKeys(Box<SessionKeys>),
    /// To [`Request::ReplaceKeys`].
    PutKey {
        /// The command, not yet protected.
        command: Command,
        /// The key check values that the chip must answer, in the order of the keys.
        kcvs: [[u8; 3]; 3],
    },
    /// To [`Request::Certify`]: the certificate, DER.
    Certificate(Vec<u8>),
    /// To [`Request::Seal`]: EXTERNAL AUTHENTICATE and what follows it, all protected.
    Sealed(Vec<Command>),
    /// To [`Request::Confirm`]: the answers are the chip's own.
    Confirmed,
}

/// Why the centre does not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The chip's cryptogram does not fit the keys that the centre has for it.
    WrongKeys,
    /// Anything else, as it says itself.
    Other(String),
}
