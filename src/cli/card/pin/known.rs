//! Which chip is in the reader: known by its profile, before anything is asked of its PINs.

use card::Channel;
use clap::Args;
use perso::{InspectError, Inspector};
use profile::{ChipProfile, Detail, Dialect, Object, ObjectKind, PinRules};
use reader::Connection;

use crate::cli::card::place::Place;
use crate::cli::card::profiles::{self, More};
use crate::cli::failure::{Failure, Kind};

/// Which chip.
#[derive(Args)]
pub(crate) struct Which {
    #[command(flatten)]
    place: Place,
    /// The chip profile that it must be: a file, or the name of a shipped one. Without it every
    /// profile that its answer to reset fits is tried.
    #[arg(long)]
    chip: Option<String>,
    #[command(flatten)]
    more: More,
}

/// The chip that is there.
pub(crate) struct Known {
    pub(crate) chip: ChipProfile,
    pub(crate) serial: Option<String>,
    pub(crate) connection: Connection,
}

impl Which {
    /// Connects, and finds the profile that the chip fits.
    pub(crate) fn find(&self) -> Result<Known, Failure> {
        let named = self.chip.as_deref().map(profiles::chip).transpose()?;
        let mut connection = self.place.connect()?;
        let atr = connection.atr().to_vec();
        let candidates = match named {
            Some(chip) => vec![chip],
            None => self.more.chips()?,
        };
        let mut faults = Vec::new();
        for chip in candidates {
            if self.chip.is_none() && !chip.identify.may_answer(&atr) {
                continue;
            }
            match Inspector::new(&chip, &mut connection).identify() {
                Ok(identity) if identity.differences.is_empty() => {
                    return Ok(Known {
                        serial: identity.serial,
                        chip,
                        connection,
                    });
                }
                Ok(identity) => {
                    let what = identity.differences.into_iter().map(|one| one.what);
                    let what: Vec<_> = what.collect();
                    faults.push(format!("no \"{}\": {} differs", chip.name, what.join(", ")));
                }
                Err(error) if error.is_device() => return Err(Failure::of(Kind::Device, &error)),
                Err(error) => faults.push(format!("no \"{}\": {error}", chip.name)),
            }
        }
        let mut fault = "the chip in the reader fits no chip profile".to_owned();
        for one in faults {
            fault.push_str("\n  ");
            fault.push_str(&one);
        }
        Err(Failure::new(Kind::Failed, fault)
            .with_hint("look at it with `zimogs card info`, or name its profile: --chip FILE"))
    }
}

/// Returns the PINs of a chip with their rules, by name.
pub(crate) fn pins(chip: &ChipProfile) -> impl Iterator<Item = (&Object, &PinRules)> {
    chip.objects(ObjectKind::Pin).filter_map(rules)
}

/// Returns an object with its rules, where it is a PIN.
pub(crate) fn rules(object: &Object) -> Option<(&Object, &PinRules)> {
    match &object.detail {
        Detail::Pin(rules) => Some((object, rules)),
        _ => None,
    }
}

/// Returns the PIN of a name that the chip can do an operation with; without a name the only one.
pub(crate) fn find<'a>(
    chip: &'a ChipProfile,
    name: Option<&str>,
    operation: Dialect,
) -> Result<(&'a Object, &'a PinRules), Failure> {
    let able = || pins(chip).filter(|(pin, _)| chip.speaks(operation, pin));
    let names = || able().map(|(pin, _)| pin.name.as_str()).collect::<Vec<_>>();
    let hint = || match names()[..] {
        [] => format!("the chip profile \"{}\" has no {operation}", chip.name),
        _ => format!("it can be done with {}", names().join(", ")),
    };
    let Some(name) = name else {
        // A PUK is changed by name alone.
        let is_puk = |name: &str| pins(chip).any(|(_, rules)| rules.puk.as_deref() == Some(name));
        let mut wanted = able().filter(|(pin, _)| !is_puk(&pin.name));
        return match (wanted.next(), wanted.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Failure::new(
                Kind::Refused,
                format!("this chip does not let its holder do that: no {operation}"),
            )
            .with_hint(hint())),
            (Some(_), Some(_)) => Err(Failure::new(
                Kind::Usage,
                format!("the chip has several PINs: {}", names().join(", ")),
            )
            .with_hint("name one: --pin NAME")),
        };
    };
    match pins(chip).find(|(pin, _)| pin.name == name) {
        None => Err(
            Failure::new(Kind::Usage, format!("the chip has no PIN \"{name}\"")).with_hint(hint()),
        ),
        Some((pin, _)) if !chip.speaks(operation, pin) => Err(Failure::new(
            Kind::Refused,
            format!(
                "this chip does not let its holder do that: no {operation} for {}",
                pin.title
            ),
        )
        .with_hint(hint())),
        Some(found) => Ok(found),
    }
}

/// Reads how many tries a PIN has left; nothing where the chip does not say.
pub(crate) fn tries(inspector: &mut Inspector<'_>, pin: &Object) -> Result<Option<u8>, Failure> {
    match inspector.tries(pin) {
        Ok(left) => Ok(Some(left)),
        // A blocked PIN answers so where asking is an empty VERIFY.
        Err(InspectError::Refused { status, .. })
            if status == card::Status::AUTHENTICATION_BLOCKED =>
        {
            Ok(Some(0))
        }
        Err(error) if error.is_device() => Err(Failure::of(Kind::Device, &error)),
        Err(error) if error.is_absent() => Err(Failure::new(
            Kind::Failed,
            format!("{} is not on this chip", pin.title),
        )
        .with_hint("look at what is there: zimogs card pin status")),
        Err(_) => Ok(None),
    }
}

/// Returns how many tries are left, as a person reads it.
pub(crate) fn tries_text(left: Option<u8>, of: u8) -> String {
    match left {
        None => "the chip does not say how many tries are left".to_owned(),
        Some(0) => "blocked".to_owned(),
        Some(left) => format!("{left} of {of} tries left"),
    }
}
