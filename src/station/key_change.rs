//! A change of keys that was cut off: which versions the chip holds now is asked of the chip and
//! written into the journal, never guessed.

use std::collections::BTreeMap;

use api::{JournalLine, LeaseId};
use card::Channel;
use perso::{Inspector, JournalEntry, Moment};
use profile::{ChipProfile, Step, Verb};
use reader::LOOKING;

use crate::catalogue::Catalogue;
use crate::drive::Notebook;
use crate::error::StationError;
use crate::journal::Journal;
use crate::readers::ReaderService;
use crate::station::SlotConfig;

/// What the lines that say so are called.
const STEP: &str = "probe keys";

/// A change of keys of which only the beginning is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CutOff {
    /// The chip's serial number.
    pub(crate) chip: String,
    /// The chip profile.
    pub(crate) product: String,
}

/// Finds a change of keys that was begun, and of which no end and no finding is written down.
pub(crate) fn cut_off(lines: &[JournalLine]) -> Option<CutOff> {
    let changes = [Verb::AddKeys, Verb::ReplaceKeys, Verb::RemoveKeys];
    let is_change = |line: &JournalLine| {
        let verb = line.step.split(' ').next().and_then(Verb::named);
        verb.is_some_and(|verb| changes.contains(&verb))
    };
    let last = lines.iter().rev();
    let mut last = last.filter(|line| is_change(line) || line.step == STEP);
    let begun = last.next().filter(|line| line.moment == "intent")?;
    let chip = begun.evidence.get("chip")?;
    let identified = lines
        .iter()
        .rfind(|line| line.step == "identify" && line.evidence.get("chip") == Some(chip))?;
    Some(CutOff {
        chip: chip.clone(),
        product: identified.evidence.get("product")?.clone(),
    })
}

/// Whether a chip holds a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    There,
    NotThere,
    /// Nothing but an attempt would tell.
    NotAsked,
    /// It did not say.
    NotKnown(String),
}

/// Which of its profile's key sets a chip holds.
pub(crate) struct HeldKeys(Vec<(String, u8, Held)>);

/// Asks a chip which of its profile's key sets it holds. It is asked for challenges that nobody
/// answers, so that no attempt is used; where nothing but an attempt would tell, it is not asked.
pub(crate) fn ask(chip: &ChipProfile, channel: &mut dyn Channel) -> HeldKeys {
    // Whatever channel was open is not any more.
    let reset = channel.reset();
    let mut inspector = Inspector::new(chip, channel);
    let sets = chip.channel.keys.iter().map(|(name, set)| {
        let held = match &reset {
            _ if !set.protocol.is_global_platform() => Held::NotAsked,
            Err(error) => Held::NotKnown(error.to_string()),
            Ok(_) => match inspector.takes_keys(name) {
                Ok(true) => Held::There,
                Ok(false) => Held::NotThere,
                Err(error) => Held::NotKnown(error.to_string()),
            },
        };
        (name.clone(), set.version, held)
    });
    HeldKeys(sets.collect())
}

impl HeldKeys {
    /// Returns what is written down of it.
    pub(crate) fn entry(&self, serial: &str) -> JournalEntry {
        let sets = self.0.iter().map(|(name, version, held)| match held {
            Held::There => format!("{name} (version {version:02X}) there"),
            Held::NotThere => format!("{name} (version {version:02X}) not there"),
            Held::NotKnown(why) => format!("{name} (version {version:02X}) not known: {why}"),
            Held::NotAsked => {
                format!("{name} not asked: only an attempt would tell, and the chip counts those")
            }
        });
        let found = sets.collect::<Vec<_>>().join("; ");
        JournalEntry {
            step: STEP.into(),
            moment: Moment::Outcome,
            evidence: BTreeMap::from([("chip", serial.to_owned()), ("key-sets", found)]),
        }
    }

    /// Tells whether a change was carried out that was done under the keys `under`; nothing where the
    /// chip does not say so clearly.
    pub(crate) fn tells(&self, change: &Step, under: Option<&str>) -> Option<bool> {
        let is_there = |name: &str| {
            let (.., held) = self.0.iter().find(|(known, ..)| known == name)?;
            match held {
                Held::There => Some(true),
                Held::NotThere => Some(false),
                Held::NotAsked | Held::NotKnown(_) => None,
            }
        };
        let named = is_there(&change.object)?;
        match change.verb {
            Verb::AddKeys => Some(named),
            Verb::RemoveKeys => Some(!named),
            // One of the two, or it is half of a change.
            Verb::ReplaceKeys => (is_there(under?)? != named).then_some(named),
            _ => None,
        }
    }
}

/// Asks the chips whose keys were being changed under these leases, where they are still in a reader of
/// the station's slots.
pub(crate) fn probe_interrupted(
    journal: &mut Journal,
    leases: &[LeaseId],
    readers: &dyn ReaderService,
    slots: &[SlotConfig],
    catalogue: &Catalogue,
) -> Result<(), StationError> {
    for lease in leases {
        let Some(cut_off) = cut_off(&journal.lines(*lease)?) else {
            continue;
        };
        let places = slots.iter().flat_map(|slot| &slot.chips);
        let places = places.filter(|place| place.product == cut_off.product);
        let entry = match catalogue.chip(&cut_off.product) {
            Ok(chip) => places
                .filter_map(|place| readers.open(&place.reader, LOOKING).ok())
                .find_map(|mut card| {
                    is_chip(&chip, &mut *card.channel, &cut_off.chip)
                        .then(|| ask(&chip, &mut *card.channel).entry(&cut_off.chip))
                }),
            Err(_) => None,
        };
        let entry = entry.unwrap_or_else(|| {
            JournalEntry {
            step: STEP.into(),
            moment: Moment::Outcome,
            evidence: BTreeMap::from([
                ("chip", cut_off.chip.clone()),
                (
                    "key-sets",
                    "not known: the chip is in no reader of the station; `zimogs card keys` asks it"
                        .to_owned(),
                ),
            ]),
        }
        });
        journal
            .notebook(*lease)
            .write(&entry)
            .map_err(|reason| StationError::Notebook { reason })?;
    }
    Ok(())
}

/// Returns whether the chip behind a channel is the one of this serial number.
pub(crate) fn is_chip(chip: &ChipProfile, channel: &mut dyn Channel, serial: &str) -> bool {
    let identity = Inspector::new(chip, channel).identify();
    identity.is_ok_and(|identity| identity.serial.as_deref() == Some(serial))
}

#[cfg(test)]
#[path = "../../tests/station/key_change.rs"]
mod over_a_chip;
#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: &str, moment: &str) -> JournalLine {
        let evidence = [("chip", "0102"), ("product", "chip-a")];
        JournalLine {
            at: jiff::Timestamp::UNIX_EPOCH,
            step: step.into(),
            moment: moment.into(),
            evidence: evidence
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    #[test]
    fn a_change_without_an_end_is_found() {
        let identify = line("identify", "outcome");
        let begun = line("replace_keys issuer", "intent");
        let written = line("write_file certificate", "intent");
        let cut = CutOff {
            chip: "0102".into(),
            product: "chip-a".into(),
        };
        let of = |lines: &[&JournalLine]| {
            let lines: Vec<_> = lines.iter().map(|line| (*line).clone()).collect();
            cut_off(&lines)
        };
        assert_eq!(of(&[&identify]), None);
        assert_eq!(of(&[&identify, &begun]), Some(cut.clone()));
        let ended = line("replace_keys issuer", "outcome");
        assert_eq!(of(&[&identify, &begun, &ended, &written]), None);
        let removed = line("remove_keys transport", "intent");
        assert_eq!(of(&[&identify, &begun, &ended, &removed]), Some(cut));
        let probed = line(STEP, "outcome");
        assert_eq!(of(&[&identify, &begun, &probed]), None);
    }
}
