//! What a plan will ask of keys and authority, looked for before anything is done to a chip.

use std::collections::BTreeSet;

use pki::ProfileKind;
use profile::{Plan, Verb};

use crate::certificate_profiles::CertificateProfiles;
use crate::error::{CentralError, Result};
use crate::keys::KeyService;

/// Checks that a profile certifies each key of a plan as it is to be certified, and that the
/// token holds each master key that its steps derive from. Blocks on the token.
///
/// # Errors
/// [`CentralError::Unfit`] says what does not fit, and what to do; the token's failures.
pub fn check_means(plan: &Plan, profiles: &CertificateProfiles, keys: &KeyService) -> Result<()> {
    let chip = &plan.chip;
    for (key, certificate) in &plan.keys {
        let Some(rules) = chip.key_rules(key) else {
            continue;
        };
        let is_checked = plan.stages.iter().any(|stage| {
            let mut steps = stage.steps.iter();
            !stage.sealed && steps.any(|step| step.verb == Verb::CheckKey && step.object == *key)
        });
        if !is_checked {
            return Err(CentralError::Unfit {
                reason: format!(
                    "no stage of chip \"{}\" has \"check_key {key}\": without it no certificate becomes active; add it after \"request_certificate {key}\"",
                    chip.name
                ),
            });
        }
        let profile = profiles.get(certificate)?;
        if profile.kind() != ProfileKind::Leaf {
            return Err(CentralError::Unfit {
                reason: format!(
                    "certificate profile \"{certificate}\" is no profile for a holder's key \"{key}\"; name another one in the document profile"
                ),
            });
        }
        if !profile.allows(rules.algorithm) {
            let allowed: Vec<_> = profile.algorithms().map(|kind| kind.to_string()).collect();
            return Err(CentralError::Unfit {
                reason: format!(
                    "certificate profile \"{certificate}\" takes no {} key, as key \"{key}\" of chip \"{}\" is; it takes {}: name another one in the document profile, or add the kind to its \"algorithms\"",
                    rules.algorithm,
                    chip.name,
                    allowed.join(", ")
                ),
            });
        }
    }
    for (key, certificate) in &plan.keys {
        let has_pin = chip.key_rules(key).is_some_and(|rules| rules.pin.is_some());
        let reason = match (has_pin, profiles.get(certificate)?.is_cards_own()) {
            (true, false) | (false, true) => continue,
            (true, true) => format!(
                "certificate profile \"{certificate}\" is for a card's own key, and key \"{key}\" wants its holder's PIN; name another one in the document profile"
            ),
            (false, false) => format!(
                "certificate profile \"{certificate}\" names the holder, and key \"{key}\" has no PIN: whoever has the card could sign in its holder's name; name one with cardAuth in the document profile, or say in the chip profile which PIN the key wants"
            ),
        };
        return Err(CentralError::Unfit { reason });
    }
    let derived = Derived::of(plan);
    for set in derived.sets {
        keys.check_key_set(chip, set)?;
    }
    for master in derived.pins {
        keys.check_master(master)?;
    }
    Ok(())
}

/// What a plan derives from master keys.
#[derive(Default)]
struct Derived<'p> {
    /// The key sets.
    sets: BTreeSet<&'p str>,
    /// The names of the masters of its issuer's PINs.
    pins: BTreeSet<&'p str>,
}

impl<'p> Derived<'p> {
    fn of(plan: &'p Plan) -> Self {
        let mut derived = Self::default();
        for stage in &plan.stages {
            derived.sets.extend(stage.channel.as_deref());
            for step in &stage.steps {
                match step.verb {
                    Verb::AddKeys | Verb::ReplaceKeys => {
                        derived.sets.insert(&step.object);
                    }
                    Verb::SetIssuerPin => {
                        let rules = plan.chip.pin_rules(&step.object);
                        let master = rules.and_then(|rules| rules.issuer.as_deref());
                        derived.pins.extend(master);
                    }
                    _ => {}
                }
            }
        }
        derived
    }
}
