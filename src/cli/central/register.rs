//! `zimogs central register`: serves the folder where registers lay packages down.

use std::path::PathBuf;
use std::time::Duration;

use central::{Central, DropPass};
use clap::{Args, Subcommand};
use document::SourceName;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;

/// Packages of registers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serves the drop folder: takes packages, lays down answers and reports. Example:
    /// zimogs central register run --data FOLDER
    Run(Run),
    /// Takes packages from files, and writes each answer beside it, without a drop folder. Example:
    /// zimogs central register take population-register package.json --data FOLDER
    Take(Take),
    /// Notes that a source has its reports up to a number. Example:
    /// zimogs central register acknowledge population-register 42 --data FOLDER
    Acknowledge(Acknowledge),
}

/// How to serve the folder.
#[derive(Args)]
pub(crate) struct Run {
    /// The drop folder; by default `registers` in the installation's folder.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// One pass, then the end.
    #[arg(long)]
    once: bool,
    /// The seconds between two passes.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    every: u16,
    #[command(flatten)]
    place: Place,
}

/// Packages to take.
#[derive(Args)]
pub(crate) struct Take {
    /// The source.
    source: SourceName,
    /// The package.
    package: PathBuf,
    /// The file of the answer; by default on standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Which reports.
#[derive(Args)]
pub(crate) struct Acknowledge {
    /// The source.
    source: SourceName,
    /// The number of the last report that it has.
    until: u64,
    #[command(flatten)]
    place: Place,
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Run(options) => serve(options),
        Command::Take(options) => take(options),
        Command::Acknowledge(options) => options.place.with_central("", async |central, _| {
            central
                .acknowledge_reports(&options.source, options.until)
                .await?;
            if options.place.json() {
                output::json(&json!({ "source": options.source, "acknowledged": options.until }))
            } else {
                output::line(&format!(
                    "{} has its reports up to {}",
                    options.source, options.until
                ))
            }
        }),
    }
}

fn take(options: &Take) -> Result<(), Failure> {
    let bytes = crate::cli::files::read(&options.package, document::MAX_PACKAGE_BYTES)?;
    if let Some(out) = &options.out {
        crate::cli::files::be_free(out)?;
    }
    options.place.with_central("", async |central, _| {
        let answer = central
            .take_package(options.source.as_str(), &bytes)
            .await?;
        match &options.out {
            Some(out) => crate::cli::files::write_new(out, &answer),
            None => output::line(&String::from_utf8_lossy(&answer)),
        }
    })
}

fn serve(options: &Run) -> Result<(), Failure> {
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => options.place.installation()?.folder().join("registers"),
    };
    options.place.with_central("", async |central, _| {
        if options.once {
            let pass = central.serve_drop_folder(&folder).await?;
            return tell(&pass, options.place.json());
        }
        tokio::select! {
            () = stop() => Ok(()),
            ended = passes(options, central, &folder) => ended,
        }
    })
}

/// Serves for ever. What fails in one pass is told, and tried again in the next.
async fn passes(options: &Run, central: &Central, folder: &std::path::Path) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(Duration::from_secs(options.every.into()));
    loop {
        ticks.tick().await;
        match central.serve_drop_folder(folder).await {
            Ok(pass) if pass == DropPass::default() => {}
            Ok(pass) => tell(&pass, options.place.json())?,
            Err(error) => Failure::from(error).show(),
        }
    }
}

/// Waits until the program is told to stop. A pass that is cut off is ended by the next.
async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn tell(pass: &DropPass, json: bool) -> Result<(), Failure> {
    if json {
        let packages: Vec<_> = pass
            .packages
            .iter()
            .map(|one| json!({ "source": one.source, "file": one.file, "state": one.state.name() }))
            .collect();
        return output::json(&json!({
            "packages": packages, "waiting": pass.waiting, "reports": pass.reports, "erased": pass.erased,
            "faults": pass.faults,
        }));
    }
    for one in &pass.packages {
        output::line(&format!(
            "{}: {} is {}",
            one.source,
            one.file,
            one.state.name()
        ))?;
    }
    for fault in &pass.faults {
        output::line(fault)?;
    }
    output::line(&format!(
        "{} packages answered, {} waiting, {} reports laid down, {} files erased",
        pass.packages.len(),
        pass.waiting,
        pass.reports,
        pass.erased
    ))
}
