//! `zimogs pki crl`: a new revocation list.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::card::runs::write_whole;
use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// Where the list goes.
#[derive(Args)]
pub(crate) struct Crl {
    /// The file, DER.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Signs a list, and writes it whole or not at all.
pub(crate) fn run(options: &Crl) -> Result<(), Failure> {
    options
        .place
        .with_central("security-officer", async |central, actor| {
            central.begin_publishing(&actor).await?;
            let der = central.crl().await?;
            let shown = options.out.display();
            write_whole(&options.out, &der).map_err(|error| {
                Failure::new(Kind::Failed, format!("cannot write {shown}: {error}"))
            })?;
            match options.place.json() {
                true => output::json(&json!({ "file": options.out, "bytes": der.len() })),
                false => output::line(&format!("{shown}: a list of {} bytes", der.len())),
            }
        })
}
