//! What changing and unblocking have in common: a secret is presented, and its tries are minded.

use std::error::Error;
use std::process::ExitCode;

use card::{Channel, Limits, PinPolicy};
use clap::Args;
use perso::{InspectError, Inspector, PinAnswer};
use profile::{ChipProfile, Dialect, Object, ObjectKind, PinRules};
use reader::{Connection, OnPad, PinPad, PinPadFault};
use serde::Serialize;
use station::Budgeted;

use crate::cli::card::pin::digits::{Digits, Source};
use crate::cli::card::pin::known::{self, Known, Which};
use crate::cli::card::pin::pad;
use crate::cli::card::session::{Session, TraceOption};
use crate::cli::card::state::{self, State, StateOption};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// The most digits of a PIN that a person chooses.
const MOST: u8 = 12;
/// The fewest.
const LEAST: u8 = 4;

/// Options of what presents a secret.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    which: Which,
    /// The PIN, by its name in the chip profile; not needed where the chip has only one.
    #[arg(long)]
    pin: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Use the last try: a wrong value blocks.
    #[arg(long)]
    last_try: bool,
    #[command(flatten)]
    state: StateOption,
    #[command(flatten)]
    trace: TraceOption,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What is done with a PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// By the value that it has.
    Change,
    /// By its PUK.
    Unblock,
}

impl Deed {
    fn operation(self) -> Dialect {
        match self {
            Self::Change => Dialect::ChangePin,
            Self::Unblock => Dialect::UnblockPin,
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Change => "changed",
            Self::Unblock => "unblocked",
        }
    }
}

/// What came of it. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    reader: String,
    product: String,
    serial: Option<String>,
    /// The PIN's name.
    pin: String,
    /// Whether it has its new value now.
    done: bool,
    /// `terminal`, `stdin` or `pin-pad`.
    entered: &'static str,
    /// The name of the secret that was presented: the PIN's, or its PUK's.
    presented: String,
    /// Its tries: left before, left after (nothing where the chip does not say), and at most.
    left_before: Option<u8>,
    left_after: Option<u8>,
    of: u8,
}

/// What is presented, and for what.
#[derive(Clone, Copy)]
struct Presented<'a> {
    deed: Deed,
    chip: &'a ChipProfile,
    limits: &'a Limits,
    pin: &'a Object,
    rules: &'a PinRules,
    /// The PIN itself, or its PUK.
    before: &'a Object,
    befores: &'a PinRules,
}

/// Changes or unblocks a PIN.
pub(crate) fn run(options: &Options, deed: Deed) -> Result<ExitCode, Failure> {
    let known = options.which.find()?;
    let Known {
        chip,
        serial,
        mut connection,
    } = known;
    let (pin, rules) = known::find(&chip, options.pin.as_deref(), deed.operation())?;
    let (before, befores) = match deed {
        Deed::Change => (pin, rules),
        Deed::Unblock => puk(&chip, pin, rules)?,
    };
    let state = options.state.open()?;
    let limits = state.limits(&mut connection, &chip)?;
    let presented = Presented {
        deed,
        chip: &chip,
        limits: &limits,
        pin,
        rules,
        before,
        befores,
    };
    let left = presented.tries(&mut connection)?;
    presented.may_try(left, options.last_try)?;
    let reader = connection.reader().to_owned();
    let session = Entered::new(options, presented, connection, left)?;
    let entered = session.how;
    let ended = presented.end(options, &state, session, serial.as_deref(), left)?;
    let report = Report {
        reader,
        product: chip.name.clone(),
        serial,
        pin: pin.name.clone(),
        done: ended.answer == PinAnswer::Accepted,
        entered,
        presented: before.name.clone(),
        left_before: left,
        left_after: ended.left,
        of: befores.tries,
    };
    if options.json {
        output::json(&report)?;
        return Ok(match report.done {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(Kind::Failed as u8),
        });
    }
    let tries = known::tries_text(ended.left, befores.tries);
    if report.done {
        let title = &pin.title;
        output::line(&format!(
            "{title} is {}; {}: {tries}",
            deed.done(),
            before.title
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(presented.wrong(ended.left))
}

fn puk<'a>(
    chip: &'a ChipProfile,
    pin: &Object,
    rules: &PinRules,
) -> Result<(&'a Object, &'a PinRules), Failure> {
    let puk = rules.puk.as_ref();
    let puk = puk.and_then(|name| chip.object(ObjectKind::Pin, name));
    puk.and_then(known::rules).ok_or_else(|| {
        let fault = format!("the chip profile names no PUK for {}", pin.title);
        Failure::new(Kind::Refused, fault)
    })
}

/// How it ended.
struct Ended {
    answer: PinAnswer,
    left: Option<u8>,
}

impl Presented<'_> {
    /// Returns how many tries the secret has that is presented.
    fn tries(&self, channel: &mut dyn Channel) -> Result<Option<u8>, Failure> {
        let mut inspector = Inspector::new(self.chip, channel).within(*self.limits);
        inspector.identify().or_fail(Kind::Device)?;
        known::tries(&mut inspector, self.before)
    }

    /// Refuses what would surely fail, and the last try that nobody wanted to use.
    fn may_try(&self, left: Option<u8>, last_try: bool) -> Result<(), Failure> {
        let title = &self.before.title;
        match (left, self.deed) {
            (Some(0), Deed::Change) => Err(Failure::new(
                Kind::Refused,
                format!("{title} is blocked; nothing was tried"),
            )
            .with_hint(match &self.befores.puk {
                Some(_) => format!(
                    "its holder unblocks it by the PUK: zimogs card pin unblock --pin {}",
                    self.before.name
                ),
                None => "nothing unblocks it: its holder needs new PINs from the office".to_owned(),
            })),
            (Some(0), Deed::Unblock) => Err(Failure::new(
                Kind::Refused,
                format!("{title} is blocked; nothing was tried"),
            )
            .with_hint("its holder needs new PINs from the office, in person")),
            (Some(1), _) if !last_try => Err(Failure::new(
                Kind::Refused,
                format!("{title} has one try left, and a wrong value blocks it; nothing was tried"),
            )
            .with_hint("--last-try uses it, where its holder is sure")),
            _ => Ok(()),
        }
    }

    fn wrong(&self, left: Option<u8>) -> Failure {
        let (title, tries) = (&self.before.title, self.befores.tries);
        let fault = format!(
            "{} is not {}: {title} is wrong; {}",
            self.pin.title,
            self.deed.done(),
            known::tries_text(left, tries)
        );
        let failure = Failure::new(Kind::Failed, fault);
        match left {
            Some(1) => failure.with_hint("one more wrong value blocks it"),
            _ => failure,
        }
    }

    /// Presents the secret within the budget of attempts, and reads the tries that are left.
    fn end(
        &self,
        options: &Options,
        state: &State,
        entered: Entered,
        serial: Option<&str>,
        left: Option<u8>,
    ) -> Result<Ended, Failure> {
        let Entered {
            mut session,
            before,
            new,
            ..
        } = entered;
        let ledger = state.ledger()?;
        let force = options.last_try;
        let mut channel = Budgeted::new(&mut session, ledger, self.chip, serial, force);
        let learn = |channel: &mut Budgeted<_, _>, left: Option<u8>| match left {
            Some(left) => channel
                .learn_pin(&self.before.name, left)
                .map_err(|error| state::refused(&error)),
            None => Ok(()),
        };
        learn(&mut channel, left)?;
        let answer = self.present(&mut channel, &before, &new);
        if let Some(refusal) = channel.take_refusal() {
            return Err(state::refused(&refusal));
        }
        // The card's own word covers an attempt that the reader's pad never sent.
        let left = match &answer {
            Ok(PinAnswer::Wrong(left)) => Some(*left),
            Ok(PinAnswer::Blocked) => Some(0),
            _ => self.tries(&mut channel).unwrap_or(None),
        };
        learn(&mut channel, left)?;
        let answer = answer.map_err(|error| self.failure(&error))?;
        Ok(Ended { answer, left })
    }

    fn present(
        &self,
        channel: &mut dyn Channel,
        before: &[u8],
        new: &[u8],
    ) -> Result<PinAnswer, InspectError> {
        let mut inspector = Inspector::new(self.chip, channel).within(*self.limits);
        inspector.identify()?;
        match self.deed {
            Deed::Change => inspector.change_pin(self.pin, before, new),
            Deed::Unblock => inspector.unblock_pin(self.pin, (self.before, before), new),
        }
    }

    fn failure(&self, error: &InspectError) -> Failure {
        let mut cause = error.source();
        while let Some(found) = cause {
            if let Some(fault) = found.downcast_ref::<PinPadFault>() {
                return Failure::new(Kind::Failed, fault.to_string());
            }
            cause = found.source();
        }
        let kind = match error.is_device() {
            true => Kind::Device,
            false => Kind::Failed,
        };
        Failure::of(kind, error)
    }
}

/// The values, and the session in which they are presented.
struct Entered {
    session: Session,
    before: Digits,
    new: Digits,
    how: &'static str,
}

impl Entered {
    /// Asks for the values: here, or has the reader's pad ask for them.
    fn new(
        options: &Options,
        presented: Presented<'_>,
        mut connection: Connection,
        left: Option<u8>,
    ) -> Result<Self, Failure> {
        let Presented {
            chip, pin, before, ..
        } = presented;
        if !options.json {
            let tries = known::tries_text(left, presented.befores.tries);
            output::line(&format!("{}: {tries}", before.title))?;
        }
        if left == Some(1) {
            tracing::warn!(
                "this is the last try: a wrong value blocks {}",
                before.title
            );
        }
        let entry = pad::entry(
            chip,
            presented.limits,
            presented.deed.operation(),
            pin,
            before,
        );
        if options.source.may_be_a_pad()
            && let Some(entry) = entry
            && let Some(pad) = PinPad::ask(&mut connection).or_fail(Kind::Device)?
        {
            match OnPad::new(connection, &pad, vec![entry]) {
                Ok(on_pad) => {
                    if !options.json {
                        output::line(&format!(
                            "enter on the reader's pad: {}, then the new {}, then the new one again",
                            before.title, pin.title
                        ))?;
                    }
                    let stand_in = pad::stand_in(pin, before);
                    return Ok(Self {
                        session: options.trace.begin(on_pad, Some(chip))?,
                        before: stand_in.before.into(),
                        new: stand_in.new.into(),
                        how: "pin-pad",
                    });
                }
                Err((back, fault)) => {
                    tracing::warn!("the reader's pad is not used: {fault}");
                    connection = back;
                }
            }
        }
        let source = &options.source;
        source.check()?;
        let rules = presented.rules;
        let policy = PinPolicy::between(rules.minimum.max(LEAST), rules.stored.min(MOST));
        let policy = policy.or_fail(Kind::Failed)?;
        let now = source.present(&before.title, presented.befores.stored)?;
        let new = source.fresh(&pin.title, &policy)?;
        if now == new {
            let fault = format!(
                "the new {} is the {} that was given; nothing was tried",
                pin.title, before.title
            );
            return Err(Failure::new(Kind::Usage, fault));
        }
        Ok(Self {
            session: options.trace.begin(connection, Some(chip))?,
            before: now,
            new,
            how: source.how(),
        })
    }
}
