//! `zimogs central new-pins`: a finished document in a reader gets a new PIN set.
//!
//! ```text
//!   card in the reader ─► lease ─► executor ─► sealed commands ─► the chip's answers ─► report
//!                                                                                         │
//!                                                    the new envelope waits to be printed ◄┘
//! ```

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use api::{Actor, BlankEnd, Centre, Lease, ReportedChip, cause_of};
use card::Channel;
use central::Central;
use clap::Args;
use perso::{Assignment, Executor, Outcome};
use reader::{Connection, Meter, Traffic};
use serde::Serialize;
use station::{Bridge, Budgeted, Catalogue, Ending, Journal, Lane, drive};
use tokio::runtime::Handle;

use crate::cli::card::place::Place as Reader;
use crate::cli::card::progress::Steps;
use crate::cli::card::random;
use crate::cli::card::session::TraceOption;
use crate::cli::card::state::{self, State, StateOption};
use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{output, shipped};

/// The account that gives new PINs, where none is named.
const OPERATOR: &str = "operator";

/// How the work names its place in the journal.
const PLACE: &str = "new-pins";

/// Which document, and why.
#[derive(Args)]
pub(crate) struct NewPins {
    /// The document's number.
    number: String,
    /// Why: "letter lost", say. It stands in the log.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    reader: Reader,
    /// Make an attempt although it could lock the chip.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    state: StateOption,
    #[command(flatten)]
    trace: TraceOption,
    #[command(flatten)]
    place: Place,
}

/// What became of it. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report<'a> {
    number: &'a str,
    /// Whether the chip confirmed its new PINs: then its new envelope is ready to be printed.
    set: bool,
    chip: Option<String>,
    product: Option<String>,
    seconds: f64,
    commands: u64,
    bytes: u64,
    fault: Option<String>,
}

/// What a run left.
#[derive(Default)]
struct Run {
    outcome: Outcome,
    chips: Vec<ReportedChip>,
    traffic: Traffic,
    /// Why nothing could be tried, or not everything.
    refusal: Option<Failure>,
}

/// Gives a finished document new PINs.
pub(crate) fn run(options: &NewPins) -> Result<(), Failure> {
    let profiles = shipped::profiles(options.place.profiles.as_deref())?;
    let catalogue = Catalogue::new(profiles.chips, profiles.documents);
    let state = options.state.open()?;
    // Without a card in the reader nothing is begun.
    let connection = options.reader.connect()?;
    options
        .place
        .with_central(OPERATOR, async |central, actor| {
            let mut journal = journal(&options.place.data)?;
            // What was cut off before is reported first: its lease ends by what its chip confirmed.
            journal.recover().or_fail(Kind::Failed)?;
            send(&mut journal, central, &actor).await?;
            let lease = central
                .lease_new_pins(&actor, &options.number, &options.cause)
                .await?;
            if !journal
                .begin(lease.id, lease.identity, lease.record.number, PLACE)
                .or_fail(Kind::Failed)?
            {
                return Err(Failure::new(
                    Kind::Failed,
                    format!("lease {} was begun and reported before", lease.id),
                )
                .with_hint("wait until it ends by itself, after ten minutes, and try again"));
            }
            let started = Instant::now();
            let work = Work {
                options,
                central,
                actor: &actor,
                lease: &lease,
                state: &state,
            };
            let run = work.attempt(&catalogue, connection, &mut journal);
            let run = run.unwrap_or_else(|failure| Run {
                refusal: Some(failure),
                ..Run::default()
            });
            let seconds = started.elapsed();
            let milliseconds = u64::try_from(seconds.as_millis()).unwrap_or(u64::MAX);
            let ending = Ending {
                end: run.end(),
                chips: run.chips.clone(),
                certificates: 0,
                milliseconds,
            };
            journal.end(lease.id, ending).or_fail(Kind::Failed)?;
            send(&mut journal, central, &actor).await?;
            let set = central.new_pins_are_set(&actor, lease.id).await?;
            tell(options, run, set, seconds)
        })
}

/// Opens the journal of this installation's counters.
fn journal(data: &Path) -> Result<Journal, Failure> {
    let folder = data.join("office");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| {
            let fault = format!("the folder {} cannot be made: {error}", folder.display());
            Failure::new(Kind::Failed, fault)
        })?;
    Journal::open(&folder.join("journal.db")).or_fail(Kind::Failed)
}

/// Sends what is in the journal's outbox, in order.
async fn send(journal: &mut Journal, central: &Central, actor: &Actor) -> Result<(), Failure> {
    while let Some(report) = journal.next_report().or_fail(Kind::Failed)? {
        central.report(actor, &report).await.or_fail(Kind::Failed)?;
        journal.sent(report.sequence).or_fail(Kind::Failed)?;
    }
    Ok(())
}

/// One attempt at one card.
struct Work<'a> {
    options: &'a NewPins,
    central: &'a Central,
    actor: &'a Actor,
    lease: &'a Lease,
    state: &'a State,
}

impl Work<'_> {
    fn attempt(
        &self,
        catalogue: &Catalogue,
        mut connection: Connection,
        journal: &mut Journal,
    ) -> Result<Run, Failure> {
        let plans = catalogue.plans(self.lease).or_fail(Kind::Failed)?;
        let [plan] = plans.as_slice() else {
            return Err(Failure::new(
                Kind::Failed,
                "a lease for new PINs is for one chip",
            ));
        };
        let chip = Arc::clone(&plan.chip);
        let limits = self.state.limits(&mut connection, &chip)?;
        let ledger = self.state.ledger()?;
        let session = self.options.trace.begin(connection, Some(&chip))?;
        let mut channel =
            Budgeted::new(Meter::new(session), ledger, &chip, None, self.options.force);
        let assignment = Assignment {
            variables: profile::variables(&self.lease.record),
            subjects: self.lease.subjects.clone(),
            limits,
            // The books know a card by its chip.
            blank: None,
        };
        let atr = channel.atr().to_vec();
        let executor = Executor::new(plan.clone(), assignment, &atr, random::system());
        let mut executor = match executor {
            Ok(executor) => executor,
            Err(fault) => {
                return Ok(Run {
                    outcome: Outcome {
                        fault: Some(fault),
                        ..Outcome::default()
                    },
                    ..Run::default()
                });
            }
        };
        let (sender, answers) = mpsc::channel();
        let bridge = Bridge::new(
            Arc::new(self.central.clone()),
            self.actor.clone(),
            self.lease.id,
            Handle::current(),
            sender,
        );
        let steps = Steps::new();
        let lane = Lane {
            executor: &mut executor,
            limits,
            notebook: &mut journal.notebook(self.lease.id),
            ask: &mut |id, chip, request| bridge.ask(id, chip.to_owned(), request),
        };
        let mut show = |progress| steps.show(progress);
        let outcome = drive(lane, &mut channel, &answers, &mut show).outcome;
        steps.end();
        if outcome.fault.is_none() {
            for (pin, rules, _) in &plan.pins {
                // The chip has just said so.
                channel
                    .learn_pin(pin, rules.tries)
                    .map_err(|error| state::refused(&error))?;
            }
        }
        let traffic = channel.inner().traffic();
        let refusal = channel.take_refusal();
        Ok(Run {
            chips: vec![ReportedChip {
                interface: chip.interface.to_string(),
                product: chip.name.clone(),
                serial: outcome.chip.clone(),
                os: outcome.os.clone(),
                commands: traffic.commands,
                bytes: traffic.bytes(),
            }],
            outcome,
            traffic,
            refusal: refusal.map(|refusal| state::refused(&refusal)),
        })
    }
}

impl Run {
    fn fault(&self) -> Option<String> {
        match (&self.outcome.fault, &self.refusal) {
            (Some(fault), _) => Some(fault.to_string()),
            (None, Some(refusal)) => Some(refusal.message().to_owned()),
            (None, None) => None,
        }
    }

    fn end(&self) -> BlankEnd {
        match self.fault().map(|fault| cause_of(&fault)) {
            None => BlankEnd::Personalized,
            Some(cause) if self.outcome.touched => BlankEnd::Spoiled { cause },
            Some(cause) => BlankEnd::Untouched { cause },
        }
    }
}

fn tell(options: &NewPins, run: Run, set: bool, time: Duration) -> Result<(), Failure> {
    let number = &options.number;
    let chip = run.chips.first();
    if options.place.json() {
        output::json(&Report {
            number,
            set,
            chip: chip.and_then(|chip| chip.serial.clone()),
            product: chip.map(|chip| chip.product.clone()),
            seconds: time.as_secs_f64(),
            commands: run.traffic.commands,
            bytes: run.traffic.bytes(),
            fault: run.fault(),
        })?;
    }
    let print = format!("zimogs central envelope print {number}");
    let failure = match (run.refusal, &run.outcome.fault) {
        (Some(refusal), _) => refusal,
        (None, Some(fault)) => Failure::of(fault.into(), fault),
        (None, None) if options.place.json() => return Ok(()),
        (None, None) => {
            return output::line(&format!(
                "{number} has new PINs; the letters before it are void. Print the new one: {print}"
            ));
        }
    };
    Err(match (set, run.outcome.touched) {
        (true, _) => failure.with_hint(format!(
            "the chip confirmed its new PINs all the same: look at the card with `zimogs card pin status`, then {print}"
        )),
        (false, true) => failure.with_hint(
            "nobody knows which PINs the card has now, and no letter is printed: put it into the reader and do this again",
        ),
        (false, false) => {
            failure.with_hint("the card is as it was before, and so is its letter")
        }
    })
}
