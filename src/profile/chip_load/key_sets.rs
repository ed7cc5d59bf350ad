//! That the stages agree with the key sets which the chip holds.

use super::{Checked, Loader};
use crate::chip::{ChipProfile, StageProfile};
use crate::chip_file::ChipFile;
use crate::held_keys::HeldKeys;
use crate::placed::Placed;
use crate::vocabulary::Verb;

impl Loader<'_> {
    /// Proves that every channel is opened with a key set that the chip holds then, and that no
    /// step puts one that is there or takes one that is not.
    pub(super) fn key_sets_are_there(
        &self,
        file: &ChipFile,
        stages: &[StageProfile],
    ) -> Checked<()> {
        let mut held = HeldKeys::at_first(stages);
        for (stage, placed) in stages.iter().zip(&file.stages) {
            let channel = stage.channel.as_deref();
            if let Some(text) = &placed.get_ref().channel
                && !held.has(text.get_ref())
            {
                return self.fault(
                    text.span(),
                    format!(
                        "stage \"{}\" opens a channel with \"{}\", which the chip does not hold then",
                        stage.name,
                        text.get_ref()
                    ),
                    holding(&held),
                );
            }
            for ((verb, name), text) in stage.steps.iter().zip(&placed.get_ref().steps) {
                let is_there = held.has(name);
                let fault = match verb {
                    Verb::ReplaceKeys if channel.is_some_and(|own| !held.has(own)) => {
                        Some("the channel's own set is replaced already")
                    }
                    Verb::AddKeys | Verb::ReplaceKeys if is_there => {
                        Some("the chip holds this set already")
                    }
                    Verb::RemoveKeys if !is_there => Some("the chip does not hold this set then"),
                    Verb::CheckRefused if is_there => {
                        Some("the chip holds this set then, and would take it")
                    }
                    _ => None,
                };
                if let Some(fault) = fault {
                    return self.fault(
                        text.span(),
                        format!("{verb} {name}: {fault}"),
                        holding(&held),
                    );
                }
                held.step(*verb, name, channel);
            }
        }
        Ok(())
    }

    /// Proves that no two security domains hold sets of one version: attempts are counted by the
    /// version, which is all that the chip says of a set.
    pub(super) fn versions_tell_sets_apart(
        &self,
        file: &ChipFile,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let sets: Vec<_> = profile.channel.of_global_platform().collect();
        for (index, (name, set)) in sets.iter().enumerate() {
            let home = |name: &str| profile.channel_home(name).map(|home| &home.name);
            let twin = sets.iter().take(index).find(|(other, twin)| {
                let homes = home(name).zip(home(other));
                twin.version == set.version && homes.is_some_and(|(own, other)| own != other)
            });
            if let Some((other, _)) = twin {
                let channel = file.channel.as_ref();
                let placed = channel.and_then(|channel| channel.keys.get(*name));
                return self.fault(
                    placed.map_or(0..0, Placed::span),
                    format!(
                        "key sets \"{other}\" and \"{name}\" of two applications have the same version"
                    ),
                    "attempts are counted by the version: give one of them another",
                );
            }
        }
        Ok(())
    }
}

fn holding(held: &HeldKeys<'_>) -> String {
    let names: Vec<_> = held.names().collect();
    match names.is_empty() {
        true => "as far as the stages say it holds none: change the order of the stages".into(),
        false => format!(
            "as far as the stages say it holds {}: name one of these, or change the order of the stages",
            names.join(", ")
        ),
    }
}
