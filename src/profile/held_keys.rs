//! Which key sets the chip holds, stage after stage.

use std::collections::BTreeSet;

use crate::chip::StageProfile;
use crate::vocabulary::Verb;

/// The key sets that a chip holds.
pub(crate) struct HeldKeys<'p>(BTreeSet<&'p str>);

impl<'p> HeldKeys<'p> {
    /// Returns what the chip must have come with: the key set of the first channel, and what is
    /// used and never put there.
    pub(crate) fn at_first(stages: &'p [StageProfile]) -> Self {
        let steps = || stages.iter().flat_map(|stage| &stage.steps);
        let about = |verbs: &'static [Verb]| {
            let steps = steps().filter(move |(verb, _)| verbs.contains(verb));
            steps.map(|(_, name)| name.as_str())
        };
        let channels = || stages.iter().filter_map(|stage| stage.channel.as_deref());
        let put: BTreeSet<_> = about(&[Verb::AddKeys, Verb::ReplaceKeys]).collect();
        let used = channels().chain(about(&[Verb::RemoveKeys]));
        let first = channels().next();
        Self(
            used.filter(|name| !put.contains(name) || Some(*name) == first)
                .collect(),
        )
    }

    /// Returns whether the chip holds a set.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Returns the names of the sets.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'p str> {
        self.0.iter().copied()
    }

    /// Notes what a step under the key set `channel` does to them.
    pub(crate) fn step(&mut self, verb: Verb, name: &'p str, channel: Option<&str>) {
        match verb {
            Verb::AddKeys => {
                self.0.insert(name);
            }
            Verb::ReplaceKeys => {
                self.0.retain(|held| Some(*held) != channel);
                self.0.insert(name);
            }
            Verb::RemoveKeys => {
                self.0.remove(name);
            }
            _ => {}
        }
    }
}
