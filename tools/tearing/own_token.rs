//! A program whose tokens are its own: it runs again, where SoftHSM2 finds a folder that is thrown away.

use std::process::{Command, ExitCode};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::matrix::in_token;
use crate::{Failure, temporary};

/// Tells the process that has a token's folder in its environment.
const INSIDE: &str = "ZIMOGS_TEARING_INSIDE";

/// Runs `program` where SoftHSM2 finds a folder of its own: this process runs itself again there, and
/// says as it ends what the other one said. What went wrong is written to the standard error.
pub fn in_own_token(program: impl FnOnce() -> Result<ExitCode, Failure>) -> ExitCode {
    let done = match std::env::var_os(INSIDE) {
        Some(_) => program(),
        None => again(),
    };
    done.unwrap_or_else(|error| {
        use std::io::Write;
        let mut told = format!("error: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            told.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        let _ = writeln!(std::io::stderr(), "{told}");
        ExitCode::FAILURE
    })
}

fn again() -> Result<ExitCode, Failure> {
    let folder = temporary()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(INSIDE, "yes");
    in_token(folder.path(), &mut command)?;
    // Ctrl-C is for both; this one waits for what the other has to show.
    let _waits = interrupted(|| {})?;
    let status = command.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Has something done at each Ctrl-C, instead of the end, as long as what is returned is there.
///
/// # Errors
/// Those of the operating system.
pub fn interrupted(act: impl Fn() + Send + 'static) -> Result<Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build()?;
    let mut interrupts = runtime.block_on(async { signal(SignalKind::interrupt()) })?;
    runtime.spawn(async move {
        while interrupts.recv().await.is_some() {
            act();
        }
    });
    Ok(runtime)
}
