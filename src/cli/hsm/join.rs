//! `zimogs hsm ceremony join`: a key brought back by custodians.

use std::process::ExitCode;

use card::cipher::Key;
use clap::Args;
use hsm::{Act, KeyShare, ShareError, ShareRecord, join_key};

use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::ceremony::{check_custodians, check_free, import, share_record};
use crate::cli::hsm::key_name::Role;
use crate::cli::hsm::officers::{OfficerChoice, Outcome};
use crate::cli::hsm::place::{TokenChoice, record_of};
use crate::cli::hsm::shown;
use crate::cli::hsm::terminal::Terminal;

/// Brings a key back from custodians' shares and imports it, so that it cannot leave the token.
///
/// Nothing is imported unless the shares are of one ceremony and the key that they make has the
/// check value that all of them name.
#[derive(Args)]
pub(crate) struct Join {
    /// The label that the key gets.
    #[arg(long)]
    label: String,
    /// What it is for.
    #[arg(long = "as", value_name = "ROLE")]
    role: Role,
    /// A custodian who is here; one option for each.
    #[arg(long = "custodian", value_name = "NAME", required = true)]
    custodians: Vec<String>,
    #[command(flatten)]
    token: TokenChoice,
    #[command(flatten)]
    officers: OfficerChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Join) -> Result<ExitCode, Failure> {
    check_custodians(&options.custodians)?;
    let place = options.token.place()?;
    let officers = options.officers.open(&place)?;
    let token = place.open()?;
    check_free(&token, &options.label)?;
    let mut terminal = Terminal::open()?;
    let act = Act::Join {
        label: options.label.clone(),
        role: options.role.name().to_owned(),
        custodians: options.custodians.clone(),
    };
    let outcome = officers.carry_out(record_of(&token), &act, || {
        let (key, shares) = collect(&mut terminal, &options.custodians)?;
        let info = shares.first().map(KeyShare::info);
        let info = info.ok_or_else(|| Failure::new(Kind::Usage, "no share came"))?;
        let records = records(&shares, &options.custodians)?;
        let (label, role) = (&options.label, options.role);
        let outcome = import(&token, label, role, &key, info.algorithm, info.kcv)?;
        Ok(Outcome {
            shares: records,
            ..outcome
        })
    })?;
    shown::done(&outcome, "joined and imported:", options.token.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Takes a share from every custodian, and puts the key together.
pub(crate) fn collect(
    terminal: &mut Terminal,
    custodians: &[String],
) -> Result<(Key, Vec<KeyShare>), Failure> {
    let mut shares: Vec<KeyShare> = Vec::new();
    for custodian in custodians {
        let mut screen = terminal.only(custodian, "your share of the key is needed now.")?;
        let share = screen.take(|share| fits(&shares, share))?;
        shares.push(share);
    }
    let key = join_key(&shares).map_err(|error| Failure::of(Kind::Refused, &error))?;
    Ok((key, shares))
}

/// Tells whether a share goes with those that came before; that there are too few as yet is no
/// fault.
fn fits(before: &[KeyShare], share: &KeyShare) -> Result<(), ShareError> {
    let together: Vec<_> = before.iter().chain([share]).cloned().collect();
    match join_key(&together) {
        Ok(_)
        | Err(
            ShareError::TooFew { .. }
            // Which of them is false is not known: the end tells it.
            | ShareError::CheckValue { .. }
            | ShareError::Disagrees { .. },
        ) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Tells the shares that came, without their secrets.
pub(crate) fn records(
    shares: &[KeyShare],
    custodians: &[String],
) -> Result<Vec<ShareRecord>, Failure> {
    let pairs = shares.iter().zip(custodians);
    pairs
        .map(|(share, name)| share_record(share, name))
        .collect()
}
