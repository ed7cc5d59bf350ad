//! `zimogs profile explain`: a personalization, before any card is touched.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use document::Purpose;
use profile::{
    ChipProfile, DocumentProfile, ExplainedCommand, ExplainedPin, ExplainedStage, ExplainedStep,
    Explanation, Figures, Piece, PinKind, Plan, Shelf,
};
use serde::Serialize;

use crate::cli::card::{profiles, tables};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::profile::found;
use crate::cli::{output, shipped};

/// How many bytes of known data a line shows unless all are asked for.
const SHOWN: usize = 40;

/// Options of `profile explain`.
#[derive(Args)]
pub(crate) struct Explain {
    /// The chip profile: a file, or the name of a shipped one.
    chip: String,
    /// The document profile: a file, or the name of a shipped one. Without it the first that takes
    /// the chip.
    #[arg(long)]
    document: Option<String>,
    /// The record that the document is made from, JSON. Without it that of an invented holder.
    #[arg(long)]
    record: Option<PathBuf>,
    /// The other run: how a finished chip gets new PINs, where the profile says it.
    #[arg(long)]
    new_pins: bool,
    /// Folder with more profiles, `chips/*.toml` and `documents/*.toml` in it.
    #[arg(long)]
    profiles: Option<PathBuf>,
    /// Only the steps of this name: a whole step as in "write_file certificate", a verb, or an
    /// object.
    #[arg(long)]
    step: Option<String>,
    /// All data of every command. Without it long ones are cut.
    #[arg(long)]
    whole: bool,
    /// One JSON value instead of text; it is always whole.
    #[arg(long)]
    json: bool,
}

/// What is explained. Fields may be added, never renamed.
#[derive(Serialize)]
struct Report<'a> {
    document: &'a str,
    /// Whether the holder is an invented one.
    specimen: bool,
    #[serde(flatten)]
    explanation: &'a Explanation,
    /// The steps that cannot be undone.
    irreversible: Vec<&'a str>,
}

/// Explains.
pub(crate) fn run(options: &Explain) -> Result<ExitCode, Failure> {
    let over = options.profiles.as_deref();
    let shelves = shipped::profiles(over)?;
    let (shelf, name) = profiles::find(shelves.chips, &options.chip)?;
    let chip = Arc::new(ChipProfile::load(&shelf, &name).or_fail(Kind::Usage)?);
    let document = document(options, shelves.documents, &chip)?;
    let specimen = options.record.is_none();
    let record = match &options.record {
        Some(path) => profiles::record(path)?,
        None => found::specimen(&document, &chip)?,
    };
    let mut known = profile::variables(&record);
    if specimen {
        for name in record.prepared.keys() {
            known.forget(&format!("prepared.{name}"));
        }
    }
    let limits = chip.limits;
    let purpose = match options.new_pins {
        true => Purpose::NewPins,
        false => Purpose::Personalization,
    };
    let plan = match profiles::wanted(&document, &chip.name) {
        // An invented holder may be of any kind, also where a profile under test names none.
        Some(wanted) if specimen || options.new_pins => {
            Plan::of(purpose, chip, &document.name, wanted, &record).or_fail(Kind::Usage)?
        }
        _ => profiles::plan(chip, &document, &record)?,
    };
    let mut explanation = Explanation::of(&plan, &known, &limits);
    if let Some(wanted) = &options.step {
        only(&mut explanation, wanted)?;
    }
    if options.json {
        output::json(&Report {
            document: &document.name,
            specimen,
            explanation: &explanation,
            irreversible: explanation.irreversible(),
        })?;
    } else {
        let text = Text {
            whole: options.whole,
            filtered: options.step.is_some(),
        };
        output::line(&text.of(&explanation, &document, specimen))?;
    }
    match explanation.faults().first() {
        None => Ok(ExitCode::SUCCESS),
        Some((step, fault)) => Err(Failure::new(
            Kind::Usage,
            format!("\"{step}\" cannot be told: {fault}"),
        )
        .with_hint("correct the chip profile, and look with `zimogs profile check`")),
    }
}

fn document(
    options: &Explain,
    shelf: Shelf,
    chip: &ChipProfile,
) -> Result<DocumentProfile, Failure> {
    if let Some(name) = &options.document {
        let (shelf, name) = profiles::find(shelf, name)?;
        return DocumentProfile::load(&shelf, &name).or_fail(Kind::Usage);
    }
    for name in shelf.names() {
        let profile = DocumentProfile::load(&shelf, name).or_fail(Kind::Usage)?;
        if profiles::wanted(&profile, &chip.name).is_some() {
            return Ok(profile);
        }
    }
    let fault = format!("no document profile takes \"{}\"", chip.name);
    Err(Failure::new(Kind::Usage, fault).with_hint("name one: --document FILE"))
}

/// Leaves out every step but those of a name.
fn only(explanation: &mut Explanation, wanted: &str) -> Result<(), Failure> {
    let is_wanted = |step: &ExplainedStep| {
        step.name == wanted || step.name.split(' ').any(|word| word == wanted)
    };
    let names: Vec<_> = explanation.steps().map(|step| step.name.clone()).collect();
    for stage in &mut explanation.stages {
        stage.steps.retain(is_wanted);
        if !is_wanted(&stage.opening) {
            stage.opening.commands.clear();
        }
    }
    explanation
        .stages
        .retain(|stage| !stage.steps.is_empty() || !stage.opening.commands.is_empty());
    if !is_wanted(&explanation.identify) {
        explanation.identify.commands.clear();
    }
    if explanation.stages.is_empty() && explanation.identify.commands.is_empty() {
        let fault = format!("no step is named \"{wanted}\"");
        return Err(
            Failure::new(Kind::Usage, fault).with_hint(format!("there are: {}", names.join(", ")))
        );
    }
    Ok(())
}

/// How it is written for a person.
struct Text {
    whole: bool,
    filtered: bool,
}

impl Text {
    fn of(&self, explanation: &Explanation, document: &DocumentProfile, specimen: bool) -> String {
        let holder = if specimen { ", an invented holder" } else { "" };
        let mut lines = vec![format!(
            "document \"{}\" on chip \"{}\", channel {}{holder}",
            document.name, explanation.chip, explanation.protocol
        )];
        lines.push(
            "‹name n›: n bytes that are not known yet, of the usual length   •: a secret's byte"
                .into(),
        );
        if !explanation.identify.commands.is_empty() {
            lines.push(String::new());
            lines.extend(self.step(&explanation.identify));
        }
        for (place, stage) in explanation.stages.iter().enumerate() {
            lines.push(String::new());
            let sealed = if stage.sealed {
                ", sealed by the centre"
            } else {
                ""
            };
            lines.push(format!("stage {} \"{}\"{sealed}", place + 1, stage.name));
            if !stage.opening.commands.is_empty() {
                lines.extend(self.step(&stage.opening));
            }
            for step in &stage.steps {
                lines.extend(self.step(step));
            }
        }
        if !self.filtered {
            lines.push(String::new());
            if !explanation.pins.is_empty() {
                lines.extend(["the holder's PINs".to_owned(), pins(&explanation.pins)]);
                lines.push(String::new());
            }
            lines.push(summary(explanation));
        }
        lines.join("\n")
    }

    fn step(&self, step: &ExplainedStep) -> Vec<String> {
        let mut notes = vec![cost(&step.figures)];
        if step.irreversible {
            notes.push("cannot be undone".into());
        }
        if step.journaled {
            notes.push("journaled".into());
        }
        if let Some(centre) = &step.centre {
            notes.push(format!("from the centre: {centre}"));
        }
        if !step.waits_for.is_empty() {
            notes.push(format!("waits for {}", step.waits_for.join(", ")));
        }
        if let Some(nothing) = &step.nothing {
            notes = vec![format!("nothing to do: {nothing}")];
        }
        if let Some(fault) = &step.fault {
            notes.push(format!("CANNOT BE TOLD: {fault}"));
        }
        let title = match step.title.as_str() {
            "" => String::new(),
            title if step.name.ends_with(title) => String::new(),
            title => format!(" ({title})"),
        };
        let mut lines = vec![format!("  {}{title}: {}", step.name, notes.join("; "))];
        let commands = step.commands.iter();
        lines.extend(commands.map(|command| format!("    {}", self.command(command))));
        lines
    }

    fn command(&self, command: &ExplainedCommand) -> String {
        let mut parts = vec![format!("{:<21}", command.operation), command.header.clone()];
        parts.extend((!command.lc.is_empty()).then(|| command.lc.clone()));
        let data: String = command.data.iter().map(|piece| self.piece(piece)).collect();
        parts.extend((!data.is_empty()).then_some(data));
        parts.extend((!command.le.is_empty()).then(|| command.le.clone()));
        if let Some(length) = command.protected {
            parts.push(format!("  [{length} bytes protected]"));
        }
        let expect: Vec<_> = command.expect.iter().map(String::as_str).collect();
        match expect.as_slice() {
            ["9000"] => {}
            [] => parts.push("  → any".into()),
            words => parts.push(format!("  → {}", words.join(" or "))),
        }
        parts.join(" ")
    }

    fn piece(&self, piece: &Piece) -> String {
        match piece {
            Piece::Known(hex) if self.whole || hex.len() <= 2 * SHOWN => hex.clone(),
            Piece::Known(hex) => {
                let shown = hex.get(..2 * SHOWN).unwrap_or(hex);
                format!("{shown}…({} more)", hex.len() / 2 - SHOWN)
            }
            Piece::StandIn { name, bytes } => format!("‹{name} {bytes}›"),
            Piece::Secret { name, bytes } if *bytes <= 16 => {
                format!("{}‹{name}›", "•".repeat(*bytes))
            }
            Piece::Secret { name, bytes } => format!("•×{bytes}‹{name}›"),
        }
    }
}

fn cost(figures: &Figures) -> String {
    let commands = match figures.commands {
        1 => "1 command".to_owned(),
        count => format!("{count} commands"),
    };
    format!(
        "{commands}, {} bytes, {:.2} s",
        figures.bytes(),
        figures.seconds
    )
}

fn pins(pins: &[ExplainedPin]) -> String {
    let mut table = tables::headed(["PIN", "digits", "kind", "tries", "unblocked by", "not made"]);
    for pin in pins {
        let kind = match pin.kind {
            PinKind::Holder => "holder",
            PinKind::Transport => "transport: changed before the first use",
        };
        table.add_row([
            pin.title.as_str(),
            &pin.digits.to_string(),
            kind,
            &pin.tries.to_string(),
            pin.unblocked_by.as_deref().unwrap_or("-"),
            &pin.weak.join(", "),
        ]);
    }
    table.to_string()
}

fn summary(explanation: &Explanation) -> String {
    let mut table = tables::headed(["", "steps", "commands", "bytes", "written", "seconds"]);
    let mut row = |name: &str, steps: usize, figures: &Figures| {
        table.add_row([
            name,
            &steps.to_string(),
            &figures.commands.to_string(),
            &figures.bytes().to_string(),
            &figures.written.to_string(),
            &format!("{:.2}", figures.seconds),
        ]);
    };
    row("identify", 0, &explanation.identify.figures);
    for stage in &explanation.stages {
        row(&stage.name, stage.steps.len(), &stage.figures);
    }
    let steps = explanation.stages.iter().map(|stage| stage.steps.len());
    row("in all", steps.sum(), &explanation.figures);
    let names = |wanted: &dyn Fn(&ExplainedStep) -> bool| -> String {
        let steps = explanation.steps().filter(|step| wanted(step));
        let names: Vec<_> = steps.map(|step| step.name.as_str()).collect();
        match names.is_empty() {
            true => "nothing".into(),
            false => names.join(", "),
        }
    };
    let sealed = explanation
        .stages
        .iter()
        .filter(|stage: &&ExplainedStage| stage.sealed);
    let sealed: Vec<_> = sealed.map(|stage| stage.name.as_str()).collect();
    format!(
        "{table}\nestimated by the profile's [timing]; an RSA key takes its mean, and may take several times as long\n\
         cannot be undone: {}\njournaled: {}\nneeds the centre: {}\nsealed by the centre: {}",
        names(&|step| step.irreversible),
        names(&|step| step.journaled),
        names(&|step| step.centre.is_some()),
        if sealed.is_empty() {
            "nothing".into()
        } else {
            sealed.join(", ")
        },
    )
}
