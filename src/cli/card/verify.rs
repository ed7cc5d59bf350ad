//! `zimogs card verify`: judges a finished chip through the holder's own door.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use card::Channel;
use clap::Args;
use document::Record;
use jiff::Timestamp;
use perso::{Examination, Inspector, Presented, Standard, Verdict, examine};
use profile::{ChipProfile, Dialect, ObjectKind, Plan};
use reader::{Connection, OnPad, PinPad};
use serde::Serialize;
use station::Budgeted;
use zeroize::Zeroizing;

use crate::cli::card::pin::digits::Digits;
use crate::cli::card::pin::pad;
use crate::cli::card::place::Place;
use crate::cli::card::session::{Session, TraceOption};
use crate::cli::card::state::{self, State, StateOption};
use crate::cli::card::{pem, profiles, random, tables};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{output, terminal};

/// Options of `card verify`.
#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// The chip profile: a file, or the name of a shipped one.
    #[arg(long)]
    chip: String,
    /// The record that the document was made from, JSON. Without it what follows from it stays
    /// open.
    #[arg(long)]
    record: Option<PathBuf>,
    /// The document profile: a file, or the name of a shipped one. Without it the shipped one
    /// that makes the record's kind of document.
    #[arg(long, requires = "record")]
    document: Option<String>,
    /// Trusted certificates, PEM or DER. Without them the chain stays open.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// Ask for the key's PIN, have the chip sign, and verify it. Uses a try when the PIN is
    /// wrong; the last try is never used.
    #[arg(long)]
    pin: bool,
    /// Ask for the PIN here although the reader has a PIN pad.
    #[arg(long, requires = "pin")]
    no_pin_pad: bool,
    /// The same as --pin, the PIN from standard input.
    #[arg(long, conflicts_with = "pin")]
    pin_stdin: bool,
    /// The key that signs, by its name in the chip profile.
    #[arg(long, default_value = "authentication")]
    key: String,
    /// Present the PIN although a failure could block it.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    state: StateOption,
    #[command(flatten)]
    trace: TraceOption,
    /// One JSON value instead of a table.
    #[arg(long)]
    json: bool,
}

/// What came out. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    reader: String,
    product: String,
    serial: Option<String>,
    /// `passed`, `unknown` or `failed`: the worst of all.
    verdict: String,
    checks: Vec<Check>,
    /// What was not asked for.
    left_out: Vec<&'static str>,
}

#[derive(Serialize)]
struct Check {
    check: String,
    verdict: String,
    reason: String,
}

/// Judges the chip.
pub(crate) fn run(options: &Verify) -> Result<ExitCode, Failure> {
    let chip = Arc::new(profiles::chip(&options.chip)?);
    let made_from = made_from(options, &chip)?;
    let anchors = options
        .trust
        .as_deref()
        .map(pem::read)
        .transpose()?
        .unwrap_or_default();
    let state = options.state.open()?;
    let mut connection = options.place.connect()?;
    let reader = connection.reader().to_owned();
    // Through this reader the chip takes no more than this.
    let mut narrowed = (*chip).clone();
    narrowed.limits = state.limits(&mut connection, &chip)?;
    let (mut session, digits) = begin(options, &narrowed, connection)?;
    let standard = Standard {
        chip: &narrowed,
        made_from: made_from.as_ref().map(|(record, plan)| (record, plan)),
        anchors: &anchors,
        at: Timestamp::now(),
    };
    let found = match &digits {
        None => examine(&mut session as &mut dyn Channel, &standard, None).or_fail(Kind::Device)?,
        Some(digits) => {
            let presented = Presented {
                key: &options.key,
                digits,
                random: random::system(),
            };
            present(options, &state, &mut session, &standard, presented)?
        }
    };
    let verdict = found.verdict();
    let left_out = if digits.is_some() {
        Vec::new()
    } else {
        vec!["a signature by the chip: --pin"]
    };
    let report = Report::of(reader, &chip, found, left_out);
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(match verdict {
        Verdict::Passed => ExitCode::SUCCESS,
        Verdict::Unknown => ExitCode::from(Kind::Failed as u8),
        Verdict::Failed => ExitCode::from(Kind::Integrity as u8),
    })
}

/// Begins the session, and asks for the PIN where one is wanted: here, or on the reader's pad,
/// where what stands for it goes nowhere.
fn begin(
    options: &Verify,
    chip: &ChipProfile,
    mut connection: Connection,
) -> Result<(Session, Option<Digits>), Failure> {
    let key = chip.key_rules(&options.key);
    let object = key
        .and_then(|rules| rules.pin.as_ref())
        .and_then(|pin| chip.object(ObjectKind::Pin, pin));
    if options.pin
        && !options.no_pin_pad
        && let Some(pin) = object
        && let Some(entry) = pad::entry(chip, &chip.limits, Dialect::VerifyPin, pin, pin)
        && let Some(found) = PinPad::ask(&mut connection).or_fail(Kind::Device)?
    {
        match OnPad::new(connection, &found, vec![entry]) {
            Ok(on_pad) => {
                // Beside the report, which may be for a program.
                tracing::warn!("enter {} on the reader's pad when it asks", pin.title);
                let stand_in = pad::stand_in(pin, pin).before;
                let session = options.trace.begin(on_pad, Some(chip))?;
                return Ok((session, Some(stand_in.into())));
            }
            Err((back, fault)) => {
                tracing::warn!("the reader's pad is not used: {fault}");
                connection = back;
            }
        }
    }
    let digits = pin(options)?;
    let session = options.trace.begin(connection, Some(chip))?;
    Ok((session, digits))
}

/// Judges the chip with a PIN, within the budget of attempts.
fn present(
    options: &Verify,
    state: &State,
    session: &mut Session,
    standard: &Standard<'_>,
    presented: Presented<'_>,
) -> Result<Examination, Failure> {
    let chip = standard.chip;
    let mut inspector = Inspector::new(chip, &mut *session).within(chip.limits);
    // A chip of another product is told by the examination.
    let identity = inspector.identify().ok();
    let serial = identity.and_then(|identity| identity.serial);
    let pin = chip
        .key_rules(&options.key)
        .and_then(|rules| rules.pin.clone());
    let object = pin
        .as_ref()
        .and_then(|pin| chip.object(ObjectKind::Pin, pin));
    let left = object.and_then(|object| inspector.tries(object).ok());
    let ledger = state.ledger()?;
    let mut channel = Budgeted::new(session, ledger, chip, serial.as_deref(), options.force);
    if let (Some(pin), Some(left)) = (&pin, left) {
        channel
            .learn_pin(pin, left)
            .map_err(|error| state::refused(&error))?;
    }
    let found = examine(&mut channel as &mut dyn Channel, standard, Some(presented));
    found.map_err(|error| match channel.take_refusal() {
        Some(refusal) => state::refused(&refusal),
        None => Failure::of(Kind::Device, &error),
    })
}

fn made_from(options: &Verify, chip: &Arc<ChipProfile>) -> Result<Option<(Record, Plan)>, Failure> {
    let Some(path) = &options.record else {
        return Ok(None);
    };
    let record = profiles::record(path)?;
    let document = match &options.document {
        Some(name) => profiles::document(name)?,
        None => profiles::shipped_document_for(record.kind, &chip.name)?,
    };
    let plan = profiles::plan(Arc::clone(chip), &document, &record)?;
    Ok(Some((record, plan)))
}

fn pin(options: &Verify) -> Result<Option<Digits>, Failure> {
    let digits = if options.pin {
        terminal::hidden(&format!("PIN of key {}: ", options.key)).or_fail(Kind::Usage)?
    } else if options.pin_stdin {
        let line = terminal::line(&mut std::io::stdin().lock(), 64).or_fail(Kind::Usage)?;
        Zeroizing::new(line.trim_ascii().to_vec())
    } else {
        return Ok(None);
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Failure::new(
            Kind::Usage,
            "a PIN has digits only; nothing was tried",
        ));
    }
    Ok(Some(digits))
}

impl Report {
    fn of(
        reader: String,
        chip: &ChipProfile,
        found: Examination,
        left_out: Vec<&'static str>,
    ) -> Self {
        Self {
            reader,
            product: chip.name.clone(),
            verdict: found.verdict().to_string(),
            serial: found.serial,
            checks: found
                .findings
                .into_iter()
                .map(|finding| Check {
                    check: finding.what,
                    verdict: finding.verdict.to_string(),
                    reason: finding.reason,
                })
                .collect(),
            left_out,
        }
    }

    fn text(&self) -> String {
        let mut table = tables::headed(["check", "verdict", "reason"]);
        for check in &self.checks {
            table.add_row([&check.check, &check.verdict, &check.reason]);
        }
        let left_out: String = self
            .left_out
            .iter()
            .map(|what| format!("\nnot asked: {what}"))
            .collect();
        format!(
            "{table}\n{}: {}{left_out}",
            self.serial.as_deref().unwrap_or("this chip"),
            self.verdict
        )
    }
}
