//! A protocol as a dialogue: commands out, responses in, nothing sent by itself.
//!
//! ```text
//!   start ─► (Command, stage) ─► answer(Response) ─┬─► Turn::Send(Command, stage) ─► …
//!                                                  └─► Turn::Done(outcome)
//! ```
//!
//! Whoever has a channel lets [`converse`] drive it; whoever has none carries the commands
//! otherwise.

use card::{Channel, Command, ExchangeError, Limits, Response, exchange};

/// A protocol between two of its commands. It is used up by the response: a failure leaves
/// nothing behind that could be tried again.
pub trait Dialogue: Sized {
    /// What the protocol comes to.
    type Outcome;
    /// Why it fails.
    type Error;

    /// Takes the response to the command before.
    ///
    /// # Errors
    /// The protocol's own; it is over then.
    fn answer(self, response: &Response) -> Result<Turn<Self, Self::Outcome>, Self::Error>;
}

/// How a dialogue goes on.
#[derive(Debug)]
pub enum Turn<D, O> {
    /// This command is next.
    Send(Command, D),
    /// It is over, and went well.
    Done(O),
}

/// Holds a dialogue over a channel, from its first command to its end.
///
/// # Errors
/// The protocol's; [`ExchangeError`] within it where the channel failed.
pub fn converse<D>(
    channel: &mut dyn Channel,
    limits: &Limits,
    (mut command, mut stage): (Command, D),
) -> Result<D::Outcome, D::Error>
where
    D: Dialogue,
    D::Error: From<ExchangeError>,
{
    loop {
        let response = exchange(channel, &command, limits)?;
        match stage.answer(&response)? {
            Turn::Send(next, rest) => (command, stage) = (next, rest),
            Turn::Done(outcome) => return Ok(outcome),
        }
    }
}
