//! What must come before what: each step's needs are given, and no station's channel follows what
//! the centre sealed.

use super::{Checked, Loader};
use crate::chip::ChipProfile;
use crate::chip_file::{StageFile, Text};
use crate::plan::{Given, needs};
use crate::vocabulary::{Dialect, ObjectKind, Verb};

impl Loader<'_> {
    /// Proves that something gives what the steps of a stage wait for: before, or in the same
    /// segment, where one that waits is passed over. Nothing overtakes a step that closes.
    pub(super) fn needs_are_given(
        &self,
        stage: &StageFile,
        steps: &[(Verb, String)],
        profile: &ChipProfile,
        given: &mut Given,
    ) -> Checked<()> {
        let steps: Vec<_> = stage.steps.iter().zip(steps).collect();
        for segment in steps.split(|(_, (verb, _))| verb.closes()) {
            for (_, (verb, name)) in segment {
                given.step(*verb, name);
            }
            for (text, (verb, name)) in segment {
                let needs = needs(profile, *verb, name);
                let Some((variable, giver)) = given.lacks(&needs) else {
                    continue;
                };
                return self.fault(
                    text.span(),
                    format!(
                        "{verb} {name} waits for {variable}, which nothing gives in time"
                    ),
                    format!(
                        "write {giver} before it in this stage or in one before; the end of a stage, set_state, add_keys, replace_keys and remove_keys wait for all steps before them"
                    ),
                );
            }
        }
        Ok(())
    }

    /// Proves that a stage's channel can be opened there.
    pub(super) fn channel_is_open_here(
        &self,
        stage: &StageFile,
        profile: &ChipProfile,
        sealed_before: Option<&str>,
    ) -> Checked<()> {
        let Some(channel) = &stage.channel else {
            return Ok(());
        };
        if let Some(before) = sealed_before.filter(|_| !stage.sealed) {
            return self.fault(
                channel.span(),
                format!(
                    "stage \"{}\" opens a channel from the station, and \"{before}\" before it is sealed",
                    stage.name
                ),
                "who had the channel's keys could undo what the centre set: move it before, or seal it",
            );
        }
        if profile
            .channel
            .protocol(channel.get_ref())
            .challenge()
            .is_none()
        {
            return Ok(());
        }
        let Some(set) = profile.object(ObjectKind::KeySet, channel.get_ref()) else {
            return Ok(());
        };
        if !profile.speaks(Dialect::OpenChannel, set) {
            return self.fault(
                channel.span(),
                format!(
                    "a channel by challenge is opened by \"open_channel\", which this chip does not have for \"{}\"",
                    set.name
                ),
                "write [[operations.open_channel]]",
            );
        }
        if !profile.mentions(Dialect::OpenChannel, set, "channel.proof") {
            return self.fault(
                channel.span(),
                format!(
                    "open_channel never sends \"channel.proof\" for \"{}\": the chip would not know who speaks",
                    set.name
                ),
                "write data = \"channel.proof\" in the command that brings it",
            );
        }
        Ok(())
    }

    /// A key set is neither put in the place of itself nor beside itself, nor taken from under
    /// its own channel.
    pub(super) fn keys_are_others(
        &self,
        text: &Text,
        verb: Verb,
        name: &str,
        stage: &StageFile,
    ) -> Checked<()> {
        let is_about_keys = [Verb::ReplaceKeys, Verb::AddKeys, Verb::RemoveKeys].contains(&verb);
        let own = stage.channel.as_ref().map(|channel| channel.get_ref());
        match is_about_keys && own.is_some_and(|own| own == name) {
            false => Ok(()),
            true => self.fault(
                text.span(),
                format!("{verb} {name} in the channel of \"{name}\" itself"),
                "name the other key set, or open the channel with the other one",
            ),
        }
    }
}
