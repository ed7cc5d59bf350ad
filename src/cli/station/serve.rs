//! `zimogs station serve`: the station's daemon.

use clap::Args;
use sd_notify::NotifyState;
use serde_json::json;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;
use crate::cli::serving::tell_manager;
use crate::cli::station::daemon::Daemon;
use crate::cli::station::setup::Setup;

/// A station to be kept busy.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where its key, certificate, station.toml and journal are kept.
    #[arg(long)]
    folder: std::path::PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Keeps the slots busy until it is told to stop.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    let setup = Setup::read(&options.folder)?;
    let runtime = tokio::runtime::Runtime::new().or_fail(Kind::Failed)?;
    runtime.block_on(async {
        let daemon = Daemon::start(&options.folder, &setup).await?;
        let (name, address) = (&daemon.name, daemon.address);
        match options.json {
            true => output::json(&json!({ "station": name, "listening": address }))?,
            false => output::line(&format!(
                "station {name} answers at http://{address}; Ctrl-C stops it when the documents in work are finished"
            ))?,
        }
        tell_manager(NotifyState::Ready);
        crate::cli::pki::stop().await;
        tell_manager(NotifyState::Stopping);
        daemon.stop().await
    })
}
