//! `vprinter`: a virtual envelope printer, until its standard input closes.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vprinter::{Trouble, VirtualPrinter};

/// A virtual envelope printer on loopback. Its first line on standard output is its address.
#[derive(Parser)]
#[command(version)]
struct Arguments {
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
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "vprinter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
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
