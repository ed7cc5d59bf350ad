//! `vprinter`: a virtual printer of envelopes or of cards, until its standard input closes.

mod operator;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use vprinter::{Trouble, VirtualPrinter};

/// A virtual printer on loopback. Its first line on standard output is where it is.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    #[command(subcommand)]
    kind: Option<Kind>,
    #[command(flatten)]
    envelopes: Option<Envelopes>,
}

/// What it prints, where it is not envelopes.
#[derive(Subcommand)]
enum Kind {
    /// Prints cards, on TCP and on a pty. Its standard input is the person beside it: a line
    /// `service`, `load N`, `load CHIP.json`, `mishap jam@station` or `cards` each.
    Card(operator::Cards),
}

/// A printer of envelopes.
#[derive(Args)]
struct Envelopes {
    /// Folder into which its paper goes.
    #[arg(long)]
    out: PathBuf,
    /// What goes wrong with the next job; may be repeated, one for each job in order.
    #[arg(long)]
    trouble: Vec<Trouble>,
    /// Ends after so many jobs. Without it when standard input closes.
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match (&arguments.kind, &arguments.envelopes) {
        (Some(Kind::Card(cards)), _) => operator::run(cards),
        (None, Some(envelopes)) => run(envelopes),
        (None, None) => Err(io::Error::other("--out names no folder")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "vprinter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Envelopes) -> io::Result<()> {
    let printer = VirtualPrinter::start(&arguments.out, &arguments.trouble)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{{\"ready\":true,\"address\":\"{}\"}}",
        printer.address()
    )?;
    out.flush()?;
    match arguments.jobs {
        Some(jobs) => printer.wait_for_jobs(jobs),
        None => {
            let mut rest = [0; 64];
            while io::stdin().lock().read(&mut rest)? > 0 {}
        }
    }
    for fault in printer.stop() {
        let _ = writeln!(io::stderr(), "vprinter: {fault}");
    }
    Ok(())
}
