//! The profiles of an installation: loaded and proved when its store opens, so that what does not
//! fit is found at the start, not at the first card.

use std::collections::BTreeMap;
use std::sync::Arc;

use card::gp::Diversification;
use document::{Environment, Purpose, Record};
use profile::{ChipProfile, DocumentProfile, KeySource, Plan, ProfileError, ProfileKind};

use crate::config::Config;
use crate::error::{CentralError, Result};
use crate::sealable::prove_all;

/// The chip profiles at hand, by name.
#[derive(Default)]
pub(crate) struct Chips {
    pub(crate) sound: BTreeMap<String, Arc<ChipProfile>>,
    /// Drafts that cannot be used, and why.
    pub(crate) unsound: BTreeMap<String, ProfileError>,
}

/// Loads the chip profiles. In production a draft that nobody released may be unsound: it stops
/// nothing unless a document takes it.
pub(crate) fn load_chips(config: &Config) -> Result<Chips> {
    let is_production = config.environment == Environment::Production;
    let mut chips = Chips::default();
    for name in config.chips.names() {
        match ChipProfile::load(&config.chips, name) {
            Ok(chip) => {
                chips.sound.insert(chip.name.clone(), Arc::new(chip));
            }
            Err(error) if is_production && !config.releases.has(ProfileKind::Chip, name) => {
                chips.unsound.insert(name.to_owned(), error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(chips)
}

/// Refuses keys that others have too where real documents are made: what the world knows, for who
/// meets such a chip before it is taken over, or after it was left so, can write it as well as the
/// issuer; and one key for all chips, for who has that of one chip has that of all.
pub(crate) fn check_keys(chip: &ChipProfile, environment: Environment) -> Result<(), String> {
    if environment != Environment::Production {
        return Ok(());
    }
    for (name, set) in &chip.channel.keys {
        if set.is_anybodys() {
            return Err(format!(
                "chip profile \"{}\": anybody opens the channel of key set \"{name}\", for all the world knows its key or the proof is made without it, and a production installation refuses it; have the maker deliver the chips under a transport key of your own, and write how it is diversified",
                chip.name
            ));
        }
        match set.source {
            KeySource::Diversified(Diversification::None) if chip.keeps_keys(name) => {
                return Err(format!(
                    "chip profile \"{}\": every finished chip would have the same key set \"{name}\", and a production installation refuses it; write another diversification than \"none\", or take the set away in a step",
                    chip.name
                ));
            }
            KeySource::Known(_) | KeySource::Diversified(_) => {}
        }
    }
    Ok(())
}

/// Loads the document profiles, and makes each plan once, for a holder who gets every key.
pub(crate) fn load_documents(
    config: &Config,
    chips: &mut Chips,
) -> Result<(Vec<DocumentProfile>, Vec<Plan>)> {
    let setup = |reason: String| CentralError::Setup { reason };
    let specimen: Record = serde_json::from_str(profile::SPECIMEN)
        .map_err(|error| setup(format!("the specimen record is not sound: {error}")))?;
    let mut documents: Vec<DocumentProfile> = Vec::new();
    let mut plans = Vec::new();
    for name in config.documents.names() {
        let profile = DocumentProfile::load(&config.documents, name)?;
        if profile.kinds.is_empty() {
            // For trials at a desk; no document of an installation is made with it.
            continue;
        }
        for kind in &profile.kinds {
            if let Some(other) = documents.iter().find(|other| other.kinds.contains(kind)) {
                return Err(setup(format!(
                    "document profiles \"{}\" and \"{}\" both serve {kind}",
                    other.name, profile.name
                )));
            }
        }
        check_apart(&profile).map_err(setup)?;
        let with_pins = profile.chips.iter().filter(|chip| !chip.pins.is_empty());
        if with_pins.count() > 1 {
            return Err(setup(format!(
                "document profile \"{}\" has PINs on more than one chip; a document has one PIN envelope",
                profile.name
            )));
        }
        for wanted in &profile.chips {
            for product in &wanted.products {
                let Some(chip) = chips.sound.get(product) else {
                    if let Some(error) = chips.unsound.remove(product) {
                        return Err(error.into());
                    }
                    return Err(setup(format!(
                        "document profile \"{}\" takes \"{product}\", and no chip profile has that name",
                        profile.name
                    )));
                };
                let mut specimen = specimen.clone();
                profile::prepare_specimen(&mut specimen, chip);
                let plan = Plan::new(Arc::clone(chip), &profile.name, wanted, &specimen)?;
                let unfit = |reason: String| setup(format!("chip profile \"{product}\": {reason}"));
                let names: Vec<_> = plan.pins.iter().map(|(name, ..)| name.as_str()).collect();
                if let Some(pin) = wanted
                    .pins
                    .keys()
                    .find(|pin| !names.contains(&pin.as_str()))
                {
                    return Err(unfit(format!(
                        "no stage sets PIN \"{pin}\", and document profile \"{}\" has each of the holder's PINs set once; add set_holder_pin {pin} to a sealed stage, or correct the document profile",
                        profile.name
                    )));
                }
                hsm::PinSet::check_names(names).map_err(|error| unfit(error.to_string()))?;
                prove_all(&plan).map_err(unfit)?;
                if chip.has_stages_for(Purpose::NewPins) && !plan.pins.is_empty() {
                    let purpose = Purpose::NewPins;
                    let chip = Arc::clone(chip);
                    let renewing = Plan::of(purpose, chip, &profile.name, wanted, &specimen)?;
                    prove_all(&renewing).map_err(unfit)?;
                    plans.push(renewing);
                }
                plans.push(plan);
            }
        }
        documents.push(profile);
    }
    Ok((documents, plans))
}

/// Demands that the chips of a document can be told apart: by product, and by their keys' names,
/// under which the subjects of their certificates are prepared.
fn check_apart(profile: &DocumentProfile) -> Result<(), String> {
    for (place, chip) in profile.chips.iter().enumerate() {
        for other in profile.chips.iter().take(place) {
            let product = chip
                .products
                .iter()
                .find(|product| other.products.contains(product));
            let key = chip.keys.keys().find(|key| other.keys.contains_key(*key));
            if let Some(both) = product.or(key) {
                return Err(format!(
                    "document profile \"{}\" names \"{both}\" for two chips; they could not be told apart",
                    profile.name
                ));
            }
        }
    }
    Ok(())
}
