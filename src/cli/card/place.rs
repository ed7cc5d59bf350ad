//! Which reader, and the card in it.

use clap::Args;
use reader::{Connection, LOOKING, ReaderError, ReaderState, Readers};

use crate::cli::failure::{Failure, Kind, OrFail};

/// Which reader.
// Its own name: a command on an installation has another place beside it.
#[derive(Args)]
#[group(id = "reader-place")]
pub(crate) struct Place {
    /// The reader's name, or a part of it that no other reader with a card has. Not needed where
    /// only one reader has a card.
    #[arg(long)]
    reader: Option<String>,
}

impl Place {
    /// Finds the reader and connects to the card in it, for this program alone, with the
    /// patience of somebody who looks.
    pub(crate) fn connect(&self) -> Result<Connection, Failure> {
        let readers = Readers::new().or_fail(Kind::Device)?;
        let found = match &self.reader {
            Some(name) => named(&readers, name)?,
            None => only_card(readers.list().or_fail(Kind::Device)?)?,
        };
        Connection::open(&found.name, LOOKING).or_fail(Kind::Device)
    }
}

fn named(readers: &Readers, name: &str) -> Result<ReaderState, Failure> {
    match readers.find(name) {
        Err(error @ ReaderError::AmbiguousReader { .. }) => {
            // Readers with two slots show two names, and only one of them has the card.
            let mut fits = readers.list().or_fail(Kind::Device)?;
            fits.retain(|reader| reader.name.contains(name) && reader.atr.is_some());
            match (fits.pop(), fits.is_empty()) {
                (Some(only), true) => Ok(only),
                _ => Err(wrong_name(&error)),
            }
        }
        found => found.map_err(|error| wrong_name(&error)),
    }
}

fn wrong_name(error: &ReaderError) -> Failure {
    match error {
        ReaderError::UnknownReader { .. } | ReaderError::AmbiguousReader { .. } => {
            Failure::of(Kind::Usage, error)
        }
        _ => Failure::of(Kind::Device, error),
    }
}

fn only_card(readers: Vec<ReaderState>) -> Result<ReaderState, Failure> {
    let mut cards = readers.into_iter().filter(|reader| reader.atr.is_some());
    match (cards.next(), cards.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::new(Kind::Device, "there is no card in any reader")
            .with_hint("put one in, and look with `zimogs card list`")),
        (Some(one), Some(other)) => Err(Failure::new(
            Kind::Usage,
            format!(
                "several readers have a card: \"{}\", \"{}\"…",
                one.name, other.name
            ),
        )
        .with_hint("name one: --reader NAME")),
    }
}
