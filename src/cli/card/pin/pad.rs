//! Where PINs stand in a chip's commands, so that a reader's pad can put them there.

use card::Limits;
use profile::{ChipProfile, Detail, Dialect, Object, PinValues, Renderer};
use reader::{Asked, PinEntry, PinField};

/// Stands for the value before where a command is spelled to be looked at: as many digits as the
/// shortest PIN has. No chip sees it.
const BEFORE: &[u8] = b"271828182845";
/// Stands for the new value.
const NEW: &[u8] = b"314159265358";
/// ISO 9564-1 format 2: eight bytes, the first of which begins with 2.
const BLOCK: usize = 8;

/// What stands for a PIN in a command that the reader's pad completes.
pub(crate) struct StandIn {
    pub(crate) before: Vec<u8>,
    pub(crate) new: Vec<u8>,
}

/// Returns what stands for PINs of an operation on `pin`; `before` is the PUK where that unblocks.
pub(crate) fn stand_in(pin: &Object, before: &Object) -> StandIn {
    let cut = |digits: &[u8], object: &Object| {
        let least = match &object.detail {
            Detail::Pin(rules) => usize::from(rules.minimum),
            _ => 4,
        };
        digits.get(..least).unwrap_or(digits).to_vec()
    };
    StandIn {
        before: cut(BEFORE, before),
        new: cut(NEW, pin),
    }
}

/// Returns the entry for an operation; nothing where the chip's command has its PINs where no pad
/// can put them, or is several commands.
pub(crate) fn entry(
    chip: &ChipProfile,
    limits: &Limits,
    operation: Dialect,
    pin: &Object,
    before: &Object,
) -> Option<PinEntry> {
    let stand_in = stand_in(pin, before);
    let values = match operation {
        Dialect::VerifyPin => PinValues::of(&stand_in.before),
        Dialect::ChangePin => PinValues {
            current: Some(&stand_in.before),
            ..PinValues::of(&stand_in.new)
        },
        Dialect::UnblockPin => PinValues {
            puk: Some((before, &stand_in.before)),
            ..PinValues::of(&stand_in.new)
        },
        _ => return None,
    };
    let values = values.variables(pin).ok()?;
    let commands = Renderer::new(chip, limits, None).operation(operation, pin, &values);
    let [rendered] = &commands.ok()?[..] else {
        return None;
    };
    let data = rendered.command.data();
    let (Detail::Pin(rules), Detail::Pin(others)) = (&pin.detail, &before.detail) else {
        return None;
    };
    let first = find(data, &stand_in.before, others.fill, others.stored)?;
    let digits = (
        rules.minimum.min(others.minimum),
        rules.stored.max(others.stored),
    );
    let header = rendered.command.header();
    if operation == Dialect::VerifyPin {
        let data = match first.field {
            PinField::Bare if data.len() != stand_in.before.len() => return None,
            PinField::Bare => Vec::new(),
            _ => blank(data, &[&first]),
        };
        return PinEntry::new(
            header,
            &data,
            first.field,
            Asked::Verify(first.offset),
            digits,
        )
        .ok();
    }
    let second = find(data, &stand_in.new, rules.fill, rules.stored)?;
    let asked = Asked::Modify {
        old: first.offset,
        new: second.offset,
    };
    if first.field != second.field {
        return None;
    }
    let data = blank(data, &[&first, &second]);
    PinEntry::new(header, &data, first.field, asked, digits).ok()
}

/// Where a PIN stands.
struct Found {
    field: PinField,
    offset: u8,
    /// What stands there while there is no PIN.
    filling: Vec<u8>,
}

fn find(data: &[u8], digits: &[u8], fill: Option<u8>, stored: u8) -> Option<Found> {
    let at = |bytes: &[u8]| {
        let mut places = data.windows(bytes.len()).enumerate();
        let mut places = places.by_ref().filter(|(_, found)| *found == bytes);
        match (places.next(), places.next()) {
            (Some((place, _)), None) => u8::try_from(place).ok(),
            _ => None,
        }
    };
    let filled = |fill: u8| {
        let mut filled = digits.to_vec();
        filled.resize(usize::from(stored).max(digits.len()), fill);
        filled
    };
    if let Some(fill) = fill
        && let Some(offset) = at(&filled(fill))
    {
        return Some(Found {
            field: PinField::Ascii(stored),
            offset,
            filling: vec![fill; usize::from(stored)],
        });
    }
    if let Some(offset) = at(&block(digits)) {
        return Some(Found {
            field: PinField::Block,
            offset,
            filling: block(&[]),
        });
    }
    Some(Found {
        field: PinField::Bare,
        offset: at(digits)?,
        filling: Vec::new(),
    })
}

/// Returns the block of ISO 9564-1 format 2.
fn block(digits: &[u8]) -> Vec<u8> {
    let mut nibbles = vec![2, u8::try_from(digits.len()).unwrap_or(0x0F) & 0x0F];
    nibbles.extend(digits.iter().map(|digit| digit & 0x0F));
    nibbles.resize(2 * BLOCK, 0x0F);
    let (pairs, _) = nibbles.as_chunks::<2>();
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}

/// Returns the data with filling where the PINs come.
fn blank(data: &[u8], places: &[&Found]) -> Vec<u8> {
    let mut data = data.to_vec();
    for found in places {
        let place = usize::from(found.offset)..usize::from(found.offset) + found.filling.len();
        if let Some(field) = data.get_mut(place) {
            field.copy_from_slice(&found.filling);
        }
    }
    data
}

#[cfg(test)]
#[path = "../../../../tests/cli/pin_pad.rs"]
mod tests;
