//! Chip and document profiles, by the name of a shipped one or by file; records, and the plan
//! that follows from all three.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use document::Record;
use profile::{ChipProfile, DocumentProfile, Plan, Shelf};
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::shipped;

/// Loads and proves a chip profile.
pub(crate) fn chip(name: &str) -> Result<ChipProfile, Failure> {
    let (shelf, name) = find(shipped::profiles(None)?.chips, name)?;
    ChipProfile::load(&shelf, &name).or_fail(Kind::Usage)
}

/// Loads and proves a document profile.
pub(crate) fn document(name: &str) -> Result<DocumentProfile, Failure> {
    let (shelf, name) = find(shipped::profiles(None)?.documents, name)?;
    DocumentProfile::load(&shelf, &name).or_fail(Kind::Usage)
}

/// Returns the shipped document profile that makes documents of this kind on this product.
pub(crate) fn shipped_document_for(
    kind: document::Kind,
    product: &str,
) -> Result<DocumentProfile, Failure> {
    let shelf = shipped::profiles(None)?.documents;
    for name in shelf.names() {
        let profile = DocumentProfile::load(&shelf, name).or_fail(Kind::Failed)?;
        if profile.kinds.contains(&kind) && wanted(&profile, product).is_some() {
            return Ok(profile);
        }
    }
    let fault = format!("no shipped document profile makes a {kind} on \"{product}\"");
    Err(Failure::new(Kind::Usage, fault).with_hint("name one: --document FILE"))
}

/// Returns what a document wants on a product.
pub(crate) fn wanted<'a>(
    profile: &'a DocumentProfile,
    product: &str,
) -> Option<&'a profile::DocumentChip> {
    let mut chips = profile.chips.iter();
    chips.find(|chip| chip.products.iter().any(|known| known == product))
}

/// Returns the plan for a record.
pub(crate) fn plan(
    chip: Arc<ChipProfile>,
    document: &DocumentProfile,
    record: &Record,
) -> Result<Plan, Failure> {
    // One that names no kind is for trials: it makes whatever the record says.
    if !document.kinds.is_empty() && !document.kinds.contains(&record.kind) {
        let fault = format!(
            "document profile \"{}\" makes no {}",
            document.name, record.kind
        );
        return Err(
            Failure::new(Kind::Usage, fault).with_hint("name the one that does: --document")
        );
    }
    let Some(wanted) = wanted(document, &chip.name) else {
        let fault = format!(
            "document profile \"{}\" does not take \"{}\"",
            document.name, chip.name
        );
        return Err(
            Failure::new(Kind::Usage, fault).with_hint("add it to the products of its chip")
        );
    };
    Plan::new(chip, &document.name, wanted, record).or_fail(Kind::Usage)
}

/// Reads a record. What is wrong with it is told by its place, never by its content.
pub(crate) fn record(path: &Path) -> Result<Record, Failure> {
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|error| {
        let fault = format!("the record {} cannot be read: {error}", path.display());
        Failure::new(Kind::Usage, fault)
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let fault = format!(
            "{} is no record: see line {}, column {}",
            path.display(),
            error.line(),
            error.column()
        );
        Failure::new(Kind::Usage, fault).with_hint(
            "fields: number, kind, issued, expires, holder {surname, given_names, personal_code, birth_date, sex, nationality}, certificates",
        )
    })
}

/// More chip profiles than the shipped ones.
#[derive(Args)]
pub(crate) struct More {
    /// Folder with more profiles, `chips/*.toml` in it; one of the same name takes the place of
    /// the shipped one.
    #[arg(long)]
    profiles: Option<PathBuf>,
}

impl More {
    /// Loads every chip profile there is.
    pub(crate) fn chips(&self) -> Result<Vec<ChipProfile>, Failure> {
        let shelf = shipped::profiles(self.profiles.as_deref())?.chips;
        let chips = shelf.names().map(|name| ChipProfile::load(&shelf, name));
        chips.collect::<Result<_, _>>().or_fail(Kind::Usage)
    }
}

/// Returns the shelf on which a profile stands with all that it may extend, and its name there:
/// a file's own folder beside what is shipped.
pub(crate) fn find(mut shelf: Shelf, name: &str) -> Result<(Shelf, String), Failure> {
    let path = Path::new(name);
    if !is_file(name) {
        return Ok((shelf, name.to_owned()));
    }
    let unreadable = |error: std::io::Error| {
        Failure::new(
            Kind::Usage,
            format!("profile {name} cannot be read: {error}"),
        )
        .with_hint("name a file, or a shipped profile without .toml")
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let ending = path.extension().unwrap_or("toml".as_ref());
    let neighbours = std::fs::read_dir(folder.unwrap_or(Path::new("."))).map_err(unreadable)?;
    for neighbour in neighbours.flatten().map(|entry| entry.path()) {
        if neighbour.extension() == Some(ending)
            && let (Some(stem), Ok(text)) = (stem(&neighbour), std::fs::read_to_string(&neighbour))
        {
            shelf.put(stem, text);
        }
    }
    let own = stem(path).unwrap_or_else(|| name.to_owned());
    shelf.put(own.clone(), text);
    Ok((shelf, own))
}

/// Returns whether a profile is named by its file.
pub(crate) fn is_file(name: &str) -> bool {
    let path = Path::new(name);
    path.extension().is_some_and(|ending| ending == "toml") || path.is_file()
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem()?.to_str().map(str::to_owned)
}

#[cfg(test)]
#[path = "../../../tests/cli/profiles.rs"]
mod tests;
