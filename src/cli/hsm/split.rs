//! `zimogs hsm ceremony split`: a key made, split among custodians, and imported.

use std::process::ExitCode;

use card::cipher::{Key, KeyAlgorithm, kcv};
use clap::Args;
use hsm::{Act, KeyShare, MAX_CUSTODIANS, Token, split_key};
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::ceremony::{check_custodians, check_free, import, share_record};
use crate::cli::hsm::key_name::{Role, SplitKey};
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;
use crate::cli::hsm::terminal::Terminal;

/// Makes a key and splits it among custodians, any M of whom bring it back.
///
/// The value comes from the token's random source and passes host memory, since a key that cannot
/// leave its token cannot be split. Every custodian writes a share on paper and shows it by typing
/// its last six characters; only then is the key imported, so that it cannot leave the token, and
/// wiped. Shares are shown at the terminal only, one after another, and stand in no file and no log.
#[derive(Args)]
pub(crate) struct Split {
    /// Which key.
    #[arg(value_name = "KIND")]
    kind: SplitKey,
    /// Its label, 1 to 32 bytes; a label is never used twice.
    #[arg(long)]
    label: String,
    /// What it is for.
    #[arg(long = "as", value_name = "ROLE")]
    role: Role,
    /// How many custodians bring it back, 2 or more.
    #[arg(long, value_name = "M")]
    threshold: u8,
    /// A custodian's name; one option for each of the N.
    #[arg(long = "custodian", value_name = "NAME", required = true)]
    custodians: Vec<String>,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Split) -> Result<ExitCode, Failure> {
    check_custodians(&options.custodians)?;
    let count = check_numbers(options)?;
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let token = place.open()?;
    check_free(&token, &options.label)?;
    let mut terminal = Terminal::open()?;
    let act = Act::Split {
        label: options.label.clone(),
        key: options.kind.name().to_owned(),
        role: options.role.name().to_owned(),
        threshold: options.threshold,
        custodians: options.custodians.clone(),
    };
    let outcome = officers.carry_out(record_of(&token), &act, || {
        let algorithm = options.kind.algorithm();
        let key = random_key(&token, options.kind)?;
        let check_value = kcv(&key, algorithm).or_fail(Kind::Failed)?;
        let shares =
            split_key(&key, algorithm, options.threshold, count, &token).or_fail(Kind::Device)?;
        let mut records = Vec::new();
        for (share, custodian) in shares.iter().zip(&options.custodians) {
            let mut screen = terminal.only(custodian, "your share of the key comes now.")?;
            screen.give(share, &heading(options, share, custodian))?;
            records.push(share_record(share, custodian)?);
        }
        let (label, role) = (&options.label, options.role);
        let outcome = import(&token, label, role, &key, algorithm, check_value);
        let outcome = outcome.map_err(|failure| {
            failure.with_hint("the shares are good: zimogs hsm ceremony join brings the key in")
        })?;
        Ok(Outcome {
            shares: records,
            ..outcome
        })
    })?;
    shown::done(
        &outcome,
        &format!(
            "made, and split among {count} custodians, of whom any {} bring it back:",
            options.threshold
        ),
        options.token.json,
    )?;
    Ok(ExitCode::SUCCESS)
}

fn check_numbers(options: &Split) -> Result<u8, Failure> {
    let count = u8::try_from(options.custodians.len()).unwrap_or(u8::MAX);
    if options.threshold >= 2 && count >= options.threshold && count <= MAX_CUSTODIANS {
        return Ok(count);
    }
    let threshold = options.threshold;
    Err(Failure::of(
        Kind::Usage,
        &hsm::ShareError::Numbers { threshold, count },
    ))
}

/// What stands above a share: all that its paper must say.
fn heading(options: &Split, share: &KeyShare, custodian: &str) -> String {
    let info = share.info();
    format!(
        "Share {} of {} for {custodian}\n\
         Key \"{}\" ({}), check value {}; set {}\n\
         Any {} shares of this set bring the key back.",
        info.number,
        options.custodians.len(),
        options.label,
        options.kind.name(),
        hex::encode_upper(info.kcv),
        hex::encode_upper(info.set),
        info.threshold,
    )
}

/// Makes a key's value from the token's random source.
fn random_key(token: &Token, kind: SplitKey) -> Result<Key, Failure> {
    let mut value: Zeroizing<Vec<u8>> = token.random(kind.length()).or_fail(Kind::Device)?;
    if value.iter().all(|byte| Some(byte) == value.first()) {
        return Err(Failure::of(Kind::Device, &hsm::HsmError::RandomSourceStuck));
    }
    if kind.algorithm() == KeyAlgorithm::TripleDes {
        // Bytes of a DES key have odd parity (FIPS 46-3); tokens may insist on it.
        for byte in value.iter_mut() {
            *byte ^= u8::from(byte.count_ones() % 2 == 0);
        }
    }
    Key::new(&value).or_fail(Kind::Failed)
}
