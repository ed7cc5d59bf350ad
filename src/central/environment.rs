//! Production or test: bound into token, authority, series and log from the first start. Nothing
//! of a test serves in production, nor the reverse.

use card::cipher::{KeyAlgorithm, kcv};
use card::gp::Key;
use cert::cvc::CvCertificate;
use document::Environment;
use hsm::{KeyKind, Token};
use pki::{CertificateProfile, is_named_for_test, is_reference_for_test};

use crate::certificate_profiles::CertificateProfiles;
use crate::config::KeyLabels;
use crate::error::{CentralError, Result};
use crate::travel::TravelConfig;

/// Keys that specifications, makers and tutorials print: the whole world has them.
const PUBLISHED: [(&str, [u8; 16]); 5] = [
    ("the published one of GlobalPlatform", *b"@ABCDEFGHIJKLMNO"),
    ("a published one of a card maker", *b"GEMXPRESSOSAMPLE"),
    ("nothing but zeros", [0x00; 16]),
    ("nothing but ones", [0xFF; 16]),
    (
        "the one of every tutorial",
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    ),
];

/// Demands that a token is of this environment, and binds one that is of none.
pub(crate) fn bind_token(token: &Token, environment: Environment) -> Result<()> {
    token.bind(environment.name()).map_err(|error| match error {
        hsm::HsmError::BoundOtherwise { .. } => CentralError::Environment {
            reason: format!("its token is of another environment: {error}"),
        },
        other => other.into(),
    })
}

/// Checks that every master key is there, and in production that none is a published one.
pub(crate) fn check_masters(
    labels: &KeyLabels,
    token: &Token,
    environment: Environment,
) -> Result<()> {
    let kinds = token.keys()?;
    for (set, label) in &labels.masters {
        let found = token.kcv(label)?;
        if environment == Environment::Test {
            continue;
        }
        let kind = kinds.iter().find(|key| key.label == *label);
        let algorithm = match kind.map(|key| key.kind) {
            Some(KeyKind::Des3) => KeyAlgorithm::TripleDes,
            _ => KeyAlgorithm::Aes,
        };
        let known = PUBLISHED.iter().find(|(_, value)| {
            let value = Key::new(value).ok();
            value.is_some_and(|key| kcv(&key, algorithm) == Ok(found))
        });
        if let Some((whose, _)) = known {
            return Err(CentralError::Environment {
                reason: format!(
                    "the master key of key set \"{set}\" is {whose}; a production installation refuses it, import the maker's own"
                ),
            });
        }
    }
    Ok(())
}

/// Checks that certificates say what they are for: in a test the authority by its name, in
/// production by values that are nobody's example.
pub(crate) fn check_certificates(
    profiles: &CertificateProfiles,
    own: &str,
    used: &[String],
    environment: Environment,
) -> Result<()> {
    let authority = profiles.own(own)?;
    let named = authority.is_named_for_test();
    if environment == Environment::Test {
        return match named {
            true => Ok(()),
            false => Err(CentralError::Environment {
                reason: format!(
                    "the CN in certificate profile \"{own}\" does not say that it is for a test; put TEST or PILOT into it"
                ),
            }),
        };
    }
    if named {
        return Err(CentralError::Environment {
            reason: format!(
                "the CN in certificate profile \"{own}\" is a test authority's; a production installation has one of its own"
            ),
        });
    }
    let used = used
        .iter()
        .map(|name| profiles.get(name).map(|profile| &**profile));
    for profile in used.chain([Ok(authority)]) {
        check_meant(profile?, environment)?;
    }
    Ok(())
}

/// Checks that those who vouch for travel documents say what they are for, and in production that
/// no chip trusts a test's inspection systems.
pub(crate) fn check_travel(travel: &TravelConfig, environment: Environment) -> Result<()> {
    for anchor in &travel.anchors {
        let name = anchor.subject();
        let reason = match (environment, is_named_for_test(name)) {
            (Environment::Production, true) => format!(
                "the country signing CA {name} is a test authority's; a production installation names the state's own in [travel]"
            ),
            (Environment::Test, false) => format!(
                "the country signing CA {name} does not say that it is for a test; a test installation has one with TEST or PILOT in its CN"
            ),
            _ => continue,
        };
        return Err(CentralError::Environment { reason });
    }
    let point = travel.trust_point.as_deref();
    let Some(point) = point.filter(|_| environment == Environment::Production) else {
        return Ok(());
    };
    let point = CvCertificate::parse(point).map_err(|error| CentralError::Setup {
        reason: format!("the certificate of the CVCA: {error}"),
    })?;
    match is_reference_for_test(point.holder()) {
        true => Err(CentralError::Environment {
            reason: format!(
                "the CVCA {} is a test's; chips of a production installation trust the state's own",
                point.holder()
            ),
        }),
        false => Ok(()),
    }
}

/// Demands that production issues nothing by an example.
pub(crate) fn check_meant(profile: &CertificateProfile, environment: Environment) -> Result<()> {
    match (environment, profile.example()) {
        (Environment::Production, Some(example)) => Err(CentralError::Environment {
            reason: format!(
                "certificate profile \"{}\": {example}; put your own there, a production installation issues nothing by an example",
                profile.name()
            ),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::PUBLISHED;

    #[test]
    fn published_keys_are_those_that_are_printed() {
        let known: Vec<_> = PUBLISHED.iter().map(|(_, key)| hex::encode(key)).collect();
        assert_eq!(known[0], "404142434445464748494a4b4c4d4e4f");
        assert_eq!(known[1], "47454d5850524553534f53414d504c45");
        assert_eq!(known[4], "000102030405060708090a0b0c0d0e0f");
    }
}
