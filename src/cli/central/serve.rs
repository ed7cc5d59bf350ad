//! `zimogs central serve`: the store over HTTPS, for stations and people.

use std::net::SocketAddr;

use clap::Args;
use sd_notify::NotifyState;
use serde_json::json;

use crate::cli::caring::Caring;
use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::serving::{Serving, tell_manager};

/// What is served, and where.
#[derive(Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one, which is told. By default what [serve] in
    /// installation.toml says, else 127.0.0.1:8443.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where Prometheus reads /metrics, over plain HTTP: without an address 127.0.0.1:9464. By default
    /// what [telemetry] in installation.toml says, else nowhere.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9464")]
    metrics: Option<SocketAddr>,
    #[command(flatten)]
    place: Place,
}

impl Serve {
    /// Returns the collector that traces go to. An installation that does not read says so later.
    pub(crate) fn collector(&self) -> Option<String> {
        let installation = self.place.installation().ok()?;
        installation.telemetry()?.otlp.clone()
    }
}

/// Serves until it is told to stop; then it finishes what is in work.
pub(crate) fn run(options: &Serve) -> Result<(), Failure> {
    let installation = options.place.installation()?;
    // Nobody acts: whoever asks is known by certificate and session.
    options.place.with_central("server", async |central, _| {
        central.prove_statements().await?;
        let mut serving = Serving::start(&installation, central, options.listen).await?;
        let metrics = serving.show_metrics(&installation, options.metrics).await?;
        let caring = Caring::start(&installation, serving.server().clone());
        let address = serving.address;
        match options.place.json() {
            true => output::json(&json!({ "listening": address, "metrics": metrics }))?,
            false => output::line(&format!(
                "the store answers at https://{address}; Ctrl-C stops it"
            ))?,
        }
        tell_manager(NotifyState::Ready);
        crate::cli::pki::stop().await;
        tell_manager(NotifyState::Stopping);
        let served = serving.stop().await;
        caring.stop().await;
        served?;
        // What was done last gets into the log, too.
        central.sequence().await?;
        Ok(())
    })
}
