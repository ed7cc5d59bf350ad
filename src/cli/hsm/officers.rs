//! The two officers who sign what is done to keys.

use std::path::PathBuf;

use audit::{CheckpointSigner, VerifierKey};
use clap::Args;
use hsm::{Act, check_officers};
use hsm::{KeyRecord, OFFICERS_NEEDED, ProtocolError, ShareRecord, Stage, TokenRecord};

use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::ledger::Ledger;
use crate::cli::hsm::place::Place;
use crate::cli::profile::signing_key::PersonKey;
use crate::cli::releases;

/// Who signs.
#[derive(Args)]
pub(crate) struct OfficerChoice {
    /// An officer and that officer's key, twice: a file of mode 600, or a .toml that names a key in
    /// a token (`zimogs profile sign --help` shows both).
    #[arg(long = "officer", value_name = "NAME=KEY", required = true, value_parser = officer)]
    officers: Vec<(String, PathBuf)>,
}

/// Reads who signs, and with which key: `NAME=KEY`.
pub(crate) fn officer(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), path.into()))
        }
        _ => Err("an officer reads NAME=KEY, as in anna=anna.pem".to_owned()),
    }
}

/// What an act left.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The keys that it was about, as they are now.
    pub(crate) keys: Vec<KeyRecord>,
    /// The shares that were given out or came.
    pub(crate) shares: Vec<ShareRecord>,
    /// The token, where it was not open before.
    pub(crate) token: Option<TokenRecord>,
}

/// Two officers with their keys, and the protocol that they sign.
pub(crate) struct Officers {
    pair: [PersonKey; OFFICERS_NEEDED],
    list: Vec<VerifierKey>,
    ledger: Ledger,
}

impl OfficerChoice {
    /// Takes the officers that another command was given.
    pub(crate) fn of(officers: Vec<(String, PathBuf)>) -> Self {
        Self { officers }
    }

    /// Opens both keys and the protocol; both must be in the list of officers, and the protocol
    /// whole.
    pub(crate) fn open(&self, place: &Place) -> Result<Officers, Failure> {
        let list = list(place)?;
        let [one, other] = &self.officers[..] else {
            let fault = format!(
                "{} officer(s) named: what is done to keys takes {OFFICERS_NEEDED}",
                self.officers.len()
            );
            return Err(Failure::new(Kind::Refused, fault)
                .with_hint("--officer anna=anna.pem --officer juris=juris.pem"));
        };
        let open = |(name, path): &(String, PathBuf)| PersonKey::open(name, path);
        let pair = [open(one)?, open(other)?];
        check_officers([&pair[0], &pair[1]], &list).map_err(|error| refused(&error))?;
        let ledger = Ledger::open(place.protocol()?)?;
        let known = known(place, &list)?;
        ledger.verify(&known)?;
        Ok(Officers { pair, list, ledger })
    }
}

/// Reads the list of officers.
fn list(place: &Place) -> Result<Vec<VerifierKey>, Failure> {
    let path = place.officers()?;
    if !path.exists() {
        let fault = format!(
            "nobody may do anything to keys here: {} is not there",
            path.display()
        );
        return Err(Failure::new(Kind::Refused, fault).with_hint(
            "one verifier key a line, as zimogs profile sign --new-key KEY --as NAME prints it",
        ));
    }
    Ok(releases::releasers(path)?.keys().to_vec())
}

/// Adds those who left to the officers: what they signed holds.
fn known(place: &Place, officers: &[VerifierKey]) -> Result<Vec<VerifierKey>, Failure> {
    let mut known = officers.to_vec();
    if let Some(path) = place.former_officers() {
        known.extend_from_slice(releases::releasers(&path)?.keys());
    }
    Ok(known)
}

impl Officers {
    /// Has both sign an order, carries it out, and has both sign what came of it.
    pub(crate) fn carry_out(
        &self,
        token: TokenRecord,
        act: &Act,
        work: impl FnOnce() -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let order = self.sign(token.clone(), act, Stage::Ordered)?;
        let done = work();
        let (token, stage) = match &done {
            Ok(outcome) => {
                let stage = Stage::Done {
                    order,
                    keys: outcome.keys.clone(),
                    shares: outcome.shares.clone(),
                };
                (outcome.token.clone().unwrap_or(token), stage)
            }
            Err(failure) => {
                let fault = failure.message().replace(char::is_control, " ");
                (token, Stage::Failed { order, fault })
            }
        };
        let noted = self.sign(token, act, stage);
        match (done, noted) {
            (Ok(outcome), Ok(_)) => Ok(outcome),
            (Ok(_), Err(failure)) => Err(failure.with_hint(format!(
                "it is done, and entry {order} of the protocol stays open: say so in writing"
            ))),
            (Err(failure), _) => Err(failure),
        }
    }

    fn sign(&self, token: TokenRecord, act: &Act, stage: Stage) -> Result<u64, Failure> {
        let [one, other] = &self.pair;
        let people = [one, other].map(|person| person.key().name().to_owned());
        self.ledger
            .append(people.to_vec(), token, act.clone(), stage, |entry| {
                hsm::SignedEntry::sign(entry, [one, other], &self.list)
            })
    }
}

/// Turns a refusal of the protocol into a failure.
pub(crate) fn refused(error: &ProtocolError) -> Failure {
    match error {
        _ if error.is_alteration() => Failure::of(Kind::Integrity, error)
            .with_hint("find out who changed the key protocol, and restore the right one"),
        ProtocolError::Sign(_) => Failure::of(Kind::Device, error),
        _ => Failure::of(Kind::Refused, error),
    }
}
