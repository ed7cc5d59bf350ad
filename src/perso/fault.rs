//! How a personalization can fail, by culprit.

use thiserror::Error;

use card::ExchangeError;
use card::gp::ScpError;
use profile::RenderError;

use crate::inspection::Unaccepted;

/// Why a personalization stopped. Every message names the thing and the next step.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The card in the reader is of another product.
    #[error(
        "this is not a \"{product}\": {what} is {found}, expected {expected}; load blanks of the right stock, or choose the chip profile that fits"
    )]
    WrongChip {
        /// The chip profile's name.
        product: String,
        /// What differs.
        what: String,
        /// What the chip says, in hexadecimal.
        found: String,
        /// What the profile says, in hexadecimal.
        expected: String,
    },
    /// The chip no longer holds the maker's keys.
    #[error(
        "chip {chip} does not hold the {key_set} keys (version {version:02X}): it is personalized already, or was begun before; put it aside, it counts as found in use"
    )]
    AlreadyPersonalized {
        /// The chip's serial number.
        chip: String,
        /// The key set that was expected.
        key_set: String,
        /// Its version.
        version: u8,
    },
    /// The chips that lie at one slot are not those of one blank.
    #[error(
        "chip {chip} and those beside it are not of one blank: {cause}; put the card aside, and ask the stock-keeper"
    )]
    NotOneBlank {
        /// The chip's serial number.
        chip: String,
        /// Which chips of which blanks.
        cause: String,
    },
    /// The chip's cryptogram does not fit our keys. Nothing was tried against the chip: it is
    /// found out on this side, before EXTERNAL AUTHENTICATE.
    #[error(
        "the {key_set} keys are not those of chip {chip}: its cryptogram does not fit; no authentication attempt was used; check the delivery's transport key and its KCV"
    )]
    WrongKeys {
        /// The chip's serial number.
        chip: String,
        /// The key set.
        key_set: String,
    },
    /// The chip refused EXTERNAL AUTHENTICATE although its own cryptogram was right.
    #[error(
        "chip {chip} refused the authentication with the {key_set} keys ({status}); one attempt was used, do not repeat it before the cause is known"
    )]
    AuthenticationRefused {
        /// The chip's serial number.
        chip: String,
        /// The key set.
        key_set: String,
        /// What it answered.
        status: String,
    },
    /// The chip took the issuer's proof, and could not prove itself.
    #[error(
        "chip {chip} took the {key_set} key and did not prove that it has it; it may be no chip of ours: put it aside"
    )]
    NotProved {
        /// The chip's serial number.
        chip: String,
        /// The key set.
        key_set: String,
    },
    /// The chip refused a command.
    #[error(
        "the chip answered {status} to {header} in \"{step}\"; see the chip profile's [status] and the blank's stock"
    )]
    Refused {
        /// The step.
        step: String,
        /// CLA INS P1 P2 of the command, in hexadecimal.
        header: String,
        /// The status word with its meaning.
        status: String,
    },
    /// The chip refused a PIN or another secret that it counts.
    #[error(
        "the chip refused what \"{step}\" presents ({header}): {status}; do not try again before the cause is known: compare the profile's value, padding and reference with the chip's manual"
    )]
    SecretRefused {
        /// The step.
        step: String,
        /// CLA INS P1 P2 of the command, in hexadecimal.
        header: String,
        /// The status word with its meaning: how many tries are left.
        status: String,
    },
    /// The chip's answer lacks what the profile takes out of it.
    #[error(
        "the chip's answer in \"{step}\" has no \"{result}\" where the profile looks for it; check the operation's \"take\""
    )]
    NoResult {
        /// The step.
        step: String,
        /// The result.
        result: String,
    },
    /// The old keys still work.
    #[error("chip still takes the {key_set} keys after they were replaced; the blank is spoiled")]
    OldKeysTaken {
        /// The key set.
        key_set: String,
    },
    /// The chip's key check values are not those of the keys it was given.
    #[error(
        "the chip's key check values for the {key_set} keys differ from ours; the blank is spoiled"
    )]
    KeyCheckValue {
        /// The key set.
        key_set: String,
    },
    /// A certificate is not for the chip's key, or cannot be read.
    #[error("the certificate for key \"{key}\" does not fit: {cause}; it must be revoked")]
    Certificate {
        /// The key.
        key: String,
        /// Why not.
        cause: String,
    },
    /// What is on the chip is not what was written.
    #[error("file \"{file}\" reads back differently from byte {offset}; the blank is spoiled")]
    ReadBack {
        /// The file.
        file: String,
        /// The first byte that differs, from 0.
        offset: usize,
    },
    /// A border would not accept the chip.
    #[error("a border would not accept the chip: {cause}; the blank is spoiled")]
    Inspection {
        /// Why.
        #[source]
        cause: Unaccepted,
    },
    /// A signature by the chip does not verify under its certificate.
    #[error(
        "the signature by key \"{key}\" does not verify under its certificate; the blank is spoiled"
    )]
    Signature {
        /// The key.
        key: String,
    },
    /// A try counter is not full.
    #[error("{pin} has {found} tries left, expected {expected}; the blank is spoiled")]
    Tries {
        /// The PIN.
        pin: String,
        /// What the chip says.
        found: u8,
        /// What it should be.
        expected: u8,
    },
    /// The secure channel broke.
    #[error("the secure channel broke in \"{step}\"")]
    Channel {
        /// The step.
        step: String,
        /// What happened.
        #[source]
        source: ScpError,
    },
    /// The card or its reader failed.
    #[error("the card could not be reached in \"{step}\"")]
    Card {
        /// The step.
        step: String,
        /// What happened.
        #[source]
        source: ExchangeError,
    },
    /// The centre refused, or could not be reached.
    #[error("the centre did not give what \"{step}\" needs: {cause}")]
    Centre {
        /// The step.
        step: String,
        /// What it said.
        cause: String,
    },
    /// An earlier run on the chip was cut off where nothing may go on.
    #[error("the run was cut off, and does not go on at \"{step}\": {cause}; the blank is spoiled")]
    NotResumed {
        /// The step, or the sealed stage.
        step: String,
        /// Why not.
        cause: String,
    },
    /// Another chip of the blank failed, and this one is of no use without it.
    #[error("it was not gone on with at \"{step}\": another chip of the blank failed")]
    CalledOff {
        /// The step.
        step: String,
    },
    /// The journal could not be written.
    #[error(
        "the journal could not be written in \"{step}\": {cause}; no card may be touched without it"
    )]
    Journal {
        /// The step.
        step: String,
        /// Why.
        cause: String,
    },
    /// The plan cannot be carried out.
    #[error("the plan fails at \"{step}\": {cause}; correct the chip profile's stages")]
    Plan {
        /// The step.
        step: String,
        /// Why.
        cause: String,
    },
    /// A template of the profile cannot be rendered.
    #[error("the profile cannot spell \"{step}\"")]
    Render {
        /// The step.
        step: String,
        /// Why.
        #[source]
        source: RenderError,
    },
}
