//! Which steps may be carried out a second time where the first was cut off.

use std::collections::BTreeMap;

use super::{Checked, Loader};
use crate::chip::ChipProfile;
use crate::chip_file::ChipFile;
use crate::status_pattern::StatusPattern;
use crate::vocabulary::{Dialect, ObjectKind, Verb};

impl Loader<'_> {
    /// Reads `[again]`: by verb the status words that mean "carried out before".
    pub(super) fn again(
        &self,
        file: &ChipFile,
        profile: &ChipProfile,
    ) -> Checked<BTreeMap<Verb, Vec<StatusPattern>>> {
        let mut again = BTreeMap::new();
        for (name, words) in &file.again {
            let Some(verb) = Verb::named(name.get_ref()) else {
                let known = Verb::ALL.iter().map(|(_, name, ..)| *name);
                return self.unknown(name.span(), "no verb is named", name.get_ref(), known);
            };
            if !verb.is_lasting() {
                return self.fault(
                    name.span(),
                    format!("{verb} changes nothing, and is carried out again in any case"),
                    "leave it out",
                );
            }
            if [Verb::AddKeys, Verb::ReplaceKeys, Verb::RemoveKeys].contains(&verb) {
                return self.fault(
                    name.span(),
                    format!("what became of {verb} is asked of the chip"),
                    "leave it out: the chip says which key sets it holds",
                );
            }
            if verb.is_sealed() && !words.is_empty() {
                return self.fault(
                    name.span(),
                    format!("the answers to {verb} are judged by the centre alone"),
                    "write an empty list, where the chip answers the second time as the first",
                );
            }
            let mut files = profile.objects(ObjectKind::File);
            let is_lost = |file| !profile.speaks(Dialect::SelectFile, file);
            if verb == Verb::WriteFile && !words.is_empty() && files.any(is_lost) {
                return self.fault(
                    name.span(),
                    "a file that is there already is not selected by making it again",
                    "write [[operations.select_file]] for every file",
                );
            }
            let mut patterns = Vec::new();
            for word in words {
                patterns.push(self.status_pattern(word)?);
            }
            again.insert(verb, patterns);
        }
        Ok(again)
    }
}
