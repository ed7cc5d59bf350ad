//! What is known of the attempts at a chip's secrets goes with the journal of its document: a station that
//! goes on with it counts them too.

use std::collections::BTreeMap;

use api::{JournalLine, Lease};
use card::attempts::Account;
use perso::{JournalEntry, Moment};
use profile::ChipProfile;
use reader::AttemptFile;

use crate::budget::accounts;
use crate::drive::Notebook;
use crate::error::{StationError, chain};
use crate::parking::SlotParking;
use crate::slot::Slot;

/// What the line is called that has the accounts of a chip's secrets.
const STEP: &str = "attempts";
/// The evidence under which they stand: `SECRET=FAILED[/LEFT]`, each with a blank between.
const ACCOUNTS: &str = "accounts";

impl Slot {
    /// Writes down how often the secrets of a chip were tried in vain, where they were, and waits until
    /// the centre has it: before any of them is tried in this run.
    pub(crate) fn tell_attempts(
        &self,
        lease: &Lease,
        chip: &ChipProfile,
        serial: &str,
    ) -> Result<(), StationError> {
        let failed = |reason: String| StationError::Notebook { reason };
        let accounts = AttemptFile::open(&self.shared.attempts)
            .and_then(|mut ledger| accounts(&mut ledger, chip, serial))
            .map_err(|error| failed(chain(&error)))?;
        let accounts: Vec<_> = accounts
            .iter()
            .filter(|(_, account)| account.failures() > 0)
            .map(|(what, account)| written(&what.secret, account))
            .collect();
        if accounts.is_empty() {
            return Ok(());
        }
        let entry = JournalEntry {
            step: STEP.into(),
            moment: Moment::Outcome,
            evidence: BTreeMap::from([("chip", serial.to_owned()), (ACCOUNTS, accounts.join(" "))]),
        };
        let mut notebook = self.notebook(lease);
        notebook.write(&entry).map_err(failed)?;
        let told = notebook.await_centre(&SlotParking::of(self, lease));
        told.map_err(failed)
    }
}

fn written(secret: &str, account: &Account) -> String {
    let failed = account.failures();
    match account.left() {
        Some(left) => format!("{secret}={failed}/{left}"),
        None => format!("{secret}={failed}"),
    }
}

/// Returns what the lines last say of the secrets of a chip, by their names in the ledger.
pub(crate) fn told(lines: &[JournalLine], serial: &str) -> BTreeMap<String, Account> {
    let of_chip = |line: &&JournalLine| {
        line.step == STEP && line.evidence.get("chip").is_some_and(|chip| chip == serial)
    };
    let last = lines.iter().rfind(of_chip);
    let accounts = last.and_then(|line| line.evidence.get(ACCOUNTS));
    let accounts = accounts.map(String::as_str).unwrap_or_default().split(' ');
    accounts.filter_map(read).collect()
}

fn read(account: &str) -> Option<(String, Account)> {
    let (secret, figures) = account.split_once('=')?;
    let (failed, left) = match figures.split_once('/') {
        Some((failed, left)) => (failed, Some(left.parse().ok()?)),
        None => (figures, None),
    };
    let account = Account {
        failed: failed.parse().ok()?,
        told: left,
        ..Account::default()
    };
    Some((secret.to_owned(), account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_reads_as_it_was_written() {
        let counted = Account {
            failed: 1,
            pending: 1,
            ..Account::default()
        };
        let said = Account {
            failed: 1,
            pending: 1,
            told: Some(3),
            since: 0,
        };
        for account in [counted, said] {
            let (secret, read) = read(&written("keys/30", &account)).unwrap();
            assert_eq!(secret, "keys/30");
            assert_eq!(read.failures(), account.failures());
            assert_eq!(read.left(), account.left());
        }
        assert!(read("keys/30").is_none() && read("keys/30=x").is_none());
    }

    #[test]
    fn the_last_word_on_a_chip_counts() {
        let line = |chip: &str, accounts: &str| JournalLine {
            at: jiff::Timestamp::UNIX_EPOCH,
            step: STEP.into(),
            moment: "outcome".into(),
            evidence: [("chip", chip), (ACCOUNTS, accounts)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        let lines = [
            line("01", "keys/30=1"),
            line("01", "keys/30=2 pin/pin1=1/2"),
            line("02", "keys/30=1"),
        ];
        let told = told(&lines, "01");
        assert_eq!(told["keys/30"].failures(), 2);
        assert_eq!(told["pin/pin1"].left(), Some(2));
    }
}
