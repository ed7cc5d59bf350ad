//! The profiles at hand: which there are, of what kind, and whether they are sound.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::Record;
use profile::{ChipProfile, Detail, DocumentProfile, ObjectKind, Place, Plan, ProfileError, Shelf};
use serde::Serialize;

use crate::cli::card::profiles;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::shipped::{self, Profiles};

/// What a profile is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// A chip.
    Chip,
    /// A kind of document.
    Document,
}

impl Subject {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Document => "document",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Chip => "chips",
            Self::Document => "documents",
        }
    }
}

/// One profile at hand, on the shelf where all that it may extend stands too.
pub(crate) struct Found {
    pub(crate) subject: Subject,
    /// Its name on the shelf.
    pub(crate) name: String,
    /// Where its file and its neighbours are; none for a shipped one.
    folder: Option<PathBuf>,
    shelf: Shelf,
}

/// A profile that was proved.
pub(crate) enum Proved {
    Chip(Box<ChipProfile>),
    Document(DocumentProfile),
}

impl Proved {
    pub(crate) fn digest(&self) -> &[u8; 32] {
        match self {
            Self::Chip(chip) => &chip.digest,
            Self::Document(document) => &document.digest,
        }
    }
}

impl Found {
    /// Proves it.
    pub(crate) fn prove(&self) -> Result<Proved, ProfileError> {
        match self.subject {
            Subject::Chip => {
                let chip = ChipProfile::load(&self.shelf, &self.name)?;
                Ok(Proved::Chip(Box::new(chip)))
            }
            Subject::Document => {
                DocumentProfile::load(&self.shelf, &self.name).map(Proved::Document)
            }
        }
    }

    /// Returns where its own text is, as a person finds it.
    pub(crate) fn path(&self) -> String {
        self.path_of(&format!("{}.toml", self.name))
    }

    /// Returns where a file stands that a fault names: an ancestor may be shipped.
    pub(crate) fn path_of(&self, file: &str) -> String {
        let own = self.folder.as_ref().map(|folder| folder.join(file));
        match own.filter(|path| path.is_file()) {
            Some(path) => path.display().to_string(),
            None => format!("shipped:{}/{file}", self.subject.folder()),
        }
    }

    /// Returns the line on which a fault stands.
    pub(crate) fn line(&self, place: &Place) -> Option<&str> {
        let text = self.shelf.text(place.file.strip_suffix(".toml")?)?;
        text.lines().nth(place.line.checked_sub(1)?)
    }

    /// Returns whether its text was found beside what is shipped.
    pub(crate) fn is_shipped(&self) -> bool {
        self.path().starts_with("shipped:")
    }
}

/// Returns every profile: the shipped ones, and those of a folder.
pub(crate) fn all(over: Option<&Path>) -> Result<Vec<Found>, Failure> {
    let Profiles {
        chips, documents, ..
    } = shipped::profiles(over)?;
    let of = |subject: Subject, shelf: &Shelf| -> Vec<Found> {
        let folder = over.map(|over| over.join(subject.folder()));
        let names = shelf.names();
        names
            .map(|name| Found {
                subject,
                name: name.to_owned(),
                folder: folder.clone(),
                shelf: shelf.clone(),
            })
            .collect()
    };
    let mut found = of(Subject::Chip, &chips);
    found.extend(of(Subject::Document, &documents));
    Ok(found)
}

/// Returns what a person named: a file, or the name of one or two profiles of [`all`].
pub(crate) fn named(name: &str, over: Option<&Path>) -> Result<Vec<Found>, Failure> {
    if profiles::is_file(name) {
        return Ok(vec![file(name, over)?]);
    }
    let mut found = all(over)?;
    let known: Vec<_> = found.iter().map(|found| found.name.clone()).collect();
    found.retain(|found| found.name == name);
    if found.is_empty() {
        let fault = format!("no profile is named \"{name}\"");
        return Err(Failure::new(Kind::Usage, fault).with_hint(format!(
            "known are {}; or name a file that ends in .toml",
            known.join(", ")
        )));
    }
    Ok(found)
}

fn file(name: &str, over: Option<&Path>) -> Result<Found, Failure> {
    let Profiles {
        chips, documents, ..
    } = shipped::profiles(over)?;
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("profile {name} cannot be read: {error}"),
        )
        .with_hint("name a file, or a shipped profile without .toml")
    })?;
    let subject = subject(path, &text, &documents);
    let shelf = match subject {
        Subject::Chip => chips,
        Subject::Document => documents,
    };
    let (shelf, name) = profiles::find(shelf, name)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    Ok(Found {
        subject,
        name,
        folder: Some(folder.unwrap_or(Path::new(".")).to_owned()),
        shelf,
    })
}

/// Tells what a file is about, also one that is no TOML: by the keys that only one kind has, by
/// what it extends, by its folder.
fn subject(path: &Path, text: &str, documents: &Shelf) -> Subject {
    let starts = |line: &str, key: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    let has = |keys: &[&str]| {
        text.lines()
            .any(|line| keys.iter().any(|key| starts(line, key)))
    };
    if has(&["kinds", "[[chips"]) {
        return Subject::Document;
    }
    if has(&[
        "interface",
        "[identify",
        "[limits",
        "[[stages",
        "[[operations",
    ]) {
        return Subject::Chip;
    }
    let mut lines = text.lines().filter(|line| starts(line, "extends"));
    let parent = lines.find_map(|line| line.split('"').nth(1));
    let folder = path.parent().and_then(Path::file_name);
    let among_documents = folder.is_some_and(|folder| folder == Subject::Document.folder());
    match parent.is_some_and(|parent| documents.text(parent).is_some()) || among_documents {
        true => Subject::Document,
        false => Subject::Chip,
    }
}

/// Returns the record of an invented holder for a document and a chip, with stand-ins for what
/// data preparation would make.
pub(crate) fn specimen(document: &DocumentProfile, chip: &ChipProfile) -> Result<Record, Failure> {
    let mut record: Record = serde_json::from_str(profile::SPECIMEN).or_fail(Kind::Failed)?;
    if let Some(kind) = document.kinds.first() {
        record.kind = *kind;
    }
    profile::prepare_specimen(&mut record, chip);
    Ok(record)
}

/// Returns what a chip profile leaves to wish for although it is sound.
pub(crate) fn warnings(chip: &ChipProfile) -> Vec<String> {
    let mut warnings = Vec::new();
    if chip.identify.serial.is_none() {
        warnings.push("the chip has no serial number of its own: each blank needs a number, and attempts are counted for all such chips together".to_owned());
    }
    if chip.identify.atr.is_empty() && chip.identify.expect.is_empty() {
        warnings.push("any chip passes for this one: identify neither names an answer to reset nor expects anything".to_owned());
    }
    let keys = chip.objects(ObjectKind::Key);
    let algorithms: BTreeSet<_> = keys
        .filter_map(|key| match &key.detail {
            Detail::Key(rules) => Some(rules.algorithm.name()),
            _ => None,
        })
        .collect();
    for algorithm in algorithms {
        if !chip.timing.generate.contains_key(algorithm) {
            warnings.push(format!(
                "[timing] says nothing of making a {algorithm} key: estimates leave it out"
            ));
        }
    }
    for (name, set) in &chip.channel.keys {
        if matches!(set.source, profile::KeySource::Known(_)) {
            warnings.push(format!(
                "key set \"{name}\" is known to the world: in production it must not stay"
            ));
        }
        if set.tries.is_none() {
            warnings.push(format!("key set \"{name}\" does not say how many failures lock the chip (tries): two are allowed"));
        }
    }
    warnings
}

/// Returns why a document cannot be made on a chip that it names, if it cannot.
pub(crate) fn mismatch(
    document: &DocumentProfile,
    chip: &Arc<ChipProfile>,
) -> Result<Option<String>, Failure> {
    let record = specimen(document, chip)?;
    let Some(wanted) = profiles::wanted(document, &chip.name) else {
        return Ok(None);
    };
    let plan = match Plan::new(Arc::clone(chip), &document.name, wanted, &record) {
        Ok(plan) => plan,
        Err(error) => return Ok(Some(error.to_string())),
    };
    Ok(central::prove_all(&plan).err())
}
