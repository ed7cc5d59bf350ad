//! `zimogs hsm list`: the keys in a token.

use std::process::ExitCode;

use clap::Args;
use hsm::{KeyInfo, KeyRecord};
use serde_json::{Value, json};

use crate::cli::card::tables::headed;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::place::TokenChoice;
use crate::cli::output;

/// Lists the keys in a token, with what the token itself says of them.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    token: TokenChoice,
}

/// Runs the command.
pub(crate) fn run(options: &List) -> Result<ExitCode, Failure> {
    let token = options.token.place()?.open()?;
    let mut keys = Vec::new();
    for key in token.keys().or_fail(Kind::Device)? {
        let record = token.key_record(&key).or_fail(Kind::Device)?;
        keys.push((key, record));
    }
    if options.token.json {
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, record)| value(key, record))
            .collect();
        output::json(&keys)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = headed([
        "key",
        "kind",
        "origin",
        "may",
        "check value or public key",
        "protection",
    ]);
    for (key, record) in &keys {
        let told = match (&record.kcv, &record.public_key) {
            (Some(kcv), _) => kcv.clone(),
            (None, Some(digest)) => format!("{}…", &digest[..digest.len().min(16)]),
            (None, None) => "-".to_owned(),
        };
        let protection = key.attributes.fault().unwrap_or("stays in the token");
        table.add_row([
            &record.label,
            &record.key,
            &record.origin,
            &uses(key).join(", "),
            &told,
            protection,
        ]);
    }
    output::line(&table.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn uses(key: &KeyInfo) -> Vec<&'static str> {
    let may = key.attributes;
    let uses = [
        (may.sign, "sign"),
        (may.derive, "agree"),
        (may.unwrap, "unwrap"),
    ];
    uses.into_iter()
        .filter_map(|(may, what)| may.then_some(what))
        .collect()
}

fn value(key: &KeyInfo, record: &KeyRecord) -> Value {
    let mut value = json!(record);
    value["uses"] = json!(uses(key));
    value["fault"] = json!(key.attributes.fault());
    value
}
