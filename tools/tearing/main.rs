//! `tools/tear`: tears personalizations at every point, and checks the books after it.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Parser};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tearing::{
    Choice, Failure, Fault, Matrix, Progress, Stop, Totals, Tried, in_own_token, interrupted, table,
};

/// How often it is said how far it is, where there is no terminal.
const SAYING: Duration = Duration::from_secs(20);
/// Where the dice begin.
const SEED: u64 = 20_261_123;

/// Tears personalizations at every point, and checks the books after it.
///
/// A whole personalization of every chip and document kind that is shipped meets every fault at every
/// command, journal write, call to the centre, order to the authority and act of the printer. After each the station is
/// started again, and documents, blanks, certificates, PINs, journals and logs are counted. The exit
/// code is 5 where anything is lost, there twice or left over. Ctrl-C ends the cases under way, and shows
/// what was tried until then, and with which case it goes on; the exit code is 1 then, if nothing was found.
///
/// Examples: tools/tear --sample 40
///           tools/tear --all --json
///           tools/tear --all --from passport/garbage@17
///           tools/tear --only garbage
///           tools/tear --case id-card/card-gone-after@17
#[derive(Parser)]
#[command(name = "tools/tear", verbatim_doc_comment)]
#[command(group(ArgGroup::new("what").required(true)))]
struct Arguments {
    /// Try so many cases, drawn so that every fault and every document comes.
    #[arg(long, value_name = "CASES", group = "what")]
    sample: Option<usize>,
    /// Try every case.
    #[arg(long, group = "what")]
    all: bool,
    /// Try every case of one fault.
    #[arg(long, value_name = "FAULT", group = "what")]
    only: Option<Fault>,
    /// Try one case again, and tell what happened.
    #[arg(long, value_name = "ID", group = "what", value_parser = Choice::case)]
    case: Option<Choice>,
    /// Go on with this case, and those behind it: what a run that was stopped named as its next.
    #[arg(long, value_name = "ID", conflicts_with_all = ["sample", "case"])]
    from: Option<String>,
    /// Where the dice of a sample begin.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// How many cases are tried at once; by default two for each processor.
    #[arg(long)]
    workers: Option<usize>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn choice(&self) -> Choice {
        match (&self.case, self.only, self.sample) {
            (Some(case), ..) => case.clone(),
            (None, Some(fault), _) => Choice::Only(fault),
            (None, None, Some(cases)) => Choice::Sample {
                cases,
                seed: self.seed,
            },
            (None, None, None) => Choice::All,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    in_own_token(|| tear(&arguments))
}

fn workers() -> usize {
    let processors = std::thread::available_parallelism();
    // Some cases wait: for an authority, and for the time after which one is asked again.
    processors.map_or(2, |processors| processors.get() * 2)
}

fn tear(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let choice = arguments.choice();
    let workers = arguments.workers.unwrap_or_else(workers).max(1);
    let bar = ProgressBar::no_length();
    let mut said = Instant::now();
    bar.set_style(ProgressStyle::with_template(
        "{msg} {wide_bar} {pos}/{len} {per_sec} eta {eta}",
    )?);
    let mut watch = |progress: Progress<'_>| match progress {
        Progress::Founded(done, total) => {
            bar.set_message("worlds");
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        }
        Progress::Begins(cases) => {
            bar.reset();
            bar.set_message("cases");
            bar.set_length(cases as u64);
        }
        Progress::Tried(tried) => {
            bar.inc(1);
            // Where there is no terminal the bar is not drawn.
            if bar.is_hidden() && said.elapsed() >= SAYING {
                said = Instant::now();
                let (done, all) = (bar.position(), bar.length().unwrap_or_default());
                let (rate, left) = (bar.per_sec(), bar.eta().as_secs());
                let told = format!("{done} of {all} cases, {rate:.1} a second, {left} s left");
                let _ = writeln!(std::io::stderr(), "{told}");
            }
            if !tried.verdict.is_well() {
                let told = format!("{}: {}", tried.id(), tried.findings.join("; "));
                bar.suspend(|| {
                    let _ = writeln!(std::io::stderr(), "{told}");
                });
            }
        }
    };
    let stop = Stop::default();
    let asked = stop.clone();
    let _listens = interrupted(move || {
        let told = "stopping: the cases under way are ended first";
        let _ = writeln!(std::io::stderr(), "{told}");
        asked.now();
    })?;
    let matrix = Matrix::found(&choice, workers, &stop, &mut watch)?;
    let started = Instant::now();
    let from = arguments.from.as_deref();
    let mut all = matrix.run(&choice, from, &stop, &mut watch)?;
    // Cases are begun in their order, and those that were are ended.
    let next = (stop.is_wanted()).then(|| matrix.next(&choice, from, all.len()));
    let next = next.flatten();
    let seconds = started.elapsed().as_secs_f64();
    bar.finish_and_clear();
    all.sort_by_key(|tried| (tried.recipe, tried.point));
    let mut out = std::io::stdout();
    match arguments.json {
        true => writeln!(
            out,
            "{}",
            object(&matrix, &all, (seconds, next.as_deref()), &stop)?
        )?,
        false => {
            people(&mut out, &matrix, &all, seconds, &choice)?;
            if let Some(next) = next {
                writeln!(out, "it goes on with --from {next}")?;
            }
        }
    }
    Ok(match (Totals::of(&all).is_well(), stop.is_wanted()) {
        (true, false) => ExitCode::SUCCESS,
        (true, true) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(5),
    })
}

fn object(
    matrix: &Matrix,
    all: &[Tried],
    (seconds, next): (f64, Option<&str>),
    stop: &Stop,
) -> Result<String, Failure> {
    let mut object = serde_json::to_value(Totals::of(all))?;
    let bad = all.iter().filter(|tried| !tried.verdict.is_well());
    let bad = bad.map(|tried| {
        json!({ "case": tried.id(), "verdict": tried.verdict, "findings": tried.findings, "told": tried.told })
    });
    object["cases"] = matrix.size().into();
    object["seconds"] = seconds.into();
    object["stopped"] = stop.is_wanted().into();
    object["next"] = next.into();
    object["found"] = bad.collect();
    Ok(object.to_string())
}

fn people(
    out: &mut impl Write,
    matrix: &Matrix,
    all: &[Tried],
    seconds: f64,
    choice: &Choice,
) -> Result<(), Failure> {
    if matches!(choice, Choice::Case { .. }) {
        for tried in all {
            writeln!(
                out,
                "{}: {} ({:.1} s)",
                tried.id(),
                tried.verdict,
                tried.seconds
            )?;
            for line in tried.told.iter().chain(&tried.findings) {
                writeln!(out, "  {line}")?;
            }
        }
        return Ok(());
    }
    write!(out, "{}", table(all))?;
    for (recipe, [commands, writes, calls, orders, acts]) in matrix.wholes() {
        writeln!(
            out,
            "{recipe}: {commands} commands, {writes} writes, {calls} calls, {orders} orders, {acts} acts of the printer"
        )?;
    }
    writeln!(
        out,
        "{} of {} cases in {seconds:.0} s, {:.2} s a case",
        all.len(),
        matrix.size(),
        seconds / all.len().max(1) as f64
    )?;
    for tried in all.iter().filter(|tried| !tried.verdict.is_well()) {
        writeln!(out, "{}: {}", tried.id(), tried.findings.join("; "))?;
    }
    Ok(())
}
