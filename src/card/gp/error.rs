//! Why a secure channel is not opened or no longer open.

use thiserror::Error;

use crate::apdu::ApduError;
use crate::cipher::CipherError;
use crate::status::Status;

/// Says why a secure channel is not opened or no longer open.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScpError {
    /// The answer to INITIALIZE UPDATE has a length that its protocol does not know.
    #[error(
        "INITIALIZE UPDATE answered with {0} bytes; SCP02 has 28, SCP03 29 or 32, in S16 mode 45 or 48"
    )]
    InitializeUpdate(usize),
    /// The card speaks another protocol.
    #[error(
        "card offers secure channel protocol {protocol:02X} i={i:02X}; SCP03 and explicitly opened SCP02 are spoken"
    )]
    Protocol {
        /// Protocol identifier.
        protocol: u8,
        /// Parameter "i", 0 where the card sent none.
        i: u8,
    },
    /// The card does not announce what the security level asks of it.
    #[error(
        "security level {level:02X} asked of a card with SCP{protocol:02X} i={i:02X}, which announces no such response protection"
    )]
    LevelUnsupported {
        /// The level asked for.
        level: u8,
        /// Protocol identifier.
        protocol: u8,
        /// Parameter "i".
        i: u8,
    },
    /// The host's challenge has another length than the card's mode needs.
    #[error(
        "host challenge of {found} bytes; the card's mode needs {needed}: send INITIALIZE UPDATE again with one of that length"
    )]
    HostChallenge {
        /// Length of the challenge.
        found: usize,
        /// Length that the mode needs.
        needed: usize,
    },
    /// A key does not suit the protocol.
    #[error("key does not suit the card's secure channel protocol")]
    Key(#[source] CipherError),
    /// The card's challenge is not the one that its keys and its counter make.
    #[error(
        "card challenge does not follow from sequence counter and application: another application answered, or not this card"
    )]
    CardChallenge,
    /// The card proved other keys than ours. Cards count such failures.
    #[error(
        "card cryptogram wrong: the card has other keys; check key version and diversification before trying again, cards block after some failures"
    )]
    CardCryptogram,
    /// The security level is not one of the five that are served.
    #[error("{0:02X} is no security level; 01, 03, 11, 13 and 33 are")]
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
