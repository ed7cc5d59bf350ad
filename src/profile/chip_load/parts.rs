//! That a content which passes in parts passes whole.

use std::collections::BTreeSet;

use super::{Checked, Loader};
use crate::chip::{ChipProfile, Detail, Object};
use crate::chip_file::Text;
use crate::command::MAX_CONTENT;
use crate::command_template::CommandTemplate;
use crate::vocabulary::Dialect;

impl Loader<'_> {
    /// Proves that every part has a command, wherever it begins: no gap, and nothing of what is
    /// known to be there stands behind the last.
    pub(super) fn every_part_has_a_command(
        &self,
        text: &Text,
        operation: Dialect,
        object: &Object,
        profile: &ChipProfile,
    ) -> Checked<()> {
        let writes = [Dialect::WriteFile, Dialect::PutData].contains(&operation);
        if !writes && ![Dialect::ReadFile, Dialect::GetData].contains(&operation) {
            return Ok(());
        }
        let commands = profile.commands(operation, object);
        let runs = commands.chunk_by(|a, b| a.is_repeated() == b.is_repeated());
        for run in runs.filter(|run| run.iter().all(|command| command.is_repeated())) {
            let carries = |command: &&&CommandTemplate| !writes || command.mentions("chunk");
            let carriers: Vec<_> = run.iter().filter(carries).copied().collect();
            let most = match writes {
                true => profile.limits.command,
                false => profile.limits.response,
            };
            let chunks = run.iter().filter_map(|command| command.turn.chunk);
            let most = chunks.min().map_or(most, |chunk| chunk.min(most)).max(1);
            // In the longest parts: where the last one begins.
            let last = (least_length(object) - 1) / most * most;
            let Some(offset) = left_out(&carriers, last) else {
                continue;
            };
            return self.fault(
                text.span(),
                format!(
                    "{operation} of \"{}\" has no command for a part that begins at byte {offset}",
                    object.name
                ),
                "let \"from\", \"until\" and \"when\" of its commands leave out no part; the last \"until\" may stop behind the content",
            );
        }
        Ok(())
    }
}

/// Returns how many bytes an object is known to have or to get, at least one.
fn least_length(object: &Object) -> usize {
    let known = match &object.detail {
        Detail::File {
            size: Some(size), ..
        } => *size,
        detail => detail.content().map_or(0, |content| content.least_length()),
    };
    known.max(1)
}

/// Returns where a part would begin for which there is no command: up to `last`, or before the
/// end of those that there are.
fn left_out(commands: &[&CommandTemplate], last: usize) -> Option<usize> {
    let offset = |bound: Option<u32>, none: usize| {
        bound.map_or(none, |bound| usize::try_from(bound).unwrap_or(usize::MAX))
    };
    let ends = commands
        .iter()
        .map(|command| offset(command.turn.until, MAX_CONTENT));
    let end = ends.max().unwrap_or(0).min(MAX_CONTENT).max(last + 1);
    let bounds = commands.iter().flat_map(|command| {
        [
            offset(command.turn.from, 0),
            offset(command.turn.until, end),
        ]
    });
    // Between two of these nothing changes; the first part alone is at 0.
    let places: BTreeSet<_> = bounds.chain([0, 1]).filter(|at| *at < end).collect();
    places.into_iter().find(|at| {
        let has = |is_last| commands.iter().any(|command| command.is_for(*at, is_last));
        !(has(false) && has(true))
    })
}
