//! `zimogs card envelope`: opens a PIN envelope that a desk sealed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use document::DocumentNumber;
use hsm::PinSet;

use crate::cli::card::desk::{Desk, envelope_context};
use crate::cli::card::desk_keys::DeskKeys;
use crate::cli::card::trial::KeysOption;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Options of `card envelope`.
#[derive(Args)]
pub(crate) struct OpenEnvelope {
    /// The document's number.
    #[arg(value_parser = number)]
    number: DocumentNumber,
    #[command(flatten)]
    keys: KeysOption,
    /// One JSON value instead of text: the PINs by name.
    #[arg(long)]
    json: bool,
}

fn number(text: &str) -> Result<DocumentNumber, String> {
    DocumentNumber::parse(text).map_err(|error| error.to_string())
}

/// Shows the holder's PINs.
pub(crate) fn run(options: &OpenEnvelope) -> Result<ExitCode, Failure> {
    output::must_be_seen()?;
    let keys = DeskKeys::open(&options.keys.existing()?)?;
    let path = find(&keys.out, options.number)?;
    let sealed = fs::read(&path).or_fail(Kind::Failed)?;
    let context = envelope_context(options.number);
    let content = keys
        .open_envelope(&sealed, context.as_bytes())
        .map_err(|error| {
            Failure::of(Kind::Integrity, &error).with_hint(format!(
                "{} was sealed by another desk, or altered",
                path.display()
            ))
        })?;
    let pins = PinSet::decode(&content).or_fail(Kind::Integrity)?;
    output::pins(&pins, options.json).or_fail(Kind::Failed)?;
    Ok(ExitCode::SUCCESS)
}

/// Finds the envelope of a document that was finished: its folder is `NUMBER-CHIP`.
fn find(out: &Path, number: DocumentNumber) -> Result<PathBuf, Failure> {
    let unread = |error: std::io::Error| {
        let fault = format!(
            "the desk's folder {} cannot be read: {error}",
            out.display()
        );
        Failure::new(Kind::Failed, fault)
    };
    let prefix = format!("{number}-");
    let mut begun = false;
    for entry in fs::read_dir(out).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        begun = true;
        let path = entry.path().join(Desk::ENVELOPE);
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(match begun {
        true => Failure::new(
            Kind::Refused,
            format!("document {number} was begun and never finished: it has no PIN envelope"),
        )
        .with_hint("put its blank aside, and make the document on another one"),
        false => Failure::new(
            Kind::Usage,
            format!("no document {number} was made in {}", out.display()),
        )
        .with_hint("name the desk that made it: --keys KEYS.toml, or --trial DIR"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finished_document_is_found_and_a_half_made_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let number = |text: &str| DocumentNumber::parse(text).unwrap();
        let (made, half, none) = (
            number("XA0000001"),
            number("XA0000002"),
            number("XA0000003"),
        );
        for (folder, file) in [
            ("XA0000001-01", "envelope.unconfirmed"),
            ("XA0000001-02", Desk::ENVELOPE),
            ("XA0000002-03", "envelope.unconfirmed"),
        ] {
            fs::create_dir(out.join(folder)).unwrap();
            fs::write(out.join(folder).join(file), b"sealed").unwrap();
        }
        let found = find(out, made).unwrap();
        assert_eq!(found, out.join("XA0000001-02").join(Desk::ENVELOPE));
        let half = format!("{:?}", find(out, half).unwrap_err());
        assert!(half.contains("never finished"), "{half}");
        let none = format!("{:?}", find(out, none).unwrap_err());
        assert!(none.contains("no document XA0000003"), "{none}");
    }
}
