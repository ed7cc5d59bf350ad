//! `zimogs hsm ceremony`: keys that people carry.

use std::process::ExitCode;

use card::cipher::{Key, KeyAlgorithm};
use clap::Subcommand;
use hsm::{KeyShare, ShareRecord, Token};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::key_name::Role;
use crate::cli::hsm::officers::Outcome;
use crate::cli::hsm::{components, join, shown, split, verify};

/// Keys that people carry: split among custodians, joined again, from a supplier's letters.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a key and splits it among custodians, any M of whom bring it back. Example:
    /// zimogs hsm ceremony split aes256 --label issuer-master --as master --threshold 2 --custodian ilze --custodian peteris --custodian zane --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Split(split::Split),
    /// Brings a key back from custodians' shares. Example:
    /// zimogs hsm ceremony join --label issuer-master --as master --custodian ilze --custodian zane --token new.toml --officer anna=anna.pem --officer juris=juris.pem
    Join(join::Join),
    /// Puts a supplier's key together from its components. Example:
    /// zimogs hsm ceremony components --label zone --as zone --algorithm aes --kcv C35280 --custodian ilze --custodian zane --token token.toml --officer anna=anna.pem --officer juris=juris.pem
    Components(components::Components),
    /// Verifies a key protocol: whole, in order, each entry signed by two officers. Example:
    /// zimogs hsm ceremony verify protocol --officers officers.txt
    Verify(verify::Verify),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Split(options) => split::run(options),
        Command::Join(options) => join::run(options),
        Command::Components(options) => components::run(options),
        Command::Verify(options) => verify::run(options),
    }
}

/// Demands that the custodians are different people.
pub(crate) fn check_custodians(custodians: &[String]) -> Result<(), Failure> {
    for (at, name) in custodians.iter().enumerate() {
        let fault = match name.trim() {
            "" => "a custodian has no name".to_owned(),
            _ if name.chars().any(char::is_control) => {
                "a custodian's name has a control character".to_owned()
            }
            _ if custodians[..at].contains(name) => format!("custodian {name} is named twice"),
            _ => continue,
        };
        return Err(Failure::new(Kind::Usage, fault));
    }
    Ok(())
}

/// Puts a key into the token, and keeps it only if the token computes the check value that it must
/// have.
pub(crate) fn import(
    token: &Token,
    label: &str,
    role: Role,
    key: &Key,
    algorithm: KeyAlgorithm,
    kcv: [u8; 3],
) -> Result<Outcome, Failure> {
    token
        .import_key(role.into(), label, key, algorithm)
        .or_fail(Kind::Device)?;
    let found = token.kcv(label).or_fail(Kind::Device);
    if !matches!(&found, Ok(found) if *found == kcv) {
        token.destroy_key(label).or_fail(Kind::Device)?;
        let found = hex::encode_upper(found?);
        let fault = format!(
            "the token computes check value {found} for the key, not {}; it was destroyed again",
            hex::encode_upper(kcv)
        );
        return Err(Failure::new(Kind::Device, fault));
    }
    Ok(Outcome {
        keys: vec![shown::record(token, label)?],
        ..Outcome::default()
    })
}

/// Refuses a label that is taken, before people sit down.
pub(crate) fn check_free(token: &Token, label: &str) -> Result<(), Failure> {
    let keys = token.keys().or_fail(Kind::Device)?;
    if keys.iter().all(|key| key.label != label) {
        return Ok(());
    }
    let fault = format!("the token already holds a key labelled \"{label}\"");
    Err(Failure::new(Kind::Refused, fault).with_hint("choose another label"))
}

/// Tells a share without its secret, under a salt of its own.
pub(crate) fn share_record(share: &KeyShare, custodian: &str) -> Result<ShareRecord, Failure> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let info = share.info();
    Ok(ShareRecord {
        number: info.number,
        custodian: custodian.to_owned(),
        set: hex::encode_upper(info.set),
        salt: hex::encode(salt),
        fingerprint: hex::encode(share.fingerprint(&salt)),
    })
}
