//! Certification requests: what proves that a chip has the key that it is to have.

use cert::Hash;
use cert::request::Request;
use profile::ChipProfile;

use crate::error::{CentralError, Result};

/// Verifies the certification request for a key of a chip: that its signature is by the very key
/// that it names, and that this is of the kind that the chip profile says.
///
/// # Errors
/// [`CentralError::Refused`].
pub fn prove_possession(chip: &ChipProfile, key: &str, request: &[u8]) -> Result<Request> {
    let rules = chip.key_rules(key).ok_or_else(|| {
        CentralError::refused(format!("chip \"{}\" has no key \"{key}\"", chip.name))
    })?;
    // SHA-1 where the chip has no other hash: as a proof of possession, and for nothing else.
    let proved = match rules.hash {
        Hash::Sha1 => Request::parse_and_verify_allowing_sha1(request),
        _ => Request::parse_and_verify(request),
    };
    let proved = proved.map_err(|error| {
        CentralError::refused(format!(
            "the certification request is not accepted: {error}"
        ))
    })?;
    match proved.public_key().algorithm() {
        Some(algorithm) if algorithm == rules.algorithm => Ok(proved),
        other => {
            let other =
                other.map_or_else(|| "another kind of key".to_owned(), |kind| kind.to_string());
            Err(CentralError::refused(format!(
                "key \"{key}\" of chip \"{}\" is to be {}, and the certification request is for {other}",
                chip.name, rules.algorithm
            )))
        }
    }
}
