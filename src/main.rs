//! `zimogs`: personalization of electronic identity documents. The command line composes what
//! the crates under `src/` do; each subcommand has its file under `src/cli/`.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
