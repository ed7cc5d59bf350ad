//! `zimogs hsm doctor`: whether a token serves.

use std::process::ExitCode;

use clap::Args;
use hsm::{Finding, Verdict};
use serde_json::json;

use crate::cli::card::tables::headed;
use crate::cli::failure::{Failure, Kind};
use crate::cli::hsm::place::TokenChoice;
use crate::cli::output;

/// Says whether a token serves, from its module up, and what to do where it does not.
///
/// Exit code 3 where it does not serve. The PIN is tried once, and never where a wrong one would
/// lock it.
#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    token: TokenChoice,
}

/// Runs the command.
pub(crate) fn run(options: &Doctor) -> Result<ExitCode, Failure> {
    let place = options.token.place()?;
    // A PIN that cannot be had is no reason not to look at the rest.
    let (pin, no_pin) = match place.pin() {
        Ok(pin) => (Some(pin), None),
        Err(failure) => (None, Some(failure)),
    };
    let findings = {
        let _turn = place.turn()?;
        hsm::examine(&place.config, &place.label, pin)
    };
    let failed = findings
        .iter()
        .filter(|f| f.verdict == Verdict::Failed)
        .count();
    if options.token.json {
        let findings: Vec<_> = findings.iter().map(value).collect();
        let serves = failed == 0 && no_pin.is_none();
        output::json(
            &json!({ "kind": place.config.name(), "token": place.label, "serves": serves, "findings": findings }),
        )?;
    } else {
        let mut table = headed(["check", "verdict", "found", "what to do"]);
        for finding in &findings {
            table.add_row([
                finding.check,
                verdict(finding.verdict),
                &finding.found,
                finding.remedy.unwrap_or_default(),
            ]);
        }
        output::line(&table.to_string())?;
    }
    match (failed, no_pin) {
        (0, None) => Ok(ExitCode::SUCCESS),
        (0, Some(failure)) => Err(failure),
        _ => Err(Failure::new(
            Kind::Device,
            format!(
                "token \"{}\" does not serve: {failed} checks failed",
                place.label
            ),
        )),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Warning => "look",
        Verdict::Failed => "failed",
    }
}

fn value(finding: &Finding) -> serde_json::Value {
    json!({
        "check": finding.check, "verdict": verdict(finding.verdict),
        "found": finding.found, "remedy": finding.remedy,
    })
}
