//! `zimogs card channel`: opens the issuer's channel, and sends commands inside it.

use std::process::ExitCode;

use card::gp::{ChannelMode, Handshake, HostChallenge, Secured, SecurityLevel};
use card::{Channel, Command, Limits, Response, exchange};
use central::Opened;
use clap::Args;
use perso::Inspector;
use profile::{ChipProfile, KeySet, ObjectKind, Renderer, Value, Variables};
use serde::Serialize;
use station::Budgeted;
use zeroize::Zeroizing;

use crate::cli::card::apdu::{self, Exchange};
use crate::cli::card::issuer::{self, Asked, Fit};
use crate::cli::card::place::Place;
use crate::cli::card::recognition::Recognition;
use crate::cli::card::session::{Session, TraceOption};
use crate::cli::card::state::{self, StateOption};
use crate::cli::card::trial::KeysOption;
use crate::cli::card::{profiles, recognition, tables};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Options of `card channel`.
#[derive(Args)]
pub(crate) struct OpenChannel {
    #[command(flatten)]
    place: Place,
    /// The chip profile: a file, or the name of a shipped one.
    #[arg(long)]
    chip: String,
    #[command(flatten)]
    keys: KeysOption,
    /// The key set, by its name in the chip profile; not needed where there is only one.
    #[arg(long)]
    key_set: Option<String>,
    /// A command in hexadecimal that is sent inside the channel; may be repeated. `-` reads them
    /// from standard input, one a line.
    #[arg(long, value_name = "HEX")]
    apdu: Vec<String>,
    /// Make the attempt although it could lock the chip.
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

/// What came of it. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    product: String,
    serial: Option<String>,
    key_set: String,
    /// The key version in hexadecimal, where there are versions.
    version: Option<String>,
    protocol: String,
    /// The mode of a GlobalPlatform channel, as in `SCP03 S8`.
    mode: Option<String>,
    /// Its parameter "i", hexadecimal.
    i: Option<String>,
    /// Its security level, as words.
    level: Option<String>,
    /// By what the chip proved itself: `cryptogram`, `answer`, or nothing.
    chip_proof: Option<&'static str>,
    /// What the chip says or does otherwise than its profile says, though the channel opened.
    warnings: Vec<String>,
    exchanges: Vec<Exchange>,
}

type Counted = Budgeted<Session, reader::AttemptFile>;

/// Opens the channel.
pub(crate) fn run(options: &OpenChannel) -> Result<ExitCode, Failure> {
    let texts = apdu::read(&options.apdu, &mut std::io::stdin().lock())?;
    // All of them before the first attempt is made.
    let commands = texts.iter().map(|text| Command::parse(text));
    let commands: Vec<_> = commands.collect::<Result<_, _>>().or_fail(Kind::Usage)?;
    let chip = profiles::chip(&options.chip)?;
    let name = key_set(&chip, options.key_set.as_deref())?;
    let set = chip.channel.keys.get(&name);
    let keys = options.keys.chip_keys(&chip)?;
    let state = options.state.open()?;
    let ledger = state.ledger()?;
    let mut connection = options.place.connect()?;
    let limits = state.limits(&mut connection, &chip)?;
    let mut session = options.trace.begin(connection, Some(&chip))?;
    let (serial, known) = identify(&chip, &mut session, &limits)?;

    let protocol = chip.channel.protocol(&name);
    let recognition = match protocol.is_global_platform() {
        true => recognition::ask(&mut session, &limits)?,
        false => Recognition::default(),
    };

    let number = serial.as_deref();
    let mut channel = Budgeted::new(session, ledger, &chip, number, options.force);
    let opening = match issuer::ask(&mut channel, &chip, &limits, &name, &known)? {
        Asked::Given(opening) => opening,
        Asked::Absent => {
            let fault = format!("the chip has no key set \"{name}\"{}", version_text(set));
            return Err(
                Failure::new(Kind::Refused, fault).with_hint("look which it has: zimogs card keys")
            );
        }
        Asked::Locked => {
            let fault = format!("the chip takes no more attempts with key set \"{name}\"");
            return Err(Failure::new(Kind::Device, fault).with_hint("put the chip aside"));
        }
        Asked::Refused(status) => {
            let fault = format!("the chip gives no challenge: {}", chip.meaning(status));
            return Err(Failure::new(Kind::Device, fault));
        }
    };
    let opened = match issuer::judge(keys.as_ref(), &chip, number.unwrap_or_default(), &opening)? {
        Fit::Ours(opened) => opened,
        Fit::Wrong => {
            let fault = format!(
                "the {name} keys are not those of this chip: its cryptogram does not fit; no attempt was used"
            );
            let kcv = keys.as_ref().and_then(|keys| keys.kcv(&chip.name, &name));
            return Err(Failure::new(Kind::Refused, fault).with_hint(match kcv {
                Some(kcv) => format!(
                    "compare the check value of the token's master key, {kcv}, with the delivery's"
                ),
                None => "take the key that the chip was delivered under".into(),
            }));
        }
        Fit::NotAtHand(why) => return Err(Failure::new(Kind::Usage, why)),
    };
    let mut report = Report {
        product: chip.name.clone(),
        serial: serial.clone(),
        key_set: name.clone(),
        version: set
            .filter(|set| set.version != 0)
            .map(|set| format!("{:02X}", set.version)),
        protocol: protocol.to_string(),
        mode: None,
        i: None,
        level: None,
        chip_proof: None,
        warnings: Vec::new(),
        exchanges: Vec::new(),
    };
    let contradiction = recognition.contradicts(protocol);
    report.warnings.extend(contradiction);
    if chip.channel_home(&name).is_none()
        && let Some(aid) = &recognition.aid
    {
        let odd = issuer::odd_challenge(&chip, &opening, aid)?;
        report.warnings.extend(odd);
    }
    let mut secured = match opened {
        Opened::Session(session) => {
            let update = issuer::update(protocol, &opening)?;
            let host = HostChallenge::try_from(&opening.host_challenge[..]).or_fail(Kind::Usage)?;
            let handshake = Handshake::new(*session, host, &update).or_fail(Kind::Refused)?;
            let level = protocol.level();
            let level =
                level.ok_or_else(|| Failure::new(Kind::Usage, "the profile names no level"))?;
            report.mode = Some(mode(update.options().mode()).to_owned());
            report.i = Some(format!("{:02X}", update.i_parameter()));
            report.level = Some(words(level));
            report.chip_proof = Some("cryptogram");
            let (command, opened) = handshake
                .external_authenticate(level)
                .or_fail(Kind::Device)?;
            let answer = attempt(&mut channel, &command, &limits)?;
            if !answer.status().is_ok() {
                return Err(not_taken(&chip, &name, &answer));
            }
            Some(opened.complete(&answer).or_fail(Kind::Device)?)
        }
        Opened::Proof(proof) => {
            let mut known = known;
            for (name, value) in &opening.answers {
                known.set(name.clone(), Value::bytes(value.as_slice()));
            }
            known.set("channel.host", Value::bytes(&opening.host_challenge[..]));
            known.set("channel.proof", Value::Bytes(proof.proof));
            let answered = prove(&mut channel, &chip, &limits, &name, &known)?;
            if let Some(wanted) = &proof.answer {
                if answered.as_deref() != Some(wanted) {
                    return Err(Failure::new(
                        Kind::Integrity,
                        "the chip took our proof, and its own is wrong: it does not hold the key",
                    ));
                }
                report.chip_proof = Some("answer");
            }
            None
        }
    };
    for (text, command) in texts.iter().zip(&commands) {
        let answer = send(&mut channel, secured.as_mut(), command, &limits)?;
        report.exchanges.push(Exchange::new(text, &answer));
    }
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    let refused = report.exchanges.iter().any(|exchange| !exchange.is_good());
    Ok(if refused {
        ExitCode::from(Kind::Failed as u8)
    } else {
        ExitCode::SUCCESS
    })
}

/// Asks the chip what it is: its serial number, and what else the identification takes.
pub(crate) fn identify(
    chip: &ChipProfile,
    channel: &mut dyn Channel,
    limits: &Limits,
) -> Result<(Option<String>, Variables), Failure> {
    let mut inspector = Inspector::new(chip, channel).within(*limits);
    let identity = inspector.identify().or_fail(Kind::Device)?;
    if let Some(other) = identity.differences.first() {
        let fault = format!(
            "this is no \"{}\": {} is {}, expected {}",
            chip.name, other.what, other.found, other.expected
        );
        return Err(Failure::new(Kind::Device, fault).with_hint("look with `zimogs card info`"));
    }
    Ok((identity.serial, inspector.known().clone()))
}

fn key_set(chip: &ChipProfile, named: Option<&str>) -> Result<String, Failure> {
    let known: Vec<_> = chip.channel.keys.keys().map(String::as_str).collect();
    if known.is_empty() {
        let fault = format!("chip \"{}\" has no issuer's channel", chip.name);
        return Err(
            Failure::new(Kind::Usage, fault).with_hint("send commands with `zimogs card apdu`")
        );
    }
    match (named, known.as_slice()) {
        (Some(name), _) if known.contains(&name) => Ok(name.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (named, _) => {
            let fault = match named {
                Some(name) => format!("the chip profile has no key set \"{name}\""),
                None => "the chip profile has several key sets".to_owned(),
            };
            Err(Failure::new(Kind::Usage, fault)
                .with_hint(format!("name one of {}: --key-set NAME", known.join(", "))))
        }
    }
}

fn mode(mode: ChannelMode) -> &'static str {
    match mode {
        ChannelMode::Scp02 => "SCP02",
        ChannelMode::Scp03S8 => "SCP03 S8",
        ChannelMode::Scp03S16 => "SCP03 S16",
    }
}

/// Returns a security level as a profile writes it.
fn words(level: SecurityLevel) -> String {
    let words = [
        (true, "c-mac"),
        (level.has_cenc(), "c-enc"),
        (level.has_rmac(), "r-mac"),
        (level.has_renc(), "r-enc"),
    ];
    let words = words
        .into_iter()
        .filter_map(|(is_on, word)| is_on.then_some(word));
    words.collect::<Vec<_>>().join(" ")
}

fn version_text(set: Option<&KeySet>) -> String {
    match set {
        Some(set) if set.version != 0 => format!(" (version {:02X})", set.version),
        _ => String::new(),
    }
}

fn not_taken(chip: &ChipProfile, name: &str, answer: &Response) -> Failure {
    let fault = format!(
        "the chip refused the {name} keys although its own proof fits: {}; one attempt was used",
        chip.meaning(answer.status())
    );
    Failure::new(Kind::Device, fault).with_hint("do not repeat it before the cause is known")
}

/// Sends the command that uses an attempt.
fn attempt(channel: &mut Counted, command: &Command, limits: &Limits) -> Result<Response, Failure> {
    exchange(channel, command, limits).map_err(|error| match channel.take_refusal() {
        Some(refusal) => state::refused(&refusal),
        None => Failure::of(Kind::Device, &error),
    })
}

/// Brings the issuer's proof, and returns the chip's.
fn prove(
    channel: &mut Counted,
    chip: &ChipProfile,
    limits: &Limits,
    name: &str,
    known: &Variables,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let mut answered = None;
    let Some(object) = chip.object(ObjectKind::KeySet, name) else {
        return Ok(None);
    };
    let renderer = Renderer::new(chip, limits, None);
    for rendered in renderer
        .open_channel(object, true, known)
        .or_fail(Kind::Usage)?
    {
        let answer = attempt(channel, &rendered.command, limits)?;
        if !rendered.accepts(answer.status()) {
            let fault = format!(
                "the chip refused the {name} key: {}; one attempt was used",
                chip.meaning(answer.status())
            );
            return Err(Failure::new(Kind::Device, fault)
                .with_hint("do not repeat it before the cause is known"));
        }
        let mut taken = rendered.results(&answer).unwrap_or_default();
        answered = taken.remove("channel.answer").or(answered);
    }
    Ok(answered)
}

fn send(
    channel: &mut Counted,
    secured: Option<&mut Secured>,
    command: &Command,
    limits: &Limits,
) -> Result<Response, Failure> {
    let command = limits.lower_le(command.clone());
    match secured {
        Some(secured) => {
            let wrapped = secured.wrap(&command).or_fail(Kind::Device)?;
            let answer = attempt(channel, &wrapped, limits)?;
            secured.unwrap(answer).or_fail(Kind::Integrity)
        }
        None => attempt(channel, &command, limits),
    }
}

impl Report {
    fn text(&self) -> String {
        let mut table = tables::plain();
        let version = self.version.as_ref();
        let set = match version {
            Some(version) => format!("{}, version {version}", self.key_set),
            None => self.key_set.clone(),
        };
        table.add_row(["product", &self.product]);
        table.add_row(["chip serial", self.serial.as_deref().unwrap_or("-")]);
        table.add_row(["key set", &set]);
        table.add_row(["protocol", &self.protocol]);
        for (name, value) in [("mode", &self.mode), ("i", &self.i), ("level", &self.level)] {
            if let Some(value) = value {
                table.add_row([name, value]);
            }
        }
        let proof = match self.chip_proof {
            Some("cryptogram") => "its cryptogram fits our keys",
            Some(_) => "its answer fits our key",
            None => "none: the chip proves nothing",
        };
        table.add_row(["the chip's proof", proof]);
        table.add_row(["the channel", "open"]);
        for warning in &self.warnings {
            table.add_row(["mind", warning]);
        }
        let exchanges = self.exchanges.iter().map(|one| format!("\n{}", one.text()));
        format!("{table}{}", exchanges.collect::<String>())
    }
}
