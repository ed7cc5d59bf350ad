//! The profiles at hand: which there are, of what kind, and whether they are sound.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::{Purpose, Record};
use pki::CertificateProfile;
use print::PrinterProfile;
use profile::{
    ChipProfile, Detail, DocumentProfile, ObjectKind, Place, Plan, ProfileError, ProfileKind,
    Released, Shelf,
};

use crate::cli::card::profiles;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::shipped;

/// What stands in TOML: layouts are [proved apart](crate::cli::profile::layouts).
const IN_TOML: [ProfileKind; 4] = [
    ProfileKind::Chip,
    ProfileKind::Document,
    ProfileKind::Certificate,
    ProfileKind::Printer,
];

/// One profile at hand, on the shelf where all that it may extend stands too.
pub(crate) struct Found {
    pub(crate) kind: ProfileKind,
    /// Its name on the shelf.
    pub(crate) name: String,
    /// Where its file and its neighbours are; none for a shipped one.
    folder: Option<PathBuf>,
    shelf: Shelf,
}

/// A profile that was proved.
pub(crate) enum Proved {
    Chip(Box<ChipProfile>),
    Document(Box<DocumentProfile>),
    Certificate(Box<CertificateProfile>),
    Printer(Box<PrinterProfile>),
}

impl Found {
    /// Proves it.
    pub(crate) fn prove(&self) -> Result<Proved, ProfileError> {
        match self.kind {
            ProfileKind::Chip => {
                let chip = ChipProfile::load(&self.shelf, &self.name)?;
                Ok(Proved::Chip(Box::new(chip)))
            }
            ProfileKind::Document => {
                let document = DocumentProfile::load(&self.shelf, &self.name)?;
                Ok(Proved::Document(Box::new(document)))
            }
            ProfileKind::Certificate => {
                let profile = certificate(&self.shelf, &self.name)?;
                Ok(Proved::Certificate(Box::new(profile)))
            }
            ProfileKind::Printer => {
                let profile = printer(&self.shelf, &self.name)?;
                Ok(Proved::Printer(Box::new(profile)))
            }
            // Never found: it is in no TOML.
            ProfileKind::Sheet => Err(ProfileError::Unknown {
                name: self.name.clone(),
                known: Vec::new(),
            }),
        }
    }

    /// Returns the digest over the profile and all that it extends: what a release is about.
    pub(crate) fn digest(&self, proved: &Proved) -> Option<[u8; 32]> {
        match proved {
            Proved::Chip(chip) => Some(chip.digest),
            Proved::Document(document) => Some(document.digest),
            Proved::Certificate(_) => {
                let about = Released::certificate(&self.name, self.shelf.text(&self.name)?);
                about.ok().map(|about| *about.digest())
            }
            Proved::Printer(_) => self.shelf.text(&self.name).map(profile::text_digest),
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
            None => format!("shipped:{}/{file}", self.kind.folder()),
        }
    }

    /// Returns the line on which a fault stands.
    pub(crate) fn line(&self, place: &Place) -> Option<&str> {
        let text = self.shelf.text(place.file.strip_suffix(".toml")?)?;
        text.lines().nth(place.line.checked_sub(1)?)
    }

    /// Returns the layout of a face.
    pub(crate) fn layout(&self, name: &str) -> Option<&str> {
        self.shelf.layout(name)
    }

    /// Returns whether its text was found beside what is shipped.
    pub(crate) fn is_shipped(&self) -> bool {
        self.path().starts_with("shipped:")
    }
}

/// Returns every profile: the shipped ones, and those of a folder.
pub(crate) fn all(over: Option<&Path>) -> Result<Vec<Found>, Failure> {
    let profiles = shipped::profiles(over)?;
    let mut found = Vec::new();
    for kind in IN_TOML {
        let shelf = profiles.shelf(kind);
        let folder = over.map(|over| over.join(kind.folder()));
        found.extend(shelf.names().map(|name| Found {
            kind,
            name: name.to_owned(),
            folder: folder.clone(),
            shelf: shelf.clone(),
        }));
    }
    Ok(found)
}

/// Returns the text of a profile.
fn text<'a>(shelf: &'a Shelf, name: &str) -> Result<&'a str, ProfileError> {
    shelf.text(name).ok_or_else(|| ProfileError::Unknown {
        name: name.to_owned(),
        known: shelf.names().map(str::to_owned).collect(),
    })
}

/// Returns what is wrong with a profile's text, with its place.
fn invalid((name, text): (&str, &str), at: usize, fault: String, hint: &str) -> ProfileError {
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let place = Place {
        file: format!("{name}.toml"),
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    };
    let hint = hint.to_owned();
    ProfileError::Invalid { place, fault, hint }
}

/// Proves the printer profile of this name.
pub(crate) fn printer(shelf: &Shelf, name: &str) -> Result<PrinterProfile, ProfileError> {
    let text = text(shelf, name)?;
    let as_shipped = "the shipped printer profiles show what belongs there";
    PrinterProfile::parse(text).map_err(|error| {
        let (at, fault) = error.fault();
        invalid((name, text), at, fault, as_shipped)
    })
}

/// Proves the certificate profile of this name, which an authority knows by the name inside too.
pub(crate) fn certificate(shelf: &Shelf, name: &str) -> Result<CertificateProfile, ProfileError> {
    let text = text(shelf, name)?;
    let invalid = |at, fault, hint: &str| invalid((name, text), at, fault, hint);
    let as_shipped = "the shipped certificate profiles show what belongs there";
    let profile = CertificateProfile::parse(text).map_err(|error| match error {
        pki::ProfileError::Syntax(error) => {
            let at = error.span().map_or(0, |span| span.start);
            invalid(at, error.message().to_owned(), as_shipped)
        }
        other => invalid(0, other.to_string(), as_shipped),
    })?;
    match profile.name() == name {
        true => Ok(profile),
        false => Err(invalid(
            0,
            format!(
                "the certificate profile \"{}\" stands under another name",
                profile.name()
            ),
            "call file and profile alike",
        )),
    }
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
    let profiles = shipped::profiles(over)?;
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("profile {name} cannot be read: {error}"),
        )
        .with_hint("name a file, or a shipped profile without .toml")
    })?;
    let kind = kind_of(path, &text, &profiles.documents);
    let (shelf, name) = profiles::find(profiles.shelf(kind).clone(), name)?;
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    Ok(Found {
        kind,
        name,
        folder: Some(folder.unwrap_or(Path::new(".")).to_owned()),
        shelf,
    })
}

/// Tells what a file is about, also one that is no TOML: by the keys that only one kind has, by
/// what it extends, by its folder.
fn kind_of(path: &Path, text: &str, documents: &Shelf) -> ProfileKind {
    let starts = |line: &str, key: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    let has = |keys: &[&str]| {
        text.lines()
            .any(|line| keys.iter().any(|key| starts(line, key)))
    };
    if has(&["kinds", "[[chips"]) {
        return ProfileKind::Document;
    }
    if has(&[
        "interface",
        "[identify",
        "[limits",
        "[[stages",
        "[[operations",
    ]) {
        return ProfileKind::Chip;
    }
    if has(&["[validity", "[[subject"]) {
        return ProfileKind::Certificate;
    }
    if has(&["protocol"]) {
        return ProfileKind::Printer;
    }
    let mut lines = text.lines().filter(|line| starts(line, "extends"));
    let parent = lines.find_map(|line| line.split('"').nth(1));
    if parent.is_some_and(|parent| documents.text(parent).is_some()) {
        return ProfileKind::Document;
    }
    let folder = path.parent().and_then(Path::file_name);
    let is_of = |kind: &ProfileKind| folder.is_some_and(|folder| folder == kind.folder());
    let of_folder = IN_TOML.into_iter().find(is_of);
    of_folder.unwrap_or(ProfileKind::Chip)
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
        if set.is_anybodys() {
            warnings.push(format!(
                "anybody opens the channel of key set \"{name}\": production refuses this chip"
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
    let unproved = central::prove_all(&plan).err();
    if unproved.is_some() || plan.pins.is_empty() || !chip.has_stages_for(Purpose::NewPins) {
        return Ok(unproved);
    }
    let (chip, purpose) = (Arc::clone(chip), Purpose::NewPins);
    Ok(
        match Plan::of(purpose, chip, &document.name, wanted, &record) {
            Ok(renewing) => central::prove_all(&renewing).err(),
            Err(error) => Some(error.to_string()),
        },
    )
}
