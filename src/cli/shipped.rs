//! The profiles and sample applications that are built into the program.

use std::path::Path;

use central::Central;
use include_dir::{Dir, include_dir};
use print::{Layout, LayoutError, SheetKind, SheetLayout};
use profile::{ProfileKind, ReleaseShelf, Shelf};

use crate::cli::failure::{Failure, Kind};
use crate::cli::releases;

static CHIPS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/firmware-profiles/chips");
static DOCUMENTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/firmware-profiles/documents");
static LAYOUTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/firmware-profiles/faces");
static SHEETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/firmware-profiles/sheets");
static PRINTERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/firmware-profiles/printers");
static CERTIFICATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/certs");
static APPLICATIONS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tests/samples/applications");

/// The token kind that works as it is shipped.
pub(crate) const SOFTHSM2: &str = include_str!("../../hsm-config/softhsm2.toml");

/// Which days an office works, as far as the law alone does not say it.
pub(crate) const CALENDAR: &str = include_str!("../../reports/calendar.toml");

/// How many documents are planned: an example.
pub(crate) const PLAN: &str = include_str!("../../reports/plan.toml");

/// Chip, document, certificate and printer profiles, sheets, and their releases.
#[derive(Clone, Debug)]
pub(crate) struct Profiles {
    pub(crate) chips: Shelf,
    pub(crate) documents: Shelf,
    pub(crate) certificates: Shelf,
    pub(crate) printers: Shelf,
    /// Layouts of letters, lists and labels.
    pub(crate) sheets: Shelf,
    pub(crate) releases: ReleaseShelf,
}

impl Profiles {
    /// Returns the profiles of a kind.
    pub(crate) fn shelf(&self, kind: ProfileKind) -> &Shelf {
        match kind {
            ProfileKind::Chip => &self.chips,
            ProfileKind::Document => &self.documents,
            ProfileKind::Certificate => &self.certificates,
            ProfileKind::Printer => &self.printers,
            ProfileKind::Sheet => &self.sheets,
        }
    }

    /// Reads the layout of a letter or a list.
    pub(crate) fn sheet(&self, kind: SheetKind) -> Result<SheetLayout, Failure> {
        let text = self.sheets.text(kind.name()).unwrap_or_default();
        SheetLayout::parse(kind, text).map_err(|error| faulty(&error, kind.name()))
    }

    /// Reads the layout of a parcel's label.
    pub(crate) fn label(&self) -> Result<Layout, Failure> {
        let text = self.sheets.text(LABEL).unwrap_or_default();
        Layout::parse(LABEL, text).map_err(|error| faulty(&error, LABEL))
    }

    /// Demands that the layout of a letter, a list or a label may be printed by this installation.
    pub(crate) fn admit_sheet(&self, central: &Central, name: &str) -> Result<(), Failure> {
        let text = self.sheets.text(name).unwrap_or_default();
        Ok(central.admit_sheet(name, text)?)
    }

    fn shelf_mut(&mut self, kind: ProfileKind) -> &mut Shelf {
        match kind {
            ProfileKind::Chip => &mut self.chips,
            ProfileKind::Document => &mut self.documents,
            ProfileKind::Certificate => &mut self.certificates,
            ProfileKind::Printer => &mut self.printers,
            ProfileKind::Sheet => &mut self.sheets,
        }
    }
}

/// Where the layouts of faces stand beside the profiles.
pub(crate) const FACES: &str = "faces";

/// The layout of a parcel's label.
pub(crate) const LABEL: &str = "parcel-label";

fn faulty(error: &LayoutError, name: &str) -> Failure {
    let folder = ProfileKind::Sheet.folder();
    Failure::new(Kind::Usage, format!("{folder}/{error}"))
        .with_hint(format!("zimogs profile check {name}"))
}

/// Returns the profiles, with those of a folder (`chips/*.toml`, `documents/*.toml`, the layouts
/// `faces/*.svg` and `sheets/*.svg`, `certificates/*.toml`, `printers/*.toml`) laid over the ones of the
/// same name, and the releases beside them (`releases/chips/*.release`…).
pub(crate) fn profiles(over: Option<&Path>) -> Result<Profiles, Failure> {
    let mut profiles = Profiles {
        chips: shelf(&CHIPS, ".toml"),
        documents: shelf(&DOCUMENTS, ".toml"),
        certificates: shelf(&CERTIFICATES, ".toml"),
        printers: shelf(&PRINTERS, ".toml"),
        sheets: shelf(&SHEETS, ".svg"),
        releases: ReleaseShelf::default(),
    };
    for (name, text) in texts(&LAYOUTS, ".svg") {
        profiles.documents.put_layout(name, text);
    }
    if let Some(over) = over {
        if !over.is_dir() {
            return Err(
                Failure::new(Kind::Usage, format!("{} is no folder", over.display())).with_hint(
                    "name a folder with chips/, documents/, certificates/, printers/ or sheets/ in it",
                ),
            );
        }
        for kind in ProfileKind::ALL {
            let folder = over.join(kind.folder());
            let shelf = profiles.shelf_mut(kind);
            lay_over(&folder, kind.ending(), |name, text| shelf.put(name, text))?;
        }
        let faces = over.join(FACES);
        let documents = &mut profiles.documents;
        lay_over(&faces, "svg", |name, text| documents.put_layout(name, text))?;
        releases::lay_over(&mut profiles.releases, &over.join(releases::FOLDER))?;
    }
    Ok(profiles)
}

fn lay_over(folder: &Path, ending: &str, mut put: impl FnMut(&str, String)) -> Result<(), Failure> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Failure::new(
            Kind::Usage,
            format!("cannot read {}: {error}", path.display()),
        )
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder may have only one of them.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(folder, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        if path.extension().is_some_and(|found| found == ending)
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            put(name, text);
        }
    }
    Ok(())
}

/// Returns the certificate profiles: name and TOML text.
pub(crate) fn certificates() -> impl Iterator<Item = (String, &'static str)> {
    texts(&CERTIFICATES, ".toml")
}

/// Returns the sample applications: name and JSON text, in the order of their names.
pub(crate) fn applications() -> impl Iterator<Item = (String, &'static str)> {
    texts(&APPLICATIONS, ".json")
}

fn shelf(folder: &'static Dir<'static>, ending: &'static str) -> Shelf {
    let mut shelf = Shelf::default();
    for (name, text) in texts(folder, ending) {
        shelf.put(name, text);
    }
    shelf
}

fn texts(
    folder: &'static Dir<'static>,
    ending: &'static str,
) -> impl Iterator<Item = (String, &'static str)> {
    let mut texts: Vec<_> = folder
        .files()
        .filter_map(|file| {
            let name = file.path().file_name()?.to_str()?.strip_suffix(ending)?;
            Some((name.to_owned(), file.contents_utf8()?))
        })
        .collect();
    texts.sort_unstable();
    texts.into_iter()
}
