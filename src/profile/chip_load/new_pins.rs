//! Stages that give a finished chip other PINs: another run than its personalization, on a chip
//! that its holder may have had for years.

use std::collections::BTreeSet;

use document::Purpose;

use super::{Checked, Loader};
use crate::chip::StageProfile;
use crate::chip_file::{ChipFile, StageFile};
use crate::placed::Placed;
use crate::vocabulary::Verb;

/// What an open stage may do there: look.
const LOOKS: [Verb; 3] = [Verb::CheckTries, Verb::CheckFile, Verb::CheckData];

impl Loader<'_> {
    /// Returns what a stage is for; `now` is what those before it are for.
    pub(super) fn purpose(&self, stage: &StageFile, now: Purpose) -> Checked<Purpose> {
        let Some(when) = &stage.when else {
            return self.in_order(stage, Purpose::Personalization, now);
        };
        match when.get_ref().parse() {
            Ok(purpose) => self.in_order(stage, purpose, now),
            Err(_) => self.unknown(
                when.span(),
                "there is no time for stages",
                when.get_ref(),
                Purpose::ALL.iter().map(|purpose| purpose.name()),
            ),
        }
    }

    /// What is done to a finished chip stands behind what makes it one.
    fn in_order(&self, stage: &StageFile, purpose: Purpose, now: Purpose) -> Checked<Purpose> {
        if purpose >= now {
            return Ok(purpose);
        }
        self.fault(
            stage.select.span(),
            format!(
                "stage \"{}\" personalizes, and one before it is for a finished chip",
                stage.name
            ),
            "write the stages of when = \"new-pins\" last",
        )
    }

    /// Proves that a stage on a finished chip sets PINs under a seal, in a channel, or only looks.
    pub(super) fn gives_new_pins(
        &self,
        placed: &Placed<StageFile>,
        loaded: &StageProfile,
    ) -> Checked<()> {
        if loaded.purpose != Purpose::NewPins {
            return Ok(());
        }
        let stage = placed.get_ref();
        let (allowed, hint): (&[Verb], _) = match stage.sealed {
            true => (
                &[Verb::SetHolderPin],
                "a sealed stage of new PINs has set_holder_pin, and nothing else",
            ),
            false => (
                &LOOKS,
                "an open stage of new PINs has check_tries, check_file and check_data, and nothing else",
            ),
        };
        let mut steps = loaded.steps.iter().zip(&stage.steps);
        if let Some(((verb, name), text)) = steps.find(|((verb, _), _)| !allowed.contains(verb)) {
            return self.fault(
                text.span(),
                format!("{verb} {name} is not for a finished chip"),
                hint,
            );
        }
        match (stage.sealed, &stage.channel) {
            (true, Some(_)) | (false, None) => Ok(()),
            (true, None) => self.fault(
                placed.span(),
                format!(
                    "stage \"{}\" sets PINs of a finished chip and opens no channel",
                    stage.name
                ),
                "name a key set that the finished chip has: channel = \"issuer\"",
            ),
            (false, Some(channel)) => self.fault(
                channel.span(),
                format!(
                    "stage \"{}\" opens a channel to a finished chip from the station",
                    stage.name
                ),
                "seal the stage, or leave \"channel\" out",
            ),
        }
    }

    /// Proves that the stages of new PINs set each PIN of the holder that personalization sets:
    /// whoever gets a new envelope can throw the old one away.
    pub(super) fn new_pins_are_whole(
        &self,
        file: &ChipFile,
        stages: &[StageProfile],
    ) -> Checked<()> {
        let set = |purpose: Purpose| -> BTreeSet<&str> {
            let stages = stages.iter().filter(|stage| stage.purpose == purpose);
            let steps = stages.flat_map(|stage| &stage.steps);
            let set = steps.filter(|(verb, _)| *verb == Verb::SetHolderPin);
            set.map(|(_, name)| name.as_str()).collect()
        };
        let first = stages
            .iter()
            .position(|stage| stage.purpose == Purpose::NewPins);
        let Some(first) = first.and_then(|place| file.stages.get(place)) else {
            return Ok(());
        };
        let (made, renewed) = (set(Purpose::Personalization), set(Purpose::NewPins));
        if let Some(kept) = made.difference(&renewed).next() {
            return self.fault(
                first.span(),
                format!("the stages of new PINs leave PIN \"{kept}\" as it is"),
                format!("write \"set_holder_pin {kept}\" in one that is sealed"),
            );
        }
        match renewed.difference(&made).next() {
            None => Ok(()),
            Some(other) => self.fault(
                first.span(),
                format!(
                    "the stages of new PINs set PIN \"{other}\", which personalization does not"
                ),
                "a new envelope has what the one before had: set it there too, or leave it out",
            ),
        }
    }
}
