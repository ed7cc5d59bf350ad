//! What a command prints: text for a person, one JSON object for a program.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;

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

/// Demands that what is printed goes somewhere: a secret that is shown once must be seen.
pub(crate) fn must_be_seen() -> Result<(), Failure> {
    let device = |path: &str| std::fs::metadata(path).map(|found| found.rdev());
    let nowhere = match (device("/proc/self/fd/1"), device("/dev/null")) {
        (Ok(output), Ok(null)) => output == null,
        (Err(_), _) => true,
        (Ok(_), Err(_)) => false,
    };
    if nowhere {
        return Err(Failure::new(
            Kind::Usage,
            "standard output goes nowhere, and this is shown only once",
        ));
    }
    Ok(())
}

/// Prints a secret, once and whole.
pub(crate) fn secret(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| {
            Failure::new(
                Kind::Failed,
                format!("the PINs could not be shown and are lost: {error}"),
            )
            .with_hint("the holder needs new PINs")
        })
}
