//! `zimogs card personalize`: one document on one chip, without central store or station.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use api::{Actor, BlankEnd, Centre, Lease, LeaseId, ProfilePin, ReportedChip};
use card::{Channel, Limits};
use clap::Args;
use document::{Application, Environment, MAX_APPLICATION_BYTES, Purpose, Record};
use jiff::Timestamp;
use perso::{Assignment, Executor, Fault, Inspector, Outcome};
use profile::{Applied, DocumentLds, DocumentProfile, Plan};
use reader::{AttemptFile, Meter, Traffic};
use serde::Serialize;
use station::{Bridge, Budgeted, Ending, Heard, Lane, Notebook, drive};
use uuid::Uuid;

use crate::cli::card::desk::Desk;
use crate::cli::card::desk_keys::DeskKeys;
use crate::cli::card::place::Place;
use crate::cli::card::progress::Steps;
use crate::cli::card::runs::{Run, Runs};
use crate::cli::card::session::{Session, TraceOption};
use crate::cli::card::state::{self, StateOption};
use crate::cli::card::trial::KeysOption;
use crate::cli::card::{profiles, random};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::output;

/// How a desk names itself in the journal.
const DESK: &str = "desk";
/// How long a lease says that it lasts; at a desk nobody else wants the document.
const TERM: Duration = Duration::from_secs(600);

/// What `--help` says of the file that names the keys.
const KEYS: &str = "\
KEYS.toml, without --keys that of the working folder (paths start at its own folder; all but `out` and [token] may be left out):
  out = \"made\"                    # journal, certificates, sealed PIN envelopes
  [token]
  kind = \"softhsm2\"               # a shipped token kind, or a file like hsm-config/*.toml
  label = \"desk\"
  pin_file = \"token.pin\"          # readable by its owner only
  [masters]                       # key set of the chip profile = label in the token
  transport = \"transport-master\"
  issuer = \"issuer-master\"
  [authority]
  key = \"authority\"
  profile = \"pilot-ca\"            # the authority's own certificate profile
  certificate = \"authority.der\"   # made in `out` where it is not named
  profiles = \"certs\"              # folder; the shipped ones where it is not named
  [envelope]
  key = \"envelope\"
  [travel]                        # of travel documents; a trial makes its own
  signers = \"signers\"            # folder of `zimogs pki ds`
  trust = [\"csca-1.cer\"]         # the country signing certificates
  cvca = \"cvca.cvcert\"           # whose inspection systems may read fingerprints";

/// Options of `card personalize`.
#[derive(Args)]
#[command(after_help = KEYS)]
pub(crate) struct Personalize {
    #[command(flatten)]
    place: Place,
    /// The chip profile: a file, or the name of a shipped one.
    #[arg(long)]
    chip: String,
    /// The document profile: a file, or the name of a shipped one.
    #[arg(long)]
    document: String,
    /// What the document is to say, JSON. Its number is one of a test series (X…): a desk has no
    /// stock, no second person and no account of numbers.
    #[arg(long)]
    record: PathBuf,
    /// Of a travel document: an application, JSON, from whose pictures the chip's files are made.
    /// Not needed where the record has them prepared.
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// The blank's number in hexadecimal, where the chip has no serial number of its own; one is
    /// made up where it is not given.
    #[arg(long, value_name = "HEX", value_parser = blank_number)]
    blank: Option<String>,
    #[command(flatten)]
    keys: KeysOption,
    /// Make an attempt although it could lock the chip.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    state: StateOption,
    #[command(flatten)]
    trace: TraceOption,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What was made. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    number: String,
    #[serde(flatten)]
    end: BlankEnd,
    chip: String,
    product: String,
    os: Option<String>,
    certificates: Vec<Made>,
    /// The sealed PIN envelope.
    envelope: Option<PathBuf>,
    /// The authority's certificate.
    authority: PathBuf,
    seconds: f64,
    commands: u64,
    bytes: u64,
}

/// One certificate.
#[derive(Serialize)]
struct Made {
    key: String,
    serial: String,
    file: PathBuf,
}

/// Makes the document.
pub(crate) fn run(options: &Personalize) -> Result<ExitCode, Failure> {
    let chip = Arc::new(profiles::chip(&options.chip)?);
    let document = profiles::document(&options.document)?;
    let mut record = profiles::record(&options.record)?;
    only_test_numbers(&record)?;
    let keys = DeskKeys::open(&options.keys.desk_file(&chip)?)?;
    let lds = document.chips.iter().find_map(|chip| chip.lds.clone());
    if let (Some(lds), Some(path)) = (&lds, &options.application) {
        travel_files(&mut record, lds, path, &keys)?;
    }
    let plan = profiles::plan(chip, &document, &record)?;
    central::prove_all(&plan).map_err(|fault| Failure::new(Kind::Usage, fault))?;
    central::check_means(&plan, keys.authority.profiles(), &keys.chips.service)
        .or_fail(Kind::Usage)?;
    let state = options.state.open()?;
    let ledger = state.ledger()?;
    let runs = Runs::open(&keys.out).or_fail(Kind::Failed)?;
    let mut connection = options.place.connect()?;
    let limits = state.limits(&mut connection, &plan.chip)?;
    let mut session = options.trace.begin(connection, Some(&plan.chip))?;
    let serial = identify(&plan, &mut session, &limits, options.blank.as_deref())?;
    if let Some(used) = runs
        .used(&serial, &plan.chip.name, record.number)
        .or_fail(Kind::Failed)?
    {
        return Err(Failure::of(Kind::Refused, &used)
            .with_hint("take another blank, and another number for another document"));
    }
    let lease = lease(&plan, &document, &record, &keys)?;
    let folder = keys.out.join(format!("{}-{serial}", record.number));
    std::fs::create_dir_all(&folder).or_fail(Kind::Failed)?;
    runs.begin(&Run {
        lease: lease.id,
        number: record.number,
        product: plan.chip.name.clone(),
        chip: serial.clone(),
        started: Timestamp::now(),
        report: None,
    })
    .or_fail(Kind::Failed)?;
    let mut journal = runs.journal().or_fail(Kind::Failed)?;
    journal
        .begin(lease.id, lease.identity, lease.record.number, DESK)
        .or_fail(Kind::Failed)?;
    let desk = Desk::new(
        keys,
        runs,
        (plan.clone(), lds),
        lease.clone(),
        serial.clone(),
        folder.clone(),
    );

    let started = Instant::now();
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    let actor = Actor {
        station: DESK.into(),
        person: DESK.into(),
    };
    let (sender, answers) = mpsc::channel();
    let bridge = Bridge::new(
        Arc::new(desk.clone()),
        actor.clone(),
        lease.id,
        runtime.handle().clone(),
        sender,
    );
    let metered = Meter::new(session);
    let mut channel = Budgeted::new(metered, ledger, &plan.chip, Some(&serial), options.force);
    let attempt = Attempt {
        plan: &plan,
        lease: &lease,
        bridge: &bridge,
        answers: &answers,
        limits,
        serial: &serial,
    };
    let outcome = attempt.run(&mut channel, &mut journal.notebook(lease.id));
    let traffic = channel.inner().traffic();
    let seconds = started.elapsed();
    let refusal = channel.take_refusal();

    let end = end(&outcome);
    let reported = ReportedChip {
        interface: plan.chip.interface.to_string(),
        product: plan.chip.name.clone(),
        serial: Some(serial.clone()),
        os: outcome.os.clone(),
        commands: traffic.commands,
        bytes: traffic.bytes(),
    };
    let milliseconds = u64::try_from(seconds.as_millis()).unwrap_or(u64::MAX);
    let ending = Ending {
        end: end.clone(),
        chips: vec![reported],
        certificates: outcome.certificates.len(),
        milliseconds,
    };
    journal.end(lease.id, ending).or_fail(Kind::Failed)?;
    while let Some(report) = journal.next_report().or_fail(Kind::Failed)? {
        runtime
            .block_on(desk.report(&actor, &report))
            .or_fail(Kind::Failed)?;
        journal.sent(report.sequence).or_fail(Kind::Failed)?;
    }

    let report = Report::of(
        &record, end, serial, &plan, &outcome, &folder, &desk, seconds, traffic,
    );
    if options.json {
        output::json(&report)?;
    }
    match outcome.fault {
        Some(fault) => Err(match refusal {
            Some(refusal) => state::refused(&refusal),
            None => failure(&fault, &report.end, &desk, &plan),
        }),
        None => {
            if !options.json {
                output::line(&report.text(options))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Makes the files of a travel chip that data preparation makes, where the record does not have them.
fn travel_files(
    record: &mut Record,
    lds: &DocumentLds,
    path: &Path,
    keys: &DeskKeys,
) -> Result<(), Failure> {
    let application = Application::parse(&files::read(path, MAX_APPLICATION_BYTES)?, record.issued);
    let application = application.map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let fault = format!("{}: {}", path.display(), faults.join("; "));
        Failure::new(Kind::Usage, fault)
    })?;
    let mut random = [0; 16];
    random::system()(&mut random);
    let applied = Applied {
        portrait: &application.portrait,
        fingerprints: &application.fingerprints,
        signature: application.signature.as_ref(),
        trust_point: keys.travel.trust_point(),
        random: &random,
    };
    for (name, file) in lds.prepare(record, &applied).or_fail(Kind::Usage)? {
        record.prepared.entry(name).or_insert(file);
    }
    Ok(())
}

fn only_test_numbers(record: &Record) -> Result<(), Failure> {
    let number = record.number.to_string();
    match number.as_bytes() {
        [a, b, ..] if Environment::Test.owns([*a, *b]) => Ok(()),
        _ => Err(Failure::new(Kind::Refused, format!("{number} is not of a test series"))
            .with_hint("real documents are made by a station of an installation, which accounts for every number and blank; give this one a number that begins with X")),
    }
}

/// Reads a blank's number: 1 to 32 bytes in hexadecimal.
fn blank_number(text: &str) -> Result<String, String> {
    match hex::decode(text) {
        Ok(bytes) if (1..=32).contains(&bytes.len()) => Ok(hex::encode_upper(bytes)),
        _ => Err("a blank's number has 1 to 32 bytes of hexadecimal".into()),
    }
}

/// Asks the chip what it is, before anything is noted or begun; gives its serial number, or the
/// blank's where it has none.
fn identify(
    plan: &Plan,
    channel: &mut dyn Channel,
    limits: &Limits,
    blank: Option<&str>,
) -> Result<String, Failure> {
    let mut inspector = Inspector::new(&plan.chip, channel).within(*limits);
    let identity = inspector.identify().or_fail(Kind::Device)?;
    match identity.differences.into_iter().next() {
        None => Ok(identity.serial.unwrap_or_else(|| match blank {
            Some(blank) => blank.to_owned(),
            None => {
                let mut number = [0; 8];
                random::system()(&mut number);
                hex::encode_upper(number)
            }
        })),
        Some(other) => {
            let fault = Fault::WrongChip {
                product: plan.chip.name.clone(),
                what: other.what,
                found: other.found,
                expected: other.expected,
            };
            Err(Failure::of(Kind::Device, &fault).with_hint("look with `zimogs card info`"))
        }
    }
}

fn lease(
    plan: &Plan,
    document: &DocumentProfile,
    record: &Record,
    keys: &DeskKeys,
) -> Result<Lease, Failure> {
    let mut subjects = BTreeMap::new();
    for (key, certificate) in &plan.keys {
        let subject = keys
            .authority
            .profiles()
            .subject(certificate, record)
            .or_fail(Kind::Usage)?;
        subjects.insert(key.clone(), subject);
    }
    Ok(Lease {
        identity: uuid::Uuid::nil(),
        id: LeaseId(Uuid::now_v7()),
        purpose: Purpose::Personalization,
        // A desk is for trials: documents that are meant come from a store.
        environment: Environment::Test,
        record: record.clone(),
        chips: vec![ProfilePin {
            name: plan.chip.name.clone(),
            digest: plan.chip.digest,
        }],
        document: ProfilePin {
            name: document.name.clone(),
            digest: document.digest,
        },
        subjects,
        pictures: None,
        begun: None,
        confirmed: Vec::new(),
        expires: Timestamp::now() + TERM,
    })
}

/// One attempt at one chip.
struct Attempt<'a> {
    plan: &'a Plan,
    lease: &'a Lease,
    bridge: &'a Bridge,
    answers: &'a mpsc::Receiver<Heard>,
    limits: Limits,
    serial: &'a str,
}

impl Attempt<'_> {
    fn run(
        &self,
        channel: &mut Budgeted<Meter<Session>, AttemptFile>,
        notebook: &mut dyn Notebook,
    ) -> Outcome {
        let assignment = Assignment {
            variables: profile::variables(&self.lease.record),
            subjects: self.lease.subjects.clone(),
            limits: self.limits,
            blank: Some(self.serial.to_owned()),
        };
        let atr = channel.atr().to_vec();
        let mut executor =
            match Executor::new(self.plan.clone(), assignment, &atr, random::system()) {
                Ok(executor) => executor,
                Err(fault) => {
                    return Outcome {
                        fault: Some(fault),
                        ..Outcome::default()
                    };
                }
            };
        let steps = Steps::new();
        let lane = Lane {
            executor: &mut executor,
            limits: self.limits,
            notebook,
            ask: &mut |id, chip, request| self.bridge.ask(id, chip.to_owned(), request),
        };
        let mut show = |progress| steps.show(progress);
        let outcome = drive(lane, channel, self.answers, &mut show).outcome;
        steps.end();
        outcome
    }
}

fn end(outcome: &Outcome) -> BlankEnd {
    match &outcome.fault {
        None => BlankEnd::Personalized,
        Some(fault) => {
            let cause = fault.to_string();
            if outcome.touched {
                BlankEnd::Spoiled { cause }
            } else {
                BlankEnd::Untouched { cause }
            }
        }
    }
}

/// Says what went wrong, with an exit code by its culprit, and what to do.
fn failure(fault: &Fault, end: &BlankEnd, desk: &Desk, plan: &Plan) -> Failure {
    if matches!(fault, Fault::WrongKeys { .. }) {
        let sets = plan.chip.channel.keys.keys();
        let kcvs: Vec<_> = sets
            .filter_map(|set| Some(format!("{set} {}", desk.kcv(&plan.chip.name, set)?)))
            .collect();
        return Failure::of(fault.into(), fault).with_hint(format!(
            "compare the key check values of the token's master keys with the delivery's: {}",
            kcvs.join(", ")
        ));
    }
    let used_a_try = matches!(
        fault,
        Fault::AuthenticationRefused { .. } | Fault::SecretRefused { .. }
    );
    let failure = Failure::of(fault.into(), fault);
    if matches!(fault, Fault::AlreadyPersonalized { .. }) {
        // The fault itself says what to do with it.
        return failure;
    }
    failure.with_hint(match end {
        _ if used_a_try && !matches!(end, BlankEnd::Spoiled { .. }) => {
            "a try was used, and nothing else that lasts was done to the chip"
        }
        BlankEnd::Spoiled { .. } => {
            "the blank is spoiled: put it aside; the next one may have the same number"
        }
        _ => "nothing that lasts was done to the chip: it can be used again once the cause is gone",
    })
}

impl Report {
    #[allow(
        clippy::too_many_arguments,
        reason = "it gathers what a run left in many places"
    )]
    fn of(
        record: &Record,
        end: BlankEnd,
        chip: String,
        plan: &Plan,
        outcome: &Outcome,
        folder: &Path,
        desk: &Desk,
        time: Duration,
        traffic: Traffic,
    ) -> Self {
        let certificates = outcome.certificates.iter().map(|(key, der)| Made {
            key: key.clone(),
            // What cannot be read is why the run failed.
            serial: cert::Certificate::parse(der)
                .map(|one| one.serial_hex())
                .unwrap_or_default(),
            file: folder.join(format!("{key}.der")),
        });
        let envelope = folder.join(Desk::ENVELOPE);
        Self {
            number: record.number.to_string(),
            end,
            chip,
            product: plan.chip.name.clone(),
            os: outcome.os.clone(),
            certificates: certificates.collect(),
            envelope: envelope.is_file().then_some(envelope),
            authority: desk.authority_file().to_owned(),
            seconds: time.as_secs_f64(),
            commands: traffic.commands,
            bytes: traffic.bytes(),
        }
    }

    fn text(&self, options: &Personalize) -> String {
        let mut lines = vec![format!(
            "{} is on chip {}: {:.2} s, {} commands, {} bytes",
            self.number, self.chip, self.seconds, self.commands, self.bytes
        )];
        for made in &self.certificates {
            lines.push(format!(
                "certificate {} {}  {}",
                made.key,
                made.serial,
                made.file.display()
            ));
        }
        if let Some(envelope) = &self.envelope {
            lines.push(format!("sealed PIN envelope  {}", envelope.display()));
        }
        lines.push(format!(
            "judge it: zimogs card verify --chip {} --document {} --record {} --trust {}",
            options.chip,
            options.document,
            options.record.display(),
            self.authority.display()
        ));
        lines.join("\n")
    }
}
