//! Keys as they are shown after something was done to them.

use hsm::{KeyRecord, Token};
use serde_json::{Value, json};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::officers::Outcome;
use crate::cli::output;

/// Returns what the token says of one key.
pub(crate) fn record(token: &Token, label: &str) -> Result<KeyRecord, Failure> {
    let keys = token.keys().or_fail(Kind::Device)?;
    let key = keys.iter().find(|key| key.label == label);
    let key = key.ok_or_else(|| {
        let fault = format!("the token does not show key \"{label}\", which was made just now");
        Failure::new(Kind::Device, fault)
    })?;
    token.key_record(key).or_fail(Kind::Device)
}

/// Says what was done.
pub(crate) fn done(outcome: &Outcome, sentence: &str, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(&value(outcome));
    }
    output::line(sentence)?;
    for key in &outcome.keys {
        let told = match (&key.kcv, &key.public_key) {
            (Some(kcv), _) => format!("check value {kcv}"),
            (None, Some(digest)) => format!("public key SHA-256 {digest}"),
            (None, None) => "no check value".to_owned(),
        };
        output::line(&format!(
            "{}: {}, {}, {told}",
            key.label, key.key, key.origin
        ))?;
    }
    Ok(())
}

fn value(outcome: &Outcome) -> Value {
    json!({ "keys": outcome.keys, "shares": outcome.shares })
}
