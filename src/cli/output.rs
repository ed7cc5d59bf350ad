//! What a command prints: text for a person, one JSON object for a program.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::cli::failure::{Failure, Kind, OrFail};

/// Prints a line of text.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        // Whoever reads has had enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.or_fail(Kind::Failed),
    }
}

/// Prints one JSON value on a line.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).or_fail(Kind::Failed)?;
    line(&text)
}
