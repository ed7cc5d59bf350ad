//! The station's look at a chip that it wrote: a border's inspection, and every byte compared.

use card::Channel;
use document::mrz::Mrz;

use super::check::{Check, CheckName, Verdict};
use super::chip::{ChipInspection, ReadError, Reading, inspect_chip};
use super::judge::UnreadCause;
use crate::lds::{Difference, File, Lds};

/// What came back.
#[derive(Debug)]
pub struct ReadBack {
    /// The border's inspection, with the checks `read-back` and `printed-mrz` of the comparison.
    pub chip: ChipInspection,
    /// Every file that is not what was written.
    pub differences: Vec<Difference>,
    /// What was written and could not be compared: a border cannot read it either.
    pub not_compared: Vec<File>,
}

impl ReadBack {
    /// Returns the first check that failed: what the personalization turns into a fault. A document
    /// whose every failed check is none is as it was to be, as far as could be judged.
    #[must_use]
    pub fn fault(&self) -> Option<&Check> {
        let mut checks = self.chip.inspection.checks.iter();
        checks.find(|check| check.verdict == Verdict::Failed)
    }

    /// Returns the checks that stay open: which of them a document may leave open, its profile
    /// knows.
    pub fn open(&self) -> impl Iterator<Item = &Check> {
        let checks = self.chip.inspection.checks.iter();
        checks.filter(|check| check.verdict == Verdict::Unknown)
    }
}

/// Reads a chip back and compares it with what was written. `reading.trust` holds the issuer's own
/// country signing certificate; `printed` is the zone on the printed face.
///
/// Data groups for which the terminal has no rights are listed as not compared.
///
/// # Errors
/// [`ReadError`].
pub fn read_back(
    channel: &mut dyn Channel,
    reading: Reading<'_>,
    written: &Lds,
    printed: &Mrz,
) -> Result<ReadBack, ReadError> {
    let also: Vec<File> = written
        .files()
        .map(|(file, _)| file)
        .filter(|file| matches!(file, File::Cvca | File::AtrInfo | File::Dir))
        .collect();
    let Reading {
        limits,
        key,
        terminal,
        trust,
        at,
        random,
        progress,
        ..
    } = reading;
    let reading = Reading {
        limits,
        key,
        terminal,
        also: &also,
        trust,
        at,
        random,
        progress,
    };
    let mut chip = inspect_chip(channel, reading)?;
    let is_protected = |file: File| {
        let of_file =
            |unread: &super::Unread| unread.file == file && unread.cause == UnreadCause::Protected;
        chip.unread.iter().any(of_file)
    };
    let (not_compared, compared): (Vec<File>, Vec<File>) = written
        .files()
        .map(|(file, _)| file)
        .partition(|file| is_protected(*file));
    let mut differences = written.differences(&chip.lds);
    differences.retain(|difference| match difference {
        Difference::Missing(file) => compared.contains(file),
        _ => true,
    });
    chip.inspection
        .add(judge(&differences, compared.len(), &not_compared));
    chip.compare_zone(printed);
    Ok(ReadBack {
        chip,
        differences,
        not_compared,
    })
}

fn judge(differences: &[Difference], compared: usize, not_compared: &[File]) -> Check {
    let name = CheckName::ReadBack;
    let remarks = not_compared
        .iter()
        .map(|file| format!("{file} was not compared"));
    let told: Vec<_> = differences.iter().map(ToString::to_string).collect();
    if told.is_empty() {
        Check::passed(name, format!("{compared} files are as they were written"))
    } else {
        Check::failed(name, told.join("; "))
    }
    .remarked(remarks)
}
