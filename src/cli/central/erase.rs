//! `zimogs central erase`: what was kept of people for long enough.

use central::{CentralError, Overdue, Rewrapping};
use clap::Args;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::central::listing::{PAGE, all};
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;
use crate::cli::progress::Bar;

/// What to do about personal data.
#[derive(Args)]
pub(crate) struct Erase {
    /// Erases nothing and looks whether anything is overdue: exit code 5 where something is.
    #[arg(long, conflicts_with = "turn_keys")]
    check: bool,
    /// Takes new keys of the token into use for all personal data at once, as a security officer:
    /// where one may have become known.
    #[arg(long)]
    turn_keys: bool,
    #[command(flatten)]
    place: Place,
}

/// Erases what is due, or looks whether anything is overdue.
pub(crate) fn run(options: &Erase) -> Result<(), Failure> {
    if options.check {
        return check(&options.place);
    }
    options
        .place
        .with_central("security-officer", async |central, actor| {
            let bar = Bar::new();
            let watch = |progress: Rewrapping| {
                bar.show(progress.class.name(), progress.done, progress.total);
            };
            let work = async {
                let turned = match options.turn_keys {
                    true => Some(central.turn_wrapping_keys(&actor, &watch).await?),
                    false => None,
                };
                Ok::<_, CentralError>((turned, central.erase_watched(&watch).await?))
            };
            let done = work.await;
            bar.end();
            let (turned, erased) = done?;
            let keys = turned.unwrap_or(erased.keys);
            if options.place.json() {
                return output::json(&json!({
                    "identities": erased.identities, "biometrics": erased.biometrics,
                    "records": erased.records, "packages": erased.packages,
                    "stranded": erased.stranded,
                    "keys": {
                        "made": keys.made, "taken": keys.taken, "wrapped": keys.wrapped,
                        "destroyed": keys.destroyed, "lost": keys.lost,
                    },
                }));
            }
            output::line(&format!(
                "erased: {} identities, {} biometrics, {} records, {} packages",
                erased.identities, erased.biometrics, erased.records, erased.packages
            ))?;
            output::line(&format!(
                "wrapping keys: {} made, {} taken into use, {} destroyed; {} data keys wrapped anew",
                keys.made, keys.taken, keys.destroyed, keys.wrapped
            ))?;
            if keys.lost > 0 {
                output::line(&format!(
                    "{} data keys lie under a key that the token has no more: what they encrypt is lost",
                    keys.lost
                ))?;
            }
            if erased.stranded > 0 {
                output::line(&format!(
                    "{} documents in the queue have no biometrics any more and cannot be made: cancel them",
                    erased.stranded
                ))?;
            }
            Ok(())
        })
}

fn check(place: &Place) -> Result<(), Failure> {
    place.with_central("security-officer", async |central, _| {
        let overdue = all(
            async |last: Option<&Overdue>| {
                let after = last.map(Overdue::place).unwrap_or_default();
                central.overdue_after(&after, PAGE).await
            },
        )
        .await?;
        if place.json() {
            let lines: Vec<_> = overdue
                .iter()
                .map(|one| json!({ "what": one.what, "reference": one.reference, "since": one.since }))
                .collect();
            output::json(&json!({ "overdue": lines }))?;
        } else {
            for one in &overdue {
                let since = one.since.map(|since| format!(" since {since}"));
                output::line(&format!(
                    "{} {}: overdue{}",
                    one.what,
                    one.reference,
                    since.unwrap_or_default()
                ))?;
                if one.what == "unknown-wrapping-key" {
                    output::line("  the token has it and the books have not: docs/data-protection.md")?;
                }
            }
        }
        if !overdue.is_empty() {
            let message = format!("{} things are overdue to be erased", overdue.len());
            return Err(Failure::new(Kind::Integrity, message)
                .with_hint("zimogs central erase --data FOLDER"));
        }
        match place.json() {
            true => Ok(()),
            false => output::line("nothing is overdue"),
        }
    })
}
