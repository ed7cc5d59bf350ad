//! `zimogs card`: cards in PC/SC readers, for the card engineer at a desk.

mod apdu;
mod channel;
mod desk;
pub(crate) mod desk_keys;
mod envelope;
mod files;
mod info;
mod issuer;
mod keys;
mod list;
pub(crate) mod pem;
mod personalize;
mod pin;
pub(crate) mod place;
pub(crate) mod profiles;
pub(crate) mod progress;
pub(crate) mod random;
mod recognition;
mod replay;
pub(crate) mod runs;
pub(crate) mod session;
pub(crate) mod state;
pub(crate) mod tables;
mod trace;
mod trial;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Talks to cards in PC/SC readers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the readers, the cards in them, and the chip profiles that fit. Example:
    /// zimogs card list
    List(list::List),
    /// Says what the chip in a reader is. Changes nothing and uses no attempt. Example:
    /// zimogs card info --reader "slot 1"
    Info(info::Info),
    /// Sends commands as they are, one after another. Example:
    /// zimogs card apdu --reader "slot 1" 00A4040000 80CA9F7F00
    Apdu(apdu::Apdu),
    /// Makes one document on the chip in a reader, without central store or station. Example:
    /// zimogs card personalize --reader "slot 1" --chip CHIP --document id-card --record record.json --keys keys.toml
    Personalize(personalize::Personalize),
    /// Opens the PIN envelope of a document that was made here, and shows its PINs. Example:
    /// zimogs card envelope XA0000001 --trial trial
    Envelope(envelope::OpenEnvelope),
    /// Reads a finished chip back through the holder's own door and judges it. Example:
    /// zimogs card verify --reader "slot 1" --chip CHIP --record record.json --trust authority.pem
    Verify(verify::Verify),
    /// Looks at a holder's PINs, changes one, or unblocks one by its PUK. Example:
    /// zimogs card pin status
    #[command(subcommand)]
    Pin(pin::Command),
    /// Opens the issuer's channel and says what came of it; then sends commands inside it. Wrong
    /// keys are found on our side and use no attempt. Example:
    /// zimogs card channel --chip CHIP --keys keys.toml --key-set issuer
    Channel(channel::OpenChannel),
    /// Says which keys the chip holds, and whether ours are those. Uses no attempt. Example:
    /// zimogs card keys --chip CHIP --keys keys.toml
    Keys(keys::Keys),
    /// Walks applications, files and data objects: what is there, and what can be read. Example:
    /// zimogs card files --chip CHIP --show
    Files(files::Files),
    /// Checks and sums up a recorded session. Example:
    /// zimogs card personalize … --trace session.trace && zimogs card trace session.trace
    Trace(trace::Summarize),
    /// Plays a recorded session to the card in a reader, and says where it answers otherwise.
    /// Example:
    /// zimogs card replay session.trace --reader "slot 1"
    Replay(replay::Play),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List(options) => list::run(options),
        Command::Info(options) => info::run(options),
        Command::Apdu(options) => apdu::run(options),
        Command::Personalize(options) => personalize::run(options),
        Command::Envelope(options) => envelope::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Pin(command) => pin::run(command),
        Command::Channel(options) => channel::run(options),
        Command::Keys(options) => keys::run(options),
        Command::Files(options) => files::run(options),
        Command::Trace(options) => trace::run(options),
        Command::Replay(options) => replay::run(options),
    }
}
