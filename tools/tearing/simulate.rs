//! `tools/simulate`: plays stations and centre under what seeds draw, and checks the books after it.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tearing::{Failure, Figures, Played, Simulation, Stop, in_own_token, interrupted};

/// How often it is said how far it is, where there is no terminal.
const SAYING: Duration = Duration::from_secs(20);

/// Plays stations and their centre under what seeds draw, and checks the books after each.
///
/// Three stations of two slots make documents, while requests are late, lost, repeated and overtaken,
/// stations are cut off, killed and started again, the centre is restarted, or lost and restored from an
/// older copy, leases expire, blanks are swapped, in some numbered by their maker, shifts change and clocks
/// are wrong. At the end all is mended, and documents, blanks,
/// certificates, leases, reports, journals and the log are compared. The exit code is 5 where anything is
/// found; a seed that found it is played again with --seed, and tells what happened. Ctrl-C shows what
/// was played until then; the exit code is 1 then, if nothing was found.
///
/// Examples: tools/simulate --seeds 2000
///           tools/simulate --seeds 500 --from 100000 --json
///           tools/simulate --seed 4711
#[derive(Parser)]
#[command(name = "tools/simulate", verbatim_doc_comment)]
struct Arguments {
    /// Play so many seeds.
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    from: u64,
    /// Play this seed alone, and tell what happened.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// How many are played at once; by default one for each processor.
    #[arg(long)]
    workers: Option<usize>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    in_own_token(|| match arguments.seed {
        Some(seed) => one(seed, arguments.json),
        None => many(&arguments),
    })
}

/// Plays one seed, and tells all of it.
fn one(seed: u64, is_json: bool) -> Result<ExitCode, Failure> {
    let played = Simulation::found()?.play(seed)?;
    let mut out = std::io::stdout();
    match is_json {
        true => writeln!(out, "{}", object(&played, true))?,
        false => {
            for line in &played.trace {
                writeln!(out, "{line}")?;
            }
            writeln!(out, "{}", told(&played.figures))?;
            for found in &played.found {
                writeln!(out, "found: {found}")?;
            }
        }
    }
    Ok(match played.found.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(5),
    })
}

fn object(played: &Played, is_whole: bool) -> Value {
    let figures = &played.figures;
    let mut object = json!({
        "seed": played.seed,
        "found": played.found,
        "misfortunes": figures.misfortunes,
        "kills": figures.kills,
        "moved": figures.moved,
        "restored": figures.restored,
        "numbered": figures.numbered,
        "answered": figures.answered,
        "blanks": figures.blanks,
        "spoiled": figures.spoiled,
        "simulated_seconds": figures.seconds,
    });
    if is_whole {
        object["trace"] = json!(played.trace);
    }
    object
}

fn told(figures: &Figures) -> String {
    format!(
        "{} misfortunes, {} kills, {} leases moved, {} restorations, {} with numbered blanks, {} requests answered, {} blanks, {} of them spoiled, {} s simulated",
        figures.misfortunes,
        figures.kills,
        figures.moved,
        figures.restored,
        figures.numbered,
        figures.answered,
        figures.blanks,
        figures.spoiled,
        figures.seconds
    )
}

/// Plays many seeds at once.
fn many(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = arguments.workers.unwrap_or(processors).max(1);
    let simulation = Simulation::found()?;
    let stop = Stop::default();
    let asked = stop.clone();
    let _listens = interrupted(move || asked.now())?;
    let bar = ProgressBar::new(arguments.seeds);
    bar.set_style(ProgressStyle::with_template(
        "seeds {wide_bar} {pos}/{len} {per_sec} eta {eta}",
    )?);
    let (begun, next) = (Instant::now(), AtomicU64::new(arguments.from));
    let end = arguments.from.saturating_add(arguments.seeds);
    let mut total = Total::default();
    let failure: Mutex<Option<Failure>> = Mutex::default();
    std::thread::scope(|scope| {
        let (heard, hearing) = channel();
        for _ in 0..workers {
            let heard = heard.clone();
            scope.spawn(|| {
                let heard = heard;
                while !stop.is_wanted() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    match simulation.play(seed) {
                        Ok(played) => drop(heard.send(played)),
                        Err(error) => {
                            stop.now();
                            *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        }
                    }
                }
            });
        }
        drop(heard);
        let mut said = Instant::now();
        for played in hearing {
            bar.inc(1);
            if bar.is_hidden() && said.elapsed() >= SAYING {
                said = Instant::now();
                let (done, rate) = (bar.position(), bar.per_sec());
                let told = format!("{done} of {} seeds, {rate:.1} a second", arguments.seeds);
                let _ = writeln!(std::io::stderr(), "{told}");
            }
            if !played.found.is_empty() {
                let told = format!("seed {}: {}", played.seed, played.found.join("; "));
                bar.suspend(|| {
                    let _ = writeln!(std::io::stderr(), "{told}");
                });
            }
            total.add(played);
        }
    });
    bar.finish_and_clear();
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    total.found.sort_by_key(|played| played.seed);
    let seconds = begun.elapsed().as_secs_f64();
    let mut out = std::io::stdout();
    match arguments.json {
        true => {
            let figures = &total.figures;
            let found: Vec<_> = total.found.iter().map(|one| object(one, false)).collect();
            let object = json!({
                "seeds": total.seeds,
                "from": arguments.from,
                "seconds": seconds,
                "stopped": stop.is_wanted(),
                "misfortunes": figures.misfortunes,
                "kills": figures.kills,
                "moved": figures.moved,
                "restored": figures.restored,
                "numbered": figures.numbered,
                "answered": figures.answered,
                "blanks": figures.blanks,
                "spoiled": figures.spoiled,
                "simulated_seconds": figures.seconds,
                "found": found,
            });
            writeln!(out, "{object}")?;
        }
        false => {
            writeln!(out, "{}", told(&total.figures))?;
            let each = seconds / total.seeds.max(1) as f64;
            writeln!(
                out,
                "{} seeds in {seconds:.0} s, {each:.3} s a seed; {} found something",
                total.seeds,
                total.found.len()
            )?;
            for played in &total.found {
                let told = played.found.join("; ");
                writeln!(out, "tools/simulate --seed {}: {told}", played.seed)?;
            }
        }
    }
    Ok(match (total.found.is_empty(), stop.is_wanted()) {
        (true, false) => ExitCode::SUCCESS,
        (true, true) => ExitCode::FAILURE,
        (false, _) => ExitCode::from(5),
    })
}

/// What all seeds together came across.
#[derive(Default)]
struct Total {
    seeds: u64,
    figures: Figures,
    found: Vec<Played>,
}

impl Total {
    fn add(&mut self, played: Played) {
        self.seeds += 1;
        self.figures += &played.figures;
        if !played.found.is_empty() {
            self.found.push(played);
        }
    }
}
