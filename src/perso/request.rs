//! What a running personalization asks of the centre, and what it gets.

use std::collections::BTreeMap;

use card::gp::SessionKeys;
use card::{Command, Limits};
use profile::{StatusPattern, Value};
use zeroize::Zeroizing;

/// What passed before the issuer's channel opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The key set's name in the chip profile.
    pub key_set: String,
    /// The host challenge that the chip was given.
    pub host_challenge: Vec<u8>,
    /// What the chip said, by name: under GlobalPlatform its answer to INITIALIZE UPDATE as
    /// [`Opening::INITIALIZE_UPDATE`], else what the profile's `open_channel` takes.
    pub answers: BTreeMap<String, Vec<u8>>,
}

impl Opening {
    /// The name of the answer to INITIALIZE UPDATE.
    pub const INITIALIZE_UPDATE: &str = "initialize_update";
}

/// Something that only the centre (or the local key service of a stand-alone station) can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// That the books know the chip, before anything that lasts is done to it.
    Claim,
    /// Session keys for a secure channel, or the issuer's proof.
    OpenChannel(Opening),
    /// Ready commands that put another key set on the chip, in the open channel.
    PutKeys {
        /// How the open channel was opened; its key set is the present one.
        opening: Opening,
        /// The key set that shall be.
        new: String,
        /// Whether the present one stays beside it.
        adds: bool,
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
    /// That the chip has signed the challenge that came with a key's certificate.
    Prove {
        /// The key's name in the chip profile.
        key: String,
        /// The signature, in the chip's own form.
        signature: Vec<u8>,
    },
    /// The files of a travel chip that hold its keys, and the security object over all its files.
    SignLds {
        /// The public keys, `SubjectPublicKeyInfo` in DER, by the chip profile's names.
        keys: BTreeMap<String, Vec<u8>>,
    },
    /// The ready commands of a sealed stage, whose keys and PINs stay at the centre.
    Seal {
        /// The stage's name in the plan.
        stage: String,
        /// What passed before its channel opens, if it has one.
        opening: Option<Opening>,
        /// What chip and reader take together.
        limits: Limits,
        /// The digits of the PINs that only this personalization knows and the stage needs.
        pins: BTreeMap<String, Value>,
    },
    /// The chip's answers to the commands of a sealed stage, to be judged.
    Confirm {
        /// The stage's name in the plan.
        stage: String,
        /// The answers, each data ‖ SW1 SW2, in the order of the commands.
        answers: Vec<Vec<u8>>,
    },
}

/// What the centre gives. It has no `Debug`: it may hold keys.
pub enum Grant {
    /// To [`Request::Claim`].
    Claimed,
    /// To [`Request::OpenChannel`], under GlobalPlatform.
    SessionKeys(Box<SessionKeys>),
    /// To [`Request::OpenChannel`], by challenge.
    Proof {
        /// The issuer's proof.
        proof: Zeroizing<Vec<u8>>,
        /// What the chip must answer, if it proves anything.
        answer: Option<Zeroizing<Vec<u8>>>,
    },
    /// To [`Request::PutKeys`].
    PutKeys {
        /// The commands, not yet protected.
        commands: Vec<Command>,
        /// What the chip must answer to the last, if it answers anything.
        answer: Option<Vec<u8>>,
        /// The key check values, as evidence.
        kcv: Vec<u8>,
    },
    /// To [`Request::Certify`].
    Certificate {
        /// The certificate, DER.
        der: Vec<u8>,
        /// What the chip is to sign under it once it has it.
        challenge: Vec<u8>,
    },
    /// To [`Request::Prove`].
    Proved,
    /// To [`Request::SignLds`].
    SignedLds {
        /// The files, by the names that the profile writes after `prepared.`.
        files: BTreeMap<String, Vec<u8>>,
    },
    /// To [`Request::Seal`].
    Sealed {
        /// The commands, protected where there is a secure channel, and the status words that
        /// mean success.
        commands: Vec<(Command, Vec<StatusPattern>)>,
        /// The public keys of the key pairs that they import, `SubjectPublicKeyInfo` in DER.
        publics: BTreeMap<String, Vec<u8>>,
    },
    /// To [`Request::Confirm`]: the answers are the chip's own.
    Confirmed,
}

/// Why the centre does not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The chip's cryptogram does not fit the keys that the centre has for it.
    WrongKeys,
    /// The chips at the slot are not those of one blank, as the centre says.
    NotOneBlank(String),
    /// Anything else, as it says itself.
    Other(String),
}
