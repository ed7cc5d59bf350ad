//! `zimogs card keys`: which keys a chip holds, and whether ours are those. No attempt is used.

use std::process::ExitCode;

use clap::Args;
use perso::{Domain, Inspector};
use profile::{ChipProfile, KeySource};
use serde::Serialize;

use crate::cli::card::channel::identify;
use crate::cli::card::desk_keys::ChipKeys;
use crate::cli::card::info::Key;
use crate::cli::card::issuer::{self, Asked, Fit};
use crate::cli::card::place::Place;
use crate::cli::card::session::TraceOption;
use crate::cli::card::state::StateOption;
use crate::cli::card::trial::KeysOption;
use crate::cli::card::{profiles, tables};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// Options of `card keys`.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    place: Place,
    /// The chip profile: a file, or the name of a shipped one.
    #[arg(long)]
    chip: String,
    #[command(flatten)]
    keys: KeysOption,
    #[command(flatten)]
    state: StateOption,
    #[command(flatten)]
    trace: TraceOption,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What the chip holds. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report {
    product: String,
    serial: Option<String>,
    /// The security domain's key information template; nothing where it says none.
    keys: Option<Vec<Key>>,
    sets: Vec<Set>,
    /// What that means.
    finding: String,
    /// What to do.
    next: String,
}

/// One key set of the profile.
#[derive(Serialize)]
struct Set {
    name: String,
    version: Option<String>,
    cipher: String,
    /// `diversified` or `known`.
    source: &'static str,
    /// Whether the chip gives a challenge for it; nothing where that cannot be told.
    present: Option<bool>,
    /// `ours`, `others` (the chip's cryptogram does not fit), `not-judged`.
    judged: &'static str,
    reason: String,
    /// The check value of the token's master key.
    kcv: Option<String>,
}

/// Asks the chip.
pub(crate) fn run(options: &Keys) -> Result<ExitCode, Failure> {
    let chip = profiles::chip(&options.chip)?;
    let keys = options.keys.chip_keys(&chip)?;
    let state = options.state.open()?;
    let mut connection = options.place.connect()?;
    let limits = state.limits(&mut connection, &chip)?;
    let mut session = options.trace.begin(connection, Some(&chip))?;
    let (serial, known) = identify(&chip, &mut session, &limits)?;
    let domain = match chip.channel.of_global_platform().next().is_some() {
        true => {
            let mut inspector = Inspector::new(&chip, &mut session).within(limits);
            inspector.domain().or_fail(Kind::Device)?
        }
        false => Domain::default(),
    };
    let mut sets = Vec::new();
    for (name, set) in &chip.channel.keys {
        let mut line = Set {
            name: name.clone(),
            version: (set.version != 0).then(|| format!("{:02X}", set.version)),
            cipher: set.cipher.to_string(),
            source: match set.source {
                KeySource::Known(_) => "known",
                KeySource::Diversified(_) => "diversified",
            },
            present: None,
            judged: "not-judged",
            reason: String::new(),
            kcv: keys.as_ref().and_then(|keys| keys.kcv(&chip.name, name)),
        };
        match issuer::ask(&mut session, &chip, &limits, name, &known)? {
            Asked::Absent => {
                line.present = Some(false);
                line.reason = "the chip has no such version".into();
            }
            Asked::Locked => {
                line.present = Some(true);
                line.reason = "locked: the chip takes no more attempts".into();
            }
            Asked::Refused(status) => {
                line.reason = format!("no challenge: {}", chip.meaning(status));
            }
            Asked::Given(opening) => {
                let serial = serial.as_deref().unwrap_or_default();
                line.judge(&chip, keys.as_ref(), serial, &opening)?;
            }
        }
        sets.push(line);
    }
    let (finding, next) = conclude(&chip, &sets);
    let report = Report {
        product: chip.name.clone(),
        serial,
        keys: domain
            .keys
            .map(|keys| keys.iter().map(|key| Key::of(key, Some(&chip))).collect()),
        sets,
        finding,
        next,
    };
    if options.json {
        output::json(&report)?;
    } else {
        output::line(&report.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Set {
    fn judge(
        &mut self,
        chip: &ChipProfile,
        keys: Option<&ChipKeys>,
        serial: &str,
        opening: &api::ChannelOpening,
    ) -> Result<(), Failure> {
        if !chip.channel.protocol(&self.name).is_global_platform() {
            // Whoever holds a key by challenge shows it only to the right answer.
            self.reason =
                "only an attempt would tell: zimogs card channel makes one, and counts it".into();
            return Ok(());
        }
        self.present = Some(true);
        match issuer::judge(keys, chip, serial, opening)? {
            Fit::Ours(_) => {
                self.judged = "ours";
                self.reason = "the chip's cryptogram fits our keys".into();
            }
            Fit::Wrong => {
                self.judged = "others";
                self.reason = "the chip's cryptogram does not fit our keys".into();
            }
            Fit::NotAtHand(why) => self.reason = why,
        }
        Ok(())
    }

    fn is_there(&self) -> bool {
        self.present == Some(true)
    }
}

/// Says what the chip's key sets mean together, and what to do: after an interrupted key change
/// above all, when nobody may guess which of both the chip holds.
fn conclude(chip: &ChipProfile, sets: &[Set]) -> (String, String) {
    let say = |finding: &str, next: &str| (finding.to_owned(), next.to_owned());
    if sets.is_empty() {
        return say("the chip has no issuer's keys", "nothing is to be done");
    }
    // Those of GlobalPlatform: of the others only an attempt would tell.
    let told = |set: &&Set| chip.channel.protocol(&set.name).is_global_platform();
    let (sets, untold): (Vec<_>, Vec<_>) = sets.iter().partition(told);
    if sets.is_empty() {
        return say(
            "which key the chip holds, only an attempt would tell",
            "try the newer key first, once: zimogs card channel --key-set NAME; after a key change that was interrupted it is one of the two",
        );
    }
    let (finding, next) = conclude_of_global_platform(chip, &sets);
    let untold: Vec<_> = untold.iter().map(|set| set.name.as_str()).collect();
    let finding = match untold.is_empty() {
        true => finding,
        false => format!(
            "{finding}; of {} only an attempt would tell",
            untold.join(", ")
        ),
    };
    (finding, next)
}

fn conclude_of_global_platform(chip: &ChipProfile, sets: &[&Set]) -> (String, String) {
    let say = |finding: &str, next: &str| (finding.to_owned(), next.to_owned());
    let is_makers = |set: &&&Set| chip.channel.is_makers(&set.name);
    let makers = sets.iter().find(is_makers);
    let others: Vec<_> = sets.iter().filter(|set| !is_makers(set)).collect();
    let there: Vec<_> = others.iter().filter(|set| set.is_there()).collect();
    let wrong = sets.iter().find(|set| set.judged == "others");
    if let Some(wrong) = wrong {
        return (
            format!("the {} keys on the chip are not ours", wrong.name),
            "compare the check value of the master key with the delivery's; nothing was tried, and nothing should be until it fits".into(),
        );
    }
    let names: Vec<_> = there.iter().map(|set| set.name.as_str()).collect();
    let names = names.join(", ");
    match (makers.map(|set| set.is_there()), there.is_empty()) {
        (Some(true), true) => say(
            "blank: the chip holds its maker's keys alone; no key change was begun, or none took effect",
            "the blank can be used: zimogs card personalize",
        ),
        (Some(true), false) => (
            format!("half-way: the maker's keys stand beside {names}: a key change was interrupted before the old set was removed"),
            "the run that began it must decide: see its journal; a blank that nobody can account for is spoiled".into(),
        ),
        (Some(false), true) => say(
            "the chip holds none of the key sets that the profile names",
            "it belongs to somebody else, or to another profile: put it aside",
        ),
        (Some(false), false) => (
            format!("the key change is complete: {names} alone"),
            "in use: a document, or a blank that was begun; see `zimogs card verify`".into(),
        ),
        (None, true) => say(
            "the chip says of no key set that it is there",
            "look with `zimogs card info`",
        ),
        (None, false) => (
            format!("the chip holds {names}"),
            "the profile names no maker's keys: whether the chip is blank, its content says".into(),
        ),
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!(
            "{} {}\n",
            self.product,
            self.serial.as_deref().unwrap_or("(no serial number)")
        );
        if let Some(keys) = &self.keys {
            let mut table = tables::headed(["version", "id", "kind", "bytes", "key set"]);
            for key in keys {
                table.add_row(key.row());
            }
            text.push_str(&format!("{table}\n\n"));
        }
        let mut table = tables::headed([
            "key set",
            "version",
            "cipher",
            "there",
            "ours",
            "why",
            "master KCV",
        ]);
        for set in &self.sets {
            table.add_row([
                set.name.as_str(),
                set.version.as_deref().unwrap_or("-"),
                &set.cipher,
                match set.present {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "?",
                },
                match set.judged {
                    "ours" => "yes",
                    "others" => "NO",
                    _ => "?",
                },
                &set.reason,
                set.kcv.as_deref().unwrap_or("-"),
            ]);
        }
        format!("{text}{table}\n\n{}\n  next: {}", self.finding, self.next)
    }
}
