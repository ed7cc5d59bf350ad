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

/// Finds the changes of keys that were begun, and of which no end and no finding is written down: at most
/// one of each chip.
pub(crate) fn cut_off(lines: &[JournalLine]) -> Vec<CutOff> {
    let changes = [Verb::AddKeys, Verb::ReplaceKeys, Verb::RemoveKeys];
    let is_change = |line: &JournalLine| {
        let verb = line.step.split(' ').next().and_then(Verb::named);
        verb.is_some_and(|verb| changes.contains(&verb))
    };
    // What stands behind takes the place of what stands before it.
    let mut last = BTreeMap::new();
    for line in lines
        .iter()
        .filter(|line| is_change(line) || line.step == STEP)
    {
        if let Some(chip) = line.evidence.get("chip") {
            last.insert(chip, line);
        }
    }
    let begun = last.into_iter().filter(|(_, line)| line.moment == "intent");
    begun
        .filter_map(|(chip, _)| {
            let identified = lines
                .iter()
                .rfind(|line| line.step == "identify" && line.evidence.get("chip") == Some(chip))?;
            Some(CutOff {
                chip: chip.clone(),
                product: identified.evidence.get("product")?.clone(),
            })
        })
        .collect()
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
        for change in cut_off(&journal.lines(*lease)?) {
            let entry = probe(&change, readers, slots, catalogue);
            let written = journal.notebook(*lease).write(&entry);
            written.map_err(|reason| StationError::Notebook { reason })?;
        }
    }
    Ok(())
}

/// Asks the chip of a change, where it is in a reader of the slots. Returns what is written down of it.
fn probe(
    change: &CutOff,
    readers: &dyn ReaderService,
    slots: &[SlotConfig],
    catalogue: &Catalogue,
) -> JournalEntry {
    let places = slots.iter().flat_map(|slot| &slot.chips);
    let mut places = places.filter(|place| place.product == change.product);
    let found = catalogue.chip(&change.product).ok().and_then(|chip| {
        places.find_map(|place| {
            let mut card = readers.open(&place.reader, LOOKING).ok()?;
            is_chip(&chip, &mut *card.channel, &change.chip)
                .then(|| ask(&chip, &mut *card.channel).entry(&change.chip))
        })
    });
    let not_known =
        "not known: the chip is in no reader of the station; `zimogs card keys` asks it";
    found.unwrap_or_else(|| JournalEntry {
        step: STEP.into(),
        moment: Moment::Outcome,
        evidence: BTreeMap::from([
            ("chip", change.chip.clone()),
            ("key-sets", not_known.to_owned()),
        ]),
    })
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

    fn line(chip: &str, step: &str, moment: &str) -> JournalLine {
        let evidence = [("chip", chip), ("product", "chip-a")];
        JournalLine {
            at: jiff::Timestamp::UNIX_EPOCH,
            step: step.into(),
            moment: moment.into(),
            evidence: evidence
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    fn cut(chip: &str) -> CutOff {
        CutOff {
            chip: chip.into(),
            product: "chip-a".into(),
        }
    }

    fn of(lines: &[&JournalLine]) -> Vec<CutOff> {
        let lines: Vec<_> = lines.iter().map(|line| (*line).clone()).collect();
        cut_off(&lines)
    }

    #[test]
    fn a_change_without_an_end_is_found() {
        let line = |step, moment| line("0102", step, moment);
        let identify = line("identify", "outcome");
        let begun = line("replace_keys issuer", "intent");
        let written = line("write_file certificate", "intent");
        assert_eq!(of(&[&identify]), []);
        assert_eq!(of(&[&identify, &begun]), [cut("0102")]);
        let ended = line("replace_keys issuer", "outcome");
        assert_eq!(of(&[&identify, &begun, &ended, &written]), []);
        let removed = line("remove_keys transport", "intent");
        assert_eq!(of(&[&identify, &begun, &ended, &removed]), [cut("0102")]);
        let probed = line(STEP, "outcome");
        assert_eq!(of(&[&identify, &begun, &probed]), []);
    }

    #[test]
    fn the_chips_of_one_blank_are_told_apart() {
        let change = "replace_keys issuer";
        let of_chip = |chip| {
            [
                ("identify", "outcome"),
                (change, "intent"),
                (change, "outcome"),
            ]
            .map(|(step, moment)| line(chip, step, moment))
        };
        let [one, one_begun, one_ended] = of_chip("0102");
        let [other, other_begun, other_ended] = of_chip("0304");
        let both = [&one, &other, &one_begun, &other_begun];
        assert_eq!(of(&both), [cut("0102"), cut("0304")]);
        assert_eq!(of(&[&both[..], &[&one_ended]].concat()), [cut("0304")]);
        let all = [&both[..], &[&other_ended, &one_ended]].concat();
        assert_eq!(of(&all), []);
    }
}
