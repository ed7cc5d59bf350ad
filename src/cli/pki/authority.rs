//! `zimogs pki ca show`: the embedded authority.

use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;

/// Shows the authority's certificate, and how many it issued.
pub(crate) fn show(place: &Place) -> Result<(), Failure> {
    place.with_central("auditor", async |central, actor| {
        let certificate = central.embedded_authority().certificate().clone();
        let issued = central.issued_by_authority(&actor).await?;
        let validity = certificate.validity();
        if place.json() {
            return output::json(&json!({
                "subject": certificate.subject().to_string(),
                "serial": certificate.serial_hex(),
                "not_before": validity.not_before,
                "not_after": validity.not_after,
                "environment": central.environment().name(),
                "issued": { "on_hold": issued.on_hold, "good": issued.good, "revoked": issued.revoked },
            }));
        }
        output::line(&format!("subject     {}", certificate.subject()))?;
        output::line(&format!("serial      {}", certificate.serial_hex()))?;
        output::line(&format!(
            "holds       {} to {}",
            validity.not_before, validity.not_after
        ))?;
        output::line(&format!("environment {}", central.environment()))?;
        output::line(&format!(
            "issued      {} on hold, {} in use, {} revoked",
            issued.on_hold, issued.good, issued.revoked
        ))
    })
}
