//! What a command prints: text for a person, one JSON object for a program.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;

use hsm::PinSet;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};

/// Prints a line of text.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        // Whoever reads has had enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.or_fail(Kind::Failed),
    }
}

/// Prints a text that has its line ends.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.or_fail(Kind::Failed),
    }
}

/// Prints a part of a text; returns whether anybody reads on.
pub(crate) fn piece(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).or_fail(Kind::Failed),
    }
}

/// Prints one JSON value on a line.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).or_fail(Kind::Failed)?;
    line(&text)
}

/// Prints PINs by name: what an envelope is opened for.
pub(crate) fn pins(pins: &PinSet, json: bool) -> std::io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(256));
    for (name, pin) in pins.iter() {
        let digits = std::str::from_utf8(pin.digits()).unwrap_or_default();
        if json {
            let before = if text.is_empty() { "{" } else { "," };
            text.push_str(before);
            text.extend(["\"", name, "\":\"", digits, "\""]);
        } else {
            text.extend([name, "  ", digits, "\n"]);
        }
    }
    if json {
        text.push_str("}\n");
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
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
