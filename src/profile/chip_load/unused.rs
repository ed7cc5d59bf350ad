//! What a profile says and no stage uses: a warning, since an attribute may be kept for later.

use std::collections::BTreeSet;

use super::Loader;
use crate::chip::{ChipProfile, Detail};
use crate::chip_file::ChipFile;
use crate::error::Warning;
use crate::vocabulary::ObjectKind;

impl Loader<'_> {
    /// Returns a warning for each object that no stage names, by kind and name.
    pub(super) fn unused(&self, file: &ChipFile, profile: &ChipProfile) -> Vec<Warning> {
        let used = used(profile);
        let mut warnings = Vec::new();
        for (kind, name) in profile.objects.keys() {
            if used.contains(&(*kind, name.as_str())) {
                continue;
            }
            let span = match kind {
                ObjectKind::Application => file.applications.get(name).map(|placed| placed.span()),
                ObjectKind::File => file.files.get(name).map(|placed| placed.span()),
                ObjectKind::Data => file.data.get(name).map(|placed| placed.span()),
                ObjectKind::Pin => file.pins.get(name).map(|placed| placed.span()),
                ObjectKind::Key => file.keys.get(name).map(|placed| placed.span()),
                ObjectKind::State => file.states.get(name).map(|placed| placed.span()),
                ObjectKind::KeySet => file
                    .channel
                    .as_ref()
                    .and_then(|channel| channel.keys.get(name))
                    .map(|placed| placed.span()),
            };
            warnings.push(Warning {
                place: self.sources.place(span.unwrap_or(0..0).start),
                what: format!("no stage uses {} \"{name}\"", kind.word()),
                hint: "name it in a step, or leave it out".into(),
            });
        }
        warnings
    }
}

/// Returns what the stages name, and what that needs: the applications on the way, and PUKs.
fn used(profile: &ChipProfile) -> BTreeSet<(ObjectKind, &str)> {
    let mut used = BTreeSet::new();
    let mut homes = Vec::new();
    for stage in &profile.stages {
        homes.push(stage.select.as_str());
        if let Some(channel) = &stage.channel {
            used.insert((ObjectKind::KeySet, channel.as_str()));
        }
        for (verb, name) in &stage.steps {
            used.insert((verb.object(), name.as_str()));
            let Some(object) = profile.object(verb.object(), name) else {
                continue;
            };
            homes.push(object.application.as_str());
            if let Detail::Pin(rules) = &object.detail
                && let Some(puk) = &rules.puk
            {
                used.insert((ObjectKind::Pin, puk.as_str()));
            }
        }
    }
    while let Some(home) = homes.pop() {
        let application = profile.object(ObjectKind::Application, home);
        // An application is never inside itself: the loader has proved it.
        if let Some(Detail::Application { within }) = application.map(|found| &found.detail) {
            used.insert((ObjectKind::Application, home));
            homes.extend(within.as_deref());
        }
    }
    used
}
