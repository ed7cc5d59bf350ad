//! The commands of a sealed stage, rendered as the station's executor would: with the holder's
//! PINs, with imported keys. Nothing here is protected yet, and nothing is kept.

use std::collections::{BTreeMap, BTreeSet};

use api::Secret;
use hsm::PinSet;
use profile::{
    Detail, Dialect, Object, ObjectKind, PinValues, Plan, Position, Rendered, Renderer, Scope,
    Stage, Step, Value, Variables, Verb,
};
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};
use crate::imported_key::ImportedKey;
use crate::keys::KeyService;
use crate::sealing::SealOrder;

/// Makes the holder's PINs, by the policies of the document profile.
pub(crate) fn make_pins(keys: &KeyService, order: &SealOrder<'_>) -> Result<PinSet> {
    let policies = order.plan.pin_policies(order.holder);
    Ok(PinSet::generate(keys.token(), &policies)?)
}

/// The channel's key that encrypts other keys, as templates name it.
pub(crate) const DEK: &str = "channel.dek";

/// Says whether a stage encrypts anything under the channel's DEK.
pub(crate) fn uses_dek(plan: &Plan, stage: &Stage) -> bool {
    stage.steps.iter().any(|step| {
        let object = plan.chip.object(step.verb.object(), &step.object);
        let mut operations = step.verb.operations().iter().copied().chain(step.operation);
        object.is_some_and(|object| {
            operations.any(|operation| plan.chip.mentions(operation, object, DEK))
        })
    })
}

/// Makes the key pairs that a stage imports.
pub(crate) fn import(plan: &Plan, stage: &Stage) -> Result<BTreeMap<String, ImportedKey>> {
    let mut imported = BTreeMap::new();
    let steps = stage.steps.iter();
    for step in steps.filter(|step| step.verb == Verb::ImportKey) {
        let rules = plan.chip.key_rules(&step.object);
        let rules = rules.ok_or_else(|| missing(step))?;
        let key = ImportedKey::generate(rules.algorithm)?;
        imported.insert(step.object.clone(), key);
    }
    Ok(imported)
}

/// Refuses present values of PINs that the stage does not need: they would stand in the place of
/// what the chip profile knows.
pub(crate) fn check_told(order: &SealOrder<'_>, stage: &Stage) -> Result<()> {
    let is_needed = |pin: &str, digits: &Secret| {
        stage.carries.iter().any(|carried| carried == pin) && !digits.expose().is_empty()
    };
    let mut told = order.known.iter();
    match told.find(|(pin, digits)| !is_needed(pin, digits)) {
        None => Ok(()),
        Some((pin, _)) => Err(CentralError::invalid(format!(
            "stage \"{}\" has no use for this present value of PIN \"{pin}\"",
            stage.name
        ))),
    }
}

fn untold(step: &Step) -> CentralError {
    CentralError::invalid(format!(
        "the present value of PIN \"{}\" was not told; {} needs it",
        step.object,
        step.name()
    ))
}

fn missing(step: &Step) -> CentralError {
    CentralError::refused(format!(
        "the chip profile has nothing for \"{}\"",
        step.name()
    ))
}

/// What the centre made for a stage.
pub(crate) struct Made<'a> {
    /// The holder's PINs.
    pub(crate) pins: Option<&'a PinSet>,
    /// The issuer's PINs of this chip, by name.
    pub(crate) issuers: &'a BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// The key pairs that are imported, by name.
    pub(crate) imported: &'a BTreeMap<String, ImportedKey>,
    /// What else the templates may use.
    pub(crate) known: &'a Variables,
}

/// Derives the issuer's PINs of a plan's chip. Blocks on the token.
pub(crate) fn issuer_pins(
    keys: &KeyService,
    order: &SealOrder<'_>,
) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>> {
    let chip = &order.plan.chip;
    let mut pins = BTreeMap::new();
    let steps = order.plan.stages.iter().flat_map(|stage| &stage.steps);
    for step in steps.filter(|step| step.verb == Verb::SetIssuerPin) {
        let rules = chip.pin_rules(&step.object).ok_or_else(|| missing(step))?;
        let master = rules.issuer.as_ref().ok_or_else(|| missing(step))?;
        let object = chip.object(ObjectKind::Pin, &step.object);
        let reference = match object.and_then(|pin| pin.value("pin.reference")) {
            Some(Value::Number(reference)) => u8::try_from(reference).unwrap_or_default(),
            _ => 0,
        };
        let digits = usize::from(rules.stored);
        let pin = keys.issuer_pin(master, order.chip, reference, digits)?;
        pins.insert(step.object.clone(), pin);
    }
    Ok(pins)
}

/// Renders the stage's steps as the station's executor would.
pub(crate) fn render(
    order: &SealOrder<'_>,
    stage: &Stage,
    made: &Made<'_>,
) -> Result<Vec<Rendered>> {
    let chip = &*order.plan.chip;
    let limits = order.limits();
    let protection = chip.channel.protection(stage.channel.as_deref());
    let renderer = Renderer::new(chip, &limits, protection);
    let mut position = Position::default();
    position.selected(&stage.select);
    let stages = order.plan.stages.iter();
    // The PINs that have their last value already.
    let mut settled: BTreeSet<&str> = stages
        .take_while(|earlier| earlier.name != stage.name)
        .flat_map(set_by)
        .collect();
    let mut commands = Vec::new();
    for step in &stage.steps {
        let object = chip.object(step.verb.object(), &step.object);
        let object = object.ok_or_else(|| missing(step))?;
        let (operation, values) = match step.verb {
            Verb::SetHolderPin | Verb::SetIssuerPin | Verb::VerifyPin => {
                let present = Present {
                    order,
                    made,
                    settled: &settled,
                    carried: &stage.carries,
                };
                present.values(step, object)?
            }
            Verb::ImportKey => {
                let key = made
                    .imported
                    .get(&step.object)
                    .ok_or_else(|| missing(step))?;
                (Dialect::ImportKey, key.values())
            }
            Verb::SetState => (Dialect::SetState, Vec::new()),
            _ => return Err(missing(step)),
        };
        if let Some(application) = position.enters(chip, operation, object) {
            let enter = Dialect::Enter;
            commands.extend(renderer.operation_in(enter, application, &[], made.known)?);
            position.entered(&application.name);
        }
        commands.extend(renderer.operation_in(operation, object, &values, made.known)?);
        if settles(step) {
            settled.insert(&step.object);
        }
    }
    Ok(commands)
}

/// Says whether a step gives a PIN the value that it keeps.
fn settles(step: &Step) -> bool {
    matches!(step.verb, Verb::SetHolderPin | Verb::SetIssuerPin)
}

/// Returns the PINs whose last value a stage sets.
fn set_by(stage: &Stage) -> impl Iterator<Item = &str> {
    let steps = stage.steps.iter();
    steps
        .filter(|step| settles(step))
        .map(|step| step.object.as_str())
}

/// The values that PINs have at a step.
struct Present<'a> {
    order: &'a SealOrder<'a>,
    made: &'a Made<'a>,
    /// Which have their last value.
    settled: &'a BTreeSet<&'a str>,
    /// Which have a value that the personalization alone knows, and may tell.
    carried: &'a [String],
}

impl Present<'_> {
    fn made(&self, pin: &str) -> Option<&[u8]> {
        let holders = self.made.pins.and_then(|pins| pins.get(pin));
        match holders {
            Some(holders) => Some(holders.digits()),
            None => self.made.issuers.get(pin).map(|digits| &digits[..]),
        }
    }

    /// Returns the value that a PIN has: its last, the personalization's, or the maker's.
    fn now(&self, pin: &str) -> Option<&[u8]> {
        if self.settled.contains(pin) {
            return self.made(pin);
        }
        match self.order.known.get(pin) {
            Some(digits) => Some(digits.expose()),
            // The maker's is gone.
            None if self.carried.iter().any(|carried| carried == pin) => None,
            None => self
                .order
                .plan
                .chip
                .pin_rules(pin)?
                .default
                .as_deref()
                .map(|digits| &digits[..]),
        }
    }

    /// Returns how a PIN is set or presented, and the values for it.
    fn values(&self, step: &Step, pin: &Object) -> Result<(Dialect, Vec<(&'static str, Value)>)> {
        let Detail::Pin(rules) = &pin.detail else {
            return Err(missing(step));
        };
        let (operation, values) = if settles(step) {
            // A PUK that has no value yet is set together with its PIN.
            let puk = rules.puk.as_ref().and_then(|name| {
                let puk = self.order.plan.chip.object(ObjectKind::Pin, name)?;
                Some((puk, self.now(name).or_else(|| self.made(name))?))
            });
            let values = PinValues {
                digits: self.made(&step.object).ok_or_else(|| missing(step))?,
                current: self.now(&step.object),
                puk,
            };
            let operation = step.operation.unwrap_or(Dialect::SetPin);
            if operation == Dialect::ChangePin && values.current.is_none() {
                return Err(untold(step));
            }
            (operation, values)
        } else {
            let digits = self.now(&step.object).ok_or_else(|| untold(step))?;
            (Dialect::VerifyPin, PinValues::of(digits))
        };
        Ok((operation, values.variables(pin)?))
    }
}
